/* SPDX-License-Identifier: MIT */
/*
 * list.c: references in their order; a queue, and what an Array is.
 *
 *   items: [ NULL ... | first ... first + count | NULL ... ]
 *
 * Invariant: a place outside of [first, first + count) is NULL, so a list keeps
 * nothing that was taken out of it.
 */
#include "lab.h"

enum { FIRST_CAPACITY = 8 };

struct list {
  void **items; /* the only slot: the payload of an (array) */
  size_t first, count;
};

int lab_list_new(struct lab *lab, void **out) {
  return lab_object(lab, lab->list, sizeof(struct list) / sizeof(void *), out);
}

size_t lab_list_count(const void *list) {
  return ((const struct list *)list)->count;
}

/* Moves what is there to the places from 0 on of `items`, and makes these the
 * list's. */
static void move(struct lab *lab, struct list *list, void **items) {
  for (size_t i = 0; i < list->count; i++) {
    void *value = list->items[list->first + i];
    if (items == list->items) items[list->first + i] = NULL;
    lab_write(lab, items, i, value);
  }
  lab_write(lab, list, 0, items);
  list->first = 0;
}

/* Makes room for one more. May collect. */
static int make_room(struct lab *lab, void *const *handle) {
  struct list *list = *handle;
  size_t capacity =
      list->items == NULL ? 0 : pl_heap_bytes_of(list->items) / sizeof(void *);
  if (list->first + list->count < capacity) return 0;
  if (list->first > 0 && list->first >= list->count) {
    move(lab, list, list->items);
    return 0;
  }
  void *items;
  size_t wanted = list->count < FIRST_CAPACITY ? FIRST_CAPACITY
                                               : list->count + list->count / 2;
  int err = lab_object(lab, lab->array, wanted, &items);
  if (err == 0) move(lab, *handle, items);
  return err;
}

int lab_list_push(struct lab *lab, void *const *handle, void *const *value) {
  int err = make_room(lab, handle);
  if (err != 0) return err;
  struct list *list = *handle;
  lab_write(lab, list->items, list->first + list->count, *value);
  list->count++;
  return 0;
}

void *lab_list_shift(struct lab *lab, void *self) {
  struct list *list = self;
  if (list->count == 0) return NULL;
  void *value = list->items[list->first];
  lab_write(lab, list->items, list->first, NULL);
  list->first++;
  list->count--;
  return value;
}

void lab_list_remove(struct lab *lab, void *self, const void *value) {
  struct list *list = self;
  for (size_t at = list->first; at < list->first + list->count; at++) {
    if (list->items[at] != value) continue;
    for (; at + 1 < list->first + list->count; at++)
      lab_write(lab, list->items, at, list->items[at + 1]);
    lab_write(lab, list->items, at, NULL);
    list->count--;
    return;
  }
}
