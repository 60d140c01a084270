/* SPDX-License-Identifier: MIT */
/*
 * ground.h: what the heap's tests stand on: memory that runs out on demand and
 * is counted, a heap that is verified, types of the usual shapes.
 *
 * Invariant: ground_end() fails the test when a byte of memory is left.
 */
#ifndef PLUMB_TEST_HEAP_GROUND_H
#define PLUMB_TEST_HEAP_GROUND_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plumb/heap.h"

#define KIB ((size_t)1024)
#define MIB ((size_t)1024 * 1024)

struct pair { /* 48 bytes with its header, as the trees of GCBench */
  struct pair *left, *right;
  uint64_t number[3];
};

struct array {
  void *slot[1];
};

struct ground {
  struct pl_heap *heap;
  struct pl_heap_config config;
  uint32_t pair, data, array, map, code;
  size_t live;     /* bytes given by the memory interface */
  size_t peak;     /* the most there were; may be set back */
  long calls;      /* of resize() and map() that ask for memory */
  long refuse_at;  /* this call and, with refuse_all, those after; -1: none */
  int refuse_all;
  uint64_t ns;     /* the clock: every reading takes 1000 ns */
  struct pl_gc_event event; /* the last one */
  size_t events;
  size_t raise_to; /* near-limit callback; 0: does not raise */
  size_t near_limits;
  struct pl_heap_fault fault; /* the first one */
  size_t faults;
};

/* A configuration with counted memory and the verifier; change it, then make
 * the heap. */
void ground_begin(struct ground *ground);
/* 0 or the error of pl_heap_create() or pl_heap_type_add(). */
int ground_heap(struct ground *ground);
void ground_end(struct ground *ground);

struct pair *new_pair(struct ground *ground, uint64_t number);
struct array *new_array(struct ground *ground, size_t slots);

/* A fixed pseudo-random sequence. */
uint64_t ground_random(uint64_t *state);

#endif
