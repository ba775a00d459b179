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
#include "base/sha256.h"
#include "detect/finding.h"
#include "model/vm.h"
#include "verdict.h"

#define POLICY_NAMES 16 /* of one key of a selection */

/* Which VMs: each key that is there has to fit, by any of its words. */
struct selection {
	const char *names[POLICY_NAMES], *labels[POLICY_NAMES], *uuids[POLICY_NAMES],
		*cgroups[POLICY_NAMES], *comms[POLICY_NAMES]; /* globs; uuids are words */
	size_t n_names, n_labels, n_uuids, n_cgroups, n_comms;
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
	const char *default_for; /* of defaults: VM type, or "any"; NULL: a policy's rule */
};

struct policy {
	const char *name, *file;
	unsigned int line, column;
	uint32_t priority; /* the highest is asked first */
	enum kes_mode mode;
	struct selection vms;
	struct policy_rule *rules;
	size_t n_rules;
	bool says_unreadable;
	int unreadable; /* if so: what a change of attributes gets whose arguments cannot be read,
			   -EPERM; 0: it passes */
};

struct rule_source {
	const struct policy *policy;
	const struct policy_rule *rule;
};

#define POLICY_FILES 255 /* a kes_rule has a byte for its own */

struct policies {
	struct policy *list; /* by priority, the highest first */
	size_t n;
	/* What holds for a VM of that type where no policy decides; the last: of a type that has
	 * none there. Rule NULL: nothing is said. Each file's are a policy of their own. */
	struct rule_source defaults[KES_VM_TYPE_MAX + 1];
	const char **files; /* paths as they were read: kes_rule.file is an index */
	size_t n_files;
	unsigned char digests[POLICY_FILES][SHA256_BYTES]; /* of the files, as they were read */
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

/* Whether it is about every VM of this type, whatever else comes to be known of it. */
bool policy_selects_type(const struct policy *policy, uint32_t type);

/* ---- what they want of the kernel half ---- */

enum policy_need {
	NEED_AMOUNTS,    /* to count what is shared */
	NEED_RATES,      /* a clock, and buckets */
	NEED_FREEZE,     /* to keep vCPUs out of the guest */
	NEED_VMM,        /* to be asked about what VMMs do by themselves */
	NEED_FINDINGS,   /* what is found */
	NEED_HYPERCALLS, /* to be asked about those that convert nothing */
};

/* A rule, or default, that needs it, monitored or enforced: the one that is asked first. NULL: none
 * does. */
const struct policy_rule *policies_want(const struct policies *policies, enum policy_need need);

/* ---- what becomes of a finding ---- */

struct reaction {
	struct rule_source decided;   /* the first enforced rule; rule NULL: none */
	struct rule_source monitored; /* the first monitored one before it */
};

/* What the rules say of a finding of this VM. */
struct reaction policy_on_finding(
	const struct policies *policies, const struct vm *vm, enum finding_kind kind);

/* ---- what holds for one VM ---- */

struct effective {
	struct kes_rule_set set;
	struct rule_source sources[KES_RULES]; /* where each rule of the set is from */
};

/* -E2BIG with err filled: more rules or ranges than a VM may have. -ENOMEM. */
int policy_compile(struct effective **ret, const struct policies *policies, const struct vm *vm,
	struct error *err);

/* What holds for a VM of which only the type is known, as the kernel knows it from the first
 * hypercall on: policies that select all VMs, or by type alone, and defaults. A type that has no
 * name gets those that are for any. */
int policy_compile_standard(
	struct effective **ret, const struct policies *policies, uint32_t type, struct error *err);

/* The same of all rules of one policy, whatever VM: for tests of a file by itself. */
int policy_compile_rules(struct kes_rule_set *set, const struct rule_source *sources, size_t n);

/* "0x1000+4K" as on a command line. -EINVAL with err filled. */
int policy_parse_range(const char *text, struct frames *ret, struct error *err);

/* "do what is newer than this program" for a number that comes from outside and is none of them. */
const char *action_name(enum kes_action action);
const char *mode_name(enum kes_mode mode);

/* The rule as a sentence: "deny shared 0xff000000+16M", "default for snp: deny". */
void rule_describe(const struct policy_rule *rule, char *text, size_t size);

/* The same of rule i of a compiled set, as the kernel has it. Ranges that touch have become one. */
void rule_describe_compiled(const struct kes_rule_set *set, uint32_t i, char *text, size_t size);

#endif
