/* SPDX-License-Identifier: GPL-2.0-only */
/* More memory is shared than a guest needs to share, or ever more. */
#include <sys/param.h> /* MIN, MAX */

#include "detect/detector.h"

enum {
	SETTING_PERCENT = SETTING_OWN,
	SETTING_LEAST,
	SETTING_MOST,
	SETTING_SLACK,
	SETTING_INTERVAL,
	SETTING_INTERVALS,
	SETTING_GROWTH,
};
enum { SHARED, BUDGET, GROWN, INTERVALS }; /* values: frames but for the last */

struct budget {
	uint64_t since_ns;
	uint64_t shared;   /* when the interval began */
	uint64_t first;    /* when the growth began */
	uint64_t growing;  /* intervals in a row in which it grew */
	uint64_t released; /* frames made private meanwhile */
	uint64_t resets;   /* of the VM: then it begins anew */
};

/* Shared frames that are memory. Memslots are sorted, but may overlap. */
static uint64_t shared_memory(const struct vm *vm)
{
	uint64_t shared = 0, done = 0;

	for (size_t i = 0; i < vm->n_memslots; i++) {
		uint64_t counts[PAGE_STATES] = {}, from = MAX(done, vm->memslots[i].gfn);
		uint64_t end = vm->memslots[i].gfn + vm->memslots[i].npages;

		if (from >= end)
			continue;
		if (vm->planes[PLANE_GUEST])
			pagemap_count(vm->planes[PLANE_GUEST], from, end - from, counts);
		shared += counts[PAGE_SHARED];
		done = end;
	}
	return shared;
}

static uint64_t budget_of(const struct watch *watch)
{
	uint64_t wanted =
		vm_memory_pages(watch->vm) / 100 * setting(watch, FINDING_BUDGET, SETTING_PERCENT);

	wanted = MAX(wanted, setting(watch, FINDING_BUDGET, SETTING_LEAST));
	wanted = MIN(wanted, setting(watch, FINDING_BUDGET, SETTING_MOST));
	return wanted + wanted * setting(watch, FINDING_BUDGET, SETTING_SLACK) / 100;
}

struct collect {
	struct watch *watch;
	struct finding *f;
};

static int add_shared(void *context, uint64_t gfn, uint64_t npages, enum page_state state)
{
	struct collect *collect = context;

	if (state == PAGE_SHARED && watch_outside(collect->watch, gfn, npages) < npages)
		finding_add_range(collect->f, gfn, npages, npages);
	return 0;
}

static void over_budget(struct watch *watch, uint64_t shared, uint64_t budget)
{
	struct finding *f = watch_open(watch, &detect_budget);
	struct collect collect = {.watch = watch};

	if (!f || !f->values[BUDGET]) {
		f = watch_case(watch, &detect_budget, NULL, 0, 0);
		if (!f)
			return;
		f->n_ranges = 0;
		collect.f = f;
		vm_ranges(watch->vm, PLANE_GUEST, add_shared, &collect);
	}
	f->lasting = true;
	f->values[BUDGET] = budget;
	f->values[SHARED] = f->pages = MAX(f->values[SHARED], shared);
}

static void look_at_budget(struct watch *watch)
{
	uint64_t budget = budget_of(watch), shared = 0;
	struct finding *f = watch_open(watch, &detect_budget);

	if (watch->vm->shared > budget) /* what lies outside of memory counts there, too */
		shared = shared_memory(watch->vm);
	if (shared > budget)
		over_budget(watch, shared, budget);
	else if (f && f->lasting)
		watch_resolve(watch, &detect_budget);
}

/* Frames in which it must have grown, from the first interval on. */
static uint64_t least_growth(const struct watch *watch)
{
	return MAX(
		setting(watch, FINDING_BUDGET, SETTING_GROWTH), vm_memory_pages(watch->vm) / 100);
}

static void end_interval(struct watch *watch, struct budget *state)
{
	uint64_t shared = watch->vm->shared, grown;
	struct finding *f;

	/* Releasing a tenth of what it takes on is no sign of care. */
	if (shared > state->shared && state->released <= (shared - state->shared) / 10) {
		state->growing++;
	} else {
		state->growing = 0;
		state->first = shared;
	}
	state->shared = shared;
	state->released = 0;
	state->since_ns = watch->now_ns;
	grown = shared - MIN(state->first, shared);
	if (state->growing < setting(watch, FINDING_BUDGET, SETTING_INTERVALS) ||
		grown < least_growth(watch))
		return;
	f = watch_case(watch, &detect_budget, NULL, 0, 0);
	if (!f)
		return;
	f->values[SHARED] = f->pages = MAX(f->values[SHARED], shared);
	f->values[GROWN] = grown;
	f->values[INTERVALS] = state->growing;
}

static void on_event(struct watch *watch, void *state, const struct event *event)
{
	struct budget *budget = state;

	(void)watch;
	if (event->to == PAGE_PRIVATE)
		budget->released += event->npages - event->already;
}

static void on_tick(struct watch *watch, void *state)
{
	struct budget *budget = state;

	if (!watch->vm || watch->ended || !watch->vm->planes[PLANE_GUEST] || !watch->vm->n_memslots)
		return;
	look_at_budget(watch);
	if (!budget->since_ns || watch->vm->resets != budget->resets) {
		*budget = (struct budget){.since_ns = watch->now_ns,
			.shared = watch->vm->shared,
			.first = watch->vm->shared,
			.resets = watch->vm->resets};
		return;
	}
	if (watch->now_ns - budget->since_ns >= setting(watch, FINDING_BUDGET, SETTING_INTERVAL))
		end_interval(watch, budget);
}

static void code_state(struct codec *codec, void *state)
{
	struct budget *budget = state;

	CODE(codec, budget->since_ns);
	CODE(codec, budget->shared);
	CODE(codec, budget->first);
	CODE(codec, budget->growing);
	CODE(codec, budget->released);
	CODE(codec, budget->resets);
}

static void describe(const struct finding *f, char *text, size_t size)
{
	say(text, size, "%llu MiB are shared", (unsigned long long)f->values[SHARED] / 256);
	if (f->values[BUDGET])
		say(text, size, ", and a guest of this size needs %llu MiB at the most",
			(unsigned long long)f->values[BUDGET] / 256);
	if (f->values[INTERVALS])
		say(text, size, ", grown by %llu MiB in %llu intervals without giving back",
			(unsigned long long)f->values[GROWN] / 256,
			(unsigned long long)f->values[INTERVALS]);
}

const struct detector detect_budget = {
	.kind = FINDING_BUDGET,
	.name = "budget",
	.title = "more and more memory is shared",
	.severity = SEVERITY_NOTICE,
	.certainty = CERTAINTY_CERTAIN,
	.leans_on = {[PLANE_GUEST] = true},
	.what = "More of the guest's memory is shared than `percent` of it (not "
		"less than `least`, not more than `most`) plus `slack`; or what is "
		"shared grew in `intervals` intervals in a row, by `growth` (or 1% "
		"of memory) in all, and nearly nothing was taken back.",
	.why = "What is shared can be read by the host. A guest that shares more "
	       "than its bounce buffers gives away data; one that never takes back "
	       "leaks pages that stay readable, with whatever is put there next.",
	.harmless = "A guest with swiotlb= on its command line, with swiotlb pools that "
		    "grow (CONFIG_SWIOTLB_DYNAMIC), with devices that share large "
		    "buffers (GPUs), or a test that shares all of it.",
	.todo = "The ranges are the largest ones that are shared: see what the "
		"guest keeps there. Set `percent` or `most` for VMs that need more.",
	.settings =
		{
			SETTINGS_COMMON(
				1, MINUTE_NS, 10 * MINUTE_NS, "it is looked at once a second"),
			[SETTING_PERCENT] = {"percent", UNIT_PERCENT, 6,
				"Linux makes its swiotlb 6% of memory in confidential guests "
				"(arch/x86/mm/mem_encrypt.c, mem_encrypt_setup_arch)",
				{}, true},
			[SETTING_LEAST] = {"least", UNIT_PAGES, 64 * MIB_PAGES, "but not less", {},
				true},
			[SETTING_MOST] = {"most", UNIT_PAGES, GIB_PAGES, "nor more", {}, false},
			[SETTING_SLACK] = {"slack", UNIT_PERCENT, 25,
				"rings, GHCBs, clocks and coherent DMA memory come on top", {},
				true},
			[SETTING_INTERVAL] = {"interval", UNIT_TIME, MINUTE_NS,
				"boot is over after one or two", {}, false},
			[SETTING_INTERVALS] = {"intervals", UNIT_COUNT, 10,
				"caches and rings have their size by then", {}, false},
			[SETTING_GROWTH] = {"growth", UNIT_PAGES, 16 * MIB_PAGES,
				"a leak that is smaller than that can wait", {}, true},
		},
	.events = ON(EVENT_CONVERTED),
	.needs = TRAIT_TO_PRIVATE,
	.state_size = sizeof(struct budget),
	.code_state = code_state,
	.on_event = on_event,
	.on_tick = on_tick,
	.describe = describe,
};
