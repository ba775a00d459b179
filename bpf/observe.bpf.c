/* SPDX-License-Identifier: GPL-2.0-only */
/* The programs that every kernel takes: tracepoints with BTF, and an iterator. No trampolines here.
 */
#include "conversion.bpf.h"
#include "mutex.bpf.h"
#include "snapshot.bpf.h"

#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

#define EFAULT    14
#define EHWPOISON 133

/* ---- run once by the tool itself: which process it is, whatever pid it has in its own namespace
 * ---- */

SEC("syscall")
int introduce(void *ctx)
{
	struct kes_host *h = the_host();

	if (h)
		h->tool = bpf_get_current_pid_tgid() >> 32;
	return 0;
}

/* ---- a guest's hypercall: the vCPU is loaded ---- */

SEC("tp_btf/kvm_hypercall")
int BPF_PROG(on_hypercall, u64 nr, u64 a0, u64 a1, u64 a2, u64 a3)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u64 vcpu;

	count(task->tgid, KES_COUNTER_HYPERCALL, nr < KES_HYPERCALLS ? nr : KES_HYPERCALLS - 1);
	if ((u32)nr != KES_HC_MAP_GPA_RANGE) /* a 32-bit caller's number is cut later */
		return 0;
	vcpu = loaded_vcpu(task);
	if (vcpu)
		conversion_called(task, vcpu, nr, a0, a1, a2);
	else
		host_lost(KES_CAUSE_UNATTRIBUTED);
	return 0;
}

/* ---- an exit to user space: the vCPU is no longer loaded ---- */

/* KVM_RUN holds the vCPU's mutex, so the thread that holds it is the one that runs the vCPU. */
static __always_inline bool runs_vcpu(struct task_struct *task, u64 vcpu)
{
	return mutex_owner(MEMBER(vcpu, kvm_vcpu, mutex)) == (u64)task;
}

/* The vCPU whose KVM_RUN this thread is in, through the file descriptor of the ioctl. Another
 * thread may have put another file there meanwhile, so the vCPU must be proved; 0 if it cannot. */
static __noinline u64 exiting_vcpu(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	u64 call = BPF_CORE_READ(regs, orig_ax) & ~0x40000000ull; /* x32's bit */
	u64 fd = call == NR_IOCTL_I386 ? BPF_CORE_READ(regs, bx) : BPF_CORE_READ(regs, di);
	u64 file = fd_file(task, fd), vcpu;

	if (!file)
		return 0;
	vcpu = read_u64(MEMBER(file, file, private_data));
	return runs_vcpu(task, vcpu) ? vcpu : 0;
}

/* The vCPU of an exit that carries a request. */
static __always_inline u64 calling_vcpu(struct task_struct *task)
{
	u64 *call = bpf_task_storage_get(&caller, task, NULL, 0);
	u64 vcpu;

	if (!call || !*call) /* SEV-SNP's and TDX's requests do not pass the hypercall tracepoint */
		return exiting_vcpu();
	vcpu = *call;
	*call = 0;
	return runs_vcpu(task, vcpu) ? vcpu : exiting_vcpu();
}

static __always_inline void faulted(u64 vcpu, s64 err)
{
	struct kvm_run_memory_fault fault = {};
	struct kes_vm_slot *vm;
	struct kes_vcpu *v = vcpu_find(vcpu, &vm);
	struct kes_record r;

	if (!v)
		return; /* counted where it failed */
	if (bpf_probe_read_kernel(&fault, sizeof(fault), (void *)exit_area(v))) {
		__sync_fetch_and_add(&vm->lost[KES_CAUSE_UNATTRIBUTED], 1);
		return;
	}
	record_begin(&r, vm, KES_FAULT);
	r.vcpu = v->vcpu;
	r.fault.gpa = fault.gpa;
	r.fault.size = fault.size;
	r.fault.flags = fault.flags;
	r.fault.err = err;
	record_send(&r, vm, false);
	memslots_check(vm, v->kvm, r.ts_ns);
}

SEC("tp_btf/kvm_userspace_exit")
int BPF_PROG(on_exit, u32 reason, int err)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u64 vcpu;

	count(task->tgid, err < 0 ? KES_COUNTER_EXIT_ERROR : KES_COUNTER_EXIT,
		reason < KES_EXIT_REASONS ? reason : KES_EXIT_REASONS - 1);
	if (reason == KES_EXIT_HYPERCALL && !err) {
		vcpu = calling_vcpu(task);
		if (vcpu)
			conversion_requested(vcpu);
		else
			host_lost(KES_CAUSE_UNATTRIBUTED);
		return 0;
	}
	if (answers_may_be_missed()) {
		vcpu = exiting_vcpu();
		if (vcpu)
			conversion_passed(vcpu);
	}
	if (reason == KES_EXIT_MEMORY_FAULT && (err == -EFAULT || err == -EHWPOISON)) {
		vcpu = exiting_vcpu();
		if (vcpu)
			faulted(vcpu, err);
		else
			host_lost(KES_CAUSE_UNATTRIBUTED);
	}
	return 0;
}

/* ---- KVM_RUN is entered: the VMM's answer, on hosts without trampolines ---- */

SEC("tp_btf/kvm_fpu")
int BPF_PROG(on_fpu, u32 load)
{
	u64 vcpu;

	if (!load)
		return 0;
	vcpu = loaded_vcpu(bpf_get_current_task_btf());
	if (vcpu)
		vcpu_enters(vcpu);
	return 0;
}

/* ---- a vCPU is made: KVM sets its TSC then. Also fires when the TSC is written later ---- */

SEC("tp_btf/kvm_track_tsc")
int BPF_PROG(on_track_tsc)
{
	u64 vcpu = loaded_vcpu(bpf_get_current_task_btf()), kvm;
	struct kes_vm_slot *vm;
	u32 slot;

	if (!vcpu || read_u64(MEMBER(vcpu, kvm_vcpu, pid)))
		return 0;
	vcpu_born(vcpu);
	kvm = read_u64(MEMBER(vcpu, kvm_vcpu, kvm));
	vm = vm_lookup(kvm, &slot);
	if (vm)
		look_empty(vm, kvm);
	return 0;
}

/* ---- calls that set memory attributes, on hosts without trampolines: every system call comes
 * here, so these are attached only when a VM comes that can have attributes ---- */

SEC("tp_btf/sys_enter")
int BPF_PROG(on_sys_enter, struct pt_regs *regs, long nr)
{
	if (nr == NR_IOCTL && (u32)regs->si == KES_SET_MEMORY_ATTRIBUTES)
		call_entered(regs->di, regs->dx);
	else if (nr == NR_IOCTL_I386 && (u32)regs->cx == KES_SET_MEMORY_ATTRIBUTES)
		call_entered(regs->bx, regs->dx);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long ret)
{
	long nr = regs->orig_ax;

	if (nr == NR_IOCTL && (u32)regs->si == KES_SET_MEMORY_ATTRIBUTES)
		call_left(regs->di, regs->dx, ret);
	else if (nr == NR_IOCTL_I386 && (u32)regs->cx == KES_SET_MEMORY_ATTRIBUTES)
		call_left(regs->bx, regs->dx, ret);
	return 0;
}

/* ---- every VM that somebody holds a file descriptor of ---- */

/* A VM's file may be in many hands: a child's of the VMM, or of who got it over a socket. Only a
 * process with the VM's memory can use it, and is taken for its VMM. Where there is none any more,
 * the C half asks again and takes any. */
static __always_inline bool may_be_vmm(struct task_struct *task, u64 kvm)
{
	struct kes_control *c = the_control();
	struct kes_host *h = the_host();

	if ((u64)BPF_CORE_READ(task, mm) == read_u64(MEMBER(kvm, kvm, mm)))
		return true;
	if (c && c->any_holder)
		return true;
	if (h)
		__sync_fetch_and_add(&h->holders, 1);
	return false;
}

SEC("iter/task_file")
int list_vms(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct kes_vm_slot *vm;
	enum kvm_file kind;
	u64 kvm;
	u32 slot;

	if (!task || !file)
		return 0;
	kind = file_kind(file);
	if (kind == FILE_OTHER)
		return 0;
	kvm = (u64)BPF_CORE_READ(file, private_data);
	if (kind == FILE_VCPU)
		kvm = read_u64(MEMBER(kvm, kvm_vcpu, kvm));
	vm = vm_lookup(kvm, &slot);
	if (!vm && kind == FILE_VM && may_be_vmm(task, kvm))
		vm = vm_add(kvm, task, VM_LISTED, &slot);
	if (!vm)
		return 0;
	vm->seen_ns = bpf_ktime_get_ns();
	send_vm_info(vm, kvm, false);
	memslots_send(vm, kvm);
	/* A byte for each file: when its buffer is full of them, the C half empties the ring. */
	bpf_seq_write(ctx->meta->seq, &(char){'v'}, 1);
	return 0;
}

/* ---- the attributes of one VM, read back: any file of it proves that it lives while we read ----
 */

SEC("iter/task_file")
int read_attributes(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct kes_reading *r;
	struct kes_vm_slot *vm;
	u32 zero = 0, slot;

	r = bpf_map_lookup_elem(&reading, &zero);
	if (!ctx->task || !file || !r || r->state != KES_READING_ASKED)
		return 0;
	if ((u64)BPF_CORE_READ(file, private_data) != r->kvm || file_kind(file) != FILE_VM)
		return 0;
	vm = vm_lookup(r->kvm, &slot);
	if (vm && slot == r->slot && vm_has_attributes(r->kvm))
		read_part(r, vm);
	return 0;
}
