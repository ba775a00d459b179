// SPDX-License-Identifier: GPL-2.0-only
/* What the VMM sets on the host's side, and what the truth says of it. */
#include "ask.h"
#include "vm.h"

static void note(struct vm *vm, const struct attributes *call, enum purpose purpose, int err)
{
	outcomes_count(&vm->truth.calls[purpose], err);
	if (!err)
		truth_host(&vm->truth, call->gpa >> GUEST_PAGE_SHIFT,
			call->size >> GUEST_PAGE_SHIFT, call->private);
}

int vm_set_attributes(struct vm *vm, const struct attributes *call, enum purpose purpose)
{
	int err = ask_kvm(vm->fd, call);

	if (err <= 0)
		note(vm, call, purpose, err);
	return err;
}

int vm_set_foreign(struct vm *vm, const struct attributes *call)
{
	int err = ask_kvm_foreign(vm->fd, call);

	if (err <= 0)
		note(vm, call, FOR_FOREIGN, err);
	return err;
}

static int set_range(struct vm *vm, uint64_t gpa, uint64_t end, bool private, enum purpose purpose)
{
	struct attributes call = {.gpa = gpa, .size = end - gpa, .private = private};

	return gpa < end ? vm_set_attributes(vm, &call, purpose) : 0;
}

int vm_set_private(struct vm *vm, uint64_t gfn, uint64_t npages, bool private, enum purpose purpose)
{
	uint64_t start = gfn << GUEST_PAGE_SHIFT, end = (gfn + npages) << GUEST_PAGE_SHIFT;
	uint64_t base = vm->script->base, limit = base + vm->script->memory;
	uint64_t hole = vm->reserved_gpa, hole_end = hole + vm->reserved_size;
	int err;

	start = start > base ? start : base;
	end = end < limit ? end : limit;
	err = set_range(vm, start, end < hole ? end : hole, private, purpose);
	if (err)
		return err;
	return set_range(vm, start > hole_end ? start : hole_end, end, private, purpose);
}
