/* SPDX-License-Identifier: GPL-2.0-only */
/* Between state.c (the model) and state_vm.c (a VM): see base/codec.h. */
#ifndef MODEL_STATE_PRIVATE_H
#define MODEL_STATE_PRIVATE_H

#include "base/codec.h"
#include "model/vm.h"

/* One VM, whose id is known. maps_bytes: of page maps that may still be made, goes down. */
void state_vm(struct codec *codec, struct vm *vm, size_t *maps_bytes);

void state_counters(struct codec *codec, struct vm_counters *counters);
void state_ledger(struct codec *codec, struct ledger_totals *totals);

#endif
