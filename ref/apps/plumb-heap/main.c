/* SPDX-License-Identifier: MIT */
/*
 * main.c: plumb-heap, which says what a heap snapshot is made of, who keeps it
 * alive, and what came between two of them.
 *
 * Invariant: stdout has only the answer, as text or as one JSON document.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

static int usage(FILE *to, int status) {
  fputs(
      "usage: plumb-heap stats FILE\n"
      "       plumb-heap summary [--top N] [--sort retained|size|count] FILE\n"
      "       plumb-heap dominators [--top N] FILE\n"
      "       plumb-heap path --id ID FILE\n"
      "       plumb-heap diff [--top N] OLD NEW\n"
      "  --json   the answer as JSON\n"
      "FILE is a .heapsnapshot of V8 (Node, Deno, Chrome), of Bun in V8's\n"
      "format, or of the reference; - is stdin.\n"
      "Exit status: 0; 1 memory is short; 2 usage, or a file that cannot be\n"
      "read.\n",
      to);
  return status;
}

static int short_of_memory(void) {
  fputs("plumb-heap: not enough memory\n", stderr);
  return 1;
}

/* One file and what was made of it. */
struct subject {
  struct snapshot snapshot;
  struct graph graph;
  struct classes classes;
};

static void subject_free(struct subject *subject) {
  classes_free(&subject->classes);
  graph_free(&subject->graph);
  snapshot_free(&subject->snapshot);
}

static int subject_read(struct subject *subject, const char *path) {
  char message[1024];
  *subject = (struct subject){0};
  if (!snapshot_read(&subject->snapshot, path, message, sizeof message)) {
    fprintf(stderr, "plumb-heap: %s\n", message);
    return 2;
  }
  if (graph_build(&subject->graph, &subject->snapshot) &&
      classes_build(&subject->classes, &subject->graph))
    return 0;
  subject_free(subject);
  return short_of_memory();
}

static int of_one(const struct options *options, const char *path) {
  struct subject subject;
  int status = subject_read(&subject, path);
  if (status) return status;
  bool good;
  if (strcmp(options->verb, "stats") == 0)
    good = report_stats(options, &subject.graph);
  else if (strcmp(options->verb, "summary") == 0)
    good = report_summary(options, &subject.graph, &subject.classes);
  else if (strcmp(options->verb, "dominators") == 0)
    good = report_dominators(options, &subject.graph, &subject.classes);
  else
    good = report_path(options, &subject.graph, &subject.classes, &status);
  subject_free(&subject);
  return good ? status : short_of_memory();
}

static int of_two(const struct options *options, const char *old,
                  const char *new) {
  struct subject before, after;
  int status = subject_read(&before, old);
  if (status) return status;
  status = subject_read(&after, new);
  if (!status) {
    if (!report_diff(options, &before.graph, &before.classes, &after.graph,
                     &after.classes))
      status = short_of_memory();
    subject_free(&after);
  }
  subject_free(&before);
  return status;
}

static bool read_options(struct options *options, int argc, char **argv) {
  static const struct option known[] = {{"top", required_argument, NULL, 't'},
                                        {"sort", required_argument, NULL, 's'},
                                        {"id", required_argument, NULL, 'i'},
                                        {"json", no_argument, NULL, 'j'},
                                        {"help", no_argument, NULL, 'h'},
                                        {0}};
  char *end;
  for (int c; (c = getopt_long(argc, argv, "h", known, NULL)) != -1;) {
    switch (c) {
    case 't':
      options->top = (uint32_t)strtoul(optarg, &end, 10);
      if (*end || end == optarg || !options->top) return false;
      break;
    case 's':
      options->sort = optarg;
      if (strcmp(optarg, "retained") != 0 && strcmp(optarg, "size") != 0 &&
          strcmp(optarg, "count") != 0)
        return false;
      break;
    case 'i':
      options->id = strtoull(optarg, &end, 10);
      options->has_id = true;
      if (*end || end == optarg) return false;
      break;
    case 'j':
      options->json = true;
      break;
    case 'h':
      options->help = true;
      break;
    default:
      return false;
    }
  }
  return true;
}

int main(int argc, char **argv) {
  static const struct {
    const char *verb;
    int files;
  } verbs[] = {{"stats", 1},
               {"summary", 1},
               {"dominators", 1},
               {"path", 1},
               {"diff", 2}};
  struct options options = {.top = 20, .sort = "retained"};
  if (!read_options(&options, argc, argv)) return usage(stderr, 2);
  if (options.help) return usage(stdout, 0);
  int left = argc - optind;
  for (size_t n = 0; left && n < sizeof verbs / sizeof verbs[0]; n++) {
    if (strcmp(argv[optind], verbs[n].verb) != 0) continue;
    options.verb = verbs[n].verb;
    if (left - 1 != verbs[n].files ||
        (strcmp(options.verb, "path") == 0) != options.has_id)
      return usage(stderr, 2);
    int status = verbs[n].files == 1
                     ? of_one(&options, argv[optind + 1])
                     : of_two(&options, argv[optind + 1], argv[optind + 2]);
    if (fflush(stdout) || ferror(stdout)) {
      perror("plumb-heap: stdout");
      return 2;
    }
    return status;
  }
  return usage(stderr, 2);
}
