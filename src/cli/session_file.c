/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "base/cleanup.h"
#include "capture/file_reader.h"
#include "cli/seek.h"
#include "cli/session_private.h"

void session_read_metadata(const char *text, int64_t *ret_offset_ns, enum abi *ret_abi)
{
	json_object *about = json_tokener_parse(text), *part, *value;

	if (json_object_object_get_ex(about, "clock", &part) &&
		json_object_object_get_ex(part, "realtime_offset_ns", &value))
		*ret_offset_ns = json_object_get_int64(value);
	if (json_object_object_get_ex(about, "options", &part) &&
		json_object_object_get_ex(part, "abi", &value) && json_object_get_string(value))
		abi_from_name(json_object_get_string(value), ret_abi);
	json_object_put(about);
}

/* A capture that was taken from a stream begins in the middle. */
static int take_state(
	struct session *session, const struct capture_reader *reader, struct error *err)
{
	size_t size;
	const void *bytes = capture_reader_state(reader, &size);

	return session_load_state(session, bytes, size, STATE_AS_IT_IS, err);
}

/* All at once, or each when the reader lets it. Where err is filled it says more than the code. */
static int take(
	struct session *session, const struct kes_record *records, size_t n, struct error *err)
{
	const struct reader *reader = session->reader;
	int r = 0;

	if (!reader->pace)
		return session_take(session, records, n);
	for (size_t i = 0; i < n && !r; i++) {
		r = reader->pace(reader->context, records[i].ts_ns, err);
		if (!r)
			r = session_take(session, &records[i], 1);
	}
	return r;
}

/* One turn: what came next. 1: there may be more; 0: nobody reads any more. */
static int turn(struct session *session, struct capture_reader *reader, int what,
	const struct kes_record *records, size_t n, struct error *err)
{
	struct seeker *seeker = session->reader->seeker;
	int r = 0;

	if (what != CAPTURE_STATE)
		r = take(session, records, n, err);
	else if (!capture_reader_info(reader)->records) /* else the seeker has been there */
		r = take_state(session, reader, err);
	if (r == -EPIPE && seeker && seeker_is_wanted(seeker)) {
		r = seeker_go(seeker, session, reader, err);
		return r ? r : 1;
	}
	if (r == -EPIPE)
		return 0;
	if (r && err->code == r)
		return r;
	if (r)
		return error_set(err, r, "reading the capture failed: %s", strerror(-r));
	if (seeker)
		seeker_pass(seeker, session, reader);
	return 1;
}

static void close_file(struct session *session, const struct capture_reader *reader)
{
	const struct capture_info *info = capture_reader_info(reader);

	session->incomplete = !info->ended;
	session->damaged = info->state == CAPTURE_DAMAGED || info->records_lost;
	snprintf(session->problem, sizeof(session->problem), "%s", info->problem);
	if (session->reader->capture)
		session->reader->capture(session->reader->context, reader);
}

/* Makes the session, and goes to where the reader wants to begin. */
static int open_file(struct session *session, struct capture_reader *reader, struct error *err)
{
	struct seeker *seeker = session->reader->seeker;
	enum abi abi = ABI_MAP_GPA_RANGE;
	int r;

	session_read_metadata(
		capture_reader_metadata(reader), &session->style.realtime_offset_ns, &abi);
	r = session_start(session, abi, err);
	if (r || !seeker)
		return r;
	seeker_look(seeker, reader);
	return seeker_is_wanted(seeker) ? seeker_go(seeker, session, reader, err) : 0;
}

int session_run_file(struct session *session, struct error *err)
{
	_cleanup_(capture_reader_free) struct capture_reader *reader = NULL;
	const struct kes_record *records;
	size_t n;
	int r = capture_reader_open(&reader, session->options->file, err);

	if (!r)
		r = open_file(session, reader, err);
	if (r)
		return r;
	while ((r = capture_reader_next(reader, &records, &n, err)) > 0) {
		r = turn(session, reader, r, records, n, err);
		if (r <= 0)
			return r;
	}
	if (!r)
		close_file(session, reader);
	return r;
}
