/* SPDX-License-Identifier: MIT */
/* The built-in cases of --smoke, and what to look at when one fails. */
#include "smoke.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

static const struct {
  const char *id;
  const char *needs;
  const char *isolation;
  const char *program;
  const char *expect;
  const char *hint;
} cases[] = {
    {"smoke/empty-program", "", "shared", "[]", "{\"seq\":[]}",
     "a program without operations is over at once: answer "
     "{\"seq\":N,\"events\":[]} with the seq of the request"},
    {"smoke/one-event", "", "shared", "[{\"log\":\"a\"}]", "{\"ev\":\"a\"}",
     "`log` with a text records the event as that text: \"events\":[\"a\"]"},
    {"smoke/events-in-order", "", "shared",
     "[{\"log\":\"a\"},{\"log\":\"b\"},{\"log\":\"a\"}]",
     "{\"seq\":[{\"ev\":\"a\"},{\"ev\":\"b\"},{\"ev\":\"a\"}]}",
     "the operations of main run in order, and equal events all count"},
    {"smoke/nothing-left-from-before", "", "shared", "[{\"log\":\"b\"}]",
     "{\"ev\":\"b\"}",
     "each run starts with an empty trace; is the list of events made anew "
     "for every request?"},
    {"smoke/events-with-values", "", "shared",
     "[{\"log\":[\"n\",3]},{\"log\":[\"t\",\"\\u00e4\\n\"]},"
     "{\"log\":[\"b\",true]},{\"log\":[\"z\",null]}]",
     "{\"seq\":[{\"ev\":\"n\",\"value\":{\"is\":3}},"
     "{\"ev\":\"t\",\"value\":{\"is\":\"\\u00e4\\n\"}},"
     "{\"ev\":\"b\",\"value\":{\"is\":true}},"
     "{\"ev\":\"z\",\"value\":{\"is\":null}}]}",
     "`log` with a list records [label, value]; values keep their JSON type, "
     "and text is UTF-8 with control characters escaped"},
    {"smoke/block-takes-time", "", "shared", "[{\"block\":20},{\"log\":\"a\"}]",
     "{\"ev\":\"a\"}", "`block` keeps the thread busy for so many ms"},
    {"smoke/unknown-operation", "", "shared",
     "[{\"log\":\"a\"},{\"no-such-operation\":{}}]",
     "{\"ev\":\"an operation that does not exist was run\"}",
     "look through the whole program before running it; with an operation "
     "that is not known, answer {\"seq\":N,\"unsupported\":\"why\"}"},
    {"smoke/works-after-unsupported", "", "shared", "[{\"log\":\"c\"}]",
     "{\"ev\":\"c\"}",
     "an unsupported program leaves the adapter ready for the next"},
    {"smoke/callback", "loop.timeout", "shared",
     "[{\"timeout\":{\"after\":1,\"then\":[{\"log\":\"t\"}]}}]",
     "{\"ev\":\"t\"}",
     "answer when nothing is left alive, not when main has returned"},
    {"smoke/callbacks-by-count", "loop.timeout", "shared",
     "[{\"interval\":{\"id\":\"i\",\"every\":1,\"each\":[[{\"log\":\"one\"}],"
     "[{\"log\":\"two\"},{\"clear\":\"i\"}]]}}]",
     "{\"seq\":[{\"ev\":\"one\"},{\"ev\":\"two\"}]}",
     "`each` holds a body per call: the first call runs the first, the last "
     "body serves every further call"},
    {"smoke/own-process", "", "process", "[{\"log\":\"a\"},{\"log\":\"b\"}]",
     "{\"seq\":[{\"ev\":\"a\"},{\"ev\":\"b\"},"
     "{\"ev\":\"exit\",\"value\":{\"is\":0}}]}",
     "with \"stream\":true write {\"seq\":N,\"event\":E} for each event at "
     "once, synchronously, then let the process end by itself"},
};

static json_t *make(size_t i) {
  struct pl_text text = {0};
  pl_text_format(
      &text,
      "{\"kind\":\"case\",\"id\":\"%s\",\"rule\":\"SMOKE\",\"level\":\"MUST\","
      "\"area\":\"smoke\",\"needs\":[%s%s%s],\"isolation\":\"%s\",\"runs\":1,"
      "\"timeout_ms\":5000,\"program\":{\"main\":%s},\"expect\":%s,"
      "\"hash\":\"%016zx\"}",
      cases[i].id, cases[i].needs[0] ? "\"" : "", cases[i].needs,
      cases[i].needs[0] ? "\"" : "", cases[i].isolation, cases[i].program,
      cases[i].expect, i);
  json_t *object = json_loadb(text.bytes, text.length, 0, NULL);
  pl_text_free(&text);
  return object;
}

int pl_smoke_load(struct pl_corpus *corpus, char **error) {
  size_t count = sizeof cases / sizeof cases[0];
  *corpus = (struct pl_corpus){.suite = pl_mem_copy("smoke")};
  corpus->at = pl_mem_alloc(count * sizeof *corpus->at);
  for (size_t i = 0; i < count; i++) {
    json_t *object = make(i);
    if (object == NULL) {
      *error = pl_mem_format("%s is not JSON", cases[i].id);
    } else if (pl_case_read(&corpus->at[i], object, error) == 0) {
      corpus->count++;
      continue;
    }
    json_decref(object);
    pl_corpus_free(corpus);
    return -1;
  }
  return 0;
}

const char *pl_smoke_hint(const char *id) {
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    if (strcmp(cases[i].id, id) == 0) return cases[i].hint;
  return NULL;
}
