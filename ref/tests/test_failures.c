/* SPDX-License-Identifier: MIT */
/*
 * test_failures.c: every allocation and every descriptor that the loop asks
 * for is refused once.
 *
 * Invariant: a refusal leaves no memory and no descriptor behind, and the same
 * call succeeds when it is repeated.
 */
#include "world.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int count_descriptors(void) {
  DIR *dir = opendir("/proc/self/fd");
  assert_non_null(dir);
  int count = 0;
  while (readdir(dir) != NULL)
    count++;
  closedir(dir);
  return count;
}

/* The allocator of failing tests: a world without a loop. */
static struct world memory = {.until_fail = -1};

static int init_loop(struct pl_loop *loop, struct pl_poller *poller) {
  struct pl_loop_config config = {.allocator = world_allocator(&memory),
                                  .poller = poller};
  return pl_loop_init(loop, &config);
}

static void every_refused_allocation_of_a_new_loop_is_reported(void **unused) {
  (void)unused;
  struct pl_loop *loop = malloc(pl_loop_size());
  int refused = 0;
  for (;; refused++) {
    memory.until_fail = refused;
    int error = init_loop(loop, NULL);
    if (error == 0) break;
    assert_int_equal(error, PL_ENOMEM);
    assert_int_equal(memory.blocks, 0);
  }
  assert_true(refused >= 1);
  memory.until_fail = -1;
  assert_int_equal(pl_loop_close(loop), 0);
  assert_int_equal(memory.blocks, 0);
  free(loop);
}

typedef int create_fn(const struct pl_allocator *, struct pl_poller **);

static void check_allocations(create_fn *create, int needed) {
  struct pl_allocator allocator = world_allocator(&memory);
  int refused = 0;
  for (;; refused++) {
    struct pl_poller *poller = NULL;
    memory.until_fail = refused;
    int error = create(&allocator, &poller);
    memory.until_fail = -1;
    if (error == 0) {
      poller->ops->destroy(poller);
      break;
    }
    assert_int_equal(error, PL_ENOMEM);
    assert_null(poller);
    assert_int_equal(memory.blocks, 0);
  }
  assert_int_equal(refused, needed);
  assert_int_equal(memory.blocks, 0);
}

/* Whether the build has it and the kernel allows it. */
static bool has_uring(void) {
  struct pl_poller *poller = NULL;
  if (pl_poller_uring_create(NULL, &poller) != 0) return false;
  poller->ops->destroy(poller);
  return true;
}

static void every_refused_allocation_of_a_poller_is_reported(void **unused) {
  (void)unused;
  check_allocations(pl_poller_epoll_create, 1);
  check_allocations(pl_poller_poll_create, 3);
  if (has_uring()) check_allocations(pl_poller_uring_create, 1);
}

/* Of the table of descriptors, the list of those to be asked for again, and
 * the buffers of streams: refused, then tried again. */
static void a_ring_s_refused_tables_can_be_made_later(void **unused) {
  (void)unused;
  if (!has_uring()) skip();
  struct pl_allocator allocator = world_allocator(&memory);
  struct pl_poller *poller = NULL;
  int ends[2];
  assert_int_equal(pl_poller_uring_create(&allocator, &poller), 0);
  const struct pl_poller_ops *ops = poller->ops;
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  for (int refused = 0; refused < 2; refused++) {
    memory.until_fail = refused;
    assert_int_equal(ops->modify(poller, ends[0], 0, PL_WRITABLE, 7),
                     PL_ENOMEM);
  }
  memory.until_fail = 0;
  assert_int_equal(ops->receive(poller, ends[1], 8, 1), PL_ENOMEM);
  memory.until_fail = -1;
  assert_int_equal(ops->modify(poller, ends[0], 0, PL_WRITABLE, 7), 0);
  memory.until_fail = 0;
  assert_int_equal(ops->receive(poller, ends[1], 8, 1), PL_ENOMEM);
  memory.until_fail = -1;
  assert_int_equal(ops->receive(poller, ends[1], 8, 1), 0);
  struct pl_ready ready[4];
  assert_int_equal(ops->wait(poller, ready, 4, 0), 1);
  assert_int_equal(ready[0].token, 7);
  assert_int_equal(ops->modify(poller, ends[0], PL_WRITABLE, 0, 7), 0);
  assert_int_equal(write(ends[0], "x", 1), 1);
  assert_int_equal(ops->wait(poller, ready, 4, -1), 1);
  assert_int_equal(ready[0].token, 8);
  assert_int_equal(ready[0].result, 1);
  ops->destroy(poller);
  assert_int_equal(memory.blocks, 0);
  close(ends[0]);
  close(ends[1]);
}

/* Lets the process open `more` more descriptors. */
static struct rlimit limit_descriptors(rlim_t more) {
  struct rlimit before;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
  assert_true(next >= 0);
  close(next);
  struct rlimit limit = before;
  limit.rlim_cur = (rlim_t)next + more;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
  return before;
}

static void check_descriptors(create_fn *create, rlim_t needed) {
  struct pl_allocator allocator = world_allocator(&memory);
  int before = count_descriptors();
  for (rlim_t more = 0; more <= needed; more++) {
    struct pl_poller *poller = NULL;
    struct rlimit limit = limit_descriptors(more);
    int error = create(&allocator, &poller);
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_int_equal(error, more < needed ? PL_EMFILE : 0);
    if (error == 0) poller->ops->destroy(poller);
    assert_int_equal(count_descriptors(), before);
    assert_int_equal(memory.blocks, 0);
  }
}

static void every_refused_descriptor_of_a_poller_is_reported(void **unused) {
  (void)unused;
  check_descriptors(pl_poller_epoll_create, 2);
  check_descriptors(pl_poller_poll_create, 2);
  if (has_uring()) check_descriptors(pl_poller_uring_create, 2);
}

static void a_loop_that_asks_for_a_ring_has_one_or_the_default(void **unused) {
  (void)unused;
  struct pl_loop *loop = malloc(pl_loop_size());
  struct pl_loop_config config = {.choice = PL_POLLER_URING};
  assert_int_equal(pl_loop_init(loop, &config), 0);
  assert_string_equal(pl_loop_poller_name(loop),
                      has_uring() ? "io_uring" : "epoll");
  assert_int_equal(pl_loop_close(loop), 0);
  assert_int_equal(pl_loop_init(loop, NULL), 0);
  assert_string_equal(pl_loop_poller_name(loop), "epoll");
  assert_int_equal(pl_loop_close(loop), 0);
  free(loop);
}

static void a_failed_init_leaves_the_poller_to_the_caller(void **unused) {
  (void)unused;
  struct pl_loop *loop = malloc(pl_loop_size());
  struct rlimit limit = limit_descriptors(1);
  assert_int_equal(init_loop(loop, NULL), PL_EMFILE);
  setrlimit(RLIMIT_NOFILE, &limit);
  assert_int_equal(memory.blocks, 0);
  free(loop);
}

static void a_refused_timeout_can_be_started_later(void **unused) {
  (void)unused;
  for (int refused = 0; refused < 3; refused++) {
    struct world *world = world_begin();
    struct act *timeout = act_timeout(world, "t", NULL);
    world->until_fail = refused; /* the map, the heap, the slab of lists */
    assert_int_equal(pl_timeout_start(&timeout->as.timeout, 5, 0), PL_ENOMEM);
    assert_int_equal(pl_object_is_active(timeout), 0);
    assert_int_equal(pl_loop_alive(world->loop), 0);
    world->until_fail = -1;
    assert_int_equal(pl_timeout_start(&timeout->as.timeout, 5, 0), 0);
    expect_run(world, PL_LOOP_DEFAULT, 0);
    expect_trace(world, "t");
    world_end(world);
  }
}

static void many_durations_survive_a_shortage_of_memory(void **unused) {
  (void)unused;
  enum { COUNT = 300 };
  struct world *world = world_begin();
  struct pl_timeout *timeouts = calloc(COUNT, sizeof *timeouts);
  int started = 0, refused = 0;
  for (int i = 0; i < COUNT; i++) {
    pl_timeout_init(world->loop, &timeouts[i], NULL, NULL);
    world->until_fail = i % 2 == 0 ? 0 : -1;
    if (pl_timeout_start(&timeouts[i], i + 1, 0) == 0)
      started++;
    else
      refused++;
  }
  world->until_fail = -1;
  assert_true(started > COUNT / 2);
  assert_true(refused > 3);
  assert_int_equal(world->loop->timeouts.lists, started);
  for (int i = 0; i < COUNT; i++)
    pl_timeout_clear(&timeouts[i]);
  assert_int_equal(world->loop->timeouts.lists, 0);
  free(timeouts);
  world_end(world);
}

static void clear_sibling_and_exhaust_memory(struct act *self) {
  struct world *world = self->world;
  if (self->calls == 1) {
    pl_timeout_clear(&act_find(self, "sibling")->as.timeout);
    world->until_fail = 0;
  } else {
    world->until_fail = -1;
    pl_timeout_clear(&self->as.timeout);
  }
}

static void an_interval_needs_no_memory_to_go_on(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *interval =
      act_timeout(world, "i", clear_sibling_and_exhaust_memory);
  pl_timeout_start(&interval->as.timeout, 10, 1);
  soon_timeout(world, 10, "sibling", NULL);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "i i");
  world_end(world);
}

static void a_refused_table_of_descriptors_can_be_made_later(void **unused) {
  (void)unused;
  struct world *world = world_begin();
  struct act *poll = act_poll(world, "poll", NULL);
  world->until_fail = 0;
  assert_int_equal(pl_poll_start(&poll->as.poll, 3, PL_READABLE), PL_ENOMEM);
  world->until_fail = -1;
  assert_int_equal(pl_poll_start(&poll->as.poll, 3, PL_READABLE), 0);
  world_end(world);
}

static void nothing(void *arg) {
  (void)arg;
}

static void a_refused_pool_can_be_made_later(void **unused) {
  (void)unused;
  struct world *world = world_begin_pool(1);
  struct act *work = act_work(world, "w", NULL);
  world->until_fail = 0;
  assert_int_equal(pl_work_submit(&work->as.work, nothing), PL_ENOMEM);
  assert_int_equal(pl_loop_alive(world->loop), 0);
  world->until_fail = -1;
  assert_int_equal(pl_work_submit(&work->as.work, nothing), 0);
  expect_run(world, PL_LOOP_DEFAULT, 0);
  expect_trace(world, "w");
  world_end(world);
}

static void
every_refusal_of_a_signal_handle_leaves_nothing_behind(void **unused) {
  (void)unused;
  struct pl_poller *poller = NULL;
  assert_int_equal(pl_poller_epoll_create(NULL, &poller), 0);
  struct world *world = world_begin_real(poller);
  struct act *signal = act_signal(world, "s", NULL);
  struct pl_signal *handle = &signal->as.signal;
  int before = count_descriptors();
  for (long refused = 0; refused < 2; refused++) { /* the state, the table */
    world->until_fail = refused;
    assert_int_equal(pl_signal_start(handle, SIGUSR1), PL_ENOMEM);
    world->until_fail = -1;
    assert_int_equal(count_descriptors(), before);
  }
  for (rlim_t more = 0; more < 2; more++) {
    struct rlimit limit = limit_descriptors(more);
    assert_int_equal(pl_signal_start(handle, SIGUSR1), PL_EMFILE);
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_int_equal(count_descriptors(), before);
  }
  assert_int_equal(pl_signal_start(handle, SIGUSR1), 0);
  raise(SIGUSR1);
  expect_run(world, PL_LOOP_NOWAIT, 1);
  expect_trace(world, "s");
  world_end(world);
}

static void errors_have_names_and_texts(void **unused) {
  (void)unused;
  assert_string_equal(pl_error_name(PL_ENOENT), "ENOENT");
  assert_string_equal(pl_error_name(-ECANCELED), "ECANCELED");
  assert_string_equal(pl_error_name(-12345), "UNKNOWN");
  assert_string_equal(pl_error_text(PL_EBUSY), "resource busy");
  assert_string_equal(pl_error_text(7), "unknown error");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_refused_allocation_of_a_new_loop_is_reported),
      cmocka_unit_test(every_refused_allocation_of_a_poller_is_reported),
      cmocka_unit_test(a_ring_s_refused_tables_can_be_made_later),
      cmocka_unit_test(every_refused_descriptor_of_a_poller_is_reported),
      cmocka_unit_test(a_loop_that_asks_for_a_ring_has_one_or_the_default),
      cmocka_unit_test(a_failed_init_leaves_the_poller_to_the_caller),
      cmocka_unit_test(a_refused_timeout_can_be_started_later),
      cmocka_unit_test(many_durations_survive_a_shortage_of_memory),
      cmocka_unit_test(an_interval_needs_no_memory_to_go_on),
      cmocka_unit_test(a_refused_table_of_descriptors_can_be_made_later),
      cmocka_unit_test(a_refused_pool_can_be_made_later),
      cmocka_unit_test(every_refusal_of_a_signal_handle_leaves_nothing_behind),
      cmocka_unit_test(errors_have_names_and_texts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
