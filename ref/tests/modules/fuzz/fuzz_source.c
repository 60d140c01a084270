/* SPDX-License-Identifier: MIT */
/*
 * fuzz_source.c: any bytes as a JavaScript source.
 *
 * Invariant: what is found stands in the source, in its order, on the line
 * that is told.
 */
#include <string.h>

#include "fuzz.h"

struct scanning {
  const char *text;
  size_t length, line;
};

static void on_found(void *arg, const struct pl_scanned *found) {
  struct scanning *scanning = arg;
  fuzz_check(found->text == scanning->text + found->at &&
                 found->at + found->length <= scanning->length,
             "what is found stands in the source");
  fuzz_check(found->line >= scanning->line, "lines only grow");
  if (found->kind != PL_SCAN_EXPORT && found->kind != PL_SCAN_REPLACE)
    fuzz_check(memchr(found->text, '\n', found->length) == NULL,
               "a specifier is on one line");
  scanning->line = found->line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct scanning scanning = {size == 0 ? "" : (const char *)data, size, 1};
  pl_source_scan(scanning.text, size, on_found, &scanning);
  return 0;
}
