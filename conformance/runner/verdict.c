/* SPDX-License-Identifier: MIT */
/* Names of verdicts; known failures of an implementation. */
#include "verdict.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "memory.h"
#include "select.h"

static const struct {
  const char *name;
  bool judges;
} verdicts[] = {
#define X(name, text, judges) {text, judges},
    PL_VERDICTS(X)
#undef X
};

const char *pl_verdict_name(enum pl_verdict verdict) {
  return verdicts[verdict].name;
}

bool pl_verdict_judges(enum pl_verdict verdict) {
  return verdicts[verdict].judges;
}

bool pl_verdict_find(const char *name, enum pl_verdict *verdict) {
  for (int i = 0; i < PL_VERDICT_COUNT; i++)
    if (strcmp(verdicts[i].name, name) == 0) {
      *verdict = (enum pl_verdict)i;
      return true;
    }
  return false;
}

bool pl_version_matches(const char *prefix, const char *version) {
  if (*prefix == 'v') prefix++;
  if (*version == 'v') version++;
  size_t length = strlen(prefix);
  if (strncmp(prefix, version, length) != 0) return false;
  return !isalnum((unsigned char)version[length]);
}

/* Adds `a|b` to a set. Returns false for a name that is no verdict. */
static bool add_names(const char *names, unsigned *set) {
  char *copy = pl_mem_copy(names), *rest = copy;
  bool good = true;
  for (char *name; good && (name = strsep(&rest, "|")) != NULL;) {
    enum pl_verdict verdict;
    good = pl_verdict_find(name, &verdict);
    if (good) *set |= 1u << verdict;
  }
  free(copy);
  return good;
}

/* Reads the verdicts of an entry: a text, a list of texts, or fail. */
static bool read_set(const json_t *verdict, unsigned *set) {
  *set = 0;
  if (verdict == NULL || json_is_null(verdict)) {
    *set = 1u << PL_VERDICT_FAIL;
    return true;
  }
  if (json_is_string(verdict))
    return add_names(json_string_value(verdict), set);
  for (size_t i = 0; i < json_array_size(verdict); i++) {
    const char *name = json_string_value(json_array_get(verdict, i));
    if (name == NULL || !add_names(name, set)) return false;
  }
  return *set != 0;
}

static const char *check_entry(const json_t *entry) {
  const json_t *versions = json_object_get(entry, "versions");
  unsigned set;
  if (!json_is_string(json_object_get(entry, "case")))
    return "has no glob `case`";
  if (!json_is_string(json_object_get(entry, "reason")))
    return "has no `reason`";
  if (!read_set(json_object_get(entry, "verdict"), &set))
    return "has a `verdict` that is none";
  if (versions != NULL && !json_is_null(versions) && !json_is_array(versions))
    return "has `versions` that are no list";
  return NULL;
}

int pl_expectations_read(struct pl_expectations *known, json_t *root,
                         char **error) {
  json_t *all = json_object_get(root, "implementations");
  const char *name;
  json_t *list;
  *known = (struct pl_expectations){0};
  if (json_integer_value(json_object_get(root, "format")) != 1 ||
      !json_is_object(all)) {
    *error = pl_mem_copy("not expectations of format 1");
    return -1;
  }
  json_object_foreach(all, name, list) {
    for (size_t i = 0; i < json_array_size(list); i++) {
      const char *reason = check_entry(json_array_get(list, i));
      if (reason == NULL) continue;
      *error = pl_mem_format("entry %zu of `%s` %s", i + 1, name, reason);
      return -1;
    }
  }
  known->root = root;
  return 0;
}

int pl_expectations_load(struct pl_expectations *known, const char *path,
                         char **error) {
  json_error_t why;
  json_t *root = json_load_file(path, 0, &why);
  if (root == NULL) {
    *error = why.line > 0 ? pl_mem_format("%s:%d: %s", path, why.line, why.text)
                          : pl_mem_format("%s", why.text);
    return -1;
  }
  char *reason = NULL;
  if (pl_expectations_read(known, root, &reason) == 0) return 0;
  *error = pl_mem_format("%s: %s", path, reason);
  free(reason);
  json_decref(root);
  return -1;
}

void pl_expectations_choose(struct pl_expectations *known,
                            const char *implementation, const char *version) {
  const char *name;
  json_t *list;
  known->version = version;
  known->entries = NULL;
  json_object_foreach(json_object_get(known->root, "implementations"), name,
                      list) {
    if (strcasecmp(name, implementation) == 0) known->entries = list;
  }
}

void pl_expectations_free(struct pl_expectations *known) {
  json_decref(known->root);
  *known = (struct pl_expectations){0};
}

static bool version_listed(const json_t *versions, const char *version) {
  if (!json_is_array(versions)) return true;
  for (size_t i = 0; i < json_array_size(versions); i++) {
    const char *prefix = json_string_value(json_array_get(versions, i));
    if (prefix != NULL && pl_version_matches(prefix, version)) return true;
  }
  return false;
}

struct pl_expected pl_expectations_of(const struct pl_expectations *known,
                                      const struct pl_case *item) {
  struct pl_expected expected = {.verdicts = 1u << PL_VERDICT_PASS};
  for (size_t i = 0; i < json_array_size(known->entries); i++) {
    const json_t *entry = json_array_get(known->entries, i);
    const char *glob = json_string_value(json_object_get(entry, "case"));
    if (!pl_selector_matches(glob, item) ||
        !version_listed(json_object_get(entry, "versions"), known->version))
      continue;
    read_set(json_object_get(entry, "verdict"), &expected.verdicts);
    expected.reason = json_string_value(json_object_get(entry, "reason"));
    break;
  }
  return expected;
}

bool pl_verdict_unexpected(enum pl_verdict verdict,
                           const struct pl_expected *expected) {
  if (expected->verdicts & (1u << verdict)) return false;
  return verdict != PL_VERDICT_UNSUPPORTED &&
         verdict != PL_VERDICT_INCONCLUSIVE && verdict != PL_VERDICT_DIFFERS &&
         verdict != PL_VERDICT_DISPUTED;
}
