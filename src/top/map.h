/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is seen of a VM's page map: which plane, how near, and which part of it, with a cursor. It
 * draws nothing; what a cell holds is picture/layout.h's to say. A grid of cells is larger than the
 * room as a rule: rows are scrolled up and down, a Hilbert curve to the left and to the right.
 */
#ifndef TOP_MAP_H
#define TOP_MAP_H

#include "base/error.h"
#include "picture/layout.h"
#include "top/keys.h"

enum map_plane {
	MAP_GUEST,
	MAP_HOST,
	MAP_DIFF,
	MAP_PLANES,
};

struct map_room {
	unsigned int columns, lines; /* of the terminal */
	bool halves;                 /* a line has two rows of cells */
};

struct map {
	enum layout_kind kind;
	enum map_plane plane;
	bool near;          /* false: all of memory is in sight */
	unsigned int shift; /* near: a cell is 1 << shift frames */
	uint64_t cursor;    /* gfn, anywhere in a cell */
	uint64_t first;     /* what is seen first: a line, or a column of the curve */

	/* as it was fitted last */
	struct layout *layout; /* NULL: never */
	struct map_room room;
	unsigned int whole_shift; /* at which all of memory is in sight */
};

/* Forgets the layout. */
void map_free(struct map *map);

/* Lays the VM out for the room, and keeps the cursor in sight. To be called whenever one of them
 * may have changed. -EINVAL: no room; -ENOMEM. */
int map_fit(struct map *map, const struct vm *vm, const struct map_room *room,
	const struct layout_range *sacred, size_t n_sacred);

/* ---- after it was fitted ---- */

/* A line that is seen: first is 0. rows 0: none. */
struct map_line {
	uint64_t gap; /* frames that are left out here; such a line has no rows */
	uint64_t row;
	unsigned int rows; /* 1 or 2 */
};
struct map_line map_line(const struct map *map, unsigned int line);

/* The cell at a column of the room and a row of the layout; false: there is none. */
bool map_cell(const struct map *map, unsigned int column, uint64_t row, uint64_t *ret);

/* Puts the cursor where the room has this column and line. */
void map_point(struct map *map, unsigned int column, unsigned int line);

/* Which part of the grid is in sight, in percent of it; 0 to 100: all. */
void map_sight(const struct map *map, unsigned int *ret_from, unsigned int *ret_to);

/* The cursor's cell; UINT64_MAX: there are none. */
uint64_t map_cursor_cell(const struct map *map);

/* What the frames hold on the plane that is shown. */
void map_read(const struct map *map, const struct vm *vm, const struct layout_range *frames,
	struct layout_cell *ret);

/* Moves the cursor, zooms, or changes what is shown; false: not one of its commands. */
bool map_command(struct map *map, enum command_id command);

/* To the next or the last range, seen from the cursor's cell, that is not private; on both planes,
 * that differs. False: there is none. */
bool map_seek(struct map *map, const struct vm *vm, bool forward);

/* To an address: "3f000", "0x3f000", "gfn 63". -EINVAL, with err: it is none; -ENOENT: no memory
 * is there. */
int map_jump(struct map *map, const char *text, struct error *err);

#endif
