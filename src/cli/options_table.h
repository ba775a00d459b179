/* SPDX-License-Identifier: GPL-2.0-only */
/* The table of all options of all commands: options.c goes by it. */
#ifndef CLI_OPTIONS_TABLE_H
#define CLI_OPTIONS_TABLE_H

#include "cli/options.h"

struct option_def {
	unsigned int bit; /* option_bit, of the commands that take it */
	char letter;      /* 0: none */
	const char *name;
	const char *argument; /* NULL: a flag */
	const char *help;
	int (*set)(struct options *options, const char *value, struct error *err);
};

#define OPTION_DEFS 80 /* at most */

/* In the order in which help has them. */
extern const struct option_def option_defs[];
extern const size_t option_count;

#endif
