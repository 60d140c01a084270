/* SPDX-License-Identifier: MIT */
/*
 * usage.c: what /proc says of the process and of the machine.
 *
 * Invariant: no memory is allocated, so it can be asked when there is none.
 */
#include "plumb/usage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { TEXT = 4096 }; /* the first lines of these files */

/* The beginning of a file, with a zero behind it. */
static int read_file(const char *path, char text[TEXT]) {
  int file;
  do file = open(path, O_RDONLY | O_CLOEXEC);
  while (file < 0 && errno == EINTR);
  if (file < 0) return -errno;
  size_t length = 0;
  int error = 0;
  while (length < TEXT - 1) {
    ssize_t count = read(file, text + length, TEXT - 1 - length);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) error = -errno;
    if (count <= 0) break;
    length += (size_t)count;
  }
  close(file);
  text[length] = '\0';
  return error;
}

int pl_memory_usage(const struct pl_heap *heap, struct pl_memory_usage *out) {
  char text[TEXT];
  char *end;
  int error = read_file("/proc/self/statm", text);
  if (error != 0) return error;
  strtoull(text, &end, 10); /* the size of the address space comes first */
  unsigned long long resident = strtoull(end, NULL, 10);
  struct pl_heap_stats stats;
  pl_heap_stats(heap, &stats);
  *out = (struct pl_memory_usage){
      .rss = (size_t)resident * (size_t)sysconf(_SC_PAGESIZE),
      .heap_total = stats.committed,
      .heap_used = stats.used,
      .external = stats.external,
      .array_buffers = stats.held};
  return 0;
}

/* The kibibytes of a line, in bytes; whether there is such a line. */
static bool find(const char *text, const char *name, size_t *out) {
  size_t length = strlen(name);
  for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
    if (*line == '\n') line++;
    if (strncmp(line, name, length) != 0) continue;
    *out = (size_t)strtoull(line + length, NULL, 10) * 1024;
    return true;
  }
  return false;
}

int pl_memory_system(struct pl_memory_system *out) {
  char text[TEXT];
  struct pl_memory_system found;
  int error = read_file("/proc/meminfo", text);
  if (error != 0) return error;
  if (!find(text, "MemTotal:", &found.total) ||
      !find(text, "MemFree:", &found.free) ||
      !find(text, "MemAvailable:", &found.available))
    return PL_EPROTO;
  *out = found;
  return 0;
}
