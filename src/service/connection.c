/* SPDX-License-Identifier: GPL-2.0-only */
/* One client: its bytes in and out, and its end. A call is read when the reply before it is gone,
 * so that who asks and does not listen costs one reply. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "service/server_private.h"

static void unlink_client(struct client *client)
{
	if (!client->link)
		return;
	*client->link = client->next;
	if (client->next)
		client->next->link = client->link;
	client->server->counts.clients--;
}

void client_free(struct client *client)
{
	unlink_client(client);
	client_mode(client, CLIENT_CLOSING);
	sd_event_source_disable_unref(client->io);
	close(client->fd);
	varlink_input_free(&client->input);
	outbox_free(&client->outbox);
	buffer_free(&client->lines);
	free(client->vm);
	free(client);
}

void client_mode(struct client *client, enum client_mode mode)
{
	struct server *server = client->server;

	server->counts.subscribers -= client->mode == CLIENT_STREAM;
	server->counts.subscribers += mode == CLIENT_STREAM;
	if (client->mode == CLIENT_EVENTS)
		watch_no_more(client);
	client->mode = mode;
	if (mode == CLIENT_CLOSING)
		client->closing_ns = clock_now_ns();
}

void client_arm(struct client *client)
{
	bool busy = !outbox_is_empty(&client->outbox), ready = client->has_message;

	/* A message that is there and can be answered now comes with the next EPOLLOUT, since that
	 * is true already: other clients have their turn between. Once calls are over, all that can
	 * come in is the end. */
	sd_event_source_set_io_events(client->io,
		(busy || ready ? EPOLLOUT : 0) |
			(client->mode != CLIENT_CALLS || (!busy && !ready) ? EPOLLIN : 0));
}

/* ---- out ---- */

int client_send(struct client *client, const void *head, size_t head_size, struct chunk *chunk,
	size_t limit)
{
	if (outbox_is_empty(&client->outbox))
		client->moved_ns = clock_now_ns();
	return outbox_add(&client->outbox, head, head_size, chunk, limit);
}

int client_send_bytes(struct client *client, void *bytes, size_t size, size_t limit)
{
	struct chunk *chunk = chunk_new(bytes, size, &client->server->replies_bytes);
	int r = chunk ? client_send(client, NULL, 0, chunk, limit) : -ENOMEM;

	chunk_unref(&chunk);
	return r;
}

int client_send_text(struct client *client, char *text, size_t limit)
{
	return client_send_bytes(client, text, strlen(text) + 1, limit);
}

void client_drop(struct client *client)
{
	static const char why[] = "this client did not take what it asked for as fast as it came";
	struct error err = {};
	char *text;

	client->server->counts.dropped++;
	client->index -= (uint32_t)outbox_cut(&client->outbox);
	if (client->mode == CLIENT_STREAM) {
		(void)subscriber_notice(client, "slow", why);
	} else {
		error_set(&err, -EPIPE, "%s", why);
		text = methods_error_text("TooSlow", &err);
		if (text)
			(void)client_send_text(client, text, SIZE_MAX);
	}
	client_mode(client, CLIENT_CLOSING);
	client_arm(client);
}

/* ---- in ---- */

/* Reads once. -EPIPE: the other end is closed; -EAGAIN. */
static int receive(struct client *client)
{
	char *at, ignored[256];
	size_t room = sizeof(ignored);
	ssize_t n;

	if (client->mode == CLIENT_CALLS && varlink_input_room(&client->input, &at, &room))
		return -ENOMEM;
	if (client->mode != CLIENT_CALLS)
		at = ignored;
	n = recv(client->fd, at, room, MSG_DONTWAIT);
	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (!n)
		return -EPIPE;
	if (client->mode == CLIENT_CALLS)
		varlink_input_add(&client->input, (size_t)n);
	else if (client->mode != CLIENT_CLOSING)
		return -EBADMSG; /* nothing is to be said any more */
	return 0;
}

/* Answers the next message, if it is whole and there is room for the reply. */
static int answer(struct client *client)
{
	_cleanup_json_object_ struct json_object *message = NULL;
	int r;

	if (client->mode != CLIENT_CALLS || !outbox_is_empty(&client->outbox))
		return 0;
	r = varlink_input_next(&client->input, &message);
	if (r > 0) {
		client->partial_ns = 0;
		client->server->counts.calls++;
		r = methods_dispatch(client, message);
	}
	if (r == -EBADMSG || r == -EMSGSIZE)
		client->server->counts.malformed++;
	client->has_message = !r && varlink_input_has(&client->input);
	if (!client->has_message && varlink_input_is_partial(&client->input)) {
		if (!client->partial_ns)
			client->partial_ns = clock_now_ns();
	} else {
		client->partial_ns = 0;
	}
	return r;
}

static int send_some(struct client *client)
{
	uint64_t before = client->outbox.bytes_sent;
	int r = outbox_send(&client->outbox, client->fd);

	client->server->counts.bytes_sent += client->outbox.bytes_sent - before;
	if (client->moved != client->outbox.moved) {
		client->moved = client->outbox.moved;
		client->moved_ns = clock_now_ns();
	}
	return r == -EAGAIN ? 0 : r;
}

static int serve(struct client *client, uint32_t events)
{
	int r = 0;

	if (events & EPOLLIN)
		r = receive(client);
	else if (events & (EPOLLHUP | EPOLLERR))
		r = -EPIPE;
	if (r == -EBADMSG)
		client->server->counts.malformed++;
	if (r == -EAGAIN)
		r = 0;
	if (!r)
		r = answer(client);
	if (!r)
		r = send_some(client);
	if (!r && client->mode == CLIENT_CLOSING && outbox_is_empty(&client->outbox))
		r = -EPIPE;
	return r;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct client *client = context;

	(void)source;
	(void)fd;
	if (serve(client, events))
		client_free(client);
	else
		client_arm(client);
	return 0;
}

/* ---- begin, and time ---- */

int client_new(struct server *server, int fd, const struct peer *peer)
{
	struct client *client = calloc(1, sizeof(*client));
	int r;

	if (!client) {
		close(fd);
		return -ENOMEM;
	}
	client->server = server;
	client->fd = fd;
	client->peer = *peer;
	client->input.max = VARLINK_CALL_MAX;
	r = sd_event_add_io(server->event, &client->io, fd, EPOLLIN, on_io, client);
	if (r >= 0) /* what else the daemon waits for comes first */
		r = sd_event_source_set_priority(client->io, SD_EVENT_PRIORITY_IDLE);
	if (r < 0) {
		client_free(client);
		return r;
	}
	client->next = server->clients;
	client->link = &server->clients;
	if (client->next)
		client->next->link = &client->next;
	server->clients = client;
	server->counts.clients++;
	return 0;
}

void client_sweep(struct client *client, uint64_t now_ns)
{
	if (client->mode == CLIENT_CLOSING && now_ns - client->closing_ns > LINGER_NS)
		client_free(client);
	else if (client->mode == CLIENT_CLOSING)
		return;
	else if (!outbox_is_empty(&client->outbox) && now_ns - client->moved_ns > STALL_NS)
		client_drop(client);
	else if (client->partial_ns && now_ns - client->partial_ns > STALL_NS) {
		client->server->counts.malformed++;
		client_free(client);
	}
}
