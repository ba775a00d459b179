/* SPDX-License-Identifier: GPL-2.0-only */
/* What is known to have arrived. */
#include <string.h>
#include <unistd.h>

#include "audit/sink_private.h"
#include "base/cleanup.h"

#define READ_NS    (50 * MILLISECOND) /* between two looks */
#define REOPEN_NS  (3 * SECOND)       /* without anything new: files may have come unseen */
#define GIVE_UP_NS (10 * SECOND)      /* and nothing was ever read back: it is not possible */
#define LOOK_AGAIN (60 * SECOND)      /* for one record: it may be possible by now */
#define STUCK_NS   (10 * SECOND)      /* nothing of what was sent arrives: worth a word */

static void on_arrived(void *context, uint64_t seq, const char *chain)
{
	struct sink *sink = context;
	uint64_t first = sink->n ? sink_sent(sink, 0)->seq : 0;
	struct sent *sent;

	if (!first || seq < first || seq - first >= sink->n)
		return;
	sent = sink_sent(sink, seq - first);
	if (strcmp(sent->chain, chain))
		return; /* not ours */
	sent->arrived = true;
	sink->confirmed = true;
	sink->unconfirmed = false;
}

void sink_settle(struct sink *sink)
{
	while (sink->n && sink_sent(sink, 0)->arrived) {
		const struct sent *sent = sink_sent(sink, 0);

		sink->state.chain.seq = sent->seq;
		memcpy(sink->state.chain.hash, sent->chain, sizeof(sent->chain));
		sink->state.segment = sent->end.segment;
		sink->state.offset = sent->end.offset;
		sink->unsaved = true;
		sink->settled_ns = sink->now_ns;
		sink->first = (sink->first + 1) % SINK_WINDOW;
		sink->n--;
		sink->resend_ns = sink->resend_delay_ns = 0;
	}
}

static bool open_back(struct sink *sink)
{
	if (sink->back)
		return true;
	if (sink->opened_ns && sink->now_ns - sink->opened_ns < SECOND)
		return false;
	sink->opened_ns = sink->now_ns;
	return !journal_back_open(
		&sink->back, *sink->directory ? sink->directory : NULL, sink->state.chain.log);
}

/* It never was possible: what is sent counts as delivered from now on, which is said. */
static void give_up(struct sink *sink)
{
	sink->unconfirmed = true;
	for (size_t i = 0; i < sink->n; i++)
		sink_sent(sink, i)->arrived = true;
}

bool sink_may_look(const struct sink *sink)
{
	return !sink->unconfirmed || sink->now_ns - sink->read_ns >= LOOK_AGAIN;
}

void sink_read_back(struct sink *sink)
{
	uint64_t waited_ns = sink->now_ns - sink->settled_ns;

	if (sink->is_file || !sink->confirm || !sink->n || sink->now_ns - sink->read_ns < READ_NS)
		return;
	sink->read_ns = sink->now_ns;
	if (open_back(sink) && journal_back_read(sink->back, on_arrived, sink))
		journal_back_free(&sink->back);
	if (!sink_sent(sink, 0)->arrived && waited_ns >= REOPEN_NS &&
		sink->now_ns - sink->opened_ns >= REOPEN_NS)
		journal_back_free(&sink->back);
	if (!sink->confirmed && waited_ns >= GIVE_UP_NS)
		give_up(sink);
	sink_settle(sink);
}

bool sink_is_stuck(const struct sink *sink)
{
	return sink->n && sink->confirm && !sink->unconfirmed &&
	       sink->now_ns - sink->settled_ns >= STUCK_NS;
}

/* ---- what the process before has sent ---- */

static void on_found(void *context, uint64_t seq, const char *chain)
{
	struct sink *sink = context;
	struct found *grown;

	if (seq <= sink->state.chain.seq || sink->n_found >= 2 * SINK_WINDOW)
		return;
	grown = reallocarray(sink->found, sink->n_found + 1, sizeof(*sink->found));
	if (!grown)
		return; /* it is sent twice then, and says so */
	sink->found = grown;
	grown += sink->n_found++;
	grown->seq = seq;
	snprintf(grown->chain, sizeof(grown->chain), "%s", chain);
}

void sink_find(struct sink *sink)
{
	if (sink->is_file || !sink->confirm || !sink->state.chain.seq)
		return;
	if (open_back(sink) && journal_back_read(sink->back, on_found, sink))
		journal_back_free(&sink->back);
}

bool sink_is_found(const struct sink *sink, uint64_t seq, const char *chain)
{
	for (size_t i = 0; i < sink->n_found; i++)
		if (sink->found[i].seq == seq && !strcmp(sink->found[i].chain, chain))
			return true;
	return false;
}
