/* SPDX-License-Identifier: MIT */
/*
 * ask.c: questions, and the answers that are kept.
 *
 * Every place has a table of its own answers, by specifier: who asks from one
 * directory after the other finds them near, and no table of all has to grow.
 * What a bare request leads to below a node_modules is kept with that
 * directory's place, and the answers of those below it share it.
 *
 * Invariant: an answer is entered when it is whole; a question during which
 * memory ran out leaves nothing behind but what is true of the tree.
 */
#include "internal.h"

static uint64_t answer_hash(const char *specifier, size_t length,
                            enum pl__asked asked) {
  return pl__hash(specifier, length, (uint64_t)asked);
}

static struct pl__answer *kept_answer(const struct pl_place *place,
                                      const char *specifier, size_t length,
                                      enum pl__asked asked, uint64_t hash) {
  if (place->answer_capacity == 0) return NULL;
  size_t mask = place->answer_capacity - 1;
  for (size_t at = hash & mask;; at = (at + 1) & mask) {
    struct pl__kept kept = place->answers[at];
    if (kept.answer == NULL) return NULL;
    if (kept.hash == hash && kept.answer->asked == asked &&
        pl__same(kept.answer->specifier, kept.answer->length, specifier,
                 length))
      return kept.answer;
  }
}

/* An answer that is not in the table yet. NULL: out of memory. */
static struct pl__answer *new_answer(struct pl__job *job, const char *specifier,
                                     size_t length, enum pl__asked asked) {
  struct pl__answer *answer =
      pl__alloc(job, &job->resolver->fleeting, sizeof *answer + length + 1);
  if (answer == NULL) return NULL;
  *answer =
      (struct pl__answer){.length = (uint32_t)length, .asked = (uint8_t)asked};
  if (length > 0) memcpy(answer->specifier, specifier, length);
  answer->specifier[length] = '\0';
  return answer;
}

static void insert(struct pl__kept *table, size_t capacity,
                   struct pl__kept kept) {
  size_t mask = capacity - 1, at = kept.hash & mask;
  while (table[at].answer != NULL)
    at = (at + 1) & mask;
  table[at] = kept;
}

/* A table that is outgrown stays in the arena: half of what it grew to. */
static void keep_answer(struct pl__job *job, struct pl_place *place,
                        struct pl__answer *answer, uint64_t hash) {
  if ((place->answer_count + 1) * 4 > place->answer_capacity * 3) {
    uint32_t capacity =
        place->answer_capacity == 0 ? 4 : place->answer_capacity * 2;
    struct pl__kept *fresh =
        pl__alloc(job, &job->resolver->fleeting, capacity * sizeof *fresh);
    if (fresh == NULL) return;
    memset(fresh, 0, capacity * sizeof *fresh);
    for (uint32_t i = 0; i < place->answer_capacity; i++)
      if (place->answers[i].answer != NULL)
        insert(fresh, capacity, place->answers[i]);
    place->answers = fresh;
    place->answer_capacity = capacity;
  }
  insert(place->answers, place->answer_capacity,
         (struct pl__kept){hash, answer});
  place->answer_count++;
}

/* The job's resolution, kept for as long as answers are. */
static struct pl_resolution *keep_resolution(struct pl__job *job) {
  struct pl_resolution *kept =
      pl__alloc(job, &job->resolver->fleeting, sizeof *kept);
  if (kept != NULL) *kept = *job->resolution;
  return kept;
}

bool pl__recall(struct pl__job *job, const struct pl_place *modules) {
  const struct pl__answer *answer =
      kept_answer(modules, job->request, job->request_length, PL__SEARCHED,
                  answer_hash(job->request, job->request_length, PL__SEARCHED));
  if (answer == NULL) return false;
  job->kept = answer->resolution;
  return true;
}

void pl__remember(struct pl__job *job, struct pl_place *modules) {
  struct pl__answer *answer =
      new_answer(job, job->request, job->request_length, PL__SEARCHED);
  if (answer == NULL) return;
  answer->resolution = job->kept = keep_resolution(job);
  if (job->error != 0) return;
  keep_answer(job, modules, answer,
              answer_hash(job->request, job->request_length, PL__SEARCHED));
}

/* The scratch texts are lent to the job, so that their room is used again. */
static void find_out(struct pl__job *job) {
  struct pl__text *scratch = job->resolver->scratch;
  job->base = scratch[0];
  job->spare = scratch[1];
  job->url = scratch[2];
  if (job->import)
    pl__import(job);
  else
    pl__require(job);
  scratch[0] = job->base;
  scratch[1] = job->spare;
  scratch[2] = job->url;
  for (int i = 0; i < 3; i++)
    scratch[i].broken = false;
}

static int ask(struct pl_place *place, const char *specifier, size_t length,
               bool import, const struct pl_resolution **out) {
  struct pl_resolver *resolver = place->resolver;
  enum pl__asked asked = import ? PL__IMPORTED : PL__REQUIRED;
  uint64_t hash = answer_hash(specifier, length, asked);
  struct pl__answer *answer =
      kept_answer(place, specifier, length, asked, hash);
  resolver->stats.asked++;
  if (answer != NULL) {
    resolver->stats.answered_from_memory++;
    *out = answer->resolution;
    return 0;
  }
  if (length > UINT32_MAX / 2) return PL_EINVAL;
  struct pl_resolution resolution = {0};
  struct pl__job job = {.resolver = resolver,
                        .place = place,
                        .request_length = length,
                        .import = import,
                        .resolution = &resolution};
  answer = new_answer(&job, specifier, length, asked);
  if (answer == NULL) return PL_ENOMEM;
  job.request = answer->specifier;
  find_out(&job);
  if (job.error == 0) {
    answer->resolution = job.kept != NULL ? job.kept : keep_resolution(&job);
    if (job.error == 0) keep_answer(&job, place, answer, hash);
  }
  if (job.error != 0) return job.error;
  *out = answer->resolution;
  return 0;
}

int pl_place_require(struct pl_place *place, const char *specifier,
                     size_t length, const struct pl_resolution **out) {
  return ask(place, specifier, length, false, out);
}

int pl_place_import(struct pl_place *place, const char *specifier,
                    size_t length, const struct pl_resolution **out) {
  return ask(place, specifier, length, true, out);
}

int pl_resolver_require(struct pl_resolver *resolver, const char *from,
                        size_t from_length, const char *specifier,
                        size_t length, const struct pl_resolution **out) {
  struct pl_place *place;
  int error = pl_resolver_place(resolver, from, from_length, &place);
  return error != 0 ? error : ask(place, specifier, length, false, out);
}

int pl_resolver_import(struct pl_resolver *resolver, const char *from,
                       size_t from_length, const char *specifier, size_t length,
                       const struct pl_resolution **out) {
  struct pl_place *place;
  int error = pl_resolver_place(resolver, from, from_length, &place);
  return error != 0 ? error : ask(place, specifier, length, true, out);
}

int pl_place_explain(struct pl_place *place, const char *specifier,
                     size_t length, bool import, pl_explain_fn *tell, void *arg,
                     const struct pl_resolution **out) {
  struct pl_resolver *resolver = place->resolver;
  struct pl__job job = {.resolver = resolver,
                        .place = place,
                        .request_length = length,
                        .import = import,
                        .tell = tell,
                        .tell_arg = arg};
  job.request = pl__keep(&job, specifier, length);
  job.resolution = pl__alloc(&job, &resolver->fleeting, sizeof *job.resolution);
  if (job.error != 0) return job.error;
  *job.resolution = (struct pl_resolution){0};
  find_out(&job);
  if (job.error != 0) return job.error;
  *out = job.kept != NULL ? job.kept : job.resolution;
  return 0;
}
