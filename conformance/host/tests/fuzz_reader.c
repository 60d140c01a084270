/* SPDX-License-Identifier: MIT */
/*
 * fuzz_reader.c: programs that were good once, damaged, before the reader.
 *
 * Invariant: whatever is read gives an answer, and a message where it is not
 * READ_OK; the sanitizer builds see the rest. The damage is the same in every
 * run of the same number of rounds.
 *
 * Usage: fuzz_reader [ROUNDS]
 */
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const seeds[] = {
    "{\"main\":[{\"timer\":{\"id\":\"t\",\"after\":1,\"repeat\":2,\"start\":"
    "true,\"each\":[[{\"log\":\"a\"}],[{\"stop\":\"t\"}]]}},{\"timer.start\":{"
    "\"of\":\"t\",\"after\":3,\"log\":\"l\"}},{\"close\":{\"of\":\"t\","
    "\"then\":[{\"log\":[\"c\",\"$closing:t\"]}]}}],\"pool\":2}",
    "{\"main\":[{\"timeout\":{\"id\":\"x\",\"after\":\"NaN\",\"then\":[{"
    "\"log\":[\"v\",1.5]},{\"chain\":{\"of\":\"tick\",\"length\":10,\"then\":["
    "{\"clear\":\"x\"}]}}]}},{\"interval\":{\"id\":\"i\",\"every\":1e3}},{"
    "\"refresh\":\"x\"},{\"unref\":\"i\"},{\"log\":[\"h\",\"$hasref:i\"]}]}",
    "{\"main\":[{\"poll\":{\"id\":\"p\",\"drain\":false}},{\"poll.write\":"
    "\"p\"},{\"async\":{\"id\":\"a\"}},{\"async.send\":{\"to\":\"a\",\"times\""
    ":3,\"threads\":2}},{\"signal\":{\"id\":\"s\",\"signal\":\"SIGHUP\"}},{"
    "\"raise\":\"SIGHUP\"},{\"work\":{\"id\":\"w\",\"block\":1}},{\"cancel\":{"
    "\"of\":\"w\",\"log\":\"c\"}},{\"fs.stat\":{\"path\":\"/\"}},{\"run\":{"
    "\"mode\":\"once\",\"log\":\"r\"}},{\"stop-loop\":{}},{\"block\":1}]}",
};

/* Pieces that tend to hurt. */
static const char *const pieces[] = {"null",
                                     "true",
                                     "-1",
                                     "1e308",
                                     "9223372036854775807",
                                     "\"\"",
                                     "[]",
                                     "{}",
                                     "\"t\"",
                                     "\"$\"",
                                     "{\"log\":\"a\"}",
                                     "[[],[]]",
                                     ",",
                                     "\"id\"",
                                     ":",
                                     "\"of\"",
                                     "\"then\":[]",
                                     "0.5",
                                     "\"$active:\"",
                                     "\"\\u0000\"",
                                     "\"\\ud800\"",
                                     "{\"run\":{}}"};

static uint64_t state = 88172645463325252u;

static size_t random_below(size_t most) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (size_t)(state % most);
}

/* Replaces a stretch of the text with a piece, or with another stretch. */
static size_t damage(char *text, size_t length, size_t room) {
  char piece[128];
  size_t size = 0;
  if (random_below(2)) {
    const char *chosen = pieces[random_below(sizeof pieces / sizeof *pieces)];
    size = strlen(chosen);
    memcpy(piece, chosen, size);
  } else if (length) {
    size_t from = random_below(length);
    size = random_below(sizeof piece);
    if (size > length - from) size = length - from;
    memcpy(piece, text + from, size);
  }
  size_t at = random_below(length + 1);
  size_t cut = random_below(random_below(4) ? 4 : 40);
  if (cut > length - at) cut = length - at;
  if (length - cut + size > room) return length;
  memmove(text + at + size, text + at + cut, length - at - cut);
  memcpy(text + at, piece, size);
  return length - cut + size;
}

static int read_one(struct arena *arena, const struct library *library,
                    const char *text, size_t length) {
  json_t *json = json_loadb(text, length, JSON_DECODE_ANY, NULL);
  if (!json) return 0;
  struct program program;
  char message[512] = "";
  arena_reset(arena);
  enum read_status status =
      program_read(&program, arena, library, json, message, sizeof message);
  json_decref(json);
  if ((status == READ_OK) == (*message == '\0')) return 1;
  fprintf(stderr, "status %d, message `%s`\n%.*s\n", (int)status, message,
          (int)length, text);
  exit(1);
}

int main(int argc, char **argv) {
  long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 50000;
  const struct pl_provider provider = {.name = "fuzz", .version = "0"};
  const struct library library = {.provider = &provider,
                                  .capabilities = (1u << CAP_COUNT) - 1};
  struct arena arena = {0};
  long read = 0;
  char text[4096];
  for (long i = 0; i < rounds; i++) {
    const char *seed = seeds[random_below(sizeof seeds / sizeof *seeds)];
    size_t length = strlen(seed);
    memcpy(text, seed, length);
    for (size_t n = random_below(6); n > 0; n--)
      length = damage(text, length, sizeof text);
    read += read_one(&arena, &library, text, length);
  }
  arena_free(&arena);
  printf("%ld of %ld programs were JSON\n", read, rounds);
  return read > rounds / 50 ? 0 : 1;
}
