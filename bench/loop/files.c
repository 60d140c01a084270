/* SPDX-License-Identifier: MIT */
/*
 * files.c: requests to the file system, so many of them in flight: stat of the
 * root directory, and a file of 2 KB in the page cache read as a whole.
 *
 * Invariant: a request is submitted again from its own callback until the
 * batch is through. Every stat succeeded; every read brought the bytes of the
 * file into a buffer that was empty before.
 *
 * "read" is the provider's own request; "read-job" is what a user without one
 * would write: a job of the pool that opens, measures, reads and closes.
 */
#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REQUESTS = 1024, FILE_SIZE = 2048, ROOM = 4096, FLIGHTS = 2 };

static const int64_t flights[FLIGHTS] = {1, 64};

enum manner { STAT, READ, READ_JOB };

struct reading {
  int status; /* of a job: bytes, or -1 */
  char buffer[ROOM];
};

struct files {
  struct fixture fixture; /* one request for each in flight */
  enum manner manner;
  uint64_t left; /* requests of the batch still to submit */
  int failed;
  char path[64];
  struct reading *readings; /* one for each in flight */
};

static uint64_t requests(int64_t value) {
  (void)value;
  return REQUESTS;
}

static bool has_stat(const void *subject, int64_t value) {
  (void)value;
  return library_has(subject, CAP_FS) && library_has(subject, CAP_RUN);
}

static bool has_read(const void *subject, int64_t value) {
  const struct library *library = subject;
  (void)value;
  return library_has(library, CAP_RUN) && library->loop.file_read &&
         library->loop.size_of(PL_KIND_FILE_READ) != 0;
}

static bool has_work(const void *subject, int64_t value) {
  (void)value;
  return library_has(subject, CAP_WORK) && library_has(subject, CAP_RUN);
}

/* Reads a whole file. Returns the number of its bytes, or -1. */
static int read_file(const char *path, char *buffer, size_t room) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  struct stat about;
  ssize_t got = -1;
  if (fstat(fd, &about) == 0 && about.st_size <= (off_t)room)
    got = read(fd, buffer, (size_t)about.st_size);
  close(fd);
  return (int)got;
}

static void on_pool_thread(void *arg) {
  const struct item *item = arg;
  struct files *files = (struct files *)(void *)item->fixture;
  struct reading *reading = &files->readings[item->index];
  reading->status = read_file(files->path, reading->buffer, ROOM);
}

static void on_done(void *arg, int status);

static void submit(struct files *files, struct item *item) {
  const struct fixture *fixture = &files->fixture;
  const struct pl_loop_table *table = fixture->table;
  void *request = item_storage(item);
  struct reading *reading = &files->readings[item->index];
  files->left--;
  files->failed |=
      table->init(fixture->loop, fixture->kind, request, on_done, item);
  if (files->manner == STAT)
    files->failed |= table->stat_submit(request, "/");
  else if (files->manner == READ)
    files->failed |=
        table->file_read(request, files->path, reading->buffer, ROOM);
  else
    files->failed |= table->work_submit(request, on_pool_thread);
}

/* The file's first and last byte, which the buffer did not hold before. */
static bool arrived(const struct files *files, struct reading *reading,
                    int status) {
  if (files->manner == STAT) return status == 0;
  if (files->manner == READ_JOB) status = reading->status;
  bool right = status == FILE_SIZE && reading->buffer[0] == 'a' &&
               reading->buffer[FILE_SIZE - 1] == 'z';
  reading->buffer[0] = reading->buffer[FILE_SIZE - 1] = '\0';
  return right;
}

static void on_done(void *arg, int status) {
  struct item *item = arg;
  struct files *files = (struct files *)(void *)item->fixture;
  files->fixture.fired++;
  files->failed |= !arrived(files, &files->readings[item->index], status);
  if (files->left && !files->failed) submit(files, item);
}

/* A file of the size that is wanted, under a name of our own. */
static bool write_file(struct files *files) {
  const char *folder = getenv("TMPDIR");
  int length = snprintf(files->path, sizeof files->path, "%s/plumb-XXXXXX",
                        folder && *folder ? folder : "/tmp");
  if (length < 0 || (size_t)length >= sizeof files->path) return false;
  char bytes[FILE_SIZE];
  memset(bytes, '.', sizeof bytes);
  bytes[0] = 'a';
  bytes[FILE_SIZE - 1] = 'z';
  int fd = mkstemp(files->path);
  if (fd < 0) {
    files->path[0] = '\0';
    return false;
  }
  bool written = write(fd, bytes, sizeof bytes) == FILE_SIZE;
  return close(fd) == 0 && written;
}

static void free_files(struct files *files) {
  if (files->path[0]) unlink(files->path);
  free(files->readings);
  free(files);
}

static const char *setup(void **state, const void *subject, int64_t flight,
                         enum manner manner, enum pl_kind kind) {
  struct files *files = calloc(1, sizeof *files);
  if (!files) return "out of memory";
  files->manner = manner;
  files->readings = calloc((size_t)flight, sizeof *files->readings);
  const char *error = files->readings ? NULL : "out of memory";
  if (!error && !write_file(files)) error = "the file could not be written";
  if (!error)
    error =
        fixture_open(&files->fixture, subject, kind, (size_t)flight, on_done);
  if (error)
    free_files(files);
  else
    *state = files;
  return error;
}

static const char *setup_stat(void **state, const void *subject,
                              int64_t flight) {
  return setup(state, subject, flight, STAT, PL_KIND_STAT);
}

static const char *setup_read(void **state, const void *subject,
                              int64_t flight) {
  return setup(state, subject, flight, READ, PL_KIND_FILE_READ);
}

static const char *setup_job(void **state, const void *subject,
                             int64_t flight) {
  return setup(state, subject, flight, READ_JOB, PL_KIND_WORK);
}

static const char *teardown(void *state) {
  struct files *files = state;
  const char *error = fixture_close(&files->fixture);
  free_files(files);
  return error;
}

static const char *reset(void *state) {
  struct files *files = state;
  fixture_begin(&files->fixture);
  files->left = REQUESTS;
  return NULL;
}

static void run(void *state) {
  struct files *files = state;
  struct fixture *fixture = &files->fixture;
  for (size_t i = 0; i < fixture->count; i++)
    submit(files, fixture_item(fixture, i));
  fixture->table->run(fixture->loop, PL_RUN_DEFAULT);
}

static const char *check(void *state) {
  const struct files *files = state;
  if (files->failed) return "a request failed, or brought other bytes";
  return files->fixture.fired == REQUESTS ? NULL
                                          : "not every one came back once";
}

#define FILE_BENCH(variable, title, number, can, with)                         \
  const struct bench variable = {.name = "loop/fs/" title,                     \
                                 .version = number,                            \
                                 .parameter = "flight",                        \
                                 .values = flights,                            \
                                 .value_count = FLIGHTS,                       \
                                 .operations = requests,                       \
                                 .supports = can,                              \
                                 .setup = with,                                \
                                 .reset = reset,                               \
                                 .run = run,                                   \
                                 .check = check,                               \
                                 .counters = fixture_counters,                 \
                                 .teardown = teardown}

FILE_BENCH(bench_fs_stat, "stat", 2, has_stat, setup_stat);
FILE_BENCH(bench_fs_read, "read", 1, has_read, setup_read);
FILE_BENCH(bench_fs_read_job, "read-job", 1, has_work, setup_job);
