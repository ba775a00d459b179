/* SPDX-License-Identifier: GPL-2.0-only */
/* Actions of the live view on a VM that is under policies. */
#ifndef CLI_TOP_ACTIONS_H
#define CLI_TOP_ACTIONS_H

#include "cli/options.h"
#include "model/vm.h"
#include "top/top.h"

/* wish: WISH_FREEZE, WISH_RELEASE, WISH_MONITOR or WISH_ENFORCE. Where the daemon runs it is asked,
 * and so its audit log knows who did it; else the kernel's tables are written. 0, or a negative
 * errno with err filled: nothing is enforced, or not this VM; it is so already. */
int top_act(
	const struct options *options, const struct vm *vm, enum top_wish wish, struct error *err);

/* "VM 3 db1 ...": what has become of it then. */
const char *top_act_outcome(enum top_wish wish);

#endif
