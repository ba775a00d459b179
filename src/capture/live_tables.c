/* SPDX-License-Identifier: GPL-2.0-only */
/* The ring, and the tables in which the kernel half counts. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "bpf/observe.skel.h"
#include "capture/live_private.h"
#include "kvm_abi.h"

struct kes_host live_host(const struct live *live)
{
	static const uint32_t zero;
	struct kes_host host = {};

	bpf_map_lookup_elem(table_fd(live->observe->maps.host), &zero, &host);
	return host;
}

uint32_t live_slots_used(const struct live *live)
{
	uint32_t slots = live_host(live).slots;

	return slots < KES_MAX_VMS ? slots : KES_MAX_VMS;
}

int live_slot(const struct live *live, uint32_t index, struct kes_vm_slot *ret)
{
	struct kes_vm_slot slot;

	if (bpf_map_lookup_elem(table_fd(live->observe->maps.vms), &index, &slot) || !slot.id)
		return -ENOENT;
	*ret = slot;
	return 0;
}

/* ---- the ring ---- */

static bool can_request(const struct kes_vm_new *new)
{
	return (new->hypercalls &(1u << KES_HC_MAP_GPA_RANGE)) || new->type == KES_VM_SNP ||
	       new->type == KES_VM_TDX;
}

static int on_record(void *context, void *data, size_t size)
{
	struct live *live = context;
	const struct kes_record *r = data;
	int ret;

	if (size < sizeof(*r))
		return -EPROTO;
	switch (r->kind) {
	case KES_VM_NEW:
		ends_watch(live, r->vm_new.pid);
		if (can_request(&r->vm_new))
			live_hook_answers(live);
		live->vms_came = true;
		ret = identity_send(live, r->vm, r->vm_new.pid);
		if (ret)
			return ret;
		break;
	case KES_VM_INFO:
		if (r->vm_info.flags & KES_VM_HAS_ATTRIBUTES)
			live_hook_attributes(live);
		break;
	case KES_REQUEST:
		live_hook_answers(live);
		break;
	case KES_ANSWER:
		/* A request made after the hook was attached has its answer seen in time, or the
		 * hook does not fire: then the other one. */
		if ((r->flags & KES_F_LATE) && live->control->answers_hooked &&
			r->conversion.answer.request_ns > live->answers_hooked_ns)
			live_hook_answers_again(live);
		break;
	case KES_VM_END:
		if (r->vm_end.slot < KES_MAX_VMS)
			live->end_seen[r->vm_end.slot] = r->vm;
		break;
	default:
		break;
	}
	ret = live->take(live->context, r, 1);
	if (!ret && ++live->consumed > live->ring_bytes / sizeof(*r))
		return -EXFULL; /* not an error: see live_consume() */
	return ret;
}

/* As much as the ring can hold: all that is on it now, but not what a flood adds meanwhile, or
 * nothing else would ever be done. */
int live_consume(struct live *live)
{
	int r;

	/* Who urges us from now on has put on the ring what we may not see any more. */
	__atomic_store_n(&live->control->urged, 0, __ATOMIC_SEQ_CST);
	live->consumed = 0;
	r = ring_buffer__consume(live->ring);
	if (live->consumed)
		live->came_ns = clock_now_ns();
	return r < 0 && r != -EXFULL ? r : 0;
}

/* ---- what is only counted ---- */

static int send_loss(uint32_t vm, uint32_t cause, uint64_t total, record_fn take, void *context)
{
	struct kes_record r = {
		.ts_ns = clock_now_ns(),
		.vm = vm,
		.kind = KES_LOSS,
		.loss = {.total = total, .cause = cause},
	};

	return take(context, &r, 1);
}

static int collect_losses(
	uint32_t vm, const __u64 lost[], __u64 sent[], record_fn take, void *context)
{
	for (uint32_t cause = 0; cause < KES_CAUSE_MAX; cause++) {
		int r;

		if (lost[cause] == sent[cause])
			continue;
		r = send_loss(vm, cause, lost[cause], take, context);
		if (r)
			return r;
		sent[cause] = lost[cause];
	}
	return 0;
}

/* ---- ended VMs ---- */

static void drop_vcpu(struct live *live, uint64_t key, uint32_t slot)
{
	int fd = table_fd(live->observe->maps.vcpus);
	struct kes_vcpu vcpu;

	if (bpf_map_lookup_elem(fd, &key, &vcpu) || vcpu.slot != slot)
		return;
	bpf_map_delete_elem(fd, &key);
	if (vcpu.unhooked)
		live->control->written_off++;
}

static void drop_vcpus(struct live *live, uint32_t slot)
{
	int fd = table_fd(live->observe->maps.vcpus);
	uint64_t key, next;
	bool more = !bpf_map_get_next_key(fd, NULL, &next);

	while (more) {
		key = next;
		more = !bpf_map_get_next_key(fd, &key, &next); /* before the key is gone */
		drop_vcpu(live, key, slot);
	}
}

static void free_slot(struct live *live, uint32_t index)
{
	static const struct kes_vm_slot empty;

	drop_vcpus(live, index);
	memset(&live->lost_sent[index * KES_CAUSE_MAX], 0, KES_CAUSE_MAX * sizeof(uint64_t));
	live->end_seen[index] = 0;
	bpf_map_update_elem(table_fd(live->observe->maps.vms), &index, &empty, BPF_EXIST);
	bpf_map_update_elem(table_fd(live->observe->maps.free_slots), NULL, &index, BPF_ANY);
}

/* Losses of all VMs; the list of their processes goes to owners, the slots of ended ones to ended.
 */
static int collect_vms(struct live *live, struct owners *owners, uint32_t ended[], size_t *n_ended,
	record_fn take, void *context)
{
	uint32_t used = live_slots_used(live);

	for (uint32_t i = 0; i < used; i++) {
		struct kes_vm_slot slot;
		int r;

		if (live_slot(live, i, &slot))
			continue;
		r = collect_losses(
			slot.id, slot.lost, &live->lost_sent[i * KES_CAUSE_MAX], take, context);
		if (r)
			return r;
		owners->list[owners->n++] =
			(struct owner){.pid = slot.pid, .vm = slot.id, .alive = slot.kvm != 0};
		if (slot.kvm)
			continue;
		if (live->end_seen[i] !=
			slot.id) /* its last record was lost, or is still on the ring */
			r = live->ending[i] == slot.id ? ends_send(live, &slot, i, take, context)
						       : 0;
		else
			ended[(*n_ended)++] = i;
		live->ending[i] = slot.id;
		if (r)
			return r;
	}
	return 0;
}

int live_collect(struct live *live, record_fn take, void *context)
{
	struct owners owners = {};
	_cleanup_free_ uint32_t *ended = calloc(KES_MAX_VMS, sizeof(*ended));
	_cleanup_free_ struct owner *list = calloc(KES_MAX_VMS, sizeof(*list));
	struct kes_host host = live_host(live);
	size_t n_ended = 0;
	int r;

	if (!ended || !list)
		return -ENOMEM;
	owners.list = list;
	r = collect_losses(0, host.lost, live->host_lost_sent, take, context);
	if (r)
		return r;
	r = collect_vms(live, &owners, ended, &n_ended, take, context);
	if (r)
		return r;
	/* A VM that has come since the ring was read is in the list already: who reads its counts
	 * before it is told of it would not know whose they are. */
	live->take = take;
	live->context = context;
	r = live_consume(live);
	if (r)
		return r;
	r = counts_collect(live, &owners, take, context);
	if (!r)
		r = live_tell_host(live, take, context);
	if (!r)
		r = live_tell_time(take, context);
	for (size_t i = 0; i < n_ended; i++)
		free_slot(live, ended[i]);
	for (size_t i = 0; n_ended && i < owners.n; i++)
		if (!owners.list[i].alive)
			counts_drop(live, owners.list[i].pid);
	return r;
}

/* ---- life cycle ---- */

static int map_control(struct live *live)
{
	void *control = mmap(NULL, sizeof(*live->control), PROT_READ | PROT_WRITE, MAP_SHARED,
		table_fd(live->observe->maps.control), 0);

	if (control == MAP_FAILED)
		return -errno;
	live->control = control;
	return 0;
}

int live_tables_init(struct live *live)
{
	struct epoll_event event = {.events = EPOLLIN};
	int r = map_control(live);

	if (!r)
		r = counts_init(live);
	if (r)
		return r;
	live->lost_sent = calloc((size_t)KES_MAX_VMS * KES_CAUSE_MAX, sizeof(*live->lost_sent));
	live->end_seen = calloc(KES_MAX_VMS, sizeof(*live->end_seen));
	live->ending = calloc(KES_MAX_VMS, sizeof(*live->ending));
	if (!live->lost_sent || !live->end_seen || !live->ending)
		return -ENOMEM;
	live->ring = ring_buffer__new(table_fd(live->observe->maps.ring), on_record, live, NULL);
	if (!live->ring)
		return -errno;
	live->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (live->epoll_fd < 0)
		return -errno;
	if (epoll_ctl(live->epoll_fd, EPOLL_CTL_ADD, ring_buffer__epoll_fd(live->ring), &event))
		return -errno;
	return ends_init(live);
}

void live_tables_free(struct live *live)
{
	ends_free(live);
	ring_buffer__free(live->ring);
	if (live->epoll_fd > 0)
		close(live->epoll_fd);
	free(live->lost_sent);
	free(live->end_seen);
	free(live->ending);
	counts_free(live);
	if (live->control)
		munmap(live->control, sizeof(*live->control));
}
