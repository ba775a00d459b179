/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Other times of a capture that is played: where it can be begun from (states in the file, and
 * those that were kept in memory as it was played first), and which of them is wanted. Lives longer
 * than a session, since one ends with the capture.
 */
#ifndef CLI_SEEK_H
#define CLI_SEEK_H

#include "capture/file_reader.h"
#include "cli/session_private.h"

/* Of states kept in memory, all together. */
#define SEEK_BYTES (64u << 20)

struct seeker;

/* Keeps a state in memory every so many records, where the file has none; 0: as is good. */
int seeker_new(struct seeker **ret, uint64_t every);
void seeker_free(struct seeker **seeker);

/* Records up to this time are wanted, and history_ns before it, as far as it costs little. Also as
 * the reader's pace() says -EPIPE, which then means to go there. */
void seeker_want(struct seeker *seeker, uint64_t ts_ns, uint64_t history_ns);
bool seeker_is_wanted(const struct seeker *seeker);

/* Whether going there is better than to read on from now. */
bool seeker_helps(
	const struct seeker *seeker, uint64_t now_ns, uint64_t ts_ns, uint64_t history_ns);

/* ---- for the session ---- */

/* Puts the reader and the session to before what is wanted. 0 or a negative errno with err filled.
 */
int seeker_go(struct seeker *seeker, struct session *session, struct capture_reader *reader,
	struct error *err);

/* The session has taken in all blocks up to here: now and then it is kept. */
void seeker_pass(
	struct seeker *seeker, const struct session *session, const struct capture_reader *reader);

/* What the file itself offers. */
void seeker_look(struct seeker *seeker, struct capture_reader *reader);

#endif
