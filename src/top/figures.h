/* SPDX-License-Identifier: GPL-2.0-only */
/* One VM's figures, in parts that are put one below the other: who it is, its memory, its figures
 * over time, latency, counters, open requests, findings, ranges. */
#ifndef TOP_FIGURES_H
#define TOP_FIGURES_H

#include "top/top_private.h"

/* Where the next part goes. What is below the cells is not seen. */
struct figures {
	struct top *top;
	struct cells *cells;
	int x, y, width;
};

void figures_who(struct figures *page, const struct row *row, const struct vm *vm);
void figures_memory(struct figures *page, const struct row *row, const struct vm *vm);
void figures_time(struct figures *page, const struct vm_stats *v, const struct row *row);
void figures_latency(struct figures *page, const struct vm_stats *v);
void figures_counters(struct figures *page, const struct vm_stats *v);
void figures_requests(struct figures *page, const struct vm *vm);
void figures_findings(struct figures *page, uint32_t vm);
void figures_ranges(struct figures *page, const struct vm *vm);

#endif
