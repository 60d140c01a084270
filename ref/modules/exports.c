/* SPDX-License-Identifier: MIT */
/*
 * exports.c: the targets of package.json's exports and imports.
 *
 * Invariant: a target that is found stands in job->url and was checked not to
 * leave its package; nothing here asks the file system, but for the packages
 * that imports name.
 * Source: Node, doc/api/esm.md, PACKAGE_EXPORTS_RESOLVE to
 * PACKAGE_TARGET_RESOLVE; lib/internal/modules/esm/resolve.js.
 */
#include <stdio.h>

#include "internal.h"

/* What is looked for, and in what. */
struct hunt {
  struct pl__job *job;
  const char *dir; /* the package's directory, as text */
  size_t dir_length;
  const char *key; /* the member that matched, NUL-terminated */
  size_t key_length;
  const char *rest; /* what its "*" stands for */
  size_t rest_length;
  bool pattern, internal;
  bool names_parent;
};

enum outcome { FOUND, UNDEFINED, NOTHING /* null */, FAILED };

static const char *slash_of(const struct hunt *hunt) {
  return hunt->dir_length > 1 ? "/" : "";
}

static void end_message(const struct hunt *hunt, const char *after) {
  if (hunt->names_parent) pl__fail_after(hunt->job, after);
}

static const char *from_of(const struct hunt *hunt) {
  return hunt->names_parent ? " imported from " : "";
}

static enum outcome invalid_target(const struct hunt *hunt,
                                   const struct pl__value *target) {
  struct pl__job *job = hunt->job;
  struct pl__text shown = {.memory = &job->resolver->memory};
  struct pl__text quoted = {.memory = &job->resolver->memory};
  bool string = target->type == PL__JSON_STRING;
  if (string)
    pl__text_add(&shown, target->text, target->length);
  else
    pl__json_write(&shown, target);
  /* Even what was no string is one by the time Node shows it. */
  pl__json_write_string(&quoted, shown.bytes, shown.length);
  bool relative = !hunt->internal && shown.length > 0 &&
                  !pl__starts(shown.bytes, shown.length, "./");
  const char *hint = relative ? "; targets must start with \"./\"" : "";
  if (shown.broken || quoted.broken) job->error = PL_ENOMEM;
  const char *text = quoted.bytes == NULL ? "" : quoted.bytes;
  const char *tail = hunt->names_parent ? "" : hint;
  if (!hunt->internal && pl__is(hunt->key, hunt->key_length, "."))
    pl__fail(job, PL_CODE_ERR_INVALID_PACKAGE_TARGET,
             "Invalid \"exports\" main target ", text,
             " defined in the package config ", hunt->dir, slash_of(hunt),
             "package.json", from_of(hunt), tail, NULL);
  else
    pl__fail(job, PL_CODE_ERR_INVALID_PACKAGE_TARGET, "Invalid \"",
             hunt->internal ? "imports" : "exports", "\" target ", text,
             " defined for '", hunt->key, "' in the package config ", hunt->dir,
             slash_of(hunt), "package.json", from_of(hunt), tail, NULL);
  end_message(hunt, hint);
  pl__text_free(&shown);
  pl__text_free(&quoted);
  return FAILED;
}

/* ------------------------------------------------------------------------ */

static int hex(char byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  byte |= 0x20;
  return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* Whether a segment is ".", ".." or "node_modules", however it is written. */
static bool is_bad(const char *segment, size_t length) {
  char plain[13];
  size_t size = 0;
  for (size_t i = 0; i < length; i++, size++) {
    char byte = segment[i];
    if (size == sizeof plain) return false;
    if (byte == '%' && i + 2 < length && hex(segment[i + 1]) >= 0 &&
        hex(segment[i + 2]) >= 0) {
      byte = (char)(hex(segment[i + 1]) * 16 + hex(segment[i + 2]));
      i += 2;
    }
    plain[size] = byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
  }
  return pl__is(plain, size, ".") || pl__is(plain, size, "..") ||
         pl__is(plain, size, "node_modules");
}

static bool has_bad_segment(const char *text, size_t length) {
  for (size_t i = 0; i <= length;) {
    size_t start = i;
    while (i < length && text[i] != '/' && text[i] != '\\')
      i++;
    if (is_bad(text + start, i - start)) return true;
    i++;
  }
  return false;
}

/* Appends `text` with every "*" replaced by the rest. */
static void fill_in(struct pl__text *out, const struct hunt *hunt,
                    const char *text, size_t length) {
  for (size_t i = 0; i < length; i++)
    if (text[i] == '*')
      pl__text_add(out, hunt->rest, hunt->rest_length);
    else
      pl__text_byte(out, text[i]);
}

/* "#name" leads to another package, or to a core module. */
static enum outcome bare_target(struct hunt *hunt,
                                const struct pl__value *target) {
  struct pl__job *job = hunt->job;
  struct pl__text name = {.memory = &job->resolver->memory};
  if (hunt->pattern)
    fill_in(&name, hunt, target->text, target->length);
  else
    pl__text_add(&name, target->text, target->length);
  struct pl_place *place = pl__place(job, hunt->dir, hunt->dir_length);
  bool found = false;
  if (name.broken) job->error = PL_ENOMEM;
  if (place != NULL && job->error == 0) {
    struct pl__text parent = {.memory = &job->resolver->memory};
    pl__text_add(&parent, hunt->dir, hunt->dir_length);
    pl__text_string(&parent, slash_of(hunt));
    pl__text_string(&parent, "package.json");
    if (parent.broken)
      job->error = PL_ENOMEM;
    else {
      job->parent = parent.bytes;
      found = pl__import_bare(job, place, name.bytes == NULL ? "" : name.bytes,
                              name.length);
      job->parent = NULL;
    }
    pl__text_free(&parent);
  }
  pl__text_free(&name);
  return found ? FOUND : FAILED;
}

static enum outcome invalid_match(const struct hunt *hunt) {
  struct pl__job *job = hunt->job;
  struct pl__text request = {.memory = &job->resolver->memory};
  fill_in(&request, hunt, hunt->key, hunt->key_length);
  if (request.broken) job->error = PL_ENOMEM;
  pl__fail(job, PL_CODE_ERR_INVALID_MODULE_SPECIFIER, "Invalid module \"",
           request.bytes == NULL ? "" : request.bytes,
           "\" request is not a valid match in pattern \"", hunt->key,
           "\" for the \"", hunt->internal ? "imports" : "exports",
           "\" resolution of ", hunt->dir, slash_of(hunt), "package.json",
           from_of(hunt), NULL);
  end_message(hunt, "");
  pl__text_free(&request);
  return FAILED;
}

static enum outcome string_target(struct hunt *hunt,
                                  const struct pl__value *target) {
  struct pl__job *job = hunt->job;
  if (job->tell != NULL) pl__tell(job, target->text, target->length, "target");
  const char *text = target->text;
  size_t length = target->length, scheme;
  if (!pl__starts(text, length, "./")) {
    if (hunt->internal && !pl__starts(text, length, "/") &&
        !pl__starts(text, length, "../") && !pl__url_is(text, length, &scheme))
      return bare_target(hunt, target);
    return invalid_target(hunt, target);
  }
  if (has_bad_segment(text + 2, length - 2))
    return invalid_target(hunt, target);
  pl__url_parse(job, hunt->dir, hunt->dir_length, text, length);
  /* Dropped characters may have made dot segments of what was none. */
  struct pl__text own = {.memory = &job->resolver->memory};
  if (hunt->dir_length > 1)
    pl__text_encode_path(&own, hunt->dir, hunt->dir_length);
  pl__text_byte(&own, '/');
  if (own.broken) job->error = PL_ENOMEM;
  bool inside =
      job->error == 0 && pl__starts(job->url.bytes, job->url_path, own.bytes);
  pl__text_free(&own);
  if (job->error != 0) return FAILED;
  if (!inside) return invalid_target(hunt, target);
  if (!hunt->pattern) return FOUND;
  if (has_bad_segment(hunt->rest, hunt->rest_length))
    return invalid_match(hunt);
  /* The whole URL is filled in and parsed again, as Node does: a "?" in the
   * rest begins a query. */
  struct pl__text filled = {.memory = &job->resolver->memory};
  pl__text_string(&filled, "file://");
  fill_in(&filled, hunt, job->url.bytes, job->url.length);
  if (filled.broken)
    job->error = PL_ENOMEM;
  else
    pl__url_parse(job, "/", 1, filled.bytes, filled.length);
  pl__text_free(&filled);
  return job->error != 0 ? FAILED : FOUND;
}

/* ------------------------------------------------------------------------ */

/* A key that would be an index of an array: a number, written as JavaScript
 * writes it. */
static bool is_index(const char *key, size_t length) {
  if (length == 0 || length > 15) return false;
  size_t i = 0, dot = 0;
  for (; i < length; i++) {
    if (key[i] == '.' && dot == 0 && i > 0)
      dot = i;
    else if (key[i] < '0' || key[i] > '9')
      return false;
  }
  size_t whole = dot == 0 ? length : dot;
  if (key[0] == '0' && whole > 1) return false;
  if (dot != 0 && (key[length - 1] == '0' || dot == length - 1)) return false;
  double value = 0;
  for (i = 0; i < whole; i++)
    value = value * 10 + (key[i] - '0');
  return value < 4294967295.0;
}

enum { DEFAULT = 63 };

/* Which of the conditions a key is; -1: none. */
static int condition_of(const struct pl__job *job, const char *key,
                        size_t length) {
  static const char *const own[] = {"node", "node-addons", "module-sync"};
  if (pl__is(key, length, "default")) return DEFAULT;
  for (int i = 0; i < 3; i++)
    if (pl__is(key, length, own[i])) return i;
  if (pl__is(key, length, job->import ? "import" : "require")) return 3;
  const struct pl_resolver *resolver = job->resolver;
  for (size_t i = 0; i < resolver->condition_count; i++)
    if (pl__is(key, length, resolver->conditions[i])) return (int)i + 4;
  return -1;
}

/* The value of a key: that of its last appearance. */
static const struct pl__value *last_of(const struct pl__value *from) {
  const struct pl__value *found = from;
  for (const struct pl__value *at = from->next; at != NULL; at = at->next)
    if (pl__same(at->key, at->key_length, from->key, from->key_length))
      found = at;
  return found;
}

static enum outcome target_of(struct hunt *hunt, const struct pl__value *target,
                              unsigned depth);

static enum outcome array_target(struct hunt *hunt,
                                 const struct pl__value *target,
                                 unsigned depth) {
  enum outcome last = target->length == 0 ? NOTHING : UNDEFINED;
  for (const struct pl__value *at = target->first; at != NULL; at = at->next) {
    enum outcome outcome = target_of(hunt, at, depth + 1);
    if (outcome == FOUND) return FOUND;
    if (outcome == FAILED &&
        (hunt->job->error != 0 ||
         hunt->job->resolution->code != PL_CODE_ERR_INVALID_PACKAGE_TARGET))
      return FAILED;
    if (outcome != UNDEFINED) last = outcome;
  }
  return last;
}

static enum outcome object_target(struct hunt *hunt,
                                  const struct pl__value *target,
                                  unsigned depth) {
  struct pl__job *job = hunt->job;
  for (const struct pl__value *at = target->first; at != NULL; at = at->next) {
    if (!is_index(at->key, at->key_length)) continue;
    pl__fail(job, PL_CODE_ERR_INVALID_PACKAGE_CONFIG, "Invalid package config ",
             hunt->dir, slash_of(hunt), "package.json",
             hunt->names_parent ? " while importing file://" : "",
             hunt->names_parent
                 ? ""
                 : ". \"exports\" cannot contain numeric property keys.",
             NULL);
    end_message(hunt, ". \"exports\" cannot contain numeric property keys.");
    job->resolution->encodes_parent = true;
    return FAILED;
  }
  uint64_t seen = 0;
  for (const struct pl__value *at = target->first; at != NULL; at = at->next) {
    int condition = condition_of(job, at->key, at->key_length);
    if (condition < 0 && job->tell != NULL)
      pl__tell(job, at->key, at->key_length, "condition does not hold");
    if (condition < 0 || seen >> condition & 1) continue;
    seen |= UINT64_C(1) << condition;
    if (job->tell != NULL)
      pl__tell(job, at->key, at->key_length, "condition holds");
    enum outcome outcome = target_of(hunt, last_of(at), depth + 1);
    if (outcome != UNDEFINED) return outcome;
  }
  return UNDEFINED;
}

static enum outcome target_of(struct hunt *hunt, const struct pl__value *target,
                              unsigned depth) {
  if (depth > PL__NEST_MAX) {
    pl__fail(hunt->job, PL_CODE_RANGE_ERROR, "Maximum call stack size exceeded",
             NULL);
    return FAILED;
  }
  switch (target->type) {
  case PL__JSON_STRING: {
    enum outcome outcome = string_target(hunt, target);
    if (hunt->job->tell != NULL && outcome == FAILED)
      pl__tell(hunt->job, target->text, target->length, "no valid target");
    return outcome;
  }
  case PL__JSON_ARRAY:
    return array_target(hunt, target, depth);
  case PL__JSON_OBJECT:
    return object_target(hunt, target, depth);
  case PL__JSON_NULL:
    if (hunt->job->tell != NULL)
      pl__tell(hunt->job, hunt->key, hunt->key_length, "excluded: null");
    return NOTHING;
  default:
    return invalid_target(hunt, target);
  }
}

/* ------------------------------------------------------------------------ */

/* The member of a key, the last one; NULL: none. */
static const struct pl__value *member(const struct pl__field *field,
                                      const char *key, size_t length) {
  if (field->by_hash != NULL) {
    uint32_t at = (uint32_t)pl__hash(key, length, 0);
    for (;; at++) {
      const struct pl__value *value = field->by_hash[at &= field->slots - 1];
      if (value == NULL || pl__same(value->key, value->key_length, key, length))
        return value;
    }
  }
  const struct pl__value *found = NULL;
  for (const struct pl__value *at = field->value->first; at != NULL;
       at = at->next)
    if (pl__same(at->key, at->key_length, key, length)) found = at;
  return found;
}

/* How much of a pattern stands before its "*" (which counts), or all of it. */
static size_t base_length(const struct pl__value *key) {
  const char *star = memchr(key->key, '*', key->key_length);
  return star == NULL ? key->key_length : (size_t)(star - key->key) + 1;
}

/* Whether a pattern matches, and better than the best so far. */
static bool is_better(const struct pl__value *key, const char *name,
                      size_t length, const struct pl__value *best) {
  const char *star = memchr(key->key, '*', key->key_length);
  if (star == NULL) return false;
  size_t before = (size_t)(star - key->key);
  size_t after = key->key_length - before - 1;
  if (memchr(star + 1, '*', after) != NULL) return false;
  if (length < key->key_length || memcmp(name, key->key, before) != 0 ||
      memcmp(name + length - after, star + 1, after) != 0)
    return false;
  if (best == NULL) return true;
  size_t own = base_length(key), other = base_length(best);
  return own > other || (own == other && key->key_length > best->key_length);
}

static const struct pl__value *best_pattern(const struct pl__field *field,
                                            const char *name, size_t length) {
  const struct pl__value *best = NULL;
  if (field->by_hash != NULL) {
    for (uint32_t i = 0; i < field->pattern_count; i++)
      if (is_better(field->patterns[i], name, length, best))
        best = field->patterns[i];
    return best;
  }
  for (const struct pl__value *at = field->value->first; at != NULL;
       at = at->next)
    if (is_better(at, name, length, best)) best = at;
  return best;
}

/* The target of a name among the members; UNDEFINED: there is none. */
static enum outcome among_members(struct hunt *hunt,
                                  const struct pl__field *field,
                                  const char *name, size_t length, bool exact) {
  if (field->value->type != PL__JSON_OBJECT) return UNDEFINED;
  const struct pl__value *found = exact && memchr(name, '*', length) == NULL
                                      ? member(field, name, length)
                                      : NULL;
  hunt->pattern = false;
  if (found == NULL) {
    found = best_pattern(field, name, length);
    if (found == NULL && hunt->job->tell != NULL)
      pl__tell(hunt->job, name, length,
               hunt->internal ? "no imports key matches"
                              : "no exports key matches");
    if (found == NULL) return UNDEFINED;
    hunt->pattern = true;
    hunt->rest = name + base_length(found) - 1;
    hunt->rest_length = length - (found->key_length - 1);
  }
  hunt->key = found->key;
  hunt->key_length = found->key_length;
  if (hunt->job->tell != NULL)
    pl__tell(hunt->job, found->key, found->key_length,
             hunt->internal ? "imports key matches" : "exports key matches");
  return target_of(hunt, member(field, found->key, found->key_length), 0);
}

static enum outcome exports_outcome(struct hunt *hunt,
                                    const struct pl__package *package,
                                    const char *subpath, size_t length) {
  const struct pl__field *field = &package->exports;
  uint8_t type = field->value->type;
  bool object = type == PL__JSON_OBJECT;
  if (object && field->shape == PL__SHAPE_MIXED) {
    static const char why[] =
        ". \"exports\" cannot contain some keys starting with '.' and some "
        "not. The exports object must either be an object of package subpath "
        "keys or an object of main entry condition name keys only.";
    pl__fail(hunt->job, PL_CODE_ERR_INVALID_PACKAGE_CONFIG,
             "Invalid package config ", hunt->dir, slash_of(hunt),
             "package.json",
             hunt->names_parent ? " while importing file://" : why, NULL);
    end_message(hunt, why);
    hunt->job->resolution->encodes_parent = true;
    return FAILED;
  }
  bool sugar = type == PL__JSON_STRING || type == PL__JSON_ARRAY ||
               (object && field->shape == PL__SHAPE_CONDITIONS &&
                field->value->length > 0);
  if (!sugar)
    return among_members(hunt, field, subpath, length,
                         !pl__ends(subpath, length, "/"));
  if (!pl__is(subpath, length, ".")) return UNDEFINED;
  hunt->key = ".";
  hunt->key_length = 1;
  return target_of(hunt, field->value, 0);
}

bool pl__exports(struct pl__job *job, const struct pl__package *package,
                 const char *dir, size_t dir_length, const char *subpath,
                 size_t length, bool names_parent) {
  struct hunt hunt = {.job = job,
                      .dir = pl__keep(job, dir, dir_length),
                      .dir_length = dir_length,
                      .names_parent = names_parent};
  if (job->error != 0) return false;
  enum outcome outcome = exports_outcome(&hunt, package, subpath, length);
  if (outcome == FOUND || outcome == FAILED) return outcome == FOUND;
  if (pl__is(subpath, length, "."))
    pl__fail(job, PL_CODE_ERR_PACKAGE_PATH_NOT_EXPORTED,
             "No \"exports\" main defined in ", hunt.dir, slash_of(&hunt),
             "package.json", from_of(&hunt), NULL);
  else
    pl__fail(job, PL_CODE_ERR_PACKAGE_PATH_NOT_EXPORTED, "Package subpath '",
             pl__keep(job, subpath, length),
             "' is not defined by \"exports\" in ", hunt.dir, slash_of(&hunt),
             "package.json", from_of(&hunt), NULL);
  end_message(&hunt, "");
  return false;
}

bool pl__imports(struct pl__job *job, const struct pl__package *package,
                 const char *dir, size_t dir_length) {
  const char *name = job->request;
  size_t length = job->request_length;
  const char *shown = pl__keep(job, name, length);
  if (job->error != 0) return false;
  if (pl__is(name, length, "#") || pl__starts(name, length, "#/") ||
      pl__ends(name, length, "/")) {
    pl__fail(job, PL_CODE_ERR_INVALID_MODULE_SPECIFIER, "Invalid module \"",
             shown, "\" is not a valid internal imports specifier name",
             " imported from ", NULL);
    pl__fail_after(job, "");
    return false;
  }
  if (pl__fail_scope(job, package, dir, dir_length, NULL, 0)) return false;
  struct hunt hunt = {.job = job,
                      .dir = pl__keep(job, dir, dir_length),
                      .dir_length = dir_length,
                      .internal = true,
                      .names_parent = true};
  if (job->error != 0) return false;
  bool exists = package->state == PL__PACKAGE_READ;
  enum outcome outcome = UNDEFINED;
  if (exists && package->imports.value != NULL)
    outcome = among_members(&hunt, &package->imports, name, length, true);
  if (outcome == FOUND || outcome == FAILED) return outcome == FOUND;
  pl__fail(job, PL_CODE_ERR_PACKAGE_IMPORT_NOT_DEFINED,
           "Package import specifier \"", shown, "\" is not defined",
           exists ? " in package " : "", exists ? hunt.dir : "",
           exists ? slash_of(&hunt) : "", exists ? "package.json" : "",
           " imported from ", NULL);
  pl__fail_after(job, "");
  return false;
}
