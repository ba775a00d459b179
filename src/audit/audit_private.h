/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef AUDIT_AUDIT_PRIVATE_H
#define AUDIT_AUDIT_PRIVATE_H

#include "audit/audit.h"
#include "audit/sink.h"

#define NSEC_PER_SEC 1000000000ull
#define TIME_SIZE    40

/* What is counted of a VM, or (vm 0) of the host, until it is told. */
struct account {
	uint32_t vm;
	const struct vm *who;                      /* NULL: the host */
	bool told;                                 /* its vm-new record was written */
	uint64_t seen_ns;                          /* first */
	uint64_t since_ns;                         /* of the counts below; 0: there are none */
	uint64_t converted, to_shared, to_private; /* conversions; frames */
	uint64_t denied, refused, unanswered, vetoed, attributes, faults;

	/* Details: so many may be told now, and what came beyond. */
	int64_t budget_ns; /* up to this time of the records all is spent */
	struct {
		uint64_t count, pages, first_ns, last_ns;
	} flood[AUDIT_KINDS];
	bool flooded;
};

struct audit {
	struct audit_settings settings;
	struct sink *sinks[2]; /* journal, file; NULL: not one of this log's */
	int dir_fd;            /* the state directory, locked */
	bool replay;
	int64_t offset_ns; /* replay: of the records' clock to the time of day */
	char machine[ID_SIZE], boot[ID_SIZE], mode[16];
	char socket[256], directory[256];

	struct account **accounts; /* sorted by vm; the host's is the first one */
	size_t n_accounts;
	struct account *latest;
	uint64_t now_ns;       /* of the records */
	uint64_t next_ns;      /* when summaries are due */
	uint64_t turned_ns;    /* CLOCK_MONOTONIC */
	bool started, stopped; /* which is in the log */
	uint64_t told, flooded;
	struct audit_record record; /* the one that is being made */
};

/* ---- audit.c ---- */

/* "2026-11-28T22:52:24.123456Z" */
const char *audit_time(const struct audit *audit, uint64_t ts_ns, char text[TIME_SIZE]);

/* Begins audit->record; it happened at ts_ns. */
struct audit_record *audit_begin(struct audit *audit, enum audit_kind kind, uint64_t ts_ns);

/* It is whole: off to the sinks. */
void audit_end(struct audit *audit, int priority);

/* The first record of this process; before it, if need be, that the one before it ended without a
 * word. */
void audit_tell_start(struct audit *audit);

/* ---- account.c ---- */

/* NULL without memory. */
struct account *account_of(struct audit *audit, const struct vm *vm);
void account_forget(struct audit *audit, const struct vm *vm);

/* The VM's vm-new record comes before whatever is told of it by its id. */
void account_introduce(struct audit *audit, uint32_t vm);

/* Whether a detail of this kind may be told now; else it is counted. */
bool account_allows(struct audit *audit, struct account *account, enum audit_kind kind,
	uint64_t ts_ns, uint64_t pages);

/* Tells what it has counted. */
void account_flush(struct audit *audit, struct account *account);
void accounts_flush(struct audit *audit);
void accounts_free(struct audit *audit);

/* ---- tell.c ---- */

/* Adds the VM's fields; NULL: the host, nothing. */
void tell_vm(struct audit_record *record, const struct vm *vm);
/* "VM 3 db1: " in front of a message, or "host: ". */
void tell_who(const struct vm *vm, char *text, size_t size);
void tell_new(struct audit *audit, struct account *account);
void tell_end(struct audit *audit, struct account *account, const struct event *event);
void tell_event(struct audit *audit, enum audit_kind kind, const struct event *event);

#endif
