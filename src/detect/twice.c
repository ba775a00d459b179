/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory that the host holds twice: as private and as shared. */
#include <sys/param.h> /* MAX */

#include "detect/detector.h"

enum { SETTING_SIZE = SETTING_OWN };
enum { MOST }; /* values: frames */

static void on_event(struct watch *watch, void *state, const struct event *event)
{
	const struct kes_resident *resident = event->resident;
	struct finding *f = watch_open(watch, &detect_twice);

	(void)state;
	if (resident->pages < setting(watch, FINDING_TWICE, SETTING_SIZE) || !resident->total) {
		if (f)
			watch_resolve(watch, &detect_twice);
		return;
	}
	if (resident->index == 0) { /* a new look: its ranges take the place of the last one's */
		f = watch_case(watch, &detect_twice, NULL, 0, 0);
		if (!f)
			return;
		f->lasting = true;
		f->n_ranges = 0;
		f->more_ranges = false;
		f->pages = resident->pages;
		f->values[MOST] = MAX(f->values[MOST], resident->pages);
	}
	if (f)
		finding_add_range(f, resident->gfn, resident->npages, resident->npages);
}

static void describe(const struct finding *f, char *text, size_t size)
{
	say(text, size,
		"%llu pages (%llu MiB) are there twice, in guest_memfd and in the VMM's mapping; "
		"%llu "
		"at the most",
		(unsigned long long)f->pages, (unsigned long long)f->pages / 256,
		(unsigned long long)f->values[MOST]);
}

const struct detector detect_twice = {
	.kind = FINDING_TWICE,
	.name = "twice",
	.title = "memory held twice, as private and as shared",
	.severity = SEVERITY_NOTICE,
	.certainty = CERTAINTY_CERTAIN,
	.what = "For `size` of the VM's memory there is a page in guest_memfd and "
		"another one in the VMM's own mapping of the same frames. Both are "
		"read from the kernel, every 10 seconds.",
	.why = "It costs the host memory that nobody accounts for: a VM may hold "
	       "twice its size. And old content stays where it is not expected: on "
	       "the shared page after it was taken back, or on the private one "
	       "after it was shared.",
	.harmless = "Firmware, kernel and initrd at launch lie in the VMM's mapping and "
		    "are copied from there; a VMM that frees pages some time later.",
	.todo = "The VMM has to free the other page at each conversion "
		"(fallocate(PUNCH_HOLE) or madvise(MADV_DONTNEED)): report it to "
		"its authors.",
	.settings =
		{
			SETTINGS_COMMON(1, MINUTE_NS, MINUTE_NS, "it is read every 10 seconds"),
			[SETTING_SIZE] = {"size", UNIT_PAGES, 32 * MIB_PAGES,
				"what a launch copies stays below", {}, true},
		},
	.events = ON(EVENT_RESIDENT),
	.on_event = on_event,
	.describe = describe,
};
