/* SPDX-License-Identifier: MIT */
/*
 * interceptor.h: what a shared library exports to be asked about every request
 * before the server answers it.
 *
 *     const struct interceptor *plumb_interceptor_v1(void);
 *
 * Invariants:
 *  - The interceptors of a folder are asked in the order of their files' names,
 *    one after the other; the first that answers ends the chain.
 *  - Everything is called on the one thread that serves the process's requests:
 *    who waits in here holds all of them. To answer later is `delay_ms`.
 *  - What the server hands in is borrowed during the call; what an answer
 *    points to is borrowed until the next call of the same interceptor.
 */
#ifndef PLUMB_INTERCEPTOR_H
#define PLUMB_INTERCEPTOR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define INTERCEPTOR_ABI 1u

/* NUL-terminated; any byte but NUL, CR and LF. */
struct interceptor_header {
  const char *name, *value;
};

struct interceptor_request {
  size_t size; /* of this struct in the server: look at it before new fields */
  const char *method, *url;
  const struct interceptor_header *headers;
  size_t header_count;
  const void *body;
  size_t body_length;
  unsigned worker;   /* the number of the process, from 1 */
  uint64_t requests; /* that this process has had before */
};

/* What comes back; all zero before the call. */
struct interceptor_answer {
  size_t size;
  int status;       /* 100 to 599 */
  const char *type; /* NULL: "text/plain; charset=utf-8" */
  const void *body;
  size_t length;
  unsigned delay_ms; /* added to what the others said, whoever answers */
};

enum interceptor_verdict {
  INTERCEPTOR_NEXT,   /* the next one is asked; behind the last, the server */
  INTERCEPTOR_ANSWER, /* `answer` is the answer */
  /* Any negative errno value: 500, and the server's log names the file. With
   * -ENOTRECOVERABLE the process can go on no longer: it takes no more
   * connections, answers what it has, lets go of everything and ends, and
   * another one takes its place. */
};

struct interceptor {
  uint32_t abi; /* INTERCEPTOR_ABI */
  size_t size;  /* sizeof(struct interceptor) of the library */
  const char *name;
  /* Prepares what `self` of the other functions is; NULL: there is nothing to
   * prepare. 0 or a negative errno value: the library is refused. */
  int (*open)(void **self);
  void (*close)(void *self);
  int (*request)(void *self, const struct interceptor_request *request,
                 struct interceptor_answer *answer);
};

const struct interceptor *plumb_interceptor_v1(void);

#ifdef __cplusplus
}
#endif
#endif
