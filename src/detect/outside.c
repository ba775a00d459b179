/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Conversions of frames where there is no memory. Where memory is, is known some time after it
 * changed: so a conversion waits for the next look before it is held against the guest.
 */

#include "detect/detector.h"

#define WAITING 8

enum { SETTING_GRACE = SETTING_OWN };
enum { TO_SHARED, TO_PRIVATE }; /* values: frames outside */

/* Conversions that follow each other: the first of them, and all its frames. */
struct run {
	struct event first;
	uint64_t gfn, npages, n;
};

struct waiting {
	struct run runs[WAITING]; /* the oldest first */
	size_t n;
};

static void found(struct watch *watch, const struct run *run)
{
	uint64_t outside = watch_outside(watch, run->gfn, run->npages);
	struct finding *f;

	if (!outside)
		return;
	f = watch_cases(watch, &detect_outside, &run->first, run->gfn, run->npages, run->n);
	if (!f)
		return;
	f->values[run->first.to == PAGE_SHARED ? TO_SHARED : TO_PRIVATE] += outside;
	if (run->first.to != PAGE_PRIVATE || f->severity > SEVERITY_INFO)
		return;
	/* From here on it is about something else: what firmware shared does not show it. */
	watch_raise(watch, f, SEVERITY_WARNING);
	f->n_ranges = 0;
	f->more_ranges = false;
	f->evidence = 0;
	finding_add_range(f, run->gfn, run->npages, run->n);
	finding_add_evidence(f, &run->first);
}

static void take_out(struct waiting *waiting, size_t i)
{
	waiting->n--;
	for (; i < waiting->n; i++)
		waiting->runs[i] = waiting->runs[i + 1];
}

static void flush(struct watch *watch, struct waiting *waiting, uint64_t before_ns)
{
	while (waiting->n && waiting->runs[0].first.now_ns <= before_ns) {
		found(watch, &waiting->runs[0]);
		take_out(waiting, 0);
	}
}

static bool follows(const struct run *run, const struct event *event)
{
	return run->first.to == event->to && run->gfn + run->npages == event->gpa >> 12;
}

/* One to shared does not wait: should there be memory, little is said. */
static void make_room(struct watch *watch, struct waiting *waiting)
{
	for (size_t i = 0; i < waiting->n; i++)
		if (waiting->runs[i].first.to == PAGE_SHARED) {
			found(watch, &waiting->runs[i]);
			take_out(waiting, i);
			return;
		}
}

static void on_event(struct watch *watch, void *state, const struct event *event)
{
	struct waiting *waiting = state;
	struct run *run;

	/* Where memory is not known yet it will be at the next tick, or never. */
	if (watch->vm->n_memslots && !watch_outside(watch, event->gpa >> 12, event->npages))
		return;
	for (size_t i = 0; i < waiting->n; i++)
		if (follows(&waiting->runs[i], event)) {
			waiting->runs[i].npages += event->npages;
			waiting->runs[i].n++;
			return;
		}
	if (waiting->n == WAITING)
		make_room(watch, waiting);
	if (waiting->n == WAITING) /* within a second: more of them say nothing new */
		return;
	run = &waiting->runs[waiting->n++];
	*run = (struct run){*event, event->gpa >> 12, event->npages, 1};
	run->first.vm = NULL;
}

static void on_tick(struct watch *watch, void *state)
{
	uint64_t grace = setting(watch, FINDING_OUTSIDE, SETTING_GRACE);

	if (watch_is_over(watch))
		flush(watch, state, UINT64_MAX);
	else if (watch->now_ns > grace)
		flush(watch, state, watch->now_ns - grace);
}

static void code_state(struct codec *codec, void *state)
{
	struct waiting *waiting = state;

	CODE_UPTO(codec, waiting->n, WAITING);
	for (size_t i = 0; i < waiting->n; i++) {
		detect_code_event(codec, &waiting->runs[i].first);
		CODE(codec, waiting->runs[i].gfn);
		CODE(codec, waiting->runs[i].npages);
		CODE(codec, waiting->runs[i].n);
	}
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
	.what = "A conversion was accepted that names frames outside of every "
		"memslot. To shared it is information, all of them in one finding; "
		"to private it is a warning.",
	.why = "What has no memory cannot be private. A guest that asks for it is "
	       "confused about its memory, or tries what the VMM does with it; a "
	       "VMM that says yes has not looked.",
	.harmless = "Firmware of TDX guests shares all of the MMIO space below 4 GiB "
		    "and the PCI windows above, in pieces: that is the information. "
		    "Memory that was unplugged while the guest converted it.",
	.todo = "To shared: nothing. To private: see which frames and vCPU "
		"(explain), and compare with the memory map that the guest was "
		"given.",
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
	.code_state = code_state,
	.on_event = on_event,
	.on_tick = on_tick,
	.describe = describe,
};
