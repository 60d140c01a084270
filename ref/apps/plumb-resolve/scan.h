/* SPDX-License-Identifier: MIT */
/*
 * scan.h: what sources ask for.
 *
 * Invariant: one JSON array per line: kind, path, specifier, line.
 */
#ifndef PLUMB_RESOLVE_SCAN_H
#define PLUMB_RESOLVE_SCAN_H

#include "app.h"

/*
 * Reads absolute paths, each ended by a NUL, and prints for every require,
 * import and import() of theirs ["require", path, specifier, line]; for a file
 * that cannot be read ["unreadable", path, "EACCES", 0].
 * Errors: PL_ENOMEM, PL_EIO (`in` cannot be read).
 */
int scan_files(struct pl_fs *fs, FILE *in, FILE *out);

#endif
