/* SPDX-License-Identifier: GPL-2.0-only */
#include "detect/finding.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/param.h> /* MIN, MAX */

#include "base/cleanup.h"

static const char *const severities[] = {
	[SEVERITY_INFO] = "info",
	[SEVERITY_NOTICE] = "notice",
	[SEVERITY_WARNING] = "warning",
	[SEVERITY_CRITICAL] = "critical",
};
_Static_assert(ARRAY_SIZE(severities) == SEVERITIES, "a name for each severity");

const char *severity_name(enum severity severity)
{
	return severities[severity];
}

int severity_from_name(const char *name, enum severity *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(severities); i++)
		if (!strcmp(name, severities[i])) {
			*ret = (enum severity)i;
			return 0;
		}
	return -EINVAL;
}

const char *certainty_name(enum certainty certainty)
{
	static const char *const names[] = {
		[CERTAINTY_POSSIBLE] = "possible",
		[CERTAINTY_LIKELY] = "likely",
		[CERTAINTY_CERTAIN] = "certain",
	};
	_Static_assert(ARRAY_SIZE(names) == CERTAINTIES, "a name for each certainty");

	return names[certainty];
}

const char *finding_end_name(enum finding_end ended)
{
	static const char *const names[] = {
		[ENDED_NOT] = "not",
		[ENDED_QUIET] = "quiet",
		[ENDED_RESOLVED] = "resolved",
		[ENDED_VM] = "vm-end",
		[ENDED_DISABLED] = "disabled",
	};
	_Static_assert(ARRAY_SIZE(names) == FINDING_ENDS, "a name for each end");

	return names[ended];
}

const char *finding_kind_id(enum finding_kind kind, char buffer[FINDING_ID_SIZE])
{
	snprintf(buffer, FINDING_ID_SIZE, "KES-%03u", ((unsigned int)kind + 1) % 1000);
	return buffer;
}

const char *finding_id(const struct finding *finding, char buffer[FINDING_FULL_ID_SIZE])
{
	char kind[FINDING_ID_SIZE];

	snprintf(buffer, FINDING_FULL_ID_SIZE, "%s.%u.%u", finding_kind_id(finding->kind, kind),
		finding->vm, finding->number);
	return buffer;
}

/* ---- ranges ---- */

static uint64_t end_of(const struct finding_range *range)
{
	return range->npages > UINT64_MAX - range->gfn ? UINT64_MAX : range->gfn + range->npages;
}

static bool touches(const struct finding_range *a, const struct finding_range *b)
{
	return a->gfn <= end_of(b) && b->gfn <= end_of(a);
}

/* Keeps the order: those between the place that gets free and the new one's move by one. */
static void put(struct finding *f, size_t at, struct finding_range new)
{
	for (; at + 1 < f->n_ranges && f->ranges[at + 1].gfn < new.gfn; at++)
		f->ranges[at] = f->ranges[at + 1];
	for (; at && f->ranges[at - 1].gfn > new.gfn; at--)
		f->ranges[at] = f->ranges[at - 1];
	f->ranges[at] = new;
}

static void remove_range(struct finding *f, size_t at)
{
	f->n_ranges--;
	for (; at < f->n_ranges; at++)
		f->ranges[at] = f->ranges[at + 1];
}

void finding_add_range(struct finding *f, uint64_t gfn, uint64_t npages, uint64_t count)
{
	struct finding_range new = {gfn, npages, count};
	size_t least = 0;

	if (!npages)
		return;
	for (size_t i = 0; i < f->n_ranges;) {
		struct finding_range *old = &f->ranges[i];

		if (!touches(old, &new)) {
			if (old->count < f->ranges[least].count)
				least = i;
			i++;
			continue;
		}
		if (old->gfn <= new.gfn && end_of(old) >= end_of(&new)) { /* the common case */
			old->count += new.count;
			return;
		}
		new.npages = MAX(end_of(old), end_of(&new)) - MIN(old->gfn, new.gfn);
		new.gfn = MIN(old->gfn, new.gfn);
		new.count += old->count;
		remove_range(f, i);
		least = 0;
		i = 0;
	}
	if (f->n_ranges == FINDING_RANGES)
		f->more_ranges = true;
	else
		least = f->n_ranges++;
	put(f, least, new);
}

/* ---- evidence ---- */

/* Cases may come by the million: when there are enough, now and then one takes an old one's place.
 */
#define EVIDENCE_EVERY_NS 1000000ull

void finding_add_evidence(struct finding *f, const struct event *event)
{
	struct event *kept;

	if (f->evidence >= 2 * FINDING_EVIDENCE &&
		event->now_ns - f->evidence_ns < EVIDENCE_EVERY_NS)
		return;
	kept = f->evidence < FINDING_EVIDENCE ? &f->first[f->evidence]
					      : &f->last[f->evidence % FINDING_EVIDENCE];
	*kept = *event;
	kept->vm = NULL; /* nobody knows how long it lives */
	kept->host = NULL;
	kept->resident = NULL;
	kept->judgement = NULL;
	f->evidence++;
	f->evidence_ns = event->now_ns;
}

const struct event *finding_evidence(const struct finding *f, uint64_t i)
{
	uint64_t later = f->evidence > FINDING_EVIDENCE ? f->evidence - FINDING_EVIDENCE : 0;
	uint64_t skipped = later > FINDING_EVIDENCE ? later - FINDING_EVIDENCE : 0;

	if (i >= f->evidence - skipped)
		return NULL;
	return i < FINDING_EVIDENCE ? &f->first[i] : &f->last[(i + skipped) % FINDING_EVIDENCE];
}
