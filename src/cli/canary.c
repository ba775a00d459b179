/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/canary.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/types.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kvm_abi.h"
#include "wire.h"

#define MEMORY_BYTES 0x10000u
#define CODE_GPA     0x1000u
#define TABLE_GPA    0x3000u

/* Works through the table at TABLE_GPA: four words each, gpa, pages, attributes, 1; a 0 there ends
 * it. */
static const unsigned char code_calls[] = {
	0xe6, 0x10,              /* out 0x10, al */
	0xbe, 0x00, 0x30,        /* mov si, TABLE_GPA */
	0x66, 0x83, 0x7c, 12, 0, /* next: cmp dword [si + 12], 0 */
	0x74, 25,                /* je end */
	0x66, 0xb8, 12, 0, 0, 0, /* mov eax, KVM_HC_MAP_GPA_RANGE */
	0x66, 0x8b, 0x1c,        /* mov ebx, [si] */
	0x66, 0x8b, 0x4c, 4,     /* mov ecx, [si + 4] */
	0x66, 0x8b, 0x54, 8,     /* mov edx, [si + 8] */
	0x0f, 0x01, 0xd9,        /* vmmcall; vmcall is 0f 01 c1, and KVM mends the wrong one */
	0x83, 0xc6, 16,          /* add si, 16 */
	0xeb, 0xe0,              /* jmp next */
	0xe6, 0x10,              /* end: out 0x10, al */
	0xf4,                    /* hlt */
};

/* Seven conversions, and what comes of them. */
static const uint32_t calls[][4] = {
	{0x2000, 1, 0, 1},
	{0x4000, 2, 0, 1},
	{0x9000, 5, 0, 1},
	{0x4000, 1, KES_MAP_GPA_ENCRYPTED, 1},
	{0xb000, 1, KES_MAP_GPA_ENCRYPTED, 1},
	{0xc000, 2, KES_MAP_GPA_ENCRYPTED, 1},
	{0x2000, 1, 0, 1},
	{0, 0, 0, 0},
};
const struct canary_range canary_shared[CANARY_SHARED_RANGES] = {{2, 1}, {5, 1}, {9, 2}};

/* Attributes of two ranges beyond the code; the hole in the first comes of a second call. */
const struct canary_range canary_private[CANARY_PRIVATE_RANGES] = {{0x10, 0x30}, {0x50, 0xb0}};

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

static int make_memory(int vm, enum canary_kind kind)
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
	memcpy(memory + TABLE_GPA, calls, sizeof(calls));
	if (kind == CANARY_CALLS)
		memcpy(memory + CODE_GPA, code_calls, sizeof(code_calls));
	else
		memcpy(memory + CODE_GPA, code_quiet, sizeof(code_quiet));
	region.userspace_addr = (unsigned long)memory;
	if (kind == CANARY_CALLS && ioctl(vm, KVM_ENABLE_CAP, &cap))
		return -1;
	return ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region);
}

static int set_attributes(int vm, uint64_t gfn, uint64_t npages, uint64_t attributes)
{
	/* struct kvm_memory_attributes: address, size, attributes, flags */
	uint64_t arguments[4] = {gfn << 12, npages << 12, attributes, 0};

	return ioctl(vm, KES_SET_MEMORY_ATTRIBUTES, arguments);
}

/* canary_private, by two calls; and one that KVM refuses, for attributes that nobody knows. */
static int make_private(int vm)
{
	const struct canary_range *low = &canary_private[0], *high = &canary_private[1];
	uint64_t end = low->gfn + low->npages;

	if (set_attributes(
		    vm, low->gfn, high->gfn + high->npages - low->gfn, KES_ATTRIBUTE_PRIVATE) ||
		set_attributes(vm, end, high->gfn - end, 0))
		return -1;
	return set_attributes(vm, 0, 1, 1ull << 62) ? 0 : -1;
}

/* Whether this KVM can make software-protected VMs. */
static int has_protected(int kvm)
{
	int types = ioctl(kvm, KVM_CHECK_EXTENSION, KES_CAP_VM_TYPES);

	return types > 0 && (types & 1 << KES_VM_SW_PROTECTED);
}

static int run_vcpu(int vcpu, struct kvm_run *run)
{
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

/* The calls that a veto is to refuse, and one that it is not: where KVM has no such call, it says
 * so itself. */
static int get_refused(int vm, int vcpu)
{
	if (ioctl(vcpu, KVM_RUN, 0)) /* up to its first exit: until then it is launched */
		return CANARY_FAILED;
	if (!set_attributes(vm, CANARY_DENIED_GFN, CANARY_DENIED_PAGES, 0) || errno != EPERM)
		return CANARY_FAILED;
	if (set_attributes(vm, CANARY_DENIED_GFN + CANARY_DENIED_PAGES, 1, 0) && errno == EPERM)
		return CANARY_FAILED;
	if (!set_attributes(vm, CANARY_FREEZES_GFN, CANARY_FREEZES_PAGES, 0) || errno != EPERM)
		return CANARY_FAILED;
	return ioctl(vcpu, KVM_RUN, 0) && errno == EINTR ? CANARY_DONE : CANARY_FAILED;
}

/* In the child: an exit status, one of canary_result. Says so on `ready`, and waits for `go` to be
 * closed. */
static int run_guest(enum canary_kind kind, int ready, int go)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm, vcpu, size, result;
	struct kvm_run *run;
	char byte = 0;

	if (kvm < 0)
		return CANARY_NO_KVM;
	if (kind == CANARY_PROTECTED && !has_protected(kvm))
		return CANARY_UNSUPPORTED;
	vm = ioctl(kvm, KVM_CREATE_VM, kind == CANARY_PROTECTED ? KES_VM_SW_PROTECTED : 0);
	if (vm < 0 || make_memory(vm, kind))
		return CANARY_FAILED;
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (vcpu < 0 || size < (int)sizeof(*run) || set_start(vcpu))
		return CANARY_FAILED;
	run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED || (kind == CANARY_PROTECTED && make_private(vm)))
		return CANARY_FAILED;
	result = kind == CANARY_REFUSED ? get_refused(vm, vcpu) : run_vcpu(vcpu, run);
	if (result == CANARY_DONE && write(ready, &byte, 1) == 1)
		(void)!read(go, &byte, 1);
	if (result == CANARY_DONE && kind == CANARY_REFUSED)
		return run_vcpu(vcpu, run); /* it was released */
	return result;
}

/* ---- the child ---- */

static void close_both(int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}

/* In the child: keeps its ends only. */
static void be_guest(enum canary_kind kind, int ready[2], int go[2])
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(ready[0]);
	close(go[1]);
	_exit(run_guest(kind, ready[1], go[0]));
}

/* What became of the child, which has ended or is killed now. */
static enum canary_result reap(pid_t pid, bool late)
{
	int status;

	if (late)
		kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid)
		return CANARY_FAILED;
	if (WIFSIGNALED(status))
		return late ? CANARY_TIMEOUT : CANARY_FAILED;
	return (enum canary_result)WEXITSTATUS(status);
}

enum canary_result canary_start(struct canary *ret, enum canary_kind kind, int timeout_ms)
{
	struct pollfd done = {.events = POLLIN};
	int ready[2], go[2], n;
	enum canary_result result;
	char byte;
	pid_t pid;

	*ret = (struct canary){};
	if (pipe2(ready, O_CLOEXEC))
		return CANARY_FAILED;
	if (pipe2(go, O_CLOEXEC)) {
		close_both(ready);
		return CANARY_FAILED;
	}
	pid = fork();
	if (!pid)
		be_guest(kind, ready, go);
	ret->pid = pid;
	close(ready[1]);
	close(go[0]);
	done.fd = ready[0];
	n = pid < 0 ? -1 : poll(&done, 1, timeout_ms);
	if (n == 1 && read(ready[0], &byte, 1) == 1) {
		*ret = (struct canary){.pid = pid, .ready = ready[0], .go = go[1]};
		return CANARY_DONE;
	}
	result = pid < 0 ? CANARY_FAILED : reap(pid, n <= 0);
	close(ready[0]);
	close(go[1]);
	return result == CANARY_DONE ? CANARY_FAILED : result;
}

enum canary_result canary_end(struct canary *canary)
{
	enum canary_result result;

	close(canary->go);
	result = reap(canary->pid, false);
	close(canary->ready);
	return result;
}

enum canary_result canary_run(enum canary_kind kind, int timeout_ms)
{
	struct canary canary;
	enum canary_result result = canary_start(&canary, kind, timeout_ms);

	return result == CANARY_DONE ? canary_end(&canary) : result;
}
