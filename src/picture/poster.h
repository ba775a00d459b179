/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of pictures have between them. */
#ifndef PICTURE_POSTER_H
#define PICTURE_POSTER_H

#include "base/cleanup.h"
#include "picture/canvas.h"

/* All cells of a layout, read; the caller's. NULL: out of memory. */
struct layout_cell *picture_cells(const struct picture *picture, const struct layout *layout);

/* Adds what is in a cell to a sum. */
void cell_add(struct layout_cell *sum, const struct layout_cell *cell);

/* What a cell, or a sum of them, is made of. */
struct part {
	const char *name;
	enum look look;
	uint64_t pages;
};
#define PARTS ((size_t)ACCORDS > PAGE_STATES ? (size_t)ACCORDS : PAGE_STATES)
size_t cell_parts(const struct layout_cell *cell, bool diff, struct part parts[PARTS]);

/* "87.3%", never rounded to nothing nor to all. */
const char *picture_percent(uint64_t part, uint64_t whole, char buffer[16]);

/* Pixels that lengths on a poster are multiples of; text is 10 of them high. */
static inline int poster_unit(int width)
{
	return width < 700 ? 1 : width < 2000 ? 2 : width < 4000 ? 4 : 6;
}

#define BORDER_INK 0x303030 /* of memslots */
#define SACRED_INK 0x332288
#define PAPER      0xffffff

#define MARGIN 10 /* units */
#define LABELS 90 /* for addresses, left of the cells */

/* The width that cells have. */
static inline int poster_room_pixels(int width, enum layout_kind kind)
{
	return width - (2 * MARGIN + (kind == LAYOUT_LINEAR ? LABELS : 0)) * poster_unit(width);
}

int poster_write(FILE *out, const struct picture *picture, const struct layout *layout,
	const struct layout_cell *cells);

/* The cells of a poster: their squares, merged where they look the same, borders and sacred ranges.
 */
struct poster {
	const struct picture *picture;
	const struct layout *layout;
	const struct layout_cell *cells;
	const enum look *looks; /* by cell */
	struct layout_cell sum;
	struct canvas *canvas;
	int unit, cell; /* pixels */
	bool drawing;   /* false: only measured */
	int y;          /* where the next part begins */
	int *rows;      /* y of each row of cells */
};
void poster_grid(struct poster *poster);

/* How many columns and rows fit; and the same in cells of a terminal. */
void text_room(const struct picture *picture, struct layout_options *options);
int text_write(FILE *out, const struct picture *picture, const struct layout *layout,
	const struct layout_cell *cells);

#endif
