/* SPDX-License-Identifier: MIT */
/*
 * explore.c: depth-first systematic replay.
 *
 * A run is decided by its answers. The first run answers everything with 0;
 * each further one repeats the answers of the one before up to the last
 * question that has an answer left, and gives that. When no question has one
 * left, every run has been seen.
 *
 * A poll phase that begins in a state seen before need not be explored again:
 * the run is cut there, and its decisions are those of that state. A state is
 * what the provider knows, and the history of what the program did, and when.
 *
 * Invariants:
 *  - path[0..depth-1] are the answers of the run so far; those below `given`
 *    are repeated.
 *  - `place` is the empty place in the tree that the next question, state or
 *    trace fills, except while answers are repeated, when it is full.
 */
#include "explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "run.h"

const struct explore_limits explore_defaults = {.runs = 300000,
                                                .choices = 4000,
                                                .turns = 100000,
                                                .slack_ms = 2,
                                                .late_ms = 10};

struct step {
  uint32_t question;
  unsigned answer;
};

struct state {
  uint64_t digest; /* 0: none */
  uint32_t place;
};

struct explorer {
  struct exploration *found;
  const struct explore_limits *limits;
  const char *tail;
  struct run run;
  struct trace trace;
  struct step *path;
  size_t depth, given, room;
  uint32_t place;
  uint64_t last;        /* the state of the last poll phase of this run */
  bool linked;          /* the place was filled by a state seen before */
  size_t turns;         /* poll phases of this run */
  bool too_deep;        /* too many questions, or turns */
  bool strayed;         /* this run is not like the trace looked for */
  struct state *states; /* open addressing */
  size_t state_room;
  char label[96];
};

/* -- questions ------------------------------------------------------------- */

static unsigned repeat_answer(struct explorer *explorer) {
  const struct step *step = &explorer->path[explorer->depth++];
  explorer->place =
      decisions_answer(explorer->found->tree, step->question, step->answer);
  return step->answer;
}

/* What follows is only cleaning up. */
static void end_run(struct explorer *explorer) {
  explorer->run.silent = true;
  explorer->run.library->loop.stop(explorer->run.loop);
}

/* The run is too long. */
static void give_up(struct explorer *explorer) {
  explorer->too_deep = true;
  end_run(explorer);
}

/* Whether the run has left the trace that is looked for; then it ends. */
static bool strays(struct explorer *explorer) {
  const char *like = explorer->limits->like;
  const struct text *text = &explorer->trace.text;
  if (!like || text->length == 0) return false;
  const char *rest = like + 1; /* behind the bracket */
  if (strncmp(rest, text->bytes, text->length) == 0 &&
      (rest[text->length] == ',' || rest[text->length] == ']'))
    return false;
  explorer->strayed = true;
  end_run(explorer);
  return true;
}

static unsigned on_choose(void *self, const char *what, unsigned options) {
  struct explorer *explorer = self;
  if (explorer->run.silent || strays(explorer)) return 0; /* cleaning up */
  if (explorer->depth < explorer->given) return repeat_answer(explorer);
  if (explorer->depth == explorer->limits->choices) {
    give_up(explorer);
    return 0;
  }
  if (explorer->depth == explorer->room) {
    explorer->room = explorer->room ? explorer->room * 2 : 64;
    explorer->path =
        pl_mem_grow(explorer->path, explorer->room * sizeof *explorer->path);
  }
  uint32_t question =
      decisions_ask(explorer->found->tree, explorer->place, what, options);
  explorer->path[explorer->depth++] = (struct step){.question = question};
  explorer->given = explorer->depth;
  explorer->place = decisions_answer(explorer->found->tree, question, 0);
  return 0;
}

/* -- states ---------------------------------------------------------------- */

static struct state *find_state(struct state *states, size_t room,
                                uint64_t digest) {
  size_t at = digest & (room - 1);
  while (states[at].digest != 0 && states[at].digest != digest)
    at = (at + 1) & (room - 1);
  return &states[at];
}

static void grow_states(struct explorer *explorer) {
  size_t room = explorer->state_room ? explorer->state_room * 2 : 1024;
  struct state *states = pl_mem_alloc(room * sizeof *states);
  for (size_t i = 0; i < explorer->state_room; i++)
    if (explorer->states[i].digest != 0)
      *find_state(states, room, explorer->states[i].digest) =
          explorer->states[i];
  free(explorer->states);
  explorer->states = states;
  explorer->state_room = room;
}

static enum pl_seen look_up(struct explorer *explorer, uint64_t digest) {
  if (explorer->found->states * 2 >= explorer->state_room)
    grow_states(explorer);
  struct state *state =
      find_state(explorer->states, explorer->state_room, digest);
  if (state->digest == 0) {
    *state = (struct state){.digest = digest, .place = explorer->place};
    explorer->found->states++;
    return PL_SEEN_NEW;
  }
  decisions_same(explorer->found->tree, explorer->place, state->place);
  explorer->linked = true;
  return PL_SEEN_KNOWN;
}

/* While answers are repeated the states are old, and are passed through. */
static enum pl_seen on_seen(void *self, uint64_t state) {
  struct explorer *explorer = self;
  if (explorer->run.silent || strays(explorer)) return PL_SEEN_NEW;
  if (explorer->turns++ == explorer->limits->turns) {
    give_up(explorer);
    return PL_SEEN_NEW;
  }
  uint64_t digest =
      (state ^ explorer->run.history) * UINT64_C(0x9e3779b97f4a7c15) | 1;
  if (digest == explorer->last) return PL_SEEN_SAME;
  explorer->last = digest;
  if (explorer->depth < explorer->given || explorer->limits->no_merge)
    return PL_SEEN_NEW;
  return look_up(explorer, digest);
}

/* -- objects --------------------------------------------------------------- */

static uint64_t on_duration(void *self, const void *arg) {
  const struct object *object = arg;
  (void)self;
  return object->kind == PL_KIND_WORK ? object->number : 0;
}

static uint64_t on_digest(void *self, const void *arg) {
  const struct object *object = arg;
  (void)self;
  uint64_t digest = object->op->digest + object->number + object->count;
  for (size_t i = 0; i < object->close_calls.count; i++)
    for (size_t k = 0; k < object->close_calls.bodies[i].count; k++)
      digest = digest * 31 + object->close_calls.bodies[i].ops[k].digest;
  return digest;
}

/* The first label that the object's callback logs. */
static const char *first_label(const struct calls *calls) {
  for (size_t i = 0; i < calls->count; i++)
    for (size_t k = 0; k < calls->bodies[i].count; k++)
      if (calls->bodies[i].ops[k].label) return calls->bodies[i].ops[k].label;
  return NULL;
}

static const char *on_label(void *self, const void *arg) {
  struct explorer *explorer = self;
  const struct object *object = arg;
  const char *label = first_label(&object->calls);
  snprintf(explorer->label, sizeof explorer->label, "%s%s%.60s",
           object->op->name, label ? " " : "", label ? label : "");
  for (char *c = explorer->label; *c; c++)
    if (*c == '|' || *c == '"') *c = '\'';
  return explorer->label;
}

/* -- traces ---------------------------------------------------------------- */

static uint64_t hash_of(const char *text) {
  uint64_t hash = 0;
  for (; *text; text++) {
    hash = (hash ^ (unsigned char)*text) * UINT64_C(0x9e3779b97f4a7c15);
    hash ^= hash >> 29;
  }
  return hash;
}

static uint32_t *find_trace(const struct exploration *found, uint32_t *index,
                            size_t buckets, const char *text) {
  size_t at = hash_of(text) & (buckets - 1);
  while (index[at] != 0 && strcmp(found->traces[index[at] - 1], text) != 0)
    at = (at + 1) & (buckets - 1);
  return &index[at];
}

static void grow_index(struct exploration *found) {
  size_t buckets = found->buckets ? found->buckets * 2 : 64;
  uint32_t *index = pl_mem_alloc(buckets * sizeof *index);
  for (size_t i = 0; i < found->trace_count; i++)
    *find_trace(found, index, buckets, found->traces[i]) = (uint32_t)(i + 1);
  free(found->index);
  found->index = index;
  found->buckets = buckets;
}

/* Takes the text. */
static uint32_t add_trace(struct exploration *found, char *text) {
  if (found->trace_count * 2 >= found->buckets) grow_index(found);
  uint32_t *entry = find_trace(found, found->index, found->buckets, text);
  if (*entry != 0) {
    free(text);
    return *entry - 1;
  }
  if (found->trace_count == found->trace_room) {
    found->trace_room = found->trace_room ? found->trace_room * 2 : 16;
    found->traces =
        pl_mem_grow(found->traces, found->trace_room * sizeof *found->traces);
  }
  found->traces[found->trace_count++] = text;
  *entry = (uint32_t)found->trace_count;
  return *entry - 1;
}

static char *trace_text(const struct explorer *explorer) {
  const struct text *text = &explorer->trace.text;
  const char *tail = explorer->tail;
  if (explorer->run.end == RUN_STUCK) tail = EXPLORE_STUCK;
  return pl_mem_format("[%.*s%s%s]", (int)text->length,
                       text->bytes ? text->bytes : "",
                       tail && text->length > 0 ? "," : "", tail ? tail : "");
}

/* -- runs ------------------------------------------------------------------ */

static bool replay(struct explorer *explorer,
                   const struct pl_exploration *explore) {
  struct run *run = &explorer->run;
  explorer->depth = 0;
  explorer->place = DECISIONS_ROOT;
  explorer->last = 0;
  explorer->turns = 0;
  explorer->linked = false;
  explorer->strayed = false;
  text_clear(&explorer->trace.text);
  explorer->trace.count = 0;
  *run = (struct run){.library = run->library,
                      .program = run->program,
                      .dir = run->dir,
                      .trace = &explorer->trace,
                      .explore = explore};
  explorer->found->runs++;
  if (!run_program(run)) return false;
  if (explorer->linked || explorer->too_deep || explorer->strayed) return true;
  char *text = trace_text(explorer);
  const char *like = explorer->limits->like;
  if (like && strcmp(like, text) != 0)
    free(text);
  else
    decisions_trace(explorer->found->tree, explorer->place,
                    add_trace(explorer->found, text));
  return true;
}

/* Moves on to the last question with an answer left. */
static bool next_path(struct explorer *explorer) {
  while (explorer->given > 0) {
    struct step *step = &explorer->path[explorer->given - 1];
    if (++step->answer <
        decisions_options(explorer->found->tree, step->question))
      return true;
    explorer->given--;
  }
  return false;
}

static enum explored all_runs(struct explorer *explorer,
                              const struct pl_exploration *explore) {
  struct exploration *found = explorer->found;
  const struct explore_limits *limits = explorer->limits;
  do {
    if (found->runs == limits->runs) {
      snprintf(found->message, sizeof found->message,
               "more than %zu runs: the traces found so far are not all; see "
               "--max-runs",
               limits->runs);
      return EXPLORED_PART;
    }
    if (!replay(explorer, explore)) {
      snprintf(found->message, sizeof found->message, "%s",
               explorer->run.message);
      return EXPLORE_FAILED;
    }
    if (explorer->too_deep) {
      snprintf(found->message, sizeof found->message,
               "a run with more than %zu choices or %zu turns of the loop: "
               "does the program end? see --max-choices",
               limits->choices, limits->turns);
      return EXPLORED_PART;
    }
    if (limits->like && found->trace_count > 0) return EXPLORED_ALL;
  } while (next_path(explorer));
  return EXPLORED_ALL;
}

enum explored explore(const struct library *library,
                      const struct program *program, const char *dir,
                      const char *tail, const struct explore_limits *limits,
                      struct exploration *found) {
  *found = (struct exploration){.tree = decisions_new()};
  if (!library->loop.time_ns || !library->loop.time_pass ||
      !library->loop.now || !library->loop.stop) {
    snprintf(found->message, sizeof found->message,
             "the provider %s does not explore: its loops have real time only",
             library->provider->name);
    return EXPLORE_FAILED;
  }
  struct explorer explorer = {
      .found = found,
      .limits = limits,
      .tail = tail,
      .run = {.library = library, .program = program, .dir = dir}};
  struct pl_exploration questions = {.size = sizeof questions,
                                     .self = &explorer,
                                     .choose = on_choose,
                                     .seen = on_seen,
                                     .duration_ms = on_duration,
                                     .digest = on_digest,
                                     .label = on_label,
                                     .slack_ms = limits->slack_ms,
                                     .late_ms = limits->late_ms,
                                     .any_order = limits->any_order};
  enum explored answer = all_runs(&explorer, &questions);
  decisions_reduce(found->tree);
  free(explorer.path);
  free(explorer.states);
  text_free(&explorer.trace.text);
  return answer;
}

void exploration_free(struct exploration *found) {
  for (size_t i = 0; i < found->trace_count; i++)
    free(found->traces[i]);
  free(found->traces);
  free(found->index);
  decisions_free(found->tree);
  *found = (struct exploration){0};
}
