/* SPDX-License-Identifier: GPL-2.0-only */
/* `policy loaded`, `release`, `freeze`, `mode` and `baseline`: what the kernel enforces now. */
#include "cli/cmd_policy_live.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/escape.h"
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

/* ---- loaded ---- */

static int run_loaded(const struct options *options, struct error *err)
{
	_cleanup_(loaded_free) struct enforced enforced = {};
	struct style style = {.realtime_offset_ns = clock_realtime_offset_ns()};
	struct veto_tables tables;
	int r = open_enforced(&tables, err);

	if (r)
		return EXIT_FAILED;
	r = loaded_read(&enforced, &tables, err);
	if (!r)
		r = loaded_read_sets(&enforced, &tables, err);
	veto_tables_close(&tables);
	if (r)
		return EXIT_FAILED;
	if (options->format == FORMAT_JSON)
		enforced_write_json(stdout, &enforced);
	else
		enforced_write_text(stdout, &style, &enforced);
	return EXIT_DONE;
}

const struct command command_loaded = {
	.name = "policy loaded",
	.arguments = "[--json]",
	.summary = "what the kernel enforces now, and how often",
	.text = "Prints what the kernel enforces now, whether a kvm-encstat enforce runs or has "
		"left it with\n"
		"--keep: who is asked about what, VMs with what they share and whether they are "
		"frozen, and the\n"
		"rules with how often each decided, or would have if it were enforced.",
	.options = OPT_JSON,
	.run = run_loaded,
};

/* ---- one VM ---- */

/* What is done to it; 0 or a negative errno with err filled. */
typedef int (*vm_action)(
	const struct veto_tables *tables, const struct enforced_vm *vm, struct error *err);

static int act_on(
	const struct veto_tables *tables, const char *word, vm_action action, struct error *err)
{
	_cleanup_(loaded_free) struct enforced enforced = {};
	const struct enforced_vm *vm;
	int r = loaded_read(&enforced, tables, err);

	if (!r)
		r = loaded_find(&enforced, word, &vm, err);
	return r ? r : action(tables, vm, err);
}

static int run_on_vm(const char *word, vm_action action, struct error *err)
{
	struct veto_tables tables;
	int r = open_enforced(&tables, err);

	if (r)
		return EXIT_FAILED;
	r = act_on(&tables, word, action, err);
	veto_tables_close(&tables);
	return r ? EXIT_FAILED : EXIT_DONE;
}

/* ---- release ---- */

static int release_vm(
	const struct veto_tables *tables, const struct enforced_vm *vm, struct error *err)
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
	printf("%s runs again\n", name);
	return 0;
}

static int count_frozen(void *context, const struct veto_vm *vm)
{
	*(unsigned int *)context += vm->is_frozen;
	return 0;
}

static int release_all(struct error *err)
{
	bool is_leftover = false;
	unsigned int frozen = 0;
	struct veto_tables tables;
	struct error why = {};
	int r = open_any(&tables, &is_leftover, &why);

	if (!r) {
		(void)veto_each_vm(&tables, count_frozen, &frozen);
		veto_tables_close(&tables);
	}
	if (veto_unpin(err))
		return EXIT_FAILED;
	puts(is_leftover ? "nothing was enforced; what a kvm-encstat left that was killed is "
			   "removed"
			 : "nothing is enforced any more");
	if (r == -ESTALE)
		puts("it was another version's: a VMM that it has stopped goes on with SIGCONT");
	if (frozen)
		printf("%u frozen VM%s again\n", frozen, frozen == 1 ? " runs" : "s run");
	return EXIT_DONE;
}

static int run_release(const struct options *options, struct error *err)
{
	struct veto_tables tables;
	bool is_leftover;
	int r;

	if (!options->vm)
		return release_all(err);
	if (open_any(&tables, &is_leftover, err))
		return EXIT_FAILED;
	r = act_on(&tables, options->vm, release_vm, err);
	veto_tables_close(&tables);
	return r ? EXIT_FAILED : EXIT_DONE;
}

const struct command command_release = {
	.name = "policy release",
	.arguments = "[VM]",
	.summary = "let a frozen VM run again; without VM, end what is kept",
	.text = "Lets a frozen VM run again; VM is its id, pid or name, as `policy loaded` has "
		"them. Without VM\n"
		"it ends what `enforce --keep` has left in the kernel: all frozen VMs run again, "
		"and nothing is\n"
		"refused any more. What a kvm-encstat enforces that still runs ends with that one.",
	.takes_vm = true,
	.run = run_release,
};

/* ---- freeze ---- */

static int freeze_vm(
	const struct veto_tables *tables, const struct enforced_vm *vm, struct error *err)
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
	printf("%s is frozen\n", name);
	return 0;
}

static int run_freeze(const struct options *options, struct error *err)
{
	return run_on_vm(options->args[0], freeze_vm, err);
}

const struct command command_freeze = {
	.name = "policy freeze",
	.arguments = "VM",
	.summary = "keep a VM's vCPUs out of its guest",
	.text = "Does by hand what rules with `freeze` do: the VM's vCPUs stay out of the guest, "
		"and its VMM\n"
		"runs on, until `policy release VM`, or until enforcement ends. VM is its id, pid "
		"or name, as\n"
		"`policy loaded` has them.",
	.takes_args = 1,
	.run = run_freeze,
};

/* ---- mode ---- */

static int set_mode(const char *word, bool monitored, struct error *err)
{
	_cleanup_(loaded_free) struct enforced enforced = {};
	const struct enforced_vm *vm;
	char name[ENFORCED_VM_SIZE];
	struct veto_tables tables;
	int r = open_enforced(&tables, err);

	if (r)
		return r;
	r = loaded_read(&enforced, &tables, err);
	if (!r)
		r = loaded_find(&enforced, word, &vm, err);
	if (!r) {
		enforced_vm_name(vm, name);
		r = veto_monitor(&tables, vm->kvm, monitored);
		if (r)
			error_set(err, r, "%s keeps its mode: %s", name, strerror(-r));
		else
			printf("%s is %s\n", name,
				monitored ? "only monitored" : "under its rules as they are");
	}
	veto_tables_close(&tables);
	return r;
}

static int run_mode(const struct options *options, struct error *err)
{
	char shown[ESCAPED_SIZE(64)];
	bool monitored = !strcmp(options->args[1], "monitor");

	if (!monitored && strcmp(options->args[1], "enforce")) {
		error_set(err, -EINVAL, "there is no mode '%s'",
			escape(options->args[1], shown, sizeof(shown)));
		error_advise(err, "it is monitor or enforce");
		return EXIT_USAGE;
	}
	return set_mode(options->args[0], monitored, err) ? EXIT_FAILED : EXIT_DONE;
}

const struct command command_mode = {
	.name = "policy mode",
	.arguments = "VM monitor|enforce",
	.summary = "only monitor a VM, or enforce its rules again",
	.text = "With monitor the VM is refused nothing from now on, whatever its rules say and "
		"also when they are\n"
		"read anew; what they would have refused is told and counted. With enforce its "
		"rules are as they\n"
		"were written. A VM that is frozen stays so. VM is its id, pid or name, as `policy "
		"loaded` has them.",
	.takes_args = 2,
	.run = run_mode,
};

/* ---- baseline ---- */

static int take_baseline(
	const struct veto_tables *tables, const struct enforced_vm *vm, struct error *err)
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
	printf("%s: baseline %s\n", name, bytes_exact(baseline << 12, size));
	return 0;
}

static int run_baseline(const struct options *options, struct error *err)
{
	return run_on_vm(options->args[0], take_baseline, err);
}

const struct command command_baseline = {
	.name = "policy baseline",
	.arguments = "VM",
	.summary = "take what a VM shares now as its baseline",
	.text = "What is counted as shared of the VM now is not counted by its rules with "
		"shared-over-baseline\n"
		"from now on. VM is its id, pid or name, as `policy loaded` has them.",
	.takes_args = 1,
	.run = run_baseline,
};
