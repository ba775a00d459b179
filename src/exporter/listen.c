/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "exporter/exporter.h"

#define BACKLOG 16

static int failed(const char *where, int r, struct error *err)
{
	char shown[ESCAPED_SIZE(128)];

	error_set(err, r, "listening on %s: %s", escape(where, shown, sizeof(shown)), strerror(-r));
	if (r == -EADDRINUSE)
		error_advise(err, "something else listens there; --listen takes another port");
	return r;
}

static int wrong(const char *where, struct error *err)
{
	char shown[ESCAPED_SIZE(128)];

	error_set(
		err, -EINVAL, "'%s' is nothing to listen on", escape(where, shown, sizeof(shown)));
	error_advise(err, "it is ADDRESS:PORT such as 127.0.0.1:19751, [::1]:19751, or unix:PATH");
	return -EINVAL;
}

static int bind_and_listen(int *ret, const struct sockaddr *address, socklen_t size)
{
	_cleanup_close_ int fd =
		socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int yes = 1;

	if (fd < 0)
		return -errno;
	if (address->sa_family != AF_UNIX)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, address, size) || listen(fd, BACKLOG))
		return -errno;
	*ret = TAKE_FD(fd);
	return 0;
}

/* A socket that a former exporter left is no obstacle; anything else is. */
static int listen_unix(int *ret, const char *path, const char *where, struct error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat st;
	int r;

	if (!*path || strlen(path) >= sizeof(address.sun_path))
		return wrong(where, err);
	memcpy(address.sun_path, path, strlen(path));
	if (!lstat(path, &st) && S_ISSOCK(st.st_mode))
		unlink(path);
	r = bind_and_listen(ret, (struct sockaddr *)&address, sizeof(address));
	return r ? failed(where, r, err) : 0;
}

/* Apart at the last colon; an address in brackets loses them. */
static int take_apart(const char *where, char address[64], const char **ret_port)
{
	const char *colon = strrchr(where, ':');
	size_t n = colon ? (size_t)(colon - where) : 0;

	if (!n || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1))
		return -EINVAL;
	if (*where == '[' && where[n - 1] == ']') {
		where++;
		n -= 2;
	} else if (memchr(where, ':', n)) {
		return -EINVAL; /* which of its colons? */
	}
	if (n >= 64)
		return -EINVAL;
	memcpy(address, where, n);
	address[n] = '\0';
	*ret_port = colon + 1;
	return 0;
}

int listen_on(int *ret, const char *where, struct error *err)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
	struct addrinfo *found;
	const char *port;
	char address[64];
	int r;

	if (!strncmp(where, "unix:", 5))
		return listen_unix(ret, where + 5, where, err);
	if (take_apart(where, address, &port) || getaddrinfo(address, port, &hints, &found))
		return wrong(where, err);
	r = bind_and_listen(ret, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return r ? failed(where, r, err) : 0;
}

void listen_name(int fd, char name[LISTEN_NAME_SIZE])
{
	struct sockaddr_storage address = {};
	char host[64] = "?", port[8] = "?";
	socklen_t size = sizeof(address);

	getsockname(fd, (struct sockaddr *)&address, &size);
	if (address.ss_family == AF_UNIX) {
		snprintf(name, LISTEN_NAME_SIZE, "unix:%s",
			((const struct sockaddr_un *)&address)->sun_path);
		return;
	}
	getnameinfo((struct sockaddr *)&address, size, host, sizeof(host), port, sizeof(port),
		NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(name, LISTEN_NAME_SIZE, address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host,
		port);
}
