/* SPDX-License-Identifier: GPL-2.0-only */
#include "top/keys.h"

#include <string.h>

#include "base/cleanup.h"
#include "detect/detector.h"

#define LISTS (IN(VIEW_VMS) | IN(VIEW_FINDINGS) | IN(VIEW_EVENTS))
#define PAGES (IN(VIEW_VM) | IN(VIEW_TEXT) | IN(VIEW_HELP) | IN(VIEW_COLUMNS))
#define MAP   IN(VIEW_MAP)
#define ALL   (LISTS | PAGES | MAP)

const struct key_row key_rows[] = {
	{DO_HELP, ALL & ~MAP, {TK_F1, '?', 'h'}, "Help", "this list", SCOPE_ALL},
	{DO_HELP, MAP, {TK_F1, '?'}, "Help", "this list", SCOPE_ALL},
	{DO_COLUMNS, IN(VIEW_VMS), {TK_F1 + 1, 'C'}, "Columns", "choose the columns", SCOPE_ALL},
	{DO_SEARCH, LISTS, {TK_F1 + 2, '/'}, "Search", "find a text", SCOPE_ALL},
	{DO_FILTER, LISTS, {TK_F1 + 3, '\\'}, "Filter",
		"show only what matches: words, or such as type=snp shared>10%", SCOPE_ALL},
	{DO_TREE, IN(VIEW_VMS), {TK_F1 + 4, 't'}, "Tree", "by cgroup, by user, or not at all",
		SCOPE_ALL},
	{DO_SORT, IN(VIEW_VMS), {TK_F1 + 5, 's'}, "SortBy", "choose what to sort by", SCOPE_ALL},
	{DO_FIGURES, MAP, {TK_F1 + 1, TK_TAB, TK_ENTER}, "Figures",
		"map: all figures of the VM, as text", SCOPE_ALL},
	{DO_MAP, IN(VIEW_VM), {TK_F1 + 1, TK_TAB, TK_ENTER}, "Map", "figures: back to the map",
		SCOPE_ALL},
	{DO_JUMP, MAP, {TK_F1 + 2, 'g', '/'}, "Address", "map: go to an address, or to gfn N",
		SCOPE_ALL},
	{DO_PLANE, MAP, {TK_F1 + 3, 'p'}, "Plane",
		"map: what the guest says, the host has, or where they differ", SCOPE_ALL},
	{DO_ZOOM_IN, MAP, {TK_F1 + 4, '+', '='}, "Nearer",
		"map: nearer, a cell is half as much memory", SCOPE_ALL},
	{DO_ZOOM_OUT, MAP, {TK_F1 + 5, '-'}, "Farther",
		"map: farther, a cell is twice as much memory", SCOPE_ALL},
	{DO_ZOOM_ALL, MAP, {'0'}, NULL, "map: all of memory", SCOPE_ALL},
	{DO_NEXT_RANGE, MAP, {'n'}, NULL,
		"map: the next range that is not private, or that differs", SCOPE_ALL},
	{DO_PREVIOUS_RANGE, MAP, {'N'}, NULL, "map: the one before", SCOPE_ALL},
	{DO_LAYOUT, MAP, {'H'}, NULL,
		"map: in rows, or on a Hilbert curve, where neighbours stay close", SCOPE_ALL},
	{DO_FINDINGS, ALL, {TK_F1 + 6, '2'}, "Findings", "what is suspicious", SCOPE_ALL},
	{DO_EVENTS, ALL, {TK_F1 + 7, '3'}, "Events", "conversions and refusals as they happen",
		SCOPE_ALL},
	{DO_FREEZE, IN(VIEW_VMS) | IN(VIEW_VM) | MAP, {TK_F1 + 8, 'K'}, "Freeze",
		"stop the VM's vCPUs, after a question", SCOPE_ACTIONS},
	{DO_RELEASE, IN(VIEW_VMS) | IN(VIEW_VM) | MAP, {'L'}, NULL,
		"let them run again, after a question", SCOPE_ACTIONS},
	{DO_MODE, IN(VIEW_VMS) | IN(VIEW_VM) | MAP, {'M'}, NULL,
		"only monitor the VM, or enforce its rules again, after a question", SCOPE_ACTIONS},
	{DO_QUIT, ALL, {TK_F1 + 9, 'q'}, "Quit", "leave", SCOPE_ALL},
	{DO_VMS, ALL, {'1'}, NULL, "the table of VMs", SCOPE_ALL},
	{DO_NEXT_VIEW, LISTS, {TK_TAB}, NULL, "the next of VMs, findings, events", SCOPE_ALL},
	{DO_OPEN, LISTS | IN(VIEW_COLUMNS), {TK_ENTER}, NULL,
		"open the VM; explain the finding or event; sort by the column", SCOPE_ALL},
	{DO_LEFT, MAP, {TK_LEFT, 'h'}, NULL, "map: a cell to the left", SCOPE_ALL},
	{DO_RIGHT, MAP, {TK_RIGHT, 'l'}, NULL, "map: a cell to the right", SCOPE_ALL},
	{DO_BACK, ALL, {TK_ESCAPE, TK_BACKSPACE}, NULL, "back; take the filter off", SCOPE_ALL},
	{DO_UP, ALL, {TK_UP, 'k'}, NULL, "a line up", SCOPE_ALL},
	{DO_DOWN, ALL, {TK_DOWN, 'j'}, NULL, "a line down", SCOPE_ALL},
	{DO_PAGE_UP, ALL, {TK_PAGE_UP, 'b'}, NULL, "a page up", SCOPE_ALL},
	{DO_PAGE_DOWN, (PAGES | MAP) & ~IN(VIEW_COLUMNS), {TK_PAGE_DOWN, ' '}, NULL, "a page down",
		SCOPE_ALL},
	{DO_PAGE_DOWN, LISTS | IN(VIEW_COLUMNS), {TK_PAGE_DOWN}, NULL, "a page down", SCOPE_ALL},
	{DO_FIRST, ALL & ~MAP, {TK_HOME, 'g'}, NULL, "to the first line", SCOPE_ALL},
	{DO_FIRST, MAP, {TK_HOME}, NULL, "to the first line", SCOPE_ALL},
	{DO_LAST, ALL, {TK_END, 'G'}, NULL, "to the last line", SCOPE_ALL},
	{DO_LEFT, IN(VIEW_VMS) | IN(VIEW_EVENTS), {TK_LEFT}, NULL, "what is left of it", SCOPE_ALL},
	{DO_RIGHT, IN(VIEW_VMS) | IN(VIEW_EVENTS), {TK_RIGHT}, NULL,
		"columns that have no room; the rest of long lines", SCOPE_ALL},
	{DO_SEARCH_NEXT, LISTS, {'n'}, NULL, "the next one that has it", SCOPE_ALL},
	{DO_SORT_NEXT, IN(VIEW_VMS), {'>', '.'}, NULL, "sort by the next column", SCOPE_ALL},
	{DO_SORT_PREVIOUS, IN(VIEW_VMS), {'<', ','}, NULL, "sort by the column before", SCOPE_ALL},
	{DO_INVERT, IN(VIEW_VMS), {'I'}, NULL, "turn the order round", SCOPE_ALL},
	{DO_MARK, IN(VIEW_VMS), {' '}, NULL, "mark the VM", SCOPE_ALL},
	{DO_UNMARK, IN(VIEW_VMS), {'U'}, NULL, "take all marks off", SCOPE_ALL},
	{DO_FOLLOW, IN(VIEW_VMS), {'F'}, NULL, "stay with this VM wherever it is sorted to",
		SCOPE_ALL},
	{DO_ENDED, IN(VIEW_VMS), {'x'}, NULL, "show VMs that ended, too", SCOPE_ALL},
	{DO_TOGGLE, IN(VIEW_COLUMNS), {' '}, NULL, "show the column, or do not", SCOPE_ALL},
	{DO_HOLD, LISTS, {'Z', 'p'}, NULL, "hold the picture still", SCOPE_ALL},
	{DO_RESET, LISTS | IN(VIEW_VM) | MAP, {'R'}, NULL, "let the counters begin anew",
		SCOPE_ALL},
	{DO_INTERVAL, ALL, {'d'}, NULL, "change the interval", SCOPE_ALL},
	{DO_SAVE, ALL, {'W'}, NULL, "save columns, order, filter, tree, interval and theme",
		SCOPE_ALL},
	{DO_PAUSE, ALL, {'P'}, NULL, "stop the capture, or let it go on", SCOPE_FILE},
	{DO_STEP, ALL, {'S'}, NULL, "play one interval", SCOPE_FILE},
	{DO_FASTER, ALL, {']'}, NULL, "play twice as fast", SCOPE_FILE},
	{DO_SLOWER, ALL, {'['}, NULL, "play half as fast", SCOPE_FILE},
	{DO_FORWARD, ALL, {'}'}, NULL, "go ten intervals on", SCOPE_FILE},
	{DO_BACKWARD, ALL, {'{'}, NULL, "go ten intervals back", SCOPE_FILE},
	{DO_RESTART, ALL, {'B'}, NULL, "play it from the beginning", SCOPE_FILE},
	{DO_REDRAW, ALL, {TK_CTRL_L}, NULL, "draw the screen anew", SCOPE_ALL},
};
const size_t n_key_rows = ARRAY_SIZE(key_rows);

static bool in_scope(const struct key_row *row, bool file, bool actions)
{
	return row->scope == SCOPE_ALL || (row->scope == SCOPE_FILE && file) ||
	       (row->scope == SCOPE_ACTIONS && actions);
}

enum command_id key_command(enum view_id view, uint32_t key, bool file, bool actions)
{
	for (size_t i = 0; i < n_key_rows; i++)
		for (int k = 0; k < KEYS_PER_ROW && key; k++)
			if (key_rows[i].keys[k] == key && (key_rows[i].views & IN(view)) &&
				in_scope(&key_rows[i], file, actions))
				return key_rows[i].command;
	return DO_NOTHING;
}

const char *key_spelling(uint32_t key, char buffer[16])
{
	static const struct {
		uint32_t key;
		const char *name;
	} names[] = {
		{TK_TAB, "Tab"},
		{TK_ENTER, "Enter"},
		{TK_ESCAPE, "Esc"},
		{TK_BACKSPACE, "Backspace"},
		{TK_UP, "Up"},
		{TK_DOWN, "Down"},
		{TK_LEFT, "Left"},
		{TK_RIGHT, "Right"},
		{TK_PAGE_UP, "PgUp"},
		{TK_PAGE_DOWN, "PgDn"},
		{TK_HOME, "Home"},
		{TK_END, "End"},
		{TK_DELETE, "Del"},
		{TK_CTRL_L, "Ctrl-L"},
		{' ', "Space"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].key == key) {
			snprintf(buffer, 16, "%s", names[i].name);
			return buffer;
		}
	if (key >= TK_F1 && key <= TK_F12)
		snprintf(buffer, 16, "F%u", (unsigned int)(key - TK_F1 + 1));
	else
		snprintf(buffer, 16, "%c", key > ' ' && key < 0x7f ? (char)key : '?');
	return buffer;
}

const char *key_row_names(const struct key_row *row, char *buffer, size_t size)
{
	char name[16];

	*buffer = '\0';
	for (int i = 0; i < KEYS_PER_ROW && row->keys[i]; i++)
		say(buffer, size, "%s%s", i ? " " : "", key_spelling(row->keys[i], name));
	return buffer;
}

/* Each key by itself, so that none is taken for punctuation of the text around it. */
static void write_keys(FILE *out, const struct key_row *row)
{
	char name[16];

	fputs(".It Ic", out);
	for (int i = 0; i < KEYS_PER_ROW && row->keys[i]; i++)
		fprintf(out, " \\&%s",
			row->keys[i] == '\\' ? "\\e" : key_spelling(row->keys[i], name));
	putc('\n', out);
}

void keys_manual(FILE *out)
{
	static const char *const where[] = {
		[SCOPE_ALL] = "",
		[SCOPE_FILE] = " (while a capture is played)",
		[SCOPE_ACTIONS] = " (with \\-\\-allow\\-actions)",
	};

	for (size_t i = 0; i < n_key_rows; i++) {
		const struct key_row *row = &key_rows[i];

		if (i && row->command == key_rows[i - 1].command)
			continue; /* the same in other views */
		write_keys(out, row);
		fprintf(out, "%c%s%s.\n", row->help[0] - 'a' + 'A', row->help + 1,
			where[row->scope]);
	}
}
