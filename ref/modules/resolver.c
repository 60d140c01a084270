/* SPDX-License-Identifier: MIT */
/*
 * resolver.c: the resolver itself: places, kept answers, forgetting.
 *
 * An answer is found by one hash over place and specifier: the table's slot
 * holds the hash, the answer holds the rest, so a kept answer costs two cache
 * lines.
 *
 * Invariant: an answer is entered when it is whole; a question during which
 * memory ran out leaves nothing behind but what is true of the tree.
 */
#include <stdlib.h>

#include "internal.h"

void *pl__alloc(struct pl__job *job, struct pl__arena *arena, size_t size) {
  void *result = pl__arena_take(arena, size);
  if (result == NULL) job->error = PL_ENOMEM;
  return result;
}

static const char *keep_in(struct pl__job *job, struct pl__arena *arena,
                           const char *bytes, size_t length) {
  char *copy = pl__alloc(job, arena, length + 1);
  if (copy == NULL) return "";
  if (length > 0) memcpy(copy, bytes, length);
  copy[length] = '\0';
  return copy;
}

const char *pl__keep(struct pl__job *job, const char *bytes, size_t length) {
  return keep_in(job, &job->resolver->fleeting, bytes, length);
}

const char *pl__keep_in_tree(struct pl__job *job, const char *bytes,
                             size_t length) {
  return keep_in(job, &job->resolver->tree, bytes, length);
}

void pl__tell(struct pl__job *job, const char *text, size_t length,
              const char *outcome) {
  if (job->tell != NULL) job->tell(job->tell_arg, text, length, outcome);
}

/* ------------------------------------------------------------------------ */

void pl__fail(struct pl__job *job, enum pl_module_code code, ...) {
  struct pl__text text = {.memory = &job->resolver->memory};
  va_list strings;
  va_start(strings, code);
  for (const char *string; (string = va_arg(strings, const char *)) != NULL;)
    pl__text_string(&text, string);
  va_end(strings);
  if (text.broken) job->error = PL_ENOMEM;
  *job->resolution = (struct pl_resolution){.code = code};
  if (job->error == 0) {
    job->resolution->before =
        pl__keep(job, text.bytes == NULL ? "" : text.bytes, text.length);
    job->resolution->before_length = text.length;
  }
  pl__text_free(&text);
}

void pl__fail_missing(struct pl__job *job, const char *path, size_t length,
                      const char *after) {
  struct pl__text text = {.memory = &job->resolver->memory};
  pl__text_string(&text, "Cannot find module '");
  pl__text_add(&text, path, length);
  pl__text_string(&text, after);
  if (text.broken) job->error = PL_ENOMEM;
  *job->resolution = (struct pl_resolution){.code = PL_CODE_MODULE_NOT_FOUND};
  if (job->error == 0) {
    job->resolution->before = pl__keep(job, text.bytes, text.length);
    job->resolution->before_length = text.length;
  }
  pl__text_free(&text);
}

void pl__fail_after(struct pl__job *job, const char *after) {
  if (job->parent != NULL && job->error == 0) {
    struct pl_resolution *resolution = job->resolution;
    struct pl__text text = {.memory = &job->resolver->memory};
    pl__text_add(&text, resolution->before, resolution->before_length);
    pl__text_string(&text, job->parent);
    pl__text_string(&text, after);
    if (text.broken) job->error = PL_ENOMEM;
    if (job->error == 0) {
      resolution->before = pl__keep(job, text.bytes, text.length);
      resolution->before_length = text.length;
    }
    pl__text_free(&text);
    return;
  }
  job->resolution->names_parent = true;
  job->resolution->after = after;
}

bool pl__fail_package(struct pl__job *job, const struct pl__package *package,
                      const char *dir, size_t length) {
  if (package->state == PL__PACKAGE_NONE || package->state == PL__PACKAGE_READ)
    return false;
  const char *shown = pl__keep(job, dir, length > 1 ? length : 0);
  if (package->state == PL__PACKAGE_NULL)
    pl__fail(job, PL_CODE_TYPE_ERROR,
             "Cannot convert undefined or null to object", NULL);
  else if (package->state == PL__PACKAGE_BAD_FIELD)
    pl__fail(job, PL_CODE_SYNTAX_ERROR, package->why, NULL);
  else if (job->resolver->node < 22 && !job->import)
    pl__fail(job, PL_CODE_SYNTAX_ERROR, "Error parsing ", shown,
             "/package.json: ", package->why == NULL ? "" : package->why, NULL);
  else
    pl__fail(job, PL_CODE_ERR_INVALID_PACKAGE_CONFIG, "Invalid package config ",
             shown, "/package.json.", NULL);
  if (package->state == PL__PACKAGE_BROKEN && job->error == 0 &&
      job->resolver->node < 22 && !job->import) {
    struct pl__text path = {.memory = &job->resolver->memory};
    pl__text_string(&path, shown);
    pl__text_string(&path, "/package.json");
    if (path.broken)
      job->error = PL_ENOMEM;
    else
      job->resolution->error_path = pl__keep(job, path.bytes, path.length);
    pl__text_free(&path);
  }
  return true;
}

/* What Node puts behind the path: who imports what, and, Node 20, why. */
static void fail_importing(struct pl__job *job,
                           const struct pl__package *package, const char *dir,
                           size_t length, const char *what) {
  const char *shown = pl__keep(job, dir, length > 1 ? length : 0);
  const char *end = ".";
  if (job->resolver->node < 22) {
    struct pl__text text = {.memory = &job->resolver->memory};
    pl__text_string(&text, ". ");
    pl__text_string(&text, package->why == NULL ? "" : package->why);
    if (text.broken) job->error = PL_ENOMEM;
    if (job->error == 0) end = pl__keep(job, text.bytes, text.length);
    pl__text_free(&text);
  }
  pl__fail(job, PL_CODE_ERR_INVALID_PACKAGE_CONFIG, "Invalid package config ",
           shown, "/package.json while importing ", what, NULL);
  pl__fail_after(job, end);
}

bool pl__fail_imported(struct pl__job *job, const struct pl__package *package,
                       const char *dir, size_t length, const char *name,
                       size_t name_length) {
  if (package->state != PL__PACKAGE_BROKEN)
    return pl__fail_package(job, package, dir, length);
  struct pl__text what = {.memory = &job->resolver->memory};
  pl__text_byte(&what, '"');
  pl__text_add(&what, name, name_length);
  pl__text_string(&what, "\" from ");
  if (what.broken) job->error = PL_ENOMEM;
  if (job->error == 0)
    fail_importing(job, package, dir, length,
                   pl__keep(job, what.bytes, what.length));
  pl__text_free(&what);
  return true;
}

bool pl__fail_scope(struct pl__job *job, const struct pl__package *package,
                    const char *dir, size_t length, const char *file,
                    size_t file_length) {
  if (package->state != PL__PACKAGE_BROKEN || job->resolver->node >= 22)
    return pl__fail_package(job, package, dir, length);
  /* Of a file, nobody is named as the one who asks. */
  const char *parent = job->parent;
  if (file != NULL) job->parent = pl__keep(job, file, file_length);
  fail_importing(job, package, dir, length, "");
  job->parent = parent;
  return true;
}

/* ------------------------------------------------------------------------ */

static bool is_in(const char *const *names, size_t count, const char *name,
                  size_t length) {
  size_t low = 0, high = count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    const char *at = names[middle];
    size_t size = strlen(at);
    int order = memcmp(at, name, size < length ? size : length);
    if (order == 0) order = size < length ? -1 : size > length;
    if (order == 0) return true;
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return false;
}

bool pl__is_core(const struct pl_resolver *resolver, const char *name,
                 size_t length) {
  return is_in(resolver->core, resolver->core_count, name, length);
}

bool pl__is_core_only(const struct pl_resolver *resolver, const char *name,
                      size_t length) {
  return is_in(resolver->core_only, resolver->core_only_count, name, length);
}

/* ------------------------------------------------------------------------ */

static struct pl_place **place_slot(const struct pl_resolver *resolver,
                                    const char *text, size_t length,
                                    uint32_t hash) {
  size_t mask = resolver->place_capacity - 1;
  for (size_t at = hash & mask;; at = (at + 1) & mask) {
    struct pl_place *place = resolver->places[at];
    if (place == NULL || (place->hash == hash &&
                          pl__same(place->text, place->length, text, length)))
      return &resolver->places[at];
  }
}

static int grow_places(struct pl_resolver *resolver) {
  size_t capacity =
      resolver->place_capacity == 0 ? 64 : resolver->place_capacity * 2;
  struct pl_place **old = resolver->places;
  size_t old_capacity = resolver->place_capacity;
  struct pl_place **fresh = resolver->memory.resize(resolver->memory.self, NULL,
                                                    capacity * sizeof *fresh);
  if (fresh == NULL) return PL_ENOMEM;
  memset(fresh, 0, capacity * sizeof *fresh);
  resolver->places = fresh;
  resolver->place_capacity = capacity;
  for (size_t i = 0; i < old_capacity; i++)
    if (old[i] != NULL)
      *place_slot(resolver, old[i]->text, old[i]->length, old[i]->hash) =
          old[i];
  if (old != NULL) resolver->memory.resize(resolver->memory.self, old, 0);
  return 0;
}

static uint32_t place_hash(const char *text, size_t length) {
  return (uint32_t)pl__hash(text, length, 1);
}

/* Makes the place of one more name; `text` stays. */
static struct pl_place *new_place(struct pl__job *job, struct pl_place *up,
                                  const char *text, size_t length,
                                  uint32_t hash) {
  struct pl_resolver *resolver = job->resolver;
  if ((resolver->place_count + 1) * 2 > resolver->place_capacity &&
      grow_places(resolver) != 0) {
    job->error = PL_ENOMEM;
    return NULL;
  }
  struct pl__node *real = up == NULL ? &resolver->root : NULL;
  unsigned links = 0;
  if (up != NULL && up->real != NULL && length < PL__PATH_MAX) {
    size_t start = up->length > 1 ? up->length + 1 : 1;
    links = up->links;
    if (memchr(text + start, '\0', length - start) == NULL)
      real = pl__walk(job, up->real, text + start, length - start, &links);
    if (real != NULL && real->kind != PL_FS_DIRECTORY) real = NULL;
    if (job->error != 0) return NULL;
  }
  struct pl_place *place = pl__alloc(job, &resolver->fleeting, sizeof *place);
  if (place == NULL) return NULL;
  *place = (struct pl_place){
      .resolver = resolver,
      .text = text,
      .length = (uint32_t)length,
      .hash = hash,
      .up = up == NULL ? place : up,
      .real = real,
      .links = (uint8_t)links,
      .utf8 = up == NULL ||
              (up->utf8 && pl__utf8(text + up->length, length - up->length))};
  *place_slot(resolver, text, length, hash) = place;
  resolver->place_count++;
  return place;
}

/* The place of a normalised text, with all above it: downwards from the
 * nearest that is known. */
struct pl_place *pl__place(struct pl__job *job, const char *text,
                           size_t length) {
  struct pl_resolver *resolver = job->resolver;
  if (resolver->place_capacity == 0 && grow_places(resolver) != 0) {
    job->error = PL_ENOMEM;
    return NULL;
  }
  uint32_t hash = place_hash(text, length);
  struct pl_place *place = *place_slot(resolver, text, length, hash);
  if (place != NULL) return place;
  const char *copy = pl__keep(job, text, length);
  if (job->error != 0) return NULL;
  size_t end = length;
  while (place == NULL && end > 1) {
    while (end > 1 && copy[end - 1] != '/')
      end--;
    if (end > 1) end--;
    place = *place_slot(resolver, copy, end, place_hash(copy, end));
  }
  if (place == NULL) place = new_place(job, NULL, "/", 1, place_hash("/", 1));
  while (place != NULL && place->length < length) {
    end = place->length > 1 ? place->length + 1 : 1;
    const char *slash = memchr(copy + end, '/', length - end);
    end = slash == NULL ? length : (size_t)(slash - copy);
    place = new_place(job, place, copy, end, place_hash(copy, end));
  }
  return place;
}

struct pl_place *pl__place_child(struct pl__job *job, struct pl_place *place,
                                 const char *name, size_t length) {
  struct pl__text text = {.memory = &job->resolver->memory};
  pl__text_add(&text, place->text, place->length > 1 ? place->length : 0);
  pl__text_byte(&text, '/');
  pl__text_add(&text, name, length);
  struct pl_place *child = NULL;
  if (text.broken)
    job->error = PL_ENOMEM;
  else
    child = pl__place(job, text.bytes, text.length);
  pl__text_free(&text);
  return child;
}

const char *pl_place_path(const struct pl_place *place, size_t *length) {
  *length = place->length;
  return place->text;
}

int pl_resolver_place(struct pl_resolver *resolver, const char *path,
                      size_t length, struct pl_place **out) {
  if (length == 0 || path[0] != '/') return PL_EINVAL;
  struct pl_place *last = resolver->last_place;
  if (last != NULL && pl__same(last->text, last->length, path, length)) {
    *out = last;
    return 0;
  }
  struct pl__job job = {.resolver = resolver};
  struct pl__text *text = &resolver->scratch[3];
  pl__text_normal(text, path, length);
  struct pl_place *place = NULL;
  if (text->broken)
    job.error = PL_ENOMEM;
  else
    place = pl__place(&job, text->bytes, text->length);
  text->broken = false;
  if (job.error != 0) return job.error;
  resolver->last_place = place;
  *out = place;
  return 0;
}

/* ------------------------------------------------------------------------ */

static int grow_answers(struct pl_resolver *resolver) {
  size_t capacity =
      resolver->answer_capacity == 0 ? 64 : resolver->answer_capacity * 4;
  struct pl__kept *fresh = resolver->memory.resize(resolver->memory.self, NULL,
                                                   capacity * sizeof *fresh);
  if (fresh == NULL) return PL_ENOMEM;
  memset(fresh, 0, capacity * sizeof *fresh);
  for (size_t i = 0; i < resolver->answer_capacity; i++) {
    struct pl__kept kept = resolver->answers[i];
    if (kept.answer == NULL) continue;
    size_t at = kept.hash & (capacity - 1);
    while (fresh[at].answer != NULL)
      at = (at + 1) & (capacity - 1);
    fresh[at] = kept;
  }
  if (resolver->answers != NULL)
    resolver->memory.resize(resolver->memory.self, resolver->answers, 0);
  resolver->answers = fresh;
  resolver->answer_capacity = capacity;
  return 0;
}

static uint64_t answer_hash(const struct pl_place *place, const char *specifier,
                            size_t length, enum pl__asked asked) {
  return pl__hash(specifier, length,
                  ((uint64_t)place->hash << 2 | asked) *
                      UINT64_C(0x9e3779b97f4a7c15));
}

static struct pl__answer *kept_answer(const struct pl_resolver *resolver,
                                      const struct pl_place *place,
                                      const char *specifier, size_t length,
                                      enum pl__asked asked, uint64_t hash) {
  if (resolver->answer_capacity == 0) return NULL;
  size_t mask = resolver->answer_capacity - 1;
  for (size_t at = hash & mask;; at = (at + 1) & mask) {
    struct pl__kept kept = resolver->answers[at];
    if (kept.answer == NULL) return NULL;
    if (kept.hash == hash && kept.answer->place == place &&
        kept.answer->asked == asked &&
        pl__same(kept.answer->specifier, kept.answer->length, specifier,
                 length))
      return kept.answer;
  }
}

/* An answer that is not in the table yet. NULL: out of memory. */
static struct pl__answer *new_answer(struct pl_place *place,
                                     const char *specifier, size_t length,
                                     enum pl__asked asked) {
  struct pl__answer *answer =
      pl__arena_take(&place->resolver->fleeting, sizeof *answer + length + 1);
  if (answer == NULL) return NULL;
  *answer = (struct pl__answer){
      .place = place, .length = (uint32_t)length, .asked = (uint8_t)asked};
  if (length > 0) memcpy(answer->specifier, specifier, length);
  answer->specifier[length] = '\0';
  return answer;
}

/* There is room in the table. */
static void keep_answer(struct pl_resolver *resolver, struct pl__answer *answer,
                        uint64_t hash) {
  size_t mask = resolver->answer_capacity - 1, at = hash & mask;
  while (resolver->answers[at].answer != NULL)
    at = (at + 1) & mask;
  resolver->answers[at] = (struct pl__kept){hash, answer};
  resolver->answer_count++;
}

bool pl__recall(struct pl__job *job, const struct pl_place *modules) {
  uint64_t hash =
      answer_hash(modules, job->request, job->request_length, PL__SEARCHED);
  const struct pl__answer *answer =
      kept_answer(job->resolver, modules, job->request, job->request_length,
                  PL__SEARCHED, hash);
  if (answer == NULL) return false;
  *job->resolution = answer->resolution;
  return true;
}

void pl__remember(struct pl__job *job, struct pl_place *modules) {
  struct pl__answer *answer =
      new_answer(modules, job->request, job->request_length, PL__SEARCHED);
  if (answer == NULL) {
    job->error = PL_ENOMEM;
    return;
  }
  answer->resolution = *job->resolution;
  keep_answer(
      job->resolver, answer,
      answer_hash(modules, job->request, job->request_length, PL__SEARCHED));
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
  uint64_t hash = answer_hash(place, specifier, length, asked);
  struct pl__answer *answer =
      kept_answer(resolver, place, specifier, length, asked, hash);
  resolver->stats.asked++;
  if (answer != NULL) {
    resolver->stats.answered_from_memory++;
    *out = &answer->resolution;
    return 0;
  }
  if (length > UINT32_MAX / 2) return PL_EINVAL;
  /* Room for it and for what pl__remember() may add. */
  if ((resolver->answer_count + 2) * 2 > resolver->answer_capacity &&
      grow_answers(resolver) != 0)
    return PL_ENOMEM;
  answer = new_answer(place, specifier, length, asked);
  if (answer == NULL) return PL_ENOMEM;
  struct pl__job job = {.resolver = resolver,
                        .place = place,
                        .request = answer->specifier,
                        .request_length = length,
                        .import = import,
                        .resolution = &answer->resolution};
  find_out(&job);
  if (job.error != 0) return job.error;
  keep_answer(resolver, answer, hash);
  *out = &answer->resolution;
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
  *out = job.resolution;
  return 0;
}

/* ------------------------------------------------------------------------ */

/* Places and answers end; the tree stays. */
static void end_fleeting(struct pl_resolver *resolver) {
  resolver->epoch++;
  if (resolver->places != NULL)
    memset(resolver->places, 0,
           resolver->place_capacity * sizeof *resolver->places);
  if (resolver->answers != NULL)
    memset(resolver->answers, 0,
           resolver->answer_capacity * sizeof *resolver->answers);
  resolver->place_count = 0;
  resolver->answer_count = 0;
  resolver->last_place = NULL;
  pl__arena_empty(&resolver->fleeting);
}

void pl_resolver_forget(struct pl_resolver *resolver) {
  end_fleeting(resolver);
  pl__tree_release(resolver);
}

/* The nearest directory that is known above the path: it may have gained or
 * lost the name. And the path's own inside. */
void pl_resolver_changed(struct pl_resolver *resolver, const char *path,
                         size_t length) {
  end_fleeting(resolver);
  struct pl__text text = {.memory = &resolver->memory};
  pl__text_normal(&text, path, length);
  if (text.broken)
    pl__tree_release(resolver);
  else
    pl__tree_changed(resolver, text.bytes, text.length);
  pl__text_free(&text);
}

int pl_resolver_refresh(struct pl_resolver *resolver) {
  end_fleeting(resolver);
  return pl__tree_refresh(resolver);
}

void pl_resolver_stats(const struct pl_resolver *resolver,
                       struct pl_resolver_stats *stats) {
  *stats = resolver->stats;
  stats->bytes += resolver->tree.bytes + resolver->fleeting.bytes +
                  resolver->keep.bytes +
                  resolver->place_capacity * sizeof *resolver->places +
                  resolver->answer_capacity * sizeof *resolver->answers;
}

/* ------------------------------------------------------------------------ */

static size_t count_names(const char *const *names) {
  size_t count = 0;
  while (names != NULL && names[count] != NULL)
    count++;
  return count;
}

static int compare_names(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Copies a list of names. NULL: out of memory. */
static const char **copy_names(struct pl__job *job, const char *const *names,
                               size_t count) {
  struct pl__arena *keep = &job->resolver->keep;
  const char **copy = pl__alloc(job, keep, (count + 1) * sizeof *copy);
  for (size_t i = 0; copy != NULL && i < count; i++)
    copy[i] = keep_in(job, keep, names[i], strlen(names[i]));
  return copy;
}

static int configure(struct pl_resolver *resolver,
                     const struct pl_resolver_config *config) {
  struct pl__job job = {.resolver = resolver};
  const char *const *core = config->core;
  if (core == NULL) core = pl_core_modules(resolver->node);
  resolver->core_count = count_names(core);
  resolver->core = copy_names(&job, core, resolver->core_count);
  const char *const *only = core + resolver->core_count + 1;
  if (config->core != NULL) only = NULL;
  resolver->core_only_count = count_names(only);
  resolver->core_only = copy_names(&job, only, resolver->core_only_count);
  resolver->condition_count = count_names(config->conditions);
  resolver->conditions =
      copy_names(&job, config->conditions, resolver->condition_count);
  resolver->path_count = count_names(config->paths);
  resolver->paths = pl__alloc(&job, &resolver->keep,
                              (resolver->path_count + 1) * sizeof(char *));
  struct pl__text text = {.memory = &resolver->memory};
  for (size_t i = 0; i < resolver->path_count && job.error == 0; i++) {
    pl__text_clear(&text);
    pl__text_normal(&text, config->paths[i], strlen(config->paths[i]));
    if (text.broken)
      job.error = PL_ENOMEM;
    else
      resolver->paths[i] =
          keep_in(&job, &resolver->keep, text.bytes, text.length);
  }
  pl__text_free(&text);
  if (job.error != 0) return job.error;
  qsort(resolver->core, resolver->core_count, sizeof *resolver->core,
        compare_names);
  qsort(resolver->core_only, resolver->core_only_count,
        sizeof *resolver->core_only, compare_names);
  return 0;
}

enum { CONDITIONS_MOST = 58 }; /* bits of a word, without Node's own */

int pl_resolver_create(const struct pl_resolver_config *config,
                       struct pl_resolver **out) {
  if (config->fs == NULL || count_names(config->conditions) > CONDITIONS_MOST)
    return PL_EINVAL;
  for (size_t i = 0; config->paths != NULL && config->paths[i] != NULL; i++)
    if (config->paths[i][0] != '/') return PL_EINVAL;
  struct pl_module_memory memory = config->memory;
  if (memory.resize == NULL) memory = pl__memory_default();
  struct pl_resolver *resolver =
      memory.resize(memory.self, NULL, sizeof *resolver);
  if (resolver == NULL) return PL_ENOMEM;
  *resolver = (struct pl_resolver){
      .memory = memory,
      .fs = config->fs,
      .node = config->node == 0 ? 22 : config->node,
      .preserve_symlinks = config->preserve_symlinks,
      .list_after = config->list_after == 0 ? 12 : config->list_after,
      .root = {.name = "", .kind = PL_FS_DIRECTORY, .was = PL_FS_DIRECTORY}};
  resolver->keep.memory = &resolver->memory;
  resolver->tree.memory = &resolver->memory;
  resolver->fleeting.memory = &resolver->memory;
  resolver->path.memory = &resolver->memory;
  for (int i = 0; i < 4; i++)
    resolver->scratch[i].memory = &resolver->memory;
  int error = configure(resolver, config);
  if (error != 0) {
    pl_resolver_destroy(resolver);
    return error;
  }
  *out = resolver;
  return 0;
}

void pl_resolver_destroy(struct pl_resolver *resolver) {
  struct pl_module_memory memory = resolver->memory;
  pl_resolver_forget(resolver);
  pl__arena_empty(&resolver->keep);
  pl__text_free(&resolver->path);
  for (int i = 0; i < 4; i++)
    pl__text_free(&resolver->scratch[i]);
  if (resolver->places != NULL) memory.resize(memory.self, resolver->places, 0);
  if (resolver->answers != NULL)
    memory.resize(memory.self, resolver->answers, 0);
  memory.resize(memory.self, resolver, 0);
}
