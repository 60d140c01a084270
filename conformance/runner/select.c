/* SPDX-License-Identifier: MIT */
/* Globs, subtrees, rule ids and shards. */
#include "select.h"

#include <stdlib.h>
#include <string.h>

/* Matches one character against the set at `*glob`, and moves past it. */
static bool in_set(const char **glob, char c) {
  const char *at = *glob + 1;
  bool inverse = *at == '!' || *at == '^';
  bool found = false;
  if (inverse) at++;
  for (const char *first = at; *at != '\0' && (*at != ']' || at == first);
       at++) {
    if (at[1] == '-' && at[2] != '\0' && at[2] != ']') {
      found = found || (at[0] <= c && c <= at[2]);
      at += 2;
    } else {
      found = found || *at == c;
    }
  }
  *glob = *at == ']' ? at + 1 : at;
  return found != inverse;
}

/* Matches what is not a star. Returns whether it did, moving both on. */
static bool one_step(const char **glob, const char **text) {
  if (**text == '\0') return false;
  if (**glob == '[') return in_set(glob, *(*text)++);
  bool same = **glob == **text || **glob == '?';
  ++*glob;
  ++*text;
  return same;
}

/* Backtracks to the latest star alone, so the time is at worst the product
 * of the lengths. */
bool pl_glob_matches(const char *glob, const char *text) {
  const char *star = NULL, *star_text = NULL;
  for (;;) {
    if (*glob == '*') {
      star = ++glob;
      star_text = text;
      continue;
    }
    if (*glob == '\0' && *text == '\0') return true;
    if (*glob != '\0' && one_step(&glob, &text)) continue;
    if (star == NULL || *star_text == '\0') return false;
    glob = star;
    text = ++star_text;
  }
}

bool pl_selector_matches(const char *selector, const struct pl_case *item) {
  size_t length = strlen(selector);
  if (strcmp(selector, item->rule) == 0) return true;
  while (length > 1 && selector[length - 1] == '/')
    length--;
  if (strncmp(selector, item->id, length) == 0 &&
      (item->id[length] == '\0' || item->id[length] == '/'))
    return true;
  return pl_glob_matches(selector, item->id);
}

static bool some_match(char **selectors, size_t count,
                       const struct pl_case *item) {
  for (size_t i = 0; i < count; i++)
    if (pl_selector_matches(selectors[i], item)) return true;
  return false;
}

bool pl_selection_has(const struct pl_selection *selection,
                      const struct pl_case *item) {
  if (selection->includes > 0 &&
      !some_match(selection->include, selection->includes, item))
    return false;
  if (some_match(selection->exclude, selection->excludes, item)) return false;
  return selection->shards == 0 ||
         item->hash % selection->shards == selection->shard - 1;
}

int pl_shard_read(const char *text, unsigned *shard, unsigned *shards) {
  char *slash, *end;
  if (text[0] < '0' || text[0] > '9') return -1;
  unsigned long k = strtoul(text, &slash, 10);
  if (*slash != '/' || slash[1] < '0' || slash[1] > '9') return -1;
  unsigned long n = strtoul(slash + 1, &end, 10);
  if (*end != '\0' || k < 1 || n < k || n > 100000) return -1;
  *shard = (unsigned)k;
  *shards = (unsigned)n;
  return 0;
}
