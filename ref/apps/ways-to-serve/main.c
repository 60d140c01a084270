/* SPDX-License-Identifier: MIT */
/* main.c: the ways as a table, and the command line. */
#include "ways.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

const struct way ways[] = {
    {"sequential", "one client after the other", false, serve_sequential},
    {"process", "a process per connection", false, serve_process},
    {"thread", "a thread per connection", false, serve_thread},
    {"event", "one process, event-driven", false, serve_event},
    {"proxy", "the primary relays bytes", true, serve_proxy},
    {"round-robin", "the primary hands connections on, 4 at a time", true,
     serve_round_robin},
    {"round-robin-1", "the same, one at a time, as Node", true,
     serve_round_robin_1},
    {"shared", "workers accept from one socket", true, serve_shared},
};
const size_t way_count = sizeof ways / sizeof ways[0];

const struct way *way_named(const char *name) {
  for (size_t n = 0; n < way_count; n++)
    if (strcmp(ways[n].name, name) == 0) return &ways[n];
  return NULL;
}

static int usage(FILE *to, int status) {
  fputs("usage: plumb-ways-to-serve --bench [--n LIST] [--workers N] [--quick] "
        "[--json]\n"
        "       plumb-ways-to-serve --serve WAY [--workers N]\n"
        "--serve prints `listening PORT` and ends with its input\n"
        "ways:\n",
        to);
  for (size_t n = 0; n < way_count; n++)
    fprintf(to, "  %-14s %s\n", ways[n].name, ways[n].what);
  return status;
}

static bool whole(const char *text, long least, long most, long *out) {
  char *end;
  *out = strtol(text, &end, 10);
  return end != text && !*end && *out >= least && *out <= most;
}

/* "1,16,256" */
static bool sizes(struct bench_options *options, char *text) {
  char *rest = NULL;
  options->size_count = 0;
  for (char *item = strtok_r(text, ",", &rest); item;
       item = strtok_r(NULL, ",", &rest)) {
    long number;
    if (options->size_count == 8 || !whole(item, 1, 4096, &number))
      return false;
    options->sizes[options->size_count++] = (uint32_t)number;
  }
  return options->size_count > 0;
}

int main(int argc, char **argv) {
  static const struct option known[] = {
      {"bench", no_argument, NULL, 'b'},
      {"serve", required_argument, NULL, 's'},
      {"worker", required_argument, NULL, 'w'},
      {"workers", required_argument, NULL, 'W'},
      {"n", required_argument, NULL, 'n'},
      {"quick", no_argument, NULL, 'q'},
      {"json", no_argument, NULL, 'j'},
      {"help", no_argument, NULL, 'h'},
      {0}};
  struct bench_options options = {
      .sizes = {1, 16, 256}, .size_count = 3, .workers = 2};
  const struct way *way = NULL;
  bool bench = false, sized = false;
  long number;
  signal(SIGPIPE, SIG_IGN);
  for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
    if (c == 'h') return usage(stdout, 0);
    if (c == 'w' && whole(optarg, 0, 65535, &number))
      return cluster_worker((int)number);
    if (c == 'b')
      bench = true;
    else if (c == 'q')
      options.quick = true;
    else if (c == 'j')
      options.json = true;
    else if (c == 'n' && sizes(&options, optarg))
      sized = true;
    else if (c == 'W' && whole(optarg, 1, WORKERS_MOST, &number))
      options.workers = (unsigned)number;
    else if (c != 's' || !(way = way_named(optarg)))
      return usage(stderr, 2);
  }
  if (optind < argc || bench == (way != NULL)) return usage(stderr, 2);
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  if (way) return way->serve(options.workers);
  if (options.quick && !sized) sizes(&options, (char[]){"1,16"});
  char self[4096];
  ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  if (length < 0) way_die("readlink");
  self[length] = '\0';
  return bench_ways(self, &options);
}
