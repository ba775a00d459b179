/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel enforces now, as people and programs read it. */
#ifndef OUTPUT_ENFORCED_H
#define OUTPUT_ENFORCED_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "output/output.h"
#include "veto.h"

/* A rule set, which VMs may share. */
struct enforced_set {
	uint32_t index;
	struct kes_rule_set set;
	struct kes_rule_count counts[KES_RULES];
};

struct enforced_vm {
	uint64_t kvm;              /* by which the kernel knows it; never shown */
	struct kes_vm_label label; /* pid alone: nobody has said more */
	bool is_named;             /* all of it is known */
	bool has_rules, is_frozen, is_monitored;
	struct kes_policed which; /* its rules */
	struct kes_denials denials;
	struct kes_frozen frozen;
	bool counts; /* what it shares is counted: frames */
	uint64_t shared, memory, baseline;
};

struct enforced {
	uint64_t now_ns;
	struct kes_veto settings;
	struct kes_veto_totals totals;
	bool kept;     /* it goes on without a tool */
	uint32_t tool; /* pid of the one that runs; 0: none does */
	bool knows_missed;
	uint64_t missed; /* how often the kernel passed over a program */
	struct enforced_set **sets;
	size_t n_sets;
	struct enforced_vm *vms;
	size_t n_vms;
	char (*files)[KES_TEXT_LIMIT]; /* by number; "" what is not known */
};

/* "VM 3 db1", or "the VM of pid 77" */
#define ENFORCED_VM_SIZE (VM_SHORT_SIZE + 16)
const char *enforced_vm_name(const struct enforced_vm *vm, char buffer[ENFORCED_VM_SIZE]);

void enforced_write_text(FILE *out, const struct style *style, const struct enforced *enforced);

/* "kvm-encstat.enforced/1", one object. */
void enforced_write_json(FILE *out, const struct enforced *enforced);

#endif
