/* SPDX-License-Identifier: MIT */
/*
 * decisions.c: keeps the tree of an exploration, and reduces it.
 *
 * Invariants:
 *  - A place is filled once. Its content is NOWHERE, or a kind in the low two
 *    bits and a number above them.
 *  - Reduced decisions are hash-consed: equal ones are one, an option's target
 *    has a smaller number than its decision, and not all targets are equal.
 */
#include "decisions.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum kind { QUESTION, TRACE, SAME };
#define NOWHERE UINT64_MAX

struct question {
  uint32_t text; /* interned */
  uint32_t options;
  uint32_t first; /* place of option 0; the others follow */
};

/* A growing array of one type. */
#define GROW(array, count, room)                                               \
  do {                                                                         \
    if ((count) == (room)) {                                                   \
      (room) = (room) ? (room)*2 : 64;                                         \
      (array) = pl_mem_grow((array), (room) * sizeof *(array));                \
    }                                                                          \
  } while (0)

struct table { /* of numbers, by hash */
  uint32_t *bucket;
  size_t buckets; /* a power of two */
  size_t count;
};

struct decisions {
  uint64_t *places;
  size_t place_count, place_room;
  struct question *questions;
  size_t question_count, question_room;
  char **texts;
  size_t text_count, text_room;
  struct table text_table;

  /* Reduced: decisions, with their targets one behind the other. */
  struct question *reduced;
  size_t reduced_count, reduced_room;
  uint64_t *targets;
  size_t target_count, target_room;
  struct table reduced_table;
  uint64_t *memo; /* by place; 0: not reduced yet, else target + 1 */
  uint64_t root;
};

static uint64_t pack(enum kind kind, uint64_t number) {
  return number << 2 | kind;
}
static enum kind kind_of(uint64_t content) {
  return (enum kind)(content & 3);
}
static uint32_t number_of(uint64_t content) {
  return (uint32_t)(content >> 2);
}

static uint64_t mix(uint64_t hash, uint64_t number) {
  hash = (hash ^ number) * UINT64_C(0x9e3779b97f4a7c15);
  return hash ^ hash >> 29;
}

/* -- hashing --------------------------------------------------------------- */

typedef uint64_t hash_fn(const struct decisions *all, uint32_t number);

static void rehash(const struct decisions *all, struct table *table,
                   hash_fn *hash) {
  size_t buckets = table->buckets ? table->buckets * 2 : 256;
  free(table->bucket);
  table->bucket = pl_mem_alloc(buckets * sizeof *table->bucket);
  table->buckets = buckets;
  for (uint32_t i = 0; i < table->count; i++) {
    size_t at = hash(all, i) & (buckets - 1);
    while (table->bucket[at])
      at = (at + 1) & (buckets - 1);
    table->bucket[at] = i + 1;
  }
}

static uint64_t hash_string(const char *string) {
  uint64_t hash = 0;
  while (*string)
    hash = mix(hash, (unsigned char)*string++);
  return hash;
}

static uint64_t hash_text(const struct decisions *all, uint32_t number) {
  return hash_string(all->texts[number]);
}

static uint32_t intern(struct decisions *all, const char *what) {
  struct table *table = &all->text_table;
  if (table->count * 2 >= table->buckets) rehash(all, table, hash_text);
  size_t at = hash_string(what) & (table->buckets - 1);
  for (; table->bucket[at]; at = (at + 1) & (table->buckets - 1))
    if (strcmp(all->texts[table->bucket[at] - 1], what) == 0)
      return table->bucket[at] - 1;
  GROW(all->texts, all->text_count, all->text_room);
  all->texts[all->text_count++] = pl_mem_copy(what);
  table->bucket[at] = (uint32_t)++table->count;
  return (uint32_t)table->count - 1;
}

/* -- the tree -------------------------------------------------------------- */

static uint32_t new_place(struct decisions *all) {
  GROW(all->places, all->place_count, all->place_room);
  all->places[all->place_count] = NOWHERE;
  return (uint32_t)all->place_count++;
}

struct decisions *decisions_new(void) {
  struct decisions *all = pl_mem_alloc(sizeof *all);
  new_place(all);
  all->root = NOWHERE;
  return all;
}

void decisions_free(struct decisions *all) {
  if (!all) return;
  for (size_t i = 0; i < all->text_count; i++)
    free(all->texts[i]);
  free(all->texts);
  free(all->text_table.bucket);
  free(all->places);
  free(all->questions);
  free(all->reduced);
  free(all->targets);
  free(all->reduced_table.bucket);
  free(all);
}

uint32_t decisions_ask(struct decisions *all, uint32_t place, const char *what,
                       unsigned options) {
  struct question question = {.text = intern(all, what), .options = options};
  question.first = new_place(all);
  for (unsigned i = 1; i < options; i++)
    new_place(all);
  GROW(all->questions, all->question_count, all->question_room);
  all->questions[all->question_count] = question;
  all->places[place] = pack(QUESTION, all->question_count);
  return (uint32_t)all->question_count++;
}

uint32_t decisions_answer(const struct decisions *all, uint32_t question,
                          unsigned option) {
  return all->questions[question].first + option;
}

unsigned decisions_options(const struct decisions *all, uint32_t question) {
  return all->questions[question].options;
}

void decisions_trace(struct decisions *all, uint32_t place, uint32_t trace) {
  all->places[place] = pack(TRACE, trace);
}

void decisions_same(struct decisions *all, uint32_t place, uint32_t as) {
  all->places[place] = pack(SAME, as);
}

/* -- reduction ------------------------------------------------------------- */

static uint64_t hash_decision(const struct decisions *all, uint32_t number) {
  const struct question *it = &all->reduced[number];
  uint64_t hash = it->text;
  for (uint32_t i = 0; i < it->options; i++)
    hash = mix(hash, all->targets[it->first + i]);
  return hash;
}

static bool equal(const struct decisions *all, const struct question *a,
                  const struct question *b) {
  return a->text == b->text && a->options == b->options &&
         memcmp(&all->targets[a->first], &all->targets[b->first],
                a->options * sizeof *all->targets) == 0;
}

/* The decision whose targets were put last; found, or kept as a new one. */
static uint64_t cons(struct decisions *all, uint32_t text, uint32_t options) {
  struct table *table = &all->reduced_table;
  if (table->count * 2 >= table->buckets) rehash(all, table, hash_decision);
  GROW(all->reduced, all->reduced_count, all->reduced_room);
  struct question it = {.text = text,
                        .options = options,
                        .first = (uint32_t)(all->target_count - options)};
  all->reduced[all->reduced_count] = it;
  size_t at =
      hash_decision(all, (uint32_t)all->reduced_count) & (table->buckets - 1);
  for (; table->bucket[at]; at = (at + 1) & (table->buckets - 1)) {
    uint32_t found = table->bucket[at] - 1;
    if (!equal(all, &all->reduced[found], &it)) continue;
    all->target_count -= options;
    return pack(QUESTION, found);
  }
  table->bucket[at] = (uint32_t)++table->count;
  return pack(QUESTION, all->reduced_count++);
}

static uint64_t reduce(struct decisions *all, uint32_t place);

/* Answers that lead nowhere were not explored, and decide nothing. */
static uint64_t reduce_question(struct decisions *all, uint32_t number) {
  struct question it = all->questions[number];
  uint64_t *targets = pl_mem_alloc(it.options * sizeof *targets);
  bool differ = false;
  for (uint32_t i = 0; i < it.options; i++) {
    targets[i] = reduce(all, it.first + i);
    differ = differ || targets[i] != targets[0];
  }
  uint64_t target = targets[0];
  if (differ) {
    for (uint32_t i = 0; i < it.options; i++) {
      GROW(all->targets, all->target_count, all->target_room);
      all->targets[all->target_count++] = targets[i];
    }
    target = cons(all, it.text, it.options);
  }
  free(targets);
  return target;
}

static uint64_t reduce(struct decisions *all, uint32_t place) {
  if (all->memo[place]) return all->memo[place] - 1;
  all->memo[place] = pack(TRACE, UINT32_MAX) + 1; /* a circle leads nowhere */
  uint64_t content = all->places[place];
  uint64_t target = pack(TRACE, UINT32_MAX);
  if (content != NOWHERE && kind_of(content) == TRACE)
    target = content;
  else if (content != NOWHERE && kind_of(content) == SAME)
    target = reduce(all, number_of(content));
  else if (content != NOWHERE)
    target = reduce_question(all, number_of(content));
  all->memo[place] = target + 1;
  return target;
}

void decisions_reduce(struct decisions *all) {
  all->memo = pl_mem_alloc(all->place_count * sizeof *all->memo);
  all->root = reduce(all, DECISIONS_ROOT);
  free(all->memo);
  all->memo = NULL;
}

/* -- showing --------------------------------------------------------------- */

/* "question: a|b" taken apart: the n-th option's name. */
static json_t *option_name(const char *text, uint32_t n) {
  const char *at = strstr(text, ": ");
  at = at ? at + 2 : "";
  for (; n > 0 && at; n--) {
    at = strchr(at, '|');
    if (at) at++;
  }
  if (!at) return json_string("...");
  return json_stringn(at, strcspn(at, "|"));
}

static json_t *question_name(const char *text) {
  const char *end = strstr(text, ": ");
  return json_stringn(text, end ? (size_t)(end - text) : strlen(text));
}

static json_t *target_json(uint64_t target) {
  if (target == pack(TRACE, UINT32_MAX)) return json_null();
  return json_pack("{s:i}", kind_of(target) == TRACE ? "trace" : "decision",
                   (int)number_of(target));
}

/* Options with one target are one entry, where the first of them stands. */
static json_t *options_json(const struct decisions *all,
                            const struct question *it) {
  json_t *list = json_array();
  const uint64_t *targets = &all->targets[it->first];
  for (uint32_t i = 0; i < it->options; i++) {
    uint32_t first = 0;
    while (targets[first] != targets[i])
      first++;
    if (first < i) continue;
    json_t *answers = json_array();
    for (uint32_t k = i; k < it->options; k++)
      if (targets[k] == targets[i])
        json_array_append_new(answers, option_name(all->texts[it->text], k));
    json_array_append_new(list, json_pack("{s:o, s:o}", "answers", answers,
                                          "to", target_json(targets[i])));
  }
  return list;
}

json_t *decisions_json(const struct decisions *all) {
  json_t *list = json_array();
  for (size_t i = 0; i < all->reduced_count; i++) {
    const struct question *it = &all->reduced[i];
    json_array_append_new(list, json_pack("{s:o, s:o}", "what",
                                          question_name(all->texts[it->text]),
                                          "options", options_json(all, it)));
  }
  return json_pack("{s:o, s:o}", "root", target_json(all->root), "decisions",
                   list);
}

/* How far each decision is from the trace; targets come before what leads to
 * them, so one pass does. */
static uint32_t distance(const struct decisions *all, const uint32_t *far,
                         uint64_t target, uint32_t trace) {
  (void)all;
  if (kind_of(target) == QUESTION) return far[number_of(target)];
  return number_of(target) == trace ? 0 : UINT32_MAX - 1;
}

static uint32_t nearest(const struct decisions *all, const uint32_t *far,
                        const struct question *it, uint32_t trace) {
  uint32_t best = 0;
  for (uint32_t i = 1; i < it->options; i++)
    if (distance(all, far, all->targets[it->first + i], trace) <
        distance(all, far, all->targets[it->first + best], trace))
      best = i;
  return best;
}

static json_t *way_step(const struct decisions *all, const struct question *it,
                        uint32_t option) {
  json_t *what = question_name(all->texts[it->text]);
  json_t *answer = option_name(all->texts[it->text], option);
  json_t *step = json_sprintf("%s: %s", json_string_value(what),
                              json_string_value(answer));
  json_decref(what);
  json_decref(answer);
  return step;
}

json_t *decisions_way(const struct decisions *all, uint32_t trace) {
  uint32_t *far = pl_mem_alloc((all->reduced_count + 1) * sizeof *far);
  for (size_t i = 0; i < all->reduced_count; i++) {
    const struct question *it = &all->reduced[i];
    uint32_t best = nearest(all, far, it, trace);
    uint32_t way = distance(all, far, all->targets[it->first + best], trace);
    far[i] = way < UINT32_MAX - 1 ? way + 1 : way;
  }
  json_t *steps = json_array();
  uint64_t at = all->root;
  while (kind_of(at) == QUESTION) {
    const struct question *it = &all->reduced[number_of(at)];
    uint32_t option = nearest(all, far, it, trace);
    json_array_append_new(steps, way_step(all, it, option));
    at = all->targets[it->first + option];
  }
  free(far);
  return steps;
}
