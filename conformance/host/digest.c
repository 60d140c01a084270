/* SPDX-License-Identifier: MIT */
/*
 * digest.c: digests of operations, by which an explorer recognises a state.
 *
 * Invariant: two operations have one digest when they do the same to the same
 * objects; where they stand in the program makes no difference.
 */
#include "program.h"

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

static uint64_t digest_body(const struct body *body);

static uint64_t digest_calls(const struct calls *calls) {
  uint64_t digest = calls->count;
  for (size_t i = 0; i < calls->count; i++)
    digest = mix(digest, digest_body(&calls->bodies[i]));
  return digest;
}

static uint64_t digest_op(const struct op *op) {
  uint64_t delay;
  memcpy(&delay, &op->delay, sizeof delay);
  const uint64_t numbers[] = {op->code,   (uint64_t)op->kind,
                              op->value,  (uint64_t)op->slot,
                              delay,      op->after,
                              op->repeat, op->number,
                              op->mode,   op->threads,
                              op->start,  (uint64_t)op->signum,
                              op->drain,  digest_calls(&op->calls)};
  uint64_t digest = 0;
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
    digest = mix(digest, numbers[i]);
  digest = mix_text(digest, op->label, op->label ? op->label_length : 0);
  return mix_text(digest, op->text, op->text ? op->text_length : 0);
}

/* Depth first: an operation's digest is made of those within it. The reader
 * made the operations, so they may be written. */
static uint64_t digest_body(const struct body *body) {
  uint64_t digest = body->count;
  for (size_t i = 0; i < body->count; i++) {
    struct op *op = (struct op *)(uintptr_t)&body->ops[i];
    op->digest = digest_op(op);
    digest = mix(digest, op->digest);
  }
  return digest;
}

void program_digest(struct program *program) {
  digest_body(&program->main);
}
