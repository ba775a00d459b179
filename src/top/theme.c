/* SPDX-License-Identifier: GPL-2.0-only */
#include "top/theme.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "top/cells.h"

/* A role as a character (fg) and as what is behind one (bg), in 256 colours and in the first 16;
 * attributes are what is left of it without colours. */
struct paint {
	int16_t fg, bg;
	int16_t fg8, bg8;
	uint8_t bold;
	uint8_t mono;
};

/* Of the page map. Shared is the one that stands out, whatever the ground; what changed lately does
 * more, brighter on dark and darker on light. */
#define CELL(c, c8, mono)             \
	{                             \
		c, c, c8, -1, 0, mono \
	}

static const struct paint dark[ROLES] = {
	[ROLE_TEXT] = {-1, -1, -1, -1, 0, 0},
	[ROLE_DIM] = {244, -1, 8, -1, 0, 0},
	[ROLE_HEADER] = {16, 71, 0, 2, 0, CELL_REVERSE},
	[ROLE_SORTED] = {16, 80, 0, 6, 0, CELL_REVERSE | CELL_BOLD},
	[ROLE_CURSOR] = {16, 80, 0, 6, 0, CELL_REVERSE},
	[ROLE_MARKED] = {221, -1, 3, -1, CELL_BOLD, CELL_BOLD},
	[ROLE_KEY] = {-1, -1, -1, -1, 0, 0},
	[ROLE_ACTION] = {16, 80, 0, 6, 0, CELL_REVERSE},
	[ROLE_LABEL] = {80, -1, 6, -1, 0, 0},
	[ROLE_VALUE] = {231, -1, 7, -1, CELL_BOLD, CELL_BOLD},
	[ROLE_PRIVATE] = {75, 24, 4, 4, 0, 0},
	[ROLE_SHARED] = {215, 130, 3, 3, 0, CELL_BOLD},
	[ROLE_UNKNOWN] = {139, 96, 5, 5, 0, CELL_UNDERLINE},
	[ROLE_GOOD] = {114, 28, 2, 2, 0, 0},
	[ROLE_NOTICE] = {117, 25, 6, 6, 0, 0},
	[ROLE_WARNING] = {221, 136, 3, 3, 0, CELL_BOLD},
	[ROLE_CRITICAL] = {203, 160, 1, 1, CELL_BOLD, CELL_BOLD | CELL_REVERSE},
	[ROLE_PROMPT] = {231, 239, 7, 4, CELL_BOLD, CELL_BOLD},
	[ROLE_MAP_NONE] = CELL(-1, -1, 0),
	[ROLE_MAP_PRIVATE] = CELL(24, 4, 0),
	[ROLE_MAP_SOME] = CELL(137, 3, 0),
	[ROLE_MAP_MOST] = CELL(172, 3, 0),
	[ROLE_MAP_SHARED] = CELL(208, 3, 0),
	[ROLE_MAP_PART_PRIVATE] = CELL(60, 5, 0),
	[ROLE_MAP_PART_SHARED] = CELL(138, 5, 0),
	[ROLE_MAP_UNKNOWN] = CELL(244, 5, 0),
	[ROLE_MAP_BOTH_PRIVATE] = CELL(237, 4, 0),
	[ROLE_MAP_BOTH_MIXED] = CELL(95, 6, 0),
	[ROLE_MAP_BOTH_SHARED] = CELL(94, 3, 0),
	[ROLE_MAP_HOST_PRIVATE] = CELL(39, 6, CELL_BOLD),
	[ROLE_MAP_HOST_SHARED] = CELL(198, 1, CELL_BOLD),
	[ROLE_MAP_DIFFER] = CELL(226, 1, CELL_BOLD),
	[ROLE_MAP_SACRED] = CELL(98, 6, 0),
	[ROLE_MAP_BROKEN] = CELL(201, 1, CELL_BOLD | CELL_REVERSE),
	[ROLE_MAP_CURSOR] = CELL(46, 2, CELL_REVERSE),
	[ROLE_MAP_COOL] = CELL(31, 4, 0),
	[ROLE_MAP_COOL2] = CELL(38, 4, 0),
	[ROLE_MAP_COOL3] = CELL(159, 4, 0),
	[ROLE_MAP_WARM] = CELL(214, 3, 0),
	[ROLE_MAP_WARM2] = CELL(221, 3, 0),
	[ROLE_MAP_WARM3] = CELL(230, 3, 0),
};

/* Of the first 16 yellow, cyan and white are hard to read on a light ground: no letters are so. */
static const struct paint light[ROLES] = {
	[ROLE_TEXT] = {-1, -1, -1, -1, 0, 0},
	[ROLE_DIM] = {245, -1, 8, -1, 0, 0},
	[ROLE_HEADER] = {231, 28, 7, 2, 0, CELL_REVERSE},
	[ROLE_SORTED] = {231, 31, 7, 4, 0, CELL_REVERSE | CELL_BOLD},
	[ROLE_CURSOR] = {231, 31, 7, 4, 0, CELL_REVERSE},
	[ROLE_MARKED] = {130, -1, 5, -1, CELL_BOLD, CELL_BOLD},
	[ROLE_KEY] = {-1, -1, -1, -1, 0, 0},
	[ROLE_ACTION] = {231, 31, 7, 4, 0, CELL_REVERSE},
	[ROLE_LABEL] = {30, -1, 4, -1, 0, 0},
	[ROLE_VALUE] = {16, -1, 0, -1, CELL_BOLD, CELL_BOLD},
	[ROLE_PRIVATE] = {26, 117, 4, 4, 0, 0},
	[ROLE_SHARED] = {130, 215, 1, 3, 0, CELL_BOLD},
	[ROLE_UNKNOWN] = {96, 182, 5, 5, 0, CELL_UNDERLINE},
	[ROLE_GOOD] = {28, 157, 2, 2, 0, 0},
	[ROLE_NOTICE] = {26, 153, 4, 6, 0, 0},
	[ROLE_WARNING] = {130, 222, 5, 3, 0, CELL_BOLD},
	[ROLE_CRITICAL] = {160, 217, 1, 1, CELL_BOLD, CELL_BOLD | CELL_REVERSE},
	[ROLE_PROMPT] = {16, 252, 0, 7, CELL_BOLD, CELL_BOLD},
	[ROLE_MAP_NONE] = CELL(-1, -1, 0),
	[ROLE_MAP_PRIVATE] = CELL(152, 4, 0),
	[ROLE_MAP_SOME] = CELL(180, 1, 0),
	[ROLE_MAP_MOST] = CELL(173, 1, 0),
	[ROLE_MAP_SHARED] = CELL(166, 1, 0),
	[ROLE_MAP_PART_PRIVATE] = CELL(146, 5, 0),
	[ROLE_MAP_PART_SHARED] = CELL(138, 5, 0),
	[ROLE_MAP_UNKNOWN] = CELL(245, 5, 0),
	[ROLE_MAP_BOTH_PRIVATE] = CELL(254, 4, 0),
	[ROLE_MAP_BOTH_MIXED] = CELL(187, 5, 0),
	[ROLE_MAP_BOTH_SHARED] = CELL(180, 5, 0),
	[ROLE_MAP_HOST_PRIVATE] = CELL(25, 4, CELL_BOLD),
	[ROLE_MAP_HOST_SHARED] = CELL(162, 1, CELL_BOLD),
	[ROLE_MAP_DIFFER] = CELL(16, 1, CELL_BOLD),
	[ROLE_MAP_SACRED] = CELL(141, 5, 0),
	[ROLE_MAP_BROKEN] = CELL(201, 1, CELL_BOLD | CELL_REVERSE),
	[ROLE_MAP_CURSOR] = CELL(28, 2, CELL_REVERSE),
	[ROLE_MAP_COOL] = CELL(110, 4, 0),
	[ROLE_MAP_COOL2] = CELL(68, 4, 0),
	[ROLE_MAP_COOL3] = CELL(26, 4, 0),
	[ROLE_MAP_WARM] = CELL(160, 1, 0),
	[ROLE_MAP_WARM2] = CELL(124, 1, 0),
	[ROLE_MAP_WARM3] = CELL(88, 1, 0),
};

static const char *const names[] = {"dark", "light", "mono"};
_Static_assert(sizeof(names) / sizeof(*names) == THEMES, "a name for each theme");

const char *theme_name(enum theme theme)
{
	return names[theme];
}

int theme_from_name(const char *name, enum theme *ret)
{
	for (int i = 0; i < THEMES; i++)
		if (!strcmp(name, names[i])) {
			*ret = (enum theme)i;
			return 0;
		}
	return -EINVAL;
}

enum theme theme_default(void)
{
	const char *no = getenv("NO_COLOR"); /* https://no-color.org: any value but none */

	return no && *no ? THEME_MONO : THEME_DARK;
}

struct ink theme_look(enum theme theme, int colors, enum role role, enum role ground)
{
	const struct paint *paints = theme == THEME_LIGHT ? light : dark;
	const struct paint *front = &paints[role], *back = &paints[ground];

	if (theme == THEME_MONO || colors < 8)
		return (struct ink){-1, -1, (uint8_t)(front->mono | back->mono)};
	/* On a ground that has letters of its own colour (a header, the cursor) plain text takes
	 * it. */
	if (ground != ROLE_TEXT && role == ROLE_TEXT)
		front = back;
	if (colors >= 256)
		return (struct ink){front->fg, back->bg, front->bold};
	if (front->fg8 >= colors) /* grey is the ninth */
		return (struct ink){-1, back->bg8, front->bold};
	return (struct ink){front->fg8, back->bg8, front->bold};
}
