/* SPDX-License-Identifier: MIT */
/*
 * core.c: the names of Node's core modules.
 *
 * Invariant: sorted by byte value, so a name is found by bisection; those of
 * Node 20 and 22 differ only in what needs "node:".
 * Source: module.builtinModules of Node 20.20.2 and 22.23.3.
 */
#include <string.h>

#include "plumb/modules.h"

#define EVERY_NODE                                                             \
  "_http_agent", "_http_client", "_http_common", "_http_incoming",             \
      "_http_outgoing", "_http_server", "_stream_duplex",                      \
      "_stream_passthrough", "_stream_readable", "_stream_transform",          \
      "_stream_wrap", "_stream_writable", "_tls_common", "_tls_wrap",          \
      "assert", "assert/strict", "async_hooks", "buffer", "child_process",     \
      "cluster", "console", "constants", "crypto", "dgram",                    \
      "diagnostics_channel", "dns", "dns/promises", "domain", "events", "fs",  \
      "fs/promises", "http", "http2", "https", "inspector",                    \
      "inspector/promises", "module", "net", "os", "path", "path/posix",       \
      "path/win32", "perf_hooks", "process", "punycode", "querystring",        \
      "readline", "readline/promises", "repl", "stream", "stream/consumers",   \
      "stream/promises", "stream/web", "string_decoder", "sys", "timers",      \
      "timers/promises", "tls", "trace_events", "tty", "url", "util",          \
      "util/types", "v8", "vm", "wasi", "worker_threads", "zlib", NULL

const char *const *pl_core_modules(int node) {
  static const char *const node20[] = {EVERY_NODE, "sea", "test",
                                       "test/reporters", NULL};
  static const char *const node22[] = {
      EVERY_NODE, "sea", "sqlite", "test", "test/reporters", NULL};
  return node < 22 ? node20 : node22;
}
