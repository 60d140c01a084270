/* SPDX-License-Identifier: MIT */
/* chain.h: the interceptors of a folder, loaded and asked in order. */
#ifndef CLUSTER_SERVER_CHAIN_H
#define CLUSTER_SERVER_CHAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "interceptor.h"

enum { CHAIN_MOST = 64 }; /* interceptors of a folder */

struct chain {
  size_t count;
  struct chain_link {
    char *file;
    void *library;
    const struct interceptor *interceptor;
    void *self;
  } links[CHAIN_MOST];
};

/*
 * Loads every .so of a folder, sorted by name. Each that cannot be used is told
 * on stderr, with its file and the reason. Returns how many were refused, or a
 * negative errno value: the folder cannot be read. Without folder (NULL): 0.
 * What could be loaded is in `chain`, free with chain_close(). Blocks.
 */
int chain_open(struct chain *chain, const char *folder);
void chain_close(struct chain *chain);

/*
 * The same in a child process per library, which is all that one which crashes
 * or ends its process takes with it: for a primary, before it starts workers.
 */
int chain_check(const char *folder);

/*
 * Asks one after the other. Returns the one that answered, or NULL: none did.
 * *error: 0, or the negative value that it returned instead.
 */
const struct chain_link *chain_ask(struct chain *chain,
                                   const struct interceptor_request *request,
                                   struct interceptor_answer *answer,
                                   int *error);

#endif
