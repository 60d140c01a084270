/* SPDX-License-Identifier: MIT */
/* Runs the selected cases and sums up. */
#include "run.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "audit.h"
#include "judge.h"
#include "output.h"
#include "results.h"
#include "smoke.h"

#ifndef PL_SCHEMA_DIR
#define PL_SCHEMA_DIR "conformance/schema"
#endif

/* What the run itself costs, for --stats. */
struct cost {
  size_t early_heap, heap; /* bytes in use after a tenth, and at the end */
  long early_pages, pages; /* resident */
  uint64_t begin;
};

struct run {
  const struct pl_options *options;
  struct pl_judge judge;
  struct pl_results results;
  struct pl_output *output;
  struct pl_schema schema;
  struct pl_expectations known;
  struct cost cost;
  size_t count, done;
  enum pl_progress stopped; /* not PL_WENT_ON: no case runs any more */
  bool broken;              /* the results could not be written */
};

/* A case and the run that it belongs to: a cmocka test's state. */
struct entry {
  struct run *run;
  const struct pl_case *item;
  const struct pl_case *const *rest; /* those after it that are asked */
  size_t rest_count;
};

static void complain(const char *words) {
  fprintf(stderr, "conform: %s\n", words);
}

static long resident_pages(void) {
  long total = 0, resident = 0;
  FILE *file = fopen("/proc/self/statm", "re");
  if (file == NULL) return 0;
  if (fscanf(file, "%ld %ld", &total, &resident) != 2) resident = 0;
  fclose(file);
  return resident;
}

static void note_cost(struct run *run) {
  if (!run->options->stats || run->done != run->count / 10 + 1) return;
  run->cost.early_heap = mallinfo2().uordblks;
  run->cost.early_pages = resident_pages();
}

static void run_entry(void **state) {
  struct entry *entry = *state;
  struct run *run = entry->run;
  struct pl_outcome outcome;
  if (run->stopped != PL_WENT_ON || run->broken)
    pl_output_bail(run->output, "");
  run->stopped = pl_judge_case(&run->judge, entry->item, entry->rest,
                               entry->rest_count, &outcome);
  if (run->stopped != PL_WENT_ON)
    pl_output_bail(run->output, run->stopped == PL_INTERRUPTED
                                    ? "interrupted"
                                    : run->judge.adapter.fatal);
  run->done++;
  note_cost(run);
  if (pl_results_case(&run->results, entry->item, &outcome) != 0) {
    run->broken = true;
    pl_outcome_free(&outcome);
    pl_output_bail(run->output, run->results.error);
  }
  pl_output_verdict(run->output, entry->item, &outcome,
                    run->options->smoke ? pl_smoke_hint(entry->item->id)
                                        : NULL);
}

static char *group_name(const struct run *run) {
  const json_t *who =
      json_object_get(run->judge.adapter.hello, "implementation");
  char *name =
      pl_mem_format("%s %s", json_string_value(json_object_get(who, "name")),
                    json_string_value(json_object_get(who, "version")));
  char *clean = pl_output_name(run->output, name);
  free(name);
  return clean;
}

/* Hands all cases to cmocka, each as a test. */
static void run_cases(struct run *run, struct pl_case *const *cases) {
  size_t count = run->count;
  struct CMUnitTest *tests = pl_mem_alloc(count * sizeof *tests);
  struct entry *entries = pl_mem_alloc(count * sizeof *entries);
  char *group = group_name(run);
  const struct pl_case **rest = pl_mem_alloc((count + 1) * sizeof *rest);
  size_t first = count;
  for (size_t i = count; i-- > 0;) {
    entries[i] = (struct entry){run, cases[i], rest + first, count - first};
    if (pl_judge_asks(&run->judge, cases[i])) rest[--first] = cases[i];
    tests[i] =
        (struct CMUnitTest){.name = pl_output_name(run->output, cases[i]->id),
                            .test_func = run_entry,
                            .initial_state = &entries[i]};
  }
  pl_output_begin(run->output);
  _cmocka_run_group_tests(group, tests, count, NULL, NULL);
  pl_output_end(run->output);
  for (size_t i = 0; i < count; i++)
    free((char *)tests[i].name);
  free(group);
  free(rest);
  free(entries);
  free(tests);
}

static bool proves_something(const struct run *run) {
  for (int i = 0; i < PL_VERDICT_COUNT; i++)
    if (run->results.totals[i] > 0 && pl_verdict_judges((enum pl_verdict)i))
      return true;
  return false;
}

static void say_totals(struct run *run) {
  struct pl_text text = {0};
  pl_text_format(&text, "%zu case%s%s", run->done, run->done == 1 ? "" : "s",
                 run->done > 0 ? ":" : "");
  for (int i = 0; i < PL_VERDICT_COUNT; i++)
    if (run->results.totals[i] > 0)
      pl_text_format(&text, " %u %s", run->results.totals[i],
                     pl_verdict_name((enum pl_verdict)i));
  pl_text_format(&text, "; %u unexpected", run->results.unexpected);
  if (run->done < run->count)
    pl_text_format(&text, "; %zu not run", run->count - run->done);
  pl_output_say(run->output, text.bytes);
  pl_text_free(&text);
}

static void say_stats(const struct run *run) {
  double total = (double)(uv_hrtime() - run->cost.begin) / 1e3;
  fprintf(stderr,
          "stats: %zu cases, %.1f us per case, %u processes started, "
          "latest time-out %.1f ms late\n",
          run->done, run->done ? total / (double)run->done : 0,
          run->judge.adapter.sessions + run->judge.adapter.spares.started,
          run->judge.latest_ms);
  fprintf(stderr,
          "stats: descriptors %d before, %d after; heap %zu bytes after a "
          "tenth, %zu at the end; resident %ld pages after a tenth, %ld at "
          "the end\n",
          run->judge.adapter.files_before, run->judge.adapter.files_after,
          run->cost.early_heap, run->cost.heap, run->cost.early_pages,
          run->cost.pages);
}

/* Only an author is told that `stop` is not heeded: no case depends on it. */
static bool heeds_stop(const struct run *run) {
  if (!run->options->smoke || run->judge.adapter.obeyed_stop) return true;
  complain("the adapter did not end with status 0 within 2 s of "
           "{\"cmd\":\"stop\"}");
  return false;
}

/* Ends the adapter, writes the footer, and finds the exit status. */
static int finish(struct run *run) {
  run->cost.heap = mallinfo2().uordblks;
  run->cost.pages = resident_pages();
  int interrupted = run->judge.adapter.driver.interrupted;
  pl_judge_close(&run->judge);
  bool complete = run->stopped == PL_WENT_ON && !run->broken;
  bool faulty = run->judge.adapter.faults.length > 0;
  const char *detail =
      faulty ? run->judge.adapter.faults.bytes : run->judge.adapter.fatal;
  if (!run->broken) pl_results_footer(&run->results, complete, detail);
  bool written = pl_results_close(&run->results) == 0;
  if (run->output != NULL) say_totals(run);
  if (run->options->stats) say_stats(run);
  if (faulty)
    fprintf(stderr, "conform: the adapter, outside of any case: %s\n",
            run->judge.adapter.faults.bytes);
  if (run->judge.adapter.fatal != NULL) complain(run->judge.adapter.fatal);
  if (!written) complain(run->results.error);
  if (interrupted != 0 && run->stopped == PL_INTERRUPTED) {
    complain("interrupted; the results are partial");
    return PL_EXIT_INTERRUPTED;
  }
  if (!complete || !written) return PL_EXIT_NOTHING;
  if (!proves_something(run)) {
    complain("this run proves nothing: no selected case could be judged");
    return PL_EXIT_NOTHING;
  }
  bool good = heeds_stop(run) && run->results.unexpected == 0 && !faulty;
  return good ? PL_EXIT_GOOD : PL_EXIT_UNEXPECTED;
}

static int load_known(struct run *run, char **error) {
  if (run->options->expectations == NULL) return 0;
  return pl_expectations_load(&run->known, run->options->expectations, error);
}

static int load_schema(struct run *run, char **error) {
  if (!run->options->check_protocol) return 0;
  const char *dir = run->options->schema_dir;
  char *path = pl_mem_format("%s/protocol.schema.json",
                             dir != NULL ? dir : PL_SCHEMA_DIR);
  int result = pl_schema_load(&run->schema, path, error);
  free(path);
  return result;
}

/* Opens everything that can be refused before the adapter is started. */
static int prepare(struct run *run, char **error) {
  const struct pl_options *options = run->options;
  if (load_known(run, error) != 0 || load_schema(run, error) != 0) return -1;
  if (pl_results_open(&run->results, options->results) != 0) {
    *error = run->results.error;
    run->results.error = NULL;
    return -1;
  }
  run->output =
      pl_output_open(options->format, options->output, options->quiet, error);
  return run->output != NULL ? 0 : -1;
}

static int run_all(struct run *run, struct pl_case *const *cases,
                   const struct pl_run_facts *facts) {
  const struct pl_options *options = run->options;
  struct pl_session_plan plan = {
      .argv = options->command,
      .start_ms = options->start_ms,
      .schema = run->schema.root != NULL ? &run->schema : NULL};
  run->stopped = pl_judge_open(&run->judge, &plan);
  run->judge.repeat = options->repeat;
  run->judge.timeout_ms = options->timeout_ms;
  run->judge.known = &run->known;
  if (run->stopped != PL_WENT_ON) return finish(run);
  const json_t *who =
      json_object_get(run->judge.adapter.hello, "implementation");
  const char *name = json_string_value(json_object_get(who, "name"));
  pl_expectations_choose(
      &run->known, options->implementation ? options->implementation : name,
      json_string_value(json_object_get(who, "version")));
  run->broken =
      pl_results_header(&run->results, run->judge.adapter.hello, facts) != 0;
  run->cost.begin = uv_hrtime();
  if (!run->broken) run_cases(run, cases);
  return finish(run);
}

int pl_run(const struct pl_options *options, const struct pl_corpus *corpus,
           struct pl_case *const *cases, size_t count, int argc, char **argv) {
  struct run run = {.options = options, .count = count};
  struct pl_run_facts facts = {.suite = corpus->suite,
                               .argc = argc,
                               .argv = argv,
                               .selected = count,
                               .seed = options->seed};
  char *error = NULL;
  int status = PL_EXIT_NOTHING;
  if (prepare(&run, &error) == 0)
    status = run_all(&run, cases, &facts);
  else
    complain(error);
  free(error);
  if (run.output != NULL && pl_output_close(run.output) != 0) {
    complain("the output could not be written");
    status = PL_EXIT_NOTHING;
  }
  pl_results_close(&run.results);
  free(run.results.error);
  free(run.judge.adapter.fatal);
  pl_text_free(&run.judge.adapter.faults);
  pl_expectations_free(&run.known);
  pl_schema_free(&run.schema);
  return status;
}
