/* SPDX-License-Identifier: GPL-2.0-only */
#include "model/counters.h"

#include <stdlib.h>

void counters_set(struct vm_counters *counters, const struct kes_count *count)
{
	if (count->counter == KES_COUNTER_EXIT && count->index < KES_EXIT_REASONS)
		counters->exits[count->index] = count->total;
	else if (count->counter == KES_COUNTER_EXIT_ERROR && count->index < KES_EXIT_REASONS)
		counters->exit_errors[count->index] = count->total;
	else if (count->counter == KES_COUNTER_HYPERCALL && count->index < KES_HYPERCALLS)
		counters->hypercalls[count->index] = count->total;
}

struct vm_counters *processes_find(const struct processes *processes, uint32_t pid)
{
	for (size_t i = 0; i < processes->n; i++)
		if (processes->list[i].pid == pid)
			return &processes->list[i].counters;
	return NULL;
}

struct vm_counters *processes_add(struct processes *processes, uint32_t pid)
{
	struct vm_counters *counters = processes_find(processes, pid);
	struct process *grown;

	if (counters || processes->n == PROCESSES_MAX)
		return counters;
	grown = reallocarray(processes->list, processes->n + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	processes->list = grown;
	grown[processes->n] = (struct process){.pid = pid};
	return &grown[processes->n++].counters;
}

void processes_forget(struct processes *processes, uint32_t pid)
{
	for (size_t i = 0; i < processes->n; i++)
		if (processes->list[i].pid == pid) {
			processes->list[i] = processes->list[--processes->n];
			return;
		}
}

void processes_free(struct processes *processes)
{
	free(processes->list);
	*processes = (struct processes){0};
}
