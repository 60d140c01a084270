/* SPDX-License-Identifier: MIT */
/*
 * tree.c: the directory-entry cache: which real names exist, and what they are.
 *
 * A name is asked for one by one (`stat`) as long as little is asked of its
 * directory, and answered from a listing afterwards: a listing costs 15 to 20
 * questions, of a large directory some hundreds, and answers all of them, above
 * all the many that are "no". Links are followed here, name by name, so the
 * real path is known without asking.
 *
 * Invariants:
 *  - A node of kind ABSENT or missing in a complete directory does not exist;
 *    kind UNKNOWN says nothing at all.
 *  - A directory that cannot be listed faithfully is asked by name for ever:
 *    a listing must never say "absent" of what the kernel would open.
 */
#include "internal.h"

enum {
  LIST_MOST = 200000 /* names; beyond that, ask by name */
};
/* Clocks of file systems tick as coarsely as this. */
static const int64_t grain_ns = 20 * 1000 * 1000;

bool pl__is_racy(struct pl_resolver *resolver,
                 const struct pl_fs_stamp *stamp) {
  int64_t now = resolver->fs->ops->now_ns(resolver->fs);
  return stamp->changed_ns > now - grain_ns;
}

static uint32_t name_hash(const char *name, size_t length) {
  return (uint32_t)pl__hash(name, length, 0);
}

/* Where a node belongs that may be there already. */
static void put(struct pl__slot *slots, uint32_t capacity,
                struct pl__slot slot) {
  uint32_t at = slot.hash & (capacity - 1);
  while (slots[at].node != NULL)
    at = (at + 1) & (capacity - 1);
  slots[at] = slot;
}

static int grow_slots(struct pl_resolver *resolver, struct pl__dir *dir,
                      uint32_t capacity) {
  size_t size = capacity * sizeof *dir->slots;
  struct pl__slot *slots = pl__arena_take(&resolver->tree, size);
  if (slots == NULL) return PL_ENOMEM;
  memset(slots, 0, size);
  for (uint32_t i = 0; i < dir->capacity; i++)
    if (dir->slots[i].node != NULL) put(slots, capacity, dir->slots[i]);
  dir->slots = slots;
  dir->capacity = capacity;
  return 0;
}

static struct pl__node *find(const struct pl__dir *dir, uint32_t hash,
                             const char *name, size_t length) {
  if (dir->capacity == 0) return NULL;
  uint32_t mask = dir->capacity - 1;
  for (uint32_t at = hash & mask; dir->slots[at].node != NULL;
       at = (at + 1) & mask) {
    struct pl__node *node = dir->slots[at].node;
    if (dir->slots[at].hash == hash &&
        pl__same(node->name, node->length, name, length))
      return node;
  }
  return NULL;
}

/* Room for `more` names: at most three quarters are full. */
static int make_room(struct pl_resolver *resolver, struct pl__dir *dir,
                     uint32_t more) {
  uint32_t capacity = dir->capacity == 0 ? 8 : dir->capacity;
  while ((dir->count + more) * 4 > capacity * 3)
    capacity *= 2;
  return capacity == dir->capacity ? 0 : grow_slots(resolver, dir, capacity);
}

/* A name that is in no table yet. NULL: out of memory. */
static struct pl__node *new_node(struct pl_resolver *resolver,
                                 struct pl__dir *dir, uint32_t hash,
                                 const char *name, size_t length) {
  struct pl__node *node =
      pl__arena_take(&resolver->tree, sizeof *node + length + 1);
  if (node == NULL) return NULL;
  char *copy = (char *)(node + 1);
  memcpy(copy, name, length);
  copy[length] = '\0';
  *node = (struct pl__node){.parent = dir->node,
                            .name = copy,
                            .hash = hash,
                            .length = (uint16_t)length,
                            .kind = PL_FS_UNKNOWN};
  return node;
}

/* Adds a name. NULL: out of memory. */
static struct pl__node *enter(struct pl_resolver *resolver, struct pl__dir *dir,
                              uint32_t hash, const char *name, size_t length) {
  if (make_room(resolver, dir, 1) != 0) return NULL;
  struct pl__node *node = new_node(resolver, dir, hash, name, length);
  if (node == NULL) return NULL;
  put(dir->slots, dir->capacity, (struct pl__slot){hash, node});
  dir->count++;
  return node;
}

struct pl__dir *pl__dir(struct pl__job *job, struct pl__node *node) {
  if (node->is.dir != NULL) return node->is.dir;
  struct pl_resolver *resolver = job->resolver;
  struct pl__dir *up = node->parent == NULL ? NULL : node->parent->is.dir;
  size_t before = up == NULL || up->length == 1 ? 0 : up->length;
  size_t length = up == NULL ? 1 : before + 1 + node->length;
  struct pl__dir *dir =
      pl__alloc(job, &resolver->tree, sizeof *dir + length + 1);
  if (dir == NULL) return NULL;
  char *path = (char *)(dir + 1);
  if (before > 0) memcpy(path, up->path, before);
  path[before] = '/';
  if (up != NULL) memcpy(path + before + 1, node->name, node->length);
  path[length] = '\0';
  *dir = (struct pl__dir){.path = path,
                          .length = (uint32_t)length,
                          .next = resolver->dirs,
                          .node = node};
  resolver->dirs = dir;
  node->is.dir = dir;
  return dir;
}

/* ------------------------------------------------------------------------ */

struct listing {
  struct pl_resolver *resolver;
  struct pl__dir *dir;
  struct pl__node *fresh; /* names that were not known, by `is.next` */
  uint32_t seen, fresh_count;
};

static void set_kind(struct pl__node *node, enum pl_fs_kind kind) {
  node->kind = (uint8_t)kind;
  if (kind == PL_FS_ABSENT || kind == PL_FS_UNKNOWN || node->was == kind)
    return;
  node->was = (uint8_t)kind;
  node->is.dir = NULL;
}

static int visit(void *arg, const char *name, size_t length,
                 enum pl_fs_kind kind) {
  struct listing *listing = arg;
  if (length > PL__NAME_MAX) return 0;
  if (++listing->seen > LIST_MOST) return PL_ENOTSUP;
  uint32_t hash = name_hash(name, length);
  struct pl__node *node = find(listing->dir, hash, name, length);
  if (node != NULL) {
    set_kind(node, kind);
    return 0;
  }
  node = new_node(listing->resolver, listing->dir, hash, name, length);
  if (node == NULL) return PL_ENOMEM;
  set_kind(node, kind);
  node->is.next = listing->fresh;
  listing->fresh = node;
  listing->fresh_count++;
  return 0;
}

/* All names at once, so that the table is as large as it has to be. A directory
 * that changes while it is listed may show a name twice. */
static int enter_listed(struct listing *listing) {
  struct pl__dir *dir = listing->dir;
  if (make_room(listing->resolver, dir, listing->fresh_count) != 0)
    return PL_ENOMEM;
  for (struct pl__node *node = listing->fresh, *next; node != NULL;
       node = next) {
    next = node->is.next;
    node->is.next = NULL;
    if (find(dir, node->hash, node->name, node->length) != NULL) continue;
    put(dir->slots, dir->capacity, (struct pl__slot){node->hash, node});
    dir->count++;
  }
  return 0;
}

/* Nodes that the listing does not name are absent; their insides stay theirs
 * should they come back, which only pl__tree_forget() lets happen. */
static void list(struct pl__job *job, struct pl__dir *dir) {
  struct pl_resolver *resolver = job->resolver;
  struct listing listing = {.resolver = resolver, .dir = dir};
  for (uint32_t i = 0; i < dir->capacity; i++)
    if (dir->slots[i].node != NULL && dir->slots[i].node->kind == PL_FS_UNKNOWN)
      dir->slots[i].node->kind = PL_FS_ABSENT;
  int error = resolver->fs->ops->list(resolver->fs, dir->path, visit, &listing,
                                      &dir->stamp);
  resolver->stats.listings++;
  if (error == 0) error = enter_listed(&listing);
  if (error == 0) {
    dir->complete = true;
    dir->racy = pl__is_racy(resolver, &dir->stamp);
    return;
  }
  if (error == PL_ENOMEM) job->error = PL_ENOMEM;
  /* Running out of descriptors passes; other refusals do not. */
  if (error != PL_EMFILE && error != PL_ENFILE) dir->by_name = true;
  for (uint32_t i = 0; i < dir->capacity; i++)
    if (dir->slots[i].node != NULL && dir->slots[i].node->kind == PL_FS_ABSENT)
      dir->slots[i].node->kind = PL_FS_UNKNOWN;
}

enum {
  DIRS_FEW = 256,       /* too few to tell from */
  PROBES_FEW = 256,     /* a run that may end before a listing pays */
  EARLY = 4,            /* how much more is wanted until then */
  BLOCK_SIZE = 4096,    /* a directory of one block has a few dozen names */
  BYTES_PER_PROBE = 128 /* of a larger one, that a listing takes as long for */
};

/*
 * As one rents skis until they would have been bought: a directory is listed
 * when as much was spent on single names as the listing will cost, which goes
 * by its size. When a quarter of all directories came half as far, the others
 * are listed at once. Measured, see bench/FIGURES.md.
 */
static void count_question(struct pl_resolver *resolver, struct pl__dir *dir) {
  if (dir->asked == 0) resolver->dirs_asked++;
  if (++dir->asked == (resolver->list_after + 1) / 2) resolver->dirs_worth++;
}

static bool must_list(const struct pl_resolver *resolver,
                      const struct pl__dir *dir) {
  if (dir->by_name || resolver->list_after == UINT32_MAX) return false;
  if (resolver->list_after == 1) return true;
  uint64_t more = dir->size > BLOCK_SIZE ? dir->size / BYTES_PER_PROBE : 0;
  uint64_t enough = resolver->list_after + more;
  if (resolver->stats.probes < PROBES_FEW) enough *= EARLY;
  return dir->probes >= enough ||
         (resolver->dirs_asked > DIRS_FEW && resolver->dirs_asked > more &&
          resolver->dirs_worth * 4 > resolver->dirs_asked);
}

/* The path of a node, in the resolver's own text; NULL for want of memory. */
static inline struct pl__text *path_of(struct pl__job *job,
                                       const struct pl__dir *dir,
                                       const struct pl__node *node) {
  struct pl__text *path = &job->resolver->path;
  pl__text_set(path, dir->path, dir->length > 1 ? dir->length : 0);
  pl__text_byte(path, '/');
  pl__text_add(path, node->name, node->length);
  if (!path->broken) return path;
  path->broken = false;
  job->error = PL_ENOMEM;
  return NULL;
}

static void ask(struct pl__job *job, struct pl__dir *dir,
                struct pl__node *node) {
  struct pl_resolver *resolver = job->resolver;
  const struct pl__text *path = path_of(job, dir, node);
  if (path == NULL) return;
  enum pl_fs_kind kind = PL_FS_ABSENT;
  struct pl_fs_stamp stamp = {0};
  int error = PL_ENAMETOOLONG;
  if (path->length < PL__PATH_MAX)
    error = resolver->fs->ops->stat(resolver->fs, path->bytes, false, &kind,
                                    &stamp);
  resolver->stats.probes++;
  dir->probes++;
  if (error == PL_ENOMEM) {
    job->error = PL_ENOMEM;
    return;
  }
  if (error != 0) kind = PL_FS_ABSENT;
  if (error != 0 && error != PL_ENOENT) job->reason = pl_error_name(error);
  set_kind(node, kind);
  if (kind == PL_FS_DIRECTORY) {
    struct pl__dir *own = pl__dir(job, node);
    if (own != NULL) own->size = stamp.size;
  }
}

struct pl__node *pl__look(struct pl__job *job, struct pl__node *where,
                          const char *name, size_t length) {
  if (length > PL__NAME_MAX) {
    job->reason = "ENAMETOOLONG";
    return NULL;
  }
  struct pl__dir *dir = pl__dir(job, where);
  if (dir == NULL) return NULL;
  uint32_t hash = name_hash(name, length);
  struct pl__node *node = find(dir, hash, name, length);
  if (dir->asked < job->resolver->list_after)
    count_question(job->resolver, dir);
  if (!dir->complete && (node == NULL || node->kind == PL_FS_UNKNOWN)) {
    if (must_list(job->resolver, dir)) {
      list(job, dir);
      if (job->error != 0) return NULL;
      node = find(dir, hash, name, length);
    }
  }
  if (node == NULL) {
    if (dir->complete) return NULL;
    node = enter(job->resolver, dir, hash, name, length);
    if (node == NULL) {
      job->error = PL_ENOMEM;
      return NULL;
    }
  }
  if (node->kind == PL_FS_UNKNOWN) ask(job, dir, node);
  if (job->error != 0 || node->kind == PL_FS_ABSENT) return NULL;
  return node;
}

/* ------------------------------------------------------------------------ */

/* The real node that a link leads to. The recursion follow - walk - follow is
 * as deep as links lead to links, at most PL__LINKS_MAX. */
static void follow_link(struct pl__job *job, struct pl__node *node,
                        struct pl__link *link, unsigned depth);

static struct pl__node *follow(struct pl__job *job, struct pl__node *node,
                               unsigned *links, unsigned depth) {
  if (node->kind != PL_FS_LINK) return node;
  if (node->is.link == NULL) {
    struct pl__link *fresh =
        pl__alloc(job, &job->resolver->tree, sizeof *fresh);
    if (fresh == NULL) return NULL;
    *fresh = (struct pl__link){0};
    node->is.link = fresh;
  }
  struct pl__link *link = node->is.link;
  if (link->state == PL__LINK_NEW) follow_link(job, node, link, depth + 1);
  if (job->error != 0) return NULL;
  if (link->state != PL__LINK_DONE) { /* a cycle, or deeper than can be told */
    *links = PL__LINKS_MAX + 1;
    job->reason = "ELOOP";
    return NULL;
  }
  *links += link->links;
  if (*links > PL__LINKS_MAX) {
    job->reason = "ELOOP";
    return NULL;
  }
  if (link->target == NULL && job->reason == NULL)
    job->reason = "a link that leads nowhere";
  return link->target;
}

/* Names behind one another from a real directory; ".." is real here. */
static struct pl__node *walk(struct pl__job *job, struct pl__node *from,
                             const char *rest, size_t length, unsigned *links,
                             unsigned depth) {
  struct pl__node *node = from;
  for (size_t i = 0; i < length && node != NULL;) {
    const char *end = memchr(rest + i, '/', length - i);
    size_t size = end == NULL ? length - i : (size_t)(end - (rest + i));
    const char *name = rest + i;
    i += size + 1;
    if (node->kind != PL_FS_DIRECTORY) {
      job->reason = "ENOTDIR";
      return NULL;
    }
    if (size == 0 || (size == 1 && name[0] == '.')) continue;
    if (size == 2 && name[0] == '.' && name[1] == '.') {
      if (node->parent != NULL) node = node->parent;
      continue;
    }
    node = pl__look(job, node, name, size);
    if (node != NULL) node = follow(job, node, links, depth);
  }
  return node;
}

static void follow_link(struct pl__job *job, struct pl__node *node,
                        struct pl__link *link, unsigned depth) {
  if (depth > PL__LINKS_MAX) return; /* stays NEW: asked again from nearer */
  struct pl_resolver *resolver = job->resolver;
  const struct pl__dir *dir = pl__dir(job, node->parent);
  if (dir == NULL) return;
  const struct pl__text *path = path_of(job, dir, node);
  if (path == NULL) return;
  char target[PL__PATH_MAX];
  int length = PL_ENAMETOOLONG;
  if (path->length < PL__PATH_MAX)
    length = resolver->fs->ops->link(resolver->fs, path->bytes, target,
                                     sizeof target);
  if (length == PL_ENOMEM) {
    job->error = PL_ENOMEM;
    return;
  }
  if (length <= 0) {
    link->state = PL__LINK_DONE;
    return;
  }
  link->state = PL__LINK_BUSY;
  unsigned links = 1;
  struct pl__node *start = target[0] == '/' ? &resolver->root : dir->node;
  struct pl__node *end =
      walk(job, start, target, (size_t)length, &links, depth);
  link->state = PL__LINK_NEW;
  if (job->error != 0) return;
  /* Below the first link a cycle or a long chain is not the link's own fault:
   * the one that began decides, and the others are asked again. */
  if (links > PL__LINKS_MAX && depth > 1) return;
  link->target = links > PL__LINKS_MAX ? NULL : end;
  link->links = (uint8_t)(links > PL__LINKS_MAX ? PL__LINKS_MAX + 1 : links);
  link->state = PL__LINK_DONE;
}

struct pl__node *pl__follow(struct pl__job *job, struct pl__node *node,
                            unsigned *links) {
  return follow(job, node, links, 0);
}

struct pl__node *pl__walk(struct pl__job *job, struct pl__node *from,
                          const char *rest, size_t length, unsigned *links) {
  return walk(job, from, rest, length, links, 0);
}

const char *pl__node_path(struct pl__job *job, struct pl__node *node,
                          size_t *length) {
  if (node->kind == PL_FS_DIRECTORY || node->parent == NULL) {
    struct pl__dir *own = pl__dir(job, node);
    if (own == NULL) return NULL;
    *length = own->length;
    return own->path;
  }
  struct pl__dir *dir = pl__dir(job, node->parent);
  if (dir == NULL) return NULL;
  size_t before = dir->length > 1 ? dir->length : 0;
  *length = before + 1 + node->length;
  if (node->is.path != NULL) return node->is.path;
  char *path = pl__alloc(job, &job->resolver->tree, *length + 1);
  if (path == NULL) return NULL;
  memcpy(path, dir->path, before);
  path[before] = '/';
  memcpy(path + before + 1, node->name, node->length);
  path[*length] = '\0';
  node->is.path = path;
  return path;
}

/* ------------------------------------------------------------------------ */

static void forget_inside(struct pl__dir *dir) {
  dir->complete = false;
  dir->by_name = false;
  dir->asked = 0;
  dir->probes = 0;
  dir->package = NULL;
  for (uint32_t i = 0; i < dir->capacity; i++)
    if (dir->slots[i].node != NULL) dir->slots[i].node->kind = PL_FS_UNKNOWN;
}

static bool is_below(const struct pl__dir *dir, const struct pl__dir *top) {
  return top->length == 1 ||
         (dir->length >= top->length &&
          memcmp(dir->path, top->path, top->length) == 0 &&
          (dir->length == top->length || dir->path[top->length] == '/'));
}

/* Every link may have led through what is forgotten. */
static void forget_links(struct pl_resolver *resolver) {
  for (struct pl__dir *dir = resolver->dirs; dir != NULL; dir = dir->next)
    for (uint32_t i = 0; i < dir->capacity; i++) {
      struct pl__node *node = dir->slots[i].node;
      if (node != NULL && node->was == PL_FS_LINK) node->is.link = NULL;
    }
}

/*
 * The directories on the way to the path may have gained or lost the next name
 * of it, and all below the path may be another. A directory that is still one
 * finds its (forgotten) inside again. Where the path goes through links, what
 * the texts of real paths can not tell is made up for by forgetting all.
 */
void pl__tree_changed(struct pl_resolver *resolver, const char *path,
                      size_t length) {
  struct pl__node *node = &resolver->root;
  for (size_t i = 1; i < length && node->was == PL_FS_DIRECTORY;) {
    const char *end = memchr(path + i, '/', length - i);
    size_t size = end == NULL ? length - i : (size_t)(end - (path + i));
    struct pl__dir *dir = node->is.dir;
    if (dir == NULL) break;
    struct pl__node *child =
        find(dir, name_hash(path + i, size), path + i, size);
    i += size + 1;
    if (child == NULL || i >= length || child->kind == PL_FS_ABSENT) {
      dir->complete = false;
      dir->by_name = false;
      dir->package = NULL;
      for (uint32_t k = 0; k < dir->capacity; k++)
        if (dir->slots[k].node != NULL)
          dir->slots[k].node->kind = PL_FS_UNKNOWN;
      if (child == NULL || child->was != PL_FS_DIRECTORY) break;
    }
    if (child->was == PL_FS_LINK) {
      node = &resolver->root;
      break;
    }
    node = child;
    if (i < length) continue;
    if (node->is.dir == NULL) break;
    for (struct pl__dir *below = resolver->dirs; below != NULL;
         below = below->next)
      if (is_below(below, node->is.dir)) forget_inside(below);
  }
  if (node == &resolver->root && node->is.dir != NULL)
    for (struct pl__dir *dir = resolver->dirs; dir != NULL; dir = dir->next)
      forget_inside(dir);
  forget_links(resolver);
}

void pl__tree_release(struct pl_resolver *resolver) {
  resolver->dirs = NULL;
  resolver->root = (struct pl__node){
      .name = "", .kind = PL_FS_DIRECTORY, .was = PL_FS_DIRECTORY};
  pl__arena_empty(&resolver->tree);
}

static bool same_stamp(const struct pl_fs_stamp *a,
                       const struct pl_fs_stamp *b) {
  return a->device == b->device && a->inode == b->inode &&
         a->changed_ns == b->changed_ns && a->size == b->size;
}

/* Whether what is known of a directory still holds. */
static bool still_holds(struct pl_resolver *resolver, struct pl__dir *dir) {
  struct pl_fs *fs = resolver->fs;
  if (!dir->complete || dir->racy) return false;
  struct pl_fs_stamp stamp = {0};
  enum pl_fs_kind kind;
  if (fs->ops->stat(fs, dir->path, false, &kind, &stamp) != 0 ||
      kind != PL_FS_DIRECTORY || !same_stamp(&stamp, &dir->stamp))
    return false;
  if (dir->package == NULL || dir->package->state == PL__PACKAGE_NONE)
    return true;
  struct pl__text *path = &resolver->path;
  pl__text_set(path, dir->path, dir->length > 1 ? dir->length : 0);
  pl__text_string(path, "/package.json");
  if (path->broken) {
    path->broken = false;
    return false;
  }
  return !dir->package->racy &&
         fs->ops->stat(fs, path->bytes, true, &kind, &stamp) == 0 &&
         same_stamp(&stamp, &dir->package->stamp);
}

int pl__tree_refresh(struct pl_resolver *resolver) {
  int differing = 0;
  for (struct pl__dir *dir = resolver->dirs; dir != NULL; dir = dir->next) {
    if (still_holds(resolver, dir)) continue;
    bool trusted = dir->complete && !dir->racy;
    forget_inside(dir);
    differing += trusted;
  }
  forget_links(resolver);
  return differing;
}
