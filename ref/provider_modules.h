/* SPDX-License-Identifier: MIT */
/*
 * provider_modules.h: the modules part of the reference's provider.
 */
#ifndef REF_PROVIDER_MODULES_H
#define REF_PROVIDER_MODULES_H

#include "provider.h"

extern const struct pl_modules_table provider_modules_table;

#endif
