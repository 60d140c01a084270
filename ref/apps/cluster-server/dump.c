/* SPDX-License-Identifier: MIT */
/*
 * dump.c: snapshots: taken as a text in memory, so that an object has the same
 * id in all of them; written by a thread, so that no request waits for a disk.
 *
 * (A child that fork() makes would not pause the process for the taking, but
 * take the ids that it gave with it; two snapshots could not be compared.)
 *
 * Invariants:
 *  - A file of that name is a whole snapshot: it is written as NAME.part and
 *    renamed.
 *  - The thread touches text, name and error alone, and nobody else does while
 *    `writing`.
 *  - What fails is told on stderr with the file and the reason, and the next
 *    time it is tried again.
 */
#include "dump.h"

#include <errno.h>
#include <fcntl.h>
#include <plumb/snapshot.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* -- the thread ------------------------------------------------------------ */

static int write_all(int fd, const struct bytes *text) {
  for (size_t done = 0; done < text->length;) {
    ssize_t size = write(fd, text->at + done, text->length - done);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return -errno;
    done += (size_t)size;
  }
  return 0;
}

static void write_file(void *arg) {
  struct dump *dump = arg;
  char part[DUMP_NAME_MOST + 8];
  snprintf(part, sizeof part, "%s.part", dump->name);
  int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) {
    dump->error = -errno;
    return;
  }
  int err = write_all(fd, &dump->text);
  if (close(fd) && !err) err = -errno;
  if (!err && rename(part, dump->name)) err = -errno;
  if (err) unlink(part);
  dump->error = err;
}

/* -- the loop -------------------------------------------------------------- */

/* heap-PID-TIME.heapsnapshot, UTC, with milliseconds. */
static int name_file(struct dump *dump) {
  struct timespec now;
  struct tm parts;
  char stamp[32];
  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &parts);
  strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%S", &parts);
  int length = snprintf(dump->name, sizeof dump->name,
                        "%s/heap-%d-%s.%03ldZ.heapsnapshot", dump->folder,
                        (int)getpid(), stamp, now.tv_nsec / 1000000);
  return length < 0 || (size_t)length >= sizeof dump->name ? PL_ENAMETOOLONG
                                                           : 0;
}

/* The oldest makes room for the one that was written. */
static void keep_newest(struct dump *dump) {
  char *place = dump->kept[dump->written % dump->keep];
  if (dump->written >= dump->keep) unlink(place);
  memcpy(place, dump->name, sizeof dump->name);
  dump->written++;
}

static void done(struct dump *dump, int err) {
  bytes_drop(&dump->text);
  dump->writing = false;
  if (err)
    fprintf(stderr, "plumb-cluster-server: snapshot %s: %s\n", dump->name,
            strerror(-err));
  else
    keep_newest(dump);
}

static void on_written(void *arg, int status) {
  struct dump *dump = arg;
  done(dump, status ? status : dump->error);
}

static int add(void *self, const void *bytes, size_t length) {
  return bytes_add(self, bytes, length) ? 0 : PL_ENOMEM;
}

void dump_now(struct dump *dump) {
  if (dump->writing) return;
  dump->writing = true;
  int err = name_file(dump);
  if (!err) err = pl_snapshot_write(dump->heap, add, &dump->text, NULL);
  if (!err) {
    pl_work_init(dump->loop, &dump->writer, on_written, dump);
    err = pl_work_submit(&dump->writer, write_file);
  }
  if (err) done(dump, err);
}

static void on_time(void *arg, int status) {
  (void)status;
  dump_now(arg);
}

void dump_open(struct dump *dump, struct pl_loop *loop, struct pl_heap *heap,
               const char *folder, uint64_t every_ms, unsigned keep) {
  *dump = (struct dump){.loop = loop,
                        .heap = heap,
                        .folder = folder,
                        .keep = keep < DUMP_KEPT_MOST ? keep : DUMP_KEPT_MOST};
  if (dump->keep == 0) dump->keep = 1;
  pl_timer_init(loop, &dump->timer, on_time, dump);
  if (every_ms) pl_timer_start(&dump->timer, every_ms, every_ms);
  pl_object_unref(&dump->timer);
}

void dump_close(struct dump *dump) {
  pl_handle_close(&dump->timer, NULL);
}
