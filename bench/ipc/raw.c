/* SPDX-License-Identifier: MIT */
/*
 * raw.c: the floor: sendmsg(2) and recvmsg(2) in blocking loops, nothing else;
 * and the same behind epoll_wait(2), which is what any loop must do.
 *
 * Invariant: the bytes are those of the channel, and every descriptor that
 * comes is closed, as the other contenders do.
 */
#include "ipc_bench.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONTROL = 2048 };

static void send_fds(int fd, const char *line, size_t length, int passed,
                     int count) {
  _Alignas(8) char control[CONTROL];
  int fds[253];
  struct iovec bytes = {(void *)(uintptr_t)line, length};
  size_t size = (size_t)count * sizeof(int);
  struct msghdr message = {.msg_iov = &bytes,
                           .msg_iovlen = 1,
                           .msg_control = control,
                           .msg_controllen = CMSG_SPACE(size)};
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  for (int i = 0; i < count; i++)
    fds[i] = passed;
  *head = (struct cmsghdr){.cmsg_len = CMSG_LEN(size),
                           .cmsg_level = SOL_SOCKET,
                           .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(head), fds, size);
  if (sendmsg(fd, &message, MSG_NOSIGNAL) != (ssize_t)length)
    bench_die("sendmsg");
}

/* Closes what came; how many descriptors; -1: none, or nothing is there. */
static int receive_with(int fd, int flags) {
  _Alignas(8) char control[CONTROL];
  char data[65536];
  struct iovec bytes = {data, sizeof data};
  struct msghdr message = {.msg_iov = &bytes,
                           .msg_iovlen = 1,
                           .msg_control = control,
                           .msg_controllen = sizeof control};
  ssize_t got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | flags);
  struct cmsghdr *head = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
  if (head == NULL) return -1;
  int fds[253];
  size_t size = head->cmsg_len - CMSG_LEN(0);
  memcpy(fds, CMSG_DATA(head), size);
  for (size_t i = 0; i < size / sizeof(int); i++)
    close(fds[i]);
  return (int)(size / sizeof(int));
}

static int receive_fds(int fd) {
  return receive_with(fd, 0);
}

static void oneway_parent(int fd, long count, int passed) {
  for (long i = 0; i < count; i++)
    send_fds(fd, HANDLE_LINE, sizeof HANDLE_LINE - 1, passed, 1);
}

static int count_fds(int fd, long count) {
  long got = 0;
  while (got < count) {
    int came = receive_fds(fd);
    if (came < 0) return 1;
    got += came;
  }
  return got == count ? 0 : 1;
}

static void batch_parent(int fd, long count, int passed) {
  for (long i = 0; i < count; i += BATCH)
    send_fds(fd, HANDLE_LINE, sizeof HANDLE_LINE - 1, passed, BATCH);
}

static void acked_parent(int fd, long count, int passed) {
  char data[256];
  for (long i = 0; i < count; i++) {
    send_fds(fd, HANDLE_LINE, sizeof HANDLE_LINE - 1, passed, 1);
    if (recv(fd, data, sizeof data, 0) != sizeof ACK_LINE - 1)
      bench_die("no answer");
  }
}

static int acked_child(int fd, long count) {
  for (long i = 0; i < count; i++) {
    if (receive_fds(fd) != 1) return 1;
    if (send(fd, ACK_LINE, sizeof ACK_LINE - 1, MSG_NOSIGNAL) < 0) return 1;
  }
  return 0;
}

/* ---------------------------------------------------------------------- */
/* The same as a loop does it: a poller says when there is something      */

static int watch(int fd) {
  struct epoll_event event = {.events = EPOLLIN};
  int poller = epoll_create1(EPOLL_CLOEXEC);
  if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0)
    bench_die("epoll");
  return poller;
}

static void await(int poller) {
  struct epoll_event event;
  while (epoll_wait(poller, &event, 1, -1) != 1)
    if (errno != EINTR) bench_die("epoll_wait");
}

static int polled_child(int fd, long count) {
  int poller = watch(fd);
  for (long got = 0; got < count;) {
    await(poller);
    /* As long as some are there; what finds nothing is tried seldom. */
    for (int i = 0, came = 1; came > 0 && i < 64 && got < count; i++) {
      came = receive_with(fd, MSG_DONTWAIT);
      if (came > 0) got += came;
    }
  }
  return 0;
}

static void polled_acked_parent(int fd, long count, int passed) {
  char data[256];
  int poller = watch(fd);
  for (long i = 0; i < count; i++) {
    send_fds(fd, HANDLE_LINE, sizeof HANDLE_LINE - 1, passed, 1);
    await(poller);
    if (recv(fd, data, sizeof data, MSG_DONTWAIT) != sizeof ACK_LINE - 1)
      bench_die("no answer");
  }
}

static int polled_acked_child(int fd, long count) {
  int poller = watch(fd);
  for (long i = 0; i < count; i++) {
    await(poller);
    if (receive_with(fd, MSG_DONTWAIT) != 1) return 1;
    if (send(fd, ACK_LINE, sizeof ACK_LINE - 1, MSG_NOSIGNAL) < 0) return 1;
  }
  return 0;
}

/* ---------------------------------------------------------------------- */

static void text_parent(int fd, long count, int passed) {
  char line[64];
  (void)passed;
  for (long i = 0; i < count; i++) {
    int length = snprintf(line, sizeof line, "{\"n\":%ld}\n", i);
    if (send(fd, line, (size_t)length, MSG_NOSIGNAL) != length)
      bench_die("send");
  }
}

static int text_child(int fd, long count) {
  char data[65536];
  long lines = 0;
  while (lines < count) {
    ssize_t got = recv(fd, data, sizeof data, 0);
    if (got <= 0) return 1;
    for (char *at = data; (at = memchr(at, '\n', (size_t)(data + got - at)));
         at++)
      lines++;
  }
  return lines == count ? 0 : 1;
}

static void pong_parent(int fd, long count, int passed) {
  char line[64], data[64];
  (void)passed;
  for (long i = 0; i < count; i++) {
    int length = snprintf(line, sizeof line, "{\"n\":%ld}\n", i);
    if (send(fd, line, (size_t)length, MSG_NOSIGNAL) != length ||
        recv(fd, data, sizeof data, 0) != length)
      bench_die("no echo");
  }
}

static int pong_child(int fd, long count) {
  char data[64];
  for (long i = 0; i < count; i++) {
    ssize_t got = recv(fd, data, sizeof data, 0);
    if (got <= 0 || send(fd, data, (size_t)got, MSG_NOSIGNAL) != got) return 1;
  }
  return 0;
}

const struct contender raw_contenders[] = {
    {"raw", "fd-oneway", oneway_parent, count_fds},
    {"raw", "fd-acked", acked_parent, acked_child},
    {"raw", "fd-oneway-64", oneway_parent, count_fds},
    {"polled", "fd-oneway", oneway_parent, polled_child},
    {"polled", "fd-acked", polled_acked_parent, polled_acked_child},
    {"raw", "fd-batched", batch_parent, count_fds},
    {"raw", "json-oneway", text_parent, text_child},
    {"raw", "json-pingpong", pong_parent, pong_child},
    {NULL, NULL, NULL, NULL}};
