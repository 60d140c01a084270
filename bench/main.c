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

const struct bench *const loop_benchmarks[] = {&bench_timer_arm,
                                               &bench_timer_fire,
                                               &bench_timer_cancel,
                                               &bench_iteration,
                                               &bench_async_wake,
                                               &bench_async_coalesced,
                                               &bench_poll_ping_pong,
                                               &bench_pool_jobs,
                                               &bench_immediate,
                                               &bench_tick,
                                               &bench_microtask,
                                               &bench_timeout_arm,
                                               NULL};

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

/* The provider's name, with a number when there are more of that name. */
static void name_provider(const struct library *libraries, size_t index,
                          char *name, size_t size) {
  const char *own = libraries[index].provider->name;
  unsigned same = 1;
  for (size_t i = 0; i < index; i++)
    if (strcmp(libraries[i].provider->name, own) == 0) same++;
  if (same == 1)
    snprintf(name, size, "%s", own);
  else
    snprintf(name, size, "%s#%u", own, same);
}

static size_t register_provider(const struct library *library,
                                const char *name) {
  char key[128];
  snprintf(key, sizeof key, "provider_%s", name);
  bench_context(key, library->provider->version);
  size_t registered = 0;
  for (size_t i = 0; loop_benchmarks[i]; i++)
    registered += bench_register(loop_benchmarks[i], name, library);
  return registered;
}

static int measure(const struct options *options) {
  static struct library libraries[MOST_PROVIDERS];
  char name[64], message[1024];
  bench_context("suite_version", PLUMBLINE_VERSION);
  for (size_t i = 0; i < options->count; i++) {
    if (!library_open(&libraries[i], options->providers[i], message,
                      sizeof message)) {
      fprintf(stderr, "plumb-bench: %s\n", message);
      return 2;
    }
    name_provider(libraries, i, name, sizeof name);
    if (register_provider(&libraries[i], name) == 0)
      fprintf(stderr, "plumb-bench: %s offers nothing to measure\n", name);
  }
  return bench_run();
}

int main(int argc, char **argv) {
  struct options options = {0};
  if (argc == 2 && strcmp(argv[1], "--help") == 0) return usage(stdout);
  if (read_options(&options, &argc, argv) != 0) return 2;
  if (options.count == 0) return usage(stderr);
  if (bench_initialize(&argc, argv) != 0) return 2;
  return measure(&options);
}
