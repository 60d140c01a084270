/* SPDX-License-Identifier: MIT */
/* Splits an adapter's command into words; no shell is ever started. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "options.h"

static void add_word(char ***words, size_t *count, const char *word) {
  *words = pl_mem_grow(*words, (*count + 2) * sizeof(char *));
  (*words)[(*count)++] = pl_mem_copy(word);
  (*words)[*count] = NULL;
}

/* Reads one word from `*at`. Returns false when a quote stays open. */
static bool read_word(const char **at, struct pl_text *word) {
  char quote = '\0';
  pl_text_add(word, "", 0);
  for (const char *c = *at;; c++) {
    if (*c == '\0' || (quote == '\0' && strchr(" \t\n", *c) != NULL)) {
      *at = c;
      return quote == '\0';
    }
    if (quote == '\0' && (*c == '\'' || *c == '"'))
      quote = *c;
    else if (quote != '\0' && *c == quote)
      quote = '\0';
    else if (*c == '\\' && quote != '\'' && c[1] != '\0')
      pl_text_add(word, ++c, 1);
    else
      pl_text_add(word, c, 1);
  }
}

char **pl_command_split(const char *text) {
  char **words = NULL;
  size_t count = 0;
  bool good = true;
  for (const char *at = text + strspn(text, " \t\n"); good && *at != '\0';
       at += strspn(at, " \t\n")) {
    struct pl_text word = {0};
    good = read_word(&at, &word);
    add_word(&words, &count, word.bytes);
    pl_text_free(&word);
  }
  if (good) return words;
  pl_command_free(words);
  return NULL;
}

void pl_command_free(char **words) {
  for (size_t i = 0; words != NULL && words[i] != NULL; i++)
    free(words[i]);
  free(words);
}
