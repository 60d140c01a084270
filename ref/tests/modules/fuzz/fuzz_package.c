/* SPDX-License-Identifier: MIT */
/*
 * fuzz_package.c: any bytes as a package.json.
 *
 * Invariant: the bytes are the whole file; they decide about a package that is
 * asked for, and about one that asks.
 */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct pl_fs_memory *tree = fuzz_tree();
  fuzz_write(tree, "/node_modules/p/package.json", data, size);
  fuzz_ask(tree, "/", "p", 1, NULL);
  fuzz_ask(tree, "/", "p/lib/a.js", 10, NULL);
  fuzz_ask(tree, "/node_modules/p/lib", "..", 2, NULL);
  fuzz_ask(tree, "/node_modules/p/lib", "#a", 2, NULL);
  fuzz_ask(tree, "/node_modules/p/lib", "./a.js", 6, NULL);
  fuzz_tree_free(tree);
  return 0;
}
