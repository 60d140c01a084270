/* SPDX-License-Identifier: MIT */
/*
 * error.c: names and texts of errors.
 *
 * Invariant: made from PL_ERRORS alone, so a new line there is all it takes.
 */
#include "plumb/error.h"

const char *pl_error_name(int error) {
  switch (error) {
#define X(name, text)                                                          \
  case PL_##name:                                                              \
    return #name;
    PL_ERRORS(X)
#undef X
  default:
    return "UNKNOWN";
  }
}

const char *pl_error_text(int error) {
  switch (error) {
#define X(name, text)                                                          \
  case PL_##name:                                                              \
    return text;
    PL_ERRORS(X)
#undef X
  default:
    return "unknown error";
  }
}
