/* SPDX-License-Identifier: MIT */
/* Shows verdicts through cmocka; mends what cmocka 1.1 writes. */
#include "output.h"

#include <errno.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "memory.h"

/* cmocka keeps a message in 1024 bytes. */
enum { MESSAGE_MAX = 800 };

struct taken {
  struct pl_output *output;
  struct pl_text line; /* what is not yet ended by a newline */
  bool is_error;
};

struct pl_output {
  enum pl_format format;
  bool quiet;
  bool silent; /* bailed out: cmocka's lines are dropped */
  FILE *sink;
  FILE *own_stdout, *own_stderr;
  FILE *taken_stdout, *taken_stderr;
  struct taken out, err;
  struct pl_text skip_reason; /* of the test that runs */
  struct pl_text message;     /* of the test that runs; survives its jump */
  bool failed;                /* a write has failed */
};

struct pl_output *pl_output_open(enum pl_format format, const char *path,
                                 bool quiet, char **error) {
  struct pl_output *output = pl_mem_alloc(sizeof *output);
  output->format = format;
  output->quiet = quiet && format == PL_FORMAT_TEXT;
  if (path != NULL) {
    output->sink = fopen(path, "we");
  } else {
    int fd = dup(STDOUT_FILENO);
    output->sink = fd >= 0 ? fdopen(fd, "we") : NULL;
  }
  if (output->sink != NULL) return output;
  *error = pl_mem_format("cannot write %s: %s", path ? path : "stdout",
                         strerror(errno));
  free(output);
  return NULL;
}

static void emit(struct pl_output *output, const char *bytes, size_t length) {
  if (fwrite(bytes, 1, length, output->sink) != length) output->failed = true;
}

/* TAP: `not ok 3 # SKIP name` becomes `ok 3 - name # SKIP reason`. */
static bool mend_tap(struct pl_output *output, const char *line) {
  const char *mark = strstr(line, " # SKIP ");
  if (strncmp(line, "not ok ", 7) == 0 && mark != NULL) {
    struct pl_text text = {0};
    pl_text_format(&text, "ok %.*s - %s # SKIP %s\n", (int)(mark - line - 7),
                   line + 7, mark + 8,
                   output->skip_reason.bytes ? output->skip_reason.bytes : "");
    emit(output, text.bytes, text.length);
    pl_text_free(&text);
    return true;
  }
  /* the group's own result has no number, so it is no test */
  return strncmp(line, "# not ok - ", 11) == 0 ||
         strncmp(line, "# ok - ", 7) == 0;
}

/* Text: cmocka lists at the end what the run has shown already. */
static bool is_recap(const char *line, bool is_error) {
  return is_error &&
         (strncmp(line, "[  SKIPPED ]", 12) == 0 ||
          strstr(line, " SKIPPED TEST(S)") != NULL || line[0] == '\0');
}

static void pass_line(struct taken *stream) {
  struct pl_output *output = stream->output;
  char *line = stream->line.bytes;
  if (output->quiet || (output->silent && output->format != PL_FORMAT_JUNIT))
    return;
  if (output->format == PL_FORMAT_TAP && mend_tap(output, line)) return;
  if (output->format == PL_FORMAT_TEXT && is_recap(line, stream->is_error))
    return;
  emit(output, line, stream->line.length);
  emit(output, "\n", 1);
}

static ssize_t take_bytes(void *cookie, const char *bytes, size_t count) {
  struct taken *stream = cookie;
  for (size_t i = 0; i < count;) {
    const char *end = memchr(bytes + i, '\n', count - i);
    size_t length = end != NULL ? (size_t)(end - bytes) - i : count - i;
    pl_text_add(&stream->line, bytes + i, length);
    i += length;
    if (end == NULL) break;
    pass_line(stream);
    stream->line.length = 0;
    i++;
  }
  return (ssize_t)count;
}

static FILE *take_over(struct pl_output *output, struct taken *stream,
                       bool is_error) {
  static const cookie_io_functions_t functions = {.write = take_bytes};
  stream->output = output;
  stream->is_error = is_error;
  FILE *file = pl_mem_need(fopencookie(stream, "w", functions));
  setvbuf(file, NULL, _IONBF, 0);
  return file;
}

void pl_output_begin(struct pl_output *output) {
  static const enum cm_message_output modes[] = {CM_OUTPUT_STDOUT,
                                                 CM_OUTPUT_TAP, CM_OUTPUT_XML};
  unsetenv("CMOCKA_MESSAGE_OUTPUT"); /* --format decides, not these */
  unsetenv("CMOCKA_XML_FILE");
  unsetenv("CMOCKA_TEST_ABORT");
  cmocka_set_message_output(modes[output->format]);
  fflush(stdout);
  fflush(stderr);
  output->own_stdout = stdout;
  output->own_stderr = stderr;
  output->taken_stdout = take_over(output, &output->out, false);
  output->taken_stderr = take_over(output, &output->err, true);
  stdout = output->taken_stdout;
  stderr = output->taken_stderr;
}

static void close_stream(FILE *file, struct taken *stream) {
  fclose(file);
  if (stream->line.length > 0) pass_line(stream);
  pl_text_free(&stream->line);
}

void pl_output_end(struct pl_output *output) {
  stdout = output->own_stdout;
  stderr = output->own_stderr;
  close_stream(output->taken_stdout, &output->out);
  close_stream(output->taken_stderr, &output->err);
  if (fflush(output->sink) != 0) output->failed = true;
}

static void indent(struct pl_text *text, const char *words, const char *with) {
  for (const char *line = words; *line != '\0';) {
    size_t length = strcspn(line, "\n");
    pl_text_format(text, "%s%.*s\n", with, (int)length, line);
    line += length;
    if (*line == '\n') line++;
  }
}

/* Puts into words what is behind a verdict. */
static void describe(const struct pl_outcome *outcome, const char *hint,
                     struct pl_text *text) {
  pl_text_say(text, pl_verdict_name(outcome->verdict));
  if (outcome->verdict == PL_VERDICT_PASS && outcome->unexpected)
    pl_text_say(text, ", but a failure is expected");
  if (outcome->explanation != NULL)
    pl_text_format(text, ": %s", outcome->explanation->summary);
  if (outcome->detail != NULL) pl_text_format(text, ": %s", outcome->detail);
  if (outcome->expected.reason != NULL)
    pl_text_format(text, " [known: %s]", outcome->expected.reason);
  if (hint != NULL && outcome->unexpected)
    pl_text_format(text, "\nhint: %s", hint);
}

/* Makes a message one that any format can hold: UTF-8, no control bytes, not
 * too long for cmocka, nothing that ends a CDATA section. */
static void tame(struct pl_text *text) {
  char *clean = pl_text_clean(text->bytes, text->length);
  size_t length = strlen(clean);
  if (length > MESSAGE_MAX) {
    length = MESSAGE_MAX;
    while (length > 0 && ((unsigned char)clean[length] & 0xC0) == 0x80)
      length--;
    strcpy(clean + length, "...");
  }
  for (char *end = strstr(clean, "]]>"); end; end = strstr(end, "]]>"))
    end[1] = ' ';
  text->length = 0;
  pl_text_say(text, clean);
  free(clean);
}

static void show_note(struct pl_output *output, const struct pl_case *item,
                      const char *message, bool unexpected) {
  struct pl_text text = {0};
  /* in TAP one line stands behind the result already */
  if (output->format == PL_FORMAT_TAP && strchr(message, '\n') == NULL) return;
  if (output->format == PL_FORMAT_TAP)
    indent(&text, message, "# ");
  else if (output->quiet && unexpected)
    pl_text_format(&text, "%s: ", item->id);
  if (output->quiet && unexpected)
    pl_text_format(&text, "%s\n", message);
  else if (output->format == PL_FORMAT_TEXT && !output->quiet)
    indent(&text, message, "    ");
  if (text.length > 0) emit(output, text.bytes, text.length);
  pl_text_free(&text);
}

static void set_skip_reason(struct pl_output *output) {
  size_t length = strcspn(output->message.bytes, "\n");
  output->skip_reason.length = 0;
  pl_text_add(&output->skip_reason, output->message.bytes, length);
  for (char *hash = output->skip_reason.bytes; *hash != '\0'; hash++)
    if (*hash == '#') *hash = ' ';
}

void pl_output_verdict(struct pl_output *output, const struct pl_case *item,
                       struct pl_outcome *outcome, const char *hint) {
  bool unexpected = outcome->unexpected;
  bool passed = outcome->verdict == PL_VERDICT_PASS && !unexpected;
  output->message.length = 0;
  describe(outcome, hint, &output->message);
  tame(&output->message);
  pl_outcome_free(outcome);
  if (passed) return;
  /* what is unexpected is shown by cmocka itself, with the message */
  if (!unexpected || output->quiet)
    show_note(output, item, output->message.bytes, unexpected);
  if (unexpected)
    _assert_true(0, output->message.bytes, item->file ? item->file : item->id,
                 item->line);
  set_skip_reason(output);
  _skip(item->file ? item->file : item->id, item->line);
}

void pl_output_bail(struct pl_output *output, const char *why) {
  if (!output->silent) {
    struct pl_text text = {0};
    if (output->format == PL_FORMAT_TAP)
      pl_text_format(&text, "Bail out! %s\n", why);
    else if (output->format == PL_FORMAT_TEXT)
      pl_text_format(&text, "stopped: %s\n", why);
    if (text.length > 0) emit(output, text.bytes, text.length);
    pl_text_free(&text);
  }
  output->silent = true;
  _skip("conform", 0);
}

char *pl_output_name(const struct pl_output *output, const char *id) {
  struct pl_text text = {0};
  char *clean = pl_text_clean(id, strlen(id));
  pl_text_add(&text, "", 0);
  for (const char *c = clean; *c != '\0'; c++) {
    bool xml = output->format == PL_FORMAT_JUNIT;
    if (xml && (*c == '<' || *c == '>' || *c == '&' || *c == '"'))
      pl_text_format(&text, "&#%d;", *c);
    else if (*c == '\n' || (*c == '#' && output->format == PL_FORMAT_TAP))
      pl_text_add(&text, " ", 1);
    else
      pl_text_add(&text, c, 1);
  }
  free(clean);
  return text.bytes;
}

void pl_output_say(struct pl_output *output, const char *words) {
  struct pl_text text = {0};
  if (output->format == PL_FORMAT_JUNIT)
    return; /* an XML document ends with its root */
  indent(&text, words, output->format == PL_FORMAT_TAP ? "# " : "");
  emit(output, text.bytes, text.length);
  pl_text_free(&text);
}

int pl_output_close(struct pl_output *output) {
  bool failed = output->failed;
  if (fclose(output->sink) != 0) failed = true;
  pl_text_free(&output->skip_reason);
  pl_text_free(&output->message);
  free(output);
  return failed ? -1 : 0;
}
