/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages of text: what explain says of a finding, one event, the keys. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "top/top_private.h"

#define LINE_SIZE 1024

/* The part of a line that fits into width cells, broken at a space where there is one; out gets it,
 * and what is left begins at the text that is returned. */
static const char *take_part(const char *at, int width, char out[LINE_SIZE])
{
	size_t length = strcspn(at, "\n"), used, space = 0;

	length = length < LINE_SIZE ? length : LINE_SIZE - 1;
	memcpy(out, at, length);
	out[length] = '\0';
	if (text_width(out) <= width)
		return at + length + (at[length] == '\n');
	for (used = length; used > 1; used--) {
		out[used] = '\0';
		if ((at[used] & 0xc0) != 0x80 && text_width(out) <= width)
			break;
	}
	for (size_t i = strspn(out, " "); i < used; i++)
		if (out[i] == ' ')
			space = i;
	if (space)
		out[used = space] = '\0';
	return at + used + (at[used] == ' ');
}

/* What `explain` sets apart by its place, colour sets apart here. */
static struct pen pen_of(const char *line)
{
	if (*line && *line != ' ')
		return PEN_BOLD(ROLE_LABEL);
	return PEN(ROLE_TEXT);
}

#define HANG 8 /* cells that what is left of a line is moved in by */

/* Draws the lines that are in sight; returns how many there are. Cells NULL: only that. */
static size_t draw_text(const char *at, struct cells *cells, struct area area, size_t first)
{
	char part[LINE_SIZE];
	size_t n = 0;
	int indent = 0;
	struct pen pen = PEN(ROLE_TEXT);

	for (; *at; n++) {
		const char *next = take_part(at, area.width - indent, part);

		if (!indent)
			pen = pen_of(part);
		if (cells && n >= first && n < first + (size_t)area.height)
			cells_text(cells, area.x + indent, area.y + (int)(n - first),
				area.width - indent, pen, part);
		indent = next[-1] == '\n' || area.width < 3 * HANG ? 0 : HANG;
		at = next;
	}
	return n;
}

static void draw(struct top *top, struct cells *cells, struct area area)
{
	const char *text = top->text ?: "";
	struct area body = {area.x + 1, area.y + 1, area.width - 2, area.height - 1};
	size_t n;

	if (body.width < 2 || body.height < 1)
		return;
	n = draw_text(text, NULL, body, 0);
	scroll_page_fit(&top->text_scroll, n, (size_t)body.height);
	draw_title(cells, area, "Esc goes back%s",
		n > (size_t)body.height ? "; Up, Down and Space scroll" : "");
	draw_text(text, cells, body, top->text_scroll.first);
}

static bool command(struct top *top, enum command_id id)
{
	return scroll_page(&top->text_scroll, id);
}

const struct view view_text = {
	.name = "text",
	.draw = draw,
	.command = command,
};

/* ---- the keys ---- */

/* Each command once: in other views it is the same. */
static size_t help_rows(const struct top *top, const struct key_row *rows[])
{
	size_t n = 0;

	for (size_t i = 0; i < n_key_rows; i++) {
		const struct key_row *row = &key_rows[i];

		if (i && row->command == key_rows[i - 1].command)
			continue;
		if (row->scope == SCOPE_FILE && !top->options.file)
			continue;
		if (row->scope == SCOPE_ACTIONS && !top->options.actions)
			continue;
		rows[n++] = row;
	}
	return n;
}

static void draw_help_row(struct cells *cells, int x, int y, int width, const struct key_row *row)
{
	char names[64];

	cells_right(
		cells, x, y, 13, PEN_BOLD(ROLE_LABEL), key_row_names(row, names, sizeof(names)));
	cells_text(cells, x + 14, y, width - 14, PEN(ROLE_TEXT), row->help);
}

#define HELP_WIDTH 64 /* of a column of keys */

static void draw_help(struct top *top, struct cells *cells, struct area area)
{
	const struct key_row *rows[COMMANDS + 8];
	size_t n = help_rows(top, rows), height = area.height > 1 ? (size_t)area.height - 1 : 0;
	size_t beside = area.width >= 2 * HELP_WIDTH ? 2 : 1, lines = (n + beside - 1) / beside;
	int width = area.width / (int)beside;

	scroll_page_fit(&top->help, lines, height);
	draw_title(cells, area, "kvm-encstat top " KES_VERSION ": keys; Esc goes back");
	for (size_t i = 0; i < n; i++) {
		size_t line = i % lines;

		if (line >= top->help.first && line < top->help.first + height)
			draw_help_row(cells, area.x + width * (int)(i / lines),
				area.y + 1 + (int)(line - top->help.first), width, rows[i]);
	}
}

static bool help_command(struct top *top, enum command_id id)
{
	return scroll_page(&top->help, id);
}

const struct view view_help = {
	.name = "help",
	.draw = draw_help,
	.command = help_command,
};

/* ---- the columns ---- */

static bool is_shown(const struct top *top, const struct column *column)
{
	for (size_t i = 0; i < top->columns.n; i++)
		if (top->columns.columns[i] == column)
			return true;
	return false;
}

static void draw_columns(struct top *top, struct cells *cells, struct area area)
{
	size_t height = area.height > 1 ? (size_t)area.height - 1 : 0;

	draw_title(cells, area, "%s",
		top->sort_only
			? "Enter sorts by this column; Esc goes back"
			: "Space shows or hides the column, Enter sorts by it; Esc goes back");
	scroll_fit(&top->choice, n_columns, height);
	for (size_t i = 0; i < height && top->choice.first + i < n_columns; i++) {
		const struct column *column = &columns[top->choice.first + i];
		int y = area.y + 1 + (int)i;
		const char *order = column != top->sort ? "" : top->falling ? "falling" : "rising";

		cells_format(cells, area.x + 1, y, 3, PEN(ROLE_GOOD), "[%c]",
			is_shown(top, column) ? 'x' : ' ');
		cells_text(cells, area.x + 5, y, 12, PEN_BOLD(ROLE_TEXT), column->id);
		cells_text(cells, area.x + 18, y, 8, PEN(ROLE_SHARED), order);
		cells_text(cells, area.x + 26, y, area.width - 26, PEN(ROLE_DIM), column->help);
		if (top->choice.first + i == top->choice.cursor)
			cells_tint(cells, (struct area){area.x, y, area.width, 1},
				(struct pen){.role = ROLE_CURSOR, .ground = ROLE_CURSOR});
	}
}

/* Those that are shown keep the order of the table; which of them fit is the user's business now.
 */
static void toggle(struct top *top, const struct column *column)
{
	struct column_set set = {.chosen = true};

	for (size_t i = 0; i < n_columns; i++)
		if (is_shown(top, &columns[i]) != (column == &columns[i]))
			set.columns[set.n++] = &columns[i];
	if (set.n)
		top->columns = set;
}

static bool columns_command(struct top *top, enum command_id id)
{
	const struct column *column = &columns[top->choice.cursor];

	if (scroll_command(&top->choice, id, n_columns))
		return true;
	if (id == DO_TOGGLE)
		toggle(top, column);
	else if (id == DO_OPEN)
		top_sort_by(top, column);
	else
		return false;
	if (id == DO_OPEN)
		top_show(top, VIEW_VMS);
	return true;
}

const struct view view_columns = {
	.name = "columns",
	.draw = draw_columns,
	.command = columns_command,
};
