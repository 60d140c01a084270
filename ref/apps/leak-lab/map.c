/* SPDX-License-Identifier: MIT */
/*
 * map.c: from numbers to references, in the order of insertion; with that, a
 * cache that throws away what was used least recently.
 *
 *   map -> buckets -> entry -> next entry of the bucket -> ...
 *       -> oldest entry <-> ... <-> newest entry
 *
 * Invariant: an entry stands in one bucket and in the order, or in neither.
 */
#include "lab.h"

enum { FIRST_BUCKETS = 16 };

struct entry {
  struct entry *next, *before, *after;
  void *value;
  uint64_t key; /* no slot */
};

struct map {
  struct entry **buckets;
  struct entry *oldest, *newest;
  size_t count; /* no slot */
};

/* A slot of an object by its address. */
#define SET(lab, object, field, to)                                            \
  pl_heap_write((lab)->heap, (object), &(object)->field, (to))

int lab_map_new(struct lab *lab, void **out) {
  return lab_object(lab, lab->map, sizeof(struct map) / sizeof(void *), out);
}

size_t lab_map_count(const void *map) {
  return ((const struct map *)map)->count;
}

uint64_t lab_map_oldest(const void *map) {
  return ((const struct map *)map)->oldest->key;
}

static size_t bucket_count(const struct map *map) {
  return map->buckets == NULL ? 0
                              : pl_heap_bytes_of(map->buckets) / sizeof(void *);
}

static size_t place_of(uint64_t key, size_t buckets) {
  return (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (buckets - 1);
}

static struct entry *find(const struct map *map, uint64_t key) {
  size_t buckets = bucket_count(map);
  if (buckets == 0) return NULL;
  struct entry *at = map->buckets[place_of(key, buckets)];
  while (at != NULL && at->key != key)
    at = at->next;
  return at;
}

void *lab_map_get(const void *map, uint64_t key) {
  const struct entry *found = find(map, key);
  return found == NULL ? NULL : found->value;
}

/* -- the order ---------------------------------------------------------------
 */

static void append(struct lab *lab, struct map *map, struct entry *entry) {
  SET(lab, entry, before, map->newest);
  SET(lab, entry, after, NULL);
  if (map->newest != NULL)
    SET(lab, map->newest, after, entry);
  else
    SET(lab, map, oldest, entry);
  SET(lab, map, newest, entry);
}

static void take_out(struct lab *lab, struct map *map, struct entry *entry) {
  if (entry->before != NULL)
    SET(lab, entry->before, after, entry->after);
  else
    SET(lab, map, oldest, entry->after);
  if (entry->after != NULL)
    SET(lab, entry->after, before, entry->before);
  else
    SET(lab, map, newest, entry->before);
}

void lab_map_touch(struct lab *lab, void *self, uint64_t key) {
  struct entry *entry = find(self, key);
  if (entry == NULL) return;
  take_out(lab, self, entry);
  append(lab, self, entry);
}

/* -- the buckets --------------------------------------------------------------
 */

static void into_bucket(struct lab *lab, struct entry **buckets, size_t count,
                        struct entry *entry) {
  size_t place = place_of(entry->key, count);
  SET(lab, entry, next, buckets[place]);
  lab_write(lab, buckets, place, entry);
}

/* Doubles the buckets when there are as many entries. May collect. */
static int make_room(struct lab *lab, void *const *handle) {
  struct map *map = *handle;
  size_t now = bucket_count(map);
  if (map->count < now) return 0;
  void *made;
  size_t wanted = now == 0 ? FIRST_BUCKETS : now * 2;
  int err = lab_object(lab, lab->array, wanted, &made);
  if (err != 0) return err;
  map = *handle;
  for (struct entry *at = map->oldest; at != NULL; at = at->after)
    into_bucket(lab, made, wanted, at);
  SET(lab, map, buckets, made);
  return 0;
}

int lab_map_set(struct lab *lab, void *const *handle, uint64_t key,
                void *const *value) {
  struct entry *entry = find(*handle, key);
  if (entry != NULL) {
    SET(lab, entry, value, *value);
    return 0;
  }
  int err = make_room(lab, handle);
  void *made = NULL;
  if (err == 0)
    err = lab_object(lab, lab->entry, sizeof(struct entry) / sizeof(void *),
                     &made);
  if (err != 0) return err;
  struct map *map = *handle;
  entry = made;
  entry->key = key;
  SET(lab, entry, value, *value);
  into_bucket(lab, map->buckets, bucket_count(map), entry);
  append(lab, map, entry);
  map->count++;
  return 0;
}

void lab_map_delete(struct lab *lab, void *self, uint64_t key) {
  struct map *map = self;
  struct entry *entry = find(map, key);
  if (entry == NULL) return;
  size_t place = place_of(key, bucket_count(map));
  struct entry *at = map->buckets[place];
  if (at == entry) {
    lab_write(lab, map->buckets, place, entry->next);
  } else {
    while (at->next != entry)
      at = at->next;
    SET(lab, at, next, entry->next);
  }
  take_out(lab, map, entry);
  map->count--;
}
