/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel half counts as shared, against an oracle (oracle.h) that has an object for each
 * page and request.
 *
 *   counted STEPS [SEED]    1 if they differ, 77 where no such program can be loaded
 *   counted --time          ns of a request, as the kernel counts
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_half.h"
#include "parts.h"

static int run_counts(uint64_t *ret_n, uint64_t *ret_ns)
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_program__fd(skeleton->progs.operate), &info, &size))
		return complain("no figures: %s", strerror(errno));
	*ret_n = info.run_cnt;
	*ret_ns = info.run_time_ns;
	return 0;
}

/* Pages are shared and given back, one after the other, in a VM that has so many leaves. */
static int time_requests(uint32_t leaves, uint64_t npages, uint32_t times)
{
	uint64_t kvm = 0x1000, runs[2], ns[2];
	struct operation o = {.kind = REQUEST,
		.kvm = kvm,
		.what = SHARE,
		.set = OPEN,
		.counting = 1,
		.npages = 1};

	for (uint32_t i = 0; i < leaves; i++, o.gfn += LEAF)
		if (operate(&o, 0))
			return EXIT_FAILURE;
	o.npages = npages;
	if (run_counts(&runs[0], &ns[0]))
		return EXIT_FAILURE;
	for (uint32_t i = 0; i < times; i++) {
		o.what = i % 2 ? PRIVATE : SHARE;
		o.gfn = i / 2 % leaves * LEAF + 1;
		if (operate(&o, 0) || answer_with(kvm, 0, KES_FLIGHT_DONE, 0))
			return EXIT_FAILURE;
	}
	if (run_counts(&runs[1], &ns[1]))
		return EXIT_FAILURE;
	printf("figure: counted.%u_leaves_%llu_pages %.1f ns a request and its answer\n", leaves,
		(unsigned long long)npages,
		2 * (double)(ns[1] - ns[0]) / (double)(runs[1] - runs[0]));
	return end_vm(kvm);
}

static int measure(void)
{
	return bpf_enable_stats(BPF_STATS_RUN_TIME) < 0 || install_fixed() ||
	       time_requests(1, 1, 50000) || time_requests(64, 1, 50000) ||
	       time_requests(1024, 1, 50000) || time_requests(64, 512, 50000) ||
	       time_requests(64, 4000, 50000) || time_requests(1, LONGEST, 1000);
}

static int test(uint64_t steps, uint64_t seed)
{
	return test_scripts(steps, seed) || install_fixed() || test_by_hand() ||
	       test_all_threads(steps / 10);
}

int main(int argc, char **argv)
{
	int r;

	if (argc < 2) {
		fputs("usage: counted STEPS [SEED] | --time\n", stderr);
		return 2;
	}
	if (!getenv("VERBOSE"))
		libbpf_set_print(NULL);
	r = open_all();
	if (r) {
		fprintf(stderr, "no such program can be loaded here: %s\n", strerror(-r));
		return 77;
	}
	r = !strcmp(argv[1], "--time")
		    ? measure()
		    : test(strtoull(argv[1], NULL, 0), argc > 2 ? strtoull(argv[2], NULL, 0) : 1);
	counted_bpf__destroy(skeleton);
	return r;
}
