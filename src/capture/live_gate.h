/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The veto in the kernel, level 2: a program on the function of the module kvm_encstat_gate, which
 * is asked about each hypercall of a guest before KVM acts on it. Nothing stays when it is closed.
 */
#ifndef CAPTURE_LIVE_GATE_H
#define CAPTURE_LIVE_GATE_H

#include "capture/live.h"
#include "verdict.h"

struct live_gate;

/* Whether the module is loaded, without which there is no veto. */
bool live_gate_is_there(void);

/* Arms the module, loads and attaches; allows all until it is told otherwise. The error says what
 * this host lacks. */
int live_gate_open(struct live_gate **ret, struct live *live, struct error *err);

/* Fits _cleanup_(). */
void live_gate_close(struct live_gate **gate);

/* Writes a rule set; index 0 is the empty one. It must not be in use: a VM's rules change at once,
 * by giving it another one. */
int live_gate_set(struct live_gate *gate, uint32_t index, const struct kes_rule_set *set);

/* What holds for VMs that have not been given any; proving: for guests of the tool's children only,
 * and nothing for all others. */
int live_gate_standard(struct live_gate *gate, struct kes_policed standard, bool proving);

/* Gives the VM a rule set; *ret_kvm is for live_gate_forget(). -ENOENT: it has ended. */
int live_gate_assign(
	struct live_gate *gate, uint32_t vm, struct kes_policed which, uint64_t *ret_kvm);

/* The VM has ended. */
void live_gate_forget(struct live_gate *gate, uint32_t vm, uint64_t kvm);

/* Hypercalls that were asked about. */
uint64_t live_gate_asked(struct live_gate *gate);

#endif
