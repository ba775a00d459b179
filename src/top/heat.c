/* SPDX-License-Identifier: GPL-2.0-only */
#include "top/heat.h"

/* Changes that follow each other in memory and in time become one mark: a guest that converts a
 * buffer page by page. No more than so much later than the first, so that its times say something.
 */
#define JOINED_NS 1000000000ull

static struct heat_mark *set_of(struct heat *heat, uint64_t gfn)
{
	uint64_t mixed = gfn * 0x9e3779b97f4a7c15ull; /* Knuth: neighbours go to different sets */

	return &heat->marks[(mixed >> 58) % HEAT_SETS * HEAT_WAYS];
}

static bool goes_on(const struct heat_mark *last, const struct heat_mark *mark)
{
	return last && last->npages && last->gfn + last->npages == mark->gfn &&
	       last->to == mark->to && last->actor == mark->actor &&
	       mark->last_ns - last->first_ns < JOINED_NS;
}

/* The place of the same range, one that is empty, or that of the oldest. */
static struct heat_mark *place_of(struct heat *heat, const struct heat_mark *mark)
{
	struct heat_mark *set = set_of(heat, mark->gfn), *oldest = set;

	for (int i = 0; i < HEAT_WAYS; i++)
		if (set[i].npages == mark->npages && set[i].gfn == mark->gfn &&
			set[i].plane == mark->plane)
			return &set[i];
	for (int i = 1; i < HEAT_WAYS; i++)
		if (set[i].last_ns < oldest->last_ns)
			oldest = &set[i];
	if (oldest->npages && oldest->last_ns > heat->forgotten_ns[oldest->plane])
		heat->forgotten_ns[oldest->plane] = oldest->last_ns;
	return oldest;
}

static void add(struct heat *heat, const struct heat_mark *mark)
{
	struct heat_mark *last = heat->newest[mark->plane], *place;

	if (goes_on(last, mark)) {
		last->npages += mark->npages;
		last->last_ns = mark->last_ns;
		return;
	}
	place = place_of(heat, mark);
	for (int i = 0; i < PLANES; i++)
		if (heat->newest[i] == place)
			heat->newest[i] = NULL;
	*place = *mark;
	heat->newest[mark->plane] = place;
}

static void forget_guest(struct heat *heat, uint64_t now_ns)
{
	for (int i = 0; i < HEAT_MARKS; i++)
		if (heat->marks[i].plane == PLANE_GUEST)
			heat->marks[i] = (struct heat_mark){};
	heat->newest[PLANE_GUEST] = NULL;
	heat->forgotten_ns[PLANE_GUEST] = 0;
	heat->reset_ns = now_ns;
}

void heat_lost(struct heat *heat, uint64_t now_ns)
{
	for (int i = 0; i < PLANES; i++)
		heat->forgotten_ns[i] = now_ns;
}

void heat_event(struct heat *heat, const struct event *event)
{
	struct heat_mark mark = {
		.gfn = event->gpa >> 12,
		.npages = event->npages,
		.first_ns = event->now_ns,
		.last_ns = event->now_ns,
		.plane = PLANE_GUEST,
		.actor = event->vcpu,
		.to = (uint8_t)event->to,
	};

	switch (event->kind) {
	case EVENT_CONVERTED:
		break;
	case EVENT_NO_ANSWER:
		mark.to = PAGE_UNKNOWN;
		break;
	case EVENT_ATTRIBUTES:
		if (event->ret)
			return;
		mark.plane = PLANE_HOST;
		mark.actor = event->tid;
		if (event->unsure)
			mark.to = PAGE_UNKNOWN;
		break;
	case EVENT_RESET:
		forget_guest(heat, event->now_ns);
		return;
	case EVENT_READING: /* what it was taken for before may have been wrong */
		heat->forgotten_ns[PLANE_HOST] = event->now_ns;
		return;
	case EVENT_LOSS:
		heat_lost(heat, event->now_ns);
		return;
	default:
		return;
	}
	if (mark.npages && mark.gfn < PAGEMAP_FRAMES && mark.npages <= PAGEMAP_FRAMES - mark.gfn)
		add(heat, &mark);
}

const struct heat_mark *heat_last(
	const struct heat *heat, enum plane plane, uint64_t gfn, uint64_t npages)
{
	const struct heat_mark *last = NULL;

	for (int i = 0; i < HEAT_MARKS; i++) {
		const struct heat_mark *mark = &heat->marks[i];

		if (mark->npages && mark->plane == plane &&
			mark->last_ns > heat->forgotten_ns[plane] &&
			ranges_overlap(mark->gfn, mark->npages, gfn, npages) &&
			(!last || mark->last_ns > last->last_ns))
			last = mark;
	}
	return last;
}

enum warmth heat_warmth(uint64_t age_ns, uint64_t interval_ns)
{
	return age_ns < 2 * interval_ns    ? WARMTH_HOT
	       : age_ns < 6 * interval_ns  ? WARMTH_WARM
	       : age_ns < 16 * interval_ns ? WARMTH_FADING
					   : WARMTH_COLD;
}
