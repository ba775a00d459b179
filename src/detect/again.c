/* SPDX-License-Identifier: GPL-2.0-only */
/* The VMM says "again" and the guest obeys, and it comes to nothing. */
#include <errno.h>
#include <sys/param.h> /* MAX */

#include "detect/detector.h"

#define VCPUS 64 /* more share a place: then a row may be missed, never made up */

enum { SETTING_TIMES = SETTING_OWN };
enum { MOST }; /* values: answers in a row */

struct again {
	struct row {
		uint64_t gpa, npages, n;
		uint16_t vcpu;
		uint8_t to;
	} rows[VCPUS];
	unsigned int begun; /* rows that are not empty */
};

static bool same(const struct row *row, const struct event *event)
{
	return row->n && row->vcpu == event->vcpu && row->gpa == event->gpa &&
	       row->npages == event->npages && row->to == event->to;
}

/* No row is long enough any more. */
static bool all_quiet(const struct watch *watch, const struct again *again)
{
	for (size_t i = 0; i < VCPUS; i++)
		if (again->rows[i].n >= setting(watch, FINDING_AGAIN, SETTING_TIMES))
			return false;
	return true;
}

static void on_event(struct watch *watch, void *state, const struct event *event)
{
	uint64_t times = setting(watch, FINDING_AGAIN, SETTING_TIMES);
	struct again *again = state;
	struct row *row = &again->rows[event->vcpu % VCPUS];
	bool asked_again = event->kind == EVENT_DENIED && event->ret == EAGAIN;
	struct finding *f;

	if (!asked_again || !same(row, event)) { /* progress, or something else */
		bool was = row->n >= times;

		again->begun += asked_again - (row->n > 0);
		watch_await(watch, FINDING_AGAIN, again->begun);
		*row = (struct row){
			event->gpa, event->npages, asked_again, event->vcpu, (uint8_t)event->to};
		if (was && all_quiet(watch, again))
			watch_resolve(watch, &detect_again);
		return;
	}
	if (++row->n < times)
		return;
	f = watch_cases(watch, &detect_again, event, event->gpa >> 12, event->npages,
		row->n == times ? times : 1);
	if (f)
		f->values[MOST] = MAX(f->values[MOST], row->n);
}

static void code_state(struct codec *codec, void *state)
{
	struct again *again = state;

	for (size_t i = 0; i < VCPUS; i++) {
		struct row *row = &again->rows[i];

		CODE(codec, row->n);
		if (!row->n)
			continue;
		CODE(codec, row->gpa);
		CODE(codec, row->npages);
		CODE(codec, row->vcpu);
		CODE(codec, row->to);
	}
	CODE(codec, again->begun);
}

static void describe(const struct finding *f, char *text, size_t size)
{
	say(text, size,
		"the VMM answered %llu times \"try again\" (EAGAIN), %llu times in a row to the "
		"same "
		"request",
		(unsigned long long)f->count, (unsigned long long)f->values[MOST]);
}

const struct detector detect_again = {
	.kind = FINDING_AGAIN,
	.name = "again",
	.title = "\"try again\" without progress",
	.severity = SEVERITY_WARNING,
	.certainty = CERTAINTY_CERTAIN,
	.what = "A vCPU made the same request `times` times in a row and was "
		"answered EAGAIN each time. A request that moves on (a later "
		"address, fewer pages) is progress.",
	.why = "The guest's CPU is caught in a loop that the VMM keeps alive; the "
	       "guest may give up in the end and panic.",
	.harmless = "A VMM that is about to migrate, or waits for memory, for a moment.",
	.todo = "Look into the VMM's log: what does it wait for?",
	.settings =
		{
			SETTINGS_COMMON(
				1, MINUTE_NS, 10 * SECOND_NS, "`times` already tells a loop"),
			[SETTING_TIMES] = {"times", UNIT_COUNT, 16,
				"a VMM may well say it a few times while it is busy", {}, false},
		},
	.events = ON(EVENT_CONVERTED) | ON(EVENT_DENIED),
	.needs = TRAIT_AWAITED,
	.state_size = sizeof(struct again),
	.code_state = code_state,
	.on_event = on_event,
	.describe = describe,
};
