/* SPDX-License-Identifier: MIT */
/*
 * fs_memory.c: a file system in memory, for tests and for trees that are no
 * files.
 *
 * Each name is one entry that hangs on its directory's list; a path is walked
 * name by name, links followed as the kernel does. It is made to be obvious: a
 * directory of n names costs O(n) per look.
 *
 * Invariant: an entry's children, content and target exist only for its kind.
 */
#include "internal.h"

struct entry {
  struct entry *next; /* in its directory */
  struct entry *first;
  char *bytes; /* content, or a link's target */
  size_t length;
  uint64_t inode;
  int64_t changed_ns;
  int refused;
  enum pl_fs_kind kind;
  size_t name_length;
  char name[];
};

struct pl_fs_memory {
  struct pl_fs base;
  struct pl_module_memory memory;
  struct entry *root;
  uint64_t inodes;
  int64_t now;
};

static struct pl_fs_memory *self_of(struct pl_fs *fs) {
  return (struct pl_fs_memory *)fs;
}

static struct entry *new_entry(struct pl_fs_memory *fs, const char *name,
                               size_t length, enum pl_fs_kind kind) {
  struct entry *entry =
      fs->memory.resize(fs->memory.self, NULL, sizeof *entry + length + 1);
  if (entry == NULL) return NULL;
  *entry = (struct entry){.kind = kind,
                          .inode = ++fs->inodes,
                          .changed_ns = ++fs->now,
                          .name_length = length};
  memcpy(entry->name, name, length);
  entry->name[length] = '\0';
  return entry;
}

static void free_entry(struct pl_fs_memory *fs, struct entry *entry) {
  fs->memory.resize(fs->memory.self, entry->bytes, 0);
  fs->memory.resize(fs->memory.self, entry, 0);
}

/* Frees an entry and all below it: children are moved in front of what is
 * still to be freed, so a deep tree needs no stack. */
static void free_tree(struct pl_fs_memory *fs, struct entry *entry) {
  while (entry != NULL) {
    struct entry *next = entry->next;
    while (entry->first != NULL) {
      struct entry *child = entry->first;
      entry->first = child->next;
      child->next = next;
      next = child;
    }
    free_entry(fs, entry);
    entry = next;
  }
}

static struct entry *child_of(const struct entry *dir, const char *name,
                              size_t length) {
  for (struct entry *entry = dir->first; entry != NULL; entry = entry->next)
    if (pl__same(entry->name, entry->name_length, name, length)) return entry;
  return NULL;
}

/* The entry at a path, links in the middle followed, at the end when `follow`.
 * A link's target is put in front of the rest of the path. */
static int look(struct pl_fs_memory *fs, const char *path, bool follow,
                struct entry **out) {
  struct entry *trail[2048]; /* the directories on the way, for ".." */
  char rest[2 * PL__PATH_MAX];
  size_t length = strlen(path), depth = 0;
  int links = 0;
  if (length >= PL__PATH_MAX) return PL_ENAMETOOLONG;
  memcpy(rest, path, length + 1);
  trail[0] = fs->root;
  for (char *at = rest; *at != '\0';) {
    if (*at == '/') {
      at++;
      continue;
    }
    size_t size = strcspn(at, "/");
    struct entry *dir = trail[depth];
    if (dir->kind != PL_FS_DIRECTORY) return PL_ENOTDIR;
    if (dir->refused != 0) return dir->refused;
    if (size > PL__NAME_MAX) return PL_ENAMETOOLONG;
    if (pl__is(at, size, "..") || pl__is(at, size, ".")) {
      if (size == 2 && depth > 0) depth--;
      at += size;
      continue;
    }
    struct entry *entry = child_of(dir, at, size);
    if (entry == NULL) return PL_ENOENT;
    at += size;
    if (entry->kind == PL_FS_LINK && (*at != '\0' || follow)) {
      if (++links > PL__LINKS_MAX) return PL_ELOOP;
      char joined[2 * PL__PATH_MAX];
      size_t left = strlen(at);
      if (entry->length + left >= PL__PATH_MAX) return PL_ENAMETOOLONG;
      memcpy(joined, entry->bytes, entry->length);
      memcpy(joined + entry->length, at, left + 1);
      memcpy(rest, joined, entry->length + left + 1);
      if (rest[0] == '/') depth = 0;
      at = rest;
      continue;
    }
    if (depth + 1 == sizeof trail / sizeof *trail) return PL_ENAMETOOLONG;
    trail[++depth] = entry;
  }
  *out = trail[depth];
  return 0;
}

static void take_stamp(struct pl_fs_stamp *out, const struct entry *entry) {
  *out = (struct pl_fs_stamp){.device = 1,
                              .inode = entry->inode,
                              .changed_ns = entry->changed_ns,
                              .size = entry->length};
}

static int memory_stat(struct pl_fs *fs, const char *path, bool follow,
                       enum pl_fs_kind *kind, struct pl_fs_stamp *stamp) {
  struct entry *entry;
  fs->calls++;
  int error = look(self_of(fs), path, follow, &entry);
  if (error != 0) return error;
  if (entry->refused != 0 && entry->kind != PL_FS_DIRECTORY)
    return entry->refused;
  *kind = entry->kind;
  if (stamp != NULL) take_stamp(stamp, entry);
  return 0;
}

static int memory_link(struct pl_fs *fs, const char *path, char *target,
                       size_t capacity) {
  struct entry *entry;
  fs->calls++;
  int error = look(self_of(fs), path, false, &entry);
  if (error != 0) return error;
  if (entry->refused != 0) return entry->refused;
  if (entry->kind != PL_FS_LINK) return PL_EINVAL;
  size_t length = entry->length < capacity ? entry->length : capacity;
  memcpy(target, entry->bytes, length);
  return (int)length;
}

static int memory_list(struct pl_fs *fs, const char *path,
                       pl_fs_visit_fn *visit, void *arg,
                       struct pl_fs_stamp *stamp) {
  struct entry *dir;
  fs->calls++;
  int error = look(self_of(fs), path, true, &dir);
  if (error != 0) return error;
  if (dir->kind != PL_FS_DIRECTORY) return PL_ENOTDIR;
  if (dir->refused != 0) return dir->refused;
  take_stamp(stamp, dir);
  for (struct entry *entry = dir->first; entry != NULL && error == 0;
       entry = entry->next)
    error = visit(arg, entry->name, entry->name_length,
                  entry->refused != 0 && entry->kind != PL_FS_DIRECTORY
                      ? PL_FS_UNKNOWN
                      : entry->kind);
  return error;
}

static int memory_read(struct pl_fs *fs, const char *path,
                       const struct pl_module_memory *memory, char **bytes,
                       size_t *length, struct pl_fs_stamp *stamp) {
  struct entry *entry;
  fs->calls++;
  int error = look(self_of(fs), path, true, &entry);
  if (error != 0) return error;
  if (entry->refused != 0) return entry->refused;
  if (entry->kind == PL_FS_DIRECTORY) return -EISDIR;
  char *copy = memory->resize(memory->self, NULL, entry->length + 1);
  if (copy == NULL) return PL_ENOMEM;
  if (entry->length > 0) memcpy(copy, entry->bytes, entry->length);
  copy[entry->length] = '\0';
  if (stamp != NULL) take_stamp(stamp, entry);
  *bytes = copy;
  *length = entry->length;
  return 0;
}

/* Its time is a counter that every change moves by a second. */
static int64_t memory_now(struct pl_fs *fs) {
  return self_of(fs)->now * 1000000000 + 1000000000;
}

static const struct pl_fs_ops memory_ops = {.stat = memory_stat,
                                            .link = memory_link,
                                            .list = memory_list,
                                            .read = memory_read,
                                            .now_ns = memory_now};

int pl_fs_memory_create(const struct pl_module_memory *memory,
                        struct pl_fs_memory **out) {
  struct pl_module_memory own = memory != NULL ? *memory : pl__memory_default();
  struct pl_fs_memory *fs = own.resize(own.self, NULL, sizeof *fs);
  if (fs == NULL) return PL_ENOMEM;
  *fs = (struct pl_fs_memory){.base = {.ops = &memory_ops}, .memory = own};
  fs->root = new_entry(fs, "", 0, PL_FS_DIRECTORY);
  if (fs->root == NULL) {
    own.resize(own.self, fs, 0);
    return PL_ENOMEM;
  }
  *out = fs;
  return 0;
}

void pl_fs_memory_destroy(struct pl_fs_memory *fs) {
  struct pl_module_memory memory = fs->memory;
  free_tree(fs, fs->root);
  memory.resize(memory.self, fs, 0);
}

struct pl_fs *pl_fs_memory_base(struct pl_fs_memory *fs) {
  return &fs->base;
}

static void unhook(struct entry *dir, struct entry *entry) {
  struct entry **at = &dir->first;
  while (*at != entry)
    at = &(*at)->next;
  *at = entry->next;
  entry->next = NULL;
}

static void touch(struct pl_fs_memory *fs, struct entry *entry) {
  entry->changed_ns = ++fs->now * 1000000000;
}

/* Makes the name at a path anew, with its parents. Links on the way are not
 * followed: a tree is built from its real names. */
static int make(struct pl_fs_memory *fs, const char *path, enum pl_fs_kind kind,
                struct entry **out) {
  if (path[0] != '/' || path[1] == '\0') return PL_EINVAL;
  struct entry *dir = fs->root;
  for (const char *at = path + 1;;) {
    size_t size = strcspn(at, "/");
    bool last = at[size] == '\0';
    struct entry *entry = child_of(dir, at, size);
    if (entry != NULL && !last && entry->kind != PL_FS_DIRECTORY)
      return PL_ENOTDIR;
    if (entry != NULL && last) {
      if (kind == PL_FS_DIRECTORY && entry->kind == kind) {
        *out = entry;
        return 0;
      }
      unhook(dir, entry);
      free_tree(fs, entry);
      entry = NULL;
    }
    if (entry == NULL) {
      entry = new_entry(fs, at, size, last ? kind : PL_FS_DIRECTORY);
      if (entry == NULL) return PL_ENOMEM;
      entry->next = dir->first;
      dir->first = entry;
      touch(fs, dir);
      touch(fs, entry);
    }
    if (last) {
      *out = entry;
      return 0;
    }
    dir = entry;
    at += size + 1;
  }
}

static int make_with(struct pl_fs_memory *fs, const char *path,
                     enum pl_fs_kind kind, const char *bytes, size_t length) {
  char *copy = fs->memory.resize(fs->memory.self, NULL, length + 1);
  if (copy == NULL) return PL_ENOMEM;
  if (length > 0) memcpy(copy, bytes, length);
  copy[length] = '\0';
  struct entry *entry;
  int error = make(fs, path, kind, &entry);
  if (error != 0) {
    fs->memory.resize(fs->memory.self, copy, 0);
    return error;
  }
  entry->bytes = copy;
  entry->length = length;
  return 0;
}

int pl_fs_memory_write(struct pl_fs_memory *fs, const char *path,
                       const char *bytes, size_t length) {
  return make_with(fs, path, PL_FS_FILE, bytes, length);
}

int pl_fs_memory_mkdir(struct pl_fs_memory *fs, const char *path) {
  struct entry *entry;
  return make(fs, path, PL_FS_DIRECTORY, &entry);
}

int pl_fs_memory_link(struct pl_fs_memory *fs, const char *path,
                      const char *target) {
  return make_with(fs, path, PL_FS_LINK, target, strlen(target));
}

/* The directory and the entry that a path without links names. */
static struct entry *named(struct pl_fs_memory *fs, const char *path,
                           struct entry **dir) {
  struct entry *entry = fs->root;
  *dir = NULL;
  for (const char *at = path; *at != '\0' && entry != NULL;) {
    size_t size = strcspn(at, "/");
    if (size > 0) {
      *dir = entry;
      entry = child_of(entry, at, size);
    }
    at += size + (at[size] == '/');
  }
  return entry;
}

int pl_fs_memory_remove(struct pl_fs_memory *fs, const char *path) {
  struct entry *dir;
  struct entry *entry = named(fs, path, &dir);
  if (entry == NULL || dir == NULL) return PL_ENOENT;
  unhook(dir, entry);
  free_tree(fs, entry);
  touch(fs, dir);
  return 0;
}

int pl_fs_memory_refuse(struct pl_fs_memory *fs, const char *path, int error) {
  struct entry *dir;
  struct entry *entry = named(fs, path, &dir);
  if (entry == NULL) return PL_ENOENT;
  entry->refused = error;
  return 0;
}
