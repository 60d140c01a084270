/* SPDX-License-Identifier: MIT */
/* provider_flow_table.h: what provider.c hands out of provider_flow.c. */
#ifndef REF_PROVIDER_FLOW_TABLE_H
#define REF_PROVIDER_FLOW_TABLE_H

#include "provider_flow.h"

extern const struct pl_flow_table ref_flow_table;

#endif
