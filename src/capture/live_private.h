/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the files of live: live.c (programs and hooks), live_probe.c (what the kernel has),
 * live_attributes.c (the host plane), live_tables.c (ring and VMs), live_ends.c (the end of VMs),
 * live_identity.c (names), live_counts.c (counters), live_host.c (the host itself), live_resident.c
 * (memory that is there twice), live_resume.c (VMs of an earlier life).
 */
#ifndef CAPTURE_LIVE_PRIVATE_H
#define CAPTURE_LIVE_PRIVATE_H

#include <bpf/libbpf.h>

#include "capture/live.h"

enum live_hook {
	LIVE_HYPERCALL,
	LIVE_EXIT,
	LIVE_BIRTH,
	LIVE_INVENTORY,
	LIVE_ANSWER_RUN,
	LIVE_ANSWER_FPU,
	LIVE_END,
	LIVE_CALL,
	LIVE_CALL_END,
	LIVE_CALL_LOCKED,
	LIVE_CALL_PLAIN,
	LIVE_CALL_PLAIN_END,
	LIVE_READING,
	LIVE_HOOKS,
};

struct counted;         /* live_counts.c: the last total sent of one counter */
struct watched;         /* live_ends.c: a VMM whose end may be that of its VMs */
struct resident_reader; /* live_resident.c: its program and its room */

struct live {
	struct observe *observe;
	struct trampoline *trampoline; /* NULL: this kernel has none for us */
	struct bpf_link *links[LIVE_HOOKS];
	struct hook hooks[LIVE_HOOKS];
	int stats_fd;
	bool rdonly_cast; /* the kernel has bpf_rdonly_cast() */
	bool kernel_has_attributes;
	bool own_pids; /* the kernel's pids are those of our /proc: we are in no pid namespace */
	bool attributes_tried, attributes_hooked;
	uint32_t snapshots; /* number of the last one */
	bool host_told;
	struct kes_host_info host_info; /* as told last */
	int trampoline_err;             /* why there are none */
	size_t ring_bytes;
	uint64_t setup_ns;
	bool vms_came; /* since the last inventory */
	uint64_t inventory_ns;
	struct kes_control *control; /* the kernel's own */
	uint64_t answers_hooked_ns;

	struct ring_buffer *ring;
	int epoll_fd;
	record_fn take;   /* during live_poll() */
	size_t consumed;  /* records in this go */
	uint64_t came_ns; /* when there were any */
	void *context;
	__u64 *lost_sent; /* [slot * KES_CAUSE_MAX + cause] */
	__u64 host_lost_sent[KES_CAUSE_MAX];
	struct counted *counted; /* sorted by key */
	size_t n_counted;
	uint32_t *end_seen; /* [slot]: id of the VM whose VM_END came */
	uint32_t *ending;   /* [slot]: id of the VM that the last collection found ended */
	int cpus;
	struct kes_count_key *count_keys; /* one batch of counts */
	uint64_t *count_values;           /* its values, [key * cpus + cpu] */
	struct kes_tally *tallies;        /* the kernel's own */
	size_t n_tallies;
	uint32_t *mixed; /* pids whose counts are several VMs' */
	size_t n_mixed;
	int uevents; /* socket, -1: this host has none for us */
	struct watched *watched;
	size_t n_watched;
	struct resident_reader *resident; /* NULL: not wanted, or this kernel has none */
};

/* live_probe.c: fills the states of the hooks, and what else depends on the kernel. */
int live_probe(struct live *live, struct error *err);

/* Whether kvm-amd is what drives vCPUs here; bpf/ proves it again for each vCPU. */
bool live_host_is_svm(void);

/* Tables of the object that observe has, too, are that one's: before it is loaded. */
void live_share_tables(const struct live *live, struct bpf_object *object);

struct bpf_program *live_program(const struct live *live, enum live_hook hook);
int live_attach(struct live *live, enum live_hook i); /* a hook in standby */
void live_detach(struct live *live, enum live_hook i);
int live_iterate(struct live *live, const struct bpf_link *link);
int live_look(struct live *live); /* live_inventory() for whoever takes records now */
struct kes_host live_host(const struct live *live);
uint32_t live_slots_used(const struct live *live);
/* 0 and the slot's content, or -ENOENT for a slot that is free. */
int live_slot(const struct live *live, uint32_t index, struct kes_vm_slot *ret);
/* The slot of a VM that lives, or -ENOENT. */
int live_find_vm(
	const struct live *live, uint32_t vm, struct kes_vm_slot *ret, uint32_t *ret_index);
int live_consume(struct live *live);
int live_hook_answers(struct live *live);
void live_hook_answers_again(
	struct live *live); /* the one in use does not fire: take the other, too */

/* live_host.c: KES_HOST_INFO, if it is not as it was told last; KES_TIME. */
int live_tell_host(struct live *live, record_fn take, void *context);
int live_tell_time(record_fn take, void *context);

/* live_attributes.c: changes of attributes are watched from here on, through hooks that were seen
 * firing. -ENOTSUP where none fires. */
int live_hook_attributes(struct live *live);

/* live_resume.c: what an earlier life knew, for the kernel half. */
int live_resume(struct live *live, const struct live_options *options);

/* live_resident.c: its program, or -errno: then there is none. */
int live_resident_load(struct live *live);
void live_resident_free(struct live *live);

/* live_ends.c: VMs whose end no hook in KVM tells. */
int ends_init(struct live *live);
void ends_free(struct live *live);
/* A VM of this process has come. */
void ends_watch(struct live *live, uint32_t pid);
/* Something is there to read on the fd that epoll named by this number. */
int ends_on_event(struct live *live, uint32_t number);
/* Ends the VM in the slot for the C half, with a record. */
int ends_send(
	struct live *live, struct kes_vm_slot *slot, uint32_t index, record_fn take, void *context);

/* live_identity.c: a text in pieces, as records. */
int live_send_text(const struct live *live, uint32_t vm, uint16_t number, enum kes_text_about about,
	const char *text, bool cut);

/* live_identity.c: what /proc says of a VMM, as records about its VM. */
int identity_send(const struct live *live, uint32_t vm, uint32_t pid);

/* The ring's reader and the memory of what was sent. Freed by live_tables_free(), also after an
 * error. */
int live_tables_init(struct live *live);
void live_tables_free(struct live *live);

/* Whose counts are whose: a VMM process and its VM, 0 where it has several. */
struct owner {
	uint32_t pid, vm;
	bool alive;
};

struct owners {
	struct owner *list; /* sorted by pid */
	size_t n;
};

/* The fd of one of the kernel half's tables. */
static inline int table_fd(const struct bpf_map *map)
{
	return bpf_map__fd(map);
}

int counts_init(struct live *live);
void counts_free(struct live *live);

/* Sends the counts that changed. Sorts owners, and leaves one entry a process in it. */
int counts_collect(struct live *live, struct owners *owners, record_fn take, void *context);

/* Forgets the counts of a process that is gone: its pid may come again. */
void counts_drop(struct live *live, uint32_t pid);

#endif
