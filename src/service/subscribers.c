/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Those who get records: a snapshot first, then all that comes after it. A snapshot is made once
 * and used for a while: who comes later gets it and the blocks since, which all share. So a
 * subscriber costs a look at a list, and not the saving of a whole model.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "detect/state.h"
#include "service/server_private.h"

#define STATE_PIECE (8u << 20) /* bytes of a block */

/* ---- blocks ---- */

/* Its place in the client's stream is the only thing that is the client's own. */
static int put_block(
	struct client *client, const struct file_block *shared, struct chunk *payload, size_t limit)
{
	struct file_block block = *shared;
	int r;

	_Static_assert(sizeof(block) <= OUTBOX_HEAD, "a block's header is a part's head");
	encode_place(&block, client->index, payload->bytes);
	r = client_send(client, &block, sizeof(block), payload, limit);
	if (!r)
		client->index++;
	return r;
}

int subscriber_notice(struct client *client, const char *notice, const char *text)
{
	json_object *object = json_object_new_object();
	struct file_block block;
	struct chunk *payload;
	char *json;
	int r = -ENOMEM;

	json_object_object_add(object, "notice", json_object_new_string(notice));
	if (text)
		json_object_object_add(object, "text", json_object_new_string(text));
	json = strdup(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
	json_object_put(object);
	if (!json)
		return r;
	encode_plain(FILE_NOTICE, strlen(json), &block);
	payload = chunk_new(json, strlen(json), NULL);
	if (payload)
		r = put_block(client, &block, payload, SIZE_MAX);
	chunk_unref(&payload);
	return r;
}

/* ---- the snapshot ---- */

static void forget_snapshot(struct server *server)
{
	struct snapshot *snapshot = &server->snapshot;

	chunk_unref(&snapshot->chunk);
	while (snapshot->n_since)
		chunk_unref(&snapshot->since[--snapshot->n_since].payload);
	snapshot->n_records = 0;
}

/* In as many blocks as it takes; each says how many follow. */
static int put_state(const struct server_view *view, struct buffer *bytes, uint32_t *index)
{
	_cleanup_buffer_ struct buffer state = {};
	int r = state_save(view->model, view->detect, &state);

	for (size_t at = 0; at < state.size && !r; at += STATE_PIECE) {
		size_t left = state.size - at, size = left < STATE_PIECE ? left : STATE_PIECE;
		struct file_block block;

		encode_plain(FILE_STATE, size, &block);
		block.count = (uint32_t)((left - size + STATE_PIECE - 1) / STATE_PIECE);
		encode_place(&block, (*index)++, state.bytes + at);
		r = buffer_put(bytes, &block, sizeof(block));
		if (!r)
			r = buffer_put(bytes, state.bytes + at, size);
	}
	return r;
}

/* Header, META and STATE: the same for everybody, since their places are. */
static int make_snapshot(struct server *server, struct error *err)
{
	const struct server_view *view = server->view;
	_cleanup_buffer_ struct buffer bytes = {};
	_cleanup_free_ char *metadata = view->describe(view->context);
	_cleanup_free_ void *beginning = NULL;
	uint32_t next_index = 1;
	size_t size;
	int r;

	if (!metadata)
		return error_set(err, -ENOMEM, "out of memory");
	r = encode_beginning(metadata, &beginning, &size, err);
	if (r)
		return r;
	r = buffer_put(&bytes, beginning, size);
	if (!r)
		r = put_state(view, &bytes, &next_index);
	if (r)
		return error_set(err, r, "saving what is known: %s", strerror(-r));
	server->snapshot.chunk = chunk_new(bytes.bytes, bytes.size, &server->snapshots_bytes);
	bytes = (struct buffer){};
	if (!server->snapshot.chunk)
		return error_set(err, -ENOMEM, "out of memory");
	server->snapshot.next_index = next_index;
	server->counts.snapshots++;
	return 0;
}

/* Adds a block to what came since the snapshot; when there is too much of it, the next subscriber
 * gets a new one. */
static void remember(struct server *server, const struct file_block *block, struct chunk *payload)
{
	struct snapshot *snapshot = &server->snapshot;

	if (!snapshot->chunk)
		return;
	if (snapshot->n_since == SINCE_BLOCKS || snapshot->n_records >= SINCE_RECORDS) {
		forget_snapshot(server);
		return;
	}
	snapshot->since[snapshot->n_since++] = (struct shared_block){*block, chunk_ref(payload)};
	snapshot->n_records += block->count;
}

void subscribers_sweep(struct server *server, uint64_t now_ns)
{
	if (!server->counts.subscribers && now_ns - server->snapshot.used_ns > SNAPSHOT_NS)
		forget_snapshot(server);
}

/* ---- records ---- */

/* Nobody has the whole any more: all that follow would miss these. */
static void drop_all(struct server *server)
{
	forget_snapshot(server);
	for (struct client *c = server->clients; c; c = c->next)
		if (c->mode == CLIENT_STREAM)
			client_drop(c);
}

void subscribers_flush(struct server *server)
{
	struct file_block block;
	struct chunk *payload = NULL;
	void *bytes;

	if (!server->n_waiting)
		return;
	if (!encode_records(server->encoder, server->waiting, server->n_waiting, &block, &bytes))
		payload = chunk_new(bytes, block.stored_bytes, NULL);
	server->n_waiting = 0;
	if (!payload) { /* no memory */
		drop_all(server);
		return;
	}
	remember(server, &block, payload);
	for (struct client *c = server->clients; c; c = c->next) {
		if (c->mode != CLIENT_STREAM)
			continue;
		if (put_block(c, &block, payload, c->allowance))
			client_drop(c);
		else
			client_arm(c);
	}
	chunk_unref(&payload);
}

void server_records(struct server *server, const struct kes_record *records, size_t n)
{
	if (!server->counts.subscribers && !server->snapshot.chunk)
		return;
	while (n) {
		size_t part = ENCODE_RECORDS - server->n_waiting;

		if (part > n)
			part = n;
		memcpy(server->waiting + server->n_waiting, records, part * sizeof(*records));
		server->n_waiting += part;
		records += part;
		n -= part;
		if (server->n_waiting == ENCODE_RECORDS)
			subscribers_flush(server);
	}
	if (server->n_waiting)
		server_flush_soon(server);
}

/* ---- subscribing ---- */

static int prepare(struct server *server)
{
	if (!server->encoder && encoder_new(&server->encoder))
		return -ENOMEM;
	if (!server->waiting)
		server->waiting = malloc(ENCODE_RECORDS * sizeof(*server->waiting));
	return server->waiting ? 0 : -ENOMEM;
}

void subscribers_free(struct server *server)
{
	forget_snapshot(server);
	encoder_free(&server->encoder);
	free(server->waiting);
}

/* One that stands for now: all records that the model has are in it or in what came since. */
static int have_snapshot(struct server *server, struct error *err)
{
	const struct server_view *view = server->view;

	if (prepare(server))
		return error_set(err, -ENOMEM, "out of memory");
	if (view->refresh)
		(void)view->refresh(view->context); /* what came is there all the same */
	subscribers_flush(server);
	if (server->snapshot.chunk)
		return 0;
	/* at least one is always to be had */
	if (server->snapshots_bytes > (server->is_short ? 0 : SNAPSHOTS_BYTES)) {
		error_set(err, -EBUSY, "too many are reading what is known just now");
		error_advise(err, "try again in some seconds");
		return -EBUSY;
	}
	return make_snapshot(server, err);
}

static int put_beginning(struct client *client)
{
	struct snapshot *snapshot = &client->server->snapshot;
	char *reply = strdup("{\"parameters\":{}}");
	int r = reply ? client_send_text(client, reply, SIZE_MAX) : -ENOMEM;

	if (!r)
		r = client_send(client, NULL, 0, snapshot->chunk, SIZE_MAX);
	client->index = snapshot->next_index;
	for (size_t i = 0; i < snapshot->n_since && !r; i++)
		r = put_block(
			client, &snapshot->since[i].block, snapshot->since[i].payload, SIZE_MAX);
	return r ? r : subscriber_notice(client, "current", NULL);
}

int subscribe(struct client *client, struct error *err)
{
	struct server *server = client->server;
	int r = have_snapshot(server, err);

	if (r)
		return r;
	if (put_beginning(client)) {
		(void)outbox_cut(&client->outbox);
		return error_set(err, -ENOMEM, "out of memory");
	}
	server->snapshot.used_ns = clock_now_ns();
	client->allowance = client->outbox.bytes + STREAM_BYTES;
	client_mode(client, CLIENT_STREAM);
	return 0;
}
