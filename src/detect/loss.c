/* SPDX-License-Identifier: GPL-2.0-only */
/* Records were lost: what this program says is less than what happened. */

#include "detect/detector.h"

struct loss {
	uint64_t last[KES_CAUSE_MAX]; /* totals */
};

static void on_event(struct watch *watch, void *state, const struct event *event)
{
	struct loss *loss = state;
	struct finding *f;
	uint64_t more = event->lost - loss->last[event->cause];

	loss->last[event->cause] = event->lost;
	/* No record is missing, or it is nobody's fault. */
	if (event->cause == KES_CAUSE_COUNTS_FULL || event->cause == KES_CAUSE_UNWATCHED)
		return;
	f = watch_cases(watch, &detect_loss, event, 0, 0, more);
	if (f && event->cause < FINDING_VALUES)
		f->values[event->cause] += more;
}
_Static_assert(KES_CAUSE_MAX - 1 <= FINDING_VALUES && KES_CAUSE_UNWATCHED == KES_CAUSE_MAX - 1,
	"a value for each cause that counts");

static void code_state(struct codec *codec, void *state)
{
	struct loss *loss = state;

	CODE_ARRAY(codec, loss->last);
}

static void describe(const struct finding *f, char *text, size_t size)
{
	const char *separator = ": ";

	say(text, size, "%llu records were lost", (unsigned long long)f->count);
	for (uint32_t i = 0; i < KES_CAUSE_UNWATCHED; i++) {
		if (!f->values[i])
			continue;
		say(text, size, "%s%llu %s", separator, (unsigned long long)f->values[i],
			cause_name(i));
		separator = ", ";
	}
}

const struct detector detect_loss = {
	.kind = FINDING_LOSS,
	.name = "loss",
	.title = "records were lost",
	.severity = SEVERITY_WARNING,
	.certainty = CERTAINTY_CERTAIN,
	.what = "At least `count` records of a VM, or of none that is known, were "
		"lost within `window`.",
	.why = "Maps of these VMs are stale, and other findings may be missing: a "
	       "guest that floods its host with conversions can hide some of them "
	       "so.",
	.harmless = "A host that was stopped or suspended; a moment without CPU for "
		    "this program.",
	.todo = "A larger ring (--ring-size), a higher priority. Find the VM that "
		"floods (kind storm).",
	.settings = {SETTINGS_COMMON(
		100, MINUTE_NS, MINUTE_NS, "a few make a map stale, which every map says itself")},
	.events = ON(EVENT_LOSS),
	.state_size = sizeof(struct loss),
	.code_state = code_state,
	.on_event = on_event,
	.describe = describe,
};
