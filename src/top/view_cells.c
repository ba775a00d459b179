/* SPDX-License-Identifier: GPL-2.0-only */
/* The cells of a page map: with 256 colours two in a letter, as half blocks; else a sign each, that
 * is read without colours. */
#include <errno.h>
#include <stdlib.h>
#include <sys/param.h> /* MIN, MAX */

#include "base/cleanup.h"
#include "top/view_map.h"

#define UPPER_HALF 0x2580
#define LOWER_HALF 0x2584

/* ---- what changed lately ---- */

/* The cells in sight: of rows all that lie between the first and the last one, of a curve those of
 * its squares. */
static struct layout_range cells_in_sight(const struct map *map)
{
	const struct layout *layout = map->layout;
	uint64_t from = 0, end = layout->cells;

	if (map->kind == LAYOUT_HILBERT) {
		uint64_t square = (uint64_t)layout->side * layout->side;

		from = map->first / layout->side * square;
		end = MIN(end, (map->first + map->room.columns + layout->side - 1) / layout->side *
				       square);
	} else {
		struct map_line line;
		uint64_t last = 0;

		for (unsigned int i = map->room.lines; i-- > 0;) {
			line = map_line(map, i);
			if (!line.rows)
				continue;
			last = MAX(last, line.row + line.rows);
			from = line.row * layout->columns;
		}
		end = MIN(end, last * layout->columns);
	}
	return (struct layout_range){from, end > from ? end - from : 0};
}

static void warm_up(struct top *top, const struct heat_mark *mark, const struct layout_range *seen)
{
	const struct layout *layout = top->map.layout;
	uint64_t at = mark->gfn, end = mark->gfn + mark->npages, cell;

	for (size_t i = 0; i < layout->n_segments && at < end; i++) {
		const struct layout_segment *s = &layout->segments[i];
		uint64_t stop = MIN(end, s->gfn + (s->cells << layout->shift)), last;

		if (s->gfn + (s->cells << layout->shift) <= at || s->gfn >= end)
			continue;
		cell = MAX(s->cell + ((MAX(at, s->gfn) - s->gfn) >> layout->shift), seen->gfn);
		last = MIN(s->cell + ((stop - 1 - s->gfn) >> layout->shift),
			seen->gfn + seen->npages - 1);
		for (; cell <= last; cell++)
			top->warm[cell - seen->gfn] =
				MAX(top->warm[cell - seen->gfn], mark->last_ns);
	}
}

/* For each cell in sight, when its pages changed last. */
static int find_warm(struct top *top, const struct heat *heat, const struct layout_range *seen)
{
	enum map_plane plane = top->map.plane;

	if (top->n_warm < seen->npages) {
		uint64_t *grown = reallocarray(top->warm, seen->npages, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		top->warm = grown;
		top->n_warm = seen->npages;
	}
	for (uint64_t i = 0; i < seen->npages; i++)
		top->warm[i] = 0;
	for (int i = 0; heat && seen->npages && i < HEAT_MARKS; i++) {
		const struct heat_mark *mark = &heat->marks[i];
		uint64_t age = top->now_ns - mark->last_ns;

		if (mark->npages &&
			(plane == MAP_DIFF ||
				mark->plane == (plane == MAP_HOST ? PLANE_HOST : PLANE_GUEST)) &&
			heat_warmth(age, stats_interval(top->stats)))
			warm_up(top, mark, seen);
	}
	return 0;
}

/* ---- one cell ---- */

struct sign {
	enum look look;
	enum role role;
	bool border, sacred, warm, cursor;
};

/* Of what must stay private: frames that are not. */
static uint64_t count_broken(const struct map_view *view, const struct layout_cell *cell)
{
	const struct map *map = &view->top->map;
	uint64_t end = cell->range.gfn + cell->range.npages, n = 0;

	for (size_t i = 0; i < map->layout->n_sacred; i++) {
		const struct layout_range *sacred = &map->layout->sacred[i];
		struct layout_range both = {MAX(cell->range.gfn, sacred->gfn), 0};
		uint64_t stop = MIN(end, sacred->gfn + sacred->npages);
		struct layout_cell part;

		if (both.gfn >= stop)
			continue;
		both.npages = stop - both.gfn;
		map_read(map, view->stats->vm, &both, &part);
		n += part.counts[PAGE_SHARED];
	}
	return n;
}

static enum role role_of(const struct map_view *view, const struct layout_cell *cell,
	const struct sign *sign, uint64_t changed_ns)
{
	const struct top *top = view->top;
	enum warmth warmth = WARMTH_COLD;

	if (sign->look == LOOK_NONE)
		return ROLE_MAP_NONE;
	if (changed_ns)
		warmth = heat_warmth(top->now_ns - changed_ns, stats_interval(top->stats));
	if (cell->sacred && cell->counts[PAGE_SHARED] && count_broken(view, cell))
		return ROLE_MAP_BROKEN;
	if (warmth && (sign->look == LOOK_PRIVATE || sign->look == LOOK_BOTH_PRIVATE))
		return (enum role)(ROLE_MAP_COOL + warmth - 1);
	if (warmth && ((sign->look >= LOOK_SOME && sign->look <= LOOK_SHARED) ||
			      sign->look == LOOK_BOTH_MIXED || sign->look == LOOK_BOTH_SHARED))
		return (enum role)(ROLE_MAP_WARM + warmth - 1);
	if (cell->sacred && (sign->look == LOOK_PRIVATE || sign->look == LOOK_BOTH_PRIVATE))
		return ROLE_MAP_SACRED;
	return (enum role)(ROLE_MAP_NONE + sign->look);
}

/* Before the first cell of a curve's row: its neighbour is not seen. */
#define SLOT_UNSEEN (LAYOUT_NO_SLOT - 1)

_Static_assert(ROLE_MAP_NONE + LOOKS - 1 == ROLE_MAP_DIFFER, "a role for each look");

/* The sign of a cell; *slot: of the cell before it, goes on. */
static struct sign sign_at(const struct map_view *view, const struct layout_range *seen,
	unsigned int column, uint64_t row, uint32_t *slot)
{
	const struct top *top = view->top;
	struct sign sign = {.role = ROLE_MAP_NONE};
	struct layout_range frames;
	struct layout_cell cell;
	uint64_t number, changed = 0;

	if (!map_cell(&top->map, column, row, &number))
		return sign;
	frames = layout_range(top->map.layout, number);
	map_read(&top->map, view->stats->vm, &frames, &cell);
	if (number - seen->gfn < seen->npages)
		changed = top->warm[number - seen->gfn];
	sign.look = look_of(&cell, top->map.plane == MAP_DIFF);
	sign.role = role_of(view, &cell, &sign, changed);
	sign.sacred = cell.sacred;
	sign.warm = changed &&
		    heat_warmth(top->now_ns - changed, stats_interval(top->stats)) >= WARMTH_WARM;
	sign.border = cell.border ||
		      (cell.slot != *slot && cell.slot != LAYOUT_NO_SLOT && *slot != SLOT_UNSEEN);
	*slot = cell.slot;
	sign.cursor = number == map_cursor_cell(&top->map);
	if (sign.cursor && view->halves)
		sign.role = ROLE_MAP_CURSOR;
	return sign;
}

/* ---- drawing it ---- */

static void put_halves(
	struct cells *cells, int x, int y, const struct sign *upper, const struct sign *lower)
{
	bool border = (upper->border || lower->border) && upper->role == lower->role;

	if (upper->role == ROLE_MAP_NONE && lower->role == ROLE_MAP_NONE)
		cells_put(cells, x, y, ' ', PEN(ROLE_TEXT));
	else if (border) /* one colour is left for it */
		cells_put(cells, x, y, 0x258f,
			(struct pen){.role = ROLE_VALUE, .ground = lower->role});
	else if (upper->role == ROLE_MAP_NONE)
		cells_put(cells, x, y, LOWER_HALF,
			(struct pen){.role = lower->role, .ground = ROLE_MAP_NONE});
	else
		cells_put(cells, x, y, UPPER_HALF,
			(struct pen){.role = upper->role, .ground = lower->role});
}

static const char *glyph_of(const struct sign *sign, bool ascii)
{
	if (sign->role == ROLE_MAP_BROKEN)
		return "!";
	if (sign->sacred && sign->look == LOOK_PRIVATE)
		return ":";
	return ascii ? look_styles[sign->look].ascii : look_styles[sign->look].glyph;
}

static void put_glyph(const struct map_view *view, int x, int y, const struct sign *sign)
{
	const char *glyph = glyph_of(sign, view->cells->ascii);
	unsigned int width = map_cell_width(view);
	struct pen pen = {.role = sign->role};

	if (sign->warm)
		pen.attributes |= CELL_UNDERLINE;
	if (sign->cursor)
		pen = (struct pen){ROLE_CURSOR, ROLE_CURSOR, 0};
	for (unsigned int i = 0; i < width; i++)
		cells_text(view->cells, x + (int)i, y, 1, pen,
			width > 1 && !i && sign->border ? "|" : glyph);
}

struct marks {
	bool border, sacred, broken, cursor;
};

static void add_marks(struct marks *marks, const struct sign *sign)
{
	marks->border |= sign->border;
	marks->sacred |= sign->sacred;
	marks->broken |= sign->role == ROLE_MAP_BROKEN;
	marks->cursor |= sign->cursor;
}

/* The rows of a line; the slots go on from row to row. */
static struct marks draw_rows(const struct map_view *view, const struct layout_range *seen,
	const struct map_line *line, int y, uint32_t *slot)
{
	int x = view->area.x + view->label, width = (int)map_cell_width(view);
	unsigned int n = MIN(view->top->map.layout->columns, view->top->map.room.columns);
	struct sign signs[2][LAYOUT_MAX];
	struct marks marks = {};

	for (unsigned int row = 0; row < line->rows; row++) {
		if (view->top->map.kind == LAYOUT_HILBERT)
			*slot = SLOT_UNSEEN;
		for (unsigned int i = 0; i < n; i++) {
			signs[row][i] = sign_at(view, seen, i, line->row + row, slot);
			add_marks(&marks, &signs[row][i]);
		}
	}
	for (unsigned int i = 0; i < n; i++)
		if (view->halves)
			put_halves(view->cells, x + (int)i, y, &signs[0][i],
				line->rows > 1 ? &signs[1][i]
					       : &(struct sign){.role = ROLE_MAP_NONE});
		else
			put_glyph(view, x + (int)i * width, y, &signs[0][i]);
	return marks;
}

/* ---- around the cells ---- */

static void draw_gap(const struct map_view *view, uint64_t gap, int y)
{
	char size[24];

	if (view->label > 4)
		cells_right(view->cells, view->area.x, y, view->label - 1, PEN(ROLE_DIM), "...");
	cells_format(view->cells, view->area.x + view->label, y, view->area.width - view->label,
		PEN(ROLE_DIM), "%s %s", bytes_short(gap << 12, size),
		view->top->map.layout->n_slots ? "without memory" : "nothing is known of");
}

static void draw_label(const struct map_view *view, uint64_t row, int y, bool cursor)
{
	uint64_t cell;
	char text[24];

	if (view->label < 4 || !map_cell(&view->top->map, 0, row, &cell))
		return;
	snprintf(text, sizeof(text), "%llx",
		(unsigned long long)(layout_range(view->top->map.layout, cell).gfn << 12));
	cells_right(view->cells, view->area.x, y, view->label - 1,
		cursor ? PEN_BOLD(ROLE_VALUE) : PEN(ROLE_DIM), text);
}

static void draw_marks(const struct map_view *view, int y, const struct marks *marks)
{
	int x = view->area.x + view->label +
		(int)(view->top->map.layout->columns * map_cell_width(view));

	if (view->marks < 2)
		return;
	if (marks->border)
		cells_put(view->cells, x + view->marks - 2, y, '<', PEN(ROLE_LABEL));
	if (marks->sacred)
		cells_put(view->cells, x + view->marks - 1, y, '!',
			marks->broken ? PEN_BOLD(ROLE_CRITICAL) : PEN(ROLE_MAP_SACRED));
}

static void draw_linear(const struct map_view *view, const struct layout_range *seen)
{
	const struct map *map = &view->top->map;
	uint32_t slot = LAYOUT_NO_SLOT;

	if (seen->gfn) { /* what the cell before the first one is of */
		struct layout_range frames = layout_range(map->layout, seen->gfn - 1);
		struct layout_cell cell;

		map_read(map, view->stats->vm, &frames, &cell);
		slot = cell.slot;
	}
	for (int i = 0; i < view->area.height; i++) {
		struct map_line line = map_line(map, (unsigned int)i);
		struct marks marks;
		int y = view->area.y + i;

		if (line.gap)
			draw_gap(view, line.gap, y);
		if (!line.rows)
			continue;
		marks = draw_rows(view, seen, &line, y, &slot);
		draw_label(view, line.row, y, marks.cursor);
		draw_marks(view, y, &marks);
	}
}

/* Squares side by side, the address of each above it. */
static void draw_curve(const struct map_view *view, const struct layout_range *seen)
{
	const struct map *map = &view->top->map;
	const struct layout *layout = map->layout;
	int width = (int)map_cell_width(view);

	for (uint64_t x = map->first; x < map->first + map->room.columns && x < layout->columns;
		x++)
		if (x % layout->side == 0)
			cells_format(view->cells,
				view->area.x + view->label + (int)(x - map->first) * width,
				view->area.y - 1, (int)layout->side * width - 1, PEN(ROLE_DIM),
				"%llx",
				(unsigned long long)(layout_range(layout, x * layout->side).gfn
						     << 12));
	for (int i = 0; i < view->area.height; i++) {
		struct map_line line = map_line(map, (unsigned int)i);
		uint32_t slot = SLOT_UNSEEN;

		if (line.rows)
			draw_rows(view, seen, &line, view->area.y + i, &slot);
	}
}

/* ---- all of it ---- */

static size_t take_sacred(const struct map_view *view, struct layout_range *ranges)
{
	const struct settings *settings = view->top->options.settings;
	size_t n = 0;

	for (size_t i = 0; settings && i < settings->n_sacred; i++)
		if (sacred_concerns(&settings->sacred[i], view->stats->vm))
			ranges[n++] = (struct layout_range){
				settings->sacred[i].gfn, settings->sacred[i].npages};
	return n;
}

int draw_map(struct map_view *view)
{
	struct layout_range sacred[SETTINGS_SACRED], seen;
	size_t n_sacred = take_sacred(view, sacred);
	struct map *map = &view->top->map;
	struct map_room room = {.halves = view->halves};
	int r, n;

	if (map->kind == LAYOUT_HILBERT) { /* a line of addresses above it, none beside */
		view->label = 1;
		view->area.y++;
		view->area.height--;
	}
	n = (view->area.width - view->label - view->marks) / (int)map_cell_width(view);
	if (n < 1 || view->area.height < 1)
		return -EINVAL;
	room.columns = (unsigned int)n;
	room.lines = (unsigned int)view->area.height;
	r = map_fit(map, view->stats->vm, &room, sacred, n_sacred);
	if (r)
		return r;
	seen = cells_in_sight(map);
	r = find_warm(view->top, view->stats->heat, &seen);
	if (r)
		return r;
	view->top->map_area = (struct area){view->area.x + view->label, view->area.y,
		n * (int)map_cell_width(view), view->area.height};
	view->top->map_width = map_cell_width(view);
	if (map->kind == LAYOUT_HILBERT)
		draw_curve(view, &seen);
	else
		draw_linear(view, &seen);
	return 0;
}
