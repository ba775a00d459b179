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
	uint64_t gap;  /* records lost above those that the kernel counted: the most there were */
	uint64_t lost; /* when that was looked at last ... */
	uint64_t collected; /* ... in this turn of the kernel's counts */
};

struct metrics {
	struct metrics_options options;
	const struct model *model;
	struct entry **entries; /* sorted by vm */
	size_t n, size, last;   /* last: index of the one asked for last */
	size_t n_own;
	uint64_t collected;          /* how often the kernel's counts were read */
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

/* Adds what the VM has to sums, of all that can be added. over: nothing comes any more. */
void figures_of(struct figures *figures, const struct metrics *metrics, struct entry *entry,
	const struct vm *vm, bool over);
void figures_add(struct figures *sum, const struct figures *figures);

/* ---- axes.c ---- */

#define AXIS_VALUE_SIZE FINDING_ID_SIZE

/* A label, and all values it may have: our own words, which need no escaping. */
struct axis {
	const char *label;
	unsigned int n;
	/* NULL: there is no such value. It may be in the buffer. */
	const char *(*value)(unsigned int i, char buffer[AXIS_VALUE_SIZE]);
};

extern const struct axis by_plane, by_state, by_vm_confidence, by_confidence, by_loss, by_host_loss,
	by_moved, by_failure, by_bound, by_severity, by_finding, by_action, by_mode, by_version,
	by_life, by_policed, by_asked, by_doubt, by_hook, by_drop;

/* ---- *_families.c ---- */

enum family_type {
	FAMILY_COUNTER,
	FAMILY_GAUGE,
	FAMILY_HISTOGRAM,
	FAMILY_INFO,
	FAMILY_STATESET,
	FAMILY_TYPES,
};

#define AXES 2

/* What stands for a number where there is none: no series, as it is not 0. */
#define NOTHING UINT64_MAX

/*
 * A metric: from this table come the text and the manual. It has a series for each value of its
 * axis, or each pair of values; without any it has one. Numbers of families whose unit is seconds
 * are in nanoseconds.
 *
 * A histogram's axis are its bounds; its numbers are those that are not above the bound, then their
 * count, then their sum, in the family's unit.
 */
struct family {
	const char *name; /* as OpenMetrics has it: a counter's without _total */
	enum family_type type;
	const char *unit; /* "" none; else the name ends with it */
	const char *help;
	enum metrics_detail detail; /* from which on it is there */
	const struct axis *axes[AXES];
	/* The number at these places of its axes. One of these two; neither: the exporter's own. */
	uint64_t (*of_vm)(const struct gathered *all, const struct figures *f, unsigned int i,
		unsigned int j);
	uint64_t (*of_host)(const struct gathered *all, unsigned int i, unsigned int j);
	/* More labels, which each VM has a value of its own of, escaped: begins with a comma. */
	const char *labels; /* their names, for the manual */
	void (*write_labels)(struct text *out, const struct figures *f);
};

extern const struct family vm_families[], host_families[], exporter_families[];
extern const size_t n_vm_families, n_host_families, n_exporter_families;

/* ---- shape.c ---- */

/* A line, in the text of its shape: from `name` on, to the VM's labels if there are any; from
 * `tail` to `end` what follows them. Then comes the number. */
struct series {
	size_t name, tail, end;
	unsigned int at[AXES]; /* places of the axes */
};

/* All lines that there may be of one VM, or of the host. Zeroes begin one; fits _cleanup_(). */
struct shape {
	struct text text; /* failed: out of memory */
	struct series *series;
	size_t n, size;
};

void shape_make(struct shape *shape, const struct family *family);
void shape_free(struct shape *shape);

/* Whether its number is nanoseconds, and is written as seconds. */
bool series_is_time(const struct family *family, const struct series *series);

/* ---- head.c ---- */

const char *family_type_name(enum family_type type);

/* What the names of its series end with. */
const char *family_suffix(const struct family *family);

/* The lines that come before a family's series. */
void family_head(struct text *out, const struct family *family, enum metrics_format format);

#endif
