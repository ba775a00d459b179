// SPDX-License-Identifier: GPL-2.0-only
#include "vm.h"

#include <cpuid.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kvm_new.h"

/* Offsets in the reserved slot. */
#define REAL_CODE   0x1000
#define REAL_TABLES 0x10000
#define LONG_CODE   0x0
#define LONG_PML4   0x1000
#define LONG_PDPT   0x2000 /* LONG_PDPTS of them: with 1 GiB pages they map 4 TiB */
#define LONG_PD     0xa000 /* without: 4 directories map 4 GiB */
#define LONG_TABLES 0x10000
#define LONG_PDPTS  8
#define TABLE_SIZE  (TABLE_OPS * OP_SIZE)

#define RESET_OFFSET 0xff0 /* in the reset page */

#define MAX_CPUID 256

#define PTE_TABLE 0x27 /* present, writable, user, accessed */
#define PTE_LARGE 0xe7 /* the same, dirty, large */

#define INTEL_TSS 0xfffbd000 /* any three free pages */

static int say(const struct vm *vm, const char *what)
{
	fprintf(stderr, "guest: %s: %s: %m\n", vm->name, what);
	return -1;
}

/* ---- memory ------------------------------------------------------------------------------------
 */

static int add_slot(struct vm *vm, uint64_t gpa, uint64_t size, void *memory, bool memfd)
{
	struct new_memory_region region = {
		.slot = vm->slot_count,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)memory,
	};

	if (memfd) {
		region.flags = NEW_MEM_GUEST_MEMFD;
		region.guest_memfd = vm->memfd;
		region.guest_memfd_offset = gpa - vm->script->base;
	}
	/* The old ioctl takes the same struct's beginning. */
	if (ioctl(vm->fd, memfd ? NEW_SET_USER_MEMORY_REGION2 : KVM_SET_USER_MEMORY_REGION,
		    &region))
		return say(vm, "memory slot");
	vm->slots[vm->slot_count++] = (struct slot){gpa, size};
	return 0;
}

/* [gpa, end) is all guest_memfd or all without. */
static int add_memory(struct vm *vm, uint8_t *memory, uint64_t gpa, uint64_t end, bool memfd)
{
	uint64_t hole = vm->reserved_gpa, hole_end = hole + vm->reserved_size,
		 stop = end < hole ? end : hole;
	uint64_t begin = gpa > hole_end ? gpa : hole_end;

	if (gpa < stop && add_slot(vm, gpa, stop - gpa, memory + (gpa - vm->script->base), memfd))
		return -1;
	if (begin < end &&
		add_slot(vm, begin, end - begin, memory + (begin - vm->script->base), memfd))
		return -1;
	return 0;
}

static int create_reset_page(struct vm *vm)
{
	uint8_t *page = mmap(
		NULL, GUEST_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return say(vm, "memory");
	memcpy(page + RESET_OFFSET, guest_reset, guest_reset_end - guest_reset);
	return add_slot(vm, RESET_PAGE, GUEST_PAGE_SIZE, page, false);
}

static int create_memory(struct vm *vm)
{
	const struct vm_script *script = vm->script;
	uint64_t base = script->base, end = base + script->memory;
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	uint8_t *memory;

	memory = mmap(NULL, script->memory, PROT_READ | PROT_WRITE, flags, -1, 0);
	vm->reserved = mmap(NULL, vm->reserved_size, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (memory == MAP_FAILED || vm->reserved == MAP_FAILED)
		return say(vm, "memory");
	madvise(memory, script->memory, MADV_NOHUGEPAGE); /* a page that is touched is one page */
	vm->memory = memory;
	if (script->memfd) {
		struct new_guest_memfd args = {.size = script->memfd};

		vm->memfd = ioctl(vm->fd, NEW_CREATE_GUEST_MEMFD, &args);
		if (vm->memfd < 0)
			return say(vm, "guest_memfd");
	}
	if (add_slot(vm, vm->reserved_gpa, vm->reserved_size, vm->reserved, false) ||
		add_memory(vm, memory, base, base + script->memfd, true) ||
		add_memory(vm, memory, base + script->memfd, end, false) ||
		(script->resets && create_reset_page(vm)))
		return -1;

	if (script->attributes) {
		int err = vm_set_private(vm, base >> GUEST_PAGE_SHIFT,
			script->memory >> GUEST_PAGE_SHIFT, true, FOR_VMM);

		if (err) {
			errno = -err;
			return say(vm, "private memory");
		}
	}
	return 0;
}

/* ---- the guest's code --------------------------------------------------------------------------
 */

static void cpu_vendor(char ret_vendor[13])
{
	unsigned max, words[3] = {0};

	__get_cpuid(0, &max, &words[0], &words[2], &words[1]);
	memcpy(ret_vendor, words, 12);
	ret_vendor[12] = '\0';
}

static bool host_is_intel(void)
{
	char vendor[13];

	cpu_vendor(vendor);
	return !strcmp(vendor, "GenuineIntel");
}

static void place_code(uint8_t *to, const uint8_t *code, const uint8_t *call, const uint8_t *end)
{
	static const uint8_t vmcall[] = {0x0f, 0x01, 0xc1};

	memcpy(to, code, end - code);
	if (host_is_intel())
		memcpy(to + (call - code), vmcall, sizeof(vmcall));
}

/* Identity mapping, all of it for user mode too. */
static void place_page_tables(struct vm *vm, bool large)
{
	uint64_t *pml4 = (uint64_t *)(vm->reserved + LONG_PML4);
	uint64_t *pdpt = (uint64_t *)(vm->reserved + LONG_PDPT);
	uint64_t *pd = (uint64_t *)(vm->reserved + LONG_PD);

	for (uint64_t i = 0; i < LONG_PDPTS; i++)
		pml4[i] = (LONG_RESERVED + LONG_PDPT + i * GUEST_PAGE_SIZE) | PTE_TABLE;
	if (large) {
		for (uint64_t i = 0; i < LONG_PDPTS * 512; i++)
			pdpt[i] = i << 30 | PTE_LARGE;
		return;
	}
	for (uint64_t i = 0; i < 4; i++)
		pdpt[i] = (LONG_RESERVED + LONG_PD + i * GUEST_PAGE_SIZE) | PTE_TABLE;
	for (uint64_t i = 0; i < 4 * 512; i++)
		pd[i] = i << 21 | PTE_LARGE;
}

static bool has_large_pages(const struct kvm_cpuid2 *cpuid)
{
	for (unsigned i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == 0x80000001)
			return cpuid->entries[i].edx & (1u << 26); /* PDPE1GB */
	return false;
}

/* ---- vCPUs -------------------------------------------------------------------------------------
 */

static void set_long_mode(struct kvm_sregs *sregs, unsigned cpl)
{
	struct kvm_segment code = {.limit = 0xffffffff,
		.selector = 0x8 | cpl,
		.type = 11,
		.present = 1,
		.dpl = cpl,
		.s = 1,
		.l = 1,
		.g = 1};
	struct kvm_segment data = {.limit = 0xffffffff,
		.selector = 0x10 | cpl,
		.type = 3,
		.present = 1,
		.dpl = cpl,
		.s = 1,
		.db = 1,
		.g = 1};

	sregs->cs = code;
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
	sregs->cr3 = LONG_RESERVED + LONG_PML4;
	sregs->cr4 = 0x20;       /* PAE */
	sregs->cr0 = 0x80000033; /* PG, NE, ET, MP, PE */
	sregs->efer = 0x500;     /* LMA, LME */
}

static void set_real_mode(struct kvm_sregs *sregs, uint64_t table)
{
	sregs->cs.base = REAL_CODE;
	sregs->cs.selector = REAL_CODE >> 4;
	sregs->ds.base = table;
	sregs->ds.selector = table >> 4;
}

static int create_vcpu(struct vm *vm, unsigned index, int kvm, struct kvm_cpuid2 *cpuid)
{
	bool is_long = vm->script->mode == MODE_LONG;
	uint64_t table = (is_long ? LONG_TABLES : REAL_TABLES) + index * TABLE_SIZE;
	struct vcpu *vcpu = &vm->vcpus[index];
	struct kvm_sregs *sregs = &vcpu->begin_sregs;
	struct kvm_regs *regs = &vcpu->begin_regs;

	vcpu->vm = vm;
	vcpu->index = index;
	vcpu->table = (struct guest_op *)(vm->reserved + table);
	vcpu->program = (struct program){.vm = vm->script, .script = &vm->script->vcpu[index]};
	vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, index);
	if (vcpu->fd < 0)
		return say(vm, "vCPU");
	vcpu->run_size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	vcpu->run = mmap(NULL, vcpu->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED)
		return say(vm, "vCPU's kvm_run");
	if (ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid) ||
		ioctl(vcpu->fd, KVM_GET_SREGS, &vcpu->power_on))
		return say(vm, "vCPU's state");
	*sregs = vcpu->power_on;
	regs->rflags = 0x2;
	if (is_long) {
		unsigned cpl = vm->script->vcpu[index].cpl;

		set_long_mode(sregs, cpl);
		regs->rip = vm->reserved_gpa + LONG_CODE;
		regs->rbp = vm->reserved_gpa + table;
		regs->rflags |= cpl << 12; /* IOPL: it may write to ports */
	} else {
		set_real_mode(sregs, table);
	}
	if (ioctl(vcpu->fd, KVM_SET_SREGS, sregs) || ioctl(vcpu->fd, KVM_SET_REGS, regs))
		return say(vm, "vCPU's registers");
	return 0;
}

int vm_create(struct vm *ret_vm, struct machine *machine, const struct vm_script *script, int kvm)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_EXIT_HYPERCALL, .args = {1 << HC_MAP_GPA_RANGE}};
	bool is_long = script->mode == MODE_LONG, protected = script->type == VM_SW_PROTECTED;
	struct vm *vm = ret_vm;
	struct kvm_cpuid2 *cpuid;

	vm->script = script;
	vm->name = script->name;
	vm->machine = machine;
	vm->memfd = -1;
	vm->reserved_gpa = is_long ? LONG_RESERVED : REAL_RESERVED;
	vm->reserved_size = is_long ? LONG_RESERVED_SIZE : REAL_RESERVED_SIZE;
	if (truth_open(&vm->truth, script->base >> GUEST_PAGE_SHIFT,
		    script->memory >> GUEST_PAGE_SHIFT, machine->log))
		return say(vm, "truth");

	if (protected) {
		int types = ioctl(kvm, KVM_CHECK_EXTENSION, NEW_CAP_VM_TYPES);

		if (types < 0 || !(types & 1 << NEW_X86_SW_PROTECTED_VM)) {
			fprintf(stderr, "guest: %s: this host has no software-protected VMs\n",
				vm->name);
			return VM_UNSUPPORTED;
		}
	}
	vm->fd =
		ioctl(kvm, KVM_CREATE_VM, protected ? NEW_X86_SW_PROTECTED_VM : NEW_X86_DEFAULT_VM);
	if (vm->fd < 0)
		return say(vm, "KVM_CREATE_VM");
	if (host_is_intel() && ioctl(vm->fd, KVM_SET_TSS_ADDR, INTEL_TSS))
		return say(vm, "KVM_SET_TSS_ADDR");
	if (script->hypercalls && ioctl(vm->fd, KVM_ENABLE_CAP, &cap))
		return say(vm, "KVM_CAP_EXIT_HYPERCALL");
	if (create_memory(vm))
		return -1;

	cpuid = calloc(1, sizeof(*cpuid) + MAX_CPUID * sizeof(cpuid->entries[0]));
	if (!cpuid)
		abort();
	cpuid->nent = MAX_CPUID;
	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid)) {
		free(cpuid);
		return say(vm, "KVM_GET_SUPPORTED_CPUID");
	}
	if (is_long) {
		place_code(vm->reserved + LONG_CODE, guest_long, guest_long_call, guest_long_end);
		place_page_tables(vm, has_large_pages(cpuid));
	} else {
		place_code(vm->reserved + REAL_CODE, guest_real, guest_real_call, guest_real_end);
	}
	for (unsigned i = 0; i < script->vcpus; i++)
		if (create_vcpu(vm, i, kvm, cpuid)) {
			free(cpuid);
			return -1;
		}
	free(cpuid);
	return 0;
}

void vm_close_vcpus(struct vm *vm)
{
	for (unsigned i = 0; i < vm->script->vcpus; i++) {
		munmap(vm->vcpus[i].run, vm->vcpus[i].run_size);
		close(vm->vcpus[i].fd);
	}
}

void vm_close(struct vm *vm)
{
	vm_close_vcpus(vm);
	if (vm->memfd >= 0)
		close(vm->memfd); /* it holds the VM, too */
	close(vm->fd);
}
