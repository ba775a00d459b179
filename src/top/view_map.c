/* SPDX-License-Identifier: GPL-2.0-only */
/* One VM: its page map, what is under the cursor, and as many figures as there is room for. */
#include <errno.h>
#include <sys/param.h> /* MIN, MAX */

#include "base/cleanup.h"
#include "top/figures.h"
#include "top/view_map.h"

#define PANEL  46 /* columns that figures beside the map take at least */
#define LOW    14 /* lines; below, the map has one line of text */
#define NARROW 60 /* columns; below, there are no addresses beside it */
#define MARKS  3

static const char *const plane_names[MAP_PLANES] = {"guest", "host", "guest against host"};

/* ---- how far to trust it ---- */

static enum confidence confidence_of(const struct vm *vm, enum map_plane plane)
{
	enum confidence guest = vm_confidence(vm, PLANE_GUEST), host;

	if (plane == MAP_GUEST)
		return guest;
	host = vm_confidence(vm, PLANE_HOST);
	return plane == MAP_HOST ? host : MAX(guest, host);
}

/* Pages that are not known on the plane, in bytes; of both, those of the one that has more. */
static uint64_t unknown_bytes(const struct vm *vm, enum map_plane plane)
{
	uint64_t guest[PAGE_STATES] = {}, host[PAGE_STATES] = {};

	if (plane != MAP_HOST)
		vm_count(vm, PLANE_GUEST, guest);
	if (plane != MAP_GUEST)
		vm_count(vm, PLANE_HOST, host);
	return MAX(guest[PAGE_UNKNOWN], host[PAGE_UNKNOWN]) << 12;
}

/* Which part is in sight, of all there is. */
static void say_sight(const struct map *map, char *text, size_t size)
{
	unsigned int from, to;

	map_sight(map, &from, &to);
	if (!map->near)
		say(text, size, ", all memory");
	else
		say(text, size, ", %u-%u%%", from, to);
}

static void draw_head(const struct map_view *view, struct area area)
{
	const struct map *map = &view->top->map;
	const struct vm *vm = view->stats->vm;
	char name[VM_SHORT_SIZE], cell[24], bytes[24], right[96];
	uint64_t unknown = unknown_bytes(vm, map->plane);
	enum confidence confidence = confidence_of(vm, map->plane);
	struct pen pen = {.role = ROLE_HEADER, .ground = ROLE_HEADER};
	int width;

	snprintf(right, sizeof(right), "%s, %s%s%s",
		area.width < NARROW && map->plane == MAP_DIFF ? "diff" : plane_names[map->plane],
		confidence_name(confidence), unknown ? ", unknown " : "",
		unknown ? bytes_short(unknown, bytes) : "");
	if (map->layout && area.width >= NARROW)
		say_sight(map, right, sizeof(right));
	if (map->layout && map->layout->cells)
		say(right, sizeof(right), "  cell %s",
			bytes_exact(4096ull << map->layout->shift, cell));
	width = text_width(right);
	draw_title(view->cells, area, "%s", "");
	if (width + 12 < area.width)
		cells_format(view->cells, area.x + 1, area.y, area.width - width - 4, pen,
			"VM %u  %s", vm->id, vm_label_short(vm, name));
	if (confidence != CONFIDENCE_EXACT || unknown)
		pen.attributes |= CELL_BOLD;
	cells_right(view->cells, area.x, area.y, area.width - 1, pen, right);
}

/* ---- figures ---- */

static void draw_panel(const struct map_view *view, struct area area, const struct row *row)
{
	_cleanup_(cells_free) struct cells page = {.ascii = view->cells->ascii};
	struct figures figures = {view->top, &page, 0, 0, area.width};

	if (cells_resize(&page, area.width, area.height))
		return;
	figures_memory(&figures, row, view->stats->vm);
	figures_time(&figures, view->stats, row);
	figures_findings(&figures, view->stats->vm->id);
	figures_requests(&figures, view->stats->vm);
	figures_latency(&figures, view->stats);
	figures_counters(&figures, view->stats);
	cells_copy(view->cells, area, &page, 0);
}

/* The same in two lines. */
static void draw_strip(const struct map_view *view, struct area area, const struct row *row)
{
	const struct vm_stats *v = view->stats;
	uint32_t values[STATS_HISTORY];
	char text[4][24];
	size_t n = stats_history(v->shared, v->n_history, v->at, values);
	int x = area.x, spark = MIN(16, area.width / 5);

	x += cells_text(view->cells, x, area.y, 7, PEN(ROLE_DIM), "shared ");
	cells_spark(view->cells, x, area.y, spark, PEN(ROLE_SHARED), values, n);
	x += spark + 1;
	x += cells_format(view->cells, x, area.y, 14, PEN(ROLE_SHARED), "%s %.1f%%  ",
		bytes_short(row->shared, text[0]), row_shared_percent(row));
	n = stats_history(v->moves, v->n_history, v->at, values);
	x += cells_text(view->cells, x, area.y, 12, PEN(ROLE_DIM), "conversions ");
	cells_spark(view->cells, x, area.y, spark, PEN(ROLE_PRIVATE), values, n);
	x += spark + 1;
	cells_format(view->cells, x, area.y, area.x + area.width - x, PEN(ROLE_PRIVATE), "%s/s",
		rate_short(row->rates[FLOW_TO_SHARED] + row->rates[FLOW_TO_PRIVATE], text[0]));
	cells_format(view->cells, area.x, area.y + 1, area.width, PEN(ROLE_TEXT),
		"answers p50 %s p99 %s  open %llu  hypercalls %s/s  exits %s/s  refused %s",
		duration_short(row->p50_ns, text[0]), duration_short(row->p99_ns, text[1]),
		(unsigned long long)row->open_requests,
		rate_short(row->rates[FLOW_HYPERCALLS], text[2]),
		rate_short(row->rates[FLOW_EXITS], text[3]),
		count_short(row->totals[FLOW_REFUSED], (char[24]){}));
}

/* ---- the view ---- */

/* Hex digits of the last address, and a space. */
static int label_width(const struct vm *vm)
{
	uint64_t end = 1;
	int digits = 0;

	for (size_t i = 0; i < vm->n_memslots; i++)
		end = MAX(end, (vm->memslots[i].gfn + vm->memslots[i].npages) << 12);
	for (; end; end >>= 4)
		digits++;
	return MAX(digits, 4) + 1;
}

/* Of a map that has figures beside it: as wide as leaves them room; 0: there is none. */
static int width_beside(const struct vm *vm, struct area area)
{
	int around = label_width(vm) + MARKS, wide = 64;

	if (area.height < LOW || around + wide + 2 + PANEL > area.width)
		return 0;
	while (around + 2 * wide + 2 + PANEL <= area.width)
		wide *= 2;
	return around + wide;
}

static void draw_none(const struct map_view *view, struct area area, const char *why)
{
	cells_format(
		view->cells, area.x + 1, area.y + 1, area.width - 2, PEN(ROLE_DIM), "It %s.", why);
	view->top->map_area = (struct area){};
}

/* The map with its lines of text; area begins below the title. */
static void draw_left(struct map_view *view, struct area area, const struct row *row, bool strip)
{
	const struct map *map = &view->top->map;
	bool low = area.height < LOW - 1;
	int below = low ? 1 : strip ? 6 : 5, r;

	view->area = area;
	view->area.height -= below;
	view->label = area.width < NARROW ? 0 : label_width(view->stats->vm);
	view->marks = area.width < NARROW ? 2 : MARKS;
	r = draw_map(view);
	if (r || !map->layout->cells) {
		draw_none(view, area,
			r == -EINVAL ? "has no room here for its map"
			: r          ? "has a map, but there is no memory to draw it"
				     : "has no memory that is known");
		return;
	}
	area.y += area.height - below + !low;
	area.x++;
	area.width--;
	area.height = low ? 1 : 2;
	draw_under(view, area);
	if (low)
		return;
	area.y += 2;
	area.height = strip ? 1 : 2;
	draw_legend(view, area);
	area.y++;
	if (strip)
		draw_strip(view, area, row);
}

static void draw(struct top *top, struct cells *cells, struct area area)
{
	struct map_view view = {.top = top, .cells = cells};
	struct area left = {area.x, area.y + 1, area.width, area.height - 1}, panel;
	int width;
	struct row row;

	view.stats = top->model ? stats_find(top->stats, top->vm) : NULL;
	top->map_area = (struct area){};
	if (!view.stats) {
		draw_title(cells, area, "VM %u is not kept any more; Esc goes back", top->vm);
		return;
	}
	row_take(&row, top->stats, view.stats, top->now_ns);
	if (!row.has_host)
		top->map.plane = MAP_GUEST;
	view.halves = top->colours >= 256 && !cells->ascii;
	width = width_beside(view.stats->vm, area);
	left.width = width ?: left.width;
	if (row.has_map || row.has_host)
		draw_left(&view, left, &row, !width);
	else
		draw_none(&view, left, map_why_none(PLANE_GUEST));
	draw_head(&view, area);
	panel = (struct area){left.x + width + 2, left.y, area.width - width - 2, left.height};
	if (width)
		draw_panel(&view, panel, &row);
}

/* ---- keys ---- */

static void seek(struct top *top, bool forward)
{
	const struct vm *vm = top_vm(top, top->vm);

	if (!vm || !map_seek(&top->map, vm, forward))
		top_say(top, false, "no range %s that %s", forward ? "after it" : "before it",
			top->map.plane == MAP_DIFF ? "differs" : "is not private");
}

static bool command(struct top *top, enum command_id id)
{
	const struct vm *vm = top_vm(top, top->vm);

	switch (id) {
	case DO_FIGURES:
		top_show(top, VIEW_VM);
		return true;
	case DO_NEXT_RANGE:
	case DO_PREVIOUS_RANGE:
		seek(top, id == DO_NEXT_RANGE);
		return true;
	case DO_PLANE:
		if (vm && !vm_has_host_plane(vm)) {
			top_say(top, false, "It %s.", map_why_none(PLANE_HOST));
			return true;
		}
		break;
	default:
		break;
	}
	return map_command(&top->map, id);
}

static void click(struct top *top, int x, int y)
{
	const struct area *area = &top->map_area;

	if (x < area->x || y < area->y || x >= area->x + area->width || y >= area->y + area->height)
		return;
	map_point(&top->map, (unsigned int)(x - area->x) / top->map_width,
		(unsigned int)(y - area->y));
}

/* What was chosen of plane and layout stays for the next VM. */
void top_open_vm(struct top *top, uint32_t vm)
{
	if (vm != top->vm) {
		top->map.near = false;
		top->map.cursor = top->map.first = 0;
	}
	top->vm = vm;
	top->page = (struct scroll){};
	top_show(top, VIEW_MAP);
}

const struct view view_map = {
	.name = "map",
	.draw = draw,
	.command = command,
	.click = click,
};
