/* SPDX-License-Identifier: MIT */
/*
 * ends.c: the two ends of a channel for white-box tests.
 *
 * Invariant: a raw read waits for at most some seconds, so that a test fails
 * rather than hangs.
 */
#include "ends.h"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

int count_open_fds(void) {
  int count = 0;
  DIR *dir = opendir("/proc/self/fd");
  assert_non_null(dir);
  while (readdir(dir) != NULL)
    count++;
  closedir(dir);
  return count;
}

bool fd_is_open(int fd) {
  return fcntl(fd, F_GETFD) >= 0;
}

void end_say(struct end *end, const char *format, ...) {
  size_t length = strlen(end->log);
  va_list list;
  va_start(list, format);
  if (length > 0 && length < END_LOG - 1) end->log[length++] = ' ';
  vsnprintf(end->log + length, END_LOG - length, format, list);
  va_end(list);
}

void end_acknowledged(struct pl_send *send, int status) {
  end_say(send->arg, "acknowledged:%s",
          status == 0 ? "0" : pl_error_name(status));
}

static void on_message(void *arg, struct pl_message *message) {
  struct end *end = arg;
  end->messages++;
  if (message->length > end->longest) end->longest = message->length;
  if (end->on_message != NULL) {
    end->on_message(end, message);
    return;
  }
  if (message->length < 200) {
    struct pl__bytes text = {.allocator = &end->ends->values.allocator};
    assert_int_equal(message->value->type == PL_VALUE_UNDEFINED
                         ? 0
                         : pl__json_put(&text, message->value),
                     0);
    pl__bytes_add(&text, "", 1);
    end_say(end, "%s", text.data);
    pl__bytes_free(&text);
  }
  if (message->type != PL_HANDLE_NONE)
    end_say(end, "%s*%u", pl_handle_type_name(message->type),
            message->fd_count);
  if (end->keep && message->fd_count == 1)
    end->fds[end->fd_count++] = pl_message_take(message);
  if (end->echo)
    assert_true(pl_channel_send(&end->channel, message->value, NULL, NULL) >=
                0);
}

static void on_internal(void *arg, struct pl_message *message) {
  end_say(arg, "internal");
  (void)message;
}

static void on_problem(void *arg, int error, const char *what) {
  assert_true(strlen(what) > 4);
  end_say(arg, "!%s", pl_error_name(error));
}

static void on_drained(void *arg) {
  end_say(arg, "drained");
}

static void on_ended(void *arg, int reason) {
  struct end *end = arg;
  assert_false(end->ended);
  end->ended = true;
  end->reason = reason;
  end_say(end, "ended:%s", reason == 0 ? "0" : pl_error_name(reason));
}

static const struct pl_channel_events end_events = {.message = on_message,
                                                    .internal = on_internal,
                                                    .problem = on_problem,
                                                    .drained = on_drained,
                                                    .ended = on_ended};

static void on_end_closed(void *arg, int status) {
  struct end *end = arg;
  (void)status;
  end->closed = true;
}

static struct ends *begin(void) {
  struct ends *ends = calloc(1, sizeof *ends);
  ends->open_before = count_open_fds();
  ends->world = world_begin_pool(1);
  pl_values_init(&ends->values, NULL);
  ends->peer = -1;
  ends->a.ends = ends->b.ends = ends;
  pl_channel_init(ends->world->loop, &ends->a.channel, &end_events, &ends->a);
  return ends;
}

struct ends *ends_raw(const struct pl_channel_config *config) {
  struct ends *ends = begin();
  struct timeval wait = {.tv_sec = 20};
  int pair[2];
  ends->b.closed = true;
  assert_int_equal(pl_channel_pair(pair), 0);
  assert_int_equal(pl_channel_open(&ends->a.channel, pair[0], config), 0);
  ends->peer = pair[1];
  setsockopt(ends->peer, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  return ends;
}

struct ends *ends_both(const struct pl_channel_config *config) {
  struct ends *ends = begin();
  int pair[2];
  pl_channel_init(ends->world->loop, &ends->b.channel, &end_events, &ends->b);
  assert_int_equal(pl_channel_pair(pair), 0);
  assert_int_equal(pl_channel_open(&ends->a.channel, pair[0], config), 0);
  assert_int_equal(pl_channel_open(&ends->b.channel, pair[1], config), 0);
  return ends;
}

void ends_teardown(struct ends *ends) {
  for (int i = 0; i < ends->a.fd_count; i++)
    close(ends->a.fds[i]);
  for (int i = 0; i < ends->b.fd_count; i++)
    close(ends->b.fds[i]);
  if (ends->peer >= 0) close(ends->peer);
  if (!ends->a.closed) pl_channel_close(&ends->a.channel, on_end_closed);
  if (!ends->b.closed) pl_channel_close(&ends->b.channel, on_end_closed);
  pl_loop_run(ends->world->loop, PL_LOOP_DEFAULT);
  assert_true(ends->a.closed && ends->b.closed);
  world_end(ends->world);
  pl_values_free(&ends->values);
  assert_int_equal(count_open_fds(), ends->open_before);
  free(ends);
}

void ends_turn(struct ends *ends) {
  for (int i = 0; i < 12; i++)
    pl_loop_run(ends->world->loop, PL_LOOP_NOWAIT);
}

void peer_send(struct ends *ends, const char *text) {
  size_t length = strlen(text);
  assert_int_equal(send(ends->peer, text, length, MSG_NOSIGNAL), length);
}

void peer_send_fds(struct ends *ends, const char *text, const int *fds,
                   int count) {
  char control[CMSG_SPACE(253 * sizeof(int))] = {0};
  size_t size = (size_t)count * sizeof(int);
  struct iovec bytes = {(void *)(uintptr_t)text, strlen(text)};
  struct msghdr message = {.msg_iov = &bytes,
                           .msg_iovlen = 1,
                           .msg_control = control,
                           .msg_controllen = CMSG_SPACE(size)};
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  *head = (struct cmsghdr){.cmsg_len = CMSG_LEN(size),
                           .cmsg_level = SOL_SOCKET,
                           .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(head), fds, size);
  assert_int_equal(sendmsg(ends->peer, &message, MSG_NOSIGNAL), bytes.iov_len);
}

ssize_t peer_read(struct ends *ends, char *data, size_t size, int *fd) {
  char control[CMSG_SPACE(4 * sizeof(int))];
  struct iovec bytes = {data, size};
  struct msghdr message = {.msg_iov = &bytes,
                           .msg_iovlen = 1,
                           .msg_control = control,
                           .msg_controllen = sizeof control};
  ssize_t got = recvmsg(ends->peer, &message, MSG_CMSG_CLOEXEC);
  *fd = -1;
  struct cmsghdr *head = got >= 0 ? CMSG_FIRSTHDR(&message) : NULL;
  if (head != NULL) memcpy(fd, CMSG_DATA(head), sizeof *fd);
  return got;
}

void expect_peer(struct ends *ends, const char *text) {
  char data[8192];
  size_t length = 0, wanted = strlen(text);
  while (length < wanted) {
    ssize_t got = recv(ends->peer, data + length, sizeof data - 1 - length, 0);
    assert_true(got > 0);
    length += (size_t)got;
  }
  data[length] = '\0';
  assert_string_equal(data, text);
  assert_int_equal(recv(ends->peer, data, 1, MSG_DONTWAIT | MSG_PEEK), -1);
}

int end_send(struct end *end, const char *text) {
  struct pl_values *values = &end->ends->values;
  return pl_channel_send(&end->channel, pl_value_string(values, text), NULL,
                         NULL);
}

int end_pass(struct end *end, const char *text, enum pl_handle_type type,
             int fd, struct pl_send *send) {
  struct pl_passing passing = {.type = (uint8_t)type, .fd = fd};
  return pl_channel_send(
      &end->channel, pl_value_string(&end->ends->values, text), &passing, send);
}

int open_server(void) {
  struct sockaddr_in name = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  assert_true(fd >= 0);
  assert_int_equal(bind(fd, (void *)&name, sizeof name), 0);
  assert_int_equal(listen(fd, 511), 0);
  return fd;
}

int open_udp(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  assert_true(fd >= 0);
  return fd;
}
