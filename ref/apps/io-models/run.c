// SPDX-License-Identifier: MIT
// One run: connect, let the model work, check the outcome, tell it as JSON.
//
// Invariant: a result without an error is a run in which every byte of the
// plan has been read and verified; its digest depends on the plan alone.
#include "lab.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

const struct io_model *const io_models[5] = {
    &io_blocking, &io_nonblocking, &io_multiplexing, &io_signal_driven,
    &io_asynchronous};

uint64_t io_raise_descriptors(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return 1024;
  struct rlimit most = {limit.rlim_max, limit.rlim_max};
  if (setrlimit(RLIMIT_NOFILE, &most) == 0) limit = most;
  return limit.rlim_cur;
}

static struct io_memory memory_minus(struct io_memory a, struct io_memory b) {
  return (struct io_memory){
      a.anonymous - b.anonymous, a.address_space - b.address_space,
      a.kernel_stack - b.kernel_stack, a.kernel_bytes - b.kernel_bytes};
}

static int entries(const char *path) {
  DIR *dir = opendir(path);
  if (!dir) return 0;
  int count = 0;
  while (readdir(dir)) count++;
  closedir(dir);
  return count;
}

// A joined thread and a kernel worker leave the list a moment later.
static int threads_left(int before) {
  int left = 0;
  for (int tries = 0; tries < 200; tries++) {
    left = entries("/proc/self/task") - before;
    if (left <= 0) break;
    nanosleep(&(struct timespec){0, 5000000}, NULL);
  }
  return left;
}

static void tell(struct io_result *out, const struct io_task *task,
                 const struct io_meter *user) {
  const struct io_plan *plan = task->plan;
  out->messages = atomic_load(&task->shared->consumed);
  out->bytes = out->messages * plan->size;
  out->digest = atomic_load(&task->digest);
  out->overflows = task->overflows;
  out->wall_ns = task->end.mono_ns - task->begin.mono_ns;
  out->cpu_ns = task->end.cpu_ns - task->begin.cpu_ns;
  out->switches = task->end.switches - task->begin.switches;
  out->forced = task->end.forced - task->begin.forced;
  uint64_t rounds = (plan->total + plan->n - 1) / plan->n;
  out->silence_ns = plan->load == IO_BUSY ? rounds * plan->silence_ns : 0;
  out->user = *user;
  out->helpers = task->helpers;
  snprintf(out->engine, sizeof out->engine, "%s",
           task->engine ? task->engine : "none");
}

int io_run(const struct io_plan *plan, struct io_result *out) {
  memset(out, 0, sizeof *out);
  struct io_task task;
  struct io_meter user;
  int fds = entries("/proc/self/fd");
  int threads = entries("/proc/self/task");
  int error = io_task_open(&task, plan);
  if (!error) {
    struct io_memory before = io_memory_now();
    io_meter_start(&user, &task.phase, &task.begin.mono_ns, plan->timed);
    error = plan->model->run(&task, &user);
    if (!error && atomic_load(&task.shared->consumed) != plan->total)
      error = io_task_trouble(&task, "messages", EBADMSG);
    if (error) io_task_trouble(&task, plan->model->name, -error);
    tell(out, &task, &user);
    out->memory = memory_minus(task.memory_end, before);
  }
  memcpy(out->trouble, task.trouble, sizeof out->trouble);
  out->error = error;
  io_task_close(&task);
  out->fds_left = entries("/proc/self/fd") - fds;
  out->threads_left = threads_left(threads);
  return error;
}

static int child_wait(pid_t child, struct io_result *out) {
  int status;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return -errno;
  if (WIFEXITED(status)) return out->error;
  int error = WTERMSIG(status) == SIGALRM ? ETIMEDOUT : ECHILD;
  snprintf(out->trouble, sizeof out->trouble, "run ended by signal %d: %s",
           WTERMSIG(status), strerror(error));
  return -error;
}

// A process of its own: memory figures start from the same point, and a run
// that hangs takes nobody with it (its feeder dies with it).
int io_run_apart(const struct io_plan *plan, unsigned limit_s,
                 struct io_result *out) {
  struct io_result *shared =
      mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return -errno;
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    alarm(limit_s);
    io_run(plan, shared);
    _exit(0);
  }
  int error = child < 0 ? -errno : child_wait(child, shared);
  *out = *shared;
  out->error = error;
  munmap(shared, sizeof *shared);
  return error;
}

static void print_calls(FILE *to, const struct io_meter *m, bool measured) {
  static const char *const names[] = {
#define XX(name, text) #text,
      IO_CALL_MAP(XX)
#undef XX
  };
  const char *comma = "";
  fputc('{', to);
  for (int c = 0; c < IO_CALLS; c++) {
    uint64_t count = m->calls[IO_MEASURE][c];
    if (!measured) count += m->calls[IO_SETUP][c] + m->calls[IO_DRAIN][c];
    if (!count) continue;
    fprintf(to, "%s\"%s\":%llu", comma, names[c], (unsigned long long)count);
    comma = ",";
  }
  fputc('}', to);
}

static void print_meter(FILE *to, const struct io_meter *m) {
#define FIELD(name)                                                            \
  fprintf(to, "\"%s\":%llu,", #name, (unsigned long long)m->name)
  fprintf(to, "{\"threads\":%u,", m->threads);
  FIELD(lived_ns);
  FIELD(cpu_ns);
  fprintf(to, "\"blocked_ns\":%llu,",
          (unsigned long long)(m->lived_ns > m->cpu_ns
                                   ? m->lived_ns - m->cpu_ns
                                   : 0));
  FIELD(wait_ns);
  FIELD(copy_cpu_ns);
  FIELD(take_cpu_ns);
  FIELD(work_ns);
  FIELD(work_units);
  FIELD(switches);
  FIELD(forced);
  FIELD(vain);
  FIELD(waited);
  FIELD(told);
  FIELD(copied);
#undef FIELD
  fprintf(to, "\"calls\":");
  print_calls(to, m, true);
  fprintf(to, ",\"calls_all\":");
  print_calls(to, m, false);
  fputc('}', to);
}

// A string of ours: no quotes, no control characters.
void io_result_print(FILE *to, const struct io_plan *plan,
                     const struct io_result *r) {
  fprintf(to, "{\"model\":\"%s\",\"engine\":\"%s\",\"n\":%u,",
          plan->model->name, r->engine, plan->n);
  if (r->error) {
    fprintf(to, "\"fds_left\":%d,\"threads_left\":%d,\"error\":\"%s\"}",
            r->fds_left, r->threads_left, r->trouble);
    return;
  }
  fprintf(to, "\"fds_left\":%d,\"threads_left\":%d,", r->fds_left,
          r->threads_left);
  fprintf(to, "\"load\":\"%s\",\"size\":%u,\"messages\":%llu,\"bytes\":%llu,",
          plan->load == IO_BUSY ? "busy" : "sparse", plan->size,
          (unsigned long long)r->messages, (unsigned long long)r->bytes);
  fprintf(to, "\"digest\":\"%016llx\",\"overflows\":%llu,",
          (unsigned long long)r->digest, (unsigned long long)r->overflows);
  fprintf(to, "\"wall_ns\":%llu,\"cpu_ns\":%llu,\"silence_ns\":%llu,",
          (unsigned long long)r->wall_ns, (unsigned long long)r->cpu_ns,
          (unsigned long long)r->silence_ns);
  fprintf(to, "\"switches\":%llu,\"forced\":%llu,",
          (unsigned long long)r->switches, (unsigned long long)r->forced);
  fprintf(to,
          "\"memory\":{\"anonymous\":%lld,\"address_space\":%lld,"
          "\"kernel_stack\":%lld,\"kernel\":%lld},\"user\":",
          (long long)r->memory.anonymous, (long long)r->memory.address_space,
          (long long)r->memory.kernel_stack,
          (long long)r->memory.kernel_bytes);
  print_meter(to, &r->user);
  fprintf(to, ",\"helpers\":");
  print_meter(to, &r->helpers);
  fputc('}', to);
}
