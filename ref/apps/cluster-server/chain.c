/* SPDX-License-Identifier: MIT */
/*
 * chain.c: shared libraries that look at requests.
 *
 * Invariant: what is in the chain was opened and has a request function; a
 * library that was refused is not loaded any more.
 */
#include "chain.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* -- the folder ------------------------------------------------------------ */

static int is_library(const struct dirent *entry) {
  size_t length = strlen(entry->d_name);
  return entry->d_name[0] != '.' && length > 3 &&
         strcmp(entry->d_name + length - 3, ".so") == 0;
}

/* Bytes, not the locale's letters: the order is the same everywhere. */
static int by_name(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

/* The files, in order. Returns how many, or a negative errno value. */
static int files_of(const char *folder, char *files[CHAIN_MOST]) {
  struct dirent **entries;
  int count = scandir(folder, &entries, is_library, by_name);
  if (count < 0) return -errno;
  int error = count > CHAIN_MOST ? -E2BIG : 0;
  int kept = 0;
  for (int i = 0; i < count; i++) {
    if (!error &&
        asprintf(&files[kept], "%s/%s", folder, entries[i]->d_name) < 0)
      error = -ENOMEM;
    else if (!error)
      kept++;
    free(entries[i]);
  }
  free(entries);
  if (!error) return kept;
  while (kept > 0)
    free(files[--kept]);
  return error;
}

/* -- one library ----------------------------------------------------------- */

static void refuse(const char *file, const char *why) {
  fprintf(stderr, "plumb-cluster-server: refused %s: %s\n", file, why);
}

static const char *fault_of(const struct interceptor *interceptor) {
  if (!interceptor) return "plumb_interceptor_v1() returned NULL";
  if (interceptor->abi != INTERCEPTOR_ABI)
    return "made for another version of interceptor.h";
  if (interceptor->size < sizeof *interceptor)
    return "its struct interceptor is too short";
  if (!interceptor->name || !interceptor->request)
    return "it has no name, or no request function";
  return NULL;
}

static int load(struct chain_link *link) {
  const struct interceptor *(*entry)(void) = NULL;
  link->library = dlopen(link->file, RTLD_NOW | RTLD_LOCAL);
  if (!link->library) {
    refuse(link->file, dlerror());
    return -1;
  }
  *(void **)&entry = dlsym(link->library, "plumb_interceptor_v1");
  const char *fault = entry ? fault_of(link->interceptor = entry())
                            : "it exports no plumb_interceptor_v1()";
  int error = 0;
  if (!fault && link->interceptor->open)
    error = link->interceptor->open(&link->self);
  if (error) fault = strerror(-error);
  if (!fault) return 0;
  refuse(link->file, fault);
  dlclose(link->library);
  return -1;
}

static void unload(struct chain_link *link) {
  if (link->interceptor->close) link->interceptor->close(link->self);
  dlclose(link->library);
  free(link->file);
}

/* -- all of them ----------------------------------------------------------- */

int chain_open(struct chain *chain, const char *folder) {
  char *files[CHAIN_MOST];
  *chain = (struct chain){0};
  int count = folder ? files_of(folder, files) : 0;
  int refused = 0;
  for (int i = 0; i < count; i++) {
    struct chain_link *link = &chain->links[chain->count];
    *link = (struct chain_link){.file = files[i]};
    if (load(link) == 0) {
      chain->count++;
      continue;
    }
    free(files[i]);
    refused++;
  }
  return count < 0 ? count : refused;
}

void chain_close(struct chain *chain) {
  while (chain->count > 0)
    unload(&chain->links[--chain->count]);
}

/* How a child that loaded the file ended: 0 when it may be used. */
static int try_one(char *file) {
  pid_t pid = fork();
  if (pid < 0) return -errno;
  if (pid == 0) {
    struct chain_link link = {.file = file};
    _exit(load(&link) == 0 ? 0 : 1);
  }
  int status;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return -errno;
  if (WIFSIGNALED(status)) {
    char why[96];
    snprintf(why, sizeof why, "it crashed while it was loaded (%s)",
             strsignal(WTERMSIG(status)));
    refuse(file, why);
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
}

int chain_check(const char *folder) {
  char *files[CHAIN_MOST];
  int count = folder ? files_of(folder, files) : 0;
  int refused = 0;
  for (int i = 0; i < count; i++) {
    int found = refused < 0 ? 0 : try_one(files[i]);
    refused = found < 0 ? found : refused + found;
    free(files[i]);
  }
  return count < 0 ? count : refused;
}

const struct chain_link *chain_ask(struct chain *chain,
                                   const struct interceptor_request *request,
                                   struct interceptor_answer *answer,
                                   int *error) {
  unsigned delay = 0;
  *error = 0;
  for (size_t i = 0; i < chain->count; i++) {
    const struct chain_link *link = &chain->links[i];
    *answer = (struct interceptor_answer){.size = sizeof *answer};
    int verdict = link->interceptor->request(link->self, request, answer);
    delay += answer->delay_ms;
    answer->delay_ms = delay;
    if (verdict == INTERCEPTOR_NEXT) continue;
    if (verdict < 0)
      *error = verdict;
    else if (verdict != INTERCEPTOR_ANSWER || answer->status < 100 ||
             answer->status > 599 || (answer->length > 0 && !answer->body))
      *error = -EPROTO;
    return link;
  }
  *answer =
      (struct interceptor_answer){.size = sizeof *answer, .delay_ms = delay};
  return NULL;
}
