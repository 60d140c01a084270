/* SPDX-License-Identifier: MIT */
/*
 * objects.c: what all leaks make: texts, functions, objects with named slots.
 *
 * Invariant: a slot is written by lab_write(), so the heap's barrier sees it.
 */
#include <string.h>

#include "lab.h"

enum { NAMES_MOST = 8 };

int lab_type(struct lab *lab, const char *name, const char *const *names,
             uint32_t *out) {
  uint32_t count = 0;
  while (count < NAMES_MOST && names[count] != NULL)
    count++;
  const struct pl_heap_type type = {.name = name,
                                    .slot_names = names,
                                    .name_count = count,
                                    .slots = (UINT64_C(1) << count) - 1};
  return pl_heap_type_add(lab->heap, &type, out);
}

int lab_types(struct lab *lab) {
  static const char *const list[] = {"items", NULL};
  static const char *const map[] = {"buckets", "oldest", "newest", NULL};
  static const char *const entry[] = {"next", "before", "after", "value", NULL};
  static const char *const function[] = {"scope", NULL};
  static const char *const scope[] = {"variable", NULL};
  const struct pl_heap_type text = {.name = "(string)"};
  const struct pl_heap_type array = {.name = "(array)", .array = true};
  int err = pl_heap_type_add(lab->heap, &text, &lab->text);
  if (err == 0) err = pl_heap_type_add(lab->heap, &array, &lab->array);
  if (err == 0) err = lab_type(lab, "Array", list, &lab->list);
  if (err == 0) err = lab_type(lab, "Map", map, &lab->map);
  if (err == 0) err = lab_type(lab, "(entry)", entry, &lab->entry);
  if (err == 0) err = lab_type(lab, "Function", function, &lab->function);
  if (err == 0) err = lab_type(lab, "(scope)", scope, &lab->scope);
  return err;
}

int lab_object(struct lab *lab, uint32_t type, size_t words, void **out) {
  void *object = pl_heap_allocate(lab->heap, type, words * sizeof(void *));
  if (object == NULL) return PL_ENOMEM;
  *out = object;
  return 0;
}

int lab_handle(struct lab *lab, void *object, void ***out) {
  void **handle = pl_handle(lab->heap, object);
  if (handle == NULL) return PL_ENOMEM;
  *out = handle;
  return 0;
}

void lab_write(struct lab *lab, void *object, size_t word, void *value) {
  pl_heap_write(lab->heap, object, (void **)object + word, value);
}

int lab_text(struct lab *lab, size_t bytes, uint64_t n, void **out) {
  void *text = pl_heap_allocate(lab->heap, lab->text, bytes);
  if (text == NULL) return PL_ENOMEM;
  memset(text, 'a' + (int)(n % 26), bytes);
  *out = text;
  return 0;
}

int lab_function(struct lab *lab, void *const *scope, void **out) {
  int err = lab_object(lab, lab->function, 1, out);
  if (err == 0) lab_write(lab, *out, 0, *scope);
  return err;
}
