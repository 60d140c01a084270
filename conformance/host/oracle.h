/* SPDX-License-Identifier: MIT */
/*
 * oracle.h: `plumb-explore --serve`: one program a line in, its traces out.
 *
 *   in   {"program":{"main":[...],"pool":1?},"dir":"/abs"?,"slack":ms?,
 *         "late":ms?,"limit":runs?,"choices":n?,"any-order":true?,
 *         "like":[event,...]?}
 *   out  {"traces":[[event,...],...],"complete":true,"runs":n,"states":n}
 *        complete false: a limit was reached, "limit" says which
 *        like: "traces" has that one, or none: whether the program may leave
 *        it is found far beyond where all traces can be
 *        {"unsupported":"why"} | {"error":"what"}
 *
 * Every line gets one line; a line that is wrong ends nothing.
 */
#ifndef HOST_ORACLE_H
#define HOST_ORACLE_H

#include "explore.h"

#include <stdio.h>

/* Answers lines from `in` on `out` until the input ends. Returns 0, or -1 when
 * nobody reads the answers. */
int oracle_serve(const struct library *library,
                 const struct explore_limits *limits, FILE *in, FILE *out);

#endif
