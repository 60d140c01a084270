/* SPDX-License-Identifier: MIT */
/*
 * several_check.c: what a provider can do of several processes, and what of a
 * program cannot be done, which is said before anything is.
 *
 * Invariant: a program is refused for an operation that is not here, for what
 * JavaScript alone has (functions, symbols, errors and the like as values,
 * exceptions, modules, an API's own shape), and for what the provider lacks.
 */
#include "several.h"

#include <stddef.h>
#include <string.h>

bool several_tables(const struct pl_provider *provider,
                    struct pl_processes_table *processes,
                    struct pl_cluster_table *cluster) {
  size_t needed = offsetof(struct pl_provider, processes) + sizeof(void *);
  const struct pl_processes_table *table =
      provider->size >= needed ? provider->processes : NULL;
  *processes = (struct pl_processes_table){0};
  *cluster = (struct pl_cluster_table){0};
  if (table == NULL) return false;
  memcpy(processes, table,
         table->size < sizeof *processes ? table->size : sizeof *processes);
  if (processes->cluster != NULL)
    memcpy(cluster, processes->cluster,
           processes->cluster->size < sizeof *cluster ? processes->cluster->size
                                                      : sizeof *cluster);
  return true;
}

const char *const *several_capabilities(const struct pl_provider *provider) {
  static const char *all[16];
  struct pl_processes_table table;
  struct pl_cluster_table cluster;
  size_t count = 0;
  if (several_tables(provider, &table, &cluster) && table.send_value != NULL) {
    all[count++] = "process.roles";
    all[count++] = "process.spawn";
    all[count++] = "process.exec";
    all[count++] = "process.exit";
    all[count++] = "ipc.channel";
    all[count++] = "ipc.handle";
    all[count++] = "ipc.dgram";
    if (table.run != NULL) all[count++] = "process.sync";
    if (table.channel_open_advanced != NULL) all[count++] = "ipc.advanced";
    if (cluster.fork != NULL && cluster.join != NULL) {
      all[count++] = "cluster.fork";
      all[count++] = "cluster.wire";
      if (cluster.weighs) all[count++] = "cluster.weights";
      if (cluster.supervises) all[count++] = "cluster.supervision";
      if (cluster.abandon != NULL) all[count++] = "cluster.abandon";
    }
  }
  all[count] = NULL;
  return all;
}

static const char *const operations[] = {"log",
                                         "given",
                                         "exit",
                                         "exit-code",
                                         "listener",
                                         "timeout",
                                         "immediate",
                                         "tick",
                                         "microtask",
                                         "ref",
                                         "unref",
                                         "fs.stat",
                                         "signal",
                                         "stop",
                                         "raise",
                                         "spawn",
                                         "spawn-sync",
                                         "exec",
                                         "exec-file",
                                         "exec-sync",
                                         "kill",
                                         "input",
                                         "collect",
                                         "stop-reading",
                                         "child.ref",
                                         "child.unref",
                                         "when",
                                         "field",
                                         "fork",
                                         "parent.on",
                                         "parent.off",
                                         "parent.field",
                                         "channel.ref",
                                         "channel.unref",
                                         "send",
                                         "disconnect",
                                         "server",
                                         "server.listen",
                                         "server.close",
                                         "take",
                                         "connect",
                                         "write",
                                         "finish",
                                         "destroy",
                                         "resume",
                                         "text",
                                         "udp",
                                         "udp.send",
                                         "udp.close",
                                         "cluster.setup",
                                         "cluster.fork",
                                         "cluster.on",
                                         "cluster.field",
                                         "cluster.disconnect",
                                         "worker.self",
                                         "worker.kill",
                                         "worker.disconnect",
                                         "worker.abandon",
                                         NULL};

static bool is(const char *a, const char *b) {
  return a != NULL && strcmp(a, b) == 0;
}

/* Why an operation cannot be done, or NULL. */
static const char *reason(const struct several *host, const char *name,
                          const json_t *value) {
  const char *event = several_text(value, "event");
  size_t i = 0;
  while (operations[i] != NULL && strcmp(operations[i], name) != 0)
    i++;
  if (operations[i] == NULL) return name;
  if (json_object_get(value, "module") != NULL)
    return "a module of JavaScript's";
  if (!several_knows(json_object_get(value, "value")))
    return "a value that JavaScript alone has";
  const json_t *args = json_object_get(value, "args");
  for (i = 0; i < json_array_size(args); i++) {
    const char *word = json_string_value(json_array_get(args, i));
    if (word != NULL && strstr(word, "$nul") != NULL)
      return "a NUL, which no string of C has in it";
  }
  if (is(name, "listener") && !is(event, "exit") && !is(event, "before-exit"))
    return "exceptions, which C has not";
  if ((is(name, "cluster.on") && is(event, "setup")) ||
      (is(name, "cluster.field") &&
       is(several_text(value, "name"), "settings")))
    return "the settings of JavaScript's cluster";
  if (strncmp(name, "cluster.", 8) == 0 && host->cluster == NULL)
    return "no clusters";
  if (is(name, "worker.abandon") &&
      (host->cluster == NULL || host->cluster->abandon == NULL))
    return "a worker that gives up";
  return NULL;
}

static void check_body(struct several *host, const json_t *body) {
  for (size_t i = 0; i < json_array_size(body); i++) {
    json_t *operation = json_array_get(body, i);
    const char *name = json_object_iter_key(json_object_iter(operation));
    if (name == NULL) several_refuse(host, "an operation has one key");
    const json_t *value = json_object_get(operation, name);
    const char *why = reason(host, name, value);
    if (why != NULL) several_refuse(host, why);
    check_body(host, json_object_get(value, "then"));
    const json_t *each = json_object_get(value, "each");
    for (size_t k = 0; k < json_array_size(each); k++)
      check_body(host, json_array_get(each, k));
  }
}

void several_check(struct several *host) {
  json_t *program = json_object_get(host->request, "program");
  const char *role;
  json_t *body;
  check_body(host, json_object_get(program, "main"));
  json_object_foreach(json_object_get(program, "roles"), role, body) {
    if (strncmp(role, "peer", 4) != 0) check_body(host, body);
  }
}
