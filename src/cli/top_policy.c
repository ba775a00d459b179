/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/top_policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define EVERY_NS 1000000000ull

/* ---- which VM ---- */

const struct enforced_vm *top_policies_find(const struct enforced *enforced, const struct vm *vm)
{
	const struct enforced_vm *found = NULL, *named = NULL;
	size_t n = 0, n_named = 0;
	char name[VM_NAME_SIZE];

	vm_name(vm, name, sizeof(name));
	for (size_t i = 0; i < enforced->n_vms; i++) {
		const struct enforced_vm *candidate = &enforced->vms[i];

		if (candidate->label.pid != vm->pid)
			continue;
		found = candidate;
		n++;
		/* a label's name may be cut, and ends in a NUL */
		if (candidate->is_named &&
			!strncmp(candidate->label.name, name, KES_VM_LABEL - 1)) {
			named = candidate;
			n_named++;
		}
	}
	return n == 1 ? found : n_named == 1 ? named : NULL;
}

/* ---- modes ---- */

static enum policy_mode mode_of_set(const struct kes_rule_set *set)
{
	enum policy_mode mode = set->n_rules ? POLICY_MONITOR : POLICY_NONE;

	for (uint32_t i = 0; i < set->n_rules && i < KES_RULES; i++)
		if (set->rules[i].mode == KES_ENFORCE)
			return POLICY_ENFORCE;
	return set->unreadable ? POLICY_ENFORCE : mode;
}

/* Of the rules that a VM goes by. */
static enum policy_mode mode_of(
	struct top_policies *p, const struct veto_tables *tables, const struct kes_policed *which)
{
	_cleanup_free_ struct kes_rule_set *set = NULL;
	uint32_t at = which->set % KES_MAX_SETS;

	if (!which->set)
		return POLICY_NONE;
	if (p->sets[at].serial == which->serial && which->serial)
		return p->sets[at].mode;
	set = malloc(sizeof(*set));
	if (!set || veto_read_set(tables, which->set, set))
		return POLICY_UNREADABLE;
	p->sets[at].serial = which->serial;
	p->sets[at].mode = mode_of_set(set);
	return p->sets[at].mode;
}

static struct vm_policy policy_of(struct top_policies *p, const struct veto_tables *tables,
	const struct enforced *enforced, const struct vm *vm)
{
	const struct enforced_vm *found = top_policies_find(enforced, vm);
	uint32_t type = vm->type < KES_VM_TYPE_MAX ? vm->type : KES_VM_TYPE_MAX;
	struct vm_policy policy = {.vm = vm->id};

	policy.mode = mode_of(p, tables,
		found && found->has_rules ? &found->which : &enforced->settings.standard[type]);
	if (!found)
		return policy;
	policy.refused = found->denials.refused;
	if (found->is_monitored && policy.mode == POLICY_ENFORCE)
		policy.mode = POLICY_MONITOR;
	if (found->is_frozen)
		policy.mode = POLICY_FROZEN;
	return policy;
}

/* ---- all of them ---- */

static int by_id(const void *a, const void *b)
{
	const struct vm_policy *x = a, *y = b;

	return (x->vm > y->vm) - (x->vm < y->vm);
}

static int tell(struct top_policies *p, struct top *top, const struct model *model,
	const struct veto_tables *tables, struct error *err)
{
	_cleanup_(loaded_free) struct enforced enforced = {};
	_cleanup_free_ struct vm_policy *vms = NULL;
	size_t n = 0;
	int r = loaded_read(&enforced, tables, err);

	if (r)
		return r;
	vms = calloc(model_vm_count(model) + 1, sizeof(*vms));
	if (!vms)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < model_vm_count(model); i++)
		if (model_vm(model, i)->alive)
			vms[n++] = policy_of(p, tables, &enforced, model_vm(model, i));
	if (n)
		qsort(vms, n, sizeof(*vms), by_id);
	top_set_policy(top, POLICIES_LOADED, vms, n, "");
	return 0;
}

/* Tables that no program goes by any more are what a tool left that was killed: nothing is refused.
 */
static int read_all(
	struct top_policies *p, struct top *top, const struct model *model, struct error *err)
{
	struct veto_programs programs;
	struct veto_tables tables;
	int r = veto_tables_open(&tables, err);

	if (r)
		return r;
	r = veto_programs(&tables, &programs);
	if (!r && !programs.n)
		r = -ENOENT;
	else
		r = tell(p, top, model, &tables, err);
	veto_tables_close(&tables);
	return r;
}

void top_policies_look(struct top_policies *p, struct top *top, const struct model *model)
{
	uint64_t now = clock_now_ns();
	struct error err = {};
	int r;

	if (p->read_ns && now - p->read_ns < EVERY_NS)
		return;
	p->read_ns = now;
	r = read_all(p, top, model, &err);
	if (r)
		memset(p->sets, 0, sizeof(p->sets)); /* what comes next has numbers of its own */
	if (r == -ENOENT)
		top_set_policy(top, POLICIES_NOT_LOADED, NULL, 0, "");
	else if (r)
		top_set_policy(top, POLICIES_UNREADABLE, NULL, 0, err.text);
}

void top_policies_forget(struct top_policies *p)
{
	p->read_ns = 0;
}
