/* SPDX-License-Identifier: GPL-2.0-only */
/* Those who get events as JSON. Each event is made into JSON once, and only so many of them a
 * second: the rest is counted and said. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "output/findings.h"
#include "output/select.h"
#include "service/server_private.h"

int watch_events(struct client *client, const char *vm, bool findings, struct error *err)
{
	if (client->server->watchers >= WATCHERS_MAX) {
		error_set(err, -EBUSY, "as many clients as may get events as JSON do so");
		error_advise(err, "`kvm-encstat events` reads the stream, and is not one of them");
		return -EBUSY;
	}
	client->vm = vm ? strdup(vm) : NULL;
	if (vm && !client->vm)
		return error_set(err, -ENOMEM, "out of memory");
	client->findings = findings;
	client_mode(client, CLIENT_EVENTS);
	client->server->watching[client->server->watchers++] = client;
	return 0;
}

/* The last one takes its place: who goes through the list does that from its end. */
void watch_no_more(struct client *client)
{
	struct server *server = client->server;
	size_t i = 0;

	while (server->watching[i] != client)
		i++;
	server->watching[i] = server->watching[--server->watchers];
}

/* Whether there may be one more of them in this second. */
static bool may_write(struct server *server, uint64_t now_ns)
{
	uint64_t second = now_ns / SECOND_NS;

	if (second != server->events_second) {
		server->events_second = second;
		server->events_left = EVENTS_A_SECOND;
		server->events_left_ns = EVENTS_NS;
	}
	if (!server->events_left || server->events_left_ns <= 0)
		return false;
	server->events_left--;
	return true;
}

/* false: there is no room for it. */
static bool put_line(struct client *client, const char *line, size_t size)
{
	return client->lines.size + size <= WATCH_BYTES && !buffer_put(&client->lines, line, size);
}

/* What is told as one reply: an event, or a finding with its phase. */
struct telling {
	const struct event *event;
	const struct finding *finding;
	enum finding_phase phase;
};

static bool is_wanted(const struct client *client, const struct telling *what)
{
	if (what->event)
		return !client->vm || !what->event->vm ||
		       select_matches(what->event->vm, client->vm);
	return client->findings && (!client->vm || !what->finding->vm ||
					   select_names_finding(what->finding, client->vm));
}

/* The reply with its NUL, the caller's; NULL: there is no room for it in this second. */
static char *write_reply(struct server *server, const struct telling *what, size_t *ret_size)
{
	char *text = NULL;
	uint64_t start_ns = clock_now_ns();
	FILE *out = may_write(server, start_ns) ? open_memstream(&text, ret_size) : NULL;

	if (!out)
		return NULL;
	fputs("{\"parameters\":{\"event\":", out);
	if (what->event)
		event_write_json(out, what->event);
	else
		finding_event_json(out, what->finding, what->phase);
	fseeko(out, -1, SEEK_CUR); /* it is a line: the newline goes */
	fputs("},\"continues\":true}", out);
	fputc('\0', out);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	server->events_left_ns -= (int64_t)(clock_now_ns() - start_ns);
	return text;
}

/* Its JSON is made when the first one wants it. */
static void tell(struct server *server, const struct telling *what)
{
	_cleanup_free_ char *text = NULL;
	bool is_written = false;
	size_t size = 0;

	for (size_t i = 0; i < server->watchers; i++) {
		struct client *c = server->watching[i];

		if (!is_wanted(c, what))
			continue;
		if (!is_written)
			text = write_reply(server, what, &size);
		is_written = true;
		if (!text || !put_line(c, text, size))
			c->missed++;
		server_flush_soon(server);
	}
}

void server_event(struct server *server, const struct event *event)
{
	const struct telling what = {.event = event};

	if (server->watchers && event->kind < EVENT_TOLD)
		tell(server, &what);
}

void server_finding(struct server *server, const struct finding *finding, enum finding_phase phase)
{
	const struct telling what = {.finding = finding, .phase = phase};

	if (server->watchers)
		tell(server, &what);
}

/* ---- out ---- */

static void flush_client(struct client *client)
{
	struct chunk *chunk;
	int r;

	if (!client->lines.size)
		return;
	chunk = chunk_new(client->lines.bytes, client->lines.size, NULL);
	client->lines = (struct buffer){};
	r = chunk ? client_send(client, NULL, 0, chunk, WATCH_BYTES) : -ENOMEM;
	chunk_unref(&chunk);
	if (r)
		client_drop(client);
	else
		client_arm(client);
}

void watchers_flush(struct server *server)
{
	for (size_t i = server->watchers; i-- > 0;)
		flush_client(server->watching[i]);
}

void watchers_sweep(struct server *server)
{
	for (size_t i = server->watchers; i-- > 0;) {
		struct client *c = server->watching[i];
		char line[96];
		int n;

		if (!c->missed)
			continue;
		n = snprintf(line, sizeof(line),
			"{\"parameters\":{\"missed\":%llu},\"continues\":true}",
			(unsigned long long)c->missed);
		if (put_line(c, line, (size_t)n + 1))
			c->missed = 0;
		flush_client(c);
	}
}
