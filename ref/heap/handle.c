/* SPDX-License-Identifier: MIT */
/*
 * handle.c: what refers to objects from outside: handles, roots, weak handles.
 *
 * Handles stand in blocks, a stack of them; a scope remembers a place of the
 * stack. Roots and weak handles are lists through the caller's storage.
 *
 * Invariants:
 *  - The live handles are those below head.handle in the top block, and all of
 *    the blocks below; head.handles is the end of the top block.
 *  - weak_young holds the weak handles of young objects, weak_old those of old
 *    ones, `dead` those whose object is gone and whose finalizer is due.
 *  - external counts the bytes of every weak handle in weak_young or weak_old.
 */
#include "internal.h"

void **pl__handle_slow(struct pl_heap *head, void *object) {
  struct pl__heap *heap = pl__heap(head);
  struct pl__handle_block *block =
      pl__heap_resize(heap, NULL, 0, sizeof *block);
  if (block == NULL) return NULL;
  block->below = heap->handles;
  heap->handles = block;
  head->handle = block->handle;
  head->handles = block->handle + PL__HANDLES;
  *head->handle = object;
  return head->handle++;
}

static void **end_of(struct pl__handle_block *block) {
  return block == NULL ? NULL : block->handle + PL__HANDLES;
}

void pl__scope_close_slow(struct pl_heap *head,
                          const struct pl_scope *scope) {
  struct pl__heap *heap = pl__heap(head);
  while (end_of(heap->handles) != scope->handles) {
    struct pl__handle_block *block = heap->handles;
    heap->handles = block->below;
    pl__heap_resize(heap, block, sizeof *block, 0);
  }
  if (head->checked)
    for (void **dead = scope->handle; dead < scope->handles; dead++)
      *dead = (void *)(uintptr_t)PL__ZAP;
  head->handle = scope->handle;
  head->handles = scope->handles;
}

int pl_handle_is_live(const struct pl_heap *head, void **handle) {
  const struct pl__heap *heap = (const struct pl__heap *)head;
  void **end = head->handle;
  for (struct pl__handle_block *block = heap->handles; block != NULL;
       block = block->below) {
    if (handle >= block->handle && handle < end) return 1;
    if (block->below != NULL) end = block->below->handle + PL__HANDLES;
  }
  return 0;
}

void pl__handles_free(struct pl__heap *heap) {
  const struct pl_scope all = {0};
  heap->head.checked = false;
  pl_scope_close(&heap->head, &all);
}

void pl_root_add(struct pl_heap *head, struct pl_root *root, void *object) {
  struct pl__heap *heap = pl__heap(head);
  root->object = object;
  root->next = heap->roots;
  root->link = &heap->roots;
  if (root->next != NULL) root->next->link = &root->next;
  heap->roots = root;
}

void pl_root_remove(struct pl_root *root) {
  *root->link = root->next;
  if (root->next != NULL) root->next->link = root->link;
}

void pl__each_root(struct pl__heap *heap, pl__visit_fn *visit) {
  void **end = heap->head.handle;
  for (struct pl__handle_block *block = heap->handles; block != NULL;
       block = block->below) {
    for (void **handle = block->handle; handle < end; handle++)
      visit(heap, (pl__slot *)handle);
    if (block->below != NULL) end = block->below->handle + PL__HANDLES;
  }
  for (struct pl_root *root = heap->roots; root != NULL; root = root->next)
    visit(heap, (pl__slot *)&root->object);
}

void pl__weak_link(struct pl_weak **list, struct pl_weak *weak) {
  weak->next = *list;
  weak->link = list;
  if (weak->next != NULL) weak->next->link = &weak->next;
  *list = weak;
}

static void weak_cut(struct pl__heap *heap, struct pl_weak *weak) {
  if (heap->dead_end == &weak->next) heap->dead_end = weak->link;
  *weak->link = weak->next;
  if (weak->next != NULL) weak->next->link = weak->link;
  weak->link = NULL;
}

void pl_weak_add(struct pl_heap *head, struct pl_weak *weak, void *object,
                 pl_finalizer_fn *fn, void *arg, size_t external) {
  struct pl__heap *heap = pl__heap(head);
  *weak = (struct pl_weak){
      .object = object, .fn = fn, .arg = arg, .external = external};
  pl__weak_link(pl_heap_is_old(object) ? &heap->weak_old : &heap->weak_young,
                weak);
  if (external != 0) pl_heap_external_add(head, external);
}

void pl_weak_remove(struct pl_heap *head, struct pl_weak *weak) {
  if (weak->link == NULL) return;
  if (weak->object != NULL) pl_heap_external_remove(head, weak->external);
  weak_cut(pl__heap(head), weak);
}

void pl__weak_clear(struct pl__heap *heap, struct pl_weak *weak) {
  pl_heap_external_remove(&heap->head, weak->external);
  heap->event_cleared++;
  weak_cut(heap, weak);
  weak->object = NULL;
  if (weak->fn == NULL) return;
  weak->next = NULL;
  weak->link = heap->dead_end;
  *heap->dead_end = weak;
  heap->dead_end = &weak->next;
}

size_t pl_heap_run_finalizers(struct pl_heap *head) {
  struct pl__heap *heap = pl__heap(head);
  size_t count = 0;
  for (struct pl_weak *weak; (weak = heap->dead) != NULL; count++) {
    weak_cut(heap, weak);
    weak->fn(weak, weak->arg);
  }
  return count;
}

void pl_heap_external_add(struct pl_heap *head, size_t bytes) {
  struct pl__heap *heap = pl__heap(head);
  heap->external += bytes;
  if (heap->external < heap->external_base ||
      heap->external - heap->external_base < heap->config.external_trigger)
    return;
  heap->external_due = true;
  pl__young_set_end(heap);
}

void pl_heap_external_remove(struct pl_heap *head, size_t bytes) {
  pl__heap(head)->external -= bytes;
}
