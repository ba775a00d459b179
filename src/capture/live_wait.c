/* SPDX-License-Identifier: GPL-2.0-only */
/* How the reader waits for what comes on the ring; wake_reader() in bpf/record.bpf.h is the other
 * side. Who puts a record there looks only then how we wait; we say how we will before we look for
 * the last time: so one of the two sees the other. */
#include <errno.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "capture/live_private.h"

#define INVENTORY_NS 100000000ull /* the least time between two inventories that new VMs cause */
#define QUIET_NS     250000000ull /* so long nothing has come, and each record may wake us */
#define EPOLL_EVENTS 16

static void set_reader(struct live *live, uint32_t does)
{
	__atomic_store_n(&live->control->reader, does, __ATOMIC_SEQ_CST);
}

/* Nobody has woken us since we said so. Else what was to wake us may be off the ring already. */
static bool still_sleeps(const struct live *live)
{
	return __atomic_load_n(&live->control->reader, __ATOMIC_SEQ_CST) == KES_READER_SLEEPS;
}

int live_rest(struct live *live, record_fn take, void *context)
{
	int r;

	if (live->vms_came || clock_now_ns() - live->came_ns < QUIET_NS)
		return 0;
	live->take = take;
	live->context = context;
	set_reader(live, KES_READER_SLEEPS);
	r = live_consume(live);
	if (!r && !live->consumed && still_sleeps(live))
		return 1;
	set_reader(live, KES_READER_LOOKS);
	return r;
}

bool live_nap(struct live *live)
{
	set_reader(live, KES_READER_NAPS);
	if (!__atomic_load_n(&live->control->urged, __ATOMIC_SEQ_CST))
		return true;
	set_reader(live, KES_READER_LOOKS);
	return false;
}

int live_poll(struct live *live, int timeout_ms, record_fn take, void *context)
{
	struct epoll_event events[EPOLL_EVENTS];
	int n, r;

	if (timeout_ms && !live_nap(live))
		timeout_ms = 0;
	live->take = take;
	live->context = context;
	n = epoll_wait(live->epoll_fd, events, EPOLL_EVENTS, timeout_ms);
	if (n < 0 && errno != EINTR)
		return -errno;
	set_reader(live, KES_READER_LOOKS);
	r = live_consume(live);
	if (!r && live->vms_came && clock_now_ns() - live->inventory_ns >= INVENTORY_NS) {
		live_look(live); /* where a new VM has its memory */
		r = live_consume(live);
	}
	for (int i = 0; i < n && !r; i++)
		if (events[i].data.u32)
			r = ends_on_event(live, events[i].data.u32);
	return r ? r : n < 0 ? -EINTR : 0;
}

int live_fd(const struct live *live)
{
	return live->epoll_fd;
}
