/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel tells of its own accord about KVM, through kobject uevents: VMs made and
 * destroyed (kvm_uevent_notify_change() in virt/kvm/kvm_main.c), and KVM's device coming and going
 * with its modules. Needs no BPF, and is not asked again and again.
 */
#ifndef CAPTURE_UEVENT_H
#define CAPTURE_UEVENT_H

#include <stddef.h>
#include <stdint.h>

enum uevent_kind {
	UEVENT_OTHER,
	UEVENT_VM_CREATED,
	UEVENT_VM_DESTROYED,
	UEVENT_DEVICE, /* /dev/kvm came or went */
};

struct uevent {
	enum uevent_kind kind;
	uint32_t pid; /* VM_*: the thread that made the VM, as kvm->userspace_pid has it; 0: not
			 said */
};

/* Takes a message apart: any bytes, of any length. What is not about KVM is UEVENT_OTHER. */
void uevent_parse(struct uevent *ret, const char *message, size_t size);

/* A non-blocking socket; readable when there is something. A negative errno where this host, or
 * this network namespace, does not get them. */
int uevent_open(void);

/* The next message: 1, 0 when there is none, -ENOBUFS when some were dropped, or another negative
 * errno. */
int uevent_read(int fd, struct uevent *ret);

#endif
