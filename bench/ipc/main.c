/* SPDX-License-Identifier: MIT */
/*
 * main.c: ipc-bench measures channels and clusters against their floors.
 *
 *   ipc-bench WORKLOAD CONTENDER COUNT        operations a second, and the CPU
 *                                             time of one, of both sides, ns
 *   ipc-bench serve single|shared|rr [WORKERS [DEPTH]]
 *   ipc-bench load PORT CLIENTS MS            connections a second
 *   ipc-bench list                            the workloads and contenders
 *
 * Invariant: no right answer, no rate.
 */
#include "ipc_bench.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void bench_die(const char *what) {
  fprintf(stderr, "ipc-bench: %s\n", what);
  _exit(1);
}

static const struct contender *const all[] = {raw_contenders, ref_contenders,
                                              uv_contenders};
enum { ALL = sizeof all / sizeof all[0] };

static const struct contender *find(const char *workload, const char *name) {
  for (int i = 0; i < ALL; i++)
    for (const struct contender *at = all[i]; at->name != NULL; at++)
      if (strcmp(at->workload, workload) == 0 && strcmp(at->name, name) == 0)
        return at;
  return NULL;
}

static int list(void) {
  for (int i = 0; i < ALL; i++)
    for (const struct contender *at = all[i]; at->name != NULL; at++)
      printf("%s %s\n", at->workload, at->name);
  return 0;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Of this process and of the child that has ended. */
static double cpu_seconds(void) {
  double seconds = 0;
  static const int whose[] = {RUSAGE_SELF, RUSAGE_CHILDREN};
  for (int i = 0; i < 2; i++) {
    struct rusage usage;
    getrusage(whose[i], &usage);
    seconds += (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  }
  return seconds;
}

/* What is passed: a listening socket, which the parent keeps. */
static int open_passed(void) {
  struct sockaddr_in name = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (void *)&name, sizeof name) != 0 ||
      listen(fd, 16) != 0)
    bench_die("listen");
  return fd;
}

/* Runs both sides. A child that has all exits: that is the end. */
static int measure(const struct contender *contender, long count) {
  int ends[2], status;
  int passed = open_passed();
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    bench_die("socketpair");
  double begin = now();
  pid_t pid = fork();
  if (pid < 0) bench_die("fork");
  if (pid == 0) {
    close(ends[0]);
    close(passed);
    _exit(contender->child(ends[1], count));
  }
  close(ends[1]);
  contender->parent(ends[0], count, passed);
  close(ends[0]);
  if (waitpid(pid, &status, 0) != pid || status != 0)
    bench_die("the child got something else");
  double seconds = now() - begin, cpu = cpu_seconds();
  printf("%.0f %.0f\n", (double)count / seconds, cpu / (double)count * 1e9);
  return 0;
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  const char *verb = argc > 1 ? argv[1] : "";
  if (strcmp(verb, "list") == 0) return list();
  if (strcmp(verb, "worker") == 0) return serve_as_worker();
  if (strcmp(verb, "serve") == 0 && argc > 2)
    return serve(argv[2], argc > 3 ? (unsigned)atoi(argv[3]) : 2,
                 argc > 4 ? (unsigned)atoi(argv[4]) : 1);
  if (strcmp(verb, "load") == 0 && argc > 4) {
    printf("%.0f\n", load(atoi(argv[2]), (unsigned)atoi(argv[3]),
                          (unsigned)atoi(argv[4])));
    return 0;
  }
  const struct contender *contender = argc > 3 ? find(verb, argv[2]) : NULL;
  if (contender != NULL) return measure(contender, atol(argv[3]));
  fputs("usage: ipc-bench WORKLOAD CONTENDER COUNT | serve HOW | load PORT "
        "CLIENTS MS | list\n",
        stderr);
  return 2;
}
