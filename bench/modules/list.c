/* SPDX-License-Identifier: MIT */
/*
 * list.c: the benchmarks of modules, in the order in which they run.
 */
#include "modules.h"

const struct bench *const modules_benchmarks[] = {&bench_resolve_cold,
                                                  &bench_resolve_warm,
                                                  &bench_resolve_exports,
                                                  &bench_resolve_deep,
                                                  &bench_resolve_miss,
                                                  &bench_require_loaded,
                                                  NULL};
