/* SPDX-License-Identifier: GPL-2.0-only */
/* What a cell is for, and what that looks like on terminals of many, few and no colours. */
#ifndef TOP_THEME_H
#define TOP_THEME_H

#include <stdbool.h>
#include <stdint.h>

enum role {
	ROLE_TEXT,
	ROLE_DIM,    /* there, but of no matter: zeroes, rules */
	ROLE_HEADER, /* titles of columns */
	ROLE_SORTED, /* of the one that is sorted by */
	ROLE_CURSOR, /* the row that keys act on */
	ROLE_MARKED,
	ROLE_KEY,     /* the bar at the bottom: the key ... */
	ROLE_ACTION,  /* ... and what it does */
	ROLE_LABEL,   /* the name of a number */
	ROLE_VALUE,   /* a number that matters */
	ROLE_PRIVATE, /* states of pages */
	ROLE_SHARED,
	ROLE_UNKNOWN,
	ROLE_GOOD,
	ROLE_NOTICE,
	ROLE_WARNING,
	ROLE_CRITICAL,
	ROLE_PROMPT, /* what was typed */
	ROLES,
};

enum theme {
	THEME_DARK,
	THEME_LIGHT,
	THEME_MONO,
	THEMES,
};

const char *theme_name(enum theme theme);
/* -EINVAL for a name that is none. */
int theme_from_name(const char *name, enum theme *ret);

/* dark, or mono where the environment says NO_COLOR. */
enum theme theme_default(void);

struct look {
	int16_t fg, bg;     /* of the terminal's palette; -1: its default */
	uint8_t attributes; /* enum cell_attribute, added to the cell's */
};

/* How a cell of this role looks on a terminal of so many colours: from 256 on, from 8 on, or fewer.
 */
struct look theme_look(enum theme theme, int colors, enum role role, enum role ground);

#endif
