/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host plane of a VM: what KVM's memory attributes say, from two sources. Changes are calls of
 * the VMM, each with a begin and an end; readings are the kernel's own attributes, read while such
 * calls may go on. What is known is kept exact; what the order of events leaves open becomes
 * unknown, and asks for a reading.
 *
 * - A change that succeeded has set its pages, at some time between its begin and its end.
 * - Two changes of the same pages to different states that overlap in time leave these pages
 * unknown, but where their begins come in KVM's own order (KES_F_LOCKED): then the later one wins.
 * - A reading sees each page at some time between its own begin and end. What changes settled
 * meanwhile is put over what it saw.
 */
#ifndef MODEL_HOSTPLANE_H
#define MODEL_HOSTPLANE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/pagemap.h"
#include "wire.h"

struct vm;

/* A call that sets attributes, under way. */
struct change {
	uint64_t gfn, npages; /* frames */
	enum page_state to;
	uint64_t begin; /* seq of its record, plus one */
	uint64_t begin_ns;
	uint32_t tid;
	uint64_t already; /* frames that were so before, as far as that is known */
	bool locked;
	bool stored;                   /* locked: it has set its pages, and let the lock go */
	bool doubted;                  /* records were lost meanwhile: it may have ended */
	uint64_t touched, touched_end; /* the span that others set otherwise meanwhile, in an order
					  that is not known */
};
#define HOST_MAX_CHANGES 64

/* What a change did to the map while a reading was under way. */
struct settled {
	uint64_t gfn, npages;
	enum page_state to;
};
#define HOST_MAX_SETTLED (1u << 16) /* during one reading; more, and it is not used */

struct reading {
	struct pagemap *map; /* NULL: none is under way */
	uint32_t number;
	uint64_t pages; /* records taken in */
	uint64_t lost;  /* of the VM, when it began */
	bool bad;       /* a piece is missing */
	struct settled *settled;
	size_t n_settled, size_settled;
};

struct host_plane {
	bool capable;        /* KVM keeps attributes of the VM's pages */
	bool known;          /* it was read back once: every page has a state */
	bool doubt;          /* some pages are unknown */
	uint64_t forgiven;   /* records lost before the last reading: they do not matter any more */
	uint64_t read_ns;    /* when that ended */
	uint64_t readings;   /* that were whole */
	uint64_t attributes; /* all bits ever seen, raw */
	struct change changes[HOST_MAX_CHANGES];
	size_t n_changes;
	struct reading reading;
};

/* One function per kind of record. -ENOMEM; records that make no sense change nothing, or make
 * pages unknown. */
int host_begin(struct vm *vm, const struct kes_record *r);
/* *ret gets the change as it was begun, with begin 0 if that was not seen. */
int host_end(struct vm *vm, const struct kes_record *r, struct change *ret);
int host_snapshot(struct vm *vm, const struct kes_record *r);
int host_pages(struct vm *vm, const struct kes_record *r);

/* Whether a reading would make the plane better than it is. */
bool host_wants_reading(const struct vm *vm);

/* Whether a change has been under way for long, or (the stream ended) still is. */
bool host_is_changing(const struct vm *vm);

void host_free(struct host_plane *host);

/* What attributes make of a page. */
enum page_state host_state(uint64_t attributes);

#endif
