/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The steps of a conversion as bpf/ does them, on a vCPU that stands still: nothing is loaded and
 * no mutex is held in a test run, so the lookups that would find the vCPU are made, and their
 * result is replaced by the vCPU the benchmark made.
 */
#include "conversion.bpf.h"

#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

__u64 vcpu_pointer; /* found by find_vcpu */
pid_t bench_pid;
__u32 conversions; /* in one run */
__u64 gpa, attrs;

SEC("iter/task_file")
int find_vcpu(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	char name[9] = {};

	if (!task || !file || BPF_CORE_READ(task, tgid) != bench_pid)
		return 0;
	bpf_probe_read_kernel_str(
		name, sizeof(name), BPF_CORE_READ(file, f_path.dentry, d_name.name));
	if (name[0] == 'k' && name[1] == 'v' && name[2] == 'm' && name[4] == 'v' && name[5] == 'c')
		vcpu_pointer = (u64)BPF_CORE_READ(file, private_data);
	return 0;
}

/* As on_hypercall(). */
static __always_inline void step_hypercall(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	count(task->tgid, KES_COUNTER_HYPERCALL, KES_HC_MAP_GPA_RANGE);
	if (loaded_vcpu(task) != vcpu_pointer)
		conversion_called(task, vcpu_pointer, KES_HC_MAP_GPA_RANGE, gpa, 1, attrs);
}

/* As on_exit(), with the proof of calling_vcpu(), which nothing can pass here. */
static __always_inline void step_exit(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u64 owner, *call;

	count(task->tgid, KES_COUNTER_EXIT, KES_EXIT_HYPERCALL);
	call = bpf_task_storage_get(&caller, task, NULL, 0);
	if (!call || !*call)
		return;
	owner = read_u64(MEMBER(MEMBER(*call, kvm_vcpu, mutex), mutex, owner));
	if ((owner & ~7ull) != (u64)task)
		conversion_requested(*call);
	*call = 0;
}

/* As on_fpu(), which also runs when KVM_RUN is left. */
static __always_inline void step_entry(void)
{
	if (loaded_vcpu(bpf_get_current_task_btf()) != vcpu_pointer)
		vcpu_enters(vcpu_pointer);
}

static long convert(u32 index, void *context)
{
	step_hypercall();
	step_exit();
	step_entry();
	return 0;
}

SEC("raw_tp")
int convert_all(void *context)
{
	bpf_loop(conversions, convert, NULL, 0);
	return 0;
}

static long nothing(u32 index, void *context)
{
	return 0;
}

/* What the loop itself costs. */
SEC("raw_tp")
int convert_none(void *context)
{
	bpf_loop(conversions, nothing, NULL, 0);
	return 0;
}
