/* SPDX-License-Identifier: GPL-2.0-only */
/* Within one vCPU's thread: the guest's side (vcpu.c), and what the VMM does by itself (act.c). */
#ifndef GUEST_VCPU_H
#define GUEST_VCPU_H

#include "vm.h"

/* Something is not as the script has it: said on stderr, and in the exit status. */
__attribute__((format(printf, 2, 3))) void vcpu_fail(struct vcpu *vcpu, const char *format, ...);

/* Once into the guest and out; 0 or an errno. */
int vcpu_enter(struct vcpu *vcpu);

/* A step that is the VMM's. */
void vcpu_act(struct vcpu *vcpu, const struct step *step);

#endif
