/* SPDX-License-Identifier: GPL-2.0-only */
#include "metrics/metrics_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/place.h"

/* In decimal, as people ask for them. 1.0, not 1: one spelling for both formats, or it would be two
 * series. */
const struct latency_bound latency_bounds[LATENCY_BOUNDS] = {
	{1000, "1e-06"},
	{5000, "5e-06"},
	{10000, "1e-05"},
	{50000, "5e-05"},
	{100000, "0.0001"},
	{500000, "0.0005"},
	{1000000, "0.001"},
	{5000000, "0.005"},
	{10000000, "0.01"},
	{50000000, "0.05"},
	{100000000, "0.1"},
	{500000000, "0.5"},
	{1000000000, "1.0"},
	{5000000000, "5.0"},
	{10000000000, "10.0"},
};

/* ---- VMs ---- */

static size_t place_of(const struct metrics *m, uint32_t vm)
{
	return PLACE(m->n, i, m->entries[i]->vm < vm);
}

static bool make_room(struct metrics *m)
{
	size_t size = m->size ? 2 * m->size : 16;
	struct entry **grown;

	if (m->n < m->size)
		return true;
	grown = reallocarray(m->entries, size, sizeof(*grown));
	if (!grown)
		return false;
	m->entries = grown;
	m->size = size;
	return true;
}

/* Whether it has series of its own is decided once: a VM that came or went would make sums jump. */
static void choose(struct metrics *m, struct entry *entry)
{
	entry->own = m->n_own < m->options.max_vms;
	if (entry->own)
		m->n_own++;
	else
		m->put_in_other++;
}

static struct entry *add(struct metrics *m, size_t at, uint32_t vm)
{
	struct entry *entry;

	if (!make_room(m))
		return NULL;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	entry->vm = vm;
	choose(m, entry);
	memmove(&m->entries[at + 1], &m->entries[at], (m->n - at) * sizeof(*m->entries));
	m->entries[at] = entry;
	m->n++;
	return entry;
}

struct entry *metrics_entry(struct metrics *m, uint32_t vm)
{
	size_t at = m->last;

	if (at < m->n && m->entries[at]->vm == vm)
		return m->entries[at];
	at = place_of(m, vm);
	m->last = at;
	if (at < m->n && m->entries[at]->vm == vm)
		return m->entries[at];
	return add(m, at, vm);
}

static void forget(struct metrics *m, const struct vm *vm)
{
	size_t at = place_of(m, vm->id);
	struct entry *entry = at < m->n ? m->entries[at] : NULL;

	if (!entry || entry->vm != vm->id)
		return;
	if (entry->own && !entry->over)
		m->n_own--;
	if (!entry->own) {
		struct figures figures = {};

		figures_of(&figures, m, entry, vm, true);
		figures_add(m->gone, &figures);
	}
	free(entry);
	m->n--;
	memmove(&m->entries[at], &m->entries[at + 1], (m->n - at) * sizeof(*m->entries));
}

/* ---- events ---- */

static void add_latency(struct counts *counts, uint64_t ns)
{
	size_t i = 0;

	while (i < LATENCY_BOUNDS && ns > latency_bounds[i].ns)
		i++;
	counts->latency[i]++;
	counts->latency_ns += ns;
}

static void count_verdict(struct counts *counts, const struct event *event)
{
	const struct kes_judgement *judgement = event->judgement;

	if (!judgement->set && !(event->judged & KES_F_FOUND))
		return; /* the proof's */
	if (judgement->action < KES_ACTIONS)
		counts->verdicts[0][judgement->action]++;
	if (judgement->would_line && judgement->would < KES_ACTIONS)
		counts->verdicts[1][judgement->would]++;
}

/* Records may say anything. */
static uint32_t known_reason(uint32_t reason)
{
	return reason && reason < KES_REASON_MAX ? reason : KES_REASON_UNKNOWN;
}

static void count(struct counts *counts, const struct event *event)
{
	switch (event->kind) {
	case EVENT_CONVERTED:
		if (event->to < PAGE_UNKNOWN)
			counts->moved[event->to]++;
		break;
	case EVENT_DENIED:
		counts->failed[FAILURE_DENIED]++;
		break;
	case EVENT_UNANSWERED:
		counts->failed[FAILURE_UNANSWERED]++;
		break;
	case EVENT_NO_ANSWER:
		counts->failed[FAILURE_UNSEEN]++;
		break;
	case EVENT_REFUSED:
		counts->failed[FAILURE_REFUSED + known_reason(event->reason)]++;
		break;
	case EVENT_VERDICT:
		count_verdict(counts, event);
		break;
	default:
		return;
	}
	if (event->has_latency && (event->kind == EVENT_CONVERTED || event->kind == EVENT_DENIED))
		add_latency(counts, event->latency_ns);
}

int metrics_event(struct metrics *m, const struct event *event)
{
	struct entry *entry;

	m->collected += event->kind == EVENT_TIME;
	if (!event->vm)
		return 0;
	if (event->kind == EVENT_FORGOTTEN) {
		forget(m, event->vm);
		return 0;
	}
	entry = metrics_entry(m, event->vm->id);
	if (!entry)
		return -ENOMEM;
	count(&entry->counts, event);
	count(&m->host, event);
	return 0;
}

static uint8_t *open_of(struct metrics *m, uint32_t vm)
{
	size_t at = place_of(m, vm);

	if (!vm)
		return m->open;
	return at < m->n && m->entries[at]->vm == vm ? m->entries[at]->open : NULL;
}

void metrics_finding(struct metrics *m, const struct finding *f, enum finding_phase phase)
{
	uint8_t *open = open_of(m, f->vm);

	if (phase == PHASE_BEGIN) {
		m->begun[f->kind][f->severity]++;
		if (open && f->vm)
			metrics_entry(m, f->vm)->counts.begun[f->severity]++;
	}
	if (open) /* it may have been forgotten meanwhile */
		open[f->kind] = phase == PHASE_END ? 0 : (uint8_t)(f->severity + 1);
}

void counts_add(struct counts *counts, const struct counts *other)
{
	_Static_assert(sizeof(*counts) % sizeof(uint64_t) == 0, "nothing but numbers");
	const uint64_t *from = (const uint64_t *)other;
	uint64_t *to = (uint64_t *)counts;

	for (size_t i = 0; i < sizeof(*counts) / sizeof(uint64_t); i++)
		to[i] += from[i];
}

/* ---- life cycle ---- */

const char *metrics_detail_name(enum metrics_detail detail)
{
	static const char *const names[] = {
		[METRICS_HOST] = "host", [METRICS_BASIC] = "basic", [METRICS_FULL] = "full"};
	_Static_assert(ARRAY_SIZE(names) == METRICS_DETAILS, "a name for each detail");

	return names[detail];
}

int metrics_new(struct metrics **ret, const struct metrics_options *options)
{
	_cleanup_(metrics_free) struct metrics *m = calloc(1, sizeof(*m));

	if (m)
		m->gone = calloc(1, sizeof(*m->gone));
	if (!m || !m->gone)
		return -ENOMEM;
	metrics_set_options(m, options);
	*ret = TAKE_PTR(m);
	return 0;
}

static void forget_all(struct metrics *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->entries[i]);
	m->n = m->n_own = 0;
}

void metrics_free(struct metrics **metrics)
{
	struct metrics *m = *metrics;

	if (!m)
		return;
	forget_all(m);
	free(m->entries);
	free(m->gone);
	free(m);
	*metrics = NULL;
}

void metrics_set_options(struct metrics *m, const struct metrics_options *options)
{
	m->options = *options;
	if (m->options.max_vms > METRICS_VMS_MAX)
		m->options.max_vms = METRICS_VMS_MAX;
}

static void take_open(struct metrics *m, struct detect *detect)
{
	size_t n;
	const struct finding *const *list = detect_findings(detect, &n);

	for (size_t i = 0; list && i < n; i++)
		if (list[i]->state == FINDING_OPEN)
			metrics_finding(m, list[i], PHASE_UPDATE);
}

int metrics_watch(struct metrics *m, const struct model *model, struct detect *detect)
{
	forget_all(m);
	m->model = model;
	for (size_t i = 0; i < model_vm_count(model); i++)
		if (!metrics_entry(m, model_vm(model, i)->id))
			return -ENOMEM;
	if (detect)
		take_open(m, detect);
	return 0;
}
