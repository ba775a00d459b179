/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writes a capture of many conversions for `replay` to be timed on: two VMs of 64 GiB with four
 * vCPUs each, which share and take back single pages all over their memory.
 *
 *   capture FILE RECORDS
 */
#include <linux/types.h>

#include "bench.h"
#include "capture/file_writer.h"
#include "kvm_abi.h"

#define VMS          2
#define VCPUS        4
#define GUEST_FRAMES (1ull << 24)
#define STEP_NS      1000

static struct capture_writer *writer;
static uint64_t seq[VMS], now_ns = STEP_NS;

static void add(unsigned vm, struct kes_record r)
{
	struct error err = {0};

	r.ts_ns = now_ns;
	now_ns += STEP_NS;
	r.seq = seq[vm]++;
	r.vm = vm + 1;
	must(!capture_writer_add(writer, &r, 1, &err), err.text);
}

static void add_vm(unsigned vm)
{
	add(vm, (struct kes_record){
			.kind = KES_VM_NEW,
			.flags = KES_F_BORN,
			.vm_new = {.pid = 1000 + vm,
				.hypercalls = 1 << KES_HC_MAP_GPA_RANGE,
				.comm = "bench"},
		});
	add(vm, (struct kes_record){
			.kind = KES_MEMSLOT,
			.memslot = {.npages = GUEST_FRAMES, .total = 1, .generation = 2},
		});
}

/* All vCPUs of both VMs ask, then all are answered. Returns how many records that took. */
static uint64_t add_conversions(uint64_t *random)
{
	struct kes_record asked[VMS * VCPUS];

	for (unsigned i = 0; i < VMS * VCPUS; i++) {
		*random = *random * 6364136223846793005ull + 1442695040888963407ull;
		asked[i] = (struct kes_record){
			.vcpu = (uint16_t)(i / VMS),
			.kind = KES_REQUEST,
			.flags = KES_F_LONG_MODE,
			.conversion = {.gpa = (*random >> 33) % GUEST_FRAMES << 12,
				.npages = 1,
				.attrs = *random >> 63 ? KES_MAP_GPA_ENCRYPTED : 0,
				.request = {.nr = KES_HC_MAP_GPA_RANGE}},
		};
		asked[i].ts_ns = now_ns;
		add(i % VMS, asked[i]);
	}
	for (unsigned i = 0; i < VMS * VCPUS; i++) {
		struct kes_record answer = asked[i];

		answer.kind = KES_ANSWER;
		answer.flags = 0;
		answer.conversion.answer.ret = 0;
		answer.conversion.answer.request_ns = asked[i].ts_ns;
		add(i % VMS, answer);
	}
	return 2ull * VMS * VCPUS;
}

int main(int argc, char **argv)
{
	struct error err = {0};
	uint64_t records, random = 1;

	must(argc == 3, "capture FILE RECORDS");
	records = strtoull(argv[2], NULL, 10);
	must(!capture_writer_new(&writer, argv[1], true,
		     "{\"tool\":\"bench\",\"clock\":{\"base\":\"CLOCK_MONOTONIC\","
		     "\"realtime_offset_ns\":0}}",
		     &err),
		err.text);
	for (unsigned vm = 0; vm < VMS; vm++)
		add_vm(vm);
	for (uint64_t n = 2ull * VMS; n < records;)
		n += add_conversions(&random);
	figure("replay.records", (double)capture_writer_records(writer), "records");
	must(!capture_writer_close(writer, NULL, &err), err.text);
	figure("replay.bytes", (double)capture_writer_bytes(writer), "bytes");
	capture_writer_free(&writer);
	return EXIT_SUCCESS;
}
