/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages that nobody has reason to share. */
#include <fnmatch.h>
#include <string.h>
#include <sys/param.h> /* MIN, MAX */

#include "detect/detector.h"

bool sacred_concerns(const struct sacred *sacred, const struct vm *vm)
{
	char name[VM_NAME_SIZE + 4];

	if (!sacred->vm)
		return true;
	vm_name(vm, name, sizeof(name));
	return !fnmatch(sacred->vm, name, 0);
}

/* Firmware of SEV guests that has SMM shares it for a moment, so that the vCPU's first save state
 * is seen: 0x30000 + 0xfc00, OVMF's MemEncryptSevLocateInitialSmramSaveStateMapPages(). */
static bool is_save_state(const struct watch *watch, const struct event *event)
{
	return (watch->vm->type == KES_VM_SEV || watch->vm->type == KES_VM_SEV_ES) &&
	       event->kind == EVENT_CONVERTED && event->gpa == 0x3f000 && event->npages == 1;
}

static void look(struct watch *watch, const struct event *event, const struct sacred *sacred)
{
	uint64_t gfn = event->gpa >> 12;
	uint64_t from = MAX(gfn, sacred->gfn);
	uint64_t end = MIN(gfn + event->npages, sacred->gfn + sacred->npages);

	/* Where there is no memory there is nothing to read. */
	if (watch_outside(watch, from, end - from) == end - from ||
		!sacred_concerns(sacred, watch->vm))
		return;
	watch_case(watch, &detect_sacred, event, from, end - from);
}

static void on_event(struct watch *watch, void *state, const struct event *event)
{
	const struct sacred *sacred;
	size_t n;

	(void)state;
	if (event->to != PAGE_SHARED || event->ret || event->already == event->npages)
		return;
	if (event->kind == EVENT_ATTRIBUTES && (event->prompt == PROMPT_REQUEST || event->unsure))
		return; /* it counts when it is answered */
	if (event->kind == EVENT_ATTRIBUTES && !watch->guest_ns && event->npages > GIB_PAGES)
		return; /* not a page: the VMM clears all */
	if (is_save_state(watch, event))
		return;
	sacred = watch_sacred(watch, &n);
	for (size_t i = 0; i < n; i++)
		if (ranges_overlap(
			    event->gpa >> 12, event->npages, sacred[i].gfn, sacred[i].npages))
			look(watch, event, &sacred[i]);
}

static void describe(const struct finding *f, char *text, size_t size)
{
	say(text, size, "%llu page%s shared that must stay private, in %llu conversion%s",
		(unsigned long long)f->pages, plural(f->pages), (unsigned long long)f->count,
		plural(f->count));
}

const struct detector detect_sacred = {
	.kind = FINDING_SACRED,
	.name = "sacred",
	.title = "pages shared that must stay private",
	.severity = SEVERITY_CRITICAL,
	.certainty = CERTAINTY_CERTAIN,
	.what = "Pages were shared, by the guest or by its VMM unasked, that lie in "
		"the first 640 KiB, between 768 KiB and 1 MiB, in the 16 MiB below "
		"4 GiB, or in a range that the configuration names (`sacred`). "
		"Frames without memory do not count, and the VGA window is none of "
		"it.",
	.why = "There lie the firmware, the tables it hands on and the code that "
	       "starts vCPUs: who can write there from outside owns the guest. A "
	       "range of yours holds what you know.",
	.harmless = "None is known. Firmware of SEV guests with SMM shares the page of "
		    "the first save-state map, at 0x3f000, for a moment: that does not "
		    "count.",
	.todo = "See who did it (explain). If it was the guest itself, ask why its "
		"kernel lies there; if it was the VMM, stop the VM.",
	.settings = {SETTINGS_COMMON(1, MINUTE_NS, MINUTE_NS, "one page is one too many")},
	.events = ON(EVENT_CONVERTED) | ON(EVENT_ATTRIBUTES),
	.needs = TRAIT_TO_SHARED,
	.on_event = on_event,
	.describe = describe,
};
