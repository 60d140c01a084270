/* SPDX-License-Identifier: MIT */
/*
 * main.c: heap-bench PART: one part of the heap's figures.
 *
 * Invariant: what is measured is done, and its results are summed up: exit
 * status 1 when that sum is 0.
 */
#include "figures.h"

#include <stdio.h>
#include <stdlib.h>

static int usage(void) {
  fputs("usage: heap-bench paths | scavenges | trees MIB | trees-floor |"
        " old TREES |\n"
        "                  snapshots TREES\n"
        "\n"
        "  heap-bench trees 16   GCBench with semi-spaces of 16 MiB\n"
        "  heap-bench old 31     1.56 GB live, collected in three ways\n"
        "  heap-bench snapshots 16   snapshots of 200 MB\n",
        stderr);
  return 2;
}

int main(int argc, char **argv) {
  const char *part = argc > 1 ? argv[1] : "";
  int number = argc > 2 ? atoi(argv[2]) : 0;
  uint64_t sum;
  if (strcmp(part, "paths") == 0) sum = paths();
  else if (strcmp(part, "scavenges") == 0) sum = scavenges();
  else if (strcmp(part, "trees") == 0 && number > 0)
    sum = trees((size_t)number << 20);
  else if (strcmp(part, "trees-floor") == 0) sum = trees_floor();
  else if (strcmp(part, "old") == 0 && number > 0)
    sum = old_generation(number);
  else if (strcmp(part, "snapshots") == 0 && number > 0)
    sum = snapshots(number);
  else return usage();
  return sum == 0;
}
