// SPDX-License-Identifier: GPL-2.0-only
#include "truth.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE_SHARED       1
#define PAGE_HOST_PRIVATE 2

#define MAX_ARRAY (1ull << 28) /* 1 TiB of guest memory; the rest is "outside" */

/* ---- ranges outside of memory ------------------------------------------------------------------
 */

static void intervals_set(struct intervals *set, uint64_t start, uint64_t end, bool member)
{
	struct interval *list; /* at most one more than before: one may be cut in two */
	size_t count = 0, i = 0;

	if (start >= end)
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

/* ---- planes ------------------------------------------------------------------------------------
 */

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
}

bool truth_host_private(const struct truth *truth, uint64_t gfn)
{
	return gfn >= truth->base_gfn && gfn - truth->base_gfn < truth->npages &&
	       truth->pages[gfn - truth->base_gfn] & PAGE_HOST_PRIVATE;
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

/* Joins what touches before it prints. */
struct runs {
	FILE *out;
	uint64_t start, end; /* none if equal */
	bool any;
};

static void runs_flush(struct runs *runs)
{
	if (runs->start == runs->end)
		return;
	fprintf(runs->out, "%s[%llu,%llu]", runs->any ? "," : "", (unsigned long long)runs->start,
		(unsigned long long)(runs->end - runs->start));
	runs->any = true;
	runs->start = runs->end;
}

static void runs_add(struct runs *runs, uint64_t start, uint64_t end)
{
	if (start != runs->end) {
		runs_flush(runs);
		runs->start = start;
	}
	runs->end = end;
}

static void print_pages(const struct truth *truth, uint8_t bit, struct runs *runs)
{
	static const uint8_t zero[4096];
	uint64_t i = 0, start;

	while (i < truth->npages) {
		if (!(i % sizeof(zero)) && truth->npages - i >= sizeof(zero) &&
			!memcmp(truth->pages + i, zero, sizeof(zero))) {
			i += sizeof(zero);
			continue;
		}
		start = i;
		while (i < truth->npages && truth->pages[i] & bit)
			i++;
		if (i > start)
			runs_add(runs, truth->base_gfn + start, truth->base_gfn + i);
		else
			i++;
	}
}

void truth_print_shared(const struct truth *truth, FILE *out)
{
	struct runs runs = {.out = out};
	size_t i = 0;

	fputc('[', out);
	for (; i < truth->outside.count && truth->outside.list[i].start < truth->base_gfn; i++)
		runs_add(&runs, truth->outside.list[i].start, truth->outside.list[i].end);
	print_pages(truth, PAGE_SHARED, &runs);
	for (; i < truth->outside.count; i++)
		runs_add(&runs, truth->outside.list[i].start, truth->outside.list[i].end);
	runs_flush(&runs);
	fputc(']', out);
}

void truth_print_host_private(const struct truth *truth, FILE *out)
{
	struct runs runs = {.out = out};

	fputc('[', out);
	print_pages(truth, PAGE_HOST_PRIVATE, &runs);
	runs_flush(&runs);
	fputc(']', out);
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
