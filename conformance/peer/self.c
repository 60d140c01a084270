/* SPDX-License-Identifier: MIT */
/*
 * The peer as a process: what it is given, how it ends, what it starts.
 *
 * Invariant: a child gets the channel as descriptor 3 and no descriptor of
 * the peer's but the first three; the command that starts an implementation's
 * child comes from its adapter, by PLUMB_SELF, a JSON list of words.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peer.h"

/* ---- bytes --------------------------------------------------------------- */

static char *from_hex(struct peer *peer, const char *hex, size_t *length) {
  size_t digits = strlen(hex);
  char *bytes = malloc(digits / 2 + 1);
  if (bytes == NULL) abort();
  *length = 0;
  for (size_t i = 0; i + 1 < digits + 1 && hex[i] != '\0';) {
    unsigned byte;
    if (hex[i] == ' ') {
      i++;
      continue;
    }
    if (sscanf(hex + i, "%2x", &byte) != 1) fail(peer, "no hex: ", hex);
    bytes[(*length)++] = (char)byte;
    i += 2;
  }
  return bytes;
}

char *as_hex(const char *bytes, size_t length) {
  char *text = malloc(length * 2 + 1);
  if (text == NULL) abort();
  text[0] = '\0';
  for (size_t i = 0; i < length; i++)
    snprintf(text + 2 * i, 3, "%02x", (unsigned char)bytes[i]);
  return text;
}

char *payload(struct peer *peer, const json_t *argument, size_t *length) {
  const char *text = text_of(argument, "text");
  const json_t *json = json_object_get(argument, "json");
  char *bytes = NULL;
  if (text_of(argument, "hex") != NULL)
    return from_hex(peer, text_of(argument, "hex"), length);
  if (json != NULL) {
    char *dumped = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
    *length = strlen(dumped) + 1;
    bytes = malloc(*length + 1);
    if (bytes == NULL) abort();
    snprintf(bytes, *length + 1, "%s\n", dumped);
    free(dumped);
    return bytes;
  }
  if (text != NULL) {
    *length = strlen(text);
    return strdup(text);
  }
  *length = (size_t)number_of(argument, "bytes", 0);
  bytes = malloc(*length + 1);
  if (bytes == NULL) abort();
  memset(bytes, 'x', *length);
  return bytes;
}

/* ---- what it is given ---------------------------------------------------- */

static json_t *open_descriptors(void) {
  char text[256] = "";
  for (int fd = 0, at = 0; fd < 10; fd++)
    if (fcntl(fd, F_GETFD) >= 0)
      at +=
          snprintf(text + at, sizeof text - (size_t)at, at ? " %d" : "%d", fd);
  return json_string(text);
}

static json_t *arguments(void) {
  char bytes[4096], text[4096];
  size_t at = 0, used = 0;
  int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
  ssize_t length = read(fd, bytes, sizeof bytes - 1);
  close(fd);
  text[0] = '\0';
  while (length > 0 && at < (size_t)length) {
    size_t word = strlen(bytes + at);
    if (at > 0) /* its own name comes first */
      used +=
          (size_t)snprintf(text + used, sizeof text - used, "[%s]", bytes + at);
    at += word + 1;
  }
  return json_string(text);
}

static json_t *directory(void) {
  char path[4096];
  if (getcwd(path, sizeof path) == NULL) return json_string("none");
  const char *slash = strrchr(path, '/');
  return json_string(slash[1] != '\0' ? slash + 1 : "/");
}

static void about(struct peer *peer, const json_t *value) {
  const char *what = text_of(value, "what"), *label = text_of(value, "log");
  if (strncmp(what, "env:", 4) == 0) {
    const char *text = getenv(what + 4);
    record(peer, label, text != NULL ? json_string(text) : json_null());
  } else if (strcmp(what, "fds") == 0) {
    record(peer, label, open_descriptors());
  } else if (strcmp(what, "args") == 0) {
    record(peer, label, arguments());
  } else if (strcmp(what, "directory") == 0) {
    record(peer, label, directory());
  } else if (strcmp(what, "own-session") == 0) {
    record(peer, label, json_boolean(getsid(0) == getpid()));
  } else if (strcmp(what, "own-group") == 0) {
    record(peer, label, json_boolean(getpgrp() == getpid()));
  } else if (strcmp(what, "channel") == 0) {
    record(peer, label, json_integer(peer->wire));
  } else if (strcmp(what, "channel-blocking") == 0) {
    record(peer, label,
           json_boolean((fcntl(peer->wire, F_GETFL) & O_NONBLOCK) == 0));
  } else if (strcmp(what, "user") == 0) {
    record(peer, label, json_integer((json_int_t)getuid()));
  } else {
    fail(peer, "nothing to tell about: ", what);
  }
}

/* ---- its standard streams ------------------------------------------------ */

static void say(struct peer *peer, const json_t *value) {
  size_t length;
  char *bytes = payload(peer, value, &length);
  int error = write_all((int)number_of(value, "to", 1), bytes, length);
  if (text_of(value, "log") != NULL)
    record_text(peer, text_of(value, "log"), error ? error_name(error) : "ok");
  free(bytes);
}

static void hear(struct peer *peer, const json_t *value) {
  char text[2001];
  size_t have = 0;
  int fd = (int)number_of(value, "from", 0);
  size_t wanted = (size_t)number_of(value, "count", 2000);
  long deadline = now_ms() + PATIENCE_MS;
  while (have < wanted && have < sizeof text - 1) {
    if (!await(fd, POLLIN, deadline)) {
      record_text(peer, text_of(value, "log"), "nothing");
      return;
    }
    ssize_t count = read(fd, text + have, 1);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count <= 0) break;
    have++;
  }
  text[have] = '\0';
  record_text(peer, text_of(value, "log"), text);
}

/* ---- its end, and its children ------------------------------------------- */

static int signal_number(struct peer *peer, const char *name) {
  for (int number = 1; number < NSIG; number++) {
    const char *known = sigabbrev_np(number);
    if (known != NULL && strncmp(name, "SIG", 3) == 0 &&
        strcmp(name + 3, known) == 0)
      return number;
  }
  fail(peer, "no signal: ", name);
}

static void raise_own(struct peer *peer, const char *name) {
  int number = signal_number(peer, name);
  signal(number, SIG_DFL);
  raise(number);
}

/* Waits until something ends it; an hour-long wait is cut by LIFETIME_S. */
static void wait_for_end(void) {
  for (;;)
    pause();
}

static struct child *child_of(struct peer *peer, const char *name) {
  for (size_t i = 0; name != NULL && i < peer->child_count; i++)
    if (strcmp(peer->children[i].name, name) == 0) return &peer->children[i];
  fail(peer, "no child of that name: ", name != NULL ? name : "");
}

/* In the child: becomes the implementation. */
_Noreturn static void become(struct peer *peer, const json_t *value, int end,
                             json_t *self) {
  char *words[32] = {0};
  for (size_t i = 0; i < json_array_size(self) && i < 31; i++)
    words[i] = (char *)json_string_value(json_array_get(self, i));
  const char *mode = text_of(value, "mode");
  setenv("PLUMB_AS", text_of(value, "id"), 1);
  setenv("PLUMB_ROLE", text_of(value, "role"), 1);
  setenv("PLUMB_TRACE", peer->trace, 1);
  setenv("NODE_CHANNEL_FD", "3", 1);
  if (mode != NULL)
    setenv("NODE_CHANNEL_SERIALIZATION_MODE", mode, 1);
  else
    unsetenv("NODE_CHANNEL_SERIALIZATION_MODE");
  const char *key;
  json_t *text;
  json_object_foreach(json_object_get(value, "env"), key, text) {
    setenv(key, json_string_value(text), 1);
  }
  if (end == 3)
    fcntl(3, F_SETFD, 0);
  else
    dup2(end, 3);
  alarm(0);
  execvp(words[0], words);
  _exit(127);
}

static void peer_fork(struct peer *peer, const json_t *value) {
  int pair[2];
  const char *text = getenv("PLUMB_SELF");
  json_t *self = json_loads(text != NULL ? text : "[]", 0, NULL);
  if (json_array_size(self) == 0) fail(peer, "no PLUMB_SELF", "");
  if (peer->child_count == MAX_CHILDREN) fail(peer, "too many children", "");
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) exit(71);
  struct child *child = &peer->children[peer->child_count++];
  snprintf(child->name, sizeof child->name, "%s", text_of(value, "id"));
  child->pid = fork();
  if (child->pid == 0) become(peer, value, pair[1], self);
  close(pair[1]);
  peer->wire = pair[0];
  peer->over = false;
  json_decref(self);
}

/* Waits for a child's end and tells its status, or its signal's name. */
static void peer_wait(struct peer *peer, const json_t *value) {
  struct child *child = child_of(peer, text_of(value, "of"));
  long deadline = now_ms() + PATIENCE_MS;
  int status;
  pid_t done;
  while ((done = waitpid(child->pid, &status, WNOHANG)) == 0 &&
         now_ms() < deadline)
    usleep(1000);
  const char *label = text_of(value, "log");
  if (done != child->pid) {
    kill(child->pid, SIGKILL);
    waitpid(child->pid, &status, 0);
    record_text(peer, label, "nothing");
  } else if (WIFSIGNALED(status)) {
    char name[32];
    snprintf(name, sizeof name, "SIG%s", sigabbrev_np(WTERMSIG(status)));
    record_text(peer, label, name);
  } else {
    record(peer, label, json_integer(WEXITSTATUS(status)));
  }
}

static void log_event(struct peer *peer, const json_t *value) {
  if (json_is_array(value))
    record(peer, json_string_value(json_array_get(value, 0)),
           json_incref(json_array_get(value, 1)));
  else
    record(peer, json_string_value(value), NULL);
}

static void limit(struct peer *peer, long descriptors) {
  struct rlimit now;
  if (getrlimit(RLIMIT_NOFILE, &now) != 0) fail(peer, "getrlimit", "");
  now.rlim_cur = (rlim_t)descriptors;
  if (setrlimit(RLIMIT_NOFILE, &now) != 0)
    fail(peer, "setrlimit: ", strerror(errno));
}

bool self_operation(struct peer *peer, const char *name, const json_t *value) {
  if (strcmp(name, "log") == 0)
    log_event(peer, value);
  else if (strcmp(name, "exit") == 0)
    exit((int)json_integer_value(value));
  else if (strcmp(name, "peer.about") == 0)
    about(peer, value);
  else if (strcmp(name, "peer.say") == 0)
    say(peer, value);
  else if (strcmp(name, "peer.hear") == 0)
    hear(peer, value);
  else if (strcmp(name, "peer.end-by") == 0)
    raise_own(peer, json_string_value(value));
  else if (strcmp(name, "peer.ignore") == 0)
    signal(signal_number(peer, json_string_value(value)), SIG_IGN);
  else if (strcmp(name, "peer.limit") == 0)
    limit(peer, number_of(value, "descriptors", 16));
  else if (strcmp(name, "peer.close") == 0)
    close((int)json_integer_value(value));
  else if (strcmp(name, "peer.pause") == 0)
    wait_for_end();
  else if (strcmp(name, "peer.fork") == 0)
    peer_fork(peer, value);
  else if (strcmp(name, "peer.wait") == 0)
    peer_wait(peer, value);
  else if (strcmp(name, "peer.kill") == 0)
    kill(child_of(peer, text_of(value, "of"))->pid,
         signal_number(peer, text_of(value, "signal")));
  else
    return false;
  return true;
}
