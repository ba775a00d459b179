/* SPDX-License-Identifier: GPL-2.0-only */
/* Policies and their verdicts as people and programs read them. */
#ifndef OUTPUT_POLICY_H
#define OUTPUT_POLICY_H

#include "output/output.h"
#include "policy/simulate.h"

/* ---- what a policy says of recorded traffic ---- */

/* What one rule did; source NULL: no rule decided, so it was allowed. */
struct rule_total {
	struct rule_source source;
	bool monitored; /* it only would have */
	uint64_t requests, pages;
	uint64_t first_ns, vm; /* of the first request: when, and the VM's id */
	struct kes_ask first;
};

struct policy_totals {
	struct rule_total *list;
	size_t n;
	uint64_t requests, refused, would;
};

/* Counts a verdict. -ENOMEM. */
int policy_totals_add(struct policy_totals *totals, const struct verdict *verdict);
void policy_totals_free(struct policy_totals *totals);

/* A table, or "kvm-encstat.policy-test/1" one object for each rule that matched. */
void policy_totals_write(
	FILE *out, const struct style *style, const struct policy_totals *totals, bool json);

/* ---- two policies ---- */

/* One line for each request on which they differ, "kvm-encstat.policy-diff/1". */
void policy_difference_write(FILE *out, const struct style *style, const struct verdict *old,
	const struct verdict *new, bool json);

/* ---- what holds for a VM ---- */

/* Its rules in the order in which they are asked; "kvm-encstat.policy/1" one object a rule. */
void policy_write_effective(
	FILE *out, const struct vm *vm, const struct effective *effective, bool json);

/* What becomes of a request; "kvm-encstat.verdict/1". */
void policy_write_verdict(FILE *out, const struct vm *vm, const struct verdict *verdict, bool json);

/* All rules of all policies, in the order in which they are asked; defaults at last. */
void policy_write_all(FILE *out, const struct policies *policies);

#endif
