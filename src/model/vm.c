/* SPDX-License-Identifier: GPL-2.0-only */
#include "model/vm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define MAX_MEMSLOTS 32764 /* KVM's own limit on x86 is KVM_USER_MEM_SLOTS, 32764 at the most */

/* vCPUs take their sequence numbers and their places on the ring in two steps, so neighbours may
 * swap; a gap that so many records did not close is a loss. */
#define REORDER_RECORDS 4096

const char *plane_name(enum plane plane)
{
	static const char *const names[] = {[PLANE_GUEST] = "guest", [PLANE_HOST] = "host"};
	_Static_assert(ARRAY_SIZE(names) == PLANES, "a name for each plane");

	return names[plane];
}

const char *confidence_name(enum confidence confidence)
{
	static const char *const names[] = {
		[CONFIDENCE_EXACT] = "exact",
		[CONFIDENCE_PARTIAL] = "partial",
		[CONFIDENCE_STALE] = "stale",
	};
	_Static_assert(ARRAY_SIZE(names) == CONFIDENCES, "a name for each confidence");

	return names[confidence];
}

const char *vm_type_name(uint32_t type, char buffer[16])
{
	static const char *const names[] = {
		[KES_VM_DEFAULT] = "default",
		[KES_VM_SW_PROTECTED] = "sw-protected",
		[KES_VM_SEV] = "sev",
		[KES_VM_SEV_ES] = "sev-es",
		[KES_VM_SNP] = "snp",
		[KES_VM_TDX] = "tdx",
	};
	_Static_assert(ARRAY_SIZE(names) == KES_VM_TYPE_MAX, "a name for each type");

	if (type < ARRAY_SIZE(names))
		return names[type];
	snprintf(buffer, 16, "type-%u", type);
	return buffer;
}

void vm_name(const struct vm *vm, char *buffer, size_t size)
{
	snprintf(buffer, size, "%s[%u]", vm->known ? vm->comm : "?", vm->pid);
}

/* ---- life ---- */

struct vm *vm_new(uint32_t id)
{
	struct vm *vm = calloc(1, sizeof(*vm));

	if (vm) {
		vm->id = id;
		vm->alive = true;
	}
	return vm;
}

void vm_free(struct vm **pointer)
{
	struct vm *vm = *pointer;

	if (!vm)
		return;
	for (int i = 0; i < PLANES; i++)
		pagemap_free(&vm->planes[i]);
	free(vm->memslots);
	free(vm->snapshot);
	free(vm->requests);
	free(vm);
	*pointer = NULL;
}

/* ---- trust ---- */

uint64_t vm_lost(const struct vm *vm)
{
	uint64_t counted = 0, missing = vm->next_seq > vm->seen ? vm->next_seq - vm->seen : 0;

	for (int i = 0; i < KES_CAUSE_MAX; i++)
		if (i != KES_CAUSE_COUNTS_FULL)
			counted += vm->lost[i];
	if (vm->alive && !vm->finished && vm->seen - vm->gap_seen < REORDER_RECORDS)
		missing = 0; /* may yet come */
	return counted > missing ? counted : missing;
}

enum confidence vm_confidence(const struct vm *vm, enum plane plane)
{
	if (vm_lost(vm) || vm->tainted)
		return CONFIDENCE_STALE;
	if (plane == PLANE_HOST)
		return CONFIDENCE_PARTIAL; /* nothing has read it back yet */
	return vm->born && !vm->totals.no_answer ? CONFIDENCE_EXACT : CONFIDENCE_PARTIAL;
}

bool vm_has_map(const struct vm *vm)
{
	return vm->planes[PLANE_GUEST] || (vm->known && vm->type != KES_VM_DEFAULT);
}

/* ---- planes ---- */

/* What a page is that nobody said anything about. */
static enum page_state initial_state(const struct vm *vm, enum plane plane)
{
	return plane == PLANE_GUEST && vm->born ? PAGE_PRIVATE : PAGE_UNKNOWN;
}

int vm_plane(struct vm *vm, enum plane plane, struct pagemap **ret)
{
	if (!vm->planes[plane]) {
		int r = pagemap_new(&vm->planes[plane], initial_state(vm, plane));

		if (r)
			return r;
	}
	*ret = vm->planes[plane];
	return 0;
}

/* Joins ranges that touch and are of one state, across the borders of memslots. */
struct joiner {
	range_fn fn;
	void *context;
	uint64_t gfn, npages;
	enum page_state state;
};

static int join_flush(struct joiner *joiner)
{
	uint64_t npages = joiner->npages;

	joiner->npages = 0;
	return npages ? joiner->fn(joiner->context, joiner->gfn, npages, joiner->state) : 0;
}

static int join(struct joiner *joiner, uint64_t gfn, uint64_t npages, enum page_state state)
{
	int r;

	if (joiner->npages && joiner->state == state && joiner->gfn + joiner->npages == gfn) {
		joiner->npages += npages;
		return 0;
	}
	r = join_flush(joiner);
	joiner->gfn = gfn;
	joiner->npages = npages;
	joiner->state = state;
	return r;
}

/* The runs in [gfn, end); those in skip are left out (PAGE_STATES: none is). */
static int join_runs(const struct vm *vm, enum plane plane, uint64_t gfn, uint64_t end,
	enum page_state skip, struct joiner *joiner)
{
	const struct pagemap *map = vm->planes[plane];
	int r = 0;

	while (gfn < end && !r) {
		enum page_state state = initial_state(vm, plane);
		uint64_t npages = map ? pagemap_run(map, gfn, end, &state) : end - gfn;

		if (state != skip)
			r = join(joiner, gfn, npages, state);
		gfn += npages;
	}
	return r;
}

int vm_ranges(const struct vm *vm, enum plane plane, range_fn fn, void *context)
{
	struct joiner joiner = {.fn = fn, .context = context};
	enum page_state initial = initial_state(vm, plane);
	uint64_t gfn = 0;
	int r = 0;

	for (size_t i = 0; i < vm->n_memslots && !r; i++) {
		const struct memslot *slot = &vm->memslots[i];
		uint64_t end = slot->gfn + slot->npages;

		if (slot->gfn > gfn)
			r = join_runs(vm, plane, gfn, slot->gfn, initial, &joiner);
		if (!r && end > gfn)
			r = join_runs(vm, plane, slot->gfn > gfn ? slot->gfn : gfn, end,
				PAGE_STATES, &joiner);
		gfn = end > gfn ? end : gfn;
	}
	if (!r)
		r = join_runs(vm, plane, gfn, PAGEMAP_FRAMES, initial, &joiner);
	return r ? r : join_flush(&joiner);
}

static int add_range(void *context, uint64_t gfn, uint64_t npages, enum page_state state)
{
	uint64_t *counts = context;

	(void)gfn;
	counts[state] += npages;
	return 0;
}

void vm_count(const struct vm *vm, enum plane plane, uint64_t ret_counts[PAGE_STATES])
{
	memset(ret_counts, 0, PAGE_STATES * sizeof(*ret_counts));
	vm_ranges(vm, plane, add_range, ret_counts);
}

uint64_t vm_memory_pages(const struct vm *vm)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < vm->n_memslots; i++)
		pages += vm->memslots[i].npages;
	return pages;
}

/* ---- memslots ---- */

static int compare_memslots(const void *a, const void *b)
{
	const struct memslot *x = a, *y = b;

	return (x->gfn > y->gfn) - (x->gfn < y->gfn);
}

int vm_memslot(struct vm *vm, const struct kes_memslot *record)
{
	struct memslot *grown;

	if (!record->total) { /* it has none */
		vm->n_memslots = vm->n_snapshot = vm->snapshot_total = 0;
		return 0;
	}
	if (record->index == 0) {
		vm->n_snapshot = 0;
		vm->snapshot_total = record->total;
		vm->snapshot_generation = record->generation;
	}
	if (record->generation != vm->snapshot_generation || record->index != vm->n_snapshot ||
		record->total != vm->snapshot_total || record->total > MAX_MEMSLOTS ||
		record->index >= record->total || !record->npages ||
		record->npages > PAGEMAP_FRAMES || record->gfn > PAGEMAP_FRAMES - record->npages) {
		vm->snapshot_total =
			0; /* a piece is missing or makes no sense: wait for the next one */
		return 0;
	}
	grown = reallocarray(vm->snapshot, vm->n_snapshot + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	vm->snapshot = grown;
	grown[vm->n_snapshot++] = (struct memslot){
		.gfn = record->gfn,
		.npages = record->npages,
		.slot = record->slot,
		.flags = record->flags,
	};
	if (vm->n_snapshot < vm->snapshot_total)
		return 0;
	qsort(grown, vm->n_snapshot, sizeof(*grown), compare_memslots);
	free(vm->memslots);
	vm->memslots = TAKE_PTR(vm->snapshot);
	vm->n_memslots = vm->n_snapshot;
	vm->n_snapshot = vm->snapshot_total = 0;
	return 0;
}

/* ---- ledger ---- */

struct request *vm_request(struct vm *vm, uint16_t vcpu)
{
	size_t low = 0, high = vm->n_requests;
	struct request *grown;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (vm->requests[middle].vcpu == vcpu)
			return &vm->requests[middle];
		if (vm->requests[middle].vcpu > vcpu)
			high = middle;
		else
			low = middle + 1;
	}
	grown = reallocarray(vm->requests, vm->n_requests + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	vm->requests = grown;
	memmove(&grown[low + 1], &grown[low], (vm->n_requests - low) * sizeof(*grown));
	vm->n_requests++;
	grown[low] = (struct request){.vcpu = vcpu};
	return &grown[low];
}

size_t vm_open_requests(const struct vm *vm, uint64_t *ret_oldest_ns)
{
	uint64_t oldest = UINT64_MAX;
	size_t n = 0;

	for (size_t i = 0; i < vm->n_requests; i++)
		if (vm->requests[i].open) {
			n++;
			oldest = vm->requests[i].ts_ns < oldest ? vm->requests[i].ts_ns : oldest;
		}
	*ret_oldest_ns = n ? oldest : 0;
	return n;
}
