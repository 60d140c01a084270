/* SPDX-License-Identifier: MIT */
/*
 * spot.c: what is at a path, and the answer when a file is.
 *
 * A spot is a path whose beginning is known as a real directory, so that only
 * the names behind it are looked up; and the names beside each other ("x",
 * "x.js", "x.json") are looked up in one directory.
 *
 * Invariant: a path of 4,096 bytes or more is nowhere, as the kernel has it.
 */
#include "internal.h"

struct pl__spot pl__spot(struct pl__job *job, const char *text, size_t length,
                         const struct pl_place *near) {
  struct pl__spot spot = {
      .text = text, .length = length, .from = &job->resolver->root};
  if (near == NULL) return spot;
  size_t same = pl__common(text, length, near->text, near->length);
  /* "../x" is near the place above. */
  while (near->length > 1 && (near->length > same || near->length == length ||
                              text[near->length] != '/'))
    near = near->up;
  if (near->length > 1) {
    spot.known = near->length;
    spot.from = near->real;
    spot.links = near->links;
  }
  return spot;
}

static void tell_probe(struct pl__job *job, const struct pl__spot *spot,
                       const char *ext, const struct pl__node *node) {
  struct pl__text text = {.memory = &job->resolver->memory};
  pl__text_add(&text, spot->text, spot->length);
  pl__text_string(&text, ext);
  const char *outcome = node == NULL
                            ? job->reason == NULL ? "no such file" : job->reason
                        : node->kind == PL_FS_DIRECTORY ? "a directory"
                                                        : "a file";
  if (!text.broken) pl__tell(job, text.bytes, text.length, outcome);
  pl__text_free(&text);
}

/* A path with a NUL byte, asked about up to it. */
static struct pl__node *at_nul(struct pl__job *job,
                               const struct pl__spot *spot) {
  struct pl__spot cut = *spot;
  cut.opened = false;
  cut.length = (size_t)(spot->nul - spot->text);
  if (cut.length < cut.known) return NULL;
  while (cut.length > cut.known && cut.text[cut.length - 1] == '/')
    cut.length--;
  return pl__at(job, &cut, "");
}

/* Walks to the directory of the last name. */
static void open_spot(struct pl__job *job, struct pl__spot *spot) {
  spot->opened = true;
  spot->node = NULL;
  /* A directory that is there has none in its path. */
  size_t sound = spot->from == NULL ? 0 : spot->known;
  spot->nul = memchr(spot->text + sound, '\0', spot->length - sound);
  if (spot->nul != NULL) return;
  spot->name = spot->length;
  while (spot->name > spot->known && spot->text[spot->name - 1] != '/')
    spot->name--;
  spot->dir_links = spot->links;
  job->reason = NULL;
  spot->dir = spot->from == NULL
                  ? NULL
                  : pl__walk(job, spot->from, spot->text + spot->known,
                             spot->name - spot->known, &spot->dir_links);
  spot->reason = job->reason;
}

/* The node of the last name with `ext` behind it; adds to *links. */
static struct pl__node *look_beside(struct pl__job *job,
                                    const struct pl__spot *spot,
                                    const char *ext, size_t more,
                                    unsigned *links) {
  if (spot->name == spot->length && more == 0) return spot->dir;
  if (spot->dir == NULL) return NULL;
  if (spot->dir->kind != PL_FS_DIRECTORY) {
    job->reason = "ENOTDIR";
    return NULL;
  }
  const char *name = spot->text + spot->name;
  size_t length = spot->length - spot->name;
  char whole[PL__NAME_MAX + PL__EXTENSION_MAX + 2];
  if (more > 0) {
    if (length > PL__NAME_MAX) length = PL__NAME_MAX + 1;
    memcpy(whole, name, length);
    memcpy(whole + length, ext, more);
    name = whole;
  }
  struct pl__node *node = pl__look(job, spot->dir, name, length + more);
  return node == NULL ? NULL : pl__follow(job, node, links);
}

struct pl__node *pl__at(struct pl__job *job, struct pl__spot *spot,
                        const char *ext) {
  if (!spot->opened) open_spot(job, spot);
  if (job->error != 0) return NULL;
  if (spot->nul != NULL) return at_nul(job, spot);
  size_t more = strlen(ext);
  unsigned links = spot->dir_links;
  struct pl__node *node = NULL;
  job->reason = spot->reason;
  if (spot->length + more >= PL__PATH_MAX)
    job->reason = "ENAMETOOLONG";
  else
    node = look_beside(job, spot, ext, more, &links);
  if (job->error != 0) node = NULL;
  if (more == 0) {
    spot->node = node;
    spot->node_links = links;
  }
  if (job->tell != NULL && job->error == 0) tell_probe(job, spot, ext, node);
  return node;
}

enum pl__found pl__finish(struct pl__job *job, const struct pl__spot *spot,
                          const char *ext, struct pl__node *node) {
  struct pl_resolution *resolution = job->resolution;
  if (spot->nul != NULL) {
    struct pl__text shown = {.memory = &job->resolver->memory};
    for (size_t i = 0; i < spot->length; i++)
      if (spot->text[i] == '\0')
        pl__text_string(&shown, "\\x00");
      else
        pl__text_byte(&shown, spot->text[i]);
    pl__text_string(&shown, ext);
    if (shown.broken) job->error = PL_ENOMEM;
    pl__fail(job, PL_CODE_ERR_INVALID_ARG_VALUE,
             "The argument 'path' must be a string, Uint8Array, or URL without "
             "null bytes. Received '",
             shown.bytes == NULL ? "" : shown.bytes, "'", NULL);
    pl__text_free(&shown);
    return PL__STOP;
  }
  size_t length;
  const char *path;
  if (job->resolver->preserve_symlinks) {
    length = spot->length + strlen(ext);
    char *copy = pl__alloc(job, &job->resolver->fleeting, length + 1);
    if (copy == NULL) return PL__STOP;
    memcpy(copy, spot->text, spot->length);
    memcpy(copy + spot->length, ext, strlen(ext) + 1);
    path = copy;
  } else {
    path = pl__node_path(job, node, &length);
    if (path == NULL) return PL__STOP;
  }
  if (length >= PL__PATH_MAX) {
    pl__fail(job, PL_CODE_ENAMETOOLONG, "ENAMETOOLONG: name too long, lstat '",
             path, "'", NULL);
    return PL__STOP;
  }
  bool deprecated = resolution->deprecated_main;
  *resolution = (struct pl_resolution){.kind = PL_MODULE_FILE,
                                       .path = path,
                                       .path_length = length,
                                       .deprecated_main = deprecated};
  return PL__YES;
}

enum pl__found pl__try_file(struct pl__job *job, struct pl__spot *spot,
                            const char *ext) {
  struct pl__node *node = pl__at(job, spot, ext);
  if (job->error != 0) return PL__STOP;
  if (node == NULL || node->kind != PL_FS_FILE) return PL__NO;
  return pl__finish(job, spot, ext, node);
}
