/* SPDX-License-Identifier: MIT */
/*
 * world.h: the world that a white-box test puts a loop into: a clock that
 * stands still unless it is moved, a poller whose descriptors become ready when
 * the test said they would, memory that runs out on demand, and a trace.
 *
 * Invariants: a test that forgets to end its world fails by the leak that it
 * leaves; a loop that would sleep for ever in the virtual world gets PL_EIO.
 */
#ifndef PLUMB_TESTS_WORLD_H
#define PLUMB_TESTS_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../loop/internal.h"

enum { WORLD_ACTS = 64, WORLD_FDS = 16, WORLD_WAITS = 64 };

struct world;

/* An object of the loop with a label. Its callback appends the label to the
 * trace and then runs the body. */
struct act {
  union {
    struct pl_object head;
    struct pl_timer timer;
    struct pl_watcher watcher;
    struct pl_async async;
    struct pl_poll poll;
    struct pl_signal signal;
    struct pl_timeout timeout;
    struct pl_immediate immediate;
    struct pl_task task;
    struct pl_work work;
    struct pl_stat stat;
    struct pl_file_read file_read;
    struct pl_deferred deferred;
  } as; /* first, so that an act's address is its object's */
  struct world *world;
  const char *label;
  void (*body)(struct act *self);
  bool has_head;
  int calls;
  int status; /* of the last call */
};

struct world {
  struct pl_poller poller; /* the virtual one */
  struct pl_loop *loop;
  uint64_t now_ns;
  uint64_t ns_per_reading; /* how far the clock moves when it is read */
  struct {
    uint64_t token;
    unsigned armed;    /* what the loop told the poller */
    unsigned ready;    /* what will be ready */
    uint64_t ready_at; /* and when, ms */
  } fds[WORLD_FDS];
  int modifications;
  int modify_error; /* what modify() fails with, but for a removal */
  int waits[WORLD_WAITS];
  int wait_count;
  bool woken;
  long blocks;     /* allocated and not freed */
  long until_fail; /* allocations until one fails; negative: never */
  char trace[4096];
  struct act acts[WORLD_ACTS];
  int act_count;
};

/* Makes a loop: on the virtual poller and clock, or (`poller` not NULL) on that
 * one, which is taken, and the real clock. */
struct world *world_begin(void);
struct world *world_begin_real(struct pl_poller *poller);
/* The same with a limit of pool threads, over epoll, or over what the
 * environment's PLUMB_TEST_POLLER names. */
struct world *world_begin_pool(unsigned threads);

/* A poller for a test that cmocka_unit_test_prestate() gives one of the
 * functions that make pollers; where the kernel has none of these it skips. */
struct pl_poller *world_poller(void **state);
#define OVER_ALL_POLLERS(test)                                                 \
  cmocka_unit_test_prestate(test, (void *)pl_poller_epoll_create),             \
      cmocka_unit_test_prestate(test, (void *)pl_poller_poll_create),          \
      cmocka_unit_test_prestate(test, (void *)pl_poller_uring_create)

/* Closes whatever is open without tracing it, runs until it is closed, ends the
 * loop and checks that no memory is left. */
void world_end(struct world *world);

/* The allocator of a world, for what is made outside a loop. */
struct pl_allocator world_allocator(struct world *world);

/* Makes a recorder of so many records for the world's loop. */
struct pl_recorder *world_record(struct world *world, size_t capacity);
/* Ends both. */
void world_end_recorded(struct world *world, struct pl_recorder *recorder);

struct act *act_timer(struct world *world, const char *label,
                      void (*body)(struct act *));
struct act *act_watcher(struct world *world, enum pl_object_kind kind,
                        const char *label, void (*body)(struct act *));
struct act *act_async(struct world *world, const char *label,
                      void (*body)(struct act *));
struct act *act_poll(struct world *world, const char *label,
                     void (*body)(struct act *));
struct act *act_signal(struct world *world, const char *label,
                       void (*body)(struct act *));
struct act *act_timeout(struct world *world, const char *label,
                        void (*body)(struct act *));
struct act *act_immediate(struct world *world, const char *label,
                          void (*body)(struct act *));
struct act *act_work(struct world *world, const char *label,
                     void (*body)(struct act *));
struct act *act_stat(struct world *world, const char *label,
                     void (*body)(struct act *));
struct act *act_file_read(struct world *world, const char *label,
                          void (*body)(struct act *));
struct act *act_deferred(struct world *world, const char *label,
                         void (*body)(struct act *));
/* Queue a labelled task right away. */
struct act *act_tick(struct world *world, const char *label,
                     void (*body)(struct act *));
struct act *act_microtask(struct world *world, const char *label,
                          void (*body)(struct act *));
/* Start these right away. */
struct act *soon_immediate(struct world *world, const char *label,
                           void (*body)(struct act *));
struct act *soon_timeout(struct world *world, double after, const char *label,
                         void (*body)(struct act *));
struct act *soon_timer(struct world *world, uint64_t after, const char *label,
                       void (*body)(struct act *));
struct act *soon_watcher(struct world *world, enum pl_object_kind kind,
                         const char *label, void (*body)(struct act *));

/* Closes a handle and traces "~label". */
void act_close(struct act *act);
/* An act of the same world by label. */
struct act *act_find(struct act *self, const char *label);

/* Moves the clock. */
void world_block(struct world *world, uint64_t ms);
/* `fd` becomes ready `after_ms` from now, and stays so until world_read(). */
void world_ready(struct world *world, int fd, unsigned events,
                 uint64_t after_ms);
void world_read(struct world *world, int fd);
/* Appends to the trace. */
void world_say(struct world *world, const char *label);
/* Checks the trace and empties it. */
#define expect_trace(world, text)                                              \
  do {                                                                         \
    assert_string_equal((world)->trace, text);                                 \
    (world)->trace[0] = '\0';                                                  \
  } while (0)
/* Runs the loop and checks what it returns. */
#define expect_run(world, mode, result)                                        \
  assert_int_equal(pl_loop_run((world)->loop, mode), result)

/* A body that stops the loop. */
void stop_loop(struct act *self);
/* A body that closes its own handle. */
void close_self(struct act *self);

#endif
