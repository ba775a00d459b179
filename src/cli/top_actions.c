/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/top_actions.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/policy_request.h"
#include "cli/top_policy.h"

static int already(struct error *err, const char *what)
{
	return error_set(err, -EALREADY, "it is %s already", what);
}

static const enum server_change changes[] = {
	[WISH_FREEZE] = CHANGE_FREEZE,
	[WISH_RELEASE] = CHANGE_RELEASE,
	[WISH_MONITOR] = CHANGE_MONITOR,
	[WISH_ENFORCE] = CHANGE_ENFORCE,
};

/* Who enforces may number VMs otherwise than we do: the VM is named as it is in there. 1: the
 * daemon has done it, 0: none runs. */
static int ask_daemon(const struct options *options, const struct enforced_vm *vm,
	enum top_wish wish, struct error *err)
{
	char word[16];

	snprintf(word, sizeof(word), "%u", vm->is_named ? vm->label.vm : vm->label.pid);
	return policy_request_change(options, changes[wish], word, NULL, err);
}

static int change_tables(
	const struct veto_tables *tables, const struct enforced_vm *vm, enum top_wish wish)
{
	if (wish == WISH_FREEZE)
		return veto_freeze(tables, vm->kvm, vm->label.pid);
	if (wish == WISH_RELEASE)
		return veto_release(tables, vm->kvm);
	return veto_monitor(tables, vm->kvm, wish == WISH_MONITOR);
}

static int check(const struct enforced_vm *vm, enum top_wish wish, struct error *err)
{
	if (wish == WISH_FREEZE || wish == WISH_RELEASE)
		return vm->is_frozen == (wish == WISH_FREEZE)
			       ? already(err, wish == WISH_FREEZE ? "frozen" : "running")
			       : 0;
	return vm->is_monitored == (wish == WISH_MONITOR)
		       ? already(err, wish == WISH_MONITOR ? "only monitored"
							   : "under its rules as they are")
		       : 0;
}

static int act(const struct options *options, const struct veto_tables *tables, const struct vm *vm,
	enum top_wish wish, struct error *err)
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
	r = check(found, wish, err);
	if (r)
		return r;
	r = ask_daemon(options, found, wish, err);
	if (r)
		return r > 0 ? 0 : r;
	r = change_tables(tables, found, wish);
	return r ? error_set(err, r, "that failed: %s", strerror(-r)) : 0;
}

int top_act(
	const struct options *options, const struct vm *vm, enum top_wish wish, struct error *err)
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
		r = act(options, &tables, vm, wish, err);
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
