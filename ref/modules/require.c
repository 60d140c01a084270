/* SPDX-License-Identifier: MIT */
/*
 * require.c: what require.resolve() finds: CommonJS resolution.
 *
 * In this order: core modules, "#" imports, the package's own name, and then
 * the paths: the directory itself for a relative request, the root for an
 * absolute one, every node_modules upwards and the global folders for a bare
 * one. At each path: the package's exports, the exact file, the file with
 * .js, .json or .node, the directory's main, its index.
 *
 * Invariant: probes are asked in Node's order, so that what exists later in the
 * order never hides what exists earlier, nor an earlier error.
 * Source: Node, doc/api/modules.md; lib/internal/modules/cjs/loader.js.
 */
#include <stdio.h>

#include "internal.h"

static const char *const extensions[] = {".js", ".json", ".node"};
enum { EXTENSIONS = sizeof extensions / sizeof *extensions };

static enum pl__found try_extensions(struct pl__job *job,
                                     struct pl__spot *spot) {
  for (int i = 0; i < EXTENSIONS; i++) {
    enum pl__found found = pl__try_file(job, spot, extensions[i]);
    if (found != PL__NO) return found;
  }
  for (size_t i = 0; i < job->resolver->extension_count; i++) {
    enum pl__found found =
        pl__try_file(job, spot, job->resolver->extensions[i]);
    if (found != PL__NO) return found;
  }
  return PL__NO;
}

/* Appends to a spot's text a path, as path.resolve() does. The text goes into
 * `out`. */
static struct pl__spot join(struct pl__job *job, struct pl__text *out,
                            const struct pl__spot *spot, const char *path,
                            size_t length) {
  pl__text_set(out, spot->text, spot->length);
  pl__text_resolve(out, path, length);
  if (out->broken) job->error = PL_ENOMEM;
  struct pl__spot result = {.text = out->bytes == NULL ? "/" : out->bytes,
                            .length = out->bytes == NULL ? 1 : out->length,
                            .from = &job->resolver->root};
  if (spot->node != NULL && spot->node->kind == PL_FS_DIRECTORY &&
      result.length > spot->length && result.text[spot->length] == '/' &&
      memcmp(result.text, spot->text, spot->length) == 0) {
    result.known = spot->length;
    result.from = spot->node;
    result.links = spot->node_links;
  } else if (result.length > spot->known &&
             memcmp(result.text, spot->text, spot->known) == 0 &&
             result.text[spot->known] == '/') {
    result.known = spot->known;
    result.from = spot->from;
    result.links = spot->links;
  }
  return result;
}

static enum pl__found try_index(struct pl__job *job,
                                const struct pl__spot *spot) {
  struct pl__spot index =
      join(job, &job->spare, spot, "index", sizeof "index" - 1);
  if (job->error != 0) return PL__STOP;
  return try_extensions(job, &index);
}

/* A directory: its main, or its index. */
static enum pl__found try_directory(struct pl__job *job,
                                    const struct pl__spot *spot,
                                    struct pl__node *dir) {
  const struct pl__package *package = pl__package(job, dir);
  if (job->error != 0 ||
      pl__fail_package(job, package, spot->text, spot->length))
    return PL__STOP;
  if (job->tell != NULL && package->exists)
    pl__tell(job, spot->text, spot->length,
             package->main_length > 0 ? "its package.json has a main"
                                      : "its package.json has no main");
  if (package->main == NULL || package->main_length == 0)
    return try_index(job, spot);
  struct pl__text main_text = {.memory = &job->resolver->memory};
  struct pl__spot main =
      join(job, &main_text, spot, package->main, package->main_length);
  enum pl__found found =
      job->error != 0 ? PL__STOP : pl__try_file(job, &main, "");
  if (found == PL__NO) found = try_extensions(job, &main);
  if (found == PL__NO) found = try_index(job, &main);
  if (found == PL__NO) {
    found = try_index(job, spot);
    if (found == PL__YES) job->resolution->deprecated_main = true;
  }
  if (found == PL__NO) {
    pl__fail_missing(job, main.text, main.length,
                     "'. Please verify that the package.json has a valid "
                     "\"main\" entry");
    struct pl__spot json = join(job, &main_text, spot, "package.json", 12);
    if (job->error == 0)
      job->resolution->error_path = pl__keep(job, json.text, json.length);
    job->resolution->error_request =
        pl__keep(job, job->request, job->request_length);
    found = PL__STOP;
  }
  pl__text_free(&main_text);
  return found;
}

/* ------------------------------------------------------------------------ */

/* "p", "p/x", "@s/p", "@s/p/x": how long the name is; 0: it is not one. */
static size_t package_name(const char *request, size_t length) {
  size_t start = 0, end = 0;
  for (int part = 0; part < 2; part++) {
    start = end;
    while (end < length && request[end] != '/' && request[end] != '\\' &&
           request[end] != '%')
      end++;
    bool scope = part == 0 && request[0] == '@' && end > 1 && end < length &&
                 request[end] == '/' && end + 1 < length &&
                 request[end + 1] != '.' && request[end + 1] != '/' &&
                 request[end + 1] != '\\' && request[end + 1] != '%';
    if (!scope) break;
    end++;
  }
  if (start == end || request[start] == '.') return 0;
  if (end < length && request[end] != '/') {
    /* Without the scope it may still match: "@s" alone, then "/...". */
    if (start == 0) return 0;
    end = start - 1;
  }
  /* Behind the name no line may end: Node's expression has "." there. */
  for (size_t i = end; i < length; i++) {
    if (request[i] == '\n' || request[i] == '\r') return 0;
    if (length - i >= 3 && memcmp(request + i, "\xe2\x80", 2) == 0 &&
        (request[i + 2] == '\xa8' || request[i + 2] == '\xa9'))
      return 0;
  }
  return end;
}

/* A target of exports or imports, in job->url, must be a file as it stands. */
static enum pl__found finish_target(struct pl__job *job,
                                    const struct pl_place *near,
                                    const char *package_path) {
  if (job->is_core) {
    pl__fail(job, PL_CODE_ERR_INVALID_URL_SCHEME,
             "The URL must be of scheme file", NULL);
    return PL__STOP;
  }
  if (!pl__url_to_path(job, false)) return PL__STOP;
  struct pl__spot spot = pl__spot(job, job->base.bytes, job->base.length, near);
  enum pl__found found = PL__NO;
  if (!pl__ends(spot.text, spot.length, "/"))
    found = pl__try_file(job, &spot, "");
  if (found != PL__NO || job->error != 0) return found;
  pl__fail_missing(job, spot.text, spot.length, "'");
  job->resolution->error_path = package_path;
  return PL__STOP;
}

/* The path of a directory's package.json, kept. */
static const char *json_of(struct pl__job *job, const char *dir,
                           size_t length) {
  struct pl__text path = {.memory = &job->resolver->memory};
  pl__text_add(&path, dir, length > 1 ? length : 0);
  pl__text_string(&path, "/package.json");
  const char *kept = NULL;
  if (path.broken)
    job->error = PL_ENOMEM;
  else
    kept = pl__keep(job, path.bytes, path.length);
  pl__text_free(&path);
  return kept;
}

/* The exports of a package that lies in `modules`. NO: it has none. */
static enum pl__found try_exports(struct pl__job *job,
                                  const struct pl_place *modules,
                                  size_t name_length) {
  struct pl__text *dir = &job->spare;
  pl__text_set(dir, modules->text, modules->length > 1 ? modules->length : 0);
  pl__text_byte(dir, '/');
  pl__text_add(dir, job->request, name_length);
  if (dir->broken) {
    job->error = PL_ENOMEM;
    return PL__STOP;
  }
  struct pl__spot spot = pl__spot(job, dir->bytes, dir->length, modules);
  pl_explain_fn *tell = job->tell;
  job->tell = NULL;
  struct pl__node *node = pl__at(job, &spot, "");
  job->tell = tell;
  if (job->error != 0) return PL__STOP;
  if (node == NULL || node->kind != PL_FS_DIRECTORY ||
      spot.length + 13 >= PL__PATH_MAX)
    return PL__NO;
  const struct pl__package *package = pl__package(job, node);
  if (job->error != 0 || pl__fail_package(job, package, spot.text, spot.length))
    return PL__STOP;
  if (package->exports.value == NULL) return PL__NO;
  if (tell != NULL)
    pl__tell(job, spot.text, spot.length, "its package.json has exports");
  struct pl__text subpath = {.memory = &job->resolver->memory};
  pl__text_byte(&subpath, '.');
  pl__text_add(&subpath, job->request + name_length,
               job->request_length - name_length);
  if (subpath.broken) job->error = PL_ENOMEM;
  bool found =
      job->error == 0 && pl__exports(job, package, dir->bytes, dir->length,
                                     subpath.bytes, subpath.length, false);
  pl__text_free(&subpath);
  if (!found) return PL__STOP;
  job->unnamed = true;
  const char *path = job->resolver->node < 22
                         ? json_of(job, dir->bytes, dir->length)
                         : pl__keep(job, dir->bytes, dir->length);
  return finish_target(job, modules, path);
}

/* One path of the search: `modules`, or the directory of the request. */
static enum pl__found try_path(struct pl__job *job,
                               const struct pl_place *place, bool trailing,
                               size_t name_length) {
  if (name_length > 0 && place != NULL) {
    enum pl__found found = try_exports(job, place, name_length);
    if (found != PL__NO) return found;
  }
  pl__text_clear(&job->base);
  if (place != NULL) pl__text_add(&job->base, place->text, place->length);
  pl__text_resolve(&job->base, job->request, job->request_length);
  if (job->base.broken) job->error = PL_ENOMEM;
  if (job->error != 0) return PL__STOP;
  struct pl__spot spot =
      pl__spot(job, job->base.bytes, job->base.length, place);
  struct pl__node *node = pl__at(job, &spot, "");
  if (job->error != 0) return PL__STOP;
  if (!trailing) {
    if (node != NULL && node->kind == PL_FS_FILE)
      return pl__finish(job, &spot, "", node);
    enum pl__found found = try_extensions(job, &spot);
    if (found != PL__NO) return found;
  }
  if (node == NULL || node->kind != PL_FS_DIRECTORY) return PL__NO;
  if (spot.nul != NULL) return PL__NO;
  return try_directory(job, &spot, node);
}

/* ------------------------------------------------------------------------ */

/* The nearest node_modules that is a directory, from a place upwards; a place
 * that is itself called node_modules has none. NULL: none up to the root. */
static struct pl_place *first_modules(struct pl__job *job,
                                      struct pl_place *place) {
  static const char name[] = "node_modules";
  struct pl_place *at = place, *found = NULL;
  for (;; at = at->up) {
    if (at->has_modules) {
      found = at->modules;
      break;
    }
    if (at->real != NULL && !pl__ends(at->text, at->length, "/node_modules") &&
        at->length + sizeof name < PL__PATH_MAX) {
      struct pl__node *node = pl__look(job, at->real, name, sizeof name - 1);
      unsigned links = at->links;
      if (node != NULL) node = pl__follow(job, node, &links);
      if (job->error == 0 && node != NULL && node->kind == PL_FS_DIRECTORY)
        found = pl__place_child(job, at, name, sizeof name - 1);
    }
    if (job->error != 0) return NULL;
    if (found != NULL || at->up == at) break;
  }
  for (struct pl_place *fill = place;; fill = fill->up) {
    fill->modules = found;
    fill->has_modules = true;
    if (fill == at) break;
  }
  return found;
}

/* Tells of the node_modules between two places that are not there. */
static void tell_missing(struct pl__job *job, const struct pl_place *from,
                         const struct pl_place *found) {
  for (const struct pl_place *at = from; found == NULL || at != found->up;
       at = at->up) {
    if (!pl__ends(at->text, at->length, "/node_modules")) {
      struct pl__text text = {.memory = &job->resolver->memory};
      pl__text_add(&text, at->text, at->length > 1 ? at->length : 0);
      pl__text_string(&text, "/node_modules");
      if (!text.broken)
        pl__tell(job, text.bytes, text.length, "no such directory");
      pl__text_free(&text);
    }
    if (at->up == at) break;
  }
}

/* Folders that are searched as they are, each when it is there. */
static enum pl__found search_folders(struct pl__job *job, bool trailing,
                                     size_t name, const char *const *folders,
                                     size_t count) {
  for (size_t i = 0; i < count; i++) {
    struct pl_place *place = pl__place(job, folders[i], strlen(folders[i]));
    if (job->error != 0) return PL__STOP;
    if (place->real == NULL) {
      if (job->tell != NULL)
        pl__tell(job, folders[i], strlen(folders[i]), "no such directory");
      continue;
    }
    enum pl__found found = try_path(job, place, trailing, name);
    if (found != PL__NO) return found;
  }
  return PL__NO;
}

static enum pl__found search_modules(struct pl__job *job, bool trailing,
                                     struct pl_place *from) {
  size_t name = package_name(job->request, job->request_length);
  const struct pl_lookup *lookup = job->lookup;
  if (lookup != NULL && lookup->first_count > 0) {
    enum pl__found found =
        search_folders(job, trailing, name, lookup->first, lookup->first_count);
    if (found != PL__NO) return found;
  }
  for (;;) {
    struct pl_place *modules = first_modules(job, from);
    if (job->error != 0) return PL__STOP;
    if (job->tell != NULL) tell_missing(job, from, modules);
    if (modules == NULL) break;
    enum pl__found found = try_path(job, modules, trailing, name);
    if (found != PL__NO) return found;
    if (modules->up->up == modules->up) break;
    from = modules->up->up;
  }
  return search_folders(job, trailing, name, job->resolver->paths,
                        job->resolver->path_count);
}

/* The search begins at other folders, one after the other. */
static enum pl__found search_starts(struct pl__job *job, bool trailing) {
  const char *request = job->request;
  size_t length = job->request_length;
  bool relative =
      pl__starts(request, length, "./") || pl__starts(request, length, "../");
  const struct pl_lookup *lookup = job->lookup;
  for (size_t i = 0; i < lookup->start_count; i++) {
    const char *start = lookup->starts[i];
    struct pl_place *place = pl__place(job, start, strlen(start));
    if (job->error != 0) return PL__STOP;
    if (relative && place->real == NULL) continue;
    enum pl__found found = relative ? try_path(job, place, trailing, 0)
                                    : search_modules(job, trailing, place);
    if (found != PL__NO) return found;
  }
  return PL__NO;
}

/* "x/", ".", "..", "x/." and "x/..": a directory is meant. */
static bool means_directory(const char *request, size_t length) {
  if (length == 0) return false;
  if (request[length - 1] == '/') return true;
  if (request[length - 1] != '.') return false;
  if (length == 1 || request[length - 2] == '/') return true;
  return request[length - 2] == '.' &&
         (length == 2 || request[length - 3] == '/');
}

/* Node's createEsmNotFoundErr() for what imports' packages lacked. */
static void fail_not_found(struct pl__job *job, const char *path) {
  pl__fail_missing(job, job->request, job->request_length, "'");
  job->resolution->error_path = path;
}

/* "#name", when the scope has imports; and the package's own name, when it has
 * exports. NO: neither. */
static enum pl__found search_scope(struct pl__job *job) {
  const struct pl__package *scope = pl__scope(job, job->place);
  if (job->error != 0) return PL__STOP;
  const struct pl_place *at = job->place->scope_place;
  if (at == NULL) return PL__NO;
  if (pl__fail_package(job, scope, at->text, at->length)) return PL__STOP;
  const char *request = job->request;
  size_t length = job->request_length, name = scope->name_length;
  if (request[0] == '#' && scope->imports.value != NULL) {
    if (job->tell != NULL)
      pl__tell(job, at->text, at->length, "its package.json has imports");
    if (pl__imports(job, scope, at->text, at->length))
      return finish_target(job, at, json_of(job, at->text, at->length));
    if (job->resolution->code == PL_CODE_ERR_MODULE_NOT_FOUND)
      fail_not_found(job, NULL);
    return PL__STOP;
  }
  if (scope->exports.value == NULL || scope->name == NULL || length < name ||
      memcmp(request, scope->name, name) != 0 ||
      (length > name && request[name] != '/'))
    return PL__NO;
  if (job->tell != NULL)
    pl__tell(job, at->text, at->length, "the request is this package's name");
  struct pl__text subpath = {.memory = &job->resolver->memory};
  pl__text_byte(&subpath, '.');
  pl__text_add(&subpath, request + name, length - name);
  if (subpath.broken) job->error = PL_ENOMEM;
  bool found =
      job->error == 0 && pl__exports(job, scope, at->text, at->length,
                                     subpath.bytes, subpath.length, true);
  pl__text_free(&subpath);
  if (!found) return PL__STOP;
  return finish_target(job, at, json_of(job, at->text, at->length));
}

static void fail_missing(struct pl__job *job) {
  pl__fail_missing(job, job->request, job->request_length, "'");
  job->resolution->has_stack = true;
}

/* What a bare request leads to depends on nothing but the nearest
 * node_modules: found out once for all directories that have the same. (Where
 * names are no UTF-8, also on whose: see pl__url_to_path().) */
static void search_for_all(struct pl__job *job, bool trailing) {
  struct pl_place *nearest = first_modules(job, job->place);
  bool shared = nearest != NULL && job->place->utf8;
  if (job->error != 0 || (shared && pl__recall(job, nearest))) return;
  enum pl__found found = search_modules(job, trailing, job->place);
  if (job->error == 0 && found == PL__NO) fail_missing(job);
  if (job->error == 0 && shared) pl__remember(job, nearest);
}

void pl__require(struct pl__job *job) {
  const char *request = job->request;
  size_t length = job->request_length;
  if (length == 0) {
    pl__fail(job, PL_CODE_ERR_INVALID_ARG_VALUE,
             "The argument 'id' must be a non-empty string. Received ''", NULL);
    return;
  }
  const struct pl_resolver *resolver = job->resolver;
  bool prefixed = pl__starts(request, length, "node:");
  size_t skip = prefixed ? 5 : 0;
  bool is_path = request[0] == '.' || request[0] == '/';
  if ((!is_path && pl__is_core(resolver, request + skip, length - skip)) ||
      (prefixed && pl__is_core_only(resolver, request + skip, length - skip))) {
    if (job->tell != NULL) pl__tell(job, request, length, "a core module");
    *job->resolution =
        (struct pl_resolution){.kind = PL_MODULE_CORE,
                               .path = pl__keep(job, request, length),
                               .path_length = length};
    return;
  }
  if (search_scope(job) != PL__NO) return;
  bool trailing = means_directory(request, length);
  enum pl__found found;
  /* "..x" is relative as well: only the second byte is looked at. */
  bool relative = request[0] == '.' &&
                  (length == 1 || request[1] == '.' || request[1] == '/');
  if (request[0] == '/')
    found = try_path(job, NULL, trailing, 0);
  else if (job->lookup != NULL && job->lookup->starts != NULL)
    found = search_starts(job, trailing);
  else if (relative && length > 2 && request[1] == '.' && request[2] != '/' &&
           job->place->real == NULL)
    found = PL__NO; /* "..x" asks in a directory, and there is none */
  else if (relative)
    found = try_path(job, job->place, trailing, 0);
  else if (job->lookup == NULL && job->tell == NULL) {
    search_for_all(job, trailing);
    return;
  } else
    found = search_modules(job, trailing, job->place);
  if (found == PL__NO) fail_missing(job);
}
