/* SPDX-License-Identifier: GPL-2.0-only */
/* The same range goes to and fro. */
#include "detect/detector.h"

enum { SETTING_FLIPS = SETTING_OWN, SETTING_WITHIN };
enum { MOST, PAGES }; /* values: flips of one range within the time; frames that it has */

/* A cache of ranges that were converted lately: a guest may name more than there is room for, then
 * those of a set that flipped least give way. */
#define SETS 128
#define WAYS 4

struct range {
	uint64_t gfn, npages;
	uint64_t since_ns; /* when its flips began to be counted */
	uint32_t flips;
	uint8_t to; /* page_state */
};

struct flapping {
	struct range ranges[SETS][WAYS];
};

/* Buffers begin at multiples of large powers of two: their low bits are all the same. */
static unsigned int set_of(uint64_t gfn)
{
	return (unsigned int)(gfn * 0x9e3779b97f4a7c15ull >> 57) % SETS;
}

static struct range *find(struct range *set, uint64_t gfn, uint64_t npages)
{
	for (int i = 0; i < WAYS; i++)
		if (set[i].gfn == gfn && set[i].npages == npages)
			return &set[i];
	return NULL;
}

static struct range *victim(struct range *set)
{
	struct range *least = set;

	for (int i = 1; i < WAYS; i++)
		if (set[i].flips < least->flips ||
			(set[i].flips == least->flips && set[i].since_ns < least->since_ns))
			least = &set[i];
	return least;
}

static void flip(struct watch *watch, struct range *range, const struct event *event)
{
	uint64_t flips = setting(watch, FINDING_FLAPPING, SETTING_FLIPS);
	struct finding *f;

	if (watch->now_ns - range->since_ns > setting(watch, FINDING_FLAPPING, SETTING_WITHIN)) {
		range->since_ns = watch->now_ns;
		range->flips = 0;
	}
	range->flips++;
	range->to = (uint8_t)event->to;
	if (range->flips < flips)
		return;
	f = watch_cases(watch, &detect_flapping, event, range->gfn, range->npages,
		range->flips == flips ? flips : 1);
	if (f && range->flips > f->values[MOST]) {
		f->values[MOST] = range->flips;
		f->values[PAGES] = range->npages;
	}
}

static void on_event(struct watch *watch, void *state, const struct event *event)
{
	struct flapping *flapping = state;
	uint64_t gfn = event->gpa >> 12;
	struct range *set = flapping->ranges[set_of(gfn)];
	struct range *range = find(set, gfn, event->npages);

	if (range && range->to != event->to) {
		flip(watch, range, event);
	} else if (!range) {
		*victim(set) = (struct range){
			.gfn = gfn,
			.npages = event->npages,
			.since_ns = watch->now_ns,
			.to = (uint8_t)event->to,
		};
	}
}

static void code_state(struct codec *codec, void *state)
{
	struct flapping *flapping = state;

	for (size_t i = 0; i < SETS * WAYS; i++) {
		struct range *range = &flapping->ranges[i / WAYS][i % WAYS];

		bool used = range->since_ns || range->npages || range->gfn || range->to;

		CODE(codec, used);
		if (!used) /* as most are */
			continue;
		CODE(codec, range->since_ns);
		CODE(codec, range->gfn);
		CODE(codec, range->npages);
		CODE(codec, range->flips);
		CODE(codec, range->to);
	}
}

static void describe(const struct finding *f, char *text, size_t size)
{
	say(text, size,
		"ranges were shared and taken back %llu times; the worst one of %llu pages %llu "
		"times within the time that counts",
		(unsigned long long)f->count, (unsigned long long)f->values[PAGES],
		(unsigned long long)f->values[MOST]);
}

const struct detector detect_flapping = {
	.kind = FINDING_FLAPPING,
	.name = "flapping",
	.title = "pages that go to and fro between private and shared",
	.severity = SEVERITY_NOTICE,
	.certainty = CERTAINTY_CERTAIN,
	.what = "The very same range was converted `flips` times within `within`, "
		"each time to what it was not. Of each VM the last 512 ranges or so "
		"are known, those that flip longest.",
	.why = "Each flip costs two conversions and loses the page's content; "
	       "large pages are split for it and do not come back. A guest that "
	       "flips a page may also be trying whether the host gets the state "
	       "wrong between two of them.",
	.harmless =
		"A driver that allocates DMA memory for each request and frees it again, such as "
		"tools that poll a device.",
	.todo = "The ranges name the pages: find the driver in the guest by what it "
		"allocates there, and let it keep its buffers.",
	.settings =
		{
			SETTINGS_COMMON(
				1, MINUTE_NS, MINUTE_NS, "`flips` already tells many from few"),
			[SETTING_FLIPS] = {"flips", UNIT_COUNT, 64,
				"a buffer that is allocated and freed once every two seconds is no "
				"matter",
				{}, false},
			[SETTING_WITHIN] = {"within", UNIT_TIME, MINUTE_NS, "the same", {}, false},
		},
	.events = ON(EVENT_CONVERTED),
	.state_size = sizeof(struct flapping),
	.code_state = code_state,
	.on_event = on_event,
	.describe = describe,
};
