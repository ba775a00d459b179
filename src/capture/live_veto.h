/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The veto in the kernel, bpf/veto.bpf.c: programs that refuse, and the tables that they go by.
 *
 * Level 2 is a program on the function of the module kvm_encstat_gate, which is asked about each
 * hypercall of a guest before KVM acts on it. Level 1, on stock kernels, is one on the ioctls of
 * VMMs. Both are attached where they can be.
 *
 * The tables are pinned below VETO_PINS, so that `policy show` and `policy release` reach them.
 * With `keep` the programs are, too: then they go on when the tool ends, or dies, and the next tool
 * that keeps takes over from them.
 */
#ifndef CAPTURE_LIVE_VETO_H
#define CAPTURE_LIVE_VETO_H

#include "capture/live.h"
#include "capture/live_veto_tables.h"

#define VETO_PINS "/sys/fs/bpf/kvm-encstat"

struct live_veto;

enum veto_level {
	VETO_IOCTLS, /* level 1 */
	VETO_GATE,   /* level 2 */
	VETO_LEVELS,
};

struct live_veto_options {
	bool keep;      /* pin the programs, and leave them when it is closed */
	bool want_gate; /* -ENOTSUP where level 2 cannot be had */
};

/* Whether the module is loaded, without which there is no level 2. */
bool live_veto_has_module(void);

/* Arms the module if it is there, loads, attaches, takes over what an earlier tool has left pinned.
 * All is allowed, or as it was left, until live_veto_standard(). The error says what this host
 * lacks. */
int live_veto_open(struct live_veto **ret, struct live *live,
	const struct live_veto_options *options, struct error *err);

/* Proved: what an earlier tool left is let go of, and the programs are pinned with keep. */
int live_veto_commit(struct live_veto *veto, struct error *err);

/* Fits _cleanup_(). Without keep nothing stays: VMs that are frozen go on. */
void live_veto_close(struct live_veto **veto);

/* Whether the level is attached. */
bool live_veto_has(const struct live_veto *veto, enum veto_level level);

/* Whether it goes on with what an earlier tool left, and if so, by what settings that went. */
bool live_veto_previous(const struct live_veto *veto, struct kes_veto *ret);

/* Gives a VM its rules; *ret_kvm is for live_veto_forget(). -ENOENT: it has ended. */
int live_veto_assign(
	struct live_veto *veto, uint32_t vm, struct kes_policed which, uint64_t *ret_kvm);

/* What rules it has now. -ENOENT: none of its own, or it has ended. */
int live_veto_has_rules(struct live_veto *veto, uint32_t vm, struct kes_policed *ret);

/* The VM has ended. */
void live_veto_forget(struct live_veto *veto, uint32_t vm, uint64_t kvm);

/* Takes rules from all other VMs: an earlier tool gave them to them. */
void live_veto_forget_others(struct live_veto *veto, const uint64_t *kvms, size_t n);

/* Which form level 1 has: "lsm.s/file_ioctl", "lsm/file_ioctl", "fmod_ret/security_file_ioctl". */
const char *live_veto_form(const struct live_veto *veto);

/* The tables, which are veto's. */
const struct veto_tables *live_veto_tables(const struct live_veto *veto);

/* How often the kernel passed over one of the programs: because it was running already on that CPU.
 * What it would have refused was not. */
uint64_t live_veto_missed(const struct live_veto *veto);

/* Which file has that number in rules: for the tables, and as a record. */
int live_veto_tell_file(struct live_veto *veto, uint16_t number, const char *path);

/* What was done about a finding, as a record. */
int live_tell_reaction(struct live *live, uint32_t vm, const struct kes_judgement *judgement);

#endif
