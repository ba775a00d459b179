/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a screen shows, as cells: views draw here and nowhere else, so that tests read what they
 * drew without a terminal. Nothing drawn can leave its cells: all is clipped, and a byte that a
 * terminal might obey never gets in.
 */
#ifndef TOP_CELLS_H
#define TOP_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "top/theme.h"

enum cell_attribute {
	CELL_BOLD = 1 << 0,
	CELL_REVERSE = 1 << 1,
	CELL_UNDERLINE = 1 << 2,
};

struct cell {
	uint32_t code;        /* 0: the right half of the wide character before it */
	uint8_t role, ground; /* enum role: of the character, and of what is behind it */
	uint8_t attributes;
};

struct cells {
	struct cell *cells;
	int width, height;
	bool ascii; /* characters that are not ASCII come out as the nearest one that is */
};

/* A part of them. */
struct area {
	int x, y, width, height;
};

/* 0 or -ENOMEM; cells is zeroes at first. What was there is gone. */
int cells_resize(struct cells *cells, int width, int height);
void cells_free(struct cells *cells);
void cells_clear(struct cells *cells);

struct area cells_area(const struct cells *cells);

/* How the next text looks. */
struct pen {
	enum role role, ground;
	uint8_t attributes;
};

#define PEN(r)      ((struct pen){.role = (r)})
#define PEN_BOLD(r) ((struct pen){.role = (r), .attributes = CELL_BOLD})

/* One character; outside of the cells, nothing. Returns how many cells it took. */
int cells_put(struct cells *cells, int x, int y, uint32_t code, struct pen pen);

/* Text, at most width cells of it; never wraps. What does not fit ends in "~". Returns the cells it
 * took. Other people's bytes: whatever is no plain character comes out as "?". */
int cells_text(struct cells *cells, int x, int y, int width, struct pen pen, const char *text);
int cells_format(struct cells *cells, int x, int y, int width, struct pen pen, const char *format,
	...) __attribute__((format(printf, 6, 7)));

/* The same, against the right edge of the width. */
void cells_right(struct cells *cells, int x, int y, int width, struct pen pen, const char *text);

void cells_fill(struct cells *cells, struct area area, uint32_t code, struct pen pen);

/* Takes over a part of others, from their line `first` on, as wide as the area. */
void cells_copy(struct cells *cells, struct area area, const struct cells *from, int first);

/* Gives cells that are drawn another ground and attributes: a selected row. role ROLE_TEXT leaves
 * each character's own. */
void cells_tint(struct cells *cells, struct area area, struct pen pen);

/* A horizontal bar of width cells, part of which (0 to 1) is full: to an eighth of a cell. */
void cells_bar(struct cells *cells, int x, int y, int width, double part, struct pen pen);

/* Values as columns of one cell each, up to the largest. */
void cells_spark(struct cells *cells, int x, int y, int width, struct pen pen,
	const uint32_t *values, size_t n);

/* Cells a text takes. */
int text_width(const char *text);

/* Cells of one character: 0 it is not drawn, 2 it is wide; what terminals do not agree on becomes
 * "?" in *code. */
int code_width(uint32_t *code);

/* A character in UTF-8; returns how many bytes that are. */
size_t cell_utf8(uint32_t code, char bytes[4]);

/* As text, a line a row, without spaces at its end; roles: below it a letter for each cell's role,
 * and a line more where half blocks of the map have two. */
void cells_dump(FILE *out, const struct cells *cells, bool roles);

#endif
