/* SPDX-License-Identifier: MIT */
/*
 * heap_buffers.c: buffers over a provider's buffer table.
 *
 * Invariant: bytes are read and written where pl_buffer_facts says they are,
 * at once, since a collection may free them and never moves them.
 */
#include "heap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool facts_of(struct heap_run *run, json_t *args, const char *key,
                     struct pl_buffer_facts *facts) {
  void *root = heap_root(run, args, key);
  if (root) run->buffers->facts(run->heap, root, facts);
  return root != NULL;
}

/* Makes the thing of what an operation made, or tells its error. */
static struct thing *settle(struct heap_run *run, json_t *args,
                            enum thing_kind kind, int err, void *root) {
  const char *error =
      err == -ERANGE || err == -EINVAL
          ? (err == -ERANGE ? "!ERR_OUT_OF_RANGE" : "!TypeError")
          : "!ERR_MEMORY_ALLOCATION_FAILED";
  struct thing *thing = NULL;
  if (err == 0 && json_object_get(args, "id"))
    thing = heap_thing(run, args, kind, root);
  else if (err == 0)
    run->table->drop(run->heap, root);
  else if (!json_object_get(args, "log"))
    heap_fail(run, "%s", strerror(-err));
  heap_tell_text(run, args, err == 0 ? "ok" : error);
  return thing;
}

/* A length that the caller gave; false for what is none. */
static bool length_of(struct heap_run *run, json_t *value, size_t *length) {
  if (!json_is_integer(value)) {
    if (json_is_string(value) &&
        strcmp(json_string_value(value), "max+1") == 0) {
      *length = run->buffers->max_length() + 1;
      return true;
    }
    return false;
  }
  *length = (size_t)json_integer_value(value);
  return json_integer_value(value) >= 0;
}

static void op_alloc(struct heap_run *run, json_t *args) {
  const char *how = heap_text(args, "how", "alloc");
  size_t length = 0;
  void *root = NULL;
  int err = -ERANGE;
  if (length_of(run, json_object_get(args, "length"), &length))
    err = run->buffers->alloc(run->heap, length,
                              strcmp(how, "alloc") == 0    ? PL_BUFFER_ZEROED
                              : strcmp(how, "unsafe") == 0 ? PL_BUFFER_UNSAFE
                                                           : PL_BUFFER_SLOW,
                              &root);
  json_t *fill = json_object_get(args, "fill");
  if (err == 0 && json_is_integer(fill)) {
    struct pl_buffer_facts facts;
    run->buffers->facts(run->heap, root, &facts);
    if (facts.length)
      memset(facts.bytes, (int)(json_integer_value(fill) & 255), facts.length);
  }
  settle(run, args, THING_BUFFER, err, root);
}

static void op_store(struct heap_run *run, json_t *args) {
  void *root = NULL;
  int err = run->buffers->alloc(run->heap, heap_size(args, "length", 0),
                                PL_BUFFER_ZEROED, &root);
  settle(run, args, THING_STORE, err, root);
}

/* The bytes of a list of numbers, or of a text repeated; NULL: no memory. */
static unsigned char *content_of(json_t *args, size_t *length) {
  json_t *list = json_object_get(args, "list");
  const char *text = heap_text(args, "text", "");
  size_t size = strlen(text), times = heap_size(args, "repeat", 1);
  *length = list ? json_array_size(list) : size * times;
  unsigned char *bytes = malloc(*length + 1);
  if (!bytes) return NULL;
  size_t i;
  json_t *number;
  json_array_foreach(list, i, number) bytes[i] =
      (unsigned char)(json_integer_value(number) & 255);
  for (i = 0; !list && i < times; i++)
    memcpy(bytes + i * size, text, size);
  return bytes;
}

static void op_from(struct heap_run *run, json_t *args) {
  void *root = NULL;
  int err;
  if (json_object_get(args, "of")) {
    struct pl_buffer_facts facts;
    if (!facts_of(run, args, "of", &facts)) return;
    err = run->buffers->from(run->heap, facts.bytes, facts.length, &root);
  } else {
    size_t length;
    unsigned char *bytes = content_of(args, &length);
    err = bytes ? run->buffers->from(run->heap, bytes, length, &root) : -ENOMEM;
    free(bytes);
  }
  settle(run, args, THING_BUFFER, err, root);
}

static void op_view(struct heap_run *run, json_t *args) {
  struct pl_buffer_facts facts;
  if (!facts_of(run, args, "of", &facts)) return;
  size_t offset = 0, length = PL_BUFFER_TO_END;
  json_t *start = json_object_get(args, "offset");
  json_t *count = json_object_get(args, "length");
  void *root = NULL;
  int err = 0;
  if ((start && !length_of(run, start, &offset)) ||
      (count && !length_of(run, count, &length)))
    err = -ERANGE;
  if (err == 0)
    err = run->buffers->view(run->heap, heap_root(run, args, "of"), offset,
                             length, &root);
  settle(run, args, THING_BUFFER, err, root);
}

/* An end of a slice: from the back when it is negative, cut to the length. */
static size_t end_of(json_t *value, size_t length, size_t otherwise) {
  if (!value) return otherwise;
  json_int_t at = json_integer_value(value);
  if (at < 0) at += (json_int_t)length;
  if (at < 0) return 0;
  return (size_t)at < length ? (size_t)at : length;
}

static void op_slice(struct heap_run *run, json_t *args) {
  struct pl_buffer_facts facts;
  if (!facts_of(run, args, "of", &facts)) return;
  const char *how = heap_text(args, "how", "");
  bool store = strcmp(how, "store-slice") == 0;
  size_t whole = store ? facts.store_length : facts.length;
  size_t from = end_of(json_object_get(args, "from"), whole, 0);
  size_t to = end_of(json_object_get(args, "to"), whole, whole);
  if (to < from) to = from;
  void *root = NULL;
  int err;
  if (store || strcmp(how, "typed-slice") == 0) {
    err = run->buffers->alloc(run->heap, to - from, PL_BUFFER_SLOW, &root);
    struct pl_buffer_facts copy;
    if (err == 0 && facts_of(run, args, "of", &facts)) {
      run->buffers->facts(run->heap, root, &copy);
      const unsigned char *start = facts.bytes - (store ? facts.offset : 0);
      if (to > from) memcpy(copy.bytes, start + from, to - from);
    }
  } else {
    err = run->buffers->view(run->heap, heap_root(run, args, "of"),
                             facts.offset + from, to - from, &root);
  }
  settle(run, args, THING_BUFFER, err, root);
}

static void op_concat(struct heap_run *run, json_t *args) {
  struct pl_buffer_facts one, two = {0};
  if (!facts_of(run, args, "of", &one)) return;
  if (json_object_get(args, "and") && !facts_of(run, args, "and", &two)) return;
  size_t both = one.length + two.length;
  size_t length = heap_size(args, "length", both);
  unsigned char *bytes = calloc(1, (both > length ? both : length) + 1);
  void *root = NULL;
  int err = -ENOMEM;
  if (bytes) {
    if (one.length) memcpy(bytes, one.bytes, one.length);
    if (two.length) memcpy(bytes + one.length, two.bytes, two.length);
    err = run->buffers->from(run->heap, bytes, length, &root);
  }
  free(bytes);
  settle(run, args, THING_BUFFER, err, root);
}

static void op_copy(struct heap_run *run, json_t *args) {
  struct pl_buffer_facts from, into;
  if (!facts_of(run, args, "of", &from) || !facts_of(run, args, "into", &into))
    return;
  size_t at = heap_size(args, "at", 0), first = heap_size(args, "from", 0);
  size_t last = heap_size(args, "to", from.length);
  if (last > from.length) last = from.length;
  size_t count = first < last ? last - first : 0;
  size_t room = at < into.length ? into.length - at : 0;
  if (count > room) count = room;
  if (count) memmove(into.bytes + at, from.bytes + first, count);
  heap_tell_size(run, args, (long long)count);
}

static void op_fill(struct heap_run *run, json_t *args) {
  struct pl_buffer_facts facts;
  if (!facts_of(run, args, "of", &facts)) return;
  size_t from = heap_size(args, "from", 0);
  size_t to = heap_size(args, "to", facts.length);
  if (to > facts.length) to = facts.length;
  json_int_t value = json_integer_value(json_object_get(args, "value"));
  if (from < to) memset(facts.bytes + from, (int)(value & 255), to - from);
}

static void op_set(struct heap_run *run, json_t *args) {
  struct pl_buffer_facts facts;
  if (!facts_of(run, args, "of", &facts)) return;
  json_int_t at = json_integer_value(json_object_get(args, "at"));
  json_t *number = json_object_get(args, "value");
  long long value = (long long)json_number_value(number);
  if (at >= 0 && (size_t)at < facts.length)
    facts.bytes[at] = (unsigned char)(value & 255);
}

static void op_read(struct heap_run *run, json_t *args) {
  struct pl_buffer_facts facts;
  if (!facts_of(run, args, "of", &facts)) return;
  json_int_t at = json_integer_value(json_object_get(args, "at"));
  if (at >= 0 && (size_t)at < facts.length)
    heap_tell_size(run, args, facts.bytes[at]);
  else
    heap_tell(run, args, json_null());
}

static void op_bytes(struct heap_run *run, json_t *args) {
  struct pl_buffer_facts facts;
  if (!facts_of(run, args, "of", &facts)) return;
  char text[65] = "";
  for (size_t i = 0; i < facts.length && i < 32; i++)
    snprintf(text + 2 * i, 3, "%02x", facts.bytes[i]);
  heap_tell_text(run, args, text);
}

static void op_show(struct heap_run *run, json_t *args) {
  struct pl_buffer_facts facts;
  if (!facts_of(run, args, "of", &facts)) return;
  const char *what = heap_text(args, "what", "");
  if (strcmp(what, "length") == 0) {
    heap_tell_size(run, args, (long long)facts.length);
  } else if (strcmp(what, "offset") == 0) {
    heap_tell_size(run, args, (long long)facts.offset);
  } else if (strcmp(what, "store-length") == 0) {
    heap_tell_size(run, args, (long long)facts.store_length);
  } else if (strcmp(what, "zero") == 0) {
    bool zero = true;
    for (size_t i = 0; i < facts.length; i++)
      zero &= facts.bytes[i] == 0;
    heap_tell_bool(run, args, zero);
  } else {
    heap_tell_bool(
        run, args,
        (strcmp(what, "pooled") == 0 ? facts.pooled : facts.detached) != 0);
  }
}

static void op_same_store(struct heap_run *run, json_t *args) {
  struct pl_buffer_facts one, two;
  if (facts_of(run, args, "of", &one) && facts_of(run, args, "as", &two))
    heap_tell_bool(run, args, one.store && one.store == two.store);
}

static void op_transfer(struct heap_run *run, json_t *args) {
  void *of = heap_root(run, args, "of");
  if (!of) return;
  void *root = NULL;
  int err = run->buffers->transfer(
      run->heap, of, heap_size(args, "length", PL_BUFFER_TO_END), &root);
  settle(run, args, THING_BUFFER, err, root);
}

static void op_pool_size(struct heap_run *run, json_t *args) {
  if (json_object_get(args, "bytes"))
    run->buffers->set_pool_size(run->heap, heap_size(args, "bytes", 0));
  heap_tell_size(run, args, (long long)run->buffers->pool_size(run->heap));
}

/* Takes small buffers until one comes from another store. */
static void op_fresh_pool(struct heap_run *run, json_t *args) {
  (void)args;
  size_t pool = run->buffers->pool_size(run->heap);
  const void *before = NULL;
  for (size_t i = 0; i <= 2 * (pool / 8) && !run->failed; i++) {
    void *root;
    struct pl_buffer_facts facts;
    if (run->buffers->alloc(run->heap, 8, PL_BUFFER_UNSAFE, &root) != 0) {
      heap_fail(run, "buffer.fresh-pool: out of memory");
      return;
    }
    run->buffers->facts(run->heap, root, &facts);
    run->table->drop(run->heap, root);
    if (!facts.pooled) return; /* there is no pool */
    if (before && facts.offset + 16 > facts.store_length) return;
    before = facts.store;
  }
}

const struct heap_operation heap_buffer_operations[] = {
    {"buffer.alloc", HEAP_STORE,
     "id:x? length:v how:alloc|unsafe|slow? fill:v? log:s?", op_alloc},
    {"buffer.store", HEAP_STORE, "id:x length:n kind:plain|plain? most:n?",
     op_store},
    {"buffer.from", HEAP_STORE,
     "id:x? text:s? repeat:n? encoding:utf8|latin1? list:l? of:r? typed:b? "
     "log:s?",
     op_from},
    {"buffer.view", HEAP_STORE, "id:x? of:r offset:v? length:v? log:s?",
     op_view},
    {"buffer.slice", HEAP_STORE,
     "id:x of:r how:slice|subarray|typed-slice|store-slice from:v? to:v?",
     op_slice},
    {"buffer.concat", HEAP_STORE, "id:x of:r and:r? length:n?", op_concat},
    {"buffer.copy", HEAP_STORE, "of:r into:r at:n? from:n? to:n? log:s?",
     op_copy},
    {"buffer.fill", HEAP_STORE, "of:r value:i from:n? to:n?", op_fill},
    {"buffer.set", HEAP_STORE, "of:r at:i value:d", op_set},
    {"buffer.get", HEAP_STORE, "of:r at:i log:s", op_read},
    {"buffer.bytes", HEAP_STORE, "of:r log:s", op_bytes},
    {"buffer.show", HEAP_STORE,
     "of:r what:length|offset|store-length|zero|pooled|detached log:s",
     op_show},
    {"buffer.same-store", HEAP_STORE, "of:r as:r log:s", op_same_store},
    {"buffer.transfer", HEAP_STORE_TRANSFER,
     "id:x? of:r how:method|fixed length:n? log:s?", op_transfer},
    {"buffer.pool-size", HEAP_POOL, "bytes:n? log:s?", op_pool_size},
    {"buffer.fresh-pool", HEAP_POOL, "none:x?", op_fresh_pool},
    {0}};
