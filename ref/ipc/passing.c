/* SPDX-License-Identifier: MIT */
/*
 * passing.c: the types of handles, and whether a descriptor is of one.
 *
 * Invariant: a descriptor that is delivered as a handle is something of that
 * handle's kind, whatever the other side called it.
 */
#include "internal.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const handle_names[] = {
    [PL_HANDLE_NET_SOCKET] = "net.Socket",
    [PL_HANDLE_NET_SERVER] = "net.Server",
    [PL_HANDLE_NET_NATIVE] = "net.Native",
    [PL_HANDLE_DGRAM_SOCKET] = "dgram.Socket",
    [PL_HANDLE_DGRAM_NATIVE] = "dgram.Native"};

enum { HANDLE_TYPES = sizeof handle_names / sizeof handle_names[0] };

const char *pl_handle_type_name(enum pl_handle_type type) {
  return (unsigned)type < HANDLE_TYPES ? handle_names[type] : NULL;
}

enum pl_handle_type pl__handle_type(const struct pl_value *name) {
  for (int type = 1; type < HANDLE_TYPES; type++)
    if (pl_value_is(name, handle_names[type])) return type;
  return PL_HANDLE_NONE;
}

static bool is_pipe(int fd) {
  struct stat about;
  return fstat(fd, &about) == 0 && S_ISFIFO(about.st_mode);
}

int pl__handle_check(enum pl_handle_type type, int fd) {
  int kind = 0;
  socklen_t size = sizeof kind;
  bool socket = getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &size) == 0;
  bool good = false;
  switch (type) {
  case PL_HANDLE_NONE:
    break;
  case PL_HANDLE_NET_SOCKET:
  case PL_HANDLE_NET_NATIVE:
    good = socket ? kind != SOCK_DGRAM : is_pipe(fd);
    break;
  case PL_HANDLE_NET_SERVER:
    good = socket && kind != SOCK_DGRAM;
    break;
  case PL_HANDLE_DGRAM_SOCKET:
  case PL_HANDLE_DGRAM_NATIVE:
    good = socket && kind == SOCK_DGRAM;
    break;
  }
  return good ? 0 : PL_ENOTSOCK;
}

void pl__close_fds(const int *fds, unsigned count) {
  for (unsigned i = 0; i < count; i++)
    close(fds[i]);
}

int pl_message_take(struct pl_message *message) {
  if (message->fd_count != 1) return -1;
  message->fd_count = 0;
  return message->fds[0];
}

int pl_channel_pair(int ends[2]) {
  return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0 ? 0
                                                                       : -errno;
}
