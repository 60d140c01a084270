/* SPDX-License-Identifier: MIT */
/*
 * fs_real.c: the real file system: every system call of this folder.
 *
 * Invariant: a listing that succeeds is the whole truth about its directory:
 * the directory may be searched, and its names are compared byte for byte.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif
#ifndef FS_CASEFOLD_FL
#define FS_CASEFOLD_FL 0x40000000
#endif

static struct pl_fs_real *self_of(struct pl_fs *fs) {
  return (struct pl_fs_real *)fs;
}

static int64_t nanoseconds(int64_t seconds, int64_t rest) {
  return seconds * 1000000000 + rest;
}

static void take_stamp(struct pl_fs_stamp *out, const struct stat *stat) {
  *out = (struct pl_fs_stamp){
      .device = stat->st_dev,
      .inode = stat->st_ino,
      .changed_ns = nanoseconds(stat->st_mtim.tv_sec, stat->st_mtim.tv_nsec),
      .size = (uint64_t)stat->st_size};
}

static enum pl_fs_kind kind_of(unsigned mode) {
  if (S_ISDIR(mode)) return PL_FS_DIRECTORY;
  return S_ISLNK(mode) ? PL_FS_LINK : PL_FS_FILE;
}

static int real_stat(struct pl_fs *fs, const char *path, bool follow,
                     enum pl_fs_kind *kind, struct pl_fs_stamp *stamp) {
  int flags = follow ? 0 : AT_SYMLINK_NOFOLLOW;
  fs->calls++;
  if (stamp != NULL) {
    struct stat stat;
    if (fstatat(AT_FDCWD, path, &stat, flags) != 0) return -errno;
    *kind = kind_of(stat.st_mode);
    take_stamp(stamp, &stat);
    return 0;
  }
  struct statx statx_out;
  if (statx(AT_FDCWD, path, flags | AT_STATX_DONT_SYNC, STATX_TYPE,
            &statx_out) != 0)
    return -errno;
  *kind = kind_of(statx_out.stx_mode);
  return 0;
}

static int real_link(struct pl_fs *fs, const char *path, char *target,
                     size_t capacity) {
  fs->calls++;
  ssize_t length = readlink(path, target, capacity);
  return length < 0 ? -errno : (int)length;
}

static int open_it(struct pl_fs *fs, const char *path, int flags) {
  int fd;
  do {
    fs->calls++;
    fd = open(path, flags | O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  } while (fd < 0 && errno == EINTR);
  return fd < 0 ? -errno : fd;
}

/* Whether a name that a listing does not show might be opened nevertheless.
 * Asked once per device; where single directories can fold, and the kernel
 * knows how, each is asked. */
static bool folds(struct pl_fs_real *self, int fd, uint64_t device) {
  if (self->device != device) {
    struct statfs about;
    self->base.calls++;
    bool known = fstatfs(fd, &about) == 0;
    self->device = device;
    self->folds = !known;
    self->each = false;
    /* There the offset behind the last name is the end of the hash tree, which
     * no name's hash is: no need to ask once more. Source: Linux,
     * fs/ext4/dir.c, ext4_get_htree_eof(), and hash.c. Where it is not, it is
     * asked. */
    self->tells_end = known && (unsigned)about.f_type == EXT4_SUPER_MAGIC;
    if (known) switch ((unsigned)about.f_type) {
      case EXT4_SUPER_MAGIC:
        self->base.calls++;
        self->each = access("/sys/fs/ext4/features/casefold", F_OK) == 0;
        break;
      case F2FS_SUPER_MAGIC:
        self->each = true;
        break;
      case TMPFS_MAGIC:
      case XFS_SUPER_MAGIC:
      case BTRFS_SUPER_MAGIC:
      case OVERLAYFS_SUPER_MAGIC:
      case RAMFS_MAGIC:
      case NFS_SUPER_MAGIC:
      case PROC_SUPER_MAGIC:
        break;
      default:
        self->folds = true;
      }
  }
  if (!self->each) return self->folds;
  int flags = 0;
  self->base.calls++;
  return ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && flags & FS_CASEFOLD_FL;
}

struct entry { /* as getdents64(2) writes it */
  uint64_t inode;
  int64_t offset;
  unsigned short size;
  unsigned char type;
  char name[];
};

static enum pl_fs_kind entry_kind(unsigned char type) {
  switch (type) {
  case DT_DIR:
    return PL_FS_DIRECTORY;
  case DT_LNK:
    return PL_FS_LINK;
  case DT_UNKNOWN:
    return PL_FS_UNKNOWN;
  default:
    return PL_FS_FILE;
  }
}

/* *last gets the offset behind the last of them. */
static int visit_entries(const char *bytes, size_t size, pl_fs_visit_fn *visit,
                         void *arg, int64_t *last) {
  for (size_t i = 0; i < size;) {
    const struct entry *entry = (const void *)(bytes + i);
    i += entry->size;
    *last = entry->offset;
    const char *name = entry->name;
    if (name[0] == '.' &&
        (name[1] == '\0' || (name[1] == '.' && name[2] == '\0')))
      continue;
    int stop = visit(arg, name, strlen(name), entry_kind(entry->type));
    if (stop != 0) return stop;
  }
  return 0;
}

/* Every use of a name in a directory needs the right to search it, which a
 * listing does not: where not all have it, "." is asked for. */
static bool may_search(struct pl_fs *fs, int fd, mode_t mode) {
  const mode_t all = S_IXUSR | S_IXGRP | S_IXOTH;
  if ((mode & all) == all) return true;
  struct stat unused;
  fs->calls++;
  return fstatat(fd, ".", &unused, 0) == 0;
}

static int real_list(struct pl_fs *fs, const char *path, pl_fs_visit_fn *visit,
                     void *arg, struct pl_fs_stamp *stamp) {
  int fd = open_it(fs, path, O_DIRECTORY);
  if (fd < 0) return fd;
  int error = 0;
  struct stat stat;
  fs->calls++;
  if (fstat(fd, &stat) != 0 || !may_search(fs, fd, stat.st_mode))
    error = PL_ENOTSUP;
  else
    take_stamp(stamp, &stat);
  if (error == 0 && folds(self_of(fs), fd, stat.st_dev)) error = PL_ENOTSUP;
  while (error == 0) {
    _Alignas(struct entry) char bytes[32 * 1024];
    fs->calls++;
    long size = syscall(SYS_getdents64, fd, bytes, sizeof bytes);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) error = -errno;
    if (size <= 0) break;
    int64_t last = 0;
    error = visit_entries(bytes, (size_t)size, visit, arg, &last);
    if (self_of(fs)->tells_end && last == INT64_MAX) break;
  }
  fs->calls++;
  close(fd);
  return error;
}

enum { READ_STEP = 64 * 1024 };

static int read_all(struct pl_fs *fs, int fd, struct pl__text *text,
                    size_t expected) {
  size_t room = expected + 1;
  for (;;) {
    /* Room first, so that read() fills the text itself. */
    size_t filled = text->length;
    if (text->capacity < filled + room + 1) {
      size_t size = text->capacity * 2;
      if (size < filled + room + 1) size = filled + room + 1;
      char *bytes = text->memory->resize(text->memory->self, text->bytes, size);
      if (bytes == NULL) return PL_ENOMEM;
      text->bytes = bytes;
      text->capacity = size;
    }
    fs->calls++;
    ssize_t size = read(fd, text->bytes + filled, room);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return -errno;
    text->length += (size_t)size;
    text->bytes[text->length] = '\0';
    /* A short read of a regular file is its end. */
    if (size == 0 || (expected > 0 && (size_t)size < room)) return 0;
    if (text->length > (size_t)1 << 30) return PL_ENOMEM;
    room = READ_STEP;
  }
}

static int real_read(struct pl_fs *fs, const char *path,
                     const struct pl_module_memory *memory, char **bytes,
                     size_t *length, struct pl_fs_stamp *stamp) {
  int fd = open_it(fs, path, 0);
  if (fd < 0) return fd;
  struct stat stat;
  fs->calls++;
  int error = fstat(fd, &stat) == 0 ? 0 : -errno;
  if (error == 0 && S_ISDIR(stat.st_mode)) error = -EISDIR;
  struct pl__text text = {.memory = memory};
  if (error == 0) {
    size_t expected = S_ISREG(stat.st_mode) ? (size_t)stat.st_size : 0;
    if (expected > (size_t)1 << 30) expected = 0;
    error = read_all(fs, fd, &text, expected);
  }
  fs->calls++;
  close(fd);
  if (error != 0) {
    pl__text_free(&text);
    return error;
  }
  if (stamp != NULL) take_stamp(stamp, &stat);
  *bytes = text.bytes;
  *length = text.length;
  return 0;
}

/* Stamps come from the coarse clock, so they are compared with it. */
static int64_t real_now(struct pl_fs *fs) {
  (void)fs;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return nanoseconds(now.tv_sec, now.tv_nsec);
}

static const struct pl_fs_ops real_ops = {.stat = real_stat,
                                          .link = real_link,
                                          .list = real_list,
                                          .read = real_read,
                                          .now_ns = real_now};

void pl_fs_real_init(struct pl_fs_real *fs) {
  *fs = (struct pl_fs_real){.base = {.ops = &real_ops}};
}
