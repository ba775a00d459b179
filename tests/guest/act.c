// SPDX-License-Identifier: GPL-2.0-only
/* What the VMM does by itself, while the guest is out. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "ask.h"
#include "vcpu.h"

static void unsupported(struct vcpu *vcpu, const char *what)
{
	if (!vcpu->unsupported)
		fprintf(stderr, "guest: %s: this host has no %s\n", vcpu->vm->name, what);
	vcpu->unsupported = true;
}

/* ERR is what ask.h says, EXPECT the errno that the script wants, unless it takes any. Is it so? */
static bool check_attributes(struct vcpu *vcpu, int err, int expect, bool any)
{
	if (-err == expect || (any && err < 0 && err != -ENOTTY))
		return true;
	if (err == ASK_NO_IA32)
		unsupported(vcpu, "32-bit system calls: calls with argument=compat are left out");
	else if (err == ASK_NO_ARGUMENT)
		vcpu_fail(vcpu, "an argument cannot be put where the script wants it: %m");
	else if (err == -ENOTTY)
		unsupported(vcpu, "KVM_SET_MEMORY_ATTRIBUTES");
	else
		vcpu_fail(vcpu, "KVM_SET_MEMORY_ATTRIBUTES: %s, expected: %s", strerror(-err),
			strerror(expect));
	return false;
}

static void set_attributes(struct vcpu *vcpu, const struct step *step)
{
	struct truth *truth = &vcpu->vm->truth;

	for (uint64_t i = 0; i < step->count; i++) {
		int err;

		pthread_mutex_lock(&truth->lock);
		err = vm_set_attributes(vcpu->vm, &step->attributes.call, FOR_DIRECTIVE);
		pthread_mutex_unlock(&truth->lock);
		if (!check_attributes(vcpu, err, step->attributes.expect, step->attributes.any))
			break;
	}
}

static void set_foreign(struct vcpu *vcpu, const struct step *step)
{
	struct vm *vm = vcpu->vm;
	int err;

	pthread_mutex_lock(&vm->truth.lock);
	err = vm_set_foreign(vm, &step->attributes.call);
	pthread_mutex_unlock(&vm->truth.lock);
	check_attributes(vcpu, err, EIO, vm->script->any_refusal);
}

static void change_memory(struct vcpu *vcpu, const struct step *step)
{
	int err = vm_memory(vcpu->vm, step);

	if (err)
		vcpu_fail(vcpu, "memory at %#llx: %s", (unsigned long long)step->memory.gpa,
			strerror(-err));
}

static int set_registers(
	struct vcpu *vcpu, const struct kvm_sregs *sregs, const struct kvm_regs *regs)
{
	if (!ioctl(vcpu->fd, KVM_SET_SREGS, sregs) && !ioctl(vcpu->fd, KVM_SET_REGS, regs))
		return 0;
	vcpu_fail(vcpu, "registers: %m");
	return -1;
}

/*
 * As QEMU does it: the same vCPU begins at the reset vector. What is there says so at once, and the
 * guest's code, as firmware and kernel would, begins once more. A port write that is still open is
 * not completed by KVM when RIP is no longer where it was.
 */
static void reset(struct vcpu *vcpu)
{
	static const struct kvm_regs at_vector = {.rip = 0xfff0, .rflags = 0x2};
	const struct kvm_run *run = vcpu->run;
	struct truth *truth = &vcpu->vm->truth;
	int err;

	pthread_mutex_lock(&truth->lock);
	truth_reset(truth);
	pthread_mutex_unlock(&truth->lock);
	if (set_registers(vcpu, &vcpu->power_on, &at_vector))
		return;
	err = vcpu_enter(vcpu);
	if (err || run->exit_reason != KVM_EXIT_IO || run->io.port != RESET_PORT)
		vcpu_fail(vcpu, "exit %u (%s) instead of the reset vector's", run->exit_reason,
			strerror(err));
	set_registers(vcpu, &vcpu->begin_sregs, &vcpu->begin_regs);
}

void vcpu_act(struct vcpu *vcpu, const struct step *step)
{
	bool any_refusal = vcpu->vm->script->any_refusal;

	switch (step->kind) {
	case STEP_ANSWER:
		vcpu->answer = (struct rule){step->ret, step->count};
		break;
	case STEP_DELAY:
		vcpu->delay = (struct rule){step->microseconds, step->count};
		break;
	case STEP_ABANDON:
		vcpu->abandon = true;
		break;
	case STEP_BARRIER:
		barrier_wait(&vcpu->vm->machine->barriers, step->barrier);
		break;
	case STEP_WAIT_FILE:
		wait_for_file(step->path);
		break;
	case STEP_TOUCH_FILE:
		if (make_file(step->path))
			vcpu_fail(vcpu, "%s: %m", step->path);
		break;
	case STEP_TRUTH:
		if (machine_report(vcpu->vm->machine, step->path))
			vcpu_fail(vcpu, "%s: %m", step->path);
		break;
	case STEP_COMMIT:
		vcpu->commit = (struct rule){step->commit, step->count};
		break;
	case STEP_ATTRIBUTES:
		set_attributes(vcpu, step);
		break;
	case STEP_RACE:
		check_attributes(vcpu, vm_race(vcpu->vm, step), 0, any_refusal);
		break;
	case STEP_REWRITE:
		check_attributes(vcpu, vm_rewrite(vcpu->vm, step), 0, any_refusal);
		break;
	case STEP_FOREIGN:
		set_foreign(vcpu, step);
		break;
	case STEP_RESET:
		reset(vcpu);
		break;
	case STEP_WRITE:
	case STEP_READ:
	case STEP_DISCARD:
	case STEP_PUNCH:
		change_memory(vcpu, step);
		break;
	default:
		break;
	}
}
