/* SPDX-License-Identifier: MIT */
/*
 * one.c: on one core: one after the other, a process each, a thread each, or
 * events.
 *
 * Invariant: who waits for a client's question is the process (sequential), a
 * process or thread of the client's own, or the loop.
 */
#include "ways.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <plumb/loop.h>

/* The next connection; -1 when the parent has closed our input. */
static int next_connection(int listener) {
  for (;;) {
    struct pollfd wait[2] = {{.fd = listener, .events = POLLIN},
                             {.fd = 0, .events = POLLIN}};
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) return fd;
    if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED &&
        errno != EMFILE)
      way_die("accept");
    if (poll(wait, 2, -1) > 0 && wait[1].revents) return -1;
  }
}

static int open_blocking(void) {
  int port, listener = way_listen(&port);
  /* The listener alone does not block, so that the input is seen, too. */
  fcntl(listener, F_SETFL, fcntl(listener, F_GETFL) | O_NONBLOCK);
  way_tell(port);
  return listener;
}

int serve_sequential(unsigned workers) {
  (void)workers;
  int listener = open_blocking();
  for (int fd; (fd = next_connection(listener)) >= 0;)
    way_answer(fd, 0);
  return 0;
}

int serve_process(unsigned workers) {
  (void)workers;
  int listener = open_blocking();
  for (int fd; (fd = next_connection(listener)) >= 0;) {
    while (waitpid(-1, NULL, WNOHANG) > 0)
      continue;
    pid_t pid = fork();
    if (pid == 0) {
      close(listener);
      way_answer(fd, 0);
      _exit(0);
    }
    if (pid < 0) way_answer(fd, 0); /* no process: its own turn */
    if (pid > 0) close(fd);
  }
  while (waitpid(-1, NULL, 0) > 0)
    continue;
  return 0;
}

static void *thread_answer(void *arg) {
  way_answer((int)(intptr_t)arg, 0);
  return NULL;
}

int serve_thread(unsigned workers) {
  (void)workers;
  int listener = open_blocking();
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&small, 64 << 10);
  for (int fd; (fd = next_connection(listener)) >= 0;) {
    pthread_t thread;
    if (pthread_create(&thread, &small, thread_answer, (void *)(intptr_t)fd))
      way_answer(fd, 0);
  }
  pthread_attr_destroy(&small);
  return 0;
}

/* -- events -----------------------------------------------------------------
 */

static void on_connection(void *arg, int fd) {
  event_serve(arg, fd, 0);
}

int serve_event(unsigned workers) {
  (void)workers;
  int port, listener = way_listen(&port);
  struct pl_loop *loop = way_loop();
  event_accept(loop, listener, on_connection, loop);
  way_tell(port);
  return pl_loop_run(loop, PL_LOOP_DEFAULT) < 0;
}
