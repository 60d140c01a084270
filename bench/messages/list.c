/* SPDX-License-Identifier: MIT */
/*
 * list.c: the benchmarks of channels, in the order in which they run.
 */
#include "messages.h"

const struct bench *const messages_benchmarks[] = {
    &bench_messages, &bench_message_ping_pong, NULL};
