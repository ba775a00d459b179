/* SPDX-License-Identifier: GPL-2.0-only */
/* Runs with a policy, in the foreground: what it denies is refused before KVM acts on it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/cleanup.h"
#include "capture/live_gate.h"
#include "cli/canary.h"
#include "cli/commands.h"
#include "cli/select.h"
#include "cli/session.h"
#include "output/policy.h"
#include "policy/enforce.h"

#define PROOF_MS      3000
#define PROOF_TRIES   100 /* looks at the ring, after the guest has ended */
#define REVISION_NONE UINT64_MAX
#define FIRST_SET     1 /* 0 is the empty one */

/* What the guest converts that proves the veto (see canary.c): these pages once, to shared; and six
 * more times others. */
#define PROOF_GFN    9
#define PROOF_PAGES  5
#define PROOF_OTHERS 6

struct assigned {
	uint32_t vm, set;
	uint64_t kvm;      /* what the kernel knows it by; 0: nothing */
	uint64_t revision; /* of the VM then: its name may come later */
};

struct enforcer {
	const struct options *options;
	struct policies *policies;
	struct live_gate *gate;
	struct kes_rule_set *sets[KES_MAX_SETS]; /* as they are in the kernel; NULL: free */
	uint32_t standard;
	struct assigned *vms; /* sorted by vm */
	size_t n_vms;
	char comm[16];
	bool proving, not_proved;
	bool ended;                        /* some VM has */
	bool short_of_rules;               /* some VM did not get its own */
	uint64_t refused, passed, slipped; /* by the proof's guest */
};

/* ---- proof ---- */

static void watch_proof(struct enforcer *enforcer, const struct event *event)
{
	bool about = event->gpa >> 12 == PROOF_GFN && event->npages == PROOF_PAGES;

	if (!event->vm || strcmp(event->vm->comm, enforcer->comm))
		return;
	if (event->kind == EVENT_VERDICT)
		enforcer->refused += about && event->judgement->action == KES_DENY;
	else if (event->kind == EVENT_CONVERTED && about)
		enforcer->slipped++;
	else if (event->kind == EVENT_CONVERTED)
		enforcer->passed++;
}

static bool is_proved(const struct enforcer *enforcer)
{
	return enforcer->refused == 1 && enforcer->passed == PROOF_OTHERS && !enforcer->slipped;
}

/* A guest of our own asks for seven conversions, of which one is refused: seen from the verdict,
 * and from what its VMM was asked. */
static int prove(struct enforcer *enforcer, int (*pump)(void *), void *session, struct error *err)
{
	_cleanup_free_ struct kes_rule_set *set = malloc(sizeof(*set));
	enum canary_result result;
	int r;

	if (!set)
		return error_set(err, -ENOMEM, "out of memory");
	enforce_proof(set, (struct frames){PROOF_GFN, PROOF_PAGES});
	r = live_gate_set(enforcer->gate, FIRST_SET, set);
	if (!r)
		r = live_gate_standard(
			enforcer->gate, (struct kes_policed){.set = FIRST_SET}, true);
	if (r)
		return error_set(err, r, "writing the kernel's tables failed: %s", strerror(-r));
	enforcer->proving = true;
	result = canary_run(CANARY_CALLS, PROOF_MS);
	for (int i = 0; i < PROOF_TRIES && !r && !is_proved(enforcer); i++)
		r = pump(session);
	enforcer->proving = false;
	if (!r && result == CANARY_DONE && is_proved(enforcer))
		return 0;
	enforcer->not_proved = true;
	error_set(err, -ENOTSUP,
		"the veto is not proved: of a guest's own seven conversions %llu were refused and "
		"%llu "
		"went on, where 1 and 6 should",
		(unsigned long long)enforcer->refused,
		(unsigned long long)(enforcer->passed + enforcer->slipped));
	error_advise(err, "kvm-encstat doctor --selftest shows what this host can do");
	return -ENOTSUP;
}

/* ---- rule sets ---- */

static bool is_used(const struct enforcer *enforcer, uint32_t set)
{
	for (size_t i = 0; i < enforcer->n_vms; i++)
		if (enforcer->vms[i].set == set)
			return true;
	return enforcer->standard == set;
}

/* A place for one more; 0: there is none. One that no VM has any more is free: who was asked by it
 * has been answered long ago. */
static uint32_t find_place(const struct enforcer *enforcer)
{
	for (uint32_t i = FIRST_SET; i < KES_MAX_SETS; i++)
		if (!enforcer->sets[i])
			return i;
	for (uint32_t i = FIRST_SET; i < KES_MAX_SETS; i++)
		if (!is_used(enforcer, i))
			return i;
	return 0;
}

/* Puts it into the kernel, where none like it is. -E2BIG: there is no room. */
static int install(struct enforcer *enforcer, const struct kes_rule_set *set, uint32_t *ret)
{
	uint32_t place = find_place(enforcer);
	int r;

	*ret = 0;
	if (!set->n_rules)
		return 0;
	for (uint32_t i = FIRST_SET; i < KES_MAX_SETS; i++)
		if (enforcer->sets[i] && !memcmp(enforcer->sets[i], set, sizeof(*set))) {
			*ret = i;
			return 0;
		}
	if (!place)
		return -E2BIG;
	if (!enforcer->sets[place])
		enforcer->sets[place] = malloc(sizeof(*set));
	if (!enforcer->sets[place])
		return -ENOMEM;
	r = live_gate_set(enforcer->gate, place, set);
	if (r)
		return r;
	*enforcer->sets[place] = *set;
	*ret = place;
	return 0;
}

static int failed(int r, const struct vm *vm, struct error *err)
{
	if (r == -E2BIG) {
		error_set(err, r, "VM %u: more than %d different sets of rules are needed", vm->id,
			KES_MAX_SETS - 1);
		error_advise(err, "select VMs by fewer policies");
		return r;
	}
	return error_set(err, r, "writing the kernel's tables failed: %s", strerror(-r));
}

static int set_standard(struct enforcer *enforcer, struct error *err)
{
	_cleanup_free_ struct effective *effective = NULL;
	uint32_t set;
	int r = policy_compile_standard(&effective, enforcer->policies, UINT32_MAX, err);

	if (r)
		return r;
	r = install(enforcer, &effective->set, &set);
	if (!r)
		r = live_gate_standard(
			enforcer->gate, (struct kes_policed){.set = set, .serial = set}, false);
	if (r)
		return error_set(err, r, "writing the kernel's tables failed: %s", strerror(-r));
	enforcer->standard = set;
	return 0;
}

/* Where the VM is, or belongs. */
static size_t position(const struct enforcer *enforcer, uint32_t vm)
{
	size_t low = 0, high = enforcer->n_vms;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (enforcer->vms[middle].vm < vm)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct assigned *find(struct enforcer *enforcer, uint32_t vm)
{
	size_t at = position(enforcer, vm);
	struct assigned *grown;

	if (at < enforcer->n_vms && enforcer->vms[at].vm == vm)
		return &enforcer->vms[at];
	grown = reallocarray(enforcer->vms, enforcer->n_vms + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	enforcer->vms = grown;
	memmove(&grown[at + 1], &grown[at], (enforcer->n_vms - at) * sizeof(*grown));
	enforcer->n_vms++;
	grown[at] = (struct assigned){.vm = vm, .set = ~0u, .revision = REVISION_NONE};
	return &grown[at];
}

static void tell_assigned(const struct enforcer *enforcer, const struct vm *vm, uint32_t set)
{
	uint32_t n = set ? enforcer->sets[set]->n_rules : 0;
	char label[VM_SHORT_SIZE];

	fprintf(stderr, "kvm-encstat: VM %u %s: %u rule%s\n", vm->id, vm_label_short(vm, label), n,
		n == 1 ? "" : "s");
}

static int give_rules(struct enforcer *enforcer, struct assigned *assigned, const struct vm *vm,
	struct error *err)
{
	_cleanup_free_ struct effective *effective = NULL;
	uint32_t set;
	int r = policy_compile(&effective, enforcer->policies, vm, err);

	if (r)
		return r;
	r = install(enforcer, &effective->set, &set);
	if (!r)
		r = live_gate_assign(enforcer->gate, vm->id,
			(struct kes_policed){.set = set, .serial = set}, &assigned->kvm);
	if (r == -ENOENT)
		return 0; /* it has ended */
	if (r)
		return failed(r, vm, err);
	if (assigned->set != set)
		tell_assigned(enforcer, vm, set);
	assigned->set = set;
	return 0;
}

/* Gives a VM the rules that hold for it, if they may be others than it has. What goes wrong with
 * one VM must not end the veto for all: it stays under those that it has, or those for every VM. */
static int assign(struct enforcer *enforcer, const struct vm *vm, struct error *err)
{
	struct assigned *assigned = find(enforcer, vm->id);
	struct error what = {};

	if (!assigned)
		return error_set(err, -ENOMEM, "out of memory");
	if (assigned->revision == vm->revision)
		return 0;
	assigned->revision = vm->revision;
	if (!give_rules(enforcer, assigned, vm, &what))
		return 0;
	enforcer->short_of_rules = true;
	fprintf(stderr, "kvm-encstat: VM %u does not get its rules, and stays under %s: %s\n",
		vm->id, assigned->kvm ? "those it has" : "those for every VM", what.text);
	return 0;
}

/* VMs that ended have no rules. Both lists are in order of id. */
static void forget_ended(struct enforcer *enforcer, const struct model *model)
{
	size_t kept = 0, at = 0, n = model_vm_count(model);

	for (size_t i = 0; i < enforcer->n_vms; i++) {
		const struct assigned *assigned = &enforcer->vms[i];

		while (at < n && model_vm(model, at)->id < assigned->vm)
			at++;
		if (at < n && model_vm(model, at)->id == assigned->vm && model_vm(model, at)->alive)
			enforcer->vms[kept++] = *assigned;
		else if (assigned->kvm)
			live_gate_forget(enforcer->gate, assigned->vm, assigned->kvm);
	}
	enforcer->n_vms = kept;
}

static int on_turn(void *context, const struct model *model, struct error *err)
{
	struct enforcer *enforcer = context;
	int r = 0;

	if (enforcer->ended) {
		enforcer->ended = false;
		forget_ended(enforcer, model);
	}
	for (size_t i = 0; i < model_vm_count(model) && !r; i++)
		if (model_vm(model, i)->alive && model_vm(model, i)->known)
			r = assign(enforcer, model_vm(model, i), err);
	return r;
}

/* Reads the policies anew. Each VM goes from its old rules to its new ones at once, in the next
 * turn; if the new ones are wrong all stays as it is, which is said. */
static void on_reload(void *context)
{
	struct enforcer *enforcer = context;
	struct policies *fresh = NULL, *old = enforcer->policies;
	struct error err = {};
	int r = policies_load(&fresh, enforcer->options->policy ?: POLICY_PATH, &err);

	if (!r)
		r = enforce_check(fresh, &err);
	if (!r) {
		enforcer->policies = fresh;
		r = set_standard(enforcer, &err);
	}
	if (r) {
		enforcer->policies = old;
		policies_free(&fresh);
		fprintf(stderr, "kvm-encstat: the old policies go on: %s\n", err.text);
		return;
	}
	policies_free(&old);
	for (size_t i = 0; i < enforcer->n_vms; i++)
		enforcer->vms[i].revision = REVISION_NONE; /* to be given its rules anew */
	fputs("kvm-encstat: the policies were read anew\n", stderr);
}

/* ---- the run ---- */

static int on_start(
	void *context, struct live *live, int (*pump)(void *), void *session, struct error *err)
{
	struct enforcer *enforcer = context;
	int r = live_gate_open(&enforcer->gate, live, err);

	if (r) {
		enforcer->not_proved = true;
		return r;
	}
	r = prove(enforcer, pump, session, err);
	if (!r)
		r = set_standard(enforcer, err);
	if (!r)
		fputs("kvm-encstat: the veto is armed and proved\n", stderr);
	return r;
}

static void on_stop(void *context)
{
	struct enforcer *enforcer = context;

	if (enforcer->gate)
		fprintf(stderr, "kvm-encstat: the veto was asked about %llu hypercalls\n",
			(unsigned long long)live_gate_asked(enforcer->gate));
	live_gate_close(&enforcer->gate);
}

static int on_event(void *context, const struct style *style, const struct event *event)
{
	struct enforcer *enforcer = context;

	if (enforcer->proving) {
		watch_proof(enforcer, event);
		return 0;
	}
	enforcer->ended |= event->kind == EVENT_VM_END;
	if (event->kind != EVENT_VERDICT)
		return 0;
	if (enforcer->options->format == FORMAT_JSON)
		event_write_json(stdout, event);
	else
		event_write_text(stdout, style, event);
	return ferror(stdout) ? -EPIPE : 0;
}

static int finish(
	void *context, const struct style *style, const struct model *model, struct error *err)
{
	const struct enforcer *enforcer = context;

	(void)style;
	(void)model;
	(void)err;
	return enforcer->short_of_rules ? EXIT_PARTIAL : 0;
}

static int run(const struct options *options, struct error *err)
{
	struct enforcer enforcer = {.options = options};
	struct reader reader = {
		.event = on_event,
		.start = on_start,
		.turn = on_turn,
		.reload = on_reload,
		.stop = on_stop,
		.finish = finish,
		.context = &enforcer,
		.endless = true,
		.max_ended = 16,
	};
	int r = EXIT_FAILED;

	prctl(PR_GET_NAME, enforcer.comm);
	if (!policies_load(&enforcer.policies, options->policy ?: POLICY_PATH, err)) {
		if (enforce_check(enforcer.policies, err))
			enforcer.not_proved = true;
		else
			r = session_run(options, &reader, true, err);
	}
	for (uint32_t i = FIRST_SET; i < KES_MAX_SETS; i++)
		free(enforcer.sets[i]);
	free(enforcer.vms);
	policies_free(&enforcer.policies);
	return r == EXIT_FAILED && enforcer.not_proved ? EXIT_PARTIAL : r;
}

const struct command command_enforce = {
	.name = "enforce",
	.arguments = "[--policy PATH] [--json] [-- COMMAND ...]",
	.summary = "run with a policy: what it denies is refused",
	.text = "Refuses hypercalls as the policies say, before KVM acts on them: they fail in the "
		"guest, and the\n"
		"VMM never hears of them. Prints each verdict but what is plainly allowed. It "
		"wants the "
		"module\n"
		"kvm_encstat_gate (gate/README.md), and proves on a guest of its own that one "
		"conversion "
		"is refused\n"
		"and six are not, before it says that it is armed. If it cannot be armed or "
		"proved, or a "
		"rule cannot\n"
		"be enforced, it exits 3 and refuses nothing. SIGHUP makes it read the policies "
		"anew. "
		"When it\n"
		"ends, so does the veto.",
	.options = (OPT_READ & ~(unsigned int)OPT_RESYNC) | OPT_JSON | OPT_POLICY,
	.takes_command = true,
	.run = run,
};
