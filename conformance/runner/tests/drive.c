/* SPDX-License-Identifier: MIT */
/* Runs the real conform and reads its results. */
#include "drive.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "audit.h"
#include "options.h"
#include "scratch.h"

static struct pl_scratch scratch;

int drive_begin(void **state) {
  (void)state;
  char *error = NULL;
  assert_int_equal(pl_scratch_open(&scratch, &error), 0);
  assert_int_equal(pl_audit_begin(), 0);
  return 0;
}

int drive_end(void **state) {
  (void)state;
  pl_scratch_close(&scratch);
  return 0;
}

char *drive_path(const char *name) {
  return pl_mem_format("%s/%s", scratch.base, name);
}

void drive_write(const char *name, const char *text) {
  char *path = drive_path(name);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  assert_int_equal(fclose(file), 0);
  free(path);
}

void drive_corpus(const struct drive_case *cases, size_t count) {
  struct pl_text text = {0};
  pl_text_format(&text,
                 "{\"kind\":\"corpus\",\"format\":1,\"suite\":\"0.1.0\","
                 "\"cases\":%zu,\"rules\":1}\n",
                 count);
  for (size_t i = 0; i < count; i++)
    pl_text_format(
        &text,
        "{\"kind\":\"case\",\"id\":\"%s\",\"rule\":\"LOOP-X-1\","
        "\"area\":\"loop\",\"topic\":\"x\",\"timeout_ms\":20000,"
        "\"program\":{\"main\":%s},\"expect\":%s,\"hash\":\"%016zx\","
        "\"source\":{\"file\":\"x.yaml\",\"line\":%zu}%s%s}\n",
        cases[i].id, cases[i].program, cases[i].expect, i, i + 1,
        cases[i].more && strstr(cases[i].more, "\"level\"")
            ? ""
            : ",\"level\":\"MUST\"",
        cases[i].more ? cases[i].more : "");
  drive_write("corpus.jsonl", text.bytes);
  pl_text_free(&text);
}

/* Puts the directory's path in for each @. */
static char *fill_in(const char *words) {
  struct pl_text text = {0};
  pl_text_add(&text, "", 0);
  for (; *words != '\0'; words++)
    if (*words == '@')
      pl_text_say(&text, scratch.base);
    else
      pl_text_add(&text, words, 1);
  return text.bytes;
}

static pid_t start(const char *words, const char *out, const char *err) {
  struct pl_text line = {0};
  char *filled = fill_in(words);
  pl_text_format(&line, "%s %s", getenv("CONFORM"), filled);
  char **argv = pl_command_split(line.bytes);
  assert_non_null(argv);
  pid_t pid = fork();
  if (pid == 0) {
    if (freopen(out, "w", stdout) == NULL || freopen(err, "w", stderr) == NULL)
      _exit(126);
    execv(argv[0], argv);
    _exit(127);
  }
  assert_true(pid > 0);
  pl_command_free(argv);
  pl_text_free(&line);
  free(filled);
  return pid;
}

static char *read_file(const char *path) {
  struct pl_text text = {0};
  char block[4096];
  size_t count;
  pl_text_add(&text, "", 0);
  FILE *file = fopen(path, "r");
  while (file != NULL && (count = fread(block, 1, sizeof block, file)) > 0)
    pl_text_add(&text, block, count);
  if (file != NULL) fclose(file);
  return text.bytes;
}

static void read_results(struct drive *result) {
  char *path = drive_path("results.jsonl");
  char *text = read_file(path), *rest = text;
  result->cases = json_array();
  for (char *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0';) {
    json_t *object = json_loads(line, 0, NULL);
    assert_non_null(object);
    const char *kind = drive_text(object, "kind");
    if (strcmp(kind, "header") == 0)
      result->header = object;
    else if (strcmp(kind, "footer") == 0)
      result->footer = object;
    else
      json_array_append_new(result->cases, object);
  }
  free(text);
  unlink(path);
  free(path);
}

static double now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static void assert_nothing_runs(unsigned grace_ms) {
  const struct pl_known none = {0};
  struct pl_pids found = {0};
  struct pl_text names = {0};
  pl_audit_survivors(&none, grace_ms, &found);
  pl_audit_name(&found, &names);
  pl_audit_kill(&none);
  if (found.count > 0) fail_msg("left running: %s", names.bytes);
  pl_pids_free(&found);
}

/* Waits until an adapter has written to its diary that it hangs. */
static void wait_until_it_hangs(const char *diary) {
  const struct timespec pause = {.tv_nsec = 5000000};
  bool hangs = false;
  for (double begin = now_ms(); !hangs && now_ms() - begin < 60000;) {
    char *text = read_file(diary);
    hangs = strchr(text, 'h') != NULL;
    free(text);
    nanosleep(&pause, NULL);
  }
  if (!hangs) fail_msg("no adapter hangs");
}

/* Runs conform; unless `number` is 0, sends it that when an adapter hangs. */
static struct drive run(const char *words, int number) {
  struct drive result = {0};
  char *out = drive_path("out"), *err = drive_path("err");
  char *diary = drive_path("diary");
  int status;
  if (number != 0) {
    drive_write("diary", "");
    setenv("BAD_ADAPTER_DIARY", diary, 1);
  }
  double begin = now_ms();
  pid_t pid = start(words, out, err);
  if (number != 0) {
    wait_until_it_hangs(diary);
    kill(pid, number);
    unsetenv("BAD_ADAPTER_DIARY");
  }
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
    ;
  result.ms = now_ms() - begin;
  result.status =
      WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  result.out = read_file(out);
  result.err = read_file(err);
  read_results(&result);
  /* one that was killed could not wait for what the kernel ends after it */
  assert_nothing_runs(result.status > 1000 ? 10000 : 0);
  free(out);
  free(err);
  free(diary);
  return result;
}

struct drive drive_interrupted(const char *words, int number) {
  return run(words, number);
}

struct drive drive(const char *words) {
  return run(words, 0);
}

void drive_free(struct drive *result) {
  json_decref(result->header);
  json_decref(result->footer);
  json_decref(result->cases);
  free(result->out);
  free(result->err);
}

const json_t *drive_case_of(const struct drive *result, const char *id) {
  for (size_t i = 0; i < json_array_size(result->cases); i++) {
    const json_t *line = json_array_get(result->cases, i);
    if (strcmp(drive_text(line, "id"), id) == 0) return line;
  }
  fail_msg("no result for %s; stderr: %s", id, result->err);
  return NULL;
}

const char *drive_verdict(const struct drive *result, const char *id) {
  return drive_text(drive_case_of(result, id), "verdict");
}

const char *drive_text(const json_t *line, const char *key) {
  const char *text = json_string_value(json_object_get(line, key));
  return text != NULL ? text : "";
}
