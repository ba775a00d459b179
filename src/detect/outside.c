/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Conversions of frames where there is no memory. Where memory is, is known some time after it
 * changed: so a conversion waits for the next look before it is held against the guest.
 */

#include "detect/detector.h"

#define WAITING 8

enum { SETTING_GRACE = SETTING_OWN };
enum { TO_SHARED, TO_PRIVATE }; /* values: frames outside */

struct waiting {
	struct event conversions[WAITING];
	size_t n;
};

static void found(struct watch *watch, const struct event *event)
{
	uint64_t gfn = event->gpa >> 12, outside = watch_outside(watch, gfn, event->npages);
	struct finding *f;

	if (!outside)
		return;
	f = watch_case(watch, &detect_outside, event, gfn, event->npages);
	if (!f)
		return;
	f->values[event->to == PAGE_SHARED ? TO_SHARED : TO_PRIVATE] += outside;
	if (event->to != PAGE_PRIVATE || f->severity > SEVERITY_INFO)
		return;
	/* From here on it is about something else: what firmware shared does not show it. */
	watch_raise(watch, f, SEVERITY_WARNING);
	f->n_ranges = 0;
	f->more_ranges = false;
	f->evidence = 0;
	finding_add_range(f, gfn, event->npages, 1);
	finding_add_evidence(f, event);
}

static void flush(struct watch *watch, struct waiting *waiting, uint64_t before_ns)
{
	size_t n = 0;

	while (n < waiting->n && waiting->conversions[n].now_ns <= before_ns)
		found(watch, &waiting->conversions[n++]);
	waiting->n -= n;
	for (size_t i = 0; i < waiting->n; i++)
		waiting->conversions[i] = waiting->conversions[i + n];
}

static void on_event(struct watch *watch, void *state, const struct event *event)
{
	struct waiting *waiting = state;

	/* Where memory is not known yet it will be at the next tick, or never. */
	if (watch->vm->n_memslots && !watch_outside(watch, event->gpa >> 12, event->npages))
		return;
	if (waiting->n == WAITING)
		flush(watch, waiting, waiting->conversions[0].now_ns);
	waiting->conversions[waiting->n] = *event;
	waiting->conversions[waiting->n++].vm = NULL;
}

static void on_tick(struct watch *watch, void *state)
{
	uint64_t grace = setting(watch, FINDING_OUTSIDE, SETTING_GRACE);

	if (watch_is_over(watch))
		flush(watch, state, UINT64_MAX);
	else if (watch->now_ns > grace)
		flush(watch, state, watch->now_ns - grace);
}

static void describe(const struct finding *f, char *text, size_t size)
{
	say(text, size,
		"%llu conversion%s of frames outside of every memslot: %llu page%s to shared, %llu "
		"to "
		"private",
		(unsigned long long)f->count, plural(f->count),
		(unsigned long long)f->values[TO_SHARED], plural(f->values[TO_SHARED]),
		(unsigned long long)f->values[TO_PRIVATE]);
}

const struct detector detect_outside = {
	.kind = FINDING_OUTSIDE,
	.name = "outside",
	.title = "conversions where there is no memory",
	.severity = SEVERITY_INFO,
	.certainty = CERTAINTY_CERTAIN,
	.what = "A conversion was accepted that names frames outside of every memslot. To shared "
		"it "
		"is information, all of them in one finding; to private it is a warning.",
	.why = "What has no memory cannot be private. A guest that asks for it is confused about "
	       "its "
	       "memory, or tries what the VMM does with it; a VMM that says yes has not looked.",
	.harmless = "Firmware of TDX guests shares all of the MMIO space below 4 GiB and the PCI "
		    "windows above, in pieces: that is the information. Memory that was unplugged "
		    "while the guest converted it.",
	.todo = "To shared: nothing. To private: see which frames and vCPU (explain), and compare "
		"with the memory map that the guest was given.",
	.settings =
		{
			SETTINGS_COMMON(1, MINUTE_NS, MINUTE_NS,
				"firmware does it in one go, as one "
				"finding"),
			[SETTING_GRACE] = {"grace", UNIT_TIME, SECOND_NS,
				"that memory was plugged in is seen some tenths of a second later",
				{}, true},
		},
	.events = ON(EVENT_CONVERTED),
	.needs = TRAIT_OUTSIDE,
	.state_size = sizeof(struct waiting),
	.on_event = on_event,
	.on_tick = on_tick,
	.describe = describe,
};
