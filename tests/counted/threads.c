/* SPDX-License-Identifier: GPL-2.0-only */
/* Threads: several vCPUs of a VM at once, and VMs that end while others go on. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel_half.h"
#include "parts.h"

struct thread {
	pthread_t id;
	uint32_t index, n;
	uint64_t random, steps, kvm;
	struct oracle oracle; /* of its own pages: each n-th */
	bool apart;
	uint64_t busy; /* found it locked for so long, as when this machine stands still */
	int r;
};

#define THREAD_LEAVES 4

static int step_thread(struct thread *t)
{
	uint64_t n = THREAD_LEAVES * LEAF;
	struct operation o = {.kind = REQUEST,
		.kvm = t->kvm,
		.vcpu = t->index,
		.what = below(&t->random, 2) ? SHARE : PRIVATE,
		.set = OPEN,
		.counting = 1,
		.npages = 1};

	o.gfn = below(&t->random, 64) * (n / 64) / t->n * t->n + t->index;
	if (!t->apart) {
		o.set = FEW;
		o.gfn = below(&t->random, n);
		o.npages = 1 + below(&t->random, 100);
	}
	oracle_end(&t->oracle, 0, false);
	if (operate(&o, t->index))
		return EXIT_FAILURE;
	if (o.flags & ~KES_F_BUSY || (!t->apart && o.shared > 100))
		return complain("flags %x, %llu counted", o.flags, (unsigned long long)o.shared);
	t->busy += !!o.flags;
	if (o.flags || o.action >= KES_DENY)
		return 0;
	if (t->apart)
		oracle_begin(&t->oracle, 0, o.what == SHARE, o.gfn, 1, true);
	if (!below(&t->random, 4))
		return 0; /* it was never answered */
	o.status = below(&t->random, 4) ? KES_FLIGHT_DONE : KES_FLIGHT_FAILED;
	oracle_end(&t->oracle, 0, o.status == KES_FLIGHT_DONE);
	return answer_with(t->kvm, t->index, o.status, t->index);
}

static void *run_thread(void *data)
{
	struct thread *t = data;

	for (uint64_t i = 0; i < t->steps && !t->r; i++)
		t->r = step_thread(t);
	return NULL;
}

/* How many are counted when all answers are. */
static int settle(uint64_t kvm, uint64_t *ret)
{
	struct operation o = {.kind = REQUEST,
		.kvm = kvm,
		.what = PRIVATE,
		.set = FEW,
		.counting = 1,
		.gfn = 1ull << 40,
		.npages = 1};

	if (operate(&o, 0))
		return EXIT_FAILURE;
	*ret = o.shared;
	return 0;
}

/* All private, of which nothing else is on its way. */
static int give_back_all(uint64_t kvm, uint32_t n)
{
	struct operation o = {.kind = REQUEST,
		.kvm = kvm,
		.what = PRIVATE,
		.set = FEW,
		.counting = 1,
		.npages = ~0ull};

	for (uint32_t i = 0; i < n; i++)
		if (answer_with(kvm, i, KES_FLIGHT_FAILED, 0))
			return EXIT_FAILURE;
	if (operate(&o, 0) || answer_with(kvm, 0, KES_FLIGHT_DONE, 0) || operate(&o, 0))
		return EXIT_FAILURE;
	return o.shared || o.leaves
		       ? complain("all was given back, and %llu stay", (unsigned long long)o.shared)
		       : audit(kvm, NULL);
}

static int test_threads(uint32_t n, bool apart, uint64_t steps)
{
	static struct thread threads[OPERATIONS];
	uint64_t counted = 0, shared, busy = 0;
	int r = 0;

	for (uint32_t i = 0; i < n; i++) {
		threads[i] = (struct thread){.index = i,
			.n = n,
			.random = i,
			.steps = steps,
			.kvm = 0x1000,
			.apart = apart};
		if (oracle_new(&threads[i].oracle, THREAD_LEAVES * LEAF) ||
			pthread_create(&threads[i].id, NULL, run_thread, &threads[i]))
			return complain("no thread");
	}
	for (uint32_t i = 0; i < n; i++) {
		pthread_join(threads[i].id, NULL);
		r |= threads[i].r;
		counted += threads[i].oracle.counted;
		busy += threads[i].busy;
		oracle_free(&threads[i].oracle);
	}
	if (r || settle(0x1000, &shared))
		return EXIT_FAILURE;
	if (apart && shared != counted)
		return complain("%llu are counted, not %llu", (unsigned long long)shared,
			(unsigned long long)counted);
	printf("%u threads%s: %llu steps each, %llu pages, as many as their leaves have\n", n,
		apart ? " with pages of their own" : "", (unsigned long long)steps,
		(unsigned long long)shared);
	if (busy)
		printf("%llu times it was locked for too long\n", (unsigned long long)busy);
	return audit(0x1000, NULL) || give_back_all(0x1000, n) || end_vm(0x1000);
}

#define CHURN 1000 /* leaves */
#define ENDS  1000

/* Shares one page of a leaf and gives it back, over and over: leaves come and go. */
static void *churn(void *data)
{
	struct thread *t = data;

	for (uint64_t i = 0; !__atomic_load_n(&t->r, __ATOMIC_RELAXED); i++) {
		struct operation o = {.kind = REQUEST,
			.kvm = t->kvm,
			.what = i / CHURN % 2 ? PRIVATE : SHARE,
			.set = OPEN,
			.counting = 1,
			.gfn = i % CHURN * LEAF,
			.npages = 1};

		if (operate(&o, t->index) || answer_with(t->kvm, 0, KES_FLIGHT_DONE, t->index))
			break;
	}
	return NULL;
}

/* A VM ends, or is reset, while another one's leaves come and go. */
static int test_ends(uint64_t times)
{
	struct thread other = {.index = 1, .kvm = 0x2000};
	struct operation share = {
		.kind = REQUEST, .kvm = 0x1000, .what = SHARE, .set = OPEN, .counting = 1};
	struct operation gone = {.kind = GONE, .kvm = 0x1000, .vcpus = 1};
	int r = 0;

	if (pthread_create(&other.id, NULL, churn, &other))
		return complain("no thread");
	for (uint64_t i = 0; i < times && !r; i++) {
		share.npages = 1;
		for (share.gfn = 0; share.gfn < ENDS * LEAF && !r; share.gfn += LEAF)
			r = operate(&share, 0);
		if (i % 2) {
			r = r || operate(&gone, 0);
			gone.shared = 0;
		} else {
			gone.kind = RESET;
			r = r || operate(&gone, 0);
			gone.kind = GONE;
			share.gfn = 0;
			r = r || operate(&share, 0) || operate(&gone, 0);
		}
		if (!r && entries(skeleton->maps.leaves, 0x1000))
			r = complain("leaves of a VM that ended stay, the %lluth time",
				(unsigned long long)i);
	}
	__atomic_store_n(&other.r, 1, __ATOMIC_RELAXED);
	pthread_join(other.id, NULL);
	return r || audit(0x2000, NULL) || end_vm(0x2000);
}

int test_all_threads(uint64_t steps)
{
	return test_threads(2, true, steps) || test_threads(4, true, steps) ||
	       test_threads(2, false, steps) || test_threads(4, false, steps) ||
	       test_ends(steps / 50);
}
