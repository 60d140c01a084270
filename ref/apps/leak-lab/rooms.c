/* SPDX-License-Identifier: MIT */
/*
 * rooms.c: connections are members of rooms: one for all, and one of their own.
 * When a connection closes, its rooms do not know.
 *
 * Cure: what closes leaves its rooms, and a room without members goes.
 */
#include <stdlib.h>

#include "lab.h"

enum { OPEN = 20, RECEIVED = 1024, ALL = 0 /* the room for all */ };

struct connection {
  void *received; /* the only slot */
  uint64_t room;  /* its own */
};

struct rooms {
  struct pl_root members; /* a map from a room to a list of connections */
  struct pl_root open;    /* a list of connections */
  uint32_t connection;
};

static int begin(struct lab *lab, void **state) {
  static const char *const names[] = {"received", NULL};
  struct rooms *rooms = calloc(1, sizeof *rooms);
  if (rooms == NULL) return PL_ENOMEM;
  *state = rooms;
  pl_root_add(lab->heap, &rooms->members, NULL);
  pl_root_add(lab->heap, &rooms->open, NULL);
  int err = lab_type(lab, "Connection", names, &rooms->connection);
  if (err == 0) err = lab_map_new(lab, &rooms->members.object);
  if (err == 0) err = lab_list_new(lab, &rooms->open.object);
  return err;
}

static int join(struct lab *lab, struct rooms *rooms, uint64_t room,
                void *const *connection) {
  void **members, *found = lab_map_get(rooms->members.object, room);
  int err = found == NULL ? lab_list_new(lab, &found) : 0;
  if (err == 0) err = lab_handle(lab, found, &members);
  if (err == 0) err = lab_map_set(lab, &rooms->members.object, room, members);
  return err != 0 ? err : lab_list_push(lab, members, connection);
}

static void leave(struct lab *lab, struct rooms *rooms, uint64_t room,
                  const struct connection *connection) {
  void *members = lab_map_get(rooms->members.object, room);
  if (members == NULL) return;
  lab_list_remove(lab, members, connection);
  if (lab_list_count(members) == 0)
    lab_map_delete(lab, rooms->members.object, room);
}

static int accept(struct lab *lab, struct rooms *rooms, uint64_t n,
                  void ***out) {
  void *made;
  int err = lab_text(lab, RECEIVED, n, &made);
  if (err == 0) err = lab_handle(lab, made, out);
  if (err == 0) err = lab_object(lab, rooms->connection, 2, &made);
  if (err != 0) return err;
  lab_write(lab, made, 0, **out);
  ((struct connection *)made)->room = n + 1;
  **out = made;
  return 0;
}

static int turn(struct lab *lab, void *state, uint64_t n) {
  struct rooms *rooms = state;
  void **connection;
  int err = accept(lab, rooms, n, &connection);
  if (err == 0) err = join(lab, rooms, ALL, connection);
  if (err == 0) err = join(lab, rooms, n + 1, connection);
  if (err == 0) err = lab_list_push(lab, &rooms->open.object, connection);
  if (err != 0 || lab_list_count(rooms->open.object) <= OPEN) return err;
  const struct connection *closed = lab_list_shift(lab, rooms->open.object);
  if (lab->cured) {
    leave(lab, rooms, ALL, closed);
    leave(lab, rooms, closed->room, closed);
  }
  return 0;
}

static size_t kept(const void *state) {
  return lab_map_count(((const struct rooms *)state)->members.object);
}

static void end(void *state) {
  if (state == NULL) return;
  pl_root_remove(&((struct rooms *)state)->members);
  pl_root_remove(&((struct rooms *)state)->open);
  free(state);
}

const struct leak leak_rooms = {"rooms", "Connection", begin, turn,
                                kept,    NULL,         end};
