/* SPDX-License-Identifier: MIT */
/*
 * emitter.c: events by name, and who listens to them.
 *
 *   events -> "a" -> list: [fn, arg, flags] [fn, arg, flags] ...
 *          -> "b" -> list
 *
 * Invariant: a list that somebody goes through is never changed. emit holds the
 * list that it goes through; who adds or removes meanwhile makes another one.
 * So who was there when it began is called, and nobody else. A listener
 * lives as long as a list has it.
 */
#include "../loop/internal.h"

#include <string.h>

#include "plumb/flow.h"

struct pl__listener {
  pl_listener_fn *fn;
  void *arg;
  unsigned holds; /* of the lists that it is in */
  bool once;
  bool called; /* once, and it was */
};

struct pl__listener_list {
  unsigned holds; /* the event's, and one of each emit under way */
  size_t count, room;
  struct pl__listener *at[];
};

struct pl__event {
  struct pl__event *next;
  struct pl__listener_list *list;
  bool crowded; /* was told */
  char name[];
};

enum { DEFAULT_MOST = 10 };

static void *memory(struct pl_emitter *emitter, void *block, size_t size) {
  return pl__resize(&emitter->allocator, block, size);
}

/* -- events and lists ------------------------------------------------------ */

static struct pl__event *event_of(const struct pl_emitter *emitter,
                                  const char *name) {
  struct pl__event *event = emitter->events;
  while (event != NULL && strcmp(event->name, name) != 0)
    event = event->next;
  return event;
}

static struct pl__event *make_event(struct pl_emitter *emitter,
                                    const char *name) {
  size_t size = strlen(name) + 1;
  struct pl__event *event = memory(emitter, NULL, sizeof *event + size);
  if (event == NULL) return NULL;
  *event = (struct pl__event){0};
  memcpy(event->name, name, size);
  struct pl__event **last = &emitter->events;
  while (*last != NULL)
    last = &(*last)->next;
  *last = event;
  return event;
}

/* An event goes with its last listener: the next one puts it last. */
static void unlink_event(struct pl_emitter *emitter, struct pl__event *event) {
  struct pl__event **link = &emitter->events;
  while (*link != event)
    link = &(*link)->next;
  *link = event->next;
}

static void let_go(struct pl_emitter *emitter, struct pl__listener_list *list) {
  if (list == NULL || --list->holds > 0) return;
  for (size_t i = 0; i < list->count; i++)
    if (--list->at[i]->holds == 0) memory(emitter, list->at[i], 0);
  memory(emitter, list, 0);
}

/* Makes the event's list one that may be changed, with room for `more`: its
 * own, or a copy of it. */
static int own_list(struct pl_emitter *emitter, struct pl__event *event,
                    size_t more) {
  struct pl__listener_list *old = event->list;
  size_t count = old == NULL ? 0 : old->count;
  if (old != NULL && old->holds == 1 && count + more <= old->room) return 0;
  size_t room = count < 2 ? 2 : (count + more) * 3 / 2;
  struct pl__listener_list *list =
      memory(emitter, NULL, sizeof *list + room * sizeof list->at[0]);
  if (list == NULL) return PL_ENOMEM;
  list->holds = 1;
  list->count = count;
  list->room = room;
  for (size_t i = 0; i < count; i++) {
    list->at[i] = old->at[i];
    list->at[i]->holds++;
  }
  let_go(emitter, old);
  event->list = list;
  return 0;
}

/* -- adding ---------------------------------------------------------------- */

/* Tells those who want to hear of listeners. */
static int tell(struct pl_emitter *emitter, const char *of, const char *name) {
  struct pl__event *event = event_of(emitter, of);
  if (event == NULL) return 0;
  int result = pl_emitter_emit(emitter, of, (void *)(uintptr_t)name);
  return result < 0 || result > 1 ? result : 0;
}

static int add(struct pl_emitter *emitter, struct pl__event *event,
               struct pl__listener *listener, bool first) {
  int error = own_list(emitter, event, 1);
  if (error != 0) return error;
  struct pl__listener_list *list = event->list;
  size_t place = first ? 0 : list->count;
  memmove(&list->at[place + 1], &list->at[place],
          (list->count - place) * sizeof list->at[0]);
  list->at[place] = listener;
  list->count++;
  return 0;
}

static void tell_crowd(struct pl_emitter *emitter, struct pl__event *event) {
  if (emitter->most == 0 || event->crowded ||
      event->list->count <= emitter->most)
    return;
  event->crowded = true;
  if (emitter->crowded != NULL)
    emitter->crowded(emitter, event->name, event->list->count);
}

int pl_emitter_on(struct pl_emitter *emitter, const char *name,
                  pl_listener_fn *fn, void *arg, unsigned flags) {
  int error = tell(emitter, "newListener", name);
  if (error != 0) return error;
  struct pl__event *event = event_of(emitter, name);
  if (event == NULL) event = make_event(emitter, name);
  struct pl__listener *listener = memory(emitter, NULL, sizeof *listener);
  error = event == NULL || listener == NULL ? PL_ENOMEM : 0;
  if (error == 0) {
    *listener = (struct pl__listener){.fn = fn,
                                      .arg = arg,
                                      .holds = 1,
                                      .once = (flags & PL_LISTENER_ONCE) != 0};
    error = add(emitter, event, listener, (flags & PL_LISTENER_PREPEND) != 0);
  }
  if (error == 0) {
    tell_crowd(emitter, event);
    return 0;
  }
  memory(emitter, listener, 0);
  if (event != NULL && event->list == NULL) {
    unlink_event(emitter, event);
    memory(emitter, event, 0);
  }
  return error;
}

/* -- removing ---------------------------------------------------------------
 */

/* Takes one out and tells. The event may be gone then. */
static int remove_at(struct pl_emitter *emitter, struct pl__event *event,
                     size_t place) {
  bool last = event->list->count == 1;
  if (last) {
    let_go(emitter, event->list);
    unlink_event(emitter, event);
  } else {
    int error = own_list(emitter, event, 0);
    if (error != 0) return error;
    struct pl__listener_list *list = event->list;
    struct pl__listener *listener = list->at[place];
    list->count--;
    memmove(&list->at[place], &list->at[place + 1],
            (list->count - place) * sizeof list->at[0]);
    if (--listener->holds == 0) memory(emitter, listener, 0);
  }
  int error = tell(emitter, "removeListener", event->name);
  if (last) memory(emitter, event, 0);
  return error;
}

int pl_emitter_off(struct pl_emitter *emitter, const char *name,
                   pl_listener_fn *fn, void *arg) {
  struct pl__event *event = event_of(emitter, name);
  size_t behind = event == NULL ? 0 : event->list->count;
  while (behind > 0 && (event->list->at[behind - 1]->fn != fn ||
                        event->list->at[behind - 1]->arg != arg))
    behind--;
  if (behind == 0) return 0;
  int error = remove_at(emitter, event, behind - 1);
  return error != 0 ? error : 1;
}

static int off_event(struct pl_emitter *emitter, const char *name) {
  struct pl__event *event;
  int error = 0;
  /* The last one added goes first. */
  while (error == 0 && (event = event_of(emitter, name)) != NULL)
    error = remove_at(emitter, event, event->list->count - 1);
  return error;
}

/* All events but removeListener, which hears of the others and goes last. */
static int off_others(struct pl_emitter *emitter) {
  for (int error = 0; error == 0;) {
    struct pl__event *event = emitter->events;
    while (event != NULL && strcmp(event->name, "removeListener") == 0)
      event = event->next;
    if (event == NULL) return 0;
    error = remove_at(emitter, event, event->list->count - 1);
    if (error != 0) return error;
  }
  return 0;
}

int pl_emitter_off_all(struct pl_emitter *emitter, const char *name) {
  if (name != NULL) return off_event(emitter, name);
  int error = off_others(emitter);
  return error != 0 ? error : off_event(emitter, "removeListener");
}

/* -- emitting ---------------------------------------------------------------
 */

/* This very one, if it is there still. */
static int remove_instance(struct pl_emitter *emitter, const char *name,
                           const struct pl__listener *listener) {
  struct pl__event *event = event_of(emitter, name);
  size_t place = 0;
  if (event == NULL) return 0;
  while (place < event->list->count && event->list->at[place] != listener)
    place++;
  return place < event->list->count ? remove_at(emitter, event, place) : 0;
}

/* One that is to be called once is no listener any more when it is. */
static int call(struct pl_emitter *emitter, const char *name,
                struct pl__listener *listener, void *value) {
  if (listener->once && listener->called) return 0; /* by an emit within */
  if (listener->once) {
    int error = remove_instance(emitter, name, listener);
    if (error != 0) return error;
    listener->called = true;
  }
  return listener->fn(listener->arg, value);
}

int pl_emitter_emit(struct pl_emitter *emitter, const char *name, void *value) {
  struct pl__event *event = event_of(emitter, name);
  if (event == NULL) return strcmp(name, "error") == 0 ? PL_EPROTO : 0;
  struct pl__listener_list *list = event->list;
  int thrown = 0;
  list->holds++;
  for (size_t i = 0; i < list->count && thrown == 0; i++)
    thrown = call(emitter, name, list->at[i], value);
  let_go(emitter, list);
  return thrown != 0 ? thrown : 1;
}

size_t pl_emitter_count(const struct pl_emitter *emitter, const char *name) {
  const struct pl__event *event = event_of(emitter, name);
  return event == NULL ? 0 : event->list->count;
}

const char *pl_emitter_next(const struct pl_emitter *emitter,
                            const char *name) {
  const struct pl__event *event =
      name == NULL ? emitter->events : event_of(emitter, name);
  if (name != NULL && event != NULL) event = event->next;
  return event == NULL ? NULL : event->name;
}

void pl_emitter_init(struct pl_emitter *emitter,
                     const struct pl_allocator *allocator) {
  *emitter = (struct pl_emitter){.most = DEFAULT_MOST};
  emitter->allocator = pl__allocator_or_default(
      allocator != NULL ? allocator : &(struct pl_allocator){0});
}

void pl_emitter_end(struct pl_emitter *emitter) {
  while (emitter->events != NULL) {
    struct pl__event *event = emitter->events;
    let_go(emitter, event->list);
    unlink_event(emitter, event);
    memory(emitter, event, 0);
  }
}
