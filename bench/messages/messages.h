/* SPDX-License-Identifier: MIT */
/*
 * messages.h: the benchmarks of channels that a provider's table reaches.
 */
#ifndef BENCH_MESSAGES_H
#define BENCH_MESSAGES_H

#include "shim/benchmark.h"

/* NULL-terminated. */
extern const struct bench *const messages_benchmarks[];

extern const struct bench bench_messages, bench_message_ping_pong;

#endif
