/* SPDX-License-Identifier: GPL-2.0-only */
#include "audit/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "audit/journal.h"
#include "audit/sink_private.h"
#include "base/cleanup.h"

/* ---- where it stands, on disk ---- */

static void save(struct sink *sink)
{
	char text[CHAIN_STATE_BYTES];

	chain_state_write(&sink->state, text);
	/* in place, so that it can be done on a full disk */
	if (pwrite(sink->state_fd, text, sizeof(text), 0) == (ssize_t)sizeof(text))
		sink->unsaved = false;
}

static int begin(struct sink *sink, const struct sink_options *options, const char *previous)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	sink->state.began_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	snprintf(sink->state.previous, sizeof(sink->state.previous), "%s", previous);
	return chain_begin(&sink->state.chain, options->machine, options->boot);
}

/* Goes on with the log that the state names, if it is of this boot, else begins one. */
static int load(struct sink *sink, const struct sink_options *options)
{
	char text[CHAIN_STATE_BYTES], previous[sizeof(sink->state.previous)];
	ssize_t n = pread(sink->state_fd, text, sizeof(text), 0);
	struct chain *chain = &sink->state.chain;

	if (n < 0)
		return -errno;
	if (!n)
		return begin(sink, options, "none");
	if (chain_state_parse(&sink->state, text, (size_t)n))
		return begin(sink, options, "unknown");
	if (!strcmp(chain->boot, options->boot) && !strcmp(chain->machine, options->machine)) {
		sink->was_cut = !sink->state.clean;
		sink->doubtful = chain->seq + SINK_WINDOW;
		return 0;
	}
	snprintf(previous, sizeof(previous), "%s:%" PRIu64 ":%s", chain->log, chain->seq,
		chain->hash);
	return begin(sink, options, previous);
}

static int open_state(struct sink *sink, const struct sink_options *options, struct error *err)
{
	char name[32];
	int r;

	snprintf(name, sizeof(name), "%s.state", options->name);
	sink->state_fd = openat(
		options->dir_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0600);
	r = sink->state_fd < 0 ? -errno : load(sink, options);
	sink->before = sink->state.chain.seq;
	if (r)
		return error_set(err, r, "the audit log's state %s: %s", name, strerror(-r));
	return 0;
}

/* ---- life ---- */

static int open_target(struct sink *sink, const struct sink_options *options, struct error *err)
{
	if (sink->is_file)
		return audit_file_open(&sink->file, &options->file, err);
	sink->journal_fd = journal_open();
	if (sink->journal_fd < 0)
		return error_set(err, sink->journal_fd, "a socket for the journal: %s",
			strerror(-sink->journal_fd));
	return 0;
}

static void set_text(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text ?: "");
}

/* As many records as may have been sent, and are not known to have arrived. */
static void spare(struct sink *sink)
{
	const char *line;
	size_t size;
	int r = sink->doubtful != 0;

	sink->spared = sink->sent;
	for (size_t i = 0; i < SINK_WINDOW && (r > 0 || r == -EBADMSG); i++)
		r = spool_next(sink->spool, &sink->spared, &line, &size);
}

static int open_spool(struct sink *sink, const struct sink_options *options, struct error *err)
{
	char name[32];
	int r;

	snprintf(name, sizeof(name), "%s.spool", options->name);
	r = spool_open(&sink->spool, options->dir_fd, name, options->spool_bytes, err);
	if (r)
		return r;
	sink->sent = (struct spool_position){sink->state.segment, sink->state.offset};
	spool_fix(sink->spool, &sink->sent);
	sink->state.segment = sink->sent.segment;
	sink->state.offset = sink->sent.offset;
	spare(sink);
	return 0;
}

static void free_sink(struct sink **pointer)
{
	struct sink *sink = *pointer;

	if (!sink)
		return;
	journal_back_free(&sink->back);
	audit_file_free(&sink->file);
	spool_free(&sink->spool);
	tally_free(&sink->tally);
	cleanup_close(&sink->state_fd);
	cleanup_close(&sink->journal_fd);
	free(sink->found);
	free(sink);
	*pointer = NULL;
}

int sink_open(struct sink **ret, const struct sink_options *options, struct error *err)
{
	_cleanup_(free_sink) struct sink *sink = calloc(1, sizeof(*sink));
	int r;

	if (!sink)
		return error_set(err, -ENOMEM, "out of memory");
	sink->state_fd = sink->journal_fd = -1;
	sink->is_file = options->file.path != NULL;
	set_text(sink->name, sizeof(sink->name), options->name);
	set_text(sink->source, sizeof(sink->source), options->source);
	set_text(sink->socket, sizeof(sink->socket), options->socket ?: JOURNAL_SOCKET);
	set_text(sink->directory, sizeof(sink->directory), options->directory);
	sink->confirm = options->confirm;
	sink->rate = options->rate;
	sink->tally = tally_new();
	if (!sink->tally)
		return error_set(err, -ENOMEM, "out of memory");
	r = open_state(sink, options, err);
	if (!r)
		r = open_spool(sink, options, err);
	if (!r)
		r = open_target(sink, options, err);
	if (r)
		return r;
	sink->chain = sink->state.chain;
	sink_find(sink);
	sink->state.clean = false;
	save(sink);
	*ret = TAKE_PTR(sink);
	return 0;
}

void sink_close(struct sink **pointer, bool clean)
{
	struct sink *sink = *pointer;

	if (!sink)
		return;
	sink->state.clean = clean;
	save(sink);
	free_sink(pointer);
}

void sink_change(struct sink *sink, const struct sink_options *options)
{
	sink->rate = options->rate;
	sink->confirm = options->confirm;
	spool_set_bound(sink->spool, options->spool_bytes);
	if (sink->is_file)
		audit_file_change(sink->file, &options->file);
}

bool sink_was_cut(const struct sink *sink)
{
	return sink->was_cut;
}

/* ---- records ---- */

/* What was counted while the disk was full is told as soon as it can be. */
static bool untally(struct sink *sink)
{
	struct audit_record record;
	char line[AUDIT_LINE_BYTES];

	while (tally_first(sink->tally, "disk-full", &record)) {
		if (spool_append(sink->spool, line, record_json(&record, line)))
			return false;
		tally_drop(sink->tally);
	}
	return true;
}

void sink_add(struct sink *sink, const struct audit_record *record, const char *line, size_t size)
{
	if (untally(sink) && !spool_append(sink->spool, line, size))
		return;
	sink->failures++;
	sink->merged++;
	if (tally_add(sink->tally, record))
		snprintf(sink->trouble, sizeof(sink->trouble),
			"audit log (%s): neither disk nor memory is left: a record is lost",
			sink->name);
}

static void make_room(struct sink *sink)
{
	bool spares = sink->spared.segment > sink->sent.segment;
	int64_t merged = spool_make_room(sink->spool, spares ? &sink->spared : &sink->sent);

	if (merged > 0)
		sink->merged += (uint64_t)merged;
	else if (merged < 0)
		sink->failures++;
}

static bool has_work(const struct sink *sink)
{
	return sink->n || spool_waits(sink->spool, &sink->sent) || tally_count(sink->tally);
}

void sink_turn(struct sink *sink, uint64_t now_ns)
{
	sink->now_ns = now_ns;
	untally(sink);
	sink_read_back(sink);
	sink_resend(sink);
	sink_send(sink);
	/* What failed last may have been in vain: it was there all the while. */
	if (!has_work(sink))
		sink_succeeded(sink);
	if (sink->is_file)
		audit_file_turn(sink->file, now_ns);
	if (sink->unsaved)
		save(sink);
	if (!sink->unsaved) {
		struct spool_position settled = {sink->state.segment, sink->state.offset};

		spool_release(sink->spool, &settled);
	}
	make_room(sink);
}

uint64_t sink_wait(const struct sink *sink, uint64_t now_ns)
{
	uint64_t due = now_ns + 50 * MILLISECOND;

	if (sink->n) /* it is not known yet whether it arrived */
		return due - now_ns;
	if (!spool_waits(sink->spool, &sink->sent) && sink->chain.seq && !tally_count(sink->tally))
		return sink->is_file ? SECOND : UINT64_MAX;
	if (sink->retry_ns > due)
		due = sink->retry_ns;
	return due - now_ns;
}

struct sink_status sink_status(const struct sink *sink)
{
	return (struct sink_status){
		.delivered = sink->state.chain.seq - sink->before,
		.waiting = spool_waits(sink->spool, &sink->sent) || sink->n
				   ? spool_bytes(sink->spool)
				   : 0,
		.merged = sink->merged,
		.resent = sink->resent,
		.failures = sink->failures,
		.unconfirmed = sink->unconfirmed,
		.trouble = *sink->trouble || !sink_is_stuck(sink)
				   ? sink->trouble
				   : "audit log (journal): what is sent does not arrive there: is "
				     "its disk full, or its configuration to store nothing?",
	};
}
