/* SPDX-License-Identifier: MIT */
/*
 * package.c: package.json: read once per directory, and only what resolution
 * needs of it: name, main, type, exports, imports.
 *
 * Node 22 reads it lazily, by a parser that looks at the structure of what it
 * passes and never into it; {"a": tru} is accepted. Node 20 uses JSON.parse().
 * Both are done here, since which packages are broken depends on it. (Source:
 * Node, src/node_modules.cc and simdjson's On-Demand; lib/internal/modules/
 * package_json_reader.js of Node 20.)
 *
 * Invariant: a package is kept whole or not at all; a broken one is kept as
 * broken.
 */
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "internal.h"

struct scan {
  const char *text;
  size_t length, at;
  const char *token; /* the last one */
  size_t size;
  bool bad; /* an open string, or a control character in one */
};

/* What a byte is, as bits. */
enum {
  S = 1 /* space */,
  M = 2 /* mark */,
  Q = 4,
  B = 8,
  C = 16 /* control */
};
static const uint8_t classes[256] = {
    C,         C,         C,         C,         C,         C,         C,
    C,         C,         C | S,     C | S,     C,         C,         C | S,
    C,         C, /* \t \n \r */
    C,         C,         C,         C,         C,         C,         C,
    C,         C,         C,         C,         C,         C,         C,
    C,         C,         [' '] = S, ['{'] = M, ['}'] = M, ['['] = M, [']'] = M,
    [':'] = M, [','] = M, ['"'] = Q, ['\\'] = B};

static bool is(char byte, unsigned class) {
  return (classes[(unsigned char)byte] & class) != 0;
}

static bool is_space(char byte) {
  return is(byte, S);
}

static bool is_structure(char byte) {
  return is(byte, M);
}

#ifdef __SSE2__
/* The first byte from `at` on that ends a string or is odd in one. */
static size_t pass_plain(const char *text, size_t at, size_t length) {
  const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'),
                most = _mm_set1_epi8(0x1f);
  for (; length - at >= 16; at += 16) {
    __m128i bytes = _mm_loadu_si128((const void *)(text + at));
    __m128i odd = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote),
                                            _mm_cmpeq_epi8(bytes, backslash)),
                               _mm_cmpeq_epi8(_mm_max_epu8(bytes, most), most));
    unsigned found = (unsigned)_mm_movemask_epi8(odd);
    if (found != 0) return at + (unsigned)__builtin_ctz(found);
  }
  while (at < length && !is(text[at], Q | B | C))
    at++;
  return at;
}

/* The first byte from `at` on that is no space. */
static size_t pass_space(const char *text, size_t at, size_t length) {
  if (at < length && !is(text[at], S)) return at;
  const __m128i space = _mm_set1_epi8(' '), line = _mm_set1_epi8('\n');
  for (; length - at >= 16; at += 16) {
    __m128i bytes = _mm_loadu_si128((const void *)(text + at));
    unsigned found = (unsigned)_mm_movemask_epi8(_mm_or_si128(
        _mm_cmpeq_epi8(bytes, space), _mm_cmpeq_epi8(bytes, line)));
    if (found == 0xffff) continue;
    at += (unsigned)__builtin_ctz(~found);
    break;
  }
  while (at < length && is(text[at], S))
    at++;
  return at;
}
#else
/* Eight at a time. The sums tell for certain that there is none, and may be
 * wrong about where. */
static size_t pass_plain(const char *text, size_t at, size_t length) {
  const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
  for (; length - at >= 8; at += 8) {
    uint64_t bytes;
    memcpy(&bytes, text + at, sizeof bytes);
    uint64_t quote = bytes ^ ones * '"', backslash = bytes ^ ones * '\\';
    uint64_t odd = ((quote - ones) & ~quote) |
                   ((backslash - ones) & ~backslash) |
                   ((bytes - ones * 0x20) & ~bytes);
    if ((odd & tops) != 0) break;
  }
  while (at < length && !is(text[at], Q | B | C))
    at++;
  return at;
}

static size_t pass_space(const char *text, size_t at, size_t length) {
  while (at < length && is(text[at], S))
    at++;
  return at;
}
#endif

/* Behind a string that begins at `at`. */
static size_t pass_string(struct scan *scan, size_t at) {
  const char *text = scan->text;
  for (at++;; at++) {
    if (at < scan->length) at = pass_plain(text, at, scan->length);
    if (at >= scan->length) {
      scan->bad = true;
      return scan->length;
    }
    if (text[at] == '"') return at + 1;
    if (text[at] == '\\' && at + 1 < scan->length) at++;
    if (is(text[at], C)) scan->bad = true;
  }
}

/* The next token: a mark, a string with its quotes, or a run of others. False
 * at the end. */
static bool next(struct scan *scan) {
  const char *text = scan->text;
  size_t at = pass_space(text, scan->at, scan->length);
  size_t start = at;
  if (at == scan->length) {
    scan->at = at;
    return false;
  }
  if (is_structure(text[at])) {
    at++;
  } else {
    while (at < scan->length && !is(text[at], Q | S | M)) {
      /* Also outside strings a backslash takes a quote's meaning away. */
      if (text[at] == '\\' && at + 1 < scan->length &&
          (text[at + 1] == '"' || text[at + 1] == '\\'))
        at++;
      at++;
    }
    if (at < scan->length && text[at] == '"') at = pass_string(scan, at);
  }
  scan->token = text + start;
  scan->size = at - start;
  scan->at = at;
  return true;
}

/*
 * On-Demand passes what nobody asks for by counting brackets of either kind
 * alike, and looks only at the first token: `depth` levels are open for it, and
 * a mark or a key there closes none, while a scalar closes one.
 */
static bool pass_from(struct scan *scan, size_t depth) {
  char first = scan->token[0];
  bool closes = first == '}' || first == ']' || !is_structure(first);
  if (first == '"') {
    struct scan ahead = *scan;
    if (next(&ahead) && ahead.token[0] == ':') {
      *scan = ahead;
      closes = false;
    }
  }
  if (closes) depth--;
  while (depth > 0 && next(scan)) {
    char mark = scan->token[0];
    if (mark == '{' || mark == '[') depth++;
    if (mark == '}' || mark == ']') depth--;
  }
  return depth == 0;
}

/* Passes the value whose first token is the present one. */
static bool pass(struct scan *scan) {
  return pass_from(scan, 1);
}

/* The same for an object or an array whose text is wanted: its beginning is
 * looked at a little closer. */
static bool pass_raw(struct scan *scan) {
  char mark = scan->token[0];
  if (!next(scan)) return false;
  char first = scan->token[0];
  if (first == (mark == '{' ? '}' : ']')) return true;
  if (mark == '[') return pass_from(scan, 2);
  if (first != '"') return pass_from(scan, 1);
  if (!next(scan) || scan->token[0] != ':' || !next(scan)) return false;
  return pass_from(scan, 2);
}

/* ------------------------------------------------------------------------ */

struct reading {
  struct pl__job *job;
  struct pl__package *package;
  struct pl__text word;          /* an unescaped string */
  const char *exports, *imports; /* raw JSON, when an object or an array */
  size_t exports_length, imports_length;
};

/* The string token, unescaped into the word. False: not a sound string. */
static bool read_word(struct reading *reading, const struct scan *scan) {
  if (scan->size < 2 || scan->token[0] != '"' ||
      scan->token[scan->size - 1] != '"')
    return false;
  size_t at;
  const char *what;
  pl__text_clear(&reading->word);
  bool sound = pl__json_unescape(&reading->word, scan->token + 1,
                                 scan->size - 2, true, &at, &what);
  if (reading->word.broken) reading->job->error = PL_ENOMEM;
  return sound && reading->job->error == 0;
}

static const char *keep_word(struct reading *reading, uint32_t *length) {
  struct pl__text *word = &reading->word;
  char *copy =
      pl__alloc(reading->job, &reading->job->resolver->tree, word->length + 1);
  if (copy == NULL) return NULL;
  if (word->length > 0) memcpy(copy, word->bytes, word->length);
  copy[word->length] = '\0';
  *length = (uint32_t)word->length;
  return copy;
}

static const struct pl__value *new_string(struct reading *reading) {
  struct pl__value *value =
      pl__alloc(reading->job, &reading->job->resolver->tree, sizeof *value);
  uint32_t length;
  const char *text = keep_word(reading, &length);
  if (value == NULL || text == NULL) return NULL;
  *value = (struct pl__value){
      .type = PL__JSON_STRING, .text = text, .length = length};
  return value;
}

/* exports or imports: text of an object or an array, or a string value. */
static bool read_field(struct reading *reading, struct scan *scan,
                       const struct pl__value **string, const char **raw,
                       size_t *length) {
  char mark = scan->token[0];
  if (mark == '{' || mark == '[') {
    const char *start = scan->token;
    if (!pass_raw(scan)) return false;
    *raw = start;
    *length = (size_t)(scan->token + scan->size - start);
    *string = NULL;
    return true;
  }
  if (mark == '"') {
    if (!read_word(reading, scan)) return false;
    /* A string that looks like JSON is taken for JSON, as Node does. */
    *string = new_string(reading);
    *raw = NULL;
    if (*string != NULL &&
        ((*string)->text[0] == '{' || (*string)->text[0] == '[')) {
      *raw = (*string)->text;
      *length = (*string)->length;
      *string = NULL;
    }
    return reading->job->error == 0;
  }
  return pass(scan);
}

static bool read_member(struct reading *reading, const char *key, size_t size,
                        struct scan *scan) {
  struct pl__package *package = reading->package;
  char mark = scan->token[0];
  if (pl__is(key, size, "\"name\"")) {
    if (!read_word(reading, scan)) return false;
    package->name = keep_word(reading, &package->name_length);
  } else if (pl__is(key, size, "\"main\"")) {
    if (mark != '"') return pass(scan);
    if (read_word(reading, scan))
      package->main = keep_word(reading, &package->main_length);
  } else if (pl__is(key, size, "\"type\"")) {
    if (!read_word(reading, scan)) return false;
    const struct pl__text *word = &reading->word;
    if (pl__is(word->bytes, word->length, "module"))
      package->type = PL__TYPE_MODULE;
    else if (pl__is(word->bytes, word->length, "commonjs"))
      package->type = PL__TYPE_COMMONJS;
  } else if (pl__is(key, size, "\"exports\"")) {
    return read_field(reading, scan, &package->exports.value, &reading->exports,
                      &reading->exports_length);
  } else if (pl__is(key, size, "\"imports\"")) {
    return read_field(reading, scan, &package->imports.value, &reading->imports,
                      &reading->imports_length);
  } else if (pl__is(key, size, "\"scripts\"")) {
    return mark == '{' ? pass_raw(scan) : pass(scan);
  } else {
    return pass(scan);
  }
  return reading->job->error == 0;
}

/* Behind the object there may be anything that ends in "}", but its strings
 * must be sound. */
static bool rest_is_sound(struct scan *scan) {
  while (next(scan)) {
  }
  return !scan->bad;
}

/* The members of the outermost object. False: broken. */
static bool read_lazily(struct reading *reading, const char *text,
                        size_t length) {
  struct scan scan = {.text = text, .length = length};
  if (!pl__utf8(text, length)) return false;
  size_t end = length;
  while (end > 0 && is_space(text[end - 1]))
    end--;
  if (!next(&scan) || scan.token[0] != '{' || text[end - 1] != '}')
    return false;
  if (!next(&scan)) return false;
  if (scan.token[0] == '}') return rest_is_sound(&scan);
  for (;;) {
    const char *key = scan.token;
    size_t size = scan.size;
    if (key[0] != '"' || !next(&scan) || scan.token[0] != ':' || !next(&scan) ||
        !read_member(reading, key, size, &scan) || !next(&scan))
      return false;
    if (scan.token[0] == '}') return rest_is_sound(&scan);
    if (scan.token[0] != ',' || !next(&scan)) return false;
  }
}

/* ------------------------------------------------------------------------ */

static void keep_why(struct pl__job *job, struct pl__package *package,
                     const char *text, size_t length,
                     const struct pl__json_error *where) {
  struct pl__text why = {.memory = &job->resolver->memory};
  pl__json_message(&why, text, length, where, job->resolver->node >= 22);
  if (why.broken) job->error = PL_ENOMEM;
  if (job->error == 0)
    package->why = pl__keep_in_tree(job, why.bytes, why.length);
  pl__text_free(&why);
}

/* A raw field's tree. What is no JSON breaks the package. */
static void read_tree(struct reading *reading, const char *raw, size_t length,
                      const struct pl__value **value) {
  struct pl__job *job = reading->job;
  struct pl__json_error where;
  if (raw == NULL || job->error != 0) return;
  int error = pl__json_read(&job->resolver->tree, &job->resolver->memory, raw,
                            length, value, &where);
  if (error == PL_ENOMEM) job->error = error;
  if (error != PL_EINVAL) return;
  reading->package->state = PL__PACKAGE_BAD_FIELD;
  keep_why(job, reading->package, raw, length, &where);
}

/* Node 20's way: the whole text, then its own members. */
static void read_strictly(struct reading *reading, const char *text,
                          size_t length) {
  struct pl__job *job = reading->job;
  struct pl__package *package = reading->package;
  struct pl__json_error where;
  const struct pl__value *root;
  int error = pl__json_read(&job->resolver->tree, &job->resolver->memory, text,
                            length, &root, &where);
  if (error == PL_ENOMEM) job->error = error;
  if (error == PL_EINVAL) {
    keep_why(job, package, text, length, &where);
    package->state = PL__PACKAGE_BROKEN;
  }
  if (error != 0) return;
  package->state =
      root->type == PL__JSON_NULL ? PL__PACKAGE_NULL : PL__PACKAGE_READ;
  if (root->type != PL__JSON_OBJECT) return;
  for (const struct pl__value *at = root->first; at != NULL; at = at->next) {
    bool string = at->type == PL__JSON_STRING;
    if (pl__is(at->key, at->key_length, "name")) {
      package->name = string ? at->text : NULL;
      package->name_length = (uint32_t)at->length;
    } else if (pl__is(at->key, at->key_length, "main")) {
      package->main = string ? at->text : NULL;
      package->main_length = (uint32_t)at->length;
    } else if (pl__is(at->key, at->key_length, "type")) {
      package->type = !string                                  ? PL__TYPE_NONE
                      : pl__is(at->text, at->length, "module") ? PL__TYPE_MODULE
                      : pl__is(at->text, at->length, "commonjs")
                          ? PL__TYPE_COMMONJS
                          : PL__TYPE_NONE;
    } else if (pl__is(at->key, at->key_length, "exports")) {
      package->exports.value = at->type == PL__JSON_NULL ? NULL : at;
    } else if (pl__is(at->key, at->key_length, "imports")) {
      package->imports.value = at->type == PL__JSON_NULL ? NULL : at;
    }
  }
}

static void read_text(struct reading *reading, const char *text,
                      size_t length) {
  struct pl__job *job = reading->job;
  struct pl__package *package = reading->package;
  if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
    text += 3;
    length -= 3;
  }
  if (job->resolver->node < 22) {
    read_strictly(reading, text, length);
    return;
  }
  package->state = PL__PACKAGE_BROKEN;
  if (!read_lazily(reading, text, length) || job->error != 0) return;
  package->state = PL__PACKAGE_READ;
  read_tree(reading, reading->exports, reading->exports_length,
            &package->exports.value);
  read_tree(reading, reading->imports, reading->imports_length,
            &package->imports.value);
}

/* ------------------------------------------------------------------------ */

enum { SMALL = 12 }; /* members that are looked through one by one */

/* A table of an object's members, the last one of each key, and a list of its
 * patterns, the first one of each key. */
static void index_field(struct pl__job *job, struct pl__field *field) {
  const struct pl__value *object = field->value;
  if (object == NULL || object->type != PL__JSON_OBJECT) return;
  size_t dotted = 0;
  for (const struct pl__value *at = object->first; at != NULL; at = at->next)
    dotted += at->key_length > 0 && at->key[0] == '.';
  field->shape = dotted == object->length ? PL__SHAPE_SUBPATHS
                 : dotted == 0            ? PL__SHAPE_CONDITIONS
                                          : PL__SHAPE_MIXED;
  if (object->length <= SMALL || object->length > UINT32_MAX / 8) return;
  uint32_t slots = 16;
  while (slots < object->length * 2)
    slots *= 2;
  struct pl__arena *tree = &job->resolver->tree;
  const struct pl__value **table = pl__alloc(job, tree, slots * sizeof *table);
  const struct pl__value **patterns =
      pl__alloc(job, tree, object->length * sizeof *patterns);
  if (table == NULL || patterns == NULL) return;
  memset(table, 0, slots * sizeof *table);
  uint32_t count = 0;
  for (const struct pl__value *at = object->first; at != NULL; at = at->next) {
    uint32_t slot = (uint32_t)pl__hash(at->key, at->key_length, 0);
    for (;; slot++) {
      slot &= slots - 1;
      if (table[slot] == NULL ||
          pl__same(table[slot]->key, table[slot]->key_length, at->key,
                   at->key_length))
        break;
    }
    if (table[slot] == NULL && memchr(at->key, '*', at->key_length) != NULL)
      patterns[count++] = at;
    table[slot] = at;
  }
  field->by_hash = table;
  field->slots = slots;
  field->patterns = patterns;
  field->pattern_count = count;
}

/* Whether there is a file to read: links at the end are followed. */
static bool has_file(struct pl__job *job, struct pl__node *dir) {
  static const char name[] = "package.json";
  struct pl__node *node = pl__look(job, dir, name, sizeof name - 1);
  unsigned links = 0;
  if (node != NULL) node = pl__follow(job, node, &links);
  return node != NULL && node->kind == PL_FS_FILE;
}

static void read_package(struct pl__job *job, struct pl__dir *dir,
                         struct pl__package *package) {
  struct pl_resolver *resolver = job->resolver;
  struct pl__text *path = &resolver->path;
  pl__text_set(path, dir->path, dir->length > 1 ? dir->length : 0);
  pl__text_string(path, "/package.json");
  if (path->broken) {
    path->broken = false;
    job->error = PL_ENOMEM;
    return;
  }
  char *text;
  size_t length;
  if (path->length >= PL__PATH_MAX) return;
  int error =
      resolver->fs->ops->read(resolver->fs, path->bytes, &resolver->memory,
                              &text, &length, &package->stamp);
  /* These pass, and a package that was not read is not one without exports. */
  if (error == PL_ENOMEM || error == PL_EMFILE || error == PL_ENFILE)
    job->error = error;
  if (error != 0) return;
  resolver->stats.packages++;
  package->racy = pl__is_racy(resolver, &package->stamp);
  struct reading reading = {
      .job = job, .package = package, .word = {.memory = &resolver->memory}};
  read_text(&reading, text, length);
  pl__text_free(&reading.word);
  resolver->memory.resize(resolver->memory.self, text, 0);
  index_field(job, &package->exports);
  index_field(job, &package->imports);
}

/* All directories without a package.json share this one. */
static const struct pl__package none;

const struct pl__package *pl__package(struct pl__job *job,
                                      struct pl__node *node) {
  struct pl__dir *dir = pl__dir(job, node);
  if (dir == NULL) return &none;
  if (dir->package != NULL) return dir->package;
  bool exists = has_file(job, node);
  if (job->error != 0) return &none;
  if (!exists) {
    dir->package = &none;
    return &none;
  }
  struct pl__package *package =
      pl__alloc(job, &job->resolver->tree, sizeof *package);
  if (package == NULL) return &none;
  *package = (struct pl__package){.exists = true};
  read_package(job, dir, package);
  if (job->error != 0) return &none;
  dir->package = package;
  return package;
}

/*
 * Up the text of the place, not up the real tree: what a link is called counts.
 * A place called node_modules ends it. One that cannot be read ends it too, as
 * in Node 22's CommonJS; in Node 20 it is passed.
 */
const struct pl__package *pl__scope(struct pl__job *job,
                                    struct pl_place *place) {
  if (place->has_scope) return place->scope;
  struct pl_place *at = place, *found = NULL;
  const struct pl__package *package = &none;
  for (;; at = at->up) {
    if (at->has_scope) {
      package = at->scope;
      found = at->scope_place;
      break;
    }
    if (pl__ends(at->text, at->length, "/node_modules")) break;
    if (at->real != NULL && at->length + 14 < PL__PATH_MAX)
      package = pl__package(job, at->real);
    if (job->error != 0) return &none;
    if (package->exists &&
        (package->state != PL__PACKAGE_NONE || job->resolver->node >= 22)) {
      found = at;
      break;
    }
    package = &none;
    if (at->up == at) break;
  }
  for (struct pl_place *fill = place;; fill = fill->up) {
    fill->scope = package;
    fill->scope_place = found;
    fill->has_scope = true;
    if (fill == at) break;
  }
  return package;
}
