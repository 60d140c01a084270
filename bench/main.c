/* SPDX-License-Identifier: MIT */
/*
 * main.c: plumb-bench measures provider libraries side by side.
 *
 * Invariant: every provider runs the same descriptors; one that lacks what a
 * benchmark needs is not registered for it, so it shows as absent and never
 * as fast.
 */
#include "areas.h"
#include "library.h"
#include "plan.h"
#include "shim/benchmark.h"
#include "shim/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef PLUMBLINE_VERSION
#error "the build tells the suite's version"
#endif

enum { MOST_PROVIDERS = 16 };

struct options {
  const char *providers[MOST_PROVIDERS];
  size_t count;
  const char *traced; /* run this one alone, for whoever counts */
  const char *plan;   /* a file: what is to run, how often */
  const char *raw;    /* a file: the samples of what the plan names */
  double extra;       /* a share of CPU time that is wasted */
  bool syscalls;      /* count them */
};

static int usage(FILE *out) {
  fputs(
      "usage: plumb-bench --provider LIB.so [--provider LIB.so]... "
      "[--no-syscalls]\n"
      "                   [--plan FILE --raw FILE [--extra PERCENT]]\n"
      "                   [google-benchmark flags]\n"
      "\n"
      "  plumb-bench --provider ref.so --provider libuv.so\n"
      "  plumb-bench --provider ref.so --benchmark_filter=loop/timers\n"
      "  plumb-bench --provider ref.so --benchmark_format=json\n"
      "\n"
      "A plan has a line per benchmark: NAME/impl:IMPL SAMPLES BATCHES. They\n"
      "run in that order, as often as it says; the samples go to the raw\n"
      "file. --extra wastes CPU time, so that a gate can show that it would\n"
      "notice.\n"
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

static int read_share(const char *percent, double *share) {
  char *end;
  *share = strtod(percent, &end) / 100;
  if (end != percent && *end == '\0' && *share >= 0 && *share <= 10) return 0;
  fputs("plumb-bench: --extra is a percentage from 0 to 1000\n", stderr);
  return -1;
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
    } else if ((value = option_value("--plan", *argc, argv, &i)) != NULL) {
      options->plan = value;
    } else if ((value = option_value("--raw", *argc, argv, &i)) != NULL) {
      options->raw = value;
    } else if ((value = option_value("--extra", *argc, argv, &i)) != NULL) {
      if (read_share(value, &options->extra) != 0) return -1;
    } else if (strcmp(argv[i], "--no-syscalls") == 0) {
      options->syscalls = false;
    } else {
      argv[kept++] = argv[i];
    }
  }
  *argc = kept;
  argv[kept] = NULL;
  if (!options->plan == !options->raw) return 0;
  fputs("plumb-bench: --plan and --raw belong together\n", stderr);
  return -1;
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
  const struct bench *bench;
  for (size_t b = 0; (bench = bench_at(b)) != NULL; b++)
    for (size_t v = 0; v < bench_value_count(bench); v++) {
      bench_name(bench, v, found, sizeof found);
      if (strcmp(found, name) != 0) continue;
      if (!bench_supports(bench, v, library)) return 2;
      const char *error = bench_run_traced(bench, v, library);
      if (error) fprintf(stderr, "plumb-bench: %s: %s\n", name, error);
      return error ? 1 : 0;
    }
  return 2;
}

/* -- measuring ------------------------------------------------------------- */

/* What there is to run: a benchmark for a value, on a contender. */
struct job {
  const struct bench *bench;
  size_t value;
  struct contender *contender;
  const char *provider; /* its path */
  struct bench_plan plan;
  struct command command;
};

static size_t count_jobs(const struct options *options) {
  size_t count = 0;
  for (size_t b = 0; bench_at(b); b++)
    count += bench_value_count(bench_at(b));
  return count * options->count;
}

/* Side by side: what is compared runs close together in time. */
static size_t list_jobs(struct job *jobs, struct contender *all,
                        const struct options *options) {
  size_t count = 0;
  const struct bench *bench;
  for (size_t b = 0; (bench = bench_at(b)) != NULL; b++)
    for (size_t v = 0; v < bench_value_count(bench); v++)
      for (size_t i = 0; i < options->count; i++) {
        if (!bench_supports(bench, v, &all[i].library)) continue;
        jobs[count++] = (struct job){.bench = bench,
                                     .value = v,
                                     .contender = &all[i],
                                     .provider = options->providers[i]};
        all[i].registered++;
      }
  for (size_t i = 0; i < options->count; i++)
    if (all[i].registered == 0)
      fprintf(stderr, "plumb-bench: %s offers nothing to measure\n",
              all[i].name);
  return count;
}

static void register_job(struct job *job, bool *counted, bool first) {
  make_command(&job->command, job->provider, job->bench, job->value);
  if (*counted && first) *counted = can_count(&job->command);
  bench_register(job->bench, job->value, job->contender->name,
                 &job->contender->library, *counted ? job->command.words : NULL,
                 job->plan.raw ? &job->plan : NULL);
}

static bool is_named(const struct job *job, const char *wanted) {
  char name[MOST_NAME];
  bench_name(job->bench, job->value, name, sizeof name);
  size_t length = strlen(name);
  return strncmp(wanted, name, length) == 0 &&
         strncmp(wanted + length, "/impl:", 6) == 0 &&
         strcmp(wanted + length + 6, job->contender->name) == 0;
}

/* Registers what the plan names, in its order. */
static int register_plan(struct job *jobs, size_t count,
                         const struct options *options, FILE *raw) {
  struct plan plan;
  if (plan_read(&plan, options->plan) != 0) return -1;
  bool counted = options->syscalls;
  int status = 0;
  for (size_t i = 0; i < plan.count && status == 0; i++) {
    size_t j = 0;
    while (j < count &&
           (jobs[j].plan.raw || !is_named(&jobs[j], plan.lines[i].name)))
      j++;
    if (j == count) {
      fprintf(stderr,
              "plumb-bench: nothing is called %s, or it is twice in "
              "the plan\n",
              plan.lines[i].name);
      status = -1;
    } else {
      jobs[j].plan = (struct bench_plan){
          plan.lines[i].samples, plan.lines[i].batches, options->extra, raw};
      register_job(&jobs[j], &counted, i == 0);
    }
  }
  plan_free(&plan);
  return status;
}

static int run_plan(struct job *jobs, size_t count,
                    const struct options *options) {
  FILE *raw = fopen(options->raw, "w");
  if (!raw) {
    perror(options->raw);
    return 2;
  }
  int status = register_plan(jobs, count, options, raw) == 0 ? bench_run() : 2;
  if (fclose(raw) != 0) {
    perror(options->raw);
    status = 2;
  }
  return status;
}

static int run_jobs(struct job *jobs, size_t count,
                    const struct options *options) {
  if (options->plan) return run_plan(jobs, count, options);
  bool counted = options->syscalls;
  for (size_t i = 0; i < count; i++)
    register_job(&jobs[i], &counted, i == 0);
  return bench_run();
}

static int measure(const struct options *options) {
  struct contender *all = calloc(options->count, sizeof *all);
  struct job *jobs = calloc(count_jobs(options), sizeof *jobs);
  int status = 2;
  if (!all || !jobs) {
    fputs("plumb-bench: out of memory\n", stderr);
  } else if (open_contenders(all, options) == 0) {
    bench_context("suite_version", PLUMBLINE_VERSION);
    if (options->traced) {
      status = run_traced(&all[0].library, options->traced);
    } else {
      status = run_jobs(jobs, list_jobs(jobs, all, options), options);
    }
  }
  free(jobs);
  free(all); /* the libraries stay: a pool thread may be in their code */
  return status;
}

int main(int argc, char **argv) {
  struct options options = {.syscalls = true};
  if (argc == 2 && strcmp(argv[1], "--help") == 0) return usage(stdout);
  if (read_options(&options, &argc, argv) != 0) return 2;
  if (options.count == 0) return usage(stderr);
  if (bench_initialize(&argc, argv, options.plan != NULL) != 0) return 2;
  return measure(&options);
}
