/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Records on their way to a sink, on disk: JSON lines in files of a directory, in order. All go
 * through it, so that none is lost when the process dies. It takes no more than it is given: then
 * the oldest that nobody was sent yet are merged into counts (tally.h).
 */
#ifndef AUDIT_SPOOL_H
#define AUDIT_SPOOL_H

#include "audit/record.h"
#include "base/error.h"

struct spool;

/* Behind some record; both 0: before the first one. */
struct spool_position {
	uint64_t segment, offset;
};

/* Makes the directory `name` in dir_fd if it is not there. -errno with err filled. */
int spool_open(struct spool **ret, int dir_fd, const char *name, uint64_t bound, struct error *err);
void spool_free(struct spool **spool); /* fits _cleanup_() */

/* A position that was kept somewhere else: at the beginning, if the spool is not that one. */
void spool_fix(const struct spool *spool, struct spool_position *at);

void spool_set_bound(struct spool *spool, uint64_t bound);

/* Adds a line, with its end. All or nothing: -ENOSPC and the like. */
int spool_append(struct spool *spool, const char *line, size_t size);

/* The line behind *at, without its end, until the next call; moves *at behind it. 1, 0: there is
 * none yet, or -errno; -EBADMSG: there is something that is no line, and *at is behind it. */
int spool_next(
	struct spool *spool, struct spool_position *at, const char **ret_line, size_t *ret_size);

/* Whatever is before this position is not needed any more. */
void spool_release(struct spool *spool, const struct spool_position *at);

/* Bytes that are on disk. */
uint64_t spool_bytes(const struct spool *spool);

/* Whether there is something behind that position. */
bool spool_waits(const struct spool *spool, const struct spool_position *at);

/* Merges until it is within its bound, sparing what is at or before `sent`. How many records were
 * counted instead, or -errno. */
int64_t spool_make_room(struct spool *spool, const struct spool_position *sent);

#endif
