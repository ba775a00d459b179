/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef AUDIT_SINK_PRIVATE_H
#define AUDIT_SINK_PRIVATE_H

#include "audit/journal_back.h"
#include "audit/sink.h"
#include "audit/spool.h"
#include "audit/tally.h"

#define MILLISECOND  1000000ull
#define SECOND       1000000000ull
#define SINK_WINDOW  1024 /* records that were sent, and of which it is not known yet */
#define SOURCE_SIZE  16
#define PATH_SIZE    256
#define TROUBLE_SIZE 200

/* A record that was sent. */
struct sent {
	struct spool_position begin, end;
	uint64_t seq, sent_ns;
	char chain[SHA256_HEX];
	bool arrived;
};

/* One that was found in the journal before it was sent by this process. */
struct found {
	uint64_t seq;
	char chain[SHA256_HEX];
};

struct sink {
	char name[16], source[SOURCE_SIZE], socket[PATH_SIZE], directory[PATH_SIZE];
	int dir_fd, state_fd, journal_fd;
	bool is_file, confirm, was_cut;
	uint64_t rate;

	struct spool *spool;
	struct tally *tally; /* what found no room on disk */
	struct audit_file *file;
	struct journal_back *back;

	struct chain_state state; /* up to what has arrived */
	uint64_t before;          /* had arrived when this life began */
	bool unsaved;
	struct chain chain;         /* up to what was sent */
	struct spool_position sent; /* the same */
	struct sent ring[SINK_WINDOW];
	size_t first, n; /* in ring */
	struct found *found;
	size_t n_found;
	/* The process before may have sent records up to this number, which end here in the spool:
	 * they must stay as they are. */
	uint64_t doubtful;
	struct spool_position spared;

	uint64_t now_ns;
	uint64_t next_ns;            /* when the next record may be sent */
	uint64_t retry_ns, delay_ns; /* after a failure: when, and how long that was */
	uint64_t failing_ns;         /* since when it fails; 0: it does not */
	uint64_t read_ns, opened_ns; /* when the journal was read back, and opened, last */
	uint64_t resend_ns, resend_delay_ns;
	uint64_t settled_ns; /* when the oldest of what was sent began to be that */
	bool confirmed;   /* something has been read back */
	bool unconfirmed; /* it does not seem to be possible */
	uint64_t merged, resent, failures;
	char trouble[TROUBLE_SIZE];
};

static inline struct sent *sink_sent(struct sink *sink, size_t i)
{
	return &sink->ring[(sink->first + i) % SINK_WINDOW];
}

/* ---- sink_send.c ---- */

/* Sends what waits, as far as it may. */
void sink_send(struct sink *sink);
/* Nothing is in the way any more: no delay, and no trouble to tell of. */
void sink_succeeded(struct sink *sink);
/* Sends again what did not arrive. */
void sink_resend(struct sink *sink);

/* ---- sink_arrive.c ---- */

/* Takes note of what arrived. */
void sink_read_back(struct sink *sink);

/* Whether what is sent now is waited for; else it counts as arrived. */
bool sink_may_look(const struct sink *sink);

/* The journal takes what is sent, and does not have it. */
bool sink_is_stuck(const struct sink *sink);

/* Takes what has arrived, in order, out of the ring. */
void sink_settle(struct sink *sink);

/* What the journal had when the process began. */
void sink_find(struct sink *sink);

/* That seq with this chain has arrived. */
bool sink_is_found(const struct sink *sink, uint64_t seq, const char *chain);

#endif
