/* SPDX-License-Identifier: MIT */
/*
 * fuzz.h: a tree that a fuzzer's bytes are put into, and what must hold of
 * every answer about it.
 *
 * Invariant: whatever the bytes are, an answer is whole: it names a file that
 * is there by a normal path, or it has a code and a message; asked again it is
 * the same; and all memory is given back.
 */
#ifndef PLUMB_TESTS_MODULES_FUZZ_H
#define PLUMB_TESTS_MODULES_FUZZ_H

#include "plumb/modules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const struct pl_module_memory fuzz_memory; /* the C library's */

/* Ends the process, loudly, when `holds` is false. */
void fuzz_check(bool holds, const char *what);

/*
 * The tree: /a.js /main.js /out/a.js, and in /node_modules/p, /node_modules/q
 * and /node_modules/@s/p: a.js, index.js, lib/a.js, lib/x/b.js, "a b.js".
 * Free with fuzz_tree_free().
 */
struct pl_fs_memory *fuzz_tree(void);
void fuzz_write(struct pl_fs_memory *tree, const char *path, const void *bytes,
                size_t length);
void fuzz_tree_free(struct pl_fs_memory *tree);

/*
 * Asks for a specifier, as require and as import, as Node 20 and as 22, from a
 * directory. What is found must begin with `below` (NULL: anything).
 */
void fuzz_ask(struct pl_fs_memory *tree, const char *from,
              const char *specifier, size_t length, const char *below);

#endif
