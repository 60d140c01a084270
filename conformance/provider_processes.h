/* SPDX-License-Identifier: MIT */
/*
 * provider_processes.h: the part of provider.h about child processes and the
 * channels between them.
 *
 * Invariants, beside those of provider.h:
 *  - Messages cross as JSON text. The text of one that came is written anew
 *    from what the provider has read, so it shows what that was; where JSON has
 *    no number, `Infinity` and `NaN` stand.
 *  - A descriptor has one owner: who is given it closes it.
 */
#ifndef PLUMBLINE_PROVIDER_PROCESSES_H
#define PLUMBLINE_PROVIDER_PROCESSES_H

#include <stddef.h>
#include <stdint.h>

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
  int uid; /* -1: the parent's */
};

/* It has ended: by exit(code), signal 0; or by a signal, code -1. */
typedef void pl_child_exited(void *arg, int code, int signal);

/* How a program was run to its end; borrowed during the call. `error` is 0 or
 * -ENOBUFS: the texts are cut to max_buffer. */
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
};

/* A message that came; borrowed during the call. `handle` is the type of the
 * handle that it brought, or NULL. */
struct pl_channel_text {
  const char *json;
  size_t length;
  const char *handle;
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

  /* Starts a child; `exited` is called once. Errors: that of starting it, and
   * then there was no child. */
  int (*spawn)(void *loop, void *process, const struct pl_child_options *what,
               pl_child_exited *exited, void *arg);
  long (*pid)(const void *process);
  /* -ESRCH: it has ended. */
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
  /* Sends JSON text. 1, or 0 when the sender should wait; -ENOTCONN. `sent` may
   * be NULL. */
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
};

#endif
