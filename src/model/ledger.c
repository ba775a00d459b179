/* SPDX-License-Identifier: GPL-2.0-only */
/* What becomes of a guest's requests: asked, answered, refused, or never heard of again. */
#include <errno.h>

#include "kvm_abi.h"
#include "model/model_private.h"

static struct event conversion_event(const struct model *model, enum event_kind kind,
	const struct vm *vm, const struct kes_record *r)
{
	struct event event = model_event(kind, vm, r);

	event.gpa = r->conversion.gpa;
	event.npages = r->conversion.npages;
	event.attrs = r->conversion.attrs;
	event.to = conversion_target(model->options.abi, r->conversion.attrs);
	event.nr = KES_HC_MAP_GPA_RANGE;
	return event;
}

/* The answer to a request was missed: whether its pages changed is not known any more. */
static int lose_answer(struct model *model, struct vm *vm, struct request *request)
{
	struct event event = {
		.kind = EVENT_NO_ANSWER,
		.ts_ns = request->ts_ns,
		.seq = request->seq,
		.vm = vm,
		.vcpu = request->vcpu,
		.gpa = request->gpa,
		.npages = request->npages,
		.attrs = request->attrs,
		.to = conversion_target(model->options.abi, request->attrs),
		.nr = KES_HC_MAP_GPA_RANGE,
	};
	int r;

	request->open = false;
	vm->totals.no_answer++;
	model->totals.ledger.no_answer++;
	vm->unseen++;
	r = vm_set_pages(vm, PLANE_GUEST, request->gpa >> 12, request->npages, PAGE_UNKNOWN, NULL);
	return r ? r : model_emit(model, &event);
}

int ledger_close(struct model *model, struct vm *vm, const struct kes_record *r)
{
	int ret = 0;

	for (size_t i = 0; i < vm->n_requests && !ret; i++) {
		struct request *request = &vm->requests[i];
		struct event event = model_event(EVENT_UNANSWERED, vm, r);

		if (!request->open)
			continue;
		if (request->unhooked) { /* the VMM may have said yes without our seeing it */
			ret = lose_answer(model, vm, request);
			continue;
		}
		request->open = false;
		vm->totals.unanswered++;
		model->totals.ledger.unanswered++;
		event.ts_ns = request->ts_ns;
		event.seq = request->seq;
		event.vcpu = request->vcpu;
		event.gpa = request->gpa;
		event.npages = request->npages;
		event.attrs = request->attrs;
		event.to = conversion_target(model->options.abi, request->attrs);
		event.nr = KES_HC_MAP_GPA_RANGE;
		ret = model_emit(model, &event);
	}
	return ret;
}

static int check_abi(struct model *model, struct vm *vm, const struct kes_record *r)
{
	struct event event;

	if (vm->abi_doubt || !conversion_looks_foreign(model->options.abi, r->conversion.gpa,
				     r->conversion.npages, r->conversion.attrs))
		return 0;
	vm->abi_doubt = true;
	event = conversion_event(model, EVENT_ABI_DOUBT, vm, r);
	return model_emit(model, &event);
}

int ledger_request(struct model *model, struct vm *vm, const struct kes_record *r)
{
	struct request *request = vm_request(vm, r->vcpu);
	int ret;

	if (!request)
		return -ENOMEM;
	if (request->open) {
		ret = lose_answer(model, vm, request);
		if (ret)
			return ret;
	}
	*request = (struct request){
		.vcpu = r->vcpu,
		.open = true,
		.unhooked = r->flags & KES_F_UNHOOKED,
		.gpa = r->conversion.gpa,
		.npages = r->conversion.npages,
		.attrs = r->conversion.attrs,
		.ts_ns = r->ts_ns,
		.seq = r->seq,
	};
	return check_abi(model, vm, r);
}

static void count_conversion(struct ledger_totals *totals, const struct event *event)
{
	switch (event->kind) {
	case EVENT_CONVERTED:
		totals->converted++;
		totals->to_private += event->to == PAGE_PRIVATE;
		break;
	case EVENT_DENIED:
		totals->denied++;
		break;
	case EVENT_NO_ANSWER:
		totals->no_answer++;
		break;
	case EVENT_REFUSED:
		totals->refused++;
		break;
	default:
		break;
	}
}

static int finish_conversion(struct model *model, struct vm *vm, struct event *event)
{
	count_conversion(&vm->totals, event);
	count_conversion(&model->totals.ledger, event);
	return model_emit(model, event);
}

/* What the host plane says of it at this moment: the guest goes on now. */
static void look_at_commit(struct vm *vm, struct event *event)
{
	uint64_t counts[PAGE_STATES], pages;

	if (!vm->host.capable)
		return;
	pages = vm_count_range(vm, PLANE_HOST, event->gpa >> 12, event->npages, counts);
	if (!pages)
		return;
	event->committed = counts[event->to];
	if (event->committed == pages)
		event->commit = COMMIT_DONE;
	else if (counts[PAGE_UNKNOWN])
		event->commit = COMMIT_UNKNOWN;
	else
		event->commit = event->committed ? COMMIT_PARTLY : COMMIT_NOT;
	vm->totals.uncommitted += event->commit == COMMIT_PARTLY || event->commit == COMMIT_NOT;
}

/* A guest that takes back nearly all it shared, and shares nothing meanwhile, prepares for another
 * kernel (kexec), or for its end. */
#define STREAK_LEAST       512 /* frames */
#define STREAK_CONVERSIONS 8   /* one buffer that is freed is no end */

static bool is_reprivatised(struct vm *vm, const struct event *event, uint64_t shared_before)
{
	struct streak *streak = &vm->streak;

	if (event->to != PAGE_PRIVATE) {
		*streak = (struct streak){};
		return false;
	}
	if (!streak->shared)
		streak->shared = shared_before;
	streak->conversions++;
	streak->privatised += shared_before > vm->shared ? shared_before - vm->shared : 0;
	if (streak->told || streak->shared < STREAK_LEAST ||
		streak->conversions < STREAK_CONVERSIONS ||
		streak->privatised < streak->shared - streak->shared / 20)
		return false;
	streak->told = true;
	return true;
}

/* The VMM said yes, or may have. */
static int convert(
	struct model *model, struct vm *vm, struct event *event, const struct kes_record *r)
{
	struct mover mover = {.ts_ns = r->ts_ns, .plane = PLANE_GUEST, .actor = event->vcpu};
	bool seen = event->kind == EVENT_CONVERTED, reprivatised;
	uint64_t shared = vm->shared;
	struct event after;
	int ret;

	if (!seen)
		vm->unseen++;
	ret = vm_set_pages(vm, PLANE_GUEST, event->gpa >> 12, event->npages,
		seen ? event->to : PAGE_UNKNOWN, &mover);
	if (ret)
		return ret;
	event->already = vm->already;
	if (seen)
		look_at_commit(vm, event);
	reprivatised = seen && is_reprivatised(vm, event, shared);
	ret = finish_conversion(model, vm, event);
	if (ret || !reprivatised)
		return ret;
	after = model_event(EVENT_REPRIVATISED, vm, r);
	after.npages = vm->shared;
	return model_emit(model, &after);
}

int ledger_answer(struct model *model, struct vm *vm, const struct kes_record *r)
{
	struct request *request = vm_request(vm, r->vcpu);
	struct event event = conversion_event(model, EVENT_CONVERTED, vm, r);
	uint64_t asked_ns = r->conversion.answer.request_ns;
	int ret = 0;

	if (!request)
		return -ENOMEM;
	if (request->open && request->ts_ns == asked_ns)
		event.seq = request->seq;
	else if (request->open) /* of this one only the request came, of the other only the answer
				 */
		ret = lose_answer(model, vm, request);
	if (ret)
		return ret;
	request->open = false;
	event.ret = r->conversion.answer.ret;
	event.late = r->flags & KES_F_LATE;
	if (asked_ns && asked_ns <= r->ts_ns) {
		event.ts_ns = asked_ns;
		event.latency_ns = r->ts_ns - asked_ns;
		event.has_latency = !event.late;
	}
	if (r->flags & KES_F_NO_ANSWER) {
		event.kind = EVENT_NO_ANSWER;
		event.has_latency = false;
	} else if (event.ret) {
		event.kind = EVENT_DENIED;
	}
	if (event.kind == EVENT_DENIED)
		return finish_conversion(model, vm, &event);
	return convert(model, vm, &event, r);
}

int ledger_refused(struct model *model, struct vm *vm, const struct kes_record *r)
{
	struct event event = conversion_event(model, EVENT_REFUSED, vm, r);

	event.ret = r->conversion.refused.ret;
	event.reason = r->conversion.refused.reason;
	event.inferred = r->flags & KES_F_INFERRED;
	return finish_conversion(model, vm, &event);
}

int ledger_fault(struct model *model, struct vm *vm, const struct kes_record *r)
{
	struct event event = model_event(EVENT_FAULT, vm, r);
	struct request *request = vm_request(vm, r->vcpu);

	if (!request)
		return -ENOMEM;
	vm->totals.faults++;
	model->totals.ledger.faults++;
	event.gpa = r->fault.gpa;
	event.npages = (r->fault.size >> 12) + !!(r->fault.size & 0xfff);
	event.fault_flags = r->fault.flags;
	event.to = r->fault.flags & KES_MEMORY_FAULT_PRIVATE ? PAGE_PRIVATE : PAGE_SHARED;
	event.ret = r->fault.err;
	request->fault = (struct fault){event.gpa >> 12, event.npages, event.to};
	vm->faults[vm->n_faults++ % VM_FAULTS] = request->fault;
	return model_emit(model, &event);
}
