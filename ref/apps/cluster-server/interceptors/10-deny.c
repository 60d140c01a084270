/* SPDX-License-Identifier: MIT */
/* 10-deny.c: an interceptor that answers: nobody asks for what begins with
 * /private, unless the header X-Token says "letmein". */
#include <string.h>
#include <strings.h>

#include "../interceptor.h"

static int may(const struct interceptor_request *request) {
  for (size_t n = 0; n < request->header_count; n++)
    if (strcasecmp(request->headers[n].name, "x-token") == 0 &&
        strcmp(request->headers[n].value, "letmein") == 0)
      return 1;
  return 0;
}

static int on_request(void *self, const struct interceptor_request *request,
                      struct interceptor_answer *answer) {
  (void)self;
  if (strncmp(request->url, "/private", 8) != 0 || may(request))
    return INTERCEPTOR_NEXT;
  answer->status = 403;
  answer->body = "forbidden\n";
  answer->length = strlen(answer->body);
  return INTERCEPTOR_ANSWER;
}

const struct interceptor *plumb_interceptor_v1(void) {
  static const struct interceptor deny = {.abi = INTERCEPTOR_ABI,
                                          .size = sizeof deny,
                                          .name = "deny",
                                          .request = on_request};
  return &deny;
}
