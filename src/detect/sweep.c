/* SPDX-License-Identifier: GPL-2.0-only */
/* Hypercall numbers that nobody defines, one after the other. The kernel half only counts
 * hypercalls, by number: so there are no records behind it, and counts are a process's. */

#include "detect/detector.h"

enum { SETTING_NUMBERS = SETTING_OWN };
enum { NUMBERS, OTHERS }; /* values: which, as bits; how many of numbers that are not told apart */

/* Linux has defined these for x86 guests: include/uapi/linux/kvm_para.h, numbers 1
 * (VAPIC_POLL_IRQ), 5 (KICK_CPU), 9 (CLOCK_PAIRING), 10 (SEND_IPI), 11 (SCHED_YIELD), 12
 * (MAP_GPA_RANGE). */
#define KNOWN (1u << 1 | 1u << 5 | 1u << 9 | 1u << 10 | 1u << 11 | 1u << 12)
#define OTHER (KES_HYPERCALLS - 1) /* the counter that takes all numbers from here on */

struct sweep {
	uint64_t counted[KES_HYPERCALLS];
};

/* In the meantime, of numbers that are not known. */
static uint64_t count_new(struct sweep *sweep, const uint64_t *counters, uint64_t *ret_numbers)
{
	uint64_t n = 0;

	for (int i = 0; i < KES_HYPERCALLS; i++) {
		uint64_t more = counters[i] - sweep->counted[i];

		sweep->counted[i] = counters[i];
		if ((KNOWN & 1u << i) || !more || more > UINT64_MAX / 2)
			continue;
		*ret_numbers |= 1ull << i;
		n += more;
	}
	return n;
}

static void on_tick(struct watch *watch, void *state)
{
	struct sweep *sweep = state;
	uint64_t numbers = 0, others = sweep->counted[OTHER], n, distinct;
	struct finding *f;

	/* What a process with several VMs made is no one VM's. */
	if (!watch->vm || model_process_counters(watch->model, watch->vm->pid))
		return;
	n = count_new(sweep, watch->vm->counters.hypercalls, &numbers);
	if (!n)
		return;
	f = watch_cases(watch, &detect_sweep, NULL, 0, 0, n);
	if (!f)
		return;
	others = sweep->counted[OTHER] - others;
	f->values[NUMBERS] |= numbers;
	f->values[OTHERS] += others;
	distinct = (uint64_t)__builtin_popcountll(f->values[NUMBERS] & ~(1ull << OTHER)) +
		   f->values[OTHERS];
	if (f->state == FINDING_PENDING &&
		distinct >= setting(watch, FINDING_SWEEP, SETTING_NUMBERS))
		watch_promote(watch, f);
}

static void code_state(struct codec *codec, void *state)
{
	struct sweep *sweep = state;

	CODE_ARRAY(codec, sweep->counted);
}

static void describe(const struct finding *f, char *text, size_t size)
{
	say(text, size, "%llu hypercalls of unknown numbers:", (unsigned long long)f->count);
	for (unsigned int i = 0; i < OTHER; i++)
		if (f->values[NUMBERS] & 1ull << i)
			say(text, size, " %u", i);
	if (f->values[OTHERS])
		say(text, size, " and %llu of %u or more", (unsigned long long)f->values[OTHERS],
			OTHER);
}

const struct detector detect_sweep = {
	.kind = FINDING_SWEEP,
	.name = "sweep",
	.title = "unknown hypercall numbers, swept",
	.severity = SEVERITY_NOTICE,
	.certainty = CERTAINTY_CERTAIN,
	.what = "Within `window` the guest made hypercalls of at least `numbers` "
		"different numbers that KVM does not define (numbers from 15 on are "
		"not told apart: each call counts as one more), or `count` calls of "
		"such numbers in all. Of VMMs with several VMs in one process it is "
		"not known which VM made them, and nothing is said.",
	.why = "Who tries hypercalls one after the other looks for what this host "
	       "has.",
	.harmless = "A guest kernel that is newer than this program, and a KVM that has "
		    "a new hypercall: then it is always the same number. Tests of KVM.",
	.todo = "KVM answers -KVM_ENOSYS to what it does not know: no harm is done. "
		"Treat a guest that does so as curious at least.",
	.settings =
		{
			SETTINGS_COMMON(1000, MINUTE_NS, MINUTE_NS,
				"a single number that KVM lacks may be asked for again and again"),
			[SETTING_NUMBERS] = {"numbers", UNIT_COUNT, 4,
				"a new hypercall is one number, perhaps two", {}, false},
		},
	.on_tick = on_tick,
	.state_size = sizeof(struct sweep),
	.code_state = code_state,
	.describe = describe,
};
