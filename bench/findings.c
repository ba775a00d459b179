/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What detectors hold of a VM whose guest tries to blow them up: it flips random single pages of
 * 1 TiB, for a minute of its time, in both directions, some of them outside of memory or malformed.
 *
 *   findings [CONVERSIONS]
 */
#include <linux/types.h>

#include "bench.h"
#include "detect/detect.h"
#include "kvm_abi.h"

#define GUEST_FRAMES (1ull << 28)
#define MINUTE       60000000000ull

struct run {
	struct model *model;
	struct detect *detect;
	uint64_t seq, now_ns, most;
};

static void add(struct run *run, struct kes_record r)
{
	r.ts_ns = run->now_ns;
	r.seq = run->seq++;
	r.vm = 1;
	must(!model_apply(run->model, &r, 1), "model_apply");
}

static void begin(struct run *run, struct settings *settings)
{
	struct detect_options detect = {.settings = settings, .keep = true};
	struct model_options model = {.on_event = detect_event};

	run->now_ns = 1000000000;
	must(!detect_new(&run->detect, &detect), "detect_new");
	model.context = run->detect;
	must(!model_new(&run->model, &model), "model_new");
	detect_watch(run->detect, run->model);
	add(run, (struct kes_record){
			 .kind = KES_VM_NEW, .flags = KES_F_BORN, .vm_new.type = KES_VM_SNP});
	add(run, (struct kes_record){
			 .kind = KES_MEMSLOT, .memslot = {.npages = GUEST_FRAMES, .total = 1}});
}

static void convert(struct run *run, uint64_t random)
{
	struct kes_record r = {
		.kind = KES_REQUEST,
		.vcpu = (uint16_t)(random >> 60),
		.conversion = {.gpa = (random >> 20) % (GUEST_FRAMES + GUEST_FRAMES / 64) << 12,
			.npages = 1,
			.attrs = (random & 1 ? KES_MAP_GPA_ENCRYPTED : 0) |
				 (random % 64 == 2 ? 1 << 9 : 0)},
	};
	uint64_t asked_ns = run->now_ns;

	add(run, r);
	r.kind = KES_ANSWER;
	r.conversion.answer.ret = random % 32 == 3 ? 11 : 0;
	r.conversion.answer.request_ns = asked_ns;
	add(run, r);
}

int main(int argc, char **argv)
{
	uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 12000000, random = 1, bound;
	struct settings *settings;
	struct run run = {0};
	size_t kept;

	must(!settings_new(&settings), "settings_new");
	begin(&run, settings);
	for (uint64_t i = 0; i < n; i++) {
		size_t memory;

		random = random * 6364136223846793005ull + 1442695040888963407ull;
		run.now_ns += MINUTE / n;
		convert(&run, random ^ random >> 29);
		if (i % 1024)
			continue;
		memory = detect_memory(run.detect);
		run.most = memory > run.most ? memory : run.most;
	}
	detect_findings(run.detect, &kept);
	bound = detect_vm_bytes(run.detect);
	figure("findings.conversions", (double)n, "conversions");
	figure("findings.kinds", (double)kept, "findings");
	figure("findings.memory", (double)run.most, "bytes");
	figure("findings.bound", (double)bound, "bytes");
	figure("findings.map_memory",
		(double)pagemap_memory(model_vm(run.model, 0)->planes[PLANE_GUEST]), "bytes");
	detect_free(&run.detect);
	model_free(&run.model);
	settings_free(&settings);
	return EXIT_SUCCESS;
}
