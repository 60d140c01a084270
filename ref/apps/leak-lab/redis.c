/* SPDX-License-Identifier: MIT */
/*
 * redis.c: the cache outside of the process, through hiredis.
 *
 * Invariant: every command that was sent has had its reply read, and every
 * reply is freed, also when it is an error.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "where.h"

#ifdef LEAK_LAB_HAVE_REDIS

#include <hiredis/hiredis.h>

enum { WAIT_S = 20, PIPELINE = 1000 };

struct redis {
  redisContext *context;
  char *body; /* of redis_fill() */
};

static int say(const struct redis *redis, const char *what) {
  fprintf(stderr, "redis: %s: %s\n", what,
          redis->context->err != 0 ? redis->context->errstr : "no such answer");
  return PL_EPROTO;
}

int redis_begin(const char *socket, int port, struct redis **out) {
  const struct timeval wait = {.tv_sec = WAIT_S};
  struct redis *redis = calloc(1, sizeof *redis);
  if (redis == NULL) return PL_ENOMEM;
  redis->context = socket != NULL
                       ? redisConnectUnixWithTimeout(socket, wait)
                       : redisConnectWithTimeout("127.0.0.1", port, wait);
  if (redis->context == NULL) {
    free(redis);
    return PL_ENOMEM;
  }
  if (redis->context->err != 0) {
    say(redis, socket != NULL ? socket : "127.0.0.1");
    redis_end(redis);
    return PL_ECONNREFUSED;
  }
  redisSetTimeout(redis->context, wait);
  *out = redis;
  return 0;
}

void redis_end(struct redis *redis) {
  if (redis == NULL) return;
  redisFree(redis->context);
  free(redis->body);
  free(redis);
}

/* Reads a reply that must be of a type; NULL when it is not. */
static redisReply *reply_of(struct redis *redis, int type) {
  void *found = NULL;
  if (redisGetReply(redis->context, &found) != REDIS_OK) return NULL;
  redisReply *reply = found;
  if (reply->type == type) return reply;
  freeReplyObject(reply);
  return NULL;
}

int redis_fill(struct redis *redis, uint64_t count, size_t bytes) {
  char *body = realloc(redis->body, bytes + 1);
  if (body == NULL) return PL_ENOMEM;
  redis->body = body;
  for (uint64_t n = 0; n < count;) {
    uint64_t end = count - n < PIPELINE ? count : n + PIPELINE;
    for (uint64_t i = n; i < end; i++) {
      memset(body, 'a' + (int)(i % 26), bytes);
      if (redisAppendCommand(redis->context, "SET page:%" PRIu64 " %b", i, body,
                             bytes) != REDIS_OK)
        return say(redis, "SET");
    }
    for (; n < end; n++) {
      redisReply *reply = reply_of(redis, REDIS_REPLY_STATUS);
      if (reply == NULL) return say(redis, "SET");
      freeReplyObject(reply);
    }
  }
  return 0;
}

int redis_get(struct redis *redis, struct lab *lab, uint64_t n, void **out) {
  if (redisAppendCommand(redis->context, "GET page:%" PRIu64, n) != REDIS_OK)
    return say(redis, "GET");
  redisReply *reply = reply_of(redis, REDIS_REPLY_STRING);
  if (reply == NULL) return say(redis, "GET");
  void *text = pl_heap_allocate(lab->heap, lab->text, (size_t)reply->len);
  if (text != NULL) memcpy(text, reply->str, (size_t)reply->len);
  freeReplyObject(reply);
  if (text == NULL) return PL_ENOMEM;
  *out = text;
  return 0;
}

int redis_used(struct redis *redis, uint64_t *out) {
  if (redisAppendCommand(redis->context, "INFO memory") != REDIS_OK)
    return say(redis, "INFO");
  redisReply *reply = reply_of(redis, REDIS_REPLY_STRING);
  if (reply == NULL) return say(redis, "INFO");
  const char *at = strstr(reply->str, "used_memory:");
  int err = at == NULL ? say(redis, "INFO") : 0;
  if (err == 0) *out = strtoull(at + strlen("used_memory:"), NULL, 10);
  freeReplyObject(reply);
  return err;
}

#else

int redis_begin(const char *socket, int port, struct redis **out) {
  (void)socket;
  (void)port;
  (void)out;
  fputs("redis: built without hiredis\n", stderr);
  return PL_ENOTSUP;
}
void redis_end(struct redis *redis) {
  (void)redis;
}
int redis_fill(struct redis *redis, uint64_t count, size_t bytes) {
  (void)redis;
  (void)count;
  (void)bytes;
  return PL_ENOTSUP;
}
int redis_get(struct redis *redis, struct lab *lab, uint64_t n, void **out) {
  (void)redis;
  (void)lab;
  (void)n;
  (void)out;
  return PL_ENOTSUP;
}
int redis_used(struct redis *redis, uint64_t *out) {
  (void)redis;
  (void)out;
  return PL_ENOTSUP;
}

#endif
