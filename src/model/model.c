/* SPDX-License-Identifier: GPL-2.0-only */
#include "model/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "kvm_abi.h"
#include "model/counters.h"

#define DEFAULT_MAX_ENDED 1024

struct model {
	struct model_options options;
	struct vm **vms; /* sorted by id */
	size_t n_vms, size_vms;
	size_t last; /* index of the VM that was asked for last: records come in runs */
	size_t n_ended;
	struct processes processes;
	struct model_totals totals;
};

/* ---- VMs by id ---- */

static size_t vm_position(const struct model *model, uint32_t id)
{
	size_t low = 0, high = model->n_vms;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (model->vms[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct vm *find_vm(struct model *model, uint32_t id)
{
	size_t at;

	if (model->last < model->n_vms && model->vms[model->last]->id == id)
		return model->vms[model->last];
	at = vm_position(model, id);
	if (at == model->n_vms || model->vms[at]->id != id)
		return NULL;
	model->last = at;
	return model->vms[at];
}

static struct vm *add_vm(struct model *model, uint32_t id)
{
	size_t at = vm_position(model, id);
	struct vm *vm;

	if (model->n_vms == model->size_vms) {
		size_t size = model->size_vms ? model->size_vms * 2 : 16;
		struct vm **grown = reallocarray(model->vms, size, sizeof(struct vm *));

		if (!grown)
			return NULL;
		model->vms = grown;
		model->size_vms = size;
	}
	vm = vm_new(id);
	if (!vm)
		return NULL;
	memmove(&model->vms[at + 1], &model->vms[at], (model->n_vms - at) * sizeof(struct vm *));
	model->vms[at] = vm;
	model->n_vms++;
	model->last = at;
	return vm;
}

/* Ended VMs are kept for their last map, but not without bound. */
static void forget_ended(struct model *model)
{
	size_t oldest = model->n_vms;

	if (model->n_ended <= model->options.max_ended)
		return;
	for (size_t i = 0; i < model->n_vms; i++)
		if (!model->vms[i]->alive &&
			(oldest == model->n_vms ||
				model->vms[i]->end_ns < model->vms[oldest]->end_ns))
			oldest = i;
	if (oldest == model->n_vms)
		return;
	model->totals.forgotten_lost += vm_lost(model->vms[oldest]);
	vm_free(&model->vms[oldest]);
	memmove(&model->vms[oldest], &model->vms[oldest + 1],
		(model->n_vms - oldest - 1) * sizeof(struct vm *));
	model->n_vms--;
	model->n_ended--;
	model->totals.forgotten++;
}

/* ---- events ---- */

static int emit(struct model *model, const struct event *event)
{
	return model->options.on_event ? model->options.on_event(model->options.context, event) : 0;
}

static struct event vm_event(enum event_kind kind, const struct vm *vm, const struct kes_record *r)
{
	return (struct event){
		.kind = kind,
		.ts_ns = r->ts_ns,
		.seq = r->seq,
		.vm = vm,
		.vcpu = r->vcpu,
	};
}

static struct event conversion_event(const struct model *model, enum event_kind kind,
	const struct vm *vm, const struct kes_record *r)
{
	struct event event = vm_event(kind, vm, r);

	event.gpa = r->conversion.gpa;
	event.npages = r->conversion.npages;
	event.attrs = r->conversion.attrs;
	event.to = conversion_target(model->options.abi, r->conversion.attrs);
	event.nr = KES_HC_MAP_GPA_RANGE;
	return event;
}

/* ---- counters ---- */

/* Counts of an earlier process with this pid are not those of a new VM's. */
static void forget_process(struct model *model, uint32_t pid)
{
	for (size_t i = 0; i < model->n_vms; i++)
		if (model->vms[i]->known && model->vms[i]->alive && model->vms[i]->pid == pid)
			return; /* the same process */
	processes_forget(&model->processes, pid);
}

/* Counts that are several VMs' together are none's alone. */
static void share_counters(struct model *model, uint32_t pid)
{
	for (size_t i = 0; i < model->n_vms; i++)
		if (model->vms[i]->pid == pid && model->vms[i]->known && model->vms[i]->alive)
			memset(&model->vms[i]->counters, 0, sizeof(model->vms[i]->counters));
}

static int on_count(struct model *model, struct vm *vm, const struct kes_record *r)
{
	size_t before = model->processes.n;
	struct vm_counters *counters =
		vm ? &vm->counters : processes_add(&model->processes, r->count.pid);

	if (counters)
		counters_set(counters, &r->count);
	if (model->processes.n > before)
		share_counters(model, r->count.pid);
	return 0;
}

const struct vm_counters *model_process_counters(const struct model *model, uint32_t pid)
{
	return processes_find(&model->processes, pid);
}

/* ---- one function per kind of record ---- */

static int on_vm_new(struct model *model, struct vm *vm, const struct kes_record *r)
{
	struct event event = vm_event(EVENT_VM_NEW, vm, r);

	if (!vm->known)
		forget_process(model, r->vm_new.pid);
	vm->known = true;
	vm->pid = r->vm_new.pid;
	vm->uid = r->vm_new.uid;
	vm->type = r->vm_new.type;
	vm->cgroup = r->vm_new.cgroup;
	memcpy(vm->comm, r->vm_new.comm, KES_COMM_LEN);
	/* Born counts only while nothing was said of its pages: a map that began with unknown pages
	 * keeps them. */
	if (r->flags & KES_F_BORN && !vm->planes[PLANE_GUEST])
		vm->born = true;
	return emit(model, &event);
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
	return r ? r : emit(model, &event);
}

static int close_unanswered(struct model *model, struct vm *vm, const struct kes_record *r)
{
	int ret = 0;

	for (size_t i = 0; i < vm->n_requests && !ret; i++) {
		struct request *request = &vm->requests[i];
		struct event event = vm_event(EVENT_UNANSWERED, vm, r);

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
		ret = emit(model, &event);
	}
	return ret;
}

static int on_vm_end(struct model *model, struct vm *vm, const struct kes_record *r)
{
	struct event event = vm_event(EVENT_VM_END, vm, r);
	int ret;

	if (!vm->alive)
		return 0;
	ret = close_unanswered(model, vm, r);
	vm->alive = false;
	vm->end_ns = r->ts_ns;
	vm->sent = r->vm_end.sent;
	model->n_ended++;
	if (!ret)
		ret = emit(model, &event);
	forget_ended(model);
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
	return emit(model, &event);
}

static int on_request(struct model *model, struct vm *vm, const struct kes_record *r)
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

static int finish_conversion(struct model *model, struct vm *vm, const struct event *event)
{
	count_conversion(&vm->totals, event);
	count_conversion(&model->totals.ledger, event);
	return emit(model, event);
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
#define STREAK_LEAST 512 /* frames */

static bool is_reprivatised(struct vm *vm, const struct event *event, uint64_t shared_before)
{
	struct streak *streak = &vm->streak;

	if (event->to != PAGE_PRIVATE) {
		*streak = (struct streak){};
		return false;
	}
	if (!streak->shared)
		streak->shared = shared_before;
	streak->privatised += shared_before > vm->shared ? shared_before - vm->shared : 0;
	if (streak->told || streak->shared < STREAK_LEAST ||
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
	if (seen)
		look_at_commit(vm, event);
	reprivatised = seen && is_reprivatised(vm, event, shared);
	ret = finish_conversion(model, vm, event);
	if (ret || !reprivatised)
		return ret;
	after = vm_event(EVENT_REPRIVATISED, vm, r);
	after.npages = vm->shared;
	return emit(model, &after);
}

static int on_answer(struct model *model, struct vm *vm, const struct kes_record *r)
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

static int on_refused(struct model *model, struct vm *vm, const struct kes_record *r)
{
	struct event event = conversion_event(model, EVENT_REFUSED, vm, r);

	event.ret = r->conversion.refused.ret;
	event.reason = r->conversion.refused.reason;
	event.inferred = r->flags & KES_F_INFERRED;
	return finish_conversion(model, vm, &event);
}

static int on_fault(struct model *model, struct vm *vm, const struct kes_record *r)
{
	struct event event = vm_event(EVENT_FAULT, vm, r);

	vm->totals.faults++;
	model->totals.ledger.faults++;
	event.gpa = r->fault.gpa;
	event.npages = (r->fault.size >> 12) + !!(r->fault.size & 0xfff);
	event.fault_flags = r->fault.flags;
	event.to = r->fault.flags & KES_MEMORY_FAULT_PRIVATE ? PAGE_PRIVATE : PAGE_SHARED;
	event.ret = r->fault.err;
	vm->faults[vm->n_faults++ % VM_FAULTS] =
		(struct fault){event.gpa >> 12, event.npages, event.to};
	return emit(model, &event);
}

/* ---- the host plane ---- */

static bool overlap(uint64_t gfn, uint64_t npages, uint64_t other, uint64_t nother)
{
	return gfn < other ? other - gfn < npages : gfn - other < nother;
}

/* What the VMM may have done it for. */
static enum prompt find_prompt(
	const struct model *model, const struct vm *vm, const struct event *event)
{
	uint64_t gfn = event->gpa >> 12;

	for (size_t i = 0; i < vm->n_requests; i++) {
		const struct request *request = &vm->requests[i];

		if (request->open &&
			overlap(gfn, event->npages, request->gpa >> 12, request->npages) &&
			conversion_target(model->options.abi, request->attrs) == event->to)
			return PROMPT_REQUEST;
	}
	for (size_t i = 0; i < vm->n_faults && i < VM_FAULTS; i++) {
		const struct fault *fault = &vm->faults[i];

		/* In either direction: what helps need not be what the guest took the page for. */
		if (overlap(gfn, event->npages, fault->gfn, fault->npages))
			return PROMPT_FAULT;
	}
	return PROMPT_NONE;
}

static int on_attributes(struct model *model, struct vm *vm, const struct kes_record *r)
{
	struct event event = vm_event(EVENT_ATTRIBUTES, vm, r);
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
	if (change.begin && change.begin_ns <= r->ts_ns) {
		event.ts_ns = change.begin_ns;
		event.latency_ns = r->ts_ns - change.begin_ns;
		event.has_latency = true;
	}
	if (!event.ret) {
		vm->totals.attributes++;
		event.prompt = find_prompt(model, vm, &event);
	}
	return emit(model, &event);
}

static int on_snapshot(struct model *model, struct vm *vm, const struct kes_record *r)
{
	struct event event = vm_event(EVENT_READING, vm, r);
	uint64_t before = vm->host.readings;
	int ret = host_snapshot(vm, r);

	if (ret || vm->host.readings == before)
		return ret;
	return emit(model, &event);
}

static void on_vm_info(struct vm *vm, const struct kes_record *r)
{
	vm->vcpus = r->vm_info.vcpus;
	if (r->vm_info.flags & KES_VM_HAS_ATTRIBUTES)
		vm->host.capable = true;
}

static int on_reset(struct model *model, struct vm *vm, const struct kes_record *r)
{
	struct event event = vm_event(EVENT_RESET, vm, r);
	int ret = close_unanswered(model, vm, r);

	if (!ret)
		ret = vm_reset(vm, r->ts_ns, r->reset.lost);
	event.npages = vm->left.pages;
	return ret ? ret : emit(model, &event);
}

/* ---- loss ---- */

static void taint_all(struct model *model, uint64_t n)
{
	for (size_t i = 0; i < model->n_vms; i++)
		if (model->vms[i]->alive)
			model->vms[i]->tainted += n;
}

static int on_loss(struct model *model, struct vm *vm, const struct kes_record *r)
{
	uint64_t *lost = vm ? vm->lost : model->totals.host_lost;
	struct event event = vm_event(EVENT_LOSS, vm, r);

	if (r->loss.cause >= KES_CAUSE_MAX || r->loss.total <= lost[r->loss.cause])
		return 0;
	if (!vm && r->loss.cause == KES_CAUSE_UNATTRIBUTED) /* may have been any VM's */
		taint_all(model, r->loss.total - lost[r->loss.cause]);
	lost[r->loss.cause] = r->loss.total;
	if (vm && !vm->lost_since_ns)
		vm->lost_since_ns = vm->last_ns ? vm->last_ns : r->ts_ns;
	event.cause = r->loss.cause;
	event.lost = r->loss.total;
	return emit(model, &event);
}

/* ---- the dispatcher ---- */

static int apply_to_host(struct model *model, const struct kes_record *r)
{
	switch (r->kind) {
	case KES_LOSS:
		return on_loss(model, NULL, r);
	case KES_COUNT:
		return on_count(model, NULL, r);
	default:
		return 0;
	}
}

/* Keeps the account of the VM's sequence. */
static void account(struct vm *vm, const struct kes_record *r)
{
	vm->last_ns = r->ts_ns;
	if (r->kind >= KES_LOSS)
		return;
	if (vm->next_seq == vm->seen)
		vm->gap_seen = vm->seen; /* no gap is open */
	vm->seen++;
	if (r->seq >= vm->next_seq)
		vm->next_seq = r->seq + 1;
}

static int apply(struct model *model, const struct kes_record *r)
{
	struct vm *vm;

	model->totals.records++;
	if (!r->vm)
		return apply_to_host(model, r);
	vm = find_vm(model, r->vm);
	if (!vm) {
		if (r->kind == KES_COUNT || r->kind == KES_LOSS)
			return 0; /* of a VM that was forgotten */
		vm = add_vm(model, r->vm);
	}
	if (!vm)
		return -ENOMEM;
	account(vm, r);
	switch (r->kind) {
	case KES_VM_NEW:
		return on_vm_new(model, vm, r);
	case KES_VM_END:
		return on_vm_end(model, vm, r);
	case KES_MEMSLOT:
		return vm_memslot(vm, &r->memslot);
	case KES_REQUEST:
		return on_request(model, vm, r);
	case KES_ANSWER:
		return on_answer(model, vm, r);
	case KES_REFUSED:
		return on_refused(model, vm, r);
	case KES_FAULT:
		return on_fault(model, vm, r);
	case KES_ATTRS:
		return on_attributes(model, vm, r);
	case KES_ATTRS_BEGIN:
		return host_begin(vm, r);
	case KES_SNAPSHOT:
		return on_snapshot(model, vm, r);
	case KES_PAGES:
		return host_pages(vm, r);
	case KES_RESET:
		return on_reset(model, vm, r);
	case KES_VM_INFO:
		on_vm_info(vm, r);
		return 0;
	case KES_TEXT:
		vm_text(vm, r);
		return 0;
	case KES_LOSS:
		return on_loss(model, vm, r);
	case KES_COUNT:
		return on_count(model, vm, r);
	default:
		return 0;
	}
}

int model_apply(void *context, const struct kes_record *records, size_t n)
{
	struct model *model = context;

	for (size_t i = 0; i < n; i++) {
		int r = apply(model, &records[i]);

		if (r)
			return r;
	}
	return 0;
}

void model_finish(struct model *model)
{
	for (size_t i = 0; i < model->n_vms; i++)
		model->vms[i]->finished = true;
}

/* ---- life cycle, reading ---- */

int model_new(struct model **ret, const struct model_options *options)
{
	struct model *model = calloc(1, sizeof(*model));

	if (!model)
		return -ENOMEM;
	model->options = *options;
	if (!model->options.max_ended)
		model->options.max_ended = DEFAULT_MAX_ENDED;
	*ret = model;
	return 0;
}

void model_free(struct model **pointer)
{
	struct model *model = *pointer;

	if (!model)
		return;
	for (size_t i = 0; i < model->n_vms; i++)
		vm_free(&model->vms[i]);
	free(model->vms);
	processes_free(&model->processes);
	free(model);
	*pointer = NULL;
}

size_t model_vm_count(const struct model *model)
{
	return model->n_vms;
}

const struct vm *model_vm(const struct model *model, size_t index)
{
	return model->vms[index];
}

uint32_t model_next_reading(const struct model *model, uint32_t after, bool any)
{
	for (size_t i = vm_position(model, after + 1); i < model->n_vms; i++) {
		const struct vm *vm = model->vms[i];

		if (any ? vm->alive && vm_has_host_plane(vm) : host_wants_reading(vm))
			return vm->id;
	}
	return 0;
}

void model_totals(const struct model *model, struct model_totals *ret)
{
	*ret = model->totals;
	ret->lost = ret->forgotten_lost;
	for (int i = 0; i < KES_CAUSE_MAX; i++)
		if (i != KES_CAUSE_COUNTS_FULL)
			ret->lost += ret->host_lost[i];
	for (size_t i = 0; i < model->n_vms; i++)
		ret->lost += vm_lost(model->vms[i]);
}
