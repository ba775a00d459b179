/* SPDX-License-Identifier: GPL-2.0-only */
/* The host plane: hooks on the VMM's calls that set memory attributes, and reading them back. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "bpf/observe.skel.h"
#include "capture/live_private.h"
#include "kvm_abi.h"

/* ---- hooks, proved ---- */

/* A call of our own, on a VM that never has a vCPU: it changes nothing, and makes the hooks fire.
 */
static void call_ourselves(void)
{
	uint64_t arguments[4] = {
		0, 4096, 0, 0}; /* struct kvm_memory_attributes: shared, as it is */
	_cleanup_close_ int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	_cleanup_close_ int vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);

	if (vm >= 0)
		(void)ioctl(vm, KES_SET_MEMORY_ATTRIBUTES, arguments);
}

/* Attaches the hook on the end first: then each call whose entry is seen has its end seen, too. */
static bool hook_pair(struct live *live, enum live_hook entry, enum live_hook end)
{
	struct kes_host before = live_host(live), after;

	if (!live_attach(live, end) && !live_attach(live, entry)) {
		call_ourselves();
		after = live_host(live);
		if (after.proofs[KES_PROOF_ENTRY] > before.proofs[KES_PROOF_ENTRY] &&
			after.proofs[KES_PROOF_END] > before.proofs[KES_PROOF_END])
			return true;
	}
	live_detach(live, entry);
	live_detach(live, end);
	return false;
}

static bool hook_inside(struct live *live)
{
	uint64_t before = live_host(live).proofs[KES_PROOF_LOCKED];

	if (live_attach(live, LIVE_CALL_LOCKED))
		return false;
	call_ourselves();
	if (live_host(live).proofs[KES_PROOF_LOCKED] == before) {
		live_detach(live, LIVE_CALL_LOCKED);
		return false;
	}
	live->control->inside_hooked = 1;
	return true;
}

/* All three or none: a call that was under way before has no end that the first two would see, and
 * only the third sees what it does then. The system calls' tracepoints see its end. */
static bool hook_trampolines(struct live *live)
{
	if (!hook_pair(live, LIVE_CALL, LIVE_CALL_END))
		return false;
	if (hook_inside(live))
		return true;
	live_detach(live, LIVE_CALL);
	live_detach(live, LIVE_CALL_END);
	return false;
}

int live_hook_attributes(struct live *live)
{
	if (live->attributes_tried)
		return live->attributes_hooked ? 0 : -ENOTSUP;
	live->attributes_tried = true;
	if (!hook_trampolines(live) && !hook_pair(live, LIVE_CALL_PLAIN, LIVE_CALL_PLAIN_END))
		return -ENOTSUP;
	live->attributes_hooked = true;
	live->control->attributes_hooked = 1;
	return 0;
}

/* ---- reading them back ---- */

int live_find_vm(const struct live *live, uint32_t vm, struct kes_vm_slot *ret, uint32_t *ret_index)
{
	for (uint32_t i = 0, used = live_slots_used(live); i < used; i++)
		if (!live_slot(live, i, ret) && ret->id == vm && ret->kvm) {
			*ret_index = i;
			return 0;
		}
	return -ENOENT;
}

/* One part, through any file of the VM that pid has (0: that anybody has). */
static int read_part(struct live *live, struct kes_reading *reading, uint32_t pid)
{
	static const uint32_t zero;
	union bpf_iter_link_info info = {.task.pid = pid};
	LIBBPF_OPTS(
		bpf_iter_attach_opts, options, .link_info = &info, .link_info_len = sizeof(info));
	int table = table_fd(live->observe->maps.reading), r;
	struct bpf_link *link;

	reading->state = KES_READING_ASKED;
	if (bpf_map_update_elem(table, &zero, reading, BPF_ANY))
		return -errno;
	link = bpf_program__attach_iter(
		live->observe->progs.read_attributes, pid ? &options : NULL);
	if (!link)
		return -errno;
	r = live_iterate(live, link);
	bpf_link__destroy(link);
	if (!r && bpf_map_lookup_elem(table, &zero, reading))
		r = -errno;
	return r ? r : live_consume(live);
}

int live_read_attributes(struct live *live, uint32_t vm, record_fn take, void *context)
{
	struct kes_reading reading = {.number = ++live->snapshots};
	struct kes_vm_slot slot;
	uint32_t pid;
	int r;

	if (live->hooks[LIVE_READING].state < HOOK_STANDBY || !live->attributes_hooked)
		return -ENOTSUP;
	r = live_find_vm(live, vm, &slot, &reading.slot);
	if (r)
		return r;
	if (!slot.has_attributes)
		return -ENOTSUP;
	live->take = take;
	live->context = context;
	reading.kvm = slot.kvm;
	reading.check_lock = live->links[LIVE_CALL_END] != NULL;
	pid = slot.pid;
	do {
		r = read_part(live, &reading, pid);
		if (!r && reading.state == KES_READING_ASKED) { /* it has no file of it any more */
			if (!pid)
				return -ENOENT;
			pid = 0;
			reading.state = KES_READING_MORE;
		}
	} while (!r && reading.state == KES_READING_MORE);
	if (r)
		return r;
	return reading.state == KES_READING_DONE ? 0 : -EAGAIN;
}
