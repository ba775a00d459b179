/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The call that kernels to come have for guest_memfd, KVM_SET_MEMORY_ATTRIBUTES2, on the
 * guest_memfd of a software-protected VM that has run, and on one of a VM that has not. Prints both
 * errors: a kernel that does not know the call says ENOTTY, one that is not asked says nothing
 * else.
 *
 *   gmem
 *
 * Exit status: 77 where KVM has no such VMs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define SW_PROTECTED     1          /* KVM_X86_SW_PROTECTED_VM */
#define CREATE_GMEM      0xc040aed4 /* KVM_CREATE_GUEST_MEMFD: _IOWR(KVMIO, 0xd4, 64 bytes) */
#define SET_ATTRIBUTES_2 0xc080aed2

static int make_vm(int kvm, int *ret_gmem)
{
	unsigned long long create[8] = {1 << 20}, page = 4096;
	struct kvm_userspace_memory_region region = {.memory_size = page};
	unsigned char *memory;
	int vm = ioctl(kvm, KVM_CREATE_VM, SW_PROTECTED);

	if (vm < 0)
		return -1;
	*ret_gmem = ioctl(vm, CREATE_GMEM, create);
	memory = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (*ret_gmem < 0 || memory == MAP_FAILED)
		return -1;
	*memory = 0xf4; /* hlt */
	region.userspace_addr = (unsigned long)memory;
	return ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) ? -1 : vm;
}

static int run(int vm)
{
	struct kvm_regs regs = {.rflags = 2};
	struct kvm_sregs sregs;
	int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);

	if (vcpu < 0 || ioctl(vcpu, KVM_GET_SREGS, &sregs))
		return -1;
	sregs.cs.base = sregs.cs.selector = 0;
	return ioctl(vcpu, KVM_SET_SREGS, &sregs) || ioctl(vcpu, KVM_SET_REGS, &regs) ||
			       ioctl(vcpu, KVM_RUN, 0)
		       ? -1
		       : 0;
}

static const char *ask(int gmem)
{
	char argument[128] = {0};

	return ioctl(gmem, SET_ATTRIBUTES_2, argument) ? strerrorname_np(errno) : "none";
}

int main(void)
{
	int kvm = open("/dev/kvm", O_RDWR), ran, waits, gmem_of_ran, gmem_of_waiting;

	ran = make_vm(kvm, &gmem_of_ran);
	waits = make_vm(kvm, &gmem_of_waiting);
	if (ran < 0 || waits < 0)
		return 77;
	if (run(ran)) {
		perror("gmem: the VM does not run");
		return 1;
	}
	printf("%s %s\n", ask(gmem_of_ran), ask(gmem_of_waiting));
	return 0;
}
