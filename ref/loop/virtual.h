/* SPDX-License-Identifier: MIT */
/*
 * virtual.h: what the clock and poller (poller_virtual.c) and the pool
 * (pool_virtual.c) of a virtual world share.
 *
 * Invariant: `now` never goes back; the jobs stand in the order of their
 * submission, so those that have begun come first.
 */
#ifndef PLUMB_LOOP_VIRTUAL_H
#define PLUMB_LOOP_VIRTUAL_H

#include "internal.h"
#include "plumb/virtual.h"

/* One request. The times are the earliest that its predecessors allow. */
struct pl__job {
  struct pl_work *work;
  uint64_t number;    /* submissions so far, for its name */
  uint64_t submitted; /* ms */
  uint64_t takes;     /* ms */
  uint64_t begins;    /* ms */
  uint64_t ends;      /* ms */
  bool taken;         /* a thread has begun it */
};

enum { PL__QUESTION = 512, PL__OPTIONS = 256 };

struct pl__world {
  struct pl_poller poller;
  struct pl_pool pool;
  struct pl_virtual_config config;
  struct pl_loop *loop;    /* NULL while it is being made */
  struct pl_poller *ready; /* asks the system; NULL until it is needed */
  uint64_t now;            /* ms */
  uint64_t slack;          /* ms that may still pass unasked */
  uint64_t read, read_before; /* ms, the last two readings of the clock */
  uint32_t polls;          /* loop->polls when a poll phase began last */
  unsigned turns;          /* poll phases since time has moved */

  struct pl__job *jobs; /* not ended */
  size_t count, room;
  size_t taken;       /* of them */
  uint64_t submitted; /* ever */
  uint64_t *free_at;  /* by thread, when those taken will have ended */
  uint64_t *plan;     /* by thread, when all will have ended */

  char question[PL__QUESTION]; /* the one being put */
  size_t length;
  unsigned options;
  int error;                   /* a question with too many options: PL_ENOSPC */
  uint64_t key;                /* of the next option; 0: none */
  uint64_t keys[PL__OPTIONS];  /* of the options so far */
  unsigned meant[PL__OPTIONS]; /* what each of them stands for */
};

/* -- questions (poller_virtual.c) ------------------------------------------ */

/* Begins a question, adds an option that stands for `meant`, asks: the answer
 * is what the chosen option stands for. A question with one option is not put;
 * one without any must not be asked. */
void pl__question(struct pl__world *world, const char *what);
void pl__option(struct pl__world *world, unsigned meant, const char *format,
                ...) __attribute__((format(printf, 3, 4)));
unsigned pl__answer(struct pl__world *world);

/* Whether an option with that key is there already; if not, the next one has
 * it. */
bool pl__is_double(struct pl__world *world, uint64_t key);

/* What an object is called, and its digest. */
const char *pl__label(struct pl__world *world, const void *arg);
uint64_t pl__digest(const struct pl__world *world, const void *arg);

/* -- the pool (pool_virtual.c) --------------------------------------------- */

/* Gives the world its pool, without jobs. 0 or PL_ENOMEM. */
int pl__jobs_init(struct pl__world *world);
void pl__jobs_free(struct pl__world *world);

/* Whether the job at that place can have ended by now. */
bool pl__job_may_end(const struct pl__world *world, size_t place);
/* Whether one has to have ended by now. */
bool pl__jobs_must_end(const struct pl__world *world);
/* Adds an option for each job that may have ended; it stands for the place
 * plus `base`. */
void pl__jobs_options(struct pl__world *world, unsigned base);
/* Ends the job at that place, which may have ended: it runs, and is done. */
void pl__job_end(struct pl__world *world, size_t place);
/* The next time at which a job may, or must, end; UINT64_MAX: none. */
uint64_t pl__jobs_next(const struct pl__world *world);
uint64_t pl__jobs_digest(const struct pl__world *world);

#endif
