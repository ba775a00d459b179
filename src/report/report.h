/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A capture as one page of HTML that needs nothing else. The records are read twice: report_scan()
 * learns which VMs there are, how long each was seen, and where its memory lies; the second time,
 * from report_watch() on, films of the maps and series of numbers are taken. What there is no room
 * for is left out, and the page says so: it stays below REPORT_BYTES, whatever the capture.
 */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include "output/output.h"
#include "output/policy.h"

#define REPORT_BYTES 2000000

struct report;

int report_new(struct report **ret);
void report_free(struct report **report);

/* ---- the first time ---- */

int report_scan(struct report *report, const struct event *event);
/* The records ended. */
int report_plan(struct report *report, const struct model *model);

/* ---- the second time ---- */

void report_watch(struct report *report, const struct model *model, const struct style *style);
/* Before each record. -ENOMEM. */
int report_pace(struct report *report, uint64_t ts_ns);
int report_event(struct report *report, const struct event *event);
/* The records ended again: the last pictures are taken. -ENOMEM. */
int report_end(struct report *report);

/* What the capture says of itself, and how whole it is. Texts are other people's. */
struct report_source {
	const char *path;
	const char *metadata; /* JSON */
	uint64_t records, bytes;
	uint64_t begin_ns, end_ns; /* of the records */
	bool incomplete, damaged;
	const char *problem; /* what was wrong with it first; "" nothing */
};

struct report_page {
	struct report_source source;
	const struct style *style;
	const struct model *model;
	const struct finding *const *findings;
	size_t n_findings;
	uint64_t findings_dropped;
	struct policy_totals *policy; /* what another policy would have said; NULL: none was asked
				       */
	const char *policy_path;
};

/* -EIO. */
int report_write(FILE *out, struct report *report, const struct report_page *page);

#endif
