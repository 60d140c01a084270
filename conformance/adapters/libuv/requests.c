/* SPDX-License-Identifier: MIT */
/*
 * requests.c: jobs on libuv's pool, requests about files, whole files read.
 *
 * Invariant: a request reports once, and has no memory of libuv's left then.
 */
#include "object.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* One process has one libuv pool, made by the first job with the size that
 * the environment names then. These two remember which size that was, because
 * libuv cannot be asked. */
static atomic_bool pool_started;
static atomic_uint pool_threads; /* 0: nobody asked for a size */

/* libuv takes the size of its pool from the environment, when the first job
 * comes. A size that is not the running pool's cannot be had any more. */
int libuv_choose_pool(unsigned threads) {
  if (threads == 0 || threads == atomic_load(&pool_threads)) return 0;
  if (atomic_load(&pool_started)) return -ENOTSUP;
  char text[16];
  snprintf(text, sizeof text, "%u", threads);
  if (setenv("UV_THREADPOOL_SIZE", text, 1) != 0) return -errno;
  atomic_store(&pool_threads, threads);
  return 0;
}

static void on_pool_thread(uv_work_t *request) {
  const struct object *object = request->data;
  object->then.run(object->arg);
}

static void on_worked(uv_work_t *request, int status) {
  report(request->data, status);
}

static void on_stat(uv_fs_t *request) {
  ssize_t result = uv_fs_get_result(request);
  int status = result < 0 ? (int)result : 0;
  uv_fs_req_cleanup(request);
  report(request->data, status);
}

int libuv_work_submit(void *memory, void (*work)(void *arg)) {
  struct object *object = memory;
  object->then.run = work;
  atomic_store_explicit(&pool_started, true, memory_order_relaxed);
  return uv_queue_work(&object->loop->uv, &object->uv.work, on_pool_thread,
                       on_worked);
}

int libuv_stat_submit(void *memory, const char *path) {
  struct object *object = memory;
  atomic_store_explicit(&pool_started, true, memory_order_relaxed);
  return uv_fs_stat(&object->loop->uv, &object->uv.fs, path, on_stat);
}

int libuv_cancel(void *memory) {
  struct object *object = memory;
  return uv_cancel(&object->uv.request);
}

/* -- a whole file: four requests, one after the other ---------------------- */

static void on_file_closed(uv_fs_t *fs) {
  struct object *object = fs->data;
  uv_fs_req_cleanup(fs);
  report(object, object->then.reading->status);
}

/* Closes the file, and then reports; a refusal leaves nothing to wait for. */
static void finish_reading(struct object *object, ssize_t status) {
  object->then.reading->status = (int)status;
  if (uv_fs_close(&object->loop->uv, &object->uv.fs, object->fd,
                  on_file_closed) != 0)
    report(object, (int)status);
}

static void on_file_read(uv_fs_t *fs) {
  struct object *object = fs->data;
  ssize_t result = uv_fs_get_result(fs);
  uv_fs_req_cleanup(fs);
  finish_reading(object, result);
}

static void on_file_size(uv_fs_t *fs) {
  struct object *object = fs->data;
  const struct reading *reading = object->then.reading;
  ssize_t result = uv_fs_get_result(fs);
  uint64_t size = result < 0 ? 0 : uv_fs_get_statbuf(fs)->st_size;
  uv_fs_req_cleanup(fs);
  if (result == 0 && size > reading->capacity) result = UV_EFBIG;
  uv_buf_t buffer = uv_buf_init(reading->buffer, (unsigned)size);
  if (result == 0)
    result = uv_fs_read(&object->loop->uv, fs, object->fd, &buffer, 1, 0,
                        on_file_read);
  if (result != 0) finish_reading(object, result);
}

static void on_file_open(uv_fs_t *fs) {
  struct object *object = fs->data;
  ssize_t result = uv_fs_get_result(fs);
  uv_fs_req_cleanup(fs);
  if (result < 0) {
    report(object, (int)result);
    return;
  }
  object->fd = (int)result;
  result = uv_fs_fstat(&object->loop->uv, fs, object->fd, on_file_size);
  if (result != 0) finish_reading(object, result);
}

int libuv_file_read(void *memory, const char *path, void *buffer,
                    size_t capacity) {
  struct object *object = memory;
  if (capacity > INT_MAX) return -EINVAL;
  atomic_store_explicit(&pool_started, true, memory_order_relaxed);
  *object->then.reading =
      (struct reading){.buffer = buffer, .capacity = capacity};
  return uv_fs_open(&object->loop->uv, &object->uv.fs, path, UV_FS_O_RDONLY, 0,
                    on_file_open);
}
