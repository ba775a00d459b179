/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host plane as it changes: the VMM's calls of KVM_SET_MEMORY_ATTRIBUTES, from their entry to
 * their return.
 *
 * Two calls that overlap in time have no order that their entries and returns would show. Where
 * KVM's own function can be hooked that runs under its lock, ATTRS_BEGIN comes from there and has
 * the order; where it cannot, ATTRS_BEGIN comes from the entry, and the C half takes nothing for
 * known that two calls may have set.
 */
#ifndef BPF_ATTRIBUTES_H
#define BPF_ATTRIBUTES_H

#include "file.bpf.h"
#include "ioctl.bpf.h"
#include "kvm_abi.h"
#include "memslots.bpf.h"
#include "mutex.bpf.h"
#include "vm.bpf.h"

/* struct task_struct * -> its call */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KES_MAX_CALLS);
	__type(key, u64);
	__type(value, struct kes_call);
} calls SEC(".maps");

/* ---- a VM that has no attributes set: known without being read ---- */

/* False: it did not fit on the ring. */
static __always_inline bool send_snapshot(struct kes_vm_slot *vm, u32 number, u32 phase, u64 pages)
{
	struct kes_record r = {.ts_ns = bpf_ktime_get_ns(), .vm = vm->id, .kind = KES_SNAPSHOT};

	r.snapshot.phase = phase;
	r.snapshot.number = number;
	r.snapshot.pages = pages;
	r.snapshot.lost = records_lost(vm);
	r.snapshot.calls = vm->calls;
	return put_record(&r, false);
}

/* A change that was under way before the hooks came is seen nowhere; while it is, it has KVM's
 * lock. */
static __always_inline bool is_busy(u64 kvm)
{
	u64 owner = mutex_owner(MEMBER(kvm, kvm, slots_lock));
	struct kes_call *call = owner ? bpf_map_lookup_elem(&calls, &owner) : NULL;

	return owner && (!call || call->orphan);
}

/* A VM is first seen: if it has no attributes set, that is a whole reading, number 0. */
static __noinline int look_empty(struct kes_vm_slot *vm, u64 kvm)
{
	struct kes_control *c = the_control();

	if (!vm || !c || !c->attributes_hooked || !vm->has_attributes || vm->looked_empty)
		return 0;
	vm->looked_empty = 1;
	if (!bpf_core_field_exists(struct kvm, mem_attr_array) ||
		!send_snapshot(vm, 0, KES_SNAPSHOT_BEGIN, 0))
		return 0;
	if (!read_u64(MEMBER(MEMBER(kvm, kvm, mem_attr_array), xarray, xa_head)) && !is_busy(kvm))
		send_snapshot(vm, 0, KES_SNAPSHOT_END, 0);
	return 0;
}

/* ---- calls ---- */

/* False, and nothing changed, if the user's memory is not there, as before KVM has read it. */
static __always_inline bool read_arguments(u64 arg, struct memory_attributes *ret)
{
	return !bpf_probe_read_user(ret, sizeof(*ret), (void *)arg);
}

static __always_inline void send_begin(struct kes_vm_slot *vm, struct kes_call *call, u8 flags)
{
	struct kes_record r;

	record_begin(&r, vm, KES_ATTRS_BEGIN);
	r.flags = flags;
	r.set_attrs.gpa = call->gpa;
	r.set_attrs.size = call->size;
	r.set_attrs.attributes = call->attributes;
	r.set_attrs.tid = (u32)bpf_get_current_pid_tgid();
	call->begin = r.seq + 1;
	if (!(flags & KES_F_UNHOOKED))
		__sync_fetch_and_add(&vm->calls, 1);
	record_send(&r, vm, false);
}

static __always_inline void take_arguments(
	struct kes_call *call, const struct memory_attributes *arguments)
{
	call->gpa = arguments->gpa;
	call->size = arguments->size;
	call->attributes = arguments->attributes;
	call->readable = 1;
}

/* The VM that the call is about, entered into the table if it is new; NULL if fd is no VM, or there
 * is no room, which is counted. */
static __noinline struct kes_vm_slot *call_vm(struct kes_call *call, u32 fd)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u64 file = fd_file(task, fd);
	struct kes_vm_slot *vm;

	if (!call || !file || file_kind((struct file *)file) != FILE_VM)
		return NULL;
	call->kvm = read_u64(MEMBER(file, file, private_data));
	vm = vm_lookup(call->kvm, &call->slot);
	if (!vm && vm_has_attributes(call->kvm)) /* others have nothing to be changed */
		vm = vm_add(call->kvm, task, 0, &call->slot);
	if (vm) {
		call->vm = vm->id;
		look_empty(vm, call->kvm);
	}
	return vm;
}

/* The tool's own calls are none of any VM's: they prove that the hook fires. */
static __always_inline bool is_proof(struct task_struct *task, enum kes_proof proof)
{
	struct kes_host *h = the_host();

	if (!h || (u32)task->tgid != h->tool)
		return false;
	__sync_fetch_and_add(&h->proofs[proof], 1);
	return true;
}

static __noinline int call_entered(u32 fd, u64 arg)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct kes_control *c = the_control();
	struct memory_attributes arguments = {};
	struct kes_call call = {.arg = arg};
	struct kes_vm_slot *vm;
	u64 key = (u64)task;

	if (is_proof(task, KES_PROOF_ENTRY))
		return 0;
	vm = call_vm(&call, fd);
	if (!vm || !c)
		return 0;
	if (read_arguments(arg, &arguments))
		take_arguments(&call, &arguments);
	else
		call.size = ~0ull; /* may be about anything */
	if (!c->inside_hooked)
		send_begin(vm, &call, 0);
	if (bpf_map_update_elem(&calls, &key, &call, BPF_ANY)) { /* its end will have no begin */
		__sync_fetch_and_add(&vm->lost[KES_CAUSE_TABLE_FULL], 1);
		if (call.begin)
			__sync_fetch_and_add(&vm->calls, -1);
	}
	return 0;
}

/* KVM holds its lock and is about to set attributes of frames [start, end), unless the caller came
 * here on another way. */
static __always_inline void call_locked(u64 kvm, u64 start, u64 end, u64 attributes)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u64 key = (u64)task;
	struct kes_call *call = bpf_map_lookup_elem(&calls, &key), orphan = {.kvm = kvm};
	struct kes_vm_slot *vm;
	u8 flags = KES_F_LOCKED;

	if (call ? call->begin || call->kvm != kvm : !in_call(task))
		return;
	if (is_proof(task, KES_PROOF_LOCKED))
		return;
	if (!call) { /* it came in before there was a hook to see it, and its end will not show */
		call = &orphan;
		call->orphan = 1;
		flags |= KES_F_UNHOOKED;
	}
	vm = vm_lookup(kvm, &call->slot);
	if (!vm && vm_has_attributes(kvm))
		vm = vm_add(kvm, task, 0, &call->slot);
	if (!vm)
		return;
	call->vm = vm->id;
	call->gpa = start << 12;
	call->size = (end - start) << 12;
	call->attributes = attributes;
	call->readable = call->locked = 1;
	send_begin(vm, call, flags);
	if (call == &orphan)
		bpf_map_update_elem(&calls, &key, &orphan, BPF_ANY);
}

/* What KVM took is known only under its lock: else the arguments must be the same at both ends. */
static __always_inline bool arguments_certain(struct kes_call *call, u64 arg)
{
	struct memory_attributes now = {};

	if (call->locked)
		return true;
	if (!read_arguments(arg, &now))
		return false;
	if (!call->readable) {
		take_arguments(call, &now);
		return true;
	}
	return now.gpa == call->gpa && now.size == call->size && now.attributes == call->attributes;
}

static __noinline int call_left(u32 fd, u64 arg, s64 ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct kes_call *known, call = {.arg = arg};
	struct kes_vm_slot *vm;
	u64 key = (u64)task;
	struct kes_record r;

	if (is_proof(task, KES_PROOF_END))
		return 0;
	known = bpf_map_lookup_elem(&calls, &key);
	if (known && !known->orphan) {
		call = *known;
		vm = bpf_map_lookup_elem(&vms, &call.slot);
		if (vm && (vm->id != call.vm || vm->kvm != call.kvm))
			vm = NULL; /* it ended: the tool said so by mistake, or the C half */
	} else {
		vm = call_vm(&call, fd);
	}
	if (known)
		bpf_map_delete_elem(&calls, &key);
	if (!vm)
		return 0;
	if (call.begin)
		__sync_fetch_and_add(&vm->calls, -1);
	record_begin(&r, vm, KES_ATTRS);
	if (!arguments_certain(&call, arg))
		r.flags = KES_F_UNSURE;
	r.set_attrs.gpa = call.gpa;
	r.set_attrs.size = call.size;
	r.set_attrs.attributes = call.attributes;
	r.set_attrs.err = ret;
	r.set_attrs.begin = call.begin;
	record_send(&r, vm, false);
	memslots_check(vm, call.kvm, r.ts_ns);
	return 0;
}

#endif
