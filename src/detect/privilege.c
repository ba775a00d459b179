/* SPDX-License-Identifier: GPL-2.0-only */
/* Conversions from user mode. */

#include "detect/detector.h"

static void on_event(struct watch *watch, void *state, const struct event *event)
{
	struct finding *f;

	(void)state;
	if (event->reason != KES_REASON_CPL)
		return;
	f = watch_case(watch, &detect_privilege, event, event->gpa >> 12, event->npages);
	if (f && event->inferred && f->certainty > CERTAINTY_LIKELY)
		f->certainty = CERTAINTY_LIKELY;
}

static void describe(const struct finding *f, char *text, size_t size)
{
	say(text, size, "a program in the guest, not its kernel, tried %llu conversion%s",
		(unsigned long long)f->count, plural(f->count));
}

const struct detector detect_privilege = {
	.kind = FINDING_PRIVILEGE,
	.name = "privilege",
	.title = "conversions from user mode",
	.severity = SEVERITY_WARNING,
	.certainty = CERTAINTY_CERTAIN,
	.what = "KVM refused a conversion because the vCPU was not at CPL 0.",
	.why = "A program in the guest tries to share memory behind its kernel's "
	       "back. KVM does not let it; but somebody is in the guest who tries.",
	.harmless = "Tests of KVM itself.",
	.todo = "Look for the program inside the guest: the time and the vCPU are "
		"in the evidence.",
	.settings = {SETTINGS_COMMON(1, MINUTE_NS, MINUTE_NS, "no program has reason to")},
	.events = ON(EVENT_REFUSED),
	.on_event = on_event,
	.describe = describe,
};
