/* SPDX-License-Identifier: GPL-2.0-only */
/* A guest begins anew, by a reset or by kexec, and pages are shared that it does not know of. */
#include <sys/param.h> /* MIN */

#include "detect/detector.h"

enum { SETTING_GRACE = SETTING_OWN, SETTING_PAGES };
enum { AFTER_RESET, AFTER_KEXEC, DECLARED }; /* values: frames; shared before, nobody knows now */

struct left_over {
	uint64_t reset_ns, kexec_ns; /* since when it waits to be looked at; 0: it does not */
};

struct collect {
	struct finding *f;
	uint64_t skip, nskip; /* frames that the new kernel has shared itself */
	uint64_t pages;
};

static int add_shared(void *context, uint64_t gfn, uint64_t npages, enum page_state state)
{
	struct collect *collect = context;
	uint64_t end = gfn + npages, skip_end = collect->skip + collect->nskip;

	if (state != PAGE_SHARED)
		return 0;
	for (; gfn < end; gfn = MAX(gfn, skip_end)) {
		uint64_t stop = end;

		if (gfn < collect->skip)
			stop = MIN(end, collect->skip);
		else if (gfn < skip_end)
			continue;
		if (collect->f)
			finding_add_range(collect->f, gfn, stop - gfn, stop - gfn);
		collect->pages += stop - gfn;
		if (stop == end)
			break;
		gfn = stop;
	}
	return 0;
}

/* The first conversion of who begins anew is its own; NULL: none came. */
static struct collect collect_but(const struct event *first)
{
	struct collect collect = {};

	if (first) {
		collect.skip = first->gpa >> 12;
		collect.nskip = first->npages;
	}
	return collect;
}

/* ---- reset ---- */

/* Those of the frames that were shared when the VM was reset which KVM still holds as shared. */
static void add_left(const struct vm *vm, struct collect *collect)
{
	for (size_t i = 0; i < vm->left.n; i++) {
		uint64_t gfn = vm->left.ranges[i].gfn, end = gfn + vm->left.ranges[i].npages;

		while (gfn < end) {
			enum page_state state;
			uint64_t run = vm_run(vm, PLANE_HOST, gfn, end, &state);

			add_shared(collect, gfn, run, state);
			gfn += run;
		}
	}
}

static void after_reset(struct watch *watch, const struct event *first)
{
	struct collect collect = collect_but(first);
	const struct vm *vm = watch->vm;
	struct finding *f;
	uint64_t shared;

	if (vm->host.known)
		add_left(vm, &collect);
	shared = vm->host.known ? collect.pages : vm->left.pages;
	if (shared <= setting(watch, FINDING_LEFT_SHARED, SETTING_PAGES))
		return;
	f = watch_case(watch, &detect_left_shared, NULL, 0, 0);
	if (!f)
		return;
	f->pages += shared;
	if (vm->host.known) {
		f->values[AFTER_RESET] += shared;
		collect.f = f;
		add_left(vm, &collect);
		watch_raise(watch, f, SEVERITY_WARNING);
		return;
	}
	f->values[DECLARED] += shared;
	f->certainty = CERTAINTY_POSSIBLE;
	for (size_t i = 0; i < vm->left.n; i++)
		finding_add_range(f, vm->left.ranges[i].gfn, vm->left.ranges[i].npages,
			vm->left.ranges[i].npages);
}

/* ---- kexec ---- */

static void after_kexec(struct watch *watch, const struct event *first)
{
	struct collect collect = collect_but(first);
	struct finding *f;

	vm_ranges(watch->vm, PLANE_GUEST, add_shared, &collect);
	if (collect.pages <= setting(watch, FINDING_LEFT_SHARED, SETTING_PAGES))
		return;
	f = watch_case(watch, &detect_left_shared, first, 0, 0);
	if (!f)
		return;
	f->pages += collect.pages;
	f->values[AFTER_KEXEC] += collect.pages;
	f->certainty = CERTAINTY_LIKELY; /* nobody said that it was kexec */
	watch_raise(watch, f, SEVERITY_WARNING);
	collect.f = f;
	vm_ranges(watch->vm, PLANE_GUEST, add_shared, &collect);
}

static void on_event(struct watch *watch, void *state, const struct event *event)
{
	struct left_over *left = state;

	switch (event->kind) {
	case EVENT_RESET:
		*left = (struct left_over){.reset_ns = event->npages ? watch->now_ns : 0};
		break;
	case EVENT_REPRIVATISED:
		left->kexec_ns = watch->now_ns;
		break;
	default:
		if (left->kexec_ns && event->to == PAGE_SHARED) {
			left->kexec_ns = 0;
			after_kexec(watch, event);
		}
		if (left->reset_ns && event->now_ns > left->reset_ns) {
			left->reset_ns = 0; /* the guest runs: what is shared now, is */
			after_reset(watch, event);
		}
	}
	watch_await(watch, FINDING_LEFT_SHARED, left->reset_ns || left->kexec_ns);
}

static void on_tick(struct watch *watch, void *state)
{
	uint64_t grace = setting(watch, FINDING_LEFT_SHARED, SETTING_GRACE);
	struct left_over *left = state;

	if (left->reset_ns && (watch_is_over(watch) || watch->now_ns - left->reset_ns >= grace)) {
		left->reset_ns = 0;
		after_reset(watch, NULL);
	}
	if (left->kexec_ns && !watch->ended && watch->now_ns - left->kexec_ns >= grace) {
		left->kexec_ns = 0;
		after_kexec(watch, NULL);
	}
	watch_await(watch, FINDING_LEFT_SHARED, left->reset_ns || left->kexec_ns);
}

static void code_state(struct codec *codec, void *state)
{
	struct left_over *left = state;

	CODE(codec, left->reset_ns);
	CODE(codec, left->kexec_ns);
}

static void describe(const struct finding *f, char *text, size_t size)
{
	const char *separator = "";

	if (f->values[AFTER_RESET]) {
		say(text, size, "%llu pages stayed shared with the host over a reset",
			(unsigned long long)f->values[AFTER_RESET]);
		separator = "; ";
	}
	if (f->values[AFTER_KEXEC]) {
		say(text, size, "%s%llu pages stayed shared over a kexec", separator,
			(unsigned long long)f->values[AFTER_KEXEC]);
		separator = "; ";
	}
	if (f->values[DECLARED])
		say(text, size,
			"%s%llu pages were shared when the VM was reset, and what became of them "
			"KVM "
			"does not say",
			separator, (unsigned long long)f->values[DECLARED]);
}

const struct detector detect_left_shared = {
	.kind = FINDING_LEFT_SHARED,
	.name = "left-shared",
	.title = "pages left shared over a reset or kexec",
	.severity = SEVERITY_INFO,
	.certainty = CERTAINTY_CERTAIN,
	.leans_on = {[PLANE_HOST] = true},
	.what = "The VM was reset, and KVM still holds pages as shared that the "
		"guest had shared before: a warning. (A VM without memory "
		"attributes: it is only known that they were shared, which is "
		"information.) Or the guest took back nearly all it shared in one "
		"go, as before kexec, and more than `pages` stayed shared as the "
		"next kernel began.",
	.why = "A guest that begins anew takes all its memory for private. What it "
	       "puts on a page that is left shared is where the host reads it, or "
	       "its access faults.",
	.harmless =
		"After kexec: a guest kernel that does not take back its pages (Linux before 6.13 "
		"on SNP) and whose next kernel knows that. A guest that takes back memory because "
		"it unloads drivers.",
	.todo = "After a reset: the VMM has to set all memory private again; report "
		"it to its authors. After kexec: a bug of the guest's kernel, see "
		"which pages it missed (ranges).",
	.settings =
		{
			SETTINGS_COMMON(1, MINUTE_NS, MINUTE_NS,
				"each guest begins anew only now and "
				"then"),
			[SETTING_GRACE] = {"grace", UNIT_TIME, 2 * SECOND_NS,
				"the VMM and the old kernel need some time", {}, true},
			[SETTING_PAGES] = {"pages", UNIT_COUNT, 0, "none has to stay", {}, true},
		},
	.events = ON(EVENT_RESET) | ON(EVENT_REPRIVATISED) | ON(EVENT_CONVERTED) | ON(EVENT_DENIED),
	.needs = TRAIT_AWAITED,
	.state_size = sizeof(struct left_over),
	.code_state = code_state,
	.on_event = on_event,
	.on_tick = on_tick,
	.describe = describe,
};
