/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon's part that clients talk to. */
#include <errno.h>
#include <grp.h>
#include <json-c/json.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/daemon.h"
#include "cli/remote.h"
#include "service/server.h"

#define FOLDER "/run/kvm-encstat" /* systemd makes it; who starts the daemon by hand has none */

struct daemon_socket {
	struct server *server;
	struct server_view view;
};

static int refresh(void *context)
{
	const struct daemon *daemon = context;

	return daemon->pump ? daemon->pump(daemon->session) : 0;
}

static char *describe(void *context)
{
	const struct daemon *daemon = context;
	json_object *about = session_describe(daemon->options, daemon->style, daemon->live);
	char *text = strdup(json_object_to_json_string_ext(about, JSON_C_TO_STRING_PLAIN));

	json_object_put(about);
	return text;
}

static int write_metrics(void *context, bool plain, FILE *out)
{
	return daemon_metrics_write(context, plain, out);
}

/* The socket that systemd listens at for us; -1: it does not. */
static int inherited(void)
{
	int n = sd_listen_fds(1);

	for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n; fd++)
		if (sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) > 0)
			return fd;
	return -1;
}

static gid_t readers(void)
{
	const struct group *group = getgrnam(SERVER_GROUP);

	if (!group)
		log_line(LOG_NOTICE,
			"there is no group " SERVER_GROUP ": only root can ask this daemon");
	return group ? group->gr_gid : (gid_t)-1;
}

int daemon_socket_new(struct daemon *daemon, struct error *err)
{
	_cleanup_(daemon_socket_free) struct daemon_socket *socket = calloc(1, sizeof(*socket));
	struct server_options options = {
		.path = remote_path(daemon->options),
		.listen_fd = inherited(),
		.group = readers(),
		.event = daemon->loop,
	};
	int r;

	if (!socket)
		return error_set(err, -ENOMEM, "out of memory");
	socket->view = (struct server_view){
		.model = daemon->model,
		.detect = daemon->detect,
		.style = daemon->style,
		.describe = describe,
		.refresh = refresh,
		.metrics = write_metrics,
		.context = daemon,
	};
	if (options.listen_fd < 0 && !strcmp(options.path, SERVER_PATH))
		mkdir(FOLDER, 0755);
	r = server_new(&socket->server, &options, &socket->view, err);
	if (!r)
		daemon->socket = TAKE_PTR(socket);
	return r;
}

void daemon_socket_free(struct daemon_socket **socket)
{
	if (!*socket)
		return;
	server_free(&(*socket)->server);
	free(*socket);
	*socket = NULL;
}

void daemon_socket_event(struct daemon_socket *socket, const struct event *event)
{
	if (socket)
		server_event(socket->server, event);
}

void daemon_socket_finding(
	struct daemon_socket *socket, const struct finding *finding, enum finding_phase phase)
{
	if (socket)
		server_finding(socket->server, finding, phase);
}

void daemon_socket_records(struct daemon_socket *socket, const struct kes_record *records, size_t n)
{
	if (socket)
		server_records(socket->server, records, n);
}

void daemon_socket_metrics(const struct daemon_socket *socket, struct metrics_socket *ret)
{
	struct server_counts counts;

	server_counts(socket->server, &counts);
	*ret = (struct metrics_socket){
		.clients = counts.clients,
		.subscribers = counts.subscribers,
		.accepted = counts.accepted,
		.calls = counts.calls,
		.sent = counts.bytes_sent,
		.refused = counts.refused,
		.malformed = counts.malformed,
		.slow = counts.dropped,
	};
}
