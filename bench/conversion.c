/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a conversion costs from the guest's hypercall to the model, on this machine's CPU: the
 * programs' own code runs in BPF test runs, on a vCPU that KVM made here, and the model takes in
 * what comes out of the ring. Synthetic, and says so: no guest runs, so the tracepoints' own
 * dispatch is not in it.
 */
#include <unistd.h>

#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "bench.h"
#include "bench/conversion.skel.h"
#include "kvm_abi.h"
#include "model/model.h"
#include "vcpu.h"

#define BATCH                                                                               \
	1000 /* conversions in a test run: twice as many records, far from filling the ring \
	      */
#define ROUNDS 201
#define WARM   20

struct sink {
	struct model *model; /* NULL: only count */
	uint64_t requests, answers;
};

static int take(void *context, void *data, size_t size)
{
	struct sink *sink = context;
	const struct kes_record *r = data;

	must(size == sizeof(*r), "a record of another size");
	sink->requests += r->kind == KES_REQUEST;
	sink->answers += r->kind == KES_ANSWER;
	return sink->model ? model_apply(sink->model, r, 1) : 0;
}

static void find_vcpu(struct conversion *bpf)
{
	run_iterator(bpf->progs.find_vcpu);
	must(bpf->bss->vcpu_pointer, "the vCPU was not found");
}

/* One test run; ns per conversion by the kernel's own account. */
static double run_program(struct bpf_program *program)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);
	struct runs before = {0}, after = {0};
	int fd = bpf_program__fd(program);

	runs_add(&before, fd);
	must(!bpf_prog_test_run_opts(fd, &options), "BPF_PROG_TEST_RUN");
	runs_add(&after, fd);
	must(after.count == before.count + 1, "the kernel does not time test runs");
	return (double)(after.ns - before.ns) / BATCH;
}

/* The request that all conversions of the next run find in the run page. */
static void write_request(struct conversion *bpf, struct kvm_run *run, int round)
{
	bpf->bss->gpa = (uint64_t)round << 12;
	bpf->bss->attrs = round & 1 ? KES_MAP_GPA_ENCRYPTED : 0;
	run->hypercall.args[0] = bpf->bss->gpa;
	run->hypercall.args[2] = bpf->bss->attrs;
}

static double consume(struct ring_buffer *ring)
{
	uint64_t start_ns = clock_now_ns();

	must(ring_buffer__consume(ring) >= 0, "reading the ring");
	return (double)(clock_now_ns() - start_ns) / BATCH;
}

/* Medians, in ns per conversion: of the programs without their loop, and of the reader. */
static void measure(struct conversion *bpf, struct kvm_run *run, struct model *model,
	double *ret_kernel, double *ret_reader)
{
	double kernel[ROUNDS], reader[ROUNDS];
	struct sink sink = {.model = model};
	struct ring_buffer *ring = ring_buffer__new(bpf_map__fd(bpf->maps.ring), take, &sink, NULL);

	must(ring, "opening the ring");
	for (int i = -WARM; i < ROUNDS; i++) {
		int round = i < 0 ? 0 : i;
		double loop;

		write_request(bpf, run, i + WARM);
		loop = run_program(bpf->progs.convert_none);
		kernel[round] = run_program(bpf->progs.convert_all) - loop;
		reader[round] = consume(ring);
	}
	must(sink.requests == (ROUNDS + WARM) * BATCH && sink.answers == sink.requests,
		"not every conversion gave a request and an answer");
	ring_buffer__free(ring);
	*ret_kernel = median(kernel, ROUNDS);
	*ret_reader = median(reader, ROUNDS);
}

static void bench(struct conversion *bpf, struct kvm_run *run)
{
	struct model_options options = {0};
	double kernel, reader, bare, ignored;
	struct model *model;

	must(!model_new(&model, &options), "out of memory");
	measure(bpf, run, model, &kernel, &reader);
	must(model_vm_count(model) == 1 &&
			model_vm(model, 0)->totals.converted == (ROUNDS + WARM) * BATCH,
		"the model counted other conversions");
	measure(bpf, run, NULL, &ignored, &bare);
	model_free(&model);
	figure("conversion.kernel", kernel, "ns");
	figure("conversion.consume", bare, "ns");
	figure("conversion.consume_model", reader, "ns");
	figure("conversion.total", kernel + bare, "ns");
	figure("conversion.total_model", kernel + reader, "ns");
}

int main(void)
{
	static const uint32_t zero;
	struct kes_control control = {.answers_hooked = 1};
	struct kvm_run *run = make_vcpu(0);
	struct conversion *bpf = conversion__open();
	int stats;

	must(bpf, "opening the programs");
	bpf->rodata->wake_bytes = (2u << 20) / 4; /* as live.c */
	/* NOCAST=1: as on kernels before 6.2 */
	bpf->rodata->has_rdonly_cast = getenv("NOCAST") == NULL;
	bpf_map__set_max_entries(
		bpf->maps.tallies, (uint32_t)libbpf_num_possible_cpus() * KES_TALLIES);
	must(!conversion__load(bpf), "loading the programs");
	must(!bpf_map_update_elem(bpf_map__fd(bpf->maps.control), &zero, &control, BPF_EXIST),
		"control");
	bpf->bss->bench_pid = getpid();
	bpf->bss->conversions = BATCH;
	find_vcpu(bpf);
	stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	must(stats >= 0, "having the kernel time BPF programs");
	bench(bpf, run);
	close(stats);
	conversion__destroy(bpf);
	return EXIT_SUCCESS;
}
