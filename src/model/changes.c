/* SPDX-License-Identifier: GPL-2.0-only */
/* What changes a VM's planes without a conversion: the VMM's calls, readings, resets. */
#include "model/model_private.h"

/* Each vCPU's last fault, and the VM's last ones. In either direction: what helps need not be what
 * the guest took the page for. */
static bool follows_fault(const struct vm *vm, uint64_t gfn, uint64_t npages)
{
	for (size_t i = 0; i < vm->n_requests; i++) {
		const struct fault *fault = &vm->requests[i].fault;

		if (ranges_overlap(gfn, npages, fault->gfn, fault->npages))
			return true;
	}
	for (size_t i = 0; i < vm->n_faults && i < VM_FAULTS; i++)
		if (ranges_overlap(gfn, npages, vm->faults[i].gfn, vm->faults[i].npages))
			return true;
	return false;
}

/* What the VMM may have done it for. */
static enum prompt find_prompt(
	const struct model *model, const struct vm *vm, const struct event *event)
{
	uint64_t gfn = event->gpa >> 12;

	for (size_t i = 0; i < vm->n_requests; i++) {
		const struct request *request = &vm->requests[i];

		if (request->open &&
			ranges_overlap(gfn, event->npages, request->gpa >> 12, request->npages) &&
			conversion_target(model->options.abi, request->attrs) == event->to)
			return PROMPT_REQUEST;
	}
	return follows_fault(vm, gfn, event->npages) ? PROMPT_FAULT : PROMPT_NONE;
}

int changes_attributes(struct model *model, struct vm *vm, const struct kes_record *r)
{
	struct event event = model_event(EVENT_ATTRIBUTES, vm, r);
	struct change change;
	int ret = host_end(vm, r, &change);

	if (ret)
		return ret;
	event.gpa = r->set_attrs.gpa;
	event.npages = r->set_attrs.size >> 12;
	event.attrs = r->set_attrs.attributes;
	event.to = change.to;
	event.ret = r->set_attrs.err;
	event.unsure = r->flags & KES_F_UNSURE;
	event.tid = change.tid;
	event.already = change.already;
	if (change.begin && change.begin_ns <= r->ts_ns) {
		event.ts_ns = change.begin_ns;
		event.latency_ns = r->ts_ns - change.begin_ns;
		event.has_latency = true;
	}
	if (!event.ret) {
		vm->totals.attributes++;
		event.prompt = find_prompt(model, vm, &event);
	}
	return model_emit(model, &event);
}

int changes_snapshot(struct model *model, struct vm *vm, const struct kes_record *r)
{
	struct event event = model_event(EVENT_READING, vm, r);
	uint64_t before = vm->host.readings;
	int ret = host_snapshot(vm, r);

	if (ret || vm->host.readings == before)
		return ret;
	return model_emit(model, &event);
}

int changes_reset(struct model *model, struct vm *vm, const struct kes_record *r)
{
	struct event event = model_event(EVENT_RESET, vm, r);
	int ret = ledger_close(model, vm, r);

	if (!ret)
		ret = vm_reset(vm, r->ts_ns, r->reset.lost);
	event.npages = vm->left.pages;
	return ret ? ret : model_emit(model, &event);
}
