/* SPDX-License-Identifier: GPL-2.0-only */
/* What policies do to VMs, as it is told to the view: by who reads the kernel's tables, and by
 * verdicts among the records. */
#ifndef TOP_POLICY_H
#define TOP_POLICY_H

#include <stddef.h>
#include <stdint.h>

#include "model/event.h"

/* Of one VM, the gravest last. */
enum policy_mode {
	POLICY_UNKNOWN, /* nothing is loaded, or no record says anything about it */
	POLICY_UNREADABLE,
	POLICY_NONE, /* there are policies, and none is about it */
	POLICY_MONITOR,
	POLICY_ENFORCE,
	POLICY_FROZEN,
	POLICY_MODES,
};

/* "-", "?", "none", "monitor" ... */
const char *policy_mode_name(enum policy_mode mode);
/* -EINVAL for a name that is none. */
int policy_mode_from_name(const char *name, enum policy_mode *ret);

/* What a verdict says about its VM's mode; POLICY_UNKNOWN: nothing. */
enum policy_mode policy_mode_of(const struct event *verdict);

/* Of the host. */
enum policy_state {
	POLICIES_UNTOLD, /* nobody has looked: a capture is played */
	POLICIES_NOT_LOADED,
	POLICIES_UNREADABLE,
	POLICIES_LOADED,
};

struct vm_policy {
	uint32_t vm;
	enum policy_mode mode;
	uint64_t refused; /* since its rules hold */
};

#endif
