/* SPDX-License-Identifier: GPL-2.0-only */
/* What each key does, in one table: handling it, the bar at the bottom, the help screen and the
 * manual all come from here. */
#ifndef TOP_KEYS_H
#define TOP_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A character, or one of these: no character is that large. */
enum key {
	TK_NONE = 0,
	TK_TAB = '\t',
	TK_ENTER = '\n',
	TK_ESCAPE = 0x1b,
	TK_BACKSPACE = 0x7f,
	TK_UP = 0x200000,
	TK_DOWN,
	TK_LEFT,
	TK_RIGHT,
	TK_PAGE_UP,
	TK_PAGE_DOWN,
	TK_HOME,
	TK_END,
	TK_DELETE,
	TK_CTRL_L,
	TK_F1 = 0x200100, /* and so on, up to F12 */
	TK_F12 = TK_F1 + 11,
	TK_CLICK = 0x200200, /* of the mouse, at x and y */
	TK_RESIZE,
};

struct key_press {
	uint32_t key;
	int x, y; /* TK_CLICK */
};

enum view_id {
	VIEW_VMS,
	VIEW_MAP, /* a VM's page map, with figures beside it */
	VIEW_VM,  /* all its figures */
	VIEW_FINDINGS,
	VIEW_EVENTS,
	VIEW_COLUMNS,
	VIEW_TEXT, /* a page of text: what explain says */
	VIEW_HELP,
	VIEWS,
};

enum command_id {
	DO_NOTHING,
	DO_UP,
	DO_DOWN,
	DO_PAGE_UP,
	DO_PAGE_DOWN,
	DO_FIRST,
	DO_LAST,
	DO_LEFT,
	DO_RIGHT,
	DO_OPEN,
	DO_BACK,
	DO_NEXT_VIEW,
	DO_VMS,
	DO_FINDINGS,
	DO_EVENTS,
	DO_HELP,
	DO_COLUMNS,
	DO_SEARCH,
	DO_SEARCH_NEXT,
	DO_FILTER,
	DO_TREE,
	DO_SORT,
	DO_SORT_NEXT,
	DO_SORT_PREVIOUS,
	DO_INVERT,
	DO_MARK,
	DO_UNMARK,
	DO_FOLLOW,
	DO_HOLD,
	DO_ENDED,
	DO_RESET,
	DO_INTERVAL,
	DO_PAUSE,
	DO_STEP,
	DO_FASTER,
	DO_SLOWER,
	DO_RESTART,
	DO_FORWARD,
	DO_BACKWARD,
	DO_TOGGLE,
	DO_FREEZE,
	DO_RELEASE,
	DO_MODE,
	DO_SAVE,
	DO_REDRAW,
	DO_QUIT,
	DO_MAP,
	DO_FIGURES,
	DO_ZOOM_IN,
	DO_ZOOM_OUT,
	DO_ZOOM_ALL,
	DO_PLANE,
	DO_LAYOUT,
	DO_JUMP,
	DO_NEXT_RANGE,
	DO_PREVIOUS_RANGE,
	COMMANDS,
};

#define IN(view)     (1u << (view))
#define KEYS_PER_ROW 4

enum key_scope {
	SCOPE_ALL,
	SCOPE_FILE,    /* only while a capture is played */
	SCOPE_ACTIONS, /* only where actions are allowed */
};

struct key_row {
	enum command_id command;
	uint32_t views; /* IN() of those it works in */
	uint32_t keys[KEYS_PER_ROW];
	const char *label; /* for the bar, where its first key is an F key; NULL: not in it */
	const char *help;
	enum key_scope scope;
};

extern const struct key_row key_rows[];
extern const size_t n_key_rows;

/* What the key does in this view. */
enum command_id key_command(enum view_id view, uint32_t key, bool file, bool actions);

/* "F1", "PgUp", "q". */
const char *key_spelling(uint32_t key, char buffer[16]);

/* "F1 ? h", all keys of a row. */
const char *key_row_names(const struct key_row *row, char *buffer, size_t size);

/* The items of the manual's list of keys, as mdoc. */
void keys_manual(FILE *out);

#endif
