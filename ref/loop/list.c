/* SPDX-License-Identifier: MIT */
/*
 * list.c: sorts an intrusive list by merging.
 *
 * Invariant: bin k holds nothing or a sorted chain of 2^k links, older than
 * all chains in lower bins; so equal keys keep their order. Chains are singly
 * linked and end in NULL; the ring is restored at the end.
 */
#include "list.h"

enum { PL__BINS = 48 };

static bool is_sorted(const struct pl_link *list, pl__key_fn *key) {
  const struct pl_link *link = list->next;
  while (link->next != list) {
    if (key(link) > key(link->next)) return false;
    link = link->next;
  }
  return true;
}

static struct pl_link *merge(struct pl_link *older, struct pl_link *newer,
                             pl__key_fn *key) {
  struct pl_link *head = NULL;
  struct pl_link **tail = &head;
  while (older != NULL && newer != NULL) {
    struct pl_link **least = key(newer) < key(older) ? &newer : &older;
    *tail = *least;
    tail = &(*least)->next;
    *least = *tail;
  }
  *tail = older != NULL ? older : newer;
  return head;
}

static void restore_ring(struct pl_link *list, struct pl_link *chain) {
  struct pl_link *last = list;
  for (; chain != NULL; chain = chain->next) {
    last->next = chain;
    chain->prev = last;
    last = chain;
  }
  last->next = list;
  list->prev = last;
}

void pl__list_sort(struct pl_link *list, pl__key_fn *key) {
  if (pl__list_empty(list) || is_sorted(list, key)) return;
  struct pl_link *bins[PL__BINS] = {NULL};
  list->prev->next = NULL;
  for (struct pl_link *link = list->next, *next; link != NULL; link = next) {
    next = link->next;
    link->next = NULL;
    int k = 0;
    for (; bins[k] != NULL; k++) {
      link = merge(bins[k], link, key);
      bins[k] = NULL;
    }
    bins[k] = link;
  }
  struct pl_link *all = NULL;
  for (int k = 0; k < PL__BINS; k++)
    all = merge(bins[k], all, key);
  restore_ring(list, all);
}
