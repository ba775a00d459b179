/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where records go, the journal or a file: each sink has its own log (chain.h) and its own spool,
 * so that one that is away does not hold up the other.
 *
 * A record counts as delivered when it is known to have arrived: only then it leaves the spool.
 * What did not arrive is sent again.
 */
#ifndef AUDIT_SINK_H
#define AUDIT_SINK_H

#include "audit/chain.h"
#include "audit/file.h"

struct sink;

struct sink_options {
	const char *name; /* of its files in the state directory */
	int dir_fd;       /* of that directory */
	const char *machine, *boot;
	const char *source; /* KES_SOURCE; NULL: live */
	uint64_t spool_bytes;
	uint64_t rate; /* records a second; 0: as they come */
	/* the journal */
	const char *socket, *directory; /* directory NULL: this host's journal */
	bool confirm;                   /* reads back what has arrived */
	/* a file, if it has a path */
	struct audit_file_options file;
};

/* -errno with err filled. */
int sink_open(struct sink **ret, const struct sink_options *options, struct error *err);
/* clean: that the process ends is in the log. */
void sink_close(struct sink **sink, bool clean);
void sink_change(struct sink *sink, const struct sink_options *options);

/* Whether it goes on with a log whose last process ended without a word. */
bool sink_was_cut(const struct sink *sink);

/* Takes a record, as it is and as its JSON line. Never fails: what finds no room on disk is
 * counted. */
void sink_add(struct sink *sink, const struct audit_record *record, const char *line, size_t size);

/* Sends what is due, and takes note of what arrived. now_ns: CLOCK_MONOTONIC. */
void sink_turn(struct sink *sink, uint64_t now_ns);

/* Nanoseconds until there is something to do; UINT64_MAX: nothing waits. */
uint64_t sink_wait(const struct sink *sink, uint64_t now_ns);

struct sink_status {
	uint64_t delivered, waiting, merged, resent, failures;
	bool unconfirmed;
	const char *trouble; /* "" none */
};
struct sink_status sink_status(const struct sink *sink);

#endif
