/* SPDX-License-Identifier: MIT */
/* conform: reads its command line, selects the cases, runs them. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "memory.h"
#include "options.h"
#include "process.h"
#include "run.h"
#include "smoke.h"

static int complain(char *words) {
  fprintf(stderr, "conform: %s\n", words);
  free(words);
  return PL_EXIT_NOTHING;
}

/* A small generator, so that a seed gives the same order everywhere. */
static uint64_t next_random(uint64_t *state) {
  *state += UINT64_C(0x9E3779B97F4A7C15);
  uint64_t z = *state;
  z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
  return z ^ (z >> 31);
}

static void shuffle(struct pl_case **cases, size_t count, unsigned seed) {
  uint64_t state = seed;
  for (size_t i = count; seed != 0 && i > 1; i--) {
    size_t k = (size_t)(next_random(&state) % i);
    struct pl_case *kept = cases[i - 1];
    cases[i - 1] = cases[k];
    cases[k] = kept;
  }
}

/* Puts the cases that get a process of their own behind the others, each kind
 * in its order: so one such process can start while another runs, and none
 * while a program runs that shares its process with others. */
static void put_isolated_last(struct pl_case **cases, size_t count) {
  struct pl_case **isolated = pl_mem_alloc((count + 1) * sizeof *isolated);
  size_t shared = 0, kept = 0;
  for (size_t i = 0; i < count; i++)
    if (cases[i]->isolated)
      isolated[kept++] = cases[i];
    else
      cases[shared++] = cases[i];
  for (size_t i = 0; i < kept; i++)
    cases[shared + i] = isolated[i];
  free(isolated);
}

static size_t choose(const struct pl_corpus *corpus,
                     const struct pl_options *options, struct pl_case **cases) {
  size_t count = 0;
  for (size_t i = 0; i < corpus->count; i++)
    if (pl_selection_has(&options->selection, &corpus->at[i]))
      cases[count++] = &corpus->at[i];
  shuffle(cases, count, options->seed);
  put_isolated_last(cases, count);
  return count;
}

static int list(struct pl_case *const *cases, size_t count) {
  for (size_t i = 0; i < count; i++)
    puts(cases[i]->id);
  if (fflush(stdout) == 0) return PL_EXIT_GOOD;
  return complain(pl_mem_copy("the list could not be written"));
}

static int with_corpus(const struct pl_options *options,
                       const struct pl_corpus *corpus, int argc, char **argv) {
  struct pl_case **cases =
      pl_mem_alloc((corpus->count + 1) * sizeof(struct pl_case *));
  size_t count = choose(corpus, options, cases);
  int status;
  if (count == 0)
    status = complain(pl_mem_format(
        "no case is selected: none of the %zu cases matches --select, "
        "--exclude and --shard",
        corpus->count));
  else if (options->list)
    status = list(cases, count);
  else
    status = pl_run(options, corpus, cases, count, argc, argv);
  free(cases);
  return status;
}

int main(int argc, char **argv) {
  struct pl_options options;
  struct pl_corpus corpus;
  char *error = NULL;
  pl_mem_on_failure(pl_process_kill_all);
  signal(SIGPIPE, SIG_IGN); /* a write that fails says so */
  uv_disable_stdio_inheritance();
  if (pl_options_read(&options, argc, argv, &error) != 0) {
    struct pl_text words = {0};
    pl_text_format(&words, "%s\ntry conform --help", error);
    free(error);
    return complain(words.bytes);
  }
  if (options.help) {
    fputs(pl_options_help(), stdout);
    free(error);
    pl_options_free(&options);
    return PL_EXIT_GOOD;
  }
  int loaded = options.smoke ? pl_smoke_load(&corpus, &error)
                             : pl_corpus_load(&corpus, options.corpus, &error);
  int status = PL_EXIT_NOTHING;
  if (loaded != 0) {
    complain(error);
  } else {
    status = with_corpus(&options, &corpus, argc, argv);
    pl_corpus_free(&corpus);
  }
  pl_options_free(&options);
  return status;
}
