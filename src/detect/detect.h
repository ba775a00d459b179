/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Findings: what is suspicious in what VMs, VMMs and the host do. Fed with the model's events, live
 * or replayed; time is that of the records, so that a replay finds what live found.
 *
 * Memory for a VM is bounded, whatever its guest does: detect_vm_bytes(), and its findings that
 * ended and are kept.
 */
#ifndef DETECT_DETECT_H
#define DETECT_DETECT_H

#include "detect/detector.h"
#include "detect/settings.h"

/* Between updates: at first, and at the most; each one takes twice as long as the one before. */
#define DETECT_UPDATE_NS     (10 * SECOND_NS)
#define DETECT_UPDATE_MAX_NS (10 * MINUTE_NS)
#define DETECT_TICK_NS       SECOND_NS
#define DETECT_KEPT_PER_VM   64
#define DETECT_KEPT          4096

enum finding_phase {
	PHASE_BEGIN,
	PHASE_UPDATE,
	PHASE_END,
	PHASES,
};

const char *phase_name(enum finding_phase phase);

/* In order of the records; the finding is valid until it returns. A negative errno ends the
 * reading. */
typedef int (*finding_fn)(void *context, const struct finding *finding, enum finding_phase phase);

struct detect_options {
	const struct settings *settings; /* must outlive it */
	finding_fn on_finding;           /* may be NULL */
	void *context;
	bool keep; /* findings that ended, for detect_finding() */
};

int detect_new(struct detect **ret, const struct detect_options *options);
void detect_free(struct detect **detect);

/* The model that the events come from; before the first one. */
void detect_watch(struct detect *detect, const struct model *model);

/* Other settings from now on, which must outlive it, too. Findings that are no longer looked for
 * end. What on_finding returned. */
int detect_set_settings(struct detect *detect, const struct settings *settings);

/* An event_fn. Takes in an event of the model. -ENOMEM, or what on_finding returned. */
int detect_event(void *detect, const struct event *event);

/* The records ended: what waited for more of them is decided. Findings that are open stay so. */
int detect_finish(struct detect *detect);

/* Findings that are open, and (keep) those that ended, in order of begin; the array is detect's,
 * until its next event. NULL with *ret_n 0 also without memory. */
const struct finding *const *detect_findings(struct detect *detect, size_t *ret_n);

/* Findings that ended and had to make room. */
uint64_t detect_dropped(const struct detect *detect);

/* Bytes that it holds now; the most it may hold for a VM, kept findings excepted. */
size_t detect_memory(const struct detect *detect);
size_t detect_vm_bytes(const struct detect *detect);

#endif
