/* SPDX-License-Identifier: GPL-2.0-only */
/* VMs as the table shows them: values, taken down at once, so that a picture that is held still
 * does not depend on what goes on. */
#ifndef TOP_ROWS_H
#define TOP_ROWS_H

#include "output/output.h"
#include "top/stats.h"

#define ROW_SPARK 12

struct row {
	uint32_t id, pid, uid, type, vcpus;
	bool alive, has_map, has_host,
		process; /* process: exits and hypercalls are its process's */
	char name[VM_SHORT_SIZE], cgroup[VM_SHORT_SIZE], uuid[VM_SHORT_SIZE]; /* escaped */
	uint64_t memory, shared; /* bytes; memory 0: not known */
	enum confidence confidence, host;
	double rates[FLOWS];
	uint64_t totals[FLOWS];
	uint64_t lost;
	uint64_t open_requests, oldest_ns; /* the age of the oldest */
	uint64_t p50_ns, p99_ns;           /* 0: nothing was answered */
	unsigned int open[SEVERITIES];     /* findings */
	enum policy_mode policy;
	uint32_t spark[ROW_SPARK];
	size_t n_spark;

	/* the view's */
	bool marked;
	int depth;          /* in a tree */
	unsigned int group; /* a heading of a tree: how many VMs it has; 0: a VM */
};

struct rows {
	struct row *rows;
	size_t n, capacity;
};

/* -ENOMEM. ended: VMs that ended, too. */
int rows_take(struct rows *rows, const struct stats *stats, uint64_t now_ns, bool ended);
/* One VM. */
void row_take(
	struct row *row, const struct stats *stats, const struct vm_stats *v, uint64_t now_ns);
void rows_free(struct rows *rows);

/* One more; NULL without memory. */
struct row *rows_add(struct rows *rows);

double row_shared_percent(const struct row *row); /* 0 where memory is not known */

#endif
