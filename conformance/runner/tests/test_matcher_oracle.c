/* SPDX-License-Identifier: MIT */
/*
 * The matcher against a second, naive definition of what patterns mean:
 * random small patterns are written out as the set of all their traces, and
 * both must agree on members and on others.
 *
 * A trace is a word of letters; `+` between two letters is glue, which no
 * other letter may enter: that is all that `atomic` means.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "memory.h"
#include "patterns.h"

enum { WORD = 32, LIMIT = 4000, ROUNDS = 1500 };

struct words {
  char (*at)[WORD];
  size_t count;
  bool too_many; /* this pattern is too big for the oracle */
};

static uint64_t seed = 42;

static unsigned random_below(unsigned limit) {
  seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (unsigned)(seed >> 33) % limit;
}

static void add_word(struct words *words, const char *word) {
  for (size_t i = 0; i < words->count; i++)
    if (strcmp(words->at[i], word) == 0) return;
  if (words->count == LIMIT || strlen(word) >= WORD - 1) {
    words->too_many = true;
    return;
  }
  words->at = pl_mem_grow(words->at, (words->count + 1) * WORD);
  strcpy(words->at[words->count++], word);
}

static void free_words(struct words *words) {
  free(words->at);
  *words = (struct words){0};
}

/* Adds every merge of two words to `out`; glue stays glued. */
static void merge(const char *x, const char *y, char *made, size_t length,
                  struct words *out) {
  if (length >= WORD - 1 || out->too_many) {
    out->too_many = true;
    return;
  }
  if (*x == '\0' && *y == '\0') {
    made[length] = '\0';
    add_word(out, made);
    return;
  }
  const char *from[2] = {x, y};
  for (int side = 0; side < 2; side++) {
    const char *at = from[side];
    size_t taken = 0;
    if (*at == '\0') continue;
    do { /* a letter and all that is glued to it */
      if (length + taken >= WORD - 1) {
        out->too_many = true;
        return;
      }
      made[length + taken] = at[taken];
      taken++;
    } while (at[taken] == '+' || at[taken - 1] == '+');
    merge(side == 0 ? x + taken : x, side == 1 ? y + taken : y, made,
          length + taken, out);
  }
}

typedef void combine(const char *x, const char *y, struct words *out);

static void concatenate(const char *x, const char *y, struct words *out) {
  char made[2 * WORD];
  snprintf(made, sizeof made, "%s%s", x, y);
  add_word(out, made);
}

static void interleave(const char *x, const char *y, struct words *out) {
  char made[WORD];
  merge(x, y, made, 0, out);
}

/* Replaces `left` by all combinations with `right`. */
static void combine_all(struct words *left, const struct words *right,
                        combine *with) {
  struct words out = {.too_many = left->too_many || right->too_many};
  for (size_t i = 0; i < left->count && !out.too_many; i++)
    for (size_t k = 0; k < right->count && !out.too_many; k++)
      with(left->at[i], right->at[k], &out);
  free_words(left);
  *left = out;
}

static struct words enumerate(const json_t *ir);

static void unite(struct words *into, const struct words *from) {
  into->too_many |= from->too_many;
  for (size_t i = 0; i < from->count; i++)
    add_word(into, from->at[i]);
}

static void permute(struct words *blocks, size_t count, unsigned used,
                    const struct words *so_far, struct words *out) {
  if (used == (1u << count) - 1) {
    unite(out, so_far);
    return;
  }
  for (size_t i = 0; i < count; i++) {
    if (used & (1u << i)) continue;
    struct words longer = {0};
    unite(&longer, so_far);
    combine_all(&longer, &blocks[i], concatenate);
    permute(blocks, count, used | (1u << i), &longer, out);
    free_words(&longer);
  }
}

static struct words enumerate_group(const char *key, const json_t *list) {
  struct words blocks[8] = {0}, out = {0};
  size_t count = json_array_size(list);
  bool one = strcmp(key, "one") == 0, any = strcmp(key, "any") == 0;
  if (!one) add_word(&out, "");
  for (size_t i = 0; i < count; i++)
    blocks[i] = enumerate(json_array_get(list, i));
  if (any) {
    struct words begin = {0};
    add_word(&begin, "");
    free_words(&out);
    permute(blocks, count, 0, &begin, &out);
    free_words(&begin);
  }
  for (size_t i = 0; i < count && !any; i++) {
    if (one)
      unite(&out, &blocks[i]);
    else
      combine_all(&out, &blocks[i],
                  strcmp(key, "seq") == 0 ? concatenate : interleave);
  }
  for (size_t i = 0; i < count; i++)
    free_words(&blocks[i]);
  return out;
}

static struct words glue(struct words words) {
  struct words out = {.too_many = words.too_many};
  for (size_t i = 0; i < words.count; i++) {
    char made[2 * WORD];
    size_t length = 0;
    for (const char *c = words.at[i]; *c != '\0'; c++)
      if (*c != '+') {
        if (length > 0) made[length++] = '+';
        made[length++] = *c;
      }
    made[length] = '\0';
    add_word(&out, made);
  }
  free_words(&words);
  return out;
}

static struct words enumerate_repeat(const json_t *ir) {
  struct words body = enumerate(json_object_get(ir, "repeat"));
  struct words power = {0}, out = {0};
  json_int_t min = json_integer_value(json_object_get(ir, "min"));
  json_int_t max = json_integer_value(json_object_get(ir, "max"));
  add_word(&power, "");
  for (json_int_t i = 0; i <= max; i++) {
    if (i >= min) unite(&out, &power);
    combine_all(&power, &body, concatenate);
  }
  free_words(&power);
  free_words(&body);
  return out;
}

static struct words enumerate(const json_t *ir) {
  struct words out = {0};
  const char *key = json_object_iter_key(json_object_iter((json_t *)ir));
  if (strcmp(key, "ev") == 0) {
    add_word(&out, json_string_value(json_object_get(ir, "ev")));
  } else if (strcmp(key, "repeat") == 0) {
    out = enumerate_repeat(ir);
  } else if (strcmp(key, "opt") == 0) {
    out = enumerate(json_object_get(ir, "opt"));
    add_word(&out, "");
  } else if (strcmp(key, "atomic") == 0) {
    out = glue(enumerate(json_object_get(ir, "atomic")));
  } else {
    out = enumerate_group(key, json_object_get(ir, key));
  }
  return out;
}

static json_t *random_pattern(unsigned depth) {
  static const char *const groups[] = {"seq", "any", "interleave", "interleave",
                                       "one"};
  static const char *const labels[] = {"a", "b", "c"};
  unsigned choice = depth == 0 ? 0 : random_below(11);
  if (choice < 3) return json_pack("{s:s}", "ev", labels[random_below(3)]);
  if (choice == 3) return json_pack("{s:o}", "opt", random_pattern(depth - 1));
  if (choice <= 5)
    return json_pack("{s:o}", "atomic", random_pattern(depth - 1));
  if (choice == 6) {
    int min = (int)random_below(2);
    return json_pack("{s:o,s:i,s:i}", "repeat", random_pattern(depth - 1),
                     "min", min, "max", min + (int)random_below(2));
  }
  json_t *list = json_array();
  unsigned count = 1 + random_below(3);
  for (unsigned i = 0; i < count; i++)
    json_array_append_new(list, random_pattern(depth - 1));
  return json_pack("{s:o}", groups[random_below(5)], list);
}

static bool matches(struct pl_pattern *pattern, const char *letters) {
  static const char *const labels[] = {"a", "b", "c"};
  struct pl_event events[WORD];
  size_t count = 0;
  for (; *letters != '\0'; letters++)
    if (*letters != '+')
      events[count++] = (struct pl_event){.label = labels[*letters - 'a']};
  struct pl_trace trace = {events, count};
  return pl_pattern_match(pattern, &trace, NULL, NULL) == PL_MATCH_YES;
}

static bool member(const struct words *words, const char *letters) {
  for (size_t i = 0; i < words->count; i++) {
    const char *word = words->at[i], *c = letters;
    while (*word != '\0' && (*word == '+' || *word == *c)) {
      c += *word != '+';
      word++;
    }
    if (*word == '\0' && *c == '\0') return true;
  }
  return false;
}

static void check(const json_t *ir, const struct words *words) {
  struct pl_pattern pattern;
  char *error = NULL;
  assert_int_equal(pl_pattern_compile(&pattern, ir, &error), 0);
  for (size_t i = 0; i < words->count; i++)
    if (!matches(&pattern, words->at[i]))
      fail_msg("%s does not allow %s", json_dumps(ir, JSON_COMPACT),
               words->at[i]);
  for (int i = 0; i < 60; i++) {
    char letters[8];
    unsigned length = random_below(7);
    for (unsigned k = 0; k < length; k++)
      letters[k] = (char)('a' + random_below(3));
    letters[length] = '\0';
    if (matches(&pattern, letters) != member(words, letters))
      fail_msg("%s: %s should %sbe allowed", json_dumps(ir, JSON_COMPACT),
               letters, member(words, letters) ? "" : "not ");
  }
  pl_pattern_free(&pattern);
}

static void the_matcher_agrees_with_the_written_out_patterns(void **state) {
  (void)state;
  unsigned checked = 0;
  size_t traces = 0;
  for (unsigned i = 0; i < ROUNDS; i++) {
    json_t *ir = random_pattern(1 + random_below(4));
    struct words words = enumerate(ir);
    if (!words.too_many) {
      check(ir, &words);
      checked++;
      traces += words.count;
    }
    free_words(&words);
    json_decref(ir);
  }
  print_message("%u patterns, %zu traces\n", checked, traces);
  assert_true(checked > ROUNDS / 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_matcher_agrees_with_the_written_out_patterns),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
