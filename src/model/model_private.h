/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the files that turn records into state: model.c (VMs, and which record goes where),
 * ledger.c (what becomes of requests), changes.c (the host plane and resets).
 */
#ifndef MODEL_MODEL_PRIVATE_H
#define MODEL_MODEL_PRIVATE_H

#include "model/counters.h"
#include "model/model.h"

struct model {
	struct model_options options;
	struct vm **vms; /* sorted by id */
	size_t n_vms, size_vms;
	size_t last; /* index of the VM that was asked for last: records come in runs */
	size_t n_ended;
	struct processes processes;
	uint64_t now_ns; /* of the latest record */
	struct model_totals totals;
	char *files[KES_FILES]; /* of policies, as verdicts number them; NULL: not told */
};

/* Fills in now_ns, and tells it. */
int model_emit(struct model *model, struct event *event);

/* An event of this kind about the VM, with the record's time, number and vCPU. */
struct event model_event(enum event_kind kind, const struct vm *vm, const struct kes_record *r);

/* ledger.c: one function per kind of record; 0, -ENOMEM, or what on_event returned. */
int ledger_request(struct model *model, struct vm *vm, const struct kes_record *r);
int ledger_answer(struct model *model, struct vm *vm, const struct kes_record *r);
int ledger_refused(struct model *model, struct vm *vm, const struct kes_record *r);
int ledger_fault(struct model *model, struct vm *vm, const struct kes_record *r);

/* The VM ends, or is reset: what is open will never be answered. */
int ledger_close(struct model *model, struct vm *vm, const struct kes_record *r);

/* changes.c: the same */
int changes_attributes(struct model *model, struct vm *vm, const struct kes_record *r);
int changes_snapshot(struct model *model, struct vm *vm, const struct kes_record *r);
int changes_reset(struct model *model, struct vm *vm, const struct kes_record *r);

#endif
