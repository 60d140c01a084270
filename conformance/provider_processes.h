/* SPDX-License-Identifier: MIT */
/*
 * provider_processes.h: the part of provider.h about child processes and the
 * channels between them; provider_cluster.h has the rest.
 *
 * Invariants, beside those of provider.h:
 *  - Values cross as JSON text. What JSON has not is an object with one key:
 *    {"$undefined":true} {"$nan":true} {"$infinity":true} (or "-")
 *    {"$bigint":"-1"} {"$date":0} {"$buffer":"text"} or {"$buffer":[1]}
 *    {"$bytes":[1]} (an Uint8Array) {"$map":[[1,2]]} {"$set":[1]} {"$up":N}
 * (what contains it, N levels up); {"$plain":O} is the object O with such a
 * key. The text of a message that came is written anew, without white space,
 * from what the provider has read, so it shows what that was.
 *  - A descriptor has one owner: who is given it closes it.
 */
#ifndef PLUMBLINE_PROVIDER_PROCESSES_H
#define PLUMBLINE_PROVIDER_PROCESSES_H

#include <stddef.h>
#include <stdint.h>

#include "provider_cluster.h"

enum pl_child_stdio_kind {
  PL_CHILD_INHERIT,
  PL_CHILD_IGNORE,
  PL_CHILD_FD,     /* `fd`, borrowed during the call */
  PL_CHILD_PIPE,   /* gives `fd`, our end */
  PL_CHILD_CHANNEL /* the same, and the child is told of it */
};

struct pl_child_stdio {
  enum pl_child_stdio_kind kind;
  int fd;
};

/* What is started. Everything is borrowed during the call. */
struct pl_child_options {
  size_t size; /* sizeof(struct pl_child_options) of the caller */
  const char *file;
  const char *const *argv; /* NULL behind */
  const char *const *env;  /* NULL behind */
  const char *cwd;         /* NULL: the parent's */
  struct pl_child_stdio *stdio;
  unsigned stdio_count;
  int detached;
  int uid;             /* -1: the parent's */
  int advanced;        /* what the child is told of its channel */
  uint64_t timeout_ms; /* of spawn; 0: none */
  int kill_signal;     /* then; 0: SIGTERM */
};

/*
 * What a child tells. `started`, never from within spawn(): it runs, 0; or
 * -EACCES, -EAGAIN, -EMFILE, -ENFILE or -ENOENT: it could not be started, and
 * nothing else comes. `exited`: by exit(code), signal 0; or by a signal, code
 * -1.
 */
struct pl_child_calls {
  size_t size;
  void (*started)(void *arg, int error);
  void (*exited)(void *arg, int code, int signal);
};

/* How a program was run to its end; borrowed during the call. `error` is 0,
 * -ENOBUFS: the texts are cut to max_buffer, or -ETIMEDOUT. */
struct pl_child_result {
  int error, code, signal, killed;
  const char *out, *err;
  size_t out_length, err_length;
};
typedef void pl_child_done(void *arg, const struct pl_child_result *result);

struct pl_child_run {
  size_t size;
  const char *command;           /* of the shell; or NULL, and `child` is run */
  struct pl_child_options child; /* stdio is not looked at */
  uint64_t timeout_ms;           /* 0: none */
  int kill_signal;               /* 0: SIGTERM */
  size_t max_buffer;             /* 0: 1 MiB */
  const char *input;             /* for its stdin; NULL: none */
  size_t input_length;
  int *input_fd; /* or: gives our end of its stdin, not blocking; NULL */
};

/* A message that came; borrowed during the call. `handle` is the type of the
 * handle that it brought ("net.Server"), or NULL; who takes its descriptor sets
 * `*fd` to -1. */
struct pl_channel_text {
  const char *json;
  size_t length;
  const char *handle;
  int *fd;
};

/* A handle that goes with a message. keep_open 0: `fd` is taken when the send
 * succeeds; 1: borrowed until the channel's end. `key`: of a connection, the
 * server that it came from ("4:127.0.0.1:0"), or NULL. */
struct pl_channel_passing {
  const char *type;
  int fd;
  int keep_open;
  const char *key;
};

/* What is listened to. */
enum {
  PL_LISTEN_MESSAGE = 1,
  PL_LISTEN_INTERNAL = 2,
  PL_LISTEN_DISCONNECT = 4
};

/* What a channel tells. `internal`: a message that begins with NODE_ and is not
 * about handles. `problem`: the other side did what it must not, and the
 * channel goes on. `ended`: 0, or why, a negative errno value. */
struct pl_channel_calls {
  size_t size;
  void (*message)(void *arg, const struct pl_channel_text *text);
  void (*internal)(void *arg, const struct pl_channel_text *text);
  void (*problem)(void *arg, int error);
  void (*ended)(void *arg, int reason);
};

/* A message that was sent; the caller's, zeroed, until `written` was called:
 * 0, or why it never will be. */
struct pl_channel_sent {
  void (*written)(void *arg, int status);
  void *arg;
  void *own[8]; /* the provider's */
};

struct pl_processes_table {
  size_t size; /* sizeof(struct pl_processes_table) of the provider */

  /* Bytes of storage of a process, an exec, a channel. Storage is borrowed
   * until the loop has ended. */
  size_t process_size, exec_size, channel_size;

  /* Starts a child. `calls` is borrowed until it has ended. Errors: that of
   * starting it, beside those that `started` tells; then there was no child. */
  int (*spawn)(void *loop, void *process, const struct pl_child_options *what,
               const struct pl_child_calls *calls, void *arg);
  /* 0: it never ran. */
  long (*pid)(const void *process);
  /* -ESRCH: it has ended, or never ran. */
  int (*kill)(void *process, int signum);
  void (*process_ref)(void *process);
  void (*process_unref)(void *process);

  /* Runs a program to its end. Errors: as spawn; `done` is not called. */
  int (*exec)(void *loop, void *exec, const struct pl_child_run *what,
              pl_child_done *done, void *arg);

  /* Connects a channel to `fd`, which it takes, or to the parent process. It
   * keeps the loop alive. */
  int (*channel_open)(void *loop, void *channel, int fd,
                      const struct pl_channel_calls *calls, void *arg);
  int (*channel_open_parent)(void *loop, void *channel,
                             const struct pl_channel_calls *calls, void *arg);
  /* Sends text that is JSON. 1, or 0 when the sender should wait; -ENOTCONN.
   * `sent` may be NULL. */
  int (*send)(void *channel, const char *json, size_t length,
              struct pl_channel_sent *sent);
  /* -ENOTCONN when it is not connected. */
  int (*disconnect)(void *channel);
  int (*connected)(const void *channel);
  void (*pause)(void *channel);
  void (*resume)(void *channel);
  void (*channel_ref)(void *channel);
  void (*channel_unref)(void *channel);

  /* Ends a channel for good, connected or not: once the loop has nothing left
   * to do, its storage is the caller's. Closing twice is -EINVAL. */
  int (*channel_close)(void *channel);

  /* Whether a signal was sent to a child. */
  int (*killed)(const void *process);
  int (*exec_kill)(void *exec, int signum);
  /* exec() before it returns: `done` is called from within. NULL: it cannot
   * block. */
  int (*run)(const struct pl_child_run *what, pl_child_done *done, void *arg);

  /* channel_open() for a channel whose messages are structured clones. */
  int (*channel_open_advanced)(void *loop, void *channel, int fd,
                               const struct pl_channel_calls *calls, void *arg);
  /* Says what is listened to (PL_LISTEN_*), anew each time; called for the
   * parent's channel alone. Messages are kept until somebody listens to them;
   * it keeps the loop alive while somebody listens to messages or to the end.
   */
  void (*channel_listen)(void *channel, unsigned what);
  /* Sends a value, with a handle unless `passing` is NULL. Returns as send();
   * -EINVAL: no such value or type can be sent. */
  int (*send_value)(void *channel, const char *json, size_t length,
                    const struct pl_channel_passing *passing,
                    struct pl_channel_sent *sent);

  /* Writes now what was sent, as far as the kernel takes it: before exit(). */
  void (*channel_flush)(void *channel);

  /* NULL: no clusters. */
  const struct pl_cluster_table *cluster;
};

#endif
