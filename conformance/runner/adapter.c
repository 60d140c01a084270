/* SPDX-License-Identifier: MIT */
/* Starts, restarts and ends the adapter; finds what it leaves behind. */
#include "adapter.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "environment.h"

enum {
  START_TRIES = 3, /* in a row; then the run is given up */
  GRACE_MS = 1000, /* for processes that are about to end */
  POLITE_MS = 3000 /* for an adapter that was asked to stop */
};

static char *command_text(char **argv) {
  struct pl_text text = {0};
  for (size_t i = 0; argv[i] != NULL; i++)
    pl_text_format(&text, "%s%s", i > 0 ? " " : "", argv[i]);
  return text.bytes;
}

/* Starts a session, trying again a few times; the first try is `spare`, if
 * there is one, which is taken. */
static enum pl_progress start_session(struct pl_adapter *adapter,
                                      struct pl_session *spare, char **env,
                                      struct pl_session **result) {
  char *error = NULL;
  for (unsigned i = 0; i < START_TRIES; i++) {
    struct pl_session *session = spare;
    spare = NULL;
    free(error);
    error = NULL;
    if (session == NULL) {
      session = pl_session_begin(&adapter->plan, env, &error);
      adapter->sessions++;
    }
    if (session == NULL) continue;
    if (pl_session_ready(session, &error)) {
      *result = session;
      return PL_WENT_ON;
    }
    if (error == NULL) return PL_INTERRUPTED;
  }
  char *command = command_text(adapter->plan.argv);
  adapter->fatal = pl_mem_format("cannot start the adapter `%s` (%d tries): %s",
                                 command, START_TRIES, error);
  free(command);
  free(error);
  return PL_GAVE_UP;
}

/* The processes that may live now: the shared adapter with its helpers; a
 * run's own and the spares with all that they start. */
static struct pl_known known_now(const struct pl_adapter *adapter) {
  struct pl_known known = {0};
  pl_spares_known(&adapter->spares, &known);
  if (adapter->alone != NULL)
    pl_pids_add(&known.sessions, adapter->alone->process->pid);
  if (adapter->shared == NULL) return known;
  pl_pids_add(&known.pids, adapter->shared->process->pid);
  for (size_t i = 0; i < adapter->shared->helpers.count; i++)
    pl_pids_add(&known.pids, adapter->shared->helpers.at[i]);
  return known;
}

/* Whether a process that the run's own has left is alive. One that gets a new
 * parent while we look may be passed over, so nobody is only nobody when seen
 * twice. */
static bool others_live(void *data) {
  struct pl_adapter *adapter = data;
  struct pl_session *alone = adapter->alone;
  adapter->alone = NULL; /* what shares its session counts */
  struct pl_known known = known_now(adapter);
  adapter->alone = alone;
  struct pl_pids found = {0};
  for (int look = 0; look < 2 && found.count == 0; look++)
    pl_audit_descendants(0, &known, &found);
  bool any = found.count > 0;
  pl_pids_free(&found);
  pl_known_free(&known);
  return any;
}

/* Names and kills what is alive and not known. Returns whether there was
 * anything. */
static bool sweep(struct pl_adapter *adapter, struct pl_text *leaks) {
  struct pl_known known = known_now(adapter);
  struct pl_pids found = {0};
  pl_audit_survivors(&known, GRACE_MS, &found);
  bool leaked = found.count > 0;
  if (leaked) {
    if (leaks->length > 0) pl_text_say(leaks, ", ");
    pl_audit_name(&found, leaks);
    pl_audit_kill(&known);
  }
  pl_pids_free(&found);
  pl_known_free(&known);
  return leaked;
}

static void end_shared(struct pl_adapter *adapter, unsigned polite_ms,
                       struct pl_text *leaks) {
  struct pl_session *session = adapter->shared;
  adapter->shared = NULL;
  adapter->obeyed_stop = pl_session_end(session, polite_ms);
  sweep(adapter, leaks);
}

/* Notes something that no case can be blamed for. */
static void note_fault(struct pl_adapter *adapter, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void note_fault(struct pl_adapter *adapter, const char *format, ...) {
  enum { ENOUGH = 2000 };
  va_list arguments;
  if (adapter->faults.length > ENOUGH) return;
  if (adapter->faults.length > 0) pl_text_say(&adapter->faults, "; ");
  va_start(arguments, format);
  pl_text_format_list(&adapter->faults, format, arguments);
  va_end(arguments);
}

/* An adapter that did something unasked is not asked again; no case is to
 * blame. */
static void drop_unasked(struct pl_adapter *adapter) {
  struct pl_text leaks = {0};
  char *what = pl_session_unasked(adapter->shared);
  if (what == NULL) return;
  note_fault(adapter, "after %s, unasked: %s",
             adapter->last_id != NULL ? adapter->last_id : "the start", what);
  end_shared(adapter, 0, &leaks);
  pl_text_free(&leaks);
  free(what);
}

static void keep_log(struct pl_trail *trail, const struct pl_session *session) {
  char *log = pl_tail_text(&session->process->log);
  if (log == NULL) return;
  free(trail->log);
  trail->log = log;
}

/* Ends what spares that nobody took have left: no case is to blame for it. */
static void sweep_spares(struct pl_adapter *adapter) {
  struct pl_text leaks = {0};
  sweep(adapter, &leaks);
  pl_text_free(&leaks);
}

/* Gives a process in the case's environment, a spare if there is one. */
static enum pl_progress start_alone(struct pl_adapter *adapter,
                                    const struct pl_case *item) {
  struct pl_environment environment = pl_environment_of(item);
  struct pl_session *spare = pl_spares_take(&adapter->spares, environment.key);
  enum pl_progress progress =
      start_session(adapter, spare, environment.at, &adapter->alone);
  pl_environment_free(&environment);
  return progress;
}

enum pl_progress pl_adapter_run_alone(struct pl_adapter *adapter,
                                      const struct pl_case *item,
                                      const struct pl_case *const *next,
                                      size_t count, struct pl_request *request,
                                      unsigned timeout_ms, struct pl_run *run,
                                      struct pl_trail *trail) {
  enum pl_progress progress = start_alone(adapter, item);
  if (progress != PL_WENT_ON) return progress;
  struct pl_session *session = adapter->alone;
  if (pl_spares_prepare(&adapter->spares, &adapter->plan, next, count))
    sweep_spares(adapter);
  request->stream = 1;
  session->others = others_live;
  session->others_data = adapter;
  pl_session_run(session, request, timeout_ms, run);
  keep_log(trail, session);
  adapter->alone = NULL;
  pl_session_end(session, 0);
  sweep(adapter, &trail->leaks);
  return PL_WENT_ON;
}

enum pl_progress pl_adapter_run(struct pl_adapter *adapter,
                                struct pl_request *request, unsigned timeout_ms,
                                struct pl_run *run, struct pl_trail *trail) {
  if (pl_spares_drop(&adapter->spares)) sweep_spares(adapter);
  if (adapter->shared != NULL) drop_unasked(adapter);
  if (adapter->shared == NULL) {
    enum pl_progress progress =
        start_session(adapter, NULL, NULL, &adapter->shared);
    if (progress != PL_WENT_ON) return progress;
  }
  pl_session_run(adapter->shared, request, timeout_ms, run);
  keep_log(trail, adapter->shared);
  if (run->over || sweep(adapter, &trail->leaks))
    end_shared(adapter, 0, &trail->leaks);
  return PL_WENT_ON;
}

enum pl_progress pl_adapter_open(struct pl_adapter *adapter,
                                 const struct pl_session_plan *plan) {
  *adapter = (struct pl_adapter){.plan = *plan};
  adapter->plan.driver = &adapter->driver;
  int error = pl_driver_init(&adapter->driver);
  if (error != 0) {
    adapter->fatal =
        pl_mem_format("cannot set up the event loop: %s", uv_strerror(error));
    return PL_GAVE_UP;
  }
  if (pl_audit_begin() != 0) {
    adapter->fatal =
        pl_mem_format("cannot watch over child processes: %s", strerror(errno));
    return PL_GAVE_UP;
  }
  adapter->files_before = pl_audit_open_files();
  adapter->spares.limit = pl_spares_worth_it();
  enum pl_progress progress =
      start_session(adapter, NULL, NULL, &adapter->shared);
  if (progress == PL_WENT_ON)
    adapter->hello = json_incref(adapter->shared->hello);
  return progress;
}

void pl_adapter_close(struct pl_adapter *adapter) {
  unsigned polite = adapter->driver.interrupted != 0 ? 0 : POLITE_MS;
  struct pl_text leaks = {0};
  if (pl_spares_drop(&adapter->spares)) sweep_spares(adapter);
  if (adapter->shared != NULL && polite > 0) drop_unasked(adapter);
  end_shared(adapter, polite, &leaks);
  if (leaks.length > 0 && polite > 0)
    note_fault(adapter, "left behind at the end and killed: %s", leaks.bytes);
  pl_text_free(&leaks);
  adapter->files_after = pl_audit_open_files();
  json_decref(adapter->hello);
  pl_driver_free(&adapter->driver);
}
