/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon's veto: what `enforce --keep` does, without an end. */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "cli/daemon.h"

#define LOOK_NS 1000000000ull /* between two looks for what an earlier one left */

const char *daemon_policy(const struct daemon *daemon, const struct config *config)
{
	return daemon->options->policy ?: config->policy;
}

int daemon_enforce_prepare(struct daemon *daemon, struct error *err)
{
	if (!daemon->config->enforce)
		return 0;
	return policies_load(
		&daemon->enforcer.policies, daemon_policy(daemon, daemon->config), err);
}

/* A daemon that is not to enforce leaves what an earlier one has pinned; but nobody shall believe
 * that nothing is refused. */
static void tell_kept(struct daemon *daemon)
{
	daemon->kept = veto_is_kept();
	if (!daemon->kept)
		return;
	log_line(LOG_WARNING, "the configuration says `enforce: no`, but what an earlier "
			      "kvm-encstat has enforced still is");
	log_line(LOG_WARNING, "kvm-encstat policy loaded shows it, policy release ends it");
}

/* A host that cannot enforce is still watched: what an earlier daemon has pinned goes on, too. */
void daemon_enforce_start(struct daemon *daemon, int (*pump)(void *), void *session)
{
	struct enforcer *enforcer = &daemon->enforcer;
	struct error *why = &daemon->unarmed;
	int r;

	if (!daemon->config->enforce) {
		tell_kept(daemon);
		return;
	}
	r = enforcer_check_gate(enforcer->policies, live_veto_has_module(), why);
	if (!r)
		r = enforcer_arm(enforcer, daemon->live, daemon->config->keep, pump, session, why);
	daemon->armed = !r;
	if (!r) {
		daemon_audit_policy(daemon);
		daemon_audit_armed(daemon);
		return;
	}
	live_veto_close(&enforcer->veto);
	daemon->kept = veto_is_kept();
	log_line(LOG_ERR, "%s: %s",
		daemon->kept ? "THE VETO COULD NOT BE ARMED, only what was enforced before is"
			     : "NOTHING IS REFUSED",
		why->text);
	if (*why->advice)
		log_line(LOG_ERR, "%s", why->advice);
	log_line(LOG_ERR, "the daemon goes on watching; a restart tries again");
	daemon_audit_unarmed(daemon);
}

bool daemon_enforce_event(struct daemon *daemon, const struct event *event)
{
	struct enforcer *enforcer = &daemon->enforcer;

	if (enforcer_watch_proof(enforcer, event))
		return true;
	enforcer->ended |= event->kind == EVENT_VM_END;
	enforcer->froze |= event->kind == EVENT_VERDICT && event->judgement->action == KES_FREEZE;
	return false;
}

void daemon_enforce_finding(
	struct daemon *daemon, const struct finding *finding, enum finding_phase phase)
{
	if (daemon->armed && phase == PHASE_BEGIN)
		enforcer_on_finding(&daemon->enforcer, finding);
}

/* It may be released without our help. */
static void look_for_kept(struct daemon *daemon, uint64_t now_ns)
{
	if (!daemon->kept || now_ns - daemon->kept_ns < LOOK_NS)
		return;
	daemon->kept_ns = now_ns;
	daemon->kept = veto_is_kept();
}

int daemon_enforce_turn(struct daemon *daemon, uint64_t now_ns, struct error *err)
{
	int r;

	if (!daemon->armed) {
		look_for_kept(daemon, now_ns);
		return 0;
	}
	r = enforcer_turn(&daemon->enforcer, daemon->model, err);
	if (r)
		return r;
	r = enforcer_react(&daemon->enforcer, daemon->live, daemon->model);
	return r ? error_set(err, r, "writing the kernel's tables failed: %s", strerror(-r)) : 0;
}

uint64_t daemon_enforce_due(const struct daemon *daemon)
{
	if (daemon->armed)
		return enforcer_due(&daemon->enforcer);
	return daemon->kept ? daemon->kept_ns + LOOK_NS : UINT64_MAX;
}

int daemon_enforce_reload(struct daemon *daemon, const char *path, struct error *err)
{
	int r;

	if (!daemon->config->enforce || daemon->unarmed.code)
		return 0;
	r = enforcer_read_anew(&daemon->enforcer, path, true, err);
	if (!r)
		daemon_audit_policy(daemon);
	return r;
}

void daemon_enforce_stop(struct daemon *daemon)
{
	if (daemon->armed) {
		enforcer_tell_totals(&daemon->enforcer);
		if (daemon->config->keep)
			log_line(LOG_NOTICE,
				"enforcement goes on; kvm-encstat policy release ends it");
		else
			daemon_audit_released(daemon, "the daemon ends");
	}
	daemon->armed = false;
	live_veto_close(&daemon->enforcer.veto);
}
