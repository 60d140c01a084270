/* SPDX-License-Identifier: MIT */
/*
 * main.c: `plumb-host LIB.so` is the adapter of a provider library.
 *
 * Exit status: 0 when the runner said stop or closed our input, 1 when a
 * streamed run failed, 2 when the library cannot be used.
 */
#include "protocol.h"
#include "several.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int usage(FILE *out) {
  fputs("usage: plumb-host LIB.so\n"
        "\n"
        "Speaks the adapter protocol on stdin and stdout for a provider\n"
        "library (conformance/provider.h). Try it by hand:\n"
        "\n"
        "  echo '{\"cmd\":\"start\",\"protocol\":1}' | plumb-host "
        "./libplumb-ref.so\n",
        out);
  return out == stdout ? 0 : 2;
}

int main(int argc, char **argv) {
  if (argc == 2 &&
      (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
    return usage(stdout);
  if (argc != 2 || argv[1][0] == '-') return usage(stderr);
  struct library library;
  char message[1024];
  if (!library_open(&library, argv[1], message, sizeof message)) {
    fprintf(stderr, "plumb-host: %s\n", message);
    return 2;
  }
  const char *trace = getenv("PLUMB_TRACE"), *role = getenv("PLUMB_ROLE");
  if (trace != NULL && role != NULL)
    return several_child(&library, argv[1], trace, role);
  /* Not closed again: a pool thread of the provider may be in its code. */
  return protocol_serve(&library, argv[1], stdin, STDOUT_FILENO);
}
