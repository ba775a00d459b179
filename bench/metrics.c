/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a scrape costs the daemon: the text of many VMs with both planes, a few hundred shared
 * ranges each, and a policy that has said something.
 *
 *   metrics [VMS]
 */
#include <linux/types.h>
#include <time.h>

#include "../tests/metrics/many.h"
#include "bench.h"
#include "metrics/metrics.h"

#define RUNS 21

struct run {
	struct model *model;
	struct metrics *metrics;
	uint64_t now_ns, seq;
};

/* Of this process's processor time: nothing here waits. */
static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int on_event(void *context, const struct event *event)
{
	struct run *run = context;

	return metrics_event(run->metrics, event);
}

static void add(void *context, uint32_t vm, struct kes_record r)
{
	struct run *run = context;

	if (r.kind == KES_VM_NEW)
		run->seq = 0;
	r.ts_ns = run->now_ns += 1000;
	r.vm = vm;
	r.seq = r.kind < KES_LOSS ? run->seq++ : r.seq;
	must(!model_apply(run->model, &r, 1), "model_apply");
}

int main(int argc, char **argv)
{
	uint32_t n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000;
	const struct metrics_options wanted = {METRICS_FULL, n, 0};
	const struct metrics_view view = {};
	struct run run = {};
	struct model_options options = {.on_event = on_event, .context = &run};
	double times[RUNS];
	size_t size = 0;

	must(!metrics_new(&run.metrics, &wanted), "metrics_new");
	must(!model_new(&run.model, &options), "model_new");
	must(!metrics_watch(run.metrics, run.model, NULL), "metrics_watch");
	for (uint32_t vm = 1; vm <= n; vm++)
		many_vm(add, &run, vm, &run.now_ns);
	for (int i = 0; i < RUNS; i++) {
		double begin = now_ms();
		char *text;

		must(!metrics_write(run.metrics, &view, METRICS_OPENMETRICS, &text, &size),
			"metrics_write");
		times[i] = now_ms() - begin;
		free(text);
	}
	figure("metrics.scrape", median(times, RUNS), "ms");
	figure("metrics.size", (double)size, "bytes");
	metrics_free(&run.metrics);
	model_free(&run.model);
	return 0;
}
