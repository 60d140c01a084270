/* SPDX-License-Identifier: MIT */
/*
 * place.c: the directories from which is asked, by their texts.
 *
 * Invariants: a place's text is normalised, so a text that is found as it was
 * given needs no normalising; all places above a place are there.
 */
#include "internal.h"

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
  if (resolver->place_count > 0) {
    last = *place_slot(resolver, path, length, place_hash(path, length));
    if (last != NULL) {
      *out = resolver->last_place = last;
      return 0;
    }
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
