/* SPDX-License-Identifier: MIT */
/*
 * replay.c: runs a fuzzer's function without libFuzzer: over the files of a
 * folder, and over changed copies of them.
 *
 *   replay FOLDER [CHANGES]
 *
 * Invariant: the same folder and number give the same inputs, and a run that
 * had no input fails.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

enum { INPUTS_MOST = 4096, SIZE_MOST = 1 << 16, CUTS = 4 };

struct input {
  uint8_t *bytes;
  size_t size;
};

struct replay {
  struct input inputs[INPUTS_MOST];
  size_t count;
  uint64_t random;
};

static uint64_t next(struct replay *replay) {
  replay->random ^= replay->random << 13;
  replay->random ^= replay->random >> 7;
  replay->random ^= replay->random << 17;
  return replay->random;
}

/* Each input is as long as its block, so that a sanitizer sees its end. */
static void run(const uint8_t *bytes, size_t size) {
  uint8_t *exact = malloc(size == 0 ? 1 : size);
  fuzz_check(exact != NULL, "there is memory");
  memcpy(exact, bytes, size);
  LLVMFuzzerTestOneInput(exact, size);
  free(exact);
}

static void read_file(struct replay *replay, const char *folder,
                      const char *name) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "rb");
  fuzz_check(file != NULL && replay->count < INPUTS_MOST,
             "an input can be opened");
  struct input *input = &replay->inputs[replay->count++];
  input->bytes = malloc(SIZE_MOST);
  fuzz_check(input->bytes != NULL, "there is memory");
  input->size = fread(input->bytes, 1, SIZE_MOST, file);
  fclose(file);
}

static int is_input(const struct dirent *entry) {
  return entry->d_name[0] != '.';
}

static void read_folder(struct replay *replay, const char *folder) {
  struct dirent **names;
  int count = scandir(folder, &names, is_input, alphasort);
  fuzz_check(count > 0, "there are inputs");
  for (int i = 0; i < count; i++) {
    read_file(replay, folder, names[i]->d_name);
    free(names[i]);
  }
  free(names);
}

/* An input with pieces of another put in, left out or changed. */
static void run_changed(struct replay *replay) {
  static uint8_t bytes[2 * SIZE_MOST];
  const struct input *from = &replay->inputs[next(replay) % replay->count];
  const struct input *other = &replay->inputs[next(replay) % replay->count];
  size_t size = from->size;
  memcpy(bytes, from->bytes, size);
  for (uint64_t cuts = next(replay) % CUTS + 1; cuts > 0; cuts--) {
    size_t at = (size_t)(next(replay) % (size + 1));
    size_t start = (size_t)(next(replay) % (other->size + 1));
    size_t piece = (size_t)(next(replay) % 8);
    if (piece > other->size - start) piece = other->size - start;
    size_t gone = (size_t)(next(replay) % 8);
    if (gone > size - at) gone = size - at;
    if (size + piece - gone > sizeof bytes) continue;
    memmove(bytes + at + piece, bytes + at + gone, size - at - gone);
    memcpy(bytes + at, other->bytes + start, piece);
    size += piece - gone;
    if (size > 0 && next(replay) % 4 == 0)
      bytes[next(replay) % size] ^= (uint8_t)(1u << next(replay) % 8);
  }
  run(bytes, size);
}

int main(int argc, char **argv) {
  static struct replay replay = {.random = UINT64_C(0x2545f4914f6cdd1d)};
  if (argc < 2) {
    fprintf(stderr, "usage: %s FOLDER [CHANGES]\n", argv[0]);
    return 2;
  }
  read_folder(&replay, argv[1]);
  run((const uint8_t *)"", 0);
  for (size_t i = 0; i < replay.count; i++)
    run(replay.inputs[i].bytes, replay.inputs[i].size);
  long changes = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
  for (long i = 0; i < changes; i++)
    run_changed(&replay);
  printf("%zu inputs, %ld changed ones\n", replay.count, changes);
  for (size_t i = 0; i < replay.count; i++)
    free(replay.inputs[i].bytes);
  return 0;
}
