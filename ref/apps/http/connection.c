/* SPDX-License-Identifier: MIT */
/*
 * connection.c: one connection, from its bytes to an exchange and back.
 *
 * Invariant: in READING nobody has the exchange; from SERVING until
 * http_respond() the handler has, and the connection's memory stays.
 */
#include "connection.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static void parse(struct connection *connection, const char *data,
                  size_t length);

/* -- the parser's callbacks ------------------------------------------------ */

static int refuse(struct connection *connection, int status) {
  connection->refused = status;
  return 1; /* the parser stops */
}

static int add_text(struct connection *connection, const char *at,
                    size_t length) {
  if (connection->text.length + length + 2 > HTTP_TEXT_MOST)
    return refuse(connection, 431);
  return bytes_add(&connection->text, at, length) ? 0 : refuse(connection, 503);
}

/* Ends the text before it; where the next one begins. */
static size_t next_text(struct connection *connection) {
  struct bytes *text = &connection->text;
  if (text->length && bytes_room(text, 1)) text->at[text->length++] = '\0';
  return text->length;
}

static int on_begin(http_parser *parser) {
  struct connection *connection = parser->data;
  connection->begun = true;
  if (connection->server->closing)
    return pl_timeout_start(&connection->patience, HTTP_PATIENCE_MS, 0)
               ? refuse(connection, 503)
               : 0;
  return 0;
}

static int on_url(http_parser *parser, const char *at, size_t length) {
  return add_text(parser->data, at, length);
}

static int on_field(http_parser *parser, const char *at, size_t length) {
  struct connection *connection = parser->data;
  struct http_exchange *exchange = &connection->exchange;
  if (connection->in_value || exchange->header_count == 0) {
    if (exchange->header_count == HTTP_HEADERS_MOST)
      return refuse(connection, 431);
    size_t n = exchange->header_count++;
    connection->names[n] = next_text(connection);
    connection->values[n] = 0;
    connection->in_value = false;
  }
  return add_text(connection, at, length);
}

static int on_value(http_parser *parser, const char *at, size_t length) {
  struct connection *connection = parser->data;
  if (!connection->in_value) {
    connection->values[connection->exchange.header_count - 1] =
        next_text(connection);
    connection->in_value = true;
  }
  return add_text(connection, at, length);
}

static int on_body(http_parser *parser, const char *at, size_t length) {
  struct connection *connection = parser->data;
  if (connection->body.length + length > connection->server->body_most)
    return refuse(connection, 413);
  return bytes_add(&connection->body, at, length) ? 0 : refuse(connection, 503);
}

static int on_headers(http_parser *parser) {
  struct connection *connection = parser->data;
  /* To this callback 1 means a request without a body. */
  if (parser->http_major != 1) return -refuse(connection, 505);
  if (parser->flags & F_CONTENTLENGTH &&
      parser->content_length > connection->server->body_most)
    return -refuse(connection, 413);
  /* Who asked first is told to go on; a body of this size is welcome. */
  static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
  for (size_t n = 0; n < connection->exchange.header_count; n++)
    if (strncasecmp(connection->text.at + connection->names[n], "expect", 6) ==
        0)
      (void)send(connection->fd, go_on, sizeof go_on - 1,
                 MSG_DONTWAIT | MSG_NOSIGNAL);
  return 0;
}

static int on_complete(http_parser *parser) {
  struct connection *connection = parser->data;
  connection->whole = true;
  http_parser_pause(parser, 1);
  return 0;
}

static const http_parser_settings settings = {
    .on_message_begin = on_begin,
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_headers,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

/* -- an exchange ----------------------------------------------------------- */

static void begin_request(struct connection *connection) {
  free(connection->exchange.user);
  connection->exchange.user = NULL;
  connection->exchange.header_count = 0;
  connection->text.length = connection->body.length = 0;
  connection->in_value = connection->begun = connection->whole = false;
  connection->refused = 0;
  connection->state = CONNECTION_READING;
}

static void serve(struct connection *connection) {
  struct http_exchange *exchange = &connection->exchange;
  struct http_server *server = connection->server;
  next_text(connection);
  if (!bytes_room(&connection->body, 1)) {
    connection_close(connection);
    return;
  }
  connection->body.at[connection->body.length] = '\0';
  exchange->method = http_method_str(connection->parser.method);
  exchange->url = connection->text.at;
  for (size_t n = 0; n < exchange->header_count; n++) {
    const char *value = connection->values[n]
                            ? connection->text.at + connection->values[n]
                            : "";
    exchange->headers[n] =
        (struct http_header){connection->text.at + connection->names[n], value};
  }
  exchange->body = connection->body.at;
  exchange->body_length = connection->body.length;
  connection->keep = http_should_keep_alive(&connection->parser) &&
                     !connection->parser.upgrade && !server->closing;
  connection->state = CONNECTION_SERVING;
  pl_timeout_clear(&connection->patience);
  server->handler(server->arg, exchange);
}

/* What cannot be served is answered all the same, and the connection ends. */
static void refuse_request(struct connection *connection) {
  int status = connection->refused ? connection->refused : 400;
  char text[96];
  int length = snprintf(
      text, sizeof text, "%s\n",
      connection->refused
          ? http_status_str((enum http_status)status)
          : http_errno_description(HTTP_PARSER_ERRNO(&connection->parser)));
  pl_timeout_clear(&connection->patience);
  connection->keep = false;
  connection->exchange.method = "GET";
  connection->state = CONNECTION_SERVING;
  http_respond(&connection->exchange, status, "text/plain; charset=utf-8", text,
               (size_t)length);
}

/* Ends our side only, and waits for the client to end its own: a descriptor
 * that is closed with bytes unread turns our last answer into a reset. */
static void linger(struct connection *connection) {
  shutdown(connection->fd, SHUT_WR);
  connection->state = CONNECTION_LINGERING;
  if (connection->ended ||
      pl_timeout_start(&connection->patience, HTTP_LINGER_MS, 0))
    connection_close(connection);
}

static void written(void *arg, int status) {
  struct connection *connection = arg;
  if (connection->state == CONNECTION_CLOSING) return;
  if (status) {
    connection_close(connection);
    return;
  }
  connection->served = true;
  if (!connection->keep || connection->server->closing) {
    linger(connection);
    return;
  }
  begin_request(connection);
  if (connection->ended && !connection->ahead.length) {
    connection_close(connection);
    return;
  }
  if (pl_timeout_start(&connection->patience, HTTP_PATIENCE_MS, 0)) {
    connection_close(connection);
    return;
  }
  http_parser_pause(&connection->parser, 0);
  struct bytes ahead = connection->ahead;
  connection->ahead = (struct bytes){0};
  parse(connection, ahead.at, ahead.length);
  bytes_drop(&ahead);
}

void http_respond(struct http_exchange *exchange, int status, const char *type,
                  const void *body, size_t length) {
  struct connection *connection = (struct connection *)exchange;
  char head[256];
  if (connection->gone) {
    connection->gone = false;
    if (connection->closed) server_forget(connection);
    return;
  }
  int size = snprintf(head, sizeof head,
                      "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n"
                      "Content-Length: %zu\r\nConnection: %s\r\n\r\n",
                      status, http_status_str((enum http_status)status), type,
                      length, connection->keep ? "keep-alive" : "close");
  bool bare = strcmp(exchange->method, "HEAD") == 0;
  connection->out.length = 0;
  connection->state = CONNECTION_WRITING;
  if (size < 0 || (size_t)size >= sizeof head ||
      !bytes_add(&connection->out, head, (size_t)size) ||
      (!bare && !bytes_add(&connection->out, body, length)) ||
      pl_stream_write(&connection->stream, &connection->write,
                      connection->out.at, connection->out.length))
    connection_close(connection);
}

/* -- bytes ----------------------------------------------------------------- */

static void keep_ahead(struct connection *connection, const char *data,
                       size_t length) {
  if (connection->ahead.length + length > HTTP_AHEAD_MOST ||
      !bytes_add(&connection->ahead, data, length))
    connection_close(connection);
}

static void parse(struct connection *connection, const char *data,
                  size_t length) {
  size_t used =
      length ? http_parser_execute(&connection->parser, &settings, data, length)
             : 0;
  if (connection->whole) {
    if (used < length && !connection->parser.upgrade)
      keep_ahead(connection, data + used, length - used);
    if (connection->state == CONNECTION_READING) serve(connection);
  } else if (HTTP_PARSER_ERRNO(&connection->parser) != HPE_OK) {
    refuse_request(connection);
  } else if (connection->ended) {
    connection_close(connection);
  }
}

static void on_bytes(void *arg, const void *data, ptrdiff_t length) {
  struct connection *connection = arg;
  if (connection->state == CONNECTION_CLOSING) return;
  if (length <= 0) {
    connection->ended = true;
    connection->keep = false;
    if (length < 0 || connection->state == CONNECTION_READING ||
        connection->state == CONNECTION_LINGERING)
      connection_close(connection);
  } else if (connection->state == CONNECTION_READING) {
    parse(connection, data, (size_t)length);
  } else if (connection->state != CONNECTION_LINGERING) {
    keep_ahead(connection, data, (size_t)length);
  }
}

static void on_patience(void *arg, int status) {
  (void)status;
  struct connection *connection = arg;
  if (!connection->begun || connection->state != CONNECTION_READING) {
    connection_close(connection);
    return;
  }
  connection->refused = 408;
  refuse_request(connection);
}

/* -- begin and end --------------------------------------------------------- */

int connection_open(struct connection *connection) {
  struct pl_loop *loop = connection->server->loop;
  http_parser_init(&connection->parser, HTTP_REQUEST);
  connection->parser.data = connection;
  pl_stream_init(loop, &connection->stream, connection);
  pl_write_init(loop, &connection->write, written, connection);
  pl_timeout_init(loop, &connection->patience, on_patience, connection);
  begin_request(connection);
  int err = pl_stream_open(&connection->stream, connection->fd);
  if (!err) err = pl_stream_read(&connection->stream, on_bytes);
  if (!err) err = pl_timeout_start(&connection->patience, HTTP_PATIENCE_MS, 0);
  return err;
}

static void on_closed(void *arg, int status) {
  (void)status;
  struct connection *connection = arg;
  close(connection->fd);
  connection->closed = true;
  if (!connection->gone) server_forget(connection);
}

void connection_retire(struct connection *connection) {
  char byte;
  if (connection->state != CONNECTION_READING || connection->begun) return;
  if (recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0) return;
  if (connection->served ||
      pl_timeout_start(&connection->patience, HTTP_FIRST_MS, 0))
    connection_close(connection);
}

void connection_close(struct connection *connection) {
  if (connection->state == CONNECTION_CLOSING) return;
  connection->gone = connection->state == CONNECTION_SERVING;
  connection->state = CONNECTION_CLOSING;
  pl_timeout_clear(&connection->patience);
  pl_handle_close(&connection->stream, on_closed);
}
