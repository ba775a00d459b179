/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/log.h"
#include "cli/enforcer.h"
#include "detect/finding.h"

#define LOOK_NS 1000000000ull /* in case the record of a freeze was lost */

/* ---- frozen VMs ---- */

static int resume_vmm(void *context, const struct veto_vm *vm)
{
	const struct enforcer *enforcer = context;

	if (vm->is_frozen)
		(void)veto_resume_vmm(enforcer->tables, vm->kvm); /* it may have ended */
	return 0;
}

/* ---- findings ---- */

static const struct assigned *find_assigned(const struct enforcer *enforcer, uint32_t vm)
{
	for (size_t i = 0; i < enforcer->n_vms; i++)
		if (enforcer->vms[i].vm == vm)
			return &enforcer->vms[i];
	return NULL;
}

static int act(struct enforcer *enforcer, const struct vm *vm, enum kes_action action)
{
	const struct assigned *assigned = find_assigned(enforcer, vm->id);

	if (action == KES_KILL)
		return kill((pid_t)vm->pid, SIGKILL) ? -errno : 0;
	if (action != KES_FREEZE)
		return 0;
	return assigned && assigned->kvm ? veto_freeze(enforcer->tables, assigned->kvm, vm->pid)
					 : -ENOENT;
}

static uint8_t file_of(const struct enforcer *enforcer, const struct policy_rule *rule)
{
	for (size_t i = 0; i < enforcer->n_files; i++)
		if (!strcmp(enforcer->files[i], rule->file))
			return (uint8_t)i;
	return 0;
}

static struct kes_judgement judge(
	const struct enforcer *enforcer, const struct found *found, const struct reaction *reaction)
{
	const struct policy_rule *decided = reaction->decided.rule,
				 *monitored = reaction->monitored.rule;
	struct kes_judgement judgement = {
		.gpa = found->gfn << 12,
		.npages = found->npages,
		.nr = (uint16_t)found->kind,
		.set = 1,
	};

	if (decided) {
		judgement.action = decided->compiled.action;
		judgement.line = decided->line;
		judgement.file = file_of(enforcer, decided);
	}
	if (monitored) {
		judgement.would = monitored->compiled.action;
		judgement.would_line = monitored->line;
		judgement.would_file = file_of(enforcer, monitored);
	}
	return judgement;
}

/* As the kernel half does it with requests. */
static void relent(struct kes_judgement *judgement)
{
	if (!judgement->would_line) {
		judgement->would = judgement->action;
		judgement->would_line = judgement->line;
		judgement->would_file = judgement->file;
	}
	judgement->action = KES_ALLOW;
	judgement->line = 0;
	judgement->file = 0;
}

static bool is_monitored(const struct enforcer *enforcer, uint32_t vm)
{
	const struct assigned *assigned = find_assigned(enforcer, vm);

	return assigned && assigned->kvm && veto_is_monitored(enforcer->tables, assigned->kvm);
}

static int react_to(struct enforcer *enforcer, struct live *live, const struct vm *vm,
	const struct found *found)
{
	struct reaction reaction = policy_on_finding(enforcer->policies, vm, found->kind);
	const struct policy_rule *rule = reaction.decided.rule;
	struct kes_judgement judgement;
	char shown[128];
	int r = 0;

	if (!rule && !reaction.monitored.rule)
		return 0;
	judgement = judge(enforcer, found, &reaction);
	if (rule && is_monitored(enforcer, vm->id)) {
		relent(&judgement);
	} else if (rule) {
		r = act(enforcer, vm, rule->compiled.action);
		log_line(LOG_INFO, "VM %u: %s: %s, by %s:%u%s%s", vm->id, found->id,
			action_name(rule->compiled.action),
			escape(rule->file, shown, sizeof(shown)), rule->line,
			r ? ", which failed: " : "", r ? strerror(-r) : "");
		enforcer->short_of_rules |= r != 0;
	}
	return live_tell_reaction(live, vm->id, &judgement);
}

void enforcer_on_finding(struct enforcer *enforcer, const struct finding *finding)
{
	struct found *found;

	if (!finding->vm)
		return; /* of the host: there is nothing to be stopped */
	if (enforcer->n_found == FOUND_MAX) {
		enforcer->short_of_rules = true;
		log_line(LOG_WARNING, "too many findings at once: not all were acted on");
		return;
	}
	found = &enforcer->found[enforcer->n_found++];
	*found = (struct found){.vm = finding->vm, .kind = finding->kind};
	finding_id(finding, found->id);
	if (!finding->n_ranges)
		return;
	found->gfn = finding->ranges[0].gfn;
	found->npages = finding->ranges[0].npages;
}

uint64_t enforcer_due(const struct enforcer *enforcer)
{
	return enforcer->waits || enforcer->n_found ? 0 : enforcer->looked_ns + LOOK_NS;
}

int enforcer_react(struct enforcer *enforcer, struct live *live, const struct model *model)
{
	uint64_t now = clock_now_ns();
	int r = 0;

	if (enforcer->froze || now - enforcer->looked_ns >= LOOK_NS) {
		enforcer->froze = false;
		enforcer->looked_ns = now;
		r = veto_each_vm(enforcer->tables, resume_vmm, enforcer);
	}
	for (size_t i = 0; i < enforcer->n_found && !r; i++) {
		const struct vm *vm = model_find(model, enforcer->found[i].vm);

		if (vm && vm->alive)
			r = react_to(enforcer, live, vm, &enforcer->found[i]);
	}
	enforcer->n_found = 0;
	return r;
}
