/* SPDX-License-Identifier: MIT */
/*
 * fuzz_specifier.c: any bytes as a specifier, from several places.
 *
 * Invariant: the tree does not depend on the bytes.
 */
#include "fuzz.h"

static const char package[] =
    "{\"name\":\"q\",\"type\":\"module\",\"main\":\"lib/a\","
    "\"exports\":{\".\":\"./index.js\",\"./*\":\"./lib/*.js\","
    "\"./x/*\":{\"require\":\"./lib/*\",\"default\":[\"./*\"]}},"
    "\"imports\":{\"#*\":\"./lib/*\",\"#p/*\":\"p/*\",\"#fs\":\"fs\"}}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const places[] = {"/", "/node_modules/q/lib",
                                       "/node_modules/@s/p", "/nope/./x//"};
  const char *specifier = (const char *)data;
  struct pl_fs_memory *tree = fuzz_tree();
  fuzz_write(tree, "/node_modules/q/package.json", package, sizeof package - 1);
  pl_fs_memory_link(tree, "/linked", "node_modules/q/lib");
  pl_fs_memory_link(tree, "/circle", "circle");
  for (size_t i = 0; i < sizeof places / sizeof *places; i++)
    fuzz_ask(tree, places[i], specifier == NULL ? "" : specifier, size, NULL);
  fuzz_tree_free(tree);
  return 0;
}
