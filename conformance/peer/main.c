/* SPDX-License-Identifier: MIT */
/*
 * plumb-peer: a process that speaks the wire of a channel byte by byte, well
 * or badly, as its role in a case tells it.
 *
 * It is started as a child (with NODE_CHANNEL_FD, or without a channel) and
 * performs its operations one after the other. Invariant: it tells what it
 * saw and judges nothing; every event is one write(2) of less than PIPE_BUF.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "peer.h"

long now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (long)time.tv_sec * 1000 + (long)(time.tv_nsec / 1000000);
}

static void write_line(struct peer *peer, json_t *message) {
  char *line = json_dumps(message, JSON_COMPACT);
  size_t length = line != NULL ? strlen(line) : 0;
  if (line == NULL || length + 1 > PIPE_BUF) {
    fprintf(stderr, "plumb-peer: an event does not fit into one write\n");
    exit(70);
  }
  line[length] = '\n';
  ssize_t written;
  do
    written = write(peer->out, line, length + 1);
  while (written < 0 && errno == EINTR);
  free(line);
  json_decref(message);
}

static json_t *message_of(const struct peer *peer) {
  json_t *message = json_pack("{s:I}", "seq", peer->seq);
  if (peer->id != NULL)
    json_object_set_new(message, "of", json_string(peer->id));
  return message;
}

void record(struct peer *peer, const char *label, json_t *value) {
  json_t *message = message_of(peer);
  if (label == NULL) fail(peer, "an event without a label", "");
  json_object_set_new(message, "event",
                      value != NULL ? json_pack("[so]", label, value)
                                    : json_string(label));
  write_line(peer, message);
}

void record_text(struct peer *peer, const char *label, const char *text) {
  json_t *value = json_string(text);
  if (value == NULL) value = json_string("!not UTF-8");
  record(peer, label, value);
}

void fail(struct peer *peer, const char *what, const char *which) {
  json_t *message = message_of(peer);
  json_t *error = json_pack("{s:s+}", "message", what, which);
  json_object_set_new(message, "error", error);
  write_line(peer, message);
  exit(70);
}

const char *text_of(const json_t *argument, const char *key) {
  return json_string_value(json_object_get(argument, key));
}

long number_of(const json_t *argument, const char *key, long fallback) {
  const json_t *value = json_object_get(argument, key);
  return json_is_integer(value) ? (long)json_integer_value(value) : fallback;
}

const char *error_name(int error) {
  const char *name = strerrorname_np(error);
  return name != NULL ? name : "unknown error";
}

bool await(int fd, short events, long deadline) {
  for (;;) {
    long left = deadline - now_ms();
    struct pollfd one = {.fd = fd, .events = events};
    int ready = poll(&one, 1, left > 0 ? (int)left : 0);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
    if (left <= 0) return false;
  }
}

int write_all(int fd, const char *bytes, size_t count) {
  long deadline = now_ms() + PATIENCE_MS;
  while (count > 0) {
    ssize_t written = write(fd, bytes, count);
    if (written >= 0) {
      bytes += written;
      count -= (size_t)written;
    } else if (errno == EAGAIN) {
      if (!await(fd, POLLOUT, deadline)) return ETIMEDOUT;
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

static void perform(struct peer *peer, const json_t *operation) {
  const char *name =
      json_object_iter_key(json_object_iter((json_t *)operation));
  const json_t *value = name ? json_object_get(operation, name) : NULL;
  if (name == NULL) fail(peer, "an operation has one key", "");
  if (!wire_operation(peer, name, value) && !fd_operation(peer, name, value) &&
      !self_operation(peer, name, value))
    fail(peer, "no operation of a peer: ", name);
}

/* Reads the request that lies beside the trace. */
static json_t *read_request(const char *trace) {
  char path[PATH_MAX];
  json_error_t why;
  snprintf(path, sizeof path, "%s.json", trace);
  json_t *request = json_load_file(path, JSON_DISABLE_EOF_CHECK, &why);
  if (request == NULL) fprintf(stderr, "plumb-peer: %s: %s\n", path, why.text);
  return request;
}

/* The channel that the environment names, which is then hidden. */
static int find_wire(void) {
  const char *text = getenv("NODE_CHANNEL_FD");
  if (text == NULL) return -1;
  int fd = (int)strtol(text, NULL, 10);
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  return fd;
}

int main(void) {
  static struct peer peer;
  const char *role = getenv("PLUMB_ROLE");
  peer.id = getenv("PLUMB_AS");
  peer.trace = getenv("PLUMB_TRACE");
  alarm(LIFETIME_S);
  if (peer.trace == NULL || role == NULL) {
    fprintf(stderr, "plumb-peer: a case starts this, with PLUMB_TRACE and "
                    "PLUMB_ROLE\n");
    return 64;
  }
  json_t *request = read_request(peer.trace);
  json_t *roles = json_object_get(json_object_get(request, "program"), "roles");
  json_t *program = json_object_get(roles, role);
  peer.out = open(peer.trace, O_WRONLY | O_CLOEXEC);
  if (peer.out >= 0 && peer.out < 10) { /* not where a descriptor is expected */
    int above = fcntl(peer.out, F_DUPFD_CLOEXEC, 10);
    close(peer.out);
    peer.out = above;
  }
  if (program == NULL || peer.out < 0) {
    fprintf(stderr, "plumb-peer: no role `%s` in %s\n", role, peer.trace);
    return 65;
  }
  peer.request = request;
  peer.seq = json_integer_value(json_object_get(request, "seq"));
  peer.wire = find_wire();
  size_t i;
  json_t *operation;
  json_array_foreach(program, i, operation) perform(&peer, operation);
  return 0;
}
