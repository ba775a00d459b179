/* SPDX-License-Identifier: GPL-2.0-only */
#include "top/rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct row *rows_add(struct rows *rows)
{
	size_t capacity = rows->capacity ? 2 * rows->capacity : 16;
	struct row *grown;

	if (rows->n == rows->capacity) {
		grown = reallocarray(rows->rows, capacity, sizeof(*grown));
		if (!grown)
			return NULL;
		rows->rows = grown;
		rows->capacity = capacity;
	}
	grown = &rows->rows[rows->n++];
	memset(grown, 0, sizeof(*grown));
	return grown;
}

void rows_free(struct rows *rows)
{
	free(rows->rows);
	*rows = (struct rows){};
}

static void take_who(struct row *row, const struct vm *vm)
{
	row->id = vm->id;
	row->pid = vm->pid;
	row->uid = vm->uid;
	row->type = vm->type;
	row->vcpus = vm->vcpus;
	row->alive = vm->alive;
	vm_label_short(vm, row->name);
	name_short(vm->text[KES_TEXT_CGROUP], row->cgroup);
	name_short(vm->text[KES_TEXT_UUID], row->uuid);
}

static void take_pages(struct row *row, const struct vm *vm, uint64_t now_ns)
{
	uint64_t oldest_ns = 0;

	row->memory = vm_memory_pages(vm) << 12;
	row->shared = vm->shared << 12;
	row->has_map = vm_has_map(vm);
	row->has_host = vm_has_host_plane(vm);
	row->confidence = vm_confidence(vm, PLANE_GUEST);
	if (row->has_host)
		row->host = vm_confidence(vm, PLANE_HOST);
	row->lost = vm_lost(vm);
	row->open_requests = vm_open_requests(vm, &oldest_ns);
	if (row->open_requests && now_ns > oldest_ns)
		row->oldest_ns = now_ns - oldest_ns;
}

static void take_figures(struct row *row, const struct stats *stats, const struct vm_stats *v)
{
	uint32_t shared[STATS_HISTORY];
	size_t n = stats_history(v->shared, v->n_history, v->at, shared);

	memcpy(row->rates, v->rates, sizeof(row->rates));
	for (int i = 0; i < FLOWS; i++)
		row->totals[i] = stats_total(stats, v, (enum flow)i);
	row->p50_ns = latency_permille(&v->recent[0], &v->recent[1], 500);
	row->p99_ns = latency_permille(&v->recent[0], &v->recent[1], 990);
	vm_stats_open(v, row->open);
	row->policy = v->policy;
	vm_stats_counters(stats, v, &row->process);
	row->n_spark = n < ROW_SPARK ? n : ROW_SPARK;
	memcpy(row->spark, shared + n - row->n_spark, row->n_spark * sizeof(*shared));
}

void row_take(struct row *row, const struct stats *stats, const struct vm_stats *v, uint64_t now_ns)
{
	*row = (struct row){};
	take_who(row, v->vm);
	take_pages(row, v->vm, now_ns);
	take_figures(row, stats, v);
}

int rows_take(struct rows *rows, const struct stats *stats, uint64_t now_ns, bool ended)
{
	rows->n = 0;
	for (size_t i = 0; i < stats_count(stats); i++) {
		const struct vm_stats *v = stats_at(stats, i);
		struct row *row;

		if (!v->vm->alive && !ended)
			continue;
		row = rows_add(rows);
		if (!row)
			return -ENOMEM;
		row_take(row, stats, v, now_ns);
	}
	return 0;
}

double row_shared_percent(const struct row *row)
{
	return row->memory ? 100.0 * (double)row->shared / (double)row->memory : 0;
}
