/* SPDX-License-Identifier: MIT */
/*
 * bad-adapter MODE: an adapter for each way in which adapters go wrong.
 *
 * It runs programs made of `log` alone. In every mode it is a good adapter
 * until a program's first label is "bad"; then it does what its mode says. So
 * a run shows both that the fault gets its verdict and that the cases after
 * it are judged as if nothing had happened. Modes that begin at the start, or
 * concern every answer, say so below. Where BAD_ADAPTER_DIARY names a file,
 * each process adds an s to it when it starts, an r for a program, an i for
 * one that has its process for itself, and an h when it hangs as its mode says.
 *
 * A request with a trace is answered there, as all processes of a program do.
 *
 * Invariant: whatever a mode does, it does without reading the case's
 * expectation; it never sees one.
 */
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

struct request {
  json_int_t seq;
  json_t *events; /* what an honest answer would list */
  bool stream;
  bool bad; /* the mode's moment */
};

static const char *mode;
static pid_t helper; /* of mode "helper" */

static bool is_mode(const char *name) {
  return strcmp(mode, name) == 0;
}

static void sleep_ms(long ms) {
  struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  nanosleep(&time, NULL);
}

static void sleep_for_ever(void) {
  for (;;)
    pause();
}

static long note(char letter);

static void hang(void) {
  note('h');
  sleep_for_ever();
}

static void say(const char *line) {
  puts(line);
  fflush(stdout);
}

static void say_json(json_t *object) {
  char *line = json_dumps(object, JSON_COMPACT);
  say(line);
  free(line);
  json_decref(object);
}

/* Adds a letter to the file that BAD_ADAPTER_DIARY names. Returns the how
 * manyth of its kind it is, 0 where there is no such file. */
static long note(char letter) {
  static char text[4096];
  const char *path = getenv("BAD_ADAPTER_DIARY");
  int fd = path != NULL ? open(path, O_RDWR | O_APPEND | O_CREAT, 0600) : -1;
  if (fd < 0 || write(fd, &letter, 1) != 1) return 0;
  off_t mine = lseek(fd, 0, SEEK_CUR);
  ssize_t length = pread(fd, text, sizeof text, 0);
  long count = 0;
  for (ssize_t i = 0; i < length && i < mine; i++)
    count += text[i] == letter;
  close(fd);
  return count;
}

/* A helper that ends with this process: it reads a pipe that nobody writes. */
static void start_helper(void) {
  int ends[2];
  char byte;
  if (pipe(ends) != 0 || (helper = fork()) != 0) return;
  close(0);
  close(1);
  close(2);
  close(ends[1]);
  _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
}

static void answer_start(void) {
  long starts = note('s');
  if (is_mode("third-start-fails") && starts == 3) exit(3);
  if (is_mode("starts-fail-from-third") && starts >= 3) exit(3);
  if (is_mode("third-start-hangs") && starts == 3) sleep_for_ever();
  if (is_mode("helper")) start_helper();
  if (is_mode("no-start-answer")) hang();
  if (is_mode("start-crash")) {
    fputs("bad-adapter: the library has ABI 7, this host knows 1\n", stderr);
    exit(3);
  }
  if (is_mode("start-chatter")) say("Welcome to bad-adapter!");
  if (is_mode("slow-start")) sleep_ms(300);
  say_json(json_pack("{s:i,s:{s:s,s:s,s:s,s:s},s:[],s:[]}", "protocol",
                     is_mode("wrong-protocol") ? 2 : 1, "implementation",
                     "name", "bad", "version", "1.2.3", "language", "C",
                     "homepage", "https://example.org", "capabilities",
                     "traits"));
}

static void answer_events(const struct request *request) {
  if (!request->stream) {
    say_json(json_pack("{s:I,s:O,s:{}}", "seq", request->seq, "events",
                       request->events, "evidence"));
    return;
  }
  size_t i;
  json_t *event;
  json_array_foreach(request->events, i, event) {
    say_json(json_pack("{s:I,s:O}", "seq", request->seq, "event", event));
  }
}

static void leave_orphan(bool own_session) {
  if (fork() != 0) return;
  if (own_session) setsid();
  close(0); /* the pipes are not what keeps it */
  close(1);
  close(2);
  execlp("sleep", "sleep", "1000", (char *)NULL);
  _exit(127);
}

static int unasked = -1; /* closed when a thing has been done unasked */

/* Leaves a process that ends when `unasked` is closed: the judge waits for it,
 * and then finds what was done. */
static void leave_until_done(void) {
  int ends[2];
  char byte;
  if (pipe(ends) != 0) return;
  unasked = ends[1];
  if (fork() != 0) {
    close(ends[0]);
    return;
  }
  close(0);
  close(1);
  close(2);
  close(ends[1]);
  _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
}

/* Leaves a process that writes an event of its own and then ends. */
static void leave_speaking(const struct request *request, const char *of) {
  if (fork() != 0) return;
  sleep_ms(100);
  say_json(json_pack("{s:I,s:s,s:s}", "seq", request->seq, "of", of, "event",
                     "late"));
  _exit(0);
}

/* 17 MiB without a newline: one more than a line may have. */
static void print_huge_line(void) {
  static char block[64 * 1024];
  memset(block, 'x', sizeof block);
  for (int i = 0; i < 17 * 16; i++)
    fwrite(block, 1, sizeof block, stdout);
  say("");
}

static void print_random_bytes(void) {
  unsigned state = 12345;
  for (int i = 0; i < 100000; i++) {
    state = state * 1103515245u + 12345u;
    putchar((int)(state >> 16 & 0xFF));
  }
  say("");
}

static void log_much(void) {
  for (int i = 0; i < 20000; i++)
    fprintf(stderr, "log line %d that nobody asked for\n", i);
  fputs("the last words\n", stderr);
}

/* The mode's moment. Returns whether an honest answer follows. */
static bool misbehave(const struct request *request) {
  if (is_mode("hang")) hang();
  if (is_mode("hang-with-child")) {
    leave_orphan(true);
    hang();
  }
  if (is_mode("hang-with-helper")) {
    leave_orphan(false);
    sleep_for_ever();
  }
  if (is_mode("crash")) {
    signal(SIGSEGV, SIG_DFL); /* a sanitizer would make an exit of it */
    raise(SIGSEGV);
  }
  if (is_mode("exits-early")) exit(0);
  if (is_mode("exit-3")) {
    answer_events(request);
    if (unasked >= 0) close(1); /* seen before the end of what is left */
    exit(3);
  }
  if (is_mode("late-answer")) sleep_ms(1400);
  if (is_mode("chatter")) say("debug: about to run");
  if (is_mode("empty-line")) say("");
  if (is_mode("huge-line")) print_huge_line();
  if (is_mode("random-bytes")) print_random_bytes();
  if (is_mode("leaks-stderr")) log_much();
  if (is_mode("orphan-child")) leave_orphan(true);
  if (is_mode("child-in-group")) leave_orphan(false);
  if (is_mode("child-speaks")) leave_speaking(request, "c");
  if (is_mode("nameless-child-speaks")) leave_speaking(request, "");
  if (is_mode("talks-on")) {
    answer_events(request);
    say("and another thing");
    close(unasked);
    return false;
  }
  if (is_mode("truncated-line")) {
    fputs("{\"seq\":1,\"eve", stdout);
    fflush(stdout);
    exit(0);
  }
  if (is_mode("closed-stdout")) {
    close(1);
    sleep_for_ever();
  }
  return true;
}

/* Modes that answer, but not honestly. Returns whether they did. */
static bool answer_wrongly(const struct request *request) {
  if (is_mode("wrong-seq"))
    say_json(json_pack("{s:I,s:O}", "seq", request->seq + 1, "events",
                       request->events));
  else if (is_mode("no-seq"))
    say_json(json_pack("{s:O}", "events", request->events));
  else if (is_mode("error-answer"))
    say_json(json_pack("{s:I,s:{s:s,s:s}}", "seq", request->seq, "error",
                       "message", "no idea", "detail", "line 7"));
  else if (is_mode("unsupported") || is_mode("environment"))
    say_json(json_pack("{s:I,s:s}", "seq", request->seq, "unsupported",
                       "not today"));
  else if (is_mode("bad-event"))
    say_json(json_pack("{s:I,s:[[i,i]]}", "seq", request->seq, "events", 1, 2));
  else if (is_mode("two-answers"))
    say_json(json_pack("{s:I,s:O,s:s}", "seq", request->seq, "events",
                       request->events, "unsupported", "and yet"));
  else if (is_mode("unknown-key"))
    say_json(json_pack("{s:I,s:O,s:i}", "seq", request->seq, "events",
                       request->events, "extra", 1));
  else if (is_mode("wrong-transport") && request->stream)
    say_json(
        json_pack("{s:I,s:O}", "seq", request->seq, "events", request->events));
  else if (is_mode("wrong-transport"))
    say_json(json_pack("{s:I,s:s}", "seq", request->seq, "event", "bad"));
  else if (is_mode("extra-event"))
    say_json(json_pack("{s:I,s:[s,s]}", "seq", request->seq, "events", "bad",
                       "more"));
  else if (is_mode("evidence"))
    say_json(json_pack("{s:I,s:O,s:{s:i}}", "seq", request->seq, "events",
                       request->events, "evidence", "turns", 2));
  else
    return false;
  return true;
}

/* Each label becomes an event with what the variable of that name holds. */
static void show_environment(json_t *events) {
  for (size_t i = 0; i < json_array_size(events); i++) {
    const char *name = json_string_value(json_array_get(events, i));
    json_array_set_new(events, i,
                       json_pack("[ss?]", name, name ? getenv(name) : NULL));
  }
}

static void answer_run(struct request *request) {
  static unsigned bad_runs;
  note(request->stream ? 'i' : 'r');
  if (is_mode("environment")) show_environment(request->events);
  if (is_mode("helper") && kill(helper, 0) != 0)
    json_array_append_new(request->events, json_string("the helper is gone"));
  if (is_mode("constant-answers"))
    json_array_clear(request->events),
        json_array_append_new(request->events, json_string("first"));
  if (request->bad && is_mode("flaky") && ++bad_runs % 2 == 0)
    json_array_append_new(request->events, json_string("bad"));
  if (request->bad && !request->stream &&
      (is_mode("talks-on") || is_mode("exit-3")))
    leave_until_done();
  if (request->bad && answer_wrongly(request)) return;
  if (!request->bad || misbehave(request)) answer_events(request);
}

/* From here on answers go to the trace that the request names. */
static void take_trace(const json_t *message) {
  const char *path = json_string_value(json_object_get(message, "trace"));
  int fd = path != NULL ? open(path, O_WRONLY | O_CLOEXEC) : -1;
  if (fd < 0) return;
  dup2(fd, 1);
  close(fd);
}

static void read_program(const json_t *message, struct request *request) {
  const json_t *main_ops =
      json_object_get(json_object_get(message, "program"), "main");
  request->seq = json_integer_value(json_object_get(message, "seq"));
  request->stream = json_is_true(json_object_get(message, "stream"));
  request->events = json_array();
  for (size_t i = 0; i < json_array_size(main_ops); i++)
    json_array_append(request->events,
                      json_object_get(json_array_get(main_ops, i), "log"));
  const char *first = json_string_value(json_array_get(request->events, 0));
  request->bad = first != NULL && strcmp(first, "bad") == 0;
}

int main(int argc, char **argv) {
  char *line = NULL;
  size_t size = 0;
  ssize_t length;
  if (argc != 2) {
    fputs("usage: bad-adapter MODE\n", stderr);
    return 2;
  }
  mode = argv[1];
  while ((length = getline(&line, &size, stdin)) > 0) {
    json_t *message = json_loadb(line, (size_t)length, 0, NULL);
    const char *command = json_string_value(json_object_get(message, "cmd"));
    bool stop = command == NULL || strcmp(command, "stop") == 0;
    if (command != NULL && strcmp(command, "start") == 0) {
      answer_start();
    } else if (command != NULL && strcmp(command, "run") == 0) {
      struct request request;
      read_program(message, &request);
      take_trace(message);
      answer_run(&request);
      json_decref(request.events);
      stop = request.stream;
    }
    json_decref(message);
    if (stop && is_mode("ignores-stop")) sleep_for_ever();
    if (stop) break;
  }
  free(line);
  return 0;
}
