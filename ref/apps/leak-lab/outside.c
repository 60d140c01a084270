/* SPDX-License-Identifier: MIT */
/*
 * outside.c: plumb-leak-outside: the same requests over a cache in this
 * process, or in a Redis server, and what that does to the pauses of full
 * collections, to a request's own time, and to memory.
 *
 * A request takes a page of the cache, checks it, and makes an answer that is
 * garbage at once. After each tenth of the requests there is a full collection,
 * so every arm has as many.
 *
 * Invariant: a time is only told of a run whose pages were all right.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plumb/pauses.h"
#include "plumb/usage.h"
#include "where.h"

enum { COLLECTIONS = 10, ANSWER = 1024 };

struct asked {
  bool redis, steps;
  const char *socket;
  uint64_t port, entries, bytes, requests;
};

struct outside {
  const struct asked *asked;
  struct lab lab;
  struct redis *redis;
  struct pl_root map;
  struct pl_histogram majors, minors, stops, gets; /* ns; stops: all pauses */
  uint64_t random;
  bool measuring;
};

static uint64_t read_clock(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Requests wait for a server, so theirs is the time on the wall. A collection
 * waits for nobody: what it takes of the processor is what it takes where
 * nothing else runs. */
static uint64_t wall_ns(void) {
  return read_clock(CLOCK_MONOTONIC);
}

static uint64_t cpu_ns(void *self) {
  (void)self;
  return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

static void on_event(void *arg, const struct pl_gc_event *event) {
  struct outside *self = arg;
  if (!self->measuring) return;
  pl_histogram_add(&self->stops, event->pause_ns);
  if (event->kind == PL_GC_MINOR)
    pl_histogram_add(&self->minors, event->pause_ns);
  else
    pl_histogram_add(&self->majors, event->pause_ns);
}

/* -- the cache ---------------------------------------------------------------
 */

static int fill_map(struct outside *self) {
  int err = lab_map_new(&self->lab, &self->map.object);
  for (uint64_t n = 0; n < self->asked->entries && err == 0; n++) {
    struct pl_scope scope;
    void **page, *made;
    pl_scope_open(self->lab.heap, &scope);
    err = lab_text(&self->lab, self->asked->bytes, n, &made);
    if (err == 0) err = lab_handle(&self->lab, made, &page);
    if (err == 0) err = lab_map_set(&self->lab, &self->map.object, n, page);
    pl_scope_close(self->lab.heap, &scope);
  }
  return err;
}

static int get(struct outside *self, uint64_t n, void **out) {
  if (self->redis != NULL) return redis_get(self->redis, &self->lab, n, out);
  *out = lab_map_get(self->map.object, n);
  return *out == NULL ? PL_EPROTO : 0;
}

static bool right(const void *page, uint64_t n, size_t bytes) {
  const char *text = page;
  char wanted = (char)('a' + (int)(n % 26));
  return pl_heap_bytes_of(page) == ((bytes + 7) & ~(size_t)7) &&
         text[0] == wanted && text[bytes - 1] == wanted;
}

static uint64_t next_random(struct outside *self) {
  self->random ^= self->random << 13;
  self->random ^= self->random >> 7;
  self->random ^= self->random << 17;
  return self->random;
}

static int request(struct outside *self) {
  uint64_t n = next_random(self) % self->asked->entries;
  void *page, *answer;
  uint64_t begun = wall_ns();
  int err = get(self, n, &page);
  if (err != 0) return err;
  pl_histogram_add(&self->gets, wall_ns() - begun);
  if (!right(page, n, self->asked->bytes)) return PL_EPROTO;
  return lab_text(&self->lab, ANSWER, n, &answer);
}

/* At once, or in steps between which requests would be served. */
static void collect(struct outside *self) {
  if (!self->asked->steps) {
    pl_heap_collect(self->lab.heap, PL_GC_MAJOR);
    return;
  }
  while (pl_heap_step(self->lab.heap, 1000000, 0))
    continue;
}

static int serve(struct outside *self) {
  int err = 0;
  uint64_t part = self->asked->requests / COLLECTIONS;
  /* The first finds what filling has left behind. */
  pl_heap_collect(self->lab.heap, PL_GC_MAJOR);
  self->measuring = true;
  for (uint64_t n = 1; n <= self->asked->requests && err == 0; n++) {
    err = request(self);
    if (err == 0 && n % part == 0) collect(self);
  }
  self->measuring = false;
  return err;
}

/* -- a run --------------------------------------------------------------------
 */

static void print_times(const char *name, const struct pl_histogram *times) {
  printf(", \"%s\": {\"count\": %" PRIu64 ", \"p50\": %" PRIu64
         ", \"p99\": %" PRIu64 ", \"max\": %" PRIu64 "}",
         name, times->count, pl_histogram_quantile(times, 0.5),
         pl_histogram_quantile(times, 0.99), times->max);
}

static int print(const struct outside *self) {
  struct pl_memory_usage usage;
  uint64_t used = 0;
  int err = pl_memory_usage(self->lab.heap, &usage);
  if (err == 0 && self->redis != NULL) err = redis_used(self->redis, &used);
  if (err != 0) return err;
  printf("{\"kind\": \"outside\", \"format\": 1, \"implementation\": \"ref\", "
         "\"where\": \"%s\", \"entries\": %" PRIu64 ", \"bytes\": %" PRIu64
         ", \"requests\": %" PRIu64,
         self->asked->redis   ? "redis"
         : self->asked->steps ? "process, in steps"
                              : "process",
         self->asked->entries, self->asked->bytes, self->asked->requests);
  print_times("majors", &self->majors);
  print_times("minors", &self->minors);
  print_times("stops", &self->stops);
  print_times("gets", &self->gets);
  printf(", \"rss\": %zu, \"heapUsed\": %zu, \"serverUsed\": %" PRIu64 "}\n",
         usage.rss, usage.heap_used, used);
  return fflush(stdout) == 0 ? 0 : PL_EIO;
}

static int run(struct outside *self) {
  const struct asked *asked = self->asked;
  const struct pl_heap_config config = {
      .clock = {.now_ns = cpu_ns}, .arg = self, .on_event = on_event};
  int err = pl_heap_create(&config, &self->lab.heap);
  if (err != 0) return err;
  pl_root_add(self->lab.heap, &self->map, NULL);
  err = lab_types(&self->lab);
  if (err == 0 && asked->redis)
    err = redis_begin(asked->socket, (int)asked->port, &self->redis);
  if (err == 0)
    err = asked->redis ? redis_fill(self->redis, asked->entries, asked->bytes)
                       : fill_map(self);
  if (err == 0) err = serve(self);
  if (err == 0) err = print(self);
  redis_end(self->redis);
  pl_root_remove(&self->map);
  pl_heap_destroy(self->lab.heap);
  return err;
}

static int refuse(const char *word) {
  fprintf(stderr,
          "plumb-leak-outside: not understood: %s\n"
          "usage: plumb-leak-outside process|steps|redis [OPTION VALUE]...\n"
          "  --socket PATH, --port N   where the server is\n"
          "  --entries N (10000)  --bytes N (200)  --requests N (20000)\n",
          word);
  return 2;
}

static bool take(struct asked *asked, const char *name, const char *word) {
  char *end;
  if (strcmp(name, "--socket") == 0) {
    asked->socket = word;
    return true;
  }
  uint64_t *into = strcmp(name, "--port") == 0       ? &asked->port
                   : strcmp(name, "--entries") == 0  ? &asked->entries
                   : strcmp(name, "--bytes") == 0    ? &asked->bytes
                   : strcmp(name, "--requests") == 0 ? &asked->requests
                                                     : NULL;
  errno = 0;
  uint64_t value = strtoull(word, &end, 10);
  if (into == NULL || errno != 0 || *word < '0' || *word > '9' ||
      *end != '\0' || value == 0 || value > 100000000)
    return false;
  *into = value;
  return true;
}

int main(int argc, char **argv) {
  struct asked asked = {
      .port = 6379, .entries = 10000, .bytes = 200, .requests = 20000};
  if (argc < 2) return refuse("no words");
  asked.redis = strcmp(argv[1], "redis") == 0;
  asked.steps = strcmp(argv[1], "steps") == 0;
  if (!asked.redis && !asked.steps && strcmp(argv[1], "process") != 0)
    return refuse(argv[1]);
  for (int at = 2; at < argc; at += 2)
    if (at + 1 == argc || !take(&asked, argv[at], argv[at + 1]))
      return refuse(argv[at]);
  if (asked.requests < COLLECTIONS || asked.port > 65535)
    return refuse("so few requests, or such a port");
  signal(SIGPIPE, SIG_IGN); /* a server that goes is an error like others */
  struct outside *self = calloc(1, sizeof *self);
  if (self == NULL) return 1;
  self->asked = &asked;
  self->random = UINT64_C(88172645463325252);
  int err = run(self);
  free(self);
  if (err == 0) return 0;
  fprintf(stderr, "plumb-leak-outside: %s\n", pl_error_text(err));
  return err == PL_ENOMEM ? 1 : 2;
}
