/* SPDX-License-Identifier: MIT */
/*
 * main.c: plumb-bench measures provider libraries side by side.
 *
 * Invariant: every provider runs the same descriptors; one that lacks what a
 * benchmark needs is not registered for it, so it shows as absent and never
 * as fast.
 */
#include "library.h"
#include "loop/fixture.h"
#include "shim/benchmark.h"
#include "shim/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef PLUMBLINE_VERSION
#error "the build tells the suite's version"
#endif

enum { MOST_PROVIDERS = 16 };

const struct bench *const loop_benchmarks[] = {&bench_timer_arm,
                                               &bench_timer_arm_equal,
                                               &bench_timer_fire,
                                               &bench_timer_fire_equal,
                                               &bench_timer_fire_rearmed,
                                               &bench_timer_cancel,
                                               &bench_timer_cancel_equal,
                                               &bench_timer_rearm,
                                               &bench_timer_rearm_equal,
                                               &bench_iteration,
                                               &bench_iteration_asleep,
                                               &bench_async_wake,
                                               &bench_async_coalesced,
                                               &bench_async_among,
                                               &bench_async_sleeping,
                                               &bench_poll_ping_pong,
                                               &bench_stream_ping_pong,
                                               &bench_poll_stop_start,
                                               &bench_poll_register,
                                               &bench_poll_among,
                                               &bench_pool_jobs,
                                               &bench_pool_short_jobs,
                                               &bench_fs_stat,
                                               &bench_fs_read,
                                               &bench_fs_read_job,
                                               &bench_immediate,
                                               &bench_tick,
                                               &bench_microtask,
                                               &bench_timeout_arm,
                                               NULL};

struct options {
  const char *providers[MOST_PROVIDERS];
  size_t count;
  const char *traced; /* run this one alone, for whoever counts */
  bool syscalls;      /* count them */
};

static int usage(FILE *out) {
  fputs("usage: plumb-bench --provider LIB.so [--provider LIB.so]... "
        "[--no-syscalls]\n"
        "                   [google-benchmark flags]\n"
        "\n"
        "  plumb-bench --provider ref.so --provider libuv.so\n"
        "  plumb-bench --provider ref.so --benchmark_filter=loop/timers\n"
        "  plumb-bench --provider ref.so --benchmark_format=json\n"
        "\n"
        "Exit status: 0; 1 a benchmark's check failed; 2 nothing to measure.\n",
        out);
  return out == stdout ? 0 : 2;
}

static int add_provider(struct options *options, const char *path) {
  if (options->count == MOST_PROVIDERS) {
    fprintf(stderr, "plumb-bench: more than %d providers\n", MOST_PROVIDERS);
    return -1;
  }
  options->providers[options->count++] = path;
  return 0;
}

/* The value of `--name=value` or `--name value` at argv[*i], or NULL. */
static const char *option_value(const char *name, int argc, char **argv,
                                int *i) {
  size_t length = strlen(name);
  if (strncmp(argv[*i], name, length) != 0) return NULL;
  if (argv[*i][length] == '=') return argv[*i] + length + 1;
  if (argv[*i][length] != '\0' || *i + 1 >= argc) return NULL;
  return argv[++*i];
}

/* Takes our own options out of argv; what is left is google-benchmark's. */
static int read_options(struct options *options, int *argc, char **argv) {
  int kept = 1;
  for (int i = 1; i < *argc; i++) {
    const char *value;
    if ((value = option_value("--provider", *argc, argv, &i)) != NULL) {
      if (add_provider(options, value) != 0) return -1;
    } else if ((value = option_value("--traced", *argc, argv, &i)) != NULL) {
      options->traced = value;
    } else if (strcmp(argv[i], "--no-syscalls") == 0) {
      options->syscalls = false;
    } else {
      argv[kept++] = argv[i];
    }
  }
  *argc = kept;
  argv[kept] = NULL;
  return 0;
}

struct contender {
  struct library library;
  char name[64]; /* the provider's, numbered where there are more of it */
  size_t registered;
};

static void name_contender(struct contender *all, size_t index) {
  struct contender *own = &all[index];
  const char *name = own->library.provider->name;
  unsigned same = 1;
  for (size_t i = 0; i < index; i++)
    if (strcmp(all[i].library.provider->name, name) == 0) same++;
  if (same == 1)
    snprintf(own->name, sizeof own->name, "%s", name);
  else
    snprintf(own->name, sizeof own->name, "%.50s#%u", name, same);
  char key[96];
  snprintf(key, sizeof key, "provider_%s", own->name);
  bench_context(key, own->library.provider->version);
}

static int open_contenders(struct contender *all,
                           const struct options *options) {
  char message[1024];
  for (size_t i = 0; i < options->count; i++) {
    if (!library_open(&all[i].library, options->providers[i], message,
                      sizeof message)) {
      fprintf(stderr, "plumb-bench: %s\n", message);
      return -1;
    }
    name_contender(all, i);
  }
  return 0;
}

/* -- counting system calls ----------------------------------------------- */

enum { WORDS = 6, MOST_NAME = 128 };

/* plumb-bench --provider LIB --traced NAME: what is run to count the system
 * calls of one benchmark. */
struct command {
  char name[MOST_NAME];
  char *words[WORDS];
};

static char *word(const char *text) {
  return (char *)(uintptr_t)text; /* execv() takes what it does not change */
}

static void make_command(struct command *command, const char *provider,
                         const struct bench *bench, size_t value) {
  bench_name(bench, value, command->name, sizeof command->name);
  char *words[WORDS] = {word("/proc/self/exe"), word("--provider"),
                        word(provider),         word("--traced"),
                        command->name,          NULL};
  memcpy(command->words, words, sizeof words);
}

/* Tries the first one: the answer stands in the context of the results. */
static bool can_count(const struct command *command) {
  int64_t calls;
  int error = trace_count(command->words, &calls);
  bench_context("syscalls", error == 0 ? "counted" : strerror(-error));
  return error == 0;
}

/* The traced side: one benchmark, by name. */
static int run_traced(const struct library *library, const char *name) {
  char found[MOST_NAME];
  for (size_t b = 0; loop_benchmarks[b]; b++)
    for (size_t v = 0; v < bench_value_count(loop_benchmarks[b]); v++) {
      bench_name(loop_benchmarks[b], v, found, sizeof found);
      if (strcmp(found, name) != 0) continue;
      return bench_run_traced(loop_benchmarks[b], v, library) ? 1 : 0;
    }
  return 2;
}

/* -- measuring ------------------------------------------------------------- */

static size_t count_benchmarks(void) {
  size_t count = 0;
  for (size_t b = 0; loop_benchmarks[b]; b++)
    count += bench_value_count(loop_benchmarks[b]);
  return count;
}

/* Side by side: what is compared runs close together in time. */
static void register_all(struct contender *all, const struct options *options,
                         struct command *commands) {
  size_t next = 0;
  bool counted = options->syscalls;
  for (size_t b = 0; loop_benchmarks[b]; b++)
    for (size_t v = 0; v < bench_value_count(loop_benchmarks[b]); v++)
      for (size_t i = 0; i < options->count; i++) {
        if (!bench_supports(loop_benchmarks[b], v, &all[i].library)) continue;
        struct command *command = &commands[next++];
        make_command(command, options->providers[i], loop_benchmarks[b], v);
        if (counted && next == 1) counted = can_count(command);
        bench_register(loop_benchmarks[b], v, all[i].name, &all[i].library,
                       counted ? command->words : NULL);
        all[i].registered++;
      }
  for (size_t i = 0; i < options->count; i++)
    if (all[i].registered == 0)
      fprintf(stderr, "plumb-bench: %s offers nothing to measure\n",
              all[i].name);
}

static int measure(const struct options *options) {
  struct contender *all = calloc(options->count, sizeof *all);
  struct command *commands =
      calloc(options->count * count_benchmarks(), sizeof *commands);
  int status = 2;
  if (!all || !commands) {
    fputs("plumb-bench: out of memory\n", stderr);
  } else if (open_contenders(all, options) == 0) {
    bench_context("suite_version", PLUMBLINE_VERSION);
    if (options->traced) {
      status = run_traced(&all[0].library, options->traced);
    } else {
      register_all(all, options, commands);
      status = bench_run();
    }
  }
  free(commands);
  free(all); /* the libraries stay: a pool thread may be in their code */
  return status;
}

int main(int argc, char **argv) {
  struct options options = {.syscalls = true};
  if (argc == 2 && strcmp(argv[1], "--help") == 0) return usage(stdout);
  if (read_options(&options, &argc, argv) != 0) return 2;
  if (options.count == 0) return usage(stderr);
  if (bench_initialize(&argc, argv) != 0) return 2;
  return measure(&options);
}
