/* SPDX-License-Identifier: MIT */
/*
 * policy.c: when objects grow old: the promotion rules that have names.
 *
 * Invariant: a policy is data. The scavenger reads it once per collection, so
 * an object's promotion costs two comparisons whatever the rule.
 *
 * Sources: Heap::ShouldBePromoted and EvacuateNewSpace of V8 3.14 (address
 * below the age mark, or to-space a quarter full; a full collection
 * "aggressively" promotes young survivors); SemiSpaceNewSpace of V8 11 and 12,
 * where only the age mark is left. Observed: Node 0.10 keeps 25 % of the
 * semi-space, Node 0.12 and all later ones keep everything that is new.
 */
#include "internal.h"

const struct pl_heap_policy pl_heap_policy_classic = {
    .name = "classic",
    .occupancy_percent = 25,
    .full_promotes = true,
    .large_born_young = false,
    .minor_clears_weak = false,
};

const struct pl_heap_policy pl_heap_policy_age_mark = {
    .name = "age-mark",
    .occupancy_percent = 0,
    .full_promotes = true,
    .large_born_young = true,
    .minor_clears_weak = false,
};
