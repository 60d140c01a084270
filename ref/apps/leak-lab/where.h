/* SPDX-License-Identifier: MIT */
/*
 * where.h: a cache of pages by number, in this process or in a Redis server.
 *
 * Invariant: both answer the same bytes for the same number, and what they
 * give is an object of the heap.
 */
#ifndef LEAK_LAB_WHERE_H
#define LEAK_LAB_WHERE_H

#include "lab.h"

/* A connection to Redis: of hiredis, where the build has it. */
struct redis;

/* Connects; `socket`: a path, or NULL for 127.0.0.1:`port`. Gives *out, free
 * with redis_end(). Errors, told on stderr, too: PL_ENOTSUP (built without
 * hiredis), PL_ECONNREFUSED, PL_ENOMEM. */
int redis_begin(const char *socket, int port, struct redis **out);
void redis_end(struct redis *redis);

/* Pages 0 to count - 1 of `bytes` bytes each. Errors: PL_EPROTO. */
int redis_fill(struct redis *redis, uint64_t count, size_t bytes);
/* A copy of a page in the heap. May collect. Errors: PL_EPROTO (no such page,
 * the server is gone), PL_ENOMEM. */
int redis_get(struct redis *redis, struct lab *lab, uint64_t n, void **out);
/* Bytes that the server says it uses. Errors: PL_EPROTO. */
int redis_used(struct redis *redis, uint64_t *out);

#endif
