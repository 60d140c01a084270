/* SPDX-License-Identifier: MIT */
/*
 * test_file_read_real_time.c: whole files read at once, and on the pool when
 * the kernel cannot, will not, or should not.
 *
 * Invariant: files are real; calls that fail, are interrupted or bring a byte
 * at a time are put in place of the system's through loop->file_calls. Which
 * way a read went is seen by loop->pool, which the first job makes.
 */
#include "world.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROOM = 4096 };

static char folder[] = "/tmp/plumb-read-XXXXXX";
static char path[64];
static char buffer[ROOM];

/* Writes `size` bytes, "abc...zabc...", under a name in the folder. */
static const char *write_file(const char *name, size_t size) {
  snprintf(path, sizeof path, "%s/%s", folder, name);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  assert_true(fd >= 0);
  for (size_t i = 0; i < size; i++) {
    char byte = (char)('a' + i % 26);
    assert_int_equal(write(fd, &byte, 1), 1);
  }
  close(fd);
  return path;
}

static struct world *begin(void) {
  memset(buffer, '!', sizeof buffer);
  return world_begin_pool(1);
}

/* Reads one file; returns its status. */
static int read_into(struct world *world, const char *file, size_t capacity) {
  struct act *act = act_file_read(world, "read", NULL);
  struct pl_file_read *request = &act->as.file_read;
  int error = pl_file_read_submit(request, file, buffer, capacity);
  assert_int_equal(error, 0);
  assert_int_equal(act->calls, 0);
  assert_int_equal(pl_file_read_submit(request, file, buffer, 1), PL_EBUSY);
  assert_int_equal(pl_loop_alive(world->loop), 1);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "read");
  assert_int_equal(act->calls, 1);
  return act->status;
}

static void expect_bytes(size_t size) {
  for (size_t i = 0; i < size; i++)
    assert_int_equal(buffer[i], 'a' + i % 26);
}

/* -- calls that are not the system's --------------------------------------- */

static int interruptions; /* still to come, before each call */
static int opened, blocked;

static int interrupted(void) {
  static int times;
  times = times < interruptions ? times + 1 : 0;
  return times;
}

static int flaky_open(const char *file) {
  if (interrupted()) return -EINTR;
  opened++;
  return pl__file_calls.open(file);
}

static ssize_t byte_by_byte(int fd, const struct iovec *parts, int count,
                            off_t offset) {
  if (interrupted()) return -EINTR;
  struct iovec first = parts[parts[0].iov_len == 0 ? 1 : 0];
  first.iov_len = 1;
  (void)count;
  return pl__file_calls.read(fd, &first, 1, offset);
}

static int refuse_open(int error) {
  blocked++;
  return error;
}
static int open_enosys(const char *file) {
  (void)file;
  return refuse_open(-ENOSYS);
}
static int open_einval(const char *file) {
  (void)file;
  return refuse_open(-EINVAL);
}
static int open_eperm(const char *file) {
  (void)file;
  return refuse_open(-EPERM);
}
static int open_eagain(const char *file) {
  (void)file;
  return refuse_open(-EAGAIN);
}
static int open_eio(const char *file) {
  (void)file;
  return refuse_open(-EIO);
}

static ssize_t read_eagain_behind_10(int fd, const struct iovec *parts,
                                     int count, off_t offset) {
  if (offset >= 10) {
    blocked++;
    return -EAGAIN;
  }
  struct iovec first = parts[0];
  first.iov_len = 10;
  (void)count;
  return pl__file_calls.read(fd, &first, 1, offset);
}
static ssize_t read_eopnotsupp(int fd, const struct iovec *parts, int count,
                               off_t offset) {
  (void)fd;
  (void)parts;
  (void)count;
  (void)offset;
  blocked++;
  return -EOPNOTSUPP;
}
static ssize_t read_eio(int fd, const struct iovec *parts, int count,
                        off_t offset) {
  (void)read_eopnotsupp(fd, parts, count, offset);
  return -EIO;
}

/* The system's calls, and what the test wants instead of the cached ones. */
static struct pl__file_calls
calls_with(int (*open_cached)(const char *),
           ssize_t (*read_cached)(int, const struct iovec *, int, off_t)) {
  struct pl__file_calls calls = pl__file_calls;
  if (open_cached != NULL) calls.open_cached = open_cached;
  if (read_cached != NULL) calls.read_cached = read_cached;
  opened = blocked = interruptions = 0;
  return calls;
}

/* ---------------------------------------------------------------------- */

static void a_file_is_read_whole(void **unused) {
  (void)unused;
  const size_t sizes[] = {0, 1, 2048, ROOM - 1, ROOM};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    struct world *world = begin();
    const char *file = write_file("whole", sizes[i]);
    assert_int_equal(read_into(world, file, ROOM), sizes[i]);
    expect_bytes(sizes[i]);
    if (sizes[i] < ROOM) assert_int_equal(buffer[sizes[i]], '!');
    world_end(world);
  }
}

/* Whether this kernel and file system say what is cached. */
static bool can_tell(const char *file) {
  int fd = pl__file_calls.open_cached(file);
  if (fd < 0) return false;
  struct iovec part = {.iov_base = buffer, .iov_len = 1};
  ssize_t got = pl__file_calls.read_cached(fd, &part, 1, 0);
  close(fd);
  return got == 1;
}

static void a_cached_file_needs_no_thread(void **unused) {
  (void)unused;
  struct world *world = begin();
  const char *file = write_file("cached", 100);
  if (!can_tell(file)) skip();
  assert_int_equal(read_into(world, file, ROOM), 100);
  assert_null(world->loop->pool);
  world_end(world);
}

static void a_file_larger_than_the_buffer_is_efbig(void **unused) {
  (void)unused;
  struct world *world = begin();
  const char *file = write_file("large", 101);
  assert_int_equal(read_into(world, file, 100), PL_EFBIG);
  assert_int_equal(buffer[100], '!');
  assert_int_equal(read_into(world, file, 0), PL_EFBIG);
  world->loop->no_cached_files = true;
  assert_int_equal(read_into(world, file, 100), PL_EFBIG);
  assert_int_equal(buffer[100], '!');
  world_end(world);
}

static void what_cannot_be_read_says_why_either_way(void **unused) {
  (void)unused;
  write_file("plain", 1);
  char below[80], missing[80];
  snprintf(below, sizeof below, "%s/plain/below", folder);
  snprintf(missing, sizeof missing, "%s/missing", folder);
  for (int pool = 0; pool < 2; pool++) {
    struct world *world = begin();
    world->loop->no_cached_files = pool;
    assert_int_equal(read_into(world, missing, ROOM), PL_ENOENT);
    assert_int_equal(read_into(world, below, ROOM), PL_ENOTDIR);
    assert_int_equal(read_into(world, folder, ROOM), PL_EISDIR);
    assert_int_equal(read_into(world, "", ROOM), PL_ENOENT);
    world_end(world);
  }
}

static void a_file_without_a_size_is_read_to_its_end(void **unused) {
  (void)unused;
  struct world *world = begin();
  int status = read_into(world, "/proc/self/comm", ROOM);
  assert_true(status > 1 && status < 20);
  assert_int_equal(buffer[status - 1], '\n');
  world_end(world);
}

static void a_large_buffer_is_filled_on_the_pool(void **unused) {
  (void)unused;
  struct world *world = begin();
  char *large = malloc(1 << 20);
  struct act *act = act_file_read(world, "read", NULL);
  const char *file = write_file("small", 5);
  assert_int_equal(
      pl_file_read_submit(&act->as.file_read, file, large, 1 << 20), 0);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  assert_int_equal(act->status, 5);
  assert_non_null(world->loop->pool);
  assert_int_equal(
      pl_file_read_submit(&act->as.file_read, file, large, (size_t)INT32_MAX),
      PL_EINVAL);
  free(large);
  expect_trace(world, "read");
  world_end(world);
}

static void a_kernel_that_cannot_tell_is_asked_once(void **unused) {
  (void)unused;
  int (*const refusals[])(const char *) = {open_enosys, open_einval,
                                           open_eperm};
  for (int i = 0; i < 3; i++) {
    struct world *world = begin();
    struct pl__file_calls calls = calls_with(refusals[i], NULL);
    world->loop->file_calls = &calls;
    const char *file = write_file("asked-once", 30);
    for (int k = 0; k < 3; k++)
      assert_int_equal(read_into(world, file, ROOM), 30);
    expect_bytes(30);
    assert_int_equal(blocked, 1);
    assert_non_null(world->loop->pool);
    world_end(world);
  }
}

static void what_is_not_cached_is_read_on_the_pool(void **unused) {
  (void)unused;
  const struct pl__file_calls variants[] = {
      calls_with(open_eagain, NULL),
      calls_with(open_eio, NULL),
      calls_with(NULL, read_eagain_behind_10),
      calls_with(NULL, read_eopnotsupp),
      calls_with(NULL, read_eio),
  };
  for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
    struct world *world = begin();
    struct pl__file_calls calls = variants[i];
    /* Those that only replace reading must get as far as that. */
    if (calls.open_cached == pl__file_calls.open_cached)
      calls.open_cached = pl__file_calls.open;
    world->loop->file_calls = &calls;
    const char *file = write_file("not-cached", 300);
    blocked = 0;
    for (int k = 1; k <= 2; k++) {
      memset(buffer, '!', sizeof buffer);
      assert_int_equal(read_into(world, file, ROOM), 300);
      expect_bytes(300);
      assert_int_equal(blocked, k);
    }
    assert_non_null(world->loop->pool);
    world_end(world);
  }
}

static void interruptions_and_short_reads_do_not_matter(void **unused) {
  (void)unused;
  const char *file = write_file("slow", 50);
  for (int pool = 0; pool < 2; pool++)
    for (int times = 0; times < 3; times++) {
      struct world *world = begin();
      struct pl__file_calls calls = {.open_cached = flaky_open,
                                     .read_cached = byte_by_byte,
                                     .open = flaky_open,
                                     .read = byte_by_byte};
      interruptions = times;
      opened = 0;
      world->loop->no_cached_files = pool;
      world->loop->file_calls = &calls;
      assert_int_equal(read_into(world, file, ROOM), 50);
      expect_bytes(50);
      assert_int_equal(read_into(world, file, 49), PL_EFBIG);
      assert_int_equal(opened, 2);
      assert_true((world->loop->pool != NULL) == pool);
      world_end(world);
    }
}

static int refused_read_fd;
static ssize_t remember_fd(int fd, const struct iovec *parts, int count,
                           off_t offset) {
  refused_read_fd = fd;
  return read_eio(fd, parts, count, offset);
}

static void a_failed_read_leaves_no_descriptor_open(void **unused) {
  (void)unused;
  struct world *world = begin();
  struct pl__file_calls calls = calls_with(pl__file_calls.open, remember_fd);
  calls.read = remember_fd;
  world->loop->file_calls = &calls;
  const char *file = write_file("unreadable", 3);
  assert_int_equal(read_into(world, file, ROOM), PL_EIO);
  assert_int_equal(blocked, 2);
  assert_int_equal(fcntl(refused_read_fd, F_GETFD), -1);
  world_end(world);
}

static void a_refused_pool_refuses_the_read(void **unused) {
  (void)unused;
  struct world *world = begin();
  struct act *act = act_file_read(world, "read", NULL);
  const char *file = write_file("refused", 3);
  world->loop->no_cached_files = true;
  world->until_fail = 0;
  assert_int_equal(pl_file_read_submit(&act->as.file_read, file, buffer, ROOM),
                   PL_ENOMEM);
  world->until_fail = -1;
  assert_int_equal(pl_loop_alive(world->loop), 0);
  assert_int_equal(read_into(world, file, ROOM), 3);
  world_end(world);
}

static void read_again(struct act *self) {
  if (self->calls < 3)
    pl_file_read_submit(&self->as.file_read, path, buffer, ROOM);
}

/* Once per iteration: what is read again in a callback does not starve the
 * loop. */
static void reads_take_turns_with_the_rest_of_the_loop(void **unused) {
  (void)unused;
  struct world *world = begin();
  struct pl__file_calls calls =
      calls_with(pl__file_calls.open, pl__file_calls.read);
  world->loop->file_calls = &calls;
  write_file("again", 7);
  struct act *act = act_file_read(world, "read", read_again);
  struct act *check = soon_watcher(world, PL_OBJECT_CHECK, "check", NULL);
  pl_object_unref(check);
  pl_file_read_submit(&act->as.file_read, path, buffer, ROOM);
  assert_int_equal(pl_work_cancel(&act->as.file_read), PL_EBUSY);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "read check read check read check");
  world_end(world);
}

static int make_folder(void **state) {
  (void)state;
  return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state) {
  static const char *const names[] = {
      "whole", "cached", "large",      "plain",   "small",     "asked-once",
      "slow",  "again",  "not-cached", "refused", "unreadable"};
  (void)state;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    unlink(path);
  }
  return rmdir(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_file_is_read_whole),
      cmocka_unit_test(a_cached_file_needs_no_thread),
      cmocka_unit_test(a_file_larger_than_the_buffer_is_efbig),
      cmocka_unit_test(what_cannot_be_read_says_why_either_way),
      cmocka_unit_test(a_file_without_a_size_is_read_to_its_end),
      cmocka_unit_test(a_large_buffer_is_filled_on_the_pool),
      cmocka_unit_test(a_kernel_that_cannot_tell_is_asked_once),
      cmocka_unit_test(what_is_not_cached_is_read_on_the_pool),
      cmocka_unit_test(interruptions_and_short_reads_do_not_matter),
      cmocka_unit_test(a_failed_read_leaves_no_descriptor_open),
      cmocka_unit_test(a_refused_pool_refuses_the_read),
      cmocka_unit_test(reads_take_turns_with_the_rest_of_the_loop),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
