/* SPDX-License-Identifier: MIT */
/*
 * protocol.h: the adapter protocol over a pair of file descriptors.
 */
#ifndef HOST_PROTOCOL_H
#define HOST_PROTOCOL_H

#include "library.h"

#include <stdio.h>

/* Answers commands from `in` on `out` until `stop`, the end of the input or
 * the end of a streamed run. `path` is the library's. Returns the exit
 * status. */
int protocol_serve(const struct library *library, const char *path, FILE *in,
                   int out);

#endif
