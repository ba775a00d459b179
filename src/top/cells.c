/* SPDX-License-Identifier: GPL-2.0-only */
#include "top/cells.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"

#define CELLS_MAX 4096 /* either way: more than any screen has */

/* ---- characters ---- */

struct span {
	uint32_t first, last;
};

static bool is_in(const struct span *spans, size_t n, uint32_t code)
{
	for (size_t i = 0; i < n; i++)
		if (code >= spans[i].first && code <= spans[i].last)
			return true;
	return false;
}

/* Scripts whose letters every terminal draws one cell wide, from left to right. */
static const struct span narrow[] = {
	{0x20, 0x7e},
	{0xa1, 0xac},
	{0xae, 0x2ff},
	{0x370, 0x482},
	{0x48a, 0x588},
	{0x10a0, 0x10ff},
	{0x1e00, 0x1fff},
	{0x2010, 0x2027},
	{0x2030, 0x205e},
	{0x2070, 0x20bf},
	{0x2100, 0x2319},
	{0x2336, 0x23e8},
	{0x2400, 0x25fc},
	{0x2600, 0x2613},
	{0x2701, 0x2704},
	{0x2768, 0x2794},
	{0x27c0, 0x2b1a},
	{0x2c60, 0x2dff},
	{0xa640, 0xa66e},
	{0xa720, 0xa7ff},
};

/* Those that it draws two wide (Unicode's East Asian Width W and F). */
static const struct span wide[] = {
	{0x1100, 0x115e},
	{0x2e80, 0x303e},
	{0x3041, 0x3163},
	{0x3165, 0xa4cf},
	{0xac00, 0xd7a3},
	{0xf900, 0xfaff},
	{0xfe30, 0xfe6f},
	{0xff01, 0xff60},
	{0xffe0, 0xffe6},
	{0x1f300, 0x1f64f},
	{0x1f680, 0x1f6c5},
	{0x1f900, 0x1f9ff},
	{0x20000, 0x3fffd},
};

/* Marks that are put on the letter before: left out, however many there are. */
static const struct span marks[] = {
	{0x300, 0x36f},
	{0x483, 0x489},
	{0x1ab0, 0x1aff},
	{0x1dc0, 0x1dff},
	{0x20d0, 0x20ff},
	{0x302a, 0x302f},
	{0x3099, 0x309a},
	{0xfe00, 0xfe0f},
	{0xfe20, 0xfe2f},
};

int code_width(uint32_t *code)
{
	if (is_in(marks, ARRAY_SIZE(marks), *code))
		return 0;
	if (is_in(narrow, ARRAY_SIZE(narrow), *code))
		return 1;
	if (is_in(wide, ARRAY_SIZE(wide), *code))
		return 2;
	*code = '?';
	return 1;
}

/* What we draw with ourselves, for terminals that have ASCII only. */
static uint32_t ascii_of(uint32_t code)
{
	static const struct {
		uint32_t code;
		char ascii;
	} known[] = {
		{0x2500, '-'},
		{0x2502, '|'},
		{0x251c, '|'},
		{0x2514, '`'},
		{0x2581, '_'},
		{0x2582, '.'},
		{0x2583, '.'},
		{0x2584, ':'},
		{0x2585, ':'},
		{0x2586, '|'},
		{0x2587, '|'},
		{0x2588, '#'},
		{0x2589, '#'},
		{0x258a, '#'},
		{0x258b, '#'},
		{0x258c, '='},
		{0x258d, '='},
		{0x258e, '-'},
		{0x258f, '-'},
		{0x2591, '.'},
		{0x25bc, 'v'},
		{0x25b2, '^'},
		{0x2192, '>'},
		{0x2026, '~'},
		{0x25cf, '*'},
		{0x25b6, '>'},
		{0x2016, '|'},
	};

	if (code < 0x7f)
		return code;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].code == code)
			return (unsigned char)known[i].ascii;
	return '?';
}

/* The next character of a text; *at moves behind it. 0 at its end. */
static uint32_t next_code(const char **at)
{
	const unsigned char *bytes = (const unsigned char *)*at;
	uint32_t code;
	size_t size = strnlen(*at, 4), length;

	if (!size)
		return 0;
	length = utf8_decode(bytes, size, &code);
	*at += length ?: 1;
	return length ? code : '?';
}

int text_width(const char *text)
{
	int width = 0;
	uint32_t code;

	while ((code = next_code(&text)))
		width += code_width(&code);
	return width;
}

/* ---- the buffer ---- */

int cells_resize(struct cells *cells, int width, int height)
{
	struct cell *grown;

	width = width < 1 ? 1 : width > CELLS_MAX ? CELLS_MAX : width;
	height = height < 1 ? 1 : height > CELLS_MAX ? CELLS_MAX : height;
	if (!cells->cells || width != cells->width || height != cells->height) {
		grown = calloc((size_t)width * (size_t)height, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		free(cells->cells);
		cells->cells = grown;
		cells->width = width;
		cells->height = height;
	}
	cells_clear(cells);
	return 0;
}

void cells_free(struct cells *cells)
{
	free(cells->cells);
	*cells = (struct cells){};
}

struct area cells_area(const struct cells *cells)
{
	return (struct area){0, 0, cells->width, cells->height};
}

void cells_clear(struct cells *cells)
{
	cells_fill(cells, cells_area(cells), ' ', PEN(ROLE_TEXT));
}

static struct cell *cell_at(struct cells *cells, int x, int y)
{
	return &cells->cells[(size_t)y * (size_t)cells->width + (size_t)x];
}

/* Half of a wide character that is drawn over leaves no other half behind. */
static void set_cell(struct cells *cells, int x, int y, uint32_t code, struct pen pen)
{
	struct cell *cell = cell_at(cells, x, y);

	if (!cell->code && x > 0)
		cell[-1].code = ' ';
	if (x + 1 < cells->width && !cell[1].code)
		cell[1].code = ' ';
	*cell = (struct cell){code, (uint8_t)pen.role, (uint8_t)pen.ground, pen.attributes};
}

int cells_put(struct cells *cells, int x, int y, uint32_t code, struct pen pen)
{
	int width = code_width(&code);

	if (cells->ascii) {
		uint32_t plain = ascii_of(code);

		width = width == 2 && plain == code ? 2 : width ? 1 : 0;
		code = plain;
	}
	if (!width || y < 0 || y >= cells->height || x < 0 || x + width > cells->width)
		return width;
	set_cell(cells, x, y, code, pen);
	if (width == 2) {
		set_cell(cells, x + 1, y, ' ', pen);
		cell_at(cells, x, y)->code = code;
		cell_at(cells, x + 1, y)->code = 0;
	}
	return width;
}

int cells_text(struct cells *cells, int x, int y, int width, struct pen pen, const char *text)
{
	bool fits = text_width(text) <= width;
	int room = fits ? width : width - 1, used = 0;
	uint32_t code;

	if (width <= 0)
		return 0;
	while ((code = next_code(&text))) {
		uint32_t shown = code;
		int wanted = cells->ascii ? 1 : code_width(&shown);

		if (used + wanted > room)
			break;
		used += cells_put(cells, x + used, y, code, pen);
	}
	if (!fits)
		used += cells_put(cells, x + used, y, '~', pen);
	return used;
}

int cells_format(
	struct cells *cells, int x, int y, int width, struct pen pen, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return cells_text(cells, x, y, width, pen, text);
}

void cells_right(struct cells *cells, int x, int y, int width, struct pen pen, const char *text)
{
	int needed = text_width(text), shift = needed < width ? width - needed : 0;

	cells_text(cells, x + shift, y, width - shift, pen, text);
}

/* What of it lies within the cells. */
static struct area clip(const struct cells *cells, struct area a)
{
	int right = a.x + a.width < cells->width ? a.x + a.width : cells->width;
	int bottom = a.y + a.height < cells->height ? a.y + a.height : cells->height;

	a.x = a.x < 0 ? 0 : a.x;
	a.y = a.y < 0 ? 0 : a.y;
	a.width = right - a.x;
	a.height = bottom - a.y;
	return a;
}

void cells_fill(struct cells *cells, struct area area, uint32_t code, struct pen pen)
{
	struct area a = clip(cells, area);

	for (int y = a.y; y < a.y + a.height; y++)
		for (int x = a.x; x < a.x + a.width; x++)
			set_cell(cells, x, y, cells->ascii ? ascii_of(code) : code, pen);
}

void cells_copy(struct cells *to, struct area area, const struct cells *from, int first)
{
	struct area a = clip(to, area);
	int width = a.width < from->width ? a.width : from->width;

	for (int y = 0; y < a.height && first + y < from->height && width > 0; y++)
		memcpy(cell_at(to, a.x, a.y + y),
			&from->cells[(size_t)(first + y) * (size_t)from->width],
			(size_t)width * sizeof(struct cell));
}

void cells_tint(struct cells *cells, struct area area, struct pen pen)
{
	struct area a = clip(cells, area);

	for (int y = a.y; y < a.y + a.height; y++)
		for (int x = a.x; x < a.x + a.width; x++) {
			struct cell *cell = cell_at(cells, x, y);

			if (pen.role != ROLE_TEXT)
				cell->role = (uint8_t)pen.role;
			cell->ground = (uint8_t)pen.ground;
			cell->attributes |= pen.attributes;
		}
}

/* ---- pictures of numbers ---- */

void cells_bar(struct cells *cells, int x, int y, int width, double part, struct pen pen)
{
	int eighths;

	part = part > 0 ? part < 1 ? part : 1 : 0; /* NaN is nothing, too */
	eighths = (int)(part * width * 8 + 0.5);
	if (!eighths && part > 0)
		eighths = 1;
	for (int i = 0; i < width; i++, eighths -= 8) {
		uint32_t code = eighths >= 8  ? 0x2588
				: eighths > 0 ? 0x2590u - (uint32_t)eighths
					      : ' ';

		cells_put(cells, x + i, y, code, pen);
	}
}

void cells_spark(struct cells *cells, int x, int y, int width, struct pen pen,
	const uint32_t *values, size_t n)
{
	size_t shown = width > 0 && n > (size_t)width ? (size_t)width : n;
	uint32_t most = 0;

	values += n - shown;
	for (size_t i = 0; i < shown; i++)
		most = values[i] > most ? values[i] : most;
	x += width - (int)shown;
	for (size_t i = 0; i < shown && width > 0; i++) {
		uint32_t level = most ? (uint32_t)((uint64_t)values[i] * 7 / most) : 0;

		cells_put(cells, x + (int)i, y, values[i] ? 0x2581 + level : ' ', pen);
	}
}

/* ---- for tests ---- */

size_t cell_utf8(uint32_t code, char bytes[4])
{
	size_t n = 0;

	if (code < 0x80) {
		bytes[n++] = (char)code;
		return n;
	}
	if (code >= 0x10000) {
		bytes[n++] = (char)(0xf0 | code >> 18);
		bytes[n++] = (char)(0x80 | (code >> 12 & 0x3f));
	} else if (code >= 0x800) {
		bytes[n++] = (char)(0xe0 | code >> 12);
	}
	bytes[n] = (char)(n ? 0x80 | (code >> 6 & 0x3f) : 0xc0 | code >> 6);
	n++;
	bytes[n++] = (char)(0x80 | (code & 0x3f));
	return n;
}

static void put_utf8(FILE *out, uint32_t code)
{
	char bytes[4];

	fwrite(bytes, 1, cell_utf8(code, bytes), out);
}

/* A letter for how the cell looks: "." plain text, capitals where the ground is another's; of a
 * cell of the map its own, or that of its ground. */
static char role_letter(const struct cell *cell, bool ground)
{
	static const char letters[] = ".dhscmkalvpxugnwc!_012345?678<>=$%@ijeoyz";
	_Static_assert(sizeof(letters) == ROLES + 1, "a letter for each role");
	static const char grounds[] = ".DHSCMKALVPXUGNWC!";

	if (cell->role >= ROLE_MAP_NONE || cell->ground >= ROLE_MAP_NONE)
		return letters[ground ? cell->ground : cell->role];
	return cell->ground ? grounds[cell->ground] : letters[cell->role];
}

/* Whether some of the row's cells have two colours, which takes another line. */
static bool has_halves(const struct cell *row, int end)
{
	for (int x = 0; x < end; x++)
		if (row[x].ground >= ROLE_MAP_NONE)
			return true;
	return false;
}

static void dump_roles(FILE *out, const struct cell *row, int end, bool ground)
{
	for (int x = 0; x < end; x++)
		putc(role_letter(&row[x], ground), out);
	putc('\n', out);
}

void cells_dump(FILE *out, const struct cells *cells, bool roles)
{
	for (int y = 0; y < cells->height; y++) {
		const struct cell *row = &cells->cells[(size_t)y * (size_t)cells->width];
		int end = cells->width;

		while (end && row[end - 1].code == ' ' && (!roles || !row[end - 1].ground))
			end--;
		for (int x = 0; x < end; x++)
			if (row[x].code)
				put_utf8(out, row[x].code);
		putc('\n', out);
		if (roles)
			dump_roles(out, row, end, false);
		if (roles && has_halves(row, end))
			dump_roles(out, row, end, true);
	}
}
