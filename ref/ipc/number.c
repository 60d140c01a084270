/* SPDX-License-Identifier: MIT */
/*
 * number.c: doubles as JavaScript writes and reads them.
 *
 * Invariant: the digits are the fewest that are read back as the same number;
 * the locale's decimal point appears nowhere.
 */
#include "value.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t put_whole(char *text, int64_t number) {
  char digits[24];
  size_t count = 0, length = 0;
  uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
  do
    digits[count++] = (char)('0' + left % 10);
  while ((left /= 10) != 0);
  if (number < 0) text[length++] = '-';
  while (count > 0)
    text[length++] = digits[--count];
  return length;
}

/* The shortest digits of a finite number above 0, and its power of ten: the
 * number is 0.DIGITS times 10^power. */
static int shortest(double number, char digits[20], int *power) {
  char text[40];
  /* 15 digits are always exact, but for the smallest numbers. */
  int precision = number < 2.3e-308 ? 1 : 15;
  for (;; precision++) {
    snprintf(text, sizeof text, "%.*e", precision - 1, number);
    if (precision == 17 || strtod(text, NULL) == number) break;
  }
  const char *exponent = strchr(text, 'e');
  *power = atoi(exponent + 1) + 1;
  int count = 0;
  for (const char *at = text; at < exponent; at++)
    if (*at >= '0' && *at <= '9') digits[count++] = *at;
  while (count > 1 && digits[count - 1] == '0')
    count--;
  return count;
}

/* Number.prototype.toString(), ECMA-262 6.1.6.1.20. */
size_t pl__number_put(char *text, double number) {
  if (!isfinite(number)) {
    memcpy(text, "null", 4);
    return 4;
  }
  if (fabs(number) <= 9007199254740992.0 && number == (double)(int64_t)number)
    return put_whole(text, (int64_t)number);
  char digits[20];
  int power;
  int count = shortest(fabs(number), digits, &power);
  size_t at = 0;
  if (number < 0) text[at++] = '-';
  if (power > 21 || power < -5) { /* d.ddde+n */
    text[at++] = digits[0];
    if (count > 1) {
      text[at++] = '.';
      memcpy(text + at, digits + 1, (size_t)count - 1);
      at += (size_t)count - 1;
    }
    at += (size_t)snprintf(text + at, 32 - at, "e%+d", power - 1);
    return at;
  }
  if (power <= 0) { /* 0.000ddd */
    text[at++] = '0';
    text[at++] = '.';
    for (int i = power; i < 0; i++)
      text[at++] = '0';
  }
  for (int i = 0; i < count || i < power; i++) {
    if (i == power && power > 0) text[at++] = '.';
    text[at++] = i < count ? digits[i] : '0';
  }
  return at;
}

double pl__number_get(struct pl_values *values, const char *text,
                      size_t length) {
  char small[64], *copy = small;
  if (length >= sizeof small) copy = pl_values_take(values, length + 1);
  if (copy == NULL) return NAN;
  memcpy(copy, text, length);
  copy[length] = '\0';
  char *dot = strchr(copy, '.');
  if (dot != NULL) *dot = localeconv()->decimal_point[0];
  return strtod(copy, NULL);
}
