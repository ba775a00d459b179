/* SPDX-License-Identifier: GPL-2.0-only */
/* What cells look like, whatever they are drawn with. */
#ifndef PICTURE_LOOK_H
#define PICTURE_LOOK_H

#include "picture/layout.h"

enum look {
	LOOK_NONE, /* no memory */
	LOOK_PRIVATE,
	LOOK_SOME, /* less than half of it is shared */
	LOOK_MOST, /* half of it or more is shared */
	LOOK_SHARED,
	LOOK_PART_PRIVATE, /* some of it is unknown, the rest private */
	LOOK_PART_SHARED,  /* some of it is unknown, some shared */
	LOOK_UNKNOWN,
	/* of both planes */
	LOOK_BOTH_PRIVATE,
	LOOK_BOTH_MIXED,
	LOOK_BOTH_SHARED,
	LOOK_HOST_PRIVATE, /* pages that differ: one is enough */
	LOOK_HOST_SHARED,
	LOOK_DIFFER, /* in both ways */
	LOOKS,
};

enum pattern {
	PATTERN_PLAIN,
	PATTERN_DOT,     /* a square in the middle of the cell */
	PATTERN_HATCH,   /* diagonal lines */
	PATTERN_STRIPES, /* level lines */
	PATTERN_CHECKS,
};

/* Colours that are told apart with any kind of colour blindness, and in grey: private is pale and
 * shared dark; what is unknown, and what differs, has a pattern besides. */
struct look_style {
	const char *name;      /* for the legend */
	uint32_t ground, mark; /* 0xrrggbb */
	enum pattern pattern;
	const char *glyph, *ascii; /* for text: one column */
	unsigned char ground_256, mark_256;
};
extern const struct look_style look_styles[LOOKS];

/* diff: the cell comes from layout_read_diff(). */
enum look look_of(const struct layout_cell *cell, bool diff);

#endif
