/* SPDX-License-Identifier: GPL-2.0-only */
#include "top/map.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h> /* MIN, MAX */

#include "base/escape.h"

void map_free(struct map *map)
{
	layout_free(&map->layout);
}

/* ---- lines and rows ---- */

static unsigned int rows_per_line(const struct map *map)
{
	return map->room.halves ? 2 : 1;
}

/* A segment begins with a line of its own that says what was left out before it. */
static uint64_t segment_lines(const struct map *map, size_t segment, uint64_t *ret_rows)
{
	*ret_rows = map->layout->segments[segment].cells / map->layout->columns;
	return (*ret_rows + rows_per_line(map) - 1) / rows_per_line(map) + (segment > 0);
}

static uint64_t count_lines(const struct map *map)
{
	uint64_t lines = 0, rows;

	if (map->kind == LAYOUT_HILBERT)
		return (map->layout->rows + rows_per_line(map) - 1) / rows_per_line(map);
	for (size_t i = 0; i < map->layout->n_segments; i++)
		lines += segment_lines(map, i, &rows);
	return lines;
}

static struct map_line curve_line(const struct map *map, uint64_t line)
{
	uint64_t row = line * rows_per_line(map), rows = map->layout->rows;

	if (row >= rows)
		return (struct map_line){};
	return (struct map_line){
		.row = row, .rows = (unsigned int)MIN(rows - row, rows_per_line(map))};
}

struct map_line map_line(const struct map *map, unsigned int line)
{
	uint64_t at = map->first + line, row = 0, rows;

	if (map->kind == LAYOUT_HILBERT)
		return curve_line(map, line);
	for (size_t i = 0; i < map->layout->n_segments; i++) {
		uint64_t lines = segment_lines(map, i, &rows);

		if (at < lines) {
			uint64_t inner = (at - (i > 0)) * rows_per_line(map);

			if (i && !at)
				return (struct map_line){.gap = layout_gap(map->layout,
								 map->layout->segments[i].cell)};
			return (struct map_line){.row = row + inner,
				.rows = (unsigned int)MIN(rows - inner, rows_per_line(map))};
		}
		at -= lines;
		row += rows;
	}
	return (struct map_line){};
}

/* The line of a row, counted from the first of all. */
static uint64_t line_of(const struct map *map, uint64_t row)
{
	uint64_t line = 0, rows;

	for (size_t i = 0; i < map->layout->n_segments; i++) {
		uint64_t lines = segment_lines(map, i, &rows);

		if (row < rows)
			return line + (i > 0) + row / rows_per_line(map);
		line += lines;
		row -= rows;
	}
	return line;
}

/* ---- cells ---- */

bool map_cell(const struct map *map, unsigned int column, uint64_t row, uint64_t *ret)
{
	uint64_t x = column + (map->kind == LAYOUT_HILBERT ? map->first : 0);

	if (x >= map->layout->columns || row >= map->layout->rows)
		return false;
	return layout_at(map->layout, (unsigned int)x, (unsigned int)row, ret);
}

uint64_t map_cursor_cell(const struct map *map)
{
	uint64_t cell;

	if (map->layout && layout_find(map->layout, map->cursor, &cell))
		return cell;
	return UINT64_MAX;
}

static void go_to_cell(struct map *map, uint64_t cell)
{
	map->cursor = layout_range(map->layout, cell).gfn;
}

void map_point(struct map *map, unsigned int column, unsigned int line)
{
	struct map_line at = map_line(map, line);
	uint64_t cell;

	if (at.rows && map_cell(map, column, at.row, &cell))
		go_to_cell(map, cell);
}

void map_read(const struct map *map, const struct vm *vm, const struct layout_range *frames,
	struct layout_cell *ret)
{
	layout_read_frames(map->layout, vm, map->plane == MAP_HOST ? PLANE_HOST : PLANE_GUEST,
		map->plane == MAP_DIFF, frames, ret);
}

/* ---- what is in sight ---- */

/* Where the cursor is, along the way that is scrolled; and how much of that there is. */
static uint64_t cursor_place(const struct map *map, uint64_t *ret_all)
{
	uint64_t cell = map_cursor_cell(map);
	unsigned int column = 0, row = 0;

	if (cell != UINT64_MAX)
		layout_place(map->layout, cell, &column, &row);
	*ret_all = map->kind == LAYOUT_HILBERT ? map->layout->columns : count_lines(map);
	return map->kind == LAYOUT_HILBERT ? column : line_of(map, row);
}

static uint64_t room_along(const struct map *map)
{
	return map->kind == LAYOUT_HILBERT ? map->room.columns : map->room.lines;
}

void map_sight(const struct map *map, unsigned int *ret_from, unsigned int *ret_to)
{
	uint64_t all, end;

	cursor_place(map, &all);
	end = MIN(all, map->first + room_along(map));
	*ret_from = all ? (unsigned int)(map->first * 100 / all) : 0;
	*ret_to = all ? (unsigned int)((end * 100 + all - 1) / all) : 100;
}

static void scroll_to_cursor(struct map *map)
{
	uint64_t all, at = cursor_place(map, &all), room = room_along(map);

	if (at < map->first)
		map->first = at;
	if (at >= map->first + room)
		map->first = at - room + 1;
	if (map->first + room > all)
		map->first = all > room ? all - room : 0;
	/* What is left out before the first row is said. */
	if (map->first == 1 && map->kind == LAYOUT_LINEAR && at + 1 < room)
		map->first = 0;
}

/* The cursor was on memory that is gone, or never was on any. */
static void catch_cursor(struct map *map)
{
	const struct layout *layout = map->layout;
	size_t i = 0;

	if (!layout->cells || map_cursor_cell(map) != UINT64_MAX)
		return;
	while (i + 1 < layout->n_segments && layout->segments[i + 1].gfn <= map->cursor)
		i++;
	map->cursor = layout->segments[i].gfn;
}

static int lay_out(struct map *map, const struct vm *vm, struct layout_options *options)
{
	struct layout *layout;
	int r = layout_new(&layout, vm, options);

	if (r)
		return r;
	layout_free(&map->layout);
	map->layout = layout;
	return 0;
}

/* All of it. Lines that say what was left out, and rows that have a line for themselves, may make
 * it a bit longer than layout_new() knows. */
static int lay_out_whole(struct map *map, const struct vm *vm, struct layout_options *options)
{
	int r = lay_out(map, vm, options);

	options->scrolled = true;
	for (int i = 0; i < 3 && !r && map->kind == LAYOUT_LINEAR; i++) {
		if (count_lines(map) <= map->room.lines)
			break;
		options->shift = map->layout->shift + 1;
		r = lay_out(map, vm, options);
	}
	if (!r)
		map->whole_shift = map->layout->shift;
	return r;
}

/* Another zoom leaves the cursor where it is on the screen. */
static void keep_place(struct map *map, uint64_t before)
{
	uint64_t all, at = cursor_place(map, &all);

	map->first = at > before ? at - before : 0;
}

int map_fit(struct map *map, const struct vm *vm, const struct map_room *room,
	const struct layout_range *sacred, size_t n_sacred)
{
	struct layout_options options = {
		.kind = map->kind,
		.columns = MIN(room->columns, LAYOUT_MAX),
		.rows = MIN(room->lines * (room->halves ? 2 : 1), LAYOUT_MAX),
		.sacred = sacred,
		.n_sacred = n_sacred,
	};
	bool same_kind = map->layout && map->layout->kind == map->kind;
	uint64_t all, at = same_kind ? cursor_place(map, &all) : 0;
	unsigned int shift = map->layout ? map->layout->shift : 0;
	int r;

	map->room = *room;
	r = lay_out_whole(map, vm, &options);
	if (!r && map->near && map->shift < map->whole_shift) {
		options.shift = map->shift;
		r = lay_out(map, vm, &options);
	}
	if (r)
		return r;
	map->near = map->layout->shift < map->whole_shift;
	map->shift = map->layout->shift;
	catch_cursor(map);
	if (same_kind && map->shift != shift)
		keep_place(map, at >= map->first ? at - map->first : 0);
	scroll_to_cursor(map);
	return 0;
}

/* ---- commands ---- */

/* Over the grid, as far as it goes. */
static void move(struct map *map, int64_t columns, int64_t rows)
{
	const struct layout *layout = map->layout;
	uint64_t cell = map_cursor_cell(map), next;
	unsigned int column, row;
	int64_t x, y;

	if (cell == UINT64_MAX)
		return;
	layout_place(layout, cell, &column, &row);
	x = (int64_t)column + columns;
	y = (int64_t)row + rows;
	if (map->kind == LAYOUT_LINEAR) { /* the ends of rows are neighbours */
		int64_t to = y * layout->columns + x;

		go_to_cell(map, to < 0 ? 0 : MIN((uint64_t)to, layout->cells - 1));
		return;
	}
	x = MAX(0, MIN(x, (int64_t)layout->columns - 1));
	y = MAX(0, MIN(y, (int64_t)layout->rows - 1));
	if (layout_at(layout, (unsigned int)x, (unsigned int)y, &next))
		go_to_cell(map, next);
}

/* map_fit() lays it out. */
static void zoom(struct map *map, int by)
{
	int shift = (int)map->shift + by;

	map->near = shift < (int)map->whole_shift;
	map->shift = (unsigned int)MAX(0, shift);
}

bool map_command(struct map *map, enum command_id command)
{
	int64_t page;

	if (!map->layout)
		return false;
	page = (int64_t)MAX(2, map->room.lines) - 1;
	page *= rows_per_line(map);
	switch (command) {
	case DO_UP:
		move(map, 0, -1);
		return true;
	case DO_DOWN:
		move(map, 0, 1);
		return true;
	case DO_LEFT:
		move(map, -1, 0);
		return true;
	case DO_RIGHT:
		move(map, 1, 0);
		return true;
	case DO_PAGE_UP:
	case DO_PAGE_DOWN:
		if (command == DO_PAGE_UP)
			page = -page;
		if (map->kind == LAYOUT_HILBERT)
			move(map, page > 0 ? map->layout->side : -(int64_t)map->layout->side, 0);
		else
			move(map, 0, page);
		return true;
	case DO_FIRST:
	case DO_LAST:
		if (map->layout->cells)
			go_to_cell(map, command == DO_FIRST ? 0 : map->layout->cells - 1);
		return true;
	case DO_ZOOM_IN:
		zoom(map, -1);
		return true;
	case DO_ZOOM_OUT:
		zoom(map, 1);
		return true;
	case DO_ZOOM_ALL:
		map->near = false;
		return true;
	case DO_PLANE:
		map->plane = (map->plane + 1) % MAP_PLANES;
		return true;
	case DO_LAYOUT:
		map->kind = (map->kind + 1) % LAYOUT_KINDS;
		return true;
	default:
		return false;
	}
}

/* ---- the next that is worth a look ---- */

struct search {
	const struct map *map;
	const struct vm *vm;
};

/* How many frames of [from, end) are, or are not, worth one. */
static uint64_t count(const struct search *s, uint64_t from, uint64_t end, bool worth)
{
	struct layout_range frames = {from, end - from};
	struct layout_cell cell;
	uint64_t n;

	map_read(s->map, s->vm, &frames, &cell);
	n = s->map->plane == MAP_DIFF
		    ? cell.accords[ACCORD_HOST_SHARED] + cell.accords[ACCORD_HOST_PRIVATE]
		    : cell.counts[PAGE_SHARED] + cell.counts[PAGE_UNKNOWN];
	return worth ? n : end - from - n;
}

/* The first such frame, or (last) the last one; false: there is none. Counting is quick over many
 * frames at once: each step looks at half of them. */
static bool find(
	const struct search *s, uint64_t from, uint64_t end, bool worth, bool last, uint64_t *ret)
{
	if (from >= end || !count(s, from, end, worth))
		return false;
	while (end - from > 1) {
		uint64_t middle = from + (end - from) / 2;
		bool lower = last ? !count(s, middle, end, worth) : count(s, from, middle, worth);

		if (lower)
			end = middle;
		else
			from = middle;
	}
	*ret = from;
	return true;
}

static bool seek_forward(const struct search *s, uint64_t from, uint64_t end, uint64_t *ret)
{
	/* A range that reaches out of the cursor's cell is not the next one. */
	if (from && from < end && count(s, from - 1, from, true) &&
		!find(s, from, end, false, false, &from))
		return false;
	return find(s, from, end, true, false, ret);
}

static bool seek_back(const struct search *s, uint64_t end, uint64_t *ret)
{
	uint64_t last, before;

	if (!find(s, 0, end, true, true, &last))
		return false;
	*ret = find(s, 0, last, false, true, &before) ? before + 1 : 0;
	return true;
}

bool map_seek(struct map *map, const struct vm *vm, bool forward)
{
	const struct search search = {map, vm};
	uint64_t cell = map_cursor_cell(map);
	struct layout_range at;

	if (cell == UINT64_MAX)
		return false;
	at = layout_range(map->layout, cell);
	return forward ? seek_forward(&search, at.gfn + at.npages, PAGEMAP_FRAMES, &map->cursor)
		       : seek_back(&search, at.gfn, &map->cursor);
}

/* ---- addresses ---- */

/* All of the text, as a number. */
static bool parse_number(const char *text, int base, uint64_t *ret)
{
	char *end;

	errno = 0;
	if (!isxdigit((unsigned char)*text))
		return false; /* nor a sign, nor nothing */
	*ret = strtoull(text, &end, base);
	while (*end == ' ')
		end++;
	return !errno && !*end;
}

int map_jump(struct map *map, const char *text, struct error *err)
{
	const char *digits = text + strspn(text, " ");
	bool frame = !strncasecmp(digits, "gfn", 3), good;
	char shown[ESCAPED_SIZE(64)];
	uint64_t value, cell;

	digits += frame ? 3 : 0;
	digits += strspn(digits, " ");
	good = parse_number(digits, frame && strncasecmp(digits, "0x", 2) ? 10 : 16, &value);
	if (!good || (frame && value >= PAGEMAP_FRAMES)) {
		error_set(err, -EINVAL, "'%s' is no address", escape(text, shown, sizeof(shown)));
		error_advise(err, "give it in hex, such as 3f000, or as gfn 63");
		return -EINVAL;
	}
	value = frame ? value : value >> 12;
	if (!map->layout || !layout_find(map->layout, value, &cell)) {
		error_set(
			err, -ENOENT, "no memory is at 0x%llx", (unsigned long long)(value << 12));
		return -ENOENT;
	}
	map->cursor = value;
	return 0;
}
