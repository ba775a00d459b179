/* SPDX-License-Identifier: GPL-2.0-only */
/* One request that keeps a host CPU and KVM's lock for long. */
#include <sys/param.h> /* MAX */

#include "detect/detector.h"

enum { SETTING_SIZE = SETTING_OWN, SETTING_STALL };
enum { LARGEST, TOOK }; /* values: frames; ns */

static void on_event(struct watch *watch, void *state, const struct event *event)
{
	uint64_t size = setting(watch, FINDING_GIANT, SETTING_SIZE);
	uint64_t stall = setting(watch, FINDING_GIANT, SETTING_STALL);
	bool took_long =
		event->kind == EVENT_ATTRIBUTES && event->has_latency && event->latency_ns >= stall;
	struct finding *f;

	(void)state;
	if (event->npages <= size && !took_long)
		return;
	if (!watch->vm->host.capable) /* without attributes a range costs KVM nothing by its size */
		return;
	if (event->kind == EVENT_ATTRIBUTES && (!took_long || !watch->guest_ns))
		return; /* the launch sets all memory, and nobody waits for it */
	f = watch_case(watch, &detect_giant, event, event->gpa >> 12, event->npages);
	if (!f)
		return;
	f->values[LARGEST] = MAX(f->values[LARGEST], event->npages);
	if (took_long) {
		f->values[TOOK] = MAX(f->values[TOOK], event->latency_ns);
		watch_raise(watch, f, SEVERITY_WARNING);
	}
}

static void describe(const struct finding *f, char *text, size_t size)
{
	say(text, size, "requests of up to %llu MiB at once",
		(unsigned long long)f->values[LARGEST] / 256);
	if (f->values[TOOK])
		say(text, size, ", which kept KVM busy for %.1f ms", (double)f->values[TOOK] / 1e6);
}

const struct detector detect_giant = {
	.kind = FINDING_GIANT,
	.name = "giant",
	.title = "one giant conversion",
	.severity = SEVERITY_NOTICE,
	.certainty = CERTAINTY_CERTAIN,
	.what = "A conversion of more than `size` in a VM whose state KVM keeps "
		"page by page (memory attributes). If KVM's call for it, or for any "
		"other size, took `stall` it is a warning. The VMM's own calls at "
		"launch do not count.",
	.why = "KVM sets each 4 KiB page for itself, some 60 ns each, and holds "
	       "the VM's lock all the time: a tebibyte takes 15 s or more. Before "
	       "Linux 6.16 (6.15.7, 6.12.39) it does not yield the CPU meanwhile, "
	       "and the host reports soft lockups.",
	.harmless = "A guest that declares all its memory at once, at boot or before "
		    "kexec.",
	.todo = "Update the host's kernel, or limit the size of one request by "
		"policy. A correct guest can be told to ask for less at a time.",
	.settings =
		{
			SETTINGS_COMMON(1, MINUTE_NS, MINUTE_NS, "one may stall the host"),
			[SETTING_SIZE] = {"size", UNIT_PAGES, GIB_PAGES,
				"the largest range that Linux has reason to convert at once, its "
				"swiotlb, "
				"is 1 GiB",
				{}, false},
			[SETTING_STALL] = {"stall", UNIT_TIME, 500 * MILLISECOND_NS,
				"half a second is felt on that CPU by whatever else should run", {},
				false},
		},
	.events = ON(EVENT_CONVERTED) | ON(EVENT_DENIED) | ON(EVENT_ATTRIBUTES),
	.needs = TRAIT_SEVERAL,
	.on_event = on_event,
	.describe = describe,
};
