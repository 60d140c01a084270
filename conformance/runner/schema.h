/* SPDX-License-Identifier: MIT */
/*
 * A validator for the part of JSON Schema that the suite's schemas use:
 * type, const, enum, required, properties, additionalProperties, items,
 * oneOf, anyOf, allOf, not, minimum, maximum, minItems, maxItems, minLength,
 * and $ref to "#/definitions/NAME" (or "#/$defs/NAME").
 *
 * Invariant: a schema with a keyword outside this list is refused when it is
 * loaded, so that no rule is silently not checked.
 */
#ifndef PL_RUNNER_SCHEMA_H
#define PL_RUNNER_SCHEMA_H

#include <jansson.h>

struct pl_schema {
  json_t *root;
};

/* Takes over a schema. Returns 0, or -1 with why in `*error` (free with
 * free()); `root` is then still the caller's. */
int pl_schema_init(struct pl_schema *schema, json_t *root, char **error);

/* Reads a schema's file. Returns 0, or -1 with why in `*error`. */
int pl_schema_load(struct pl_schema *schema, const char *path, char **error);
void pl_schema_free(struct pl_schema *schema);

/* Holds `value` against the definition `name` (NULL: the whole schema).
 * Returns NULL, or where and how it differs: "/events/3: expected a string,
 * is a number". Free with free(). */
char *pl_schema_check(const struct pl_schema *schema, const char *name,
                      const json_t *value);

#endif
