/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/top_cost.h"

#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define EVERY_NS 1000000000ull

static uint64_t cpu_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

/* Negative where the kernel does not say. */
static double resident_bytes(void)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/self/statm", "re");
	unsigned long long size, resident;

	if (!file || fscanf(file, "%llu %llu", &size, &resident) != 2)
		return -1;
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

struct runs {
	uint64_t n, ns;
};

static struct runs runs_of(struct live *live)
{
	struct runs runs = {};
	size_t n = 0;
	const struct hook *hooks = live && live_counts_runs(live) ? live_hooks(live, &n) : NULL;

	for (size_t i = 0; i < n; i++) {
		runs.n += hooks[i].runs;
		runs.ns += hooks[i].run_ns;
	}
	return runs;
}

bool top_meter_read(struct top_meter *meter, struct live *live, struct top_cost *ret)
{
	uint64_t now = clock_now_ns(), cpu;
	struct runs runs;

	if (meter->at_ns && now - meter->at_ns < EVERY_NS)
		return false;
	cpu = cpu_now_ns();
	*ret = (struct top_cost){-1, resident_bytes(), -1};
	if (meter->at_ns)
		ret->cpu_percent =
			100.0 * (double)(cpu - meter->cpu_ns) / (double)(now - meter->at_ns);
	runs = runs_of(live);
	if (meter->at_ns && runs.n > meter->runs && runs.ns >= meter->run_ns)
		ret->ns_per_event =
			(double)(runs.ns - meter->run_ns) / (double)(runs.n - meter->runs);
	*meter = (struct top_meter){now, cpu, runs.n, runs.ns};
	return true;
}
