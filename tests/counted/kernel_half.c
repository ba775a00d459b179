/* SPDX-License-Identifier: GPL-2.0-only */
#include "kernel_half.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct counted_bpf *skeleton;
static struct operation *operations;

int open_all(void)
{
	skeleton = counted_bpf__open_and_load();
	if (!skeleton)
		return -errno;
	operations = mmap(NULL, sizeof(*operations) * OPERATIONS, PROT_READ | PROT_WRITE,
		MAP_SHARED, bpf_map__fd(skeleton->maps.operations), 0);
	return operations == MAP_FAILED ? -errno : 0;
}

int complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return EXIT_FAILURE;
}

static uint64_t next(uint64_t *random)
{
	uint64_t z = *random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint64_t below(uint64_t *random, uint64_t n)
{
	return next(random) % n;
}

int operate(struct operation *o, uint32_t slot)
{
	uint64_t arguments[1] = {slot};
	LIBBPF_OPTS(
		bpf_test_run_opts, options, .ctx_in = arguments, .ctx_size_in = sizeof(arguments));

	o->done = 0;
	operations[slot] = *o;
	if (bpf_prog_test_run_opts(bpf_program__fd(skeleton->progs.operate), &options))
		return complain("test run: %s", strerror(errno));
	*o = operations[slot];
	return o->done ? 0 : complain("the program did nothing");
}

struct kes_veto_totals totals(void)
{
	struct kes_veto_totals ret = {};
	uint32_t zero = 0;

	bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.veto_totals), &zero, &ret);
	return ret;
}

bool get_state(uint64_t kvm, struct kes_state *ret)
{
	struct kes_state_key key = {.kvm = kvm, .asker = KES_BY_GUEST};

	*ret = (struct kes_state){};
	return !bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.states), &key, ret);
}

int set_state(uint64_t kvm, const struct kes_state *state)
{
	struct kes_state_key key = {.kvm = kvm, .asker = KES_BY_GUEST};

	return bpf_map_update_elem(bpf_map__fd(skeleton->maps.states), &key, state, BPF_ANY);
}

uint64_t entries(const struct bpf_map *map, uint64_t kvm)
{
	uint64_t key[2] = {}, n = 0;
	void *last = NULL;

	while (!bpf_map_get_next_key(bpf_map__fd(map), last, key)) {
		n += key[0] == kvm;
		last = key;
	}
	return n;
}

/* Calls f for each leaf, of whatever VM. */
static int each_leaf(
	int (*f)(const struct kes_leaf_key *key, const struct kes_leaf *leaf, void *data),
	void *data)
{
	int fd = bpf_map__fd(skeleton->maps.leaves), r = 0;
	struct kes_leaf_key key, *last = NULL;
	struct kes_leaf leaf;

	while (!r && !bpf_map_get_next_key(fd, last, &key)) {
		last = &key;
		r = bpf_map_lookup_elem(fd, &key, &leaf) ?: f(&key, &leaf, data);
	}
	return r;
}

/* What a VM's state says, against its leaves. */
struct audit {
	uint64_t kvm;
	uint64_t pages, leaves, all_leaves;
	const struct oracle *oracle; /* NULL: it is not known which pages they are */
};

static int audit_leaf(const struct kes_leaf_key *key, const struct kes_leaf *leaf, void *data)
{
	struct audit *audit = data;
	const struct oracle *oracle = audit->oracle;
	uint64_t n = 0, gfn = key->index * KES_LEAF_FRAMES;

	audit->all_leaves++;
	if (key->kvm != audit->kvm)
		return 0;
	audit->leaves++;
	for (uint64_t i = 0; i < KES_LEAF_FRAMES; i++) {
		bool counted = leaf->shared[i / 64] >> i % 64 & 1;

		n += counted;
		if (!counted && leaf->asked[i / 64] >> i % 64 & 1)
			return complain("frame %llx is marked and not counted",
				(unsigned long long)(gfn + i));
		if (!oracle)
			continue;
		if (gfn + i < oracle->base || gfn + i >= oracle->base + oracle->n)
			return complain("leaf %llx should not be", (unsigned long long)key->index);
		if (oracle->pages[gfn + i - oracle->base].counted != counted)
			return complain(
				"frame %llx: counted %d", (unsigned long long)(gfn + i), counted);
	}
	audit->pages += n;
	return n ? 0 : complain("leaf %llx is empty", (unsigned long long)key->index);
}

int audit(uint64_t kvm, const struct oracle *oracle)
{
	struct audit found = {.kvm = kvm, .oracle = oracle};
	struct kes_state state;
	uint64_t flights = 0;

	get_state(kvm, &state);
	for (size_t i = 0; i < KES_MAX_COUNTED_VCPUS / 64; i++)
		flights += (uint64_t)__builtin_popcountll(state.flying[i]);
	if (each_leaf(audit_leaf, &found))
		return EXIT_FAILURE;
	if (state.lock)
		return complain("it is locked");
	if (state.policy.shared != found.pages || state.leaves != found.leaves ||
		totals().leaves != found.all_leaves || state.flights != flights)
		return complain("%llu pages in %u leaves, %u flights; found %llu in %llu, %llu; "
				"all: %llu, found %llu",
			(unsigned long long)state.policy.shared, state.leaves, state.flights,
			(unsigned long long)found.pages, (unsigned long long)found.leaves,
			(unsigned long long)flights, (unsigned long long)totals().leaves,
			(unsigned long long)found.all_leaves);
	return 0;
}

int answer_with(uint64_t kvm, uint32_t vcpu, uint32_t status, uint32_t slot)
{
	struct operation o = {.kind = ANSWER, .kvm = kvm, .vcpu = vcpu, .status = status};

	return operate(&o, slot);
}

int end_vm(uint64_t kvm)
{
	struct operation o = {.kind = GONE, .kvm = kvm, .vcpus = KES_MAX_COUNTED_VCPUS};

	if (operate(&o, 0) || audit(kvm, NULL))
		return EXIT_FAILURE;
	if (entries(skeleton->maps.states, kvm) || entries(skeleton->maps.leaves, kvm) ||
		entries(skeleton->maps.flights, kvm) ||
		bpf_map_delete_elem(bpf_map__fd(skeleton->maps.baselines), &kvm) != -ENOENT)
		return complain("of a VM that ended something is left");
	return 0;
}

/* ---- rule sets ---- */

int install(uint32_t place, struct rules *rules)
{
	static struct policy modes[2] = {{.mode = KES_MONITOR}, {.mode = KES_ENFORCE}};
	static struct kes_rule_set set;
	struct kes_rule any = {.larger = KES_FOREVER,
		.shared_above = KES_FOREVER,
		.action = KES_DENY,
		.asks = KES_ASK_SHARED | KES_ASK_PRIVATE,
		.askers = KES_BY_GUEST,
		.numbers = ~0u,
		.err = -EPERM};
	struct policy_rule list[3] = {{.compiled = any}, {.compiled = any}, {.compiled = any}};
	struct rule_source sources[3] = {
		{&modes[1], &list[0]}, {&modes[rules->enforced], &list[1]}, {&modes[1], &list[2]}};
	struct rule_source first = sources[0];

	list[0].compiled.asks = KES_ASK_SHARED;
	list[0].touches = &rules->closed;
	list[0].n_touches = 1;
	list[0].compiled.action = rules->logged ? KES_LOG : KES_DENY;
	if (rules->later) {
		sources[0] = sources[1];
		sources[1] = first;
	}
	list[1].compiled.shared_above = rules->above;
	list[1].compiled.percent = rules->percent;
	list[1].compiled.above_baseline = rules->above_baseline;
	list[2].compiled.conversions = rules->rate;
	if (policy_compile_rules(&set, sources + !rules->closed.npages,
		    2u - !rules->closed.npages + (rules->rate.per_second > 0)))
		return complain("rules cannot be compiled");
	return bpf_map_update_elem(bpf_map__fd(skeleton->maps.rule_sets), &place, &set, BPF_ANY);
}
