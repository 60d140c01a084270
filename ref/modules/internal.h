/* SPDX-License-Identifier: MIT */
/*
 * internal.h: what the files of modules/ share: the resolver's layout.
 *
 * A resolver knows four things, each made of the one before it:
 *
 *   nodes     the tree of real names: one node per name that was seen
 *   packages  one per package.json that was looked for, hung on a directory
 *   places    one per directory text from which was asked, links as written
 *   answers   (place, specifier, require or import) -> resolution
 *
 * Invariants:
 *  - Nodes live as long as the resolver or until pl_resolver_forget(); places
 *    and answers end at every kind of forgetting.
 *  - A job is one question under way. Once job->error is set, nothing that is
 *    found out afterwards is kept.
 */
#ifndef PLUMB_MODULES_INTERNAL_H
#define PLUMB_MODULES_INTERNAL_H

#include <stdarg.h>
#include <string.h>

#include "json.h"
#include "plumb/modules.h"
#include "text.h"

enum {
  PL__PATH_MAX = 4096, /* with the NUL, as the kernel counts */
  PL__NAME_MAX = 255,
  PL__LINKS_MAX = 40,  /* that the kernel follows in one path */
  PL__NEST_MAX = 1000, /* targets within targets */
  PL__EXTENSION_MAX = 31
};

/* ------------------------------------------------------------------ tree.c */

/* A table of nodes by name; open addressing, at most three quarters full. */
struct pl__slot {
  uint32_t hash;
  struct pl__node *node; /* NULL: empty */
};

/* What is known of a directory's inside. */
struct pl__dir {
  const char *path; /* real, NUL-terminated */
  uint32_t length;
  uint32_t asked;  /* questions about it, up to list_after */
  uint32_t probes; /* names that were asked for one by one */
  uint64_t size;   /* as its stamp tells; 0: not known */
  uint32_t count, capacity;
  struct pl__slot *slots; /* a table that is outgrown stays in the arena */
  bool complete;          /* a name that is not here does not exist */
  bool by_name;           /* cannot be listed */
  bool racy;              /* changed so shortly before the listing that a
                             later change could not be seen */
  struct pl_fs_stamp stamp;
  const struct pl__package
      *package;         /* of its package.json; NULL: not looked yet */
  struct pl__dir *next; /* all directories of the resolver */
  struct pl__node *node;
};

enum pl__link_state { PL__LINK_NEW, PL__LINK_BUSY, PL__LINK_DONE };

struct pl__link {
  struct pl__node *target; /* real; NULL: leads nowhere */
  uint8_t links;           /* how many the kernel follows for it */
  uint8_t state;
};

/* A real name. */
struct pl__node {
  struct pl__node *parent; /* NULL: the root */
  const char *name;
  uint32_t hash;
  uint16_t length;
  uint8_t kind; /* enum pl_fs_kind; UNKNOWN: must be asked */
  uint8_t was;  /* the kind that `is` belongs to */
  union {
    struct pl__dir *dir;   /* a directory's; NULL: not entered yet */
    struct pl__link *link; /* a link's; NULL: not followed yet */
    const char *path;      /* a file's; NULL: not written yet */
    struct pl__node *next; /* while its directory is listed */
  } is;
};

/* --------------------------------------------------------------- package.c */

enum pl__package_state {
  PL__PACKAGE_NONE, /* no package.json, or not a file that can be read */
  PL__PACKAGE_READ,
  PL__PACKAGE_BROKEN,    /* ERR_INVALID_PACKAGE_CONFIG (20: SyntaxError) */
  PL__PACKAGE_BAD_FIELD, /* exports or imports is no JSON: SyntaxError */
  PL__PACKAGE_NULL       /* Node 20: TypeError */
};

enum pl__package_type { PL__TYPE_NONE, PL__TYPE_COMMONJS, PL__TYPE_MODULE };

/* What an exports object's keys are. */
enum pl__shape { PL__SHAPE_SUBPATHS, PL__SHAPE_CONDITIONS, PL__SHAPE_MIXED };

/* exports or imports. */
struct pl__field {
  const struct pl__value *value;     /* NULL: absent, or null */
  const struct pl__value **by_hash;  /* a large object's members; NULL: small */
  const struct pl__value **patterns; /* those with a "*", pattern_count */
  uint32_t slots, pattern_count;
  uint8_t shape; /* enum pl__shape */
};

struct pl__package {
  uint8_t state;
  uint8_t type;
  bool exists;             /* there is a file, readable or not */
  bool racy;               /* as a directory's */
  const char *name, *main; /* NULL: absent or not a string */
  uint32_t name_length, main_length;
  struct pl__field exports, imports;
  const char *why; /* for Node 20's messages */
  struct pl_fs_stamp stamp;
};

/* ----------------------------------------------------------- place.c, ask.c */

/* Texts of places are shared by their ancestors, so they have no NUL. */
struct pl_place {
  struct pl_resolver *resolver;
  struct pl__kept *answers; /* hash table, at most three quarters full */
  uint32_t answer_count, answer_capacity;
  const char *text; /* normalised; "/" for the root */
  uint32_t length;
  uint32_t hash;
  struct pl_place *up;      /* the root's is itself */
  struct pl__node *real;    /* directory, or NULL */
  struct pl_place *modules; /* nearest node_modules directory, from here up */
  const struct pl__package *scope; /* nearest package.json, from here up */
  struct pl_place *scope_place;    /* and where; NULL: nowhere */
  uint8_t links;                   /* followed to get here */
  bool has_modules, has_scope;     /* the above were looked for */
  bool utf8;                       /* the text is */
};

enum pl__asked {
  PL__REQUIRED,
  PL__IMPORTED,
  PL__SEARCHED /* a bare request, in this node_modules and those above */
};

struct pl__answer {
  struct pl_resolution *resolution; /* others may have the same */
  uint32_t length;
  uint8_t asked; /* enum pl__asked */
  char specifier[];
};

struct pl__kept { /* a slot of a place's table of answers */
  uint64_t hash;
  struct pl__answer *answer; /* NULL: empty */
};

struct pl_resolver {
  struct pl_module_memory memory;
  struct pl_fs *fs;
  bool preserve_symlinks;
  int node;
  uint32_t list_after;
  uint32_t dirs_asked, dirs_worth;            /* see must_list() */
  const char *const *core, *const *core_only; /* sorted; needing "node:" */
  size_t core_count, core_only_count;
  const char **conditions; /* the user's */
  size_t condition_count;
  const char **paths;
  size_t path_count;
  const char **extensions; /* those that were added */
  size_t extension_count;
  uint64_t epoch; /* moves when places and answers end */

  struct pl__arena keep;     /* config */
  struct pl__arena tree;     /* nodes, dirs, packages */
  struct pl__arena fleeting; /* places, answers */
  struct pl__node root;
  struct pl__dir *dirs;
  struct pl_place **places; /* hash table */
  size_t place_count, place_capacity;
  struct pl_place *last_place; /* asked for by path */
  struct pl_resolver_stats stats;
  struct pl__text path;       /* scratch of tree.c */
  struct pl__text scratch[4]; /* of a job: base, spare, url; of a place */
};

/* One question under way. */
struct pl__job {
  struct pl_resolver *resolver;
  struct pl_place *place;
  const char *request;
  size_t request_length;
  bool import;
  int error;                        /* not 0: memory or descriptors ran out */
  struct pl_resolution *resolution; /* what is being found out */
  struct pl_resolution *kept;       /* the same, once it is kept; or NULL */
  pl_explain_fn *tell;
  void *tell_arg;
  const char *reason; /* why the last look failed, when told */
  const char *parent; /* who messages name instead of the module that asks */
  const char *bare;   /* the package and subpath that are looked for */
  size_t bare_length;
  struct pl__text base, spare;
  struct pl__text url; /* "/encoded/path?query#fragment" */
  size_t url_path;     /* length of its path */
  bool url_has_host;
  bool is_core; /* the target is a core module: resolution->path */
  bool unnamed; /* messages about URLs do not name the parent */
  const struct pl_lookup *lookup; /* of a require; or NULL */
};

/* A normalised absolute path that is asked about. Its beginning, `known`
 * bytes, is known to be the real directory `from` (NULL: nothing is there). */
struct pl__spot {
  const char *text;
  size_t length, known;
  struct pl__node *from;
  unsigned links; /* followed for the known part */
  /* What pl__at() found out, for the next of the names beside it. */
  bool opened;
  const char *nul;      /* the first NUL byte in the text, or NULL */
  size_t name;          /* where the last name begins */
  struct pl__node *dir; /* in which it is looked up; NULL: nowhere */
  unsigned dir_links;
  const char *reason;    /* why there is no such directory, or NULL */
  struct pl__node *node; /* at the text itself, when that was asked about */
  unsigned node_links;
};

enum pl__found { PL__NO, PL__YES, PL__STOP /* failed for good */ };

void *pl__alloc(struct pl__job *job, struct pl__arena *arena, size_t size);
struct pl_place *pl__place(struct pl__job *job, const char *text,
                           size_t length);
struct pl_place *pl__place_child(struct pl__job *job, struct pl_place *place,
                                 const char *name, size_t length);
/* Whether the answer to the job's request is known for all that ask from below
 * a node_modules; takes it. And keeps it, once it is known. */
bool pl__recall(struct pl__job *job, const struct pl_place *modules);
void pl__remember(struct pl__job *job, struct pl_place *modules);
bool pl__is_core(const struct pl_resolver *resolver, const char *name,
                 size_t length);
bool pl__is_core_only(const struct pl_resolver *resolver, const char *name,
                      size_t length);

/* Tells a step, when somebody listens. */
void pl__tell(struct pl__job *job, const char *text, size_t length,
              const char *outcome);

/* Tree: the directory's inside; a name in it, links not followed (NULL:
 * absent); the real node behind a node (NULL: nowhere), adding to *links. */
struct pl__dir *pl__dir(struct pl__job *job, struct pl__node *node);
struct pl__node *pl__look(struct pl__job *job, struct pl__node *dir,
                          const char *name, size_t length);
struct pl__node *pl__follow(struct pl__job *job, struct pl__node *node,
                            unsigned *links);
/* The real node at `rest` (names between slashes) from a directory. */
struct pl__node *pl__walk(struct pl__job *job, struct pl__node *from,
                          const char *rest, size_t length, unsigned *links);
/* Real path of a node, kept; *length gets its length. */
const char *pl__node_path(struct pl__job *job, struct pl__node *node,
                          size_t *length);
/* Whether a change right now would leave the stamp as it is. */
bool pl__is_racy(struct pl_resolver *resolver, const struct pl_fs_stamp *stamp);
void pl__tree_changed(struct pl_resolver *resolver, const char *path,
                      size_t length);
void pl__tree_release(struct pl_resolver *resolver);
int pl__tree_refresh(struct pl_resolver *resolver);

bool pl__fail_package(struct pl__job *job, const struct pl__package *package,
                      const char *dir, size_t length);
/* The same, of a package that `name` was found in by import, and of the scope
 * of a file, or (NULL) of the module that asks. */
bool pl__fail_imported(struct pl__job *job, const struct pl__package *package,
                       const char *dir, size_t length, const char *name,
                       size_t name_length);
bool pl__fail_scope(struct pl__job *job, const struct pl__package *package,
                    const char *dir, size_t length, const char *file,
                    size_t file_length);
const char *pl__keep_in_tree(struct pl__job *job, const char *bytes,
                             size_t length);
/* package.json of a real directory; never NULL unless job->error. */
const struct pl__package *pl__package(struct pl__job *job,
                                      struct pl__node *dir);
/* The nearest one of a place; sets place->scope (state NONE: there is none). */
const struct pl__package *pl__scope(struct pl__job *job,
                                    struct pl_place *place);

/*
 * Packages: find the target of a subpath ("." or "./x") or of a "#name". `dir`
 * is the text of the package's directory. True: it is in job->url (or, a core
 * module, in the resolution); false: the resolution says why not.
 */
bool pl__exports(struct pl__job *job, const struct pl__package *package,
                 const char *dir, size_t dir_length, const char *subpath,
                 size_t length, bool names_parent);
bool pl__imports(struct pl__job *job, const struct pl__package *package,
                 const char *dir, size_t dir_length);

/* URLs: parses `ref` against a directory's URL into job->url. */
void pl__url_parse(struct pl__job *job, const char *dir, size_t dir_length,
                   const char *ref, size_t length);
/* Whether a text is a URL of its own, and how long its scheme is. */
bool pl__url_is(const char *text, size_t length, size_t *scheme);
/* job->url as a path, in job->base. False: the resolution says why not. */
bool pl__url_to_path(struct pl__job *job, bool import);

/* Answers: fails the job. The message is made of the strings that follow, up
 * to NULL; texts that may hold a NUL byte are kept up to it. pl__fail_after()
 * adds what stands behind the parent's path, which is then named. */
void pl__fail(struct pl__job *job, enum pl_module_code code, ...);
/* "Cannot find module '<path>" and `after`: the path may hold NUL bytes. */
void pl__fail_missing(struct pl__job *job, const char *path, size_t length,
                      const char *after);
void pl__fail_after(struct pl__job *job, const char *after);
const char *pl__keep(struct pl__job *job, const char *bytes, size_t length);

void pl__require(struct pl__job *job);
void pl__import(struct pl__job *job);
/* Node's packageResolve() from a place: as pl__exports(). */
bool pl__import_bare(struct pl__job *job, struct pl_place *place,
                     const char *name, size_t length);

/* The real node at a spot, `ext` appended; NULL: none. A name that holds a NUL
 * byte is asked about up to it, as Node's own stat does. */
struct pl__node *pl__at(struct pl__job *job, struct pl__spot *spot,
                        const char *ext);
/* When a file is at the spot, with `ext` appended: it is the answer. */
enum pl__found pl__try_file(struct pl__job *job, struct pl__spot *spot,
                            const char *ext);
/* The answer is this file. */
enum pl__found pl__finish(struct pl__job *job, const struct pl__spot *spot,
                          const char *ext, struct pl__node *node);
/* A spot for an absolute path: known up to `near`, or what is above it. */
struct pl__spot pl__spot(struct pl__job *job, const char *text, size_t length,
                         const struct pl_place *near);

#endif
