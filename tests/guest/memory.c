// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the VMM does to the VM's memory, and where the memory is: in guest_memfd where the guest
 * touched a private page, in the VMM's own mapping where it touched a shared one, or the VMM did.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "vm.h"

static int do_step(struct vm *vm, const struct step *step)
{
	uint64_t offset = step->memory.gpa - vm->script->base;
	volatile uint8_t *memory = vm->memory + offset;
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	switch (step->kind) {
	case STEP_WRITE:
		for (uint64_t i = 0; i < step->memory.size; i += GUEST_PAGE_SIZE)
			memory[i] = 1;
		return 0;
	case STEP_READ:
		for (uint64_t i = 0; i < step->memory.size; i += GUEST_PAGE_SIZE)
			(void)memory[i];
		return 0;
	case STEP_DISCARD:
		return madvise((void *)memory, step->memory.size, MADV_DONTNEED) ? -errno : 0;
	default:
		return fallocate(vm->memfd, punch, (off_t)offset, (off_t)step->memory.size) ? -errno
											    : 0;
	}
}

int vm_memory(struct vm *vm, const struct step *step)
{
	uint64_t gfn = step->memory.gpa >> GUEST_PAGE_SHIFT;
	uint64_t npages = step->memory.size >> GUEST_PAGE_SHIFT;
	int err = do_step(vm, step);

	if (err || step->kind == STEP_READ)
		return err;
	pthread_mutex_lock(&vm->truth.lock);
	truth_memory(&vm->truth, step->kind == STEP_PUNCH ? MEMORY_MEMFD : MEMORY_OWN, gfn, npages,
		step->kind == STEP_WRITE);
	pthread_mutex_unlock(&vm->truth.lock);
	return 0;
}

void vm_touched(struct vm *vm, uint64_t gpa)
{
	const struct vm_script *script = vm->script;
	uint64_t gfn = gpa >> GUEST_PAGE_SHIFT;

	if (gpa < script->base || gpa - script->base >= script->memory ||
		(gpa >= vm->reserved_gpa && gpa - vm->reserved_gpa < vm->reserved_size))
		return;
	pthread_mutex_lock(&vm->truth.lock);
	truth_memory(&vm->truth, truth_host_private(&vm->truth, gfn) ? MEMORY_MEMFD : MEMORY_OWN,
		gfn, 1, true);
	pthread_mutex_unlock(&vm->truth.lock);
}
