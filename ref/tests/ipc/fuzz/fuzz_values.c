/* SPDX-License-Identifier: MIT */
/*
 * fuzz_values.c: bytes into the two readers of values, without a channel: many
 * more inputs a second than fuzz_wire.
 *
 * The lowest bit of the first byte chooses: JSON, or a structured clone. What
 * must hold:
 *  - a reader ends with a value, with PL_EBADMSG and a fault within the bytes,
 *    or for want of memory;
 *  - with less memory it fails and gives everything back;
 *  - a value that was read is written, and what is read of that is written the
 *    same;
 *  - a usual line of a handle says what JSON says.
 */
#include "../../modules/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "../../../ipc/internal.h"

/* Memory that runs out after so many blocks. */
struct purse {
  size_t left, open;
};

static void *spend(void *self, void *block, size_t size) {
  struct purse *purse = self;
  if (size == 0) {
    if (block != NULL) purse->open--;
    free(block);
    return NULL;
  }
  if (purse->left == 0) return NULL;
  purse->left--;
  void *grown = realloc(block, size);
  if (grown != NULL && block == NULL) purse->open++;
  return grown;
}

static int read_value(bool clone, struct pl_values *values, const char *data,
                      size_t length, struct pl_value **out) {
  struct pl__json_fault fault = {NULL, 0};
  int error =
      (clone ? pl__clone_get : pl__json_get)(values, data, length, out, &fault);
  fuzz_check(
      error == 0 || error == PL_ENOMEM ||
          (error == PL_EBADMSG && fault.what != NULL && fault.at <= length),
      "what is no value says why, and where");
  return error;
}

static void read_with(bool clone, size_t blocks, const char *data,
                      size_t length) {
  struct purse purse = {blocks, 0};
  const struct pl_allocator memory = {.resize = spend, .self = &purse};
  struct pl_values values;
  struct pl_value *value;
  pl_values_init(&values, &memory);
  read_value(clone, &values, data, length, &value);
  pl_values_free(&values);
  fuzz_check(purse.open == 0, "all memory is given back");
}

static void read_again(bool clone, struct pl_value *value) {
  const struct pl_allocator memory =
      pl__allocator_or_default(&(struct pl_allocator){0});
  int (*put)(struct pl__bytes *, struct pl_value *) =
      clone ? pl__clone_put : pl__json_put;
  struct pl__bytes one = {.allocator = &memory}, two = one;
  struct pl_values values;
  struct pl_value *again = NULL;
  pl_values_init(&values, NULL);
  fuzz_check(put(&one, value) == 0, "what was read is written");
  fuzz_check(read_value(clone, &values, one.data, one.length, &again) == 0,
             "what was written is read");
  fuzz_check(put(&two, again) == 0 && one.length == two.length &&
                 memcmp(one.data, two.data, one.length) == 0,
             "what is read again is the same");
  pl_values_free(&values);
  pl__bytes_free(&one);
  pl__bytes_free(&two);
}

static bool is_same(struct pl_value *left, struct pl_value *right) {
  const struct pl_allocator memory =
      pl__allocator_or_default(&(struct pl_allocator){0});
  struct pl__bytes one = {.allocator = &memory}, two = one;
  bool same = left != NULL && right != NULL && pl__json_put(&one, left) == 0 &&
              pl__json_put(&two, right) == 0 && one.length == two.length &&
              memcmp(one.data, two.data, one.length) == 0;
  pl__bytes_free(&one);
  pl__bytes_free(&two);
  return same;
}

/* tree: what JSON reads, NULL when it reads nothing. */
static void read_line(struct pl_value *tree, const char *data, size_t length) {
  struct pl_values values;
  struct pl__handle_line line;
  pl_values_init(&values, NULL);
  if (pl__handle_line_get(&values, data, length, &line)) {
    const struct pl_value *said = pl_value_get(tree, "msg");
    fuzz_check(pl_value_is(pl_value_get(tree, "cmd"), "NODE_HANDLE") &&
                   pl__handle_type(pl_value_get(tree, "type")) == line.type &&
                   pl_value_to_number(pl_value_get(tree, "count"), 1) ==
                       line.count &&
                   is_same((struct pl_value *)(uintptr_t)said, line.message),
               "a usual line of a handle says what JSON says");
  }
  pl_values_free(&values);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct pl_values values;
  struct pl_value *value;
  if (size == 0) return 0;
  bool clone = data[0] & 1;
  const char *bytes = (const char *)data + 1;
  pl_values_init(&values, NULL);
  int error = read_value(clone, &values, bytes, size - 1, &value);
  if (error == 0) read_again(clone, value);
  if (!clone) read_line(error == 0 ? value : NULL, bytes, size - 1);
  pl_values_free(&values);
  for (size_t blocks = 0; blocks < 3; blocks++)
    read_with(clone, blocks, bytes, size - 1);
  return 0;
}
