/* SPDX-License-Identifier: GPL-2.0-only */
#include "top/figures.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "output/findings.h"

#define RANGES_SHOWN 200

static void heading(struct figures *page, const char *text)
{
	if (page->y)
		page->y++;
	cells_text(page->cells, page->x, page->y++, page->width, PEN_BOLD(ROLE_LABEL), text);
}

#define NAMES 12 /* columns */

/* How much of a text to put into a line: all, or up to the last blank that fits. */
static size_t line_bytes(const char *text, int width)
{
	size_t n = strlen(text);

	if (text_width(text) <= width)
		return n;
	for (size_t i = n < (size_t)width ? n : (size_t)width; i > 0; i--)
		if (text[i] == ' ')
			return i;
	return n;
}

static void pair(struct figures *page, const char *name, enum role role, const char *value)
{
	int width = page->width - NAMES;

	cells_text(page->cells, page->x, page->y, NAMES, PEN(ROLE_DIM), name);
	do {
		size_t n = line_bytes(value, width);

		cells_format(page->cells, page->x + NAMES, page->y++, width, PEN(role), "%.*s",
			(int)n, value);
		value += n;
		value += strspn(value, " ");
	} while (*value);
}

static void note(struct figures *page, const char *text)
{
	cells_text(page->cells, page->x, page->y++, page->width, PEN(ROLE_DIM), text);
}

/* ---- parts ---- */

void figures_who(struct figures *page, const struct row *row, const struct vm *vm)
{
	char text[256], type[16];

	snprintf(text, sizeof(text), "%s, %s%s", vm_type_name(vm->type, type),
		vm->alive ? "alive" : "ended", vm->born ? "" : ", ran before it was watched");
	pair(page, "type", ROLE_TEXT, text);
	snprintf(text, sizeof(text), "%u, user %u, %u vCPUs", vm->pid, vm->uid, vm->vcpus);
	pair(page, "process", ROLE_TEXT, text);
	if (*row->uuid)
		pair(page, "uuid", ROLE_TEXT, row->uuid);
	if (*row->cgroup)
		pair(page, "cgroup", ROLE_TEXT, row->cgroup);
}

static void draw_pages(struct figures *page, const struct vm *vm, enum plane plane)
{
	uint64_t counts[PAGE_STATES];
	char text[256], bytes[3][24];

	vm_count(vm, plane, counts);
	snprintf(text, sizeof(text), "private %s  shared %s  unknown %s  (%s)",
		bytes_short(counts[PAGE_PRIVATE] << 12, bytes[0]),
		bytes_short(counts[PAGE_SHARED] << 12, bytes[1]),
		bytes_short(counts[PAGE_UNKNOWN] << 12, bytes[2]),
		confidence_name(vm_confidence(vm, plane)));
	pair(page, plane_name(plane), ROLE_TEXT, text);
}

void figures_memory(struct figures *page, const struct row *row, const struct vm *vm)
{
	char text[128], bytes[2][24];
	int bar = page->width - 12 - 8;

	heading(page, "Memory");
	snprintf(text, sizeof(text), "%s in %zu memslots",
		row->memory ? bytes_short(row->memory, bytes[0]) : "?", vm->n_memslots);
	pair(page, "guest has", ROLE_TEXT, text);
	if (row->has_map && row->memory && bar > 4) {
		bar = bar > 50 ? 50 : bar;
		cells_text(page->cells, page->x, page->y, 12, PEN(ROLE_DIM), "shared");
		cells_put(page->cells, page->x + 12, page->y, '[', PEN(ROLE_DIM));
		cells_bar(page->cells, page->x + 13, page->y, bar - 2,
			row_shared_percent(row) / 100, PEN(ROLE_SHARED));
		cells_put(page->cells, page->x + 11 + bar, page->y, ']', PEN(ROLE_DIM));
		cells_format(page->cells, page->x + 13 + bar, page->y, 7, PEN(ROLE_SHARED),
			"%.1f%%", row_shared_percent(row));
		page->y++;
	}
	if (row->has_map)
		draw_pages(page, vm, PLANE_GUEST);
	if (row->has_host)
		draw_pages(page, vm, PLANE_HOST);
}

static void draw_history(struct figures *page, const struct vm_stats *v, const uint32_t values[],
	const char *name, enum role role, const char *most_text)
{
	uint32_t ordered[STATS_HISTORY];
	size_t n = stats_history(values, v->n_history, v->at, ordered);
	int width = page->width - 12 - 10;

	width = width > STATS_HISTORY ? STATS_HISTORY : width;
	if (width < 8)
		return;
	cells_text(page->cells, page->x, page->y, 12, PEN(ROLE_DIM), name);
	cells_spark(page->cells, page->x + 12, page->y, width, PEN(role), ordered, n);
	cells_text(page->cells, page->x + 12 + width + 1, page->y, 9, PEN(role), most_text);
	page->y++;
}

void figures_time(struct figures *page, const struct vm_stats *v, const struct row *row)
{
	char text[128], rates[4][24];

	heading(page, "Over time, an interval each");
	draw_history(page, v, v->shared, "shared", ROLE_SHARED, bytes_short(row->shared, rates[0]));
	snprintf(text, sizeof(text), "%s/s",
		rate_short(row->rates[FLOW_TO_SHARED] + row->rates[FLOW_TO_PRIVATE], rates[0]));
	draw_history(page, v, v->moves, "conversions", ROLE_PRIVATE, text);
	snprintf(text, sizeof(text), "%s to shared, %s to private, %s refused, %s vetoed",
		count_short(row->totals[FLOW_TO_SHARED], rates[0]),
		count_short(row->totals[FLOW_TO_PRIVATE], rates[1]),
		count_short(row->totals[FLOW_REFUSED], rates[2]),
		count_short(row->totals[FLOW_VETOED], rates[3]));
	pair(page, "in all", ROLE_TEXT, text);
	snprintf(text, sizeof(text), "%llu records", (unsigned long long)row->lost);
	if (row->lost)
		pair(page, "lost", ROLE_WARNING, text);
}

/* ---- latency ---- */

/* A line for each power of two: finer than that nobody reads. */
void figures_latency(struct figures *page, const struct vm_stats *v)
{
	const struct latency *latency = &v->latency, none = {};
	uint64_t most = 0, octaves[LATENCY_OCTAVES + 2] = {};
	char text[128], times[3][24];

	heading(page, "Answers took");
	if (!latency->n) {
		note(page, "nothing was answered");
		return;
	}
	snprintf(text, sizeof(text), "%s p50, %s p99, %s p99.9 of %llu",
		duration_short(latency_permille(latency, &none, 500), times[0]),
		duration_short(latency_permille(latency, &none, 990), times[1]),
		duration_short(latency_permille(latency, &none, 999), times[2]),
		(unsigned long long)latency->n);
	pair(page, "within", ROLE_TEXT, text);
	for (unsigned int i = 0; i < LATENCY_BUCKETS; i++)
		octaves[(i + 3) / 4] += latency->counts[i];
	for (size_t i = 0; i < ARRAY_SIZE(octaves); i++)
		most = octaves[i] > most ? octaves[i] : most;
	for (size_t i = 0; i < ARRAY_SIZE(octaves); i++) {
		int bar = page->width - 12 - 9;

		if (!octaves[i])
			continue;
		bar = bar > 40 ? 40 : bar;
		cells_format(page->cells, page->x, page->y, 11, PEN(ROLE_DIM), "< %s",
			duration_short(1ull << (LATENCY_FIRST + i), times[0]));
		cells_bar(page->cells, page->x + 12, page->y, bar,
			(double)octaves[i] / (double)most, PEN(ROLE_PRIVATE));
		cells_right(page->cells, page->x + 12 + bar, page->y, 8, PEN(ROLE_TEXT),
			count_short(octaves[i], times[1]));
		page->y++;
	}
}

/* ---- counters ---- */

/* KVM_EXIT_* of linux/kvm.h and KVM_HC_* of linux/kvm_para.h, those one meets. */
static const char *exit_name(unsigned int reason)
{
	static const char *const names[] = {"unknown", "exception", "io", "hypercall", "debug",
		"hlt", "mmio", "irq window", "shutdown", "fail entry", "intr", "set tpr",
		"tpr access"};

	return reason < ARRAY_SIZE(names) ? names[reason]
	       : reason == 17             ? "internal error"
	       : reason == 24             ? "system event"
	       : reason == 29             ? "rdmsr"
	       : reason == 30             ? "wrmsr"
	       : reason == 39             ? "memory fault"
					  : NULL;
}

static const char *hypercall_name(unsigned int nr)
{
	static const char *const names[KES_HYPERCALLS] = {[1] = "vapic poll irq",
		[5] = "kick cpu",
		[9] = "clock pairing",
		[10] = "send ipi",
		[11] = "sched yield",
		[12] = "map gpa range",
		[15] = "others"};

	return names[nr];
}

struct counted {
	uint64_t n;
	unsigned int index;
};

static int by_count(const void *a, const void *b)
{
	const struct counted *x = a, *y = b;

	return x->n < y->n ? 1 : x->n > y->n ? -1 : (int)x->index - (int)y->index;
}

#define COUNTERS_SHOWN 6

static void draw_counters(struct figures *page, const char *title, const uint64_t *counters,
	size_t n, const char *(*name)(unsigned int))
{
	struct counted counted[KES_EXIT_REASONS];
	char text[64], count[24];

	for (size_t i = 0; i < n; i++)
		counted[i] = (struct counted){counters[i], (unsigned int)i};
	qsort(counted, n, sizeof(*counted), by_count);
	heading(page, title);
	if (!counted[0].n)
		note(page, "none");
	for (size_t i = 0; i < n && i < COUNTERS_SHOWN && counted[i].n; i++) {
		snprintf(text, sizeof(text), "%s", name(counted[i].index) ?: "");
		if (!*text)
			snprintf(text, sizeof(text), "number %u", counted[i].index);
		cells_right(page->cells, page->x, page->y, 10, PEN(ROLE_TEXT),
			count_short(counted[i].n, count));
		cells_text(page->cells, page->x + 12, page->y++, page->width - 12, PEN(ROLE_DIM),
			text);
	}
}

void figures_counters(struct figures *page, const struct vm_stats *v)
{
	bool process;
	const struct vm_counters *counters = vm_stats_counters(page->top->stats, v, &process);

	draw_counters(page, process ? "Exits of its process" : "Exits to the VMM", counters->exits,
		KES_EXIT_REASONS, exit_name);
	draw_counters(page, "Hypercalls", counters->hypercalls, KES_HYPERCALLS, hypercall_name);
}

/* ---- requests, findings, ranges ---- */

void figures_requests(struct figures *page, const struct vm *vm)
{
	char size[24], age[24];
	size_t open = 0;

	heading(page, "Open requests");
	for (size_t i = 0; i < vm->n_requests && open < 16; i++) {
		const struct request *r = &vm->requests[i];
		uint64_t now = page->top->now_ns;

		if (!r->open)
			continue;
		open++;
		cells_format(page->cells, page->x, page->y++, page->width, PEN(ROLE_NOTICE),
			"vcpu %u  0x%llx+%s  since %s", r->vcpu, (unsigned long long)r->gpa,
			bytes_exact(r->npages << 12, size),
			duration_short(now > r->ts_ns ? now - r->ts_ns : 0, age));
	}
	if (!open)
		note(page, "none");
}

void figures_findings(struct figures *page, uint32_t vm)
{
	static const enum role roles[] = {ROLE_DIM, ROLE_NOTICE, ROLE_WARNING, ROLE_CRITICAL};
	size_t n = 0;

	heading(page, "Findings");
	for (size_t i = 0; i < log_findings(page->top->log) && n < 12; i++) {
		const struct finding *f = log_finding_at(page->top->log, i);

		if (f->vm != vm)
			continue;
		n++;
		cells_text(page->cells, page->x, page->y, 8,
			PEN(f->state == FINDING_ENDED ? ROLE_DIM : roles[f->severity]),
			severity_name(f->severity));
		cells_format(page->cells, page->x + 12, page->y++, page->width - 12,
			PEN(f->state == FINDING_ENDED ? ROLE_DIM : ROLE_TEXT), "%s%s",
			detectors[f->kind]->title, f->state == FINDING_ENDED ? " (ended)" : "");
	}
	if (!n)
		note(page, "none");
}

struct ranges {
	struct figures *page;
	const struct vm *vm;
	size_t n, hidden;
};

static int draw_range(void *context, uint64_t gfn, uint64_t npages, enum page_state state)
{
	struct ranges *ranges = context;
	struct figures *page = ranges->page;
	char size[24];

	if (state == vm_initial_state(ranges->vm, PLANE_GUEST))
		return 0;
	if (ranges->n++ >= RANGES_SHOWN)
		return 0;
	cells_format(page->cells, page->x, page->y, 20, PEN(ROLE_TEXT), "0x%llx",
		(unsigned long long)gfn << 12);
	cells_right(page->cells, page->x + 16, page->y, 9, PEN(ROLE_TEXT),
		bytes_exact(npages << 12, size));
	cells_text(page->cells, page->x + 27, page->y++, page->width - 27,
		PEN(state == PAGE_SHARED ? ROLE_SHARED : ROLE_UNKNOWN), page_state_name(state));
	return 0;
}

void figures_ranges(struct figures *page, const struct vm *vm)
{
	struct ranges ranges = {.page = page, .vm = vm};
	char title[64];

	heading(page, vm->born ? "Ranges that are not private" : "Ranges that are known");
	vm_ranges(vm, PLANE_GUEST, draw_range, &ranges);
	if (!ranges.n)
		note(page, vm_has_map(vm) ? "none" : "it never converted a page");
	snprintf(title, sizeof(title), "... %zu more: kvm-encstat map %u lists them",
		ranges.n - RANGES_SHOWN, vm->id);
	if (ranges.n > RANGES_SHOWN)
		note(page, title);
}
