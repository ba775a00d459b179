/* SPDX-License-Identifier: GPL-2.0-only */
/* The ring, and the tables in which the kernel half counts. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "bpf/observe.skel.h"
#include "capture/live_private.h"
#include "kvm_abi.h"

#define COUNT_BATCH  256
#define INVENTORY_NS 100000000ull /* the least time between two inventories that new VMs cause */
#define EPOLL_EVENTS 16

struct counted {
	struct kes_count_key key;
	uint64_t total;
};

struct watched {
	uint32_t pid;
	int pidfd;
};

/* Whose counts are whose: a VMM process and its VM, 0 where it has several. */
struct owner {
	uint32_t pid, vm;
	bool alive;
};

struct owners {
	struct owner *list; /* sorted by pid */
	size_t n;
};

static int table_fd(const struct bpf_map *map)
{
	return bpf_map__fd(map);
}

void live_write_control(struct live *live)
{
	static const uint32_t zero;

	bpf_map_update_elem(
		table_fd(live->observe->maps.control), &zero, &live->control, BPF_EXIST);
}

/* ---- the end of VMs where no hook tells it: with their VMM ---- */

static void watch(struct live *live, uint32_t pid)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = pid};
	struct watched *grown;
	int fd;

	for (size_t i = 0; i < live->n_watched; i++)
		if (live->watched[i].pid == pid)
			return;
	grown = reallocarray(live->watched, live->n_watched + 1, sizeof(*grown));
	if (!grown)
		return;
	live->watched = grown;
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		return;
	if (epoll_ctl(live->epoll_fd, EPOLL_CTL_ADD, fd, &event)) {
		close(fd);
		return;
	}
	live->watched[live->n_watched++] = (struct watched){.pid = pid, .pidfd = fd};
}

static int send_end(
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

static uint32_t slots_used(const struct live *live)
{
	static const uint32_t zero;
	struct kes_host host = {};

	bpf_map_lookup_elem(table_fd(live->observe->maps.host), &zero, &host);
	return host.slots < KES_MAX_VMS ? host.slots : KES_MAX_VMS;
}

static int end_process(struct live *live, uint32_t pid)
{
	uint32_t used = slots_used(live);
	int r = 0;

	for (size_t i = 0; i < live->n_watched; i++)
		if (live->watched[i].pid == pid) {
			close(live->watched[i].pidfd); /* and out of the epoll set */
			live->watched[i] = live->watched[--live->n_watched];
			break;
		}
	for (uint32_t i = 0; i < used && !r; i++) {
		struct kes_vm_slot slot;

		if (!bpf_map_lookup_elem(table_fd(live->observe->maps.vms), &i, &slot) && slot.id &&
			slot.kvm && slot.pid == pid)
			r = send_end(live, &slot, i, live->take, live->context);
	}
	return r;
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

	if (size < sizeof(*r))
		return -EPROTO;
	switch (r->kind) {
	case KES_VM_NEW:
		if (live->hooks[LIVE_END].state != HOOK_ATTACHED)
			watch(live, r->vm_new.pid);
		if (can_request(&r->vm_new))
			live_hook_answers(live);
		live->vms_came = true;
		break;
	case KES_REQUEST:
		live_hook_answers(live);
		break;
	case KES_ANSWER:
		/* A request made after the hook was attached has its answer seen in time, or the
		 * hook does not fire: then the other one. */
		if ((r->flags & KES_F_LATE) && live->answers_hooked &&
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
	return live->take(live->context, r, 1);
}

static int consume(struct live *live)
{
	int r = ring_buffer__consume(live->ring);

	return r < 0 ? r : 0;
}

int live_poll(struct live *live, int timeout_ms, record_fn take, void *context)
{
	struct epoll_event events[EPOLL_EVENTS];
	int n, r;

	live->take = take;
	live->context = context;
	n = epoll_wait(live->epoll_fd, events, EPOLL_EVENTS, timeout_ms);
	if (n < 0 && errno != EINTR)
		return -errno;
	r = consume(live);
	if (!r && live->vms_came && clock_now_ns() - live->inventory_ns >= INVENTORY_NS) {
		live_inventory(live); /* where a new VM has its memory */
		r = consume(live);
	}
	for (int i = 0; i < n && !r; i++)
		if (events[i].data.u32)
			r = end_process(live, events[i].data.u32);
	return r ? r : n < 0 ? -EINTR : 0;
}

int live_fd(const struct live *live)
{
	return live->epoll_fd;
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

static int compare_owners(const void *a, const void *b)
{
	const struct owner *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static const struct owner *find_owner(const struct owners *owners, uint32_t pid)
{
	struct owner key = {.pid = pid};

	if (!owners->n)
		return NULL;
	return bsearch(&key, owners->list, owners->n, sizeof(key), compare_owners);
}

/* One entry a process: several VMs in one process share its counts. */
static void merge_owners(struct owners *owners)
{
	size_t kept = 0;

	if (owners->n)
		qsort(owners->list, owners->n, sizeof(*owners->list), compare_owners);
	for (size_t i = 0; i < owners->n; i++) {
		struct owner *last = kept ? &owners->list[kept - 1] : NULL;

		if (last && last->pid == owners->list[i].pid) {
			last->vm = 0;
			last->alive |= owners->list[i].alive;
		} else {
			owners->list[kept++] = owners->list[i];
		}
	}
	owners->n = kept;
}

static bool is_mixed(const struct live *live, uint32_t pid)
{
	for (size_t i = 0; i < live->n_mixed; i++)
		if (live->mixed[i] == pid)
			return true;
	return false;
}

/* Once several VMs have counted together, no later count is one VM's, until all begin again. */
static int remember_mixed(struct live *live, struct owners *owners)
{
	for (size_t i = 0; i < owners->n; i++) {
		uint32_t *grown;

		if (is_mixed(live, owners->list[i].pid)) {
			owners->list[i].vm = 0;
			continue;
		}
		if (owners->list[i].vm)
			continue;
		grown = reallocarray(live->mixed, live->n_mixed + 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		live->mixed = grown;
		grown[live->n_mixed++] = owners->list[i].pid;
	}
	return 0;
}

static void forget_mixed(struct live *live, uint32_t pid)
{
	for (size_t i = 0; i < live->n_mixed; i++)
		if (live->mixed[i] == pid) {
			live->mixed[i] = live->mixed[--live->n_mixed];
			return;
		}
}

static int compare_counted(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct kes_count_key));
}

/* The last total sent of key; a new entry starts at 0. NULL: out of memory. */
static struct counted *find_counted(struct live *live, const struct kes_count_key *key)
{
	size_t low = 0, high = live->n_counted;
	struct counted *grown;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = compare_counted(key, &live->counted[middle]);

		if (!order)
			return &live->counted[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	grown = reallocarray(live->counted, live->n_counted + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	live->counted = grown;
	memmove(&grown[low + 1], &grown[low], (live->n_counted - low) * sizeof(*grown));
	live->n_counted++;
	grown[low] = (struct counted){.key = *key};
	return &grown[low];
}

static int collect_count(struct live *live, const struct owners *owners,
	const struct kes_count_key *key, uint64_t total, record_fn take, void *context)
{
	struct counted *counted = find_counted(live, key);
	const struct owner *owner = find_owner(owners, key->tgid);
	struct kes_record r = {
		.ts_ns = clock_now_ns(),
		.vm = owner ? owner->vm : 0,
		.kind = KES_COUNT,
		.count = {.total = total,
			.counter = key->counter,
			.index = key->index,
			.pid = key->tgid},
	};

	if (!counted)
		return -ENOMEM;
	if (counted->total == total)
		return 0;
	counted->total = total;
	return take(context, &r, 1);
}

/* Forgets the counts of a process: it is gone, and its pid may come again. */
static void drop_count(struct live *live, const struct kes_count_key *key)
{
	struct counted *counted = find_counted(live, key);
	size_t at;

	bpf_map_delete_elem(table_fd(live->observe->maps.counts), key);
	if (!counted)
		return;
	at = (size_t)(counted - live->counted);
	memmove(counted, counted + 1, (live->n_counted - at - 1) * sizeof(*counted));
	live->n_counted--;
}

/* Calls with each key of counts and its sum over the CPUs. Keys that come or go meanwhile may be
 * missed this time. */
static int collect_counts(
	struct live *live, const struct owners *owners, record_fn take, void *context)
{
	int fd = table_fd(live->observe->maps.counts), r = 0;
	struct kes_count_key *keys = live->count_keys;
	uint64_t *values = live->count_values;
	uint32_t cursor, n;
	void *from = NULL;
	bool more = true;

	while (more && !r) {
		n = COUNT_BATCH;
		if (bpf_map_lookup_batch(fd, from, &cursor, keys, values, &n, NULL)) {
			if (errno != ENOENT) /* ENOENT: these were the last */
				return -errno;
			more = false;
		}
		from = &cursor;
		for (uint32_t i = 0; i < n && !r; i++) {
			uint64_t total = 0;

			for (int cpu = 0; cpu < live->cpus; cpu++)
				total += values[i * (uint32_t)live->cpus + (uint32_t)cpu];
			r = collect_count(live, owners, &keys[i], total, take, context);
		}
	}
	return r;
}

static void drop_counts_of(struct live *live, uint32_t pid)
{
	for (size_t i = live->n_counted; i-- > 0;) {
		struct kes_count_key key = live->counted[i].key;

		if (key.tgid == pid)
			drop_count(live, &key);
	}
	forget_mixed(live, pid);
}

/* ---- ended VMs ---- */

static void drop_vcpu(struct live *live, uint64_t key, uint32_t slot)
{
	int fd = table_fd(live->observe->maps.vcpus);
	struct kes_vcpu vcpu;

	if (bpf_map_lookup_elem(fd, &key, &vcpu) || vcpu.slot != slot)
		return;
	bpf_map_delete_elem(fd, &key);
	if (vcpu.unhooked) {
		live->control.written_off++;
		live_write_control(live);
	}
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
	uint32_t used = slots_used(live);

	for (uint32_t i = 0; i < used; i++) {
		struct kes_vm_slot slot;
		int r;

		if (bpf_map_lookup_elem(table_fd(live->observe->maps.vms), &i, &slot) || !slot.id)
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
			r = live->ending[i] == slot.id ? send_end(live, &slot, i, take, context)
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
	static const uint32_t zero;
	struct owners owners = {};
	_cleanup_free_ uint32_t *ended = calloc(KES_MAX_VMS, sizeof(*ended));
	_cleanup_free_ struct owner *list = calloc(KES_MAX_VMS, sizeof(*list));
	struct kes_host host;
	size_t n_ended = 0;
	int r;

	if (!ended || !list)
		return -ENOMEM;
	owners.list = list;
	if (!bpf_map_lookup_elem(table_fd(live->observe->maps.host), &zero, &host)) {
		r = collect_losses(0, host.lost, live->host_lost_sent, take, context);
		if (r)
			return r;
	}
	r = collect_vms(live, &owners, ended, &n_ended, take, context);
	if (r)
		return r;
	merge_owners(&owners);
	r = remember_mixed(live, &owners);
	if (r)
		return r;
	r = collect_counts(live, &owners, take, context);
	for (size_t i = 0; i < n_ended; i++)
		free_slot(live, ended[i]);
	for (size_t i = 0; n_ended && i < owners.n; i++)
		if (!owners.list[i].alive)
			drop_counts_of(live, owners.list[i].pid);
	return r;
}

/* ---- life cycle ---- */

int live_tables_init(struct live *live)
{
	struct epoll_event event = {.events = EPOLLIN};

	live->cpus = libbpf_num_possible_cpus();
	if (live->cpus < 0)
		return live->cpus;
	live->lost_sent = calloc((size_t)KES_MAX_VMS * KES_CAUSE_MAX, sizeof(*live->lost_sent));
	live->end_seen = calloc(KES_MAX_VMS, sizeof(*live->end_seen));
	live->ending = calloc(KES_MAX_VMS, sizeof(*live->ending));
	live->count_keys = calloc(COUNT_BATCH, sizeof(*live->count_keys));
	live->count_values =
		calloc((size_t)COUNT_BATCH * (size_t)live->cpus, sizeof(*live->count_values));
	if (!live->lost_sent || !live->end_seen || !live->ending || !live->count_keys ||
		!live->count_values)
		return -ENOMEM;
	live->ring = ring_buffer__new(table_fd(live->observe->maps.ring), on_record, live, NULL);
	if (!live->ring)
		return -errno;
	live->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (live->epoll_fd < 0)
		return -errno;
	if (epoll_ctl(live->epoll_fd, EPOLL_CTL_ADD, ring_buffer__epoll_fd(live->ring), &event))
		return -errno;
	return 0;
}

void live_tables_free(struct live *live)
{
	for (size_t i = 0; i < live->n_watched; i++)
		close(live->watched[i].pidfd);
	ring_buffer__free(live->ring);
	if (live->epoll_fd > 0)
		close(live->epoll_fd);
	free(live->watched);
	free(live->lost_sent);
	free(live->end_seen);
	free(live->ending);
	free(live->counted);
	free(live->mixed);
	free(live->count_keys);
	free(live->count_values);
}
