/* SPDX-License-Identifier: GPL-2.0-only */
/* The labels by which series of a family differ, and their values. */
#include "base/cleanup.h"
#include "metrics/metrics_private.h"
#include "policy/policy.h"

/* An axis whose values come from a function, or (WORDS) are listed here. */
#define AXIS(name, its_label, count, of_i)                                            \
	static const char *name##_value(                                              \
		unsigned int i, char buffer[AXIS_VALUE_SIZE] __attribute__((unused))) \
	{                                                                             \
		return of_i;                                                          \
	}                                                                             \
	const struct axis name = {.label = its_label, .n = count, .value = name##_value}

#define WORDS(name, its_label, ...)                              \
	static const char *const name##_words[] = {__VA_ARGS__}; \
	AXIS(name, its_label, ARRAY_SIZE(name##_words), name##_words[i])

/* ---- a VM ---- */

AXIS(by_plane, "plane", PLANES, plane_name((enum plane)i));
AXIS(by_state, "state", PAGE_STATES, page_state_name((enum page_state)i));
AXIS(by_moved, "to", PAGE_UNKNOWN, page_state_name((enum page_state)i));
AXIS(by_confidence, "confidence", CONFIDENCES, confidence_name((enum confidence)i));
/* A state set's label is called as the set is. */
AXIS(by_vm_confidence, "kvm_encstat_vm_confidence", CONFIDENCES,
	confidence_name((enum confidence)i));
AXIS(by_bound, "le", LATENCY_BOUNDS + 1, i < LATENCY_BOUNDS ? latency_bounds[i].le : "+Inf");

static const char *const losses[] = {
	[KES_CAUSE_RING_FULL] = "ring_full",
	[KES_CAUSE_TABLE_FULL] = "table_full",
	[KES_CAUSE_UNATTRIBUTED] = "unattributed",
	[KES_CAUSE_COUNTS_FULL] = "counts_full",
	[KES_CAUSE_UNWATCHED] = "unwatched",
	[LOST_GAP] = "gap",
};
_Static_assert(ARRAY_SIZE(losses) == LOST_CAUSES, "a name for each cause");
AXIS(by_loss, "cause", LOST_CAUSES, losses[i]);
AXIS(by_host_loss, "cause", KES_CAUSE_MAX, losses[i]);

static const char *const failures[] = {
	[FAILURE_DENIED] = "denied",
	[FAILURE_UNANSWERED] = "unanswered",
	[FAILURE_UNSEEN] = "unseen",
	[FAILURE_VETOED] = "vetoed",
	[FAILURE_REFUSED + KES_REASON_NONE] = NULL,
	[FAILURE_REFUSED + KES_REASON_CPL] = "refused_privilege",
	[FAILURE_REFUSED + KES_REASON_DISABLED] = "refused_disabled",
	[FAILURE_REFUSED + KES_REASON_UNALIGNED] = "refused_unaligned",
	[FAILURE_REFUSED + KES_REASON_EMPTY] = "refused_empty",
	[FAILURE_REFUSED + KES_REASON_WRAP] = "refused_wraps",
	[FAILURE_REFUSED + KES_REASON_UNKNOWN] = "refused_unknown",
};
_Static_assert(ARRAY_SIZE(failures) == FAILURES, "a name for each failure");
AXIS(by_failure, "cause", FAILURES, failures[i]);

/* ---- judgements ---- */

AXIS(by_severity, "severity", SEVERITIES, severity_name((enum severity)i));
AXIS(by_finding, "finding", FINDING_KINDS, finding_kind_id((enum finding_kind)i, buffer));
AXIS(by_action, "action", KES_ACTIONS - KES_LOG, action_name((enum kes_action)(KES_LOG + i)));
WORDS(by_mode, "mode", "enforce", "monitor");

/* ---- the host, the tool ---- */

WORDS(by_version, "version", KES_VERSION);
WORDS(by_life, "state", "running", "ended");
WORDS(by_policed, "state", "ruled", "frozen");
WORDS(by_asked, "about", "hypercall", "change");
WORDS(by_doubt, "cause", "unreadable_passed", "unreadable_refused", "no_room", "busy", "replaced");
WORDS(by_hook, "state", "absent", "refused", "standby", "attached");
WORDS(by_drop, "cause", "refused", "malformed", "slow");
