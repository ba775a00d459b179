/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/enforcer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/place.h"
#include "output/output.h"
#include "policy/enforce.h"

/* A place is used again only when nobody can be in the middle of it. */
#define REST_NS 1000000000ull

/* ---- files ---- */

int enforcer_number_file(struct enforcer *enforcer, const char *path, uint8_t *ret)
{
	for (size_t i = 0; i < enforcer->n_files; i++)
		if (!strcmp(enforcer->files[i], path)) {
			*ret = (uint8_t)i;
			return 0;
		}
	if (enforcer->n_files == KES_FILES)
		return -ENOSPC;
	enforcer->files[enforcer->n_files] = strdup(path);
	if (!enforcer->files[enforcer->n_files])
		return -ENOMEM;
	*ret = (uint8_t)enforcer->n_files++;
	return 0;
}

static int number_files(struct enforcer *enforcer, struct kes_rule_set *set)
{
	int r = 0;

	for (uint32_t i = 0; i < set->n_rules && !r; i++)
		r = enforcer_number_file(enforcer, enforcer->policies->files[set->rules[i].file],
			&set->rules[i].file);
	return r;
}

/* ---- counts ---- */

static struct rule_count *total_of(struct enforcer *enforcer, const struct kes_rule *rule)
{
	struct rule_count *grown;

	for (size_t i = 0; i < enforcer->n_totals; i++)
		if (enforcer->totals[i].file == rule->file &&
			enforcer->totals[i].line == rule->line)
			return &enforcer->totals[i];
	grown = reallocarray(enforcer->totals, enforcer->n_totals + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	enforcer->totals = grown;
	grown[enforcer->n_totals] = (struct rule_count){.file = rule->file, .line = rule->line};
	return &grown[enforcer->n_totals++];
}

static void count_place(struct enforcer *enforcer, uint32_t place)
{
	const struct kes_rule_set *set = enforcer->places[place].set;

	for (uint32_t i = 0; set && i < set->n_rules; i++) {
		struct kes_rule_count count = veto_rule_count(enforcer->tables, place, i);
		struct rule_count *total;

		if (!count.decided && !count.monitored)
			continue;
		total = total_of(enforcer, &set->rules[i]);
		if (!total)
			continue;
		total->count.decided += count.decided;
		total->count.monitored += count.monitored;
	}
}

void enforcer_count(struct enforcer *enforcer)
{
	for (uint32_t i = FIRST_SET; i < KES_MAX_SETS; i++)
		count_place(enforcer, i);
}

/* ---- places ---- */

static void mark_used(struct enforcer *enforcer)
{
	bool used[KES_MAX_SETS] = {};
	uint64_t now = clock_now_ns();

	for (size_t i = 0; i < enforcer->n_vms; i++)
		used[enforcer->vms[i].which.set % KES_MAX_SETS] = true;
	for (int i = 0; i <= KES_VM_TYPE_MAX; i++)
		used[enforcer->settings.standard[i].set % KES_MAX_SETS] = true;
	for (uint32_t i = FIRST_SET; i < KES_MAX_SETS; i++) {
		struct place *place = &enforcer->places[i];

		if (used[i] || place->inherited)
			place->unused_ns = 0;
		else if (!place->unused_ns)
			place->unused_ns = now;
	}
}

/* A place for one more; 0 with *ret_rests: only such as have to rest. */
static uint32_t find_place(struct enforcer *enforcer, bool *ret_rests)
{
	uint64_t now = clock_now_ns();

	*ret_rests = false;
	mark_used(enforcer);
	for (uint32_t i = FIRST_SET; i < KES_MAX_SETS; i++)
		if (!enforcer->places[i].set)
			return i;
	for (uint32_t i = FIRST_SET; i < KES_MAX_SETS; i++) {
		const struct place *place = &enforcer->places[i];

		if (place->unused_ns && now - place->unused_ns >= REST_NS)
			return i;
		*ret_rests |= place->unused_ns != 0;
	}
	return 0;
}

static uint32_t find_equal(const struct enforcer *enforcer, const struct kes_rule_set *set)
{
	for (uint32_t i = FIRST_SET; i < KES_MAX_SETS; i++)
		if (enforcer->places[i].set && !memcmp(enforcer->places[i].set, set, sizeof(*set)))
			return i;
	return 0;
}

int enforcer_install(struct enforcer *enforcer, const struct kes_rule_set *set, uint32_t *ret)
{
	struct place *place;
	uint32_t at;
	bool rests;
	int r;

	*ret = 0;
	if (!set->n_rules && !set->unreadable)
		return 0; /* the empty one */
	*ret = find_equal(enforcer, set);
	if (*ret)
		return 0;
	at = find_place(enforcer, &rests);
	if (!at)
		return rests ? -EAGAIN : -E2BIG;
	count_place(enforcer, at);
	place = &enforcer->places[at];
	if (!place->set)
		place->set = malloc(sizeof(*set));
	if (!place->set)
		return -ENOMEM;
	r = veto_write_set(enforcer->tables, at, set);
	if (r)
		return r;
	*place->set = *set;
	place->serial = ++enforcer->serials;
	place->unused_ns = 0;
	*ret = at;
	return 0;
}

/* before: what held for the VM, if anything did. */
static struct kes_policed policed(
	struct enforcer *enforcer, uint32_t place, const struct kes_policed *before)
{
	struct kes_policed which = {.set = place, .serial = enforcer->places[place].serial};

	if (!place || !enforcer->places[place].set->limiting)
		return which;
	which.counting = before->counting ? before->counting : ++enforcer->countings;
	return which;
}

/* ---- what holds for every VM of a type ---- */

static int standard_of(struct enforcer *enforcer, uint32_t type, struct error *err)
{
	_cleanup_free_ struct effective *effective = NULL;
	struct kes_policed *standard = &enforcer->settings.standard[type];
	uint32_t place;
	int r = policy_compile_standard(&effective, enforcer->policies, type, err);

	if (r)
		return r;
	r = number_files(enforcer, &effective->set);
	if (!r)
		r = enforcer_install(enforcer, &effective->set, &place);
	if (r)
		return error_set(err, r, "writing the kernel's tables failed: %s", strerror(-r));
	*standard = policed(enforcer, place, standard);
	return 0;
}

int enforcer_set_standard(struct enforcer *enforcer, struct error *err)
{
	struct kes_veto before = enforcer->settings;
	int r = 0;

	for (uint32_t type = 0; type <= KES_VM_TYPE_MAX && !r; type++)
		r = standard_of(enforcer, type, err);
	enforcer->settings.proving = 0;
	if (!r) {
		r = veto_write_settings(enforcer->tables, &enforcer->settings);
		if (r)
			error_set(err, r, "writing the kernel's tables failed: %s", strerror(-r));
	}
	if (r)
		enforcer->settings = before;
	return r;
}

/* ---- VMs ---- */

/* Where the VM is, or belongs. */
static size_t position(const struct enforcer *enforcer, uint32_t vm)
{
	return PLACE(enforcer->n_vms, i, enforcer->vms[i].vm < vm);
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
	grown[at] = (struct assigned){.vm = vm, .revision = REVISION_NONE};
	return &grown[at];
}

/* Rules about its guest that nothing on this host enforces for this VM. */
static bool is_out_of_reach(const struct enforcer *enforcer, const struct vm *vm, uint32_t place)
{
	return place && enforce_refuses_guests(enforcer->places[place].set) &&
	       !live_veto_has(enforcer->veto, VETO_GATE) && !vm_has_host_plane(vm);
}

static void tell_assigned(const struct enforcer *enforcer, const struct vm *vm, uint32_t place)
{
	uint32_t n = place ? enforcer->places[place].set->n_rules : 0;
	char label[VM_SHORT_SIZE];

	log_line(LOG_INFO, "VM %u %s: %u rule%s", vm->id, vm_label_short(vm, label), n,
		n == 1 ? "" : "s");
}

/* That KVM keeps attributes of a VM is said in a record of its own, which may be a moment later. */
static void tell_reach(struct enforcer *enforcer, struct assigned *assigned, const struct vm *vm)
{
	if (!assigned->reach_due || (!vm->described && !vm_lost(vm)))
		return;
	assigned->reach_due = false;
	if (!is_out_of_reach(enforcer, vm, assigned->which.set))
		return;
	enforcer->short_of_rules = true;
	log_line(LOG_WARNING,
		"VM %u: what its guest asks for is NOT refused: it has no memory "
		"attributes, and without the module kvm_encstat_gate there is nothing else to "
		"refuse",
		vm->id);
}

static void label_vm(
	struct enforcer *enforcer, const struct assigned *assigned, const struct vm *vm)
{
	struct kes_vm_label label = {.vm = vm->id, .pid = vm->pid};
	char name[VM_NAME_SIZE + 4];

	vm_name(vm, name, sizeof(name));
	snprintf(label.name, sizeof(label.name), "%.*s", (int)sizeof(label.name) - 1, name);
	(void)veto_write_label(enforcer->tables, assigned->kvm, &label); /* for people only */
}

/* What it has in the kernel now: an earlier tool may have given it rules. */
static struct kes_policed before(
	const struct enforcer *enforcer, const struct assigned *assigned, const struct vm *vm)
{
	uint32_t type = vm->type < KES_VM_TYPE_MAX ? vm->type : KES_VM_TYPE_MAX;
	struct kes_policed which;

	if (assigned->kvm)
		return assigned->which;
	if (!live_veto_has_rules(enforcer->veto, vm->id, &which))
		return which;
	return enforcer->settings.standard[type];
}

static int give_rules(struct enforcer *enforcer, struct assigned *assigned, const struct vm *vm,
	struct error *err)
{
	_cleanup_free_ struct effective *effective = NULL;
	struct kes_policed old = before(enforcer, assigned, vm), new;
	bool first = !assigned->kvm;
	uint32_t place;
	int r = policy_compile(&effective, enforcer->policies, vm, err);

	if (r)
		return r;
	r = number_files(enforcer, &effective->set);
	if (!r)
		r = enforcer_install(enforcer, &effective->set, &place);
	if (!r) {
		new = policed(enforcer, place, &old);
		r = live_veto_assign(enforcer->veto, vm->id, new, &assigned->kvm);
	}
	if (r == -ENOENT)
		return 0; /* it has ended */
	if (r == -E2BIG) {
		error_set(err, r, "more than %d different sets of rules are needed",
			KES_MAX_SETS - 1);
		error_advise(err, "select VMs by fewer policies");
		return r;
	}
	if (r)
		return error_set(err, r, "writing the kernel's tables failed: %s", strerror(-r));
	label_vm(enforcer, assigned, vm);
	if (first || assigned->which.set != place) {
		tell_assigned(enforcer, vm, place);
		assigned->reach_due = true;
	}
	if (new.counting &&new.counting != old.counting && !vm->born)
		log_line(LOG_INFO, "VM %u: what it shares is counted from now on", vm->id);
	assigned->which = new;
	tell_reach(enforcer, assigned, vm);
	return 0;
}

/* Gives a VM the rules that hold for it, if they may be others than it has. What goes wrong with
 * one VM must not end the veto for all: it stays under those that it has, or those for every VM. */
static int assign(struct enforcer *enforcer, const struct vm *vm, struct error *err)
{
	struct assigned *assigned = find(enforcer, vm->id);
	struct error what = {};
	int r;

	if (!assigned)
		return error_set(err, -ENOMEM, "out of memory");
	if (assigned->revision == vm->revision) {
		tell_reach(enforcer, assigned, vm);
		return 0;
	}
	r = give_rules(enforcer, assigned, vm, &what);
	if (r == -EAGAIN) {
		enforcer->waits = true;
		return 0; /* with the next turn */
	}
	assigned->revision = vm->revision;
	if (!r)
		return 0;
	enforcer->short_of_rules = true;
	log_line(LOG_WARNING, "VM %u does not get its rules, and stays under %s: %s", vm->id,
		assigned->kvm ? "those it has" : "those for every VM", what.text);
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
			live_veto_forget(enforcer->veto, assigned->vm, assigned->kvm);
	}
	enforcer->n_vms = kept;
}

/* Once all VMs that live have their rules, nobody goes by an earlier tool's. */
static int sweep(struct enforcer *enforcer)
{
	_cleanup_free_ uint64_t *kvms = calloc(enforcer->n_vms + 1, sizeof(*kvms));
	size_t n = 0;

	if (!kvms)
		return -ENOMEM;
	for (size_t i = 0; i < enforcer->n_vms; i++) {
		if (enforcer->vms[i].revision == REVISION_NONE)
			return 0; /* not yet */
		kvms[n++] = enforcer->vms[i].kvm;
	}
	live_veto_forget_others(enforcer->veto, kvms, n);
	for (uint32_t i = FIRST_SET; i < KES_MAX_SETS; i++)
		enforcer->places[i].inherited = false;
	enforcer->swept = true;
	return 0;
}

static int tell_files(struct enforcer *enforcer)
{
	int r = 0;

	for (; enforcer->n_told < enforcer->n_files && !r; enforcer->n_told++)
		r = live_veto_tell_file(enforcer->veto, (uint16_t)enforcer->n_told,
			enforcer->files[enforcer->n_told]);
	return r;
}

int enforcer_turn(struct enforcer *enforcer, const struct model *model, struct error *err)
{
	int r = 0;

	if (enforcer->ended) {
		enforcer->ended = false;
		forget_ended(enforcer, model);
	}
	enforcer->waits = false;
	for (size_t i = 0; i < model_vm_count(model) && !r; i++)
		if (model_vm(model, i)->alive && model_vm(model, i)->known)
			r = assign(enforcer, model_vm(model, i), err);
	if (!r && !enforcer->swept)
		r = sweep(enforcer);
	if (r)
		return r;
	r = tell_files(enforcer);
	return r ? error_set(err, r, "writing the kernel's tables failed: %s", strerror(-r)) : 0;
}

int enforcer_reload(struct enforcer *enforcer, struct policies *fresh, struct error *err)
{
	struct policies *old = enforcer->policies;
	int r;

	enforcer->policies = fresh;
	r = enforcer_set_standard(enforcer, err);
	if (r) {
		enforcer->policies = old;
		return r;
	}
	policies_free(&old);
	for (size_t i = 0; i < enforcer->n_vms; i++)
		enforcer->vms[i].revision = REVISION_NONE; /* to be given its rules anew */
	return 0;
}

void enforcer_free(struct enforcer *enforcer)
{
	for (uint32_t i = 0; i < KES_MAX_SETS; i++)
		free(enforcer->places[i].set);
	for (size_t i = 0; i < enforcer->n_files; i++)
		free(enforcer->files[i]);
	free(enforcer->totals);
	free(enforcer->vms);
	policies_free(&enforcer->policies);
}
