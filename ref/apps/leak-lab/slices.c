/* SPDX-License-Identifier: MIT */
/*
 * slices.c: of each packet of 16 KiB the first byte is kept, in a ring of
 * 4,096. The author thinks of 4 KiB; but a slice shares the packet's store, so
 * the ring keeps whole packets, 64 MiB when it is full.
 *
 * Cure: the byte is copied to where it is to stay.
 */
#include <stdlib.h>
#include <string.h>

#include "lab.h"

enum { RING = 4096, PACKET = 16384 };

struct slices {
  struct pl_root ring; /* an array of buffers */
  unsigned char bytes[RING];
  size_t kept;
};

static int begin(struct lab *lab, void **state) {
  struct slices *slices = calloc(1, sizeof *slices);
  if (slices == NULL) return PL_ENOMEM;
  *state = slices;
  pl_root_add(lab->heap, &slices->ring, NULL);
  return lab_object(lab, lab->array, RING, &slices->ring.object);
}

static int turn(struct lab *lab, void *state, uint64_t n) {
  struct slices *slices = state;
  struct pl_buffer_view view;
  void **packet, *made;
  int err = pl_buffer_new(&lab->buffers, PACKET, PL_BUFFER_OF_ITS_OWN, &made);
  if (err == 0) err = lab_handle(lab, made, &packet);
  if (err != 0) return err;
  pl_buffer_look(*packet, &view);
  memset(view.bytes, (int)(n & 255), view.length);
  err = pl_buffer_over(&lab->buffers, packet, 0, 1, &made);
  if (err != 0) return err;
  if (lab->cured) {
    pl_buffer_look(made, &view);
    slices->bytes[n % RING] = view.bytes[0];
  } else {
    lab_write(lab, slices->ring.object, n % RING, made);
  }
  if (slices->kept < RING) slices->kept++;
  return 0;
}

static size_t kept(const void *state) {
  return ((const struct slices *)state)->kept;
}

static void end(void *state) {
  if (state == NULL) return;
  pl_root_remove(&((struct slices *)state)->ring);
  free(state);
}

const struct leak leak_slices = {"slices", "Buffer", begin, turn,
                                 kept,     NULL,     end};
