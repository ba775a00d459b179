/* SPDX-License-Identifier: GPL-2.0-only */
/* What the signs of a page map mean. */
#include "base/cleanup.h"
#include "top/view_map.h"

struct entry {
	enum look look;
	enum role role;
	const char *name;
};

static const struct entry of_plane[] = {
	{LOOK_SHARED, ROLE_MAP_SHARED, "shared"},
	{LOOK_PRIVATE, ROLE_MAP_PRIVATE, "private"},
	{LOOK_UNKNOWN, ROLE_MAP_UNKNOWN, "unknown"},
	{LOOK_SOME, ROLE_MAP_SOME, "some shared"},
	{LOOK_MOST, ROLE_MAP_MOST, "most"},
	{LOOK_PART_PRIVATE, ROLE_MAP_PART_PRIVATE, "some unknown"},
	{LOOK_PART_SHARED, ROLE_MAP_PART_SHARED, "and some shared"},
};

static const struct entry of_both[] = {
	{LOOK_HOST_SHARED, ROLE_MAP_HOST_SHARED, "host shared, guest private"},
	{LOOK_HOST_PRIVATE, ROLE_MAP_HOST_PRIVATE, "host private, guest shared"},
	{LOOK_DIFFER, ROLE_MAP_DIFFER, "both"},
	{LOOK_UNKNOWN, ROLE_MAP_UNKNOWN, "unknown"},
	{LOOK_BOTH_SHARED, ROLE_MAP_BOTH_SHARED, "agree: shared"},
	{LOOK_BOTH_MIXED, ROLE_MAP_BOTH_MIXED, "mixed"},
	{LOOK_BOTH_PRIVATE, ROLE_MAP_BOTH_PRIVATE, "private"},
};

/* What is left of the lines of a legend. */
struct room {
	int x, y;
	struct area area;
};

/* One item, if there is room for it. */
static void put_item(const struct map_view *view, struct room *room, struct pen pen,
	const char *sign, const char *name)
{
	int width = text_width(sign) + 1 + text_width(name), end = room->area.x + room->area.width;

	if (room->x + width > end && room->y + 1 < room->area.y + room->area.height) {
		room->x = room->area.x;
		room->y++;
	}
	if (room->x + width > end)
		return;
	room->x += cells_text(view->cells, room->x, room->y, width, pen, sign) + 1;
	room->x += cells_text(view->cells, room->x, room->y, width, PEN(ROLE_DIM), name) + 2;
}

void draw_legend(const struct map_view *view, struct area area)
{
	bool diff = view->top->map.plane == MAP_DIFF, ascii = view->cells->ascii;
	const struct entry *entries = diff ? of_both : of_plane;
	size_t n = diff ? ARRAY_SIZE(of_both) : ARRAY_SIZE(of_plane);
	const struct layout *layout = view->top->map.layout;
	struct room room = {area.x, area.y, area};

	for (size_t i = 0; i < n; i++) {
		const struct look_style *style = &look_styles[entries[i].look];

		put_item(view, &room, PEN(entries[i].role),
			view->halves ? "\u2588\u2588"
			: ascii      ? style->ascii
				     : style->glyph,
			entries[i].name);
		/* On a narrow screen what is marked matters more than shades of what is mixed. */
		if (i != 2)
			continue;
		if (layout->n_sacred) {
			put_item(view, &room, PEN(ROLE_MAP_SACRED),
				view->halves ? "\u2588\u2588" : ":", "sacred");
			put_item(view, &room, PEN(ROLE_MAP_BROKEN),
				view->halves ? "\u2588\u2588" : "!", "sacred, shared");
		}
		put_item(view, &room, PEN(ROLE_LABEL), "<", "memslot");
		if (view->halves)
			put_item(view, &room, PEN(ROLE_MAP_WARM3), "\u2588\u2588", "changed now");
		else
			put_item(view, &room, (struct pen){.attributes = CELL_UNDERLINE}, "a",
				"changed now");
	}
}
