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

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef PLUMBLINE_VERSION
#error "the build tells the suite's version"
#endif

enum { MOST_PROVIDERS = 16 };

const struct bench *const loop_benchmarks[] = {
    &bench_timer_arm,      &bench_timer_fire,
    &bench_timer_cancel,   &bench_iteration,
    &bench_async_wake,     &bench_async_coalesced,
    &bench_poll_ping_pong, &bench_pool_jobs,
    &bench_fs_stat,        &bench_immediate,
    &bench_tick,           &bench_microtask,
    &bench_timeout_arm,    NULL};

struct options {
  const char *providers[MOST_PROVIDERS];
  size_t count;
};

static int usage(FILE *out) {
  fputs("usage: plumb-bench --provider LIB.so [--provider LIB.so]... "
        "[google-benchmark flags]\n"
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

/* Takes our own options out of argv; what is left is google-benchmark's. */
static int read_options(struct options *options, int *argc, char **argv) {
  int kept = 1;
  for (int i = 1; i < *argc; i++) {
    const char *path = NULL;
    if (strncmp(argv[i], "--provider=", 11) == 0)
      path = argv[i] + 11;
    else if (strcmp(argv[i], "--provider") == 0 && i + 1 < *argc)
      path = argv[++i];
    if (!path)
      argv[kept++] = argv[i];
    else if (add_provider(options, path) != 0)
      return -1;
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

/* Side by side: what is compared runs close together in time. */
static void register_all(struct contender *all, size_t count) {
  for (size_t b = 0; loop_benchmarks[b]; b++)
    for (size_t v = 0; v < bench_value_count(loop_benchmarks[b]); v++)
      for (size_t i = 0; i < count; i++)
        all[i].registered +=
            bench_register(loop_benchmarks[b], v, all[i].name, &all[i].library);
  for (size_t i = 0; i < count; i++)
    if (all[i].registered == 0)
      fprintf(stderr, "plumb-bench: %s offers nothing to measure\n",
              all[i].name);
}

static int measure(const struct options *options) {
  struct contender *all = calloc(options->count, sizeof *all);
  if (!all) {
    fputs("plumb-bench: out of memory\n", stderr);
    return 2;
  }
  bench_context("suite_version", PLUMBLINE_VERSION);
  int status = 2;
  if (open_contenders(all, options) == 0) {
    register_all(all, options->count);
    status = bench_run();
  }
  free(all); /* the libraries stay: a pool thread may be in their code */
  return status;
}

int main(int argc, char **argv) {
  struct options options = {0};
  if (argc == 2 && strcmp(argv[1], "--help") == 0) return usage(stdout);
  if (read_options(&options, &argc, argv) != 0) return 2;
  if (options.count == 0) return usage(stderr);
  if (bench_initialize(&argc, argv) != 0) return 2;
  return measure(&options);
}
