/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The gate's own program, asked by BPF test runs, for two vCPUs that KVM made and that stand still;
 * and what a conversion of one of them puts on the ring besides.
 */
#include "veto.bpf.c"

__u64 vcpu_pointers[2]; /* found by find_vcpus, in order of their descriptors */
__u32 n_vcpus;
pid_t bench_pid;

SEC("iter/task_file")
int find_vcpus(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	char name[9] = {};

	if (!task || !file || task->pid != bench_pid || n_vcpus > 1)
		return 0;
	bpf_probe_read_kernel_str(
		name, sizeof(name), BPF_CORE_READ(file, f_path.dentry, d_name.name));
	if (name[0] == 'k' && name[1] == 'v' && name[2] == 'm' && name[4] == 'v' && name[5] == 'c')
		vcpu_pointers[n_vcpus++ & 1] = (u64)BPF_CORE_READ(file, private_data);
	return 0;
}

/* arguments: which vCPU, gpa, attributes. Refused: 1. */
static __always_inline int ask_gate(const u64 *arguments)
{
	return ____on_gate((void *)arguments, (void *)vcpu_pointers[arguments[0] & 1],
		KES_HC_MAP_GPA_RANGE, arguments[1], 1, arguments[2], 0, 0);
}

/* Two of them, as the kernel has one account for each program. */
SEC("raw_tp")
int ask(const u64 *arguments)
{
	return ask_gate(arguments);
}

SEC("raw_tp")
int ask_in_flood(const u64 *arguments)
{
	return ask_gate(arguments);
}

/* The VMM has answered, and the vCPU enters the guest. */
SEC("raw_tp")
int enter(const u64 *arguments)
{
	return ____on_entry((void *)arguments, (void *)vcpu_pointers[arguments[0] & 1]);
}

/* A request and its answer, as they go to the reader. */
SEC("raw_tp")
int tell(const u64 *arguments)
{
	u64 vcpu = vcpu_pointers[arguments[0] & 1];

	conversion_called(bpf_get_current_task_btf(), vcpu, KES_HC_MAP_GPA_RANGE, arguments[1], 1,
		arguments[2]);
	conversion_requested(vcpu);
	vcpu_enters(vcpu);
	return 0;
}
