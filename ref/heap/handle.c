/* SPDX-License-Identifier: MIT */
/*
 * handle.c: what keeps objects alive from outside: handles and roots.
 *
 * Handles stand in blocks, a stack of them; a scope remembers a place of the
 * stack. Roots are a list through the caller's storage. An object whose
 * finalizer is due is a root, too.
 *
 * Invariant: the live handles are those below head.handle in the top block, and
 * all of the blocks below; head.handles is the end of the top block.
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
  for (struct pl_weak *weak = heap->dead; weak != NULL; weak = weak->next)
    visit(heap, (pl__slot *)&weak->object);
}
