/* SPDX-License-Identifier: MIT */
/*
 * driver.h: a plumb-host process at the other end of two pipes.
 */
#ifndef HOST_TESTS_DRIVER_H
#define HOST_TESTS_DRIVER_H

#include <jansson.h>
#include <stdio.h>
#include <sys/types.h>

struct host {
  pid_t pid;
  FILE *to, *from;
  char *line; /* the last answer */
  size_t room;
};

/* Starts `program LIBRARY`; stderr goes to `error_path`, or nowhere where it
 * is NULL. A test that is not answered within a minute is ended by SIGALRM. */
void host_start(struct host *host, const char *program, const char *library,
                const char *error_path);
/* Sends a line (without its newline). */
void host_send(struct host *host, const char *line);
/* The next answer, NULL at the end. Gives, free with json_decref(). */
json_t *host_answer(struct host *host);
/* host_send() and host_answer(), which must not be NULL. */
json_t *host_ask(struct host *host, const char *line);
/* Runs {"main":...}: `program` is the JSON text of a program. */
json_t *host_run(struct host *host, const char *program);
/* Closes the pipes and waits: wait()'s status. `peak_kib` may be NULL. */
int host_end(struct host *host, long *peak_kib);

#endif
