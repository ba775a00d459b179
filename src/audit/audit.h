/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The audit log: what happened to VMs' pages, what was decided, and by whom, as records that cannot
 * go or change without it showing. Records become text here, wait on disk (spool.h), get their
 * place in a chain (chain.h) and go to the journal or a file (sink.h).
 *
 * Nothing here waits: when the journal is away, full or slow, records wait on disk, and when there
 * are too many of them the oldest are counted instead of told. audit_turn() does what is due.
 */
#ifndef AUDIT_AUDIT_H
#define AUDIT_AUDIT_H

#include <sys/types.h>

#include "audit/kinds.h"
#include "audit/settings.h"
#include "base/error.h"
#include "detect/detect.h"
#include "model/model.h"
#include "output/output.h"
#include "policy/policy.h"

#define AUDIT_STATE_DIR "/var/lib/kvm-encstat/audit"

struct audit;

struct audit_options {
	const struct audit_settings *settings; /* copied */
	const char *state_dir;      /* made if it is not there; one process at a time has it */
	bool replay;                /* the records come from a capture: times are its own */
	const char *journal_socket; /* NULL: journald's own */
	const char *directory; /* where what was sent is read back; NULL: this host's journal */
	const char *mode;      /* "daemon", "audit", "enforce": for the first record */
	int patience_ms;       /* so long another process that has state_dir is waited for */
};

/* Goes on with the log of this boot, or begins one. Says so in the log. 0 or a negative errno with
 * err filled; -EBUSY: another process writes the log of this state_dir. */
int audit_new(struct audit **ret, const struct audit_options *options, struct error *err);

/* replay: what to add to the records' clock to get the time of day; before the first event. */
void audit_set_clock(struct audit *audit, int64_t realtime_offset_ns);

/* Says in the log that it ends, and why (NULL: "stopped"). What was not delivered waits on disk for
 * the next one. Fits _cleanup_(). */
void audit_stop(struct audit *audit, const char *why);
void audit_free(struct audit **audit);

/* Other settings from now on. What cannot change while it runs (sinks, files) is -EOPNOTSUPP, with
 * err filled, and nothing changes. */
int audit_reload(struct audit *audit, const struct audit_settings *settings, struct error *err);

/* Takes in an event of the model. Fits event_fn; never fails. */
int audit_event(void *audit, const struct event *event);

/* Fits finding_fn. */
int audit_finding(void *audit, const struct finding *finding, enum finding_phase phase);

/* Who asked for something; pid 0: not known. */
struct audit_who {
	uid_t uid;
	pid_t pid;
	char comm[16]; /* other people's bytes */
};

/* Fills comm of the pid, as far as it is there still. */
struct audit_who audit_who(uid_t uid, pid_t pid);

struct audit_value {
	enum audit_field field;
	const char *text; /* unescaped; NULL: is left out */
};

/* What else happened: configuration, enforcement, a resync. who may be NULL. */
void audit_note(struct audit *audit, enum audit_kind kind, const struct audit_who *who,
	const struct audit_value *values, size_t n, const char *format, ...)
	__attribute__((format(printf, 6, 7)));

/* Policies are loaded: one record for each file, with its digest. */
void audit_policy(
	struct audit *audit, const struct policies *policies, const struct audit_who *who);

/* Does what is due: summaries, deliveries. Call it often; some times a second is enough. */
void audit_turn(struct audit *audit);

/* Turns until all is delivered, so long at the most: whether something still waits. */
bool audit_deliver(struct audit *audit, int patience_ms);

/* Milliseconds until it has something to do; -1: nothing waits. */
int audit_timeout(const struct audit *audit);

/* How it stands, for status and metrics. */
struct audit_status {
	uint64_t told;      /* records made, since the start */
	uint64_t delivered; /* by the slowest sink, since then; also of what earlier lives made */
	uint64_t waiting;   /* bytes in spools */
	uint64_t merged;    /* records that were counted instead of told */
	uint64_t resent;
	uint64_t failures; /* tries that failed, of whatever sink */
	bool unconfirmed;  /* the journal cannot be read back: it is not known what arrived */
	char trouble[256]; /* the last failure that lasts; "" none */
};
void audit_status(const struct audit *audit, struct audit_status *ret);

#endif
