/* SPDX-License-Identifier: MIT */
/*
 * modules_read.c: the operations of modules as a table, and what they are
 * given.
 *
 * Invariant: what is let through is what schema/vocabulary/modules.yaml lets
 * through, and an operation that stands in modules only is not found in main.
 */
#include "modules.h"
#include "reader.h"

#include <string.h>

enum module_key {
  KEY_SPECIFIER = 1 << 0, /* a scalar */
  KEY_FROM = 1 << 1,
  KEY_VIA = 1 << 2,
  KEY_PATHS = 1 << 3,
  KEY_CONDITIONS = 1 << 4,
  KEY_LABEL = 1 << 5,
  KEY_RESULT = 1 << 6, /* id */
  KEY_LOADED = 1 << 7, /* of */
  KEY_AS = 1 << 8,
  KEY_NAME = 1 << 9,
  KEY_FILE = 1 << 10,   /* path */
  KEY_TARGET = 1 << 11, /* to */
  KEY_VALUE = 1 << 12,
  KEY_MESSAGE = 1 << 13,
  KEY_TEXT = 1 << 14,
  KEY_ERROR_SHOW = 1 << 15,
  KEY_FACT_SHOW = 1 << 16,
  KEY_CORE = 1 << 17,
  KEY_CALLS = 1 << 18,
  KEY_OF_ANY = 1 << 19,         /* of: a resolve, too */
  KEY_TEXT_SPECIFIER = 1 << 20, /* a text only */
  IN_MODULE = 1 << 21,          /* no key: where the operation stands */
  LIST = 1 << 22,               /* its value is a list of texts */
  TEXT = 1 << 23                /* its value is one text */
};

#define LOADED (1u << KIND_REQUIRED)
#define ASKING (KEY_SPECIFIER | KEY_FROM | KEY_LABEL | KEY_RESULT)

static bool read_module(struct reader *reader, struct op *op,
                        const struct operation *operation, json_t *json);

#define ROW(name_, capability_, kind_, keys_, required_, perform_)             \
  {                                                                            \
    .name = name_, .code = OP_OWN, .shape = SHAPE_OWN,                         \
    .capability = capability_, .kind = kind_, .keys = keys_,                   \
    .required = required_, .read = read_module, .perform = perform_            \
  }

/* clang-format off */
static const struct operation rows[] = {
  ROW("resolve", CAP_RESOLVE, KIND_RESOLVED,
      ASKING | KEY_VIA | KEY_PATHS | KEY_CONDITIONS, KEY_SPECIFIER,
      module_resolve),
  ROW("resolve.folders", CAP_RESOLVE, KIND_NONE,
      KEY_TEXT_SPECIFIER | KEY_FROM | KEY_LABEL,
      KEY_TEXT_SPECIFIER | KEY_LABEL, module_folders),
  ROW("is-core", CAP_CORE, KIND_NONE, KEY_TEXT_SPECIFIER | KEY_LABEL,
      KEY_TEXT_SPECIFIER | KEY_LABEL, module_is_core),
  ROW("search-path", CAP_SEARCH_PATH, KIND_NONE, LIST, 0, module_search_path),
  ROW("search-path.home", CAP_SEARCH_PATH, KIND_NONE, TEXT, 0,
      module_search_home),
  ROW("search-path.prefix", CAP_SEARCH_PATH, KIND_NONE, TEXT, 0,
      module_search_prefix),
  ROW("entry", CAP_ENTRY, KIND_NONE, KEY_FILE | KEY_LABEL, KEY_FILE,
      module_entry),
  ROW("require", CAP_REQUIRE, KIND_REQUIRED, ASKING, KEY_SPECIFIER,
      module_require),
  ROW("get", CAP_REQUIRE, KIND_NONE, KEY_LOADED | KEY_NAME | KEY_LABEL,
      KEY_LOADED | KEY_NAME | KEY_LABEL, module_get),
  ROW("call", CAP_REQUIRE, KIND_NONE, KEY_LOADED | KEY_NAME, KEY_LOADED,
      module_call),
  ROW("names", CAP_REQUIRE, KIND_NONE, KEY_LOADED | KEY_LABEL,
      KEY_LOADED | KEY_LABEL, module_names),
  ROW("same", CAP_REQUIRE, KIND_NONE, KEY_LOADED | KEY_AS | KEY_LABEL,
      KEY_LOADED | KEY_AS | KEY_LABEL, module_same),
  ROW("error", CAP_RESOLVE, KIND_NONE,
      KEY_OF_ANY | KEY_ERROR_SHOW | KEY_LABEL,
      KEY_OF_ANY | KEY_ERROR_SHOW | KEY_LABEL, module_error),
  ROW("module", CAP_REQUIRE, KIND_NONE, KEY_FACT_SHOW | KEY_FILE | KEY_LABEL,
      KEY_FACT_SHOW | KEY_LABEL, module_show),
  ROW("exports.set", CAP_REQUIRE, KIND_NONE,
      KEY_NAME | KEY_VALUE | KEY_LOADED | IN_MODULE, KEY_NAME, module_set),
  ROW("exports.replace", CAP_REQUIRE, KIND_NONE,
      KEY_VALUE | KEY_LOADED | IN_MODULE, 0, module_replace),
  ROW("exports.rebind", CAP_REQUIRE, KIND_NONE, KEY_VALUE | IN_MODULE, 0,
      module_rebind),
  ROW("exports.function", CAP_REQUIRE, KIND_NONE,
      KEY_NAME | KEY_CALLS | IN_MODULE, 0, module_function),
  ROW("exports.getter", CAP_REQUIRE, KIND_NONE,
      KEY_NAME | KEY_VALUE | KEY_CALLS | IN_MODULE, KEY_NAME, module_getter),
  ROW("module.throw", CAP_REQUIRE, KIND_NONE,
      KEY_MESSAGE | KEY_VALUE | IN_MODULE, 0, module_throw),
  ROW("module.load", CAP_REQUIRE, KIND_REQUIRED,
      KEY_TEXT_SPECIFIER | KEY_FILE | KEY_LABEL | KEY_RESULT,
      KEY_TEXT_SPECIFIER, module_load),
  ROW("module.search", CAP_REQUIRE, KIND_NONE, LIST | IN_MODULE, 0,
      module_search),
  ROW("cache.state", CAP_CACHE, KIND_NONE, KEY_FILE | KEY_LABEL,
      KEY_FILE | KEY_LABEL, module_cache_state),
  ROW("cache.files", CAP_CACHE, KIND_NONE, KEY_LABEL, KEY_LABEL,
      module_cache_files),
  ROW("cache.delete", CAP_CACHE, KIND_NONE, TEXT, 0, module_cache_delete),
  ROW("cache.clear", CAP_CACHE, KIND_NONE, 0, 0, module_cache_clear),
  ROW("cache.put", CAP_CACHE, KIND_NONE, KEY_FILE | KEY_VALUE | KEY_CORE,
      KEY_FILE, module_cache_put),
  ROW("cache.exports", CAP_CACHE, KIND_NONE, KEY_FILE | KEY_VALUE, KEY_FILE,
      module_cache_exports),
  ROW("reload", CAP_RELOAD, KIND_NONE, TEXT, 0, module_reload),
  ROW("loader", CAP_HOOKS, KIND_NONE, TEXT, 0, module_loader),
  ROW("tree.write", CAP_TREE, KIND_NONE, KEY_FILE | KEY_TEXT,
      KEY_FILE | KEY_TEXT, module_tree_write),
  ROW("tree.remove", CAP_TREE, KIND_NONE, TEXT, 0, module_tree_remove),
  ROW("tree.rename", CAP_TREE, KIND_NONE, KEY_FILE | KEY_TARGET,
      KEY_FILE | KEY_TARGET, module_tree_rename),
  ROW("tree.directory", CAP_TREE, KIND_NONE, TEXT, 0, module_tree_directory),
  ROW("tree.link", CAP_TREE, KIND_NONE, KEY_FILE | KEY_TARGET,
      KEY_FILE | KEY_TARGET, module_tree_link),
  ROW("tree.hard-link", CAP_TREE, KIND_NONE, KEY_FILE | KEY_TARGET,
      KEY_FILE | KEY_TARGET, module_tree_hard_link),
};
/* clang-format on */

const struct operation *modules_operation(const char *name) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (strcmp(rows[i].name, name) == 0) return &rows[i];
  return NULL;
}

/* -- values of keys ---------------------------------------------------- */

static bool copy_text(struct reader *reader, struct op *op, const char *key,
                      json_t *json, bool empty, const char **text) {
  const char *string = json_string_value(json);
  if (!string || (!*string && !empty) ||
      strlen(string) != json_string_length(json))
    return reader_fail(reader, op, "%s: a text is wanted", key);
  size_t size = strlen(string) + 1;
  char *copy = arena_alloc(reader->arena, size);
  if (!copy) return reader_fail(reader, op, "out of memory");
  *text = memcpy(copy, string, size);
  return true;
}

static bool copy_list(struct reader *reader, struct op *op, const char *key,
                      json_t *json, struct text_list *list) {
  if (!json_is_array(json))
    return reader_fail(reader, op, "%s: a list of texts is wanted", key);
  size_t count = json_array_size(json);
  const char **texts = arena_alloc(reader->arena, (count + 1) * sizeof *texts);
  if (!texts) return reader_fail(reader, op, "out of memory");
  for (size_t i = 0; i < count; i++)
    if (!copy_text(reader, op, key, json_array_get(json, i), false, &texts[i]))
      return false;
  *list = (struct text_list){texts, count};
  return true;
}

static bool copy_value(struct reader *reader, struct op *op, json_t *json,
                       const char **value) {
  size_t size = json_dumpb(json, NULL, 0, JSON_ENCODE_ANY | JSON_COMPACT);
  char *copy = arena_alloc(reader->arena, size + 1);
  if (!copy) return reader_fail(reader, op, "out of memory");
  json_dumpb(json, copy, size, JSON_ENCODE_ANY | JSON_COMPACT);
  *value = copy;
  return true;
}

static bool read_specifier(struct reader *reader, struct op *op, json_t *json,
                           const char **specifier) {
  if (json_is_string(json))
    return copy_text(reader, op, "specifier", json, true, specifier);
  if (json_is_integer(json) || json_is_boolean(json) || json_is_null(json))
    return true;
  return reader_fail(reader, op, "specifier: a scalar is wanted");
}

static bool read_via(struct reader *reader, struct op *op, json_t *json,
                     bool *by_import) {
  const char *name = json_string_value(json);
  if (!name || (strcmp(name, "require") != 0 && strcmp(name, "import") != 0))
    return reader_fail(reader, op, "via: require or import is wanted");
  *by_import = strcmp(name, "import") == 0;
  if (*by_import) reader_need(reader, op, CAP_RESOLVE_IMPORT);
  return true;
}

static const char *const shows[] = {
    [SHOW_CODE] = "code",
    [SHOW_NAME] = "name",
    [SHOW_PATH] = "path",
    [SHOW_REQUEST_PATH] = "request-path",
    [SHOW_REQUIRE_STACK] = "require-stack",
    [SHOW_ID] = "id",
    [SHOW_FILE] = "file",
    [SHOW_DIRECTORY] = "directory",
    [SHOW_LOADED] = "loaded",
    [SHOW_MAIN] = "main",
    [SHOW_PARENT] = "parent",
    [SHOW_CHILDREN] = "children",
    [SHOW_FOLDERS] = "folders",
};

static bool read_show(struct reader *reader, struct op *op, json_t *json,
                      enum module_show first, enum module_show last,
                      enum module_show *show) {
  const char *name = json_string_value(json);
  for (unsigned i = first; name && i <= last; i++) {
    if (strcmp(shows[i], name) != 0) continue;
    *show = (enum module_show)i;
    return true;
  }
  return reader_fail(reader, op, "show: one of %s to %s is wanted",
                     shows[first], shows[last]);
}

/* A reference beside the operation's own id. */
static bool read_other(struct reader *reader, struct op *op, json_t *json,
                       unsigned kinds, int *slot) {
  const char *name = json_string_value(json);
  int own = op->slot;
  if (!name || !*name)
    return reader_fail(reader, op, "the name of what was loaded is wanted");
  if (!read_reference(reader, op, name, kinds)) return false;
  *slot = op->slot;
  op->slot = own;
  return true;
}

/* -- keys -------------------------------------------------------------- */

static const struct {
  const char *name;
  unsigned keys;
} key_names[] = {
    {"specifier", KEY_SPECIFIER | KEY_TEXT_SPECIFIER},
    {"from", KEY_FROM},
    {"via", KEY_VIA},
    {"paths", KEY_PATHS},
    {"conditions", KEY_CONDITIONS},
    {"log", KEY_LABEL},
    {"id", KEY_RESULT},
    {"of", KEY_LOADED | KEY_OF_ANY},
    {"as", KEY_AS},
    {"name", KEY_NAME},
    {"path", KEY_FILE},
    {"to", KEY_TARGET},
    {"value", KEY_VALUE},
    {"message", KEY_MESSAGE},
    {"text", KEY_TEXT},
    {"show", KEY_ERROR_SHOW | KEY_FACT_SHOW},
    {"core", KEY_CORE},
    {"then", KEY_CALLS},
    {"each", KEY_CALLS},
};

static unsigned find_key(unsigned keys, const char *name) {
  for (size_t i = 0; i < sizeof key_names / sizeof *key_names; i++)
    if (strcmp(key_names[i].name, name) == 0) return keys & key_names[i].keys;
  return 0;
}

static const char *key_text(unsigned key) {
  for (size_t i = 0; i < sizeof key_names / sizeof *key_names; i++)
    if (key_names[i].keys & key) return key_names[i].name;
  return "";
}

static bool read_key(struct reader *reader, struct op *op,
                     struct module_args *args, unsigned key, const char *name,
                     json_t *json) {
  switch (key) {
  case KEY_SPECIFIER:
    return read_specifier(reader, op, json, &args->specifier);
  case KEY_TEXT_SPECIFIER:
    return copy_text(reader, op, name, json, true, &args->specifier);
  case KEY_FROM:
    return copy_text(reader, op, name, json, false, &args->from);
  case KEY_VIA:
    return read_via(reader, op, json, &args->by_import);
  case KEY_PATHS:
    args->has_paths = true;
    return copy_list(reader, op, name, json, &args->paths);
  case KEY_CONDITIONS:
    reader_need(reader, op, CAP_CONDITIONS);
    return copy_list(reader, op, name, json, &args->conditions);
  case KEY_LABEL:
    return read_label(reader, op, json);
  case KEY_RESULT:
    return read_id(reader, op, json);
  case KEY_LOADED:
    return read_other(reader, op, json, LOADED, &args->of);
  case KEY_OF_ANY:
    return read_other(reader, op, json, LOADED | 1u << KIND_RESOLVED,
                      &args->of);
  case KEY_AS:
    return read_other(reader, op, json, LOADED, &args->as);
  case KEY_NAME:
    return copy_text(reader, op, name, json, false, &args->name);
  case KEY_FILE:
    return copy_text(reader, op, name, json, false, &args->path);
  case KEY_TARGET:
    return copy_text(reader, op, name, json, false, &args->to);
  case KEY_VALUE:
    return copy_value(reader, op, json, &args->value);
  case KEY_MESSAGE:
    return copy_text(reader, op, name, json, false, &args->message);
  case KEY_TEXT:
    return copy_text(reader, op, name, json, true, &args->text);
  case KEY_ERROR_SHOW:
    return read_show(reader, op, json, SHOW_CODE, SHOW_REQUIRE_STACK,
                     &args->show);
  case KEY_FACT_SHOW:
    return read_show(reader, op, json, SHOW_ID, SHOW_FOLDERS, &args->show);
  case KEY_CORE:
    if (!json_is_boolean(json))
      return reader_fail(reader, op, "core: true or false is wanted");
    args->core = json_is_true(json);
    return true;
  default:
    return read_calls(reader, op, name, json);
  }
}

static bool read_keys(struct reader *reader, struct op *op,
                      struct module_args *args,
                      const struct operation *operation, json_t *json) {
  if (!json_is_object(json))
    return reader_fail(reader, op, "an object is wanted");
  unsigned seen = 0;
  const char *name;
  json_t *value;
  json_object_foreach(json, name, value) {
    unsigned key = find_key(operation->keys, name);
    if (key == 0) return reader_fail(reader, op, "unknown key `%.80s`", name);
    if (!read_key(reader, op, args, key, name, value)) return false;
    seen |= key;
  }
  unsigned lacking = operation->required & ~seen;
  if (lacking == 0) return true;
  return reader_fail(reader, op, "`%s` is missing",
                     key_text(lacking & ~(lacking - 1)));
}

static bool read_module(struct reader *reader, struct op *op,
                        const struct operation *operation, json_t *json) {
  struct module_args *args = arena_alloc(reader->arena, sizeof *args);
  if (!args) return reader_fail(reader, op, "out of memory");
  args->of = args->as = -1;
  op->module = args;
  reader->program->uses_modules = true;
  bool read;
  if (operation->keys & LIST)
    read = copy_list(reader, op, op->name, json, &args->folders);
  else if (operation->keys & TEXT)
    read = copy_text(reader, op, op->name, json, false, &args->path);
  else
    read = read_keys(reader, op, args, operation, json);
  if (!read) return false;
  if (operation->keys & IN_MODULE && !reader->in_module)
    return reader_fail(reader, op, "`%s` stands in modules only", op->name);
  return true;
}
