/* SPDX-License-Identifier: GPL-2.0-only */
/* What pictures of all formats have in common. */
#include "picture/picture.h"

#include <errno.h>
#include <stdlib.h>

#include "model/conversion.h"
#include "picture/poster.h"

struct layout_cell *picture_cells(const struct picture *picture, const struct layout *layout)
{
	struct layout_cell *cells = calloc(layout->cells, sizeof(*cells));

	for (uint64_t i = 0; cells && i < layout->cells; i++)
		if (picture->diff)
			layout_read_diff(layout, picture->vm, i, &cells[i]);
		else
			layout_read(layout, picture->vm, picture->plane, i, &cells[i]);
	return cells;
}

void cell_add(struct layout_cell *sum, const struct layout_cell *cell)
{
	sum->memory += cell->memory;
	sum->sacred += cell->sacred;
	sum->border |= cell->border;
	for (int i = 0; i < PAGE_STATES; i++)
		sum->counts[i] += cell->counts[i];
	for (int i = 0; i < ACCORDS; i++)
		sum->accords[i] += cell->accords[i];
}

size_t cell_parts(const struct layout_cell *cell, bool diff, struct part parts[PARTS])
{
	static const char *const accords[ACCORDS] = {
		[ACCORD_PRIVATE] = "both private",
		[ACCORD_SHARED] = "both shared",
		[ACCORD_HOST_SHARED] = "guest private, host shared",
		[ACCORD_HOST_PRIVATE] = "guest shared, host private",
		[ACCORD_UNKNOWN] = "not known",
	};
	static const enum look accord_looks[ACCORDS] = {
		[ACCORD_PRIVATE] = LOOK_BOTH_PRIVATE,
		[ACCORD_SHARED] = LOOK_BOTH_SHARED,
		[ACCORD_HOST_SHARED] = LOOK_HOST_SHARED,
		[ACCORD_HOST_PRIVATE] = LOOK_HOST_PRIVATE,
		[ACCORD_UNKNOWN] = LOOK_UNKNOWN,
	};
	static const enum look state_looks[PAGE_STATES] = {
		[PAGE_PRIVATE] = LOOK_PRIVATE,
		[PAGE_SHARED] = LOOK_SHARED,
		[PAGE_UNKNOWN] = LOOK_UNKNOWN,
	};

	if (diff) {
		for (int i = 0; i < ACCORDS; i++)
			parts[i] = (struct part){accords[i], accord_looks[i], cell->accords[i]};
		return ACCORDS;
	}
	for (int i = 0; i < PAGE_STATES; i++)
		parts[i] = (struct part){
			page_state_name((enum page_state)i), state_looks[i], cell->counts[i]};
	return PAGE_STATES;
}

/* Cut to one decimal away from the ends: a page of a terabyte is "<0.1%", all but one is ">99.9%".
 */
const char *picture_percent(uint64_t part, uint64_t whole, char buffer[16])
{
	double percent = whole ? 100.0 * (double)part / (double)whole : 0;

	if (!part || part == whole)
		snprintf(buffer, 16, "%s", part ? "100%" : "0%");
	else if (percent < 0.1)
		snprintf(buffer, 16, "<0.1%%");
	else if (percent > 99.9)
		snprintf(buffer, 16, ">99.9%%");
	else
		snprintf(buffer, 16, "%.1f%%", percent);
	return buffer;
}

/* The room for cells on a poster of this width. */
static void poster_room(const struct picture *picture, struct layout_options *options)
{
	int unit = poster_unit((int)picture->width);
	int room = poster_room_pixels((int)picture->width, picture->layout);
	int columns = room / (picture->layout == LAYOUT_HILBERT ? 9 * unit : 6 * unit);
	unsigned int side = 1;

	while (2 * side <= (unsigned int)columns)
		side *= 2;
	options->columns = picture->layout == LAYOUT_HILBERT ? 2 * side : side;
	options->rows = side;
}

static int check_width(struct picture *picture)
{
	bool text = picture->format == PICTURE_TEXT;

	if (!picture->width)
		picture->width = text ? 80 : PICTURE_WIDTH;
	return picture->width < (text ? PICTURE_TEXT_MIN : PICTURE_WIDTH_MIN) ||
			       picture->width > (text ? PICTURE_TEXT_MAX : PICTURE_WIDTH_MAX)
		       ? -EINVAL
		       : 0;
}

int picture_write(FILE *out, const struct picture *asked)
{
	_cleanup_(layout_free) struct layout *layout = NULL;
	_cleanup_free_ struct layout_cell *cells = NULL;
	struct picture picture = *asked;
	struct layout_options options = {
		.kind = picture.layout,
		.window = picture.window,
		.sacred = picture.sacred,
		.n_sacred = picture.n_sacred,
	};
	int r = check_width(&picture);

	if (r)
		return r;
	if (picture.format == PICTURE_TEXT)
		text_room(&picture, &options);
	else
		poster_room(&picture, &options);
	r = layout_new(&layout, picture.vm, &options);
	if (r)
		return r;
	if (!layout->cells)
		return -ENODATA;
	cells = picture_cells(&picture, layout);
	if (!cells)
		return -ENOMEM;
	if (picture.format == PICTURE_TEXT)
		return text_write(out, &picture, layout, cells);
	return poster_write(out, &picture, layout, cells);
}
