/* SPDX-License-Identifier: GPL-2.0-only */
/* What the live view may do to a VM, where it is allowed to: by the tables of whoever enforces. */
#ifndef CLI_TOP_ACTIONS_H
#define CLI_TOP_ACTIONS_H

#include <stdbool.h>

#include "base/error.h"
#include "model/vm.h"

/* Freezes the VM, or releases it. 0 or a negative errno with err filled: -ENOENT where nothing is
 * enforced, or the VM is not known there. */
int top_act(const struct vm *vm, bool freeze, struct error *err);

#endif
