/* SPDX-License-Identifier: MIT */
/*
 * probe.c: whether a compiler has libFuzzer.
 *
 * Invariant: nothing else is needed to link it.
 */
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  return data == NULL && size == 1;
}
