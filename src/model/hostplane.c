/* SPDX-License-Identifier: GPL-2.0-only */
#include "model/hostplane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h> /* MIN, MAX */

#include "base/cleanup.h"
#include "kvm_abi.h"
#include "model/vm.h"

#define CHANGING_LONG 1000000000ull /* ns */

enum page_state host_state(uint64_t attributes)
{
	return attributes & KES_ATTRIBUTE_PRIVATE ? PAGE_PRIVATE : PAGE_SHARED;
}

/* ---- what is settled ---- */

static int log_settled(struct reading *reading, uint64_t gfn, uint64_t npages, enum page_state to)
{
	if (!reading->map || reading->bad)
		return 0;
	if (reading->n_settled == reading->size_settled) {
		size_t size = reading->size_settled ? 2 * reading->size_settled : 64;
		struct settled *grown;

		if (size > HOST_MAX_SETTLED) {
			reading->bad = true;
			return 0;
		}
		grown = reallocarray(reading->settled, size, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		reading->settled = grown;
		reading->size_settled = size;
	}
	reading->settled[reading->n_settled++] = (struct settled){gfn, npages, to};
	return 0;
}

static int settle(
	struct vm *vm, uint64_t gfn, uint64_t npages, enum page_state to, const struct mover *mover)
{
	int r = log_settled(&vm->host.reading, gfn, npages, to);

	if (to == PAGE_UNKNOWN)
		vm->host.doubt = true;
	return r ? r : vm_set_pages(vm, PLANE_HOST, gfn, npages, to, mover);
}

static int settle_unknown(struct vm *vm, uint64_t gfn, uint64_t npages)
{
	return npages ? settle(vm, gfn, npages, PAGE_UNKNOWN, NULL) : 0;
}

/* ---- changes ---- */

/* From outside, in bytes: cut to the frames that the map has. */
static void set_range(struct change *change, const struct kes_attrs *attrs)
{
	change->gfn = attrs->gpa >> 12;
	change->npages = attrs->size >> 12;
	if (attrs->size == ~0ull) { /* unreadable: may be anything */
		change->gfn = 0;
		change->npages = PAGEMAP_FRAMES;
	}
	if (change->gfn >= PAGEMAP_FRAMES)
		change->npages = 0;
	else if (change->npages > PAGEMAP_FRAMES - change->gfn)
		change->npages = PAGEMAP_FRAMES - change->gfn;
}

static void touch(struct change *change, uint64_t from, uint64_t end)
{
	if (change->touched == change->touched_end) {
		change->touched = from;
		change->touched_end = end;
	} else {
		change->touched = MIN(change->touched, from);
		change->touched_end = MAX(change->touched_end, end);
	}
}

/* Changes under way without a known order learn what this one has set, or (`to` unknown) may have.
 */
static void touch_others(struct host_plane *host, const struct change *by, enum page_state to)
{
	for (size_t i = 0; i < host->n_changes; i++) {
		struct change *other = &host->changes[i];
		uint64_t from = MAX(other->gfn, by->gfn);
		uint64_t end = MIN(other->gfn + other->npages, by->gfn + by->npages);
		bool same = other->to == to && other->npages != PAGEMAP_FRAMES;
		bool ordered = other->locked && by->locked;

		if (!ordered && from < end && !same)
			touch(other, from, end);
	}
}

/* Whether, or when, the change has set its pages is not known. */
static int settle_doubtful(struct vm *vm, const struct change *change)
{
	touch_others(&vm->host, change, PAGE_UNKNOWN);
	return settle_unknown(vm, change->gfn, change->npages);
}

static void drop_change(struct host_plane *host, size_t i)
{
	host->changes[i] = host->changes[--host->n_changes];
}

/* A thread has one call at a time: an older one of it has ended, unseen. */
static int drop_older(struct vm *vm, uint32_t tid)
{
	for (size_t i = 0; i < vm->host.n_changes; i++) {
		struct change old = vm->host.changes[i];

		if (old.tid != tid)
			continue;
		drop_change(&vm->host, i);
		return settle_doubtful(vm, &old);
	}
	return 0;
}

/* Who has KVM's lock now got it from those that had it before: they have set their pages. */
static void mark_stored(struct host_plane *host)
{
	for (size_t i = 0; i < host->n_changes; i++)
		host->changes[i].stored |= host->changes[i].locked;
}

int host_begin(struct vm *vm, const struct kes_record *r)
{
	struct host_plane *host = &vm->host;
	struct change change = {
		.to = host_state(r->set_attrs.attributes),
		.begin = r->seq + 1,
		.begin_ns = r->ts_ns,
		.tid = r->set_attrs.tid,
		.locked = r->flags & KES_F_LOCKED,
	};
	struct mover mover = {.ts_ns = r->ts_ns, .plane = PLANE_HOST, .actor = change.tid};
	int ret = drop_older(vm, change.tid);

	if (ret)
		return ret;
	set_range(&change, &r->set_attrs);
	host->attributes |= r->set_attrs.attributes;
	if (change.locked)
		mark_stored(host);
	if ((r->flags & KES_F_UNHOOKED) || host->n_changes == HOST_MAX_CHANGES)
		return settle_doubtful(vm, &change); /* its end will not be known */
	if (change.locked && change.npages) {
		touch_others(host, &change, change.to);
		ret = settle(vm, change.gfn, change.npages, change.to, &mover);
		change.already = vm->already;
	}
	host->changes[host->n_changes++] = change;
	return ret;
}

/* A change without a known order has ended well: its pages are what it said, but for those that
 * another one may have set after it. */
static int end_unordered(struct vm *vm, struct change *change, uint64_t now_ns)
{
	struct mover mover = {.ts_ns = now_ns, .plane = PLANE_HOST, .actor = change->tid};
	uint64_t from = MAX(change->touched, change->gfn);
	uint64_t end = MIN(change->touched_end, change->gfn + change->npages);
	int r;

	if (!change->npages)
		return 0;
	r = settle(vm, change->gfn, change->npages, change->to, &mover);
	change->already = vm->already;
	if (!r && from < end)
		r = settle_unknown(vm, from, end - from);
	if (!r)
		touch_others(&vm->host, change, change->to);
	return r;
}

int host_end(struct vm *vm, const struct kes_record *r, struct change *ret)
{
	struct host_plane *host = &vm->host;
	struct change change = {};
	bool failed = r->set_attrs.err;
	int result;

	for (size_t i = 0; i < host->n_changes && !change.begin; i++)
		if (r->set_attrs.begin && host->changes[i].begin == r->set_attrs.begin) {
			change = host->changes[i];
			drop_change(host, i);
		}
	set_range(&change, &r->set_attrs);
	change.to = host_state(r->set_attrs.attributes);
	host->attributes |= r->set_attrs.attributes;
	*ret = change;
	if (change.locked) /* settled when it began; that it failed then happens only without memory
			    */
		return failed ? settle_doubtful(vm, &change) : 0;
	if (failed)
		return 0; /* KVM changes nothing then */
	if (r->flags & KES_F_UNSURE) {
		change.gfn = 0;
		change.npages = PAGEMAP_FRAMES;
		return settle_doubtful(vm, &change);
	}
	if (!change.begin)
		return settle_doubtful(vm, &change);
	result = end_unordered(vm, &change, r->ts_ns);
	ret->already = change.already;
	return result;
}

bool host_is_changing(const struct vm *vm)
{
	for (size_t i = 0; i < vm->host.n_changes; i++)
		if (vm->finished || vm->last_ns > vm->host.changes[i].begin_ns + CHANGING_LONG)
			return true;
	return false;
}

/* ---- readings ---- */

static void drop_reading(struct reading *reading)
{
	pagemap_free(&reading->map);
	free(reading->settled);
	*reading = (struct reading){};
}

/* Records were lost: of what seems to be under way the end may have been among them, and what came
 * before or after it. */
static void doubt_changes(struct host_plane *host)
{
	for (size_t i = 0; i < host->n_changes; i++) {
		struct change *change = &host->changes[i];

		change->locked = false;
		change->doubted = true;
		touch(change, change->gfn, change->gfn + change->npages);
	}
}

static void drop_doubted(struct host_plane *host)
{
	for (size_t i = host->n_changes; i-- > 0;)
		if (host->changes[i].doubted)
			drop_change(host, i);
}

static int begin_reading(struct vm *vm, const struct kes_snapshot *snapshot)
{
	struct reading *reading = &vm->host.reading;
	int r;

	drop_reading(reading);
	r = pagemap_new(&reading->map, PAGE_SHARED);
	reading->number = snapshot->number;
	reading->lost = snapshot->lost;
	if (snapshot->lost > vm->host.forgiven)
		doubt_changes(&vm->host);
	if (!snapshot->calls)
		drop_doubted(&vm->host);
	/* What is under way in KVM's order has its effect already, which may not be there to be
	 * read. */
	for (size_t i = 0; i < vm->host.n_changes && !r; i++) {
		const struct change *change = &vm->host.changes[i];

		if (!change->locked || change->stored || !change->npages)
			continue;
		r = log_settled(reading, change->gfn, change->npages, change->to);
		if (!r && change->touched < change->touched_end)
			r = log_settled(reading, change->touched,
				change->touched_end - change->touched, PAGE_UNKNOWN);
	}
	return r;
}

static int end_reading(struct vm *vm, const struct kes_record *r)
{
	struct host_plane *host = &vm->host;
	struct reading *reading = &host->reading;
	uint64_t counts[PAGE_STATES] = {};
	int ret = 0;

	if (!reading->map || reading->number != r->snapshot.number)
		return 0;
	if (reading->bad || reading->pages != r->snapshot.pages) {
		drop_reading(reading);
		return 0;
	}
	for (size_t i = 0; i < reading->n_settled && !ret; i++)
		ret = pagemap_set(reading->map, reading->settled[i].gfn, reading->settled[i].npages,
			reading->settled[i].to);
	if (ret)
		return ret;
	pagemap_count(reading->map, 0, PAGEMAP_FRAMES, counts);
	pagemap_free(&vm->planes[PLANE_HOST]);
	vm->planes[PLANE_HOST] = TAKE_PTR(reading->map);
	host->forgiven = reading->lost;
	host->known = true;
	host->doubt = counts[PAGE_UNKNOWN];
	host->read_ns = r->ts_ns;
	host->readings++;
	drop_reading(reading);
	return disputes_rebuild(vm, r->ts_ns);
}

int host_snapshot(struct vm *vm, const struct kes_record *r)
{
	vm->host.capable = true;
	return r->snapshot.phase == KES_SNAPSHOT_BEGIN ? begin_reading(vm, &r->snapshot)
						       : end_reading(vm, r);
}

/* The runs of set bits among the 64 frames from gfn on become private. */
static int set_bits(struct pagemap *map, uint64_t gfn, uint64_t bits)
{
	int r = 0;

	while (bits && !r) {
		unsigned int first = (unsigned int)__builtin_ctzll(bits);
		uint64_t rest = ~(bits >> first);
		unsigned int n = rest ? (unsigned int)__builtin_ctzll(rest) : 64;

		r = pagemap_set(map, gfn + first, n, PAGE_PRIVATE);
		bits = first + n >= 64 ? 0 : bits >> (first + n) << (first + n);
	}
	return r;
}

int host_pages(struct vm *vm, const struct kes_record *r)
{
	struct reading *reading = &vm->host.reading;
	const struct kes_pages *pages = &r->pages;

	if (!reading->map || reading->bad || pages->number != reading->number)
		return 0;
	if (pages->index != reading->pages++ || !pages->npages || pages->npages > PAGEMAP_FRAMES ||
		pages->gfn > PAGEMAP_FRAMES - MAX(pages->npages, 64)) {
		reading->bad = true;
		return 0;
	}
	vm->host.attributes |= pages->attributes;
	if (host_state(pages->attributes) != PAGE_PRIVATE)
		return 0;
	if (pages->npages <= 64 && pages->bits != ~0ull)
		return set_bits(reading->map, pages->gfn, pages->bits);
	return pagemap_set(reading->map, pages->gfn, pages->npages, PAGE_PRIVATE);
}

bool host_wants_reading(const struct vm *vm)
{
	const struct host_plane *host = &vm->host;

	return vm->alive && host->capable &&
	       (!host->known || host->doubt || vm_lost(vm) > host->forgiven);
}

void host_free(struct host_plane *host)
{
	drop_reading(&host->reading);
}
