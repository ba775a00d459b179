/* SPDX-License-Identifier: GPL-2.0-only */
/* More conversions than a guest that works has reason for. */
#include <sys/param.h> /* MAX */

#include "detect/detector.h"

enum { SETTING_RATE = SETTING_OWN, SETTING_BURST };
enum { PEAK, SHARE }; /* values: conversions a second; percent of the host's at that time */

/* A bucket that leaks at `rate` and holds `burst`: kept as the time at which it would be empty. */
struct storm {
	uint64_t empty_ns, drop_ns;
	uint64_t n, since_ns; /* conversions in this second */
	uint64_t host;        /* of all VMs, when it began */
};

static void on_event(struct watch *watch, void *state, const struct event *event)
{
	uint64_t burst = setting(watch, FINDING_STORM, SETTING_BURST);
	struct storm *storm = state;

	if (!storm->drop_ns) { /* a division for each conversion would be felt */
		storm->drop_ns = SECOND_NS / MAX(setting(watch, FINDING_STORM, SETTING_RATE), 1ull);
		if (!storm->since_ns) /* the VM is younger than the last tick */
			storm->host = watch_host_conversions(watch) - 1;
	}
	storm->n++;
	storm->empty_ns = MAX(storm->empty_ns, watch->now_ns) + storm->drop_ns;
	if (storm->empty_ns - watch->now_ns <= burst * storm->drop_ns)
		return;
	storm->empty_ns -= storm->drop_ns; /* it runs over: full it stays */
	watch_case(watch, &detect_storm, event, 0, 0);
}

static void on_tick(struct watch *watch, void *state)
{
	struct finding *f = watch_open(watch, &detect_storm);
	uint64_t host = watch_host_conversions(watch), took_ns;
	struct storm *storm = state;

	took_ns = MAX(watch->now_ns - MAX(storm->since_ns, watch->first_ns), SECOND_NS / 100);
	if (f && storm->n) {
		uint64_t rate = storm->n * SECOND_NS / took_ns;

		if (rate > f->values[PEAK]) {
			f->values[PEAK] = rate;
			f->values[SHARE] = storm->n * 100 / MAX(host - storm->host, storm->n);
		}
	}
	storm->n = 0;
	storm->since_ns = watch->now_ns;
	storm->host = host;
}

static void code_state(struct codec *codec, void *state)
{
	struct storm *storm = state;

	CODE(codec, storm->empty_ns);
	CODE(codec, storm->drop_ns);
	CODE(codec, storm->n);
	CODE(codec, storm->since_ns);
	CODE(codec, storm->host);
}

static void describe(const struct finding *f, char *text, size_t size)
{
	say(text, size, "%llu conversion%s beyond what is allowed for",
		(unsigned long long)f->count, plural(f->count));
	if (f->values[PEAK])
		say(text, size, "; up to %llu a second, %llu%% of all on this host then",
			(unsigned long long)f->values[PEAK], (unsigned long long)f->values[SHARE]);
}

const struct detector detect_storm = {
	.kind = FINDING_STORM,
	.name = "storm",
	.title = "conversion storm",
	.severity = SEVERITY_NOTICE,
	.certainty = CERTAINTY_CERTAIN,
	.what = "A VM converts more than `rate` times a second for so long that "
		"`burst` conversions come together beyond that. Refused and denied "
		"ones count.",
	.why = "Each conversion takes the vCPU out of the guest and into the VMM, "
	       "takes KVM's locks, splits large pages and flushes TLBs: a storm "
	       "slows the VM and its neighbours.",
	.harmless = "The first minute of a guest that converts page by page at boot; "
		    "drivers that allocate and free DMA memory for each request, which "
		    "want a larger pool (swiotlb=).",
	.todo = "See which pages (map, findings of kind flapping). In the guest: a "
		"larger swiotlb, or drivers that keep their buffers. If the guest "
		"means it: limit its rate by policy.",
	.settings =
		{
			SETTINGS_COMMON(1, MINUTE_NS, 10 * SECOND_NS,
				"`burst` already tells many from few"),
			[SETTING_RATE] = {"rate", UNIT_PER_SECOND, 1000,
				"a conversion costs the host some 10 us or more: 1000 a second are "
				"1% of "
				"a CPU, for as long as it goes on",
				{}, false},
			[SETTING_BURST] = {"burst", UNIT_COUNT, 10000,
				"a guest that shares 16 MiB page by page at boot makes 4096, and "
				"there "
				"are several such drivers",
				{{KES_VM_TDX, 20000,
					"KVM hands TDX requests on in pieces of 2 MiB, so that "
					"there are "
					"more of them"}},
				false},
		},
	.events = ON(EVENT_CONVERTED) | ON(EVENT_DENIED) | ON(EVENT_REFUSED),
	.state_size = sizeof(struct storm),
	.code_state = code_state,
	.on_event = on_event,
	.on_tick = on_tick,
	.describe = describe,
};
