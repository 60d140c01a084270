/* SPDX-License-Identifier: MIT */
/*
 * fail.c: how a question fails: the messages of what went wrong.
 *
 * Invariant: whoever fails a job leaves its resolution whole, or sets its
 * error.
 */
#include "internal.h"

void pl__fail(struct pl__job *job, enum pl_module_code code, ...) {
  struct pl__text text = {.memory = &job->resolver->memory};
  va_list strings;
  va_start(strings, code);
  for (const char *string; (string = va_arg(strings, const char *)) != NULL;)
    pl__text_string(&text, string);
  va_end(strings);
  if (text.broken) job->error = PL_ENOMEM;
  *job->resolution = (struct pl_resolution){.code = code};
  if (job->error == 0) {
    job->resolution->before =
        pl__keep(job, text.bytes == NULL ? "" : text.bytes, text.length);
    job->resolution->before_length = text.length;
  }
  pl__text_free(&text);
}

void pl__fail_missing(struct pl__job *job, const char *path, size_t length,
                      const char *after) {
  struct pl__text text = {.memory = &job->resolver->memory};
  pl__text_string(&text, "Cannot find module '");
  pl__text_add(&text, path, length);
  pl__text_string(&text, after);
  if (text.broken) job->error = PL_ENOMEM;
  *job->resolution = (struct pl_resolution){.code = PL_CODE_MODULE_NOT_FOUND};
  if (job->error == 0) {
    job->resolution->before = pl__keep(job, text.bytes, text.length);
    job->resolution->before_length = text.length;
  }
  pl__text_free(&text);
}

void pl__fail_after(struct pl__job *job, const char *after) {
  if (job->parent != NULL && job->error == 0) {
    struct pl_resolution *resolution = job->resolution;
    struct pl__text text = {.memory = &job->resolver->memory};
    pl__text_add(&text, resolution->before, resolution->before_length);
    pl__text_string(&text, job->parent);
    pl__text_string(&text, after);
    if (text.broken) job->error = PL_ENOMEM;
    if (job->error == 0) {
      resolution->before = pl__keep(job, text.bytes, text.length);
      resolution->before_length = text.length;
    }
    pl__text_free(&text);
    return;
  }
  job->resolution->names_parent = true;
  job->resolution->after = after;
}

bool pl__fail_package(struct pl__job *job, const struct pl__package *package,
                      const char *dir, size_t length) {
  if (package->state == PL__PACKAGE_NONE || package->state == PL__PACKAGE_READ)
    return false;
  const char *shown = pl__keep(job, dir, length > 1 ? length : 0);
  if (package->state == PL__PACKAGE_NULL)
    pl__fail(job, PL_CODE_TYPE_ERROR,
             "Cannot convert undefined or null to object", NULL);
  else if (package->state == PL__PACKAGE_BAD_FIELD)
    pl__fail(job, PL_CODE_SYNTAX_ERROR, package->why, NULL);
  else if (job->resolver->node < 22 && !job->import)
    pl__fail(job, PL_CODE_SYNTAX_ERROR, "Error parsing ", shown,
             "/package.json: ", package->why == NULL ? "" : package->why, NULL);
  else
    pl__fail(job, PL_CODE_ERR_INVALID_PACKAGE_CONFIG, "Invalid package config ",
             shown, "/package.json.", NULL);
  if (package->state == PL__PACKAGE_BROKEN && job->error == 0 &&
      job->resolver->node < 22 && !job->import) {
    struct pl__text path = {.memory = &job->resolver->memory};
    pl__text_string(&path, shown);
    pl__text_string(&path, "/package.json");
    if (path.broken)
      job->error = PL_ENOMEM;
    else
      job->resolution->error_path = pl__keep(job, path.bytes, path.length);
    pl__text_free(&path);
  }
  return true;
}

/* What Node puts behind the path: who imports what, and, Node 20, why. */
static void fail_importing(struct pl__job *job,
                           const struct pl__package *package, const char *dir,
                           size_t length, const char *what) {
  const char *shown = pl__keep(job, dir, length > 1 ? length : 0);
  const char *end = ".";
  if (job->resolver->node < 22) {
    struct pl__text text = {.memory = &job->resolver->memory};
    pl__text_string(&text, ". ");
    pl__text_string(&text, package->why == NULL ? "" : package->why);
    if (text.broken) job->error = PL_ENOMEM;
    if (job->error == 0) end = pl__keep(job, text.bytes, text.length);
    pl__text_free(&text);
  }
  pl__fail(job, PL_CODE_ERR_INVALID_PACKAGE_CONFIG, "Invalid package config ",
           shown, "/package.json while importing ", what, NULL);
  pl__fail_after(job, end);
}

bool pl__fail_imported(struct pl__job *job, const struct pl__package *package,
                       const char *dir, size_t length, const char *name,
                       size_t name_length) {
  if (package->state != PL__PACKAGE_BROKEN)
    return pl__fail_package(job, package, dir, length);
  struct pl__text what = {.memory = &job->resolver->memory};
  pl__text_byte(&what, '"');
  pl__text_add(&what, name, name_length);
  pl__text_string(&what, "\" from ");
  if (what.broken) job->error = PL_ENOMEM;
  if (job->error == 0)
    fail_importing(job, package, dir, length,
                   pl__keep(job, what.bytes, what.length));
  pl__text_free(&what);
  return true;
}

bool pl__fail_scope(struct pl__job *job, const struct pl__package *package,
                    const char *dir, size_t length, const char *file,
                    size_t file_length) {
  if (package->state != PL__PACKAGE_BROKEN || job->resolver->node >= 22)
    return pl__fail_package(job, package, dir, length);
  /* Of a file, nobody is named as the one who asks. */
  const char *parent = job->parent;
  if (file != NULL) job->parent = pl__keep(job, file, file_length);
  fail_importing(job, package, dir, length, "");
  job->parent = parent;
  return true;
}
