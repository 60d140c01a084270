/* SPDX-License-Identifier: MIT */
/*
 * modules.h: a tree of packages on disk, for the benchmarks of resolution.
 *
 *   ROOT/main.js                              who asks
 *   ROOT/node_modules/p<i>/package.json       {"main": "lib/index.js"}
 *   ROOT/node_modules/p<i>/lib/index.js
 *   ROOT/node_modules/e<i>/package.json       {"exports": {"./x": ...}, ...}
 *   ROOT/a/b/c/d/deep.js                      who asks from far below
 */
#ifndef BENCH_MODULES_H
#define BENCH_MODULES_H

#include "shim/benchmark.h"

#include <limits.h>

struct tree {
  char root[PATH_MAX]; /* real */
  size_t packages;     /* of either kind */
};

/* Writes a tree into a new folder. NULL, or what went wrong; then nothing is
 * left. End it with tree_remove(). */
const char *tree_write(struct tree *tree, size_t packages);
void tree_remove(struct tree *tree);
/* The tree with so many packages, which nobody changes: written when it is
 * first asked for, removed when the process exits. NULL, or what went wrong. */
const char *tree_of(const struct tree **tree, size_t packages);

/* The benchmarks of modules, NULL-terminated. */
extern const struct bench *const modules_benchmarks[];

extern const struct bench bench_resolve_cold, bench_resolve_warm,
    bench_resolve_exports, bench_resolve_deep, bench_resolve_miss,
    bench_require_loaded;

#endif
