/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/policy_act.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/loaded.h"

/* Tables whose programs are gone: of a tool that was killed. */
static int open_any(struct veto_tables *ret, bool *is_leftover, struct error *err)
{
	struct veto_programs programs;
	int r = veto_tables_open(ret, err);

	if (!r)
		*is_leftover = !veto_programs(ret, &programs) && !programs.n;
	return r;
}

static int open_enforced(struct veto_tables *ret, struct error *err)
{
	bool is_leftover;
	int r = open_any(ret, &is_leftover, err);

	if (r || !is_leftover)
		return r;
	veto_tables_close(ret);
	error_set(err, -ENOENT,
		"nothing is enforced here: these tables are what a kvm-encstat left that was "
		"killed");
	error_advise(err, "kvm-encstat policy release removes them, and lets frozen VMs run");
	return -ENOENT;
}

int policy_loaded(const struct style *style, const struct live_veto *veto, FILE *json, FILE *text,
	struct error *err)
{
	_cleanup_(loaded_free) struct enforced enforced = {};
	struct veto_tables tables;
	int r = open_enforced(&tables, err);

	if (r)
		return r;
	r = loaded_read(&enforced, &tables, err);
	if (!r)
		r = loaded_read_sets(&enforced, &tables, err);
	veto_tables_close(&tables);
	if (r)
		return r;
	loaded_add_missed(&enforced, veto);
	if (json)
		enforced_write_json(json, &enforced);
	if (text)
		enforced_write_text(text, style, &enforced);
	return 0;
}

/* ---- what is done to a VM ---- */

static int release_vm(const struct veto_tables *tables, const struct enforced_vm *vm, FILE *said,
	struct error *err)
{
	char name[ENFORCED_VM_SIZE];
	int r = vm->is_frozen ? veto_release(tables, vm->kvm) : -ENOENT;

	enforced_vm_name(vm, name);
	if (r == -ENOENT) {
		error_set(err, r, "%s is not frozen", name);
		error_advise(err, "kvm-encstat policy loaded shows which VMs are");
		return r;
	}
	if (r == -ESRCH)
		return error_set(err, r, "%s is not frozen any more, but pid %u is gone", name,
			vm->frozen.pid);
	if (r)
		return error_set(err, r, "%s cannot be released: %s", name, strerror(-r));
	fprintf(said, "%s runs again\n", name);
	return 0;
}

static int freeze_vm(const struct veto_tables *tables, const struct enforced_vm *vm, FILE *said,
	struct error *err)
{
	char name[ENFORCED_VM_SIZE];
	int r;

	enforced_vm_name(vm, name);
	if (vm->is_frozen)
		return error_set(err, -EALREADY, "%s is frozen already", name);
	if (!vm->label.pid)
		return error_set(err, -ESRCH, "%s: its VMM is not known", name);
	r = veto_freeze(tables, vm->kvm, vm->label.pid);
	if (r)
		return error_set(err, r, "%s cannot be frozen: %s", name, strerror(-r));
	fprintf(said, "%s is frozen\n", name);
	return 0;
}

static int set_mode(const struct veto_tables *tables, const struct enforced_vm *vm, bool monitored,
	FILE *said, struct error *err)
{
	char name[ENFORCED_VM_SIZE];
	int r = veto_monitor(tables, vm->kvm, monitored);

	enforced_vm_name(vm, name);
	if (r)
		return error_set(err, r, "%s keeps its mode: %s", name, strerror(-r));
	fprintf(said, "%s is %s\n", name,
		monitored ? "only monitored" : "under its rules as they are");
	return 0;
}

static int monitor_vm(const struct veto_tables *tables, const struct enforced_vm *vm, FILE *said,
	struct error *err)
{
	return set_mode(tables, vm, true, said, err);
}

static int enforce_vm(const struct veto_tables *tables, const struct enforced_vm *vm, FILE *said,
	struct error *err)
{
	return set_mode(tables, vm, false, said, err);
}

static int take_baseline(const struct veto_tables *tables, const struct enforced_vm *vm, FILE *said,
	struct error *err)
{
	char name[ENFORCED_VM_SIZE], size[24];
	uint64_t baseline = 0;
	int r = vm->counts ? veto_take_baseline(tables, vm->kvm) : -ENODATA;

	enforced_vm_name(vm, name);
	if (r == -ENODATA) {
		error_set(err, r, "%s: what it shares is not counted", name);
		error_advise(err, "that is done for rules with shared-above or "
				  "shared-over-baseline");
		return r;
	}
	if (r == -ENOENT) {
		error_set(err, r, "%s: nothing of it was counted yet", name);
		error_advise(err, "it has asked for nothing since its rules hold");
		return r;
	}
	if (!r)
		r = veto_baseline(tables, vm->kvm, &baseline);
	if (r)
		return error_set(
			err, r, "%s: its baseline cannot be taken: %s", name, strerror(-r));
	fprintf(said, "%s: baseline %s\n", name, bytes_exact(baseline << 12, size));
	return 0;
}

/* ---- which one ---- */

/* 0 or a negative errno with err filled. */
typedef int (*vm_action)(const struct veto_tables *tables, const struct enforced_vm *vm, FILE *said,
	struct error *err);

static const vm_action actions[SERVER_CHANGES] = {
	[CHANGE_FREEZE] = freeze_vm,
	[CHANGE_RELEASE] = release_vm,
	[CHANGE_BASELINE] = take_baseline,
	[CHANGE_MONITOR] = monitor_vm,
	[CHANGE_ENFORCE] = enforce_vm,
};

static int count_frozen(void *context, const struct veto_vm *vm)
{
	*(unsigned int *)context += vm->is_frozen;
	return 0;
}

static int release_all(FILE *said, struct error *err)
{
	bool is_leftover = false;
	unsigned int frozen = 0;
	struct veto_tables tables;
	struct error why = {};
	int unpinned, r = open_any(&tables, &is_leftover, &why);

	if (!r) {
		(void)veto_each_vm(&tables, count_frozen, &frozen);
		veto_tables_close(&tables);
	}
	unpinned = veto_unpin(err);
	if (unpinned)
		return unpinned;
	fprintf(said, "%s\n",
		is_leftover ? "nothing was enforced; what a kvm-encstat left that was killed is "
			      "removed"
			    : "nothing is enforced any more");
	if (r == -ESTALE)
		fputs("it was another version's: a VMM that it has stopped goes on with SIGCONT\n",
			said);
	if (frozen)
		fprintf(said, "%u frozen VM%s again\n", frozen, frozen == 1 ? " runs" : "s run");
	return 0;
}

int policy_act(enum server_change what, const char *word, struct kes_vm_label *ret, FILE *said,
	struct error *err)
{
	_cleanup_(loaded_free) struct enforced enforced = {};
	const struct enforced_vm *vm;
	struct veto_tables tables;
	bool is_leftover;
	int r;

	if (what == CHANGE_RELEASE && !word)
		return release_all(said, err);
	/* what is left of a tool that was killed may have frozen VMs */
	r = what == CHANGE_RELEASE ? open_any(&tables, &is_leftover, err)
				   : open_enforced(&tables, err);
	if (r)
		return r;
	r = loaded_read(&enforced, &tables, err);
	if (!r)
		r = loaded_find(&enforced, word, &vm, err);
	if (!r)
		r = actions[what](&tables, vm, said, err);
	if (!r && ret)
		*ret = vm->label;
	veto_tables_close(&tables);
	return r;
}
