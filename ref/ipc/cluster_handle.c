/* SPDX-License-Identifier: MIT */
/*
 * cluster_handle.c: the sockets of a primary: who listens on them, and who gets
 * the next connection.
 *
 *   accept()  ->  waiting  ->  handoff (fd on its way)  ->  accepted: closed
 *                    ^                  |
 *                    +--- given back ---+
 *
 * Invariant: as in cluster.h; besides, nothing waits while somebody is free.
 */
#include "cluster.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ACCEPTS_IN_A_ROW = 64, ACCEPT_RETRY_MS = 20, DEFAULT_WAITING = 1024 };

static void *memory(struct pl_cluster *cluster, void *block, size_t size) {
  return pl__resize(&cluster->loop->allocator, block, size);
}

/* ---------------------------------------------------------------------- */
/* Crowds                                                                 */

static size_t place_of(const struct pl__crowd *crowd,
                       const struct pl_worker *worker) {
  size_t i = 0;
  while (i < crowd->count && crowd->workers[i] != worker)
    i++;
  return i;
}

static int crowd_reserve(struct pl_cluster *cluster, struct pl__crowd *crowd) {
  if (crowd->count < crowd->capacity) return 0;
  size_t capacity = crowd->capacity == 0 ? 8 : crowd->capacity * 2;
  struct pl_worker **workers =
      memory(cluster, crowd->workers, capacity * sizeof(struct pl_worker *));
  if (workers == NULL) return PL_ENOMEM;
  crowd->workers = workers;
  crowd->capacity = capacity;
  return 0;
}

/* Each of the two crowds of a handle has room for all of its workers. */
static void crowd_enter(struct pl__crowd *crowd, struct pl_worker *worker) {
  if (place_of(crowd, worker) == crowd->count)
    crowd->workers[crowd->count++] = worker;
}

static bool crowd_leave(struct pl__crowd *crowd,
                        const struct pl_worker *worker) {
  size_t at = place_of(crowd, worker);
  if (at == crowd->count) return false;
  crowd->count--;
  memmove(&crowd->workers[at], &crowd->workers[at + 1],
          (crowd->count - at) * sizeof(struct pl_worker *));
  return true;
}

/* ---------------------------------------------------------------------- */
/* Connections                                                            */

/* One thing less refers to the handle: a connection on its way, or (closing) a
 * part of it. */
static void release_handle(struct pl__shared_handle *handle) {
  struct pl_cluster *cluster = handle->cluster;
  if (--handle->open > 0 || !handle->closing) return;
  memory(cluster, handle->all.workers, 0);
  memory(cluster, handle->free.workers, 0);
  memory(cluster, handle->waiting, 0);
  memory(cluster, handle->key, 0);
  memory(cluster, handle, 0);
  cluster->closing_handles--;
  pl__cluster_closed_one(cluster);
}

static void forget_handoff(struct pl__handoff *handoff) {
  struct pl_worker *worker = handoff->worker;
  struct pl__handoff **link = &worker->handoffs;
  while (*link != handoff)
    link = &(*link)->next;
  *link = handoff->next;
  worker->handoff_count--;
}

static int wait_again(struct pl__shared_handle *handle, int fd) {
  if (handle->first + handle->count == handle->room) {
    if (handle->first > 0) {
      memmove(handle->waiting, handle->waiting + handle->first,
              handle->count * sizeof *handle->waiting);
      handle->first = 0;
    } else {
      size_t room = handle->room == 0 ? 64 : handle->room * 2;
      int *waiting =
          memory(handle->cluster, handle->waiting, room * sizeof *waiting);
      if (waiting == NULL) return PL_ENOMEM;
      handle->waiting = waiting;
      handle->room = room;
    }
  }
  handle->waiting[handle->first + handle->count++] = fd;
  return 0;
}

static int next_waiting(struct pl__shared_handle *handle) {
  int fd = handle->waiting[handle->first++];
  if (--handle->count == 0) handle->first = 0;
  return fd;
}

static void distribute(struct pl__shared_handle *handle);

/* A descriptor that no worker has: it waits for another one. */
static void give_back(struct pl__shared_handle *handle, int fd) {
  if (handle->closing || wait_again(handle, fd) != 0)
    close(fd);
  else
    distribute(handle);
}

/* The channel is through with the request: the worker has the descriptor, or
 * never will. */
static void on_acknowledged(struct pl_send *send, int status) {
  struct pl__handoff *handoff = (struct pl__handoff *)(void *)send;
  struct pl_cluster *cluster = handoff->worker->cluster;
  struct pl__shared_handle *handle = handoff->handle;
  int fd = handoff->fd;
  /* From a worker that is being closed no answer will come. */
  if (status == 0 && !handoff->answered && handoff->worker->open == 0) {
    handoff->acknowledged = true;
    return;
  }
  if (!handoff->answered) {
    forget_handoff(handoff);
    if (status == 0)
      close(fd);
    else
      give_back(handle, fd);
    release_handle(handle);
  }
  memory(cluster, handoff, 0);
}

static int hand_off(struct pl__shared_handle *handle, struct pl_worker *worker,
                    int fd) {
  struct pl_cluster *cluster = handle->cluster;
  struct pl__handoff *handoff = memory(cluster, NULL, sizeof *handoff);
  if (handoff == NULL) return PL_ENOMEM;
  *handoff = (struct pl__handoff){.send = {.acknowledged = on_acknowledged},
                                  .worker = worker,
                                  .handle = handle,
                                  .seq = cluster->seq,
                                  .fd = fd};
  struct pl_passing passing = {
      .type = PL_HANDLE_NET_NATIVE, .keep_open = 1, .fd = fd};
  struct pl_values *values = &cluster->values;
  pl_values_reset(values);
  struct pl_value *object = pl_value_object(values);
  pl_value_set(values, object, "act", pl_value_string(values, "newconn"));
  pl_value_set(values, object, "key",
               pl_value_borrowed(values, PL_VALUE_STRING, handle->key,
                                 handle->key_length));
  int result = pl__cluster_send(worker, object, &passing, &handoff->send);
  if (result < 0) {
    memory(cluster, handoff, 0);
    return result;
  }
  handoff->next = worker->handoffs;
  worker->handoffs = handoff;
  worker->handoff_count++;
  handle->open++;
  return 0;
}

static void accept_again(struct pl__shared_handle *handle) {
  if (!handle->paused || handle->closing) return;
  handle->paused = false;
  pl_poll_start(&handle->io, handle->fd, PL_READABLE);
}

/* Gives what waits to those who are free. */
static void distribute(struct pl__shared_handle *handle) {
  const struct pl_scheduler *scheduler = handle->cluster->config.scheduler;
  struct pl__crowd *free = &handle->free;
  while (handle->count > 0 && free->count > 0) {
    size_t at = free->count == 1 ? 0
                                 : scheduler->pick(scheduler->self,
                                                   free->workers, free->count);
    struct pl_worker *worker = free->workers[at < free->count ? at : 0];
    int fd = next_waiting(handle);
    crowd_leave(free, worker);
    if (hand_off(handle, worker, fd) != 0) {
      /* It is about to go; what could not be sent waits for another one. */
      if (wait_again(handle, fd) != 0) close(fd);
      continue;
    }
    if (worker->handoff_count < handle->cluster->config.depth)
      crowd_enter(free, worker);
  }
  if (handle->count < handle->cluster->config.waiting / 2) accept_again(handle);
}

static void on_retry(void *arg, int status) {
  (void)status;
  accept_again(arg);
}

static void pause_accepting(struct pl__shared_handle *handle, bool for_a_time) {
  handle->paused = true;
  pl_handle_stop(&handle->io);
  if (for_a_time) pl_timer_start(&handle->retry, ACCEPT_RETRY_MS, 0);
}

static void on_connections(void *arg, int status) {
  struct pl__shared_handle *handle = arg;
  (void)status;
  for (int i = 0; i < ACCEPTS_IN_A_ROW && !handle->closing; i++) {
    if (handle->count >= handle->cluster->config.waiting) {
      pause_accepting(handle, false);
      break;
    }
    int fd = accept4(handle->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK)
        pause_accepting(handle, true); /* EMFILE and its like pass */
      break;
    }
    if (wait_again(handle, fd) != 0) close(fd);
  }
  distribute(handle);
}

void pl__cluster_answer(struct pl_worker *worker, double ack, bool accepted) {
  struct pl__handoff *handoff = worker->handoffs;
  while (handoff != NULL && handoff->seq != ack)
    handoff = handoff->next;
  if (handoff == NULL) {
    pl__cluster_problem(worker, PL_EPROTO, "an answer to no connection");
    return;
  }
  struct pl__shared_handle *handle = handoff->handle;
  int fd = handoff->fd;
  forget_handoff(handoff);
  if (handoff->acknowledged)
    memory(worker->cluster, handoff, 0);
  else
    handoff->answered = true; /* the channel has it still */
  if (place_of(&handle->all, worker) < handle->all.count)
    crowd_enter(&handle->free, worker);
  if (accepted) {
    close(fd);
    distribute(handle);
  } else {
    /* To somebody else first, when there is one. */
    bool others = crowd_leave(&handle->free, worker) && handle->free.count > 0;
    if (!others && place_of(&handle->all, worker) < handle->all.count)
      crowd_enter(&handle->free, worker);
    give_back(handle, fd);
    if (others) crowd_enter(&handle->free, worker);
    distribute(handle);
  }
  release_handle(handle);
}

/* ---------------------------------------------------------------------- */
/* The life of a handle                                                   */

static void on_handle_closed(void *arg, int status) {
  (void)status;
  release_handle(arg);
}

/* Nobody listens any more. */
static void close_handle(struct pl__shared_handle *handle) {
  struct pl_cluster *cluster = handle->cluster;
  struct pl__shared_handle **link = &cluster->handles;
  while (*link != handle)
    link = &(*link)->next;
  *link = handle->next;
  handle->closing = true;
  cluster->closing_handles++;
  while (handle->count > 0)
    close(next_waiting(handle));
  handle->open += 2;
  pl_handle_close(&handle->io, on_handle_closed);
  pl_handle_close(&handle->retry, on_handle_closed);
  if (handle->fd >= 0) close(handle->fd);
  handle->fd = -1;
}

static bool key_is(const struct pl__shared_handle *handle, const char *key,
                   size_t length) {
  return handle->key_length == length && memcmp(handle->key, key, length) == 0;
}

static struct pl__shared_handle *find_handle(struct pl_cluster *cluster,
                                             const char *key, size_t length) {
  struct pl__shared_handle *handle = cluster->handles;
  while (handle != NULL && !key_is(handle, key, length))
    handle = handle->next;
  return handle;
}

static int make_handle(struct pl_cluster *cluster, const char *key,
                       size_t length, const struct pl_listen *what,
                       struct pl__shared_handle **out) {
  struct pl__shared_handle *handle = memory(cluster, NULL, sizeof *handle);
  char *copy = memory(cluster, NULL, length + 1);
  if (handle == NULL || copy == NULL) {
    memory(cluster, handle, 0);
    memory(cluster, copy, 0);
    return PL_ENOMEM;
  }
  memcpy(copy, key, length);
  copy[length] = '\0';
  bool udp = what->type == PL_ADDRESS_UDP4 || what->type == PL_ADDRESS_UDP6;
  *handle = (struct pl__shared_handle){.cluster = cluster,
                                       .key = copy,
                                       .key_length = length,
                                       .shared = cluster->config.shared || udp,
                                       .next = cluster->handles,
                                       .fd = -1};
  cluster->handles = handle;
  pl_poll_init(cluster->loop, &handle->io, on_connections, handle);
  pl_timer_init(cluster->loop, &handle->retry, on_retry, handle);
  if (what->fd >= 0) {
    handle->fd = dup(what->fd);
    handle->error = handle->fd < 0 ? -errno : 0;
  } else {
    handle->error = pl_listen_open(what, !handle->shared, &handle->fd);
  }
  if (handle->error == 0 && !handle->shared)
    handle->error = pl_poll_start(&handle->io, handle->fd, PL_READABLE);
  *out = handle;
  return 0;
}

/* ---------------------------------------------------------------------- */
/* Questions                                                              */

static int listen_of(const struct pl_value *ask, char *address, size_t size,
                     struct pl_listen *what) {
  const struct pl_value *name = pl_value_get(ask, "address");
  const struct pl_value *type = pl_value_get(ask, "addressType");
  *what = (struct pl_listen){
      .port = (int)pl_value_to_number(pl_value_get(ask, "port"), -1),
      .fd = (int)pl_value_to_number(pl_value_get(ask, "fd"), -1),
      .flags = (unsigned)pl_value_to_number(pl_value_get(ask, "flags"), 0),
      .backlog = (int)pl_value_to_number(pl_value_get(ask, "backlog"), 0)};
  if (pl_value_is(type, "udp4"))
    what->type = PL_ADDRESS_UDP4;
  else if (pl_value_is(type, "udp6"))
    what->type = PL_ADDRESS_UDP6;
  else
    what->type = (int)pl_value_to_number(type, 4);
  if (name == NULL || name->type != PL_VALUE_STRING || name->length == 0)
    return 0;
  if (name->length >= size) return PL_ENAMETOOLONG;
  memcpy(address, name->bytes, name->length);
  address[name->length] = '\0';
  what->address = address;
  return 0;
}

/* A part of a key, as a template literal of JavaScript shows it. */
static void add_shown(struct pl__bytes *key, const struct pl_value *value) {
  if (value == NULL)
    pl__bytes_add(key, "undefined", 9);
  else if (value->type == PL_VALUE_STRING)
    pl__bytes_add(key, value->bytes, value->length);
  else
    (void)pl__json_put(key, (struct pl_value *)(uintptr_t)value);
}

/* "address:port:addressType:fd:index" */
static int key_of(const struct pl_value *ask, struct pl__bytes *key) {
  static const char *const parts[] = {"address", "port", "addressType", "fd",
                                      "index"};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    if (i > 0) pl__bytes_add(key, ":", 1);
    add_shown(key, pl_value_get(ask, parts[i]));
  }
  return key->failed ? PL_ENOMEM : 0;
}

static struct pl_value *name_value(struct pl_values *values, int fd,
                                   char *address, size_t size) {
  int port;
  if (pl_listen_name(fd, &port, address, size) != 0 || address[0] == '\0')
    return NULL;
  bool six = strchr(address, ':') != NULL;
  struct pl_value *name = pl_value_object(values);
  pl_value_set(values, name, "address", pl_value_string(values, address));
  pl_value_set(values, name, "family",
               pl_value_string(values, six ? "IPv6" : "IPv4"));
  pl_value_set(values, name, "port", pl_value_number(values, port));
  return name;
}

/* Tells a worker what has become of its question. */
static int reply(struct pl_worker *worker, const struct pl_value *ask,
                 const struct pl__shared_handle *handle, const char *key,
                 size_t length, int error) {
  struct pl_values *values = &worker->cluster->values;
  char address[64];
  struct pl_passing passing = {.type = PL_HANDLE_NET_NATIVE, .keep_open = 1};
  bool passes = error == 0 && handle->shared;
  pl_values_reset(values);
  struct pl_value *object = pl_value_object(values);
  struct pl_value *said = error == 0 && !passes
                              ? pl_value_plain(values, PL_VALUE_NULL)
                              : pl_value_number(values, error);
  const struct pl_value *data = pl_value_get(ask, "data");
  pl_value_set(values, object, "errno", said);
  pl_value_set(values, object, "key",
               pl_value_borrowed(values, PL_VALUE_STRING, key, length));
  pl_value_set(
      values, object, "ack",
      pl_value_number(values, pl_value_to_number(pl_value_get(ask, "seq"), 0)));
  pl_value_set(values, object, "data",
               data != NULL ? (struct pl_value *)(uintptr_t)data
                            : pl_value_plain(values, PL_VALUE_NULL));
  if (error == 0 && !passes) {
    struct pl_value *name =
        name_value(values, handle->fd, address, sizeof address);
    pl_value_set(values, object, "sockname", name);
  }
  if (values->failed) return PL_ENOMEM;
  if (!passes) return pl__cluster_send(worker, object, NULL, NULL);
  const struct pl_value *type = pl_value_get(ask, "addressType");
  if (pl_value_is(type, "udp4") || pl_value_is(type, "udp6"))
    passing.type = PL_HANDLE_DGRAM_NATIVE;
  passing.fd = handle->fd;
  return pl__cluster_send(worker, object, &passing, NULL);
}

/* Lets a worker listen. */
static int join(struct pl__shared_handle *handle, struct pl_worker *worker) {
  struct pl_cluster *cluster = handle->cluster;
  int error = crowd_reserve(cluster, &handle->all);
  while (error == 0 && handle->free.capacity < handle->all.capacity) {
    size_t count = handle->free.count;
    handle->free.count = handle->free.capacity;
    error = crowd_reserve(cluster, &handle->free);
    handle->free.count = count;
  }
  if (error != 0) return error;
  crowd_enter(&handle->all, worker);
  return 0;
}

void pl__cluster_query(struct pl_worker *worker, const struct pl_value *ask) {
  struct pl_cluster *cluster = worker->cluster;
  struct pl__bytes key = {.allocator = &cluster->loop->allocator};
  struct pl__shared_handle *handle = NULL;
  char address[128];
  struct pl_listen what;
  int error = listen_of(ask, address, sizeof address, &what);
  if (error == 0) error = key_of(ask, &key);
  if (worker->exited_after_disconnect) goto done; /* it is about to go */
  if (error == 0) {
    handle = find_handle(cluster, key.data, key.length);
    if (handle == NULL)
      error = make_handle(cluster, key.data, key.length, &what, &handle);
  }
  if (error == 0) error = handle->error;
  if (error == 0) error = join(handle, worker);
  int sent = reply(worker, ask, handle, key.data == NULL ? "" : key.data,
                   key.length, error);
  if (error == 0 && sent >= 0) {
    if (!handle->shared) crowd_enter(&handle->free, worker);
    distribute(handle);
  } else if (handle != NULL) {
    crowd_leave(&handle->all, worker);
    if (handle->all.count == 0) close_handle(handle);
  }
  if (sent < 0)
    pl__cluster_problem(worker, sent, "a question could not be answered");

done:
  pl__bytes_free(&key);
}

/* returns: it is about to be started again, and connections wait for it. */
static void leave(struct pl__shared_handle *handle, struct pl_worker *worker,
                  bool returns) {
  if (!crowd_leave(&handle->all, worker)) return;
  crowd_leave(&handle->free, worker);
  if (handle->all.count == 0 && !returns) close_handle(handle);
}

void pl__cluster_leave(struct pl_worker *worker, const struct pl_value *key) {
  if (key == NULL || key->type != PL_VALUE_STRING) return;
  struct pl__shared_handle *handle =
      find_handle(worker->cluster, key->bytes, key->length);
  if (handle != NULL) leave(handle, worker, false);
}

void pl__cluster_leave_all(struct pl_worker *worker, bool returns) {
  struct pl__shared_handle *next;
  /* What it has acknowledged it may have served: that is lost with it. What it
   * has not, comes back when its channel lets the request go. */
  for (struct pl__handoff *at = worker->handoffs, *behind; at != NULL;
       at = behind) {
    behind = at->next;
    if (!at->acknowledged) continue;
    struct pl__shared_handle *handle = at->handle;
    close(at->fd);
    forget_handoff(at);
    release_handle(handle);
    memory(worker->cluster, at, 0);
  }
  for (struct pl__shared_handle *at = worker->cluster->handles; at != NULL;
       at = next) {
    next = at->next;
    leave(at, worker, returns);
  }
}

void pl__cluster_close_idle(struct pl_cluster *cluster) {
  struct pl__shared_handle *next;
  for (struct pl__shared_handle *at = cluster->handles; at != NULL; at = next) {
    next = at->next;
    if (at->all.count == 0) close_handle(at);
  }
}

void pl__cluster_close_handles(struct pl_cluster *cluster) {
  while (cluster->handles != NULL)
    close_handle(cluster->handles);
}

size_t pl_cluster_waiting(const struct pl_cluster *cluster) {
  size_t count = 0;
  for (const struct pl__shared_handle *at = cluster->handles; at != NULL;
       at = at->next)
    count += at->count;
  return count;
}
