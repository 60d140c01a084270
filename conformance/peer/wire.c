/* SPDX-License-Identifier: MIT */
/*
 * The channel: bytes and descriptors out as the program says, in as they come.
 *
 * Invariant: descriptors are kept in the order of their arrival, and never
 * taken from anywhere but the control data of a message.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"

/* ---- in ------------------------------------------------------------------ */

static void keep_fds(struct peer *peer, struct msghdr *message) {
  for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at != NULL;
       at = CMSG_NXTHDR(message, at)) {
    if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS) continue;
    size_t count = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      if (peer->arrived_count == MAX_NAMED) fail(peer, "too many fds", "");
      memcpy(&peer->arrived[peer->arrived_count++],
             CMSG_DATA(at) + i * sizeof(int), sizeof(int));
    }
  }
}

/* Reads what is there, or waits for it. Returns false when nothing comes: the
 * end, or the deadline has passed. */
static bool receive(struct peer *peer, long deadline) {
  union {
    struct cmsghdr align;
    char room[CMSG_SPACE(253 * sizeof(int))];
  } control;
  if (peer->over || peer->wire < 0) return false;
  if (!await(peer->wire, POLLIN, deadline)) return false;
  if (peer->length + 65536 > peer->room) {
    peer->room = peer->room * 2 + 131072;
    peer->bytes = realloc(peer->bytes, peer->room);
    if (peer->bytes == NULL) abort();
  }
  struct iovec part = {peer->bytes + peer->length, 65536};
  struct msghdr message = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = control.room,
                           .msg_controllen = sizeof control.room};
  ssize_t count = recvmsg(peer->wire, &message, MSG_CMSG_CLOEXEC);
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  if (count <= 0) {
    peer->over = true;
    return false;
  }
  keep_fds(peer, &message);
  peer->length += (size_t)count;
  return true;
}

static void drop(struct peer *peer, size_t count) {
  memmove(peer->bytes, peer->bytes + count, peer->length - count);
  peer->length -= count;
}

/* The next line without its newline, free with free(); NULL when none comes,
 * with `*why`. */
static char *next_line(struct peer *peer, const char **why) {
  long deadline = now_ms() + PATIENCE_MS;
  for (;;) {
    char *end =
        peer->length > 0 ? memchr(peer->bytes, '\n', peer->length) : NULL;
    if (end != NULL) {
      size_t length = (size_t)(end - peer->bytes);
      char *line = strndup(peer->bytes, length);
      drop(peer, length + 1);
      return line;
    }
    if (receive(peer, deadline)) continue;
    *why = peer->over || peer->wire < 0 ? "EOF" : "nothing";
    return NULL;
  }
}

/* The member at a path with dots, as a scalar. */
static json_t *member_at(json_t *message, const char *path) {
  char part[64];
  while (message != NULL && *path != '\0') {
    size_t length = strcspn(path, ".");
    snprintf(part, sizeof part, "%.*s", (int)length, path);
    message = json_object_get(message, part);
    path += length + (path[length] == '.');
  }
  if (message == NULL) return json_string("undefined");
  if (!json_is_object(message) && !json_is_array(message))
    return json_incref(message);
  char *text = json_dumps(message, JSON_COMPACT | JSON_SORT_KEYS);
  json_t *result = json_string(text);
  free(text);
  return result;
}

static bool agrees(json_t *message, const json_t *wanted) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)wanted, key, value) {
    json_t *have = member_at(message, key);
    bool same = json_equal(have, value);
    json_decref(have);
    if (!same) return false;
  }
  return true;
}

static void tell_line(struct peer *peer, const json_t *value, const char *line,
                      json_t *message) {
  const char *label = text_of(value, "log");
  if (label == NULL) return;
  if (text_of(value, "get") == NULL &&
      !json_is_true(json_object_get(value, "sorted")))
    record_text(peer, label, line);
  else if (message == NULL)
    record_text(peer, label, "!not JSON");
  else
    record(peer, label,
           member_at(message, text_of(value, "get") != NULL
                                  ? text_of(value, "get")
                                  : ""));
}

static int send_pieces(struct peer *peer, const char *bytes, size_t length,
                       size_t piece, const int *fds, size_t count);

/* Sends the member that is asked for back, as a message. */
static void send_back(struct peer *peer, const json_t *value, json_t *message) {
  const char *path = text_of(value, "get");
  json_t *member = member_at(message, path != NULL ? path : "");
  char *text = json_dumps(member, JSON_COMPACT | JSON_ENCODE_ANY);
  size_t length = strlen(text);
  text[length] = '\n'; /* in place of the end */
  send_pieces(peer, text, length + 1, length + 1, NULL, 0);
  free(text);
  json_decref(member);
}

static void wire_line(struct peer *peer, const json_t *value) {
  const json_t *where = json_object_get(value, "where");
  for (;;) {
    const char *why = NULL;
    char *line = next_line(peer, &why);
    if (line == NULL) {
      if (text_of(value, "log") != NULL)
        record_text(peer, text_of(value, "log"), why);
      return;
    }
    json_t *message = json_loads(line, JSON_DECODE_ANY, NULL);
    bool wanted = where == NULL || (message && agrees(message, where));
    if (wanted) tell_line(peer, value, line, message);
    if (wanted && json_is_true(json_object_get(value, "back")))
      send_back(peer, value, message);
    json_decref(message);
    free(line);
    if (wanted) return;
  }
}

static void wire_bytes(struct peer *peer, const json_t *value) {
  size_t wanted = (size_t)number_of(value, "count", 0);
  long deadline = now_ms() + PATIENCE_MS;
  while (peer->length < wanted && receive(peer, deadline))
    ;
  size_t have = peer->length < wanted ? peer->length : wanted;
  char *text = as_hex(peer->bytes, have);
  record_text(peer, text_of(value, "log"), text);
  free(text);
  drop(peer, have);
}

static void wire_frame(struct peer *peer, const json_t *value) {
  long deadline = now_ms() + PATIENCE_MS;
  size_t wanted = 4;
  while (peer->length < wanted) {
    if (!receive(peer, deadline)) {
      record_text(peer, text_of(value, "log"), peer->over ? "EOF" : "nothing");
      return;
    }
    if (peer->length < 4) continue;
    const unsigned char *head = (const unsigned char *)peer->bytes;
    wanted = 4 + ((size_t)head[0] << 24 | (size_t)head[1] << 16 |
                  (size_t)head[2] << 8 | head[3]);
  }
  const unsigned char *head = (const unsigned char *)peer->bytes;
  wanted = 4 + ((size_t)head[0] << 24 | (size_t)head[1] << 16 |
                (size_t)head[2] << 8 | head[3]);
  while (peer->length < wanted && receive(peer, deadline))
    ;
  size_t have = peer->length < wanted ? peer->length : wanted;
  char *text = as_hex(peer->bytes + 4, have - 4);
  record_text(peer, text_of(value, "log"), text);
  free(text);
  drop(peer, have);
}

/* Reads to the end and tells how many lines came, or that no end came. */
static void wire_eof(struct peer *peer, const char *label) {
  long deadline = now_ms() + PATIENCE_MS;
  while (receive(peer, deadline))
    ;
  record_text(peer, label, peer->over || peer->wire < 0 ? "EOF" : "nothing");
}

static void wire_fds(struct peer *peer, const char *label) {
  record(peer, label,
         json_integer((json_int_t)(peer->arrived_count - peer->told)));
  peer->told = peer->arrived_count;
}

/* ---- out ----------------------------------------------------------------- */

static size_t gather(struct peer *peer, const json_t *value, int *fds) {
  const json_t *names = json_object_get(value, "fds");
  size_t count = 0;
  long times = number_of(value, "times", 1);
  for (long round = 0; round < times; round++)
    for (size_t i = 0; i < json_array_size(names); i++) {
      if (count == MAX_SENT) fail(peer, "too many fds for a message", "");
      fds[count++] = fd_of(peer, json_string_value(json_array_get(names, i)));
    }
  return count;
}

/* One sendmsg(2) with all descriptors. Returns the bytes it took, or -1. */
static ssize_t send_with(int wire, const char *bytes, size_t length,
                         const int *fds, size_t count) {
  union {
    struct cmsghdr align;
    char room[CMSG_SPACE(MAX_SENT * sizeof(int))];
  } control;
  struct iovec part = {(char *)bytes, length};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  memset(&control, 0, sizeof control);
  if (count > 0) {
    message.msg_control = control.room;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(head), fds, count * sizeof(int));
  }
  ssize_t sent;
  do
    sent = sendmsg(wire, &message, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent;
}

static int send_pieces(struct peer *peer, const char *bytes, size_t length,
                       size_t piece, const int *fds, size_t count) {
  long deadline = now_ms() + PATIENCE_MS;
  size_t done = 0;
  while (done < length) {
    size_t now = length - done < piece ? length - done : piece;
    ssize_t sent = send_with(peer->wire, bytes + done, now, fds, count);
    if (sent < 0 && errno == EAGAIN && await(peer->wire, POLLOUT, deadline))
      continue;
    if (sent < 0) return errno;
    count = 0; /* they went with the first byte */
    done += (size_t)sent;
  }
  return 0;
}

static void wire_send(struct peer *peer, const json_t *value) {
  int fds[MAX_SENT];
  size_t length;
  size_t count = gather(peer, value, fds);
  char *bytes = payload(peer, value, &length);
  size_t piece = (size_t)number_of(value, "pieces-of", (long)length);
  int error = peer->wire < 0
                  ? EBADF
                  : send_pieces(peer, bytes, length, piece > 0 ? piece : length,
                                fds, count);
  if (text_of(value, "log") != NULL)
    record_text(peer, text_of(value, "log"), error ? error_name(error) : "ok");
  free(bytes);
}

static void wire_close(struct peer *peer) {
  if (peer->wire >= 0) close(peer->wire);
  peer->wire = -1;
  peer->over = true;
}

bool wire_operation(struct peer *peer, const char *name, const json_t *value) {
  if (strcmp(name, "wire.line") == 0)
    wire_line(peer, value);
  else if (strcmp(name, "wire.bytes") == 0)
    wire_bytes(peer, value);
  else if (strcmp(name, "wire.frame") == 0)
    wire_frame(peer, value);
  else if (strcmp(name, "wire.eof") == 0)
    wire_eof(peer, json_string_value(value));
  else if (strcmp(name, "wire.fds") == 0)
    wire_fds(peer, json_string_value(value));
  else if (strcmp(name, "wire.send") == 0)
    wire_send(peer, value);
  else if (strcmp(name, "wire.close") == 0)
    wire_close(peer);
  else if (strcmp(name, "wire.half-close") == 0)
    shutdown(peer->wire, SHUT_WR);
  else
    return false;
  return true;
}
