/* SPDX-License-Identifier: MIT */
/*
 * ids.c: numbers that objects keep however they move, for snapshots.
 *
 * A snapshot begins with a collection after which objects stand still in their
 * pages, so what is kept is a table for each page: where objects with an id
 * began, a bit for each word, and their ids in that order, packed: a number
 * says "so many in a row, each the next one" or "that much further".
 *
 *   page->ids   first | bits | 6 in a row, 40 further, 900 in a row, ...
 *
 * An object that has an id says so in its header (PL__HEAP_KNOWN): what is born
 * later in the place of a dead one has not. So neither allocation nor sweeping
 * need know of ids. What moves all the same is a stray: compaction's objects,
 * and young ones that the collection found no room for in the old generation.
 *
 * Invariants, between two snapshots:
 *  - An object with PL__HEAP_KNOWN is a stray or has its bit in its page.
 *  - Strays come first: a bit may be that of one that has died.
 *  - No id is given twice: `next` only grows.
 */
#include "ids.h"

enum { SCRATCH = 4096 };

struct pl__page_ids {
  uint64_t first;        /* the id of its first object */
  size_t size;           /* of all of it */
  uint64_t *bits;        /* within it; NULL: a large object's page */
  unsigned char *packed; /* behind them */
};

static void give_back(struct pl__heap *heap, void *block, size_t size) {
  if (block != NULL) pl__heap_resize(heap, block, size, 0);
}

void pl__ids_page_free(struct pl__heap *heap, struct pl__page *page) {
  if (page->ids != NULL) give_back(heap, page->ids, page->ids->size);
  page->ids = NULL;
}

static inline bool is_known(const void *object) {
  return (pl__heap_header(object) & PL__HEAP_KNOWN) != 0;
}

static void set_known(void *object, bool known) {
  pl__word *header = (pl__word *)object - 1;
  if (known)
    *header |= PL__HEAP_KNOWN;
  else
    *header &= ~(uint64_t)PL__HEAP_KNOWN;
}

/* ---------------------------------------------------------------------- */
/* Strays: a table by address, open addressing                            */

static size_t stray_at(const struct pl__ids *ids, const void *object) {
  uint64_t hash = (uintptr_t)object * UINT64_C(0x9e3779b97f4a7c15);
  size_t mask = ids->capacity - 1;
  size_t i = (size_t)(hash >> 32) & mask;
  while (ids->strays[i].object != NULL && ids->strays[i].object != object)
    i = (i + 1) & mask;
  return i;
}

static void table_free(struct pl__heap *heap, const struct pl__ids *ids) {
  give_back(heap, ids->strays, ids->capacity * sizeof *ids->strays);
}

static bool strays_grow(struct pl__heap *heap) {
  struct pl__ids *ids = &heap->ids;
  struct pl__ids bigger = {.capacity =
                               ids->capacity == 0 ? 64 : ids->capacity * 2};
  size_t size = bigger.capacity * sizeof *bigger.strays;
  bigger.strays = pl__heap_resize(heap, NULL, 0, size);
  if (bigger.strays == NULL) return false;
  memset(bigger.strays, 0, size);
  for (size_t i = 0; i < ids->capacity; i++)
    if (ids->strays[i].object != NULL)
      bigger.strays[stray_at(&bigger, ids->strays[i].object)] = ids->strays[i];
  table_free(heap, ids);
  ids->strays = bigger.strays;
  ids->capacity = bigger.capacity;
  return true;
}

/* Whoever stood there before is gone. Whether there was memory. */
static bool stray_add(struct pl__heap *heap, void *object, uint64_t id) {
  struct pl__ids *ids = &heap->ids;
  if (ids->count >= ids->capacity / 2 && !strays_grow(heap)) return false;
  struct pl__stray *stray = &ids->strays[stray_at(ids, object)];
  if (stray->object == NULL) ids->count++;
  *stray = (struct pl__stray){object, id};
  if (!pl_heap_is_old(object)) ids->young++;
  return true;
}

/* 0: none. */
static uint64_t stray_id(const struct pl__ids *ids, const void *object) {
  return ids->count == 0 ? 0 : ids->strays[stray_at(ids, object)].id;
}

/* ---------------------------------------------------------------------- */
/* A page's ids, packed                                                   */

/* n in a row: (n - 1) * 2; a step other than to the next one: odd. */
static size_t pack(unsigned char *into, uint64_t number) {
  size_t length = 0;
  while (number >= 128) {
    into[length++] = (unsigned char)(number | 128);
    number >>= 7;
  }
  into[length++] = (unsigned char)number;
  return length;
}

static uint64_t unpack(const unsigned char **from) {
  uint64_t number = 0;
  for (unsigned shift = 0;; shift += 7) {
    unsigned char byte = *(*from)++;
    number |= (uint64_t)(byte & 127) << shift;
    if (byte < 128) return number;
  }
}

void pl__ids_read(struct pl__id_reader *reader, const struct pl__page *page) {
  *reader = (struct pl__id_reader){.page = page};
  if (page->ids == NULL) return;
  reader->id = page->ids->first - 2;
  reader->at = page->ids->packed;
}

static void next_id(struct pl__id_reader *reader) {
  if (reader->row > 0) {
    reader->row--;
    reader->id += 2;
    return;
  }
  uint64_t number = unpack(&reader->at);
  if (number & 1) {
    uint64_t step = number >> 1;
    reader->id += 2 * (step >> 1 ^ (0 - (step & 1)));
  } else {
    reader->row = number / 2;
    reader->id += 2;
  }
}

/* The id that the table has for a place, 0: none. Places come in order. */
static uint64_t id_of_place(struct pl__id_reader *reader, uintptr_t object) {
  const struct pl__page_ids *ids = reader->page->ids;
  if (ids == NULL) return 0;
  if (ids->bits == NULL) return ids->first;
  size_t bit = (object - (uintptr_t)reader->page) / 8;
  if (!(ids->bits[bit / 64] >> bit % 64 & 1)) return 0;
  for (size_t i = reader->bit / 64; i <= bit / 64; i++) {
    uint64_t bits = ids->bits[i];
    if (i == reader->bit / 64) bits &= ~UINT64_C(0) << reader->bit % 64;
    if (i == bit / 64) bits &= ~UINT64_C(0) >> (63 - bit % 64);
    for (int left = __builtin_popcountll(bits); left > 0; left--)
      next_id(reader);
  }
  reader->bit = bit + 1;
  return reader->id;
}

/* The id that a known object has; 0: none. */
static uint64_t known_id(const struct pl__heap *heap,
                         struct pl__id_reader *reader, const void *object) {
  if (!is_known(object)) return 0;
  uint64_t id = stray_id(&heap->ids, object);
  return id != 0 ? id : id_of_place(reader, (uintptr_t)object);
}

/* What packs a page. */
struct packer {
  struct pl__heap *heap;
  unsigned char *scratch;
  size_t room, length;
  uint64_t first, last, row; /* row: ids that wait to be packed as one */
  uint64_t bits[PL__PAGE / 512];
};

static bool make_room(struct packer *packer) {
  if (packer->room - packer->length >= 32) return true;
  size_t room = packer->room == 0 ? SCRATCH : packer->room * 2;
  unsigned char *more =
      pl__heap_resize(packer->heap, packer->scratch, packer->room, room);
  if (more == NULL) return false;
  packer->scratch = more;
  packer->room = room;
  return true;
}

static void end_row(struct packer *packer) {
  if (packer->row == 0) return;
  packer->length +=
      pack(packer->scratch + packer->length, (packer->row - 1) * 2);
  packer->row = 0;
}

static bool pack_id(struct packer *packer, uint64_t id) {
  if (!make_room(packer)) return false;
  if (packer->first == 0) {
    packer->first = id;
    packer->last = id - 2;
  }
  if (id == packer->last + 2) {
    packer->row++;
  } else {
    end_row(packer);
    uint64_t step = (id - packer->last) / 2;
    if (id < packer->last) step = 0 - (packer->last - id) / 2;
    uint64_t sign = 0 - (step >> 63);
    packer->length +=
        pack(packer->scratch + packer->length, (step << 1 ^ sign) << 1 | 1);
  }
  packer->last = id;
  return true;
}

/* ---------------------------------------------------------------------- */
/* An id for every object                                                 */

static uint64_t id_or_new(struct pl__heap *heap, struct pl__id_reader *reader,
                          const void *object) {
  uint64_t id = known_id(heap, reader, object);
  if (id != 0) return id;
  id = heap->ids.next;
  heap->ids.next += 2;
  return id;
}

#define EACH_OBJECT(page, at)                                                  \
  for (uintptr_t at =                                                          \
           pl__find_object((page)->space, (page)->start, (page)->end);         \
       at < (page)->end;                                                       \
       at = pl__find_object((page)->space, pl__behind(at), (page)->end))

/* Puts the ids of a page's objects and their places into the packer. */
static bool pack_page(struct packer *packer, struct pl__page *page) {
  struct pl__id_reader reader;
  bool one = pl__is_large_page(page);
  packer->length = 0;
  packer->first = packer->row = 0;
  memset(packer->bits, 0, sizeof packer->bits);
  pl__ids_read(&reader, page);
  EACH_OBJECT(page, at) {
    void *object = (void *)(at + 8);
    if (!pack_id(packer, id_or_new(packer->heap, &reader, object)))
      return false;
    if (one) return true;
    size_t bit = ((uintptr_t)object - (uintptr_t)page) / 8;
    packer->bits[bit / 64] |= UINT64_C(1) << bit % 64;
  }
  end_row(packer);
  return true;
}

/* From now on a page's objects have the ids of its table. Code that cannot be
 * written to will have new ones. */
static void settle_page(struct pl__heap *heap, struct pl__page *page) {
  struct pl__ids *ids = &heap->ids;
  if (pl__page_open(heap, page) != 0) return;
  EACH_OBJECT(page, at) {
    void *object = (void *)(at + 8);
    set_known(object, true);
    if (ids->count == 0) continue;
    struct pl__stray *stray = &ids->strays[stray_at(ids, object)];
    if (stray->object != NULL) stray->id = 0;
  }
  pl__page_close(heap, page);
}

static bool update_page(struct packer *packer, struct pl__page *page) {
  struct pl__heap *heap = packer->heap;
  if (!pack_page(packer, page)) return false;
  bool one = pl__is_large_page(page);
  size_t size = sizeof(struct pl__page_ids);
  if (!one) size += sizeof packer->bits + packer->length;
  struct pl__page_ids *ids = pl__heap_resize(heap, NULL, 0, size);
  if (ids == NULL) return false;
  *ids = (struct pl__page_ids){.first = packer->first, .size = size};
  if (!one) {
    ids->bits = (uint64_t *)(ids + 1);
    ids->packed = (unsigned char *)(ids + 1) + sizeof packer->bits;
    memcpy(ids->bits, packer->bits, sizeof packer->bits);
    memcpy(ids->packed, packer->scratch, packer->length);
  }
  pl__ids_page_free(heap, page);
  page->ids = ids;
  settle_page(heap, page);
  return true;
}

/* Young objects are strays, and all that are left. */
static bool update_young(struct pl__heap *heap) {
  struct pl__ids *ids = &heap->ids;
  struct pl__ids old = *ids;
  uintptr_t end = heap->head.top;
  *ids = (struct pl__ids){.next = old.next};
  bool done = true;
  for (uintptr_t at = heap->block[heap->active]; at < end && done;
       at = pl__behind(at)) {
    void *object = (void *)(at + 8);
    uint64_t id = is_known(object) ? stray_id(&old, object) : 0;
    if (id == 0) {
      id = ids->next;
      ids->next += 2;
    }
    done = stray_add(heap, object, id);
  }
  if (!done) {
    table_free(heap, ids);
    old.next = ids->next;
    *ids = old;
    return false;
  }
  for (uintptr_t at = heap->block[heap->active]; at < end; at = pl__behind(at))
    set_known((void *)(at + 8), true);
  table_free(heap, &old);
  return true;
}

int pl__ids_update(struct pl__heap *heap) {
  struct packer packer = {.heap = heap};
  bool done = true;
  if (heap->ids.next == 0) heap->ids.next = PL__FIRST_ID;
  for (int i = 0; i < PL_SPACES && done; i++)
    for (struct pl__page *page = heap->space[i].pages; page != NULL && done;
         page = page->next)
      done = update_page(&packer, page);
  give_back(heap, packer.scratch, packer.room);
  return done && update_young(heap) ? 0 : PL_ENOMEM;
}

uint64_t pl__id_now(const struct pl__heap *heap, struct pl__id_reader *reader,
                    const void *object) {
  if (pl__in_semi_space(heap, object)) return stray_id(&heap->ids, object);
  if (reader->page != pl__page_of(object))
    pl__ids_read(reader, pl__page_of(object));
  return id_of_place(reader, (uintptr_t)object);
}

void pl__ids_free(struct pl__heap *heap) {
  table_free(heap, &heap->ids);
  heap->ids = (struct pl__ids){.next = heap->ids.next};
}

void pl_snapshot_forget(struct pl_heap *head) {
  struct pl__heap *heap = pl__heap(head);
  struct pl__ids *ids = &heap->ids;
  for (int i = 0; i < PL_SPACES; i++)
    for (struct pl__page *page = heap->space[i].pages; page; page = page->next)
      pl__ids_page_free(heap, page);
  for (size_t i = 0; i < ids->capacity; i++) {
    void *object = ids->strays[i].object;
    if (object != NULL && ids->strays[i].id != 0) set_known(object, false);
  }
  pl__ids_free(heap);
}

/* ---------------------------------------------------------------------- */
/* Objects that move                                                      */

/* `object` stands there now, and is a stray; without memory it has no id. */
static void follow(struct pl__heap *heap, void *object, uint64_t id) {
  if (id == 0 || !stray_add(heap, object, id)) set_known(object, false);
}

void pl__ids_scavenged(struct pl__heap *heap) {
  struct pl__ids old = heap->ids;
  if (old.young == 0) return;
  heap->ids = (struct pl__ids){.next = old.next};
  for (size_t i = 0; i < old.capacity; i++) {
    void *object = old.strays[i].object;
    if (object == NULL || old.strays[i].id == 0) continue;
    if (pl__in_semi_space(heap, object)) object = pl__survivor(heap, object);
    if (object != NULL) follow(heap, object, old.strays[i].id);
  }
  table_free(heap, &old);
}

void pl__ids_evacuated(struct pl__heap *heap, struct pl__page *page) {
  struct pl__id_reader reader;
  if (heap->ids.next == 0) return;
  pl__ids_read(&reader, page);
  for (uintptr_t at = page->start; at < page->end;) {
    uint64_t header = *(pl__word *)at;
    bool moved = !(header & PL__HEAP_HEADER);
    void *copy = (void *)(uintptr_t)header;
    if (moved && is_known(copy)) {
      void *object = (void *)(at + 8);
      uint64_t id = stray_id(&heap->ids, object);
      if (id == 0) id = id_of_place(&reader, (uintptr_t)object);
      follow(heap, copy, id);
    }
    at += pl__size(moved ? pl__heap_header(copy) : header);
  }
}
