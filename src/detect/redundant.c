/* SPDX-License-Identifier: GPL-2.0-only */
/* Conversions that change nothing. */

#include "detect/detector.h"

enum { SETTING_PRIVATE = SETTING_OWN };
enum { TO_SHARED, TO_PRIVATE }; /* values: conversions */

static void on_event(struct watch *watch, void *state, const struct event *event)
{
	struct finding *f;

	(void)state;
	if (event->already != event->npages || !event->npages)
		return;
	if (event->to == PAGE_PRIVATE && !setting(watch, FINDING_REDUNDANT, SETTING_PRIVATE))
		return;
	f = watch_case(watch, &detect_redundant, event, event->gpa >> 12, event->npages);
	if (f)
		f->values[event->to == PAGE_SHARED ? TO_SHARED : TO_PRIVATE]++;
}

static void describe(const struct finding *f, char *text, size_t size)
{
	say(text, size,
		"%llu conversions to shared and %llu to private of pages that were all so already",
		(unsigned long long)f->values[TO_SHARED],
		(unsigned long long)f->values[TO_PRIVATE]);
}

const struct detector detect_redundant = {
	.kind = FINDING_REDUNDANT,
	.name = "redundant",
	.title = "conversions that change nothing",
	.severity = SEVERITY_NOTICE,
	.certainty = CERTAINTY_CERTAIN,
	.leans_on = {[PLANE_GUEST] = true},
	.what = "At least `count` conversions within `window` named only pages that "
		"were in that state already.",
	.why = "Each costs as much as one that does something. The guest has lost "
	       "track of its own pages; or it was denied before, and does not "
	       "know; or it keeps the VMM busy.",
	.harmless =
		"A kernel that takes over from firmware or from another kernel and declares all "
		"pages anew. SNP guests declare memory private as they accept it: their requests "
		"for private do not count.",
	.todo = "See which pages and vCPU (explain). In the guest it is a bug that "
		"costs time only; if it does not end, treat it like a storm.",
	.settings =
		{
			SETTINGS_COMMON(256, MINUTE_NS, MINUTE_NS,
				"a kernel that takes over declares some dozens of ranges anew"),
			[SETTING_PRIVATE] = {"private", UNIT_SWITCH, 1,
				"whether requests for private count, too",
				{{KES_VM_SNP, 0,
					"accepting memory is such a request, of pages that begin "
					"as "
					"private"}},
				false},
		},
	.events = ON(EVENT_CONVERTED),
	.needs = TRAIT_REDUNDANT,
	.on_event = on_event,
	.describe = describe,
};
