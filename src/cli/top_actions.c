/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/top_actions.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/top_policy.h"

static int already(struct error *err, const char *what)
{
	return error_set(err, -EALREADY, "it is %s already", what);
}

static int set_frozen(const struct veto_tables *tables, const struct enforced_vm *vm, bool freeze,
	struct error *err)
{
	if (vm->is_frozen == freeze)
		return already(err, freeze ? "frozen" : "running");
	return freeze ? veto_freeze(tables, vm->kvm, vm->label.pid) : veto_release(tables, vm->kvm);
}

static int set_monitored(const struct veto_tables *tables, const struct enforced_vm *vm,
	bool monitored, struct error *err)
{
	if (vm->is_monitored == monitored)
		return already(err, monitored ? "only monitored" : "under its rules as they are");
	return veto_monitor(tables, vm->kvm, monitored);
}

static int act(const struct veto_tables *tables, const struct vm *vm, enum top_wish wish,
	struct error *err)
{
	_cleanup_(loaded_free) struct enforced enforced = {};
	const struct enforced_vm *found;
	int r = loaded_read(&enforced, tables, err);

	if (r)
		return r;
	found = top_policies_find(&enforced, vm);
	if (!found)
		return error_set(err, -ENOENT,
			"who enforces does not know this VM: see kvm-encstat policy loaded");
	r = wish == WISH_FREEZE || wish == WISH_RELEASE
		    ? set_frozen(tables, found, wish == WISH_FREEZE, err)
		    : set_monitored(tables, found, wish == WISH_MONITOR, err);
	return r && r != -EALREADY ? error_set(err, r, "that failed: %s", strerror(-r)) : r;
}

int top_act(const struct vm *vm, enum top_wish wish, struct error *err)
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
		r = act(&tables, vm, wish, err);
	veto_tables_close(&tables);
	return r;
}

const char *top_act_outcome(enum top_wish wish)
{
	return wish == WISH_FREEZE    ? "is frozen"
	       : wish == WISH_RELEASE ? "runs again"
	       : wish == WISH_MONITOR ? "is only monitored"
				      : "is under its rules as they are";
}
