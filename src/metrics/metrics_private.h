/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the files that make metrics: count.c counts events, gather.c puts together what one text
 * says of each VM, *_families.c say how it is said, write.c writes it.
 */
#ifndef METRICS_METRICS_PRIVATE_H
#define METRICS_METRICS_PRIVATE_H

#include "metrics/metrics.h"
#include "metrics/text.h"
#include "verdict.h"

/* ---- count.c ---- */

/* Up to so many nanoseconds; the last bucket has no bound. */
#define LATENCY_BOUNDS 15
extern const struct latency_bound {
	uint64_t ns;
	const char *le; /* in seconds, as a label has it */
} latency_bounds[LATENCY_BOUNDS];

/* Ways in which a conversion comes to nothing. Those of KVM follow REFUSED in the order of
 * kes_reason. */
enum failure {
	FAILURE_DENIED,     /* by the VMM */
	FAILURE_UNANSWERED, /* the VM ended first */
	FAILURE_UNSEEN,     /* the answer could not be read */
	FAILURE_VETOED,     /* by a policy */
	FAILURE_REFUSED,
	FAILURES = FAILURE_REFUSED + KES_REASON_MAX,
};

/* Since it was first seen. */
struct counts {
	uint64_t moved[PAGE_UNKNOWN]; /* conversions, by what pages became: private, shared */
	uint64_t failed[FAILURES];
	uint64_t latency[LATENCY_BOUNDS + 1], latency_ns; /* by bucket; sum */
	uint64_t begun[SEVERITIES];                       /* findings */
	uint64_t verdicts[2][KES_ACTIONS];                /* enforced, monitored */
};

struct entry {
	uint32_t vm;
	bool own;  /* it has series of its own */
	bool over; /* it ended long ago: it has none any more, and another may have its place */
	struct counts counts;
	uint8_t open[FINDING_KINDS]; /* severity + 1 of the finding of this kind that is open */
	uint64_t gap; /* records lost above those that the kernel counted: the most there were */
};

struct metrics {
	struct metrics_options options;
	const struct model *model;
	struct entry **entries; /* sorted by vm */
	size_t n, size, last;   /* last: index of the one asked for last */
	size_t n_own;
	struct counts host;          /* of all VMs that ever were */
	uint8_t open[FINDING_KINDS]; /* of the host */
	uint64_t begun[FINDING_KINDS][SEVERITIES];
	uint64_t put_in_other;
	size_t written;       /* bytes of the last text */
	struct figures *gone; /* VMs of "other" that were forgotten */
};

/* NULL: out of memory. */
struct entry *metrics_entry(struct metrics *metrics, uint32_t vm);

void counts_add(struct counts *counts, const struct counts *other);

/* ---- gather.c ---- */

#define LOST_GAP    KES_CAUSE_MAX /* a gap in the sequence that no cause was counted for */
#define LOST_CAUSES (KES_CAUSE_MAX + 1)

/* What one text says of a VM, or of "other". */
struct figures {
	const struct vm *vm; /* NULL: "other" */
	bool alive;          /* else nothing is said of its pages */
	struct counts counts;
	struct ledger_totals totals;
	uint64_t memory, pages[PLANES][PAGE_STATES]; /* frames */
	bool has_memory, has_plane[PLANES];
	enum confidence confidence[PLANES];
	uint64_t vcpus, resets, exits, hypercalls;
	bool has_exits;           /* they are this VM's alone */
	uint64_t open, oldest_ns; /* requests; how long the oldest one waits */
	uint64_t findings[SEVERITIES];
	const uint8_t *open_findings; /* entry's */
	uint64_t lost[LOST_CAUSES];
	size_t n_labels;
	char labels[METRICS_LABEL_SIZE + 32]; /* vm="db1",id="3" */
};

struct gathered {
	const struct metrics *metrics;
	const struct metrics_view *view;
	struct figures *vms;
	size_t n;
	uint64_t running, ended, in_other;
	uint64_t trusted[PLANES][CONFIDENCES]; /* running VMs that have that plane */
	uint64_t open[FINDING_KINDS][SEVERITIES];
	struct model_totals totals;
	bool has_verdicts;          /* a policy has ever said something */
	enum metrics_detail detail; /* of this text */
};

/* -ENOMEM. Fits _cleanup_(gathered_free). */
int metrics_gather(struct metrics *metrics, const struct metrics_view *view, struct gathered *ret);
void gathered_free(struct gathered *gathered);

/* Adds what the VM has to sums, of all that can be added. */
void figures_of(struct figures *figures, const struct model *model, struct entry *entry,
	const struct vm *vm);
void figures_add(struct figures *sum, const struct figures *figures);

/* ---- *_families.c ---- */

enum family_type {
	FAMILY_COUNTER,
	FAMILY_GAUGE,
	FAMILY_HISTOGRAM,
	FAMILY_INFO,
	FAMILY_STATESET,
	FAMILY_TYPES,
};

/* A metric: from this table come the text and the manual. */
struct family {
	const char *name; /* as OpenMetrics has it: a counter's without _total */
	enum family_type type;
	const char *unit;   /* "" none; else the name ends with it */
	const char *labels; /* besides vm and id; "" none */
	const char *help;
	enum metrics_detail detail; /* from which on it is there */
	/* One of these two; neither: the exporter's own. */
	void (*of_vm)(struct text *out, const struct family *family, const struct figures *figures,
		const struct gathered *all);
	void (*of_host)(struct text *out, const struct family *family, const struct gathered *all);
};

extern const struct family vm_families[], host_families[], exporter_families[];
extern const size_t n_vm_families, n_host_families, n_exporter_families;

const char *family_type_name(enum family_type type);

/* What the names of its series end with. */
const char *family_suffix(const struct family *family);

const char *failure_name(enum failure failure);
const char *lost_name(unsigned int cause);

/* Writes what is before the number. Labels go in pairs of name and value, ended by NULL; they are
 * our own words, and need no escaping. */
void series(struct text *out, const char *name, const char *suffix, const struct figures *vm, ...)
	__attribute__((sentinel));

/* The same, and the number. */
#define series_number(out, family, vm, number, ...)                                          \
	do {                                                                                 \
		series(out, (family)->name, family_suffix(family), vm, ##__VA_ARGS__, NULL); \
		text_number(out, number);                                                    \
		text_put(out, "\n", 1);                                                      \
	} while (0)
#define series_seconds(out, family, vm, ns, ...)                                             \
	do {                                                                                 \
		series(out, (family)->name, family_suffix(family), vm, ##__VA_ARGS__, NULL); \
		text_seconds(out, ns);                                                       \
		text_put(out, "\n", 1);                                                      \
	} while (0)

/* ---- head.c ---- */

/* The lines that come before a family's series. */
void family_head(struct text *out, const struct family *family, enum metrics_format format);

#endif
