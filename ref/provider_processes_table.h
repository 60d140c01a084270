/* SPDX-License-Identifier: MIT */
/*
 * provider_processes_table.h: the processes part of the reference's provider.
 */
#ifndef REF_PROVIDER_PROCESSES_TABLE_H
#define REF_PROVIDER_PROCESSES_TABLE_H

#include "plumb/process.h"
#include "provider_processes.h"

extern const struct pl_processes_table ref_processes_table;
extern const struct pl_cluster_table ref_cluster_table;

/* The options in the reference's words; `stdio` has room for them, or is
 * NULL. */
struct pl_spawn_options ref_options_of(const struct pl_child_options *what,
                                       struct pl_stdio *stdio);

#endif
