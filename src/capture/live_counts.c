/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel half only counts, per VMM process: read, summed over the CPUs, and sent as far as
 * it changed. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/place.h"
#include "bpf/observe.skel.h"
#include "capture/live_private.h"

#define COUNT_BATCH 256

struct counted {
	struct kes_count_key key;
	uint64_t total;
	uint64_t now; /* while it is summed up */
	bool waited;  /* no VM was known for it, once */
};

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
	size_t at = PLACE(live->n_counted, i, compare_counted(key, &live->counted[i]) > 0);
	struct counted *grown;

	if (at < live->n_counted && !compare_counted(key, &live->counted[at]))
		return &live->counted[at];
	grown = reallocarray(live->counted, live->n_counted + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	live->counted = grown;
	memmove(&grown[at + 1], &grown[at], (live->n_counted - at) * sizeof(*grown));
	live->n_counted++;
	grown[at] = (struct counted){.key = *key};
	return &grown[at];
}

static struct kes_count_key tally_key(uint64_t who)
{
	return (struct kes_count_key){
		.tgid = (uint32_t)(who >> 32),
		.counter = (uint16_t)(who >> 16),
		.index = (uint16_t)who,
	};
}

static int add_counted(struct live *live, const struct kes_count_key *key, uint64_t n)
{
	struct counted *counted = find_counted(live, key);

	if (!counted)
		return -ENOMEM;
	counted->now += n;
	return 0;
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

/* What is in the hash table: keys that found no tally of theirs. */
static int sum_table(struct live *live)
{
	int fd = table_fd(live->observe->maps.counts), r = 0;
	uint32_t cursor, n;
	void *from = NULL;
	bool more = true;

	while (more && !r) {
		n = COUNT_BATCH;
		if (bpf_map_lookup_batch(
			    fd, from, &cursor, live->count_keys, live->count_values, &n, NULL)) {
			if (errno != ENOENT) /* ENOENT: these were the last */
				return -errno;
			more = false;
		}
		from = &cursor;
		for (uint32_t i = 0; i < n && !r; i++) {
			uint64_t total = 0;

			for (int cpu = 0; cpu < live->cpus; cpu++)
				total += live->count_values[i * (uint32_t)live->cpus +
							    (uint32_t)cpu];
			r = add_counted(live, &live->count_keys[i], total);
		}
	}
	return r;
}

/* A place belongs to its key until the process is gone, so a count never moves between two. */
static int sum_tallies(struct live *live)
{
	for (size_t i = 0; i < live->n_tallies; i++) {
		uint64_t who = __atomic_load_n(&live->tallies[i].who, __ATOMIC_ACQUIRE);
		struct kes_count_key key = tally_key(who);
		int r = who ? add_counted(live, &key,
				      __atomic_load_n(&live->tallies[i].n, __ATOMIC_RELAXED))
			    : 0;

		if (r)
			return r;
	}
	return 0;
}

/* Sends the counters that grew. Keys that come or go meanwhile may be missed this time. */
static int collect_all(
	struct live *live, const struct owners *owners, record_fn take, void *context)
{
	int r;

	for (size_t i = 0; i < live->n_counted; i++)
		live->counted[i].now = 0;
	r = sum_table(live);
	if (!r)
		r = sum_tallies(live);
	for (size_t i = 0; i < live->n_counted && !r; i++) {
		struct counted *counted = &live->counted[i];
		const struct owner *owner = find_owner(owners, counted->key.tgid);
		struct kes_record record = {
			.ts_ns = clock_now_ns(),
			.vm = owner ? owner->vm : 0,
			.kind = KES_COUNT,
			.count = {.total = counted->now,
				.counter = counted->key.counter,
				.index = counted->key.index,
				.pid = counted->key.tgid},
		};

		if (counted->now <= counted->total)
			continue; /* as it was, or missed this time: totals never go down */
		if (!owner && !counted->waited) {
			counted->waited = true; /* its VM may have come after the list was made */
			continue;
		}
		counted->total = counted->now;
		r = take(context, &record, 1);
	}
	return r;
}

void counts_drop(struct live *live, uint32_t pid)
{
	for (size_t i = live->n_counted; i-- > 0;) {
		struct kes_count_key key = live->counted[i].key;

		if (key.tgid == pid)
			drop_count(live, &key);
	}
	for (size_t i = 0; i < live->n_tallies; i++)
		if (live->tallies[i].who >> 32 == pid) {
			live->tallies[i].n = 0;
			__atomic_store_n(&live->tallies[i].who, 0, __ATOMIC_RELEASE);
		}
	forget_mixed(live, pid);
}

int counts_collect(struct live *live, struct owners *owners, record_fn take, void *context)
{
	int r;

	merge_owners(owners);
	r = remember_mixed(live, owners);
	return r ? r : collect_all(live, owners, take, context);
}

int counts_init(struct live *live)
{
	live->cpus = libbpf_num_possible_cpus();
	if (live->cpus < 0)
		return live->cpus;
	live->count_keys = calloc(COUNT_BATCH, sizeof(*live->count_keys));
	live->count_values =
		calloc((size_t)COUNT_BATCH * (size_t)live->cpus, sizeof(*live->count_values));
	if (!live->count_keys || !live->count_values)
		return -ENOMEM;
	live->tallies = mmap(NULL, live->n_tallies * sizeof(*live->tallies), PROT_READ | PROT_WRITE,
		MAP_SHARED, table_fd(live->observe->maps.tallies), 0);
	if (live->tallies == MAP_FAILED) {
		live->tallies = NULL;
		return -errno;
	}
	return 0;
}

void counts_free(struct live *live)
{
	if (live->tallies)
		munmap(live->tallies, live->n_tallies * sizeof(*live->tallies));
	free(live->counted);
	free(live->mixed);
	free(live->count_keys);
	free(live->count_values);
}
