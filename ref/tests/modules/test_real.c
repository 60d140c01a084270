/* SPDX-License-Identifier: MIT */
/*
 * test_real.c: the real file system at its worst: links in circles, names that
 * are too long, what may not be read, pipes, no descriptors, a tree that
 * changes under the reader.
 *
 * Invariant: an answer is a path that is there or was, or Node's error; the
 * folder of a test is gone when it ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "forest.h"

#define MISSING "!MODULE_NOT_FOUND"

struct ground {
  char root[64];
  struct pl_fs_real fs;
  struct pl_resolver *resolver;
};

static const uint32_t ways[] = {0, 1, UINT32_MAX}; /* list_after */
enum { WAYS = sizeof ways / sizeof *ways };

static void make_resolver(struct ground *ground, uint32_t list_after) {
  if (ground->resolver != NULL) pl_resolver_destroy(ground->resolver);
  pl_fs_real_init(&ground->fs);
  struct pl_resolver_config config = {.fs = &ground->fs.base,
                                      .list_after = list_after};
  assert_int_equal(pl_resolver_create(&config, &ground->resolver), 0);
}

static void begin_in(struct ground *ground, const char *folder) {
  *ground = (struct ground){0};
  snprintf(ground->root, sizeof ground->root, "%s/plumb-real-XXXXXX", folder);
  assert_non_null(mkdtemp(ground->root));
  assert_int_equal(chmod(ground->root, 0755), 0);
  make_resolver(ground, 0);
}

static void begin(struct ground *ground) {
  begin_in(ground, "/tmp");
}

static int remove_one(const char *path, const struct stat *stat, int type,
                      struct FTW *where) {
  (void)stat;
  (void)type;
  (void)where;
  return remove(path);
}

static int open_up(const char *path, const struct stat *stat, int type,
                   struct FTW *where) {
  (void)stat;
  (void)where;
  if (type == FTW_D || type == FTW_DNR) (void)chmod(path, 0755);
  return 0;
}

static void end(struct ground *ground) {
  pl_resolver_destroy(ground->resolver);
  nftw(ground->root, open_up, 16, FTW_PHYS);
  assert_int_equal(nftw(ground->root, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static const char *in(const struct ground *ground, const char *name) {
  static char paths[4][8192];
  static int turn;
  char *path = paths[turn++ % 4];
  snprintf(path, sizeof paths[0], "%s%s%s", ground->root,
           name[0] == '\0' ? "" : "/", name);
  return path;
}

/* Writes a file, and the folders above it. */
static void put(const struct ground *ground, const char *name,
                const char *text) {
  char path[8192];
  snprintf(path, sizeof path, "%s", in(ground, name));
  for (char *at = path + strlen(ground->root) + 1; (at = strchr(at, '/'));
       at++) {
    *at = '\0';
    assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
    *at = '/';
  }
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_true(fputs(text, file) >= 0);
  assert_int_equal(fclose(file), 0);
}

static void link_to(const struct ground *ground, const char *name,
                    const char *target) {
  assert_int_equal(symlink(target, in(ground, name)), 0);
}

/* `from` and a path that is expected are below the root. */
static bool leads(const struct ground *ground, const char *from,
                  const char *specifier, const char *expected) {
  const char *dir = in(ground, from);
  const struct pl_resolution *resolution;
  assert_int_equal(pl_resolver_require(ground->resolver, dir, strlen(dir),
                                       specifier, strlen(specifier),
                                       &resolution),
                   0);
  return forest_is(resolution,
                   expected[0] == '!' ? expected : in(ground, expected),
                   specifier);
}

/* ------------------------------------------------------------------------ */

static void links_in_circles_lead_nowhere(void **unused) {
  (void)unused;
  struct ground ground;
  begin(&ground);
  put(&ground, "d/x.js", "");
  link_to(&ground, "self.js", "self.js");
  link_to(&ground, "a", "b");
  link_to(&ground, "b", "a");
  link_to(&ground, "d/up", "..");
  link_to(&ground, "c0", "d/x.js");
  for (int i = 0; i < 45; i++) {
    char name[16], target[16];
    snprintf(name, sizeof name, "c%d", i + 1);
    snprintf(target, sizeof target, "c%d", i);
    link_to(&ground, name, target);
  }
  for (int i = 0; i < WAYS; i++) {
    make_resolver(&ground, ways[i]);
    assert_true(leads(&ground, "", "./self", MISSING));
    assert_true(leads(&ground, "", "./self.js", MISSING));
    assert_true(leads(&ground, "", "./a", MISSING));
    assert_true(leads(&ground, "", "./a/x", MISSING));
    assert_true(leads(&ground, "a", "./x", MISSING));
    assert_true(leads(&ground, "", "./d/up/d/up/d/x", "d/x.js"));
    assert_true(leads(&ground, "", "./c39", "d/x.js"));
    assert_true(leads(&ground, "", "./c40", MISSING));
    assert_true(leads(&ground, "", "./c45", MISSING));
  }
  end(&ground);
}

static void what_is_too_long_or_no_directory_does_not_exist(void **unused) {
  (void)unused;
  struct ground ground;
  begin(&ground);
  put(&ground, "x.js", "");
  put(&ground, "node_modules/p.js", "");
  put(&ground, "\xff\xfe.js", "");
  char name[6000] = "./";
  for (int i = 0; i < WAYS; i++) {
    make_resolver(&ground, ways[i]);
    memset(name + 2, 'x', sizeof name - 2);
    name[2 + 252] = '\0'; /* with .js a name of 255 bytes */
    assert_true(leads(&ground, "", name, MISSING));
    assert_true(leads(&ground, "", name + 2, MISSING));
    memset(name + 2, 'x', sizeof name - 2);
    name[2 + 300] = '\0';
    assert_true(leads(&ground, "", name, MISSING));
    memset(name + 2, 'x', sizeof name - 2);
    name[sizeof name - 1] = '\0';
    assert_true(leads(&ground, "", name, MISSING));
    assert_true(leads(&ground, "", "./x.js/y", MISSING));
    assert_true(leads(&ground, "", "./x.js/", MISSING));
    assert_true(leads(&ground, "x.js", "./y", MISSING));
    assert_true(leads(&ground, "x.js/deep", "p", "node_modules/p.js"));
    assert_true(leads(&ground, "", "./\xff\xfe", "\xff\xfe.js"));
    assert_true(leads(&ground, "", "./\xff", MISSING));
  }
  end(&ground);
}

static void ten_thousand_levels_on_disk_are_too_long(void **unused) {
  (void)unused;
  struct ground ground;
  /* A disk's file system takes half a minute for so many. */
  begin_in(&ground, access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
  put(&ground, "node_modules/p.js", "");
  enum { LEVELS = 10000 };
  int top = open(ground.root, O_RDONLY | O_DIRECTORY);
  int fd = dup(top);
  for (int i = 0; i < LEVELS; i++) {
    assert_int_equal(mkdirat(fd, "d", 0755), 0);
    int next = openat(fd, "d", O_RDONLY | O_DIRECTORY);
    assert_true(next >= 0);
    close(fd);
    fd = next;
  }
  static char deep[LEVELS * 2 + 1];
  for (size_t i = 0; i < LEVELS; i++)
    memcpy(deep + i * 2, "/d", 2);
  static char path[LEVELS * 2 + 128];
  snprintf(path, sizeof path, "%s%s", ground.root, deep);
  for (int i = 0; i < WAYS; i++) {
    make_resolver(&ground, ways[i]);
    const struct pl_resolution *resolution;
    assert_int_equal(pl_resolver_require(ground.resolver, path, strlen(path),
                                         "./x", 3, &resolution),
                     0);
    assert_true(forest_is(resolution, MISSING, "deep"));
    /* As far down as a path reaches, packages above are found. */
    assert_int_equal(
        pl_resolver_require(ground.resolver, path, 4000, "p", 1, &resolution),
        0);
    assert_true(forest_is(resolution, in(&ground, "node_modules/p.js"), "p"));
  }
  /* Up again: no path leads down there. */
  for (int i = 0; i < LEVELS; i++) {
    int up = openat(fd, "..", O_RDONLY | O_DIRECTORY);
    assert_true(up >= 0);
    assert_int_equal(unlinkat(up, "d", AT_REMOVEDIR), 0);
    close(fd);
    fd = up;
  }
  close(fd);
  close(top);
  end(&ground);
}

/* Runs `body` in a process that is not root, and fails when it does. */
static void as_nobody(struct ground *ground, bool (*body)(struct ground *)) {
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    if (getuid() == 0 &&
        (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0))
      _exit(3);
    _exit(body(ground) ? 0 : 1);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}

static bool ask_what_is_refused(struct ground *ground) {
  bool right = true;
  for (int i = 0; i < WAYS; i++) {
    make_resolver(ground, ways[i]);
    right &= leads(ground, "", "./none/x", MISSING);
    right &= leads(ground, "none", "./x", MISSING);
    right &= leads(ground, "", "./search/x", "search/x.js");
    right &= leads(ground, "", "./search/y", MISSING);
    right &= leads(ground, "", "./list/x", MISSING);
    right &= leads(ground, "", "./secret", "secret.js");
    right &= leads(ground, "", "p", "node_modules/p/index.js");
    right &= leads(ground, "in", "q", "node_modules/q.js");
  }
  return right;
}

static void what_may_not_be_read_is_passed_as_node_does(void **unused) {
  (void)unused;
  struct ground ground;
  begin(&ground);
  put(&ground, "none/x.js", "");
  put(&ground, "search/x.js", "");
  put(&ground, "list/x.js", "");
  put(&ground, "secret.js", "");
  put(&ground, "node_modules/p/package.json", "{\"main\":\"m\"}");
  put(&ground, "node_modules/p/m.js", "");
  put(&ground, "node_modules/p/index.js", "");
  put(&ground, "node_modules/q.js", "");
  put(&ground, "in/node_modules/q.js", "");
  assert_int_equal(chmod(in(&ground, "none"), 0), 0);
  assert_int_equal(chmod(in(&ground, "search"), 0711), 0);
  assert_int_equal(chmod(in(&ground, "list"), 0744), 0);
  assert_int_equal(chmod(in(&ground, "secret.js"), 0), 0);
  assert_int_equal(chmod(in(&ground, "node_modules/p/package.json"), 0), 0);
  assert_int_equal(chmod(in(&ground, "in/node_modules"), 0), 0);
  if (getuid() != 0) assert_int_equal(chmod(in(&ground, "search"), 0311), 0);
  if (getuid() != 0) assert_int_equal(chmod(in(&ground, "list"), 0444), 0);
  as_nobody(&ground, ask_what_is_refused);
  end(&ground);
}

static bool ask_without_descriptors(struct ground *ground) {
  struct rlimit none = {0, 0};
  getrlimit(RLIMIT_NOFILE, &none);
  struct rlimit before = none;
  none.rlim_cur = 0;
  bool right = true;
  for (int i = 0; i < WAYS; i++) {
    make_resolver(ground, ways[i]);
    const char *dir = in(ground, "");
    const struct pl_resolution *resolution;
    setrlimit(RLIMIT_NOFILE, &none);
    right &= leads(ground, "", "./x", "x.js"); /* asked for by name */
    int error = pl_resolver_require(ground->resolver, dir, strlen(dir), "p", 1,
                                    &resolution);
    setrlimit(RLIMIT_NOFILE, &before);
    right &= error == PL_EMFILE;
    right &= leads(ground, "", "p", "node_modules/p/m.js");
  }
  return right;
}

static void running_out_of_descriptors_is_told_and_passes(void **unused) {
  (void)unused;
  struct ground ground;
  begin(&ground);
  put(&ground, "x.js", "");
  put(&ground, "node_modules/p/package.json", "{\"main\":\"m\"}");
  put(&ground, "node_modules/p/m.js", "");
  put(&ground, "node_modules/p/index.js", "");
  as_nobody(&ground, ask_without_descriptors);
  end(&ground);
}

static void a_pipe_is_a_file_and_nobody_waits_for_it(void **unused) {
  (void)unused;
  struct ground ground;
  begin(&ground);
  put(&ground, "node_modules/p/index.js", "");
  assert_int_equal(mkfifo(in(&ground, "node_modules/p/package.json"), 0644), 0);
  assert_int_equal(mkfifo(in(&ground, "pipe.js"), 0644), 0);
  alarm(60);
  assert_true(leads(&ground, "", "./pipe", "pipe.js"));
  assert_true(leads(&ground, "", "p", "!ERR_INVALID_PACKAGE_CONFIG"));
  alarm(0);
  end(&ground);
}

static void a_package_json_of_50_megabytes_is_read(void **unused) {
  (void)unused;
  struct ground ground;
  begin(&ground);
  put(&ground, "node_modules/p/m.js", "");
  FILE *file = fopen(in(&ground, "node_modules/p/package.json"), "w");
  assert_non_null(file);
  fputs("{\"x\":[", file);
  for (int i = 0; i < 5 << 20; i++)
    fputs("{\"a\":\"}\"},", file);
  fputs("1],\"main\":\"m\"}", file);
  assert_int_equal(fclose(file), 0);
  assert_true(leads(&ground, "", "p", "node_modules/p/m.js"));
  end(&ground);
}

/* ------------------------------------------------------------------------ */

static void change_for_ever(const struct ground *ground) {
  char file[128], other[128], dir[128], away[128], link[128];
  snprintf(file, sizeof file, "%s", in(ground, "d/x.js"));
  snprintf(other, sizeof other, "%s", in(ground, "d/x.json"));
  snprintf(dir, sizeof dir, "%s", in(ground, "d"));
  snprintf(away, sizeof away, "%s", in(ground, "away"));
  snprintf(link, sizeof link, "%s", in(ground, "l"));
  for (unsigned i = 0;; i++) {
    (void)rename(file, other);
    (void)symlink(i % 2 == 0 ? "d" : "nowhere", link);
    (void)rename(other, file);
    (void)rename(dir, away);
    (void)unlink(link);
    (void)rename(away, dir);
  }
}

static bool is_one_of(const struct ground *ground,
                      const struct pl_resolution *resolution,
                      const char *const *paths) {
  if (resolution->code == PL_CODE_MODULE_NOT_FOUND) return true;
  for (; resolution->code == PL_RESOLVED && *paths != NULL; paths++)
    if (strcmp(resolution->path, in(ground, *paths)) == 0) return true;
  return forest_is(resolution, "one that was there", "x");
}

/* Never another path, however the tree is caught; and right once it rests. */
static void a_tree_that_changes_gives_no_wrong_path(void **unused) {
  (void)unused;
  struct ground ground;
  begin(&ground);
  put(&ground, "d/x.js", "");
  for (int i = 0; i < 300; i++) {
    char name[32];
    snprintf(name, sizeof name, "d/filler%d", i);
    put(&ground, name, "");
  }
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) change_for_ever(&ground);
  static const char *const paths[] = {"d/x.js", "d/x.json", NULL};
  bool right = true;
  for (int round = 0; round < 600; round++) {
    if (round % 200 == 0) make_resolver(&ground, ways[round / 200]);
    const char *dir = in(&ground, "");
    static const char *const asked[] = {"./d/x", "./l/x", "./d/x.json"};
    for (int i = 0; i < 3; i++) {
      const struct pl_resolution *resolution;
      assert_int_equal(pl_resolver_require(ground.resolver, dir, strlen(dir),
                                           asked[i], strlen(asked[i]),
                                           &resolution),
                       0);
      right &= is_one_of(&ground, resolution, paths);
    }
    if (round % 2 == 0)
      pl_resolver_refresh(ground.resolver);
    else
      pl_resolver_changed(ground.resolver, dir, strlen(dir));
  }
  kill(child, SIGKILL);
  assert_int_equal(waitpid(child, NULL, 0), child);
  assert_true(right);
  (void)rename(in(&ground, "away"), in(&ground, "d"));
  (void)rename(in(&ground, "d/x.json"), in(&ground, "d/x.js"));
  pl_resolver_refresh(ground.resolver);
  assert_true(leads(&ground, "", "./d/x", "d/x.js"));
  end(&ground);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(links_in_circles_lead_nowhere),
      cmocka_unit_test(what_is_too_long_or_no_directory_does_not_exist),
      cmocka_unit_test(ten_thousand_levels_on_disk_are_too_long),
      cmocka_unit_test(what_may_not_be_read_is_passed_as_node_does),
      cmocka_unit_test(running_out_of_descriptors_is_told_and_passes),
      cmocka_unit_test(a_pipe_is_a_file_and_nobody_waits_for_it),
      cmocka_unit_test(a_package_json_of_50_megabytes_is_read),
      cmocka_unit_test(a_tree_that_changes_gives_no_wrong_path),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
