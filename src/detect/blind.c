/* SPDX-License-Identifier: GPL-2.0-only */
/* Hooks that are missing, or that do not fire: what other counts say happened is not seen. */
#include <sys/param.h> /* MAX */

#include "detect/detector.h"
#include "kvm_abi.h"

enum { SETTING_SLACK = SETTING_OWN };
enum { FLAGS, EXITS, SEEN }; /* values: kes_host_flag; conversions counted, and seen */

#define MISSING (KES_HOST_NO_CHANGES | KES_HOST_NO_ANSWERS | KES_HOST_NO_INVENTORY)

struct blind {
	uint64_t exits; /* for hypercalls, as counted at the last tick: all that was on its way then
			   has come */
	uint64_t tainted, excused; /* the VM's, as seen last; what resets made it forget */
};

static void on_event(struct watch *watch, void *state, const struct event *event)
{
	uint64_t missing = event->host->flags & MISSING;
	struct finding *f = watch_open(watch, &detect_blind);

	(void)state;
	if (!missing) {
		if (f)
			watch_resolve(watch, &detect_blind);
		return;
	}
	if (f && f->values[FLAGS] == missing)
		return;
	f = watch_case(watch, &detect_blind, event, 0, 0);
	if (!f)
		return;
	f->lasting = true;
	f->values[FLAGS] = missing;
}

/* Conversions that the VMM heard of, as the records tell; lost ones may have been any. */
static uint64_t seen(struct blind *blind, const struct vm *vm)
{
	uint64_t oldest;

	if (vm->tainted < blind->tainted)
		blind->excused += blind->tainted;
	blind->tainted = vm->tainted;
	return blind->excused + vm->totals.converted + vm->totals.denied + vm->totals.no_answer +
	       vm->totals.unanswered + vm_open_requests(vm, &oldest) + vm_lost(vm) + vm->tainted;
}

static void on_tick(struct watch *watch, void *state)
{
	struct blind *blind = state;
	const struct vm *vm = watch->vm;
	uint64_t slack = setting(watch, FINDING_BLIND, SETTING_SLACK), exits, known;
	struct finding *f;

	/* What a process with several VMs counts is no one VM's. */
	if (!vm || watch->ended || model_process_counters(watch->model, vm->pid))
		return;
	exits = MAX(blind->exits, slack) - slack;
	blind->exits = vm->counters.exits[KES_EXIT_HYPERCALL];
	known = seen(blind, vm);
	if (exits <= known)
		return;
	f = watch_case(watch, &detect_blind, NULL, 0, 0);
	if (!f)
		return;
	f->values[EXITS] = exits + slack;
	f->values[SEEN] = known;
}

static void code_state(struct codec *codec, void *state)
{
	struct blind *blind = state;

	CODE(codec, blind->exits);
	CODE(codec, blind->tainted);
	CODE(codec, blind->excused);
}

static void describe(const struct finding *f, char *text, size_t size)
{
	uint64_t flags = f->values[FLAGS];

	if (!flags) {
		say(text, size,
			"KVM left the guest %llu times for a hypercall, and %llu conversions were "
			"seen",
			(unsigned long long)f->values[EXITS], (unsigned long long)f->values[SEEN]);
		return;
	}
	say(text, size, "on this host cannot be seen:%s%s%s",
		flags & KES_HOST_NO_CHANGES ? " changes of memory attributes" : "",
		flags & KES_HOST_NO_ANSWERS ? " the VMM's answers in time" : "",
		flags & KES_HOST_NO_INVENTORY ? " VMs that ran before" : "");
}

const struct detector detect_blind = {
	.kind = FINDING_BLIND,
	.name = "blind",
	.title = "hooks that are missing or do not fire",
	.severity = SEVERITY_WARNING,
	.certainty = CERTAINTY_CERTAIN,
	.what = "A hook that is needed cannot be attached on this host, or did not "
		"fire when it was tried. Or KVM counted `slack` more exits for "
		"hypercalls of a VM than conversions were seen or lost.",
	.why = "What is not seen is not found: other findings may be missing, and "
	       "maps are less than they seem.",
	.harmless = "A kernel without the tracepoint or the function, which `doctor` "
		    "tells apart.",
	.todo = "kvm-encstat doctor --selftest tries each hook and says what is "
		"missing and why.",
	.settings =
		{
			SETTINGS_COMMON(1, MINUTE_NS, MINUTE_NS, "a hook is there or not"),
			[SETTING_SLACK] = {"slack", UNIT_COUNT, 64,
				"exits of other hypercalls, should KVM ever have some", {}, true},
		},
	.events = ON(EVENT_HOST),
	.state_size = sizeof(struct blind),
	.code_state = code_state,
	.on_event = on_event,
	.on_tick = on_tick,
	.describe = describe,
};
