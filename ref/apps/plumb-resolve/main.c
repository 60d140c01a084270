/* SPDX-License-Identifier: MIT */
/*
 * main.c: plumb-resolve: where a specifier leads, from where, and why.
 *
 * Invariant: one answer is printed for every question, in their order, even
 * when the question is nonsense.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "graph.h"
#include "scan.h"

struct app {
  struct options options;
  struct pl_fs_real fs;
  struct pl_resolver *resolver;
  struct graph graph;
  size_t unresolved;
};

/* Of the processor: what other programs do does not count. */
static double now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int resolve(struct app *app, const char *from, size_t from_length,
                   const char *specifier, size_t length,
                   const struct pl_resolution **out) {
  return app->options.import
             ? pl_resolver_import(app->resolver, from, from_length, specifier,
                                  length, out)
             : pl_resolver_require(app->resolver, from, from_length, specifier,
                                   length, out);
}

static int trouble(int error) {
  fprintf(stderr, "plumb-resolve: %s\n", pl_error_text(error));
  return 2;
}

/* ------------------------------------------------------------------------ */

static void tell(void *arg, const char *text, size_t length,
                 const char *outcome) {
  (void)arg;
  printf("  %-40.*s  %s\n", (int)length, text, outcome);
}

static int answer_one(struct app *app, const char *specifier) {
  const struct options *options = &app->options;
  const struct pl_resolution *resolution;
  size_t length = strlen(specifier);
  struct pl_place *place;
  int error = pl_resolver_place(app->resolver, options->from,
                                strlen(options->from), &place);
  if (error != 0) return trouble(error);
  if (options->explain) {
    printf("%s %s from %s\n", options->import ? "import" : "require", specifier,
           options->from);
    error = pl_place_explain(place, specifier, length, options->import, tell,
                             NULL, &resolution);
  } else {
    error = resolve(app, options->from, strlen(options->from), specifier,
                    length, &resolution);
  }
  if (error != 0) return trouble(error);
  print_answer(stdout, app->resolver, resolution, options->from,
               options->import, options->plain);
  putchar('\n');
  app->unresolved += resolution->code != PL_RESOLVED;
  return 0;
}

/* ------------------------------------------------------------------------ */

struct lines {
  char *text; /* all of stdin */
  size_t length, capacity;
};

static bool read_lines(struct lines *lines) {
  for (;;) {
    if (lines->capacity - lines->length < 65536) {
      lines->capacity = lines->capacity * 2 + 131072;
      char *text = realloc(lines->text, lines->capacity);
      if (text == NULL) return false;
      lines->text = text;
    }
    size_t size = fread(lines->text + lines->length, 1,
                        lines->capacity - lines->length, stdin);
    if (size == 0) return !ferror(stdin);
    lines->length += size;
  }
}

/* The next `from TAB specifier`. False: no more. */
static bool next_line(const struct lines *lines, size_t *at, const char **from,
                      size_t *from_length, const char **specifier,
                      size_t *length) {
  if (*at >= lines->length) return false;
  const char *line = lines->text + *at;
  const char *end = memchr(line, '\n', lines->length - *at);
  size_t size = end == NULL ? lines->length - *at : (size_t)(end - line);
  *at += size + 1;
  const char *tab = memchr(line, '\t', size);
  *from = line;
  *from_length = tab == NULL ? 0 : (size_t)(tab - line);
  *specifier = tab == NULL ? line : tab + 1;
  *length = size - (size_t)(*specifier - line);
  return true;
}

/* -- timing --------------------------------------------------------------- */

struct question {
  const char *from, *specifier;
  size_t from_length, length;
  struct pl_place *place; /* NULL: not asked from yet, or from nowhere */
};

struct questions {
  struct question *items;
  size_t count;
};

static int read_questions(struct questions *questions,
                          const struct lines *lines) {
  struct question one = {0};
  size_t at = 0, capacity = 0;
  while (next_line(lines, &at, &one.from, &one.from_length, &one.specifier,
                   &one.length)) {
    if (questions->count == capacity) {
      capacity = capacity == 0 ? 1024 : capacity * 2;
      struct question *more =
          realloc(questions->items, capacity * sizeof *more);
      if (more == NULL) return PL_ENOMEM;
      questions->items = more;
    }
    questions->items[questions->count++] = one;
  }
  return 0;
}

/* Asks every question, by its place where it is known; `by_path`: as if it was
 * not. Gives the processor's nanoseconds for each, or a negative error. */
static double ask_all(struct app *app, const struct questions *questions,
                      bool by_path) {
  bool import = app->options.import;
  double start = now_ns();
  for (size_t i = 0; i < questions->count; i++) {
    struct question *one = &questions->items[i];
    const struct pl_resolution *resolution;
    int error = 0;
    if (by_path || one->place == NULL)
      error = pl_resolver_place(app->resolver, one->from, one->from_length,
                                &one->place);
    if (error == 0)
      error = (import ? pl_place_import : pl_place_require)(
          one->place, one->specifier, one->length, &resolution);
    if (error == PL_ENOMEM) return error;
  }
  return (now_ns() - start) / (double)questions->count;
}

static int time_questions(struct app *app, const struct questions *questions) {
  uint64_t calls = app->fs.base.calls;
  double cold = ask_all(app, questions, true);
  if (cold < 0) return trouble((int)cold);
  fprintf(stderr, "cold %.1f ns, %.3f system calls\n", cold,
          (double)(app->fs.base.calls - calls) / (double)questions->count);
  for (int i = 0; i < app->options.repeat; i++) {
    fprintf(stderr, "warm %.1f ns\n", ask_all(app, questions, false));
    fprintf(stderr, "by path %.1f ns\n", ask_all(app, questions, true));
  }
  return 0;
}

static int time_lines(struct app *app, const struct lines *lines) {
  struct questions questions = {0};
  int status = read_questions(&questions, lines);
  if (status != 0)
    status = trouble(status);
  else if (questions.count > 0)
    status = time_questions(app, &questions);
  free(questions.items);
  return status;
}

/* ------------------------------------------------------------------------ */

static void print_bad_from(void) {
  fputs("{\"code\":null,\"message\":\"a line is `from TAB specifier`, from an "
        "absolute directory\"}",
        stdout);
}

static int answer_lines(struct app *app) {
  struct lines lines = {0};
  int status = 0;
  if (!read_lines(&lines)) {
    free(lines.text);
    return trouble(PL_ENOMEM);
  }
  if (app->options.repeat > 0) {
    status = time_lines(app, &lines);
    free(lines.text);
    return status;
  }
  const char *from, *specifier;
  size_t at = 0, from_length, length;
  while (status == 0 &&
         next_line(&lines, &at, &from, &from_length, &specifier, &length)) {
    const struct pl_resolution *resolution;
    int error = resolve(app, from, from_length, specifier, length, &resolution);
    if (error == PL_EINVAL) {
      print_bad_from();
      app->unresolved++;
    } else if (error != 0) {
      status = trouble(error);
    } else {
      char *parent = strndup(from, from_length);
      print_answer(stdout, app->resolver, resolution,
                   parent == NULL ? "" : parent, app->options.import,
                   app->options.plain);
      free(parent);
      app->unresolved += resolution->code != PL_RESOLVED;
    }
    putchar('\n');
  }
  free(lines.text);
  return status;
}

/* ------------------------------------------------------------------------ */

static void print_stats(const struct app *app) {
  struct pl_resolver_stats stats;
  pl_resolver_stats(app->resolver, &stats);
  fprintf(stderr,
          "asked %llu, from memory %llu, names asked %llu, directories listed "
          "%llu, package.json read %llu, system calls %llu, bytes %llu\n",
          (unsigned long long)stats.asked,
          (unsigned long long)stats.answered_from_memory,
          (unsigned long long)stats.probes, (unsigned long long)stats.listings,
          (unsigned long long)stats.packages,
          (unsigned long long)app->fs.base.calls,
          (unsigned long long)stats.bytes);
}

static int draw(struct app *app) {
  struct graph *graph = &app->graph;
  int error =
      graph_build(graph, &app->fs.base, app->resolver, app->options.graph);
  if (error == 0) {
    (app->options.dot ? graph_print_dot : graph_print_json)(graph, stdout);
    for (const struct vertex *at = graph->first; at != NULL; at = at->next)
      for (size_t i = 0; i < at->edge_count; i++)
        app->unresolved += at->edges[i].failed;
  }
  graph_free(graph);
  return error == 0 ? 0 : trouble(error);
}

static int run(struct app *app) {
  if (app->options.graph != NULL) return draw(app);
  if (app->options.scan) {
    int error = scan_files(&app->fs.base, stdin, stdout);
    return error == 0 ? 0 : trouble(error);
  }
  if (app->options.batch) return answer_lines(app);
  int status = 0;
  for (int i = 0; i < app->options.specifier_count && status == 0; i++)
    status = answer_one(app, app->options.specifiers[i]);
  return status;
}

int main(int argc, char **argv) {
  struct app app = {0};
  int status = options_read(&app.options, argc, argv);
  if (status != 0) {
    options_free(&app.options);
    return status == 1 ? 0 : status;
  }
  pl_fs_real_init(&app.fs);
  struct pl_resolver_config config = {.fs = &app.fs.base,
                                      .node = app.options.node,
                                      .conditions = app.options.conditions,
                                      .paths = app.options.paths,
                                      .preserve_symlinks = app.options.preserve,
                                      .list_after = app.options.list_after};
  int error = pl_resolver_create(&config, &app.resolver);
  if (error != 0) {
    status = trouble(error);
  } else {
    status = run(&app);
    if (app.options.stats) print_stats(&app);
    pl_resolver_destroy(app.resolver);
  }
  options_free(&app.options);
  if (fflush(stdout) != 0 && status == 0) status = 2;
  return status != 0 ? status : app.unresolved > 0;
}
