/* SPDX-License-Identifier: MIT */
/*
 * snapshot_file.c: snapshots to descriptors and files.
 *
 * Invariant: what stands under the final name is complete: it was written under
 * another one and renamed after it had been closed without an error.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "internal.h"
#include "plumb/snapshot.h"

static int write_fully(void *self, const void *bytes, size_t length) {
  const int *fd = self;
  const char *at = bytes;
  while (length > 0) {
    ssize_t written = write(*fd, at, length);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return -errno;
    if (written == 0) return PL_EIO;
    at += written;
    length -= (size_t)written;
  }
  return 0;
}

int pl_snapshot_write_fd(struct pl_heap *heap, int fd,
                         struct pl_snapshot_facts *facts) {
  return pl_snapshot_write(heap, write_fully, &fd, facts);
}

/* Linux closes the descriptor whatever close() says. */
static int close_file(int fd) {
  return close(fd) != 0 && errno != EINTR ? -errno : 0;
}

int pl_snapshot_save(struct pl_heap *heap, const char *path,
                     struct pl_snapshot_facts *facts) {
  char name[PATH_MAX];
  int length = snprintf(name, sizeof name, "%s.XXXXXX", path);
  if (length < 0 || (size_t)length >= sizeof name) return PL_ENAMETOOLONG;
  int fd = mkostemp(name, O_CLOEXEC);
  if (fd < 0) return -errno;
  struct pl_snapshot_facts written;
  int error = pl_snapshot_write_fd(heap, fd, &written);
  int closed = close_file(fd);
  if (error == 0) error = closed;
  if (error == 0 && rename(name, path) != 0) error = -errno;
  if (error != 0)
    unlink(name);
  else if (facts != NULL)
    *facts = written;
  return error;
}
