/* SPDX-License-Identifier: MIT */
/*
 * file_read.c: a small file, read as a whole: at once when it is cached, on the
 * pool when it is not.
 *
 *   cached   openat2(RESOLVE_CACHED)  preadv2(RWF_NOWAIT)..  close     here
 *   else     open                     readv..                close     pool
 *
 * Invariant: nothing here waits on the loop's thread. A cached call that would
 * have to fails with EAGAIN, and then, as after every answer that is not beyond
 * doubt, the pool reads the file anew and its answer is the answer.
 *
 * The end of a file is where a read brings nothing: a short read may as well
 * be one that ran into pages which are not cached, and the size that fstat()
 * tells is 0 for the files of /proc. One byte more than the caller has room
 * for is asked for, to tell a file that fits from one that does not.
 *
 * Four requests to the pool, one per system call, were rejected (libuv's way):
 * 20 to 70 times slower for one file, 4 times for 64 at a time.
 */
#include "internal.h"

#include <fcntl.h>
#include <unistd.h>

#if defined(__linux__)
#include <linux/openat2.h>
#include <sys/syscall.h>
#endif

enum { PL__CACHED_MOST = 64 * 1024 };

/* ---------------------------------------------------------------------- */
/* The system's calls                                                     */

enum { PL__OPEN_FLAGS = O_RDONLY | O_CLOEXEC | O_NOCTTY };

#if defined(SYS_openat2) && defined(RESOLVE_CACHED) && defined(RWF_NOWAIT)

/* O_NONBLOCK: neither a FIFO nor a lease is waited for. */
static int open_cached(const char *path) {
  struct open_how how = {.flags = PL__OPEN_FLAGS | O_NONBLOCK,
                         .resolve = RESOLVE_CACHED};
  long fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
  return fd < 0 ? -errno : (int)fd;
}

static ssize_t read_cached(int fd, const struct iovec *parts, int count,
                           off_t offset) {
  ssize_t got = preadv2(fd, parts, count, offset, RWF_NOWAIT);
  return got < 0 ? -errno : got;
}

#else

static int open_cached(const char *path) {
  (void)path;
  return -ENOSYS;
}

static ssize_t read_cached(int fd, const struct iovec *parts, int count,
                           off_t offset) {
  (void)fd;
  (void)parts;
  (void)count;
  (void)offset;
  return -ENOSYS;
}

#endif

static int open_blocking(const char *path) {
  int fd = open(path, PL__OPEN_FLAGS);
  return fd < 0 ? -errno : fd;
}

static ssize_t read_blocking(int fd, const struct iovec *parts, int count,
                             off_t offset) {
  (void)offset; /* it is where it is: what has no offsets is read as well */
  ssize_t got = readv(fd, parts, count);
  return got < 0 ? -errno : got;
}

const struct pl__file_calls pl__file_calls = {.open_cached = open_cached,
                                              .read_cached = read_cached,
                                              .open = open_blocking,
                                              .read = read_blocking};

/* ---------------------------------------------------------------------- */
/* Reading                                                                */

static int open_file(int (*call)(const char *path), const char *path) {
  int fd;
  do
    fd = call(path);
  while (fd == -EINTR);
  return fd;
}

/* Reads to the end. Returns how many bytes, or a negative errno value. */
static int read_whole(const struct pl_file_read *request, int fd,
                      ssize_t (*call)(int, const struct iovec *, int, off_t)) {
  char spare;
  size_t have = 0;
  while (have <= request->capacity) {
    struct iovec parts[2] = {
        {.iov_base = request->buffer + have,
         .iov_len = request->capacity - have},
        {.iov_base = &spare, .iov_len = 1},
    };
    ssize_t got = call(fd, parts, 2, (off_t)have);
    if (got == -EINTR) continue;
    if (got < 0) return (int)got;
    if (got == 0) return (int)have;
    have += (size_t)got;
  }
  return PL_EFBIG;
}

/* On a thread of the pool. */
int pl__file_read_run(struct pl_file_read *request) {
  const struct pl__file_calls *calls = request->work.head.loop->file_calls;
  int fd = open_file(calls->open, request->path);
  if (fd < 0) return fd;
  int result = read_whole(request, fd, calls->read);
  close(fd);
  return result;
}

/* ---------------------------------------------------------------------- */
/* At once                                                                */

/* What the pool would say, too. */
static bool is_certain(int result) {
  switch (result) {
  case -ENOENT:
  case -ENOTDIR:
  case -EACCES:
  case -ELOOP:
  case -ENAMETOOLONG:
  case -EFBIG:
    return true;
  default:
    return result >= 0;
  }
}

/* The call is unknown, or forbidden, or does not know the flag. */
static bool is_absent(int error) {
  return error == -ENOSYS || error == -EINVAL || error == -EPERM;
}

/* Returns the result, or PL_EAGAIN: ask the pool. */
static int read_at_once(struct pl_file_read *request) {
  struct pl_loop *loop = request->work.head.loop;
  const struct pl__file_calls *calls = loop->file_calls;
  /* A model has all its requests in the pool, where it can choose. */
  if (loop->no_cached_files || loop->given_pool != NULL ||
      request->capacity > PL__CACHED_MOST)
    return PL_EAGAIN;
  int result = open_file(calls->open_cached, request->path);
  if (is_absent(result)) loop->no_cached_files = true;
  if (result >= 0) {
    int fd = result;
    result = read_whole(request, fd, calls->read_cached);
    close(fd);
  }
  return is_certain(result) ? result : PL_EAGAIN;
}

/* Reports a request that no thread has seen. */
static void report(struct pl_work *work, int result) {
  work->head.flags |= PL__ACTIVE;
  work->head.word = PL__WORK_TAKEN;
  work->slot = NULL;
  work->head.loop->requests++;
  pl__work_done(work, result);
}

void pl_file_read_init(struct pl_loop *loop, struct pl_file_read *request,
                       pl_event_fn *fn, void *arg) {
  pl_work_init(loop, &request->work, fn, arg);
  request->work.head.kind = PL_OBJECT_FILE_READ;
  request->path = NULL;
  request->buffer = NULL;
  request->capacity = 0;
}

int pl_file_read_submit(struct pl_file_read *request, const char *path,
                        void *buffer, size_t capacity) {
  if (request->work.head.flags & PL__ACTIVE) return PL_EBUSY;
  if (capacity > PL_FILE_READ_MOST) return PL_EINVAL;
  request->path = path;
  request->buffer = buffer;
  request->capacity = capacity;
  int result = read_at_once(request);
  if (result == PL_EAGAIN) return pl_work_submit(&request->work, NULL);
  report(&request->work, result);
  return 0;
}
