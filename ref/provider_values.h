/* SPDX-License-Identifier: MIT */
/*
 * provider_values.h: values as the suite writes them down.
 */
#ifndef REF_PROVIDER_VALUES_H
#define REF_PROVIDER_VALUES_H

#include "plumb/ipc.h"
#include "provider_processes.h"

/* Reads a value of the suite's; the text is borrowed as long as the value.
 * Returns 0, PL_EBADMSG or PL_ENOMEM. */
int ref_value_read(struct pl_values *values, const char *json, size_t length,
                   struct pl_value **out);

/* Gives a value as text, free with free(); NULL: no memory is left. */
char *ref_value_write(const struct pl_value *value, size_t *length);

/* Calls `call` with a message that came. */
void ref_tell_message(struct pl_message *message, void *arg,
                      void (*call)(void *, const struct pl_channel_text *));

#endif
