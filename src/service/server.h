/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The daemon's socket: varlink on AF_UNIX. It answers from the model and streams records to
 * subscribers; whatever clients do, they cost a bounded share of memory and of each turn, and never
 * hold up who calls. docs/socket.md is its contract, io.kvmencstat.varlink its interface.
 */
#ifndef SERVICE_SERVER_H
#define SERVICE_SERVER_H

#include <linux/types.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/error.h"
#include "detect/detect.h"
#include "output/output.h"
#include "wire.h"

typedef struct sd_event sd_event;
struct json_object;
struct server;

#define SERVER_PATH  "/run/kvm-encstat/io.kvmencstat"
#define SERVER_GROUP "kvm-encstat" /* its members may read */

/* What root may ask for. */
enum server_change {
	CHANGE_RELOAD,   /* configuration and policy */
	CHANGE_FREEZE,   /* a VM */
	CHANGE_RELEASE,  /* a VM; without one, all that is enforced */
	CHANGE_BASELINE, /* of a VM */
	CHANGE_MONITOR,  /* a VM: its rules refuse nothing any more */
	CHANGE_ENFORCE,  /* a VM: they do again */
	SERVER_CHANGES,
};

/* Who is at the other end of a connection. */
struct server_peer {
	pid_t pid;
	uid_t uid;
};

/* What the server shows, and whom it asks. All of it outlives the server; a callback that is NULL
 * is one that this daemon does not have. Callbacks are made from sd_event_run(). */
struct server_view {
	const struct model *model;
	struct detect *detect; /* NULL: no detectors run */
	const struct style *style;
	/* JSON object: what a capture would say of itself (kernel, hooks, clock); the server's.
	 * NULL: no memory. */
	char *(*describe)(void *context);
	/* Before the model is shown: takes in what has happened until now, if that is quick. */
	int (*refresh)(void *context);
	/* Adds what the daemon knows of itself to the reply of Status. */
	void (*status)(void *context, struct json_object *status);
	/* OpenMetrics, or (plain) the older text format: a string, and its length; the server's. 0
	 * or a negative errno. */
	int (*metrics)(void *context, bool plain, char **ret, size_t *ret_size);
	/* What is enforced, as `policy loaded` prints it, once as one line of JSON and once as
	 * text. */
	int (*loaded)(void *context, FILE *json, FILE *text, struct error *err);
	/* vm: as the user named it, NULL none. What the command shall print goes to `said`. */
	int (*change)(void *context, enum server_change what, const char *vm,
		const struct server_peer *who, FILE *said, struct error *err);
	void *context;
};

struct server_options {
	const char *path; /* to bind, if listen_fd is -1 */
	int listen_fd;    /* from systemd, or -1; the server's from now on, even on failure */
	gid_t group;      /* whose members may read; (gid_t)-1: root and the daemon's user alone */
	sd_event *event;  /* referenced */
};

int server_new(struct server **ret, const struct server_options *options,
	const struct server_view *view, struct error *err);
void server_free(struct server **server);

/* Records that the model has taken in, in their order: each of them, once. Copies them for those
 * who subscribed; costs nothing where nobody did. Cannot fail: who cannot be served is dropped. */
void server_records(struct server *server, const struct kes_record *records, size_t n);

/* The same of what came of them, for those who asked for events. */
void server_event(struct server *server, const struct event *event);
void server_finding(struct server *server, const struct finding *finding, enum finding_phase phase);

/* Memory is short, or is not any more: less may wait for clients meanwhile. */
void server_set_short(struct server *server, bool is_short);

/* For metrics. */
struct server_counts {
	size_t clients, subscribers; /* now */
	uint64_t accepted, refused;  /* refused: there was no room, or no right */
	uint64_t calls, malformed;   /* malformed: messages that ended their connection */
	uint64_t dropped;            /* did not keep up */
	uint64_t snapshots, bytes_sent;
};
void server_counts(const struct server *server, struct server_counts *ret);

#endif
