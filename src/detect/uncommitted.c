/* SPDX-License-Identifier: GPL-2.0-only */
/* The VMM says that a conversion is done, and KVM's attributes say that it is not. */

#include "detect/unsolicited.h"

enum { MISSING, OTHER_RANGE, OPPOSITE }; /* values: frames not done; cases of each */

static void on_event(struct watch *watch, void *state, const struct event *event)
{
	uint64_t gfn = event->gpa >> 12;
	struct event instead;
	struct finding *f;

	(void)state;
	if (event->commit != COMMIT_NOT && event->commit != COMMIT_PARTLY)
		return;
	f = watch_case(watch, &detect_uncommitted, event, gfn, event->npages);
	if (!f)
		return;
	f->lasting = true;
	f->values[MISSING] +=
		event->npages - watch_outside(watch, gfn, event->npages) - event->committed;
	if (!unsolicited_claim(watch, event->ts_ns, &instead))
		return;
	finding_add_evidence(f, &instead);
	f->values[ranges_overlap(gfn, event->npages, instead.gpa >> 12, instead.npages)
			  ? OPPOSITE
			  : OTHER_RANGE]++;
}

/* Whether the planes differ anywhere in the range; beyond a bound of steps it is taken for so. */
static bool differs(const struct vm *vm, uint64_t gfn, uint64_t end)
{
	for (int step = 0; gfn < end; step++) {
		enum page_state guest, host;
		uint64_t run = vm_run(vm, PLANE_GUEST, gfn, end, &guest);
		uint64_t other = vm_run(vm, PLANE_HOST, gfn, end, &host);

		if (step == 64 || !run || !other)
			return true;
		if (guest != host && guest != PAGE_UNKNOWN && host != PAGE_UNKNOWN)
			return true;
		gfn += run < other ? run : other;
	}
	return false;
}

/* It lasts for as long as the planes differ there. */
static void on_tick(struct watch *watch, void *state)
{
	const struct finding *f = watch_open(watch, &detect_uncommitted);

	(void)state;
	if (!f)
		return;
	/* Not all its ranges are known: then for as long as the planes differ anywhere. */
	if (f->more_ranges && (watch->vm->disputes.n || watch->vm->disputes.cut))
		return;
	for (size_t i = 0; i < f->n_ranges; i++)
		if (differs(watch->vm, f->ranges[i].gfn, f->ranges[i].gfn + f->ranges[i].npages))
			return;
	watch_resolve(watch, &detect_uncommitted);
}

static void describe(const struct finding *f, char *text, size_t size)
{
	say(text, size,
		"%llu conversion%s answered with success and not done by the VMM, %llu page%s not "
		"as "
		"the guest believes",
		(unsigned long long)f->count, plural(f->count),
		(unsigned long long)f->values[MISSING], plural(f->values[MISSING]));
	if (f->values[OTHER_RANGE])
		say(text, size, "; other pages set instead: %llu",
			(unsigned long long)f->values[OTHER_RANGE]);
	if (f->values[OPPOSITE])
		say(text, size, "; set to the opposite: %llu",
			(unsigned long long)f->values[OPPOSITE]);
}

const struct detector detect_uncommitted = {
	.kind = FINDING_UNCOMMITTED,
	.name = "uncommitted",
	.title = "conversion answered with success, but not done",
	.severity = SEVERITY_WARNING,
	.certainty = CERTAINTY_CERTAIN,
	.leans_on = {[PLANE_HOST] = true},
	.what = "The VMM answered a conversion with 0, and at that moment KVM's "
		"memory attributes of these pages did not say, or not of all of "
		"them, what the guest had asked for.",
	.why = "The guest goes on in the belief that its pages are private (or "
	       "shared). What it then writes may be where the host reads it, or "
	       "its next access faults.",
	.harmless =
		"A VMM that sets the attributes after it has answered, or in another thread: "
		"the finding resolves itself as soon as both planes agree. A VMM that keeps the "
		"state of pages itself and uses no attributes has no host plane, and is never "
		"found here.",
	.todo = "Compare the planes (map VM --plane diff). Report it to the authors "
		"of the VMM with the capture. A VMM that does so on purpose cannot "
		"be trusted with the VM.",
	.settings = {SETTINGS_COMMON(1, MINUTE_NS, MINUTE_NS, "one is one too many")},
	.events = ON(EVENT_CONVERTED),
	.needs = TRAIT_UNCOMMITTED,
	.on_event = on_event,
	.on_tick = on_tick,
	.describe = describe,
};
