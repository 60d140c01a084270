/* SPDX-License-Identifier: MIT */
/*
 * echo.c: a request, sent back.
 *
 * Invariant: what was received is what is sent, byte by byte, but for the
 * framing: a body that came in chunks stands in one piece.
 */
#include "echo.h"

static bool add_text(struct bytes *out, const char *text) {
  return bytes_add(out, text, strlen(text));
}

bool echo_write(struct bytes *out, const struct http_exchange *exchange) {
  bool done = add_text(out, exchange->method) && add_text(out, " ") &&
              add_text(out, exchange->url) && add_text(out, " HTTP/1.1\r\n");
  for (size_t n = 0; done && n < exchange->header_count; n++)
    done = add_text(out, exchange->headers[n].name) && add_text(out, ": ") &&
           add_text(out, exchange->headers[n].value) && add_text(out, "\r\n");
  return done && add_text(out, "\r\n") &&
         bytes_add(out, exchange->body, exchange->body_length);
}
