// SPDX-License-Identifier: GPL-2.0-only
/* A vCPU's thread: fills the table, runs the guest, answers it, checks what the guest saw. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "kvm_new.h"
#include "vcpu.h"

/* include/uapi/linux/kvm_para.h: errors a guest sees, negative, in RAX */
#define GUEST_EPERM  1
#define GUEST_EINVAL 22
#define GUEST_ENOSYS 1000

/* include/uapi/linux/kvm_para.h */
#define HC_VAPIC_POLL_IRQ 1
#define HC_KICK_CPU       5
#define HC_CLOCK_PAIRING  9
#define HC_SEND_IPI       10
#define HC_SCHED_YIELD    11

#define REFUSED_MICROSECONDS 1000 /* until KVM_RUN is tried again */

void vcpu_fail(struct vcpu *vcpu, const char *format, ...)
{
	va_list list;

	flockfile(stderr);
	fprintf(stderr, "guest: %s vcpu %u: ", vcpu->vm->name, vcpu->index);
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fputc('\n', stderr);
	funlockfile(stderr);
	vcpu->failed = true;
}

/* ---- what the guest should see -----------------------------------------------------------------
 */

static bool is_real(const struct vcpu *vcpu)
{
	return vcpu->vm->script->mode == MODE_REAL;
}

/* What KVM answers without asking the VMM; 0 where it asks. */
static int64_t map_refusal(const struct vcpu *vcpu, const struct guest_op *op)
{
	uint64_t gfn = op->rbx >> GUEST_PAGE_SHIFT;

	if (!vcpu->vm->script->hypercalls)
		return -GUEST_ENOSYS;
	if (op->rbx & (GUEST_PAGE_SIZE - 1) || !op->rcx || gfn + op->rcx <= gfn)
		return -GUEST_EINVAL;
	return 0;
}

/* RAX as the guest has it, sign-extended where it is an error of 32 bits. */
static int64_t seen(const struct vcpu *vcpu, uint64_t result)
{
	return is_real(vcpu) ? (int32_t)result : (int64_t)result;
}

static void count_refusal(struct vcpu *vcpu, bool map, int64_t result)
{
	enum refusal kind = result == -GUEST_EPERM    ? REFUSED_EPERM
			    : result == -GUEST_ENOSYS ? REFUSED_ENOSYS
			    : result == -GUEST_EINVAL ? REFUSED_EINVAL
						      : REFUSED_OTHER;

	vcpu->counters.refused[kind]++;
	if (map)
		vcpu->counters.refused_map[kind]++;
}

/* A hypercall that KVM answered by itself: is RESULT what it should be? */
static bool refusal_fits(const struct vcpu *vcpu, const struct guest_op *op, int64_t result)
{
	if (vcpu->vm->script->vcpu[vcpu->index].cpl)
		return result == -GUEST_EPERM;
	switch (op->rax) {
	case HC_MAP_GPA_RANGE: {
		int64_t refusal = map_refusal(vcpu, op);

		return refusal ? result == refusal : vcpu->vm->script->any_refusal && result;
	}
	case HC_VAPIC_POLL_IRQ:
		return !result;
	case HC_KICK_CPU:
	case HC_CLOCK_PAIRING:
	case HC_SEND_IPI:
	case HC_SCHED_YIELD:
		return true; /* as the host's features have it */
	default:
		return result == -GUEST_ENOSYS;
	}
}

static void check_call(struct vcpu *vcpu, const struct guest_op *op, const struct planned *plan)
{
	bool map = op->rax == HC_MAP_GPA_RANGE;
	int64_t result = seen(vcpu, op->result);

	vcpu->counters.hypercalls++;
	vcpu->counters.map_calls += map;
	if (plan->asked) {
		if (plan->answered && result != seen(vcpu, plan->ret))
			vcpu_fail(vcpu, "the guest saw %lld where the VMM answered %lld",
				(long long)result, (long long)plan->ret);
		return;
	}
	if (result)
		count_refusal(vcpu, map, result);
	else
		vcpu->counters.in_kernel++;
	if (!refusal_fits(vcpu, op, result))
		vcpu_fail(vcpu,
			"hypercall %llu (%#llx, %#llx, %#llx): KVM said %lld and did not ask the "
			"VMM",
			(unsigned long long)op->rax, (unsigned long long)op->rbx,
			(unsigned long long)op->rcx, (unsigned long long)op->rdx,
			(long long)result);
}

/* Goes on to the operation that the guest is at, and checks those it has been through. */
static void catch_up(struct vcpu *vcpu)
{
	for (; vcpu->done < vcpu->filled; vcpu->done++) {
		const struct guest_op *op = &vcpu->table[vcpu->done];

		/* The upper half stays in real mode. */
		if ((uint32_t)op->result == (uint32_t)OP_PENDING)
			return;
		if (op->op == OP_CALL)
			check_call(vcpu, op, &vcpu->plan[vcpu->done]);
		else if ((uint32_t)op->result != OP_DONE)
			vcpu_fail(vcpu, "operation %llu left %#llx", (unsigned long long)op->op,
				(unsigned long long)op->result);
		else if (op->op == OP_TOUCH)
			vm_touched(vcpu->vm, touch_gpa(vcpu->vm->script, op));
	}
}

/* KVM_RUN, and what of it the kernel had refused before KVM did anything; 0 or an errno. */
static int run(struct vcpu *vcpu, bool *ret_refused)
{
	int err;

	/* Older kernels leave the last one when they fail. */
	vcpu->run->exit_reason = KVM_EXIT_UNKNOWN;
	err = ioctl(vcpu->fd, KVM_RUN, 0) ? errno : 0;
	*ret_refused = vcpu->vm->script->any_refusal &&
		       vcpu->run->exit_reason == KVM_EXIT_UNKNOWN &&
		       (err == EAGAIN || err == EINTR || err == EPERM || err == EACCES ||
			       err == EBUSY);
	return err;
}

/* A VM that is frozen: a real VMM would try again at once. */
static void wait_for_release(struct vcpu *vcpu)
{
	struct machine *machine = vcpu->vm->machine;

	vcpu->counters.run_refused++;
	if (machine->run_refused && !atomic_flag_test_and_set(&machine->was_refused) &&
		make_file(machine->run_refused))
		vcpu_fail(vcpu, "%s: %m", machine->run_refused);
	wait_microseconds(REFUSED_MICROSECONDS);
}

int vcpu_enter(struct vcpu *vcpu)
{
	for (;;) {
		uint32_t reason;
		bool refused;
		int err = run(vcpu, &refused);

		if (refused) {
			wait_for_release(vcpu);
			continue;
		}
		reason = vcpu->run->exit_reason;
		vcpu->counters.exits[reason < MAX_REASONS ? reason : MAX_REASONS - 1]++;
		vcpu->counters.exit_errors += err != 0;
		if (err != EINTR)
			return err;
	}
}

/* ---- exits -------------------------------------------------------------------------------------
 */

static bool rule_applies(struct rule *rule, uint64_t *value)
{
	if (!rule->count)
		return false;
	rule->count--;
	*value = rule->value;
	return true;
}

/* Sets what the script has the VMM set for an accepted conversion. The caller has the truth's lock.
 */
static int commit(struct vcpu *vcpu, uint64_t gfn, uint64_t npages, bool private)
{
	uint64_t how = COMMIT_ASKED;

	if (rule_applies(&vcpu->commit, &how) && how != COMMIT_ASKED)
		vcpu->vm->truth.lies++;
	switch (how) {
	case COMMIT_NONE:
		return 0;
	case COMMIT_OTHER:
		return vm_set_private(vcpu->vm, gfn + npages, npages, private, FOR_CONVERSION);
	case COMMIT_OPPOSITE:
		return vm_set_private(vcpu->vm, gfn, npages, !private, FOR_CONVERSION);
	default:
		return vm_set_private(vcpu->vm, gfn, npages, private, FOR_CONVERSION);
	}
}

/* Does what the guest asked for; the answer. The caller has the truth's lock. */
static uint64_t convert(struct vcpu *vcpu, uint64_t gfn, uint64_t npages, uint64_t attributes)
{
	struct vm *vm = vcpu->vm;
	uint64_t mask = call_attributes(vm->script->abi, true, SIZE_4K);
	bool private = attributes & mask;

	if (gfn + npages > TRUTH_MAX_FRAMES || npages > TRUTH_MAX_FRAMES)
		return GUEST_EINVAL; /* no such memory anywhere */
	if (vm->script->attributes) {
		int err = commit(vcpu, gfn, npages, private);

		if (err && !vm->script->any_refusal && !vcpu->failed) /* once is enough */
			vcpu_fail(vcpu, "KVM_SET_MEMORY_ATTRIBUTES for a conversion: %s",
				strerror(-err));
		if (err)
			return GUEST_EINVAL;
	}
	truth_guest(&vm->truth, gfn, npages, private);
	return 0;
}

/* False: never go back in. */
static bool on_hypercall(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	struct truth *truth = &vcpu->vm->truth;
	const struct guest_op *op = &vcpu->table[vcpu->done];
	struct planned *plan = &vcpu->plan[vcpu->done];
	uint64_t gfn = run->hypercall.args[0] >> GUEST_PAGE_SHIFT, npages = run->hypercall.args[1];
	uint64_t attributes = run->hypercall.args[2], ret = 0, delay;
	size_t request;

	if (vcpu->done == vcpu->filled || op->op != OP_CALL || op->rax != run->hypercall.nr ||
		op->rbx != run->hypercall.args[0] || op->rcx != npages || op->rdx != attributes ||
		plan->asked) {
		vcpu_fail(vcpu, "a request that the guest did not make: %llu (%#llx, %#llx, %#llx)",
			(unsigned long long)run->hypercall.nr,
			(unsigned long long)run->hypercall.args[0], (unsigned long long)npages,
			(unsigned long long)attributes);
		return false;
	}
	if (map_refusal(vcpu, op) || vcpu->vm->script->vcpu[vcpu->index].cpl)
		vcpu_fail(vcpu, "KVM let a request through that it should refuse");

	plan->asked = true;
	pthread_mutex_lock(&truth->lock);
	request = truth_request(truth, vcpu->index, gfn, npages, attributes);
	pthread_mutex_unlock(&truth->lock);
	if (vcpu->abandon) {
		vcpu->counters.hypercalls++;
		vcpu->counters.map_calls++;
		return false;
	}
	if (rule_applies(&vcpu->delay, &delay))
		wait_microseconds(delay);

	pthread_mutex_lock(&truth->lock);
	if (!rule_applies(&vcpu->answer, &ret) || !ret)
		ret = convert(vcpu, gfn, npages, attributes);
	truth_answer(truth, request, ret);
	pthread_mutex_unlock(&truth->lock);

	plan->answered = true;
	plan->ret = ret;
	run->hypercall.ret = ret;
	return true;
}

/* Sets the pages to what they are not: with software-protected VMs that is the only thing that
 * helps. */
static bool on_fault(struct vcpu *vcpu)
{
	const struct new_memory_fault *fault = new_memory_fault(vcpu->run);
	const struct guest_op *op = &vcpu->table[vcpu->done];
	struct planned *plan = &vcpu->plan[vcpu->done];
	struct truth *truth = &vcpu->vm->truth;
	uint64_t gfn = fault->gpa >> GUEST_PAGE_SHIFT;
	uint64_t npages = (fault->size + GUEST_PAGE_SIZE - 1) >> GUEST_PAGE_SHIFT;
	int err = 0;

	pthread_mutex_lock(&truth->lock);
	truth->faults++;
	if (op->op == OP_TOUCH && plan->ignored < op->spare)
		plan->ignored++;
	else
		err = vm_set_private(
			vcpu->vm, gfn, npages, !truth_host_private(truth, gfn), FOR_VMM);
	pthread_mutex_unlock(&truth->lock);
	if (err && !vcpu->vm->script->any_refusal)
		vcpu_fail(vcpu, "the pages at %#llx could not be converted after a fault: %s",
			(unsigned long long)fault->gpa, strerror(-err));
	return !err;
}

/* ---- the thread --------------------------------------------------------------------------------
 */

/* Does the VMM's steps, then fills the table with the guest's; false at the end. */
static bool fill(struct vcpu *vcpu)
{
	const struct step *step;

	vcpu->filled = vcpu->done = 0;
	memset(vcpu->plan, 0, sizeof(vcpu->plan));
	while ((step = program_step(&vcpu->program)) && vcpu->filled < TABLE_OPS - 1) {
		if (!step_is_action(step)) {
			program_op(&vcpu->program, &vcpu->table[vcpu->filled++]);
		} else if (!vcpu->filled) {
			vcpu_act(vcpu, step);
			program_skip(&vcpu->program);
		} else {
			break;
		}
	}
	vcpu->table[vcpu->filled] = (struct guest_op){.op = OP_END};
	return vcpu->filled;
}

/* False: the thread ends. */
static bool on_exit_reason(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	catch_up(vcpu);
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		if (run->io.port == WORK_PORT)
			return true;
		if (run->io.port != CONTROL_PORT) {
			vcpu_fail(vcpu, "a write to port %#x", run->io.port);
			return false;
		}
		vcpu->counters.control_exits++;
		if (vcpu->done < vcpu->filled) {
			vcpu_fail(vcpu,
				"the guest is at the end of its table and has not done all of it");
			return false;
		}
		return fill(vcpu);
	case KVM_EXIT_HYPERCALL:
		return on_hypercall(vcpu);
	case NEW_EXIT_MEMORY_FAULT:
		return on_fault(vcpu);
	case KVM_EXIT_MMIO: /* touched where no memory is */
		return true;
	default:
		vcpu_fail(vcpu, "exit %u, which no script leads to", run->exit_reason);
		return false;
	}
}

static void *vcpu_thread(void *argument)
{
	struct vcpu *vcpu = argument;
	bool again = fill(vcpu);

	while (again) {
		int err = vcpu_enter(vcpu);

		if (err && vcpu->run->exit_reason != NEW_EXIT_MEMORY_FAULT) {
			catch_up(vcpu);
			vcpu_fail(vcpu, "KVM_RUN: %s", strerror(err));
			break;
		}
		again = on_exit_reason(vcpu);
	}
	barriers_leave(&vcpu->vm->machine->barriers, vcpu->program.script);
	return NULL;
}

void vcpu_start(struct vcpu *vcpu)
{
	int err = pthread_create(&vcpu->thread, NULL, vcpu_thread, vcpu);

	if (err)
		vcpu_fail(vcpu, "no thread: %s", strerror(err));
	vcpu->started = !err;
}

void vcpu_join(struct vcpu *vcpu)
{
	if (vcpu->started)
		pthread_join(vcpu->thread, NULL);
}
