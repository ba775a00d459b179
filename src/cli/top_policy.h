/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel's tables say of policies, for the view of a host. */
#ifndef CLI_TOP_POLICY_H
#define CLI_TOP_POLICY_H

#include "cli/loaded.h"
#include "model/model.h"
#include "top/top.h"

struct top_policies {
	uint64_t read_ns; /* when they were read last; 0: never */
	/* Of rule sets, which do not change under their number. */
	struct {
		uint32_t serial; /* 0: not known yet */
		enum policy_mode mode;
	} sets[KES_MAX_SETS];
};

/* Reads them, and tells top, if that was not done within the last second. */
void top_policies_look(struct top_policies *policies, struct top *top, const struct model *model);
/* The next look reads them in any case: something was changed. */
void top_policies_forget(struct top_policies *policies);

/* Who enforces has numbers of its own: a VM is found by its process, and where that has several, by
 * its name. NULL: none, or it cannot be told which. */
const struct enforced_vm *top_policies_find(const struct enforced *enforced, const struct vm *vm);

#endif
