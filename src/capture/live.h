/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Records from the running kernel: loads and attaches the BPF programs, reads the ring, and turns
 * what the kernel only counts into records. The only user of libbpf.
 */
#ifndef CAPTURE_LIVE_H
#define CAPTURE_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "capture/source.h"
#include "model/vm.h"

#define LIVE_RING_DEFAULT (2u << 20) /* bytes */

struct live;

/* A VM that is watched, or was in an earlier life: who it is to the kernel, and how far its numbers
 * have come. */
struct live_known {
	uint64_t kvm;         /* its struct kvm: only together with ... */
	int64_t clock_offset; /* ... this; of one boot */
	uint32_t id, pid;
	uint64_t seq; /* of its next record */
	uint64_t lost[KES_CAUSE_MAX];
	const struct vm_counters *counters; /* NULL: not known */
};

struct live_options {
	size_t ring_bytes;   /* rounded up to a power of two of pages; 0: LIVE_RING_DEFAULT */
	bool no_trampolines; /* do as on a kernel that refuses them */
	bool hook_now;       /* hook all at once, not when the first VM comes that needs it */
	bool prove_all;      /* attach what only VMs with attributes need, wherever it can be */
	bool resident;       /* live_read_resident() will be called */
	bool count_runs;     /* have the kernel count and time the programs' runs */
	bool verbose;        /* libbpf's own words to stderr */
	/* Those of an earlier life whose processes still live: they go on with their ids and
	 * numbers, each with one loss of cause KES_CAUSE_UNWATCHED. */
	const struct live_known *known;
	size_t n_known;
	uint32_t last_id;          /* that was given then: new VMs come after it */
	const uint64_t *host_lost; /* [KES_CAUSE_MAX], of then; NULL: nothing */
};

enum hook_state {
	HOOK_ABSENT,  /* this kernel has no such hook */
	HOOK_REFUSED, /* the kernel would not load or attach it: err says why */
	HOOK_STANDBY, /* loaded, attached when there is something for it to see */
	HOOK_ATTACHED,
	HOOK_STATES,
};

struct hook {
	const char *name;    /* as libbpf spells it: tp_btf/kvm_hypercall */
	const char *purpose; /* what it shows */
	enum hook_state state;
	int err;         /* HOOK_REFUSED: negative errno */
	uint64_t runs;   /* with count_runs: how often it fired */
	uint64_t run_ns; /* with count_runs: how long in all */
};

const char *hook_state_name(enum hook_state state);

/* Loads and attaches. The error says what this host lacks and what to do. */
int live_new(struct live **ret, const struct live_options *options, struct error *err);

/* Detaches; nothing stays in the kernel. */
void live_free(struct live **live);

/* Waits up to timeout_ms (-1: for ever) and hands on what came. -EINTR when a signal came first. */
int live_poll(struct live *live, int timeout_ms, record_fn take, void *context);

/* Readable when live_poll() has something to do: for an event loop. That is so after live_rest() or
 * live_nap(), one of which comes before each wait. */
int live_fd(const struct live *live);

/* 1: until the next live_poll(), whatever comes makes live_fd() readable at once. 0: something has
 * come lately, so that it is better to wait and take it together with what follows; or something
 * came just now, which is handed on. A negative errno. */
int live_rest(struct live *live, record_fn take, void *context);

/* True: until the next live_poll(), which has to be some times a second, live_fd() becomes readable
 * at once when much waits on the ring, or something that is to be acted on. False: there is such a
 * thing already, so that there is no time to wait. */
bool live_nap(struct live *live);

/* Sends what the kernel counts (losses, exits, hypercalls) as records, as far as it changed, and
 * gives the places of ended VMs free. Once a second or so, and once at the end. */
int live_collect(struct live *live, record_fn take, void *context);

/* Looks for VMs that live already and where the memory of each is; what is new comes as records.
 * Once after live_new(), and whenever it must be up to date. */
int live_inventory(struct live *live, record_fn take, void *context);

/* Reads back from the kernel what the host plane of a VM is; it comes as records. -ENOENT: no such
 * VM, or no file of it is to be found. -EAGAIN: not now. -ENOTSUP: not on this kernel, or the VM
 * has none. */
int live_read_attributes(struct live *live, uint32_t vm, record_fn take, void *context);

/* Looks for memory that a VM has twice, in guest_memfd and in the VMM's own mapping; what is found
 * comes as KES_RESIDENT records. Takes time in proportion to the VM's memory. -ENOENT: no such VM,
 * or its VMM is gone. -EAGAIN: not now. -ENOTSUP: not on this kernel, not asked for in the options,
 * or the VM has no such memory. */
int live_read_resident(struct live *live, uint32_t vm, record_fn take, void *context);

/* Whether it does, on this kernel: it then reads /proc/PID/pagemap of VMMs. */
bool live_reads_pagemaps(const struct live *live);

/* The VMs that are watched now, by what a later life may know them again; counters are not filled.
 * *ret is the caller's to free. */
int live_list(const struct live *live, struct live_known **ret, size_t *ret_n);

/* The last id that was given to a VM. */
uint32_t live_last_id(const struct live *live);

/* A VM of an earlier life is not there any more: says so, as records. sent: sequence numbers that
 * it used up; unwatched: its losses of that cause. */
int live_tell_end(struct live *live, uint32_t vm, uint64_t sent, uint64_t unwatched);

/* Whether KVM's modules are there, so that live_new() is worth trying: its device is registered
 * last. */
bool live_kvm_is_there(void);

/* The hooks with their states; the array is live's. */
const struct hook *live_hooks(struct live *live, size_t *ret_n);

/* What this kernel lacks that makes what is seen less than it should be, in a sentence; NULL:
 * nothing. */
const char *live_shortcoming(const struct live *live);

/* Whether hook.runs can be believed: asked for, and the kernel counts. */
bool live_counts_runs(const struct live *live);

size_t live_ring_bytes(const struct live *live);

/* Milliseconds that opening, loading and attaching took. */
double live_setup_ms(const struct live *live);

#endif
