/* SPDX-License-Identifier: MIT */
/*
 * test_threads_real_time.c: wake-ups from many threads and the thread pool.
 *
 * Invariant: real threads and real time; no assertion depends on how fast the
 * machine is, only on what must have happened in the end or on an order that
 * blocking enforces.
 */
#include "world.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

static void sleep_ms(long ms) {
  struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  while (nanosleep(&left, &left) != 0)
    continue;
}

/* -- async ------------------------------------------------------------------
 */

enum { SENDERS = 4, SENDS = 20000, HANDLES = 8 };

struct mailbox {
  struct pl_async async;
  atomic_long posted;
  long seen;
};

struct sender {
  pthread_t thread;
  struct mailbox *boxes;
  unsigned seed;
};

static void *send_many(void *arg) {
  struct sender *sender = arg;
  for (int i = 0; i < SENDS; i++) {
    sender->seed = sender->seed * 1103515245u + 12345u;
    struct mailbox *box = &sender->boxes[(sender->seed >> 16) % HANDLES];
    atomic_fetch_add_explicit(&box->posted, 1, memory_order_relaxed);
    pl_async_send(&box->async);
    if (i % 512 == 0) sleep_ms(1);
  }
  return NULL;
}

static void collect_mail(void *arg, int status) {
  (void)status;
  struct mailbox *box = arg;
  box->seen = atomic_load_explicit(&box->posted, memory_order_relaxed);
}

static long total_seen(const struct mailbox *boxes) {
  long total = 0;
  for (int i = 0; i < HANDLES; i++)
    total += boxes[i].seen;
  return total;
}

static void no_send_of_many_threads_is_lost(void **state) {
  struct world *world = world_begin_real(world_poller(state));
  struct mailbox boxes[HANDLES] = {0};
  struct sender senders[SENDERS];
  for (int i = 0; i < HANDLES; i++)
    pl_async_init(world->loop, &boxes[i].async, collect_mail, &boxes[i]);
  for (unsigned i = 0; i < SENDERS; i++) {
    senders[i] = (struct sender){.boxes = boxes, .seed = i};
    pthread_create(&senders[i].thread, NULL, send_many, &senders[i]);
  }
  /* A lost wake-up would leave this asleep for ever. */
  while (total_seen(boxes) < (long)SENDERS * SENDS)
    expect_run(world, PL_LOOP_ONCE, 1);
  for (int i = 0; i < SENDERS; i++)
    pthread_join(senders[i].thread, NULL);
  for (int i = 0; i < HANDLES; i++)
    pl_handle_close(&boxes[i].async, NULL);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  world_end(world);
}

static void *send_storm(void *arg) {
  struct sender *sender = arg;
  for (int i = 0; i < SENDS; i++)
    pl_async_send(&sender->boxes[i % 2].async);
  return NULL;
}

static void
handles_close_under_a_storm_of_sends_to_their_neighbours(void **state) {
  struct world *world = world_begin_real(world_poller(state));
  struct mailbox stormed[2] = {0};
  pthread_t thread;
  for (int i = 0; i < 2; i++)
    pl_async_init(world->loop, &stormed[i].async, collect_mail, &stormed[i]);
  struct sender sender = {.boxes = stormed};
  pthread_create(&thread, NULL, send_storm, &sender);
  for (int round = 0; round < 2000; round++) {
    struct mailbox box = {0};
    pl_async_init(world->loop, &box.async, collect_mail, &box);
    pl_async_send(&box.async);
    assert_int_equal(pl_handle_close(&box.async, NULL), 0);
    expect_run(world, PL_LOOP_NOWAIT, 1);
    assert_int_equal(box.seen, 0);
  }
  pthread_join(thread, NULL);
  for (int i = 0; i < 2; i++)
    pl_handle_close(&stormed[i].async, NULL);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  world_end(world);
}

static atomic_bool sender_left;

static void *leave_late(void *arg) {
  struct act *act = arg;
  sleep_ms(30);
  atomic_store(&sender_left, true);
  atomic_fetch_sub(&act->as.async.senders, 1);
  return NULL;
}

/* A thread inside pl_async_send() still has to wake the loop: until it is out,
 * close does not return, and the storage stays. */
static void close_waits_for_a_sender_that_is_still_inside(void **state) {
  struct world *world = world_begin_real(world_poller(state));
  struct act *act = act_async(world, "a", NULL);
  pthread_t thread;
  atomic_store(&sender_left, false);
  atomic_fetch_add(&act->as.async.senders, 1);
  pthread_create(&thread, NULL, leave_late, act);
  act_close(act);
  assert_true(sender_left);
  pthread_join(thread, NULL);
  world->trace[0] = '\0';
  world_end(world);
}

/* -- pool -------------------------------------------------------------------
 */

/* A job that tells when it has begun, and lasts until it is let go. */
static struct {
  atomic_bool inside, open;
} guest;

static void stay_inside(void *arg) {
  (void)arg;
  atomic_store(&guest.inside, true);
  while (!atomic_load(&guest.open))
    sleep_ms(1);
}

static void nothing(void *arg) {
  (void)arg;
}

static void one_thread_works_first_come_first_served(void **unused) {
  (void)unused;
  struct world *world = world_begin_pool(1);
  const char *const labels[] = {"a", "b", "c", "d", "e", "f"};
  for (int i = 0; i < 6; i++)
    pl_work_submit(&act_work(world, labels[i], NULL)->as.work, nothing);
  assert_int_equal(pl_loop_alive(world->loop), 1);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "a b c d e f");
  world_end(world);
}

static void
cancelled_jobs_report_in_order_before_the_running_one(void **unused) {
  (void)unused;
  struct world *world = world_begin_pool(1);
  struct act *a = act_work(world, "a", NULL);
  struct act *b = act_work(world, "b", NULL);
  struct act *c = act_stat(world, "c", NULL);
  struct act *d = act_work(world, "d", NULL);
  struct act *e = act_work(world, "e", NULL);
  atomic_store(&guest.inside, false);
  atomic_store(&guest.open, false);
  pl_work_submit(&a->as.work, stay_inside);
  while (!atomic_load(&guest.inside))
    sleep_ms(1);
  pl_work_submit(&b->as.work, nothing);
  assert_int_equal(pl_stat_submit(&c->as.stat, "/"), 0);
  pl_work_submit(&d->as.work, nothing);
  assert_int_equal(pl_work_submit(&d->as.work, nothing), PL_EBUSY);
  assert_int_equal(pl_stat_submit(&c->as.stat, "/"), PL_EBUSY);
  assert_int_equal(pl_work_cancel(a), PL_EBUSY);
  assert_int_equal(pl_work_cancel(d), 0);
  assert_int_equal(pl_work_cancel(c), 0);
  assert_int_equal(pl_work_cancel(c), PL_EBUSY);
  assert_int_equal(pl_work_cancel(e), PL_EBUSY);
  expect_run(world, PL_LOOP_ONCE, 1);
  expect_trace(world, "d c"); /* while the thread is at work on the first */
  atomic_store(&guest.open, true);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "a b");
  assert_int_equal(a->status, 0);
  assert_int_equal(c->status, PL_ECANCELED);
  assert_int_equal(d->status, PL_ECANCELED);
  assert_int_equal(pl_work_cancel(a), PL_EBUSY);
  world_end(world);
}

static void submit_again(struct act *self) {
  if (self->calls < 4) pl_work_submit(&self->as.work, nothing);
}

static void a_job_can_be_submitted_again_from_its_own_callback(void **unused) {
  (void)unused;
  struct world *world = world_begin_pool(4);
  pl_work_submit(&act_work(world, "w", submit_again)->as.work, nothing);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "w w w w");
  world_end(world);
}

struct meeting {
  pthread_barrier_t barrier;
  atomic_int present, most;
  struct pl_work work[21];
};

static void attend(void *arg) {
  struct meeting *meeting = arg;
  int now = atomic_fetch_add(&meeting->present, 1) + 1;
  int most = atomic_load(&meeting->most);
  while (now > most &&
         !atomic_compare_exchange_weak(&meeting->most, &most, now))
    continue;
  pthread_barrier_wait(&meeting->barrier);
  atomic_fetch_sub(&meeting->present, 1);
}

static void ignore(void *arg, int status) {
  (void)arg;
  assert_int_equal(status, 0);
}

static void submit_meeting(struct world *world, struct meeting *meeting,
                           unsigned jobs) {
  for (unsigned i = 0; i < jobs; i++) {
    pl_work_init(world->loop, &meeting->work[i], ignore, meeting);
    assert_int_equal(pl_work_submit(&meeting->work[i], attend), 0);
  }
}

/* Only if `threads` threads run at a time do they all get past the barrier. */
static void check_pool_size(unsigned option, unsigned threads) {
  struct world *world = world_begin_pool(option);
  struct meeting meeting = {0};
  pthread_barrier_init(&meeting.barrier, NULL, threads);
  submit_meeting(world, &meeting, threads * 3);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  assert_int_equal(meeting.most, threads);
  pthread_barrier_destroy(&meeting.barrier);
  world_end(world);
}

static void the_pool_has_as_many_threads_as_asked_for_or_four(void **unused) {
  (void)unused;
  check_pool_size(0, 4);
  check_pool_size(1, 1);
  check_pool_size(7, 7);
}

static void stat_reports_what_stat_says(void **unused) {
  (void)unused;
  struct world *world = world_begin_pool(1);
  struct act *root = act_stat(world, "root", NULL);
  struct act *missing = act_stat(world, "missing", NULL);
  struct act *no_directory = act_stat(world, "not-a-directory", NULL);
  pl_stat_submit(&root->as.stat, "/");
  pl_stat_submit(&missing->as.stat, "/no/such/file");
  pl_stat_submit(&no_directory->as.stat, "/dev/null/x");
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "root missing not-a-directory");
  assert_int_equal(root->status, 0);
  assert_true(S_ISDIR(root->as.stat.result.st_mode));
  assert_int_equal(missing->status, PL_ENOENT);
  assert_int_equal(no_directory->status, PL_ENOTDIR);
  world_end(world);
}

enum { QUICK = 32 };

static void init_quick(struct world *world, struct pl_work *quick) {
  for (int i = 0; i < QUICK; i++)
    pl_work_init(world->loop, &quick[i], ignore, NULL);
}

static void submit_quick(struct pl_work *quick, int count) {
  for (int i = 0; i < count; i++)
    assert_int_equal(pl_work_submit(&quick[i], nothing), 0);
}

/* A pool that has just been busy with short jobs, where some thread watches and
 * some may still wait awake, runs long ones at the same time nevertheless. */
static void long_jobs_behind_short_ones_run_at_the_same_time(void **unused) {
  (void)unused;
  struct world *world = world_begin_pool(4);
  struct meeting meeting = {0};
  struct pl_work quick[QUICK];
  pthread_barrier_init(&meeting.barrier, NULL, 4);
  init_quick(world, quick);
  for (int round = 0; round < 200; round++) {
    submit_quick(quick, 1 + round % QUICK);
    submit_meeting(world, &meeting, 4);
    expect_run(world, PL_LOOP_DEFAULT, 0);
  }
  assert_int_equal(meeting.most, 4);
  pthread_barrier_destroy(&meeting.barrier);
  world_end(world);
}

/* The same while the loop's thread does not come to its poll phase. */
static void long_jobs_start_while_the_loop_is_busy(void **unused) {
  (void)unused;
  struct world *world = world_begin_pool(3);
  struct meeting meeting = {0};
  struct pl_work quick[QUICK];
  pthread_barrier_init(&meeting.barrier, NULL, 4);
  init_quick(world, quick);
  for (int round = 0; round < 50; round++) {
    submit_quick(quick, 8);
    expect_run(world, PL_LOOP_DEFAULT, 0);
    submit_meeting(world, &meeting, 3);
    pthread_barrier_wait(&meeting.barrier); /* with the three of them */
    expect_run(world, PL_LOOP_DEFAULT, 0);
  }
  pthread_barrier_destroy(&meeting.barrier);
  world_end(world);
}

enum { SHORT_JOBS = 63 };

struct crowd {
  struct pl_work gates[2], slow, quick[SHORT_JOBS];
  atomic_bool open;
  atomic_int quick_ran;
};

static void wait_at_gate(void *arg) {
  struct crowd *crowd = arg;
  while (!atomic_load(&crowd->open))
    sleep_ms(1);
}

/* Holds up one thread until the crowd is let in. */
static void hold_up(struct world *world, struct crowd *crowd, int gate) {
  pl_work_init(world->loop, &crowd->gates[gate], ignore, crowd);
  pl_work_submit(&crowd->gates[gate], wait_at_gate);
}

enum { MANY_JOBS = 2500 };

struct order {
  int ran;
  int seen[MANY_JOBS];
  struct numbered {
    struct pl_work work;
    struct order *order;
    int number;
  } jobs[MANY_JOBS];
};

static void note_number(void *arg) {
  struct numbered *job = arg;
  job->order->seen[job->order->ran++] = job->number;
}

static void take_any_status(void *arg, int status) {
  (void)arg;
  assert_true(status == 0 || status == PL_ECANCELED);
}

/* More jobs than the ring holds, in front of a thread that is held up: some
 * of the ring and some of the rest are cancelled, the others keep order. */
static void more_jobs_than_fit_keep_their_order(void **unused) {
  (void)unused;
  struct world *world = world_begin_pool(1);
  struct crowd crowd = {0};
  struct order *order = calloc(1, sizeof *order);
  assert_non_null(order);
  hold_up(world, &crowd, 0);
  for (int i = 0; i < MANY_JOBS; i++) {
    struct numbered *job = &order->jobs[i];
    job->order = order;
    job->number = i;
    pl_work_init(world->loop, &job->work, take_any_status, job);
    assert_int_equal(pl_work_submit(&job->work, note_number), 0);
  }
  for (int i = 0; i < MANY_JOBS; i += 10)
    assert_int_equal(pl_work_cancel(&order->jobs[i].work), 0);
  atomic_store(&crowd.open, true);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  assert_int_equal(order->ran, MANY_JOBS - MANY_JOBS / 10);
  for (int i = 1; i < order->ran; i++)
    assert_true(order->seen[i - 1] < order->seen[i]);
  free(order);
  world_end(world);
}

/* All that were spilled are cancelled again; the ring is used again. */
static void what_did_not_fit_can_be_cancelled_to_the_last(void **unused) {
  (void)unused;
  struct world *world = world_begin_pool(1);
  struct crowd crowd = {0};
  struct order *order = calloc(1, sizeof *order);
  assert_non_null(order);
  hold_up(world, &crowd, 0);
  for (int i = 0; i < MANY_JOBS; i++) {
    order->jobs[i].order = order;
    pl_work_init(world->loop, &order->jobs[i].work, take_any_status, NULL);
    pl_work_submit(&order->jobs[i].work, nothing);
  }
  for (int i = 0; i < MANY_JOBS; i++)
    assert_int_equal(pl_work_cancel(&order->jobs[i].work), 0);
  atomic_store(&crowd.open, true);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  assert_int_equal(order->ran, 0);
  free(order);
  world_end(world);
}

static void wait_for_the_quick(void *arg) {
  struct crowd *crowd = arg;
  while (atomic_load(&crowd->quick_ran) < SHORT_JOBS)
    sleep_ms(1);
}

static void be_quick(void *arg) {
  atomic_fetch_add(&((struct crowd *)arg)->quick_ran, 1);
}

/* A thread takes the slow job and quick ones together. The slow one ends only
 * after all the quick ones: the other thread must have taken them over. */
static void quick_jobs_do_not_wait_behind_a_slow_one(void **unused) {
  (void)unused;
  struct world *world = world_begin_pool(2);
  struct crowd crowd = {0};
  for (int i = 0; i < 2; i++)
    hold_up(world, &crowd, i);
  pl_work_init(world->loop, &crowd.slow, ignore, &crowd);
  pl_work_submit(&crowd.slow, wait_for_the_quick);
  for (int i = 0; i < SHORT_JOBS; i++) {
    pl_work_init(world->loop, &crowd.quick[i], ignore, &crowd);
    pl_work_submit(&crowd.quick[i], be_quick);
  }
  atomic_store(&crowd.open, true);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  assert_int_equal(crowd.quick_ran, SHORT_JOBS);
  world_end(world);
}

enum { JOBS = 20000 };

struct flood {
  struct pl_loop *loop;
  struct pl_work work[64];
  long submitted, done, cancelled;
  atomic_long ran;
  unsigned seed;
};

static void flood_job(void *arg) {
  struct flood *flood = arg;
  atomic_fetch_add_explicit(&flood->ran, 1, memory_order_relaxed);
}

static void flood_done(void *arg, int status) {
  struct flood *flood = arg;
  flood->done++;
  if (status == PL_ECANCELED) flood->cancelled++;
}

/* Keeps random requests under way and cancels random ones: whatever the
 * interleaving, each request reports exactly once. */
static void a_full_pool_loses_no_job(void **unused) {
  (void)unused;
  struct world *world = world_begin_pool(3);
  struct flood flood = {.loop = world->loop};
  for (int i = 0; i < 64; i++)
    pl_work_init(world->loop, &flood.work[i], flood_done, &flood);
  while (flood.submitted < JOBS) {
    flood.seed = flood.seed * 1103515245u + 12345u;
    struct pl_work *work = &flood.work[(flood.seed >> 16) % 64];
    if (pl_work_submit(work, flood_job) == 0) flood.submitted++;
    if ((flood.seed >> 8) % 5 == 0)
      pl_work_cancel(&flood.work[(flood.seed >> 24) % 64]);
    if ((flood.seed >> 4) % 16 == 0) {
      int alive = pl_loop_run(world->loop, PL_LOOP_NOWAIT);
      assert_true(alive == 0 || alive == 1);
    }
  }
  expect_run(world, PL_LOOP_DEFAULT, 0);
  assert_int_equal(flood.done, flood.submitted);
  assert_int_equal(flood.ran + flood.cancelled, flood.submitted);
  world_end(world);
}

static long times_slept(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_nvcsw;
}

static void long_nap(void *arg) {
  (void)arg;
  sleep_ms(300);
}

/* Who watches over a long job does not look after it every millisecond. */
static void threads_without_work_stay_asleep(void **unused) {
  (void)unused;
  struct world *world = world_begin_pool(4);
  long before = times_slept();
  for (int i = 0; i < 3; i++)
    pl_work_submit(&act_work(world, "quick", NULL)->as.work, nothing);
  pl_work_submit(&act_work(world, "long", NULL)->as.work, long_nap);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  assert_in_range(times_slept() - before, 1, 100);
  world_end(world);
}

static void a_finished_job_is_reported_in_the_first_poll(void **unused) {
  (void)unused;
  struct world *world = world_begin_pool(1);
  pl_work_submit(&act_work(world, "w1", NULL)->as.work, nothing);
  pl_work_submit(&act_work(world, "w2", NULL)->as.work, nothing);
  soon_immediate(world, "immediate", NULL);
  soon_timer(world, 1, "timer", NULL);
  do
    sleep_ms(5); /* also for the timer, which is due then */
  while (world->loop->done == NULL || world->loop->done->below == NULL);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "timer w1 w2 immediate");
  world_end(world);
}

int main(void) {
  void *const epoll = (void *)pl_poller_epoll_create;
  void *const poll = (void *)pl_poller_poll_create;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_prestate(no_send_of_many_threads_is_lost, epoll),
      cmocka_unit_test_prestate(no_send_of_many_threads_is_lost, poll),
      cmocka_unit_test_prestate(
          handles_close_under_a_storm_of_sends_to_their_neighbours, epoll),
      cmocka_unit_test_prestate(
          handles_close_under_a_storm_of_sends_to_their_neighbours, poll),
      cmocka_unit_test_prestate(close_waits_for_a_sender_that_is_still_inside,
                                epoll),
      cmocka_unit_test(one_thread_works_first_come_first_served),
      cmocka_unit_test(cancelled_jobs_report_in_order_before_the_running_one),
      cmocka_unit_test(a_job_can_be_submitted_again_from_its_own_callback),
      cmocka_unit_test(the_pool_has_as_many_threads_as_asked_for_or_four),
      cmocka_unit_test(long_jobs_behind_short_ones_run_at_the_same_time),
      cmocka_unit_test(long_jobs_start_while_the_loop_is_busy),
      cmocka_unit_test(more_jobs_than_fit_keep_their_order),
      cmocka_unit_test(what_did_not_fit_can_be_cancelled_to_the_last),
      cmocka_unit_test(stat_reports_what_stat_says),
      cmocka_unit_test(quick_jobs_do_not_wait_behind_a_slow_one),
      cmocka_unit_test(a_full_pool_loses_no_job),
      cmocka_unit_test(threads_without_work_stay_asleep),
      cmocka_unit_test(a_finished_job_is_reported_in_the_first_poll),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
