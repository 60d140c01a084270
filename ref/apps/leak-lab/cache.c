/* SPDX-License-Identifier: MIT */
/*
 * cache.c: pages by address. Every visitor has an address of his own (a session
 * in it), so what is cached is never asked for again and never thrown away.
 *
 * Cure: the 100 used last stay; what is used is put behind all others, and the
 * first one goes.
 */
#include <stdlib.h>

#include "lab.h"

enum { MOST = 100, BODY = 2048 };

struct cache {
  struct pl_root map;
  uint32_t page;
};

static int begin(struct lab *lab, void **state) {
  static const char *const names[] = {"body", NULL};
  struct cache *cache = calloc(1, sizeof *cache);
  if (cache == NULL) return PL_ENOMEM;
  *state = cache;
  pl_root_add(lab->heap, &cache->map, NULL);
  int err = lab_type(lab, "Page", names, &cache->page);
  return err != 0 ? err : lab_map_new(lab, &cache->map.object);
}

/* Makes a page and puts it into the cache. */
static int load(struct lab *lab, struct cache *cache, uint64_t address) {
  void **page, *made;
  int err = lab_text(lab, BODY, address, &made);
  if (err == 0) err = lab_handle(lab, made, &page);
  if (err == 0) err = lab_object(lab, cache->page, 2, &made);
  if (err != 0) return err;
  lab_write(lab, made, 0, *page);
  ((uint64_t *)made)[1] = address;
  *page = made;
  return lab_map_set(lab, &cache->map.object, address, page);
}

static int turn(struct lab *lab, void *state, uint64_t n) {
  struct cache *cache = state;
  const uint64_t asked[] = {n, n / 2};
  int err = 0;
  for (int i = 0; i < 2 && err == 0; i++) {
    if (lab_map_get(cache->map.object, asked[i]) == NULL)
      err = load(lab, cache, asked[i]);
    else if (lab->cured)
      lab_map_touch(lab, cache->map.object, asked[i]);
    if (lab->cured && lab_map_count(cache->map.object) > MOST)
      lab_map_delete(lab, cache->map.object, lab_map_oldest(cache->map.object));
  }
  return err;
}

static size_t kept(const void *state) {
  return lab_map_count(((const struct cache *)state)->map.object);
}

static void end(void *state) {
  if (state == NULL) return;
  pl_root_remove(&((struct cache *)state)->map);
  free(state);
}

const struct leak leak_cache = {"cache", "Page", begin, turn, kept, NULL, end};
