/* SPDX-License-Identifier: MIT */
/* 90-who.c: an interceptor with a state of its own: /who is answered with the
 * number of the process and how often it was asked. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../interceptor.h"

struct who {
  unsigned long asked;
  char text[96];
};

static int on_open(void **self) {
  *self = calloc(1, sizeof(struct who));
  return *self ? 0 : -ENOMEM;
}

static int on_request(void *self, const struct interceptor_request *request,
                      struct interceptor_answer *answer) {
  struct who *who = self;
  if (strcmp(request->url, "/who") != 0) return INTERCEPTOR_NEXT;
  int length =
      snprintf(who->text, sizeof who->text, "{\"worker\":%u,\"asked\":%lu}\n",
               request->worker, ++who->asked);
  answer->status = 200;
  answer->type = "application/json";
  answer->body = who->text;
  answer->length = (size_t)length;
  return INTERCEPTOR_ANSWER;
}

const struct interceptor *plumb_interceptor_v1(void) {
  static const struct interceptor who = {.abi = INTERCEPTOR_ABI,
                                         .size = sizeof who,
                                         .name = "who",
                                         .open = on_open,
                                         .close = free,
                                         .request = on_request};
  return &who;
}
