/* SPDX-License-Identifier: MIT */
/*
 * explore_main.c: `plumb-explore LIB.so` prints every trace that a program may
 * leave, and which choices lead to which; with --check it holds the corpus's
 * litmus tests against that.
 *
 * Exit status: 0 everything was explored (and agrees); 1 something disagrees;
 * 2 a usage error or a program that cannot be run; 3 a limit was reached.
 */
#include "explore.h"
#include "litmus.h"
#include "oracle.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "memory.h"

enum { FINE, DISAGREE, BROKEN, LIMITED };

struct arguments {
  const char *provider, *corpus, *id, *dir;
  struct pl_selection selection;
  struct explore_limits limits;
  bool check, all, json, verbose, serve;
  char *include[64];
};

static int usage(FILE *out) {
  fputs(
      "usage: plumb-explore LIB.so [options] < program.json\n"
      "       plumb-explore LIB.so --corpus FILE --case ID [options]\n"
      "       plumb-explore LIB.so --corpus FILE --check [--select GLOB]...\n"
      "       plumb-explore LIB.so --serve [options]\n"
      "\n"
      "Runs a program again and again on the provider's virtual loop, with\n"
      "every choice of what happens: how much time passes, which requests end\n"
      "and when, which event is served first. Prints the traces, and a tree "
      "of\n"
      "the choices that decide.\n"
      "\n"
      "  --check            compare the litmus tests of a corpus with what is\n"
      "                     found: each pattern must allow exactly that\n"
      "  --all              also cases with a single run\n"
      "  --select GLOB      only those cases (may be given again)\n"
      "  --verbose          a line for each case\n"
      "  --serve            one program a line in, its traces a line out\n"
      "  --json             one JSON object\n"
      "  --dir DIR          where the program's relative paths begin (.)\n"
      "  --max-runs N       give up after so many replays (300000)\n"
      "  --max-choices N    ... or so many questions in one (4000)\n"
      "  --slack MS         time that may pass unasked in a run (2)\n"
      "  --late MS          how late a job may begin, and end (10)\n"
      "  --no-merge         explore a state again each time it comes up "
      "(slow)\n"
      "  --any-order        a program's handles of one phase, close callbacks\n"
      "                     and signals in any order, not the usual one\n"
      "\n"
      "Exit status: 0 all explored, 1 a disagreement, 2 it cannot be run,\n"
      "3 a limit was reached.\n"
      "\n"
      "  echo '{\"main\":[{\"timeout\":{\"then\":[{\"log\":\"t\"}]}},"
      "{\"immediate\":{\"then\":[{\"log\":\"i\"}]}}]}' |\n"
      "    plumb-explore ref/libplumb-ref.so\n",
      out);
  return out == stdout ? FINE : BROKEN;
}

static bool number(const char *text, unsigned long most, unsigned long *out) {
  char *end;
  errno = 0;
  unsigned long value = strtoul(text, &end, 10);
  if (errno || end == text || *end || text[0] == '-' || value > most) {
    fprintf(stderr, "plumb-explore: a number up to %lu is wanted, not %s\n",
            most, text);
    return false;
  }
  *out = value;
  return true;
}

enum flag {
  OPT_CORPUS = 256,
  OPT_CASE,
  OPT_CHECK,
  OPT_ALL,
  OPT_SELECT,
  OPT_JSON,
  OPT_VERBOSE,
  OPT_DIR,
  OPT_RUNS,
  OPT_CHOICES,
  OPT_SLACK,
  OPT_LATE,
  OPT_ANY_ORDER,
  OPT_SERVE,
  OPT_NO_MERGE,
  OPT_HELP
};

static const struct option known[] = {
    {"corpus", required_argument, NULL, OPT_CORPUS},
    {"case", required_argument, NULL, OPT_CASE},
    {"check", no_argument, NULL, OPT_CHECK},
    {"all", no_argument, NULL, OPT_ALL},
    {"select", required_argument, NULL, OPT_SELECT},
    {"json", no_argument, NULL, OPT_JSON},
    {"verbose", no_argument, NULL, OPT_VERBOSE},
    {"dir", required_argument, NULL, OPT_DIR},
    {"max-runs", required_argument, NULL, OPT_RUNS},
    {"max-choices", required_argument, NULL, OPT_CHOICES},
    {"slack", required_argument, NULL, OPT_SLACK},
    {"late", required_argument, NULL, OPT_LATE},
    {"no-merge", no_argument, NULL, OPT_NO_MERGE},
    {"serve", no_argument, NULL, OPT_SERVE},
    {"any-order", no_argument, NULL, OPT_ANY_ORDER},
    {"help", no_argument, NULL, OPT_HELP},
    {0}};

static bool read_limit(struct explore_limits *limits, int option) {
  unsigned long value;
  unsigned long most = option == OPT_RUNS      ? 100000000
                       : option == OPT_CHOICES ? 1000000
                                               : 1000;
  if (!number(optarg, most, &value)) return false;
  if (option == OPT_RUNS) limits->runs = value;
  if (option == OPT_CHOICES) limits->choices = value;
  if (option == OPT_SLACK) limits->slack_ms = (unsigned)value;
  if (option == OPT_LATE) limits->late_ms = (unsigned)value;
  return true;
}

static bool read_option(struct arguments *arguments, int option) {
  size_t room = sizeof arguments->include / sizeof arguments->include[0];
  switch (option) {
  case OPT_CORPUS:
    arguments->corpus = optarg;
    return true;
  case OPT_CASE:
    arguments->id = optarg;
    return true;
  case OPT_DIR:
    arguments->dir = optarg;
    return true;
  case OPT_CHECK:
    return arguments->check = true;
  case OPT_ALL:
    return arguments->all = true;
  case OPT_JSON:
    return arguments->json = true;
  case OPT_VERBOSE:
    return arguments->verbose = true;
  case OPT_ANY_ORDER:
    return arguments->limits.any_order = true;
  case OPT_NO_MERGE:
    return arguments->limits.no_merge = true;
  case OPT_SERVE:
    return arguments->serve = true;
  case OPT_SELECT:
    if (arguments->selection.includes == room) return false;
    arguments->include[arguments->selection.includes++] = optarg;
    return true;
  case OPT_RUNS:
  case OPT_CHOICES:
  case OPT_SLACK:
  case OPT_LATE:
    return read_limit(&arguments->limits, option);
  default:
    return false;
  }
}

/* FINE, BROKEN, or -1: go on. */
static int read_arguments(struct arguments *arguments, int argc, char **argv) {
  int option;
  arguments->selection.include = arguments->include;
  while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
    if (option == OPT_HELP || option == 'h') return usage(stdout);
    if (!read_option(arguments, option)) return usage(stderr);
  }
  if (argc - optind != 1) return usage(stderr);
  arguments->provider = argv[optind];
  if ((arguments->check || arguments->id) && !arguments->corpus) {
    fputs("plumb-explore: --check and --case want --corpus FILE\n", stderr);
    return BROKEN;
  }
  return -1;
}

/* -- showing --------------------------------------------------------------- */

static json_t *result_json(const struct exploration *found, bool complete,
                           double seconds) {
  json_t *traces = json_array();
  for (size_t i = 0; i < found->trace_count; i++)
    json_array_append_new(traces, json_loads(found->traces[i], 0, NULL));
  return json_pack("{s:o, s:b, s:s?, s:I, s:I, s:f, s:o}", "traces", traces,
                   "complete", complete, "limit",
                   complete ? NULL : found->message, "runs",
                   (json_int_t)found->runs, "states", (json_int_t)found->states,
                   "seconds", seconds, "tree", decisions_json(found->tree));
}

/* How far a tree is written out, in lines. */
enum { TREE_LINES = 60 };

struct shown {
  const json_t *decisions;
  bool *done;
  size_t lines;
};

static void show_target(struct shown *shown, const json_t *target, int depth);

static void show_options(struct shown *shown, const json_t *decision,
                         int depth) {
  size_t i;
  json_t *option;
  json_array_foreach(json_object_get(decision, "options"), i, option) {
    if (shown->lines++ >= TREE_LINES) return;
    size_t k;
    json_t *answer;
    printf("%*s", depth * 2, "");
    json_array_foreach(json_object_get(option, "answers"), k, answer) {
      printf("%s%s", k ? ", or " : "", json_string_value(answer));
    }
    show_target(shown, json_object_get(option, "to"), depth);
  }
}

static void show_target(struct shown *shown, const json_t *target, int depth) {
  const json_t *trace = json_object_get(target, "trace");
  const json_t *number_of = json_object_get(target, "decision");
  if (trace) {
    printf(" -> %d\n", (int)json_integer_value(trace) + 1);
  } else if (number_of) {
    size_t n = (size_t)json_integer_value(number_of);
    const json_t *decision = json_array_get(shown->decisions, n);
    printf(" -> (%zu) %s?%s\n", n + 1,
           json_string_value(json_object_get(decision, "what")),
           shown->done[n] ? " as above" : "");
    if (shown->done[n]) return;
    shown->done[n] = true;
    show_options(shown, decision, depth + 1);
  } else {
    puts(" -> not explored");
  }
}

static void show(const struct exploration *found, double seconds) {
  printf("%zu trace%s (%zu runs, %zu states, %.0f runs/s)\n",
         found->trace_count, found->trace_count == 1 ? "" : "s", found->runs,
         found->states, (double)found->runs / (seconds > 0 ? seconds : 1e-9));
  for (size_t i = 0; i < found->trace_count; i++)
    printf("%3zu  %s\n", i + 1, found->traces[i]);
  json_t *tree = decisions_json(found->tree);
  struct shown shown = {.decisions = json_object_get(tree, "decisions")};
  shown.done = pl_mem_alloc(json_array_size(shown.decisions) + 1);
  if (found->trace_count > 1) {
    fputs("\nbegin", stdout);
    show_target(&shown, json_object_get(tree, "root"), 0);
    if (shown.lines > TREE_LINES) puts("  ... (--json has all)");
  }
  free(shown.done);
  json_decref(tree);
}

static double seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int report(const struct arguments *arguments, enum explored answer,
                  struct exploration *found, double seconds) {
  int status = answer == EXPLORED_ALL ? FINE : LIMITED;
  if (answer == EXPLORE_FAILED) {
    fprintf(stderr, "plumb-explore: %s\n", found->message);
    return BROKEN;
  }
  if (answer == EXPLORED_PART && !arguments->json)
    fprintf(stderr, "plumb-explore: %s\n", found->message);
  if (arguments->json) {
    json_t *json = result_json(found, answer == EXPLORED_ALL, seconds);
    json_dumpf(json, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(json);
  } else {
    show(found, seconds);
  }
  return status;
}

/* -- what is explored ------------------------------------------------------ */

/* The program of a case, or of {"program":...}, or itself. */
static json_t *program_of(json_t *json) {
  json_t *program = json_object_get(json, "program");
  if (!program) return json_incref(json);
  json_t *copy = json_copy(program);
  json_t *pool = json_object_get(json, "pool");
  if (json_is_integer(pool) && !json_object_get(copy, "pool"))
    json_object_set(copy, "pool", pool);
  return copy;
}

static int explore_input(const struct arguments *arguments,
                         const struct library *library) {
  json_error_t error;
  json_t *json = json_loadf(stdin, 0, &error);
  if (!json) {
    fprintf(stderr, "plumb-explore: stdin, line %d: %s\n", error.line,
            error.text);
    return BROKEN;
  }
  json_t *source = program_of(json);
  struct arena arena = {0};
  struct program program;
  struct exploration found = {0};
  enum explored answer = EXPLORE_FAILED;
  double begin = seconds_now();
  if (program_read(&program, &arena, library, source, found.message,
                   sizeof found.message) == READ_OK) {
    program_digest(&program);
    answer = explore(library, &program, arguments->dir, NULL,
                     &arguments->limits, &found);
  }
  int status = report(arguments, answer, &found, seconds_now() - begin);
  exploration_free(&found);
  arena_free(&arena);
  json_decref(source);
  json_decref(json);
  return status;
}

static const struct pl_case *find_case(const struct pl_corpus *corpus,
                                       const char *id) {
  for (size_t i = 0; i < corpus->count; i++)
    if (strcmp(corpus->at[i].id, id) == 0) return &corpus->at[i];
  return NULL;
}

static int explore_case(const struct arguments *arguments,
                        const struct library *library,
                        struct pl_scratch *scratch,
                        const struct pl_corpus *corpus) {
  const struct pl_case *item = find_case(corpus, arguments->id);
  if (!item) {
    fprintf(stderr, "plumb-explore: %s: no case %s\n", arguments->corpus,
            arguments->id);
    return BROKEN;
  }
  struct exploration found;
  bool unsupported;
  double begin = seconds_now();
  enum explored answer = litmus_explore(library, &arguments->limits, scratch,
                                        item, &found, &unsupported);
  int status = report(arguments, answer, &found, seconds_now() - begin);
  exploration_free(&found);
  return status;
}

static int check_corpus(const struct arguments *arguments,
                        const struct library *library,
                        struct pl_scratch *scratch,
                        const struct pl_corpus *corpus) {
  const struct litmus_options options = {.library = library,
                                         .limits = &arguments->limits,
                                         .selection = &arguments->selection,
                                         .all = arguments->all,
                                         .verbose = arguments->verbose,
                                         .out = stdout};
  struct litmus_totals totals;
  double begin = seconds_now();
  litmus_check(&options, scratch, corpus, &totals);
  double seconds = seconds_now() - begin;
  printf("%zu exact, %zu may allow more, %zu skipped, %zu not for %s, "
         "%zu wrong; %zu runs in %.1f s\n",
         totals.exact, totals.subset, totals.skipped, totals.unsupported,
         library->provider->name, totals.wrong, totals.runs, seconds);
  if (totals.exact + totals.subset + totals.wrong == 0) {
    fputs("plumb-explore: no case was compared\n", stderr);
    return BROKEN;
  }
  return totals.wrong ? DISAGREE : FINE;
}

static int use_corpus(const struct arguments *arguments,
                      const struct library *library) {
  struct pl_corpus corpus;
  char *error = NULL;
  if (pl_corpus_load(&corpus, arguments->corpus, &error) != 0) {
    fprintf(stderr, "plumb-explore: %s\n", error);
    free(error);
    return BROKEN;
  }
  struct pl_scratch scratch = {0};
  int status = BROKEN;
  if (pl_scratch_open(&scratch, &error) != 0)
    fprintf(stderr, "plumb-explore: %s\n", error);
  else if (arguments->check)
    status = check_corpus(arguments, library, &scratch, &corpus);
  else
    status = explore_case(arguments, library, &scratch, &corpus);
  pl_scratch_close(&scratch);
  free(error);
  pl_corpus_free(&corpus);
  return status;
}

int main(int argc, char **argv) {
  struct arguments arguments = {.dir = ".", .limits = explore_defaults};
  int status = read_arguments(&arguments, argc, argv);
  if (status >= 0) return status;
  struct library library;
  char message[1024];
  if (!library_open(&library, arguments.provider, message, sizeof message)) {
    fprintf(stderr, "plumb-explore: %s\n", message);
    return BROKEN;
  }
  library_without_modules(&library); /* they do not happen in virtual time */
  if (arguments.serve)
    status = oracle_serve(&library, &arguments.limits, stdin, stdout) == 0
                 ? FINE
                 : BROKEN;
  else if (arguments.check || arguments.id)
    status = use_corpus(&arguments, &library);
  else
    status = explore_input(&arguments, &library);
  return status;
}
