/* SPDX-License-Identifier: GPL-2.0-only */
/* Where things are on a poster. It is gone through twice: to measure, and to draw. */
#include "picture/poster.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h> /* MIN, MAX */

#include "base/units.h"
#include "base/utf8.h"

#define INK     0x1a1a1a
#define GREY    0x555555
#define WARNING 0xa51c00

/* ---- text ---- */

/* Columns of a character: those of East Asia may take two. */
static int code_width(uint32_t code)
{
	return code >= 0x1100 && code < 0x20000 && !(code >= 0x2000 && code < 0x2e80) ? 2 : 1;
}

/* How many bytes of text fit into a line: up to a space where there is one. */
static size_t line_bytes(const char *text, int columns)
{
	size_t left = strcspn(text, "\n"), at = 0, space = 0;
	int used = 0;

	while (at < left) {
		uint32_t code = 0;
		size_t length = utf8_decode((const unsigned char *)text + at, left - at, &code);

		used += code_width(code);
		if (used > columns)
			return space ? space : at ? at : 1;
		if (code == ' ')
			space = at;
		at += length ? length : 1;
	}
	return left;
}

/* Lines of text from the left margin on, wrapped. */
static void put_lines(struct poster *poster, int size, bool bold, uint32_t rgb, const char *text)
{
	int width = (int)poster->picture->width - 2 * MARGIN * poster->unit;

	while (*text) {
		size_t n = line_bytes(text, width * 10 / (6 * size));
		char line[1024];

		snprintf(line, sizeof(line), "%.*s", (int)n, text);
		if (poster->drawing)
			poster->canvas->ops->text(poster->canvas, MARGIN * poster->unit, poster->y,
				size, ALIGN_LEFT, bold, rgb, line);
		poster->y += size * 14 / 10;
		text += n;
		text += strspn(text, " \n");
	}
}

static int body(const struct poster *poster)
{
	return 10 * poster->unit;
}

/* ---- how much of what ---- */

static void put_totals(struct poster *poster, char *text, size_t size)
{
	struct part parts[PARTS];
	size_t n = cell_parts(&poster->sum, poster->picture->diff, parts), used = 0;
	uint64_t whole = 0;

	*text = '\0';
	for (size_t i = 0; i < n; i++)
		whole += parts[i].pages;
	for (size_t i = 0; i < n && used < size; i++) {
		char bytes[24], percent[16];

		if (!parts[i].pages && poster->picture->diff)
			continue;
		used += (size_t)snprintf(text + used, size - used, "%s%s %s (%s)", used ? ", " : "",
			parts[i].name, bytes_short(parts[i].pages << 12, bytes),
			picture_percent(parts[i].pages, whole, percent));
	}
}

/* Shares of a line; what there is at all is seen. */
static void put_bar(struct poster *poster)
{
	int unit = poster->unit, height = 8 * unit, least = 2 * unit, reserved = 0;
	int x = MARGIN * unit, width = (int)poster->picture->width - 2 * x;
	struct part parts[PARTS];
	size_t n = cell_parts(&poster->sum, poster->picture->diff, parts);
	uint64_t whole = 0;

	for (size_t i = 0; i < n; i++) {
		whole += parts[i].pages;
		reserved += parts[i].pages ? least : 0;
	}
	for (size_t i = 0; i < n && poster->drawing; i++) {
		int part = (int)((double)(width - reserved) * (double)parts[i].pages /
				   (double)MAX(whole, 1)) +
			   least;

		if (!parts[i].pages)
			continue;
		poster->canvas->ops->fill(poster->canvas, (struct box){x, poster->y, part, height},
			parts[i].look, parts[i].name);
		x += part;
	}
	poster->y += height + 4 * unit;
}

static void put_head(struct poster *poster)
{
	const struct picture *picture = poster->picture;
	char title[512], totals[256];

	snprintf(title, sizeof(title), "Page map of %s", picture->title);
	put_lines(poster, (poster->unit * 3 + 1) / 2 * 10, true, INK, title);
	put_lines(poster, body(poster), false, INK, picture->about);
	poster->y += 4 * poster->unit;
	put_bar(poster);
	put_totals(poster, totals, sizeof(totals));
	put_lines(poster, body(poster), true, INK, totals);
	put_lines(poster, body(poster), !picture->exact, picture->exact ? INK : WARNING,
		picture->trust);
	put_lines(poster, body(poster), false, GREY, picture->time);
	poster->y += 6 * poster->unit;
}

/* ---- legend and scale ---- */

struct legend {
	int x;
};

/* A sample and its name, in this line or the next; returns where the sample goes. */
static struct box next_sample(struct poster *poster, struct legend *legend, const char *name)
{
	struct canvas *canvas = poster->canvas;
	int unit = poster->unit, cell = poster->cell;
	int side = (8 * unit + cell - 1) / cell * cell, height = MAX(side, body(poster)) + 4 * unit;
	int width = side + 4 * unit + (int)strlen(name) * 6 * unit;
	struct box box = {.width = side, .height = side};

	/* On the lattice, so that a cell's pattern is seen whole. */
	box.x = canvas->grid_x +
		(legend->x - canvas->grid_x + cell - 1 + 1024 * cell) / cell * cell - 1024 * cell;
	if (legend->x > MARGIN * unit &&
		box.x + width > (int)poster->picture->width - MARGIN * unit) {
		legend->x = MARGIN * unit;
		poster->y = canvas->grid_y + (poster->y - canvas->grid_y + cell - 1) / cell * cell +
			    height;
		return next_sample(poster, legend, name);
	}
	box.y = canvas->grid_y + (poster->y - canvas->grid_y + cell - 1) / cell * cell;
	if (poster->drawing)
		canvas->ops->text(canvas, box.x + side + 4 * unit,
			box.y + (side - body(poster)) / 2, body(poster), ALIGN_LEFT, false, INK,
			name);
	legend->x = box.x + width + 10 * unit;
	return box;
}

static void put_frame(struct poster *poster, struct box box, int thick, uint32_t rgb)
{
	const struct canvas_ops *ops = poster->canvas->ops;

	ops->plain(poster->canvas, (struct box){box.x, box.y, box.width, thick}, rgb);
	ops->plain(poster->canvas,
		(struct box){box.x, box.y + box.height - thick, box.width, thick}, rgb);
	ops->plain(poster->canvas, (struct box){box.x, box.y, thick, box.height}, rgb);
	ops->plain(poster->canvas,
		(struct box){box.x + box.width - thick, box.y, thick, box.height}, rgb);
}

static bool look_is_used(const struct poster *poster, enum look look)
{
	bool diff = poster->picture->diff;

	if (look == LOOK_NONE)
		return false;
	if (diff ? look == LOOK_HOST_PRIVATE || look == LOOK_HOST_SHARED
		 : look == LOOK_PRIVATE || look == LOOK_SHARED || look == LOOK_UNKNOWN)
		return true;
	for (uint64_t i = 0; i < poster->layout->cells; i++)
		if (poster->looks[i] == look)
			return true;
	return false;
}

static void put_legend(struct poster *poster)
{
	struct legend legend = {.x = MARGIN * poster->unit};
	int unit = poster->unit;
	struct box box;

	for (int look = 0; look < LOOKS; look++) {
		if (!look_is_used(poster, (enum look)look))
			continue;
		box = next_sample(poster, &legend, look_styles[look].name);
		if (!poster->drawing)
			continue;
		poster->canvas->ops->fill(poster->canvas, box, (enum look)look, NULL);
		put_frame(poster, box, 1, GREY);
	}
	if (poster->layout->n_slots) {
		box = next_sample(poster, &legend, "border of a memslot");
		if (poster->drawing)
			put_frame(poster, box, unit, BORDER_INK);
	}
	if (poster->sum.sacred) {
		box = next_sample(poster, &legend, "holds what must stay private");
		if (poster->drawing)
			put_frame(poster, box, 2 * unit, SACRED_INK);
	}
	poster->y = box.y + MAX(box.height, body(poster)) + 6 * unit;
}

static void put_scale(struct poster *poster)
{
	const struct layout *layout = poster->layout;
	uint64_t pages = 1ull << layout->shift;
	char text[256], cell[24], row[24];

	bytes_exact(pages << 12, cell);
	if (layout->kind == LAYOUT_LINEAR)
		snprintf(text, sizeof(text), "One cell is %s (%llu page%s), one row %s.", cell,
			(unsigned long long)pages, pages == 1 ? "" : "s",
			bytes_exact((pages * layout->columns) << 12, row));
	else
		snprintf(text, sizeof(text),
			"One cell is %s (%llu page%s). Addresses follow a Hilbert curve: each "
			"square of %s begins at its top left and ends at its top right; what is "
			"close in memory is close here.",
			cell, (unsigned long long)pages, pages == 1 ? "" : "s",
			bytes_exact((pages * layout->side * layout->side) << 12, row));
	put_lines(poster, body(poster), false, INK, text);
	put_lines(poster, body(poster), false, GREY, "Made by kvm-encstat " KES_VERSION ".");
}

/* ---- all of it ---- */

static void go_through(struct poster *poster)
{
	poster->y = MARGIN * poster->unit;
	put_head(poster);
	poster_grid(poster);
	put_legend(poster);
	put_scale(poster);
	poster->y += MARGIN * poster->unit - body(poster) * 4 / 10;
}

static int draw(struct poster *poster, FILE *out)
{
	const struct picture *picture = poster->picture;
	struct canvas *canvas = poster->canvas;
	char title[512], description[2048], totals[256], prefix[40];
	int r;

	put_totals(poster, totals, sizeof(totals));
	snprintf(title, sizeof(title), "Page map of %s", picture->title);
	snprintf(description, sizeof(description), "%s. %s. %s. %s", picture->about, totals,
		picture->trust, picture->time);
	snprintf(prefix, sizeof(prefix), "vm%u-%s", picture->vm->id,
		picture->diff ? "diff" : plane_name(picture->plane));
	canvas->out = out;
	canvas->prefix = prefix;
	canvas->title = title;
	canvas->description = description;
	canvas->width = (int)picture->width;
	canvas->cell = poster->cell;
	canvas->grid_x =
		(MARGIN + (poster->layout->kind == LAYOUT_LINEAR ? LABELS : 0)) * poster->unit;
	go_through(poster); /* where the cells are decides where the legend's samples are */
	go_through(poster);
	canvas->height = poster->y;
	r = canvas->ops->begin(canvas);
	if (!r) {
		poster->drawing = true;
		go_through(poster);
	}
	return canvas->ops->end(canvas) ?: r;
}

int poster_write(FILE *out, const struct picture *picture, const struct layout *layout,
	const struct layout_cell *cells)
{
	_cleanup_free_ struct canvas *canvas =
		picture->format == PICTURE_PNG ? png_canvas() : svg_canvas();
	_cleanup_free_ enum look *looks = calloc(layout->cells, sizeof(*looks));
	_cleanup_free_ int *rows = calloc(layout->rows, sizeof(*rows));
	struct poster poster = {
		.picture = picture,
		.layout = layout,
		.cells = cells,
		.looks = looks,
		.rows = rows,
		.canvas = canvas,
		.unit = poster_unit((int)picture->width),
	};

	if (!canvas || !looks || !rows)
		return -ENOMEM;
	poster.cell =
		MIN(poster_room_pixels((int)picture->width, layout->kind) / (int)layout->columns,
			8 * poster.unit);
	for (uint64_t i = 0; i < layout->cells; i++) {
		looks[i] = look_of(&cells[i], picture->diff);
		cell_add(&poster.sum, &cells[i]);
	}
	return draw(&poster, out);
}
