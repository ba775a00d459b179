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

/* ---- the run ---- */

static int on_start(
	void *context, struct live *live, int (*pump)(void *), void *session, struct error *err)
{
	struct enforce *enforce = context;
	int r;

	enforce->live = live;
	r = enforcer_arm(&enforce->enforcer, live, enforce->options->keep, pump, session, err);
	enforce->not_armed = r != 0;
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

static uint64_t due(void *context)
{
	const struct enforce *enforce = context;

	return enforcer_due(&enforce->enforcer);
}

/* Reads the policies anew. Each VM goes from its old rules to its new ones at once, in the next
 * turn; if the new ones are wrong all stays as it is, which is said. */
static void on_reload(void *context)
{
	struct enforce *enforce = context;
	struct error err = {};

	if (!enforcer_read_anew(&enforce->enforcer, enforce->options->policy ?: POLICY_PATH,
		    enforce->finds, &err))
		fputs("kvm-encstat: the policies were read anew\n", stderr);
	else
		fprintf(stderr, "kvm-encstat: the old policies go on: %s\n", err.text);
}

static void on_stop(void *context)
{
	struct enforce *enforce = context;
	struct enforcer *enforcer = &enforce->enforcer;

	if (enforcer->veto && !enforce->not_armed) {
		enforcer_tell_totals(enforcer);
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

	if (enforcer_watch_proof(enforcer, event))
		return READER_NOBODYS;
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
		.due = due,
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
		if (enforcer_check_gate(*policies, live_veto_has_module(), err))
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
	.options = (OPT_READ & ~(unsigned int)(OPT_RESYNC | OPT_ASKS)) | OPT_JSON | OPT_POLICY |
		   OPT_KEEP,
	.takes_command = true,
	.run = run,
};
