/* SPDX-License-Identifier: MIT */
/*
 * main.c: an HTTP server of several processes on one port: the primary.
 *
 * Invariants:
 *  - The primary has the listening socket as long as it serves: while all
 *    workers are dead connections wait, and none is refused.
 *  - There are as many workers as were asked for, or they are about to be: who
 *    dies is started again, with a growing delay; who leaves is replaced.
 *  - It ends when the last worker has, and says so by its status.
 */
#include <getopt.h>
#include <plumb/cluster.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../http/http.h"
#include "chain.h"
#include "worker.h"

enum { ARGUMENTS_MOST = 64, KILL_MS = 15 * 1000 };

struct primary {
  struct options options;
  struct pl_loop *loop;
  struct pl_cluster cluster;
  struct pl_signal ends[2], snapshot, reload;
  struct pl_timer kill;
  unsigned listening;
  bool told, stopping, closed;
};

int server_fail(const char *what, int error) {
  fprintf(stderr, "plumb-cluster-server: %s: %s\n", what, strerror(-error));
  return 1;
}

/* -- the end --------------------------------------------------------------- */

static void on_cluster_closed(void *arg, int status) {
  struct primary *primary = arg;
  (void)status;
  for (int n = 0; n < 2; n++)
    pl_handle_close(&primary->ends[n], NULL);
  pl_handle_close(&primary->snapshot, NULL);
  pl_handle_close(&primary->reload, NULL);
  pl_handle_close(&primary->kill, NULL);
}

static void close_all(struct primary *primary) {
  if (primary->closed) return;
  primary->closed = true;
  pl_cluster_close(&primary->cluster, on_cluster_closed);
}

static void close_if_done(struct primary *primary) {
  struct pl_worker *worker = NULL;
  if (!primary->stopping) return;
  while ((worker = pl_cluster_next(&primary->cluster, worker)))
    if (worker->state != PL_WORKER_DEAD) return;
  close_all(primary);
}

static void on_kill(void *arg, int status) {
  (void)status;
  close_all(arg);
}

/* Once: workers finish what they have; once more: at once. */
static void on_end(void *arg, int signum) {
  struct primary *primary = arg;
  (void)signum;
  if (primary->stopping) {
    close_all(primary);
    return;
  }
  primary->stopping = true;
  close(primary->options.fd);
  struct pl_worker *worker = NULL;
  while ((worker = pl_cluster_next(&primary->cluster, worker)))
    pl_worker_disconnect(worker);
  pl_timer_start(&primary->kill, KILL_MS, 0);
  close_if_done(primary);
}

/* -- workers --------------------------------------------------------------- */

/* What a worker's `user` is when another one is to take its place. */
static const char replaced_mark;
#define replaced_by_another ((void *)(uintptr_t)&replaced_mark)

static void on_online(void *arg, struct pl_worker *worker) {
  struct primary *primary = arg;
  if (primary->stopping) pl_worker_disconnect(worker);
}

/* A new one is there: one that it replaces may go. */
static void let_one_go(struct primary *primary) {
  struct pl_worker *worker = NULL;
  while ((worker = pl_cluster_next(&primary->cluster, worker)))
    if (worker->user == replaced_by_another &&
        !worker->exited_after_disconnect) {
      pl_worker_disconnect(worker);
      return;
    }
}

static void on_listening(void *arg, struct pl_worker *worker,
                         const struct pl_listen *what) {
  struct primary *primary = arg;
  const struct options *options = &primary->options;
  (void)what;
  if (worker->user != replaced_by_another) let_one_go(primary);
  if (primary->told || ++primary->listening < options->workers) return;
  primary->told = true;
  bool six = strchr(options->host, ':') != NULL;
  printf("http://%s%s%s:%d/ served by %u processes, %s\n", six ? "[" : "",
         options->host, six ? "]" : "", http_port(options->fd),
         options->workers, options->shared ? "shared" : "round robin");
  fflush(stdout);
}

static void add_worker(struct primary *primary) {
  struct pl_worker *worker;
  int err = pl_cluster_fork(&primary->cluster, &worker);
  if (err) server_fail("a worker cannot be started", err);
}

static void on_exited(void *arg, struct pl_worker *worker, int code,
                      int signum) {
  struct primary *primary = arg;
  bool left = worker->exited_after_disconnect;
  if (!primary->stopping && left && worker->user != replaced_by_another)
    add_worker(primary);
  else if (!primary->stopping && !left)
    fprintf(stderr,
            "plumb-cluster-server: worker %u died (%s%d); it is started "
            "again\n",
            worker->id, signum ? "signal " : "status ", signum ? signum : code);
  close_if_done(primary);
}

static void on_problem(void *arg, struct pl_worker *worker, int error,
                       const char *what) {
  (void)arg;
  (void)worker;
  server_fail(what, error);
}

static const struct pl_cluster_events events = {.online = on_online,
                                                .listening = on_listening,
                                                .exited = on_exited,
                                                .problem = on_problem};

static void on_snapshot(void *arg, int signum) {
  struct primary *primary = arg;
  struct pl_worker *worker = NULL;
  (void)signum;
  while ((worker = pl_cluster_next(&primary->cluster, worker)))
    pl_worker_kill(worker, SIGUSR2);
}

/* Every worker is replaced, by ones with new interceptors, say; each leaves
 * when its successor listens. */
static void on_reload(void *arg, int signum) {
  struct primary *primary = arg;
  struct pl_worker *worker = NULL;
  unsigned count = 0;
  (void)signum;
  if (primary->stopping) return;
  while ((worker = pl_cluster_next(&primary->cluster, worker))) {
    if (worker->user != replaced_by_another) count++;
    worker->user = replaced_by_another;
  }
  while (count-- > 0)
    add_worker(primary);
}

/* -- the begin ------------------------------------------------------------- */

static int start(struct primary *primary, const char *const *argv) {
  static char self[4096];
  const struct options *options = &primary->options;
  ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  if (length < 0) return -errno;
  struct pl_cluster_config config = {
      .spawn = {.file = self, .argv = argv},
      .shared = options->shared,
      .depth = options->depth,
      .supervision = {.restart = true, .longest_ms = 5000}};
  struct pl_signal *signals[] = {&primary->ends[0], &primary->ends[1],
                                 &primary->snapshot, &primary->reload};
  static const int numbers[] = {SIGINT, SIGTERM, SIGUSR2, SIGHUP};
  pl_event_fn *const fns[] = {on_end, on_end, on_snapshot, on_reload};
  pl_cluster_init(primary->loop, &primary->cluster, &config, &events, primary);
  pl_timer_init(primary->loop, &primary->kill, on_kill, primary);
  for (int n = 0; n < 4; n++) {
    pl_signal_init(primary->loop, signals[n], fns[n], primary);
    int err = pl_signal_start(signals[n], numbers[n]);
    if (err) return err;
  }
  for (unsigned n = 0; n < options->workers; n++)
    add_worker(primary);
  return 0;
}

static int primary_main(struct primary *primary, int argc, char **argv) {
  struct options *options = &primary->options;
  const char *words[ARGUMENTS_MOST + 4];
  char number[16];
  int refused = chain_check(options->interceptors);
  if (refused < 0) return server_fail(options->interceptors, refused);
  if (refused > 0 && !options->skip_broken) {
    fputs("plumb-cluster-server: nothing is served without them; "
          "--skip-broken serves all the same\n",
          stderr);
    return 1;
  }
  if (options->every_ms && mkdir(options->snapshots, 0755) && errno != EEXIST)
    return server_fail(options->snapshots, -errno);
  int err = http_listen(options->host, options->port, &options->fd);
  if (err) return server_fail(options->host, err);
  primary->loop = malloc(pl_loop_size());
  err = primary->loop ? pl_loop_init(primary->loop, NULL) : PL_ENOMEM;
  if (err) return server_fail("the loop", err);
  /* A worker has the same words, and the socket's number. */
  if (argc > ARGUMENTS_MOST) return server_fail("arguments", -E2BIG);
  for (int n = 0; n < argc; n++)
    words[n] = argv[n];
  snprintf(number, sizeof number, "%d", options->fd);
  words[argc] = "--worker-of";
  words[argc + 1] = number;
  words[argc + 2] = NULL;
  if ((err = start(primary, words))) return server_fail("the cluster", err);
  pl_loop_run(primary->loop, PL_LOOP_DEFAULT);
  err = pl_loop_close(primary->loop);
  free(primary->loop);
  return err ? server_fail("the loop", err) : 0;
}

/* -- the command line ------------------------------------------------------ */

static int usage(FILE *to, int status) {
  fputs("usage: plumb-cluster-server [options]\n"
        "  answers every request with the request itself, after interceptors\n"
        "  --host ADDRESS          127.0.0.1\n"
        "  --port N                8080; 0: any, which is told\n"
        "  --workers N             processes; as many as there are cores\n"
        "  --shared                they accept themselves; else round robin\n"
        "  --depth N               connections on their way to one; 4\n"
        "  --interceptors FOLDER   its *.so are asked first, sorted by name\n"
        "  --skip-broken           serves without those that cannot be loaded\n"
        "  --snapshots FOLDER      where heap snapshots go: snapshots\n"
        "  --snapshot-every SECONDS  of each process; 3600; 0: none\n"
        "  --keep N                snapshots of a process that stay: 24\n"
        "  --body-most BYTES       of a request's body: 1048576\n"
        "SIGTERM or SIGINT: ends when all answers are written; SIGUSR2: a\n"
        "snapshot of each process now; SIGHUP: all processes are replaced\n",
        to);
  return status;
}

static bool whole(const char *text, unsigned long most, unsigned long *out) {
  char *end;
  errno = 0;
  *out = strtoul(text, &end, 10);
  return *text >= '0' && *text <= '9' && !*end && !errno && *out <= most;
}

static bool seconds(const char *text, uint64_t *out_ms) {
  char *end;
  double value = strtod(text, &end);
  if (end == text || *end || !(value >= 0) || value > 1e9) return false;
  *out_ms = (uint64_t)(value * 1000);
  return value == 0 || *out_ms > 0;
}

enum option_letter {
  HELP = 256,
  HOST,
  PORT,
  WORKERS,
  SHARED,
  DEPTH,
  INTERCEPTORS,
  SKIP_BROKEN,
  SNAPSHOTS,
  SNAPSHOT_EVERY,
  KEEP,
  BODY_MOST,
  WORKER_OF
};

static bool take(struct options *options, int letter) {
  unsigned long number = 0;
  bool good = true;
  switch (letter) {
  case HOST:
    options->host = optarg;
    break;
  case PORT:
    good = whole(optarg, 65535, &number);
    options->port = (int)number;
    break;
  case WORKERS:
    good = whole(optarg, 1024, &number) && number > 0;
    options->workers = (unsigned)number;
    break;
  case SHARED:
    options->shared = true;
    break;
  case DEPTH:
    good = whole(optarg, 64, &number) && number > 0;
    options->depth = (unsigned)number;
    break;
  case INTERCEPTORS:
    options->interceptors = optarg;
    break;
  case SKIP_BROKEN:
    options->skip_broken = true;
    break;
  case SNAPSHOTS:
    options->snapshots = optarg;
    break;
  case SNAPSHOT_EVERY:
    good = seconds(optarg, &options->every_ms);
    break;
  case KEEP:
    good = whole(optarg, 64, &number) && number > 0;
    options->keep = (unsigned)number;
    break;
  case BODY_MOST:
    good = whole(optarg, 1UL << 30, &number) && number > 0;
    options->body_most = number;
    break;
  default: /* WORKER_OF */
    good = whole(optarg, 65535, &number);
    options->fd = (int)number;
  }
  return good;
}

int main(int argc, char **argv) {
  static const struct option known[] = {
      {"help", no_argument, NULL, HELP},
      {"host", required_argument, NULL, HOST},
      {"port", required_argument, NULL, PORT},
      {"workers", required_argument, NULL, WORKERS},
      {"shared", no_argument, NULL, SHARED},
      {"depth", required_argument, NULL, DEPTH},
      {"interceptors", required_argument, NULL, INTERCEPTORS},
      {"skip-broken", no_argument, NULL, SKIP_BROKEN},
      {"snapshots", required_argument, NULL, SNAPSHOTS},
      {"snapshot-every", required_argument, NULL, SNAPSHOT_EVERY},
      {"keep", required_argument, NULL, KEEP},
      {"body-most", required_argument, NULL, BODY_MOST},
      {"worker-of", required_argument, NULL, WORKER_OF},
      {0}};
  static struct primary primary;
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  primary.options = (struct options){.host = "127.0.0.1",
                                     .port = 8080,
                                     .fd = -1,
                                     .workers = cores > 1 ? (unsigned)cores : 1,
                                     .depth = 4,
                                     .snapshots = "snapshots",
                                     .every_ms = 3600 * 1000,
                                     .keep = 24};
  for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
    if (c == HELP) return usage(stdout, 0);
    if (c == '?' || !take(&primary.options, c)) return usage(stderr, 2);
  }
  if (optind < argc) return usage(stderr, 2);
  bool child = primary.options.fd >= 0;
  if (child) return worker_main(&primary.options);
  return primary_main(&primary, argc, argv);
}
