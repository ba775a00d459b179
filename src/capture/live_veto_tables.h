/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tables of the veto, as file descriptors: those of programs that run in this process, or those
 * that are pinned. include/veto.h says what is in them.
 */
#ifndef CAPTURE_LIVE_VETO_TABLES_H
#define CAPTURE_LIVE_VETO_TABLES_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "veto.h"

enum veto_table {
	VETO_SETTINGS,
	VETO_TOTALS,
	VETO_RULE_SETS,
	VETO_RULE_COUNTS,
	VETO_FILES,
	VETO_POLICED,
	VETO_FROZEN,
	VETO_MONITORED,
	VETO_DENIALS,
	VETO_LABELS,
	VETO_BASELINES,
	VETO_STATES,
	VETO_LEAVES,
	VETO_FLIGHTS,
	VETO_NO_STATE, /* empty ones, to copy */
	VETO_NO_LEAF,
	VETO_TABLES,
};

struct veto_tables {
	int fd[VETO_TABLES]; /* -1: not open */
};

/* The tables' names, in the kernel half and as pins. */
extern const char *const veto_table_names[VETO_TABLES];

/* Opens what is pinned. -ENOENT: nothing is; -ESTALE: it is another version's; with err filled. */
int veto_tables_open(struct veto_tables *ret, struct error *err);
void veto_tables_close(struct veto_tables *tables);

int veto_settings(const struct veto_tables *tables, struct kes_veto *ret);
int veto_write_settings(const struct veto_tables *tables, const struct kes_veto *settings);
struct kes_veto_totals veto_totals(const struct veto_tables *tables);

/* A rule set. It must not be in use when it is written: a VM's rules change at once, by giving it
 * another one. Its counts begin anew then. */
int veto_write_set(
	const struct veto_tables *tables, uint32_t index, const struct kes_rule_set *set);
int veto_read_set(const struct veto_tables *tables, uint32_t index, struct kes_rule_set *ret);
struct kes_rule_count veto_rule_count(
	const struct veto_tables *tables, uint32_t set, uint32_t rule);

/* Paths of policy files, by the numbers that rules have. */
int veto_write_file(const struct veto_tables *tables, uint16_t number, const char *path);
void veto_read_file(const struct veto_tables *tables, uint16_t number, char path[KES_TEXT_LIMIT]);

/* Calls fn for each VM that has rules of its own, or is frozen, until it returns other than 0. */
struct veto_vm {
	uint64_t kvm;
	bool has_rules, has_label, is_frozen, is_monitored;
	struct kes_policed which;
	struct kes_denials denials;
	struct kes_vm_label label;
	struct kes_frozen frozen;
};
typedef int (*veto_vm_fn)(void *context, const struct veto_vm *vm);
int veto_each_vm(const struct veto_tables *tables, veto_vm_fn fn, void *context);

int veto_write_label(
	const struct veto_tables *tables, uint64_t kvm, const struct kes_vm_label *label);

/* -ENOENT: the VM has none. */
int veto_state(const struct veto_tables *tables, uint64_t kvm, struct kes_state *ret);

/* What is shared now is the VM's baseline. -ENOENT: nothing of it was counted yet. */
int veto_take_baseline(const struct veto_tables *tables, uint64_t kvm);
/* -ENOENT: none was taken. */
int veto_baseline(const struct veto_tables *tables, uint64_t kvm, uint64_t *ret);

bool veto_is_frozen(const struct veto_tables *tables, uint64_t kvm);
/* Its vCPUs leave the guest, and stay out of it; pid is its VMM's. It may be frozen already. */
int veto_freeze(const struct veto_tables *tables, uint64_t kvm, uint32_t pid);
/* The VMM goes on, and only its vCPUs stay where they are. */
int veto_resume_vmm(const struct veto_tables *tables, uint64_t kvm);
/* They run again. -ENOENT: it is not frozen. */
int veto_release(const struct veto_tables *tables, uint64_t kvm);

/* Whether the VM is only monitored: no rule refuses it anything, what one would have is told. It
 * stays so until it is said otherwise, whatever rules it is given, or until it ends. */
bool veto_is_monitored(const struct veto_tables *tables, uint64_t kvm);
int veto_monitor(const struct veto_tables *tables, uint64_t kvm, bool monitored);

/* All that are. */
int veto_release_all(const struct veto_tables *tables);

/* ---- whether anything goes by them ---- */

/* The programs in the kernel that use the tables. */
struct veto_programs {
	uint32_t n;
	uint64_t missed; /* how often the kernel passed over one of them */
};
int veto_programs(const struct veto_tables *tables, struct veto_programs *ret);

/* Whether programs are pinned: enforcement goes on without a tool. */
bool veto_is_kept(void);

/* The pid of the tool that runs and enforces; 0: none does. */
uint32_t veto_holder(void);

/* Whether there is a file system for pins; err is filled if not. */
bool veto_can_pin(struct error *err);

/* Unpins all, also what a tool has left that was killed: what was kept ends. -ENOENT: there was
 * nothing; -EBUSY: a tool that runs holds it; with err filled. */
int veto_unpin(struct error *err);

#endif
