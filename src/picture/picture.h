/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A page map as a poster: title, how much of what, how far to trust it, the cells of a layout with
 * their addresses, legend, scale and time. One poster for all formats (picture.c), drawn on a
 * canvas: SVG (svg.c) or PNG (png.c); text has its own (text.c).
 */
#ifndef PICTURE_PICTURE_H
#define PICTURE_PICTURE_H

#include <stdio.h>

#include "picture/layout.h"

enum picture_format {
	PICTURE_TEXT,
	PICTURE_SVG,
	PICTURE_PNG,
	PICTURE_FORMATS,
};

struct picture {
	enum picture_format format;
	const struct vm *vm;
	enum plane plane;
	bool diff; /* both planes */
	enum layout_kind layout;
	struct layout_range window; /* npages 0: all */
	const struct layout_range *sacred;
	size_t n_sacred;
	unsigned int width; /* pixels, PICTURE_WIDTH_MIN to MAX; columns for text; 0: default */
	bool ascii, colour; /* text: no more than ASCII; 256 colours */

	/* UTF-8, such as escape() writes */
	const char *title, *about;
	const char *trust; /* lines */
	bool exact;        /* nothing to warn of in them */
	const char *time;
};

#define PICTURE_WIDTH     1200
#define PICTURE_WIDTH_MIN 320
#define PICTURE_WIDTH_MAX 8192
#define PICTURE_TEXT_MIN  24
#define PICTURE_TEXT_MAX  1024

/* -ENODATA: there is no memory to show, nothing was written; -EINVAL: width; -ENOMEM, -EIO. */
int picture_write(FILE *out, const struct picture *picture);

#endif
