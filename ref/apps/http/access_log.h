/* SPDX-License-Identifier: MIT */
/*
 * access_log.h: a line per request, appended to a file.
 *
 * Invariant: a line is in the file whole; the lines of one turn of the loop
 * are written together, with one write(2), before the loop sleeps.
 */
#ifndef APPS_ACCESS_LOG_H
#define APPS_ACCESS_LOG_H

#include <plumb/loop.h>

#include "bytes.h"

struct access_log {
  const char *path;
  int fd;
  int failed; /* told already: the disk is full, say */
  struct bytes lines;
  struct pl_watcher before_sleep;
};

/* Opens (and makes) the file, to append. Errors: open's. */
int access_log_open(struct access_log *log, struct pl_loop *loop,
                    const char *path);
/* Time, method and URL; what is no printable ASCII stands as %XX. */
void access_log_add(struct access_log *log, const char *method,
                    const char *url);
/* Writes what is left and closes. */
void access_log_close(struct access_log *log);

#endif
