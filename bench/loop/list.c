/* SPDX-License-Identifier: MIT */
/*
 * list.c: the benchmarks of the loop, in the order in which they run.
 */
#include "fixture.h"

const struct bench *const loop_benchmarks[] = {&bench_timer_arm,
                                               &bench_timer_arm_equal,
                                               &bench_timer_fire,
                                               &bench_timer_fire_equal,
                                               &bench_timer_fire_rearmed,
                                               &bench_timer_cancel,
                                               &bench_timer_cancel_equal,
                                               &bench_timer_rearm,
                                               &bench_timer_rearm_equal,
                                               &bench_iteration,
                                               &bench_iteration_asleep,
                                               &bench_async_wake,
                                               &bench_async_coalesced,
                                               &bench_async_among,
                                               &bench_async_sleeping,
                                               &bench_poll_ping_pong,
                                               &bench_stream_ping_pong,
                                               &bench_poll_stop_start,
                                               &bench_poll_register,
                                               &bench_poll_among,
                                               &bench_pool_jobs,
                                               &bench_pool_short_jobs,
                                               &bench_fs_stat,
                                               &bench_fs_read,
                                               &bench_fs_read_job,
                                               &bench_immediate,
                                               &bench_tick,
                                               &bench_microtask,
                                               &bench_timeout_arm,
                                               &bench_timer_lateness,
                                               NULL};
