/* SPDX-License-Identifier: GPL-2.0-only */
/* A session that begins in the middle, from a state; and what it writes for others to do so. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/session_private.h"
#include "detect/state.h"
#include "model/state.h"

/* From measurement (bench/state.c): so many records are played again in 30 ms. */
#define STATE_RECORDS 131072
/* And all states together are at the most half as large as all records. */
#define STATE_SHARE 2

/* ---- loading ---- */

/* Whether the model is what it would be, had it taken in all records itself. */
static int check_model(const struct session *session, const struct model *model,
	const struct state_view *view, struct error *err)
{
	struct model_totals totals;

	model_totals(model, &totals);
	if (view->max_ended == model_max_ended(session->model) || !totals.forgotten)
		return 0;
	return error_set(err, -ESTALE, "VMs that ended were not all kept in this state");
}

static int load_findings(struct session *session, struct detect *detect,
	const struct state_view *view, enum state_use use, struct error *err)
{
	if (view->detect)
		return detect_load(detect, view->detect, view->detect_size,
			use == STATE_EXACT ? DETECT_LOAD_SAME : DETECT_LOAD_ANY, err);
	if (use == STATE_EXACT)
		return error_set(err, -ESTALE, "this state has no findings");
	(void)session;
	return 0;
}

static int load_both(struct session *session, const struct state_view *view, enum state_use use,
	struct model **ret_model, struct detect **ret_detect, struct error *err)
{
	_cleanup_(model_free) struct model *model = NULL;
	_cleanup_(detect_free) struct detect *detect = NULL;
	struct model_options options = session_model_options(session);
	int r = model_load(&model, &options, view->model, view->model_size, err);

	if (!r && use == STATE_EXACT)
		r = check_model(session, model, view, err);
	if (!r && session->detect)
		r = session_new_detect(session, model, &detect, err);
	if (!r && detect)
		r = load_findings(session, detect, view, use, err);
	if (r)
		return r;
	*ret_model = TAKE_PTR(model);
	*ret_detect = TAKE_PTR(detect);
	return 0;
}

static void take_on(struct session *session, struct model *model, struct detect *detect)
{
	const struct reader *reader = session->reader;

	detect_free(&session->detect);
	model_free(&session->model);
	session->model = model;
	session->detect = detect;
	if (reader->watch)
		reader->watch(reader->context, model, &session->style);
	if (detect && reader->detectors)
		reader->detectors(reader->context, detect);
}

int session_load_state(struct session *session, const void *bytes, size_t size, enum state_use use,
	struct error *err)
{
	const struct reader *reader = session->reader;
	struct state_view view;
	struct detect *detect;
	struct model *model;
	int r = state_open(&view, bytes, size, err);

	if (!r)
		r = load_both(session, &view, use, &model, &detect, err);
	if (r)
		return r;
	take_on(session, model, detect);
	if (reader->restored)
		r = reader->restored(reader->context, model, detect);
	return r ? error_set(err, r, "out of memory") : 0;
}

int session_begin_anew(struct session *session, struct error *err)
{
	_cleanup_(model_free) struct model *model = NULL;
	_cleanup_(detect_free) struct detect *detect = NULL;
	struct model_options options = session_model_options(session);
	int r = model_new(&model, &options);

	if (r)
		return error_set(err, r, "out of memory");
	if (session->detect)
		r = session_new_detect(session, model, &detect, err);
	if (!r)
		take_on(session, TAKE_PTR(model), TAKE_PTR(detect));
	return r;
}

/* ---- writing ---- */

static bool is_due(const struct session *session)
{
	const struct capture_writer *w = session->writer;

	return capture_writer_records(w) - session->state.records >= STATE_RECORDS &&
	       capture_writer_bytes(w) - session->state.bytes >= STATE_SHARE * session->state.size;
}

static void write_state(struct session *session)
{
	_cleanup_buffer_ struct buffer bytes = {};
	struct capture_writer *w = session->writer;
	uint64_t before = capture_writer_bytes(w);
	struct error err = {};

	session->state.records = capture_writer_records(w);
	if (state_save(session->model, session->detect, &bytes))
		return; /* without memory: the next one may do */
	if (capture_writer_state(w, model_now(session->model), bytes.bytes, bytes.size, &err)) {
		session->writer_failed = true;
		fprintf(stderr, "kvm-encstat: %s\n", err.text);
	}
	session->state.bytes = capture_writer_bytes(w);
	session->state.size = session->state.bytes - before;
}

void session_write_state(struct session *session)
{
	if (session->writer && !session->writer_failed && is_due(session))
		write_state(session);
}
