/* SPDX-License-Identifier: MIT */
/*
 * digest.c: digests of operations, by which an explorer recognises a state.
 *
 * Invariant: two operations have one digest when they do the same to the same
 * objects; where they stand in the program makes no difference, nor does an
 * id that no callback and nothing behind a `run` uses: by then the object
 * cannot be told from its like.
 */
#include "program.h"

#include <stdlib.h>
#include <string.h>

static uint64_t mix(uint64_t digest, uint64_t number) {
  digest = (digest ^ number) * UINT64_C(0x9e3779b97f4a7c15);
  return digest ^ digest >> 29;
}

static uint64_t mix_text(uint64_t digest, const char *text, size_t length) {
  for (size_t i = 0; i < length; i++)
    digest = mix(digest, (unsigned char)text[i]);
  return mix(digest, length);
}

/* -- ids that matter ------------------------------------------------------- */

static bool makes_it(const struct op *op) {
  return op->kind != KIND_NONE;
}

/* Marks the ids that the operations from `from` on use. */
static void mark_uses(const struct body *body, size_t from, bool *used) {
  for (size_t i = from; i < body->count; i++) {
    const struct op *op = &body->ops[i];
    if (op->slot >= 0 && (!makes_it(op) || op->code == OP_TIMER))
      used[op->slot] = true;
    for (size_t k = 0; k < op->calls.count; k++)
      mark_uses(&op->calls.bodies[k], 0, used);
  }
}

static void mark_all(const struct body *main, bool *used) {
  size_t run = 0;
  while (run < main->count && main->ops[run].code != OP_RUN)
    run++;
  for (size_t i = 0; i < run; i++)
    for (size_t k = 0; k < main->ops[i].calls.count; k++)
      mark_uses(&main->ops[i].calls.bodies[k], 0, used);
  mark_uses(main, run, used);
}

/* -- digests --------------------------------------------------------------- */

static uint64_t digest_body(const struct body *body, const bool *used);

static uint64_t digest_calls(const struct calls *calls, const bool *used) {
  uint64_t digest = calls->count;
  for (size_t i = 0; i < calls->count; i++)
    digest = mix(digest, digest_body(&calls->bodies[i], used));
  return digest;
}

static uint64_t digest_op(const struct op *op, const bool *used) {
  bool named = op->slot >= 0 && (!used || used[op->slot]);
  uint64_t delay;
  memcpy(&delay, &op->delay, sizeof delay);
  const uint64_t numbers[] = {op->code,   (uint64_t)op->kind,
                              op->value,  named ? (uint64_t)op->slot + 1 : 0,
                              delay,      op->after,
                              op->repeat, op->number,
                              op->mode,   op->threads,
                              op->start,  (uint64_t)op->signum,
                              op->drain,  digest_calls(&op->calls, used)};
  uint64_t digest = 0;
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
    digest = mix(digest, numbers[i]);
  digest = mix_text(digest, op->label, op->label ? op->label_length : 0);
  return mix_text(digest, op->text, op->text ? op->text_length : 0);
}

/* Depth first: an operation's digest is made of those within it. The reader
 * made the operations, so they may be written. */
static uint64_t digest_body(const struct body *body, const bool *used) {
  uint64_t digest = body->count;
  for (size_t i = 0; i < body->count; i++) {
    struct op *op = (struct op *)(uintptr_t)&body->ops[i];
    op->digest = digest_op(op, used);
    digest = mix(digest, op->digest);
  }
  return digest;
}

void program_digest(struct program *program) {
  bool *used = calloc(program->slots + 1, sizeof *used);
  if (used) mark_all(&program->main, used);
  digest_body(&program->main, used); /* without memory every id matters */
  free(used);
}
