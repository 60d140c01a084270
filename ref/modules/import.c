/* SPDX-License-Identifier: MIT */
/*
 * import.c: what an import leads to: the resolver of ES modules.
 *
 * Invariant: no extension is tried and no directory is entered here, but for
 * the main of a package without exports.
 * Source: Node, doc/api/esm.md, "Resolution Algorithm Specification";
 * lib/internal/modules/esm/resolve.js.
 */
#include "internal.h"

/* `path` may hold NUL bytes. */
static void not_found(struct pl__job *job, const char *what, const char *path,
                      size_t length) {
  struct pl__text text = {.memory = &job->resolver->memory};
  pl__text_string(&text, "Cannot find ");
  pl__text_string(&text, what);
  pl__text_string(&text, " '");
  pl__text_add(&text, path, length);
  pl__text_string(&text, "' imported from ");
  if (text.broken) job->error = PL_ENOMEM;
  *job->resolution =
      (struct pl_resolution){.code = PL_CODE_ERR_MODULE_NOT_FOUND};
  if (job->error == 0) {
    job->resolution->before = pl__keep(job, text.bytes, text.length);
    job->resolution->before_length = text.length;
  }
  pl__text_free(&text);
  pl__fail_after(job, "");
}

/* The text in job->base as a URL into job->url. */
static void path_to_url(struct pl__job *job, const char *path, size_t length) {
  pl__text_clear(&job->url);
  pl__text_encode_path(&job->url, path, length);
  job->url_path = job->url.length;
  job->url_has_host = false;
  if (job->url.broken) job->error = PL_ENOMEM;
}

/* The length of a directory's text without the slash that "@s/" leaves. */
static size_t plain_length(const char *dir, size_t length) {
  return length > 1 && dir[length - 1] == '/' ? length - 1 : length;
}

/* Fails, naming the first file that was looked for. Node 20 finds its path as
 * a URL. */
static void no_main(struct pl__job *job, const struct pl__package *package,
                    const char *dir, size_t dir_length) {
  struct pl__text name = {.memory = &job->resolver->memory};
  pl__text_set(&name, "./", 2);
  if (package->main == NULL)
    pl__text_string(&name, "index.js");
  else
    pl__text_add(&name, package->main, package->main_length);
  if (name.broken) {
    job->error = PL_ENOMEM;
  } else if (job->resolver->node < 22) {
    pl__url_parse(job, dir, dir_length, name.bytes, name.length);
    if (job->error == 0 && pl__url_to_path(job, true))
      not_found(job, "package", job->base.bytes, job->base.length);
  } else {
    pl__text_set(&job->base, dir, plain_length(dir, dir_length));
    pl__text_resolve(&job->base, name.bytes + 2, name.length - 2);
    if (job->base.broken)
      job->error = PL_ENOMEM;
    else
      not_found(job, "package", job->base.bytes, job->base.length);
  }
  pl__text_free(&name);
}

/* main, with extensions and as a directory, and the package's index. */
static bool legacy_main(struct pl__job *job, const struct pl__package *package,
                        const char *dir, size_t dir_length,
                        const struct pl_place *near) {
  static const char *const after_main[] = {
      "", ".js", ".json", ".node", "/index.js", "/index.json", "/index.node"};
  static const char *const alone[] = {"/index.js", "/index.json",
                                      "/index.node"};
  bool has_main = package->main != NULL;
  bool slash = has_main && pl__ends(package->main, package->main_length, "/");
  /* To Node 20 main is part of a URL, and nothing absolute. */
  size_t skip = 0;
  while (has_main && job->resolver->node < 22 && skip < package->main_length &&
         package->main[skip] == '/')
    skip++;
  bool found = false;
  for (int i = has_main ? 0 : 7; i < 10 && !found && job->error == 0; i++) {
    pl__text_set(&job->base, dir, plain_length(dir, dir_length));
    if (i < 7) {
      pl__text_resolve(&job->base, package->main + skip,
                       package->main_length - skip);
      /* The root has a slash of its own. */
      if (job->base.length == 1 && i > 0) pl__text_clear(&job->base);
      /* A slash at main's end stays, but Node 22 looks without it, too. */
      if (slash && i == 0 && job->resolver->node < 22) continue;
      if (slash && i > 0 && i < 4) pl__text_byte(&job->base, '/');
    }
    pl__text_string(&job->base, i < 7 ? after_main[i] : alone[i - 7]);
    if (job->base.broken) job->error = PL_ENOMEM;
    if (job->error != 0) break;
    struct pl__spot spot =
        pl__spot(job, job->base.bytes, job->base.length, near);
    struct pl__node *node = pl__at(job, &spot, "");
    found = node != NULL && node->kind == PL_FS_FILE;
  }
  if (job->error != 0) return false;
  if (found)
    path_to_url(job, job->base.bytes, job->base.length);
  else
    no_main(job, package, dir, dir_length);
  return found && job->error == 0;
}

/* How much of a bare specifier is the package's name; 0: it is no valid one. */
static size_t bare_name(const char *name, size_t length, bool *valid) {
  const char *slash = memchr(name, '/', length);
  *valid = true;
  if (length > 0 && name[0] == '@') {
    if (slash == NULL)
      *valid = false;
    else
      slash = memchr(slash + 1, '/', length - (size_t)(slash + 1 - name));
  }
  size_t size = slash == NULL ? length : (size_t)(slash - name);
  if (length > 0 && name[0] == '.') *valid = false;
  if (memchr(name, '%', size) != NULL || memchr(name, '\\', size) != NULL)
    *valid = false;
  return size;
}

/* The target of a subpath in the package that lies in `dir`. */
static bool in_package(struct pl__job *job, struct pl__node *node,
                       const char *dir, size_t dir_length, const char *subpath,
                       size_t length, const struct pl_place *near) {
  const struct pl__package *package = pl__package(job, node);
  if (job->error != 0 || pl__fail_imported(job, package, dir, dir_length,
                                           job->bare, job->bare_length))
    return false;
  if (package->exports.value != NULL)
    return pl__exports(job, package, dir, dir_length, subpath, length, true);
  if (length == 1) return legacy_main(job, package, dir, dir_length, near);
  pl__url_parse(job, dir, dir_length, subpath, length);
  return job->error == 0;
}

/* The package in the node_modules of a place, or of those above it. */
static bool in_modules(struct pl__job *job, struct pl_place *place,
                       const char *name, size_t name_length,
                       const char *subpath, size_t length) {
  struct pl__text dir = {.memory = &job->resolver->memory};
  bool found = false, done = false;
  /* The way up is as long as the name was before it was resolved. */
  int steps = pl__ends(name, name_length, "/..")  ? 3
              : pl__ends(name, name_length, "/.") ? 2
                                                  : 1;
  for (struct pl_place *at = place; !done;) {
    pl__text_set(&dir, at->text, at->length > 1 ? at->length : 0);
    pl__text_string(&dir, "/node_modules");
    /* "@s/.." is a valid name, and the URL it becomes part of is resolved. */
    pl__text_resolve(&dir, name, name_length);
    if (dir.broken) job->error = PL_ENOMEM;
    if (job->error != 0) break;
    struct pl__spot spot = pl__spot(job, dir.bytes, dir.length, at);
    struct pl__node *node = pl__at(job, &spot, "");
    /* "" and "@s/" leave a slash, which is seen in messages. */
    if (name_length == 0 || name[name_length - 1] == '/')
      pl__text_byte(&dir, '/');
    if (dir.broken) job->error = PL_ENOMEM;
    if (job->error == 0 && node != NULL && node->kind == PL_FS_DIRECTORY) {
      found = in_package(job, node, dir.bytes, dir.length, subpath, length, at);
      done = true;
    } else if (at->up == at || job->error != 0) {
      break;
    }
    for (int i = 0; i < steps; i++)
      at = at->up;
  }
  pl__text_free(&dir);
  if (!done && job->error == 0) not_found(job, "package", name, name_length);
  return found;
}

/* The scope of a place, and where it is. Node 22 goes on above a package.json
 * that is broken, and names the last that is. */
static const struct pl__package *scope_of(struct pl__job *job,
                                          struct pl_place *place,
                                          const struct pl_place **where) {
  const struct pl__package *scope = pl__scope(job, place);
  struct pl_place *at = place->scope_place;
  while (job->error == 0 && at != NULL && at->up != at &&
         scope->state == PL__PACKAGE_BROKEN && job->resolver->node >= 22) {
    const struct pl__package *next = pl__scope(job, at->up);
    if (job->error != 0 || next->state != PL__PACKAGE_BROKEN) break;
    scope = next;
    at = at->up->scope_place;
  }
  *where = at;
  return scope;
}

bool pl__import_bare(struct pl__job *job, struct pl_place *place,
                     const char *name, size_t length) {
  if (pl__is_core(job->resolver, name, length)) {
    if (job->tell != NULL) pl__tell(job, name, length, "a core module");
    job->is_core = true;
    struct pl__text url = {.memory = &job->resolver->memory};
    pl__text_string(&url, "node:");
    pl__text_add(&url, name, length);
    if (url.broken) job->error = PL_ENOMEM;
    if (job->error == 0)
      *job->resolution =
          (struct pl_resolution){.kind = PL_MODULE_CORE,
                                 .path = pl__keep(job, url.bytes, url.length),
                                 .path_length = url.length};
    pl__text_free(&url);
    return job->error == 0;
  }
  bool valid;
  size_t size = bare_name(name, length, &valid);
  job->bare = name;
  job->bare_length = length;
  if (!valid) {
    pl__fail(job, PL_CODE_ERR_INVALID_MODULE_SPECIFIER, "Invalid module \"",
             pl__keep(job, name, length),
             "\" is not a valid package name imported from ", NULL);
    pl__fail_after(job, "");
    return false;
  }
  struct pl__text subpath = {.memory = &job->resolver->memory};
  pl__text_byte(&subpath, '.');
  pl__text_add(&subpath, name + size, length - size);
  if (subpath.broken) job->error = PL_ENOMEM;
  const struct pl_place *at;
  const struct pl__package *scope = scope_of(job, place, &at);
  bool found = false;
  if (job->error != 0 ||
      (at != NULL && pl__fail_scope(job, scope, at->text, at->length, NULL, 0)))
    found = false;
  else if (at != NULL && scope->exports.value != NULL && scope->name != NULL &&
           pl__same(scope->name, scope->name_length, name, size))
    found = pl__exports(job, scope, at->text, at->length, subpath.bytes,
                        subpath.length, true);
  else
    found = in_modules(job, place, name, size, subpath.bytes, subpath.length);
  pl__text_free(&subpath);
  return found;
}

/* ------------------------------------------------------------------------ */

/* Node asks for the format while it resolves, and so for the package of what
 * was found: when that package.json is broken, the import fails. */
static void check_scope(struct pl__job *job) {
  struct pl_resolution *resolution = job->resolution;
  const char *path = resolution->path;
  size_t length = resolution->path_length, name = length;
  while (name > 0 && path[name - 1] != '/')
    name--;
  const char *dot = NULL;
  for (size_t i = length; i > name + 1 && dot == NULL; i--)
    if (path[i - 1] == '.') dot = path + i - 1;
  if (dot != NULL && !pl__is(dot, (size_t)(path + length - dot), ".js")) return;
  struct pl_place *place = pl__place(job, path, name > 1 ? name - 1 : 1);
  if (job->error != 0) return;
  const struct pl__package *scope = pl__scope(job, place);
  if (job->error == 0 && place->scope_place != NULL)
    pl__fail_scope(job, scope, place->scope_place->text,
                   place->scope_place->length, path, length);
}

/* A file URL, in job->url: it must be a file. */
static void finish_url(struct pl__job *job) {
  if (!pl__url_to_path(job, true)) return;
  const char *query = NULL;
  if (job->url.length > job->url_path)
    query = pl__keep(job, job->url.bytes + job->url_path,
                     job->url.length - job->url_path);
  struct pl__text *path = &job->base;
  struct pl__spot spot = pl__spot(job, path->bytes, path->length, job->place);
  /* With a slash at its end Node asks about "/" instead. */
  bool slash = pl__ends(path->bytes, path->length, "/");
  struct pl__node *node = slash ? &job->resolver->root : pl__at(job, &spot, "");
  if (job->error != 0) return;
  if (node == NULL) {
    not_found(job, "module", path->bytes, path->length);
    return;
  }
  if (node->kind == PL_FS_DIRECTORY) {
    pl__fail(job, PL_CODE_ERR_UNSUPPORTED_DIR_IMPORT, "Directory import '",
             pl__keep(job, path->bytes, path->length),
             "' is not supported resolving ES modules imported from ", NULL);
    pl__fail_after(job, "");
    return;
  }
  pl_explain_fn *tell = job->tell;
  job->tell = NULL;
  enum pl__found found = pl__try_file(job, &spot, "");
  job->tell = tell;
  if (found != PL__YES) return;
  job->resolution->query = query;
  check_scope(job);
}

/* A URL with a scheme of its own. */
static void finish_absolute(struct pl__job *job, const char *request,
                            size_t length, size_t scheme) {
  while (length > 0 && (unsigned char)*request <= 0x20) {
    request++;
    length--;
  }
  char name[8] = "";
  for (size_t i = 0; i < scheme && scheme < sizeof name; i++)
    name[i] = (char)(request[i] >= 'A' && request[i] <= 'Z' ? request[i] | 0x20
                                                            : request[i]);
  if (strcmp(name, "file") == 0) {
    pl__url_parse(job, "/", 1, request, length);
    if (job->error == 0) finish_url(job);
    return;
  }
  bool node = strcmp(name, "node") == 0;
  /* A core module's URL is taken as it is written. */
  if (node && (!pl__starts(request, length, "node:") ||
               (!pl__is_core(job->resolver, request + 5, length - 5) &&
                !pl__is_core_only(job->resolver, request + 5, length - 5)))) {
    pl__fail(job, PL_CODE_ERR_UNKNOWN_BUILTIN_MODULE,
             "No such built-in module: ", pl__keep(job, request, length), NULL);
    return;
  }
  if (!node && strcmp(name, "data") != 0) {
    pl__fail(job, PL_CODE_ERR_UNSUPPORTED_ESM_URL_SCHEME,
             "Only URLs with a scheme in: file, data, and node are supported "
             "by the default ESM loader. Received protocol '",
             pl__keep(job, request, scheme), ":'", NULL);
    return;
  }
  *job->resolution =
      (struct pl_resolution){.kind = node ? PL_MODULE_CORE : PL_MODULE_URL,
                             .path = pl__keep(job, request, length),
                             .path_length = length};
}

void pl__import(struct pl__job *job) {
  const char *request = job->request;
  size_t length = job->request_length, scheme;
  bool relative =
      length > 0 &&
      (request[0] == '/' ||
       (request[0] == '.' &&
        (length == 1 || request[1] == '/' ||
         (request[1] == '.' && (length == 2 || request[2] == '/')))));
  bool found = true;
  if (relative) {
    pl__url_parse(job, job->place->text, job->place->length, request, length);
  } else if (length > 0 && request[0] == '#') {
    const struct pl_place *at;
    const struct pl__package *scope = scope_of(job, job->place, &at);
    if (job->error != 0) return;
    if (at == NULL)
      found = pl__imports(job, scope, "/", 1);
    else
      found = pl__imports(job, scope, at->text, at->length);
  } else if (pl__url_is(request, length, &scheme)) {
    finish_absolute(job, request, length, scheme);
    return;
  } else {
    found = pl__import_bare(job, job->place, request, length);
  }
  if (!found || job->error != 0 || job->is_core) return;
  finish_url(job);
}
