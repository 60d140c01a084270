/* SPDX-License-Identifier: MIT */
/*
 * Descriptors with names: made, taken from the wire, told about, used.
 *
 * Invariant: what is made here does not block, as the handles of a runtime do
 * not, unless `blocking` asks for it; servers listen on 127.0.0.1, port 0.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "peer.h"

void name_fd(struct peer *peer, const char *name, int fd) {
  if (name == NULL) fail(peer, "a descriptor without a name", "");
  for (size_t i = 0; i < peer->fd_count; i++)
    if (strcmp(peer->fds[i].name, name) == 0) {
      peer->fds[i].fd = fd;
      return;
    }
  if (peer->fd_count == MAX_NAMED) fail(peer, "too many descriptors", "");
  struct named *named = &peer->fds[peer->fd_count++];
  snprintf(named->name, sizeof named->name, "%s", name);
  named->fd = fd;
}

int fd_of(struct peer *peer, const char *name) {
  for (size_t i = 0; name != NULL && i < peer->fd_count; i++)
    if (strcmp(peer->fds[i].name, name) == 0) return peer->fds[i].fd;
  fail(peer, "no descriptor of that name: ", name != NULL ? name : "");
}

static void set_blocking(int fd, bool blocking) {
  int flags = fcntl(fd, F_GETFL);
  fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

/* ---- making -------------------------------------------------------------- */

static int bound_socket(int type) {
  struct sockaddr_in here = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof here) != 0) {
    perror("plumb-peer: bind");
    exit(71);
  }
  return fd;
}

static int listener(void) {
  int fd = bound_socket(SOCK_STREAM);
  if (listen(fd, 128) != 0) exit(71);
  return fd;
}

static int connect_to(int fd, int *error) {
  struct sockaddr_storage there;
  socklen_t length = sizeof there;
  int made = -1;
  *error = getsockname(fd, (struct sockaddr *)&there, &length) != 0 ? errno : 0;
  if (*error == 0)
    made = socket(there.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (made >= 0 && connect(made, (struct sockaddr *)&there, length) != 0) {
    *error = errno;
    close(made);
    made = -1;
  }
  return made;
}

static void tcp_pair(int pair[2]) {
  int error;
  int server = listener();
  pair[1] = connect_to(server, &error);
  pair[0] = accept4(server, NULL, NULL, SOCK_CLOEXEC);
  close(server);
}

static int regular_file(void) {
  char path[] = "/tmp/plumb-peer-XXXXXX";
  int fd = mkostemp(path, O_CLOEXEC);
  if (fd >= 0) unlink(path);
  return fd;
}

static void fd_open(struct peer *peer, const json_t *value) {
  const char *kind = text_of(value, "kind");
  int pair[2] = {-1, -1};
  if (strcmp(kind, "listener") == 0)
    pair[0] = listener();
  else if (strcmp(kind, "bound") == 0)
    pair[0] = bound_socket(SOCK_STREAM);
  else if (strcmp(kind, "udp") == 0)
    pair[0] = bound_socket(SOCK_DGRAM);
  else if (strcmp(kind, "tcp") == 0)
    tcp_pair(pair);
  else if (strcmp(kind, "unix") == 0) {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) exit(71);
  } else if (strcmp(kind, "pipe") == 0) {
    if (pipe2(pair, O_CLOEXEC) != 0) exit(71);
  } else if (strcmp(kind, "file") == 0)
    pair[0] = regular_file();
  else if (strcmp(kind, "null") == 0)
    pair[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
  else
    fail(peer, "no kind of descriptor: ", kind);
  set_blocking(pair[0], json_is_true(json_object_get(value, "blocking")));
  name_fd(peer, text_of(value, "id"), pair[0]);
  if (text_of(value, "far") != NULL)
    name_fd(peer, text_of(value, "far"), pair[1]);
}

static void fd_take(struct peer *peer, const json_t *value) {
  if (peer->arrived_count == 0) {
    if (text_of(value, "log") != NULL)
      record_text(peer, text_of(value, "log"), "nothing");
    name_fd(peer, text_of(value, "id"), -1);
    return;
  }
  name_fd(peer, text_of(value, "id"), peer->arrived[0]);
  peer->arrived_count--;
  if (peer->told > 0) peer->told--;
  memmove(peer->arrived, peer->arrived + 1,
          peer->arrived_count * sizeof peer->arrived[0]);
  if (text_of(value, "log") != NULL)
    record_text(peer, text_of(value, "log"), "ok");
}

/* ---- telling ------------------------------------------------------------- */

static long option_of(int fd, int option) {
  int number = -1;
  socklen_t length = sizeof number;
  if (getsockopt(fd, SOL_SOCKET, option, &number, &length) != 0) return -1;
  return number;
}

static const char *kind_of(int fd) {
  struct stat status;
  if (fstat(fd, &status) != 0) return "closed";
  if (S_ISREG(status.st_mode)) return "file";
  if (S_ISFIFO(status.st_mode)) return "pipe";
  if (!S_ISSOCK(status.st_mode)) return "device";
  long family = option_of(fd, SO_DOMAIN);
  bool listens = option_of(fd, SO_ACCEPTCONN) == 1;
  if (option_of(fd, SO_TYPE) == SOCK_DGRAM)
    return family == AF_UNIX ? "unix datagram" : "udp";
  if (family == AF_UNIX) return listens ? "unix listening" : "unix";
  return listens ? "tcp listening" : "tcp";
}

static void fd_about(struct peer *peer, const json_t *value) {
  int fd = fd_of(peer, text_of(value, "of"));
  const char *what = text_of(value, "what"), *label = text_of(value, "log");
  if (strcmp(what, "kind") == 0)
    record_text(peer, label, kind_of(fd));
  else if (strcmp(what, "blocking") == 0)
    record(peer, label, json_boolean((fcntl(fd, F_GETFL) & O_NONBLOCK) == 0));
  else
    fail(peer, "nothing to tell of a descriptor: ", what);
}

/* ---- using --------------------------------------------------------------- */

static void tell(struct peer *peer, const json_t *value, int error) {
  if (text_of(value, "log") != NULL)
    record_text(peer, text_of(value, "log"),
                error == 0 ? "ok" : error_name(error));
}

static void fd_accept(struct peer *peer, const json_t *value) {
  int server = fd_of(peer, text_of(value, "of"));
  bool came = await(server, POLLIN, now_ms() + PATIENCE_MS);
  int made = came ? accept4(server, NULL, NULL, SOCK_CLOEXEC) : -1;
  int error = made >= 0 ? 0 : came ? errno : ETIMEDOUT;
  name_fd(peer, text_of(value, "id"), made);
  tell(peer, value, error);
}

static void fd_connect(struct peer *peer, const json_t *value) {
  int error;
  int made = connect_to(fd_of(peer, text_of(value, "to")), &error);
  name_fd(peer, text_of(value, "id"), made);
  tell(peer, value, error);
}

static void fd_write(struct peer *peer, const json_t *value) {
  size_t length;
  char *bytes = payload(peer, value, &length);
  int error = write_all(fd_of(peer, text_of(value, "of")), bytes, length);
  tell(peer, value, error);
  free(bytes);
}

/* Reads `count` bytes, or to the end, and tells them as text. */
static void fd_read(struct peer *peer, const json_t *value) {
  enum { MOST = 2000 };
  char text[MOST + 1];
  size_t wanted = (size_t)number_of(value, "count", MOST), have = 0;
  int fd = fd_of(peer, text_of(value, "of"));
  long deadline = now_ms() + PATIENCE_MS;
  if (wanted > MOST) wanted = MOST;
  while (have < wanted) {
    if (!await(fd, POLLIN, deadline)) {
      record_text(peer, text_of(value, "log"), "nothing");
      return;
    }
    ssize_t count = read(fd, text + have, wanted - have);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count < 0 && errno != ECONNRESET) {
      record_text(peer, text_of(value, "log"), error_name(errno));
      return;
    }
    if (count <= 0) break;
    have += (size_t)count;
  }
  text[have] = '\0';
  record_text(peer, text_of(value, "log"), text);
}

static void fd_send_to(struct peer *peer, const json_t *value) {
  struct sockaddr_storage there;
  socklen_t size = sizeof there;
  size_t length;
  char *bytes = payload(peer, value, &length);
  int to = fd_of(peer, text_of(value, "to"));
  int from = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  bool good = getsockname(to, (struct sockaddr *)&there, &size) == 0 &&
              sendto(from, bytes, length, 0, (struct sockaddr *)&there, size) ==
                  (ssize_t)length;
  tell(peer, value, good ? 0 : errno);
  close(from);
  free(bytes);
}

bool fd_operation(struct peer *peer, const char *name, const json_t *value) {
  if (strcmp(name, "fd.open") == 0)
    fd_open(peer, value);
  else if (strcmp(name, "fd.take") == 0)
    fd_take(peer, value);
  else if (strcmp(name, "fd.about") == 0)
    fd_about(peer, value);
  else if (strcmp(name, "fd.accept") == 0)
    fd_accept(peer, value);
  else if (strcmp(name, "fd.connect") == 0)
    fd_connect(peer, value);
  else if (strcmp(name, "fd.write") == 0)
    fd_write(peer, value);
  else if (strcmp(name, "fd.read") == 0)
    fd_read(peer, value);
  else if (strcmp(name, "fd.send-to") == 0)
    fd_send_to(peer, value);
  else if (strcmp(name, "fd.listen") == 0)
    listen(fd_of(peer, json_string_value(value)), 128);
  else if (strcmp(name, "fd.close") == 0)
    close(fd_of(peer, json_string_value(value)));
  else
    return false;
  return true;
}
