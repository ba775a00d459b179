/* SPDX-License-Identifier: GPL-2.0-only */
/* Cells as a picture, SVG, as a terminal of 256 colours shows them: for README and manual. */
#ifndef TOP_SHOT_H
#define TOP_SHOT_H

#include <stdio.h>

#include "base/escape.h"
#include "top/cells.h"

#define SHOT_CELL   8 /* pixels wide, for a font of 13 */
#define SHOT_LINE   16
#define SHOT_MARGIN 8
#define SHOT_INK    0xd0d0d0 /* what the terminal has by itself */
#define SHOT_PAPER  0x101418

/* Of xterm's 256: 16 of their own, a cube of 6 x 6 x 6, and greys. */
static inline uint32_t shot_rgb(int colour, uint32_t by_default)
{
	static const uint32_t first[16] = {0x000000, 0xcd3131, 0x0dbc79, 0xe5e510, 0x2472c8,
		0xbc3fbc, 0x11a8cd, 0xe5e5e5, 0x666666, 0xf14c4c, 0x23d18b, 0xf5f543, 0x3b8eea,
		0xd670d6, 0x29b8db, 0xffffff};
	static const uint32_t level[6] = {0, 95, 135, 175, 215, 255};
	uint32_t n = (uint32_t)colour;

	if (colour < 0)
		return by_default;
	if (n < 16)
		return first[n];
	if (n >= 232)
		return (8 + 10 * (n - 232)) * 0x010101;
	n -= 16;
	return level[n / 36] << 16 | level[n / 6 % 6] << 8 | level[n % 6];
}

struct shot_look {
	uint32_t ink, paper;
	bool bold, underline;
};

static inline struct shot_look shot_look(const struct cell *cell)
{
	struct ink ink =
		theme_look(THEME_DARK, 256, (enum role)cell->role, (enum role)cell->ground);
	unsigned int attributes = cell->attributes | ink.attributes;
	struct shot_look look = {
		.ink = shot_rgb(ink.fg, SHOT_INK),
		.paper = shot_rgb(ink.bg, SHOT_PAPER),
		.bold = attributes & CELL_BOLD,
		.underline = attributes & CELL_UNDERLINE,
	};

	if (attributes & CELL_REVERSE) {
		uint32_t ink_rgb = look.ink;

		look.ink = look.paper;
		look.paper = ink_rgb;
	}
	return look;
}

static inline bool shot_is_same(struct shot_look a, struct shot_look b)
{
	return a.ink == b.ink && a.paper == b.paper && a.bold == b.bold &&
	       a.underline == b.underline;
}

/* Blocks are drawn as what they are: fonts leave gaps between them. x, y, width, height in eighths
 * of a cell. */
static inline bool shot_block(uint32_t code, unsigned int part[4])
{
	if (code == 0x2580) {
		memcpy(part, (unsigned int[]){0, 0, 8, 4}, 4 * sizeof(*part));
	} else if (code >= 0x2581 && code <= 0x2588) {
		unsigned int n = code - 0x2580;

		memcpy(part, (unsigned int[]){0, 8 - n, 8, n}, 4 * sizeof(*part));
	} else if (code >= 0x2589 && code <= 0x258f) {
		memcpy(part, (unsigned int[]){0, 0, 0x2590 - code, 8}, 4 * sizeof(*part));
	} else {
		return false;
	}
	return true;
}

static inline void shot_rect(
	FILE *out, double x, double y, double width, double height, uint32_t rgb)
{
	fprintf(out, "<rect x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" fill=\"#%06x\"/>\n", x, y,
		width, height, rgb);
}

/* How many cells from x on look the same; of blocks, those that are the same one. */
static inline int shot_run(const struct cell *row, int x, int width)
{
	unsigned int part[4];
	bool block = shot_block(row[x].code, part);
	int n = 1;

	while (x + n < width && shot_is_same(shot_look(&row[x]), shot_look(&row[x + n])) &&
		(block ? row[x + n].code == row[x].code : !shot_block(row[x + n].code, part)))
		n++;
	return n;
}

static inline void shot_text(
	FILE *out, const struct cell *row, int x, int y, int n, struct shot_look look)
{
	char text[4 * 512 + 1];
	size_t used = 0;
	int blank = 0;

	while (n && row[x + n - 1].code == ' ')
		n--;
	while (blank < n && row[x + blank].code == ' ')
		blank++;
	for (int i = blank; i < n && used + 4 < sizeof(text); i++)
		/* Blanks of SVG may be taken together. */
		used += cell_utf8(row[x + i].code == ' ' ? 0xa0 : row[x + i].code, text + used);
	text[used] = '\0';
	if (!used)
		return;
	fprintf(out, "<text x=\"%d\" y=\"%d\" textLength=\"%d\" fill=\"#%06x\"%s%s>",
		SHOT_MARGIN + (x + blank) * SHOT_CELL, SHOT_MARGIN + y * SHOT_LINE + 12,
		(n - blank) * SHOT_CELL, look.ink, look.bold ? " font-weight=\"bold\"" : "",
		look.underline ? " text-decoration=\"underline\"" : "");
	escape_xml(out, text);
	fputs("</text>\n", out);
}

static inline void shot_row(FILE *out, const struct cells *cells, int y)
{
	const struct cell *row = &cells->cells[(size_t)y * (size_t)cells->width];

	for (int x = 0, n; x < cells->width; x += n) {
		struct shot_look look = shot_look(&row[x]);
		double left = SHOT_MARGIN + x * SHOT_CELL, above = SHOT_MARGIN + y * SHOT_LINE;
		unsigned int part[4];

		n = shot_run(row, x, cells->width);
		if (look.paper != SHOT_PAPER)
			shot_rect(out, left, above, n * SHOT_CELL, SHOT_LINE, look.paper);
		if (!shot_block(row[x].code, part)) {
			shot_text(out, row, x, y, n, look);
		} else if (part[2] == 8) {
			shot_rect(out, left, above + part[1] * SHOT_LINE / 8.0, n * SHOT_CELL,
				part[3] * SHOT_LINE / 8.0, look.ink);
		} else {
			for (int i = 0; i < n; i++)
				shot_rect(out, left + i * SHOT_CELL, above,
					part[2] * SHOT_CELL / 8.0, SHOT_LINE, look.ink);
		}
	}
}

static inline void shot_write(FILE *out, const struct cells *cells, const char *title)
{
	int width = cells->width * SHOT_CELL + 2 * SHOT_MARGIN;
	int height = cells->height * SHOT_LINE + 2 * SHOT_MARGIN;

	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
		"viewBox=\"0 0 %d %d\" role=\"img\" font-family=\"monospace\" "
		"font-size=\"13\" shape-rendering=\"crispEdges\">\n<title>",
		width, height, width, height);
	escape_xml(out, title);
	fputs("</title>\n", out);
	fprintf(out, "<rect width=\"%d\" height=\"%d\" rx=\"6\" fill=\"#%06x\"/>\n", width, height,
		SHOT_PAPER);
	for (int y = 0; y < cells->height; y++)
		shot_row(out, cells, y);
	fputs("</svg>\n", out);
}

#endif
