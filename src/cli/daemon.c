/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/daemon.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "service/privileges.h"

/* What clients have of a turn. While records come it is little: the more of them wait, the longer
 * is their part of a turn, and the less is left to clients. */
#define LOOP_NS      10000000ull
#define LOOP_BUSY_NS 500000ull

int daemon_event(struct daemon *daemon, const struct event *event)
{
	if (daemon_enforce_event(daemon, event))
		return READER_NOBODYS; /* our own guest's */
	daemon_state_event(daemon, event);
	daemon_audit_event(daemon, event);
	daemon_socket_event(daemon->socket, event);
	return daemon_metrics_event(daemon, event);
}

int daemon_finding(struct daemon *daemon, const struct finding *finding, enum finding_phase phase)
{
	daemon_audit_finding(daemon, finding, phase);
	daemon_enforce_finding(daemon, finding, phase);
	daemon_socket_finding(daemon->socket, finding, phase);
	daemon_metrics_finding(daemon, finding, phase);
	return 0;
}

/* Who reads along has a model, too, and gets nothing of what is the proof's. */
void daemon_records(struct daemon *daemon, const struct kes_record *records, size_t n)
{
	const struct enforcer *enforcer = &daemon->enforcer;
	size_t from = 0;

	daemon->records_came = true;
	for (size_t i = 0; i < n && enforcer->proof.n_vms; i++) {
		if (!enforcer_is_proof(enforcer, records[i].vm))
			continue;
		daemon_socket_records(daemon->socket, records + from, i - from);
		from = i + 1;
	}
	daemon_socket_records(daemon->socket, records + from, n - from);
}

int daemon_start(struct daemon *daemon, int (*pump)(void *), void *session, struct error *err)
{
	int r = daemon_state_start(daemon, err);

	if (r)
		return r;
	daemon->pump = pump;
	daemon->session = session;
	daemon_enforce_start(daemon, pump, session);
	return 0;
}

static const char *enforcement(const struct daemon *daemon)
{
	if (daemon->unarmed.code && daemon->kept)
		return "; THE VETO COULD NOT BE ARMED: only what was enforced before is";
	if (daemon->unarmed.code)
		return "; NOTHING IS REFUSED: the veto could not be armed";
	if (daemon->kept)
		return "; not to enforce, but what was enforced before still is";
	return daemon->armed ? "; policies are enforced" : "";
}

static void tell_status(struct daemon *daemon)
{
	size_t alive = 0, n = model_vm_count(daemon->model);

	for (size_t i = 0; i < n; i++)
		alive += model_vm(daemon->model, i)->alive;
	if (daemon->live)
		notify_status(&daemon->notify, "watching %zu VM%s%s", alive, alive == 1 ? "" : "s",
			enforcement(daemon));
	else
		notify_status(&daemon->notify, "waiting for KVM's modules");
}

/* What else has come; but no flood of requests keeps us from the ring. */
static int run_loop(struct daemon *daemon, uint64_t now)
{
	uint64_t limit = daemon->records_came ? LOOP_BUSY_NS : LOOP_NS;
	int r;

	daemon->records_came = false;
	do {
		r = sd_event_run(daemon->loop, 0);
	} while (r > 0 && clock_now_ns() - now < limit);
	daemon->unsettled = r > 0;
	return r;
}

/* Once all programs are loaded: until KVM is there they are still to come. */
static int drop_privileges(struct daemon *daemon, struct error *err)
{
	if (daemon->dropped || !daemon->live)
		return 0;
	daemon->dropped = true;
	return privileges_drop(live_reads_pagemaps(daemon->live), err);
}

int daemon_turn(struct daemon *daemon, struct error *err)
{
	uint64_t now = clock_now_ns();
	int r = daemon->socket ? 0 : daemon_socket_new(daemon, err);

	if (r)
		return r;
	notify_turn(&daemon->notify, now);
	r = run_loop(daemon, now);
	if (r < 0)
		return error_set(err, r, "the event loop failed: %s", strerror(-r));
	r = daemon_enforce_turn(daemon, now, err);
	if (r)
		return r;
	daemon_metrics_turn(daemon);
	daemon_audit_turn(daemon);
	daemon_state_turn(daemon, now);
	r = daemon_memory_turn(daemon, now);
	if (r)
		return error_set(err, r, "forgetting VMs that ended: %s", strerror(-r));
	tell_status(daemon);
	r = drop_privileges(daemon, err);
	if (!r && !daemon->notify.ready)
		notify_ready(&daemon->notify);
	return r;
}

/* Clients' own times are in the event loop, which learns of them as it runs. */
uint64_t daemon_due(const struct daemon *daemon)
{
	const uint64_t all[] = {
		notify_due(&daemon->notify),
		daemon_enforce_due(daemon),
		daemon_metrics_due(daemon),
		daemon_audit_due(daemon),
		daemon_state_due(daemon),
		daemon_memory_due(daemon),
	};
	uint64_t due = UINT64_MAX;

	if (daemon->unsettled || daemon->records_came)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		due = all[i] < due ? all[i] : due;
	return due;
}

void daemon_stop(struct daemon *daemon)
{
	notify_stopping();
	daemon_state_stop(daemon);
	daemon_socket_free(&daemon->socket);
	daemon_enforce_stop(daemon);
	log_line(LOG_INFO, "the daemon ends");
}
