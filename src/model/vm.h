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

#include "model/disputes.h"
#include "model/hostplane.h"
#include "model/pagemap.h"
#include "model/plane.h"
#include "wire.h"

enum confidence {
	CONFIDENCE_EXACT,   /* nothing was missed */
	CONFIDENCE_PARTIAL, /* watched from some time on: unknown pages remain */
	CONFIDENCE_STALE,   /* records were lost: any page may have changed since */
	CONFIDENCES,
};

struct memslot {
	uint64_t gfn, npages; /* frames */
	uint64_t since_ns;    /* first seen; 0: it was there when the VM's memory was first seen */
	uint32_t slot, flags;
};
/* KVM's own limit on x86 is KVM_USER_MEM_SLOTS, 32764 at the most */
#define VM_MEMSLOTS_MAX 32764

/* A fault of the guest on a page that is not what it was touched as. */
struct fault {
	uint64_t gfn, npages;
	enum page_state to; /* what the guest took it for */
};
#define VM_FAULTS 8

/* A conversion that the VMM was asked for; at most one a vCPU. */
struct request {
	uint64_t gpa, npages, attrs; /* bytes, frames, raw */
	uint64_t ts_ns, seq;
	uint16_t vcpu;
	bool open;
	bool unhooked;      /* its answer may have gone unseen */
	struct fault fault; /* of the vCPU since then, the last one; npages 0: none */
};

struct vm_counters {
	uint64_t exits[KES_EXIT_REASONS];       /* by KVM_EXIT_ reason, KVM_RUN returned 0 */
	uint64_t exit_errors[KES_EXIT_REASONS]; /* KVM_RUN returned an error */
	uint64_t hypercalls[KES_HYPERCALLS];    /* by number, the last takes all others */
};

/* What a reset found shared, as far as there is room. */
#define VM_LEFT_SHARED 64
struct left_shared {
	uint64_t ts_ns;
	uint64_t pages; /* in all */
	struct page_range {
		uint64_t gfn, npages;
	} ranges[VM_LEFT_SHARED];
	size_t n;
};

/* Conversions to private that follow each other, without one to shared. */
struct streak {
	uint64_t shared;     /* frames, when it began */
	uint64_t privatised; /* frames */
	uint64_t conversions;
	bool told;
};

/* Conversions, by how they ended. */
struct ledger_totals {
	uint64_t converted, denied, refused, unanswered, no_answer;
	uint64_t to_private; /* of those that were converted */
	uint64_t faults;
	uint64_t vetoed;      /* what a policy refused, whether guest or VMM asked */
	uint64_t attributes;  /* changes of the host plane that succeeded */
	uint64_t uncommitted; /* converted, but the host plane does not say so, or not of all pages
			       */
};

struct vm {
	uint32_t id, pid, uid, type;
	uint64_t cgroup;
	char comm[KES_COMM_LEN + 1]; /* other people's bytes */
	char text[KES_TEXT_MAX]
		 [KES_TEXT_LIMIT + 1]; /* name, uuid, cgroup: other people's, too; "" none */
	size_t text_size[KES_TEXT_MAX];
	bool name_cut;     /* it was longer */
	uint64_t revision; /* goes up whenever one of the above may have changed */
	bool known;        /* its VM_NEW was seen */
	bool described;    /* its VM_INFO was, since it was loaded: it tells of a host plane */
	bool born; /* and it was its birth, or the VM was reset since: it began all private */
	uint32_t vcpus;
	bool alive;
	bool finished;  /* the stream ended: nothing more of it comes */
	bool abi_doubt; /* a request that looks like the other ABI was seen */
	bool nobodys;   /* the tool's own: see model_disown() */
	uint64_t last_ns, end_ns;

	struct pagemap *planes[PLANES]; /* NULL until there is something to say */
	uint64_t shared;                /* frames that are shared on the guest plane */
	uint64_t already; /* of the range set last: frames that were in that state before */
	struct host_plane host;
	struct disputes disputes;
	struct left_shared left; /* at the last reset; ts_ns 0: there was none */
	uint64_t resets;
	struct streak streak;
	struct fault faults[VM_FAULTS]; /* the last ones, round and round */
	size_t n_faults;
	struct memslot *memslots; /* sorted by gfn */
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
	uint64_t tainted;  /* losses of the host that may have been this VM's */
	uint64_t forgiven; /* records lost before the last reset: the guest plane began anew */
	uint64_t unseen;   /* answers that were not seen since then */
	uint64_t sent;     /* sequence numbers the kernel gave out in all; 0 until the VM ended */
};

const char *plane_name(enum plane plane);
const char *confidence_name(enum confidence confidence);

/* Bytes that it takes here: nearly all of them are its maps'. */
size_t vm_memory(const struct vm *vm);

/* "default", "snp" ...; for a type newer than this program "type-N", in buffer. */
const char *vm_type_name(uint32_t type, char buffer[16]);

/* The name that its VMM gives it, else "comm[pid]"; unescaped. */
void vm_name(const struct vm *vm, char *buffer, size_t size);
#define VM_NAME_SIZE (KES_TEXT_LIMIT + 1)

/* Whether there is a guest plane to show: a VM of default type that never converted has none. */
bool vm_has_map(const struct vm *vm);

/* Records lost: the kernel's count, or the gap in the sequence where that is larger. */
uint64_t vm_lost(const struct vm *vm);

enum confidence vm_confidence(const struct vm *vm, enum plane plane);

/* Whether there is a host plane to show: KVM keeps attributes of its pages. */
bool vm_has_host_plane(const struct vm *vm);

/* What a page is that nobody said anything about. */
enum page_state vm_initial_state(const struct vm *vm, enum plane plane);

/* As pagemap_run(), of a plane that may have no map yet. */
uint64_t vm_run(const struct vm *vm, enum plane plane, uint64_t gfn, uint64_t end,
	enum page_state *ret_state);

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

/* Puts a range into a state, as far as it is within the map: from outside it may be anything. Mover
 * may be NULL where the state is PAGE_UNKNOWN. */
int vm_set_pages(struct vm *vm, enum plane plane, uint64_t gfn, uint64_t npages,
	enum page_state state, const struct mover *mover);

/* How many frames of the range lie in memory, and how many of them are in each state. */
uint64_t vm_count_range(const struct vm *vm, enum plane plane, uint64_t gfn, uint64_t npages,
	uint64_t ret_counts[PAGE_STATES]);

/* How many frames of the range lie in no memslot. */
uint64_t vm_count_outside(const struct vm *vm, uint64_t gfn, uint64_t npages);

/* Takes in one piece of a text. */
void vm_text(struct vm *vm, const struct kes_record *record);

/* The VM was reset: it begins all private again. lost: records of it that were lost before.
 * -ENOMEM. */
int vm_reset(struct vm *vm, uint64_t ts_ns, uint64_t lost);

/* Takes in one memslot of a snapshot; the snapshot replaces the memslots when it is whole. */
int vm_memslot(struct vm *vm, const struct kes_record *record);

#endif
