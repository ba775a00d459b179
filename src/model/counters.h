/* SPDX-License-Identifier: GPL-2.0-only */
/* Exits and hypercalls, which the kernel half only counts; and those of processes with several VMs,
 * which are no one VM's. */
#ifndef MODEL_COUNTERS_H
#define MODEL_COUNTERS_H

#include "model/vm.h"

struct process {
	uint32_t pid;
	struct vm_counters counters;
};
#define PROCESSES_MAX 4096

/* Zero-initialized. */
struct processes {
	struct process *list;
	size_t n;
};

/* Sets one counter to its new total; indexes out of range are passed over. */
void counters_set(struct vm_counters *counters, const struct kes_count *count);

/* The process's counters; NULL if there are none. */
struct vm_counters *processes_find(const struct processes *processes, uint32_t pid);

/* The same, made when there are none; NULL when there are too many, or no memory. */
struct vm_counters *processes_add(struct processes *processes, uint32_t pid);

void processes_forget(struct processes *processes, uint32_t pid);
void processes_free(struct processes *processes);

#endif
