/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel half under test, driven by test runs: one operation at a time on each slot, the tables
 * it keeps, and rule sets for it.
 */
#ifndef KERNEL_HALF_H
#define KERNEL_HALF_H

#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "counted.h"
#include "oracle.h"
#include "policy/policy.h"
#include "tests/counted.skel.h"
/* after the above */
#include "veto.h"

#define LEAF    ((uint64_t)KES_LEAF_FRAMES)
#define LONGEST ((uint64_t)(KES_MAX_VM_LEAVES - 1) * KES_LEAF_FRAMES) /* that can be counted */
#define SHARE   KES_ASK_SHARED
#define PRIVATE KES_ASK_PRIVATE

extern struct counted_bpf *skeleton;

/* Loads it; negative errno where it cannot be. */
int open_all(void);

/* All functions below that return int: 0, or EXIT_FAILURE after they complained. */
int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A number below n, which may not be 0. */
uint64_t below(uint64_t *random, uint64_t n);

/* Does it, and says in it what came of it. Each thread has a slot of its own, below OPERATIONS. */
int operate(struct operation *o, uint32_t slot);

/* A vCPU's request is answered; status: kes_flight_status. */
int answer_with(uint64_t kvm, uint32_t vcpu, uint32_t status, uint32_t slot);

/* A VM ends, and nothing of it is left. */
int end_vm(uint64_t kvm);

struct kes_veto_totals totals(void);

/* false, and empty, if there is none. */
bool get_state(uint64_t kvm, struct kes_state *ret);
int set_state(uint64_t kvm, const struct kes_state *state);

/* Entries whose keys begin with kvm. */
uint64_t entries(const struct bpf_map *map, uint64_t kvm);

/* What a VM's state says, against its leaves; against the oracle's pages, too, unless that is NULL.
 */
int audit(uint64_t kvm, const struct oracle *oracle);

/* Two rules: a closed range, and a limit. */
struct rules {
	struct frames closed; /* no rule, if empty */
	bool logged;          /* it is not closed */
	bool later;           /* it comes after the limit */
	bool enforced;        /* the limit is */
	uint64_t above;
	uint32_t percent;
	bool above_baseline;
	struct kes_rate rate; /* a third rule */
};

/* As the rule set of that place. */
int install(uint32_t place, struct rules *rules);

#endif
