/* SPDX-License-Identifier: MIT */
/*
 * The leak audit: what a case leaves behind is found, named and killed.
 *
 * The judge is a child subreaper, so whatever an adapter starts stays among
 * its descendants, even when its parents are gone.
 *
 * Invariant: after pl_audit_kill() no survivor is alive and none is a zombie
 * of ours.
 */
#ifndef PL_RUNNER_AUDIT_H
#define PL_RUNNER_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "memory.h"

struct pl_pids {
  pid_t *at;
  size_t count;
  size_t room;
};

/* The processes that may live when a case is over. */
struct pl_known {
  struct pl_pids pids;     /* these, but nothing that they started since */
  struct pl_pids sessions; /* the leaders of sessions whose members, and all
                            * that these start, may live */
};

void pl_known_free(struct pl_known *known);

/* Makes this process the reaper of its descendants. Returns 0 or -1. */
int pl_audit_begin(void);

void pl_pids_add(struct pl_pids *pids, pid_t pid);
bool pl_pids_have(const struct pl_pids *pids, pid_t pid);
void pl_pids_free(struct pl_pids *pids);

/* Adds all living descendants of `root` (0: of this process) that are not
 * `known`; zombies are no survivors. */
void pl_audit_descendants(pid_t root, const struct pl_known *known,
                          struct pl_pids *found);

/* Waits up to `grace_ms` for all unknown descendants of this process to end,
 * then adds who is left to `found`. */
void pl_audit_survivors(const struct pl_known *known, unsigned grace_ms,
                        struct pl_pids *found);

/* Adds `pid 123 (sleep 1000)` for each. */
void pl_audit_name(const struct pl_pids *pids, struct pl_text *text);

/* SIGKILLs every unknown descendant, and what they start meanwhile, and reaps
 * them. Returns how many could not be killed. */
size_t pl_audit_kill(const struct pl_known *known);

/* Returns how many descriptors this process has open. */
int pl_audit_open_files(void);

#endif
