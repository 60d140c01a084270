/* SPDX-License-Identifier: MIT */
/*
 * provider_processes_table.h: the processes part of the reference's provider.
 */
#ifndef REF_PROVIDER_PROCESSES_TABLE_H
#define REF_PROVIDER_PROCESSES_TABLE_H

#include "provider_processes.h"

extern const struct pl_processes_table ref_processes_table;

#endif
