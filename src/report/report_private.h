/* SPDX-License-Identifier: GPL-2.0-only */
/* What is collected, and the parts of the page. */
#ifndef REPORT_REPORT_PRIVATE_H
#define REPORT_REPORT_PRIVATE_H

#include "report/film.h"
#include "report/html.h"
#include "report/report.h"
#include "report/series.h"

#define REPORT_VMS      16    /* shown each for itself: those with most conversions */
#define REPORT_ROWS     400   /* VMs in the table */
#define REPORT_SHOTS    100   /* times of a map */
#define REPORT_RUNS     20000 /* of all films together */
#define REPORT_RANGES   2000  /* of all maps at the end together, as they are */
#define REPORT_VERDICTS 100   /* rules and VMs */

enum film_kind {
	FILM_GUEST,
	FILM_HOST,
	FILM_DIFF,
	FILMS,
};

/* When a VM was seen. */
struct report_seen {
	uint64_t begin_ns, end_ns;
	uint32_t vm;
};

struct report_vm {
	uint32_t id;
	uint64_t begin_ns, end_ns;
	uint64_t changes;          /* of its pages, in all */
	struct layout *layout;     /* NULL: it has no memory to show */
	struct film *films[FILMS]; /* NULL: it has no such plane */
	struct layout_cell *cells; /* room to read them */
	struct film_cell *film_cells;

	bool begun;
	bool ripe;             /* a shot is due before the next record */
	uint64_t due_ns;       /* and at this time */
	uint64_t every_ns;     /* from one to the next */
	uint64_t since, every; /* changes */
	uint64_t last_ns;      /* of its latest event */

	struct series series;
	struct spread spread;
};

/* What a policy said, of one VM, by one rule. */
struct report_verdict {
	uint32_t vm, line, would_line;
	uint8_t action, would, judged;
	char file[96], would_file[96]; /* escaped */
	char what[200];                /* of the first one; escaped */
	uint64_t count, first_ns, last_ns;
};

struct report {
	struct report_seen *seen; /* in order of VM */
	size_t n_seen;

	struct report_vm *vms; /* in order of id */
	size_t n_vms;
	size_t all_vms;    /* how many there were */
	size_t max_ranges; /* of each */
	const struct model *model;
	uint64_t next_ns;     /* no shot is due before */
	struct spread spread; /* of all VMs */
	uint64_t kinds[EVENT_KINDS];

	struct report_verdict verdicts[REPORT_VERDICTS];
	size_t n_verdicts;
	uint64_t verdicts_left; /* those for which there was no room */
};

/* NULL: it is not in the model any more. */
const struct vm *report_find_vm(const struct model *model, uint32_t id);

/* ---- the page ---- */

const char *full_time(const struct style *style, uint64_t ts_ns, char buffer[64]);
const char *film_name(enum film_kind kind);

void page_vm(FILE *out, const struct report *report, const struct report_page *page,
	const struct report_vm *seen, const struct vm *vm);
void page_findings(FILE *out, const struct report_page *page);
void page_policy(FILE *out, const struct report *report, const struct report_page *page);
/* For the script: numbers only, nothing that others wrote. */
int page_data(FILE *out, const struct report *report, const struct report_page *page);

#endif
