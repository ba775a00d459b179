/* SPDX-License-Identifier: GPL-2.0-only */
/* Answers that take long, or do not come. A vCPU stands still until it is answered. */
#include <string.h>
#include <sys/param.h> /* MAX */

#include "detect/detector.h"

#define BUCKETS     160       /* four for each power of two: 2^40 ns are 18 minutes */
#define SMALL_PAGES 512       /* larger requests may take as long as they need */
#define PERIOD_NS   MINUTE_NS /* over which the 99th percentile is taken */

enum { SETTING_P99 = SETTING_OWN, SETTING_SAMPLES, SETTING_WORST, SETTING_STALL };
enum { P99, WORST, STALLED }; /* values: ns; age of the oldest open request */

struct slow {
	uint64_t since_ns, n;
	uint32_t histogram[BUCKETS];
};

static unsigned int bucket(uint64_t ns)
{
	unsigned int power;

	if (ns < 8)
		return 0;
	power = 63 - (unsigned int)__builtin_clzll(ns);
	return MIN(4 * power + (unsigned int)(ns >> (power - 2) & 3), BUCKETS - 1u);
}

/* What a bucket holds at the least. */
static uint64_t bucket_begin(unsigned int i)
{
	return (uint64_t)(4 + i % 4) << (i / 4 - 2);
}

static uint64_t percentile(const struct slow *slow, unsigned int percent)
{
	uint64_t above = slow->n * (100 - percent) / 100, n = 0;

	for (unsigned int i = BUCKETS; i-- > 8;) {
		n += slow->histogram[i];
		if (n > above)
			return bucket_begin(i);
	}
	return 0;
}

static void on_event(struct watch *watch, void *state, const struct event *event)
{
	struct slow *slow = state;
	struct finding *f;

	if (!event->has_latency)
		return;
	if (event->npages <= SMALL_PAGES) {
		slow->histogram[bucket(event->latency_ns)]++;
		slow->n++;
	}
	if (event->latency_ns < setting(watch, FINDING_SLOW, SETTING_WORST))
		return;
	f = watch_case(watch, &detect_slow, event, event->gpa >> 12, event->npages);
	if (f)
		f->values[WORST] = MAX(f->values[WORST], event->latency_ns);
}

/* A vCPU that waits now, for too long. */
static void look_at_open(struct watch *watch)
{
	uint64_t stall = setting(watch, FINDING_SLOW, SETTING_STALL);
	struct finding *f = watch_open(watch, &detect_slow);
	bool stalled = false;

	for (size_t i = 0; i < watch->vm->n_requests; i++) {
		const struct request *request = &watch->vm->requests[i];
		uint64_t age = watch->now_ns - request->ts_ns;

		if (!request->open || request->unhooked || request->ts_ns > watch->now_ns ||
			age < stall)
			continue;
		stalled = true;
		if (f && f->lasting) { /* told already */
			f->values[STALLED] = MAX(f->values[STALLED], age);
			continue;
		}
		f = watch_case(watch, &detect_slow, NULL, request->gpa >> 12, request->npages);
		if (!f)
			return;
		f->lasting = true;
		f->values[STALLED] = age;
		watch_raise(watch, f, SEVERITY_WARNING);
	}
	if (f && f->lasting && !stalled)
		f->lasting = false; /* it goes on */
}

static void on_tick(struct watch *watch, void *state)
{
	struct slow *slow = state;
	struct finding *f;
	uint64_t p99;

	if (!watch->vm)
		return;
	if (!watch->ended)
		look_at_open(watch);
	if (slow->n >= setting(watch, FINDING_SLOW, SETTING_SAMPLES)) {
		p99 = percentile(slow, 99);
		if (p99 > setting(watch, FINDING_SLOW, SETTING_P99)) {
			f = watch_case(watch, &detect_slow, NULL, 0, 0);
			if (f)
				f->values[P99] = MAX(f->values[P99], p99);
		}
	}
	if (!watch->ended && watch->now_ns - MAX(slow->since_ns, watch->first_ns) < PERIOD_NS)
		return;
	memset(slow, 0, sizeof(*slow));
	slow->since_ns = watch->now_ns;
}

static void code_state(struct codec *codec, void *state)
{
	struct slow *slow = state;

	CODE(codec, slow->since_ns);
	CODE(codec, slow->n);
	CODE_ARRAY(codec, slow->histogram);
}

static void describe(const struct finding *f, char *text, size_t size)
{
	const char *separator = "";

	if (f->values[P99]) {
		say(text, size, "one of a hundred answers took %.1f ms or more",
			(double)f->values[P99] / 1e6);
		separator = "; ";
	}
	if (f->values[WORST]) {
		say(text, size, "%sthe slowest answer took %.1f ms", separator,
			(double)f->values[WORST] / 1e6);
		separator = "; ";
	}
	if (f->values[STALLED])
		say(text, size, "%sa vCPU has waited unanswered for %.1f s", separator,
			(double)f->values[STALLED] / 1e9);
}

const struct detector detect_slow = {
	.kind = FINDING_SLOW,
	.name = "slow",
	.title = "slow or missing answers of the VMM",
	.severity = SEVERITY_NOTICE,
	.certainty = CERTAINTY_CERTAIN,
	.what = "The 99th percentile of the VMM's answers (to requests of up to 2 "
		"MiB, `samples` of them at least, within a minute) is above `p99`; "
		"or one answer took `worst`; or a vCPU has waited for `stall` and "
		"still waits, which is a warning. Answers that were read late do "
		"not count.",
	.why = "The vCPU that asked stands still until it is answered, inside the "
	       "guest's kernel, often with a lock held: the whole guest waits.",
	.harmless =
		"A VM that is paused or migrated (its requests are answered when it goes on); a "
		"host under memory pressure.",
	.todo = "Stalled now: look at the VMM (is it stopped, does it wait for a "
		"lock, is its memory swapped out). Slow: see which sizes are slow "
		"(events), and what the VMM does in its exit path.",
	.settings =
		{
			SETTINGS_COMMON(
				1, MINUTE_NS, MINUTE_NS, "each is a percentile, or long enough"),
			[SETTING_P99] = {"p99", UNIT_TIME, 20 * MILLISECOND_NS,
				"a VMM in good health answers in some 10 to 100 us; 20 ms are felt "
				"by "
				"whoever waits for the guest",
				{{KES_VM_TDX, 50 * MILLISECOND_NS,
					"taking back a page of a TDX guest stops its vCPUs and "
					"flushes "
					"their TLBs"}},
				false},
			[SETTING_SAMPLES] = {"samples", UNIT_COUNT, 100,
				"fewer have no 99th percentile", {}, false},
			[SETTING_WORST] = {"worst", UNIT_TIME, SECOND_NS,
				"a second is long for whatever size", {}, false},
			[SETTING_STALL] = {"stall", UNIT_TIME, 5 * SECOND_NS,
				"the guest's own watchdogs begin to bark at 10 to 20 s", {}, false},
		},
	.events = ON(EVENT_CONVERTED) | ON(EVENT_DENIED),
	.state_size = sizeof(struct slow),
	.code_state = code_state,
	.on_event = on_event,
	.on_tick = on_tick,
	.describe = describe,
};
