/* SPDX-License-Identifier: GPL-2.0-only */
/* From policies to an armed veto, and what is said of it at its beginning and at its end. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/log.h"
#include "cli/enforcer.h"
#include "policy/enforce.h"

/* A gate that came after the start is not ours. */
int enforcer_check_gate(const struct policies *policies, bool has_gate, struct error *err)
{
	char shown[256];
	const char *why;
	const struct policy_rule *rule;

	if (has_gate)
		return 0;
	rule = enforce_wants_gate(policies, &why);
	if (!rule)
		return 0;
	error_set(err, -ENOTSUP,
		"%s:%u: this rule cannot be enforced: the module kvm_encstat_gate is not loaded, "
		"or was not at the start, and only there %s",
		escape(rule->file, shown, sizeof(shown)), rule->line, why);
	error_advise(err, "gate/README.md says how to build it; then modprobe kvm_encstat_gate");
	return -ENOTSUP;
}

static void tell_armed(const struct live_veto *veto)
{
	bool gate = live_veto_has(veto, VETO_GATE);
	struct kes_veto previous;

	log_line(LOG_NOTICE, "the veto is armed and proved: %sthe VMMs' ioctls (%s)%s",
		gate ? "hypercalls (gate), " : "", live_veto_form(veto),
		gate ? "" : "; hypercalls themselves are not refused: no module kvm_encstat_gate");
	if (live_veto_previous(veto, &previous))
		log_line(LOG_INFO, "it goes on with what an earlier one has counted");
}

int enforcer_arm(struct enforcer *enforcer, struct live *live, bool keep, int (*pump)(void *),
	void *session, struct error *err)
{
	const char *why;
	struct live_veto_options options = {
		.keep = keep,
		.want_gate = enforce_wants_gate(enforcer->policies, &why) != NULL,
	};
	int r = live_veto_open(&enforcer->veto, live, &options, err);

	if (r)
		return r;
	enforcer->tables = live_veto_tables(enforcer->veto);
	r = enforcer_inherit(enforcer, err);
	if (!r)
		r = enforcer_prove(enforcer, pump, session, err);
	if (!r)
		r = enforcer_set_standard(enforcer, err);
	if (!r)
		r = live_veto_commit(enforcer->veto, err);
	if (!r)
		tell_armed(enforcer->veto);
	return r;
}

/* KVM is still to come: nobody goes by the old ones yet. */
static void replace(struct enforcer *enforcer, struct policies *fresh)
{
	policies_free(&enforcer->policies);
	enforcer->policies = fresh;
}

int enforcer_read_anew(struct enforcer *enforcer, const char *path, bool finds, struct error *err)
{
	const struct live_veto *veto = enforcer->veto;
	_cleanup_(policies_free) struct policies *fresh = NULL;
	int r = policies_load(&fresh, path, err);

	if (!r && !finds && policies_want(fresh, NEED_FINDINGS))
		r = error_set(err, -ENOTSUP,
			"rules about findings are new: they hold after a new start only");
	if (!r)
		r = enforcer_check_gate(
			fresh, veto ? live_veto_has(veto, VETO_GATE) : live_veto_has_module(), err);
	if (!r && veto)
		r = enforcer_reload(enforcer, fresh, err);
	else if (!r)
		replace(enforcer, fresh);
	if (!r)
		fresh = NULL; /* the enforcer's */
	return r;
}

/* ---- at the end ---- */

static void tell_counts(struct enforcer *enforcer)
{
	char shown[256];

	enforcer_count(enforcer);
	for (size_t i = 0; i < enforcer->n_totals; i++) {
		const struct rule_count *total = &enforcer->totals[i];

		if (!total->line || total->file >= enforcer->n_files)
			continue; /* the proof's */
		log_line(LOG_INFO, "%s:%u: decided %llu, monitored %llu",
			escape(enforcer->files[total->file], shown, sizeof(shown)), total->line,
			(unsigned long long)total->count.decided,
			(unsigned long long)total->count.monitored);
	}
}

void enforcer_tell_totals(struct enforcer *enforcer)
{
	struct kes_veto_totals totals = veto_totals(enforcer->tables);
	uint64_t missed = live_veto_missed(enforcer->veto);

	tell_counts(enforcer);
	log_line(LOG_INFO,
		"the veto was asked about %llu hypercalls and %llu changes of "
		"attributes",
		(unsigned long long)totals.hypercalls, (unsigned long long)totals.changes);
	if (totals.unreadable_passed || totals.unreadable_refused)
		log_line(LOG_INFO, "changes that could not be read: %llu refused, %llu passed",
			(unsigned long long)totals.unreadable_refused,
			(unsigned long long)totals.unreadable_passed);
	if (totals.beyond || totals.busy)
		log_line(LOG_INFO,
			"%llu requests were beyond what can be counted, and %llu "
			"found "
			"an account locked",
			(unsigned long long)totals.beyond, (unsigned long long)totals.busy);
	if (missed)
		log_line(LOG_ERR, "NOT ASKED %llu times: the kernel passed over its programs",
			(unsigned long long)missed);
}
