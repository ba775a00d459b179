/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel half should count of a VM, without any of its tricks: each page is an object, and
 * each request that was let through. And what may be shared, however the VMM's threads overtake
 * each other: of that, never less is counted.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <stdbool.h>
#include <stdint.h>

#define ORACLE_VCPUS 4

struct oracle_page {
	uint64_t asked;  /* when somebody was last allowed to share it */
	uint32_t worlds; /* all that may be: bit 2 * (which vCPUs' requests for it were carried out)
			    + (it is shared) */
	bool counted;
};

struct oracle_request {
	bool under_way;
	bool gives_back; /* to be private, and nobody else was about any of it */
	bool hidden;     /* the kernel half need not know of it */
	bool shares;
	uint64_t gfn, npages;
	uint64_t since;
};

struct oracle {
	uint64_t base, n; /* frames that there are: no others are ever shared */
	struct oracle_page *pages;
	uint32_t *in_leaf; /* pages of each that are counted */
	struct oracle_request requests[ORACLE_VCPUS];
	uint64_t counted, possible; /* pages */
	uint32_t leaves;
	uint64_t clock;
	bool missed; /* something was let through that could not be counted */
};

int oracle_new(struct oracle *ret, uint64_t n);
void oracle_free(struct oracle *oracle);

/* Everything is private, and nothing under way. */
void oracle_forget(struct oracle *oracle);

/* How many pages of the range are not counted; how many leaves they would need. */
uint64_t oracle_more(const struct oracle *oracle, uint64_t gfn, uint64_t npages);
uint64_t oracle_more_leaves(const struct oracle *oracle, uint64_t gfn, uint64_t npages);

/* Whether another vCPU's request for any of these pages is under way. */
bool oracle_overlaps(const struct oracle *oracle, uint32_t vcpu, uint64_t gfn, uint64_t npages);

/* The vCPU's request is let through; countable: there is room to count it. */
void oracle_begin(struct oracle *oracle, uint32_t vcpu, bool shares, uint64_t gfn, uint64_t npages,
	bool countable);

/* It was answered with yes; or nobody knows what came of it. */
void oracle_end(struct oracle *oracle, uint32_t vcpu, bool yes);

#endif
