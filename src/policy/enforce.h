/* SPDX-License-Identifier: GPL-2.0-only */
/* What of a policy needs which level of the veto, and by what rules a veto is proved. */
#ifndef POLICY_ENFORCE_H
#define POLICY_ENFORCE_H

#include "policy/policy.h"

/* A rule that only the gate can enforce, level 2, and (why) what about it; NULL: none does. */
const struct policy_rule *enforce_wants_gate(const struct policies *policies, const char **ret_why);

/* Whether a guest's request may be refused by the set. */
bool enforce_refuses_guests(const struct kes_rule_set *set);

/* For a proof, of guests and VMMs alike: denied may not become shared, and whoever shares any of
 * freezes is frozen. */
void enforce_proof(struct kes_rule_set *set, struct frames denied, struct frames freezes);

#endif
