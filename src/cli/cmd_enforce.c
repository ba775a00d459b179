/* SPDX-License-Identifier: GPL-2.0-only */
/* Runs with a policy, in the foreground: what it denies is refused before KVM acts on it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "cli/commands.h"
#include "cli/enforcer.h"
#include "cli/session.h"
#include "output/policy.h"
#include "output/select.h"
#include "policy/enforce.h"

struct enforce {
	const struct options *options;
	struct enforcer enforcer;
	struct live *live;
	bool not_armed; /* exit 3: nothing is refused */
	bool finds;     /* detectors run */
};

/* ---- before it starts ---- */

/* What the policies need, and is not there: a gate that came after the start is not ours. */
static int check_gate(const struct policies *policies, bool has_gate, struct error *err)
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

/* ---- the run ---- */

static void tell_armed(const struct enforce *enforce)
{
	const struct live_veto *veto = enforce->enforcer.veto;
	bool gate = live_veto_has(veto, VETO_GATE);
	struct kes_veto previous;

	fprintf(stderr, "kvm-encstat: the veto is armed and proved: %sthe VMMs' ioctls (%s)%s\n",
		gate ? "hypercalls (gate), " : "", live_veto_form(veto),
		gate ? "" : "; hypercalls themselves are not refused: no module kvm_encstat_gate");
	if (live_veto_previous(veto, &previous))
		fputs("kvm-encstat: it goes on with what an earlier one has counted\n", stderr);
}

static int arm(struct enforce *enforce, int (*pump)(void *), void *session, struct error *err)
{
	struct enforcer *enforcer = &enforce->enforcer;
	const char *why;
	struct live_veto_options options = {
		.keep = enforce->options->keep,
		.want_gate = enforce_wants_gate(enforcer->policies, &why) != NULL,
	};
	int r = live_veto_open(&enforcer->veto, enforce->live, &options, err);

	if (r)
		return r;
	enforcer->tables = live_veto_tables(enforcer->veto);
	r = enforcer_inherit(enforcer, err);
	if (!r)
		r = enforcer_prove(enforcer, pump, session, err);
	if (!r)
		r = enforcer_set_standard(enforcer, err);
	return r ? r : live_veto_commit(enforcer->veto, err);
}

static int on_start(
	void *context, struct live *live, int (*pump)(void *), void *session, struct error *err)
{
	struct enforce *enforce = context;
	int r;

	enforce->live = live;
	r = arm(enforce, pump, session, err);
	if (r)
		enforce->not_armed = true;
	else
		tell_armed(enforce);
	return r;
}

static int on_turn(void *context, const struct model *model, struct error *err)
{
	struct enforce *enforce = context;
	int r;

	if (!enforce->live)
		return 0; /* KVM is still to come */
	r = enforcer_turn(&enforce->enforcer, model, err);
	if (r)
		return r;
	r = enforcer_react(&enforce->enforcer, enforce->live, model);
	return r ? error_set(err, r, "writing the kernel's tables failed: %s", strerror(-r)) : 0;
}

static int load_fresh(const struct enforce *enforce, struct policies **ret, struct error *err)
{
	int r = policies_load(ret, enforce->options->policy ?: POLICY_PATH, err);

	if (!r && !enforce->finds && policies_want(*ret, NEED_FINDINGS))
		r = error_set(err, -ENOTSUP,
			"rules about findings are new: they hold after a new start only");
	return r ? r : check_gate(*ret, live_veto_has(enforce->enforcer.veto, VETO_GATE), err);
}

/* Reads the policies anew. Each VM goes from its old rules to its new ones at once, in the next
 * turn; if the new ones are wrong all stays as it is, which is said. */
static void on_reload(void *context)
{
	struct enforce *enforce = context;
	struct policies *fresh = NULL;
	struct error err = {};
	int r = load_fresh(enforce, &fresh, &err);

	if (!r)
		r = enforcer_reload(&enforce->enforcer, fresh, &err);
	if (!r) {
		fputs("kvm-encstat: the policies were read anew\n", stderr);
		return;
	}
	policies_free(&fresh);
	fprintf(stderr, "kvm-encstat: the old policies go on: %s\n", err.text);
}

static void tell_counts(struct enforcer *enforcer)
{
	char shown[256];

	enforcer_count(enforcer);
	for (size_t i = 0; i < enforcer->n_totals; i++) {
		const struct rule_count *total = &enforcer->totals[i];

		if (!total->line || total->file >= enforcer->n_files)
			continue; /* the proof's */
		fprintf(stderr, "kvm-encstat: %s:%u: decided %llu, monitored %llu\n",
			escape(enforcer->files[total->file], shown, sizeof(shown)), total->line,
			(unsigned long long)total->count.decided,
			(unsigned long long)total->count.monitored);
	}
}

static void tell_totals(const struct enforcer *enforcer)
{
	struct kes_veto_totals totals = veto_totals(enforcer->tables);
	uint64_t missed = live_veto_missed(enforcer->veto);

	fprintf(stderr,
		"kvm-encstat: the veto was asked about %llu hypercalls and %llu changes of "
		"attributes\n",
		(unsigned long long)totals.hypercalls, (unsigned long long)totals.changes);
	if (totals.unreadable_passed || totals.unreadable_refused)
		fprintf(stderr,
			"kvm-encstat: changes that could not be read: %llu refused, %llu passed\n",
			(unsigned long long)totals.unreadable_refused,
			(unsigned long long)totals.unreadable_passed);
	if (totals.beyond || totals.busy)
		fprintf(stderr,
			"kvm-encstat: %llu requests were beyond what can be counted, and %llu "
			"found "
			"an account locked\n",
			(unsigned long long)totals.beyond, (unsigned long long)totals.busy);
	if (missed)
		fprintf(stderr,
			"kvm-encstat: NOT ASKED %llu times: the kernel passed over its programs\n",
			(unsigned long long)missed);
}

static void on_stop(void *context)
{
	struct enforce *enforce = context;
	struct enforcer *enforcer = &enforce->enforcer;

	if (enforcer->veto && !enforce->not_armed) {
		tell_counts(enforcer);
		tell_totals(enforcer);
		if (enforce->options->keep)
			fputs("kvm-encstat: enforcement goes on; kvm-encstat policy release ends "
			      "it\n",
				stderr);
	}
	live_veto_close(&enforcer->veto);
}

static int print_verdict(
	const struct enforce *enforce, const struct style *style, const struct event *event)
{
	if (enforce->options->format == FORMAT_JSON)
		event_write_json(stdout, event);
	else
		event_write_text(stdout, style, event);
	return ferror(stdout) ? -EPIPE : 0;
}

static int on_event(void *context, const struct style *style, const struct event *event)
{
	struct enforce *enforce = context;
	struct enforcer *enforcer = &enforce->enforcer;

	if (enforcer->proving) {
		enforcer_watch_proof(enforcer, event);
		return 0;
	}
	enforcer->ended |= event->kind == EVENT_VM_END;
	if (event->kind != EVENT_VERDICT)
		return 0;
	enforcer->froze |= event->judgement->action == KES_FREEZE;
	return print_verdict(enforce, style, event);
}

static int on_finding(void *context, const struct style *style, const struct finding *finding,
	enum finding_phase phase)
{
	struct enforce *enforce = context;

	(void)style;
	if (phase == PHASE_BEGIN)
		enforcer_on_finding(&enforce->enforcer, finding);
	return 0;
}

static int finish(
	void *context, const struct style *style, const struct model *model, struct error *err)
{
	const struct enforce *enforce = context;

	(void)style;
	(void)model;
	(void)err;
	return enforce->enforcer.short_of_rules ? EXIT_PARTIAL : 0;
}

static int run(const struct options *options, struct error *err)
{
	struct enforce enforce = {.options = options};
	struct reader reader = {
		.event = on_event,
		.start = on_start,
		.turn = on_turn,
		.reload = on_reload,
		.stop = on_stop,
		.finish = finish,
		.context = &enforce,
		.hook_now = true,
		.endless = true,
		.max_ended = 16,
	};
	struct policies **policies = &enforce.enforcer.policies;
	int r = EXIT_FAILED;

	if (!policies_load(policies, options->policy ?: POLICY_PATH, err)) {
		enforce.finds = policies_want(*policies, NEED_FINDINGS);
		if (enforce.finds)
			reader.finding = on_finding;
		if (check_gate(*policies, live_veto_has_module(), err))
			enforce.not_armed = true;
		else
			r = session_run(options, &reader, true, err);
	}
	enforcer_free(&enforce.enforcer);
	return r == EXIT_FAILED && enforce.not_armed ? EXIT_PARTIAL : r;
}

const struct command command_enforce = {
	.name = "enforce",
	.arguments = "[--policy PATH] [--keep] [--json] [-- COMMAND ...]",
	.summary = "run with a policy: what it denies is refused",
	.text = "Refuses what the policies say, before KVM acts on it. Hypercalls fail in the "
		"guest, "
		"and the VMM\n"
		"never hears of them: with the module kvm_encstat_gate (gate/README.md). Without "
		"it, VMMs'\n"
		"changes of memory attributes are refused, and VMs can be frozen. Prints each "
		"verdict but what\n"
		"is plainly allowed. It first proves on guests of its own that what is denied is "
		"refused, and\n"
		"nothing else. If it cannot be armed or proved, or a rule cannot be enforced here, "
		"it exits 3 and\n"
		"refuses nothing. SIGHUP makes it read the policies anew. When it ends, so does "
		"the veto, but\n"
		"with --keep: then it goes on until `policy release`, and the next `enforce "
		"--keep` takes over.",
	.options = (OPT_READ & ~(unsigned int)OPT_RESYNC) | OPT_JSON | OPT_POLICY | OPT_KEEP,
	.takes_command = true,
	.run = run,
};
