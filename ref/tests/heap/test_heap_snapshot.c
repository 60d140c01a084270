/* SPDX-License-Identifier: MIT */
/*
 * test_heap_snapshot.c: what stands in a snapshot, what it costs, and what is
 * left when it cannot be written. What other readers make of one is the affair
 * of test_snapshot_tools.py, ids that of test_heap_ids.c.
 */
#include "ground.h"
#include "plumb/buffer.h"
#include "plumb/snapshot.h"

#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

struct sink {
  char *bytes;
  size_t length, room, largest;
  long calls, fail_at; /* this call fails; -1: none */
};

static int swallow(void *self, const void *bytes, size_t length) {
  struct sink *sink = self;
  long call = sink->calls++;
  if (sink->fail_at >= 0 && call >= sink->fail_at)
    return (int)-(1000 + (call - sink->fail_at));
  while (sink->length + length > sink->room) {
    sink->room = sink->room == 0 ? 1 << 20 : 2 * sink->room;
    sink->bytes = realloc(sink->bytes, sink->room);
    assert_non_null(sink->bytes);
  }
  memcpy(sink->bytes + sink->length, bytes, length);
  sink->length += length;
  if (length > sink->largest) sink->largest = length;
  return 0;
}

/* A list of pairs, an array, code, a weak handle, an entry of a table, objects
 * that hold bytes. */
struct world {
  struct ground ground;
  struct pl_buffers buffers;
  struct pl_root list, array, buffer;
  struct pl_weak weak, holding;
  struct pl_ephemerons table;
};

static void world_begin(struct world *world, size_t pairs) {
  *world = (struct world){0};
  struct ground *ground = &world->ground;
  ground_begin(ground);
  ground->config.verify = pairs < 10000;
  ground->config.semi_max = ground->config.semi_initial = 256 * KIB;
  assert_int_equal(ground_heap(ground), 0);
  struct pl_heap *heap = ground->heap;
  assert_int_equal(pl_buffers_init(&world->buffers, heap), 0);
  pl_root_add(heap, &world->list, NULL);
  for (size_t i = 0; i < pairs; i++) {
    struct pair *pair = new_pair(ground, i);
    assert_non_null(pair);
    pair->left = world->list.object;
    world->list.object = pair;
  }
  pl_root_add(heap, &world->array, new_array(ground, 4));
  struct array *array = world->array.object;
  pl_heap_write(heap, array, &array->slot[2], world->list.object);
  void *code = pl_heap_allocate_old(heap, ground->code, 100);
  assert_non_null(code);
  array = world->array.object;
  pl_heap_write(heap, array, &array->slot[3], code);
  void *buffer;
  assert_int_equal(
      pl_buffer_new(&world->buffers, 100000, PL_BUFFER_OF_ZEROES, &buffer), 0);
  pl_root_add(heap, &world->buffer, buffer);
  pl_weak_add(heap, &world->weak, world->list.object, NULL, NULL, 0);
  pl_holding_add(heap, &world->holding, world->array.object, NULL, NULL, 333);
  pl_ephemerons_add(heap, &world->table, NULL);
  assert_int_equal(pl_ephemeron_set(heap, &world->table, world->list.object,
                                    world->array.object),
                   0);
}

static void world_end(struct world *world) {
  struct pl_heap *heap = world->ground.heap;
  pl_weak_remove(heap, &world->weak);
  pl_weak_remove(heap, &world->holding);
  pl_ephemerons_remove(heap, &world->table);
  pl_buffers_end(&world->buffers);
  ground_end(&world->ground);
}

/* ---------------------------------------------------------------------- */
/* What stands in one                                                     */

struct view {
  json_t *document, *nodes, *edges, *strings;
};

static struct view view_of(const struct sink *sink) {
  json_error_t error;
  struct view view = {0};
  view.document = json_loadb(sink->bytes, sink->length, 0, &error);
  if (view.document == NULL)
    fail_msg("byte %d: %s", error.position, error.text);
  view.nodes = json_object_get(view.document, "nodes");
  view.edges = json_object_get(view.document, "edges");
  view.strings = json_object_get(view.document, "strings");
  return view;
}

static size_t number_at(json_t *array, size_t i) {
  return (size_t)json_integer_value(json_array_get(array, i));
}

static const char *text_of(const struct view *view, size_t string) {
  return json_string_value(json_array_get(view->strings, string));
}

/* The first node of a name, with the number of its first edge. */
static size_t node_of(const struct view *view, const char *name,
                      size_t *edges) {
  *edges = 0;
  for (size_t i = 0; i < json_array_size(view->nodes) / 7; i++) {
    if (strcmp(text_of(view, number_at(view->nodes, 7 * i + 1)), name) == 0)
      return i;
    *edges += number_at(view->nodes, 7 * i + 4);
  }
  fail_msg("there is no %s", name);
  return 0;
}

/* Whether an edge of that type and name or index leads from one to another. */
static bool leads(const struct view *view, const char *from, const char *to,
                  size_t type, const char *name, size_t index) {
  size_t edge, skip;
  size_t source = node_of(view, from, &edge);
  size_t target = node_of(view, to, &skip);
  size_t end = edge + number_at(view->nodes, 7 * source + 4);
  for (; edge < end; edge++) {
    size_t label = number_at(view->edges, 3 * edge + 1);
    if (number_at(view->edges, 3 * edge) != type ||
        number_at(view->edges, 3 * edge + 2) != 7 * target)
      continue;
    if (name != NULL ? strcmp(text_of(view, label), name) == 0 : label == index)
      return true;
  }
  return false;
}

static void everything_stands_in_a_snapshot_with_its_edges(void **state) {
  (void)state;
  struct world world;
  struct sink sink = {.fail_at = -1};
  struct pl_snapshot_facts facts;
  world_begin(&world, 1);
  assert_int_equal(pl_snapshot_write(world.ground.heap, swallow, &sink, &facts),
                   0);
  struct view view = view_of(&sink);
  assert_int_equal(facts.bytes, sink.length);
  assert_int_equal(facts.nodes, json_array_size(view.nodes) / 7);
  assert_int_equal(facts.edges, json_array_size(view.edges) / 3);
  /* root, roots, four kinds, pair, array, code, buffer, store, two outside */
  assert_int_equal(facts.nodes, 13);
  assert_true(leads(&view, "", "(GC roots)", 1, NULL, 1));
  assert_true(leads(&view, "(GC roots)", "(Weak handles)", 1, NULL, 3));
  assert_true(leads(&view, "(Global handles)", "pair", 1, NULL, 2));
  assert_true(leads(&view, "(Weak handles)", "pair", 6, "weak", 0));
  assert_true(leads(&view, "array", "pair", 1, NULL, 2));
  assert_true(leads(&view, "array", "code", 1, NULL, 3));
  assert_true(leads(&view, "pair", "array", 3, "value of a weak key", 0));
  assert_true(leads(&view, "Buffer", "ArrayBuffer", 4, NULL, 0));
  assert_true(leads(&view, "array", "system / JSArrayBufferData", 3,
                    "backing_store", 0) != leads(&view, "ArrayBuffer",
                                                 "system / JSArrayBufferData",
                                                 3, "backing_store", 0));
  size_t skip, code = node_of(&view, "code", &skip);
  size_t pair = node_of(&view, "pair", &skip);
  assert_int_equal(number_at(view.nodes, 7 * code), 4);
  assert_int_equal(number_at(view.nodes, 7 * pair), 3);
  assert_int_equal(number_at(view.nodes, 7 * pair + 3), 48);
  assert_int_equal(number_at(view.nodes, 7 * 11 + 3) +
                       number_at(view.nodes, 7 * 12 + 3),
                   100333);
  json_decref(view.document);
  free(sink.bytes);
  world_end(&world);
}

static void names_are_escaped_and_what_is_not_utf8_is_replaced(void **state) {
  (void)state;
  static const char *const slots[] = {"left\"\\\n", NULL, "\xe2\x82\xac"};
  const struct pl_heap_type type = {
      .name = "\xf0\x9f\x98\x80 \xc3\xa4\xff\xc0\xaf \xed\xa0\x80\xf4\x90\x80"
              "\x80\xe2\x82",
      .slots = 7,
      .slot_names = slots,
      .name_count = 3};
  struct ground ground;
  struct sink sink = {.fail_at = -1};
  uint32_t number;
  ground_begin(&ground);
  assert_int_equal(ground_heap(&ground), 0);
  assert_int_equal(pl_heap_type_add(ground.heap, &type, &number), 0);
  void **handle =
      pl_handle(ground.heap, pl_heap_allocate(ground.heap, number, 24));
  for (size_t i = 0; i < 3; i++)
    pl_heap_write(ground.heap, *handle, (void **)*handle + i, *handle);
  assert_int_equal(pl_snapshot_write(ground.heap, swallow, &sink, NULL), 0);
  for (size_t i = 0; i < sink.length; i++)
    assert_true((unsigned char)sink.bytes[i] < 0x7f);
  struct view view = view_of(&sink);
  static const char name[] =
      "\xf0\x9f\x98\x80 \xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd "
      "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
      "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd";
  assert_true(leads(&view, name, name, 2, "left\"\\\n", 0));
  assert_true(leads(&view, name, name, 2, "\xe2\x82\xac", 0));
  assert_true(leads(&view, name, name, 4, NULL, 1));
  json_decref(view.document);
  free(sink.bytes);
  ground_end(&ground);
}

static void empty_heap_has_a_snapshot(void **state) {
  (void)state;
  struct ground ground;
  struct sink sink = {.fail_at = -1};
  struct pl_snapshot_facts facts;
  ground_begin(&ground);
  assert_int_equal(ground_heap(&ground), 0);
  assert_int_equal(pl_snapshot_write(ground.heap, swallow, &sink, &facts), 0);
  struct view view = view_of(&sink);
  assert_int_equal(facts.nodes, 6);
  assert_int_equal(facts.edges, 5);
  json_decref(view.document);
  free(sink.bytes);
  ground_end(&ground);
}

/* ---------------------------------------------------------------------- */
/* What it costs                                                          */

static void snapshot_needs_less_than_a_twentieth_of_the_heap(void **state) {
  (void)state;
  struct world world;
  world_begin(&world, 600000);
  struct ground *ground = &world.ground;
  pl_heap_collect(ground->heap, PL_GC_MAJOR);
  for (int i = 0; i < 3; i++) {
    struct pl_heap_stats stats;
    struct sink sink = {.fail_at = -1};
    pl_heap_stats(ground->heap, &stats);
    size_t before = ground->live;
    if (i > 0) pl_snapshot_forget(ground->heap);
    if (i > 0) before = ground->live;
    ground->peak = before;
    assert_int_equal(pl_snapshot_write(ground->heap, swallow, &sink, NULL), 0);
    size_t more = ground->peak - before;
    if (more * 20 >= stats.used)
      fail_msg("%zu bytes beside %zu", more, stats.used);
    assert_true(sink.largest <= 65536);
    free(sink.bytes);
  }
  /* The ids of the one before are there, and are no part of the heap. */
  struct pl_heap_stats stats;
  pl_heap_stats(ground->heap, &stats);
  struct sink sink = {.fail_at = -1};
  size_t before = ground->live;
  ground->peak = before;
  assert_int_equal(pl_snapshot_write(ground->heap, swallow, &sink, NULL), 0);
  assert_true((ground->peak - before) * 20 < stats.used);
  assert_true(ground->live <= before + 64 * KIB);
  assert_true(stats.metadata * 25 < stats.used);
  free(sink.bytes);
  world_end(&world);
}

/* ---------------------------------------------------------------------- */
/* When it cannot be written                                              */

static void check_heap(struct world *world, size_t pairs) {
  struct pl_heap_fault fault;
  assert_int_equal(pl_heap_verify(world->ground.heap, &fault), 0);
  const struct pair *pair = world->list.object;
  for (size_t i = pairs; i-- > 0; pair = pair->left)
    assert_int_equal(pair->number[0], i);
  assert_null(pair);
}

static void refused_memory_is_told_before_anything_is_written(void **state) {
  (void)state;
  for (int all = 0; all < 2; all++)
    for (int again = 0; again < 2; again++) {
      int told = 0;
      bool done = false;
      for (long call = 0; !done; call++) {
        struct world world;
        struct sink sink = {.fail_at = -1};
        world_begin(&world, 3000);
        if (again)
          assert_int_equal(
              pl_snapshot_write(world.ground.heap, swallow, &sink, NULL), 0);
        size_t length = sink.length;
        long before = world.ground.calls;
        world.ground.config.verify = false;
        world.ground.refuse_at = before + call;
        world.ground.refuse_all = all;
        int error = pl_snapshot_write(world.ground.heap, swallow, &sink, NULL);
        done = world.ground.calls <= before + call;
        world.ground.refuse_at = -1;
        if (error != 0) {
          told++;
          assert_int_equal(error, PL_ENOMEM);
          assert_int_equal(sink.length, length);
        }
        check_heap(&world, 3000);
        assert_int_equal(
            pl_snapshot_write(world.ground.heap, swallow, &sink, NULL), 0);
        free(sink.bytes);
        world_end(&world);
      }
      assert_true(told > 10);
    }
}

static void first_error_of_the_writer_ends_it_and_is_told(void **state) {
  (void)state;
  struct world world;
  world_begin(&world, 9000);
  struct sink whole = {.fail_at = -1};
  assert_int_equal(pl_snapshot_write(world.ground.heap, swallow, &whole, NULL),
                   0);
  assert_true(whole.calls > 4);
  for (long call = 0; call < whole.calls; call++) {
    struct pl_snapshot_facts facts = {.nodes = 77};
    struct sink sink = {.fail_at = call};
    assert_int_equal(
        pl_snapshot_write(world.ground.heap, swallow, &sink, &facts), -1000);
    assert_int_equal(sink.calls, call + 1);
    assert_int_equal(facts.nodes, 77);
    free(sink.bytes);
  }
  check_heap(&world, 9000);
  free(whole.bytes);
  world_end(&world);
}

static void full_disk_is_an_error(void **state) {
  (void)state;
  struct world world;
  int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
  if (fd < 0) skip();
  world_begin(&world, 3000);
  assert_int_equal(pl_snapshot_write_fd(world.ground.heap, fd, NULL),
                   PL_ENOSPC);
  check_heap(&world, 3000);
  close(fd);
  world_end(&world);
}

struct reader {
  int fd;
  size_t bytes;
};

/* Slowly, and not much at a time. */
static void *read_slowly(void *arg) {
  struct reader *reader = arg;
  char some[9001];
  ssize_t got;
  while ((got = read(reader->fd, some, sizeof some)) != 0) {
    if (got < 0) continue; /* a signal */
    reader->bytes += (size_t)got;
    usleep(50);
  }
  return NULL;
}

static void nothing(int number) {
  (void)number;
}

static void short_writes_and_signals_are_gone_on_after(void **state) {
  (void)state;
  struct world world;
  struct reader reader = {0};
  struct pl_snapshot_facts facts;
  int ends[2];
  pthread_t thread;
  world_begin(&world, 9000);
  assert_int_equal(pipe(ends), 0);
  reader.fd = ends[0];
  sigset_t alarm;
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  pthread_sigmask(SIG_BLOCK, &alarm, NULL);
  assert_int_equal(pthread_create(&thread, NULL, read_slowly, &reader), 0);
  pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);
  struct sigaction action = {.sa_handler = nothing}; /* without SA_RESTART */
  struct itimerval often = {{0, 700}, {0, 700}}, never = {0};
  sigaction(SIGALRM, &action, NULL);
  setitimer(ITIMER_REAL, &often, NULL);
  int error = pl_snapshot_write_fd(world.ground.heap, ends[1], &facts);
  setitimer(ITIMER_REAL, &never, NULL);
  close(ends[1]);
  pthread_join(thread, NULL);
  close(ends[0]);
  assert_int_equal(error, 0);
  assert_int_equal(reader.bytes, facts.bytes);
  world_end(&world);
}

/* A directory of its own, with how many entries it has. */
static void make_folder(char *name) {
  strcpy(name, "plumb-snapshot-XXXXXX");
  assert_non_null(mkdtemp(name));
}

static size_t entries_of(const char *folder) {
  DIR *directory = opendir(folder);
  size_t count = 0;
  assert_non_null(directory);
  while (readdir(directory) != NULL)
    count++;
  closedir(directory);
  return count - 2;
}

static void saved_file_is_whole_and_for_its_owner_alone(void **state) {
  (void)state;
  struct world world;
  struct pl_snapshot_facts facts;
  struct stat stat_of;
  char folder[64], path[128];
  world_begin(&world, 100);
  make_folder(folder);
  snprintf(path, sizeof path, "%s/a.heapsnapshot", folder);
  assert_int_equal(pl_snapshot_save(world.ground.heap, path, NULL), 0);
  assert_int_equal(pl_snapshot_save(world.ground.heap, path, &facts), 0);
  assert_int_equal(stat(path, &stat_of), 0);
  assert_int_equal(stat_of.st_mode & 0777, 0600);
  assert_int_equal(stat_of.st_size, facts.bytes);
  assert_int_equal(entries_of(folder), 1);
  unlink(path);
  rmdir(folder);
  world_end(&world);
}

/* Fails as a full disk does, in the middle. */
static void file_that_cannot_be_completed_is_not_there(void **state) {
  (void)state;
  struct world world;
  char folder[64], path[128], none[160], word[8] = "";
  world_begin(&world, 9000);
  make_folder(folder);
  snprintf(path, sizeof path, "%s/a.heapsnapshot", folder);
  snprintf(none, sizeof none, "%s/none/a.heapsnapshot", folder);
  FILE *old = fopen(path, "w");
  assert_non_null(old);
  fputs("old", old);
  fclose(old);
  struct rlimit limit, small;
  getrlimit(RLIMIT_FSIZE, &limit);
  small = limit;
  small.rlim_cur = 100000;
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  int error = pl_snapshot_save(world.ground.heap, path, NULL);
  setrlimit(RLIMIT_FSIZE, &limit);
  assert_int_equal(error, PL_EFBIG);
  assert_int_equal(entries_of(folder), 1);
  assert_int_equal(pl_snapshot_save(world.ground.heap, none, NULL), PL_ENOENT);
  assert_int_equal(pl_snapshot_save(world.ground.heap, folder, NULL),
                   PL_EISDIR);
  assert_int_equal(entries_of(folder), 1);
  old = fopen(path, "r");
  assert_non_null(fgets(word, sizeof word, old));
  assert_string_equal(word, "old");
  fclose(old);
  char *long_name = malloc(5000);
  memset(long_name, 'a', 4999);
  long_name[4999] = 0;
  assert_int_equal(pl_snapshot_save(world.ground.heap, long_name, NULL),
                   PL_ENAMETOOLONG);
  free(long_name);
  unlink(path);
  rmdir(folder);
  world_end(&world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(everything_stands_in_a_snapshot_with_its_edges),
      cmocka_unit_test(names_are_escaped_and_what_is_not_utf8_is_replaced),
      cmocka_unit_test(empty_heap_has_a_snapshot),
      cmocka_unit_test(snapshot_needs_less_than_a_twentieth_of_the_heap),
      cmocka_unit_test(refused_memory_is_told_before_anything_is_written),
      cmocka_unit_test(first_error_of_the_writer_ends_it_and_is_told),
      cmocka_unit_test(full_disk_is_an_error),
      cmocka_unit_test(short_writes_and_signals_are_gone_on_after),
      cmocka_unit_test(saved_file_is_whole_and_for_its_owner_alone),
      cmocka_unit_test(file_that_cannot_be_completed_is_not_there),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
