/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon's part that clients talk to. */
#include <errno.h>
#include <grp.h>
#include <json-c/json.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/log.h"
#include "cli/daemon.h"
#include "cli/policy_act.h"
#include "cli/remote.h"
#include "service/server.h"

#define FOLDER "/run/kvm-encstat" /* systemd makes it; who starts the daemon by hand has none */

struct daemon_socket {
	struct server *server; /* NULL: it listens nowhere */
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

static int write_metrics(void *context, bool plain, char **ret, size_t *ret_size)
{
	return daemon_metrics_write(context, plain, ret, ret_size);
}

static void add_memory(const struct daemon *daemon, struct json_object *status)
{
	json_object *memory = json_object_new_object();
	size_t alive, ended;

	model_memory(daemon->model, &alive, &ended);
	json_add_u64(memory, "resident", daemon->memory.resident);
	json_add_u64(memory, "most", daemon->config->memory);
	json_add_u64(memory, "vms", alive);
	json_add_u64(memory, "ended_vms", ended);
	json_object_object_add(memory, "short", json_object_new_boolean(daemon->memory.is_short));
	json_object_object_add(status, "memory", memory);
}

static void add_status(void *context, struct json_object *status)
{
	const struct daemon *daemon = context;

	json_object_object_add(status, "watching", json_object_new_boolean(daemon->live != NULL));
	add_memory(daemon, status);
	json_object_object_add(status, "enforcing", json_object_new_boolean(daemon->armed));
	json_object_object_add(status, "enforced_before", json_object_new_boolean(daemon->kept));
	if (daemon->unarmed.code)
		json_add_string(status, "why_not_enforcing", daemon->unarmed.text);
}

static int loaded(void *context, FILE *json, FILE *text, struct error *err)
{
	const struct daemon *daemon = context;

	return policy_loaded(
		daemon->style, daemon->armed ? daemon->enforcer.veto : NULL, json, text, err);
}

/* ---- changes ---- */

static int reload(struct daemon *daemon, FILE *said, struct error *err)
{
	int r = daemon_reload(daemon, said, err);

	if (r && !*err->advice)
		error_advise(err, "nothing has changed: the old configuration and policies go on; "
				  "`kvm-encstat config check` and `policy check` tell all that is "
				  "wrong");
	return r;
}

/* What is enforced is the daemon's own: it goes on until that is told otherwise. */
static int release_all(struct daemon *daemon, FILE *said, struct error *err)
{
	int r;

	if (daemon->armed) {
		error_set(err, -EBUSY, "the daemon enforces, and goes on to");
		error_advise(err, "`enforce: no` in its configuration and a restart end that; "
				  "single VMs can be released, or only monitored");
		return -EBUSY;
	}
	r = policy_act(CHANGE_RELEASE, NULL, NULL, said, err);
	if (r)
		return r;
	daemon->kept = false;
	daemon_audit_released(daemon, "on request");
	return r;
}

static int change(void *context, enum server_change what, const char *vm,
	const struct server_peer *who, FILE *said, struct error *err)
{
	struct daemon *daemon = context;
	struct kes_vm_label which = {};
	int r;

	daemon->who = audit_who(who->uid, who->pid);
	if (what == CHANGE_RELOAD) {
		r = reload(daemon, said, err);
	} else if (what == CHANGE_RELEASE && !vm) {
		r = release_all(daemon, said, err);
	} else {
		r = policy_act(what, vm, &which, said, err);
		if (!r)
			daemon_audit_changed(daemon, what, &which);
	}
	daemon->who = (struct audit_who){};
	return r;
}

/* ---- where it listens ---- */

/* The socket that systemd listens at for us; -1: it does not. */
static int inherited(void)
{
	int n = sd_listen_fds(1);

	for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n; fd++)
		if (sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) > 0)
			return fd;
	return -1;
}

static gid_t readers(const char *name)
{
	const struct group *group = getgrnam(name);
	char shown[ESCAPED_SIZE(64)];

	if (!group)
		log_line(LOG_NOTICE, "there is no group %s: only root can ask this daemon",
			escape(name, shown, sizeof(shown)));
	return group ? group->gr_gid : (gid_t)-1;
}

/* The command line goes over the environment, and that over the configuration. */
static const char *path_of(const struct daemon *daemon)
{
	return remote_named(daemon->options) ?: daemon->config->socket ?: "";
}

int daemon_socket_new(struct daemon *daemon, struct error *err)
{
	_cleanup_(daemon_socket_free) struct daemon_socket *socket = calloc(1, sizeof(*socket));
	struct server_options options = {
		.path = path_of(daemon),
		.listen_fd = inherited(),
		.group = readers(daemon->config->group),
		.event = daemon->loop,
	};
	int r = 0;

	if (!socket)
		return error_set(err, -ENOMEM, "out of memory");
	socket->view = (struct server_view){
		.model = daemon->model,
		.detect = daemon->detect,
		.style = daemon->style,
		.describe = describe,
		.refresh = refresh,
		.status = add_status,
		.metrics = write_metrics,
		.loaded = loaded,
		.change = change,
		.context = daemon,
	};
	if (options.listen_fd < 0 && !strcmp(options.path, SERVER_PATH))
		mkdir(FOLDER, 0755);
	if (options.listen_fd >= 0 || *options.path)
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
	if (socket && socket->server)
		server_event(socket->server, event);
}

void daemon_socket_finding(
	struct daemon_socket *socket, const struct finding *finding, enum finding_phase phase)
{
	if (socket && socket->server)
		server_finding(socket->server, finding, phase);
}

void daemon_socket_records(struct daemon_socket *socket, const struct kes_record *records, size_t n)
{
	if (socket && socket->server)
		server_records(socket->server, records, n);
}

void daemon_socket_set_short(struct daemon_socket *socket, bool is_short)
{
	if (socket && socket->server)
		server_set_short(socket->server, is_short);
}

void daemon_socket_metrics(const struct daemon_socket *socket, struct metrics_socket *ret)
{
	struct server_counts counts = {};

	if (socket && socket->server)
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
