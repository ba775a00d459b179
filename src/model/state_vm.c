/* SPDX-License-Identifier: GPL-2.0-only */
/* One VM, to bytes and back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/state_private.h"

/* Whoever adds a field names it below and raises STATE_VERSION in state.c; then this is right. */
_Static_assert(sizeof(struct vm) == 8872 && sizeof(struct request) == 72 &&
		       sizeof(struct change) == 80 && sizeof(struct reading) == 64 &&
		       sizeof(struct memslot) == 32 && sizeof(struct dispute) == 40,
	"a VM has fields that its state may lack");

/* ---- ranges of frames ---- */

static void code_range(struct codec *codec, uint64_t *gfn, uint64_t *npages)
{
	CODE_UPTO(codec, *gfn, PAGEMAP_FRAMES - 1);
	CODE_UPTO(codec, *npages, PAGEMAP_FRAMES);
	codec_check(codec, *npages && *npages <= PAGEMAP_FRAMES - *gfn,
		"a range of frames leaves the map");
}

/* Its maximal runs of one state, from frame 0 on. */
static void save_map(struct codec *codec, const struct pagemap *map)
{
	for (uint64_t gfn = 0, npages; gfn < PAGEMAP_FRAMES; gfn += npages) {
		enum page_state state = PAGE_UNKNOWN;

		npages = pagemap_run(map, gfn, PAGEMAP_FRAMES, &state);
		codec_value(codec, npages << 2 | state, UINT64_MAX);
	}
}

static void load_map(struct codec *codec, struct pagemap **ret, size_t *maps_bytes)
{
	enum page_state initial = PAGE_STATES, before = PAGE_STATES;

	for (uint64_t gfn = 0, npages; gfn < PAGEMAP_FRAMES && !codec->error; gfn += npages) {
		uint64_t run = codec_value(codec, 0, PAGEMAP_FRAMES << 2 | 3);
		enum page_state state = run & 3;

		npages = run >> 2;
		codec_check(codec,
			state < PAGE_STATES && state != before && npages &&
				npages <= PAGEMAP_FRAMES - gfn,
			"a page map makes no sense");
		if (!codec->error && !*ret)
			codec_fail(codec, pagemap_new(ret, initial = state), "out of memory");
		if (!codec->error && state != initial)
			codec_fail(codec, pagemap_set(*ret, gfn, npages, state), "out of memory");
		codec_check(codec, *ret && pagemap_memory(*ret) <= *maps_bytes,
			"its page maps take too much memory");
		before = state;
	}
	*maps_bytes -= codec->error ? 0 : pagemap_memory(*ret);
}

static void code_map(struct codec *codec, struct pagemap **map, size_t *maps_bytes)
{
	bool there = *map;

	CODE(codec, there);
	if (!there)
		return;
	if (codec_loads(codec))
		load_map(codec, map, maps_bytes);
	else
		save_map(codec, *map);
}

/* ---- who it is ---- */

static void code_texts(struct codec *codec, struct vm *vm)
{
	codec_bytes(codec, vm->comm, KES_COMM_LEN);
	for (size_t i = 0; i < KES_TEXT_MAX; i++) {
		CODE_UPTO(codec, vm->text_size[i], KES_TEXT_LIMIT);
		codec_bytes(codec, vm->text[i], vm->text_size[i]);
	}
	CODE(codec, vm->name_cut);
}

static void code_identity(struct codec *codec, struct vm *vm)
{
	CODE(codec, vm->pid);
	CODE(codec, vm->uid);
	CODE(codec, vm->type);
	CODE(codec, vm->cgroup);
	code_texts(codec, vm);
	CODE(codec, vm->revision);
	CODE(codec, vm->known);
	CODE(codec, vm->born);
	CODE(codec, vm->vcpus);
	CODE(codec, vm->alive);
	CODE(codec, vm->finished);
	CODE(codec, vm->abi_doubt);
	CODE(codec, vm->last_ns);
	CODE(codec, vm->end_ns);
}

/* ---- memory ---- */

static void code_memslot(struct codec *codec, struct memslot *slot)
{
	code_range(codec, &slot->gfn, &slot->npages);
	CODE(codec, slot->since_ns);
	CODE(codec, slot->slot);
	CODE(codec, slot->flags);
}

static void code_memory(struct codec *codec, struct vm *vm)
{
	CODE_LIST(codec, vm->memslots, vm->n_memslots, VM_MEMSLOTS_MAX);
	for (size_t i = 0; i < vm->n_memslots; i++) {
		code_memslot(codec, &vm->memslots[i]);
		codec_check(codec, !i || vm->memslots[i - 1].gfn <= vm->memslots[i].gfn,
			"its memslots are not in order");
	}
	CODE_LIST(codec, vm->snapshot, vm->n_snapshot, VM_MEMSLOTS_MAX);
	for (size_t i = 0; i < vm->n_snapshot; i++)
		code_memslot(codec, &vm->snapshot[i]);
	CODE_UPTO(codec, vm->snapshot_total, VM_MEMSLOTS_MAX);
	CODE(codec, vm->snapshot_generation);
}

/* ---- the host plane ---- */

static void code_change(struct codec *codec, struct change *change)
{
	CODE_UPTO(codec, change->gfn, UINT64_MAX >> 12);
	CODE_UPTO(codec, change->npages, PAGEMAP_FRAMES);
	codec_check(codec,
		!change->npages || (change->gfn < PAGEMAP_FRAMES &&
					   change->npages <= PAGEMAP_FRAMES - change->gfn),
		"a change leaves the map");
	CODE_UPTO(codec, change->to, PAGE_STATES - 1);
	CODE(codec, change->begin);
	CODE(codec, change->begin_ns);
	CODE(codec, change->tid);
	CODE(codec, change->already);
	CODE(codec, change->locked);
	CODE(codec, change->stored);
	CODE(codec, change->doubted);
	CODE(codec, change->touched);
	CODE(codec, change->touched_end);
	codec_check(codec,
		change->touched <= change->touched_end &&
			(change->touched == change->touched_end ||
				change->touched_end <= PAGEMAP_FRAMES),
		"a change was touched where it is not");
}

static void code_settled(struct codec *codec, struct reading *reading)
{
	size_t n = reading->n_settled, size = 64;

	codec_list(
		codec, (void **)&reading->settled, &n, HOST_MAX_SETTLED, sizeof(*reading->settled));
	if (codec_loads(codec) && n) {
		/* Its room tells when there are too many: it has to grow as it would have. */
		struct settled *grown;

		while (size < n)
			size *= 2;
		grown = reallocarray(reading->settled, size, sizeof(*grown));
		if (!grown) {
			codec_fail(codec, -ENOMEM, "out of memory");
			return;
		}
		reading->settled = grown;
		reading->size_settled = size;
		reading->n_settled = n;
	}
	for (size_t i = 0; i < n; i++) {
		code_range(codec, &reading->settled[i].gfn, &reading->settled[i].npages);
		CODE_UPTO(codec, reading->settled[i].to, PAGE_STATES - 1);
	}
}

static void code_reading(struct codec *codec, struct reading *reading, size_t *maps_bytes)
{
	code_map(codec, &reading->map, maps_bytes);
	CODE(codec, reading->number);
	CODE(codec, reading->pages);
	CODE(codec, reading->lost);
	CODE(codec, reading->bad);
	code_settled(codec, reading);
}

static void code_host(struct codec *codec, struct host_plane *host, size_t *maps_bytes)
{
	CODE(codec, host->capable);
	CODE(codec, host->known);
	CODE(codec, host->doubt);
	CODE(codec, host->forgiven);
	CODE(codec, host->read_ns);
	CODE(codec, host->readings);
	CODE(codec, host->attributes);
	CODE_UPTO(codec, host->n_changes, HOST_MAX_CHANGES);
	for (size_t i = 0; i < host->n_changes; i++)
		code_change(codec, &host->changes[i]);
	code_reading(codec, &host->reading, maps_bytes);
}

static void code_disputes(struct codec *codec, struct disputes *disputes)
{
	CODE_LIST(codec, disputes->list, disputes->n, DISPUTES_MAX);
	if (codec_loads(codec))
		disputes->size = disputes->n;
	for (size_t i = 0; i < disputes->n; i++) {
		struct dispute *dispute = &disputes->list[i];

		code_range(codec, &dispute->gfn, &dispute->npages);
		codec_check(codec, !i || dispute[-1].gfn + dispute[-1].npages <= dispute->gfn,
			"its differences are not in order");
		CODE(codec, dispute->mover.ts_ns);
		CODE_UPTO(codec, dispute->mover.plane, PLANES - 1);
		CODE(codec, dispute->mover.actor);
		CODE(codec, dispute->mover.reset);
		CODE(codec, dispute->mover.found);
	}
	CODE(codec, disputes->cut);
}

/* ---- the guest ---- */

static void code_left(struct codec *codec, struct left_shared *left)
{
	CODE(codec, left->ts_ns);
	CODE(codec, left->pages);
	CODE_UPTO(codec, left->n, VM_LEFT_SHARED);
	for (size_t i = 0; i < left->n; i++)
		code_range(codec, &left->ranges[i].gfn, &left->ranges[i].npages);
}

static void code_fault(struct codec *codec, struct fault *fault)
{
	CODE(codec, fault->gfn);
	CODE(codec, fault->npages);
	CODE_UPTO(codec, fault->to, PAGE_STATES - 1);
}

static void code_request(struct codec *codec, struct request *request)
{
	CODE(codec, request->gpa);
	CODE(codec, request->npages);
	CODE(codec, request->attrs);
	CODE(codec, request->ts_ns);
	CODE(codec, request->seq);
	CODE(codec, request->vcpu);
	CODE(codec, request->open);
	CODE(codec, request->unhooked);
	code_fault(codec, &request->fault);
}

static void code_guest(struct codec *codec, struct vm *vm)
{
	code_left(codec, &vm->left);
	CODE(codec, vm->resets);
	CODE(codec, vm->streak.shared);
	CODE(codec, vm->streak.privatised);
	CODE(codec, vm->streak.conversions);
	CODE(codec, vm->streak.told);
	for (size_t i = 0; i < VM_FAULTS; i++)
		code_fault(codec, &vm->faults[i]);
	CODE(codec, vm->n_faults);
	CODE_LIST(codec, vm->requests, vm->n_requests, UINT16_MAX + 1);
	for (size_t i = 0; i < vm->n_requests; i++) {
		code_request(codec, &vm->requests[i]);
		codec_check(codec, !i || vm->requests[i - 1].vcpu < vm->requests[i].vcpu,
			"its vCPUs are not in order");
	}
}

/* ---- numbers ---- */

void state_counters(struct codec *codec, struct vm_counters *counters)
{
	CODE_ARRAY(codec, counters->exits);
	CODE_ARRAY(codec, counters->exit_errors);
	CODE_ARRAY(codec, counters->hypercalls);
}

void state_ledger(struct codec *codec, struct ledger_totals *totals)
{
	CODE(codec, totals->converted);
	CODE(codec, totals->denied);
	CODE(codec, totals->refused);
	CODE(codec, totals->unanswered);
	CODE(codec, totals->no_answer);
	CODE(codec, totals->to_private);
	CODE(codec, totals->faults);
	CODE(codec, totals->vetoed);
	CODE(codec, totals->attributes);
	CODE(codec, totals->uncommitted);
}

static void code_trust(struct codec *codec, struct vm *vm)
{
	CODE(codec, vm->seen);
	CODE(codec, vm->next_seq);
	CODE(codec, vm->gap_seen);
	CODE_ARRAY(codec, vm->lost);
	CODE(codec, vm->lost_since_ns);
	CODE(codec, vm->tainted);
	CODE(codec, vm->forgiven);
	CODE(codec, vm->unseen);
	CODE(codec, vm->sent);
}

static void count_shared(struct vm *vm)
{
	uint64_t counts[PAGE_STATES] = {};

	if (vm->planes[PLANE_GUEST])
		pagemap_count(vm->planes[PLANE_GUEST], 0, PAGEMAP_FRAMES, counts);
	vm->shared = counts[PAGE_SHARED];
}

void state_vm(struct codec *codec, struct vm *vm, size_t *maps_bytes)
{
	code_identity(codec, vm);
	code_memory(codec, vm);
	for (int plane = 0; plane < PLANES; plane++)
		code_map(codec, &vm->planes[plane], maps_bytes);
	CODE(codec, vm->already);
	code_host(codec, &vm->host, maps_bytes);
	code_disputes(codec, &vm->disputes);
	code_guest(codec, vm);
	state_ledger(codec, &vm->totals);
	state_counters(codec, &vm->counters);
	code_trust(codec, vm);
	if (codec_loads(codec) && !codec->error)
		count_shared(vm);
}
