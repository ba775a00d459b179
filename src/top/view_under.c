/* SPDX-License-Identifier: GPL-2.0-only */
/* What is under the cursor of a page map: how many pages in which state, whose memory, and what
 * changed it last. */
#include <sys/param.h> /* MAX */

#include "base/place.h"
#include "top/view_map.h"

struct under {
	bool any;
	struct layout_cell cell;
	const struct heat_mark *last; /* NULL: none that is kept */
	const char *sacred;           /* NULL: none */
	const struct memslot *slot;
};

static const char *sacred_at(
	const struct top *top, const struct vm *vm, const struct layout_range *range)
{
	const struct settings *settings = top->options.settings;

	for (size_t i = 0; settings && i < settings->n_sacred; i++)
		if (sacred_concerns(&settings->sacred[i], vm) &&
			ranges_overlap(settings->sacred[i].gfn, settings->sacred[i].npages,
				range->gfn, range->npages))
			return settings->sacred[i].name;
	return NULL;
}

static const struct memslot *slot_at(const struct vm *vm, const struct layout_range *range)
{
	for (size_t i = 0; i < vm->n_memslots; i++)
		if (vm->memslots[i].npages &&
			ranges_overlap(vm->memslots[i].gfn, vm->memslots[i].npages, range->gfn,
				range->npages))
			return &vm->memslots[i];
	return NULL;
}

static const struct heat_mark *last_change(
	const struct vm_stats *v, enum map_plane plane, const struct layout_range *range)
{
	const struct heat_mark *guest = NULL, *host = NULL;

	if (v->heat && plane != MAP_HOST)
		guest = heat_last(v->heat, PLANE_GUEST, range->gfn, range->npages);
	if (v->heat && plane != MAP_GUEST)
		host = heat_last(v->heat, PLANE_HOST, range->gfn, range->npages);
	return !guest || (host && host->last_ns > guest->last_ns) ? host : guest;
}

static struct under look_under(const struct map_view *view)
{
	const struct map *map = &view->top->map;
	const struct vm *vm = view->stats->vm;
	uint64_t number = map_cursor_cell(map);
	struct under under = {.any = number != UINT64_MAX};
	struct layout_range range;

	if (!under.any)
		return under;
	range = layout_range(map->layout, number);
	map_read(map, vm, &range, &under.cell);
	under.last = last_change(view->stats, map->plane, &range);
	under.sacred = under.cell.sacred ? sacred_at(view->top, vm, &range) : NULL;
	under.slot = slot_at(vm, &range);
	return under;
}

/* "private 12, shared 4 pages", what there is of it; one page is a word. */
static void say_pages(const struct under *under, bool diff, char *text, size_t size)
{
	static const char *const accords[ACCORDS] = {
		[ACCORD_PRIVATE] = "both private",
		[ACCORD_SHARED] = "both shared",
		[ACCORD_HOST_SHARED] = "guest private, host shared",
		[ACCORD_HOST_PRIVATE] = "guest shared, host private",
		[ACCORD_UNKNOWN] = "not known",
	};
	const uint64_t *counts = diff ? under->cell.accords : under->cell.counts;
	int n = diff ? (int)ACCORDS : (int)PAGE_STATES;
	const char *between = "";

	*text = '\0';
	for (int i = 0; i < n; i++) {
		const char *name = diff ? accords[i] : page_state_name((enum page_state)i);

		if (!counts[i])
			continue;
		if (under->cell.range.npages == 1)
			say(text, size, "%s", name);
		else
			say(text, size, "%s%s %llu", between, name, (unsigned long long)counts[i]);
		between = ", ";
	}
	if (!*text)
		say(text, size, "no memory");
	else if (under->cell.range.npages > 1)
		say(text, size, " pages");
}

/* Of changes that went on from each other only the last one's time is known. */
static bool is_end_of(const struct heat_mark *mark, const struct layout_range *range)
{
	return mark->gfn + mark->npages <= range->gfn + range->npages;
}

static void say_who(char *text, size_t size, enum plane plane, uint32_t actor)
{
	if (plane == PLANE_GUEST)
		say(text, size, "a request of vCPU %u", actor);
	else if (actor)
		say(text, size, "the VMM, thread %u", actor);
	else
		say(text, size, "the VMM");
}

static void say_change(
	const struct map_view *view, const struct under *under, char *text, size_t size)
{
	const struct top *top = view->top;
	const struct heat_mark *last = under->last;
	const struct heat *heat = view->stats->heat;
	uint64_t forgotten = 0;
	char time[24], age[24];

	*text = '\0';
	if (last) {
		say(text, size, "last change to %s %s ago, %s%s, by ",
			page_state_name((enum page_state)last->to),
			duration_short(top->now_ns - last->last_ns, age),
			last->first_ns != last->last_ns && !is_end_of(last, &under->cell.range)
				? "at the latest "
				: "",
			time_text(&top->style, last->last_ns, time));
		say_who(text, size, (enum plane)last->plane, last->actor);
		return;
	}
	for (int i = 0; heat && i < PLANES; i++)
		if (top->map.plane == MAP_DIFF || (i == PLANE_HOST) == (top->map.plane == MAP_HOST))
			forgotten = MAX(forgotten, heat->forgotten_ns[i]);
	if (forgotten)
		say(text, size, "no change since %s; older ones are not known",
			time_text(&top->style, forgotten, time));
	else
		say(text, size, "no change was seen since %s",
			time_text(&top->style,
				MAX(heat ? heat->reset_ns : 0, top->since_ns ?: top->first_ns),
				time));
}

/* Since when it differs, and who moved: the model keeps that for longer. */
static bool say_dispute(
	const struct map_view *view, const struct under *under, char *text, size_t size)
{
	const struct disputes *disputes = &view->stats->vm->disputes;
	const struct layout_range *range = &under->cell.range;
	const struct mover *mover;
	size_t at = PLACE(
		disputes->n, i, disputes->list[i].gfn + disputes->list[i].npages <= range->gfn);
	char time[24];

	if (at == disputes->n || disputes->list[at].gfn >= range->gfn + range->npages)
		return false;
	mover = &disputes->list[at].mover;
	*text = '\0';
	say(text, size, "differs since %s: ", time_text(&view->top->style, mover->ts_ns, time));
	if (mover->reset)
		say(text, size, "the VM was reset");
	else if (mover->found)
		say(text, size, "it was found so then");
	else
		say_who(text, size, mover->plane, mover->actor);
	return true;
}

void draw_under(const struct map_view *view, struct area area)
{
	struct under under = look_under(view);
	const struct layout_range *range = &under.cell.range;
	char pages[160], change[160], size[24];
	int x = area.x;

	if (!under.any || area.height < 1)
		return;
	say_pages(&under, view->top->map.plane == MAP_DIFF, pages, sizeof(pages));
	if (view->top->map.plane != MAP_DIFF || !say_dispute(view, &under, change, sizeof(change)))
		say_change(view, &under, change, sizeof(change));
	if (area.height == 1) {
		cells_format(view->cells, area.x, area.y, area.width, PEN(ROLE_TEXT), "%llx+%s %s",
			(unsigned long long)(range->gfn << 12),
			bytes_exact(range->npages << 12, size), pages);
		return;
	}
	x += cells_format(view->cells, x, area.y, area.width, PEN(ROLE_VALUE), "[0x%llx, 0x%llx)",
		(unsigned long long)(range->gfn << 12),
		(unsigned long long)((range->gfn + range->npages) << 12));
	x += cells_format(view->cells, x, area.y, area.x + area.width - x, PEN(ROLE_TEXT),
		" %s  %s", bytes_exact(range->npages << 12, size), pages);
	if (under.slot)
		x += cells_format(view->cells, x, area.y, area.x + area.width - x, PEN(ROLE_LABEL),
			"  memslot %u%s", under.slot->slot, under.cell.border ? " and others" : "");
	if (under.sacred)
		cells_format(view->cells, x, area.y, area.x + area.width - x, PEN(ROLE_WARNING),
			"  sacred: %s", under.sacred);
	cells_text(view->cells, area.x, area.y + 1, area.width, PEN(ROLE_TEXT), change);
}
