/* SPDX-License-Identifier: MIT */
/* faulty.c: interceptors that are wrong, each in the way that FAULT says. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../interceptor.h"

#define ANOTHER_ABI 1
#define NO_EXPORT 2
#define CRASHES 3
#define REFUSES 4
#define MISBEHAVES 5

#if FAULT == CRASHES
__attribute__((constructor)) static void crash(void) {
  abort();
}
#endif

static int on_open(void **self) {
  (void)self;
  return FAULT == REFUSES ? -EACCES : 0;
}

/* As the URL says; the others are left to the server. */
static int on_request(void *self, const struct interceptor_request *request,
                      struct interceptor_answer *answer) {
  (void)self;
  if (strcmp(request->url, "/crash") == 0) abort();
  if (strcmp(request->url, "/fails") == 0) return -EIO;
  if (strcmp(request->url, "/broken") == 0) return -ENOTRECOVERABLE;
  if (strcmp(request->url, "/slow") == 0) answer->delay_ms = 600;
  if (strcmp(request->url, "/nonsense") == 0) {
    answer->status = 42;
    return INTERCEPTOR_ANSWER;
  }
  if (strcmp(request->url, "/split") == 0) {
    answer->status = 200;
    answer->type = "a/b\r\nX-Smuggled: yes";
    return INTERCEPTOR_ANSWER;
  }
  return INTERCEPTOR_NEXT;
}

#if FAULT == NO_EXPORT
const struct interceptor *another_name(void);
#define plumb_interceptor_v1 another_name
#endif

const struct interceptor *plumb_interceptor_v1(void) {
  static const struct interceptor faulty = {
      .abi = FAULT == ANOTHER_ABI ? INTERCEPTOR_ABI + 1 : INTERCEPTOR_ABI,
      .size = sizeof faulty,
      .name = "faulty",
      .open = on_open,
      .request = on_request};
  return &faulty;
}
