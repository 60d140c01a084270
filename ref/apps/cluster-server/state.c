/* SPDX-License-Identifier: MIT */
/*
 * state.c: requests on a moving heap.
 *
 * Invariant: no raw reference is held over an allocation: what is being built
 * hangs on a handle or a root, and is read from there again.
 */
#include "state.h"

#include <plumb/loop.h>

enum server_slot { SERVER_RECENT, SERVER_ROUTES, SERVER_NEXT, SERVER_WORDS };
enum request_slot {
  REQUEST_METHOD,
  REQUEST_URL,
  REQUEST_HEADERS,
  REQUEST_BODY,
  REQUEST_ROUTE,
  REQUEST_STATUS,
  REQUEST_MICROSECONDS,
  REQUEST_WORDS
};
enum route_slot { ROUTE_PATH, ROUTE_COUNT, ROUTE_WORDS };
enum header_slot { HEADER_NAME, HEADER_VALUE, HEADER_WORDS };

static const char *const server_slots[] = {"recent", "routes", "next"};
static const char *const request_slots[] = {
    "method", "url", "headers", "body", "route", "status", "microseconds"};
static const char *const route_slots[] = {"path", "count"};
static const char *const header_slots[] = {"name", "value"};

/* Small numbers stand in slots as odd words, which the heap leaves alone. */
static void *number(uint64_t value) {
  return (void *)(uintptr_t)(value << 1 | 1);
}

static uint64_t number_of(const void *slot) {
  return (uint64_t)(uintptr_t)slot >> 1;
}

static int add_type(struct state *state, const char *name,
                    const char *const *names, uint32_t count, uint32_t *out) {
  struct pl_heap_type type = {.name = name,
                              .slot_names = names,
                              .name_count = count,
                              .slots = (UINT64_C(1) << count) - 1,
                              .home = PL_SPACE_NEW};
  return pl_heap_type_add(state->heap, &type, out);
}

static int add_types(struct state *state) {
  static const struct pl_heap_type list = {
      .name = "Array", .array = true, .home = PL_SPACE_NEW};
  static const struct pl_heap_type text = {.name = "Text",
                                           .home = PL_SPACE_NEW};
  int err = pl_heap_type_add(state->heap, &list, &state->list_type);
  if (!err) err = pl_heap_type_add(state->heap, &text, &state->text_type);
  if (!err)
    err = add_type(state, "Server", server_slots, SERVER_WORDS,
                   &state->server_type);
  if (!err)
    err = add_type(state, "Request", request_slots, REQUEST_WORDS,
                   &state->request_type);
  if (!err)
    err =
        add_type(state, "Route", route_slots, ROUTE_WORDS, &state->route_type);
  if (!err)
    err = add_type(state, "Header", header_slots, HEADER_WORDS,
                   &state->header_type);
  return err;
}

/* Makes an object and puts it into a slot of what a place holds. NULL: no
 * memory. */
static void **made(struct state *state, void **of, size_t slot, uint32_t type,
                   size_t words) {
  void *object = pl_heap_allocate(state->heap, type, words * sizeof(void *));
  if (!object) return NULL;
  void **owner = *of;
  pl_heap_write(state->heap, owner, &owner[slot], object);
  return object;
}

int state_open(struct state *state, size_t old_max) {
  struct pl_heap_config config = {.old_max = old_max};
  *state = (struct state){0};
  int err = pl_heap_create(&config, &state->heap);
  if (err) return err;
  err = add_types(state);
  void *server = err ? NULL
                     : pl_heap_allocate(state->heap, state->server_type,
                                        SERVER_WORDS * sizeof(void *));
  if (server) {
    pl_root_add(state->heap, &state->server, server);
    void **at = &state->server.object;
    if (made(state, at, SERVER_RECENT, state->list_type, STATE_RECENT) &&
        made(state, at, SERVER_ROUTES, state->list_type, STATE_ROUTES)) {
      ((void **)*at)[SERVER_NEXT] = number(0);
      return 0;
    }
    pl_root_remove(&state->server);
  }
  pl_heap_destroy(state->heap);
  return err ? err : PL_ENOMEM;
}

void state_close(struct state *state) {
  pl_root_remove(&state->server);
  pl_heap_destroy(state->heap);
}

/* -- texts ----------------------------------------------------------------- */

/* A text is its length and its bytes, as many as are kept. */
static bool set_text(struct state *state, void **of, size_t slot,
                     const char *bytes, size_t length) {
  size_t kept = length < STATE_TEXT_MOST ? length : STATE_TEXT_MOST;
  uint64_t *text =
      pl_heap_allocate(state->heap, state->text_type, sizeof *text + kept);
  if (!text) return false;
  text[0] = length;
  if (kept) memcpy(text + 1, bytes, kept);
  void **owner = *of;
  pl_heap_write(state->heap, owner, &owner[slot], text);
  return true;
}

static bool text_is(const uint64_t *text, const char *bytes, size_t length) {
  return text[0] == length && memcmp(text + 1, bytes, length) == 0;
}

/* -- routes ---------------------------------------------------------------- */

static uint64_t hash_of(const char *bytes, size_t length) {
  uint64_t hash = UINT64_C(14695981039346656037);
  for (size_t i = 0; i < length; i++)
    hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(1099511628211);
  return hash ^ hash >> 32;
}

/* The route of a path, made when it is new; NULL when the table is full, or
 * memory is. */
static void **route_of(struct state *state, const char *url) {
  size_t length = strcspn(url, "?#");
  if (length > 1024) length = 1024;
  size_t place = hash_of(url, length) % STATE_ROUTES;
  for (;; place = (place + 1) % STATE_ROUTES) {
    void **routes = ((void ***)state->server.object)[SERVER_ROUTES];
    void **route = routes[place];
    if (!route) break;
    if (text_is(route[ROUTE_PATH], url, length)) return route;
  }
  if (state->routes >= STATE_ROUTES * 3 / 4) return NULL;
  struct pl_scope scope;
  pl_scope_open(state->heap, &scope);
  void **made_here =
      pl_handle(state->heap, pl_heap_allocate(state->heap, state->route_type,
                                              ROUTE_WORDS * sizeof(void *)));
  void **route = NULL;
  if (made_here && *made_here &&
      set_text(state, made_here, ROUTE_PATH, url, length)) {
    route = *made_here;
    route[ROUTE_COUNT] = number(0);
    void **routes = ((void ***)state->server.object)[SERVER_ROUTES];
    pl_heap_write(state->heap, routes, &routes[place], route);
    state->routes++;
  }
  pl_scope_close(state->heap, &scope);
  return route;
}

/* -- a request ------------------------------------------------------------- */

static bool add_headers(struct state *state, void **request,
                        const struct http_exchange *exchange) {
  size_t count = exchange->header_count;
  if (!made(state, request, REQUEST_HEADERS, state->list_type,
            count ? count : 1))
    return false;
  struct pl_scope scope;
  pl_scope_open(state->heap, &scope);
  void **list = pl_handle(state->heap, ((void **)*request)[REQUEST_HEADERS]);
  void **header = pl_handle(state->heap, NULL);
  bool done = list && header;
  for (size_t n = 0; done && n < count; n++) {
    const struct http_header *from = &exchange->headers[n];
    *header = made(state, list, n, state->header_type, HEADER_WORDS);
    done =
        *header &&
        set_text(state, header, HEADER_NAME, from->name, strlen(from->name)) &&
        set_text(state, header, HEADER_VALUE, from->value, strlen(from->value));
  }
  pl_scope_close(state->heap, &scope);
  return done;
}

static bool fill(struct state *state, void **request,
                 const struct http_exchange *exchange) {
  if (!set_text(state, request, REQUEST_METHOD, exchange->method,
                strlen(exchange->method)) ||
      !set_text(state, request, REQUEST_URL, exchange->url,
                strlen(exchange->url)) ||
      !set_text(state, request, REQUEST_BODY, exchange->body,
                exchange->body_length) ||
      !add_headers(state, request, exchange))
    return false;
  void **route = route_of(state, exchange->url);
  void **object = *request;
  if (route) {
    route[ROUTE_COUNT] = number(number_of(route[ROUTE_COUNT]) + 1);
    pl_heap_write(state->heap, object, &object[REQUEST_ROUTE], route);
  }
  object[REQUEST_STATUS] = object[REQUEST_MICROSECONDS] = number(0);
  return true;
}

void state_begin(struct state *state, struct pl_root *root,
                 const struct http_exchange *exchange) {
  state->requests++;
  pl_root_add(state->heap, root, NULL);
  root->object = pl_heap_allocate(state->heap, state->request_type,
                                  REQUEST_WORDS * sizeof(void *));
  if (root->object && fill(state, &root->object, exchange)) return;
  root->object = NULL;
  state->forgotten++;
}

void state_end(struct state *state, struct pl_root *root, int status,
               uint64_t microseconds) {
  void **request = root->object;
  pl_root_remove(root);
  if (!request) return;
  void **server = state->server.object;
  void **recent = server[SERVER_RECENT];
  size_t next = number_of(server[SERVER_NEXT]);
  request[REQUEST_STATUS] = number((uint64_t)status);
  request[REQUEST_MICROSECONDS] = number(microseconds);
  pl_heap_write(state->heap, recent, &recent[next], request);
  server[SERVER_NEXT] = number((next + 1) % STATE_RECENT);
}
