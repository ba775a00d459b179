/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one VM's VMM knows by itself: a byte for each page, as simple as can be, and what it was
 * asked and answered. No code is shared with what is tested against it.
 */
#ifndef GUEST_TRUTH_H
#define GUEST_TRUTH_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "outcomes.h"

#define TRUTH_MAX_FRAMES (1ull << 40)

/* Sorted, disjoint, never empty ones. */
struct intervals {
	struct interval {
		uint64_t start, end;
	} * list;
	size_t count;
};

struct conversion {
	unsigned vcpu;
	bool answered;
	uint64_t gfn, npages, attributes, ret;
};

/* What a KVM_SET_MEMORY_ATTRIBUTES was made for. */
enum purpose {
	FOR_CONVERSION, /* one that was accepted */
	FOR_VMM,        /* memory's first state, faults, race */
	FOR_DIRECTIVE,  /* attributes */
	FOR_REWRITE,
	FOR_FOREIGN,
	PURPOSES,
};

struct truth {
	pthread_mutex_t lock; /* held by whoever calls the functions below */
	uint64_t base_gfn, npages;
	uint8_t *pages;                         /* PAGE_..., for [base_gfn, base_gfn + npages) */
	struct intervals outside, host_outside; /* shared and host-private, beyond those */
	struct intervals contested;             /* host's plane not known */
	struct intervals left_shared;           /* by the last reset */
	uint64_t requests, accepted, denied, unanswered, faults;
	struct outcomes calls[PURPOSES];
	uint64_t lies; /* accepted, other attributes set than asked for */
	uint64_t resets;
	bool log;
	struct conversion *conversions;
	size_t conversion_count;
};

/* All private on the guest's side, all shared on the host's. */
int truth_open(struct truth *ret_truth, uint64_t base_gfn, uint64_t npages, bool log);

/* A request; the number it returns names it in truth_answer(). */
size_t truth_request(
	struct truth *truth, unsigned vcpu, uint64_t gfn, uint64_t npages, uint64_t attributes);
void truth_answer(struct truth *truth, size_t request, uint64_t ret);

/* The two planes. */
void truth_guest(struct truth *truth, uint64_t gfn, uint64_t npages, bool private);
void truth_host(struct truth *truth, uint64_t gfn, uint64_t npages, bool private);
bool truth_host_private(const struct truth *truth, uint64_t gfn);

/* Nobody knows the host's plane there, until it is set. */
void truth_contest(struct truth *truth, uint64_t gfn, uint64_t npages);

/* Where there is memory: a page of guest_memfd, or one that the VMM's own mapping has, not counting
 * the zero page. Frames that are not the VM's memory are passed over. */
enum truth_memory { MEMORY_MEMFD, MEMORY_OWN };
void truth_memory(
	struct truth *truth, enum truth_memory which, uint64_t gfn, uint64_t npages, bool there);

/* The guest's plane begins again, all private. */
void truth_reset(struct truth *truth);

/* [[gfn,npages],...] */
void truth_print_shared(const struct truth *truth, FILE *out);
void truth_print_host_private(const struct truth *truth, FILE *out);
void truth_print_contested(const struct truth *truth, FILE *out);
void truth_print_left_shared(const struct truth *truth, FILE *out);
/* Frames of which there are both; mincore() must agree for MEMORY, which is the mapping. */
void truth_print_twice(const struct truth *truth, const uint8_t *memory, FILE *out);
void truth_print_conversions(const struct truth *truth, FILE *out);

#endif
