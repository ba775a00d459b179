/* SPDX-License-Identifier: GPL-2.0-only */
#include "kvm_abi.h"
#include "model/model_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/place.h"
#include "verdict.h"

#define DEFAULT_MAX_ENDED 1024

/* ---- VMs by id ---- */

static size_t vm_position(const struct model *model, uint32_t id)
{
	return PLACE(model->n_vms, i, model->vms[i]->id < id);
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

/* ---- events ---- */

int model_emit(struct model *model, struct event *event)
{
	event->now_ns = model->now_ns;
	return model->options.on_event ? model->options.on_event(model->options.context, event) : 0;
}

struct event model_event(enum event_kind kind, const struct vm *vm, const struct kes_record *r)
{
	return (struct event){
		.kind = kind,
		.ts_ns = r->ts_ns,
		.seq = r->seq,
		.vm = vm,
		.vcpu = r->vcpu,
	};
}

/* ---- VMs that ended ---- */

void model_memory(const struct model *model, size_t *ret_alive, size_t *ret_ended)
{
	*ret_alive = *ret_ended = 0;
	for (size_t i = 0; i < model->n_vms; i++)
		*(model->vms[i]->alive ? ret_alive : ret_ended) += vm_memory(model->vms[i]);
}

static size_t oldest_ended(const struct model *model)
{
	size_t oldest = model->n_vms;

	for (size_t i = 0; i < model->n_vms; i++)
		if (!model->vms[i]->alive &&
			(oldest == model->n_vms ||
				model->vms[i]->end_ns < model->vms[oldest]->end_ns))
			oldest = i;
	return oldest;
}

/* One that ended. */
static void take_out(struct model *model, size_t at)
{
	vm_free(&model->vms[at]);
	memmove(&model->vms[at], &model->vms[at + 1],
		(model->n_vms - at - 1) * sizeof(struct vm *));
	model->n_vms--;
	model->n_ended--;
}

static int tell_forgotten(struct model *model, const struct vm *vm, const struct kes_record *r)
{
	struct event event = model_event(EVENT_FORGOTTEN, vm, r);

	return model_emit(model, &event);
}

static int forget(struct model *model, size_t at, const struct kes_record *r)
{
	int ret = tell_forgotten(model, model->vms[at], r);

	model->totals.forgotten_lost += vm_lost(model->vms[at]);
	take_out(model, at);
	model->totals.forgotten++;
	return ret;
}

static void take_back(struct ledger_totals *all, const struct ledger_totals *part)
{
	all->converted -= part->converted;
	all->denied -= part->denied;
	all->refused -= part->refused;
	all->unanswered -= part->unanswered;
	all->no_answer -= part->no_answer;
	all->to_private -= part->to_private;
	all->faults -= part->faults;
	all->vetoed -= part->vetoed; /* the others are counted of VMs only */
}

static int forget_nobodys(struct model *model, const struct vm *vm, const struct kes_record *r)
{
	int ret = tell_forgotten(model, vm, r);

	take_back(&model->totals.ledger, &vm->totals);
	take_out(model, vm_position(model, vm->id));
	return ret;
}

void model_disown(struct model *model, uint32_t id)
{
	struct vm *vm = find_vm(model, id);

	if (vm)
		vm->nobodys = true;
}

static bool has_too_many(const struct model *model)
{
	size_t alive, ended;

	if (!model->n_ended || model->n_ended > model->options.max_ended)
		return model->n_ended;
	if (!model->options.max_ended_bytes)
		return false;
	model_memory(model, &alive, &ended);
	return ended > model->options.max_ended_bytes;
}

/* Ended VMs are kept for their last map, but not without bound. */
static int forget_ended(struct model *model, const struct kes_record *r)
{
	int ret = 0;

	while (!ret && has_too_many(model)) {
		size_t oldest = oldest_ended(model);

		if (oldest == model->n_vms)
			break;
		ret = forget(model, oldest, r);
	}
	return ret;
}

int model_bound_ended(struct model *model, size_t bytes)
{
	const struct kes_record now = {.ts_ns = model->now_ns};

	model->options.max_ended_bytes = bytes;
	return forget_ended(model, &now);
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
	struct event event = model_event(EVENT_VM_NEW, vm, r);

	if (!vm->known)
		forget_process(model, r->vm_new.pid);
	vm->known = true;
	vm->revision++;
	vm->pid = r->vm_new.pid;
	vm->uid = r->vm_new.uid;
	vm->type = r->vm_new.type;
	vm->cgroup = r->vm_new.cgroup;
	memcpy(vm->comm, r->vm_new.comm, KES_COMM_LEN);
	/* Born counts only while nothing was said of its pages: a map that began with unknown pages
	 * keeps them. */
	if (r->flags & KES_F_BORN && !vm->planes[PLANE_GUEST])
		vm->born = true;
	return model_emit(model, &event);
}

static int on_vm_end(struct model *model, struct vm *vm, const struct kes_record *r)
{
	struct event event = model_event(EVENT_VM_END, vm, r);
	int ret;

	if (!vm->alive)
		return 0;
	ret = ledger_close(model, vm, r);
	vm->alive = false;
	vm->end_ns = r->ts_ns;
	vm->sent = r->vm_end.sent;
	model->n_ended++;
	if (!ret)
		ret = model_emit(model, &event);
	if (!ret && vm->nobodys)
		ret = forget_nobodys(model, vm, r);
	return ret ? ret : forget_ended(model, r);
}

static void on_vm_info(struct vm *vm, const struct kes_record *r)
{
	vm->vcpus = r->vm_info.vcpus;
	vm->described = true;
	if (r->vm_info.flags & KES_VM_HAS_ATTRIBUTES)
		vm->host.capable = true;
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
	struct event event = model_event(EVENT_LOSS, vm, r);

	if (r->loss.cause >= KES_CAUSE_MAX || r->loss.total <= lost[r->loss.cause])
		return 0;
	if (!vm && r->loss.cause == KES_CAUSE_UNATTRIBUTED) /* may have been any VM's */
		taint_all(model, r->loss.total - lost[r->loss.cause]);
	lost[r->loss.cause] = r->loss.total;
	if (vm && !vm->lost_since_ns)
		vm->lost_since_ns = vm->last_ns ? vm->last_ns : r->ts_ns;
	event.cause = r->loss.cause;
	event.lost = r->loss.total;
	return model_emit(model, &event);
}

/* ---- the dispatcher ---- */

static int on_time(struct model *model, const struct kes_record *r)
{
	struct event event = model_event(EVENT_TIME, NULL, r);

	return model_emit(model, &event);
}

static int on_host_info(struct model *model, const struct kes_record *r)
{
	struct event event = model_event(EVENT_HOST, NULL, r);

	event.host = &r->host_info;
	return model_emit(model, &event);
}

static int on_resident(struct model *model, const struct vm *vm, const struct kes_record *r)
{
	struct event event = model_event(EVENT_RESIDENT, vm, r);

	event.gpa = r->resident.gfn << 12;
	event.npages = r->resident.npages;
	event.resident = &r->resident;
	return model_emit(model, &event);
}

/* A piece of the path of a policy's file. */
static int on_file(struct model *model, const struct kes_record *r)
{
	const struct kes_text *text = &r->text;
	char **file = &model->files[r->vcpu % KES_FILES], *grown;
	size_t size = *file && r->seq ? strlen(*file) : 0;

	if (text->about != KES_TEXT_FILE || text->size > KES_TEXT_PIECE || r->vcpu >= KES_FILES ||
		r->seq != size || size + text->size > KES_TEXT_LIMIT)
		return 0;
	grown = realloc(*file, size + text->size + 1);
	if (!grown)
		return -ENOMEM;
	memcpy(grown + size, text->bytes, text->size);
	grown[size + text->size] = '\0';
	*file = grown;
	return 0;
}

/* It tells what was decided; what came of it is told by others, or, if it was refused, by nobody.
 */
static int on_verdict(struct model *model, struct vm *vm, const struct kes_record *r)
{
	struct event event = model_event(EVENT_VERDICT, vm, r);
	const struct kes_judgement *judgement = &r->judgement;

	event.gpa = judgement->gpa;
	event.npages = judgement->npages;
	event.attrs = judgement->attrs;
	event.nr = judgement->nr;
	event.judgement = judgement;
	event.judged = r->flags;
	event.to = r->flags & KES_F_UNREADABLE ? PAGE_UNKNOWN
		   : r->flags & KES_F_CHANGE
			   ? (judgement->attrs & KES_ATTRIBUTE_PRIVATE ? PAGE_PRIVATE : PAGE_SHARED)
			   : conversion_target(model->options.abi, judgement->attrs);
	if (judgement->line)
		event.policy_file = model->files[judgement->file];
	if (judgement->would_line)
		event.would_file = model->files[judgement->would_file];
	/* set 0 is a proof's */
	if (judgement->set && judgement->action >= KES_DENY && r->kind == KES_VERDICT) {
		vm->totals.vetoed++;
		model->totals.ledger.vetoed++;
	}
	return model_emit(model, &event);
}

static int apply_to_host(struct model *model, const struct kes_record *r)
{
	switch (r->kind) {
	case KES_TEXT:
		return on_file(model, r);
	case KES_TIME:
		return on_time(model, r);
	case KES_HOST_INFO:
		return on_host_info(model, r);
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
	if (r->ts_ns > model->now_ns)
		model->now_ns = r->ts_ns;
	if (!r->vm)
		return apply_to_host(model, r);
	vm = find_vm(model, r->vm);
	if (!vm) {
		if (r->kind == KES_COUNT || r->kind == KES_LOSS || r->kind == KES_RESIDENT)
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
		return vm_memslot(vm, r);
	case KES_REQUEST:
		return ledger_request(model, vm, r);
	case KES_ANSWER:
		return ledger_answer(model, vm, r);
	case KES_REFUSED:
		return ledger_refused(model, vm, r);
	case KES_FAULT:
		return ledger_fault(model, vm, r);
	case KES_ATTRS:
		return changes_attributes(model, vm, r);
	case KES_ATTRS_BEGIN:
		return host_begin(vm, r);
	case KES_SNAPSHOT:
		return changes_snapshot(model, vm, r);
	case KES_PAGES:
		return host_pages(vm, r);
	case KES_RESET:
		return changes_reset(model, vm, r);
	case KES_VM_INFO:
		on_vm_info(vm, r);
		return 0;
	case KES_TEXT:
		vm_text(vm, r);
		return 0;
	case KES_RESIDENT:
		return on_resident(model, vm, r);
	case KES_VERDICT:
	case KES_REACTION:
		return on_verdict(model, vm, r);
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
	for (size_t i = 0; i < KES_FILES; i++)
		free(model->files[i]);
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

const struct vm *model_find(const struct model *model, uint32_t id)
{
	size_t at = vm_position(model, id);

	return at < model->n_vms && model->vms[at]->id == id ? model->vms[at] : NULL;
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

uint64_t model_now(const struct model *model)
{
	return model->now_ns;
}

size_t model_max_ended(const struct model *model)
{
	return model->options.max_ended;
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
