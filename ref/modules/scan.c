/* SPDX-License-Identifier: MIT */
/*
 * scan.c: finds requires, imports and exports in a JavaScript source.
 *
 * A slash begins a regular expression unless what stands before it ends a
 * value: a name that is no keyword, a number, a string, ")", "]" or "}". That
 * is wrong for `if (x) /re/` and for `{} /re/`; such an expression is then read
 * as divisions, and at worst a quote in it hides what follows on its line.
 *
 * Invariant: every step moves forward, so any bytes end.
 */
#include "internal.h"

enum { NESTED_MOST = 256 }; /* templates within templates */

/* The last few tokens that matter. */
enum token {
  NOTHING,
  WORD,   /* a name */
  STRING, /* a literal; its text in `word` */
  VALUE,  /* a number, a template, a closing bracket */
  MARK    /* another mark, in `mark` */
};

struct scanner {
  const char *text;
  size_t length, at, line;
  pl_scan_fn *each;
  void *arg;
  enum token token; /* the last one */
  char mark;
  const char *word;
  size_t size, word_at, word_line;
  bool after_dot;          /* the last word stood behind a dot */
  int braces[NESTED_MOST]; /* open in each ${ of a template */
  int nested;
  /* What is being read: how far along a form is. */
  enum {
    PLAIN,
    REQUIRE,
    REQUIRE_OPEN,
    IMPORT,
    IMPORT_OPEN,
    EXPORT,
    FROM,
    MODULE,
    MODULE_DOT,
    EXPORTS,
    EXPORTS_DOT,
    EXPORTS_NAME
  } form;
  bool from_import, of_module;
};

static bool is_name(char byte) {
  unsigned char c = (unsigned char)byte;
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '_' || c == '$' || c >= 0x80;
}

static char peek(const struct scanner *scanner, size_t ahead) {
  size_t at = scanner->at + ahead;
  return at < scanner->length ? scanner->text[at] : '\0';
}

static bool last_is(const struct scanner *scanner, const char *word) {
  return scanner->token == WORD && pl__is(scanner->word, scanner->size, word);
}

static void tell(struct scanner *scanner, enum pl_scan_kind kind,
                 const char *text, size_t size) {
  if (memchr(text, '\\', size) != NULL) return;
  scanner->each(scanner->arg,
                &(struct pl_scanned){.kind = kind,
                                     .text = text,
                                     .length = size,
                                     .at = (size_t)(text - scanner->text),
                                     .line = scanner->word_line});
}

/* ------------------------------------------------------------------------ */

/* A word, a string or a mark was read: moves the forms along. */
static void on_word(struct scanner *scanner) {
  bool dotted = scanner->after_dot;
  const char *word = scanner->word;
  size_t size = scanner->size;
  if (scanner->form == EXPORTS_DOT) {
    scanner->form = EXPORTS_NAME;
  } else if (scanner->form == MODULE_DOT && pl__is(word, size, "exports")) {
    scanner->form = EXPORTS;
    scanner->of_module = true;
  } else if (dotted) {
    scanner->form = PLAIN;
  } else if (pl__is(word, size, "require")) {
    scanner->form = REQUIRE;
  } else if (pl__is(word, size, "import")) {
    scanner->form = IMPORT;
    scanner->from_import = true;
  } else if (pl__is(word, size, "export")) {
    scanner->from_import = true;
    scanner->form = EXPORT;
  } else if (pl__is(word, size, "from") && scanner->from_import) {
    scanner->form = FROM;
  } else if (pl__is(word, size, "module")) {
    scanner->form = MODULE;
  } else if (pl__is(word, size, "exports")) {
    scanner->form = EXPORTS;
    scanner->of_module = false;
  } else {
    scanner->form = PLAIN;
  }
}

static void on_string(struct scanner *scanner, const char *text, size_t size) {
  if (scanner->form == REQUIRE_OPEN || scanner->form == IMPORT_OPEN) {
    size_t at = scanner->at;
    while (at < scanner->length &&
           (scanner->text[at] == ' ' || scanner->text[at] == '\n'))
      at++;
    /* require("a" + b) asks for something else. */
    char end = at < scanner->length ? scanner->text[at] : '\0';
    if (end == ')' || (end == ',' && scanner->form == IMPORT_OPEN))
      tell(scanner,
           scanner->form == REQUIRE_OPEN ? PL_SCAN_REQUIRE : PL_SCAN_DYNAMIC,
           text, size);
  } else if (scanner->form == FROM || scanner->form == IMPORT) {
    tell(scanner, PL_SCAN_IMPORT, text, size);
    scanner->from_import = false;
  }
  scanner->form = PLAIN;
}

static void on_mark(struct scanner *scanner, char mark) {
  bool assigns =
      mark == '=' && peek(scanner, 0) != '=' && peek(scanner, 0) != '>';
  switch (scanner->form) {
  case REQUIRE:
    scanner->form = mark == '(' ? REQUIRE_OPEN : PLAIN;
    break;
  case IMPORT:
    scanner->form = mark == '(' ? IMPORT_OPEN : PLAIN;
    if (mark == '(' || mark == '.') scanner->from_import = false;
    break;
  case MODULE:
    scanner->form = mark == '.' ? MODULE_DOT : PLAIN;
    break;
  case EXPORTS:
    if (assigns && scanner->of_module)
      tell(scanner, PL_SCAN_REPLACE, scanner->word, scanner->size);
    scanner->form = mark == '.' ? EXPORTS_DOT : PLAIN;
    break;
  case EXPORTS_NAME:
    if (assigns) tell(scanner, PL_SCAN_EXPORT, scanner->word, scanner->size);
    scanner->form = PLAIN;
    break;
  default:
    scanner->form = PLAIN;
  }
  if (mark == ';') scanner->from_import = false;
}

/* ------------------------------------------------------------------------ */

static void pass_line_comment(struct scanner *scanner) {
  while (scanner->at < scanner->length && peek(scanner, 0) != '\n')
    scanner->at++;
}

static void pass_block_comment(struct scanner *scanner) {
  scanner->at += 2;
  while (scanner->at < scanner->length &&
         !(peek(scanner, 0) == '*' && peek(scanner, 1) == '/')) {
    scanner->line += peek(scanner, 0) == '\n';
    scanner->at++;
  }
  scanner->at += 2;
}

static void read_string(struct scanner *scanner, char quote) {
  size_t start = ++scanner->at;
  scanner->word_line = scanner->line;
  while (scanner->at < scanner->length && peek(scanner, 0) != quote &&
         peek(scanner, 0) != '\n') {
    if (peek(scanner, 0) == '\\') {
      scanner->line += peek(scanner, 1) == '\n';
      scanner->at++;
    }
    scanner->at++;
  }
  if (scanner->at > scanner->length) scanner->at = scanner->length;
  size_t size = scanner->at - start;
  if (peek(scanner, 0) == quote) scanner->at++;
  scanner->token = STRING;
  on_string(scanner, scanner->text + start, size);
}

/* The text of a template, up to its end or to a "${". */
static void read_template(struct scanner *scanner) {
  while (scanner->at < scanner->length) {
    char byte = peek(scanner, 0);
    scanner->line += byte == '\n';
    if (byte == '\\') {
      scanner->line += peek(scanner, 1) == '\n';
      scanner->at += 2;
      continue;
    }
    scanner->at++;
    if (byte == '`') {
      scanner->token = VALUE;
      return;
    }
    if (byte == '$' && peek(scanner, 0) == '{' &&
        scanner->nested < NESTED_MOST) {
      scanner->at++;
      scanner->braces[scanner->nested++] = 0;
      scanner->token = MARK;
      scanner->mark = '{';
      return;
    }
  }
}

static void read_word(struct scanner *scanner) {
  size_t start = scanner->at;
  scanner->after_dot = scanner->token == MARK && scanner->mark == '.';
  while (scanner->at < scanner->length && is_name(peek(scanner, 0)))
    scanner->at++;
  char first = scanner->text[start];
  scanner->word = scanner->text + start;
  scanner->size = scanner->at - start;
  scanner->word_line = scanner->line;
  bool number = first >= '0' && first <= '9';
  if (number)
    scanner->form = PLAIN;
  else
    on_word(scanner);
  scanner->token = number ? VALUE : WORD;
}

/* Whether a slash here begins a regular expression. */
static bool expects_value(const struct scanner *scanner) {
  static const char *const keywords[] = {
      "return", "typeof", "case", "in", "of",    "delete", "void",
      "throw",  "new",    "else", "do", "await", "yield",  "instanceof"};
  if (scanner->token == WORD) {
    if (scanner->after_dot) return false;
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
      if (last_is(scanner, keywords[i])) return true;
    return false;
  }
  return scanner->token == NOTHING || scanner->token == MARK;
}

static void pass_expression(struct scanner *scanner) {
  bool in_class = false;
  for (scanner->at++; scanner->at < scanner->length; scanner->at++) {
    char byte = peek(scanner, 0);
    if (byte == '\n') return;
    if (byte == '\\')
      scanner->at++;
    else if (byte == '[')
      in_class = true;
    else if (byte == ']')
      in_class = false;
    else if (byte == '/' && !in_class)
      break;
  }
  scanner->at++;
  while (is_name(peek(scanner, 0)))
    scanner->at++;
  scanner->token = VALUE;
}

static void read_mark(struct scanner *scanner) {
  char mark = peek(scanner, 0);
  scanner->at++;
  if (scanner->nested > 0) {
    int *open = &scanner->braces[scanner->nested - 1];
    if (mark == '}' && *open == 0) {
      scanner->nested--;
      scanner->form = PLAIN;
      read_template(scanner);
      return;
    }
    *open += (mark == '{') - (mark == '}');
  }
  on_mark(scanner, mark);
  scanner->token = mark == ')' || mark == ']' || mark == '}' ? VALUE : MARK;
  scanner->mark = mark;
}

void pl_source_scan(const char *source, size_t length, pl_scan_fn *each,
                    void *arg) {
  struct scanner scanner = {
      .text = source, .length = length, .line = 1, .each = each, .arg = arg};
  if (pl__starts(source, length, "\xef\xbb\xbf")) scanner.at = 3;
  if (length - scanner.at >= 2 && memcmp(source + scanner.at, "#!", 2) == 0)
    pass_line_comment(&scanner);
  while (scanner.at < length) {
    char byte = peek(&scanner, 0), after = peek(&scanner, 1);
    if (byte == '\n') {
      scanner.line++;
      scanner.at++;
    } else if ((unsigned char)byte <= ' ') {
      scanner.at++;
    } else if (byte == '/' && after == '/') {
      pass_line_comment(&scanner);
    } else if (byte == '/' && after == '*') {
      pass_block_comment(&scanner);
    } else if (byte == '"' || byte == '\'') {
      read_string(&scanner, byte);
    } else if (byte == '`') {
      scanner.at++;
      scanner.form = PLAIN;
      read_template(&scanner);
    } else if (is_name(byte)) {
      read_word(&scanner);
    } else if (byte == '/' && expects_value(&scanner)) {
      pass_expression(&scanner);
    } else {
      read_mark(&scanner);
    }
  }
}
