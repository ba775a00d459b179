// SPDX-License-Identifier: GPL-2.0-only
/* What the VMM does by itself, while the guest is out. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vcpu.h"

/* ERR is 0 or -errno of KVM_SET_MEMORY_ATTRIBUTES, EXPECT the errno that the script wants. */
static void check_attributes(struct vcpu *vcpu, int err, int expect)
{
	if (-err == expect)
		return;
	if (err == -ENOTTY) {
		if (!vcpu->unsupported)
			fprintf(stderr, "guest: %s: this host has no KVM_SET_MEMORY_ATTRIBUTES\n",
				vcpu->vm->name);
		vcpu->unsupported = true;
	} else {
		vcpu_fail(vcpu, "KVM_SET_MEMORY_ATTRIBUTES: %s, expected: %s", strerror(-err),
			strerror(expect));
	}
}

static void set_attributes(struct vcpu *vcpu, const struct step *step)
{
	struct truth *truth = &vcpu->vm->truth;
	int err;

	pthread_mutex_lock(&truth->lock);
	err = vm_set_attributes(vcpu->vm, step->attributes.gpa, step->attributes.size,
		step->attributes.private, step->attributes.flags);
	pthread_mutex_unlock(&truth->lock);
	check_attributes(vcpu, err, step->attributes.expect);
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
		check_attributes(vcpu, vm_race(vcpu->vm, step), 0);
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
