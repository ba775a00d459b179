/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest could not take pages back, and goes on to use them. */

#include "detect/detector.h"

#define FAILED 32

struct failed {
	struct {
		uint64_t gfn, npages;
	} list[FAILED]; /* round and round: the oldest is forgotten */
	size_t next;
};

enum { SHARED_AGAIN, TOUCHED }; /* values: cases of each */

static void forget(struct failed *failed, uint64_t gfn, uint64_t npages)
{
	for (size_t i = 0; i < FAILED; i++)
		if (failed->list[i].npages &&
			ranges_overlap(gfn, npages, failed->list[i].gfn, failed->list[i].npages))
			failed->list[i].npages = 0;
}

static void remember(struct failed *failed, uint64_t gfn, uint64_t npages)
{
	forget(failed, gfn, npages);
	failed->list[failed->next].gfn = gfn;
	failed->list[failed->next].npages = npages;
	failed->next = (failed->next + 1) % FAILED;
}

static bool any(const struct failed *failed)
{
	for (size_t i = 0; i < FAILED; i++)
		if (failed->list[i].npages)
			return true;
	return false;
}

static void used(
	struct watch *watch, const struct failed *failed, const struct event *event, int how)
{
	uint64_t gfn = event->gpa >> 12, end = gfn + event->npages;

	for (size_t i = 0; i < FAILED; i++) {
		uint64_t from = failed->list[i].gfn, to = from + failed->list[i].npages;
		struct finding *f;

		from = from > gfn ? from : gfn;
		to = to < end ? to : end;
		if (from >= to)
			continue;
		f = watch_case(watch, &detect_reused, event, from, to - from);
		if (f)
			f->values[how]++;
		return;
	}
}

static void on_event(struct watch *watch, void *state, const struct event *event)
{
	struct failed *failed = state;
	uint64_t gfn = event->gpa >> 12;

	switch (event->kind) {
	case EVENT_DENIED:
		if (event->to == PAGE_PRIVATE)
			remember(failed, gfn, event->npages);
		break;
	case EVENT_FAULT:
		if (event->to == PAGE_SHARED)
			used(watch, failed, event, TOUCHED);
		break;
	case EVENT_CONVERTED:
		if (event->to == PAGE_SHARED && event->already)
			used(watch, failed, event, SHARED_AGAIN);
		else
			forget(failed, gfn, event->npages); /* in the end they were taken back */
		break;
	default: /* reset */
		*failed = (struct failed){};
	}
	watch_await(watch, FINDING_REUSED, any(failed));
}

static void code_state(struct codec *codec, void *state)
{
	struct failed *failed = state;

	for (size_t i = 0; i < FAILED; i++) {
		CODE(codec, failed->list[i].gfn);
		CODE(codec, failed->list[i].npages);
	}
	CODE_UPTO(codec, failed->next, FAILED - 1);
}

static void describe(const struct finding *f, char *text, size_t size)
{
	say(text, size,
		"pages that the guest was not allowed to take back are in use as shared: shared "
		"once "
		"more %llu times, touched %llu times",
		(unsigned long long)f->values[SHARED_AGAIN],
		(unsigned long long)f->values[TOUCHED]);
}

const struct detector detect_reused = {
	.kind = FINDING_REUSED,
	.name = "reused",
	.title = "pages that could not be taken back are used as shared",
	.severity = SEVERITY_WARNING,
	.certainty = CERTAINTY_CERTAIN,
	.leans_on = {[PLANE_GUEST] = true},
	.what = "The VMM denied a conversion to private, and later the guest shared "
		"some of these pages again, which were shared all the time, or "
		"touched them as shared. Of each VM the last 32 denied ranges are "
		"known.",
	.why = "A correct guest puts such pages aside, for it does not know who "
	       "reads them. Here they went back into use: the next owner's data "
	       "may have been on them meanwhile, readable.",
	.harmless =
		"A driver that wanted to free a buffer, was denied, and keeps it as its buffer.",
	.todo = "First find out why the VMM denied it (events, kind denied). Then "
		"whether the guest's kernel leaks such pages on purpose, as it "
		"should.",
	.settings = {SETTINGS_COMMON(1, MINUTE_NS, MINUTE_NS, "one is one too many")},
	.events = ON(EVENT_DENIED) | ON(EVENT_CONVERTED) | ON(EVENT_FAULT) | ON(EVENT_RESET),
	.needs = TRAIT_AWAITED,
	.state_size = sizeof(struct failed),
	.code_state = code_state,
	.on_event = on_event,
	.describe = describe,
};
