/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/loaded.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/escape.h"

/* ---- VMs ---- */

struct vm_reading {
	struct enforced *enforced;
	const struct veto_tables *tables;
};

static int read_account(const struct veto_tables *tables, struct enforced_vm *vm)
{
	_cleanup_free_ struct kes_state *state = malloc(sizeof(*state));

	if (!state)
		return -ENOMEM;
	vm->counts = true;
	if (veto_baseline(tables, vm->kvm, &vm->baseline))
		vm->baseline = 0;
	if (veto_state(tables, vm->kvm, state))
		return 0; /* it has asked for nothing yet */
	vm->memory = state->policy.memory;
	if (!state->reset && state->counted == vm->which.counting)
		vm->shared = state->policy.shared;
	return 0;
}

static int read_vm(void *context, const struct veto_vm *found)
{
	const struct vm_reading *reading = context;
	struct enforced *enforced = reading->enforced;
	struct enforced_vm *vm = reallocarray(enforced->vms, enforced->n_vms + 1, sizeof(*vm));

	if (!vm)
		return -ENOMEM;
	enforced->vms = vm;
	vm += enforced->n_vms++;
	*vm = (struct enforced_vm){
		.kvm = found->kvm,
		.label = found->label,
		.is_named = found->has_label,
		.has_rules = found->has_rules,
		.is_frozen = found->is_frozen,
		.is_monitored = found->is_monitored,
		.denials = found->denials,
		.which = found->which,
		.frozen = found->frozen,
	};
	if (!found->has_label)
		vm->label.pid = found->frozen.pid;
	return vm->has_rules && vm->which.counting ? read_account(reading->tables, vm) : 0;
}

static int by_id(const void *a, const void *b)
{
	const struct enforced_vm *x = a, *y = b;

	if (x->is_named != y->is_named)
		return x->is_named ? -1 : 1;
	if (x->label.vm != y->label.vm)
		return x->label.vm < y->label.vm ? -1 : 1;
	return (x->label.pid > y->label.pid) - (x->label.pid < y->label.pid);
}

static int failed(struct error *err, int r)
{
	return error_set(err, r, "reading the kernel's tables failed: %s", strerror(-r));
}

int loaded_read(struct enforced *ret, const struct veto_tables *tables, struct error *err)
{
	struct vm_reading reading = {ret, tables};
	struct veto_programs programs;
	int r;

	*ret = (struct enforced){.now_ns = clock_now_ns()};
	r = veto_settings(tables, &ret->settings);
	if (!r)
		r = veto_each_vm(tables, read_vm, &reading);
	if (r)
		return failed(err, r);
	if (ret->n_vms)
		qsort(ret->vms, ret->n_vms, sizeof(*ret->vms), by_id);
	ret->totals = veto_totals(tables);
	ret->kept = veto_is_kept();
	ret->tool = veto_holder();
	ret->knows_missed = !veto_programs(tables, &programs);
	if (ret->knows_missed)
		ret->missed = programs.missed;
	return 0;
}

void loaded_add_missed(struct enforced *enforced, const struct live_veto *veto)
{
	if (enforced->knows_missed || !veto)
		return;
	enforced->knows_missed = true;
	enforced->missed = live_veto_missed(veto);
}

void loaded_free(struct enforced *enforced)
{
	for (size_t i = 0; i < enforced->n_sets; i++)
		free(enforced->sets[i]);
	free(enforced->sets);
	free(enforced->vms);
	free(enforced->files);
	*enforced = (struct enforced){};
}

/* ---- rules ---- */

static bool is_used(const struct enforced *enforced, uint32_t index)
{
	for (size_t i = 0; i <= KES_VM_TYPE_MAX; i++)
		if (enforced->settings.standard[i].set == index)
			return true;
	for (size_t i = 0; i < enforced->n_vms; i++)
		if (enforced->vms[i].has_rules && enforced->vms[i].which.set == index)
			return true;
	return false;
}

/* Whether a rule of it has decided; those of the proof have no line. */
static bool has_decided(const struct enforced_set *set)
{
	for (uint32_t i = 0; i < set->set.n_rules; i++)
		if (set->set.rules[i].line && (set->counts[i].decided || set->counts[i].monitored))
			return true;
	return false;
}

static void read_counts(
	struct enforced *enforced, const struct veto_tables *tables, struct enforced_set *set)
{
	for (uint32_t i = 0; i < set->set.n_rules; i++) {
		uint8_t file = set->set.rules[i].file;

		set->counts[i] = veto_rule_count(tables, set->index, i);
		if (!*enforced->files[file])
			veto_read_file(tables, file, enforced->files[file]);
	}
}

static int read_set(struct enforced *enforced, const struct veto_tables *tables, uint32_t index)
{
	_cleanup_free_ struct enforced_set *set = calloc(1, sizeof(*set));
	int r;

	if (!set)
		return -ENOMEM;
	set->index = index;
	r = veto_read_set(tables, index, &set->set);
	if (r || (!set->set.n_rules && !set->set.unreadable))
		return r; /* nothing was ever there */
	if (set->set.n_rules > KES_RULES)
		return -EINVAL;
	read_counts(enforced, tables, set);
	if (is_used(enforced, index) || has_decided(set))
		enforced->sets[enforced->n_sets++] = TAKE_PTR(set);
	return 0;
}

int loaded_read_sets(struct enforced *enforced, const struct veto_tables *tables, struct error *err)
{
	int r = 0;

	enforced->sets = calloc(KES_MAX_SETS, sizeof(*enforced->sets));
	enforced->files = calloc(KES_FILES, sizeof(*enforced->files));
	if (!enforced->sets || !enforced->files)
		r = -ENOMEM;
	for (uint32_t i = 1; i < KES_MAX_SETS && !r; i++)
		r = read_set(enforced, tables, i);
	return r ? failed(err, r) : 0;
}

/* ---- which VM is meant ---- */

static bool is_number(const char *word, uint32_t *ret)
{
	unsigned long number;
	char *end;

	if (*word < '0' || *word > '9')
		return false;
	errno = 0;
	number = strtoul(word, &end, 10);
	*ret = (uint32_t)number;
	return !*end && !errno && number <= UINT32_MAX;
}

static bool matches(const struct enforced_vm *vm, const char *word)
{
	char shown[ESCAPED_SIZE(KES_VM_LABEL)], cut[VM_SHORT_SIZE];
	uint32_t number;

	if (is_number(word, &number) &&
		(number == vm->label.pid || (vm->is_named && number == vm->label.vm)))
		return true;
	return vm->is_named &&
	       (!strcmp(word, vm->label.name) ||
		       !strcmp(word, escape(vm->label.name, shown, sizeof(shown))) ||
		       !strcmp(word, name_short(vm->label.name, cut)));
}

static bool has_id(const struct enforced_vm *vm, const char *word)
{
	uint32_t number;

	return vm->is_named && is_number(word, &number) && number == vm->label.vm;
}

/* "VM 1 db1, VM 2 db2", as many as fit; word NULL: all. */
static void list_candidates(
	const struct enforced *enforced, const char *word, char *text, size_t size)
{
	char name[ENFORCED_VM_SIZE];
	size_t used = 0;

	*text = '\0';
	for (size_t i = 0; i < enforced->n_vms && used < size; i++)
		if (!word || matches(&enforced->vms[i], word))
			used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "",
				enforced_vm_name(&enforced->vms[i], name));
}

static int refuse(const struct enforced *enforced, const char *word, size_t n, struct error *err)
{
	char shown[ESCAPED_SIZE(64)], candidates[400];
	int r = n ? -ENOTUNIQ : -ENOENT;

	escape(word, shown, sizeof(shown));
	list_candidates(enforced, n ? word : NULL, candidates, sizeof(candidates));
	if (n)
		error_set(err, r, "'%s' may be any of several VMs: %s", shown, candidates);
	else if (enforced->n_vms)
		error_set(err, r, "no VM '%s' is under policies; there is: %s", shown, candidates);
	else
		error_set(err, r, "no VM '%s' is under policies: none is", shown);
	error_advise(err, "kvm-encstat policy loaded shows the VMs; a VM is named by id, pid, or "
			  "name");
	return r;
}

int loaded_find(const struct enforced *enforced, const char *word, const struct enforced_vm **ret,
	struct error *err)
{
	const struct enforced_vm *by_number = NULL;
	size_t n = 0, ids = 0;

	for (size_t i = 0; i < enforced->n_vms; i++) {
		const struct enforced_vm *vm = &enforced->vms[i];

		if (!matches(vm, word))
			continue;
		*ret = vm;
		n++;
		if (has_id(vm, word)) {
			by_number = vm;
			ids++;
		}
	}
	if (ids == 1) /* an id is exact even where it is another VM's pid */
		*ret = by_number;
	return n == 1 || ids == 1 ? 0 : refuse(enforced, word, n, err);
}
