/* SPDX-License-Identifier: MIT */
/*
 * main.c: plumb-leak-lab: runs one leak on the reference's heap, before or
 * after its cure.
 *
 * Invariant: exit status 0: it ran; 1: memory ran out, as the last line says;
 * 2: wrong arguments, or a file that cannot be written.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lab.h"

static const struct leak *const leaks[] = {
    &leak_cache,     &leak_queue, &leak_closure, &leak_exports,
    &leak_listeners, &leak_rooms, &leak_slices};
enum { LEAKS = sizeof leaks / sizeof leaks[0], NUMBER_MOST = 1000000 };

static const char usage[] =
    "usage: plumb-leak-lab LEAK leaks|cured [OPTION VALUE]...\n"
    "       plumb-leak-lab --list\n"
    "  --rounds N        full collections to be judged (10)\n"
    "  --turns N         turns of the loop before each (200)\n"
    "  --warm N          rounds before them (1)\n"
    "  --snapshots NAME  NAME-before.heapsnapshot, NAME-after.heapsnapshot\n"
    "  --grain BYTES     growth from which on it counts (16384)\n"
    "  --old-max MIB     of the heap's old generation\n"
    "  --stress N        collect at every n-th allocation\n"
    "  --verify 1        check every invariant of the heap around collections\n"
    "  --fail N          the n-th request for memory fails, and all after it\n";

static int refuse(const char *message, const char *word) {
  fprintf(stderr, "plumb-leak-lab: %s: %s\n%s", message, word, usage);
  return 2;
}

static const struct leak *find_leak(const char *name) {
  for (size_t i = 0; i < LEAKS; i++)
    if (strcmp(leaks[i]->name, name) == 0) return leaks[i];
  return NULL;
}

static bool read_number(const char *word, unsigned *out) {
  char *end;
  errno = 0;
  unsigned long value = strtoul(word, &end, 10);
  if (errno != 0 || end == word || *end != '\0' || *word < '0' || *word > '9' ||
      value > NUMBER_MOST)
    return false;
  *out = (unsigned)value;
  return true;
}

static bool take(struct run_options *options, const char *name,
                 const char *word) {
  unsigned value = 0;
  if (strcmp(name, "--snapshots") == 0) {
    options->snapshots = word;
    return true;
  }
  if (!read_number(word, &value)) return false;
  if (strcmp(name, "--rounds") == 0)
    options->rounds = value;
  else if (strcmp(name, "--turns") == 0)
    options->turns = value;
  else if (strcmp(name, "--warm") == 0)
    options->warm = value;
  else if (strcmp(name, "--grain") == 0)
    options->grain = value;
  else if (strcmp(name, "--old-max") == 0)
    options->old_max = (size_t)value << 20;
  else if (strcmp(name, "--stress") == 0)
    options->stress = value;
  else if (strcmp(name, "--verify") == 0)
    options->verify = value != 0;
  else if (strcmp(name, "--fail") == 0)
    options->fail = value;
  else
    return false;
  return true;
}

int main(int argc, char **argv) {
  struct run_options options = {
      .rounds = 10, .turns = 200, .warm = 1, .grain = 16384};
  if (argc == 2 && strcmp(argv[1], "--list") == 0) {
    for (size_t i = 0; i < LEAKS; i++)
      printf("%s %s\n", leaks[i]->name, leaks[i]->culprit);
    return 0;
  }
  if (argc < 3) return refuse("too few words", argc < 2 ? "none" : argv[1]);
  options.leak = find_leak(argv[1]);
  if (options.leak == NULL) return refuse("no such leak", argv[1]);
  options.cured = strcmp(argv[2], "cured") == 0;
  if (!options.cured && strcmp(argv[2], "leaks") != 0)
    return refuse("leaks or cured, not", argv[2]);
  for (int at = 3; at < argc; at += 2)
    if (at + 1 == argc || !take(&options, argv[at], argv[at + 1]))
      return refuse("not understood", argv[at]);
  int err = lab_run(&options, stdout);
  if (err == 0) return 0;
  fprintf(stderr, "plumb-leak-lab: %s\n", pl_error_text(err));
  return err == PL_ENOMEM ? 1 : 2;
}
