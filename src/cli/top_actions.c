/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/top_actions.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/loaded.h"

/* Who enforces has numbers of its own: a VM is found by its process, and where that has several, by
 * its name. NULL: none, or it cannot be told which. */
static const struct enforced_vm *find(const struct enforced *enforced, const struct vm *vm)
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
		if (candidate->is_named && !strncmp(candidate->label.name, name, KES_VM_LABEL)) {
			named = candidate;
			n_named++;
		}
	}
	return n == 1 ? found : n_named == 1 ? named : NULL;
}

static int act(
	const struct veto_tables *tables, const struct vm *vm, bool freeze, struct error *err)
{
	_cleanup_(loaded_free) struct enforced enforced = {};
	const struct enforced_vm *found;
	int r = loaded_read(&enforced, tables, err);

	if (r)
		return r;
	found = find(&enforced, vm);
	if (!found)
		return error_set(err, -ENOENT,
			"who enforces does not know this VM: see kvm-encstat policy loaded");
	if (found->is_frozen == freeze)
		return error_set(err, -EALREADY, "it is %s already", freeze ? "frozen" : "running");
	r = freeze ? veto_freeze(tables, found->kvm, found->label.pid)
		   : veto_release(tables, found->kvm);
	return r ? error_set(err, r, "that failed: %s", strerror(-r)) : 0;
}

int top_act(const struct vm *vm, bool freeze, struct error *err)
{
	struct veto_tables tables;
	struct veto_programs programs;
	int r = veto_tables_open(&tables, err);

	if (r)
		return r;
	if (!veto_programs(&tables, &programs) && !programs.n)
		r = error_set(err, -ENOENT,
			"nothing enforces: a tool was killed, see kvm-encstat policy release");
	else
		r = act(&tables, vm, freeze, err);
	veto_tables_close(&tables);
	return r;
}
