/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest faults on a page again and again, and nobody helps. */
#include <sys/param.h> /* MAX */

#include "detect/detector.h"

#define LOOPS 16

enum { SETTING_TIMES = SETTING_OWN };
enum { MOST }; /* values: faults of one page in a row */

struct loops {
	struct loop {
		uint64_t gfn, npages, n, last_ns;
	} list[LOOPS];
};

static struct loop *find(struct loops *loops, uint64_t gfn, uint64_t npages)
{
	struct loop *oldest = loops->list;

	for (size_t i = 0; i < LOOPS; i++) {
		struct loop *loop = &loops->list[i];

		if (loop->n && loop->gfn == gfn && loop->npages == npages)
			return loop;
		if (loop->last_ns < oldest->last_ns)
			oldest = loop;
	}
	*oldest = (struct loop){.gfn = gfn, .npages = npages};
	return oldest;
}

static void on_fault(struct watch *watch, struct loops *loops, const struct event *event)
{
	uint64_t times = setting(watch, FINDING_FAULT_LOOP, SETTING_TIMES);
	struct loop *loop = find(loops, event->gpa >> 12, event->npages);
	struct finding *f;

	/* A vCPU that is caught comes back at once. */
	if (watch->now_ns - loop->last_ns > setting(watch, FINDING_FAULT_LOOP, SETTING_QUIET))
		loop->n = 0;
	loop->n++;
	loop->last_ns = watch->now_ns;
	if (loop->n < times)
		return;
	f = watch_cases(watch, &detect_fault_loop, event, loop->gfn, loop->npages,
		loop->n == times ? times : 1);
	if (f)
		f->values[MOST] = MAX(f->values[MOST], loop->n);
}

/* Somebody did something about these pages. */
static void on_change(struct watch *watch, struct loops *loops, const struct event *event)
{
	bool helped = false, others = false;

	for (size_t i = 0; i < LOOPS; i++) {
		struct loop *loop = &loops->list[i];
		bool looping = loop->n >= setting(watch, FINDING_FAULT_LOOP, SETTING_TIMES);

		if (!loop->n ||
			!ranges_overlap(event->gpa >> 12, event->npages, loop->gfn, loop->npages)) {
			others |= looping;
			continue;
		}
		helped |= looping;
		*loop = (struct loop){};
	}
	if (helped && !others)
		watch_resolve(watch, &detect_fault_loop);
}

static void on_event(struct watch *watch, void *state, const struct event *event)
{
	if (event->kind == EVENT_FAULT)
		on_fault(watch, state, event);
	else if (!event->ret)
		on_change(watch, state, event);
}

static void code_state(struct codec *codec, void *state)
{
	struct loops *loops = state;

	for (size_t i = 0; i < LOOPS; i++) {
		CODE(codec, loops->list[i].gfn);
		CODE(codec, loops->list[i].npages);
		CODE(codec, loops->list[i].n);
		CODE(codec, loops->list[i].last_ns);
	}
}

static void describe(const struct finding *f, char *text, size_t size)
{
	say(text, size,
		"%llu memory faults on pages whose state nobody changed meanwhile, %llu of them on "
		"one "
		"page",
		(unsigned long long)f->count, (unsigned long long)f->values[MOST]);
}

const struct detector detect_fault_loop = {
	.kind = FINDING_FAULT_LOOP,
	.name = "fault-loop",
	.title = "memory faults that nobody resolves",
	.severity = SEVERITY_WARNING,
	.certainty = CERTAINTY_CERTAIN,
	.what = "KVM told the VMM `times` times in a row that the guest touched the "
		"same page as what it is not, and the page's attributes were not "
		"changed in between.",
	.why = "The vCPU is caught: it burns a host CPU and gets nowhere. The VMM "
	       "does not handle the exit, or cannot make the page what it must be.",
	.harmless =
		"A VMM that resolves the fault by other means, such as populating guest_memfd, and "
		"needs several tries for it.",
	.todo = "Look into the VMM's log for that guest-physical address: is there "
		"memory behind it, is guest_memfd full (hugetlb, memory limits)? If "
		"the VM does not recover, it has to be restarted.",
	.settings =
		{
			SETTINGS_COMMON(
				1, MINUTE_NS, 10 * SECOND_NS, "`times` already tells a loop"),
			[SETTING_TIMES] = {"times", UNIT_COUNT, 8,
				"several vCPUs may fault on one page before the first is helped",
				{}, false},
		},
	.events = ON(EVENT_FAULT) | ON(EVENT_ATTRIBUTES),
	.state_size = sizeof(struct loops),
	.code_state = code_state,
	.on_event = on_event,
	.describe = describe,
};
