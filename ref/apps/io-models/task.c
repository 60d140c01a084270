// SPDX-License-Identifier: MIT
// The work itself: N streams, whole messages, every one verified.
//
// Invariant: a message counts only when all of its bytes are here, its
// checksum is right and it is the next one of its descriptor; the run is
// good only when the counted messages are the plan's and no byte is left.
#include "lab.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define IO_BUFFERED 4u // messages that one read can take

int io_task_trouble(struct io_task *task, const char *what, int error) {
  if (!task->trouble[0])
    snprintf(task->trouble, sizeof task->trouble, "%s: %s", what,
             strerror(error));
  return -error;
}

// A listening socket whose abstract address the kernel chooses.
static int listener_open(struct sockaddr_un *address, socklen_t *len) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  struct timeval patience = {10, 0};
  struct sockaddr_un anywhere = {.sun_family = AF_UNIX};
  *len = sizeof *address;
  if (bind(fd, (struct sockaddr *)&anywhere, sizeof(sa_family_t)) < 0 ||
      listen(fd, SOMAXCONN) < 0 ||
      setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) <
          0 ||
      getsockname(fd, (struct sockaddr *)address, len) < 0) {
    int error = errno;
    close(fd);
    return -error;
  }
  return fd;
}

static int accept_all(struct io_task *task, int listener) {
  for (uint32_t i = 0; i < task->plan->n; i++) {
    int fd;
    do {
      fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) return -errno;
    task->streams[i].fd = fd;
    atomic_fetch_add(&task->open, 1);
  }
  return 0;
}

static int feeder_start(struct io_task *task, int listener,
                        const struct sockaddr_un *address, socklen_t len) {
  int gate[2];
  if (pipe2(gate, O_CLOEXEC) < 0) return -errno;
  task->feeder = fork();
  if (task->feeder == 0) {
    close(gate[1]);
    close(listener);
    io_feeder(task->plan, task->shared, address, len, gate[0]);
  }
  int error = errno;
  close(gate[0]);
  task->gate = gate[1];
  return task->feeder < 0 ? -error : 0;
}

static int memory_take(struct io_task *task) {
  const struct io_plan *plan = task->plan;
  task->capacity = (size_t)plan->size * IO_BUFFERED;
  task->streams = calloc(plan->n, sizeof *task->streams);
  task->buffers = calloc(plan->n, task->capacity);
  void *shared = mmap(NULL, sizeof *task->shared, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  task->shared = shared == MAP_FAILED ? NULL : shared;
  if (!task->streams || !task->buffers || !task->shared) return -ENOMEM;
  for (uint32_t i = 0; i < plan->n; i++) {
    task->streams[i].fd = -1;
    task->streams[i].index = i;
    task->streams[i].buf = task->buffers + i * task->capacity;
  }
  return 0;
}

int io_task_open(struct io_task *task, const struct io_plan *plan) {
  memset(task, 0, sizeof *task);
  task->plan = plan;
  task->feeder = -1;
  task->gate = -1;
  int error = memory_take(task);
  if (error) return io_task_trouble(task, "memory of the streams", -error);
  struct sockaddr_un address;
  socklen_t len;
  int listener = listener_open(&address, &len);
  if (listener < 0) return io_task_trouble(task, "listener", -listener);
  error = feeder_start(task, listener, &address, len);
  if (error) io_task_trouble(task, "feeder", -error);
  if (!error && (error = accept_all(task, listener)))
    io_task_trouble(task, "accept", -error);
  close(listener);
  return error;
}

void io_task_close(struct io_task *task) {
  if (task->gate >= 0) close(task->gate);
  if (task->feeder > 0) {
    kill(task->feeder, SIGKILL); // it has ended, or is of no use any more
    while (waitpid(task->feeder, NULL, 0) < 0 && errno == EINTR) {
    }
  }
  for (uint32_t i = 0; task->streams && i < task->plan->n; i++)
    if (task->streams[i].fd >= 0) close(task->streams[i].fd);
  if (task->shared) munmap(task->shared, sizeof *task->shared);
  free(task->buffers);
  free(task->streams);
}

void io_task_begin(struct io_task *task, struct io_meter *user) {
  io_meter_first(user);
  task->begin = io_moment_of_process();
  atomic_store_explicit(&task->phase, IO_MEASURE, memory_order_release);
  while (write(task->gate, "g", 1) < 0 && errno == EINTR) {
  }
}

void io_task_hang_up(struct io_task *task) {
  for (uint32_t i = 0; i < task->plan->n; i++)
    shutdown(task->streams[i].fd, SHUT_RDWR);
}

void io_task_break(struct io_task *task, int error) {
  int none = 0;
  atomic_compare_exchange_strong(&task->broken, &none, error);
  kill(task->feeder, SIGKILL);
}

int io_set_nonblocking(struct io_meter *meter, int fd, int more_flags) {
  int flags = io_fcntl(meter, fd, F_GETFL, 0);
  if (flags < 0) return -errno;
  if (io_fcntl(meter, fd, F_SETFL, flags | O_NONBLOCK | more_flags) < 0)
    return -errno;
  return 0;
}

// The last message ends the measured part, whoever has read it.
static void message_counted(struct io_task *task, struct io_meter *meter) {
  uint64_t count = 1 + atomic_fetch_add_explicit(&task->shared->consumed, 1,
                                                 memory_order_acq_rel);
  bool last = count == task->plan->total;
  if (last) task->end = io_moment_of_process();
  if (last || meter->timed) io_meter_last(meter);
  if (!last) return;
  task->memory_end = io_memory_now();
  atomic_store_explicit(&task->phase, IO_DRAIN, memory_order_release);
  atomic_store(&task->shared->closing, true);
}

static int message_check(struct io_task *task, struct io_stream *stream,
                         const unsigned char *message) {
  struct io_head head;
  memcpy(&head, message, sizeof head);
  uint64_t seed = (uint64_t)head.index << 32 | head.seq;
  uint64_t sum = io_checksum(seed, message + IO_HEAD,
                             task->plan->size - IO_HEAD);
  if (head.index != stream->index || head.seq != stream->next ||
      head.sum != sum)
    return -EBADMSG;
  stream->next++;
  atomic_fetch_add_explicit(&task->digest, io_mix(seed ^ sum),
                            memory_order_relaxed);
  return 0;
}

// The last message releases the feeder, so a stream that ends while
// messages are missing ended too early.
static int stream_end(struct io_task *task, struct io_stream *stream) {
  stream->ended = true;
  atomic_fetch_sub(&task->open, 1);
  if (stream->fill > 0) return -EBADMSG;
  uint64_t count = atomic_load(&task->shared->consumed);
  return count < task->plan->total ? -EPIPE : 0;
}

static int take_messages(struct io_task *task, struct io_meter *meter,
                         struct io_stream *stream) {
  size_t at = 0, size = task->plan->size;
  for (; stream->fill - at >= size; at += size) {
    int error = message_check(task, stream, stream->buf + at);
    if (error) return error;
    message_counted(task, meter);
  }
  stream->fill -= at;
  if (at > 0) memmove(stream->buf, stream->buf + at, stream->fill);
  return 0;
}

static uint64_t take_clock(const struct io_meter *meter) {
  return meter->timed ? io_clock(CLOCK_THREAD_CPUTIME_ID) : 0;
}

int io_stream_take(struct io_task *task, struct io_meter *meter,
                   struct io_stream *stream, size_t n) {
  if (n == 0) return stream_end(task, stream);
  stream->fill += n;
  uint64_t from = take_clock(meter);
  int error = take_messages(task, meter, stream);
  meter->take_cpu_ns += take_clock(meter) - from;
  return error;
}

int io_stream_read(struct io_task *task, struct io_meter *meter,
                   struct io_stream *stream, bool *drained) {
  size_t room = task->capacity - stream->fill;
  ssize_t n = io_read(meter, stream->fd, stream->buf + stream->fill, room);
  if (drained) *drained = n < 0 || (size_t)n < room;
  if (n < 0) return -errno;
  return io_stream_take(task, meter, stream, (size_t)n);
}
