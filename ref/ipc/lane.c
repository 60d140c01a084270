/* SPDX-License-Identifier: MIT */
/*
 * lane.c: messages one behind the other: their bytes in one buffer, and a piece
 * for each.
 *
 *   bytes     |  gone  | piece 0 | piece 1 | ... |
 *                      ^ start                   ^ bytes.length
 *
 * Invariant: the lengths of the pieces are the bytes that are left.
 */
#include "internal.h"

#include <string.h>

void pl__lane_init(struct pl__lane *lane,
                   const struct pl_allocator *allocator) {
  *lane = (struct pl__lane){.bytes = {.allocator = allocator}};
}

void pl__lane_free(struct pl__lane *lane) {
  const struct pl_allocator *allocator = lane->bytes.allocator;
  pl__bytes_free(&lane->bytes);
  pl__resize(allocator, lane->pieces, 0);
  pl__lane_init(lane, allocator);
}

struct pl__bytes *pl__lane_bytes(struct pl__lane *lane) {
  if (lane->start > lane->bytes.capacity / 2) {
    size_t left = pl__lane_length(lane);
    memmove(lane->bytes.data, lane->bytes.data + lane->start, left);
    lane->bytes.length = left;
    lane->start = 0;
  }
  return &lane->bytes;
}

int pl__lane_reserve(struct pl__lane *lane) {
  if (lane->first + lane->count < lane->room) return 0;
  if (lane->first > lane->room / 2) {
    memmove(lane->pieces, lane->pieces + lane->first,
            lane->count * sizeof *lane->pieces);
    lane->first = 0;
    return 0;
  }
  size_t room = lane->room == 0 ? 16 : lane->room * 2;
  struct pl__piece *pieces =
      pl__resize(lane->bytes.allocator, lane->pieces, room * sizeof *pieces);
  if (pieces == NULL) return PL_ENOMEM;
  lane->pieces = pieces;
  lane->room = room;
  return 0;
}

void pl__lane_add(struct pl__lane *lane, const struct pl__piece *piece) {
  lane->pieces[lane->first + lane->count++] = *piece;
}

void pl__lane_skip(struct pl__lane *lane, size_t length) {
  pl__lane_first(lane)->length -= length;
  lane->start += length;
}

void pl__lane_pop(struct pl__lane *lane) {
  lane->start += pl__lane_first(lane)->length;
  lane->first++;
  if (--lane->count > 0) return;
  lane->first = 0;
  lane->start = lane->bytes.length = 0;
}

int pl__lane_move(struct pl__lane *from, struct pl__lane *to) {
  struct pl__piece *piece = pl__lane_first(from);
  struct pl__bytes *bytes = pl__lane_bytes(to);
  if (pl__lane_reserve(to) != 0) return PL_ENOMEM;
  pl__bytes_add(bytes, pl__lane_data(from), piece->length);
  if (bytes->failed) {
    bytes->failed = false;
    return PL_ENOMEM;
  }
  pl__lane_add(to, piece);
  pl__lane_pop(from);
  return 0;
}
