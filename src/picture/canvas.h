/* SPDX-License-Identifier: GPL-2.0-only */
/* What a poster is drawn on. Lengths are whole pixels; y grows downwards. */
#ifndef PICTURE_CANVAS_H
#define PICTURE_CANVAS_H

#include "picture/look.h"
#include "picture/picture.h"

struct box {
	int x, y, width, height;
};

struct canvas {
	const struct canvas_ops *ops;
	FILE *out;
	int width, height;
	int cell, grid_x, grid_y; /* the lattice that patterns keep to */
	const char *prefix;       /* of names, unlike that of other pictures on a page */
	const char *title, *description;
};

enum align {
	ALIGN_LEFT,
	ALIGN_RIGHT, /* text ends at x */
};

/* Text is as wide as 6/10 of its size for each character, and begins at y with its upper edge. Its
 * size is a multiple of 10. */
struct canvas_ops {
	int (*begin)(struct canvas *canvas);
	/* hint: what it is, for who points at it; may be NULL */
	void (*fill)(struct canvas *canvas, struct box box, enum look look, const char *hint);
	void (*plain)(struct canvas *canvas, struct box box, uint32_t rgb);
	void (*text)(struct canvas *canvas, int x, int y, int size, enum align align, bool bold,
		uint32_t rgb, const char *text);
	/* Writes it out, and frees what begin() made. 0 or a negative errno. */
	int (*end)(struct canvas *canvas);
};

/* The caller's, to be freed; its ops free what they need themselves. NULL: out of memory. */
struct canvas *svg_canvas(void);
struct canvas *png_canvas(void);

/* A letter of the small font, 5 x 8: bit 4 of a row is its left pixel. */
const uint8_t *font_glyph(uint32_t code);

#endif
