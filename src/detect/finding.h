/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A finding: one pattern in one VM (or on the host), from its first case to its end. While it lasts
 * all cases are one finding; so there is at most one of a kind open for a VM.
 */
#ifndef DETECT_FINDING_H
#define DETECT_FINDING_H

#include "model/event.h"

/* In the order of detectors[]; the id is "KES-" and the number plus one, and never changes. */
enum finding_kind {
	FINDING_UNCOMMITTED,
	FINDING_UNSOLICITED,
	FINDING_STORM,
	FINDING_FLAPPING,
	FINDING_REDUNDANT,
	FINDING_OUTSIDE,
	FINDING_MALFORMED,
	FINDING_PRIVILEGE,
	FINDING_SWEEP,
	FINDING_FAULT_LOOP,
	FINDING_AGAIN,
	FINDING_SLOW,
	FINDING_BUDGET,
	FINDING_LEFT_SHARED,
	FINDING_REUSED,
	FINDING_SACRED,
	FINDING_GIANT,
	FINDING_TWICE,
	FINDING_KERNEL,
	FINDING_BLIND,
	FINDING_LOSS,
	FINDING_KINDS,
};

/* What it asks of an operator. */
enum severity {
	SEVERITY_INFO,     /* nothing: good to know */
	SEVERITY_NOTICE,   /* to look at it some day: it costs, or is odd */
	SEVERITY_WARNING,  /* to look at it today: the guest or the VMM does what it should not */
	SEVERITY_CRITICAL, /* to act: pages that must be private are not */
	SEVERITIES,
};

/* How far what was seen bears it out. */
enum certainty {
	CERTAINTY_POSSIBLE, /* other causes are as good */
	CERTAINTY_LIKELY,   /* it rests on something that is not known whole: an inferred cause, a
			       map that is partial or stale */
	CERTAINTY_CERTAIN,  /* each case was seen as it happened */
	CERTAINTIES,
};

enum finding_state {
	FINDING_PENDING, /* cases were seen, but not enough yet: nobody is told */
	FINDING_OPEN,
	FINDING_ENDED,
};

enum finding_end {
	ENDED_NOT,
	ENDED_QUIET,    /* no further case for as long as its setting `quiet` says */
	ENDED_RESOLVED, /* what was wrong is right again */
	ENDED_VM,       /* the VM ended */
	ENDED_DISABLED, /* it is not looked for any more */
	FINDING_ENDS,
};

struct finding_range {
	uint64_t gfn, npages; /* frames */
	uint64_t count;       /* cases in it */
};
#define FINDING_RANGES   8
#define FINDING_EVIDENCE 4 /* first cases, and as many of the latest */
#define FINDING_VALUES   4

struct finding {
	enum finding_kind kind;
	enum severity severity;
	enum certainty certainty;
	enum finding_state state;
	enum finding_end ended;
	bool lasting;     /* ends when its cause is gone, however quiet it is */
	bool more_ranges; /* not all ranges have room */

	uint32_t vm, pid;              /* 0: the host */
	uint32_t number;               /* of this kind in this VM, from 1 */
	uint32_t type;                 /* of the VM */
	char name[KES_TEXT_LIMIT + 5]; /* of the VM, as vm_name() says it: other people's bytes */
	char uuid[40];                 /* "" none */

	/* Times of the records. begin: first case; found: when it became a finding; last: last
	 * case. */
	uint64_t begin_ns, found_ns, last_ns, end_ns;
	uint64_t count;                              /* cases */
	uint64_t pages;                              /* frames, of all cases together */
	uint64_t values[FINDING_VALUES];             /* numbers of the kind, for its sentence */
	struct finding_range ranges[FINDING_RANGES]; /* sorted by gfn, none touching another */
	size_t n_ranges;
	struct event first[FINDING_EVIDENCE], last[FINDING_EVIDENCE]; /* vm is NULL in them */
	uint64_t evidence; /* how many were kept; of the last ones, (evidence - 1) % 4 is newest */
	uint64_t evidence_ns; /* when the newest one was */

	uint64_t told_ns, told_count; /* when, and with which count, somebody was told last */
	uint64_t next_ns;  /* no update is told before that; 0: its begin was not told yet */
	unsigned int told; /* how often */
};

const char *severity_name(enum severity severity);
const char *certainty_name(enum certainty certainty);
const char *finding_end_name(enum finding_end ended);

/* -EINVAL for a name that is none. */
int severity_from_name(const char *name, enum severity *ret);

/* "KES-004": of a kind. */
#define FINDING_ID_SIZE 8
const char *finding_kind_id(enum finding_kind kind, char buffer[FINDING_ID_SIZE]);

/* "KES-004.3.1": this one; kind, VM, number. A replay gives it the same id. */
#define FINDING_FULL_ID_SIZE 32
const char *finding_id(const struct finding *finding, char buffer[FINDING_FULL_ID_SIZE]);

/* Adds a case's range: joined with ranges it touches; when there is no room, in place of the one
 * with the fewest cases. */
void finding_add_range(struct finding *finding, uint64_t gfn, uint64_t npages, uint64_t count);

/* Keeps what was seen. */
void finding_add_evidence(struct finding *finding, const struct event *event);

/* What was kept of it, from the first to the last; NULL behind the last. */
const struct event *finding_evidence(const struct finding *finding, uint64_t i);

#endif
