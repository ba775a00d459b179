/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * clients SOCKET N: so many clients of a daemon at once, every second of them hostile, until its
 * stdin ends. Those who are not ask, and get answers; some subscribe, and count. Says what they
 * came to: {"asked":, "answered":, "wrong":, "subscribers":, "records": [least, most], "notices":}.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buffer.h"
#include "capture/file_format.h"
#include "service/varlink.h"

#define LIST   "{\"method\":\"io.kvmencstat.List\",\"parameters\":{\"all\":true}}"
#define STATUS "{\"method\":\"io.kvmencstat.Status\"}"
#define STREAM "{\"method\":\"io.kvmencstat.Stream\",\"upgrade\":true}"
#define EVENTS "{\"method\":\"io.kvmencstat.Events\",\"more\":true}"

enum role {
	ASKER,      /* one call after the other */
	SUBSCRIBER, /* reads the stream, and counts its records */
	GARBAGE,    /* sends what is no varlink, comes again */
	HALF,       /* begins a message */
	FLOOD,      /* calls and never reads */
	DEAF,       /* subscribes and never reads */
	WATCHER,    /* takes events and never reads */
	FLEETING,   /* subscribes and goes, again and again */
};

struct client {
	enum role role;
	int fd;
	struct varlink_input input;
	struct buffer stream; /* what of it is not counted yet */
	bool upgraded, begun;
	uint64_t records;
};

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static unsigned long asked, answered, wrong, notices;

static enum role role_of(size_t i)
{
	static const enum role hostile[] = {GARBAGE, HALF, FLOOD, DEAF, WATCHER, FLEETING};

	if (i % 2)
		return hostile[i / 2 % 6];
	return i / 2 % 10 ? ASKER : SUBSCRIBER;
}

static void send_text(struct client *c, const char *text, size_t n)
{
	(void)!send(c->fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void begin(struct client *c)
{
	static char many[64 * sizeof(LIST)];

	for (size_t i = 0; i < 64; i++)
		memcpy(many + i * sizeof(LIST), LIST, sizeof(LIST));
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof(address))) {
		perror("clients: connect");
		exit(1);
	}
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	switch (c->role) {
	case ASKER:
		send_text(c, STATUS, sizeof(STATUS));
		asked++;
		break;
	case SUBSCRIBER:
	case DEAF:
	case FLEETING:
		send_text(c, STREAM, sizeof(STREAM));
		break;
	case WATCHER:
		send_text(c, EVENTS, sizeof(EVENTS));
		break;
	case GARBAGE:
		send_text(c, "\xff\xfe{]\0garbage", 12);
		break;
	case HALF:
		send_text(c, LIST, sizeof(LIST) / 2);
		break;
	case FLOOD:
		send_text(c, many, sizeof(many));
		break;
	}
}

static void restart(struct client *c)
{
	close(c->fd);
	varlink_input_free(&c->input);
	begin(c);
}

/* ---- those who behave ---- */

static void count_blocks(struct client *c)
{
	struct file_block block;
	size_t at = 0;

	if (!c->begun && c->stream.size >= sizeof(struct file_header)) {
		c->begun = true;
		at = sizeof(struct file_header);
	}
	while (c->begun && c->stream.size - at >= sizeof(block)) {
		memcpy(&block, c->stream.bytes + at, sizeof(block));
		if (c->stream.size - at < sizeof(block) + block.stored_bytes)
			break;
		if (block.magic != FILE_BLOCK_MAGIC)
			wrong++;
		if (block.type == FILE_RECORDS)
			c->records += block.count;
		if (block.type == FILE_NOTICE &&
			memmem(c->stream.bytes + at + sizeof(block), block.stored_bytes, "slow", 4))
			notices++;
		at += sizeof(block) + block.stored_bytes;
	}
	memmove(c->stream.bytes, c->stream.bytes + at, c->stream.size - at);
	c->stream.size -= at;
}

static void take_reply(struct client *c)
{
	struct json_object *message = NULL;
	int r = varlink_input_next(&c->input, &message);

	if (!r)
		return;
	if (r < 0 || json_object_object_get_ex(message, "error", NULL)) {
		wrong++;
	} else if (c->role == SUBSCRIBER) {
		c->upgraded = true;
		buffer_put(
			&c->stream, c->input.bytes + c->input.start, c->input.end - c->input.start);
		count_blocks(c);
	} else {
		answered++;
		send_text(c, answered % 3 ? STATUS : LIST,
			answered % 3 ? sizeof(STATUS) : sizeof(LIST));
		asked++;
	}
	json_object_put(message);
}

static bool hear(struct client *c)
{
	static uint8_t bytes[1 << 18];
	ssize_t n = recv(c->fd, bytes, sizeof(bytes), 0);
	size_t room, part;
	char *at;

	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	if (c->upgraded) {
		buffer_put(&c->stream, bytes, (size_t)n);
		count_blocks(c);
		return true;
	}
	for (size_t done = 0; done < (size_t)n; done += part) {
		if (varlink_input_room(&c->input, &at, &room))
			return false;
		part = room < (size_t)n - done ? room : (size_t)n - done;
		memcpy(at, bytes + done, part);
		varlink_input_add(&c->input, part);
	}
	take_reply(c);
	return true;
}

/* ---- all of them ---- */

static void step(struct client *c, short events)
{
	switch (c->role) {
	case ASKER:
	case SUBSCRIBER:
		if ((events & (POLLIN | POLLHUP)) && !hear(c)) {
			wrong++;
			c->role = HALF; /* it is gone: nothing more is heard of it */
		}
		break;
	case GARBAGE:
	case FLEETING:
		if (events & (POLLIN | POLLHUP))
			restart(c);
		break;
	case FLOOD:
		send_text(c, LIST, sizeof(LIST));
		break;
	default:
		break;
	}
}

static short wants(const struct client *c)
{
	return c->role == ASKER || c->role == SUBSCRIBER || c->role == GARBAGE ||
			       c->role == FLEETING
		       ? POLLIN
		       : 0;
}

int main(int argc, char **argv)
{
	size_t n = argc == 3 ? strtoul(argv[2], NULL, 10) : 0, subscribers = 0;
	struct client *clients = calloc(n + 1, sizeof(*clients));
	struct pollfd *fds = calloc(n + 1, sizeof(*fds));
	struct rlimit limit = {4096, 4096};
	uint64_t least = UINT64_MAX, most = 0;

	if (!n || strlen(argv[1]) >= sizeof(address.sun_path))
		return 2;
	setrlimit(RLIMIT_NOFILE, &limit);
	memcpy(address.sun_path, argv[1], strlen(argv[1]) + 1);
	for (size_t i = 0; i < n; i++) {
		clients[i] = (struct client){.role = role_of(i), .input.max = VARLINK_REPLY_MAX};
		begin(&clients[i]);
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		for (size_t i = 0; i < n; i++)
			fds[i] = (struct pollfd){clients[i].fd, wants(&clients[i]), 0};
		fds[n] = (struct pollfd){STDIN_FILENO, POLLIN, 0};
		if (poll(fds, n + 1, 10) < 0 || fds[n].revents)
			break;
		for (size_t i = 0; i < n; i++)
			step(&clients[i], fds[i].revents);
	}
	for (size_t i = 0; i < n; i++) {
		if (clients[i].role != SUBSCRIBER)
			continue;
		subscribers++;
		least = clients[i].records < least ? clients[i].records : least;
		most = clients[i].records > most ? clients[i].records : most;
	}
	printf("{\"asked\":%lu,\"answered\":%lu,\"wrong\":%lu,\"subscribers\":%zu,"
	       "\"least\":%llu,\"most\":%llu,\"notices\":%lu}\n",
		asked, answered, wrong, subscribers, (unsigned long long)least,
		(unsigned long long)most, notices);
	return 0;
}
