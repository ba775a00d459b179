/* SPDX-License-Identifier: GPL-2.0-only */
/* Pictures in letters. Where the terminal has colours two cells share a letter, as half blocks;
 * else each has its own, and two on a Hilbert curve, so that squares are square. */
#include <stdlib.h>
#include <sys/param.h> /* MIN, MAX */

#include "base/units.h"
#include "picture/poster.h"

#define LABEL    13 /* columns: an address, and what is between it and the cells */
#define MARKS    3
#define SIDE_MAX 64
#define ROWS_MAX 24 /* lines of the terminal */
#define BETWEEN  2  /* columns left of the cells of a curve */

struct text {
	FILE *out;
	const struct picture *picture;
	const struct layout *layout;
	const struct layout_cell *cells;
};

static unsigned int power_below(unsigned int n)
{
	return 1u << (31 - __builtin_clz(MAX(n, 1u)));
}

/* Letters that a cell is wide. */
static unsigned int cell_width(const struct picture *picture)
{
	return picture->layout == LAYOUT_HILBERT && !picture->colour ? 2 : 1;
}

void text_room(const struct picture *picture, struct layout_options *options)
{
	unsigned int rows = picture->colour ? 2 * ROWS_MAX : ROWS_MAX, room, side;

	if (picture->layout == LAYOUT_LINEAR) {
		options->columns = power_below(picture->width - LABEL - MARKS);
		options->rows = rows;
		return;
	}
	room = (picture->width - BETWEEN) / cell_width(picture);
	side = MIN(power_below(room), picture->colour ? SIDE_MAX : SIDE_MAX / 2);
	options->columns = MIN(room, 4 * side);
	options->rows = side;
}

/* ---- cells ---- */

static const struct layout_cell *cell_at(const struct text *text, unsigned int x, unsigned int y)
{
	uint64_t cell;

	return layout_at(text->layout, x, y, &cell) ? &text->cells[cell] : NULL;
}

static enum look look_at(const struct text *text, unsigned int x, unsigned int y)
{
	const struct layout_cell *cell = cell_at(text, x, y);

	return cell ? look_of(cell, text->picture->diff) : LOOK_NONE;
}

static const char *glyph(const struct text *text, enum look look)
{
	return text->picture->ascii ? look_styles[look].ascii : look_styles[look].glyph;
}

/* One letter for two cells: the upper half has the colour of the writing. */
static void put_halves(const struct text *text, enum look upper, enum look lower)
{
	if (upper == LOOK_NONE && lower == LOOK_NONE)
		fputs("\033[0m ", text->out);
	else if (upper == LOOK_NONE)
		fprintf(text->out, "\033[0;38;5;%um▄", look_styles[lower].ground_256);
	else if (lower == LOOK_NONE)
		fprintf(text->out, "\033[0;38;5;%um▀", look_styles[upper].ground_256);
	else
		fprintf(text->out, "\033[38;5;%u;48;5;%um▀", look_styles[upper].ground_256,
			look_styles[lower].ground_256);
}

static void put_row(const struct text *text, unsigned int row, bool two)
{
	unsigned int width = cell_width(text->picture);

	for (unsigned int x = 0; x < text->layout->columns; x++) {
		if (text->picture->colour)
			put_halves(text, look_at(text, x, row),
				two ? look_at(text, x, row + 1) : LOOK_NONE);
		else
			for (unsigned int i = 0; i < width; i++)
				fputs(glyph(text, look_at(text, x, row)), text->out);
	}
	if (text->picture->colour)
		fputs("\033[0m", text->out);
}

/* ---- addresses and marks ---- */

static void put_marks(const struct text *text, unsigned int row, unsigned int rows)
{
	bool sacred = false, border = false;
	uint32_t slot = LAYOUT_NO_SLOT;

	if (row) {
		const struct layout_cell *last = cell_at(text, text->layout->columns - 1, row - 1);

		slot = last ? last->slot : slot;
	} else if (text->layout->cells && text->cells[0].slot != LAYOUT_NO_SLOT) {
		/* of a part of memory, the first slot may begin before it */
		slot = text->layout->slots[text->cells[0].slot].gfn < text->cells[0].range.gfn
			       ? text->cells[0].slot
			       : slot;
	}
	for (unsigned int y = row; y < row + rows; y++)
		for (unsigned int x = 0; x < text->layout->columns; x++) {
			const struct layout_cell *cell = cell_at(text, x, y);

			if (!cell)
				continue;
			sacred |= cell->sacred > 0;
			border |= cell->border ||
				  (cell->slot != slot && cell->slot != LAYOUT_NO_SLOT);
			slot = cell->slot;
		}
	if (sacred || border)
		fprintf(text->out, " %s%s", border ? "<" : "", sacred ? "!" : "");
}

static void put_linear(const struct text *text)
{
	const struct layout *layout = text->layout;
	unsigned int rows;
	char size[24];

	for (unsigned int row = 0; row < layout->rows; row += rows) {
		uint64_t first = (uint64_t)row * layout->columns, gap = layout_gap(layout, first);
		uint64_t next = first + layout->columns;
		bool two = text->picture->colour && row + 1 < layout->rows &&
			   !layout_gap(layout, next);

		rows = two ? 2 : 1;
		if (gap)
			fprintf(text->out, "%*s  %s %s\n", LABEL - 2, "...",
				bytes_short(gap << 12, size),
				layout->n_slots ? "without memory" : "nothing is known of");
		fprintf(text->out, "%*llx  ", LABEL - 2,
			(unsigned long long)(layout_range(layout, first).gfn << 12));
		put_row(text, row, two);
		put_marks(text, row, rows);
		fputc('\n', text->out);
	}
}

static void put_curve(const struct text *text)
{
	const struct layout *layout = text->layout;
	unsigned int step = text->picture->colour ? 2 : 1, width = cell_width(text->picture);

	fprintf(text->out, "%*s", BETWEEN, "");
	for (unsigned int x = 0; x < layout->columns; x += layout->side)
		fprintf(text->out, "%-*llx", (int)(layout->side * width),
			(unsigned long long)(layout_range(layout, (uint64_t)x * layout->side).gfn
					     << 12));
	fputc('\n', text->out);
	for (unsigned int row = 0; row < layout->rows; row += step) {
		fprintf(text->out, "%*s", BETWEEN, "");
		put_row(text, row, step == 2 && row + 1 < layout->rows);
		fputc('\n', text->out);
	}
}

/* ---- around it ---- */

static void put_legend(const struct text *text, const struct layout_cell *sum)
{
	bool used[LOOKS] = {}, linear = text->layout->kind == LAYOUT_LINEAR;
	uint64_t pages = 1ull << text->layout->shift;
	char cell[24], row[24];

	for (uint64_t i = 0; i < text->layout->cells; i++)
		used[look_of(&text->cells[i], text->picture->diff)] = true;
	for (int look = LOOK_PRIVATE; look < LOOKS; look++) {
		if (!used[look])
			continue;
		if (text->picture->colour)
			fprintf(text->out, "  \033[38;5;%um█\033[0m %s",
				look_styles[look].ground_256, look_styles[look].name);
		else
			fprintf(text->out, "  %s %s", glyph(text, (enum look)look),
				look_styles[look].name);
	}
	fputc('\n', text->out);
	bytes_exact(pages << 12, cell);
	if (linear)
		fprintf(text->out, "  one cell is %s, one row %s", cell,
			bytes_exact((pages * text->layout->columns) << 12, row));
	else
		fprintf(text->out,
			"  one cell is %s, one square %s, from its top left to its top right", cell,
			bytes_exact((pages * text->layout->side * text->layout->side) << 12, row));
	if (linear && text->layout->n_slots)
		fputs(";  < a memslot begins", text->out);
	if (linear && sum->sacred)
		fputs(";  ! holds what must stay private", text->out);
	fputc('\n', text->out);
}

static void put_totals(const struct text *text, const struct layout_cell *sum)
{
	struct part parts[PARTS];
	size_t n = cell_parts(sum, text->picture->diff, parts);
	uint64_t whole = 0;
	const char *between = "  ";

	for (size_t i = 0; i < n; i++)
		whole += parts[i].pages;
	for (size_t i = 0; i < n; i++) {
		char bytes[24], percent[16];

		if (!parts[i].pages && text->picture->diff)
			continue;
		fprintf(text->out, "%s%s %s (%s)", between, parts[i].name,
			bytes_short(parts[i].pages << 12, bytes),
			picture_percent(parts[i].pages, whole, percent));
		between = ", ";
	}
	fputc('\n', text->out);
}

static void put_trust(const struct text *text)
{
	bool begins = true;

	for (const char *c = text->picture->trust; *c; c++) {
		if (begins)
			fputs("  ", text->out);
		fputc(*c, text->out);
		begins = *c == '\n';
	}
	if (!begins)
		fputc('\n', text->out);
}

int text_write(FILE *out, const struct picture *picture, const struct layout *layout,
	const struct layout_cell *cells)
{
	struct text text = {.out = out, .picture = picture, .layout = layout, .cells = cells};
	struct layout_cell sum = {};

	for (uint64_t i = 0; i < layout->cells; i++)
		cell_add(&sum, &cells[i]);
	fprintf(out, "%s\n  %s\n", picture->title, picture->about);
	put_totals(&text, &sum);
	put_trust(&text);
	fprintf(out, "  %s\n\n", picture->time);
	if (layout->kind == LAYOUT_LINEAR)
		put_linear(&text);
	else
		put_curve(&text);
	fputc('\n', out);
	put_legend(&text, &sum);
	return 0;
}
