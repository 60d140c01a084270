/* SPDX-License-Identifier: MIT */
/*
 * verify.c: checks the invariants that the other files state.
 *
 * Two passes: the first walks every space, checks headers and notes where
 * objects begin, one bit for each word; the second looks at every slot and
 * handle, whose reference must be the beginning of an object. What has died
 * and was not swept yet still stands there, but nobody may refer to it. While
 * a marking is under way no marked object refers to an old one that is neither
 * marked nor on the mark stack.
 *
 * Invariant: reads the heap and changes nothing of it; the notes are freed.
 */
#include "internal.h"

#include <stdlib.h>

struct check {
  struct pl__heap *heap;
  struct pl_heap_fault *fault;
  uint64_t *young; /* where young objects begin */
  bool grey;       /* the mark stack has been noted, in page->grey */
  struct pl__page **pages;
  size_t page_count;
  int result;
};

static void fail(struct check *check, const char *invariant,
                 const void *object, const void *slot) {
  if (check->result != 0) return;
  check->result = PL_EFAULT;
  *check->fault = (struct pl_heap_fault){
      .invariant = invariant, .object = object, .slot = slot};
}

static void note(uint64_t *bits, uintptr_t base, uintptr_t at) {
  size_t bit = (at - base) / 8;
  bits[bit / 64] |= UINT64_C(1) << bit % 64;
}

static bool noted(const uint64_t *bits, uintptr_t base, uintptr_t at) {
  size_t bit = (at - base) / 8;
  return bits[bit / 64] >> bit % 64 & 1;
}

/* ---------------------------------------------------------------------- */
/* The notes                                                              */

static int by_address(const void *a, const void *b) {
  uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;
  return x < y ? -1 : x > y;
}

/* Dead, and not swept yet. */
static bool is_dead(const struct check *check, const struct pl__page *page,
                    const void *object) {
  return !pl__is_swept(check->heap, page) && !pl__is_marked(object);
}

static uint64_t *new_bits(struct pl__heap *heap, size_t bytes) {
  const struct pl_heap_memory *memory = &heap->config.memory;
  size_t size = (bytes / 512 + 1) * 8;
  uint64_t *bits = memory->resize(memory->self, NULL, size);
  if (bits != NULL) memset(bits, 0, size);
  return bits;
}

static size_t count_pages(const struct pl__heap *heap) {
  size_t count = 0;
  for (int i = 0; i < PL_SPACES; i++)
    for (struct pl__page *page = heap->space[i].pages; page; page = page->next)
      count++;
  return count;
}

/* A large page has but one beginning, its start. */
static bool note_pages(struct check *check) {
  struct pl__heap *heap = check->heap;
  const struct pl_heap_memory *memory = &heap->config.memory;
  size_t count = count_pages(heap);
  check->pages = memory->resize(memory->self, NULL,
                                (count + 1) * sizeof *check->pages);
  if (check->pages == NULL) return false;
  for (int i = 0; i < PL_SPACES; i++)
    for (struct pl__page *page = heap->space[i].pages; page != NULL;
         page = page->next) {
      page->starts = new_bits(heap, PL__PAGE);
      if (page->starts == NULL) return false;
      check->pages[check->page_count++] = page;
    }
  qsort(check->pages, count, sizeof *check->pages, by_address);
  return true;
}

/* What waits on the mark stack, when it is complete. */
static bool note_grey(struct check *check) {
  struct pl__heap *heap = check->heap;
  if (heap->phase != PL__MARKING || heap->stack_overflowed) return true;
  for (size_t i = 0; i < check->page_count; i++) {
    check->pages[i]->grey = new_bits(heap, PL__PAGE);
    if (check->pages[i]->grey == NULL) return false;
  }
  const struct pl__segment *segment = heap->stack;
  for (; segment != NULL; segment = segment->below)
    for (size_t i = segment->count; i-- > 0;) {
      uintptr_t entry = (uintptr_t)segment->object[i];
      void *object = (void *)(entry & ~(uintptr_t)PL__TAGS);
      struct pl__page *page = pl__page_of(object);
      note(page->grey, (uintptr_t)page, (uintptr_t)object - 8);
      if (entry & PL__PART) i--; /* below it is a number */
    }
  check->grey = true;
  return true;
}

static void forget_notes(struct check *check) {
  const struct pl_heap_memory *memory = &check->heap->config.memory;
  for (size_t i = 0; i < check->page_count; i++) {
    memory->resize(memory->self, check->pages[i]->starts, 0);
    check->pages[i]->starts = NULL;
    if (check->pages[i]->grey != NULL)
      memory->resize(memory->self, check->pages[i]->grey, 0);
    check->pages[i]->grey = NULL;
  }
  if (check->pages != NULL) memory->resize(memory->self, check->pages, 0);
  if (check->young != NULL) memory->resize(memory->self, check->young, 0);
}

/* ---------------------------------------------------------------------- */
/* First pass: headers                                                    */

static bool is_page(const struct check *check, const struct pl__page *page) {
  uintptr_t key = (uintptr_t)page;
  return check->page_count != 0 &&
         bsearch(&key, check->pages, check->page_count, sizeof *check->pages,
                 by_address) != NULL;
}

/* Of an old object: the marking is under way, or its page is unswept. */
static bool marks_may_stand(const struct check *check, uintptr_t at) {
  return check->heap->phase == PL__MARKING ||
         !pl__is_swept(check->heap, pl__page_of((void *)(at + 8)));
}

/* Whether the header at `at` can be walked over. */
static bool check_header(struct check *check, uintptr_t at, uintptr_t end,
                         enum pl_space id) {
  uint64_t header = *(pl__word *)at;
  const void *object = (void *)(at + 8);
  const struct pl__type *types = check->heap->types;
  if (!(header & PL__HEAP_HEADER))
    fail(check, "every object has a header", object, NULL);
  else if (pl__size(header) == 0 || pl__size(header) > end - at)
    fail(check, "an object ends within its space", object, NULL);
  else if (pl__type(header) >= check->heap->type_count)
    fail(check, "an object's type is registered", object, NULL);
  if (check->result != 0) return false;
  if (pl__type(header) == PL__FREE) {
    if (id == PL_SPACE_NEW)
      fail(check, "there are no fillers in a semi-space", object, NULL);
    return check->result == 0;
  }
  bool young = id == PL_SPACE_NEW || id == PL_SPACE_NEW_LARGE;
  bool large = id == PL_SPACE_LARGE || id == PL_SPACE_NEW_LARGE ||
               (id == PL_SPACE_CODE && pl__size(header) > PL_HEAP_LARGE_BYTES);
  const struct pl__type *type = &types[pl__type(header)];
  if (pl__size(header) / 8 - 1 < type->words)
    fail(check, "an object has the words that its type names", object, NULL);
  else if (young == ((header & PL__HEAP_OLD) != 0))
    fail(check, "the old bit says where an object lies", object, NULL);
  else if (large == !(header & PL__HEAP_LARGE))
    fail(check, "the large bit says where an object lies", object, NULL);
  else if (pl__is_marked(object) && (young || !marks_may_stand(check, at)))
    fail(check, "no mark outlives its collection", object, NULL);
  else if ((id == PL_SPACE_CODE) != ((header & PL__HEAP_CODE) != 0))
    fail(check, "the code bit says where an object lies", object, NULL);
  else if (id == PL_SPACE_OLD_DATA && !type->pure)
    fail(check, "objects in the data space have no slots", object, NULL);
  else if (type->home != PL_SPACE_NEW && !large && id != type->home)
    fail(check, "code and maps lie in their spaces", object, NULL);
  else if (id == PL_SPACE_MAP && pl__size(header) != PL_HEAP_MAP_BYTES + 8)
    fail(check, "objects of the map space have one size", object, NULL);
  else if (id == PL_SPACE_CELL && pl__size(header) != PL_HEAP_CELL_BYTES + 8)
    fail(check, "objects of the cell space have one size", object, NULL);
  return check->result == 0;
}

static void walk(struct check *check, uintptr_t at, uintptr_t end,
                 const struct pl__space *space, uint64_t *starts,
                 uintptr_t base) {
  while (at < end) {
    if (at == space->top && space->limit != space->top) {
      at = space->limit;
      continue;
    }
    if (!check_header(check, at, end, space->id)) return;
    uint64_t header = *(pl__word *)at;
    if (pl__type(header) != PL__FREE) note(starts, base, at);
    at += pl__size(header);
  }
}

/* A page's marked bytes are counted. */
static void check_live(struct check *check, const struct pl__page *page) {
  const struct pl__space *space = page->space;
  size_t live = 0;
  if (space->id == PL_SPACE_NEW_LARGE) return;
  for (uintptr_t at = page->start; at < page->end;) {
    if (at == space->top && space->limit != space->top) {
      at = space->limit;
      continue;
    }
    uint64_t header = *(pl__word *)at;
    if (pl__type(header) != PL__FREE && pl__is_marked((void *)(at + 8)))
      live += pl__size(header);
    at += pl__size(header);
  }
  if (live != page->live)
    fail(check, "a page counts the bytes of its marked objects", NULL, page);
}

static void walk_all(struct check *check) {
  struct pl__heap *heap = check->heap;
  uintptr_t base = heap->block[heap->active];
  if (heap->age_mark < base || heap->age_mark > heap->head.top)
    fail(check, "the age mark lies among the young", NULL, NULL);
  walk(check, base, heap->head.top, &heap->space[PL_SPACE_NEW], check->young,
       base);
  size_t committed = 0;
  for (size_t i = 0; i < check->page_count && check->result == 0; i++) {
    struct pl__page *page = check->pages[i];
    walk(check, page->start, page->end, page->space, page->starts,
         (uintptr_t)page);
    if (check->result == 0) check_live(check, page);
    committed += page->size;
  }
  if (committed != heap->old_committed)
    fail(check, "the committed bytes are those of the pages", NULL, NULL);
}

/* ---------------------------------------------------------------------- */
/* Second pass: slots                                                     */

static bool is_object(const struct check *check, const void *value) {
  const struct pl__heap *heap = check->heap;
  uintptr_t at = (uintptr_t)value - 8;
  uintptr_t base = heap->block[heap->active];
  if ((uintptr_t)value & 7) return false;
  if (at - base < heap->capacity) return noted(check->young, base, at);
  struct pl__page *page = pl__page_of(value);
  return is_page(check, page) && noted(page->starts, (uintptr_t)page, at) &&
         !is_dead(check, page, value);
}

static bool is_remembered(const struct pl__page *page, const void *slot) {
  if (page->remembered == NULL || !page->dirty) return false;
  size_t bit = ((uintptr_t)slot - (uintptr_t)page) / 8;
  return page->remembered[bit / 64] >> bit % 64 & 1;
}

static bool is_grey(const struct check *check, const void *object) {
  const struct pl__page *page = pl__page_of(object);
  return check->grey &&
         noted(page->grey, (uintptr_t)page, (uintptr_t)object - 8);
}

static bool is_black(const struct check *check, const void *object) {
  return pl_heap_is_old(object) && pl__is_marked(object) &&
         !is_grey(check, object);
}

static bool is_white(const struct check *check, const void *object) {
  return !pl__is_marked(object) && !is_grey(check, object);
}

static void check_slot(struct check *check, const void *object,
                       pl__slot *slot) {
  void *value = *slot;
  if (!pl__is_reference(value) || check->result != 0) return;
  if (!is_object(check, value))
    fail(check, "a slot holds NULL, an odd number or an object", object,
         slot);
  else if (pl_heap_is_old(object) && !pl_heap_is_old(value) &&
           !is_remembered(pl__page_of(object), slot))
    fail(check, "an old object's slot with a young object is remembered",
         object, slot);
  else if (check->grey && is_black(check, object) && pl_heap_is_old(value) &&
           is_white(check, value))
    fail(check, "no object that was looked at refers to one that was not seen",
         object, slot);
}

static void check_slots(struct check *check, uintptr_t at, uintptr_t end,
                        const uint64_t *starts, uintptr_t base) {
  struct pl__heap *heap = check->heap;
  for (; at < end && check->result == 0; at += 8) {
    if (!noted(starts, base, at)) continue;
    pl__word *header = (pl__word *)at;
    if (base != heap->block[heap->active] &&
        is_dead(check, pl__page_of(header + 1), header + 1))
      continue;
    PL__EACH_SLOT(heap, header + 1, *header, slot,
                  check_slot(check, header + 1, slot));
  }
}

/* Every remembered bit lies in an object of its page. */
static void check_remembered(struct check *check, struct pl__page *page) {
  uintptr_t owner_end = page->start;
  for (size_t i = 0; i < page->remembered_words; i++) {
    if (page->remembered[i] == 0) continue;
    if (!page->dirty) {
      fail(check, "a page with remembered slots is dirty", NULL, NULL);
      return;
    }
    for (size_t bit = i * 64; bit < i * 64 + 64; bit++) {
      if (!(page->remembered[i] >> bit % 64 & 1)) continue;
      uintptr_t at = (uintptr_t)page + bit * 8;
      if (at < owner_end) continue;
      uintptr_t start = at;
      if (page->end > (uintptr_t)page + PL__PAGE) start = page->start;
      while (start > page->start &&
             !noted(page->starts, (uintptr_t)page, start))
        start -= 8;
      pl__word *header = (pl__word *)start;
      owner_end = start + pl__size(*header);
      if (!noted(page->starts, (uintptr_t)page, start) || at >= owner_end)
        fail(check, "what is remembered is an object's slot", NULL,
             (void *)at);
    }
  }
}

static void check_handle(struct check *check, const void *const *handle) {
  const void *value = *handle;
  if (pl__is_reference(value) && !is_object(check, value))
    fail(check, "a handle holds NULL, an odd number or an object", value,
         handle);
}

static void check_weak(struct check *check, const struct pl_weak *weak,
                       bool old) {
  for (; weak != NULL && check->result == 0; weak = weak->next)
    if (!is_object(check, weak->object))
      fail(check, "a weak handle holds an object", weak->object, weak);
    else if (pl_heap_is_old(weak->object) != old)
      fail(check, "weak handles are listed by age", weak->object, weak);
}

static void check_handles(struct check *check) {
  struct pl__heap *heap = check->heap;
  void **end = heap->head.handle;
  for (struct pl__handle_block *block = heap->handles; block != NULL;
       block = block->below) {
    for (void **handle = block->handle; handle < end; handle++)
      check_handle(check, (const void *const *)handle);
    if (block->below != NULL) end = block->below->handle + PL__HANDLES;
  }
  for (struct pl_root *root = heap->roots; root != NULL; root = root->next)
    check_handle(check, (const void *const *)&root->object);
  check_weak(check, heap->weak_young, false);
  check_weak(check, heap->weak_old, true);
  for (struct pl_weak *weak = heap->dead; weak != NULL; weak = weak->next)
    check_handle(check, (const void *const *)&weak->object);
}

static void check_ephemerons(struct check *check) {
  const struct pl__ephemeron_store *store = &check->heap->ephemerons;
  size_t count = 0;
  for (uint32_t i = 0; i < store->used && check->result == 0; i++) {
    const struct pl__ephemeron *entry = &store->entries[i];
    if (entry->table == NULL) continue;
    count++;
    if (!is_object(check, entry->key))
      fail(check, "an ephemeron's key is an object", entry->key, NULL);
    check_handle(check, (const void *const *)&entry->value);
    bool young = !pl_heap_is_old(entry->key) ||
                 (pl__is_reference(entry->value) &&
                  check->result == 0 && !pl_heap_is_old(entry->value));
    if (young && !entry->young)
      fail(check, "a young key or value is listed", entry->key, NULL);
    void *found;
    if (check->result == 0 &&
        (pl_ephemeron_get(&check->heap->head, entry->table, entry->key,
                          &found) != 0 || found != entry->value))
      fail(check, "an ephemeron is found by its key", entry->key, NULL);
  }
  if (count != store->count)
    fail(check, "the ephemerons are counted", NULL, NULL);
}

static void check_references(struct check *check) {
  struct pl__heap *heap = check->heap;
  uintptr_t base = heap->block[heap->active];
  check_slots(check, base, heap->head.top, check->young, base);
  for (size_t i = 0; i < check->page_count && check->result == 0; i++) {
    struct pl__page *page = check->pages[i];
    uintptr_t end = page->end;
    if (page->end > (uintptr_t)page + PL__PAGE) end = page->start + 8;
    check_slots(check, page->start, end, page->starts, (uintptr_t)page);
    check_remembered(check, page);
  }
  check_handles(check);
  if (check->result == 0) check_ephemerons(check);
}

int pl_heap_verify(struct pl_heap *head, struct pl_heap_fault *fault) {
  struct pl__heap *heap = pl__heap(head);
  struct check check = {.heap = heap, .fault = fault};
  check.young = new_bits(heap, heap->capacity);
  if (check.young == NULL || !note_pages(&check) || !note_grey(&check)) {
    forget_notes(&check);
    return PL_ENOMEM;
  }
  walk_all(&check);
  if (check.result == 0) check_references(&check);
  forget_notes(&check);
  return check.result;
}
