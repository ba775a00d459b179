/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the parts of the view of a VM's page map: its cells (view_cells.c), their legend
 * (view_legend.c), what is under the cursor (view_under.c), and what is said around them
 * (view_map.c). */
#ifndef TOP_VIEW_MAP_H
#define TOP_VIEW_MAP_H

#include "picture/look.h"
#include "top/top_private.h"

struct map_view {
	struct top *top;
	struct cells *cells;
	const struct vm_stats *stats;
	struct area area; /* of addresses, cells and marks */
	int label, marks; /* columns left and right of the cells */
	bool halves;      /* two cells a letter, in colours */
};

/* Columns of the room that a cell takes. */
static inline unsigned int map_cell_width(const struct map_view *view)
{
	return view->top->map.kind == LAYOUT_HILBERT && !view->halves ? 2 : 1;
}

/* The map, fitted into its area. 0, or why it could not be. */
int draw_map(struct map_view *view);

/* What is under its cursor, in two lines or in one. */
void draw_under(const struct map_view *view, struct area area);

/* What the map's signs mean, as far as the area goes. */
void draw_legend(const struct map_view *view, struct area area);

#endif
