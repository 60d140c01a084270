/* SPDX-License-Identifier: MIT */
/*
 * load.c: clients, all of them on one thread: so many are connected at a time,
 * and when one has its answer the next one comes.
 *
 *   connect -> (each 8th: pause) -> question -> answer -> end -> connect
 *
 * Invariant: a connection counts when its answer was whole and its end came.
 */
#include "ways.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum client_state { CONNECTING, PAUSING, ASKED };
enum { EACH = 8 }; /* which client pauses */

struct client {
  int fd;
  enum client_state state;
  uint64_t begun, due; /* us */
  uint32_t length;
  char first;
  bool pauses;
  struct client *next; /* who pauses, in order of due */
};

struct crowd {
  const struct load *load;
  struct load_result *result;
  int epoll;
  uint64_t end;
  uint32_t open, begun; /* connections */
  struct client *pausing, **pausing_end;
  float *times; /* us */
  size_t time_count, time_room;
};

static uint64_t now_us(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static void trouble(struct crowd *crowd, const char *what) {
  if (crowd->result->trouble[0]) return;
  snprintf(crowd->result->trouble, sizeof crowd->result->trouble, "%s: %s",
           what, strerror(errno));
}

static void end_client(struct crowd *crowd, struct client *client) {
  /* Ports are few: no TIME_WAIT. */
  struct linger at_once = {1, 0};
  if (client->fd < 0) return;
  setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(client->fd);
  client->fd = -1;
  crowd->open--;
}

static int connect_to(int port, int flags) {
  struct sockaddr_in name = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  if (fd < 0) return -1;
  if (connect(fd, (void *)&name, sizeof name) == 0 || errno == EINPROGRESS)
    return fd;
  close(fd);
  return -1;
}

static void begin_client(struct crowd *crowd, struct client *client) {
  *client = (struct client){.begun = now_us()};
  client->fd = connect_to(crowd->load->port, SOCK_NONBLOCK);
  if (client->fd < 0) {
    trouble(crowd, "connect");
    return;
  }
  crowd->open++;
  client->pauses = crowd->load->pause_us > 0 && crowd->begun++ % EACH == 0;
  struct epoll_event event = {.events = EPOLLOUT, .data.ptr = client};
  if (epoll_ctl(crowd->epoll, EPOLL_CTL_ADD, client->fd, &event))
    trouble(crowd, "epoll");
}

static void ask(struct crowd *crowd, struct client *client) {
  static const char question[] = "what is the answer?\n";
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
  client->state = ASKED;
  if (send(client->fd, question, sizeof question - 1, MSG_NOSIGNAL) < 0 ||
      epoll_ctl(crowd->epoll, EPOLL_CTL_MOD, client->fd, &event)) {
    trouble(crowd, "send");
    end_client(crowd, client);
  }
}

static void on_connected(struct crowd *crowd, struct client *client) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error) {
    errno = error;
    trouble(crowd, "connect");
    end_client(crowd, client);
  } else if (!client->pauses) {
    ask(crowd, client);
  } else {
    struct epoll_event event = {.events = 0, .data.ptr = client};
    epoll_ctl(crowd->epoll, EPOLL_CTL_MOD, client->fd, &event);
    client->state = PAUSING;
    client->due = now_us() + crowd->load->pause_us;
    *crowd->pausing_end = client;
    crowd->pausing_end = &client->next;
  }
}

static void record(struct crowd *crowd, const struct client *client) {
  unsigned worker = (unsigned char)client->first - (unsigned)'A';
  if (client->length != ANSWER || worker > WORKERS_MOST) {
    errno = 0;
    trouble(crowd, "an answer was not whole");
    return;
  }
  crowd->result->of_worker[worker]++;
  crowd->result->connections++;
  if (crowd->time_count == crowd->time_room) {
    size_t room = crowd->time_room ? crowd->time_room * 2 : 4096;
    float *times = realloc(crowd->times, room * sizeof *times);
    if (!times) return;
    crowd->times = times;
    crowd->time_room = room;
  }
  crowd->times[crowd->time_count++] = (float)(now_us() - client->begun);
}

static void on_answer(struct crowd *crowd, struct client *client) {
  char bytes[ANSWER * 2];
  ssize_t size = recv(client->fd, bytes, sizeof bytes, 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size > 0) {
    if (client->length == 0) client->first = bytes[0];
    client->length += (uint32_t)size;
    return;
  }
  if (size < 0)
    trouble(crowd, "recv");
  else
    record(crowd, client);
  end_client(crowd, client);
  if (now_us() < crowd->end && !crowd->result->trouble[0])
    begin_client(crowd, client);
}

/* Those whose pause is over ask; ms until the next one's is. */
static int ask_due(struct crowd *crowd) {
  uint64_t now = now_us();
  while (crowd->pausing && crowd->pausing->due <= now) {
    struct client *client = crowd->pausing;
    crowd->pausing = client->next;
    if (!crowd->pausing) crowd->pausing_end = &crowd->pausing;
    client->next = NULL;
    ask(crowd, client);
  }
  return crowd->pausing ? 1 : 1000;
}

static int by_time(const void *a, const void *b) {
  float one = *(const float *)a, other = *(const float *)b;
  return (one > other) - (one < other);
}

static void summarize(struct crowd *crowd) {
  struct load_result *result = crowd->result;
  size_t count = crowd->time_count;
  if (count == 0) return;
  qsort(crowd->times, count, sizeof *crowd->times, by_time);
  result->p50_us = (double)crowd->times[count / 2];
  result->p99_us = (double)crowd->times[(count * 99) / 100];
  result->most_us = (double)crowd->times[count - 1];
}

void load_run(const struct load *load, struct load_result *result) {
  struct crowd crowd = {.load = load, .result = result};
  struct client *clients = calloc(load->clients, sizeof *clients);
  struct epoll_event events[256];
  *result = (struct load_result){0};
  crowd.epoll = epoll_create1(EPOLL_CLOEXEC);
  crowd.pausing_end = &crowd.pausing;
  if (!clients || crowd.epoll < 0) way_die("clients");
  uint64_t begun = now_us(), last = begun;
  crowd.end = begun + (uint64_t)load->ms * 1000;
  for (uint32_t n = 0; n < load->clients; n++)
    begin_client(&crowd, &clients[n]);
  while (crowd.open > 0) {
    int count = epoll_wait(crowd.epoll, events, 256, ask_due(&crowd));
    for (int n = 0; n < count; n++) {
      struct client *client = events[n].data.ptr;
      if (client->state == CONNECTING)
        on_connected(&crowd, client);
      else if (client->state == ASKED)
        on_answer(&crowd, client);
    }
    if (count > 0) last = now_us();
    if (now_us() > last + 20 * 1000000) {
      errno = ETIMEDOUT;
      trouble(&crowd, "no answer");
    }
    if (result->trouble[0])
      for (uint32_t n = 0; n < load->clients; n++)
        end_client(&crowd, &clients[n]);
  }
  result->seconds = (double)(now_us() - begun) / 1e6;
  summarize(&crowd);
  close(crowd.epoll);
  free(crowd.times);
  free(clients);
}

uint32_t load_hold(int port, uint32_t count, int *fds) {
  uint32_t made = 0;
  while (made < count && (fds[made] = connect_to(port, 0)) >= 0)
    made++;
  return made;
}
