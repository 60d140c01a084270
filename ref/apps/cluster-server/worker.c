/* SPDX-License-Identifier: MIT */
/*
 * worker.c: requests in one process: interceptors first, then the echo.
 *
 * Invariants:
 *  - Every request that came whole is answered, also while the process is
 *    about to end, and its object leaves the heap's roots exactly once.
 *  - The process ends when the primary said so or is gone, or an interceptor
 *    cannot go on, and the last answer is written.
 */
#include "worker.h"

#include <plumb/cluster.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../http/http.h"
#include "chain.h"
#include "dump.h"
#include "echo.h"
#include "state.h"

struct worker {
  const struct options *options;
  struct pl_loop *loop;
  struct pl_member member;
  struct pl_server listener;
  struct http_server http;
  struct chain chain;
  struct state state;
  struct dump dump;
  struct pl_signal leave, snapshot;
  bool http_closed, member_ended, left;
  int status;
};

/* A request that is being served; its exchange's `user`. */
struct serving {
  struct worker *worker;
  struct http_exchange *exchange;
  struct pl_root object;
  struct pl_timeout held; /* an answer that waits */
  struct bytes body;
  char type[100];
  int status;
  uint64_t begun; /* us */
};

static uint64_t microseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* -- one request ----------------------------------------------------------- */

static void answer(struct serving *serving) {
  struct bytes body = serving->body;
  state_end(&serving->worker->state, &serving->object, serving->status,
            microseconds() - serving->begun);
  /* Frees `serving` as soon as the answer is written, or now. */
  http_respond(serving->exchange, serving->status, serving->type, body.at,
               body.length);
  bytes_drop(&body);
}

static void on_held(void *arg, int status) {
  (void)status;
  answer(arg);
}

static const char plain[] = "text/plain; charset=utf-8";

static void set_error(struct serving *serving, int status, const char *text) {
  serving->status = status;
  strcpy(serving->type, plain);
  serving->body.length = 0;
  bytes_add(&serving->body, text, strlen(text));
}

static void set_echo(struct serving *serving) {
  serving->status = 200;
  strcpy(serving->type, "message/http");
  if (!echo_write(&serving->body, serving->exchange))
    set_error(serving, 503, "no memory\n");
}

static void on_http_closed(void *arg);

/* What an uncaught exception is to a runtime: what is held is let go, then the
 * process ends, and the primary starts another one. */
static void break_down(struct worker *worker) {
  if (worker->status) return;
  worker->status = WORKER_BROKEN;
  /* Connections go to the others, or wait for the one that is started next. */
  pl_member_abandon(&worker->member);
  http_server_close(&worker->http, on_http_closed);
}

static void set_answer(struct serving *serving, const struct chain_link *link,
                       const struct interceptor_answer *given, int error) {
  if (error) {
    fprintf(stderr, "plumb-cluster-server: interceptor %s: %s\n", link->file,
            strerror(-error));
    set_error(serving, 500, "an interceptor failed\n");
    if (error == -ENOTRECOVERABLE) break_down(serving->worker);
    return;
  }
  serving->status = given->status;
  const char *type = given->type;
  bool usable =
      type && strlen(type) < sizeof serving->type && !strpbrk(type, "\r\n");
  strcpy(serving->type, usable ? type : plain);
  if (!bytes_add(&serving->body, given->body, given->length))
    set_error(serving, 503, "no memory\n");
}

/* What answers, and when. */
static unsigned decide(struct serving *serving) {
  struct worker *worker = serving->worker;
  const struct http_exchange *exchange = serving->exchange;
  _Static_assert(sizeof(struct http_header) ==
                     sizeof(struct interceptor_header),
                 "headers are handed through as they are");
  const struct interceptor_request request = {
      .size = sizeof request,
      .method = exchange->method,
      .url = exchange->url,
      .headers =
          (const struct interceptor_header *)(const void *)exchange->headers,
      .header_count = exchange->header_count,
      .body = exchange->body,
      .body_length = exchange->body_length,
      .worker = worker->member.id,
      .requests = worker->state.requests - 1};
  struct interceptor_answer given;
  int error;
  const struct chain_link *link =
      chain_ask(&worker->chain, &request, &given, &error);
  if (link)
    set_answer(serving, link, &given, error);
  else
    set_echo(serving);
  return given.delay_ms;
}

static void on_request(void *arg, struct http_exchange *exchange) {
  struct worker *worker = arg;
  struct serving *serving = calloc(1, sizeof *serving);
  if (!serving) {
    static const char text[] = "no memory\n";
    http_respond(exchange, 503, "text/plain", text, sizeof text - 1);
    return;
  }
  exchange->user = serving;
  serving->worker = worker;
  serving->exchange = exchange;
  serving->begun = microseconds();
  state_begin(&worker->state, &serving->object, exchange);
  unsigned delay = decide(serving);
  pl_timeout_init(worker->loop, &serving->held, on_held, serving);
  if (delay == 0 || pl_timeout_start(&serving->held, delay, 0)) answer(serving);
}

/* -- the end --------------------------------------------------------------- */

/* Nothing is left to be served, and nobody to serve for. */
static void leave_if_done(struct worker *worker) {
  bool alone = worker->member_ended || worker->status == WORKER_BROKEN;
  if (!worker->http_closed || !alone || worker->left) return;
  worker->left = true;
  dump_close(&worker->dump);
  pl_handle_close(&worker->leave, NULL);
  pl_handle_close(&worker->snapshot, NULL);
  pl_member_close(&worker->member, NULL);
}

static void on_http_closed(void *arg) {
  struct worker *worker = arg;
  worker->http_closed = true;
  leave_if_done(worker);
}

static void on_disconnecting(void *arg) {
  struct worker *worker = arg;
  http_server_close(&worker->http, on_http_closed);
}

static void on_ended(void *arg, int reason) {
  struct worker *worker = arg;
  (void)reason;
  worker->member_ended = true;
  http_server_close(&worker->http, on_http_closed); /* the primary is gone */
  leave_if_done(worker);
}

static void on_leave(void *arg, int signum) {
  struct worker *worker = arg;
  (void)signum;
  pl_member_disconnect(&worker->member);
}

static void on_snapshot(void *arg, int signum) {
  struct worker *worker = arg;
  (void)signum;
  dump_now(&worker->dump);
}

/* -- the begin ------------------------------------------------------------- */

static void on_connection(void *arg, int fd) {
  struct worker *worker = arg;
  http_server_take(&worker->http, fd);
}

static void on_listening(void *arg, int error) {
  struct worker *worker = arg;
  if (!error) return;
  worker->status = server_fail("listening", error);
  pl_member_disconnect(&worker->member);
}

static void on_member_problem(void *arg, int error, const char *what) {
  (void)arg;
  server_fail(what, error);
}

static const struct pl_member_events member_events = {
    .disconnecting = on_disconnecting,
    .ended = on_ended,
    .problem = on_member_problem};
static const struct pl_server_events listener_events = {
    .listening = on_listening, .connection = on_connection};

static int start(struct worker *worker) {
  const struct options *options = worker->options;
  struct pl_loop *loop = worker->loop;
  struct pl_listen what = {.address = options->host,
                           .port = options->port,
                           .type = strchr(options->host, ':') ? PL_ADDRESS_IPV6
                                                              : PL_ADDRESS_IPV4,
                           .fd = options->fd};
  http_server_init(&worker->http, loop, on_request, worker);
  if (options->body_most) worker->http.body_most = options->body_most;
  dump_open(&worker->dump, loop, worker->state.heap, options->snapshots,
            options->every_ms, options->keep);
  pl_signal_init(loop, &worker->leave, on_leave, worker);
  pl_signal_init(loop, &worker->snapshot, on_snapshot, worker);
  int err = pl_signal_start(&worker->leave, SIGTERM);
  if (!err) err = pl_signal_start(&worker->snapshot, SIGUSR2);
  pl_object_unref(&worker->leave);
  pl_object_unref(&worker->snapshot);
  if (err) return err;
  err = pl_member_init(loop, &worker->member, NULL, &member_events, worker);
  if (err) return err;
  return pl_member_listen(&worker->member, &worker->listener, &what, false,
                          &listener_events, worker);
}

int worker_main(const struct options *options) {
  static struct worker worker;
  worker.options = options;
  signal(SIGINT, SIG_IGN); /* the terminal's; the primary says what is done */
  signal(SIGPIPE, SIG_IGN);
  int refused = chain_open(&worker.chain, options->interceptors);
  if (refused < 0) return server_fail(options->interceptors, refused);
  if (refused > 0 && !options->skip_broken) return WORKER_REFUSED;
  int err = state_open(&worker.state, 0);
  worker.loop = malloc(pl_loop_size());
  if (!err) err = worker.loop ? pl_loop_init(worker.loop, NULL) : PL_ENOMEM;
  if (!err) err = start(&worker);
  if (err) return server_fail("a worker", err);
  pl_loop_run(worker.loop, PL_LOOP_DEFAULT);
  err = pl_loop_close(worker.loop);
  free(worker.loop);
  state_close(&worker.state);
  chain_close(&worker.chain);
  return err ? server_fail("the loop", err) : worker.status;
}
