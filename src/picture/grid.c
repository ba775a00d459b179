/* SPDX-License-Identifier: GPL-2.0-only */
/* The cells of a poster. */
#include <string.h>
#include <sys/param.h> /* MIN, MAX */

#include "base/units.h"
#include "picture/poster.h"

/* ---- where ---- */

static bool is_linear(const struct poster *poster)
{
	return poster->layout->kind == LAYOUT_LINEAR;
}

static int column_x(const struct poster *poster, unsigned int column)
{
	return poster->canvas->grid_x + (int)column * poster->cell;
}

/* A band between rows where addresses are left out; whole cells, so that patterns go on. */
static int gap_height(const struct poster *poster)
{
	return (14 * poster->unit + poster->cell - 1) / poster->cell * poster->cell;
}

static uint64_t row_gap(const struct poster *poster, unsigned int row)
{
	uint64_t cell;

	return is_linear(poster) && layout_at(poster->layout, 0, row, &cell)
		       ? layout_gap(poster->layout, cell)
		       : 0;
}

/* Whether rows touch, so that lines go on. */
static bool follows(const struct poster *poster, unsigned int row)
{
	return row && !row_gap(poster, row);
}

static void place_rows(struct poster *poster)
{
	int y = poster->canvas->grid_y = poster->y;

	for (unsigned int row = 0; row < poster->layout->rows; row++) {
		if (row_gap(poster, row))
			y += gap_height(poster);
		poster->rows[row] = y;
		y += poster->cell;
	}
	poster->y = y + 8 * poster->unit;
}

/* ---- squares ---- */

/* What the cells [first, first + n) are, all of which look the same. */
static void fill(struct poster *poster, struct box box, uint64_t first, uint64_t n)
{
	struct layout_range from = layout_range(poster->layout, first);
	struct layout_range to = layout_range(poster->layout, first + n - 1);
	struct layout_cell sum = {};
	struct part parts[PARTS];
	size_t n_parts, used;
	char hint[256], bytes[24];

	if (poster->looks[first] == LOOK_NONE)
		return;
	for (uint64_t i = first; i < first + n; i++)
		cell_add(&sum, &poster->cells[i]);
	used = (size_t)snprintf(hint, sizeof(hint),
		"0x%llx-0x%llx (%s): ", (unsigned long long)(from.gfn << 12),
		(unsigned long long)((to.gfn + to.npages - 1) << 12 | 0xfff),
		bytes_exact((to.gfn + to.npages - from.gfn) << 12, bytes));
	n_parts = cell_parts(&sum, poster->picture->diff, parts);
	for (size_t i = 0, shown = 0; i < n_parts && used < sizeof(hint); i++)
		if (parts[i].pages)
			used += (size_t)snprintf(hint + used, sizeof(hint) - used, "%s%s %s",
				shown++ ? ", " : "", parts[i].name,
				bytes_exact(parts[i].pages << 12, bytes));
	if (sum.sacred && used < sizeof(hint))
		snprintf(hint + used, sizeof(hint) - used, "; %s must stay private",
			bytes_exact(sum.sacred << 12, bytes));
	poster->canvas->ops->fill(poster->canvas, box, poster->looks[first], hint);
}

static uint64_t equal_cells(const struct poster *poster, uint64_t first, uint64_t end)
{
	uint64_t cell = first + 1;

	while (cell < end && poster->looks[cell] == poster->looks[first])
		cell++;
	return cell - first;
}

/* Rows that are all the same go together, others by what is side by side. */
static void fill_rows(struct poster *poster)
{
	const struct layout *layout = poster->layout;
	unsigned int columns = layout->columns;

	for (unsigned int row = 0, rows; row < layout->rows; row += rows) {
		uint64_t first = (uint64_t)row * columns, n;

		rows = 1;
		if (equal_cells(poster, first, first + columns) == columns) {
			while (row + rows < layout->rows && follows(poster, row + rows) &&
				equal_cells(
					poster, first, first + (rows + 1) * (uint64_t)columns) ==
					(rows + 1) * (uint64_t)columns)
				rows++;
			fill(poster,
				(struct box){column_x(poster, 0), poster->rows[row],
					(int)columns * poster->cell, (int)rows * poster->cell},
				first, (uint64_t)rows * columns);
			continue;
		}
		for (uint64_t cell = first; cell < first + columns; cell += n) {
			n = equal_cells(poster, cell, first + columns);
			fill(poster,
				(struct box){column_x(poster, (unsigned int)(cell - first)),
					poster->rows[row], (int)n * poster->cell, poster->cell},
				cell, n);
		}
	}
}

/* The largest aligned square that looks the same and has no gap in it. */
static void fill_squares(struct poster *poster)
{
	const struct layout *layout = poster->layout;
	uint64_t n;

	for (uint64_t cell = 0; cell < layout->cells; cell += n) {
		unsigned int left = UINT32_MAX, top = UINT32_MAX, side = 1, x, y;

		n = 1;
		while (cell % (4 * n) == 0 && 4 * n <= (uint64_t)layout->side * layout->side &&
			cell + 4 * n <= layout->cells &&
			equal_cells(poster, cell, cell + 4 * n) == 4 * n &&
			layout_range(layout, cell + 4 * n - 1).gfn ==
				layout_range(layout, cell).gfn + ((4 * n - 1) << layout->shift)) {
			n *= 4;
			side *= 2;
		}
		for (uint64_t i = cell; i < cell + n; i++) {
			layout_place(layout, i, &x, &y);
			left = MIN(left, x);
			top = MIN(top, y);
		}
		fill(poster,
			(struct box){column_x(poster, left), poster->rows[top],
				(int)side * poster->cell, (int)side * poster->cell},
			cell, n);
	}
}

/* ---- lines between cells ---- */

/* What a line is drawn around: neighbours of different value have one between them. */
typedef uint32_t (*value_fn)(const struct layout_cell *cell);

static uint32_t slot_value(const struct layout_cell *cell)
{
	return cell->slot == LAYOUT_NO_SLOT ? 0 : cell->slot + 1;
}

static uint32_t sacred_value(const struct layout_cell *cell)
{
	return cell->sacred > 0;
}

/* 0 beyond the grid. */
static uint32_t value_at(
	const struct poster *poster, unsigned int column, unsigned int row, value_fn value)
{
	uint64_t cell;

	return layout_at(poster->layout, column, row, &cell) ? value(&poster->cells[cell]) : 0;
}

struct line {
	value_fn value;
	int thick;
	uint32_t rgb;
};

/* The upper edges of a row, or the lower ones. */
static void put_level(struct poster *poster, const struct line *line, unsigned int row, bool lower)
{
	int y = poster->rows[row] + (lower ? poster->cell : 0) - line->thick / 2;
	unsigned int other = lower ? row + 1 : row - 1; /* beyond the grid: UINT_MAX */
	bool alone = lower || !follows(poster, row);

	for (unsigned int x = 0, end; x < poster->layout->columns; x = end + 1) {
		for (end = x; end < poster->layout->columns; end++)
			if (value_at(poster, end, row, line->value) ==
				(alone ? 0 : value_at(poster, end, other, line->value)))
				break;
		if (end > x)
			poster->canvas->ops->plain(poster->canvas,
				(struct box){column_x(poster, x) - line->thick / 2, y,
					(int)(end - x) * poster->cell + line->thick, line->thick},
				line->rgb);
	}
}

/* The edges left of a column. */
static void put_upright(struct poster *poster, const struct line *line, unsigned int column)
{
	const struct layout *layout = poster->layout;

	for (unsigned int y = 0, end; y < layout->rows; y = MAX(end, y + 1)) {
		for (end = y; end < layout->rows; end++)
			if (value_at(poster, column, end, line->value) ==
					value_at(poster, column - 1, end, line->value) ||
				(end > y && !follows(poster, end)))
				break;
		if (end > y)
			poster->canvas->ops->plain(poster->canvas,
				(struct box){column_x(poster, column) - line->thick / 2,
					poster->rows[y], line->thick,
					(int)(end - y) * poster->cell},
				line->rgb);
	}
}

static void put_outlines(struct poster *poster, struct line line)
{
	const struct layout *layout = poster->layout;

	for (unsigned int row = 0; row < layout->rows; row++) {
		put_level(poster, &line, row, false);
		if (row + 1 == layout->rows || !follows(poster, row + 1))
			put_level(poster, &line, row, true);
	}
	for (unsigned int column = 0; column <= layout->columns; column++)
		put_upright(poster, &line, column);
}

/* Between cells, where they are large enough. */
static void put_lattice(struct poster *poster)
{
	const struct layout *layout = poster->layout;
	const struct canvas_ops *ops = poster->canvas->ops;
	int top = poster->rows[0], bottom = poster->rows[layout->rows - 1] + poster->cell;
	int thick = poster->cell >= 20 ? 2 : 1;

	if (poster->cell < 8)
		return;
	for (unsigned int x = 1; x < layout->columns; x++)
		ops->plain(poster->canvas,
			(struct box){column_x(poster, x) - thick / 2, top, thick, bottom - top},
			PAPER);
	for (unsigned int y = 1; y < layout->rows; y++)
		ops->plain(poster->canvas,
			(struct box){column_x(poster, 0), poster->rows[y] - thick / 2,
				(int)layout->columns * poster->cell, thick},
			PAPER);
}

/* ---- addresses ---- */

static void put_address(struct poster *poster, int x, int y, enum align align, uint64_t gfn)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)(gfn << 12));
	poster->canvas->ops->text(
		poster->canvas, x, y, 10 * poster->unit, align, false, 0x333333, text);
}

static void put_row_addresses(struct poster *poster)
{
	const struct layout *layout = poster->layout;
	int unit = poster->unit, x = poster->canvas->grid_x - 5 * unit;
	unsigned int every = 1, since = 0;
	char text[64], size[24];

	while ((int)every * poster->cell < 20 * unit)
		every *= 2;
	for (unsigned int row = 0; row < layout->rows; row++) {
		uint64_t gap = row_gap(poster, row);

		if (gap) {
			snprintf(text, sizeof(text), "... %s %s ...", bytes_short(gap << 12, size),
				layout->n_slots ? "without memory" : "nothing is known of");
			poster->canvas->ops->text(poster->canvas, poster->canvas->grid_x + 4 * unit,
				poster->rows[row] - gap_height(poster) +
					(gap_height(poster) - 10 * unit) / 2,
				10 * unit, ALIGN_LEFT, false, 0x555555, text);
		}
		since = gap || !row ? 0 : since + 1;
		if (since % every == 0)
			put_address(poster, x, poster->rows[row] + (poster->cell - 10 * unit) / 2,
				ALIGN_RIGHT,
				layout_range(layout, (uint64_t)row * layout->columns).gfn);
	}
}

static void put_square_addresses(struct poster *poster, int y)
{
	const struct layout *layout = poster->layout;
	int end = 0, right = (int)poster->picture->width - MARGIN * poster->unit;

	for (unsigned int column = 0; column < layout->columns; column += layout->side) {
		uint64_t gfn = layout_range(layout, (uint64_t)column * layout->side).gfn;
		int width = snprintf(NULL, 0, "0x%llx ", (unsigned long long)(gfn << 12)) * 6 *
			    poster->unit;
		int x = MIN(column_x(poster, column), right - width);

		if (x < end)
			continue;
		put_address(poster, x, y, ALIGN_LEFT, gfn);
		end = x + width;
	}
}

void poster_grid(struct poster *poster)
{
	int y = poster->y;

	if (!is_linear(poster))
		poster->y += 13 * poster->unit;
	place_rows(poster);
	if (!poster->drawing)
		return;
	if (is_linear(poster)) {
		fill_rows(poster);
		put_lattice(poster);
		put_row_addresses(poster);
	} else {
		fill_squares(poster);
		put_lattice(poster);
		put_square_addresses(poster, y);
	}
	put_outlines(poster, (struct line){slot_value, poster->unit, BORDER_INK});
	put_outlines(poster, (struct line){sacred_value, 2 * poster->unit, SACRED_INK});
}
