/* SPDX-License-Identifier: GPL-2.0-only */
/* From one life of the tool to the next: the kernel half goes on with the ids of VMs, and with all
 * that it counts, where the one before had come to. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "bpf/observe.skel.h"
#include "capture/live_private.h"

/* ---- what the next life needs ---- */

int live_list(const struct live *live, struct live_known **ret, size_t *ret_n)
{
	uint32_t used = live_slots_used(live);
	_cleanup_free_ struct live_known *list = calloc(used + 1, sizeof(*list));
	size_t n = 0;

	if (!list)
		return -ENOMEM;
	for (uint32_t i = 0; i < used; i++) {
		struct kes_vm_slot slot;

		if (live_slot(live, i, &slot) || !slot.kvm)
			continue;
		list[n] = (struct live_known){
			.kvm = slot.kvm,
			.clock_offset = slot.clock_offset,
			.id = slot.id,
			.pid = slot.pid,
			.seq = slot.seq,
		};
		memcpy(list[n++].lost, slot.lost, sizeof(slot.lost));
	}
	*ret = TAKE_PTR(list);
	*ret_n = n;
	return 0;
}

uint32_t live_last_id(const struct live *live)
{
	return live_host(live).vms;
}

/* ---- what the one before left ---- */

static int write_host(const struct live *live, const struct live_options *options)
{
	static const uint32_t zero;
	struct kes_host host = live_host(live);

	host.vms = options->last_id;
	if (options->host_lost)
		memcpy(host.lost, options->host_lost, sizeof(host.lost));
	return bpf_map_update_elem(table_fd(live->observe->maps.host), &zero, &host, BPF_EXIST);
}

/* As if one record of it had been lost: what has happened since is not known. */
static int write_vm(const struct live *live, const struct live_known *vm)
{
	struct kes_known known = {
		.clock_offset = vm->clock_offset, .seq = vm->seq + 1, .id = vm->id};

	memcpy(known.lost, vm->lost, sizeof(known.lost));
	known.lost[KES_CAUSE_UNWATCHED]++;
	return bpf_map_update_elem(
		table_fd(live->observe->maps.known_vms), &vm->kvm, &known, BPF_ANY);
}

/* One counter of a process, as if all had been counted on the first CPU. A full table makes counts
 * short, which the kernel half says when it finds it so. */
static void write_count(const struct live *live, uint64_t *values, uint32_t pid,
	enum kes_counter counter, size_t index, uint64_t total)
{
	struct kes_count_key key = {
		.tgid = pid, .counter = (uint16_t)counter, .index = (uint16_t)index};

	if (!total)
		return;
	values[0] = total;
	(void)bpf_map_update_elem(table_fd(live->observe->maps.counts), &key, values, BPF_ANY);
}

static void write_counts(const struct live *live, uint64_t *values, const struct live_known *vm)
{
	const struct vm_counters *counters = vm->counters;

	if (!counters)
		return;
	for (size_t i = 0; i < KES_EXIT_REASONS; i++) {
		write_count(live, values, vm->pid, KES_COUNTER_EXIT, i, counters->exits[i]);
		write_count(
			live, values, vm->pid, KES_COUNTER_EXIT_ERROR, i, counters->exit_errors[i]);
	}
	for (size_t i = 0; i < KES_HYPERCALLS; i++)
		write_count(
			live, values, vm->pid, KES_COUNTER_HYPERCALL, i, counters->hypercalls[i]);
}

int live_resume(struct live *live, const struct live_options *options)
{
	_cleanup_free_ uint64_t *values = calloc((size_t)libbpf_num_possible_cpus(), 8);
	int r;

	if (!options->last_id)
		return 0;
	if (!values)
		return -ENOMEM;
	r = write_host(live, options);
	for (size_t i = 0; i < options->n_known && !r; i++) {
		r = write_vm(live, &options->known[i]);
		if (!r)
			write_counts(live, values, &options->known[i]);
	}
	return r;
}

/* ---- those that are gone ---- */

int live_tell_end(struct live *live, uint32_t vm, uint64_t sent, uint64_t unwatched)
{
	uint64_t now = clock_now_ns();
	struct kes_record records[] = {
		{
			.ts_ns = now,
			.vm = vm,
			.kind = KES_LOSS,
			.loss = {.cause = KES_CAUSE_UNWATCHED, .total = unwatched},
		},
		{
			.ts_ns = now,
			.seq = sent - 1,
			.vm = vm,
			.kind = KES_VM_END,
			.vm_end = {.sent = sent, .slot = KES_MAX_VMS},
		},
	};

	return live->take ? live->take(live->context, records, ARRAY_SIZE(records)) : 0;
}
