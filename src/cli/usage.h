/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_USAGE_H
#define CLI_USAGE_H

#include <stdbool.h>
#include <stdio.h>

/* --help, -h, help, --version, version */
bool usage_is_wanted(const char *word);

/* Prints what was wanted (NULL: the overview, since nothing was said); an exit_status. */
int usage_print(FILE *out, const char *word);

/* Says that word is no command, and which one may have been meant; an exit_status. */
int usage_unknown(const char *word);

#endif
