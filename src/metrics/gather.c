/* SPDX-License-Identifier: GPL-2.0-only */
#include "metrics/metrics_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static uint64_t sum(const uint64_t *values, size_t n)
{
	uint64_t total = 0;

	for (size_t i = 0; i < n; i++)
		total += values[i];
	return total;
}

/* ---- one VM ---- */

static void read_pages(struct figures *f, const struct vm *vm)
{
	f->has_memory = vm->n_memslots;
	f->memory = vm_memory_pages(vm);
	for (int plane = 0; plane < PLANES; plane++)
		if (f->has_plane[plane]) {
			f->confidence[plane] = vm_confidence(vm, (enum plane)plane);
			vm_count(vm, (enum plane)plane, f->pages[plane]);
		}
}

/* What the sequence shows to be missing, the kernel has counted by the next time that its counts
 * are read. Only what it has not by then is a gap, and a counter never goes back. over: it is not
 * asked any more. */
static void find_gap(
	const struct metrics *m, struct entry *entry, uint64_t lost, uint64_t counted, bool over)
{
	uint64_t due = over ? lost : entry->collected < m->collected ? entry->lost : 0;

	if (due > counted && due - counted > entry->gap)
		entry->gap = due - counted;
	entry->lost = lost;
	entry->collected = m->collected;
}

static void read_lost(struct figures *f, const struct metrics *m, struct entry *entry,
	const struct vm *vm, bool over)
{
	uint64_t counted = 0;

	for (int i = 0; i < KES_CAUSE_MAX; i++) {
		f->lost[i] = vm->lost[i];
		if (i != KES_CAUSE_COUNTS_FULL)
			counted += vm->lost[i];
	}
	find_gap(m, entry, vm_lost(vm), counted, over);
	f->lost[LOST_GAP] = entry->gap;
}

static void read_findings(struct figures *f, const struct entry *entry)
{
	f->open_findings = entry->open;
	for (int kind = 0; kind < FINDING_KINDS; kind++)
		if (entry->open[kind])
			f->findings[entry->open[kind] - 1]++;
}

void figures_of(struct figures *f, const struct metrics *m, struct entry *entry,
	const struct vm *vm, bool over)
{
	const struct model *model = m->model;
	uint64_t oldest;

	f->vm = vm;
	f->counts = entry->counts;
	f->counts.failed[FAILURE_VETOED] = vm->totals.vetoed;
	f->totals = vm->totals;
	f->vcpus = vm->vcpus;
	f->resets = vm->resets;
	f->has_exits = !model_process_counters(model, vm->pid);
	if (f->has_exits) {
		f->exits = sum(vm->counters.exits, KES_EXIT_REASONS) +
			   sum(vm->counters.exit_errors, KES_EXIT_REASONS);
		f->hypercalls = sum(vm->counters.hypercalls, KES_HYPERCALLS);
	}
	f->open = vm_open_requests(vm, &oldest);
	if (f->open && model_now(model) > oldest)
		f->oldest_ns = model_now(model) - oldest;
	read_lost(f, m, entry, vm, over);
	read_findings(f, entry);
	f->has_plane[PLANE_GUEST] = vm_has_map(vm);
	f->has_plane[PLANE_HOST] = vm_has_host_plane(vm);
	f->alive = vm->alive;
	if (f->alive)
		read_pages(f, vm);
}

void figures_add(struct figures *to, const struct figures *f)
{
	counts_add(&to->counts, &f->counts);
	to->totals.faults += f->totals.faults;
	to->totals.attributes += f->totals.attributes;
	to->totals.uncommitted += f->totals.uncommitted;
	to->memory += f->memory;
	to->has_memory |= f->has_memory;
	for (int plane = 0; plane < PLANES; plane++) {
		to->has_plane[plane] |= f->alive && f->has_plane[plane];
		for (int state = 0; state < PAGE_STATES; state++)
			to->pages[plane][state] += f->pages[plane][state];
	}
	to->vcpus += f->alive ? f->vcpus : 0;
	to->resets += f->resets;
	to->exits += f->exits;
	to->hypercalls += f->hypercalls;
	to->has_exits |= f->has_exits;
	to->open += f->open;
	if (f->oldest_ns > to->oldest_ns)
		to->oldest_ns = f->oldest_ns;
	for (int i = 0; i < SEVERITIES; i++)
		to->findings[i] += f->findings[i];
	for (int i = 0; i < LOST_CAUSES; i++)
		to->lost[i] += f->lost[i];
}

/* ---- labels ---- */

static void set_labels(struct figures *f)
{
	char name[VM_NAME_SIZE] = "other", label[METRICS_LABEL_SIZE];

	if (f->vm)
		vm_name(f->vm, name, sizeof(name));
	f->n_labels = (size_t)snprintf(f->labels, sizeof(f->labels), "vm=\"%s\",id=\"%u\"",
		metrics_label(name, label), f->vm ? f->vm->id : 0);
}

/* ---- all of them ---- */

/* A VM that ended long ago makes room for another. */
static bool is_over(struct metrics *m, const struct vm *vm)
{
	return !vm->alive && model_now(m->model) - vm->end_ns > METRICS_LINGER_NS;
}

static void count_vm(struct gathered *g, const struct figures *f, const struct entry *entry)
{
	*(f->alive ? &g->running : &g->ended) += 1;
	for (int plane = 0; plane < PLANES; plane++)
		if (f->alive && f->has_plane[plane])
			g->trusted[plane][f->confidence[plane]]++;
	for (int kind = 0; kind < FINDING_KINDS; kind++)
		if (entry->open[kind])
			g->open[kind][entry->open[kind] - 1]++;
}

static int gather_vm(struct metrics *m, struct gathered *g, struct figures *other, size_t index)
{
	const struct vm *vm = model_vm(m->model, index);
	struct entry *entry = metrics_entry(m, vm->id);
	struct figures *f = &g->vms[g->n];

	if (!entry)
		return -ENOMEM;
	memset(f, 0, sizeof(*f));
	figures_of(f, m, entry, vm, !g->view->tool);
	count_vm(g, f, entry);
	if (!entry->own) {
		g->in_other += vm->alive;
		figures_add(other, f);
	} else if (!is_over(m, vm)) {
		set_labels(f);
		g->n++;
	} else if (!entry->over) {
		entry->over = true;
		m->n_own--;
	}
	return 0;
}

static void gather_host(struct metrics *m, struct gathered *g)
{
	model_totals(m->model, &g->totals);
	for (int kind = 0; kind < FINDING_KINDS; kind++)
		if (m->open[kind])
			g->open[kind][m->open[kind] - 1]++;
	for (int i = 0; i < 2; i++)
		g->has_verdicts |= sum(m->host.verdicts[i], KES_ACTIONS) != 0;
	g->has_verdicts |= g->view->enforced != NULL;
}

int metrics_gather(struct metrics *m, const struct metrics_view *view, struct gathered *ret)
{
	_cleanup_(gathered_free) struct gathered g = {.metrics = m, .view = view};
	_cleanup_free_ struct figures *other = malloc(sizeof(*other));
	size_t n = model_vm_count(m->model);
	int r = 0;

	g.vms = calloc(n + 1, sizeof(*g.vms));
	if (!g.vms || !other)
		return -ENOMEM;
	*other = *m->gone;
	other->alive = true;
	for (size_t i = 0; !r && i < n; i++)
		r = gather_vm(m, &g, other, i);
	if (r)
		return r;
	if (m->put_in_other) {
		set_labels(other);
		g.vms[g.n++] = *other;
	}
	gather_host(m, &g);
	*ret = g;
	g.vms = NULL;
	return 0;
}

void gathered_free(struct gathered *g)
{
	free(g->vms);
	g->vms = NULL;
}
