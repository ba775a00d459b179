/* SPDX-License-Identifier: GPL-2.0-only */
#include "top/stats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/place.h"

#define RECENT_NS MINUTE_NS

struct stats {
	const struct model *model;
	struct vm_stats **vms; /* in order of id */
	size_t n, capacity;
	struct host_stats host;
	uint8_t host_open[FINDING_KINDS];
	uint64_t interval_ns;
	uint64_t first_ns, tick_ns, recent_ns; /* 0: nothing came yet */
	uint64_t now_ns, ticks;
};

int stats_new(struct stats **ret, uint64_t interval_ns)
{
	struct stats *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->interval_ns = interval_ns;
	*ret = s;
	return 0;
}

static void free_vm(struct vm_stats *v)
{
	free(v->heat);
	free(v);
}

static void forget_all(struct stats *s)
{
	for (size_t i = 0; i < s->n; i++)
		free_vm(s->vms[i]);
	s->n = 0;
}

void stats_free(struct stats **stats)
{
	struct stats *s = *stats;

	if (!s)
		return;
	forget_all(s);
	free(s->vms);
	free(s);
	*stats = NULL;
}

void stats_watch(struct stats *s, const struct model *model)
{
	forget_all(s);
	s->model = model;
	s->host = (struct host_stats){};
	memset(s->host_open, 0, sizeof(s->host_open));
	s->first_ns = s->tick_ns = s->recent_ns = s->now_ns = s->ticks = 0;
}

void stats_set_interval(struct stats *s, uint64_t interval_ns)
{
	s->interval_ns = interval_ns;
}

uint64_t stats_interval(const struct stats *s)
{
	return s->interval_ns;
}

/* ---- VMs ---- */

/* The place of the VM with this id, or where it would go. */
static size_t place_of(const struct stats *s, uint32_t vm)
{
	if (s->n && s->vms[s->n - 1]->vm->id < vm) /* a new one comes last, as a rule */
		return s->n;
	return PLACE(s->n, i, s->vms[i]->vm->id < vm);
}

static struct vm_stats *find(const struct stats *s, uint32_t vm)
{
	size_t at = place_of(s, vm);

	return at < s->n && s->vms[at]->vm->id == vm ? s->vms[at] : NULL;
}

static int make_room(struct stats *s)
{
	size_t capacity = s->capacity ? 2 * s->capacity : 16;
	struct vm_stats **grown;

	if (s->n < s->capacity)
		return 0;
	grown = reallocarray(s->vms, capacity, sizeof(struct vm_stats *));
	if (!grown)
		return -ENOMEM;
	s->vms = grown;
	s->capacity = capacity;
	return 0;
}

static struct vm_stats *add(struct stats *s, const struct vm *vm)
{
	size_t at = place_of(s, vm->id);
	struct vm_stats *v;

	if (make_room(s))
		return NULL;
	v = calloc(1, sizeof(*v));
	if (!v)
		return NULL;
	v->vm = vm;
	memmove(&s->vms[at + 1], &s->vms[at], (s->n - at) * sizeof(struct vm_stats *));
	s->vms[at] = v;
	s->n++;
	return v;
}

static void forget(struct stats *s, uint32_t vm)
{
	size_t at = place_of(s, vm);

	if (at >= s->n || s->vms[at]->vm->id != vm)
		return;
	free_vm(s->vms[at]);
	s->n--;
	memmove(&s->vms[at], &s->vms[at + 1], (s->n - at) * sizeof(struct vm_stats *));
}

/* ---- totals and rates ---- */

const struct vm_counters *vm_stats_counters(
	const struct stats *s, const struct vm_stats *v, bool *ret_process)
{
	const struct vm_counters *process = model_process_counters(s->model, v->vm->pid);

	*ret_process = process != NULL;
	return process ?: &v->vm->counters;
}

static uint64_t sum(const uint64_t *values, size_t n)
{
	uint64_t total = 0;

	for (size_t i = 0; i < n; i++)
		total += values[i];
	return total;
}

/* Since the VM's first record. */
static void totals_of(const struct stats *s, const struct vm_stats *v, uint64_t ret[FLOWS])
{
	const struct ledger_totals *ledger = &v->vm->totals;
	bool process;
	const struct vm_counters *counters = vm_stats_counters(s, v, &process);

	ret[FLOW_TO_SHARED] = v->seen[0];
	ret[FLOW_TO_PRIVATE] = v->seen[1];
	ret[FLOW_REFUSED] = ledger->refused + ledger->denied;
	ret[FLOW_VETOED] = v->counted ? v->refused : ledger->vetoed;
	ret[FLOW_HYPERCALLS] = sum(counters->hypercalls, KES_HYPERCALLS);
	ret[FLOW_EXITS] = sum(counters->exits, KES_EXIT_REASONS) +
			  sum(counters->exit_errors, KES_EXIT_REASONS);
}

/* What a process's counters were before it had a second VM may be more than they are after. */
static uint64_t above(uint64_t value, uint64_t base)
{
	return value > base ? value - base : 0;
}

uint64_t stats_total(const struct stats *s, const struct vm_stats *v, enum flow flow)
{
	uint64_t totals[FLOWS];

	totals_of(s, v, totals);
	return above(totals[flow], v->zero[flow]);
}

static uint32_t saturated(uint64_t value)
{
	return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

static void remember(uint32_t shared[], uint32_t moves[], uint16_t *n, uint16_t *at,
	uint64_t shared_now, uint64_t moves_now)
{
	shared[*at] = saturated(shared_now);
	moves[*at] = saturated(moves_now);
	*at = (uint16_t)((*at + 1) % STATS_HISTORY);
	if (*n < STATS_HISTORY)
		++*n;
}

size_t stats_history(
	const uint32_t history[STATS_HISTORY], uint16_t n, uint16_t at, uint32_t out[STATS_HISTORY])
{
	for (size_t i = 0; i < n; i++)
		out[i] = history[((size_t)at + STATS_HISTORY - n + i) % STATS_HISTORY];
	return n;
}

static uint64_t tick_vm(struct stats *s, struct vm_stats *v, double seconds)
{
	uint64_t totals[FLOWS], moves;

	totals_of(s, v, totals);
	moves = above(totals[FLOW_TO_SHARED], v->last[FLOW_TO_SHARED]) +
		above(totals[FLOW_TO_PRIVATE], v->last[FLOW_TO_PRIVATE]);
	for (int i = 0; i < FLOWS; i++)
		v->rates[i] = (double)above(totals[i], v->last[i]) / seconds;
	memcpy(v->last, totals, sizeof(totals));
	remember(v->shared, v->moves, &v->n_history, &v->at, v->vm->shared, moves);
	return moves;
}

static int restore_vm(struct stats *s, const struct vm *vm)
{
	struct vm_stats *v = add(s, vm);

	if (!v)
		return -ENOMEM;
	v->seen[0] = vm->totals.converted - vm->totals.to_private;
	v->seen[1] = vm->totals.to_private;
	totals_of(s, v, v->last);
	return 0;
}

int stats_restore(struct stats *s)
{
	int r = 0;

	s->now_ns = s->first_ns = model_now(s->model) ?: 1;
	s->tick_ns = s->recent_ns = s->now_ns;
	for (size_t i = 0; i < model_vm_count(s->model) && !r; i++)
		r = restore_vm(s, model_vm(s->model, i));
	return r;
}

/* Processes with several VMs have their counts in each of them: once is enough for the host. */
static bool counts_for_host(const struct stats *s, size_t index)
{
	bool process;

	vm_stats_counters(s, s->vms[index], &process);
	for (size_t i = 0; process && i < index; i++)
		if (s->vms[i]->vm->pid == s->vms[index]->vm->pid)
			return false;
	return true;
}

static void tick(struct stats *s, uint64_t now_ns)
{
	double seconds = (double)(now_ns - s->tick_ns) / 1e9;
	uint64_t shared = 0, moves = 0;

	memset(s->host.rates, 0, sizeof(s->host.rates));
	for (size_t i = 0; i < s->n; i++) {
		struct vm_stats *v = s->vms[i];
		bool counts = counts_for_host(s, i);

		moves += tick_vm(s, v, seconds);
		shared += v->vm->alive ? v->vm->shared : 0;
		for (int flow = 0; flow < FLOWS; flow++)
			if (flow < FLOW_HYPERCALLS || counts)
				s->host.rates[flow] += v->rates[flow];
	}
	remember(s->host.shared, s->host.moves, &s->host.n_history, &s->host.at, shared, moves);
	s->host.seconds_ns = now_ns - s->tick_ns;
	s->tick_ns = now_ns;
	s->ticks++;
}

static void turn_recent(struct stats *s)
{
	for (size_t i = 0; i < s->n; i++) {
		s->vms[i]->recent[1] = s->vms[i]->recent[0];
		s->vms[i]->recent[0] = (struct latency){};
	}
	s->recent_ns = s->now_ns;
}

void stats_close(struct stats *s, bool whole)
{
	uint64_t now_ns = s->model ? model_now(s->model) : 0;

	if (!s->first_ns)
		return;
	s->now_ns = now_ns > s->now_ns ? now_ns : s->now_ns;
	if (whole) {
		for (size_t i = 0; i < s->n; i++)
			memset(s->vms[i]->last, 0, sizeof(s->vms[i]->last));
		s->tick_ns = s->first_ns;
	}
	/* A rest that is much shorter than an interval would give rates that mean nothing. */
	if (s->now_ns - s->tick_ns >= s->interval_ns / 2 ||
		(s->now_ns > s->tick_ns && (whole || !s->ticks)))
		tick(s, s->now_ns);
}

void stats_reset(struct stats *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct vm_stats *v = s->vms[i];

		totals_of(s, v, v->zero);
		v->latency = v->recent[0] = v->recent[1] = (struct latency){};
	}
}

/* ---- events ---- */

/* The time passes: an interval may have ended. TIME comes once a second, a bit early or late, with
 * the kernel's counts: that is the best moment. */
static void pass_time(struct stats *s, const struct event *event)
{
	uint64_t slack = event->kind == EVENT_TIME ? s->interval_ns / 8 : 0;

	if (!s->first_ns) {
		s->first_ns = event->now_ns ?: 1;
		s->tick_ns = s->recent_ns = s->first_ns;
	}
	s->now_ns = event->now_ns > s->now_ns ? event->now_ns : s->now_ns;
	if (s->now_ns - s->tick_ns >= s->interval_ns - slack)
		tick(s, s->now_ns);
	if (s->now_ns - s->recent_ns >= RECENT_NS)
		turn_recent(s);
}

static int heat_up(struct vm_stats *v, const struct event *event)
{
	bool moves = event->kind == EVENT_CONVERTED || event->kind == EVENT_NO_ANSWER ||
		     event->kind == EVENT_ATTRIBUTES || event->kind == EVENT_RESET;

	if (!v->heat && moves) {
		v->heat = calloc(1, sizeof(*v->heat));
		if (!v->heat)
			return -ENOMEM;
	}
	if (v->heat)
		heat_event(v->heat, event);
	return 0;
}

int stats_event(struct stats *s, const struct event *event)
{
	struct vm_stats *v;

	pass_time(s, event);
	if (!event->vm) {
		for (size_t i = 0; event->kind == EVENT_LOSS && i < s->n; i++)
			if (s->vms[i]->heat)
				heat_lost(s->vms[i]->heat, event->now_ns);
		return 0;
	}
	if (event->kind == EVENT_FORGOTTEN) {
		forget(s, event->vm->id);
		return 0;
	}
	v = find(s, event->vm->id);
	if (!v)
		v = add(s, event->vm);
	if (!v)
		return -ENOMEM;
	if (event->kind == EVENT_VERDICT && !v->counted && policy_mode_of(event) > v->policy)
		v->policy = policy_mode_of(event);
	if (event->kind == EVENT_CONVERTED)
		v->seen[event->to == PAGE_PRIVATE]++;
	if (event->has_latency && (event->kind == EVENT_CONVERTED || event->kind == EVENT_DENIED)) {
		latency_add(&v->latency, event->latency_ns);
		latency_add(&v->recent[0], event->latency_ns);
	}
	return heat_up(v, event);
}

void stats_finding(struct stats *s, const struct finding *f, enum finding_phase phase)
{
	struct vm_stats *v = f->vm ? find(s, f->vm) : NULL;
	uint8_t *open = v ? v->open : s->host_open;

	if (f->vm && !v)
		return; /* it was forgotten meanwhile */
	open[f->kind] = phase == PHASE_END ? 0 : (uint8_t)(f->severity + 1);
}

/* ---- policies ---- */

/* What was refused before it was read for the first time is no rate. */
static void take_refused(struct vm_stats *v, uint64_t refused)
{
	if (!v->counted)
		v->last[FLOW_VETOED] = refused;
	v->counted = true;
	v->refused = refused;
}

void stats_policy(struct stats *s, const struct vm_policy *vms, size_t n, enum policy_mode mode)
{
	size_t at = 0;

	for (size_t i = 0; i < s->n; i++) {
		struct vm_stats *v = s->vms[i];

		if (!v->vm->alive)
			continue; /* as it was when it ended */
		while (at < n && vms[at].vm < v->vm->id)
			at++;
		v->policy = mode;
		if (at == n || vms[at].vm != v->vm->id)
			continue;
		v->policy = vms[at].mode;
		take_refused(v, vms[at].refused);
	}
}

/* ---- reading ---- */

uint64_t stats_ticks(const struct stats *s)
{
	return s->ticks;
}

size_t stats_count(const struct stats *s)
{
	return s->n;
}

const struct vm_stats *stats_at(const struct stats *s, size_t index)
{
	return s->vms[index];
}

const struct vm_stats *stats_find(const struct stats *s, uint32_t vm)
{
	return find(s, vm);
}

static unsigned int count_open(const uint8_t open[FINDING_KINDS], unsigned int ret[SEVERITIES])
{
	unsigned int n = 0;

	for (int i = 0; i < FINDING_KINDS; i++)
		if (open[i]) {
			ret[open[i] - 1]++;
			n++;
		}
	return n;
}

unsigned int vm_stats_open(const struct vm_stats *v, unsigned int ret_open[SEVERITIES])
{
	memset(ret_open, 0, SEVERITIES * sizeof(*ret_open));
	return count_open(v->open, ret_open);
}

const struct host_stats *stats_host(const struct stats *s)
{
	struct host_stats *host = (struct host_stats *)&s->host;

	memset(host->open, 0, sizeof(host->open));
	count_open(s->host_open, host->open);
	for (size_t i = 0; i < s->n; i++)
		count_open(s->vms[i]->open, host->open);
	return host;
}
