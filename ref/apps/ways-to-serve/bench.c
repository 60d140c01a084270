/* SPDX-License-Identifier: MIT */
/*
 * bench.c: all ways side by side, as the number of clients grows.
 *
 * Invariants:
 *  - Each cell has a server of its own, started for it and gone after it.
 *  - The rounds take all ways one after the other, so what else the machine
 *    does hits all of them; what is printed is the median of the rounds.
 *  - A cell in which an answer was not whole is an error and has no figures.
 */
#include "ways.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS_MOST = 5, HELD = 64, TREE_MOST = 4096, PAUSE_US = 5000 };

enum figure {
  RATE,     /* connections a second */
  P50,      /* us */
  P99,      /* us */
  CPU,      /* ns of all processes of the server, per connection */
  PRIMARY,  /* ns of the process that was started */
  MEMORY,   /* bytes of the server's processes, per connection held open */
  FAIRNESS, /* Jain's index over the workers: 1 is even */
  FIGURES
};
static const char *const figure_names[FIGURES] = {
    "connections_per_second",
    "p50_us",
    "p99_us",
    "cpu_ns_per_connection",
    "primary_cpu_ns_per_connection",
    "memory_bytes_per_connection",
    "fairness"};

struct server {
  pid_t pid;
  int input; /* closed: it ends */
  int port;
};

struct cell {
  double value[FIGURES][ROUNDS_MOST];
  unsigned rounds;
  char trouble[128];
};

/* -- a server -------------------------------------------------------------- */

static bool read_port(int fd, int *port) {
  char line[64] = {0};
  size_t length = 0;
  while (length < sizeof line - 1 && !strchr(line, '\n')) {
    ssize_t size = read(fd, line + length, sizeof line - 1 - length);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return false;
    length += (size_t)size;
  }
  return sscanf(line, "listening %d", port) == 1;
}

static bool server_start(struct server *server, const char *self,
                         const char *way, unsigned workers) {
  int in[2], out[2];
  char number[16];
  if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC)) return false;
  snprintf(number, sizeof number, "%u", workers);
  server->pid = fork();
  if (server->pid == 0) {
    dup2(in[0], 0);
    dup2(out[1], 1);
    execl(self, self, "--serve", way, "--workers", number, (char *)NULL);
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  server->input = in[1];
  bool ready = server->pid > 0 && read_port(out[0], &server->port);
  close(out[0]);
  return ready;
}

static void server_stop(struct server *server) {
  close(server->input);
  if (server->pid <= 0) return;
  for (int tries = 0; tries < 2000; tries++) {
    pid_t ended = waitpid(server->pid, NULL, WNOHANG);
    if (ended == server->pid) return;
    usleep(1000);
  }
  kill(server->pid, SIGKILL);
  waitpid(server->pid, NULL, 0);
}

/* -- what it uses ------------------------------------------------------------
 */

/* The server's processes, the first one first. */
static size_t tree_of(pid_t first, pid_t *tree) {
  char path[64];
  size_t count = 1;
  tree[0] = first;
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", first, first);
  FILE *file = fopen(path, "re");
  int pid;
  while (file && count < TREE_MOST && fscanf(file, "%d", &pid) == 1)
    tree[count++] = pid;
  if (file) fclose(file);
  return count;
}

static double cpu_ns_of(pid_t pid) {
  clockid_t clock;
  struct timespec time;
  if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &time)) return 0;
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* Of the children that it has waited for; in ticks of the kernel. */
static double cpu_ns_of_dead(pid_t pid) {
  char path[64], line[1024];
  unsigned long user = 0, system = 0;
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *file = fopen(path, "re");
  if (!file) return 0;
  const char *behind =
      fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
  if (behind)
    (void)sscanf(behind + 2,
                 "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %lu %lu",
                 &user, &system);
  fclose(file);
  return (double)(user + system) * 1e9 / (double)sysconf(_SC_CLK_TCK);
}

static double cpu_ns_of_all(pid_t first) {
  static pid_t tree[TREE_MOST];
  double sum = cpu_ns_of_dead(first);
  for (size_t n = tree_of(first, tree); n > 0; n--)
    sum += cpu_ns_of(tree[n - 1]);
  return sum;
}

/* Proportional set size: what is shared counts in parts. */
static double memory_of_all(pid_t first) {
  static pid_t tree[TREE_MOST];
  double sum = 0;
  for (size_t n = tree_of(first, tree); n > 0; n--) {
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", tree[n - 1]);
    FILE *file = fopen(path, "re");
    unsigned long kilobytes;
    while (file && fgets(line, sizeof line, file))
      if (sscanf(line, "Pss: %lu", &kilobytes) == 1)
        sum += (double)kilobytes * 1024;
    if (file) fclose(file);
  }
  return sum;
}

static double memory_per_connection(const struct server *server) {
  int fds[HELD];
  struct load warm = {.port = server->port, .clients = 4, .ms = 10};
  struct load_result ignored;
  load_run(&warm, &ignored);
  double before = memory_of_all(server->pid);
  uint32_t held = load_hold(server->port, HELD, fds);
  usleep(50 * 1000); /* accepted by then, by whoever accepts many */
  double after = memory_of_all(server->pid);
  for (uint32_t n = 0; n < held; n++)
    close(fds[n]);
  usleep(20 * 1000);
  return held && after > before ? (after - before) / held : 0;
}

static double fairness_of(const struct load_result *result, bool many,
                          unsigned workers) {
  double sum = 0, squares = 0;
  for (unsigned n = 1; n <= workers; n++) {
    sum += result->of_worker[n];
    squares += (double)result->of_worker[n] * result->of_worker[n];
  }
  return many && squares > 0 ? sum * sum / (workers * squares) : 1;
}

/* -- a cell ------------------------------------------------------------------
 */

static void run_cell(struct cell *cell, const char *self,
                     const struct bench_options *options, const struct way *way,
                     const struct load *wanted) {
  struct server server;
  struct load load = *wanted;
  struct load_result result;
  if (!server_start(&server, self, way->name, options->workers)) {
    snprintf(cell->trouble, sizeof cell->trouble, "it did not start");
    server_stop(&server);
    return;
  }
  double memory = memory_per_connection(&server);
  double cpu = cpu_ns_of_all(server.pid), primary = cpu_ns_of(server.pid);
  load.port = server.port;
  load_run(&load, &result);
  cpu = cpu_ns_of_all(server.pid) - cpu;
  primary = cpu_ns_of(server.pid) - primary;
  /* Who dies is counted in ticks from then on, and so a part of what was
   * counted before may be lost; what the first one did is not. */
  if (cpu < primary) cpu = primary;
  server_stop(&server);
  if (result.trouble[0] || result.connections == 0) {
    snprintf(cell->trouble, sizeof cell->trouble, "%s",
             result.trouble[0] ? result.trouble : "no answer");
    return;
  }
  unsigned at = cell->rounds++;
  cell->value[RATE][at] = result.connections / result.seconds;
  cell->value[P50][at] = result.p50_us;
  cell->value[P99][at] = result.p99_us;
  cell->value[CPU][at] = cpu / result.connections;
  cell->value[PRIMARY][at] = primary / result.connections;
  cell->value[MEMORY][at] = memory;
  cell->value[FAIRNESS][at] = fairness_of(&result, way->many, options->workers);
}

static int by_value(const void *a, const void *b) {
  double one = *(const double *)a, other = *(const double *)b;
  return (one > other) - (one < other);
}

static double median(const struct cell *cell, enum figure figure) {
  double sorted[ROUNDS_MOST];
  if (cell->rounds == 0) return 0;
  memcpy(sorted, cell->value[figure], sizeof sorted);
  qsort(sorted, cell->rounds, sizeof *sorted, by_value);
  return sorted[cell->rounds / 2];
}

/* -- printing -----------------------------------------------------------------
 */

static void print_json(const struct cell *cell, const char *load, uint32_t n,
                       const struct way *way, bool first) {
  printf("%s{\"name\":\"ways-to-serve/%s/n:%u/impl:%s\","
         "\"run_type\":\"iteration\",\"way\":\"%s\",\"load\":\"%s\",\"n\":%u,",
         first ? "" : ",\n", load, n, way->name, way->name, load, n);
  if (cell->trouble[0]) {
    printf("\"error_occurred\":true,\"error_message\":\"%s\"}", cell->trouble);
    return;
  }
  double rate = median(cell, RATE);
  printf("\"repetitions\":%u,\"iterations\":1,\"real_time\":%.1f,"
         "\"cpu_time\":%.1f,\"time_unit\":\"ns\",\"label\":\"%s\"",
         cell->rounds, 1e9 / rate, median(cell, CPU), way->what);
  for (unsigned figure = 0; figure < FIGURES; figure++)
    printf(",\"%s\":%.3f", figure_names[figure],
           median(cell, (enum figure)figure));
  putchar('}');
}

static void print_row(const struct cell *cell, const char *load, uint32_t n,
                      const struct way *way) {
  printf("%-5s%5u  %-14s", load, n, way->name);
  if (cell->trouble[0]) {
    printf("  %s\n", cell->trouble);
    return;
  }
  printf("%9.0f%9.0f%9.0f%10.0f%10.0f%9.0f%7.3f\n", median(cell, RATE),
         median(cell, P50), median(cell, P99), median(cell, CPU),
         median(cell, PRIMARY), median(cell, MEMORY), median(cell, FAIRNESS));
}

int bench_ways(const char *self, const struct bench_options *options) {
  static const char *const loads[] = {"busy", "slow"};
  unsigned rounds = options->quick ? 1 : 3;
  size_t count = 2 * options->size_count * way_count;
  struct cell *cells = calloc(count, sizeof *cells);
  int failed = 0;
  if (!cells) way_die("memory");
  for (unsigned round = 0; round < rounds; round++)
    for (size_t n = 0; n < count; n++) {
      size_t rest = n / way_count;
      struct load load = {.clients = options->sizes[rest % options->size_count],
                          .ms = options->quick ? 60 : 400,
                          .pause_us =
                              rest / options->size_count ? PAUSE_US : 0};
      if (!cells[n].trouble[0])
        run_cell(&cells[n], self, options, &ways[n % way_count], &load);
    }
  if (options->json)
    printf("{\"context\":{\"executable\":\"plumb-ways-to-serve\","
           "\"num_cpus\":%ld,\"workers\":%u,\"quick\":%s},\"benchmarks\":[\n",
           sysconf(_SC_NPROCESSORS_ONLN), options->workers,
           options->quick ? "true" : "false");
  else
    puts("load     n  way                 1/s   p50 us   p99 us  CPU ns/c"
         "   primary    B/c.  even");
  for (size_t n = 0; n < count; n++) {
    size_t rest = n / way_count;
    const char *load = loads[rest / options->size_count];
    uint32_t size = options->sizes[rest % options->size_count];
    const struct way *way = &ways[n % way_count];
    if (options->json)
      print_json(&cells[n], load, size, way, n == 0);
    else
      print_row(&cells[n], load, size, way);
    failed += cells[n].trouble[0] != '\0';
  }
  if (options->json) puts("\n]}");
  free(cells);
  return failed ? 1 : 0;
}
