/* SPDX-License-Identifier: MIT */
/*
 * object.h: a loop and an object of libuv's in the caller's storage; what the
 * files of this provider share.
 *
 * Invariant: nothing is allocated here. An object is a short header and
 * libuv's own struct behind it; the struct finds its header again by its data.
 *
 * The libuv that runs may be older or newer than the header that this was
 * compiled with, since it is loaded (or is a part of Node, see
 * ../libuv-in-node): its structs are as long as that libuv says, they stand
 * last, and of their fields only `data`, the first, is touched.
 *
 *     caller's storage   +--------------------------+
 *                        | callback then arg kind   |  struct object
 *                        +--------------------------+
 *                        | uv_timer_t / uv_idle_t   |  .uv, as long as this
 *                        | / uv_work_t / ...        |  libuv's kind is
 *                        +--------------------------+
 *
 * The functions are members of struct pl_loop_table, which says what they do.
 */
#ifndef PLUMB_LIBUV_OBJECT_H
#define PLUMB_LIBUV_OBJECT_H

#include "provider.h"

#include <errno.h>
#include <uv.h>

struct loop {
  int running;  /* uv_run() cannot tell that it is called within itself */
  uv_loop_t uv; /* uv_loop_size() bytes */
};

/* A poll handle needs its fd when libuv makes it, and provider.h tells the fd
 * only when it is started: until then the header stands in for it. */
enum { FRESH_POLL = 1, FRESH_UNREF = 2 };

struct object {
  pl_callback *callback;
  union {
    pl_callback *closed;     /* handles, when they are closed */
    pl_read_callback *read;  /* streams, until then */
    void (*run)(void *arg);  /* work */
    struct reading *reading; /* file reads: behind libuv's struct */
  } then;
  void *arg;
  struct loop *loop;
  int fd;      /* poll: what it watches; file read: what is open */
  short kind;  /* enum pl_kind */
  short fresh; /* FRESH_*: a poll handle that libuv does not know yet */
  union {
    uv_handle_t handle;
    uv_req_t request;
    uv_timer_t timer;
    uv_idle_t idle;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_async_t async;
    uv_poll_t poll;
    uv_signal_t signal;
    uv_work_t work;
    uv_fs_t fs;
    uv_pipe_t pipe;
    uv_stream_t stream;
    uv_write_t write;
  } uv;
};

struct reading {
  char *buffer;
  size_t capacity;
  int status; /* bytes read so far, or the first error */
};

/* From libuv's callbacks to the caller's. */
static inline void report(void *data, int status) {
  const struct object *object = data;
  if (object->callback) object->callback(object->arg, status);
}

/* object.c */
size_t libuv_size_of(enum pl_kind kind);
int libuv_init(void *storage, enum pl_kind kind, void *memory,
               pl_callback *callback, void *arg);
int libuv_is_closing(const void *memory);
int libuv_handle_close(void *memory, pl_callback *closed);
int libuv_handle_stop(void *memory);
void libuv_ref(void *memory);
void libuv_unref(void *memory);
int libuv_has_ref(const void *memory);
int libuv_is_active(const void *memory);

/* handles.c */
int libuv_timer_start(void *memory, uint64_t after, uint64_t repeat);
int libuv_timer_again(void *memory);
void libuv_timer_set_repeat(void *memory, uint64_t repeat);
int libuv_watcher_start(void *memory);
int libuv_async_send(void *memory);
int libuv_poll_start(void *memory, int fd, int events);
int libuv_signal_start(void *memory, int signum);

/* requests.c; choose_pool() gives the pool a size, 0: any. */
int libuv_choose_pool(unsigned threads);
int libuv_work_submit(void *memory, void (*work)(void *arg));
int libuv_stat_submit(void *memory, const char *path);
int libuv_file_read(void *memory, const char *path, void *buffer,
                    size_t capacity);
int libuv_cancel(void *memory);

/* streams.c */
int libuv_stream_open(void *memory, int fd);
int libuv_stream_read(void *memory, pl_read_callback *callback);
int libuv_stream_write(void *memory, void *write, const void *data,
                       size_t length);

#endif
