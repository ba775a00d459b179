/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/canary.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "kvm_abi.h"

#define MEMORY_BYTES 0x10000u
#define CODE_GPA     0x1000u

/* Asks to share the frame at 0x2000. */
static const unsigned char code_call[] = {
	0xe6, 0x10,                /* out 0x10, al */
	0x66, 0xb8, 12, 0, 0, 0,   /* mov eax, KVM_HC_MAP_GPA_RANGE */
	0x66, 0xbb, 0, 0x20, 0, 0, /* mov ebx, 0x2000 */
	0x66, 0xb9, 1, 0, 0, 0,    /* mov ecx, 1 */
	0x66, 0x31, 0xd2,          /* xor edx, edx */
	0x0f, 0x01, 0xd9,          /* vmmcall; vmcall is 0f 01 c1, and KVM mends the wrong one */
	0xe6, 0x10,                /* out 0x10, al */
	0xf4,                      /* hlt */
};

static const unsigned char code_quiet[] = {
	0xe6, 0x10, /* out 0x10, al */
	0xe6, 0x10, /* out 0x10, al */
	0xf4,       /* hlt */
};

static int set_start(int vcpu)
{
	struct kvm_regs regs = {.rip = CODE_GPA, .rflags = 2, .rsp = 0x8000};
	struct kvm_sregs sregs;

	if (ioctl(vcpu, KVM_GET_SREGS, &sregs))
		return -1;
	sregs.cs.base = sregs.cs.selector = 0;
	return ioctl(vcpu, KVM_SET_SREGS, &sregs) || ioctl(vcpu, KVM_SET_REGS, &regs) ? -1 : 0;
}

static int make_memory(int vm, int hypercall)
{
	struct kvm_enable_cap cap = {
		.cap = KES_CAP_EXIT_HYPERCALL,
		.args = {1u << KES_HC_MAP_GPA_RANGE},
	};
	struct kvm_userspace_memory_region region = {.memory_size = MEMORY_BYTES};
	unsigned char *memory =
		mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -1;
	if (hypercall)
		memcpy(memory + CODE_GPA, code_call, sizeof(code_call));
	else
		memcpy(memory + CODE_GPA, code_quiet, sizeof(code_quiet));
	region.userspace_addr = (unsigned long)memory;
	if (hypercall && ioctl(vm, KVM_ENABLE_CAP, &cap))
		return -1;
	return ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region);
}

/* In the child: an exit status, one of canary_result. */
static int run_guest(int hypercall)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm, vcpu, size;
	struct kvm_run *run;

	if (kvm < 0)
		return CANARY_NO_KVM;
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0 || make_memory(vm, hypercall))
		return CANARY_FAILED;
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (vcpu < 0 || size < (int)sizeof(*run) || set_start(vcpu))
		return CANARY_FAILED;
	run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		return CANARY_FAILED;
	while (!ioctl(vcpu, KVM_RUN, 0)) {
		if (run->exit_reason == KVM_EXIT_HLT)
			return CANARY_DONE;
		if (run->exit_reason == KVM_EXIT_HYPERCALL)
			run->hypercall.ret = 0;
		else if (run->exit_reason != KVM_EXIT_IO)
			return CANARY_FAILED;
	}
	return CANARY_FAILED;
}

enum canary_result canary_run(int hypercall, int timeout_ms)
{
	struct pollfd ended = {.events = POLLIN};
	pid_t pid = fork();
	int status, n;

	if (pid < 0)
		return CANARY_FAILED;
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(run_guest(hypercall));
	}
	ended.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	n = ended.fd < 0 ? 0 : poll(&ended, 1, timeout_ms);
	if (n <= 0)
		kill(pid, SIGKILL);
	if (ended.fd >= 0)
		close(ended.fd);
	if (waitpid(pid, &status, 0) != pid)
		return CANARY_FAILED;
	if (WIFSIGNALED(status))
		return n <= 0 ? CANARY_TIMEOUT : CANARY_FAILED;
	return (enum canary_result)WEXITSTATUS(status);
}
