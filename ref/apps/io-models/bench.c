// SPDX-License-Identifier: MIT
// All five models side by side, from 1 to 10,000 descriptors.
//
// Invariant: every model gets the same plan in every round, each run is a
// process of its own, the order rotates from round to round, and what is
// printed is the median over the rounds. A size that does not fit is named
// with its reason; a model whose digest differs from the others is an error
// and has no time. The whole benchmark ends within its budget.
#include "lab.h"

#include <stdlib.h>
#include <string.h>

#define IO_MODELS 5u
#define IO_ROUNDS_MAX 9u
#define IO_SPARE_DESCRIPTORS 64u

enum figure {
  IO_WALL, // ns per message
  IO_CPU,  // ns per message, all threads of the reading process
  IO_SYSCALLS,
  IO_SWITCHES,
  IO_ANONYMOUS, // bytes per descriptor
  IO_ADDRESS_SPACE,
  IO_KERNEL,
  IO_FIGURES
};

static const char *const figure_names[IO_FIGURES] = {
    "wall_ns_per_message",     "cpu_ns_per_message",
    "syscalls",                "switches_per_message",
    "memory_bytes_per_fd",     "address_space_bytes_per_fd",
    "kernel_memory_bytes_per_fd"};

// One model at one size and load.
struct cell {
  struct io_plan plan;
  double value[IO_FIGURES][IO_ROUNDS_MAX];
  unsigned rounds;
  uint64_t digest;
  char engine[16], skipped[160];
};

struct bench {
  FILE *to;
  const struct io_bench_options *options;
  uint64_t deadline_ns; // no new round after this
  uint64_t end_ns;      // no run lives longer
  uint64_t descriptors;
  uint64_t weight_left; // of the blocks (load x size) still to run
  bool first;
  int failed;
};

static uint64_t now_ns(void) {
  return io_clock(CLOCK_MONOTONIC);
}

static uint64_t calls_of(const struct io_meter *m) {
  uint64_t sum = 0;
  for (int c = 0; c < IO_CALLS; c++) sum += m->calls[IO_MEASURE][c];
  return sum;
}

static void keep(struct cell *cell, const struct io_result *r) {
  double messages = (double)r->messages, n = cell->plan.n;
  double v[IO_FIGURES];
  v[IO_WALL] = (double)r->wall_ns / messages;
  v[IO_CPU] = (double)r->cpu_ns / messages;
  v[IO_SYSCALLS] =
      (double)(calls_of(&r->user) + calls_of(&r->helpers)) / messages;
  v[IO_SWITCHES] = (double)r->switches / messages;
  v[IO_ANONYMOUS] = (double)r->memory.anonymous / n;
  v[IO_ADDRESS_SPACE] = (double)r->memory.address_space / n;
  v[IO_KERNEL] = (double)r->memory.kernel_bytes / n;
  for (int f = 0; f < IO_FIGURES; f++) cell->value[f][cell->rounds] = v[f];
  cell->rounds++;
  cell->digest = r->digest;
  memcpy(cell->engine, r->engine, sizeof cell->engine);
}

// A block's claim on the budget: connecting N descriptors takes its time.
static uint64_t weight(uint32_t n) {
  return 1 + n / 1000;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(const struct cell *cell, enum figure f) {
  double sorted[IO_ROUNDS_MAX];
  unsigned n = cell->rounds;
  memcpy(sorted, cell->value[f], sizeof sorted);
  qsort(sorted, n, sizeof *sorted, by_value);
  return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

// What the machine cannot say about ten descriptors is not said.
static bool known(const struct cell *cell, enum figure f) {
  return f != IO_KERNEL || cell->plan.n >= 1000;
}

static void plan_cells(const struct bench *b, struct cell *cells, uint32_t n,
                       enum io_load load) {
  bool quick = b->options->quick;
  uint64_t busy = quick ? 5000 : 20000;
  uint64_t sparse = (quick ? 500u : 2000u) * (n < 10000 ? 4u : 1u);
  if (busy < n) busy = n;
  memset(cells, 0, IO_MODELS * sizeof *cells);
  for (unsigned i = 0; i < IO_MODELS; i++)
    cells[i].plan = (struct io_plan){
        .model = io_models[i],
        .n = n,
        .size = 256,
        .load = load,
        .window = 16,
        .total = load == IO_BUSY ? busy : sparse,
    };
}

static void skip(struct cell *cell, const char *why) {
  snprintf(cell->skipped, sizeof cell->skipped, "%s", why);
}

static void skip_all(struct cell *cells, const char *why) {
  for (unsigned i = 0; i < IO_MODELS; i++)
    if (cells[i].rounds == 0) skip(&cells[i], why);
}

// Whole seconds that a run may take; 0 when there are none.
static unsigned seconds_left(const struct bench *b) {
  uint64_t now = now_ns();
  uint64_t left = now < b->end_ns ? (b->end_ns - now) / 1000000000u : 0;
  return left < 10 ? (unsigned)left : 10;
}

static void run_cell(struct bench *b, struct cell *cell) {
  struct io_result r;
  unsigned limit = seconds_left(b);
  if (cell->skipped[0] || (limit == 0 && cell->rounds > 0)) return;
  if (limit == 0) {
    skip(cell, "the time of the benchmark is over");
    return;
  }
  int error = io_run_apart(&cell->plan, limit, &r);
  if (error == -ETIMEDOUT && cell->rounds > 0) return;
  if (error) {
    skip(cell, r.trouble[0] ? r.trouble : strerror(-error));
    // Too many threads is the machine's limit, anything else is a fault.
    if (error != -EAGAIN && error != -ENOMEM && error != -ETIMEDOUT)
      b->failed = error;
    return;
  }
  keep(cell, &r);
}

// Rounds until the block's share of the budget is spent; an odd number is
// not forced, the first one always runs when there is any time at all.
static void run_rounds(struct bench *b, struct cell *cells) {
  uint64_t start = now_ns();
  if (start >= b->deadline_ns) {
    skip_all(cells, "the time of the benchmark is over");
    return;
  }
  uint64_t share = (b->deadline_ns - start) / b->weight_left *
                   weight(cells->plan.n);
  unsigned most = b->options->quick ? 3 : IO_ROUNDS_MAX;
  for (unsigned round = 0; round < most; round++) {
    for (unsigned i = 0; i < IO_MODELS; i++)
      run_cell(b, &cells[(i + round) % IO_MODELS]);
    uint64_t spent = now_ns() - start;
    if (spent + spent / (round + 1) > share) break;
  }
}

static void check_digests(struct bench *b, struct cell *cells) {
  const struct cell *first = NULL;
  for (unsigned i = 0; i < IO_MODELS; i++) {
    if (cells[i].rounds == 0) continue;
    if (!first) first = &cells[i];
    if (cells[i].digest == first->digest) continue;
    skip(&cells[i], "did not do the same work as the other models");
    b->failed = -EBADMSG;
  }
}

static const char *load_name(const struct cell *cell) {
  return cell->plan.load == IO_BUSY ? "busy" : "sparse";
}

// As google-benchmark does it; a message is an iteration, a model stands where
// an implementation does, and times and figures are medians of the rounds.
static void print_json(struct bench *b, const struct cell *cell) {
  fprintf(b->to, "%s{\"name\":\"io-models/messages/%s/n:%u/impl:%s\","
          "\"run_type\":\"iteration\",",
          b->first ? "" : ",\n", load_name(cell), cell->plan.n,
          cell->plan.model->name);
  fprintf(b->to, "\"model\":\"%s\",\"load\":\"%s\",\"n\":%u,",
          cell->plan.model->name, load_name(cell), cell->plan.n);
  b->first = false;
  if (cell->skipped[0]) {
    fprintf(b->to, "\"error_occurred\":true,\"error_message\":\"%s\"}",
            cell->skipped);
    return;
  }
  fprintf(b->to, "\"repetitions\":%u,\"iterations\":%llu,\"real_time\":%.1f,"
          "\"cpu_time\":%.1f,\"time_unit\":\"ns\",\"label\":\"%s\","
          "\"digest\":\"%016llx\"", cell->rounds,
          (unsigned long long)cell->plan.total, median(cell, IO_WALL),
          median(cell, IO_CPU), cell->engine,
          (unsigned long long)cell->digest);
  for (int f = 0; f < IO_FIGURES; f++)
    if (known(cell, (enum figure)f))
      fprintf(b->to, ",\"%s\":%.3f", figure_names[f],
              median(cell, (enum figure)f));
  fputc('}', b->to);
}

// One `#` per doubling above 256 ns, so that 1,000 times still fits.
static void print_bar(FILE *to, double ns) {
  for (double step = 256; step < ns; step *= 2) fputc('#', to);
  fputc('\n', to);
}

static void print_text(struct bench *b, const struct cell *cell) {
  fprintf(b->to, "%-7s%6u  %-13s", load_name(cell), cell->plan.n,
          cell->plan.model->name);
  if (cell->skipped[0]) {
    fprintf(b->to, "skipped: %s\n", cell->skipped);
    return;
  }
  fprintf(b->to, "%9.0f%9.0f%8.2f%8.2f%8.0f", median(cell, IO_WALL),
          median(cell, IO_CPU), median(cell, IO_SYSCALLS),
          median(cell, IO_SWITCHES), median(cell, IO_ANONYMOUS));
  if (known(cell, IO_KERNEL))
    fprintf(b->to, "%8.0f  ", median(cell, IO_KERNEL));
  else
    fprintf(b->to, "%8s  ", "-");
  print_bar(b->to, median(cell, IO_CPU));
}

static void block(struct bench *b, uint32_t n, enum io_load load) {
  struct cell cells[IO_MODELS];
  plan_cells(b, cells, n, load);
  if (n + IO_SPARE_DESCRIPTORS > b->descriptors) {
    char why[96];
    snprintf(why, sizeof why, "needs %u descriptors, the limit is %llu",
             n + IO_SPARE_DESCRIPTORS, (unsigned long long)b->descriptors);
    skip_all(cells, why);
  } else {
    run_rounds(b, cells);
    check_digests(b, cells);
  }
  for (unsigned i = 0; i < IO_MODELS; i++)
    (b->options->json ? print_json : print_text)(b, &cells[i]);
  fflush(b->to);
  b->weight_left -= weight(n);
}

static const char text_heading[] =
    "load        n  model          wall ns   CPU ns   calls switch.  B/desc."
    "  kernel  CPU, a # per doubling\n"
    "                              /message /message    /msg    /msg        "
    " B/desc.\n";

static void context(struct bench *b) {
  fprintf(b->to, "{\"context\":{\"executable\":\"plumb-io-models\","
          "\"num_cpus\":%ld,\"descriptor_limit\":%llu,\"quick\":%s},"
          "\"benchmarks\":[\n", sysconf(_SC_NPROCESSORS_ONLN),
          (unsigned long long)b->descriptors,
          b->options->quick ? "true" : "false");
}

int io_bench(FILE *to, const struct io_bench_options *options) {
  uint64_t second = 1000000000u, now = now_ns();
  uint64_t within = options->within_s ? options->within_s
                    : options->quick  ? 10
                                      : 60;
  struct bench b = {
      .to = to,
      .options = options,
      .deadline_ns = now + within * second * (options->quick ? 12 : 15) / 20,
      .end_ns = now + within * second * (options->quick ? 18 : 19) / 20,
      .descriptors = io_raise_descriptors(),
      .first = true,
  };
  for (size_t i = 0; i < options->size_count; i++)
    b.weight_left += 2 * weight(options->sizes[i]);
  if (options->json)
    context(&b);
  else
    fputs(text_heading, to);
  for (size_t i = 0; i < options->size_count; i++) {
    block(&b, options->sizes[i], IO_BUSY);
    block(&b, options->sizes[i], IO_SPARSE);
  }
  if (options->json) fputs("\n]}\n", to);
  return b.failed;
}
