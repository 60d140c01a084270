/* SPDX-License-Identifier: MIT */
/* Reads the command line; one message for whatever is wrong with it. */
#include "options.h"

#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"

enum { MAX_MS = 3600000, MAX_REPEAT = 100000 };

static const char help[] =
    "usage: conform --corpus F (--adapter 'CMD ARGS' | --provider LIB.so)\n"
    "               [options]\n"
    "\n"
    "Runs the corpus on one implementation and judges what it does.\n"
    "\n"
    "what to run on\n"
    "  --adapter 'CMD ARGS'   a program that speaks the adapter protocol\n"
    "  --provider LIB.so      a library that exports pl_provider_v1\n"
    "  --host PROG            the host for such libraries (found beside "
    "conform)\n"
    "what to run\n"
    "  --corpus F             the compiled corpus\n"
    "  --select GLOB          only these: a glob over ids, a subtree "
    "(loop/timeouts)\n"
    "                         or a rule id; may be given more than once\n"
    "  --exclude GLOB         not these\n"
    "  --shard K/N            the K-th of N parts, by hash of the id\n"
    "  --repeat N             every case N times over; `flaky` is told apart\n"
    "  --seed N               run in a shuffled order (0: the corpus's)\n"
    "  --list                 print the ids that would run\n"
    "  --smoke                a few built-in cases for an adapter's author\n"
    "how\n"
    "  --timeout MS           for every case, instead of its own\n"
    "  --start-timeout MS     for the adapter's answer to start (10000)\n"
    "  --check-protocol       hold every message against the schema\n"
    "  --schema DIR           where protocol.schema.json is\n"
    "  --expectations F       the known failures, compiled\n"
    "  --implementation NAME  whose known failures (else as the adapter "
    "says)\n"
    "what to write\n"
    "  --results F            results.jsonl\n"
    "  --format text|tap|junit\n"
    "  --output F             where the text, TAP or JUnit goes (stdout)\n"
    "  --quiet                only what is unexpected, and the totals\n"
    "  --stats                what the run itself cost, on stderr\n"
    "\n"
    "exit status: 0 all as expected, 1 something is unexpected, 2 the run\n"
    "proves nothing or could not be made, 130 interrupted\n"
    "\n"
    "  conform --corpus corpus.jsonl --adapter 'node adapter.cjs'\n"
    "  conform --corpus corpus.jsonl --provider libx.so --select "
    "loop/timeouts\n"
    "  conform --smoke --adapter ./my-adapter\n";

const char *pl_options_help(void) {
  return help;
}

enum {
  OPT_CORPUS = 256,
  OPT_ADAPTER,
  OPT_PROVIDER,
  OPT_HOST,
  OPT_SELECT,
  OPT_EXCLUDE,
  OPT_REPEAT,
  OPT_SHARD,
  OPT_TIMEOUT,
  OPT_START,
  OPT_SEED,
  OPT_EXPECTATIONS,
  OPT_IMPLEMENTATION,
  OPT_RESULTS,
  OPT_FORMAT,
  OPT_OUTPUT,
  OPT_SMOKE,
  OPT_CHECK,
  OPT_SCHEMA,
  OPT_QUIET,
  OPT_LIST,
  OPT_STATS,
  OPT_HELP
};

static const struct option table[] = {
    {"corpus", required_argument, NULL, OPT_CORPUS},
    {"adapter", required_argument, NULL, OPT_ADAPTER},
    {"provider", required_argument, NULL, OPT_PROVIDER},
    {"host", required_argument, NULL, OPT_HOST},
    {"select", required_argument, NULL, OPT_SELECT},
    {"exclude", required_argument, NULL, OPT_EXCLUDE},
    {"repeat", required_argument, NULL, OPT_REPEAT},
    {"shard", required_argument, NULL, OPT_SHARD},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"start-timeout", required_argument, NULL, OPT_START},
    {"seed", required_argument, NULL, OPT_SEED},
    {"expectations", required_argument, NULL, OPT_EXPECTATIONS},
    {"implementation", required_argument, NULL, OPT_IMPLEMENTATION},
    {"results", required_argument, NULL, OPT_RESULTS},
    {"format", required_argument, NULL, OPT_FORMAT},
    {"output", required_argument, NULL, OPT_OUTPUT},
    {"smoke", no_argument, NULL, OPT_SMOKE},
    {"check-protocol", no_argument, NULL, OPT_CHECK},
    {"schema", required_argument, NULL, OPT_SCHEMA},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {"list", no_argument, NULL, OPT_LIST},
    {"stats", no_argument, NULL, OPT_STATS},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0}};

/* What is put together only when all options are read. */
struct parts {
  const char *adapter, *provider, *host;
};

static bool read_number(const char *text, unsigned low, unsigned high,
                        unsigned *number) {
  char *end;
  if (text[0] < '0' || text[0] > '9') return false;
  unsigned long value = strtoul(text, &end, 10);
  if (*end != '\0' || value < low || value > high) return false;
  *number = (unsigned)value;
  return true;
}

static void add(char ***list, size_t *count, char *text) {
  *list = pl_mem_grow(*list, (*count + 1) * sizeof(char *));
  (*list)[(*count)++] = text;
}

static bool read_format(const char *text, enum pl_format *format) {
  static const char *const names[] = {"text", "tap", "junit"};
  for (int i = 0; i < 3; i++)
    if (strcmp(text, names[i]) == 0) {
      *format = (enum pl_format)i;
      return true;
    }
  return false;
}

/* Takes an option with a value. Returns what its value must be, or NULL. */
static const char *take_value(struct pl_options *o, struct parts *parts,
                              int option, char *value) {
  struct pl_selection *selection = &o->selection;
  switch (option) {
  case OPT_CORPUS:
    o->corpus = value;
    return NULL;
  case OPT_ADAPTER:
    parts->adapter = value;
    return NULL;
  case OPT_PROVIDER:
    parts->provider = value;
    return NULL;
  case OPT_HOST:
    parts->host = value;
    return NULL;
  case OPT_EXPECTATIONS:
    o->expectations = value;
    return NULL;
  case OPT_IMPLEMENTATION:
    o->implementation = value;
    return NULL;
  case OPT_RESULTS:
    o->results = value;
    return NULL;
  case OPT_OUTPUT:
    o->output = value;
    return NULL;
  case OPT_SCHEMA:
    o->schema_dir = value;
    return NULL;
  case OPT_SELECT:
    add(&selection->include, &selection->includes, value);
    return NULL;
  case OPT_EXCLUDE:
    add(&selection->exclude, &selection->excludes, value);
    return NULL;
  case OPT_SHARD:
    return pl_shard_read(value, &selection->shard, &selection->shards) == 0
               ? NULL
               : "K/N with 1 <= K <= N";
  case OPT_FORMAT:
    return read_format(value, &o->format) ? NULL : "text, tap or junit";
  case OPT_REPEAT:
    return read_number(value, 1, MAX_REPEAT, &o->repeat) ? NULL
                                                         : "a number from 1";
  case OPT_TIMEOUT:
    return read_number(value, 1, MAX_MS, &o->timeout_ms)
               ? NULL
               : "milliseconds, from 1";
  case OPT_START:
    return read_number(value, 1, MAX_MS, &o->start_ms) ? NULL
                                                       : "milliseconds, from 1";
  case OPT_SEED:
    return read_number(value, 0, UINT_MAX, &o->seed) ? NULL : "a number from 0";
  default:
    return NULL;
  }
}

static void take_flag(struct pl_options *options, int option) {
  options->smoke |= option == OPT_SMOKE;
  options->check_protocol |= option == OPT_CHECK;
  options->quiet |= option == OPT_QUIET;
  options->list |= option == OPT_LIST;
  options->stats |= option == OPT_STATS;
  options->help |= option == OPT_HELP;
}

char *pl_path_beside(const char *place) {
  char path[PATH_MAX];
  ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
  path[length > 0 ? length : 0] = '\0';
  char *slash = strrchr(path, '/');
  if (slash == NULL) return pl_mem_copy(place);
  *slash = '\0';
  return pl_mem_format("%s/../%s", path, place);
}

static char **provider_command(const struct parts *parts) {
  char **words = pl_mem_alloc(3 * sizeof(char *));
  words[0] = parts->host != NULL ? pl_mem_copy(parts->host)
                                 : pl_path_beside("host/plumb-host");
  words[1] = pl_mem_copy(parts->provider);
  return words;
}

static char *put_together(struct pl_options *options,
                          const struct parts *parts) {
  if (options->corpus == NULL && !options->smoke)
    return pl_mem_copy("--corpus is missing (or --smoke)");
  if (parts->adapter != NULL && parts->provider != NULL)
    return pl_mem_copy("--adapter and --provider exclude each other");
  if (parts->provider != NULL)
    options->command = provider_command(parts);
  else if (parts->adapter != NULL)
    options->command = pl_command_split(parts->adapter);
  else if (!options->list)
    return pl_mem_copy("--adapter or --provider is missing");
  if (options->command == NULL && parts->adapter != NULL)
    return pl_mem_format("--adapter is no command: %s", parts->adapter);
  if (options->seed != 0 && options->smoke)
    return pl_mem_copy("--seed does not go with --smoke");
  return NULL;
}

int pl_options_read(struct pl_options *options, int argc, char **argv,
                    char **error) {
  struct parts parts = {0};
  int option;
  *options = (struct pl_options){.repeat = 1, .start_ms = 10000};
  *error = NULL;
  opterr = 0;
  optind = 1;
  while (*error == NULL &&
         (option = getopt_long(argc, argv, "", table, NULL)) != -1) {
    if (option == '?') {
      *error = pl_mem_format("%s: no such option, or its value is missing",
                             argv[optind - 1]);
    } else if (optarg == NULL) {
      take_flag(options, option);
    } else {
      const char *must = take_value(options, &parts, option, optarg);
      if (must != NULL)
        *error = pl_mem_format("--%s must be %s, is %s",
                               table[option - OPT_CORPUS].name, must, optarg);
    }
  }
  if (options->help) return 0;
  if (*error == NULL && optind < argc)
    *error = pl_mem_format("%s: no such argument", argv[optind]);
  if (*error == NULL) *error = put_together(options, &parts);
  if (*error == NULL) return 0;
  pl_options_free(options);
  return -1;
}

void pl_options_free(struct pl_options *options) {
  pl_command_free(options->command);
  free(options->selection.include);
  free(options->selection.exclude);
  *options = (struct pl_options){0};
}
