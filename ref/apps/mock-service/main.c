/* SPDX-License-Identifier: MIT */
/*
 * main.c: a mock HTTP service. Whatever is asked, the answer is the content of
 * data/user.json, read anew for each request; each request's URL and time is
 * appended to a log.
 *
 * Invariant: one thread, and nothing in it waits but the loop: the file is
 * read by the loop's request, the log written before the loop sleeps.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../http/access_log.h"
#include "../http/http.h"

enum { FILE_MOST = 4 << 20 }; /* bytes of an answer */

struct service {
  struct pl_loop *loop;
  struct http_server server;
  struct access_log log;
  struct pl_signal signals[2];
  const char *file;
};

/* A file that is read for an exchange; the exchange's `user`. */
struct reading {
  struct pl_file_read request;
  struct service *service;
  struct http_exchange *exchange;
  char *buffer;
  size_t capacity;
};

static void answer_error(struct http_exchange *exchange, const char *file,
                         int error) {
  char text[512];
  int length = snprintf(text, sizeof text, "{\"error\":\"%s: %s\"}\n", file,
                        strerror(-error));
  http_respond(exchange, 500, "application/json", text, (size_t)length);
}

static void read_file(struct reading *reading);

static void on_read(void *arg, int status) {
  struct reading *reading = arg;
  struct http_exchange *exchange = reading->exchange;
  char *buffer = reading->buffer;
  if (status == PL_EFBIG && reading->capacity < FILE_MOST) {
    reading->capacity *= 8;
    read_file(reading);
    return;
  }
  if (status < 0)
    answer_error(exchange, reading->service->file, status);
  else
    http_respond(exchange, 200, "application/json", buffer, (size_t)status);
  free(buffer);
}

static void read_file(struct reading *reading) {
  struct service *service = reading->service;
  char *buffer = realloc(reading->buffer, reading->capacity);
  int err = buffer ? 0 : PL_ENOMEM;
  if (buffer) {
    reading->buffer = buffer;
    pl_file_read_init(service->loop, &reading->request, on_read, reading);
    err = pl_file_read_submit(&reading->request, service->file, buffer,
                              reading->capacity);
  }
  if (err) {
    char *kept = reading->buffer;
    answer_error(reading->exchange, service->file, err);
    free(kept);
  }
}

static void on_request(void *arg, struct http_exchange *exchange) {
  struct service *service = arg;
  access_log_add(&service->log, exchange->method, exchange->url);
  struct reading *reading = calloc(1, sizeof *reading);
  if (!reading) {
    answer_error(exchange, service->file, PL_ENOMEM);
    return;
  }
  exchange->user = reading;
  reading->service = service;
  reading->exchange = exchange;
  reading->capacity = 8 << 10;
  read_file(reading);
}

static void on_end(void *arg) {
  struct service *service = arg;
  access_log_close(&service->log);
  for (int n = 0; n < 2; n++)
    pl_handle_close(&service->signals[n], NULL);
}

static void on_signal(void *arg, int status) {
  (void)status;
  struct service *service = arg;
  http_server_close(&service->server, on_end);
}

static int usage(FILE *to, int status) {
  fputs("usage: plumb-mock-service [--host ADDRESS] [--port N] [--file FILE] "
        "[--log FILE]\n"
        "  answers every request with the content of a file\n"
        "  --host  127.0.0.1\n"
        "  --port  8080; 0: any, which is told\n"
        "  --file  data/user.json\n"
        "  --log   requests.log, to which each request's URL and time is "
        "appended\n"
        "ends with SIGINT or SIGTERM, after the answers under way\n",
        to);
  return status;
}

static int fail(const char *what, int error) {
  fprintf(stderr, "plumb-mock-service: %s: %s\n", what, strerror(-error));
  return 1;
}

int main(int argc, char **argv) {
  static const struct option options[] = {
      {"host", required_argument, NULL, 'h'},
      {"port", required_argument, NULL, 'p'},
      {"file", required_argument, NULL, 'f'},
      {"log", required_argument, NULL, 'l'},
      {"help", no_argument, NULL, 'H'},
      {0}};
  static struct service service = {.file = "data/user.json"};
  const char *host = "127.0.0.1", *log = "requests.log";
  long port = 8080;
  char *end = NULL;
  for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    if (c == 'h')
      host = optarg;
    else if (c == 'f')
      service.file = optarg;
    else if (c == 'l')
      log = optarg;
    else if (c == 'p') {
      port = strtol(optarg, &end, 10);
      if (*end || end == optarg || port < 0 || port > 65535)
        return usage(stderr, 2);
    } else
      return c == 'H' ? usage(stdout, 0) : usage(stderr, 2);
  }
  if (optind < argc) return usage(stderr, 2);
  signal(SIGPIPE, SIG_IGN);
  service.loop = malloc(pl_loop_size());
  int err = service.loop ? pl_loop_init(service.loop, NULL) : PL_ENOMEM;
  if (err) return fail("the loop", err);
  int fd;
  if ((err = http_listen(host, (int)port, &fd))) return fail(host, err);
  if ((err = access_log_open(&service.log, service.loop, log)))
    return fail(log, err);
  http_server_init(&service.server, service.loop, on_request, &service);
  if ((err = http_server_listen(&service.server, fd))) return fail(host, err);
  static const int signals[] = {SIGINT, SIGTERM};
  for (int n = 0; n < 2; n++) {
    pl_signal_init(service.loop, &service.signals[n], on_signal, &service);
    if ((err = pl_signal_start(&service.signals[n], signals[n])))
      return fail("signals", err);
  }
  printf("http://%s:%d/ answers with %s\n", host, http_port(fd), service.file);
  fflush(stdout);
  pl_loop_run(service.loop, PL_LOOP_DEFAULT);
  err = pl_loop_close(service.loop);
  free(service.loop);
  return err ? fail("the loop", err) : 0;
}
