/* SPDX-License-Identifier: GPL-2.0-only */
/* What was read, kept in a capture: --save, and record. */
#include <json-c/json.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/session_private.h"
#include "detect/state.h"

int session_open_save(struct session *session, struct json_object *about, struct error *err)
{
	const struct options *options = session->options;
	int r = 0;

	if (options->save)
		r = capture_writer_new(&session->writer, options->save, options->force,
			json_object_to_json_string_ext(about, JSON_C_TO_STRING_PLAIN), err);
	json_object_put(about);
	return r;
}

int session_close_save(struct session *session, struct error *err)
{
	struct model_totals totals;
	json_object *summary;
	int r;

	if (!session->writer || session->writer_failed)
		return 0;
	model_totals(session->model, &totals);
	summary = json_object_new_object();
	json_object_object_add(summary, "vms",
		json_object_new_uint64(model_vm_count(session->model) + totals.forgotten));
	json_object_object_add(
		summary, "converted", json_object_new_uint64(totals.ledger.converted));
	json_object_object_add(summary, "lost", json_object_new_uint64(totals.lost));
	r = capture_writer_close(session->writer,
		json_object_to_json_string_ext(summary, JSON_C_TO_STRING_PLAIN), err);
	json_object_put(summary);
	if (!r)
		fprintf(stderr, "kvm-encstat: written to %s; kvm-encstat replay reads it\n",
			session->options->save);
	return r;
}

int session_save_state(struct session *session, struct error *err)
{
	_cleanup_buffer_ struct buffer bytes = {};
	int r;

	if (!session->writer)
		return 0;
	r = state_save(session->model, session->detect, &bytes);
	if (r)
		return error_set(err, r, "saving what is known: %s", strerror(-r));
	return capture_writer_state(
		session->writer, model_now(session->model), bytes.bytes, bytes.size, err);
}

void session_flush_save(struct session *session)
{
	struct error err = {};

	if (!session->writer || session->writer_failed ||
		!capture_writer_flush(session->writer, &err))
		return;
	session->writer_failed = true;
	fprintf(stderr, "kvm-encstat: %s\n", err.text);
}

void session_forget_save(struct session *session)
{
	struct model_totals totals;

	if (!session->writer)
		return;
	model_totals(session->model, &totals);
	if (!totals.records)
		unlink(session->options->save);
}
