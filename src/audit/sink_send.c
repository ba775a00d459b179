/* SPDX-License-Identifier: GPL-2.0-only */
/* From the spool to the journal or the file: at a pace, and again if need be. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "audit/journal.h"
#include "audit/sink_private.h"
#include "base/cleanup.h"

#define DELAY_MIN  (100 * MILLISECOND)
#define DELAY_MAX  (5 * SECOND)
#define RESEND_MIN SECOND
#define PASSED_NS  (SECOND / 2)
#define RESEND_MAX (30 * SECOND)
#define BURST_NS   (200 * MILLISECOND) /* of the rate: so much may come at once */
#define TROUBLE_NS (5 * SECOND)        /* what fails for so long is worth a word */

/* ---- what is sent ---- */

/* The first record of a log is made here, and always the same: it has no place in the spool, which
 * may have older ones. */
static void compose_first(const struct sink *sink, struct audit_record *record)
{
	const struct chain_state *state = &sink->state;
	time_t seconds = (time_t)(state->began_us / 1000000);
	char time[32];
	struct tm tm;

	strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &tm));
	record_begin(record, AUDIT_CHAIN);
	record_add(record, "PRIORITY", "%d", audit_kinds[AUDIT_CHAIN].priority);
	record_set(record, FIELD_TIME, "%s.%06uZ", time, (unsigned)(state->began_us % 1000000));
	record_set(record, FIELD_BOOT, "%s", state->chain.boot);
	record_set(record, FIELD_MACHINE, "%s", state->chain.machine);
	if (*sink->source)
		record_set(record, FIELD_SOURCE, "%s", sink->source);
	record_set(record, FIELD_PREVIOUS, "%s", state->previous);
	record_add(
		record, "MESSAGE", "a new audit log begins; the one before: %s", state->previous);
}

/* The record behind *at, which then is behind it. 1, 0: there is none, or -errno. */
static int compose(struct sink *sink, struct chain *chain, struct spool_position *at,
	struct audit_record *record)
{
	const char *line;
	size_t size;
	int r = 1;

	if (!chain->seq)
		compose_first(sink, record);
	else
		r = spool_next(sink->spool, at, &line, &size);
	if (!r || (r < 0 && r != -EBADMSG))
		return r;
	if (chain->seq && (r == -EBADMSG || record_parse(record, line, size)))
		record_damaged(record);
	chain_add(chain, record);
	return 1;
}

static int deliver(struct sink *sink, const struct audit_record *record)
{
	if (sink->is_file)
		return audit_file_send(sink->file, record, sink->now_ns);
	return journal_send(sink->journal_fd, sink->socket, record);
}

/* ---- when ---- */

static void failed(struct sink *sink, int r)
{
	sink->failures++;
	sink->delay_ns = sink->delay_ns ? 2 * sink->delay_ns : DELAY_MIN;
	if (sink->delay_ns > DELAY_MAX)
		sink->delay_ns = DELAY_MAX;
	sink->retry_ns = sink->now_ns + sink->delay_ns;
	if (!sink->failing_ns)
		sink->failing_ns = sink->now_ns;
	if (sink->now_ns - sink->failing_ns >= TROUBLE_NS)
		snprintf(sink->trouble, sizeof(sink->trouble), "audit log (%s): %s", sink->name,
			strerror(-r));
}

void sink_succeeded(struct sink *sink)
{
	sink->delay_ns = sink->retry_ns = sink->failing_ns = 0;
	*sink->trouble = '\0';
}

static bool may_send(const struct sink *sink)
{
	return sink->now_ns >= sink->retry_ns &&
	       (!sink->rate || sink->now_ns + BURST_NS >= sink->next_ns);
}

static void note_pace(struct sink *sink)
{
	if (!sink->rate)
		return;
	if (sink->next_ns < sink->now_ns)
		sink->next_ns = sink->now_ns;
	sink->next_ns += SECOND / sink->rate;
}

/* ---- in order ---- */

static void note_sent(struct sink *sink, const struct chain *chain,
	const struct spool_position *end, bool arrived)
{
	struct sent *sent;

	if (!sink->n)
		sink->settled_ns = sink->now_ns;
	sent = sink_sent(sink, sink->n++);
	*sent = (struct sent){
		.begin = sink->sent,
		.end = *end,
		.seq = chain->seq,
		.sent_ns = sink->now_ns,
		.arrived = arrived,
	};
	memcpy(sent->chain, chain->hash, sizeof(sent->chain));
	sink->chain = *chain;
	sink->sent = *end;
}

void sink_send(struct sink *sink)
{
	while (sink->n < SINK_WINDOW && may_send(sink)) {
		struct spool_position end = sink->sent;
		struct chain chain = sink->chain;
		struct audit_record record;
		bool found;
		int r = compose(sink, &chain, &end, &record);

		if (!r)
			return;
		found = r > 0 && sink_is_found(sink, chain.seq, chain.hash);
		if (r > 0 && !found) {
			if (chain.seq <= sink->doubtful)
				record_set(&record, FIELD_RESENT, "1");
			r = deliver(sink, &record);
			note_pace(sink);
		}
		if (r < 0) {
			failed(sink, r);
			return;
		}
		sink_succeeded(sink);
		note_sent(sink, &chain, &end,
			found || sink->is_file || !sink->confirm || !sink_may_look(sink));
		sink_settle(sink);
	}
}

/* ---- again ---- */

static int send_again(struct sink *sink, size_t i)
{
	struct sent *sent = sink_sent(sink, i);
	struct spool_position at = sent->begin;
	struct chain chain = sink->state.chain;
	struct audit_record record;
	int r;

	chain.seq = sent->seq - 1;
	if (i)
		memcpy(chain.hash, sink_sent(sink, i - 1)->chain, sizeof(chain.hash));
	r = compose(sink, &chain, &at, &record);
	if (r <= 0)
		return r ? r : -EIO;
	record_set(&record, FIELD_RESENT, "1");
	r = deliver(sink, &record);
	note_pace(sink);
	if (r)
		return r;
	sink->resent++;
	sent->sent_ns = sink->now_ns;
	return 0;
}

/* Behind the last one that has arrived; journald takes them in order, so what was sent before that
 * and is not there never will be. */
static size_t passed(struct sink *sink)
{
	size_t n = sink->n;

	while (n && !sink_sent(sink, n - 1)->arrived)
		n--;
	return n;
}

static bool is_lost(struct sink *sink, size_t i, size_t n_passed)
{
	const struct sent *sent = sink_sent(sink, i);
	uint64_t patience = i < n_passed ? PASSED_NS : sink->resend_delay_ns ?: RESEND_MIN;

	return !sent->arrived && sink->now_ns - sent->sent_ns >= patience;
}

/* It was of no use last time: the next time is later. */
static void be_patient(struct sink *sink)
{
	if (sink->now_ns < sink->resend_ns)
		return;
	sink->resend_delay_ns = sink->resend_delay_ns ? 2 * sink->resend_delay_ns : RESEND_MIN;
	if (sink->resend_delay_ns > RESEND_MAX)
		sink->resend_delay_ns = RESEND_MAX;
	sink->resend_ns = sink->now_ns + sink->resend_delay_ns;
}

void sink_resend(struct sink *sink)
{
	size_t n_passed = passed(sink);

	/* where nothing can be read back, once has to do */
	for (size_t i = 0; i < sink->n && !sink->unconfirmed && may_send(sink); i++) {
		int r;

		if (!is_lost(sink, i, n_passed))
			continue;
		r = send_again(sink, i);
		if (r < 0) {
			failed(sink, r);
			return;
		}
		be_patient(sink);
	}
}
