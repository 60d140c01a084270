/* SPDX-License-Identifier: MIT */
/*
 * ephemeron.c: tables whose entries hold their value only while the key lives.
 *
 * The entries of all tables stand in one array and are found by their key's
 * address in one set of chained buckets. A key has PL__HEAP_KEY in its header,
 * so the marker asks here when it looks at a key, and nowhere else: marking is
 * linear in the entries, however they hang together.
 *
 * Invariants:
 *  - An entry stands in the bucket of its key's present address, but within a
 *    pause.
 *  - An entry with a young key or value is in the list of the young.
 *  - The flags of a header may outlive the entries: they are a hint.
 *  - Values of a table whose owner is young count as reachable while a
 *    collection in steps is marking: nobody will look at that owner again.
 */
#include "internal.h"

static struct pl__ephemeron *at(const struct pl__ephemeron_store *store,
                                uint32_t index) {
  return &store->entries[index - 1];
}

static uint32_t *bucket(const struct pl__ephemeron_store *store,
                        const void *key) {
  uint64_t mixed = (uintptr_t)key * UINT64_C(0x9e3779b97f4a7c15);
  return &store->buckets[mixed >> 32 & (store->capacity - 1)];
}

static bool is_young(const void *value) {
  return pl__is_reference(value) && !pl_heap_is_old(value);
}

/* Code has it from its birth: it cannot be written to. */
static void set_flag(void *object, uint64_t flag) {
  if (!(pl__heap_header(object) & flag)) ((pl__word *)object)[-1] |= flag;
}

/* ---------------------------------------------------------------------- */
/* The array and its buckets                                              */

static void hang(struct pl__ephemeron_store *store, uint32_t index) {
  struct pl__ephemeron *entry = at(store, index);
  uint32_t *first = bucket(store, entry->key);
  entry->chain = *first;
  *first = index;
}

static void unhang(struct pl__ephemeron_store *store, uint32_t index) {
  uint32_t *link = bucket(store, at(store, index)->key);
  while (*link != index)
    link = &at(store, *link)->chain;
  *link = at(store, index)->chain;
}

void pl__ephemerons_rehash(struct pl__heap *heap) {
  struct pl__ephemeron_store *store = &heap->ephemerons;
  for (uint32_t i = 0; i < store->capacity; i++)
    store->buckets[i] = 0;
  for (uint32_t i = 1; i <= store->used; i++)
    if (at(store, i)->table != NULL) hang(store, i);
}

static int grow(struct pl__heap *heap) {
  struct pl__ephemeron_store *store = &heap->ephemerons;
  if (store->capacity > UINT32_MAX / 4) return PL_ENOMEM;
  uint32_t capacity = store->capacity == 0 ? 16 : store->capacity * 2;
  uint32_t *buckets =
      pl__heap_resize(heap, NULL, 0, capacity * sizeof *buckets);
  if (buckets == NULL) return PL_ENOMEM;
  struct pl__ephemeron *entries = pl__heap_resize(
      heap, store->entries, store->capacity * sizeof *entries,
      capacity * sizeof *entries);
  if (entries == NULL) {
    pl__heap_resize(heap, buckets, capacity * sizeof *buckets, 0);
    return PL_ENOMEM;
  }
  if (store->buckets != NULL)
    pl__heap_resize(heap, store->buckets, store->capacity * sizeof *buckets,
                    0);
  store->entries = entries;
  store->buckets = buckets;
  store->capacity = capacity;
  pl__ephemerons_rehash(heap);
  return 0;
}

static int take(struct pl__heap *heap, uint32_t *out) {
  struct pl__ephemeron_store *store = &heap->ephemerons;
  if (store->free == 0 && store->used == store->capacity) {
    int error = grow(heap);
    if (error != 0) return error;
  }
  *out = store->free != 0 ? store->free : ++store->used;
  if (store->free != 0) store->free = at(store, *out)->chain;
  return 0;
}

static uint32_t find(const struct pl__ephemeron_store *store,
                     const struct pl_ephemerons *table, const void *key) {
  if (store->count == 0) return 0;
  uint32_t index = *bucket(store, key);
  while (index != 0 &&
         (at(store, index)->key != key || at(store, index)->table != table))
    index = at(store, index)->chain;
  return index;
}

/* Lists an entry as young if it is and was not. */
static void note_young(struct pl__ephemeron_store *store, uint32_t index) {
  struct pl__ephemeron *entry = at(store, index);
  if (entry->young || (!is_young(entry->key) && !is_young(entry->value)))
    return;
  entry->young = true;
  entry->young_next = store->young;
  store->young = index;
}

/* Of a table, but not of its bucket. An entry among the young stays there until
 * the next scavenge. */
static void drop(struct pl__ephemeron_store *store, uint32_t index) {
  struct pl__ephemeron *entry = at(store, index);
  struct pl_ephemerons *table = entry->table;
  if (entry->prev != 0) at(store, entry->prev)->next = entry->next;
  else table->first = entry->next;
  if (entry->next != 0) at(store, entry->next)->prev = entry->prev;
  table->count--;
  store->count--;
  entry->table = NULL;
  entry->key = entry->value = NULL;
  if (entry->young) return;
  entry->chain = store->free;
  store->free = index;
}

/* ---------------------------------------------------------------------- */
/* Tables                                                                 */

void pl_ephemerons_add(struct pl_heap *head, struct pl_ephemerons *table,
                       void *owner) {
  struct pl__ephemeron_store *store = &pl__heap(head)->ephemerons;
  *table = (struct pl_ephemerons){
      .owner = owner, .next = store->tables, .link = &store->tables};
  if (table->next != NULL) table->next->link = &table->next;
  store->tables = table;
  if (owner != NULL) set_flag(owner, PL__HEAP_OWNER);
}

static void empty(struct pl__ephemeron_store *store,
                  struct pl_ephemerons *table) {
  while (table->first != 0) {
    uint32_t index = table->first;
    unhang(store, index);
    drop(store, index);
  }
}

void pl_ephemerons_remove(struct pl_heap *head, struct pl_ephemerons *table) {
  if (table->link == NULL) return;
  empty(&pl__heap(head)->ephemerons, table);
  *table->link = table->next;
  if (table->next != NULL) table->next->link = table->link;
  table->link = NULL;
}

/* The mutator's value must not be missed by a marking under way. */
static void barrier(struct pl__heap *heap, void *value) {
  if (heap->head.marking && pl__is_reference(value) && pl_heap_is_old(value))
    pl__shade(heap, value);
}

int pl_ephemeron_set(struct pl_heap *head, struct pl_ephemerons *table,
                     void *key, void *value) {
  struct pl__heap *heap = pl__heap(head);
  struct pl__ephemeron_store *store = &heap->ephemerons;
  if (table->dead) return PL_EINVAL;
  uint32_t index = find(store, table, key);
  if (index == 0) {
    int error = take(heap, &index);
    if (error != 0) return error;
    *at(store, index) = (struct pl__ephemeron){
        .key = key, .table = table, .next = table->first};
    if (table->first != 0) at(store, table->first)->prev = index;
    table->first = index;
    table->count++;
    store->count++;
    hang(store, index);
    set_flag(key, PL__HEAP_KEY);
  }
  at(store, index)->value = value;
  note_young(store, index);
  barrier(heap, value);
  return 0;
}

int pl_ephemeron_get(struct pl_heap *head, const struct pl_ephemerons *table,
                     const void *key, void **out) {
  const struct pl__ephemeron_store *store = &pl__heap(head)->ephemerons;
  uint32_t index = find(store, table, key);
  if (index == 0) return PL_ENOENT;
  *out = at(store, index)->value;
  return 0;
}

int pl_ephemeron_delete(struct pl_heap *head, struct pl_ephemerons *table,
                        const void *key) {
  struct pl__ephemeron_store *store = &pl__heap(head)->ephemerons;
  uint32_t index = find(store, table, key);
  if (index == 0) return PL_ENOENT;
  unhang(store, index);
  drop(store, index);
  return 0;
}

/* ---------------------------------------------------------------------- */
/* Marking                                                                */

static bool is_reached(const struct pl__heap *heap,
                       const struct pl_ephemerons *table) {
  if (table->owner == NULL || pl__is_marked(table->owner)) return true;
  return heap->head.marking && !pl_heap_is_old(table->owner);
}

static void mark_values_of_key(struct pl__heap *heap, const void *key) {
  struct pl__ephemeron_store *store = &heap->ephemerons;
  if (store->count == 0) return;
  for (uint32_t i = *bucket(store, key); i != 0; i = at(store, i)->chain)
    if (at(store, i)->key == key && is_reached(heap, at(store, i)->table))
      pl__mark_value(heap, at(store, i)->value);
}

static void mark_values_of_owner(struct pl__heap *heap, const void *owner) {
  struct pl__ephemeron_store *store = &heap->ephemerons;
  for (struct pl_ephemerons *table = store->tables; table != NULL;
       table = table->next) {
    if (table->owner != owner) continue;
    for (uint32_t i = table->first; i != 0; i = at(store, i)->next)
      if (pl__is_marked(at(store, i)->key))
        pl__mark_value(heap, at(store, i)->value);
  }
}

void pl__ephemerons_marked(struct pl__heap *heap, void *object) {
  uint64_t header = pl__heap_header(object);
  if (header & PL__HEAP_KEY) mark_values_of_key(heap, object);
  if (header & PL__HEAP_OWNER) mark_values_of_owner(heap, object);
}

void pl__ephemerons_mark_young(struct pl__heap *heap) {
  struct pl__ephemeron_store *store = &heap->ephemerons;
  for (uint32_t i = store->young; i != 0; i = at(store, i)->young_next) {
    const struct pl__ephemeron *entry = at(store, i);
    if (entry->table != NULL && pl__is_marked(entry->key) &&
        is_reached(heap, entry->table))
      pl__mark_value(heap, entry->value);
  }
}

void pl__ephemerons_clear(struct pl__heap *heap) {
  struct pl__ephemeron_store *store = &heap->ephemerons;
  for (struct pl_ephemerons *table = store->tables; table != NULL;
       table = table->next) {
    if (table->owner == NULL || pl__is_marked(table->owner)) continue;
    heap->event.cleared += table->count;
    empty(store, table);
    table->owner = NULL;
    table->dead = true;
  }
  for (uint32_t i = 1; i <= store->used; i++) {
    const struct pl__ephemeron *entry = at(store, i);
    if (entry->table == NULL || pl__is_marked(entry->key)) continue;
    unhang(store, i);
    drop(store, i);
    heap->event.cleared++;
  }
}

void pl__ephemerons_tell(struct pl__heap *heap, const void *key,
                         pl_edge_fn *fn, void *arg) {
  struct pl__ephemeron_store *store = &heap->ephemerons;
  if (store->count == 0) return;
  for (uint32_t i = *bucket(store, key); i != 0; i = at(store, i)->chain) {
    const struct pl__ephemeron *entry = at(store, i);
    if (entry->key != key || !pl__is_reference(entry->value)) continue;
    const struct pl_edge edge = {.kind = PL_EDGE_EPHEMERON,
                                 .to = entry->value};
    fn(arg, &edge);
  }
}

/* ---------------------------------------------------------------------- */
/* Scavenges                                                              */

void pl__ephemerons_keep(struct pl__heap *heap, pl__visit_fn *visit) {
  struct pl__ephemeron_store *store = &heap->ephemerons;
  for (struct pl_ephemerons *table = store->tables; table; table = table->next)
    visit(heap, (pl__slot *)&table->owner);
  for (uint32_t i = store->young; i != 0; i = at(store, i)->young_next) {
    struct pl__ephemeron *entry = at(store, i);
    if (entry->table == NULL) continue;
    unhang(store, i);
    visit(heap, (pl__slot *)&entry->key);
    visit(heap, (pl__slot *)&entry->value);
    hang(store, i);
  }
}

void pl__ephemerons_settle(struct pl__heap *heap) {
  struct pl__ephemeron_store *store = &heap->ephemerons;
  uint32_t next, young = store->young;
  store->young = 0;
  for (uint32_t i = young; i != 0; i = next) {
    struct pl__ephemeron *entry = at(store, i);
    next = entry->young_next;
    entry->young = false;
    if (entry->table == NULL) {
      entry->chain = store->free;
      store->free = i;
      continue;
    }
    note_young(store, i);
    barrier(heap, entry->value);
  }
}

void pl__ephemerons_free(struct pl__heap *heap) {
  struct pl__ephemeron_store *store = &heap->ephemerons;
  size_t capacity = store->capacity;
  if (capacity == 0) return;
  pl__heap_resize(heap, store->entries, capacity * sizeof *store->entries, 0);
  pl__heap_resize(heap, store->buckets, capacity * sizeof *store->buckets, 0);
}
