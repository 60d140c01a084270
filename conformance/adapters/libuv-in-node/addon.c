/* SPDX-License-Identifier: MIT */
/*
 * addon.c: the provider host within a Node process, so that the libuv which
 * Node carries can be held against the rules.
 *
 * `node libuv-in-node.node` loads this file as an addon. It is linked with
 * the provider of ../libuv and the host, and with no libuv: the uv_* symbols
 * are the ones that the node executable exports. Node-API is used for nothing
 * but being loaded; its C ABI is stable, so no header of Node's is needed.
 *
 * Invariant: JavaScript never runs again once the host has begun, and the
 * loops of the programs are the only loops that turn: Node's own is made, and
 * waits until the process has ended.
 */
#include "library.h"
#include "protocol.h"

#include <stdio.h>
#include <unistd.h>

/* Node calls this when the file is loaded, with two pointers of its own: the
 * environment and the exports, which it would get back. */
void *napi_register_module_v1(void *env, void *exports);

void *napi_register_module_v1(void *env, void *exports) {
  (void)env;
  (void)exports;
  struct library library = {0};
  char message[1024];
  int status = 2;
  if (library_adopt(&library, pl_provider_v1(), "libuv-in-node", message,
                    sizeof message))
    status = protocol_serve(&library, NULL, stdin, STDOUT_FILENO);
  else
    fprintf(stderr, "libuv-in-node: %s\n", message);
  /* Every answer was written by write(2). To return would run the rest of
   * Node's life on top of what the programs did to its libuv. */
  _exit(status);
}
