/* SPDX-License-Identifier: MIT */
/*
 * timeout.c: setTimeout and setInterval, by the scheme of Node 20's
 * lib/internal/timers.js: one list per duration, one timer handle for all.
 *
 * Invariants:
 *  - A list that is mapped is in the map and in the heap; its timeouts are in
 *    the order of their starts, which is the order of their deadlines.
 *  - A list's expiry is never later than the deadline of its first timeout, and
 *    loop->timeouts.timer is due by the expiry of the heap's first list.
 *  - Only a pass leaves a mapped list empty, and only until it is through.
 *  - timeouts.refs counts the active referenced timeouts; the timer handle is
 *    referenced exactly while there is one.
 */
#include "internal.h"

#include <assert.h>

enum { PL__SLAB_LISTS = 32, PL__MAP_FIRST = 16 };

struct pl_timeout_list {
  uint64_t expiry; /* loop time, ms */
  uint64_t id;     /* decides between equal expiries */
  uint32_t msecs;
  bool mapped;
  size_t place;                  /* in the heap */
  struct pl_link timeouts;       /* by start */
  struct pl_timeout_list *chain; /* in the map's bucket, or the spare ones */
};

struct slab {
  struct slab *next;
  struct pl_timeout_list lists[PL__SLAB_LISTS];
};

/* ---------------------------------------------------------------------- */
/* The heap, by (expiry, id)                                              */

static bool is_before(const struct pl_timeout_list *a,
                      const struct pl_timeout_list *b) {
  return a->expiry != b->expiry ? a->expiry < b->expiry : a->id < b->id;
}

static void heap_put(struct pl__timeouts *all, size_t place,
                     struct pl_timeout_list *list) {
  all->heap[place] = list;
  list->place = place;
}

static void sift_up(struct pl__timeouts *all, struct pl_timeout_list *list) {
  size_t place = list->place;
  while (place > 0 && is_before(list, all->heap[(place - 1) / 2])) {
    heap_put(all, place, all->heap[(place - 1) / 2]);
    place = (place - 1) / 2;
  }
  heap_put(all, place, list);
}

static void sift_down(struct pl__timeouts *all, struct pl_timeout_list *list) {
  size_t place = list->place;
  for (size_t child; (child = 2 * place + 1) < all->lists; place = child) {
    if (child + 1 < all->lists &&
        is_before(all->heap[child + 1], all->heap[child]))
      child++;
    if (!is_before(all->heap[child], list)) break;
    heap_put(all, place, all->heap[child]);
  }
  heap_put(all, place, list);
}

static void heap_remove(struct pl__timeouts *all,
                        struct pl_timeout_list *list) {
  struct pl_timeout_list *last = all->heap[--all->lists];
  if (last == list) return;
  heap_put(all, list->place, last);
  sift_up(all, last);
  sift_down(all, last);
}

/* ---------------------------------------------------------------------- */
/* The map, by duration                                                   */

static struct pl_timeout_list **bucket_of(struct pl__timeouts *all,
                                          uint32_t msecs) {
  uint32_t hash = msecs * UINT32_C(2654435769);
  return &all->map[(hash >> 8) & (all->map_size - 1)];
}

static struct pl_timeout_list *find(struct pl__timeouts *all, uint32_t msecs) {
  if (all->map_size == 0) return NULL;
  struct pl_timeout_list *list = *bucket_of(all, msecs);
  while (list != NULL && list->msecs != msecs)
    list = list->chain;
  return list;
}

static void map_put(struct pl__timeouts *all, struct pl_timeout_list *list) {
  struct pl_timeout_list **bucket = bucket_of(all, list->msecs);
  list->chain = *bucket;
  *bucket = list;
}

static void map_remove(struct pl__timeouts *all, struct pl_timeout_list *list) {
  struct pl_timeout_list **place = bucket_of(all, list->msecs);
  while (*place != list)
    place = &(*place)->chain;
  *place = list->chain;
}

/* ---------------------------------------------------------------------- */
/* Room for one more list                                                 */

/* A bigger map, or the old one when memory is short: it works, with longer
 * chains. */
static int grow_map(struct pl_loop *loop) {
  struct pl__timeouts *all = &loop->timeouts;
  size_t size = all->map_size == 0 ? PL__MAP_FIRST : all->map_size * 2;
  void *block = pl__resize(&loop->allocator, NULL, size * sizeof *all->map);
  if (block == NULL) return all->map_size == 0 ? PL_ENOMEM : 0;
  pl__resize(&loop->allocator, all->map, 0);
  all->map = block;
  all->map_size = size;
  for (size_t i = 0; i < size; i++)
    all->map[i] = NULL;
  for (size_t i = 0; i < all->lists; i++)
    map_put(all, all->heap[i]);
  return 0;
}

/* One place more than is needed, so that a list which lost its place during
 * its own pass can always come back. */
static int reserve_heap(struct pl_loop *loop) {
  struct pl__timeouts *all = &loop->timeouts;
  if (all->lists + 2 <= all->heap_capacity) return 0;
  size_t capacity = all->heap_capacity == 0 ? 16 : all->heap_capacity * 2;
  void *block =
      pl__resize(&loop->allocator, all->heap, capacity * sizeof *all->heap);
  if (block == NULL) return PL_ENOMEM;
  all->heap = block;
  all->heap_capacity = capacity;
  return 0;
}

static int reserve_list(struct pl_loop *loop) {
  struct pl__timeouts *all = &loop->timeouts;
  if (all->spare != NULL) return 0;
  struct slab *slab = pl__resize(&loop->allocator, NULL, sizeof *slab);
  if (slab == NULL) return PL_ENOMEM;
  slab->next = all->slabs;
  all->slabs = slab;
  for (size_t i = 0; i < PL__SLAB_LISTS; i++) {
    slab->lists[i].chain = all->spare;
    all->spare = &slab->lists[i];
  }
  return 0;
}

static int reserve(struct pl_loop *loop) {
  struct pl__timeouts *all = &loop->timeouts;
  int error = 0;
  if (all->lists >= all->map_size) error = grow_map(loop);
  if (error == 0) error = reserve_heap(loop);
  if (error == 0) error = reserve_list(loop);
  return error;
}

/* ---------------------------------------------------------------------- */
/* Lists                                                                  */

static void schedule(struct pl_loop *loop, uint64_t after_ms) {
  pl_timer_start(&loop->timeouts.timer, after_ms, 0);
}

static void map_list(struct pl_loop *loop, struct pl_timeout_list *list,
                     uint64_t start) {
  struct pl__timeouts *all = &loop->timeouts;
  list->expiry = start + list->msecs;
  list->id = all->next_id++;
  list->mapped = true;
  map_put(all, list);
  list->place = all->lists++;
  sift_up(all, list);
  if (all->next_expiry <= list->expiry) return;
  all->next_expiry = list->expiry;
  schedule(loop, list->msecs);
}

static void unmap_list(struct pl_loop *loop, struct pl_timeout_list *list) {
  struct pl__timeouts *all = &loop->timeouts;
  map_remove(all, list);
  heap_remove(all, list);
  list->mapped = false;
  if (all->lists != 0) return;
  all->next_expiry = UINT64_MAX;
  pl__timer_stop(&all->timer);
}

static void recycle(struct pl__timeouts *all, struct pl_timeout_list *list) {
  list->chain = all->spare;
  all->spare = list;
}

/* Makes the list for a duration, or finds it. */
static int list_for(struct pl_loop *loop, uint32_t msecs, uint64_t start,
                    struct pl_timeout_list **out) {
  struct pl__timeouts *all = &loop->timeouts;
  struct pl_timeout_list *list = find(all, msecs);
  if (list == NULL && all->passed != NULL && all->passed->msecs == msecs) {
    /* Emptied and unmapped by a callback of its own pass. */
    list = all->passed;
    map_list(loop, list, start);
  } else if (list == NULL) {
    int error = reserve(loop);
    if (error != 0) return error;
    list = all->spare;
    all->spare = list->chain;
    list->msecs = msecs;
    pl__link_init(&list->timeouts);
    map_list(loop, list, start);
  }
  *out = list;
  return 0;
}

/* ---------------------------------------------------------------------- */
/* One timeout                                                            */

static void add_ref(struct pl_loop *loop) {
  if (loop->timeouts.refs++ == 0) pl_object_ref(&loop->timeouts.timer);
}

static void drop_ref(struct pl_loop *loop) {
  if (--loop->timeouts.refs == 0) pl_object_unref(&loop->timeouts.timer);
}

void pl__timeout_ref(struct pl_timeout *timeout, bool ref) {
  if (!(timeout->head.flags & PL__ACTIVE)) return;
  if (ref)
    add_ref(timeout->head.loop);
  else
    drop_ref(timeout->head.loop);
}

static void activate(struct pl_timeout *timeout) {
  if (timeout->head.flags & PL__ACTIVE) return;
  timeout->head.flags |= PL__ACTIVE;
  if (timeout->head.flags & PL__REF) add_ref(timeout->head.loop);
}

static void deactivate(struct pl_timeout *timeout) {
  timeout->head.flags &= (uint8_t)~PL__ACTIVE;
  if (timeout->head.flags & PL__REF) drop_ref(timeout->head.loop);
}

/* Appends the timeout to the list of its duration. */
static int insert(struct pl_timeout *timeout, uint64_t start) {
  struct pl_timeout_list *list;
  int error = list_for(timeout->head.loop, timeout->head.word, start, &list);
  if (error != 0) return error;
  pl__list_cut(&timeout->head.link);
  pl__list_append(&list->timeouts, &timeout->head.link);
  timeout->list = list;
  timeout->start = start;
  return 0;
}

static uint64_t fresh_time(struct pl_loop *loop) {
  pl_loop_update_time(loop);
  return loop->time;
}

void pl_timeout_init(struct pl_loop *loop, struct pl_timeout *timeout,
                     pl_event_fn *fn, void *arg) {
  pl__object_init(loop, &timeout->head, PL_OBJECT_TIMEOUT, fn, arg);
  timeout->start = 0;
  timeout->list = NULL;
}

static uint32_t coerce(double delay_ms) {
  return delay_ms >= 1 && delay_ms <= INT32_MAX ? (uint32_t)delay_ms : 1;
}

int pl_timeout_start(struct pl_timeout *timeout, double delay_ms,
                     int repeating) {
  struct pl_object *head = &timeout->head;
  if (head->flags & PL__ACTIVE) pl_timeout_clear(timeout);
  head->flags &= (uint8_t) ~(PL__CLEARED | PL__REPEATING);
  if (repeating) head->flags |= PL__REPEATING;
  head->word = coerce(delay_ms);
  int error = insert(timeout, fresh_time(head->loop));
  if (error == 0) activate(timeout);
  return error;
}

int pl_timeout_refresh(struct pl_timeout *timeout) {
  struct pl_object *head = &timeout->head;
  if (head->flags & PL__CLEARED || head->word == 0) return 0;
  int error = insert(timeout, fresh_time(head->loop));
  if (error == 0) activate(timeout);
  return error;
}

void pl_timeout_clear(struct pl_timeout *timeout) {
  struct pl_object *head = &timeout->head;
  struct pl_loop *loop = head->loop;
  head->flags |= PL__CLEARED;
  if (!(head->flags & PL__ACTIVE)) return;
  deactivate(timeout);
  if (loop->timeouts.running == timeout) loop->timeouts.running = NULL;
  if (pl__list_empty(&head->link)) return; /* its callback runs */
  pl__list_remove(&head->link);
  struct pl_timeout_list *list = timeout->list;
  if (!pl__list_empty(&list->timeouts)) return;
  if (list->mapped) unmap_list(loop, list);
  if (list != loop->timeouts.passed) recycle(&loop->timeouts, list);
}

/* ---------------------------------------------------------------------- */
/* The pass                                                               */

static uint64_t deadline_of(const struct pl_timeout *timeout) {
  return timeout->start + timeout->head.word;
}

static void call_interval(struct pl_loop *loop, struct pl_timeout *timeout) {
  uint64_t start = fresh_time(loop);
  loop->timeouts.running = timeout;
  pl__call_bare(loop, &timeout->head, deadline_of(timeout), 0);
  if (loop->timeouts.running != timeout) return; /* cleared, may be gone */
  loop->timeouts.running = NULL;
  int error = insert(timeout, start);
  assert(error == 0); /* its list is mapped, or it is the one passed */
  (void)error;
}

static void call(struct pl_loop *loop, struct pl_timeout *timeout) {
  pl__list_remove(&timeout->head.link);
  if (timeout->head.flags & PL__REPEATING) {
    call_interval(loop, timeout);
    return;
  }
  deactivate(timeout);
  pl__call_bare(loop, &timeout->head, deadline_of(timeout), 0);
}

/* The first of a list is not due yet: the list waits for it, behind lists of
 * the same expiry. */
static void postpone(struct pl__timeouts *all, struct pl_timeout_list *list,
                     uint64_t deadline, uint64_t now) {
  list->expiry = deadline > now ? deadline : now + 1;
  list->id = all->next_id++;
  sift_down(all, list);
}

/* Runs a list up to the first timeout that is not due at `now`. */
static void run_list(struct pl_loop *loop, struct pl_timeout_list *list,
                     uint64_t now) {
  struct pl__timeouts *all = &loop->timeouts;
  all->passed = list;
  bool ran = false;
  while (!pl__list_empty(&list->timeouts)) {
    struct pl_timeout *timeout =
        PL__OWNER(list->timeouts.next, struct pl_timeout, head.link);
    uint64_t deadline = timeout->start + list->msecs;
    if (deadline > now) {
      postpone(all, list, deadline, now);
      all->passed = NULL;
      return;
    }
    if (ran) {
      ran = false;
      pl__drain_if_needed(loop); /* which may clear the first: look again */
      continue;
    }
    ran = true;
    call(loop, timeout);
  }
  all->passed = NULL;
  if (list->mapped) unmap_list(loop, list);
  recycle(all, list);
}

static void run_lists(struct pl_loop *loop, uint64_t now) {
  struct pl__timeouts *all = &loop->timeouts;
  all->next_expiry = UINT64_MAX;
  bool ran = false;
  while (all->lists != 0) {
    struct pl_timeout_list *list = all->heap[0];
    if (list->expiry > now) {
      all->next_expiry = list->expiry;
      return;
    }
    if (ran) {
      ran = false;
      pl__drain_if_needed(loop);
      continue;
    }
    ran = true;
    run_list(loop, list, now);
  }
}

/* The timer handle's callback. The caller drains behind the last timeout. */
static void on_timer(void *arg, int status) {
  (void)status;
  struct pl_loop *loop = arg;
  struct pl__timeouts *all = &loop->timeouts;
  run_lists(loop, fresh_time(loop));
  if (all->lists == 0) return;
  /* The callbacks took their time, and poll, which comes next, counts from the
   * cached one: without a fresh reading an interval would drift by it. */
  uint64_t now = fresh_time(loop);
  schedule(loop, all->next_expiry > now ? all->next_expiry - now : 1);
}

static uint64_t digest_list(const struct pl_timeout_list *list) {
  uint64_t digest = pl__mix(list->expiry, list->msecs);
  for (const struct pl_link *link = list->timeouts.next;
       link != &list->timeouts; link = link->next)
    digest = pl__mix(
        digest, PL__OWNER(link, const struct pl_timeout, head.link)->start);
  return digest;
}

uint64_t pl__timeouts_digest(const struct pl_loop *loop) {
  const struct pl__timeouts *all = &loop->timeouts;
  uint64_t sum = pl__mix(all->next_expiry, all->lists);
  for (size_t i = 0; i < all->lists; i++) {
    const struct pl_timeout_list *list = all->heap[i];
    uint64_t before = 0;
    for (size_t k = 0; k < all->lists; k++)
      before += is_before(all->heap[k], list);
    sum += pl__mix(digest_list(list), before);
  }
  return sum;
}

void pl__timeouts_init(struct pl_loop *loop) {
  struct pl__timeouts *all = &loop->timeouts;
  all->next_expiry = UINT64_MAX;
  pl_timer_init(loop, &all->timer, on_timer, loop);
  all->timer.head.flags = PL__INTERNAL;
  loop->handles--;
}

void pl__timeouts_free(struct pl_loop *loop) {
  struct pl__timeouts *all = &loop->timeouts;
  for (struct slab *slab = all->slabs, *next; slab != NULL; slab = next) {
    next = slab->next;
    pl__resize(&loop->allocator, slab, 0);
  }
  pl__resize(&loop->allocator, all->map, 0);
  pl__resize(&loop->allocator, all->heap, 0);
}
