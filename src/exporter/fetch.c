/* SPDX-License-Identifier: GPL-2.0-only */
/* One call of the daemon, with a limit to the time it may take: varlink over AF_UNIX. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/escape.h"
#include "exporter/exporter.h"
#include "service/varlink.h"

static const char call[] = "{\"method\":\"io.kvmencstat.Metrics\",\"parameters\":{}}";

static int wait_for(int fd, short events, uint64_t until_ns)
{
	struct pollfd wait = {.fd = fd, .events = events};
	uint64_t now = clock_now_ns();
	int r;

	if (now >= until_ns)
		return -ETIMEDOUT;
	r = poll(&wait, 1, (int)((until_ns - now) / 1000000) + 1);
	return r > 0 ? 0 : r < 0 && errno != EINTR ? -errno : r ? 0 : -ETIMEDOUT;
}

static int dial(int *ret, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	*ret = TAKE_FD(fd);
	return 0;
}

static int send_call(int fd, uint64_t until_ns)
{
	for (size_t done = 0; done < sizeof(call);) {
		ssize_t n = send(fd, call + done, sizeof(call) - done, MSG_NOSIGNAL);

		if (n >= 0)
			done += (size_t)n;
		else if (errno == EAGAIN && wait_for(fd, POLLOUT, until_ns))
			return -ETIMEDOUT;
		else if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return 0;
}

static int receive(int fd, struct varlink_input *input, uint64_t until_ns, json_object **ret)
{
	int r;

	while (!(r = varlink_input_next(input, ret))) {
		size_t room;
		char *to;
		ssize_t n;

		r = varlink_input_room(input, &to, &room);
		if (r)
			return r;
		n = recv(fd, to, room, 0);
		if (n > 0)
			varlink_input_add(input, (size_t)n);
		else if (!n)
			return -ECONNRESET;
		else if (errno != EAGAIN && errno != EINTR)
			return -errno;
		else if ((r = wait_for(fd, POLLIN, until_ns)))
			return r;
	}
	return r < 0 ? r : 0;
}

static int read_reply(json_object *message, struct text *ret, struct error *err)
{
	struct varlink_reply reply;
	const char *text = NULL;
	char shown[ESCAPED_SIZE(64)];
	json_object *value;

	if (varlink_reply_read(&reply, message))
		return error_set(err, -EBADMSG, "the daemon's answer is none");
	if (reply.error)
		return error_set(
			err, -EIO, "the daemon says %s", escape(reply.error, shown, sizeof(shown)));
	if (!reply.parameters || varlink_get_string(reply.parameters, "text", &text) || !text)
		return error_set(err, -EBADMSG, "the daemon's answer has no text");
	json_object_object_get_ex(reply.parameters, "text", &value);
	text_put(ret, text, (size_t)json_object_get_string_len(value));
	return ret->failed ? error_set(err, -ENOMEM, "out of memory") : 0;
}

static void put_json(json_object **object)
{
	json_object_put(*object);
}

int fetch_metrics(const char *path, int timeout_ms, struct text *ret, struct error *err)
{
	uint64_t until_ns = clock_now_ns() + (uint64_t)timeout_ms * 1000000;
	_cleanup_(varlink_input_free) struct varlink_input input = {.max = VARLINK_REPLY_MAX};
	_cleanup_(put_json) json_object *message = NULL;
	char shown[ESCAPED_SIZE(128)];
	_cleanup_close_ int fd = -1;
	int r = dial(&fd, path);

	if (!r)
		r = send_call(fd, until_ns);
	if (!r)
		r = receive(fd, &input, until_ns, &message);
	if (r)
		return error_set(
			err, r, "asking %s: %s", escape(path, shown, sizeof(shown)), strerror(-r));
	return read_reply(message, ret, err);
}
