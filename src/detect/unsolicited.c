/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VMM changes the state of pages, and no guest asked for it. What looks so at first may be part
 * of a reset (whose first sign comes after the VMM's own work), or what the VMM did instead of what
 * it was asked for: so changes wait until that is clear.
 */
#include "detect/unsolicited.h"

#include <string.h>
#include <sys/param.h> /* MIN */

#define WAITING 16

enum { SETTING_LAUNCH = SETTING_OWN, SETTING_HOTPLUG, SETTING_GRACE };
enum { TO_SHARED, TO_PRIVATE }; /* values: frames */

struct waiting {
	struct event changes[WAITING]; /* the oldest first */
	bool early[WAITING];           /* the guest had not done anything yet */
	size_t n;
	/* More that came while so many waited: calls, frames as values, since when. */
	uint64_t missed, missed_pages[2], missed_ns;
};

static int direction(const struct event *change)
{
	return change->to == PAGE_SHARED ? TO_SHARED : TO_PRIVATE;
}

/* certainty: that nothing else explains it. */
static void found(struct watch *watch, const struct event *change, enum certainty certainty)
{
	struct finding *f =
		watch_case(watch, &detect_unsolicited, change, change->gpa >> 12, change->npages);

	if (!f)
		return;
	f->certainty = MIN(f->certainty, certainty);
	f->pages -= change->already;
	f->values[direction(change)] += change->npages - change->already;
	if (change->to == PAGE_SHARED)
		watch_raise(watch, f, SEVERITY_CRITICAL);
}

static void forget_missed(struct waiting *waiting)
{
	waiting->missed = 0;
	memset(waiting->missed_pages, 0, sizeof(waiting->missed_pages));
}

static void found_missed(struct watch *watch, struct waiting *waiting, enum certainty certainty)
{
	struct finding *f = watch_cases(watch, &detect_unsolicited, NULL, 0, 0, waiting->missed);

	if (!f)
		return;
	f->certainty = MIN(f->certainty, certainty);
	for (int i = 0; i < 2; i++) {
		f->pages += waiting->missed_pages[i];
		f->values[i] += waiting->missed_pages[i];
	}
	f->more_ranges = true;
	if (waiting->missed_pages[TO_SHARED])
		watch_raise(watch, f, SEVERITY_CRITICAL);
	forget_missed(waiting);
}

static void take_out(struct waiting *waiting, size_t i)
{
	waiting->n--;
	for (; i < waiting->n; i++) {
		waiting->changes[i] = waiting->changes[i + 1];
		waiting->early[i] = waiting->early[i + 1];
	}
}

bool unsolicited_claim(struct watch *watch, uint64_t since_ns, struct event *ret)
{
	struct waiting *waiting = watch_state(watch, FINDING_UNSOLICITED);

	for (size_t i = 0; i < waiting->n; i++)
		if (waiting->changes[i].ts_ns >= since_ns) {
			*ret = waiting->changes[i];
			take_out(waiting, i);
			return true;
		}
	return false;
}

/* Before the guest runs, its VMM prepares it: early says that it had not done anything then. That
 * the VM was only just born may be known later. */
static bool is_launch(const struct watch *watch, const struct event *change, bool early)
{
	uint64_t launch = setting(watch, FINDING_UNSOLICITED, SETTING_LAUNCH);

	if (!early)
		return false;
	if (watch->reset_ns && change->now_ns >= watch->reset_ns)
		return change->now_ns - watch->reset_ns < launch;
	return watch->vm->born && change->now_ns - watch->first_ns < launch;
}

/* Memory that has just come, or that is not there (any more, or yet). */
static bool is_hotplug(struct watch *watch, const struct event *change)
{
	uint64_t fresh = setting(watch, FINDING_UNSOLICITED, SETTING_HOTPLUG);
	const struct vm *vm = watch->vm;
	uint64_t gfn = change->gpa >> 12;

	if (!vm->n_memslots || watch_outside(watch, gfn, change->npages) == change->npages)
		return true;
	for (size_t i = 0; i < vm->n_memslots; i++)
		if (vm->memslots[i].since_ns && watch->now_ns - vm->memslots[i].since_ns < fresh &&
			ranges_overlap(
				gfn, change->npages, vm->memslots[i].gfn, vm->memslots[i].npages))
			return true;
	return false;
}

/* What the guest said these pages are, they become: late, perhaps, but not unasked. */
static bool is_as_declared(const struct vm *vm, const struct event *change)
{
	uint64_t counts[PAGE_STATES], pages;

	pages = vm_count_range(vm, PLANE_GUEST, change->gpa >> 12, change->npages, counts);
	return counts[change->to] == pages;
}

static bool has_open_request(const struct vm *vm, uint64_t before_ns)
{
	uint64_t oldest;

	return vm_open_requests(vm, &oldest) && oldest <= before_ns;
}

static void miss(struct waiting *waiting, const struct event *change, bool early)
{
	if (early) /* those that wait will do */
		return;
	if (!waiting->missed++)
		waiting->missed_ns = change->now_ns;
	waiting->missed_pages[direction(change)] += change->npages - change->already;
}

static void on_change(struct watch *watch, struct waiting *waiting, const struct event *event)
{
	bool early = !watch->guest_ns;

	if (event->ret || event->unsure || event->prompt != PROMPT_NONE ||
		event->already == event->npages || is_launch(watch, event, early) ||
		is_hotplug(watch, event) || is_as_declared(watch->vm, event))
		return;
	if (event->to == PAGE_SHARED && !early && !has_open_request(watch->vm, event->now_ns)) {
		found(watch, event, CERTAINTY_CERTAIN); /* no reset shares pages */
		return;
	}
	if (waiting->n == WAITING) {
		miss(waiting, event, early);
		return;
	}
	waiting->early[waiting->n] = early;
	waiting->changes[waiting->n] = *event;
	waiting->changes[waiting->n++].vm = NULL;
}

static void on_event(struct watch *watch, void *state, const struct event *event)
{
	struct waiting *waiting = state;

	if (event->kind == EVENT_ATTRIBUTES) {
		on_change(watch, waiting, event);
		return;
	}
	waiting->n = 0; /* reset: it was part of that */
	forget_missed(waiting);
}

static bool has_to_wait(const struct watch *watch, uint64_t since_ns)
{
	return watch->now_ns - since_ns < setting(watch, FINDING_UNSOLICITED, SETTING_GRACE) ||
	       has_open_request(watch->vm, since_ns);
}

/* waits: it would go on to, had the records not ended. */
static enum certainty certainty_now(const struct watch *watch, bool waits)
{
	return waits && !watch->ended ? CERTAINTY_POSSIBLE : CERTAINTY_CERTAIN;
}

static void on_tick(struct watch *watch, void *state)
{
	struct waiting *waiting = state;
	bool waits;

	for (size_t i = 0; i < waiting->n;) {
		struct event change = waiting->changes[i];
		bool early = waiting->early[i];

		waits = has_to_wait(watch, change.now_ns);
		if (waits && !watch_is_over(watch)) {
			i++;
			continue;
		}
		take_out(waiting, i);
		if (!is_launch(watch, &change, early)) /* a reset may be what it is part of */
			found(watch, &change, certainty_now(watch, waits));
	}
	if (!waiting->missed)
		return;
	waits = has_to_wait(watch, waiting->missed_ns);
	if (!waits || watch_is_over(watch))
		found_missed(watch, waiting, certainty_now(watch, waits));
}

static void code_state(struct codec *codec, void *state)
{
	struct waiting *waiting = state;

	CODE_UPTO(codec, waiting->n, WAITING);
	for (size_t i = 0; i < waiting->n; i++) {
		detect_code_event(codec, &waiting->changes[i]);
		CODE(codec, waiting->early[i]);
	}
	CODE(codec, waiting->missed);
	CODE_ARRAY(codec, waiting->missed_pages);
	CODE(codec, waiting->missed_ns);
}

static void describe(const struct finding *f, char *text, size_t size)
{
	say(text, size,
		"the VMM changed %llu page%s to shared and %llu to private, in %llu call%s, and no "
		"guest had asked for it",
		(unsigned long long)f->values[TO_SHARED], plural(f->values[TO_SHARED]),
		(unsigned long long)f->values[TO_PRIVATE], (unsigned long long)f->count,
		plural(f->count));
}

const struct detector detect_unsolicited = {
	.kind = FINDING_UNSOLICITED,
	.name = "unsolicited",
	.title = "page state changed by the VMM, unasked",
	.severity = SEVERITY_WARNING,
	.certainty = CERTAINTY_CERTAIN,
	.leans_on = {[PLANE_HOST] = true},
	.what = "The VMM set memory attributes of pages while the guest had no "
		"request open for them and had not faulted on them, and they were "
		"not so before. Launch (until the guest asks for something, at most "
		"`launch`), resets, memory that was plugged in within `hotplug`, "
		"pages outside of memory, and changes that make pages what the "
		"guest had declared them to be do not count. Pages made shared make "
		"it critical.",
	.why = "Only the guest knows what its pages hold. Pages taken from private "
	       "to shared lose their content or, with a VMM that lies, are where "
	       "the host reads; the guest sees it at its next access at the "
	       "earliest.",
	.harmless =
		"Memory ballooning or unplugging with a VMM that shares pages before it takes "
		"them; a guest that asks through a channel of its own (virtio-mem). A reset whose "
		"vCPU does not begin at the reset vector.",
	.todo = "Look which thread did it (explain), and what the VMM's log says of "
		"that time. Unexplained and to shared: stop the VM, and treat its "
		"secrets as known.",
	.settings =
		{
			SETTINGS_COMMON(1, MINUTE_NS, MINUTE_NS, "one is one too many"),
			[SETTING_LAUNCH] = {"launch", UNIT_TIME, MINUTE_NS,
				"until the guest runs its VMM prepares memory; large VMs take long",
				{}, true},
			[SETTING_HOTPLUG] = {"hotplug", UNIT_TIME, 10 * SECOND_NS,
				"the VMM makes new memory private right after it plugged it in", {},
				true},
			[SETTING_GRACE] = {"grace", UNIT_TIME, 2 * SECOND_NS,
				"a reset's first sign comes when the VMM has done its work", {},
				true},
		},
	.events = ON(EVENT_ATTRIBUTES) | ON(EVENT_RESET),
	.state_size = sizeof(struct waiting),
	.code_state = code_state,
	.on_event = on_event,
	.on_tick = on_tick,
	.describe = describe,
};
