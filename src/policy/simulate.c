/* SPDX-License-Identifier: GPL-2.0-only */
#include "policy/simulate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "kvm_abi.h"

/* One VM, as it would be. */
struct simulated {
	const struct vm *vm;
	struct effective *effective;        /* NULL: not made yet */
	struct pagemap *map;                /* the guest's word, as far as it was allowed */
	struct kes_policy_state guest, vmm; /* as the kernel half has them */
	uint64_t revision; /* of the VM when that was made: its name may come late */
	struct simulated *next;
};

struct simulation {
	const struct policies *policies;
	verdict_fn fn;
	void *context;
	struct simulated *list;
	struct error error;
};

/* ---- VMs ---- */

static void simulated_free(struct simulated *simulated)
{
	free(simulated->effective);
	pagemap_free(&simulated->map);
	free(simulated);
}

static struct simulated *find(struct simulation *simulation, const struct vm *vm)
{
	struct simulated **at = &simulation->list, *found;

	while (*at && (*at)->vm != vm)
		at = &(*at)->next;
	found = *at;
	if (found) { /* to the front: events come in runs */
		*at = found->next;
		found->next = simulation->list;
		simulation->list = found;
		return found;
	}
	found = calloc(1, sizeof(*found));
	if (!found)
		return NULL;
	if (pagemap_new(&found->map, PAGE_PRIVATE)) {
		free(found);
		return NULL;
	}
	found->vm = vm;
	found->next = simulation->list;
	simulation->list = found;
	return found;
}

static void forget(struct simulation *simulation, const struct vm *vm)
{
	struct simulated *found = find(simulation, vm);

	if (!found)
		return;
	simulation->list = found->next;
	simulated_free(found);
}

/* ---- requests ---- */

static struct kes_ask ask_of(const struct simulated *simulated, const struct event *event)
{
	uint64_t counts[PAGE_STATES] = {}, gfn = event->gpa >> 12;
	bool vmm = event->kind == EVENT_ATTRIBUTES;
	struct kes_ask ask = {
		.gfn = gfn,
		.npages = event->npages,
		.now_ns = event->now_ns,
		.what = event->to == PAGE_SHARED ? KES_ASK_SHARED : KES_ASK_PRIVATE,
		.asker = vmm ? KES_BY_VMM : KES_BY_GUEST,
		.nr = vmm ? 0 : KES_HC_MAP_GPA_RANGE,
	};

	if (event->to != PAGE_SHARED || vmm)
		return ask;
	pagemap_count(simulated->map, gfn, event->npages, counts);
	ask.more = counts[PAGE_PRIVATE];
	return ask;
}

/* What was allowed, and done. */
static int apply(struct simulated *simulated, const struct event *event, const struct kes_ask *ask)
{
	uint64_t gfn = ask->gfn, npages = ask->npages, counts[PAGE_STATES] = {};
	int r;

	if (gfn >= PAGEMAP_FRAMES || !npages)
		return 0;
	if (npages > PAGEMAP_FRAMES - gfn)
		npages = PAGEMAP_FRAMES - gfn;
	pagemap_count(simulated->map, gfn, npages, counts);
	r = pagemap_set(simulated->map, gfn, npages, event->to);
	if (r)
		return r;
	simulated->guest.shared += event->to == PAGE_SHARED ? npages : 0;
	simulated->guest.shared -= counts[PAGE_SHARED];
	return 0;
}

static void empty_buckets(struct kes_policy_state *state)
{
	memset(state->conversions, 0, sizeof(state->conversions));
	memset(state->pages, 0, sizeof(state->pages));
}

/* What holds for the VM, by what is known of it now. */
static int prepare(struct simulation *simulation, struct simulated *simulated)
{
	const struct vm *vm = simulated->vm;
	int r;

	simulated->guest.memory = vm_memory_pages(vm);
	if (simulated->effective && simulated->revision == vm->revision)
		return 0;
	free(TAKE_PTR(simulated->effective));
	r = policy_compile(&simulated->effective, simulation->policies, vm, &simulation->error);
	simulated->revision = vm->revision;
	empty_buckets(&simulated->guest);
	empty_buckets(&simulated->vmm);
	return r;
}

static int ask(struct simulation *simulation, const struct event *event)
{
	struct simulated *simulated = find(simulation, event->vm);
	struct verdict verdict = {.event = event};
	int r;

	if (!simulated)
		return -ENOMEM;
	r = prepare(simulation, simulated);
	if (r)
		return r;
	verdict.ask = ask_of(simulated, event);
	verdict.shared = simulated->guest.shared;
	verdict.kes = kes_evaluate(&simulated->effective->set,
		verdict.ask.asker == KES_BY_VMM ? &simulated->vmm : &simulated->guest,
		&verdict.ask);
	if (verdict.kes.rule != KES_NO_RULE)
		verdict.decided = &simulated->effective->sources[verdict.kes.rule];
	if (verdict.kes.monitored != KES_NO_RULE)
		verdict.monitored = &simulated->effective->sources[verdict.kes.monitored];
	if (verdict.kes.action < KES_DENY && event->kind == EVENT_CONVERTED)
		r = apply(simulated, event, &verdict.ask);
	return r ? r : simulation->fn(simulation->context, &verdict);
}

static int reset(struct simulation *simulation, const struct vm *vm)
{
	struct simulated *simulated = find(simulation, vm);

	if (!simulated)
		return -ENOMEM;
	pagemap_fill(simulated->map, PAGE_PRIVATE);
	simulated->guest.shared = 0;
	return 0;
}

int simulation_event(void *context, const struct event *event)
{
	struct simulation *simulation = context;

	switch (event->kind) {
	case EVENT_CONVERTED:
	case EVENT_DENIED:
	case EVENT_NO_ANSWER:
	case EVENT_UNANSWERED:
		return ask(simulation, event);
	case EVENT_ATTRIBUTES: /* what a guest asked for was judged when it asked */
		return event->ret || event->prompt != PROMPT_NONE || event->unsure
			       ? 0
			       : ask(simulation, event);
	case EVENT_RESET:
		return reset(simulation, event->vm);
	case EVENT_FORGOTTEN:
		forget(simulation, event->vm);
		return 0;
	default:
		return 0;
	}
}

/* ---- one request ---- */

struct verdict policy_ask(const struct effective *effective, const struct vm *vm,
	struct frames range, enum page_state to, uint64_t now_ns)
{
	struct kes_policy_state state = {.shared = vm->shared, .memory = vm_memory_pages(vm)};
	uint64_t counts[PAGE_STATES] = {};
	struct verdict verdict = {
		.ask =
			{
				.gfn = range.gfn,
				.npages = range.npages,
				.now_ns = now_ns,
				.nr = KES_HC_MAP_GPA_RANGE,
				.what = to == PAGE_SHARED ? KES_ASK_SHARED : KES_ASK_PRIVATE,
				.asker = KES_BY_GUEST,
			},
		.shared = vm->shared,
	};

	if (vm->planes[PLANE_GUEST])
		pagemap_count(vm->planes[PLANE_GUEST], range.gfn, range.npages, counts);
	if (to == PAGE_SHARED)
		verdict.ask.more = range.npages - counts[PAGE_SHARED];
	verdict.kes = kes_evaluate(&effective->set, &state, &verdict.ask);
	if (verdict.kes.rule != KES_NO_RULE)
		verdict.decided = &effective->sources[verdict.kes.rule];
	if (verdict.kes.monitored != KES_NO_RULE)
		verdict.monitored = &effective->sources[verdict.kes.monitored];
	return verdict;
}

/* ---- life cycle ---- */

int simulation_new(
	struct simulation **ret, const struct policies *policies, verdict_fn fn, void *context)
{
	struct simulation *simulation = calloc(1, sizeof(*simulation));

	if (!simulation)
		return -ENOMEM;
	simulation->policies = policies;
	simulation->fn = fn;
	simulation->context = context;
	*ret = simulation;
	return 0;
}

void simulation_free(struct simulation **pointer)
{
	struct simulation *simulation = *pointer;

	if (!simulation)
		return;
	while (simulation->list) {
		struct simulated *next = simulation->list->next;

		simulated_free(simulation->list);
		simulation->list = next;
	}
	free(simulation);
	*pointer = NULL;
}

const struct error *simulation_error(const struct simulation *simulation)
{
	return &simulation->error;
}
