/* SPDX-License-Identifier: MIT */
/*
 * error.h: the errors of the reference, one table of name and text.
 *
 * Invariant: an error is negative and is the negative errno value of the same
 * name, so a caller may mix both without a translation table.
 */
#ifndef PLUMB_ERROR_H
#define PLUMB_ERROR_H

#include <errno.h>

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, text): PL_<name> is -<name>. */
#define PL_ERRORS(X)                                                           \
  X(EACCES, "permission denied")                                               \
  X(EADDRINUSE, "address in use")                                              \
  X(EADDRNOTAVAIL, "address not available")                                    \
  X(EAGAIN, "resource temporarily unavailable")                                \
  X(EBADF, "bad file descriptor")                                              \
  X(EBADMSG, "malformed message")                                              \
  X(EBUSY, "resource busy")                                                    \
  X(ECANCELED, "operation cancelled")                                          \
  X(ECONNREFUSED, "connection refused")                                        \
  X(ECONNRESET, "connection reset")                                            \
  X(EDEADLK, "nothing can happen any more")                                    \
  X(EEXIST, "already exists")                                                  \
  X(EFAULT, "bad address")                                                     \
  X(EFBIG, "file too large")                                                   \
  X(EINTR, "interrupted system call")                                          \
  X(EINVAL, "invalid argument")                                                \
  X(EIO, "input/output error")                                                 \
  X(EISDIR, "is a directory")                                                  \
  X(ELOOP, "too many symbolic links")                                          \
  X(EMFILE, "too many open files in the process")                              \
  X(EMSGSIZE, "message too long")                                              \
  X(ENAMETOOLONG, "name too long")                                             \
  X(ENFILE, "too many open files in the system")                               \
  X(ENOBUFS, "no buffer space")                                                \
  X(ENOENT, "no such file or directory")                                       \
  X(ENOMEM, "out of memory")                                                   \
  X(ENOSPC, "no space left")                                                   \
  X(ENOTCONN, "not connected")                                                 \
  X(ENOTDIR, "not a directory")                                                \
  X(ENOTSOCK, "not a socket")                                                  \
  X(ENOTSUP, "not supported")                                                  \
  X(EPERM, "operation not permitted")                                          \
  X(EPIPE, "broken pipe")                                                      \
  X(EPROTO, "protocol error")                                                  \
  X(ERANGE, "out of range")                                                    \
  X(ESRCH, "no such process")                                                  \
  X(ETIMEDOUT, "timed out")

enum pl_error {
#define X(name, text) PL_##name = -name,
  PL_ERRORS(X)
#undef X
};

/*
 * The name of an error ("ENOENT"), or "UNKNOWN" when the table has none.
 * error: a negative PL_E value or negative errno value.
 * Any thread; async-signal-safe. The text lives for ever.
 */
const char *pl_error_name(int error);

/* One lower-case phrase that says what the error means; otherwise as
 * pl_error_name(). */
const char *pl_error_text(int error);

#ifdef __cplusplus
}
#endif
#endif
