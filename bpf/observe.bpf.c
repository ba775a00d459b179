/* SPDX-License-Identifier: GPL-2.0-only */
/* The programs that every kernel takes: tracepoints with BTF, and an iterator. No trampolines here.
 */
#include "conversion.bpf.h"

#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

#define ANON_INODE_FS_MAGIC 0x09041934 /* include/uapi/linux/magic.h */
#define EFAULT              14
#define EHWPOISON           133

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
	u64 mutex = MEMBER(vcpu, kvm_vcpu, mutex), owner;

	if (bpf_core_field_exists(struct mutex, owner))
		owner = read_u64(MEMBER(mutex, mutex, owner));
	else
		owner = read_u64(MEMBER(MEMBER(mutex, mutex___rt, rtmutex), rt_mutex_base, owner));
	return (owner & ~7ull) == (u64)task; /* the low bits are flags */
}

/* The vCPU whose KVM_RUN this thread is in, through the file descriptor of the ioctl. Another
 * thread may have put another file there meanwhile, so the vCPU must be proved; 0 if it cannot. */
static __noinline u64 exiting_vcpu(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	u64 call = BPF_CORE_READ(regs, orig_ax) & ~0x40000000ull; /* x32's bit */
	u64 fd = call == 54 ? BPF_CORE_READ(regs, bx)
			    : BPF_CORE_READ(regs, di); /* 54: i386's ioctl */
	u64 files, file, vcpu;

	if (fd >= BPF_CORE_READ(task, files, fdt, max_fds))
		return 0;
	files = (u64)BPF_CORE_READ(task, files, fdt, fd);
	file = read_u64(files + fd * sizeof(u64));
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
		conversion_answered(vcpu);
	return 0;
}

/* ---- a vCPU is made: KVM sets its TSC then. Also fires when the TSC is written later ---- */

SEC("tp_btf/kvm_track_tsc")
int BPF_PROG(on_track_tsc)
{
	u64 vcpu = loaded_vcpu(bpf_get_current_task_btf());

	if (vcpu && !read_u64(MEMBER(vcpu, kvm_vcpu, pid)))
		vcpu_born(vcpu);
	return 0;
}

/* ---- every VM that somebody holds a file descriptor of ---- */

SEC("iter/task_file")
int list_vms(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct kes_vm_slot *vm;
	char name[8] = {};
	u64 kvm;
	u32 slot;

	if (!task || !file || BPF_CORE_READ(file, f_inode, i_sb, s_magic) != ANON_INODE_FS_MAGIC)
		return 0;
	bpf_probe_read_kernel_str(
		name, sizeof(name), BPF_CORE_READ(file, f_path.dentry, d_name.name));
	if (name[0] != 'k' || name[1] != 'v' || name[2] != 'm' || name[3] != '-' ||
		name[4] != 'v' || name[5] != 'm' || name[6])
		return 0;
	kvm = (u64)BPF_CORE_READ(file, private_data);
	vm = vm_lookup(kvm, &slot);
	if (!vm)
		vm = vm_add(kvm, task, 0, &slot);
	if (vm)
		memslots_send(vm, kvm);
	return 0;
}
