/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the audit log tells: kinds of records and their fields. Both tables are the one source of
 * what is written, of units/kvm-encstat.catalog and of man/kvm-encstat.journal-fields.7. Names and
 * ids never change; new ones may come.
 */
#ifndef AUDIT_KINDS_H
#define AUDIT_KINDS_H

#include <stdbool.h>
#include <stddef.h>

enum audit_kind {
	/* of the log itself */
	AUDIT_CHAIN,
	AUDIT_RESUMED,
	AUDIT_START,
	AUDIT_STOP,
	AUDIT_MERGED,
	/* what operators do */
	AUDIT_CONFIG,
	AUDIT_POLICY,
	AUDIT_ARMED,
	AUDIT_UNARMED,
	AUDIT_CHANGED,
	AUDIT_RELEASED,
	/* what VMs do, and what becomes of it */
	AUDIT_VM_NEW,
	AUDIT_VM_END,
	AUDIT_VM_RESET,
	AUDIT_DENIED,
	AUDIT_REFUSED,
	AUDIT_UNANSWERED,
	AUDIT_VETO,
	AUDIT_MONITOR,
	AUDIT_VERDICT,
	AUDIT_SUMMARY,
	AUDIT_CONVERTED,
	AUDIT_ATTRIBUTES,
	AUDIT_FAULT,
	AUDIT_FINDING_BEGIN,
	AUDIT_FINDING_UPDATE,
	AUDIT_FINDING_END,
	AUDIT_MEMORY,
	AUDIT_LOSS,
	AUDIT_RESYNC,
	AUDIT_KINDS,
};

struct audit_kind_info {
	const char *name;    /* KES_KIND */
	const char *id;      /* MESSAGE_ID */
	int priority;        /* as syslog(3); findings have their own */
	bool detail;         /* may be counted instead of told, where there are too many */
	const char *subject; /* of the catalogue */
	const char *text;    /* the same: paragraphs */
};
extern const struct audit_kind_info audit_kinds[AUDIT_KINDS];

/* Returns AUDIT_KINDS for a name that is none. */
enum audit_kind audit_kind_from_name(const char *name);

enum audit_field {
	/* each record has these */
	FIELD_KIND,
	FIELD_TIME,
	FIELD_TS_NS,
	FIELD_BOOT,
	FIELD_MACHINE,
	FIELD_SOURCE,
	FIELD_LOG,
	FIELD_SEQ,
	FIELD_PREV,
	FIELD_CHAIN,
	FIELD_RESENT,
	/* who */
	FIELD_VM,
	FIELD_VM_NAME,
	FIELD_VM_UUID,
	FIELD_VM_PID,
	FIELD_VM_UID,
	FIELD_VM_TYPE,
	/* what */
	FIELD_VCPU,
	FIELD_TID,
	FIELD_GFN,
	FIELD_NPAGES,
	FIELD_TO,
	FIELD_ATTRS,
	FIELD_NR,
	FIELD_RET,
	FIELD_REASON,
	FIELD_LATENCY_NS,
	FIELD_COMMIT,
	FIELD_FLAGS,
	/* a policy's word */
	FIELD_LEVEL,
	FIELD_BY,
	FIELD_ACTION,
	FIELD_POLICY,
	FIELD_RULE,
	FIELD_WOULD,
	FIELD_WOULD_RULE,
	FIELD_ERRNO,
	FIELD_FILE,
	FIELD_DIGEST,
	/* findings */
	FIELD_FINDING,
	FIELD_FINDING_KIND,
	FIELD_FINDING_NAME,
	FIELD_SEVERITY,
	FIELD_CERTAINTY,
	FIELD_ENDED,
	FIELD_COUNT,
	/* figures */
	FIELD_SINCE,
	FIELD_CONVERTED,
	FIELD_TO_SHARED,
	FIELD_TO_PRIVATE,
	FIELD_DENIED,
	FIELD_REFUSED,
	FIELD_UNANSWERED,
	FIELD_VETOED,
	FIELD_ATTRIBUTES,
	FIELD_FAULTS,
	FIELD_PRIVATE_PAGES,
	FIELD_SHARED_PAGES,
	FIELD_UNKNOWN_PAGES,
	FIELD_CONFIDENCE,
	FIELD_LOST,
	FIELD_CAUSE,
	/* who did it */
	FIELD_WHO_UID,
	FIELD_WHO_PID,
	FIELD_WHO_COMM,
	/* the log itself */
	FIELD_VERSION,
	FIELD_MODE,
	FIELD_FORM,
	FIELD_PREVIOUS,
	FIELD_CLEAN,
	FIELD_MERGED_KIND,
	FIELD_WHY,
	AUDIT_FIELDS,
};

struct audit_field_info {
	const char *name;
	bool adds; /* a count: where records are merged, it adds up */
	const char *text;
};
extern const struct audit_field_info audit_fields[AUDIT_FIELDS];

#endif
