/* SPDX-License-Identifier: GPL-2.0-only */
/* What the records of a VM come to: the lines of `events`. */
#ifndef MODEL_EVENT_H
#define MODEL_EVENT_H

#include "model/conversion.h"
#include "model/vm.h"

enum event_kind {
	EVENT_VM_NEW,
	EVENT_VM_END,
	EVENT_CONVERTED, /* the VMM said yes */
	EVENT_DENIED,    /* the VMM said no: ret */
	EVENT_NO_ANSWER, /* answered, but the answer could not be read: the pages are unknown now */
	EVENT_UNANSWERED,   /* the VM ended first */
	EVENT_REFUSED,      /* KVM said no: reason */
	EVENT_FAULT,        /* KVM_EXIT_MEMORY_FAULT */
	EVENT_ATTRIBUTES,   /* the VMM set memory attributes, or (ret) tried to: the host plane */
	EVENT_LOSS,         /* more records were lost: lost is the new total */
	EVENT_ABI_DOUBT,    /* the first request of a VM that looks like the other ABI */
	EVENT_READING,      /* the host plane was read back from the kernel */
	EVENT_RESET,        /* the VM was reset: npages were shared, and begin anew as private */
	EVENT_REPRIVATISED, /* nearly all that was shared was made private in one go, as by kexec:
			       npages are still shared */
	EVENT_VERDICT,      /* a policy said something about a request, or a finding: judgement */
	EVENT_TOLD,         /* those before this one are the lines of `events`; the others are for
			       detectors */
	EVENT_TIME = EVENT_TOLD, /* nothing happened, but it is later now */
	EVENT_HOST,              /* what the host is: host */
	EVENT_RESIDENT,          /* memory that is there twice: resident */
	EVENT_FORGOTTEN,         /* a VM that ended is no longer kept */
	EVENT_KINDS,
};

/* What a change of the host plane followed. */
enum prompt {
	PROMPT_NONE,    /* nothing that was seen */
	PROMPT_REQUEST, /* an open request of the guest for these pages and this state */
	PROMPT_FAULT,   /* a fault of the guest on such a page */
	PROMPTS,
};

/* What the host plane says of a conversion when the VMM says that it is done. */
enum commit {
	COMMIT_NONE, /* there is no host plane, or no memory there */
	COMMIT_DONE,
	COMMIT_PARTLY,
	COMMIT_NOT,
	COMMIT_UNKNOWN, /* the host plane is not known there */
	COMMITS,
};

/* What happened. Fields that mean nothing for the kind are 0. */
struct event {
	enum event_kind kind;
	uint64_t ts_ns;      /* of the request, for conversions */
	uint64_t now_ns;     /* of the record that told it: never goes back */
	uint64_t seq;        /* of the request if it was seen, else of the answer */
	const struct vm *vm; /* NULL: the host */
	uint16_t vcpu;
	uint64_t gpa, npages, attrs; /* bytes, frames, raw */
	enum page_state to;
	uint64_t nr;
	int64_t ret;
	uint64_t latency_ns;
	bool has_latency; /* both ends were seen */
	bool inferred;    /* refused: no exit followed, so what the guest saw is not known */
	bool late;        /* the answer was read late: the latency is unknown */
	uint32_t reason;  /* kes_reason */
	uint32_t cause;   /* kes_cause */
	uint64_t lost;
	uint64_t fault_flags;
	uint32_t tid;       /* of the VMM's thread; 0: not known */
	enum prompt prompt; /* ATTRIBUTES */
	enum commit commit; /* CONVERTED */
	uint64_t committed; /* CONVERTED: frames that the host plane has as asked */
	uint64_t already;   /* CONVERTED, ATTRIBUTES: frames that were so before, on its plane */
	const struct kes_host_info *host;
	const struct kes_resident *resident;
	const struct kes_judgement *judgement;
	uint8_t judged;                      /* VERDICT: kes_verdict_flag */
	const char *policy_file, *would_file; /* VERDICT: of its rules; NULL: none, or not told */
	bool unsure; /* ATTRIBUTES: what the VMM asked for is not known for certain */
};

const char *event_kind_name(enum event_kind kind);
const char *prompt_name(enum prompt prompt);
const char *commit_name(enum commit commit);
const char *reason_name(uint32_t reason); /* kes_reason, in words */
const char *cause_name(uint32_t cause);   /* kes_cause, in words */

#endif
