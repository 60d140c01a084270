/* SPDX-License-Identifier: MIT */
/* echo.h: the answer of last resort: the request itself. */
#ifndef CLUSTER_SERVER_ECHO_H
#define CLUSTER_SERVER_ECHO_H

#include "../http/bytes.h"
#include "../http/http.h"

/* Writes the request as a message: its line, its headers in order, an empty
 * line, its body (which came in chunks or not). false: no memory. */
bool echo_write(struct bytes *out, const struct http_exchange *exchange);

#endif
