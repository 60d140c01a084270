/* SPDX-License-Identifier: MIT */
/*
 * pool_queue.h: the jobs that wait for a thread, in order of submission.
 *
 *   ring    | free | job | gone | job | free | ...    one side appends at
 *                  ^ head             ^ tail          tail, many take at head
 *   spill   jobs that came while the ring was full; taken when it is empty
 *
 * Invariants:
 *  - A slot is NULL until a request is put there, and NULL again when the
 *    thread that took its index has been there. Whoever takes the request out
 *    of its slot, by an exchange, runs or cancels it; `gone` is left behind by
 *    one that was withdrawn. A request is not touched after that.
 *  - While `spilled` is set, only who holds the pool's lock appends; otherwise
 *    only the loop's thread does, which is also who sets it.
 *  - What the two sides write lies in cache lines of their own.
 */
#ifndef PLUMB_LOOP_POOL_QUEUE_H
#define PLUMB_LOOP_POOL_QUEUE_H

#include "internal.h"

enum { PL__RING = 1024, PL__FETCH_AHEAD = 4, PL__SMALL_PIECE = 16 };

struct pl__queue {
  char pad[PL__CACHE_LINE];
  atomic_size_t tail;
  atomic_bool spilled;
  char pad_tail[PL__CACHE_LINE];
  atomic_size_t head;
  char pad_head[PL__CACHE_LINE];
  struct pl_link spill; /* of pl_work, by head.link; under the pool's lock */
  struct pl_work gone;  /* in place of a request that was withdrawn */
  _Atomic(struct pl_work *) ring[PL__RING];
};

/* How far one thread has looked: the loop's line is left alone until then. */
struct pl__reader {
  size_t begin, end; /* indices of the last piece */
  bool patient;      /* may let a small piece grow */
};

static inline bool pl__queue_waits(const struct pl__queue *queue) {
  return atomic_load(&queue->tail) != atomic_load(&queue->head) ||
         atomic_load(&queue->spilled);
}

/* How many wait in the ring, about. */
static inline size_t pl__queue_length(const struct pl__queue *queue) {
  size_t head = atomic_load(&queue->head);
  size_t tail = atomic_load(&queue->tail);
  return tail > head ? tail - head : 0;
}

/* False when the ring is full. */
static inline bool pl__queue_append(struct pl__queue *queue,
                                    struct pl_work *work) {
  size_t tail = atomic_load_explicit(&queue->tail, memory_order_relaxed);
  _Atomic(struct pl_work *) *slot = &queue->ring[tail % PL__RING];
  if (atomic_load_explicit(slot, memory_order_acquire) != NULL) return false;
  work->head.word = PL__WORK_TAKEN;
  work->slot = slot;
  atomic_store_explicit(slot, work, memory_order_release);
  atomic_store(&queue->tail, tail + 1);
  return true;
}

/* The next index is within the piece that is known, or there is a new one. To
 * look at once after a small piece would make the next as small: each piece
 * costs both sides the same cache lines. */
static inline bool pl__queue_look(struct pl__queue *queue,
                                  struct pl__reader *reader, size_t head) {
  if (head < reader->end) return true;
  if (reader->patient && reader->end - reader->begin < PL__SMALL_PIECE)
    pl__spin_pause();
  reader->begin = head;
  reader->end = atomic_load(&queue->tail);
  return head < reader->end;
}

static inline void pl__queue_fetch(struct pl__queue *queue, size_t index) {
  const char *work = (const char *)atomic_load_explicit(
      &queue->ring[index % PL__RING], memory_order_relaxed);
  __builtin_prefetch(work, 1);
  __builtin_prefetch(work + PL__CACHE_LINE, 1);
}

/* Takes the first one out of the ring; NULL: it is empty. Any thread. */
static inline struct pl_work *pl__queue_take(struct pl__queue *queue,
                                             struct pl__reader *reader) {
  size_t head = atomic_load_explicit(&queue->head, memory_order_relaxed);
  for (;;) {
    if (!pl__queue_look(queue, reader, head)) return NULL;
    if (!atomic_compare_exchange_weak(&queue->head, &head, head + 1)) continue;
    pl__queue_fetch(queue, head + PL__FETCH_AHEAD);
    struct pl_work *work =
        atomic_exchange(&queue->ring[head % PL__RING], NULL);
    if (work != &queue->gone) return work;
    head++;
  }
}

#endif
