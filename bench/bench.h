/* SPDX-License-Identifier: GPL-2.0-only */
/* What the benchmarks share. A figure goes out as a line "figure: NAME VALUE UNIT"; bench/run.sh
 * makes the table of them. What breaks ends the program with 1; a slow machine never does. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <bpf/bpf.h>

static inline void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench: %s (%s)\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static inline void figure(const char *name, double value, const char *unit)
{
	printf("figure: %s %.*f %s\n", name, value < 1000 ? 3 : 0, value, unit);
	fflush(stdout);
}

static inline int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static inline double median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare_doubles);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* bpftrace wants these; mounted where only this process and its children see it. */
static inline void mount_tracing(void)
{
	must(!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL),
		"a mount namespace");
	mount("none", "/sys/kernel/debug", "debugfs", 0, NULL);
	if (access("/sys/kernel/tracing/events", F_OK))
		must(!mount("none", "/sys/kernel/tracing", "tracefs", 0, NULL), "mounting tracefs");
}

/* How often programs ran and how long in all, while BPF_ENABLE_STATS is on. */
struct runs {
	uint64_t count, ns;
};

static inline void runs_add(struct runs *runs, int program)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);

	must(!bpf_obj_get_info_by_fd(program, &info, &size), "reading a program's run time");
	runs->count += info.run_cnt;
	runs->ns += info.run_time_ns;
}

#endif
