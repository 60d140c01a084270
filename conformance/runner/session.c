/* SPDX-License-Identifier: MIT */
/* Starts an adapter, runs programs on it, and says what went wrong. */
#include "session.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What one streamed run may print in all. */
#define STREAM_MAX ((size_t)64 << 20)

/* How long a process that closed its stdout may take to end: on a busy machine
 * its status comes a good while after the end of its output. */
enum { ENDING_MS = 2000 };

static uint64_t deadline_after(unsigned ms) {
  return uv_hrtime() + (uint64_t)ms * 1000000u;
}

char *pl_signal_name(int number) {
  const char *name = sigabbrev_np(number);
  return name != NULL ? pl_mem_format("SIG%s", name)
                      : pl_mem_format("signal %d", number);
}

/* Adds how the process ended, or that it runs on. */
static void say_end(const struct pl_process *process, struct pl_text *text) {
  if (!process->exited) {
    pl_text_say(text, "closed its stdout and ran on");
  } else if (process->signal != 0) {
    char *name = pl_signal_name(process->signal);
    pl_text_format(text, "was ended by %s", name);
    free(name);
  } else {
    pl_text_format(text, "ended with exit status %lld",
                   (long long)process->status);
  }
}

/* Holds a message against the schema. Returns NULL, or what is wrong. */
static char *check_message(const struct pl_session_plan *plan,
                           const char *which, const char *line, size_t length) {
  if (plan->schema == NULL) return NULL;
  json_t *message = json_loadb(line, length, JSON_DECODE_ANY, NULL);
  if (message == NULL) return NULL; /* reading it says so better */
  char *reason = pl_schema_check(plan->schema, which, message);
  json_decref(message);
  if (reason == NULL) return NULL;
  char *words = pl_mem_format("this %s is not what protocol.schema.json "
                              "says: %s",
                              which, reason);
  free(reason);
  return words;
}

/* Sends a message. Returns NULL, or how it breaks the schema. */
static char *tell(struct pl_session *session, const struct pl_text *message) {
  char *error = check_message(session->plan, "request", message->bytes,
                              message->length - 1);
  pl_process_send(session->process, message->bytes, message->length);
  return error;
}

static char *unanswered_start(struct pl_session *session, enum pl_wait wait) {
  struct pl_process *process = session->process;
  struct pl_text text = {0};
  size_t length;
  if (wait == PL_WAIT_TIMEOUT) {
    pl_lines_rest(&process->lines, &length);
    pl_text_format(&text, "it did not answer start within %u ms; ",
                   session->plan->start_ms);
    if (length > 0)
      pl_text_format(&text, "it printed %zu bytes without a newline", length);
    else
      pl_text_say(&text, "it printed nothing on stdout (does it flush stdout "
                         "after each line?)");
  } else if (wait == PL_WAIT_TOO_LONG) {
    pl_text_say(&text, "its answer to start is longer than 16 MiB");
  } else {
    pl_process_wait_end(process, deadline_after(ENDING_MS));
    pl_text_say(&text, "it ");
    say_end(process, &text);
    pl_text_say(&text, " before it answered start");
  }
  return text.bytes;
}

/* Reads the answer to start. Returns 0, or -1 with `*error` (NULL:
 * interrupted). */
static int read_hello(struct pl_session *session, char **error) {
  struct pl_process *process = session->process;
  size_t length;
  enum pl_wait wait = pl_process_wait_line(process, session->answer_by);
  if (wait == PL_WAIT_INTERRUPTED) return -1;
  if (wait != PL_WAIT_LINE) {
    *error = unanswered_start(session, wait);
    return -1;
  }
  char *line = pl_lines_next(&process->lines, &length);
  session->hello = pl_message_read_start(line, length, error);
  if (session->hello == NULL) return -1;
  *error = check_message(session->plan, "answer", line, length);
  return *error == NULL ? 0 : -1;
}

/* Adds what the adapter logged, so that its own words reach the user. */
static char *with_log(char *error, const struct pl_process *process) {
  char *log = pl_tail_text(&process->log);
  if (log == NULL) return error;
  size_t length = strlen(log);
  while (length > 0 && log[length - 1] == '\n')
    log[--length] = '\0';
  char *both = pl_mem_format("%s\nits stderr: %s", error, log);
  free(log);
  free(error);
  return both;
}

struct pl_session *pl_session_begin(const struct pl_session_plan *plan,
                                    char **env, char **error) {
  struct pl_session *session = pl_mem_alloc(sizeof *session);
  struct pl_text message = {0};
  session->plan = plan;
  int reason =
      pl_process_start(plan->driver, plan->argv, env, &session->process);
  if (reason != 0) {
    *error = pl_mem_format("%s%s", uv_strerror(reason),
                           reason == UV_EACCES ? " (is it executable?)"
                           : reason == UV_ENOENT
                               ? " (is it there, and its interpreter?)"
                               : "");
    free(session);
    return NULL;
  }
  session->answer_by = deadline_after(plan->start_ms);
  pl_message_start(&message);
  *error = tell(session, &message);
  pl_text_free(&message);
  if (*error == NULL) return session;
  pl_session_end(session, 0);
  return NULL;
}

bool pl_session_ready(struct pl_session *session, char **error) {
  *error = NULL;
  if (read_hello(session, error) == 0) {
    const struct pl_known none = {0};
    pl_audit_descendants(session->process->pid, &none, &session->helpers);
    return true;
  }
  if (*error != NULL) {
    pl_process_wait_end(session->process, deadline_after(50));
    *error = with_log(*error, session->process);
  }
  pl_session_end(session, 0);
  return false;
}

void pl_run_free(struct pl_run *run) {
  json_decref(run->events);
  json_decref(run->evidence);
  free(run->detail);
  *run = (struct pl_run){0};
}

static void give_up(struct pl_run *run, enum pl_run_kind kind, char *detail) {
  run->kind = kind;
  run->over = true;
  free(run->detail);
  run->detail = detail;
}

static void note_timeout(struct pl_run *run, unsigned timeout_ms,
                         uint64_t deadline) {
  run->late_ms = (double)(int64_t)(uv_hrtime() - deadline) / 1e6;
  give_up(run, PL_RUN_TIMEOUT,
          pl_mem_format("no answer within %u ms", timeout_ms));
}

/* The stream ended without a whole line: cut short, crashed, or closed. */
static void note_silence(struct pl_session *session, struct pl_run *run) {
  struct pl_process *process = session->process;
  struct pl_text text = {0};
  size_t length;
  pl_process_wait_end(process, deadline_after(ENDING_MS));
  const char *rest = pl_lines_rest(&process->lines, &length);
  if (length > 0) {
    char *shown = pl_text_clean(rest, length < 80 ? length : 80);
    pl_text_format(&text,
                   "the adapter's last line is cut short (no newline "
                   "after %zu bytes): %s\nthe adapter ",
                   length, shown);
    say_end(process, &text);
    free(shown);
    give_up(run, PL_RUN_ERROR, text.bytes);
    return;
  }
  pl_text_say(&text, "the adapter ");
  say_end(process, &text);
  pl_text_say(&text, " before it answered");
  give_up(run, process->exited ? PL_RUN_CRASH : PL_RUN_ERROR, text.bytes);
}

/* Turns a wait that brought no line into a result. */
static void note_no_line(struct pl_session *session, enum pl_wait wait,
                         unsigned timeout_ms, uint64_t deadline,
                         struct pl_run *run) {
  switch (wait) {
  case PL_WAIT_TIMEOUT:
    note_timeout(run, timeout_ms, deadline);
    return;
  case PL_WAIT_TOO_LONG:
    give_up(run, PL_RUN_ERROR,
            pl_mem_format("the adapter printed a line longer than %zu MiB",
                          PL_LINE_MAX >> 20));
    return;
  case PL_WAIT_INTERRUPTED:
    give_up(run, PL_RUN_INTERRUPTED, NULL);
    return;
  default:
    note_silence(session, run);
  }
}

static void add_evidence(struct pl_run *run, json_t *more) {
  if (run->evidence == NULL)
    run->evidence = json_incref(more);
  else if (more != NULL)
    json_object_update(run->evidence, more);
}

/* Takes what an answer says into the result. */
static void take(struct pl_answer *answer, struct pl_run *run) {
  add_evidence(run, answer->evidence);
  switch (answer->kind) {
  case PL_ANSWER_EVENTS:
    run->kind = PL_RUN_TRACE;
    json_decref(run->events); /* a streamed run has begun a list */
    run->events = json_incref(answer->events);
    break;
  case PL_ANSWER_EVENT:
    json_array_append(run->events, answer->events);
    break;
  case PL_ANSWER_EVIDENCE:
    break;
  case PL_ANSWER_UNSUPPORTED:
    run->kind = PL_RUN_UNSUPPORTED;
    run->detail = answer->detail;
    answer->detail = NULL;
    break;
  case PL_ANSWER_ERROR:
    run->kind = PL_RUN_ERROR;
    run->detail = answer->detail;
    answer->detail = NULL;
    break;
  case PL_ANSWER_BREACH:
    give_up(run, PL_RUN_ERROR, answer->detail);
    answer->detail = NULL;
    break;
  }
}

/* Reads the line that waits. Returns what kind of answer it is. */
static enum pl_answer_kind read_line(struct pl_session *session,
                                     struct pl_run *run) {
  struct pl_answer answer;
  size_t length;
  char *line = pl_lines_next(&session->process->lines, &length);
  char *error = check_message(session->plan, "answer", line, length);
  pl_message_read(line, length, session->seq, &answer);
  if (error != NULL && answer.kind != PL_ANSWER_BREACH) {
    pl_answer_free(&answer);
    answer.kind = PL_ANSWER_BREACH;
    answer.detail = error;
    error = NULL;
  }
  free(error);
  enum pl_answer_kind kind = answer.kind;
  take(&answer, run);
  pl_answer_free(&answer);
  return kind;
}

static void run_whole(struct pl_session *session, unsigned timeout_ms,
                      uint64_t deadline, struct pl_run *run) {
  enum pl_wait wait = pl_process_wait_line(session->process, deadline);
  if (wait != PL_WAIT_LINE) {
    note_no_line(session, wait, timeout_ms, deadline, run);
    return;
  }
  enum pl_answer_kind kind = read_line(session, run);
  if (kind == PL_ANSWER_EVENT || kind == PL_ANSWER_EVIDENCE)
    give_up(run, PL_RUN_ERROR,
            pl_mem_copy("the adapter streams, but was not asked to: the "
                        "answer is one line with `events`"));
}

/* The end of the process is the last event. */
static void append_end(const struct pl_process *process, json_t *events) {
  json_t *event = NULL;
  if (process->signal != 0) {
    char *name = pl_signal_name(process->signal);
    event = json_pack("[ss]", "signal", name);
    free(name);
  } else {
    event = json_pack("[sI]", "exit", (json_int_t)process->status);
  }
  json_array_append_new(events, pl_mem_need(event));
}

static void finish_stream(struct pl_session *session, unsigned timeout_ms,
                          uint64_t deadline, struct pl_run *run) {
  struct pl_process *process = session->process;
  size_t length;
  bool ended = pl_process_wait_end(process, deadline);
  pl_lines_rest(&process->lines, &length);
  if (!ended)
    note_no_line(session,
                 process->driver->interrupted ? PL_WAIT_INTERRUPTED
                                              : PL_WAIT_TIMEOUT,
                 timeout_ms, deadline, run);
  else if (length > 0)
    note_silence(session, run);
  else
    append_end(process, run->events);
}

static void run_stream(struct pl_session *session, unsigned timeout_ms,
                       uint64_t deadline, struct pl_run *run) {
  struct pl_process *process = session->process;
  run->events = pl_mem_need(json_array());
  run->over = true;
  for (;;) {
    enum pl_wait wait = pl_process_wait_line(process, deadline);
    if (wait == PL_WAIT_CLOSED || wait == PL_WAIT_EXITED) {
      finish_stream(session, timeout_ms, deadline, run);
      return;
    }
    if (wait != PL_WAIT_LINE) {
      note_no_line(session, wait, timeout_ms, deadline, run);
      return;
    }
    enum pl_answer_kind kind = read_line(session, run);
    if (kind == PL_ANSWER_EVENTS)
      give_up(run, PL_RUN_ERROR,
              pl_mem_copy("the adapter was asked to stream: one line with "
                          "`event` for each event, as it happens"));
    if (kind != PL_ANSWER_EVENT && kind != PL_ANSWER_EVIDENCE) return;
    if (process->received > STREAM_MAX) {
      give_up(run, PL_RUN_ERROR,
              pl_mem_format("the adapter printed more than %zu MiB for one "
                            "program",
                            STREAM_MAX >> 20));
      return;
    }
  }
}

/* How long the processes that a program left may take to end by themselves. */
static const uint64_t ORPHANS_NS = UINT64_C(3000000000);

/* Takes the lines that wait. Returns whether the run goes on. */
static bool take_lines(struct pl_session *session, struct pl_run *run) {
  struct pl_process *process = session->process;
  while (pl_lines_ready(&process->lines)) {
    enum pl_answer_kind kind = read_line(session, run);
    if (kind == PL_ANSWER_EVENTS)
      give_up(run, PL_RUN_ERROR,
              pl_mem_copy("the adapter was asked to stream: one line with "
                          "`event` for each event, as it happens"));
    if (kind != PL_ANSWER_EVENT && kind != PL_ANSWER_EVIDENCE) return false;
  }
  if (process->lines.too_long || process->received > STREAM_MAX) {
    give_up(run, PL_RUN_ERROR,
            pl_mem_format("the adapter printed more than %zu MiB for one "
                          "program",
                          STREAM_MAX >> 20));
    return false;
  }
  return true;
}

/* The program's processes have ended, or have had their time. */
static void finish_trace(struct pl_session *session, struct pl_run *run) {
  struct pl_process *process = session->process;
  size_t length;
  pl_process_read_trace(process);
  if (!take_lines(session, run)) return;
  pl_lines_rest(&process->lines, &length);
  if (length > 0) {
    note_silence(session, run);
    return;
  }
  pl_process_wait_end(process, deadline_after(ENDING_MS));
  append_end(process, run->events);
}

/* Reads events of all processes of a program. The end of the first is the last
 * event, whichever process ends last: nothing orders the two. */
static void run_traced(struct pl_session *session, unsigned timeout_ms,
                       uint64_t deadline, struct pl_run *run) {
  enum { STEP_MS = 2 };
  struct pl_process *process = session->process;
  uint64_t orphans_by = 0;
  run->events = pl_mem_need(json_array());
  run->over = true;
  while (take_lines(session, run)) {
    uint64_t now = uv_hrtime();
    if (process->driver->interrupted != 0) {
      give_up(run, PL_RUN_INTERRUPTED, NULL);
      return;
    }
    if (process->exited && orphans_by == 0) orphans_by = now + ORPHANS_NS;
    if (process->exited &&
        (now >= orphans_by || now >= deadline || session->others == NULL ||
         !session->others(session->others_data))) {
      finish_trace(session, run);
      return;
    }
    if (now >= deadline) {
      note_timeout(run, timeout_ms, deadline);
      return;
    }
    uint64_t left = (deadline - now) / 1000000u + 1;
    pl_process_turn(process, process->exited ? STEP_MS : (unsigned)left);
  }
}

/* Lays the request where the program's processes find it, and opens what they
 * write to. Returns NULL, or why that cannot be. */
static char *lay_out(struct pl_session *session, const char *trace,
                     const struct pl_text *message) {
  char *path = pl_mem_format("%s.json", trace);
  FILE *file = fopen(path, "wxe");
  bool good = file != NULL && fwrite(message->bytes, 1, message->length,
                                     file) == message->length;
  if (file != NULL && fclose(file) != 0) good = false;
  free(path);
  if (!good) return pl_mem_copy("cannot write the request's file");
  int error = pl_process_trace(session->process, trace);
  if (error == 0) return NULL;
  return pl_mem_format("cannot open the trace: %s", uv_strerror(error));
}

void pl_session_run(struct pl_session *session, struct pl_request *request,
                    unsigned timeout_ms, struct pl_run *run) {
  struct pl_text message = {0};
  *run = (struct pl_run){0};
  request->seq = ++session->seq;
  session->process->log.total = 0;
  uint64_t deadline = deadline_after(timeout_ms);
  pl_message_run(request, &message);
  char *error = NULL;
  if (request->trace != NULL)
    error = lay_out(session, request->trace, &message);
  if (error == NULL) error = tell(session, &message);
  pl_text_free(&message);
  if (error != NULL) {
    give_up(run, PL_RUN_ERROR, error);
  } else if (request->trace != NULL) {
    pl_process_end_input(session->process);
    run_traced(session, timeout_ms, deadline, run);
  } else if (request->stream) {
    pl_process_end_input(session->process);
    run_stream(session, timeout_ms, deadline, run);
  } else {
    run_whole(session, timeout_ms, deadline, run);
  }
}

char *pl_session_unasked(struct pl_session *session) {
  struct pl_process *process = session->process;
  struct pl_text text = {0};
  size_t length;
  uv_run(&process->driver->loop, UV_RUN_NOWAIT);
  const char *rest = pl_lines_rest(&process->lines, &length);
  if (length > 0) {
    char *shown = pl_text_clean(rest, length < 80 ? length : 80);
    pl_text_format(&text, "it printed more than its answer: %s", shown);
    free(shown);
  } else if (process->exited || process->out_closed) {
    pl_process_wait_end(process, deadline_after(ENDING_MS));
    pl_text_say(&text, "it ");
    say_end(process, &text);
  }
  return text.bytes;
}

bool pl_session_end(struct pl_session *session, unsigned polite_ms) {
  bool clean = false;
  if (session == NULL) return true;
  struct pl_process *process = session->process;
  if (polite_ms > 0 && !process->exited) {
    struct pl_text message = {0};
    pl_message_stop(&message);
    free(tell(session, &message));
    pl_text_free(&message);
    pl_process_end_input(process);
    clean = pl_process_wait_end(process, deadline_after(polite_ms)) &&
            process->signal == 0 && process->status == 0;
  }
  pl_process_free(process);
  json_decref(session->hello);
  pl_pids_free(&session->helpers);
  free(session);
  return clean;
}
