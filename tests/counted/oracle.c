/* SPDX-License-Identifier: GPL-2.0-only */
#include "oracle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PRIVATE_WORLD 1u /* nothing was carried out, and it is private */

int oracle_new(struct oracle *ret, uint64_t n)
{
	*ret = (struct oracle){.n = n};
	ret->pages = calloc(n, sizeof(*ret->pages));
	ret->in_leaf = calloc(n / 4096, sizeof(*ret->in_leaf));
	if (!ret->pages || !ret->in_leaf)
		return -ENOMEM;
	oracle_forget(ret);
	return 0;
}

void oracle_free(struct oracle *oracle)
{
	free(oracle->pages);
	free(oracle->in_leaf);
}

void oracle_forget(struct oracle *oracle)
{
	for (uint64_t i = 0; i < oracle->n; i++)
		oracle->pages[i] = (struct oracle_page){.worlds = PRIVATE_WORLD};
	memset(oracle->in_leaf, 0, oracle->n / 4096 * sizeof(*oracle->in_leaf));
	memset(oracle->requests, 0, sizeof(oracle->requests));
	oracle->counted = oracle->possible = oracle->leaves = 0;
	oracle->missed = false;
}

/* The part of a range that is there, as indexes. */
struct part {
	uint64_t from, to;
};

static struct part part_of(const struct oracle *oracle, uint64_t gfn, uint64_t npages)
{
	uint64_t end = gfn + npages, last = oracle->base + oracle->n;
	uint64_t from = gfn < oracle->base ? oracle->base : gfn, to = end > last ? last : end;

	return from < to ? (struct part){from - oracle->base, to - oracle->base} : (struct part){};
}

uint64_t oracle_more(const struct oracle *oracle, uint64_t gfn, uint64_t npages)
{
	struct part part = part_of(oracle, gfn, npages);
	uint64_t n = 0;

	for (uint64_t i = part.from; i < part.to; i++)
		n += !oracle->pages[i].counted;
	return n;
}

uint64_t oracle_more_leaves(const struct oracle *oracle, uint64_t gfn, uint64_t npages)
{
	struct part part = part_of(oracle, gfn, npages);
	uint64_t n = 0;

	for (uint64_t leaf = 0; leaf < oracle->n / 4096; leaf++)
		if (leaf * 4096 < part.to && (leaf + 1) * 4096 > part.from)
			n += !oracle->in_leaf[leaf];
	return n;
}

static bool is_about(const struct oracle_request *request, uint64_t gfn, uint64_t npages)
{
	return request->under_way && gfn < request->gfn + request->npages &&
	       request->gfn < gfn + npages;
}

bool oracle_overlaps(const struct oracle *oracle, uint32_t vcpu, uint64_t gfn, uint64_t npages)
{
	for (uint32_t i = 0; i < ORACLE_VCPUS; i++)
		if (i != vcpu && is_about(&oracle->requests[i], gfn, npages))
			return true;
	return false;
}

/* ---- what is counted ---- */

static void count(struct oracle *oracle, uint64_t i, bool counted)
{
	uint32_t *in_leaf = &oracle->in_leaf[i / 4096];

	if (oracle->pages[i].counted == counted)
		return;
	oracle->pages[i].counted = counted;
	oracle->leaves -= *in_leaf > 0;
	*in_leaf += counted ? 1 : -1;
	oracle->leaves += *in_leaf > 0;
	oracle->counted += counted ? 1 : -1;
}

static bool meets_known(const struct oracle *oracle, uint32_t vcpu, uint64_t gfn, uint64_t npages)
{
	for (uint32_t i = 0; i < ORACLE_VCPUS; i++)
		if (i != vcpu && !oracle->requests[i].hidden &&
			is_about(&oracle->requests[i], gfn, npages))
			return true;
	return false;
}

/* ---- what may be ---- */

/* Whether page i, in this world, had the vCPU's request carried out. */
static bool was_carried_out(unsigned world, uint32_t vcpu)
{
	return world / 2 >> vcpu & 1;
}

/* Each request that is under way may be carried out at any time. */
static void carry_out(struct oracle *oracle, uint64_t i)
{
	struct oracle_page *page = &oracle->pages[i];
	uint32_t before;

	do {
		before = page->worlds;
		for (uint32_t vcpu = 0; vcpu < ORACLE_VCPUS; vcpu++) {
			const struct oracle_request *request = &oracle->requests[vcpu];

			if (!is_about(request, oracle->base + i, 1))
				continue;
			for (unsigned world = 0; world < 32; world++)
				if (page->worlds >> world & 1 && !was_carried_out(world, vcpu))
					page->worlds |= 1u << ((world & ~1u) + (2u << vcpu) +
								request->shares);
		}
	} while (page->worlds != before);
}

/* The vCPU's request is over: whether it was carried out is no question any more, and if it is
 * known that it was, no world is left in which it was not. */
static uint32_t forget_request(uint32_t worlds, uint32_t vcpu, bool yes)
{
	uint32_t left = 0;

	for (unsigned world = 0; world < 32; world++) {
		if (!(worlds >> world & 1))
			continue;
		if (was_carried_out(world, vcpu))
			left |= 1u << (world - (2u << vcpu));
		else if (!yes)
			left |= 1u << world;
	}
	return left;
}

static bool may_be_shared(const struct oracle_page *page)
{
	return page->worlds & 0xaaaaaaaa;
}

/* ---- requests ---- */

void oracle_begin(struct oracle *oracle, uint32_t vcpu, bool shares, uint64_t gfn, uint64_t npages,
	bool countable)
{
	struct part part = part_of(oracle, gfn, npages);
	struct oracle_request *request = &oracle->requests[vcpu];

	*request = (struct oracle_request){.under_way = true,
		.gives_back = !shares && oracle->counted && !meets_known(oracle, vcpu, gfn, npages),
		.shares = shares,
		.gfn = gfn,
		.npages = npages,
		.since = ++oracle->clock};
	request->hidden = !shares && !request->gives_back;
	if (shares && !countable)
		oracle->missed = true;
	for (uint64_t i = part.from; i < part.to; i++) {
		struct oracle_page *page = &oracle->pages[i];

		oracle->possible -= may_be_shared(page);
		carry_out(oracle, i);
		oracle->possible += may_be_shared(page);
		if (!shares)
			continue;
		page->asked = oracle->clock;
		if (countable)
			count(oracle, i, true);
	}
}

void oracle_end(struct oracle *oracle, uint32_t vcpu, bool yes)
{
	struct oracle_request *request = &oracle->requests[vcpu];
	struct part part = part_of(oracle, request->gfn, request->npages);

	if (!request->under_way)
		return;
	request->under_way = false;
	for (uint64_t i = part.from; i < part.to; i++) {
		struct oracle_page *page = &oracle->pages[i];

		oracle->possible -= may_be_shared(page);
		page->worlds = forget_request(page->worlds, vcpu, yes);
		oracle->possible += may_be_shared(page);
		if (yes && request->gives_back && page->asked < request->since)
			count(oracle, i, false);
	}
}
