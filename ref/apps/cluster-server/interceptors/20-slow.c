/* SPDX-License-Identifier: MIT */
/* 20-slow.c: an interceptor that only delays: /slow/N is answered N ms later,
 * by whoever answers it, and the process serves others meanwhile. */
#include <stdlib.h>
#include <string.h>

#include "../interceptor.h"

static int on_request(void *self, const struct interceptor_request *request,
                      struct interceptor_answer *answer) {
  (void)self;
  if (strncmp(request->url, "/slow/", 6) == 0) {
    unsigned long ms = strtoul(request->url + 6, NULL, 10);
    answer->delay_ms = ms < 60000 ? (unsigned)ms : 60000;
  }
  return INTERCEPTOR_NEXT;
}

const struct interceptor *plumb_interceptor_v1(void) {
  static const struct interceptor slow = {.abi = INTERCEPTOR_ABI,
                                          .size = sizeof slow,
                                          .name = "slow",
                                          .request = on_request};
  return &slow;
}
