/* SPDX-License-Identifier: GPL-2.0-only */
/* A file that a command makes at its end. */
#ifndef CLI_OUTFILE_H
#define CLI_OUTFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

/* Whether it could be written, as far as can be told before: it is not there, or force, and it is
 * not the file `input`. 0 or a negative errno with err filled. */
int outfile_check(const char *path, bool force, const char *input, struct error *err);

/* Writes it; one that is there is -EEXIST, but with force it is replaced. Devices and pipes may be
 * there before. */
int outfile_write(const char *path, bool force, const char *bytes, size_t size, struct error *err);

/* The same of what fn writes: the file comes to be when all that goes into it is there. path NULL:
 * it goes to standard output then. fn: 0 or a negative errno, with err filled. */
typedef int (*outfile_fn)(void *context, FILE *out, struct error *err);
int outfile_make(const char *path, bool force, outfile_fn fn, void *context, struct error *err);

#endif
