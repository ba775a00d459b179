/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The end of VMs where no hook in KVM tells it: the kernel's uevents do, and where there are none,
 * the end of the VMM's process leads to a look at who still holds a file of its VMs.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "bpf/observe.skel.h"
#include "capture/live_private.h"
#include "capture/uevent.h"

#define UEVENTS UINT32_MAX /* no pid */

struct watched {
	uint32_t pid;
	int pidfd;
};

int ends_send(
	struct live *live, struct kes_vm_slot *slot, uint32_t index, record_fn take, void *context)
{
	struct kes_record r = {
		.ts_ns = clock_now_ns(),
		.vm = slot->id,
		.kind = KES_VM_END,
		.seq = slot->seq++,
		.vm_end = {.sent = slot->seq, .slot = index},
	};
	uint64_t kvm = slot->kvm;

	slot->kvm = 0;
	bpf_map_update_elem(table_fd(live->observe->maps.vms), &index, slot, BPF_EXIST);
	if (kvm)
		bpf_map_delete_elem(table_fd(live->observe->maps.slot_of), &kvm);
	live->end_seen[index] = slot->id;
	return take(context, &r, 1);
}

/* ---- which VM it was ---- */

/* Whether the slot has a living VM that the thread has made, or (creator 0) any. */
static bool is_candidate(const struct kes_vm_slot *slot, uint32_t creator)
{
	return slot->kvm && (!creator || slot->creator == creator);
}

/* Living VMs of creator (0: of anybody) that no process has a file of any more, nor a vCPU's. */
static int end_unheld(struct live *live, uint32_t creator)
{
	uint64_t start = clock_now_ns();
	int r = live_look(live);

	if (!r)
		r = live_consume(live);
	for (uint32_t i = 0, used = live_slots_used(live); i < used && !r; i++) {
		struct kes_vm_slot slot;

		if (!live_slot(live, i, &slot) && is_candidate(&slot, creator) &&
			slot.seen_ns < start)
			r = ends_send(live, &slot, i, live->take, live->context);
	}
	return r;
}

/* One VM of creator has ended. With several, those that live are still to be found. */
static int end_one(struct live *live, uint32_t creator)
{
	uint32_t used = live_slots_used(live), which = 0, n = 0;
	struct kes_vm_slot slot;

	for (uint32_t i = 0; i < used; i++)
		if (!live_slot(live, i, &slot) && is_candidate(&slot, creator)) {
			which = i;
			n++;
		}
	if (n > 1)
		return end_unheld(live, creator);
	if (!n || live_slot(live, which, &slot))
		return 0;
	return ends_send(live, &slot, which, live->take, live->context);
}

/* ---- what tells of it ---- */

static int read_uevents(struct live *live)
{
	struct uevent event;
	int r;

	while ((r = uevent_read(live->uevents, &event)) > 0)
		if (event.kind == UEVENT_VM_DESTROYED) {
			r = end_one(live, event.pid);
			if (r)
				return r;
		}
	return r == -ENOBUFS ? end_unheld(live, 0) : r;
}

static int end_process(struct live *live, uint32_t pid)
{
	for (size_t i = 0; i < live->n_watched; i++)
		if (live->watched[i].pid == pid) {
			close(live->watched[i].pidfd); /* and out of the epoll set */
			live->watched[i] = live->watched[--live->n_watched];
			break;
		}
	return end_unheld(live, 0);
}

int ends_on_event(struct live *live, uint32_t number)
{
	return number == UEVENTS ? read_uevents(live) : end_process(live, number);
}

void ends_watch(struct live *live, uint32_t pid)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = pid};
	struct watched *grown;
	_cleanup_close_ int fd = -1;

	if (live->hooks[LIVE_END].state == HOOK_ATTACHED || live->uevents >= 0)
		return;
	for (size_t i = 0; i < live->n_watched; i++)
		if (live->watched[i].pid == pid)
			return;
	grown = reallocarray(live->watched, live->n_watched + 1, sizeof(*grown));
	if (!grown)
		return;
	live->watched = grown;
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0 || epoll_ctl(live->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		return;
	live->watched[live->n_watched++] = (struct watched){.pid = pid, .pidfd = TAKE_FD(fd)};
}

/* ---- life cycle ---- */

int ends_init(struct live *live)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = UEVENTS};

	if (live->hooks[LIVE_END].state == HOOK_STANDBY)
		return 0; /* the hook tells */
	live->uevents = uevent_open();
	if (live->uevents >= 0 && epoll_ctl(live->epoll_fd, EPOLL_CTL_ADD, live->uevents, &event))
		return -errno;
	return 0;
}

void ends_free(struct live *live)
{
	for (size_t i = 0; i < live->n_watched; i++)
		close(live->watched[i].pidfd);
	free(live->watched);
	if (live->uevents >= 0)
		close(live->uevents);
}
