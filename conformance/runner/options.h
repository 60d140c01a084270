/* SPDX-License-Identifier: MIT */
/*
 * The command line of conform.
 *
 * Invariant: options that pl_options_read accepts are complete and do not
 * contradict each other.
 */
#ifndef PL_RUNNER_OPTIONS_H
#define PL_RUNNER_OPTIONS_H

#include <stdbool.h>

#include "select.h"

enum pl_format { PL_FORMAT_TEXT, PL_FORMAT_TAP, PL_FORMAT_JUNIT };

struct pl_options {
  const char *corpus, *expectations, *results, *output, *schema_dir;
  const char *implementation; /* whose expectations; NULL: as it says */
  char **command;             /* of the adapter, NULL-terminated */
  struct pl_selection selection;
  enum pl_format format;
  unsigned repeat, timeout_ms, start_ms, seed;
  bool smoke, check_protocol, quiet, list, stats, help;
};

/* Reads the command line. Returns 0, or -1 with one message in `*error` (free
 * with free()). `host` is the provider host used with --provider. */
int pl_options_read(struct pl_options *options, int argc, char **argv,
                    char **error);
void pl_options_free(struct pl_options *options);

/* Returns the text of --help. */
const char *pl_options_help(void);

/* Splits a command as a shell does, quotes and backslashes alone. Gives the
 * words, NULL-terminated, free with pl_command_free(); NULL when a quote is
 * open or there is no word. */
char **pl_command_split(const char *text);
void pl_command_free(char **words);

/* Gives a path beside the folder of this conform, `host/plumb-host`; free with
 * free(). */
char *pl_path_beside(const char *place);

#endif
