/* SPDX-License-Identifier: GPL-2.0-only */
#include "service/client.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "service/varlink.h"

struct daemon_client {
	char *path;
	int fd;
	struct varlink_input input;
	uint64_t deadline_ns;
	uint64_t look_ns; /* when to look whether the call was taken; 0: never */
	int patience_ms;
	void (*tell)(const char *path);
};

#define LOOK_NS 2000000000ull

/* ---- the connection ---- */

static int explain_connect(int code, const char *path, struct error *err)
{
	error_set(err, code, "asking the daemon at %s: %s", path, strerror(-code));
	if (code == -EACCES || code == -EPERM)
		error_advise(err,
			"reading from it is for root and the members of its group, kvm-encstat: "
			"`usermod -aG kvm-encstat USER` adds one");
	else if (code == -ENOENT || code == -ECONNREFUSED)
		error_advise(err, "it does not run: `systemctl start kvm-encstat` starts it");
	else if (code == -EAGAIN)
		error_advise(err, "it does not take connections just now");
	return code;
}

int daemon_client_new(struct daemon_client **ret, const char *path, struct error *err)
{
	_cleanup_(daemon_client_free) struct daemon_client *client = calloc(1, sizeof(*client));
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	path = path ?: CLIENT_PATH;
	if (!client)
		return error_set(err, -ENOMEM, "out of memory");
	client->fd = -1;
	client->input.max = VARLINK_REPLY_MAX;
	client->path = strdup(path);
	if (!client->path)
		return error_set(err, -ENOMEM, "out of memory");
	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(err, -ENAMETOOLONG, "%s is too long for a socket", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (client->fd < 0)
		return error_set(err, -errno, "making a socket: %s", strerror(errno));
	if (connect(client->fd, (struct sockaddr *)&address, sizeof(address)))
		return explain_connect(-errno, path, err);
	*ret = TAKE_PTR(client);
	return 0;
}

void daemon_client_free(struct daemon_client **client)
{
	if (!*client)
		return;
	cleanup_close(&(*client)->fd);
	varlink_input_free(&(*client)->input);
	free((*client)->path);
	free(*client);
	*client = NULL;
}

/* ---- bytes ---- */

static int failed(const struct daemon_client *client, int code, struct error *err)
{
	if (code == -EPIPE)
		code = -ECONNRESET;
	if (code == -ETIMEDOUT)
		error_set(err, code, "the daemon at %s does not answer", client->path);
	else if (code == -EINPROGRESS)
		error_set(err, code,
			"the daemon at %s has not taken the call: it is still starting, "
			"or hangs",
			client->path);
	else if (code == -ECONNRESET)
		error_set(err, code, "the daemon at %s closed the connection", client->path);
	else if (code == -EBADMSG || code == -EMSGSIZE)
		error_set(
			err, code, "what answers at %s is no daemon of kvm-encstat", client->path);
	else
		error_set(err, code, "asking the daemon at %s: %s", client->path, strerror(-code));
	if (code == -ETIMEDOUT || code == -EINPROGRESS)
		error_advise(err, "`systemctl status kvm-encstat` tells how it is");
	return code;
}

/* Nobody has read what was sent: the socket may be the service manager's, and the daemon yet to
 * come to it. */
static bool is_untaken(const struct daemon_client *client)
{
	int left = 0;

	return !ioctl(client->fd, SIOCOUTQ, &left) && left > 0;
}

static void look(struct daemon_client *client)
{
	client->look_ns = 0;
	if (!is_untaken(client))
		return;
	client->deadline_ns += (uint64_t)client->patience_ms * 1000000;
	if (client->tell)
		client->tell(client->path);
}

static int wait_for(struct daemon_client *client, short events)
{
	for (;;) {
		struct pollfd fd = {.fd = client->fd, .events = events};
		uint64_t now = clock_now_ns(), until = client->deadline_ns;
		int n;

		if (client->look_ns && now >= client->look_ns)
			look(client);
		if (now >= client->deadline_ns)
			return is_untaken(client) ? -EINPROGRESS : -ETIMEDOUT;
		if (client->look_ns && client->look_ns < until)
			until = client->look_ns;
		n = poll(&fd, 1, until > now ? (int)((until - now) / 1000000) + 1 : 0);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int send_all(struct daemon_client *client, const char *text)
{
	size_t left = strlen(text) + 1;

	while (left) {
		ssize_t n = send(client->fd, text, left, MSG_NOSIGNAL);
		int r;

		if (n > 0) {
			text += n;
			left -= (size_t)n;
		} else if (errno == EPIPE || errno == ECONNRESET) {
			return 0; /* it may have said why */
		} else if (errno != EAGAIN && errno != EINTR) {
			return -errno;
		} else {
			r = wait_for(client, POLLOUT);
			if (r)
				return r;
		}
	}
	return 0;
}

/* exact: not a byte of what is behind the message. */
static int receive(struct daemon_client *client, bool exact, struct json_object **ret)
{
	for (;;) {
		int r = varlink_input_next(&client->input, ret);
		size_t room;
		ssize_t n;
		char *at;

		if (r)
			return r < 0 ? r : 0;
		if (varlink_input_room(&client->input, &at, &room))
			return -ENOMEM;
		n = recv(client->fd, at, exact ? 1 : room, 0);
		if (!n)
			return -ECONNRESET;
		if (n > 0)
			varlink_input_add(&client->input, (size_t)n);
		else if (errno != EAGAIN && errno != EINTR)
			return -errno;
		else if ((r = wait_for(client, POLLIN)))
			return r;
	}
}

/* ---- calls ---- */

static char *call_text(const char *method, struct json_object *parameters, bool upgrade)
{
	json_object *call = json_object_new_object();
	char name[128], *text;

	if (strchr(method, '.'))
		snprintf(name, sizeof(name), "%s", method);
	else
		snprintf(name, sizeof(name), CLIENT_INTERFACE ".%s", method);
	json_object_object_add(call, "method", json_object_new_string(name));
	json_object_object_add(call, "parameters", parameters ?: json_object_new_object());
	if (upgrade)
		json_object_object_add(call, "upgrade", json_object_new_boolean(true));
	text = strdup(json_object_to_json_string_ext(
		call, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(call);
	return text;
}

static int error_code(const char *name)
{
	static const struct {
		const char *name;
		int code;
	} codes[] = {
		{CLIENT_INTERFACE ".NotPermitted", -EPERM},
		{CLIENT_INTERFACE ".NoSuchVM", -ENXIO},
		{CLIENT_INTERFACE ".NotAvailable", -ENOTSUP},
		{CLIENT_INTERFACE ".Busy", -EBUSY},
		{VARLINK_SERVICE ".MethodNotFound", -ENOSYS},
		{VARLINK_SERVICE ".InterfaceNotFound", -ENOSYS},
	};

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (!strcmp(codes[i].name, name))
			return codes[i].code;
	return -EREMOTEIO;
}

/* The daemon said no: in its words. */
static int refused(const char *method, const struct varlink_reply *reply, struct error *err)
{
	const char *text = NULL, *advice = NULL;
	int code = error_code(reply->error);

	(void)varlink_get_string(reply->parameters, "text", &text);
	(void)varlink_get_string(reply->parameters, "advice", &advice);
	if (text)
		error_set(err, code, "%s", text);
	else
		error_set(err, code, "the daemon refuses %s: %s", method, reply->error);
	if (advice)
		error_advise(err, "%s", advice);
	else if (code == -ENOSYS)
		error_advise(err, "it is of another version: restart it");
	return code;
}

static int exchange(struct daemon_client *client, const char *method,
	struct json_object *parameters, bool upgrade, struct json_object **ret, struct error *err)
{
	_cleanup_free_ char *text = call_text(method, parameters, upgrade);
	_cleanup_json_object_ struct json_object *message = NULL;
	struct varlink_reply reply;
	int r;

	if (!text)
		return error_set(err, -ENOMEM, "out of memory");
	r = send_all(client, text);
	if (!r)
		r = receive(client, upgrade, &message);
	if (!r)
		r = varlink_reply_read(&reply, message);
	if (r)
		return failed(client, r, err);
	if (reply.error)
		return refused(method, &reply, err);
	*ret = reply.parameters ? json_object_get(reply.parameters) : json_object_new_object();
	return 0;
}

void daemon_client_set_patience(
	struct daemon_client *client, int patience_ms, void (*tell)(const char *path))
{
	client->patience_ms = patience_ms;
	client->tell = tell;
}

static void set_deadline(struct daemon_client *client, int timeout_ms)
{
	uint64_t now = clock_now_ns();

	client->deadline_ns = now + (uint64_t)timeout_ms * 1000000;
	client->look_ns = !client->patience_ms                ? 0
			  : timeout_ms * 1000000ull < LOOK_NS ? client->deadline_ns
							      : now + LOOK_NS;
}

int daemon_client_call(struct daemon_client *client, const char *method,
	struct json_object *parameters, int timeout_ms, struct json_object **ret, struct error *err)
{
	set_deadline(client, timeout_ms);
	return exchange(client, method, parameters, false, ret, err);
}

static int receive_bytes(struct daemon_client *client, char *to, size_t left)
{
	while (left) {
		ssize_t n = recv(client->fd, to, left, 0);
		int r;

		if (!n)
			return -ECONNRESET;
		if (n > 0) {
			to += n;
			left -= (size_t)n;
		} else if (errno != EAGAIN && errno != EINTR) {
			return -errno;
		} else {
			r = wait_for(client, POLLIN);
			if (r)
				return r;
		}
	}
	return 0;
}

/* -EBADMSG: there is none, or one that no text has. */
static int read_size(struct json_object *parameters, size_t *ret)
{
	struct json_object *size;
	int64_t value;

	if (!json_object_object_get_ex(parameters, "size", &size) ||
		!json_object_is_type(size, json_type_int))
		return -EBADMSG;
	value = json_object_get_int64(size);
	if (value < 0 || value > VARLINK_REPLY_MAX)
		return -EBADMSG;
	*ret = (size_t)value;
	return 0;
}

int daemon_client_text(struct daemon_client *client, const char *method,
	struct json_object *parameters, int timeout_ms, char **ret, size_t *ret_size,
	struct error *err)
{
	_cleanup_json_object_ struct json_object *reply = NULL;
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r;

	set_deadline(client, timeout_ms);
	r = exchange(client, method, parameters, true, &reply, err);
	if (r)
		return r;
	r = read_size(reply, &size);
	if (!r) {
		text = malloc(size + 1);
		r = text ? receive_bytes(client, text, size) : -ENOMEM;
	}
	if (r)
		return failed(client, r, err);
	text[size] = '\0';
	*ret_size = size;
	*ret = TAKE_PTR(text);
	return 0;
}

int daemon_client_upgrade(struct daemon_client *client, const char *method, int timeout_ms,
	int *ret_fd, struct error *err)
{
	_cleanup_json_object_ struct json_object *parameters = NULL;
	int r;

	set_deadline(client, timeout_ms);
	r = exchange(client, method, NULL, true, &parameters, err);
	if (!r)
		*ret_fd = TAKE_FD(client->fd);
	return r;
}
