/* SPDX-License-Identifier: GPL-2.0-only */
/* What of a policy can be enforced by a veto of hypercalls, and how such a veto is proved. */
#ifndef POLICY_ENFORCE_H
#define POLICY_ENFORCE_H

#include "policy/policy.h"

/* -ENOTSUP with err filled: a rule wants what such a veto cannot do, or not yet. */
int enforce_check(const struct policies *policies, struct error *err);

/* One rule, for a proof: the ranges may not become shared. */
void enforce_proof(struct kes_rule_set *set, struct frames range);

#endif
