// SPDX-License-Identifier: MIT
// The table of the five models' differences, as measured on this machine.
//
// Invariant: a verdict is computed from counters and clocks of two runs and
// never from the model's name; the literature's table stands beside it, and
// a reading between the bounds is "unclear", not rounded to either side.
//
//   paced run   10 ms of silence before every round, and the user thread
//               has work of its own: what does it do with the silence?
//   copy run    messages of 64 KiB, nothing else to do: whose calls bring
//               the bytes, and whose CPU time pays for them?
#include "lab.h"

#include <string.h>

#define IO_REPEATS 5

struct cells {
  const char *waiting, *copying, *asking;
};

struct row {
  const struct io_model *model;
  enum io_engine engine;
  struct cells literature;
};

// The last two are the other ways to the same model.
static const struct row rows[] = {
    {&io_blocking, IO_AUTO, {"blocks", "blocks", "asks"}},
    {&io_nonblocking, IO_AUTO, {"free", "blocks", "asks"}},
    {&io_multiplexing, IO_AUTO, {"blocks", "blocks", "asks"}},
    {&io_signal_driven, IO_AUTO, {"free", "blocks", "told"}},
    {&io_asynchronous, IO_URING, {"free", "free", "told"}},
    {&io_asynchronous, IO_URING_WORKER, {"free", "free", "told"}},
    {&io_asynchronous, IO_POOL, {"free", "free", "told"}},
};
#define IO_ROWS (sizeof rows / sizeof rows[0])

struct finding {
  struct io_plan plan;
  struct io_result paced, copy;
  double asleep;   // share of the run asleep in a call
  double own_work; // share of the run spent on own work
  double by_hand;  // share of the bytes that own calls brought
  double cpu;      // ns of own CPU per KiB, without verifying
  double asks;     // calls before the data was there, per round
  double told;     // news not asked for, per round
  struct cells measured;
  const char *copier; // own call, own time, elsewhere
};

static struct io_plan paced_plan(const struct row *row) {
  return (struct io_plan){.model = row->model, .engine = row->engine, .n = 4,
                          .total = 40, .size = 256, .load = IO_BUSY,
                          .silence_ns = 10000000, .work = true,
                          .timed = true};
}

static struct io_plan copy_plan(const struct row *row) {
  return (struct io_plan){.model = row->model, .engine = row->engine, .n = 4,
                          .total = 512, .size = 65536, .load = IO_BUSY,
                          .timed = true};
}

static double per(uint64_t part, uint64_t whole) {
  return whole ? (double)part / (double)whole : 0;
}

static double cpu_per_kib(const struct io_result *r) {
  uint64_t cpu = r->user.cpu_ns, take = r->user.take_cpu_ns;
  return per(cpu > take ? cpu - take : 0, r->bytes / 1024);
}

static int measure(const struct row *row, struct finding *f) {
  f->plan = paced_plan(row);
  int error = io_run_apart(&f->plan, 20, &f->paced);
  struct io_plan plan = copy_plan(row);
  for (int i = 0; i < IO_REPEATS && !error; i++) {
    struct io_result r;
    error = io_run_apart(&plan, 20, &r);
    // CPU time: the least disturbed run is the truest.
    if (error || i == 0 || cpu_per_kib(&r) < cpu_per_kib(&f->copy))
      f->copy = r;
  }
  if (error && !f->paced.error) f->paced = f->copy;
  return error;
}

static const char *between(double value, double low, double high,
                           const char *below, const char *above) {
  if (value < low) return below;
  return value > high ? above : "unclear";
}

// `yardstick` is what reading by hand in one thread costs.
static void judge(struct finding *f, double yardstick) {
  const struct io_meter *user = &f->paced.user;
  uint64_t rounds = f->plan.total / f->plan.n;
  f->asleep = per(user->wait_ns, user->lived_ns);
  f->own_work = per(user->work_ns, user->lived_ns);
  f->asks = per(user->vain + user->waited, rounds);
  f->told = per(user->told, rounds);
  f->by_hand = per(f->copy.user.copied, f->copy.bytes);
  f->cpu = cpu_per_kib(&f->copy);
  f->measured.waiting = between(f->asleep, 0.2, 0.6, "free", "blocks");
  f->measured.asking = f->asks >= 0.5   ? "asks"
                       : f->told >= 0.5 ? "told"
                                      : "unclear";
  double cost = f->by_hand > 0.9 ? 1 : f->cpu / yardstick;
  f->measured.copying = between(cost, 0.45, 0.55, "free", "blocks");
  f->copier = between(cost, 0.45, 0.55, "elsewhere", "own time");
  if (f->by_hand > 0.9) f->copier = "own call";
}

static void print_cell(FILE *to, const char *name, const char *literature,
                       const char *measured) {
  fprintf(to, "\"%s\":{\"literature\":\"%s\",\"measured\":\"%s\","
          "\"agrees\":%s},", name, literature, measured,
          strcmp(literature, measured) == 0 ? "true" : "false");
}

static void print_json(FILE *to, const struct row *row,
                       const struct finding *f) {
  fprintf(to, "{\"model\":\"%s\",\"engine\":\"%s\",", row->model->name,
          f->paced.engine);
  if (f->paced.error) {
    fprintf(to, "\"error\":\"%s\"}", f->paced.trouble);
    return;
  }
  print_cell(to, "waiting", row->literature.waiting, f->measured.waiting);
  print_cell(to, "copying", row->literature.copying, f->measured.copying);
  print_cell(to, "asking", row->literature.asking, f->measured.asking);
  fprintf(to, "\"copier\":\"%s\",\"asleep\":%.3f,\"own_work\":%.3f,"
          "\"by_hand\":%.3f,\"cpu_ns_per_kib\":%.1f,\"asks\":%.1f,"
          "\"told\":%.1f,\"paced\":", f->copier, f->asleep, f->own_work,
          f->by_hand, f->cpu, f->asks, f->told);
  io_result_print(to, &f->plan, &f->paced);
  fprintf(to, ",\"copy\":");
  struct io_plan plan = copy_plan(row);
  io_result_print(to, &plan, &f->copy);
  fputc('}', to);
}

static const char *mark(const char *literature, const char *measured) {
  return strcmp(literature, measured) == 0 ? " " : "!";
}

static void print_text(FILE *to, const struct row *row,
                       const struct finding *f) {
  fprintf(to, "%-13s%-17s", row->model->name, f->paced.engine);
  if (f->paced.error) {
    fprintf(to, "skipped: %s\n", f->paced.trouble);
    return;
  }
  fprintf(to, "%7s%s%4.0f%%%5.0f%%   ", f->measured.waiting,
          mark(row->literature.waiting, f->measured.waiting),
          100 * f->asleep, 100 * f->own_work);
  fprintf(to, "%7s%s%5.0f%%%7.0f  %-10s", f->measured.copying,
          mark(row->literature.copying, f->measured.copying),
          100 * f->by_hand, f->cpu, f->copier);
  fprintf(to, "%6s%s%9.1f%7.1f\n", f->measured.asking,
          mark(row->literature.asking, f->measured.asking), f->asks, f->told);
}

static const char heading[] =
    "                              waiting       own    copying     by CPU ns"
    "              who asks        /round\n"
    "model        engine           blocks? asleep work  blocks?   hand  /KiB"
    "  copied in    whom    asks   told\n";

// 0, or the first error of a model that must work everywhere.
int io_table(FILE *to, bool json) {
  struct finding findings[IO_ROWS];
  memset(findings, 0, sizeof findings);
  int failed = 0;
  for (size_t i = 0; i < IO_ROWS; i++) {
    int error = measure(&rows[i], &findings[i]);
    bool optional = rows[i].engine == IO_URING ||
                    rows[i].engine == IO_URING_WORKER;
    if (error && !failed && !(optional && error == -ENOSYS)) failed = error;
  }
  double yardstick = cpu_per_kib(&findings[2].copy);
  fputs(json ? "{\"rows\":[" : heading, to);
  for (size_t i = 0; i < IO_ROWS; i++) {
    struct finding *f = &findings[i];
    if (!f->paced.error) judge(f, yardstick);
    if (json && i > 0) fputs(",\n", to);
    (json ? print_json : print_text)(to, &rows[i], f);
  }
  fputs(json ? "]}\n" : "! differs from the literature's table\n", to);
  return failed;
}
