/* SPDX-License-Identifier: MIT */
/*
 * scan.c: what the files of a list ask for, one line each.
 *
 * Invariant: a file that cannot be read is told as such, in its place, and the
 * others follow.
 */
#include <stdlib.h>
#include <string.h>

#include "scan.h"

struct printing {
  const char *path;
  FILE *out;
};

static const char *name_of(enum pl_scan_kind kind) {
  switch (kind) {
  case PL_SCAN_REQUIRE:
    return "require";
  case PL_SCAN_IMPORT:
    return "import";
  case PL_SCAN_DYNAMIC:
    return "import()";
  default:
    return NULL;
  }
}

static void print_found(void *arg, const struct pl_scanned *found) {
  const struct printing *printing = arg;
  const char *kind = name_of(found->kind);
  if (kind == NULL) return;
  fprintf(printing->out, "[\"%s\",", kind);
  print_string(printing->out, printing->path, strlen(printing->path));
  putc(',', printing->out);
  print_string(printing->out, found->text, found->length);
  fprintf(printing->out, ",%zu]\n", found->line);
}

static void *scan_resize(void *self, void *block, size_t size) {
  (void)self;
  if (size > 0) return realloc(block, size);
  free(block);
  return NULL;
}

/* 0, or PL_ENOMEM. */
static int scan_file(struct pl_fs *fs, const char *path, FILE *out) {
  static const struct pl_module_memory memory = {.resize = scan_resize};
  char *text;
  size_t length;
  int error = fs->ops->read(fs, path, &memory, &text, &length, NULL);
  if (error == PL_ENOMEM) return error;
  if (error != 0) {
    fputs("[\"unreadable\",", out);
    print_string(out, path, strlen(path));
    fprintf(out, ",\"%s\",0]\n", pl_error_name(error));
    return 0;
  }
  struct printing printing = {path, out};
  pl_source_scan(text, length, print_found, &printing);
  free(text);
  return 0;
}

int scan_files(struct pl_fs *fs, FILE *in, FILE *out) {
  char *path = NULL;
  size_t capacity = 0;
  int error = 0;
  ssize_t size;
  while (error == 0 && (size = getdelim(&path, &capacity, '\0', in)) > 0)
    error = scan_file(fs, path, out);
  free(path);
  return error != 0 ? error : ferror(in) ? PL_EIO : 0;
}
