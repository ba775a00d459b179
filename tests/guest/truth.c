// SPDX-License-Identifier: GPL-2.0-only
#include "truth.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE_SHARED       1
#define PAGE_HOST_PRIVATE 2
#define PAGE_MEMFD        4
#define PAGE_OWN          8

#define TRUTH_PAGE 4096 /* bytes */

#define ZERO_BLOCK 4096 /* pages; most of a large VM is skipped so */

#define MAX_ARRAY (1ull << 28) /* 1 TiB of guest memory; the rest is "outside" */

/* ---- ranges ------------------------------------------------------------------------------------
 */

static void intervals_set(struct intervals *set, uint64_t start, uint64_t end, bool member)
{
	struct interval *list; /* at most one more than before: one may be cut in two */
	size_t count = 0, i = 0;

	if (start >= end || (!member && !set->count))
		return;
	list = calloc(set->count + 2, sizeof(*list));
	if (!list)
		abort();
	for (; i < set->count && set->list[i].end < start; i++)
		list[count++] = set->list[i];
	if (member) {
		for (; i < set->count && set->list[i].start <= end; i++) {
			if (set->list[i].start < start)
				start = set->list[i].start;
			if (set->list[i].end > end)
				end = set->list[i].end;
		}
		list[count++] = (struct interval){start, end};
	} else {
		for (; i < set->count && set->list[i].start < end; i++) {
			if (set->list[i].start < start)
				list[count++] = (struct interval){set->list[i].start, start};
			if (set->list[i].end > end)
				list[count++] = (struct interval){end, set->list[i].end};
		}
	}
	for (; i < set->count; i++)
		list[count++] = set->list[i];
	free(set->list);
	set->list = list;
	set->count = count;
}

static bool intervals_have(const struct intervals *set, uint64_t at)
{
	for (size_t i = 0; i < set->count; i++)
		if (at >= set->list[i].start && at < set->list[i].end)
			return true;
	return false;
}

/* Behind all that is in there, or touching it; never to a set that intervals_set() has made. */
static void append(struct intervals *set, uint64_t start, uint64_t end)
{
	size_t n = set->count;

	if (n && set->list[n - 1].end == start) {
		set->list[n - 1].end = end;
		return;
	}
	if (!(n & (n - 1))) {
		set->list = realloc(set->list, (n ? 2 * n : 1) * sizeof(*set->list));
		if (!set->list)
			abort();
	}
	set->list[set->count++] = (struct interval){start, end};
}

/* ---- planes ------------------------------------------------------------------------------------
 */

static bool all_zero(const struct truth *truth, uint64_t i)
{
	static const uint8_t zero[ZERO_BLOCK];

	return !(i % ZERO_BLOCK) && truth->npages - i >= ZERO_BLOCK &&
	       !memcmp(truth->pages + i, zero, ZERO_BLOCK);
}

static void append_pages(const struct truth *truth, uint8_t bit, struct intervals *set)
{
	uint64_t i = 0, start;

	while (i < truth->npages) {
		if (all_zero(truth, i)) {
			i += ZERO_BLOCK;
			continue;
		}
		start = i;
		while (i < truth->npages && truth->pages[i] & bit)
			i++;
		if (i > start)
			append(set, truth->base_gfn + start, truth->base_gfn + i);
		else
			i++;
	}
}

/* All that has the bit, and what lies outside; the caller frees the list. */
static struct intervals plane(
	const struct truth *truth, uint8_t bit, const struct intervals *outside)
{
	struct intervals all = {0};
	size_t i = 0;

	for (; i < outside->count && outside->list[i].start < truth->base_gfn; i++)
		append(&all, outside->list[i].start, outside->list[i].end);
	append_pages(truth, bit, &all);
	for (; i < outside->count; i++)
		append(&all, outside->list[i].start, outside->list[i].end);
	return all;
}

int truth_open(struct truth *ret_truth, uint64_t base_gfn, uint64_t npages, bool log)
{
	memset(ret_truth, 0, sizeof(*ret_truth));
	pthread_mutex_init(&ret_truth->lock, NULL);
	ret_truth->base_gfn = base_gfn;
	ret_truth->npages = npages < MAX_ARRAY ? npages : MAX_ARRAY;
	ret_truth->log = log;
	ret_truth->pages = mmap(NULL, ret_truth->npages, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return ret_truth->pages == MAP_FAILED ? -1 : 0;
}

void truth_guest(struct truth *truth, uint64_t gfn, uint64_t npages, bool private)
{
	uint64_t end = gfn + npages, first = truth->base_gfn, last = first + truth->npages;

	for (uint64_t i = gfn > first ? gfn : first; i < end && i < last; i++) {
		if (private)
			truth->pages[i - first] &= ~PAGE_SHARED;
		else
			truth->pages[i - first] |= PAGE_SHARED;
	}
	intervals_set(&truth->outside, gfn, end < first ? end : first, !private);
	intervals_set(&truth->outside, gfn > last ? gfn : last, end, !private);
}

void truth_host(struct truth *truth, uint64_t gfn, uint64_t npages, bool private)
{
	uint64_t end = gfn + npages, first = truth->base_gfn, last = first + truth->npages;

	for (uint64_t i = gfn > first ? gfn : first; i < end && i < last; i++) {
		if (private)
			truth->pages[i - first] |= PAGE_HOST_PRIVATE;
		else
			truth->pages[i - first] &= ~PAGE_HOST_PRIVATE;
	}
	intervals_set(&truth->host_outside, gfn, end < first ? end : first, private);
	intervals_set(&truth->host_outside, gfn > last ? gfn : last, end, private);
	intervals_set(&truth->contested, gfn, end, false);
}

bool truth_host_private(const struct truth *truth, uint64_t gfn)
{
	if (gfn < truth->base_gfn || gfn - truth->base_gfn >= truth->npages)
		return intervals_have(&truth->host_outside, gfn);
	return truth->pages[gfn - truth->base_gfn] & PAGE_HOST_PRIVATE;
}

void truth_memory(
	struct truth *truth, enum truth_memory which, uint64_t gfn, uint64_t npages, bool there)
{
	uint8_t bit = which == MEMORY_MEMFD ? PAGE_MEMFD : PAGE_OWN;
	uint64_t end = gfn + npages, first = truth->base_gfn, last = first + truth->npages;

	for (uint64_t i = gfn > first ? gfn : first; i < end && i < last; i++) {
		if (there)
			truth->pages[i - first] |= bit;
		else
			truth->pages[i - first] &= ~bit;
	}
}

void truth_contest(struct truth *truth, uint64_t gfn, uint64_t npages)
{
	intervals_set(&truth->contested, gfn, gfn + npages, true);
}

void truth_reset(struct truth *truth)
{
	uint64_t i = 0;

	truth->resets++;
	free(truth->left_shared.list);
	truth->left_shared = plane(truth, PAGE_SHARED, &truth->outside);
	free(truth->outside.list);
	truth->outside = (struct intervals){0};
	while (i < truth->npages) {
		if (all_zero(truth, i))
			i += ZERO_BLOCK;
		else
			truth->pages[i++] &= ~PAGE_SHARED;
	}
}

/* ---- requests ----------------------------------------------------------------------------------
 */

size_t truth_request(
	struct truth *truth, unsigned vcpu, uint64_t gfn, uint64_t npages, uint64_t attributes)
{
	size_t n = truth->conversion_count;

	truth->requests++;
	truth->unanswered++;
	if (!truth->log)
		return 0;
	if (!(n & (n - 1))) {
		truth->conversions =
			realloc(truth->conversions, (n ? 2 * n : 1) * sizeof(*truth->conversions));
		if (!truth->conversions)
			abort();
	}
	truth->conversions[n] = (struct conversion){
		.vcpu = vcpu, .gfn = gfn, .npages = npages, .attributes = attributes};
	return truth->conversion_count++;
}

void truth_answer(struct truth *truth, size_t request, uint64_t ret)
{
	truth->unanswered--;
	if (ret)
		truth->denied++;
	else
		truth->accepted++;
	if (truth->log) {
		truth->conversions[request].answered = true;
		truth->conversions[request].ret = ret;
	}
}

/* ---- output ------------------------------------------------------------------------------------
 */

static void print_intervals(const struct intervals *set, FILE *out)
{
	fputc('[', out);
	for (size_t i = 0; i < set->count; i++)
		fprintf(out, "%s[%llu,%llu]", i ? "," : "", (unsigned long long)set->list[i].start,
			(unsigned long long)(set->list[i].end - set->list[i].start));
	fputc(']', out);
}

static void print_plane(
	const struct truth *truth, uint8_t bit, const struct intervals *outside, FILE *out)
{
	struct intervals all = plane(truth, bit, outside);

	print_intervals(&all, out);
	free(all.list);
}

void truth_print_shared(const struct truth *truth, FILE *out)
{
	print_plane(truth, PAGE_SHARED, &truth->outside, out);
}

void truth_print_host_private(const struct truth *truth, FILE *out)
{
	print_plane(truth, PAGE_HOST_PRIVATE, &truth->host_outside, out);
}

void truth_print_contested(const struct truth *truth, FILE *out)
{
	print_intervals(&truth->contested, out);
}

void truth_print_left_shared(const struct truth *truth, FILE *out)
{
	print_intervals(&truth->left_shared, out);
}

static bool is_resident(const uint8_t *page)
{
	unsigned char there = 0;

	return !mincore((void *)page, TRUTH_PAGE, &there) && there & 1;
}

void truth_print_twice(const struct truth *truth, const uint8_t *memory, FILE *out)
{
	const uint8_t both = PAGE_MEMFD | PAGE_OWN;
	struct intervals twice = {0};

	for (uint64_t i = 0; i < truth->npages; i++) {
		if (all_zero(truth, i))
			i += ZERO_BLOCK - 1;
		else if ((truth->pages[i] & both) == both && is_resident(memory + i * TRUTH_PAGE))
			append(&twice, truth->base_gfn + i, truth->base_gfn + i + 1);
	}
	print_intervals(&twice, out);
	free(twice.list);
}

void truth_print_conversions(const struct truth *truth, FILE *out)
{
	fputc('[', out);
	for (size_t i = 0; i < truth->conversion_count; i++) {
		const struct conversion *c = &truth->conversions[i];

		fprintf(out, "%s{\"vcpu\":%u,\"gfn\":%llu,\"npages\":%llu,\"attrs\":%llu,\"ret\":",
			i ? "," : "", c->vcpu, (unsigned long long)c->gfn,
			(unsigned long long)c->npages, (unsigned long long)c->attributes);
		if (c->answered)
			fprintf(out, "%llu}", (unsigned long long)c->ret);
		else
			fputs("null}", out);
	}
	fputc(']', out);
}
