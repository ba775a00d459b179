/* SPDX-License-Identifier: GPL-2.0-only */
/* One VM in figures: drawn on a page as long as it takes, of which the screen shows a part. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "top/figures.h"

#define PAGE_HEIGHT  420 /* the ranges, and all the rest */
#define BESIDE_WIDTH 100 /* from there on there are two halves side by side */

/* Draws all of it; returns its height. */
static int draw_page(
	struct top *top, struct cells *cells, const struct vm_stats *v, const struct row *row)
{
	bool beside = cells->width >= BESIDE_WIDTH;
	struct figures left = {top, cells, 1, 0, cells->width - 2}, right;

	if (beside)
		left.width = cells->width / 2 - 2;
	figures_who(&left, row, v->vm);
	figures_memory(&left, row, v->vm);
	figures_time(&left, v, row);
	right = beside ? (struct figures){top, cells, cells->width / 2 + 1, 0, left.width} : left;
	figures_latency(&right, v);
	figures_counters(&right, v);
	if (!beside)
		left.y = right.y;
	figures_requests(&left, v->vm);
	figures_findings(&left, v->vm->id);
	figures_ranges(&left, v->vm);
	return left.y > right.y ? left.y : right.y;
}

static void draw(struct top *top, struct cells *cells, struct area area)
{
	const struct vm_stats *v = top->model ? stats_find(top->stats, top->vm) : NULL;
	_cleanup_(cells_free) struct cells page = {.ascii = cells->ascii};
	struct row row;
	int height;

	if (!v) {
		draw_title(cells, area, "VM %u is not kept any more; Esc goes back", top->vm);
		return;
	}
	row_take(&row, top->stats, v, top->now_ns);
	draw_title(cells, area, "VM %u  %s", row.id, row.name);
	if (cells_resize(&page, area.width, PAGE_HEIGHT))
		return;
	height = draw_page(top, &page, v, &row);
	area.y++;
	area.height--;
	scroll_page_fit(&top->page, (size_t)height, (size_t)area.height);
	cells_copy(cells, area, &page, (int)top->page.first);
}

static bool command(struct top *top, enum command_id id)
{
	if (id != DO_MAP)
		return scroll_page(&top->page, id);
	top_show(top, VIEW_MAP);
	return true;
}

const struct view view_vm = {
	.name = "figures",
	.draw = draw,
	.command = command,
};
