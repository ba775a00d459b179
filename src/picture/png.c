/* SPDX-License-Identifier: GPL-2.0-only */
/* A canvas of pixels, with a palette, for libpng to pack. */
#include <errno.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h> /* MIN, MAX */

#include "base/utf8.h"
#include "picture/canvas.h"

struct pixels {
	struct canvas canvas; /* must be first */
	png_byte *bytes;      /* numbers of colours */
	png_color palette[64];
	uint32_t colours[64];
	int n_colours;
};

static png_byte colour_of(struct pixels *pixels, uint32_t rgb)
{
	int i;

	for (i = 0; i < pixels->n_colours; i++)
		if (pixels->colours[i] == rgb)
			return (png_byte)i;
	if (i == 64)
		return 0;
	pixels->colours[i] = rgb;
	pixels->palette[i] =
		(png_color){(png_byte)(rgb >> 16), (png_byte)(rgb >> 8), (png_byte)rgb};
	return (png_byte)pixels->n_colours++;
}

static void put_pixels(struct pixels *pixels, struct box box, png_byte colour)
{
	int from_x = MAX(box.x, 0), end_x = MIN(box.x + box.width, pixels->canvas.width);
	int from_y = MAX(box.y, 0), end_y = MIN(box.y + box.height, pixels->canvas.height);

	for (int y = from_y; y < end_y && from_x < end_x; y++)
		memset(pixels->bytes + (size_t)y * (size_t)pixels->canvas.width + from_x, colour,
			(size_t)(end_x - from_x));
}

/* Whether the pattern has its mark at a place of the tile. */
static bool is_mark(enum pattern pattern, int x, int y, int cell)
{
	int third = cell / 3, half = cell / 2, line = cell > 8 ? 2 : 1;

	switch (pattern) {
	case PATTERN_DOT:
		return x >= third && x < cell - third && y >= third && y < cell - third;
	case PATTERN_STRIPES:
		return y >= half && y < half + (cell + 5) / 6;
	case PATTERN_CHECKS:
		return (x < half) == (y < half);
	case PATTERN_HATCH:
		return (x + y) % cell < line;
	default:
		return false;
	}
}

static void png_fill(struct canvas *canvas, struct box box, enum look look, const char *hint)
{
	struct pixels *pixels = (struct pixels *)canvas;
	const struct look_style *style = &look_styles[look];
	png_byte mark = colour_of(pixels, style->mark);
	int cell = canvas->cell;

	(void)hint;
	put_pixels(pixels, box, colour_of(pixels, style->ground));
	if (style->pattern == PATTERN_PLAIN)
		return;
	for (int y = box.y; y < MIN(box.y + box.height, canvas->height); y++)
		for (int x = box.x; x < MIN(box.x + box.width, canvas->width); x++)
			if (is_mark(style->pattern, (x - canvas->grid_x + 1024 * cell) % cell,
				    (y - canvas->grid_y + 1024 * cell) % cell, cell))
				pixels->bytes[(size_t)y * (size_t)canvas->width + x] = mark;
}

static void png_plain(struct canvas *canvas, struct box box, uint32_t rgb)
{
	struct pixels *pixels = (struct pixels *)canvas;

	put_pixels(pixels, box, colour_of(pixels, rgb));
}

static void put_letter(struct pixels *pixels, int x, int y, int scale, bool bold, png_byte colour,
	const uint8_t *glyph)
{
	for (int row = 0; row < 8; row++)
		for (int column = 0; column < 5; column++)
			if (glyph[row] & 0x10 >> column)
				put_pixels(pixels,
					(struct box){x + column * scale, y + (row + 1) * scale,
						scale + (bold ? (scale + 1) / 2 : 0), scale},
					colour);
}

static void png_text_at(struct canvas *canvas, int x, int y, int size, enum align align, bool bold,
	uint32_t rgb, const char *text)
{
	struct pixels *pixels = (struct pixels *)canvas;
	const unsigned char *at = (const unsigned char *)text;
	size_t left = strlen(text), letters = 0;
	png_byte colour = colour_of(pixels, rgb);
	int scale = size / 10;

	for (const char *c = text; *c; c++)
		letters += (*c & 0xc0) != 0x80;
	if (align == ALIGN_RIGHT)
		x -= (int)letters * 6 * scale;
	while (left) {
		uint32_t code = 0;
		size_t length = utf8_decode(at, left, &code);

		put_letter(pixels, x, y, scale, bold, colour, font_glyph(length ? code : 0));
		x += 6 * scale;
		at += length ? length : 1;
		left -= length ? length : 1;
	}
}

static int png_begin(struct canvas *canvas)
{
	struct pixels *pixels = (struct pixels *)canvas;

	pixels->bytes = calloc((size_t)canvas->width, (size_t)canvas->height);
	if (!pixels->bytes)
		return -ENOMEM;
	colour_of(pixels, 0xffffff);
	return 0;
}

/* Libpng's words do not matter: what fails is memory, or the writing, which the caller sees. */
static void on_error(png_structp png, png_const_charp text)
{
	(void)text;
	png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
	(void)png;
	(void)text;
}

static void put_words(png_structp png, png_infop info, const struct canvas *canvas)
{
	png_text words[] = {
		{.compression = PNG_ITXT_COMPRESSION_NONE,
			.key = (char *)"Title",
			.text = (char *)canvas->title},
		{.compression = PNG_ITXT_COMPRESSION_NONE,
			.key = (char *)"Description",
			.text = (char *)canvas->description},
		{.compression = PNG_TEXT_COMPRESSION_NONE,
			.key = (char *)"Software",
			.text = (char *)"kvm-encstat " KES_VERSION},
	};

	png_set_text(png, info, words, sizeof(words) / sizeof(*words));
}

static int pack(struct pixels *pixels, png_structp png, png_infop info)
{
	const struct canvas *canvas = &pixels->canvas;

	if (setjmp(png_jmpbuf(png)))
		return -EIO;
	png_init_io(png, canvas->out);
	png_set_IHDR(png, info, (png_uint_32)canvas->width, (png_uint_32)canvas->height, 8,
		PNG_COLOR_TYPE_PALETTE, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
		PNG_FILTER_TYPE_DEFAULT);
	png_set_PLTE(png, info, pixels->palette, pixels->n_colours);
	put_words(png, info, canvas);
	png_write_info(png, info);
	for (int y = 0; y < canvas->height; y++)
		png_write_row(png, pixels->bytes + (size_t)y * (size_t)canvas->width);
	png_write_end(png, info);
	return 0;
}

static int png_end(struct canvas *canvas)
{
	struct pixels *pixels = (struct pixels *)canvas;
	png_structp png =
		png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, on_error, on_warning);
	png_infop info = png ? png_create_info_struct(png) : NULL;
	int r = info && pixels->bytes ? pack(pixels, png, info) : -ENOMEM;

	if (png)
		png_destroy_write_struct(&png, &info);
	free(pixels->bytes);
	pixels->bytes = NULL;
	return r;
}

struct canvas *png_canvas(void)
{
	static const struct canvas_ops ops = {
		.begin = png_begin,
		.fill = png_fill,
		.plain = png_plain,
		.text = png_text_at,
		.end = png_end,
	};
	struct pixels *pixels = calloc(1, sizeof(*pixels));

	if (!pixels)
		return NULL;
	pixels->canvas.ops = &ops;
	return &pixels->canvas;
}
