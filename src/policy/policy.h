/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the operator lets VMs do with the state of their pages: policies as the files have them,
 * which of their rules hold for a VM, and what these say of a request. The compiled form, which the
 * kernel half evaluates, too, is include/verdict.h.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "model/vm.h"
#include "verdict.h"

#define POLICY_NAMES 16 /* of one key of a selection */

/* Which VMs: each key that is there has to fit, by any of its words. */
struct selection {
	const char *names[POLICY_NAMES], *uuids[POLICY_NAMES], *cgroups[POLICY_NAMES],
		*comms[POLICY_NAMES]; /* globs; uuids are words */
	size_t n_names, n_uuids, n_cgroups, n_comms;
	uint32_t uids[POLICY_NAMES];
	size_t n_uids;
	uint32_t types; /* bits of kes_vm_type; 0: any */
};

struct frames {
	uint64_t gfn, npages;
};

/* One rule as it is written. */
struct policy_rule {
	const char *file; /* the policies' own, as are all texts */
	unsigned int line, column;
	struct kes_rule compiled;
	struct frames *touches, *within; /* NULL: wherever */
	size_t n_touches, n_within;
	uint32_t findings; /* bits of finding kinds: it reacts to these, and to no request; 0: it is
			      about requests */
};

struct policy {
	const char *name, *file;
	unsigned int line, column;
	uint32_t priority; /* the highest is asked first */
	enum kes_mode mode;
	struct selection vms;
	struct policy_rule *rules;
	size_t n_rules;
};

struct policies {
	struct policy *list; /* by priority, the highest first */
	size_t n;
	void **memory; /* all that the above point to */
	size_t n_memory;
};

/* Reads a file, or (a directory) all of its *.yaml in order of their names. Errors read
 * file:line:column. */
int policies_load(struct policies **ret, const char *path, struct error *err);

/* From memory: label stands for the file. */
int policies_parse(
	struct policies **ret, const char *label, const void *text, size_t size, struct error *err);

/* Fits _cleanup_(). */
void policies_free(struct policies **policies);

/* Whether the policy is about the VM. */
bool policy_selects(const struct policy *policy, const struct vm *vm);

/* Whether it is about every VM, whatever is known of it. */
bool policy_selects_all(const struct policy *policy);

/* ---- what holds for one VM ---- */

struct rule_source {
	const struct policy *policy;
	const struct policy_rule *rule;
};

struct effective {
	struct kes_rule_set set;
	struct rule_source sources[KES_RULES]; /* where each rule of the set is from */
};

/* vm NULL: what holds for every VM. -E2BIG with err filled: more rules or ranges than a VM may
 * have. -ENOMEM. */
int policy_compile(struct effective **ret, const struct policies *policies, const struct vm *vm,
	struct error *err);

/* The same of all rules of one policy, whatever VM: for tests of a file by itself. */
int policy_compile_rules(struct kes_rule_set *set, const struct rule_source *sources, size_t n);

/* "0x1000+4K" as on a command line. -EINVAL with err filled. */
int policy_parse_range(const char *text, struct frames *ret, struct error *err);

const char *action_name(enum kes_action action);
const char *mode_name(enum kes_mode mode);

/* The rule as a sentence: "deny shared 0xff000000+16M". */
void rule_describe(const struct policy_rule *rule, char *text, size_t size);

#endif
