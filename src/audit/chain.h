/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The place of records in a log: each has a number and names the digest of the one before it. And
 * the file that keeps where a log stands, so that the next process goes on with it.
 */
#ifndef AUDIT_CHAIN_H
#define AUDIT_CHAIN_H

#include "audit/record.h"

#define ID_SIZE 33 /* 32 digits */

struct chain {
	char machine[ID_SIZE], boot[ID_SIZE], log[ID_SIZE];
	uint64_t seq;          /* of the last record; 0: there is none yet */
	char hash[SHA256_HEX]; /* its KES_CHAIN */
};

/* A new one: log is a new random id. -errno of getrandom(2). */
int chain_begin(struct chain *chain, const char *machine, const char *boot);

/* The next record: gets KES_LOG, KES_SEQ, KES_PREV and KES_CHAIN. */
void chain_add(struct chain *chain, struct audit_record *record);

/* What KES_PREV of a log's first record has to be. */
void chain_anchor(const char *machine, const char *boot, const char *log, char hash[SHA256_HEX]);

/* ---- where it stands ---- */

struct chain_state {
	struct chain chain;                       /* up to what surely arrived */
	uint64_t segment, offset;                 /* of the spool, behind it */
	uint64_t began_us;                        /* the log: time of day */
	char previous[ID_SIZE + SHA256_HEX + 24]; /* LOG:SEQ:CHAIN of the log before */
	bool clean;                               /* the last process ended with a word */
};
#define CHAIN_STATE_BYTES 512

/* As text of CHAIN_STATE_BYTES. */
void chain_state_write(const struct chain_state *state, char text[CHAIN_STATE_BYTES]);
/* -EBADMSG: it is none, or damaged. */
int chain_state_parse(struct chain_state *state, const char *text, size_t size);

#endif
