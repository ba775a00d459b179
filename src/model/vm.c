/* SPDX-License-Identifier: GPL-2.0-only */
#include "model/vm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h> /* MIN, MAX */

#include "base/cleanup.h"
#include "base/place.h"

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
	if (*vm->text[KES_TEXT_NAME])
		snprintf(buffer, size, "%s%s", vm->text[KES_TEXT_NAME], vm->name_cut ? "..." : "");
	else
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
	host_free(&vm->host);
	disputes_free(&vm->disputes);
	free(vm->memslots);
	free(vm->snapshot);
	free(vm->requests);
	free(vm);
	*pointer = NULL;
}

size_t vm_memory(const struct vm *vm)
{
	size_t bytes = sizeof(*vm) + vm->disputes.size * sizeof(*vm->disputes.list) +
		       vm->n_memslots * sizeof(*vm->memslots);

	for (int i = 0; i < PLANES; i++)
		bytes += vm->planes[i] ? pagemap_memory(vm->planes[i]) : 0;
	return bytes;
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

static enum confidence host_confidence(const struct vm *vm)
{
	if (vm_lost(vm) > vm->host.forgiven)
		return CONFIDENCE_STALE;
	return vm->host.known && !vm->host.doubt && !host_is_changing(vm) ? CONFIDENCE_EXACT
									  : CONFIDENCE_PARTIAL;
}

enum confidence vm_confidence(const struct vm *vm, enum plane plane)
{
	if (plane == PLANE_HOST)
		return host_confidence(vm);
	if (vm_lost(vm) > vm->forgiven || vm->tainted)
		return CONFIDENCE_STALE;
	return vm->born && !vm->unseen ? CONFIDENCE_EXACT : CONFIDENCE_PARTIAL;
}

bool vm_has_map(const struct vm *vm)
{
	return vm->planes[PLANE_GUEST] || (vm->known && vm->type != KES_VM_DEFAULT);
}

bool vm_has_host_plane(const struct vm *vm)
{
	return vm->host.capable;
}

/* ---- planes ---- */

enum page_state vm_initial_state(const struct vm *vm, enum plane plane)
{
	if (plane == PLANE_HOST)
		return vm->host.known ? PAGE_SHARED : PAGE_UNKNOWN;
	return vm->born ? PAGE_PRIVATE : PAGE_UNKNOWN;
}

int vm_plane(struct vm *vm, enum plane plane, struct pagemap **ret)
{
	if (!vm->planes[plane]) {
		int r = pagemap_new(&vm->planes[plane], vm_initial_state(vm, plane));

		if (r)
			return r;
	}
	*ret = vm->planes[plane];
	return 0;
}

uint64_t vm_run(const struct vm *vm, enum plane plane, uint64_t gfn, uint64_t end,
	enum page_state *ret_state)
{
	if (vm->planes[plane])
		return pagemap_run(vm->planes[plane], gfn, end, ret_state);
	*ret_state = vm_initial_state(vm, plane);
	return end - gfn;
}

int vm_set_pages(struct vm *vm, enum plane plane, uint64_t gfn, uint64_t npages,
	enum page_state state, const struct mover *mover)
{
	uint64_t counts[PAGE_STATES] = {};
	struct pagemap *map;
	int r = vm_plane(vm, plane, &map);

	vm->already = 0;
	if (r || gfn >= PAGEMAP_FRAMES || !npages)
		return r;
	if (npages > PAGEMAP_FRAMES - gfn)
		npages = PAGEMAP_FRAMES - gfn;
	r = disputes_update(vm, plane, gfn, npages, state, mover);
	if (r)
		return r;
	pagemap_count(map, gfn, npages, counts);
	r = pagemap_set(map, gfn, npages, state);
	if (r)
		return r;
	vm->already = counts[state];
	if (plane == PLANE_GUEST)
		vm->shared += (state == PAGE_SHARED ? npages : 0) - counts[PAGE_SHARED];
	return 0;
}

/* ---- reset ---- */

static int keep_shared(void *context, uint64_t gfn, uint64_t npages, enum page_state state)
{
	struct left_shared *left = context;

	if (state != PAGE_SHARED)
		return 0;
	left->pages += npages;
	if (left->n < VM_LEFT_SHARED)
		left->ranges[left->n++] = (struct page_range){gfn, npages};
	return 0;
}

int vm_reset(struct vm *vm, uint64_t ts_ns, uint64_t lost)
{
	struct mover mover = {.ts_ns = ts_ns, .plane = PLANE_GUEST, .reset = true};
	struct left_shared left = {.ts_ns = ts_ns};
	int r = 0;

	if (vm->planes[PLANE_GUEST])
		vm_ranges(vm, PLANE_GUEST, keep_shared, &left);
	if (vm->planes[PLANE_GUEST] || vm->host.known)
		r = vm_set_pages(vm, PLANE_GUEST, 0, PAGEMAP_FRAMES, PAGE_PRIVATE, &mover);
	if (r)
		return r;
	vm->left = left;
	vm->resets++;
	vm->born = true;
	vm->forgiven = lost;
	vm->tainted = vm->unseen = 0;
	vm->streak = (struct streak){};
	return 0;
}

/* ---- ranges ---- */

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
	int r = 0;

	while (gfn < end && !r) {
		enum page_state state;
		uint64_t npages = vm_run(vm, plane, gfn, end, &state);

		if (state != skip)
			r = join(joiner, gfn, npages, state);
		gfn += npages;
	}
	return r;
}

int vm_ranges(const struct vm *vm, enum plane plane, range_fn fn, void *context)
{
	struct joiner joiner = {.fn = fn, .context = context};
	enum page_state initial = vm_initial_state(vm, plane);
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

/* The same frames as vm_ranges() has, and not by looking at them: what is not in the initial state
 * counts wherever it is, and what is outside of the memslots is next to nothing. */
void vm_count(const struct vm *vm, enum plane plane, uint64_t ret_counts[PAGE_STATES])
{
	enum page_state initial = vm_initial_state(vm, plane);
	const struct pagemap *map = vm->planes[plane];
	uint64_t gfn = 0, inside = 0, outside = 0;

	memset(ret_counts, 0, PAGE_STATES * sizeof(*ret_counts));
	for (size_t i = 0; i < vm->n_memslots; i++) {
		const struct memslot *slot = &vm->memslots[i];
		uint64_t start = MAX(slot->gfn, gfn), end = MAX(slot->gfn + slot->npages, start);

		inside += end - start;
		if (map)
			outside += pagemap_others(map, gfn, start - gfn, initial);
		gfn = end;
	}
	ret_counts[initial] = inside;
	if (!map)
		return;
	outside += pagemap_others(map, gfn, PAGEMAP_FRAMES - MIN(gfn, PAGEMAP_FRAMES), initial);
	for (enum page_state state = 0; state < PAGE_STATES; state++)
		if (state != initial) {
			ret_counts[state] = pagemap_total(map, state);
			ret_counts[initial] -= ret_counts[state];
		}
	ret_counts[initial] += outside;
}

uint64_t vm_count_range(const struct vm *vm, enum plane plane, uint64_t gfn, uint64_t npages,
	uint64_t ret_counts[PAGE_STATES])
{
	uint64_t end = npages > UINT64_MAX - gfn ? UINT64_MAX : gfn + npages, in_memory = 0;

	memset(ret_counts, 0, PAGE_STATES * sizeof(*ret_counts));
	for (size_t i = 0; i < vm->n_memslots; i++) {
		uint64_t from = MAX(gfn, vm->memslots[i].gfn);
		uint64_t stop = MIN(end, vm->memslots[i].gfn + vm->memslots[i].npages);

		if (from >= stop)
			continue;
		in_memory += stop - from;
		if (vm->planes[plane])
			pagemap_count(vm->planes[plane], from, stop - from, ret_counts);
		else
			ret_counts[vm_initial_state(vm, plane)] += stop - from;
	}
	return in_memory;
}

/* Memslots are sorted by gfn, but those of different address spaces may overlap. */
uint64_t vm_count_outside(const struct vm *vm, uint64_t gfn, uint64_t npages)
{
	uint64_t end = npages > UINT64_MAX - gfn ? UINT64_MAX : gfn + npages, outside = 0;

	for (size_t i = 0; i < vm->n_memslots && gfn < end; i++) {
		const struct memslot *slot = &vm->memslots[i];

		if (slot->gfn >= end)
			break;
		if (slot->gfn > gfn)
			outside += slot->gfn - gfn;
		gfn = MAX(gfn, MAX(slot->gfn, slot->gfn + slot->npages));
	}
	return gfn < end ? outside + end - gfn : outside;
}

uint64_t vm_memory_pages(const struct vm *vm)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < vm->n_memslots; i++)
		pages += vm->memslots[i].npages;
	return pages;
}

/* ---- texts ---- */

void vm_text(struct vm *vm, const struct kes_record *record)
{
	const struct kes_text *text = &record->text;
	size_t *size;

	if (text->about >= KES_TEXT_MAX || text->size > KES_TEXT_PIECE)
		return;
	size = &vm->text_size[text->about];
	if (!record->seq)
		*size = 0;
	if (record->seq != *size || *size + text->size > KES_TEXT_LIMIT)
		return;
	vm->revision++;
	memcpy(vm->text[text->about] + *size, text->bytes, text->size);
	*size += text->size;
	vm->text[text->about][*size] = '\0';
	if (text->about == KES_TEXT_NAME)
		vm->name_cut = text->cut;
}

/* ---- memslots ---- */

static int compare_memslots(const void *a, const void *b)
{
	const struct memslot *x = a, *y = b;

	return (x->gfn > y->gfn) - (x->gfn < y->gfn);
}

/* Of memory that was not there until now, since when; both lists are sorted. */
static void date_memslots(const struct vm *vm, struct memslot *slots, size_t n, uint64_t ts_ns)
{
	size_t old = 0;

	for (size_t i = 0; i < n && vm->n_memslots; i++) {
		const struct memslot *known;

		while (old < vm->n_memslots && vm->memslots[old].gfn < slots[i].gfn)
			old++;
		known = old < vm->n_memslots ? &vm->memslots[old] : NULL;
		slots[i].since_ns =
			known && known->gfn == slots[i].gfn && known->npages == slots[i].npages
				? known->since_ns
				: ts_ns;
	}
}

int vm_memslot(struct vm *vm, const struct kes_record *r)
{
	const struct kes_memslot *record = &r->memslot;
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
		record->total != vm->snapshot_total || record->total > VM_MEMSLOTS_MAX ||
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
	date_memslots(vm, grown, vm->n_snapshot, r->ts_ns);
	free(vm->memslots);
	vm->memslots = TAKE_PTR(vm->snapshot);
	vm->n_memslots = vm->n_snapshot;
	vm->n_snapshot = vm->snapshot_total = 0;
	return 0;
}

/* ---- ledger ---- */

struct request *vm_request(struct vm *vm, uint16_t vcpu)
{
	size_t at = PLACE(vm->n_requests, i, vm->requests[i].vcpu < vcpu);
	struct request *grown;

	if (at < vm->n_requests && vm->requests[at].vcpu == vcpu)
		return &vm->requests[at];
	grown = reallocarray(vm->requests, vm->n_requests + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	vm->requests = grown;
	memmove(&grown[at + 1], &grown[at], (vm->n_requests - at) * sizeof(*grown));
	vm->n_requests++;
	grown[at] = (struct request){.vcpu = vcpu};
	return &grown[at];
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
