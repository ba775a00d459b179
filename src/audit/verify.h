/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether audit logs are whole: their records are taken in as they come, from the journal
 * (verify_journal.c) or files (verify_file.c), and judged log by log in the end.
 */
#ifndef AUDIT_VERIFY_H
#define AUDIT_VERIFY_H

#include "audit/chain.h"
#include "base/error.h"

enum problem_kind {
	PROBLEM_GAP,       /* records are missing */
	PROBLEM_ALTERED,   /* its digest is not that of its fields */
	PROBLEM_BROKEN,    /* it does not follow the one before: one of them was replaced */
	PROBLEM_DOUBLE,    /* two different ones with one number */
	PROBLEM_REPEATED,  /* the same one twice, and not because it was sent again */
	PROBLEM_REORDERED, /* it came after a later one */
	PROBLEM_FORGED,    /* somebody else wrote it: its sender is not kvm-encstat */
	PROBLEM_DAMAGED,   /* a line of a file that is no record */
	PROBLEM_CUT,       /* the end is missing: the state directory knows of later ones */
	PROBLEM_REPLACED,  /* the log that it names as the one before ended elsewhere */
	PROBLEM_KINDS,
};

struct problem {
	enum problem_kind kind;
	uint64_t first, last;         /* numbers of records */
	uint64_t after_us, before_us; /* time of day of records around it; 0: there is none */
	char who[128]; /* FORGED: who sent it; DAMAGED: where; REPLACED: which log; escaped */
};

struct verified {
	char machine[ID_SIZE], boot[ID_SIZE], log[ID_SIZE];
	uint64_t first, last, records; /* numbers; how many there are */
	uint64_t first_us, last_us;
	uint64_t again;  /* records that were sent or uploaded again, and are there twice */
	uint64_t merged; /* records that were counted instead of told, as merged ones say */
	bool from_capture;
	bool stopped; /* its last record says that kvm-encstat ended */
	const struct problem *problems;
	size_t n_problems;
	uint64_t more_problems; /* that had no room */
};
#define PROBLEMS_MAX 10000 /* of a log */

struct verifier;

int verifier_new(struct verifier **ret);
void verifier_free(struct verifier **verifier); /* fits _cleanup_() */

/* Who sent a record, as the journal knows it; NULL where nobody does, as in files. */
struct sender {
	bool trusted;
	uint64_t taken_us; /* when journald took it */
	char text[96];
};

/* Takes in a record. -ENOMEM. */
int verifier_add(
	struct verifier *verifier, const struct audit_record *record, const struct sender *sender);

/* Something that is no record. where: "FILE:LINE". */
int verifier_damaged(struct verifier *verifier, const char *where);

/* What the host's own state says of a log's end. */
void verifier_expect(struct verifier *verifier, const struct chain_state *state);

/* Judges. Logs in order of their first record; the last one, with an empty id, has what belongs to
 * none, if there is something. */
int verifier_finish(struct verifier *verifier);
size_t verifier_count(const struct verifier *verifier);
const struct verified *verifier_log(const struct verifier *verifier, size_t i);

const char *problem_name(enum problem_kind kind);

/* ---- where records come from ---- */

/* directory NULL: this host's journal. machine NULL: all. -errno with err filled. */
struct verify_journal {
	const char *directory;
	const char *machine;
};
int verify_journal(struct verifier *verifier, const struct verify_journal *from, struct error *err);

/* A file that this program wrote, with those that were rotated away before it. */
int verify_file(struct verifier *verifier, const char *path, struct error *err);
/* The same of text in memory: label stands for the file. */
int verify_text(struct verifier *verifier, const char *label, const char *text, size_t size);

/* How far the log in the journal has to go, as the state in that directory says; nothing where that
 * cannot be read. */
void verify_state(struct verifier *verifier, const char *state_dir);

#endif
