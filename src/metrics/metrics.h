/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is seen as numbers for Prometheus and its like: OpenMetrics 1.0 text, or the older text
 * format (0.0.4) that node_exporter's textfile collector takes. Counts what the model does not keep
 * from its events; the rest is read from the model when the text is written.
 *
 * How many series there are is bounded by the options, whatever VMs come and go: the first max_vms
 * have their own, the others are in one that is called "other", with id 0. A VM that ended keeps
 * its series for METRICS_LINGER_NS, so that its last figures are seen.
 */
#ifndef METRICS_METRICS_H
#define METRICS_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "detect/detect.h"
#include "model/model.h"
#include "output/enforced.h"

#define METRICS_VMS_DEFAULT 1000
#define METRICS_VMS_MAX     10000
#define METRICS_LINGER_NS   (5 * MINUTE_NS)

/* What fits into a reply of the socket, whatever has to be escaped there. */
#define METRICS_REPLY_MAX (8u << 20)

struct metrics;

/* Each one says all that the one before says. */
enum metrics_detail {
	METRICS_HOST,  /* nothing of single VMs */
	METRICS_BASIC, /* the pages, conversions, findings, trust of each VM */
	METRICS_FULL,
	METRICS_DETAILS,
};

const char *metrics_detail_name(enum metrics_detail detail);

enum metrics_format {
	METRICS_OPENMETRICS,
	METRICS_TEXT, /* 0.0.4 */
	METRICS_FORMATS,
};

struct metrics_options {
	enum metrics_detail detail;
	size_t max_vms;   /* with series of their own; at most METRICS_VMS_MAX */
	size_t max_bytes; /* rather less of each VM than a longer text; 0: it may be any length */
};

int metrics_new(struct metrics **ret, const struct metrics_options *options);
void metrics_free(struct metrics **metrics);

/* Other options from now on. VMs that have series of their own keep them. */
void metrics_set_options(struct metrics *metrics, const struct metrics_options *options);

/* The model that the events come from; its VMs, and findings that are open (detect may be NULL),
 * are taken in. -ENOMEM. */
int metrics_watch(struct metrics *metrics, const struct model *model, struct detect *detect);

/* -ENOMEM. */
int metrics_event(struct metrics *metrics, const struct event *event);
void metrics_finding(
	struct metrics *metrics, const struct finding *finding, enum finding_phase phase);

/* What it costs, and whether it works: of the tool itself. */
struct metrics_tool {
	bool capturing;    /* KVM is there; if not, there are no hooks, and no record */
	bool unarmed;      /* policies should be enforced, and are not */
	uint64_t start_s;  /* Unix time */
	uint64_t age_ns;   /* of the latest record */
	size_t hooks[4];   /* by enum hook_state: absent, refused, standby, attached */
	uint64_t cpu_ns;   /* of this process */
	uint64_t resident; /* bytes; 0: not known */
	uint64_t memory;   /* that it is to have; 0: nobody says so */
};

struct metrics_audit {
	uint64_t told;      /* records made */
	uint64_t delivered; /* to the sink that is slowest */
	uint64_t waiting;   /* bytes on disk */
	uint64_t merged;    /* records that were counted instead of told */
	uint64_t failures;  /* tries to deliver */
	bool trouble;       /* the last one failed */
};

struct metrics_socket {
	uint64_t clients, subscribers; /* now */
	uint64_t accepted, calls, sent;
	uint64_t refused;   /* there was no room, or no right */
	uint64_t malformed; /* what they sent ended their connection */
	uint64_t slow;      /* did not keep up */
};

/* What else there is to tell; NULL: nothing, its families are left out. */
struct metrics_view {
	const struct enforced *enforced;
	const struct metrics_tool *tool;
	const struct metrics_audit *audit;
	const struct metrics_socket *socket;
};

/* Fills in what a process can say of itself: cpu_ns, resident. */
void metrics_tool_read(struct metrics_tool *tool);

/* The text; the caller frees *ret. -ENOMEM. */
int metrics_write(struct metrics *metrics, const struct metrics_view *view,
	enum metrics_format format, char **ret, size_t *ret_size);

/* Puts a text in the place of the file, at once: who reads it sees a whole one. */
int metrics_write_file(const char *path, const char *bytes, size_t size, struct error *err);

/* kvm-encstat-metrics(7): all families there are. */
void metrics_manual(FILE *out);

#endif
