/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The service: one for a host. It is a reader of a session like any other command, whose records,
 * events and findings it hands on to its parts; what else it waits for, it waits for in an sd_event
 * loop within the session's own. daemon.c has the run, daemon_*.c a part each.
 */
#ifndef CLI_DAEMON_H
#define CLI_DAEMON_H

#include <systemd/sd-event.h>

#include "audit/audit.h"
#include "capture/live.h"
#include "cli/enforcer.h"
#include "cli/session.h"
#include "config/config.h"
#include "metrics/metrics.h"
#include "service/notify.h"
#include "service/server.h"

struct daemon {
	const struct options *options;
	struct config *config; /* as it holds now */
	int lock;              /* held as long as it runs */
	sd_event *loop;
	struct notify notify;
	const struct model *model;
	const struct style *style;
	struct detect *detect;
	struct live *live;          /* NULL until KVM is there */
	int (*pump)(void *session); /* NULL, as live: takes in what has come */
	void *session;
	struct daemon_socket *socket; /* NULL until the first turn */
	bool records_came;            /* since clients had their part of a turn */
	bool unsettled;               /* clients want more than that */
	struct daemon_metrics *metrics;
	struct daemon_state *state;
	struct enforcer enforcer;
	bool armed; /* what the policies deny is refused */
	struct {
		uint64_t resident, ended_bound, look_ns; /* bytes; when to look next */
		bool is_short;
	} memory;
	struct audit *audit;     /* NULL: none is kept */
	struct audit_who who;    /* asks for what is being done; pid 0: a signal, or nobody */
	char audit_trouble[256]; /* that was said last */
	bool audit_unconfirmed;
	bool dropped;         /* no more privileges than it needs */
	bool kept;            /* not armed, but what an earlier one has enforced goes on */
	uint64_t kept_ns;     /* when that was looked at */
	struct error unarmed; /* why it is not, though it should be; code 0: it should not be */
};

/* ---- what the parts hear, in this order ---- */

/* The model takes in an event. */
int daemon_event(struct daemon *daemon, const struct event *event);
int daemon_finding(struct daemon *daemon, const struct finding *finding, enum finding_phase phase);
/* Records that the model has taken in: their events are told by now. */
void daemon_records(struct daemon *daemon, const struct kes_record *records, size_t n);
/* All is watched: a part may refuse the start. */
int daemon_start(struct daemon *daemon, int (*pump)(void *), void *session, struct error *err);
/* Something may have come, or time has passed. */
int daemon_turn(struct daemon *daemon, struct error *err);
/* By when it has to turn again, though nothing comes. */
uint64_t daemon_due(const struct daemon *daemon);
/* SIGHUP, or somebody asks for it: reads what the files say now. What has changed is logged, and
 * said, which may be NULL. What is wrong with them is logged, and in err, which may be NULL, too;
 * all stays as it was then. */
int daemon_reload(struct daemon *daemon, FILE *said, struct error *err); /* daemon_reload.c */
/* The end, while the programs are still there. */
void daemon_stop(struct daemon *daemon);

/* ---- daemon_socket.c ---- */

/* Listens for clients. */
int daemon_socket_new(struct daemon *daemon, struct error *err);
void daemon_socket_free(struct daemon_socket **socket);
void daemon_socket_event(struct daemon_socket *socket, const struct event *event);
void daemon_socket_finding(
	struct daemon_socket *socket, const struct finding *finding, enum finding_phase phase);
void daemon_socket_records(
	struct daemon_socket *socket, const struct kes_record *records, size_t n);
/* Memory is short, or is not any more. */
void daemon_socket_set_short(struct daemon_socket *socket, bool is_short);
/* Fills in how clients do. */
void daemon_socket_metrics(const struct daemon_socket *socket, struct metrics_socket *ret);

/* ---- daemon_metrics.c ---- */

/* Before the session. */
int daemon_metrics_new(struct daemon *daemon, struct error *err);
void daemon_metrics_free(struct daemon_metrics **metrics);
/* There is a model, which may have VMs already. */
void daemon_metrics_watch(struct daemon *daemon);
int daemon_metrics_event(struct daemon *daemon, const struct event *event);
void daemon_metrics_finding(
	struct daemon *daemon, const struct finding *finding, enum finding_phase phase);
/* Writes the textfile when it is time. */
void daemon_metrics_turn(struct daemon *daemon);
uint64_t daemon_metrics_due(const struct daemon *daemon);
/* The configuration has changed. */
void daemon_metrics_reload(struct daemon *daemon);
/* plain: text 0.0.4. -ENOMEM. */
int daemon_metrics_write(struct daemon *daemon, bool plain, char **ret, size_t *ret_size);

/* ---- daemon_enforce.c ---- */

/* Before the session: reads the policies, if they are to be enforced. */
int daemon_enforce_prepare(struct daemon *daemon, struct error *err);
/* All is watched: arms the veto. If that cannot be, the daemon goes on without, and says so. */
void daemon_enforce_start(struct daemon *daemon, int (*pump)(void *), void *session);
/* Whether the event is the proof's own, and nobody else's. */
bool daemon_enforce_event(struct daemon *daemon, const struct event *event);
void daemon_enforce_finding(
	struct daemon *daemon, const struct finding *finding, enum finding_phase phase);
int daemon_enforce_turn(struct daemon *daemon, uint64_t now_ns, struct error *err);
uint64_t daemon_enforce_due(const struct daemon *daemon);
int daemon_enforce_reload(struct daemon *daemon, const char *path, struct error *err);
void daemon_enforce_stop(struct daemon *daemon);

/* The policies' path: the command line goes over the configuration. */
const char *daemon_policy(const struct daemon *daemon, const struct config *config);

/* ---- daemon_audit.c ---- */

/* Goes on with the host's audit log, if one is to be kept. */
int daemon_audit_new(struct daemon *daemon, struct error *err);
void daemon_audit_event(struct daemon *daemon, const struct event *event);
void daemon_audit_finding(
	struct daemon *daemon, const struct finding *finding, enum finding_phase phase);
void daemon_audit_turn(struct daemon *daemon);
uint64_t daemon_audit_due(const struct daemon *daemon);
/* While the model is still there. */
void daemon_audit_stop(struct daemon *daemon);

/* Other settings hold from now on; which, is in the log. */
void daemon_audit_reload(struct daemon *daemon, const char *changed);

/* What operators do; daemon->who did it. changed: names of keys; "" none. */
void daemon_audit_config(struct daemon *daemon, const char *changed);
void daemon_audit_changes(
	const struct config *old, const struct config *fresh, char *names, size_t size);
void daemon_audit_policy(struct daemon *daemon);
void daemon_audit_armed(struct daemon *daemon);
/* It could not be armed: daemon->unarmed says why. */
void daemon_audit_unarmed(struct daemon *daemon);
void daemon_audit_released(struct daemon *daemon, const char *why);
/* Memory became short, or is not any more: figures. */
void daemon_audit_memory(struct daemon *daemon, const char *figures);
void daemon_audit_changed(
	struct daemon *daemon, enum server_change what, const struct kes_vm_label *which);

/* ---- daemon_state.c ---- */

int daemon_state_new(struct daemon *daemon, struct error *err);
void daemon_state_free(struct daemon_state **state);
/* Before the programs are loaded: begins from what the last life left, if it is of this boot. */
void daemon_state_resume(struct daemon *daemon,
	int (*load)(void *session, const void *bytes, size_t size, struct error *err),
	void *session, struct live_options *options);
/* All is watched: ends VMs of the last life that are not there any more. */
int daemon_state_start(struct daemon *daemon, struct error *err);
/* Saves it, if it is time to. */
void daemon_state_event(struct daemon *daemon, const struct event *event);
void daemon_state_turn(struct daemon *daemon, uint64_t now_ns);
uint64_t daemon_state_due(const struct daemon *daemon);
void daemon_state_stop(struct daemon *daemon);

/* ---- daemon_memory.c ---- */

/* Looks at it, and makes room if it has to. */
int daemon_memory_turn(struct daemon *daemon, uint64_t now_ns);
uint64_t daemon_memory_due(const struct daemon *daemon);
/* The configuration has changed. */
void daemon_memory_reload(struct daemon *daemon);

/* ---- daemon_lock.c ---- */

/* -EBUSY with err filled: another one has it. */
int daemon_lock(int *ret, const char *directory, struct error *err);

#endif
