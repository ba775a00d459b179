/* SPDX-License-Identifier: GPL-2.0-only */
/* What was told by hand: bounds, locks, buckets. */
#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_half.h"
#include "parts.h"

/* Other sets than OPEN and FEW. */
#define TOLD   3 /* the same, monitored, and a closed frame */
#define PACED  4 /* 100 pages, three conversions */
#define LOGGED 5 /* as FEW, but what touches CLOSED is logged before that is asked */
#define LATER  6 /* the other way round */
/* with one */
#define UNCOUNTED (1u << 16)
#define SERIAL    (1u << 20) /* 1 */
#define ANEW      (1u << 24) /* counting begins anew */

#define CLOSED 4096 /* frame */
#define BEYOND KES_F_BEYOND

int install_fixed(void)
{
	struct rules open = {.enforced = true, .above = 1ull << 50};
	struct rules few = {.enforced = true, .above = 100};
	struct rules told = {.above = 100, .closed = {CLOSED, 1}};
	struct rules paced = {.enforced = true, .above = 100, .rate = {1, 3}};
	struct rules logged = {
		.enforced = true, .above = 100, .closed = {CLOSED, 1}, .logged = true};
	struct rules later = logged;

	later.later = true;
	return install(OPEN, &open) || install(FEW, &few) || install(TOLD, &told) ||
	       install(PACED, &paced) || install(LOGGED, &logged) || install(LATER, &later);
}

/* A request, and what has to come of it. */
struct line {
	uint32_t vcpu, what, set;
	uint64_t gfn, npages;
	bool refused;
	uint32_t flags; /* kes_verdict_flag */
	uint64_t shared;
	uint32_t leaves;
};

static int try_line(uint64_t kvm, const struct line *line, uint32_t slot)
{
	struct operation o = {.kind = REQUEST,
		.kvm = kvm,
		.vcpu = line->vcpu,
		.what = line->what,
		.set = line->set & 0xff,
		.serial = line->set / SERIAL & 1,
		.counting = line->set & UNCOUNTED ? 0 : 1 + line->set / ANEW,
		.now_ns = 1,
		.gfn = line->gfn,
		.npages = line->npages};

	if (operate(&o, slot))
		return EXIT_FAILURE;
	if (o.action >= KES_DENY && o.flags && o.rule != KES_NO_RULE &&
		!(line->set == TOLD && o.rule == 0))
		return complain("no rule refuses what is not known, and not %u", o.rule);
	if ((o.action >= KES_DENY) == line->refused && o.flags == line->flags &&
		o.shared == line->shared && o.leaves == line->leaves)
		return 0;
	return complain("VM %llx, %s [%llx, +%llx), set %u: action %u flags %x, %llu in %u; "
			"not %d, %x, %llu in %u",
		(unsigned long long)kvm, line->what == KES_ASK_SHARED ? "share" : "private",
		(unsigned long long)line->gfn, (unsigned long long)line->npages, line->set,
		o.action, o.flags, (unsigned long long)o.shared, o.leaves, line->refused,
		line->flags, (unsigned long long)line->shared, line->leaves);
}

static int try_lines(uint64_t kvm, const struct line *lines, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (try_line(kvm, &lines[i], 0))
			return complain("line %zu", i);
	return 0;
}

/* A VM takes all the leaves that one may have, and then one more. */
static int test_vm_bound(void)
{
	static const struct line lines[] = {
		{0, SHARE, OPEN, 0, LONGEST + 1, true, BEYOND, 0, 0},
		{0, SHARE, OPEN, 0, LONGEST, false, 0, LONGEST, 1023},
		{0, SHARE, OPEN, LONGEST - 1, 2, false, 0, LONGEST + 1, 1024},
		{0, SHARE, OPEN, LONGEST + 7, 1, false, 0, LONGEST + 2, 1024},
		{0, SHARE, OPEN, LONGEST + LEAF - 1, 2, true, BEYOND, LONGEST + 2, 1024},
		{0, SHARE, OPEN, 1ull << 40, 1, true, BEYOND, LONGEST + 2, 1024},
		{0, SHARE, FEW, 0, LONGEST, false, 0, LONGEST + 2, 1024},
		/* let through, and so not counted */
		{0, SHARE, TOLD, 1ull << 40, 1, false, BEYOND, LONGEST + 2, 1024},
		{0, SHARE, TOLD, 0, ~0ull, true, BEYOND, LONGEST + 2, 1024},
		{0, SHARE, TOLD, CLOSED + 1, ~0ull - CLOSED - 1, false, BEYOND, LONGEST + 2, 1024},
		/* what has a part of it on its way */
		{1, PRIVATE, OPEN, 0, ~0ull, false, 0, LONGEST + 2, 1024},
		{2, SHARE, OPEN, 5, 1, false, 0, LONGEST + 2, 1024},
	};
	static const struct line after[] = {
		{0, PRIVATE, OPEN, 0, 1, false, 0, LONGEST + 2, 1024},
		{1, PRIVATE, OPEN, LEAF, ~0ull - LEAF, false, 0, LONGEST + 2, 1024},
	};
	static const struct line freed[] = {
		{3, PRIVATE, OPEN, 9, 1, false, 0, LEAF - 1, 1},
		{3, SHARE, FEW, LEAF, 1, true, 0, LEAF - 1, 1},
		{3, SHARE, FEW, LEAF - 2, 2, false, 0, LEAF - 1, 1},
	};
	/* the longest that can be counted, in as many leaves as it can be in */
	static const struct line longest[] = {
		{0, PRIVATE, OPEN, 0, LEAF, false, 0, LEAF - 1, 1},
		{0, SHARE, OPEN, LEAF + 1, LONGEST, false, 0, LONGEST, 1024},
		{0, PRIVATE, OPEN, LEAF + 1, LONGEST, false, 0, LONGEST, 1024},
		{0, SHARE, FEW, 0, 0, false, 0, 0, 0},
	};
	uint64_t kvm = 0x1000;

	return try_lines(kvm, lines, 12) || answer_with(kvm, 0, KES_FLIGHT_DONE, 0) ||
	       answer_with(kvm, 1, KES_FLIGHT_DONE, 0) || answer_with(kvm, 2, KES_FLIGHT_DONE, 0) ||
	       try_lines(kvm, after, 2) || answer_with(kvm, 0, KES_FLIGHT_DONE, 0) ||
	       answer_with(kvm, 1, KES_FLIGHT_DONE, 0) || try_lines(kvm, freed, 3) ||
	       audit(kvm, NULL) || answer_with(kvm, 3, KES_FLIGHT_DONE, 0) ||
	       try_lines(kvm, longest, 1) || answer_with(kvm, 0, KES_FLIGHT_DONE, 0) ||
	       try_lines(kvm, longest + 1, 2) || answer_with(kvm, 0, KES_FLIGHT_DONE, 0) ||
	       try_lines(kvm, longest + 3, 1) || audit(kvm, NULL) || end_vm(kvm);
}

/* What is beyond, and let through: what is counted of it is not given back by who was on its way.
 * And rules before which another one decides are not asked then, either. */
static int test_beyond(void)
{
	static const struct line lines[] = {
		{0, SHARE, TOLD, CLOSED + 7, 2, false, 0, 2, 1},
		{1, PRIVATE, TOLD, CLOSED + 7, 1, false, 0, 2, 1},
		{2, SHARE, TOLD, CLOSED + 1, 1ull << 50, false, BEYOND, 2, 1},
		{0, PRIVATE, TOLD, CLOSED + 8, 1, false, 0, 2, 1}, /* 2's is on its way */
		{1, SHARE, LOGGED, CLOSED, 1ull << 50, false, BEYOND, 2, 1},
		{1, SHARE, LATER, CLOSED, 1ull << 50, true, BEYOND, 2, 1},
		{1, SHARE, LOGGED, CLOSED + 1, 1ull << 50, true, BEYOND, 2, 1},
		{1, PRIVATE, TOLD, CLOSED + 7, 1, false, 0, 2, 1},
		{1, PRIVATE, TOLD, CLOSED + 8, 1, false, 0, 1, 1},
		/* as many frames above the leaf as a u32 has */
		{1, PRIVATE, TOLD, (1ull << 32) + CLOSED, 1ull << 32, false, 0, 1, 1},
		{1, SHARE, TOLD, CLOSED + 9, 1, false, 0, 2, 1},
	};
	uint64_t kvm = 0x1000;

	return try_lines(kvm, lines, 1) || answer_with(kvm, 0, KES_FLIGHT_DONE, 0) ||
	       try_lines(kvm, lines + 1, 2) || answer_with(kvm, 1, KES_FLIGHT_DONE, 0) ||
	       try_lines(kvm, lines + 3, 1) || answer_with(kvm, 0, KES_FLIGHT_DONE, 0) ||
	       try_lines(kvm, lines + 4, 3) || answer_with(kvm, 2, KES_FLIGHT_FAILED, 0) ||
	       try_lines(kvm, lines + 7, 1) || answer_with(kvm, 1, KES_FLIGHT_DONE, 0) ||
	       try_lines(kvm, lines + 8, 1) || answer_with(kvm, 1, KES_FLIGHT_FAILED, 0) ||
	       try_lines(kvm, lines + 9, 1) || answer_with(kvm, 1, KES_FLIGHT_DONE, 0) ||
	       try_lines(kvm, lines + 10, 1) || end_vm(kvm);
}

/* All VMs together take all leaves that there are. */
static int test_bound(void)
{
	uint64_t last = 17 * 0x1000, half = LONGEST / 2 + LEAF / 2; /* 512 leaves */
	const struct line full = {0, SHARE, OPEN, 1, 1, true, BEYOND, 0, 0};
	const struct line room = {0, SHARE, OPEN, 1, 1, false, 0, 1, 1};
	const struct line no_more = {0, SHARE, OPEN, LEAF, 1, true, BEYOND, 1, 1};
	const struct line back = {0, PRIVATE, OPEN, 0, LEAF, false, 0, 2 * half, 1024};
	const struct line less = {0, SHARE, OPEN, LEAF, 1, false, 0, 2 * half - LEAF, 1023};

	for (uint64_t kvm = 0x1000; kvm < last; kvm += 0x1000) {
		const struct line lines[] = {{0, SHARE, OPEN, 0, half, false, 0, half, 512},
			{0, SHARE, OPEN, half, half, false, 0, 2 * half, 1024}};

		if (try_lines(kvm, lines, 2))
			return EXIT_FAILURE;
	}
	if (totals().leaves != KES_MAX_LEAVES || try_line(last, &full, 0) ||
		try_line(0x3000, &back, 0) || answer_with(0x3000, 0, KES_FLIGHT_DONE, 0) ||
		try_line(last, &full, 0) || try_line(0x3000, &less, 0) ||
		try_line(last, &room, 0) || try_line(last, &no_more, 0))
		return EXIT_FAILURE;
	for (uint64_t kvm = 0x1000; kvm < last; kvm += 0x1000)
		if (audit(kvm, NULL) || end_vm(kvm))
			return complain("VM %llx", (unsigned long long)kvm);
	return audit(last, NULL) || end_vm(last) ||
	       (totals().leaves && complain("leaves are left"));
}

/* A lock that nobody gives back. */
static int test_busy(void)
{
	static const struct line lines[] = {
		{0, SHARE, FEW, 0, 1, false, 0, 1, 1},
		{0, SHARE, FEW, 1, 1, true, KES_F_BUSY, 1, 1},
		{0, SHARE, TOLD, 1, 1, false, KES_F_BUSY, 1, 1},
		{0, SHARE, TOLD, CLOSED, 1, true, KES_F_BUSY, 1, 1},
		{0, PRIVATE, PACED, 1, 1, true, KES_F_BUSY, 1, 1},
		{0, SHARE, FEW, 1, 1, false, 0, 2, 1},
	};
	struct kes_veto_totals before = totals();
	struct kes_state state, none = {};
	uint32_t zero = 0;
	uint64_t kvm = 0x1000;

	if (try_lines(kvm, lines, 1) || !get_state(kvm, &state))
		return EXIT_FAILURE;
	state.lock = 1;
	if (set_state(kvm, &state) || try_lines(kvm, lines + 1, 4))
		return EXIT_FAILURE;
	if (totals().busy != before.busy + 4 || totals().beyond != before.beyond)
		return complain("so many were busy: %llu", (unsigned long long)totals().busy);
	state.lock = 0;
	if (set_state(kvm, &state) || try_lines(kvm, lines + 5, 1) || end_vm(kvm))
		return EXIT_FAILURE;
	bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.no_state), &zero, &state);
	return memcmp(&state, &none, sizeof(state)) ? complain("what is to be empty is not") : 0;
}

/* Buckets are of a rule set; they are filled whether a request counts or not. */
static int test_buckets(void)
{
	static const struct line lines[] = {
		{0, PRIVATE, PACED, 0, 1, false, 0, 0, 0},
		{0, SHARE, PACED, 0, 1, false, 0, 1, 1},
		{0, SHARE, PACED, 0, 1, false, 0, 1, 1},
		{0, SHARE, PACED, 0, 1, true, 0, 1, 1},
		{0, SHARE, PACED, 7 * LEAF, 1, true, 0, 1, 1}, /* the leaf was set aside */
		{0, SHARE, FEW, 1, 1, false, 0, 2, 1},
		{0, SHARE, PACED, 2, 1, false, 0, 3, 1},
		{0, SHARE, PACED | UNCOUNTED, 2, 1, false, 0, 3, 1},
		{0, SHARE, PACED, 2, 1, false, 0, 3, 1},
		{0, SHARE, PACED, 2, 1, true, 0, 3, 1},
		{0, SHARE, PACED | UNCOUNTED, 2, 1, true, 0, 3, 1},
		{0, SHARE, PACED | SERIAL, 2, 1, false, 0, 3, 1},
		{0, SHARE, PACED | SERIAL, 2, 1, false, 0, 3, 1},
		{0, SHARE, PACED | SERIAL, 2, 1, false, 0, 3, 1},
		{0, SHARE, PACED | SERIAL, 2, 1, true, 0, 3, 1},
		{0, SHARE, FEW | SERIAL, 2, 1, false, 0, 3, 1},
		{0, SHARE, PACED | SERIAL, 2, 1, false, 0, 3, 1},
	};
	uint64_t kvm = 0x1000;

	return try_lines(kvm, lines, sizeof(lines) / sizeof(*lines)) || audit(kvm, NULL) ||
	       end_vm(kvm);
}

/* Who is not counted is known to be on its way all the same: its change was judged already. What
 * converts nothing is not, and neither is what was refused. */
static int test_uncounted(void)
{
	static const struct line lines[] = {
		{0, SHARE, TOLD | UNCOUNTED, 0, 1, false, 0, 0, 0},
		{1, KES_ASK_OTHER, TOLD | UNCOUNTED, 0, 0, false, 0, 0, 0},
		{2, SHARE, TOLD | UNCOUNTED, CLOSED, 1, true, 0, 0, 0},
	};
	uint64_t kvm = 0x1000;

	if (try_lines(kvm, lines, 3))
		return EXIT_FAILURE;
	if (entries(skeleton->maps.flights, kvm) != 1)
		return complain("%llu are on their way, not 1",
			(unsigned long long)entries(skeleton->maps.flights, kvm));
	return end_vm(kvm);
}

/* While nothing is counted, nobody has to wait for who gives nothing back. */
static int test_nothing(void)
{
	static const struct line lines[] = {
		{1, PRIVATE, FEW, 0, 2, false, 0, 0, 0},
		{0, SHARE, FEW, 0, 2, false, 0, 2, 1},
		{2, PRIVATE, FEW, 0, 1, false, 0, 2, 1},
		{3, SHARE, FEW, 0, 0, false, 0, 1, 1},
	};
	uint64_t kvm = 0x1000;

	return try_lines(kvm, lines, 2) || answer_with(kvm, 0, KES_FLIGHT_DONE, 0) ||
	       try_lines(kvm, lines + 2, 1) || answer_with(kvm, 2, KES_FLIGHT_DONE, 0) ||
	       try_lines(kvm, lines + 3, 1) || end_vm(kvm);
}

/* Counting begins anew; who comes late from before that does not make it begin once more. */
static int test_late(void)
{
	static const struct line lines[] = {
		{0, SHARE, FEW, 0, 9, false, 0, 9, 1},
		{0, SHARE, FEW | ANEW, 0, 1, false, 0, 1, 1},
		{1, SHARE, FEW, 1, 1, false, 0, 2, 1},
		{2, SHARE, FEW | ANEW, 2, 1, false, 0, 3, 1},
		/* after a reset */
		{1, SHARE, FEW, 1, 1, false, 0, 1, 1},
		{2, SHARE, FEW | ANEW, 2, 1, false, 0, 2, 1},
	};
	uint64_t kvm = 0x1000;
	struct operation reset = {.kind = RESET, .kvm = kvm};

	return try_lines(kvm, lines, 4) || operate(&reset, 0) || try_lines(kvm, lines + 4, 2) ||
	       audit(kvm, NULL) || end_vm(kvm);
}

/* Fills a table with entries of nobody's; or takes them out again. */
static int fill(const struct bpf_map *map, uint32_t n, bool out)
{
	static uint8_t value[sizeof(struct kes_state) + sizeof(struct kes_flight)];
	int fd = bpf_map__fd(map);

	for (uint32_t i = 0; i < n; i++) {
		struct kes_flight_key key = {.kvm = 0xdead0000, .vcpu = i}; /* or a state's */

		if (out)
			bpf_map_delete_elem(fd, &key);
		else if (bpf_map_update_elem(fd, &key, value, BPF_ANY))
			return i ? 0 : EXIT_FAILURE; /* full */
	}
	return 0;
}

/* No room for a VM's state, for a vCPU's request. */
static int test_tables(void)
{
	static const struct line no_state[] = {
		{0, SHARE, FEW, 0, 1, true, BEYOND, 0, 0},
		{0, SHARE, TOLD, 0, 1, false, BEYOND, 0, 0},
		{0, SHARE, TOLD, CLOSED, 1, true, BEYOND, 0, 0},
	};
	static const struct line no_flight[] = {
		{0, SHARE, FEW, 0, 1, false, 0, 1, 1},
		{1, SHARE, FEW, 1, 1, true, BEYOND, 1, 1}, /* nobody would know when it is over */
		{1, PRIVATE, FEW, 0, 1, false, 0, 1, 1},
		{0, PRIVATE, FEW, 0, 1, false, 0, 1, 1},
		{4096, SHARE, FEW, 0, 1, true, BEYOND, 1, 1},
		{0xffffffff, PRIVATE, FEW, 0, 1, false, 0, 1, 1},
	};
	static const struct line after[] = {
		{0, PRIVATE, FEW, 0, 1, false, 0, 0, 0},
		{0xffffffff, SHARE, FEW, 0, 1, true, BEYOND, 0, 0},
	};
	uint64_t kvm = 0x1000;

	if (fill(skeleton->maps.states, KES_MAX_VMS, false) || try_lines(kvm, no_state, 3) ||
		fill(skeleton->maps.states, KES_MAX_VMS, true) || try_lines(kvm, no_flight, 1) ||
		fill(skeleton->maps.flights, KES_MAX_VCPUS, false) ||
		try_lines(kvm, no_flight + 1, 5) ||
		fill(skeleton->maps.flights, KES_MAX_VCPUS, true) ||
		answer_with(kvm, 0, KES_FLIGHT_DONE, 0) ||
		answer_with(kvm, 0xffffffff, KES_FLIGHT_DONE, 0))
		return EXIT_FAILURE;
	return try_lines(kvm, after, 2) || audit(kvm, NULL) || end_vm(kvm);
}

/* An answer that was given before a reset says nothing about what the vCPU asked for after it. */
static int test_late_answer(void)
{
	static const struct line before[] = {
		{0, SHARE, FEW, 0, 1, false, 0, 1, 1}, {5, PRIVATE, FEW, 9, 1, false, 0, 1, 1}};
	static const struct line after[] = {{5, SHARE, FEW, 3, 1, false, 0, 1, 1},
		{0, SHARE, FEW, 0, 1, false, 0, 2, 1}, {1, PRIVATE, FEW, 3, 1, false, 0, 2, 1}};
	static const struct line end[] = {{1, PRIVATE, FEW, 3, 1, false, 0, 2, 1}};
	uint64_t kvm = 0x1000;
	struct operation reset = {.kind = RESET, .kvm = kvm};

	return try_lines(kvm, before, 2) || answer_with(kvm, 5, KES_FLIGHT_DONE, 0) ||
	       operate(&reset, 0) || try_lines(kvm, after, 3) ||
	       answer_with(kvm, 1, KES_FLIGHT_DONE, 0) || try_lines(kvm, end, 1) || end_vm(kvm);
}

int test_by_hand(void)
{
	return test_vm_bound() || test_beyond() || test_bound() || test_busy() || test_buckets() ||
	       test_uncounted() || test_nothing() || test_late() || test_tables() ||
	       test_late_answer();
}
