/* SPDX-License-Identifier: GPL-2.0-only */
/* The listening socket: who may come in, and how many. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "service/server_private.h"

#define BACKLOG 256
#define FILES   (2 * CLIENTS_MAX) /* descriptors that we want to be allowed */
#define ACCEPTS 64                /* in one turn */

/* ---- who comes in ---- */

static size_t clients_of(const struct server *server, uid_t uid)
{
	size_t n = 0;

	for (const struct client *c = server->clients; c; c = c->next)
		n += c->peer.uid == uid;
	return n;
}

/* Why there is no room; NULL: there is. */
static const char *no_room(const struct server *server, const struct peer *peer)
{
	if (server->counts.clients >= CLIENTS_MAX - (peer->uid ? CLIENTS_ROOT : 0))
		return "there are as many clients as there may be";
	if (peer->uid && clients_of(server, peer->uid) >= CLIENTS_USER)
		return "there are as many clients of this user as there may be";
	return NULL;
}

/* Tells one that cannot stay, as far as it is there to hear it. */
static void turn_away(int fd, const char *why)
{
	struct error err = {};
	_cleanup_free_ char *text = NULL;

	error_set(&err, -EBUSY, "%s", why);
	error_advise(&err, "try again when some of them have gone");
	text = methods_error_text("Busy", &err);
	if (text)
		(void)send(fd, text, strlen(text) + 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void let_in(struct server *server, int accepted)
{
	_cleanup_close_ int fd = accepted;
	struct peer peer;
	const char *why;

	if (peer_read(fd, server->group, &peer)) {
		server->counts.refused++;
		return;
	}
	why = no_room(server, &peer);
	if (why)
		turn_away(fd, why);
	if (why || client_new(server, TAKE_FD(fd), &peer)) {
		server->counts.refused++;
		return;
	}
	server->counts.accepted++;
	sd_event_source_set_enabled(server->sweep, SD_EVENT_ON);
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct server *server = context;

	(void)events;
	for (int i = 0; i < ACCEPTS; i++) {
		int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (accepted >= 0) {
			let_in(server, accepted);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			/* It would be said again at once: look again when time has passed. */
			sd_event_source_set_enabled(source, SD_EVENT_OFF);
			sd_event_source_set_enabled(server->sweep, SD_EVENT_ON);
		}
		return 0;
	}
	return 0;
}

/* ---- time ---- */

static int on_sweep(sd_event_source *source, uint64_t usec, void *context)
{
	struct server *server = context;
	uint64_t now = clock_now_ns();

	for (struct client *c = server->clients, *next; c; c = next) {
		next = c->next;
		client_sweep(c, now);
	}
	watchers_sweep(server);
	subscribers_sweep(server, now);
	sd_event_source_set_enabled(server->listener, SD_EVENT_ON);
	if (!server->clients && !server->snapshot.chunk)
		return sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return sd_event_source_set_time(source, usec + SWEEP_NS / 1000);
}

static int on_flush(sd_event_source *source, uint64_t usec, void *context)
{
	struct server *server = context;

	(void)usec;
	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	subscribers_flush(server);
	watchers_flush(server);
	return 0;
}

void server_flush_soon(struct server *server)
{
	int enabled = SD_EVENT_OFF;

	sd_event_source_get_enabled(server->flush, &enabled);
	if (enabled != SD_EVENT_OFF)
		return;
	sd_event_source_set_time(server->flush, (clock_now_ns() + FLUSH_NS) / 1000);
	sd_event_source_set_enabled(server->flush, SD_EVENT_ONESHOT);
}

/* ---- begin and end ---- */

/* Whether somebody answers there. */
static bool is_served(const struct sockaddr_un *address)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd >= 0 && (!connect(fd, (const struct sockaddr *)address, sizeof(*address)) ||
				  errno == EAGAIN);
}

/* A socket that is left of one who is gone makes room. */
static int bind_at(int fd, const struct sockaddr_un *address, struct error *err)
{
	const struct sockaddr *a = (const struct sockaddr *)address;
	int r;

	if (!bind(fd, a, sizeof(*address)))
		return 0;
	if (errno == EADDRINUSE && !is_served(address) && !unlink(address->sun_path) &&
		!bind(fd, a, sizeof(*address)))
		return 0;
	r = -errno;
	error_set(err, r, "listening on %s: %s", address->sun_path, strerror(-r));
	if (r == -EADDRINUSE)
		error_advise(err, "another kvm-encstat daemon answers there: end that one first");
	else if (r == -ENOENT)
		error_advise(err, "the folder it shall be in must exist");
	return r;
}

/* Root and the group may connect; what they may do is asked of each one. */
static int open_to_group(const char *path, gid_t group, struct error *err)
{
	int r = 0;

	if (chmod(path, group == (gid_t)-1 ? 0600 : 0660) ||
		(group != (gid_t)-1 && chown(path, (uid_t)-1, group)))
		r = -errno;
	return r ? error_set(err, r, "letting the group read %s: %s", path, strerror(-r)) : 0;
}

static int bind_path(struct server *server, const char *path, struct error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int r;

	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(err, -ENAMETOOLONG, "%s is too long for a socket", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	server->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server->listen_fd < 0)
		return error_set(err, -errno, "making a socket: %s", strerror(errno));
	fchmod(server->listen_fd, 0600); /* until it is known who may come */
	r = bind_at(server->listen_fd, &address, err);
	if (r)
		return r;
	server->path = strdup(path);
	if (!server->path)
		return error_set(err, -ENOMEM, "out of memory");
	r = open_to_group(path, server->group, err);
	if (!r && listen(server->listen_fd, BACKLOG))
		r = error_set(err, -errno, "listening on %s: %s", path, strerror(errno));
	return r;
}

/* systemd hands over a socket that blocks: to look for one more client would be to wait for it. */
static int unblock(int fd, struct error *err)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		return error_set(
			err, -errno, "the socket of the service manager: %s", strerror(errno));
	return 0;
}

/* As many descriptors as clients need; where that is not allowed there is room for fewer. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= FILES)
		return;
	limit.rlim_cur = limit.rlim_max < FILES ? limit.rlim_max : FILES;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int add_sources(struct server *server)
{
	uint64_t now = clock_now_ns() / 1000;
	int r = sd_event_add_io(server->event, &server->listener, server->listen_fd, EPOLLIN,
		on_connection, server);

	if (r >= 0)
		r = sd_event_add_time(server->event, &server->sweep, CLOCK_MONOTONIC,
			now + SWEEP_NS / 1000, 100000, on_sweep, server);
	if (r >= 0)
		r = sd_event_source_set_enabled(server->sweep, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time(server->event, &server->flush, CLOCK_MONOTONIC, now, 1000,
			on_flush, server);
	if (r >= 0)
		r = sd_event_source_set_enabled(server->flush, SD_EVENT_OFF);
	return r < 0 ? r : 0;
}

int server_new(struct server **ret, const struct server_options *options,
	const struct server_view *view, struct error *err)
{
	_cleanup_close_ int listen_fd = options->listen_fd;
	_cleanup_(server_free) struct server *server = calloc(1, sizeof(*server));
	int r;

	if (!server)
		return error_set(err, -ENOMEM, "out of memory");
	server->view = view;
	server->group = options->group;
	server->event = sd_event_ref(options->event);
	server->listen_fd = TAKE_FD(listen_fd);
	r = server->listen_fd < 0 ? bind_path(server, options->path, err)
				  : unblock(server->listen_fd, err);
	if (r)
		return r;
	raise_limit();
	r = add_sources(server);
	if (r)
		return error_set(err, r, "listening for clients: %s", strerror(-r));
	*ret = TAKE_PTR(server);
	return 0;
}

void server_free(struct server **ref)
{
	struct server *server = *ref;

	if (!server)
		return;
	while (server->clients)
		client_free(server->clients);
	subscribers_free(server);
	sd_event_source_unref(server->listener);
	sd_event_source_unref(server->sweep);
	sd_event_source_unref(server->flush);
	sd_event_unref(server->event);
	if (server->listen_fd >= 0)
		close(server->listen_fd);
	if (server->path)
		unlink(server->path);
	free(server->path);
	free(server);
	*ref = NULL;
}

void server_set_short(struct server *server, bool is_short)
{
	server->is_short = is_short;
}

void server_counts(const struct server *server, struct server_counts *ret)
{
	*ret = server->counts;
}
