/* SPDX-License-Identifier: GPL-2.0-only */
/* A vCPU for programs in BPF test runs: KVM's own, which never runs. */
#ifndef BENCH_VCPU_H
#define BENCH_VCPU_H

#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <bpf/libbpf.h>

#include "bench.h"
#include "kvm_abi.h"

static inline void give_memory(int vm, uint64_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct kvm_userspace_memory_region region = {
		.memory_size = bytes, .userspace_addr = (uintptr_t)memory};

	must(memory != MAP_FAILED && !ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "memory");
}

/* A VM that may convert, with so many bytes of memory (0: none) and one vCPU, which asks for a
 * page: its shared page with KVM. Both live as long as the process. */
static inline struct kvm_run *make_vcpu(uint64_t memory_bytes)
{
	struct kvm_enable_cap cap = {
		.cap = KES_CAP_EXIT_HYPERCALL,
		.args = {1 << KES_HC_MAP_GPA_RANGE},
	};
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm, vcpu, size;
	struct kvm_run *run;

	must(kvm >= 0, "/dev/kvm");
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	must(vm >= 0, "KVM_CREATE_VM");
	if (memory_bytes)
		give_memory(vm, memory_bytes);
	must(!ioctl(vm, KVM_ENABLE_CAP, &cap), "KVM_CAP_EXIT_HYPERCALL");
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	must(vcpu >= 0 && size > 0, "KVM_CREATE_VCPU");
	run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	must(run != MAP_FAILED, "mapping the vCPU");
	run->exit_reason = KES_EXIT_HYPERCALL;
	run->hypercall.nr = KES_HC_MAP_GPA_RANGE;
	run->hypercall.args[1] = 1;
	run->hypercall.ret = 0;
	return run;
}

/* Runs an iterator over files, which finds the vCPUs of this process. */
static inline void run_iterator(const struct bpf_program *program)
{
	struct bpf_link *link = bpf_program__attach_iter(program, NULL);
	char nothing[64];
	int fd;

	must(link, "attaching the iterator");
	fd = bpf_iter_create(bpf_link__fd(link));
	must(fd >= 0, "running the iterator");
	while (read(fd, nothing, sizeof(nothing)) > 0)
		;
	close(fd);
	bpf_link__destroy(link);
}

#endif
