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
	return 0;
}

/* Whether there may be one more of them in this second. */
static bool may_write(struct server *server)
{
	uint64_t second = clock_now_ns() / SECOND_NS;

	if (second != server->events_second) {
		server->events_second = second;
		server->events_left = EVENTS_A_SECOND;
	}
	if (!server->events_left)
		return false;
	server->events_left--;
	return true;
}

static void put_line(struct client *client, const char *line, size_t size)
{
	if (client->lines.size + size > WATCH_BYTES || buffer_put(&client->lines, line, size))
		client->missed++;
}

/* What is told as one reply: its JSON is written when the first one wants it. */
struct telling {
	struct server *server;
	char *text;
	size_t size; /* with its NUL */
	bool is_asked;
};

static FILE *begin(struct telling *telling)
{
	FILE *out;

	telling->is_asked = true;
	if (!may_write(telling->server))
		return NULL;
	out = open_memstream(&telling->text, &telling->size);
	if (out)
		fputs("{\"parameters\":{\"event\":", out);
	return out;
}

/* The line that was written ends in a newline, which goes. */
static void end(struct telling *telling, FILE *out)
{
	fseeko(out, -1, SEEK_CUR);
	fputs("},\"continues\":true}", out);
	fputc('\0', out);
	if (fclose(out)) {
		free(telling->text);
		telling->text = NULL;
	}
}

static void tell(struct telling *telling, struct client *client)
{
	if (telling->text)
		put_line(client, telling->text, telling->size);
	else
		client->missed++;
	server_flush_soon(client->server);
}

void server_event(struct server *server, const struct event *event)
{
	struct telling telling = {.server = server};

	if (!server->watchers || event->kind >= EVENT_TOLD)
		return;
	for (struct client *c = server->clients; c; c = c->next) {
		FILE *out;

		if (c->mode != CLIENT_EVENTS ||
			(c->vm && event->vm && !select_matches(event->vm, c->vm)))
			continue;
		out = telling.is_asked ? NULL : begin(&telling);
		if (out) {
			event_write_json(out, event);
			end(&telling, out);
		}
		tell(&telling, c);
	}
	free(telling.text);
}

void server_finding(struct server *server, const struct finding *finding, enum finding_phase phase)
{
	struct telling telling = {.server = server};

	if (!server->watchers)
		return;
	for (struct client *c = server->clients; c; c = c->next) {
		FILE *out;

		if (c->mode != CLIENT_EVENTS || !c->findings ||
			(c->vm && finding->vm && !select_names_finding(finding, c->vm)))
			continue;
		out = telling.is_asked ? NULL : begin(&telling);
		if (out) {
			finding_event_json(out, finding, phase);
			end(&telling, out);
		}
		tell(&telling, c);
	}
	free(telling.text);
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
	for (struct client *c = server->clients; c; c = c->next)
		if (c->mode == CLIENT_EVENTS)
			flush_client(c);
}

void watchers_sweep(struct server *server)
{
	for (struct client *c = server->clients; c; c = c->next) {
		char line[96];
		int n;

		if (c->mode != CLIENT_EVENTS || !c->missed)
			continue;
		n = snprintf(line, sizeof(line),
			"{\"parameters\":{\"missed\":%llu},\"continues\":true}",
			(unsigned long long)c->missed);
		c->missed = 0;
		put_line(c, line, (size_t)n + 1);
		flush_client(c);
	}
}
