/* SPDX-License-Identifier: MIT */
/*
 * protocol.c: one line in, one line out.
 *
 * Invariant: every command gets exactly one answer, in one write(2), except a
 * streamed run, whose answer is its events and the end of the process; a line
 * that cannot be understood is answered too, with "seq":null where none could
 * be read.
 */
#include "protocol.h"
#include "heap.h"
#include "run.h"
#include "several.h"

#include <stdlib.h>
#include <string.h>

struct server {
  const struct library *library;
  const char *path; /* of the library */
  struct heap_tables heap; /* the library's, for programs about memory */
  struct arena arena; /* the program of the command */
  struct text trace;  /* kept from run to run, for its memory */
  struct text answer;
  int out;
  bool started; /* `start` was answered */
  bool over;    /* a streamed run has ended: no further command */
  int status;   /* exit status */
};

/* -- answers ------------------------------------------------------------- */

static void answer_begin(struct server *server, const char *seq) {
  text_clear(&server->answer);
  text_add_string(&server->answer, "{\"seq\":");
  text_add_string(&server->answer, seq);
}

static void answer_send(struct server *server) {
  struct text *answer = &server->answer;
  text_add(answer, "}\n", 2);
  if (answer->failed) {
    text_clear(answer);
    text_add_string(answer, "{\"seq\":null,\"error\":{\"message\":"
                            "\"out of memory\",\"detail\":null}}\n");
  }
  if (text_write(answer, server->out) == 0) return;
  server->over = true; /* the runner is gone */
  server->status = 1;
}

static void answer_error(struct server *server, const char *seq,
                         const char *message, const char *detail) {
  answer_begin(server, seq);
  text_add_string(&server->answer, ",\"error\":{\"message\":");
  text_add_json(&server->answer, message);
  text_add_string(&server->answer, ",\"detail\":");
  if (detail)
    text_add_json(&server->answer, detail);
  else
    text_add_string(&server->answer, "null");
  text_add_string(&server->answer, "}");
  answer_send(server);
}

static void answer_unsupported(struct server *server, const char *seq,
                               const char *why) {
  answer_begin(server, seq);
  text_add_string(&server->answer, ",\"unsupported\":");
  text_add_json(&server->answer, why);
  answer_send(server);
}

static void answer_events(struct server *server, const char *seq,
                          const struct trace *trace) {
  answer_begin(server, seq);
  text_add_string(&server->answer, ",\"events\":[");
  text_add(&server->answer, trace->text.bytes, trace->text.length);
  text_add_string(&server->answer, "],\"evidence\":{}");
  answer_send(server);
}

/* -- start --------------------------------------------------------------- */

static void add_member(struct text *text, const char *key, const char *value) {
  text_add_json(text, key);
  text_add(text, ":", 1);
  if (value)
    text_add_json(text, value);
  else
    text_add_string(text, "null");
}

static void add_capabilities(struct text *text, const struct library *library) {
  bool first = true;
  for (unsigned i = 0; i < CAP_COUNT; i++) {
    if (!library_has(library, (enum capability)i)) continue;
    if (!first) text_add(text, ",", 1);
    text_add_json(text, capability_name((enum capability)i));
    first = false;
  }
}

static void add_heap_capabilities(struct text *text,
                                  const struct heap_tables *tables) {
  for (unsigned i = 0; i < HEAP_CAPABILITY_COUNT; i++) {
    if (!heap_offers(tables, (enum heap_capability)i)) continue;
    if (text->length && text->bytes[text->length - 1] != '[')
      text_add(text, ",", 1);
    text_add_json(text, heap_capability_name((enum heap_capability)i));
  }
}

static void on_start(struct server *server, const char *seq, json_t *command) {
  const struct pl_provider *provider = server->library->provider;
  json_t *version = json_object_get(command, "protocol");
  if (!json_is_integer(version) || json_integer_value(version) != 1) {
    answer_error(server, seq, "this host speaks protocol 1", NULL);
    return;
  }
  struct text *answer = &server->answer;
  text_clear(answer);
  text_add_string(answer, "{\"protocol\":1,\"implementation\":{");
  add_member(answer, "name", provider->name);
  text_add(answer, ",", 1);
  add_member(answer, "version", provider->version);
  text_add(answer, ",", 1);
  add_member(answer, "language", provider->language);
  text_add(answer, ",", 1);
  add_member(answer, "homepage", provider->homepage);
  text_add_string(answer, "},\"capabilities\":[");
  add_capabilities(answer, server->library);
  add_heap_capabilities(answer, &server->heap);
  const char *const *several = several_capabilities(provider);
  for (size_t i = 0; several[i] != NULL; i++) {
    if (answer->bytes[answer->length - 1] != '[') text_add(answer, ",", 1);
    text_add_json(answer, several[i]);
  }
  text_add_string(answer, "],\"traits\":[");
  const char *const *traits = provider->traits;
  for (size_t i = 0; traits && traits[i]; i++) {
    if (i) text_add(answer, ",", 1);
    text_add_json(answer, traits[i]);
  }
  text_add(answer, "]", 1);
  server->started = true;
  answer_send(server);
}

/* -- run ----------------------------------------------------------------- */

static void run_read(struct server *server, const char *seq,
                     const struct program *program, const char *dir,
                     bool stream) {
  struct trace trace = {
      .text = server->trace, .stream = stream ? seq : NULL, .fd = server->out};
  struct run run = {.library = server->library,
                    .program = program,
                    .dir = dir,
                    .trace = &trace};
  text_clear(&trace.text);
  bool ok = run_program(&run);
  if (run.unsupported)
    answer_unsupported(server, seq, run.message);
  else if (!ok)
    answer_error(server, seq, run.message, NULL);
  else if (!stream)
    answer_events(server, seq, &trace);
  server->trace = trace.text;
  if (!stream) return;
  server->over = true;
  if (!ok) server->status = 1;
}

/* -- run: programs about memory ------------------------------------------- */

static void answer_heap(struct server *server, const char *seq,
                        const struct heap_run *run,
                        const struct trace *trace) {
  const char *const names[] = {"minor", "major"};
  struct text *answer = &server->answer;
  answer_begin(server, seq);
  if (!trace->stream) {
    text_add_string(answer, ",\"events\":[");
    text_add(answer, trace->text.bytes, trace->text.length);
    text_add_string(answer, "]");
  }
  text_add_string(answer, ",\"evidence\":{");
  for (size_t i = 0; i < 2; i++)
    text_addf(answer, "%s\"%s\":%u", i ? "," : "", names[i],
              run->evidence[i]);
  text_add_string(answer, "}");
  answer_send(server);
}

static void run_heap(struct server *server, const char *seq, json_t *program,
                     bool stream) {
  char message[512];
  switch (heap_check(&server->heap, program, message, sizeof message)) {
  case HEAP_MALFORMED:
    answer_error(server, seq, message, "the program is malformed");
    return;
  case HEAP_UNSUPPORTED:
    answer_unsupported(server, seq, message);
    return;
  case HEAP_READ:
    break;
  }
  struct trace trace = {
      .text = server->trace, .stream = stream ? seq : NULL, .fd = server->out};
  struct heap_run run = {
      .tables = &server->heap, .program = program, .trace = &trace};
  text_clear(&trace.text);
  bool ok = heap_run_program(&run);
  if (ok)
    answer_heap(server, seq, &run, &trace);
  else
    answer_error(server, seq, run.message, NULL);
  server->trace = trace.text;
  if (!stream) return;
  server->over = true;
  if (!ok) server->status = 1;
}

static void on_run(struct server *server, const char *seq, json_t *command) {
  if (!server->started) {
    answer_error(server, seq, "`run` came before `start`", NULL);
    return;
  }
  json_t *dir = json_object_get(command, "dir");
  json_t *stream = json_object_get(command, "stream");
  if (dir && !json_is_string(dir)) {
    answer_error(server, seq, "dir: a path is wanted", NULL);
    return;
  }
  if (stream && !json_is_boolean(stream)) {
    answer_error(server, seq, "stream: true or false is wanted", NULL);
    return;
  }
  json_t *trace = json_object_get(command, "trace");
  if (json_is_string(trace) && json_is_true(stream)) {
    server->over = true;
    server->status = several_run(server->library, server->path,
                                 json_string_value(trace), NULL, NULL);
    return;
  }
  if (heap_program(json_object_get(command, "program"))) {
    run_heap(server, seq, json_object_get(command, "program"),
             json_is_true(stream));
    return;
  }
  char message[512];
  struct program program;
  arena_reset(&server->arena);
  switch (program_read(&program, &server->arena, server->library,
                       json_object_get(command, "program"), message,
                       sizeof message)) {
  case READ_MALFORMED:
    answer_error(server, seq, message, "the program is malformed");
    break;
  case READ_UNSUPPORTED:
    answer_unsupported(server, seq, message);
    break;
  case READ_OK:
    run_read(server, seq, &program, dir ? json_string_value(dir) : ".",
             json_is_true(stream));
    break;
  }
}

/* -- commands ------------------------------------------------------------ */

static void dispatch(struct server *server, const char *seq, json_t *command) {
  const char *name = json_string_value(json_object_get(command, "cmd"));
  if (!name)
    answer_error(server, seq, "a command is an object with `cmd`", NULL);
  else if (strcmp(name, "run") == 0)
    on_run(server, seq, command);
  else if (strcmp(name, "start") == 0)
    on_start(server, seq, command);
  else if (strcmp(name, "stop") == 0)
    server->over = true;
  else if (strcmp(name, "bench") == 0)
    answer_unsupported(server, seq,
                       "providers are measured by bench/plumb-bench");
  else
    answer_error(server, seq, "unknown command", name);
}

static void serve_line(struct server *server, const char *line, size_t length) {
  json_error_t error;
  json_t *command = json_loadb(line, length, JSON_DECODE_ANY, &error);
  if (!command) {
    answer_error(server, "null", "the line is not JSON", error.text);
    return;
  }
  json_t *value = json_object_get(command, "seq");
  char *seq = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
  dispatch(server, seq ? seq : "null", command);
  free(seq);
  json_decref(command);
}

int protocol_serve(const struct library *library, const char *path, FILE *in,
                   int out) {
  struct server server = {.library = library, .path = path, .out = out};
  heap_tables_take(&server.heap, library->provider);
  char *line = NULL;
  size_t room = 0;
  ssize_t length;
  while (!server.over && (length = getline(&line, &room, in)) >= 0)
    serve_line(&server, line, (size_t)length);
  free(line);
  text_free(&server.trace);
  text_free(&server.answer);
  arena_free(&server.arena);
  return server.status;
}
