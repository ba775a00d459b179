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
	/* cells of the page map: a half block has the upper one's colour, on the lower one's */
	ROLE_MAP_NONE, /* as enum look of picture/look.h has them, in its order */
	ROLE_MAP_PRIVATE,
	ROLE_MAP_SOME,
	ROLE_MAP_MOST,
	ROLE_MAP_SHARED,
	ROLE_MAP_PART_PRIVATE,
	ROLE_MAP_PART_SHARED,
	ROLE_MAP_UNKNOWN,
	ROLE_MAP_BOTH_PRIVATE,
	ROLE_MAP_BOTH_MIXED,
	ROLE_MAP_BOTH_SHARED,
	ROLE_MAP_HOST_PRIVATE,
	ROLE_MAP_HOST_SHARED,
	ROLE_MAP_DIFFER,
	ROLE_MAP_SACRED, /* must stay private, and is */
	ROLE_MAP_BROKEN, /* and is not */
	ROLE_MAP_CURSOR,
	ROLE_MAP_COOL, /* private, changed a while ago, not long ago, just now */
	ROLE_MAP_COOL2,
	ROLE_MAP_COOL3,
	ROLE_MAP_WARM, /* shared, in whole or in part */
	ROLE_MAP_WARM2,
	ROLE_MAP_WARM3,
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

struct ink {
	int16_t fg, bg;     /* of the terminal's palette; -1: its default */
	uint8_t attributes; /* enum cell_attribute, added to the cell's */
};

/* How a cell of this role looks on a terminal of so many colours: from 256 on, from 8 on, or fewer.
 */
struct ink theme_look(enum theme theme, int colors, enum role role, enum role ground);

#endif
