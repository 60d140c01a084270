/* SPDX-License-Identifier: MIT */
/*
 * sanitizer.h: whether a sanitizer is in the process. It allocates and makes
 * system calls of its own, so nothing is counted then.
 */
#ifndef PLUMBLINE_BENCH_SANITIZER_H
#define PLUMBLINE_BENCH_SANITIZER_H

#define BENCH_SANITIZED 0
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#undef BENCH_SANITIZED
#define BENCH_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||     \
    __has_feature(memory_sanitizer)
#undef BENCH_SANITIZED
#define BENCH_SANITIZED 1
#endif
#endif

#endif
