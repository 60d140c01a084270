/* SPDX-License-Identifier: MIT */
/*
 * trace.h: how many system calls a part of another process makes.
 */
#ifndef PLUMBLINE_BENCH_TRACE_H
#define PLUMBLINE_BENCH_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Runs a program, follows all its threads by ptrace(2), and counts the system
 * calls that they begin while the program has its mark on. The program reads
 * and prints nothing. (What waits for time or for another thread may need more
 * calls here than when nobody is looking.)
 * argv: NULL-terminated, argv[0] is a path.
 * Returns 0 and gives *calls, -EPERM or what else ptrace failed with, or -EIO
 * when the program did not exit with 0 or never set its mark.
 */
int trace_count(char *const argv[], int64_t *calls);

/* In the program: what follows is counted, or is not any more. */
void trace_mark(bool on);

#ifdef __cplusplus
}
#endif
#endif
