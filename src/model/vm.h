/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One VM as its records tell it: who it is, its two planes of page states, its ledger of
 * conversions, and how far all that can be trusted. Changed only by model.c.
 */
#ifndef MODEL_VM_H
#define MODEL_VM_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/pagemap.h"
#include "wire.h"

enum plane {
	PLANE_GUEST, /* what the guest declared */
	PLANE_HOST,  /* what KVM's memory attributes say */
	PLANES,
};

enum confidence {
	CONFIDENCE_EXACT,   /* nothing was missed */
	CONFIDENCE_PARTIAL, /* watched from some time on: unknown pages remain */
	CONFIDENCE_STALE,   /* records were lost: any page may have changed since */
	CONFIDENCES,
};

struct memslot {
	uint64_t gfn, npages; /* frames */
	uint32_t slot, flags;
};

/* A conversion that the VMM was asked for; at most one a vCPU. */
struct request {
	uint64_t gpa, npages, attrs; /* bytes, frames, raw */
	uint64_t ts_ns, seq;
	uint16_t vcpu;
	bool open;
	bool unhooked; /* its answer may have gone unseen */
};

struct vm_counters {
	uint64_t exits[KES_EXIT_REASONS];       /* by KVM_EXIT_ reason, KVM_RUN returned 0 */
	uint64_t exit_errors[KES_EXIT_REASONS]; /* KVM_RUN returned an error */
	uint64_t hypercalls[KES_HYPERCALLS];    /* by number, the last takes all others */
};

/* Conversions, by how they ended. */
struct ledger_totals {
	uint64_t converted, denied, refused, unanswered, no_answer;
	uint64_t faults;
};

struct vm {
	uint32_t id, pid, uid, type;
	uint64_t cgroup;
	char comm[KES_COMM_LEN + 1]; /* other people's bytes */
	bool known;                  /* its VM_NEW was seen */
	bool born;                   /* and it was its birth */
	bool alive;
	bool finished;  /* the stream ended: nothing more of it comes */
	bool abi_doubt; /* a request that looks like the other ABI was seen */
	uint64_t last_ns, end_ns;

	struct pagemap *planes[PLANES]; /* NULL until there is something to say */
	struct memslot *memslots;       /* sorted by gfn */
	size_t n_memslots;
	struct memslot *snapshot; /* the one that is coming in */
	size_t n_snapshot, snapshot_total;
	uint64_t snapshot_generation;

	struct request *requests; /* sorted by vcpu */
	size_t n_requests;
	struct ledger_totals totals;
	struct vm_counters counters;

	uint64_t seen, next_seq;      /* records of the sequence; one past the highest number */
	uint64_t gap_seen;            /* seen when the open gap began */
	uint64_t lost[KES_CAUSE_MAX]; /* as counted by the kernel */
	uint64_t lost_since_ns;
	uint64_t tainted; /* losses of the host that may have been this VM's */
	uint64_t sent;    /* sequence numbers the kernel gave out in all; 0 until the VM ended */
};

const char *plane_name(enum plane plane);
const char *confidence_name(enum confidence confidence);

/* "default", "snp" ...; for a type newer than this program "type-N", in buffer. */
const char *vm_type_name(uint32_t type, char buffer[16]);

/* "comm[pid]", unescaped. */
void vm_name(const struct vm *vm, char *buffer, size_t size);

/* Whether there is a guest plane to show: a VM of default type that never converted has none. */
bool vm_has_map(const struct vm *vm);

/* Records lost: the kernel's count, or the gap in the sequence where that is larger. */
uint64_t vm_lost(const struct vm *vm);

enum confidence vm_confidence(const struct vm *vm, enum plane plane);

/* Calls with each maximal range of equal state, in order of gfn: all of guest memory as far as it
 * is known, and pages outside of it that are not what they were at first. Ends early with what fn
 * returns when that is not 0. */
typedef int (*range_fn)(void *context, uint64_t gfn, uint64_t npages, enum page_state state);
int vm_ranges(const struct vm *vm, enum plane plane, range_fn fn, void *context);

/* Frames per state over the same pages. */
void vm_count(const struct vm *vm, enum plane plane, uint64_t ret_counts[PAGE_STATES]);

/* Frames of guest memory, 0 if it is not known. */
uint64_t vm_memory_pages(const struct vm *vm);

/* Open requests; *ret_oldest_ns is the time of the oldest one. */
size_t vm_open_requests(const struct vm *vm, uint64_t *ret_oldest_ns);

struct vm *vm_new(uint32_t id);
void vm_free(struct vm **vm);

/* The vCPU's entry in the ledger, made when there is none. NULL: out of memory. */
struct request *vm_request(struct vm *vm, uint16_t vcpu);

/* The plane's map, made when there is none; -ENOMEM. */
int vm_plane(struct vm *vm, enum plane plane, struct pagemap **ret);

/* Takes in one memslot of a snapshot; the snapshot replaces the memslots when it is whole. */
int vm_memslot(struct vm *vm, const struct kes_memslot *record);

#endif
