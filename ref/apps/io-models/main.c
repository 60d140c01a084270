// SPDX-License-Identifier: MIT
// plumb-io-models: one model, the table of all, or the benchmark of all.
//
// Exit status: 0 done, 1 a run failed, 2 usage.
#include "lab.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: plumb-io-models --model NAME [run options]  one run, as JSON\n"
    "       plumb-io-models --table [--json]            the three claims\n"
    "       plumb-io-models --bench [--n LIST] [--quick] [--json] [--within S]\n"
    "NAME: blocking nonblocking multiplexing signal asynchronous\n"
    "run options:\n"
    "  --engine E      asynchronous: uring, uring-worker, pool (auto)\n"
    "  --n N           descriptors (4)\n"
    "  --messages M    messages per descriptor (100)\n"
    "  --size B        bytes of a message, a multiple of 8, 24 to 1 MiB (256)\n"
    "  --silence-ms T  pause before every round of N messages (0)\n"
    "  --sparse W      at most W messages under way, on random descriptors\n"
    "  --split K       every K-th message comes in two parts (0: none)\n"
    "  --sigpending Q  limit of queued signals of the run\n"
    "  --work          the user thread has work of its own\n"
    "  --timed         clocks around every call\n";

struct options {
  struct io_plan plan;
  struct io_bench_options bench;
  uint32_t sizes[16];
  uint64_t per_descriptor;
  bool do_table, do_bench;
};

static bool number(const char *text, uint64_t least, uint64_t most,
                   uint64_t *out) {
  char *end;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  if (errno || end == text || *end || *text == '-') return false;
  if (value < least || value > most) return false;
  *out = value;
  return true;
}

static bool small_number(const char *text, uint32_t least, uint32_t most,
                         uint32_t *out) {
  uint64_t value;
  if (!number(text, least, most, &value)) return false;
  *out = (uint32_t)value;
  return true;
}

// "1,10,100"; the first size is also the N of a single run.
static bool sizes_parse(struct options *o, const char *text) {
  char copy[256];
  if (strlen(text) >= sizeof copy) return false;
  strcpy(copy, text);
  o->bench.size_count = 0;
  char *rest = NULL;
  for (char *item = strtok_r(copy, ",", &rest); item;
       item = strtok_r(NULL, ",", &rest)) {
    if (o->bench.size_count == sizeof o->sizes / sizeof o->sizes[0])
      return false;
    if (!small_number(item, 1, 1000000, &o->sizes[o->bench.size_count++]))
      return false;
  }
  o->plan.n = o->sizes[0];
  return o->bench.size_count > 0;
}

static bool model_parse(struct options *o, const char *name) {
  for (size_t i = 0; i < 5; i++)
    if (strcmp(io_models[i]->name, name) == 0) o->plan.model = io_models[i];
  return o->plan.model != NULL;
}

static bool engine_parse(struct options *o, const char *name) {
  static const char *const names[] = {"auto", "uring", "uring-worker",
                                      "pool"};
  for (int i = 0; i < 4; i++)
    if (strcmp(names[i], name) == 0) {
      o->plan.engine = (enum io_engine)i;
      return true;
    }
  return false;
}

static bool option(struct options *o, int which, const char *arg) {
  struct io_plan *p = &o->plan;
  uint64_t ms;
  switch (which) {
  case 'm':
    return model_parse(o, arg);
  case 'e':
    return engine_parse(o, arg);
  case 'n':
    return sizes_parse(o, arg);
  case 'c':
    return number(arg, 1, 1000000, &o->per_descriptor);
  case 's':
    return small_number(arg, 24, 1u << 20, &p->size) && p->size % 8 == 0;
  case 'q':
    if (!number(arg, 0, 10000, &ms)) return false;
    p->silence_ns = ms * 1000000u;
    return true;
  case 'w':
    p->load = IO_SPARSE;
    return small_number(arg, 1, 1000000, &p->window);
  case 'p':
    return small_number(arg, 0, 1000000, &p->split);
  case 'i':
    return small_number(arg, 1, 3600, &o->bench.within_s);
  case 'g':
    return small_number(arg, 1, 1000000, &p->sigpending);
  default:
    return false;
  }
}

static bool parse(int argc, char **argv, struct options *o) {
  int table = 0, bench = 0, json = 0, quick = 0, work = 0, timed = 0;
  const struct option names[] = {
      {"model", 1, NULL, 'm'},      {"engine", 1, NULL, 'e'},
      {"n", 1, NULL, 'n'},          {"messages", 1, NULL, 'c'},
      {"size", 1, NULL, 's'},       {"silence-ms", 1, NULL, 'q'},
      {"sparse", 1, NULL, 'w'},     {"split", 1, NULL, 'p'},
      {"sigpending", 1, NULL, 'g'}, {"table", 0, &table, 1},
      {"bench", 0, &bench, 1},      {"json", 0, &json, 1},
      {"quick", 0, &quick, 1},      {"work", 0, &work, 1},
      {"timed", 0, &timed, 1},      {"within", 1, NULL, 'i'},
      {NULL, 0, NULL, 0}};
  int which;
  while ((which = getopt_long(argc, argv, "", names, NULL)) != -1)
    if (which != 0 && !option(o, which, optarg)) {
      if (which != '?')
        fprintf(stderr, "plumb-io-models: bad value %s\n", optarg);
      return false;
    }
  o->do_table = table;
  o->do_bench = bench;
  o->bench.json = json;
  o->bench.quick = quick;
  o->plan.work = work;
  o->plan.timed = timed;
  o->plan.total = o->per_descriptor * o->plan.n;
  return optind == argc &&
         table + bench + (o->plan.model != NULL) == 1;
}

static int run_one(const struct options *o, uint64_t descriptors) {
  struct io_result result;
  if (o->plan.n + 64u > descriptors) {
    fprintf(stderr, "plumb-io-models: %u descriptors do not fit into the "
            "limit of %llu\n", o->plan.n, (unsigned long long)descriptors);
    return 1;
  }
  int error = io_run(&o->plan, &result);
  io_result_print(stdout, &o->plan, &result);
  putchar('\n');
  if (error) fprintf(stderr, "plumb-io-models: %s\n", result.trouble);
  return error ? 1 : 0;
}

int main(int argc, char **argv) {
  struct options o = {
      .plan = {.n = 4, .size = 256},
      .sizes = {1, 10, 100, 1000, 10000},
      .bench = {.size_count = 5},
      .per_descriptor = 100,
  };
  o.bench.sizes = o.sizes;
  if (!parse(argc, argv, &o)) {
    fputs(usage, stderr);
    return 2;
  }
  uint64_t descriptors = io_raise_descriptors();
  if (o.do_table) return io_table(stdout, o.bench.json) ? 1 : 0;
  if (o.do_bench) return io_bench(stdout, &o.bench) ? 1 : 0;
  return run_one(&o, descriptors);
}
