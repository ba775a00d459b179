/* SPDX-License-Identifier: GPL-2.0-only */
/* Records of VMs as a large host has them: 4 GiB each, both planes, a few hundred shared ranges, a
 * policy that has said something, and names as long as cloud software makes them. */
#ifndef TESTS_METRICS_MANY_H
#define TESTS_METRICS_MANY_H

#include <linux/types.h>
#include <stdint.h>

#include "kvm_abi.h"
#include "verdict.h"
#include "wire.h"

#include <stdio.h>
#include <string.h>

#define MANY_FRAMES    (1ull << 20)
#define MANY_CONVERTED 256
#define MANY_NAME      36 /* bytes */

/* Takes a record, and gives it its time, VM and number. */
typedef void (*many_take)(void *context, uint32_t vm, struct kes_record record);

static inline void many_name(many_take take, void *context, uint32_t vm)
{
	struct kes_record r = {
		.kind = KES_TEXT, .text = {.about = KES_TEXT_NAME, .total = MANY_NAME}};
	char name[48];

	snprintf(name, sizeof(name), "instance-%08x-4000-8000-%012x", vm * 2654435761u, vm);
	r.text.size = MANY_NAME;
	memcpy(r.text.bytes, name, MANY_NAME);
	take(context, vm, r);
}

/* A conversion and its answer, a microsecond after it: now_ns is when the taker's clock stands. */
static inline void many_convert(
	many_take take, void *context, uint32_t vm, uint64_t gfn, const uint64_t *now_ns)
{
	struct kes_record r = {.kind = KES_REQUEST, .conversion = {.gpa = gfn << 12, .npages = 1}};

	take(context, vm, r);
	r.kind = KES_ANSWER;
	r.conversion.answer.request_ns = *now_ns;
	take(context, vm, r);
}

static inline void many_vm(many_take take, void *context, uint32_t vm, const uint64_t *now_ns)
{
	take(context, vm,
		(struct kes_record){.kind = KES_VM_NEW,
			.flags = KES_F_BORN,
			.vm_new = {.pid = vm, .type = KES_VM_SNP}});
	take(context, vm,
		(struct kes_record){.kind = KES_VM_INFO,
			.vm_info = {.vcpus = 4, .flags = KES_VM_HAS_ATTRIBUTES}});
	take(context, vm,
		(struct kes_record){
			.kind = KES_MEMSLOT, .memslot = {.npages = MANY_FRAMES, .total = 1}});
	many_name(take, context, vm);
	for (uint64_t i = 0; i < MANY_CONVERTED; i++)
		many_convert(take, context, vm, i * 4099 % MANY_FRAMES, now_ns);
	take(context, vm,
		(struct kes_record){.kind = KES_VERDICT,
			.judgement = {.set = 1, .action = KES_DENY, .line = 1}});
}

#endif
