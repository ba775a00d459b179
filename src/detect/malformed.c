/* SPDX-License-Identifier: GPL-2.0-only */
/* Conversions that no correct guest makes: somebody tries what happens. */

#include "detect/detect_private.h"
#include "kvm_abi.h"

/* values: cases of each */
enum { UNALIGNED, EMPTY, WRAPS, ATTRIBUTES };

#define LARGEST_PAGE 2 /* KVM_MAP_GPA_RANGE_PAGE_SZ_1G, include/uapi/linux/kvm_para.h */

static bool is_known(uint64_t attrs)
{
	return !(attrs & ~KES_MAP_GPA_KNOWN) &&
	       (attrs & KES_MAP_GPA_PAGE_SIZE_MASK) <= LARGEST_PAGE;
}

static bool is_beyond(const struct event *event)
{
	return (event->gpa >> 12) + event->npages > PAGEMAP_FRAMES;
}

/* Which of the values it is; -1: it is well-formed. */
static int classify(const struct event *event)
{
	if (event->kind == EVENT_ABI_DOUBT)
		return ATTRIBUTES;
	if (event->kind == EVENT_REFUSED && event->reason == KES_REASON_UNALIGNED)
		return UNALIGNED;
	if (event->kind == EVENT_REFUSED && event->reason == KES_REASON_EMPTY)
		return EMPTY;
	if (event->kind == EVENT_REFUSED && event->reason == KES_REASON_WRAP)
		return WRAPS;
	if (event->kind != EVENT_REFUSED && is_beyond(event))
		return WRAPS; /* KVM looks at 64 bits only */
	return is_known(event->attrs) ? -1 : ATTRIBUTES;
}

bool malformed_is_odd(const struct event *event)
{
	return is_beyond(event) || !is_known(event->attrs);
}

static void on_event(struct watch *watch, void *state, const struct event *event)
{
	int what = classify(event);
	struct finding *f;

	(void)state;
	if (what < 0)
		return;
	f = watch_case(watch, &detect_malformed, event, 0, 0);
	if (f)
		f->values[what]++;
}

static void describe(const struct finding *f, char *text, size_t size)
{
	say(text, size,
		"%llu malformed conversion%s: %llu at unaligned addresses, %llu of no pages, %llu "
		"beyond all addresses, %llu with attributes that mean nothing or are of another "
		"ABI",
		(unsigned long long)f->count, plural(f->count),
		(unsigned long long)f->values[UNALIGNED], (unsigned long long)f->values[EMPTY],
		(unsigned long long)f->values[WRAPS], (unsigned long long)f->values[ATTRIBUTES]);
}

const struct detector detect_malformed = {
	.kind = FINDING_MALFORMED,
	.name = "malformed",
	.title = "malformed conversions, as probing makes them",
	.severity = SEVERITY_NOTICE,
	.certainty = CERTAINTY_CERTAIN,
	.what = "At least `count` conversions within `window` were unaligned, "
		"empty, wrapped around or lay beyond all guest-physical addresses, "
		"or had attributes that no ABI defines or that look like another "
		"ABI's (see --abi).",
	.why = "No correct guest makes such requests. They are what a fuzzer "
	       "makes, or one who looks for a VMM that does not check.",
	.harmless =
		"A guest kernel made for the ABI that was proposed in 2021; tests of KVM itself "
		"(kvm-unit-tests, selftests).",
	.todo = "If the guest is not under test: treat it as hostile. What KVM "
		"refused did no harm; see what the VMM answered to the others "
		"(explain).",
	.settings = {SETTINGS_COMMON(
		3, MINUTE_NS, MINUTE_NS, "one or two may be a bug, three look like trying")},
	.events = ON(EVENT_CONVERTED) | ON(EVENT_DENIED) | ON(EVENT_REFUSED) | ON(EVENT_ABI_DOUBT),
	.needs = TRAIT_ODD,
	.on_event = on_event,
	.describe = describe,
};
