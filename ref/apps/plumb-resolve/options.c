/* SPDX-License-Identifier: MIT */
/*
 * options.c: the command line of plumb-resolve.
 *
 * Invariant: relative paths are made absolute here, against the directory the
 * command was started in, so the library sees none.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app.h"

static const char usage[] =
    "usage: plumb-resolve [OPTIONS] SPECIFIER...\n"
    "       plumb-resolve [OPTIONS] --batch < LINES\n"
    "       plumb-resolve [OPTIONS] --graph ENTRY\n"
    "       plumb-resolve --scan < PATHS\n"
    "Tells where a require() or an import leads, as Node does, and why.\n"
    "  --from DIR         the directory of the module that asks (.)\n"
    "  --import           resolve as import does (require)\n"
    "  --conditions A,B   conditions besides Node's own\n"
    "  --explain          print every step, and why it failed\n"
    "  --batch            read lines `from TAB specifier`, print one JSON\n"
    "                     object per line\n"
    "  --graph ENTRY      follow requires and imports from a file; JSON\n"
    "  --dot              print the graph as DOT\n"
    "  --scan             read paths ended by NUL, print what these sources\n"
    "                     ask for, one JSON array per line\n"
    "  --node 20|22       whose rules (22)\n"
    "  --preserve-symlinks\n"
    "  --plain            leave out format and package\n"
    "  --no-listing       ask the file system name by name\n"
    "  --list-after N     list a directory at the Nth question about it\n"
    "  --repeat N         with --batch: resolve all N times more, tell times\n"
    "  --stats            print what it cost, on stderr\n"
    "Exit: 0 all resolved, 1 something was not, 2 usage or trouble.\n"
    "NODE_PATH and HOME are heeded as Node does.\n";

static char *own(struct options *options, char *text) {
  if (text != NULL) options->owned[options->owned_count++] = text;
  return text;
}

/* An absolute path for `path`; NULL: no memory, or no directory to be in. */
static char *absolute(struct options *options, const char *path) {
  if (path[0] == '/') return own(options, strdup(path));
  char *here = getcwd(NULL, 0);
  if (here == NULL) return NULL;
  size_t size = strlen(here) + strlen(path) + 2;
  char *whole = malloc(size);
  if (whole != NULL) snprintf(whole, size, "%s/%s", here, path);
  free(here);
  return own(options, whole);
}

static bool add_path(struct options *options, const char *path) {
  if (options->path_count == PL__LIST_MOST) return true;
  const char *whole = absolute(options, path);
  if (whole == NULL) return false;
  options->paths[options->path_count++] = whole;
  return true;
}

/* NODE_PATH, then $HOME/.node_modules and $HOME/.node_libraries. */
static bool read_environment(struct options *options) {
  const char *list = getenv("NODE_PATH");
  if (list != NULL) {
    char *copy = own(options, strdup(list));
    if (copy == NULL) return false;
    for (char *rest = copy, *path; (path = strsep(&rest, ":")) != NULL;)
      if (*path != '\0' && options->path_count < PL__LIST_MOST - 2 &&
          !add_path(options, path))
        return false;
  }
  const char *home = getenv("HOME");
  if (home == NULL || *home == '\0') return true;
  static const char *const names[] = {".node_modules", ".node_libraries"};
  for (int i = 0; i < 2; i++) {
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", home, names[i]) >=
        sizeof path)
      continue;
    if (!add_path(options, path)) return false;
  }
  return true;
}

static bool read_conditions(struct options *options, const char *list) {
  char *copy = own(options, strdup(list));
  if (copy == NULL) return false;
  for (char *rest = copy, *name; (name = strsep(&rest, ",")) != NULL;)
    if (*name != '\0' && options->condition_count < PL__LIST_MOST - 8)
      options->conditions[options->condition_count++] = name;
  return true;
}

enum {
  FROM = 256,
  IMPORT,
  CONDITIONS,
  EXPLAIN,
  BATCH,
  GRAPH,
  DOT,
  SCAN,
  NODE,
  PRESERVE,
  PLAIN,
  NO_LISTING,
  LIST_AFTER,
  REPEAT,
  STATS
};

static const struct option longs[] = {
    {"from", required_argument, NULL, FROM},
    {"import", no_argument, NULL, IMPORT},
    {"conditions", required_argument, NULL, CONDITIONS},
    {"explain", no_argument, NULL, EXPLAIN},
    {"batch", no_argument, NULL, BATCH},
    {"graph", required_argument, NULL, GRAPH},
    {"dot", no_argument, NULL, DOT},
    {"scan", no_argument, NULL, SCAN},
    {"node", required_argument, NULL, NODE},
    {"preserve-symlinks", no_argument, NULL, PRESERVE},
    {"plain", no_argument, NULL, PLAIN},
    {"no-listing", no_argument, NULL, NO_LISTING},
    {"list-after", required_argument, NULL, LIST_AFTER},
    {"repeat", required_argument, NULL, REPEAT},
    {"stats", no_argument, NULL, STATS},
    {"help", no_argument, NULL, 'h'},
    {0}};

/* One option. 0, or what options_read() returns. */
static int read_option(struct options *options, int option) {
  switch (option) {
  case FROM:
    options->from = absolute(options, optarg);
    return options->from == NULL ? 2 : 0;
  case IMPORT:
    options->import = true;
    return 0;
  case CONDITIONS:
    return read_conditions(options, optarg) ? 0 : 2;
  case EXPLAIN:
    options->explain = true;
    return 0;
  case BATCH:
    options->batch = true;
    return 0;
  case GRAPH:
    options->graph = absolute(options, optarg);
    return options->graph == NULL ? 2 : 0;
  case DOT:
    options->dot = true;
    return 0;
  case SCAN:
    options->scan = true;
    return 0;
  case NODE:
    options->node = atoi(optarg);
    return options->node == 20 || options->node == 22 ? 0 : 2;
  case PRESERVE:
    options->preserve = true;
    return 0;
  case PLAIN:
    options->plain = true;
    return 0;
  case NO_LISTING:
    options->list_after = UINT32_MAX;
    return 0;
  case LIST_AFTER:
    options->list_after = (unsigned)atoi(optarg);
    return options->list_after > 0 && options->list_after < 1000 ? 0 : 2;
  case REPEAT:
    options->repeat = atoi(optarg);
    return options->repeat > 0 ? 0 : 2;
  case STATS:
    options->stats = true;
    return 0;
  case 'h':
    fputs(usage, stdout);
    return 1;
  default:
    return 2;
  }
}

int options_read(struct options *options, int argc, char **argv) {
  *options = (struct options){.node = 22};
  int option, status = 0;
  while (status == 0 &&
         (option = getopt_long(argc, argv, "", longs, NULL)) != -1)
    status = read_option(options, option);
  if (status == 0 && options->from == NULL) {
    options->from = absolute(options, ".");
    if (options->from == NULL) status = 2;
  }
  options->specifiers = argv + optind;
  options->specifier_count = argc - optind;
  bool nothing = !options->batch && options->graph == NULL &&
                 !options->scan && options->specifier_count == 0;
  if (status == 0 && (nothing || !read_environment(options))) status = 2;
  if (status == 2) fputs(usage, stderr);
  return status;
}

void options_free(struct options *options) {
  for (int i = 0; i < options->owned_count; i++)
    free(options->owned[i]);
}
