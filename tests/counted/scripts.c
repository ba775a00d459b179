/* SPDX-License-Identifier: GPL-2.0-only */
/* Random scripts of vCPUs' requests, VMMs' answers, resets, of two VMs at a time. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel_half.h"
#include "parts.h"

#define SETS              6
#define REQUESTS_AN_AUDIT 64
#define STEPS_A_SCRIPT    4000

struct subject {
	uint64_t kvm, memory, baseline;
	uint32_t vcpus[ORACLE_VCPUS]; /* their indexes */
	uint32_t set, counting, before;
	bool apart; /* no two requests on their way are about the same pages */
	struct oracle oracle;
};

struct script {
	uint64_t random, now_ns;
	struct rules rules[SETS + 1]; /* by place, from 1 on */
	struct subject vms[2];
	uint32_t countings;
	uint64_t requests, refused, beyond, exact, answers;
};

#define LEAVES 24 /* that the random scripts go to */

static uint64_t some_frame(struct script *script, const struct subject *vm)
{
	uint64_t leaf = vm->oracle.base + below(&script->random, LEAVES) * KES_LEAF_FRAMES;

	switch (below(&script->random, 4)) {
	case 0: /* few pages, that many ask for */
		return vm->oracle.base + 4 * KES_LEAF_FRAMES - 8 + below(&script->random, 16);
	case 1:
		return leaf + 60 + below(&script->random, 8);
	case 2:
		return leaf;
	default:
		return leaf + below(&script->random, KES_LEAF_FRAMES);
	}
}

/* All from a frame on, and more; or all up to it. What is shared of what is not there the oracle
 * does not know: so it has to be too long. */
static void choose_long(struct script *script, const struct subject *vm, struct operation *o)
{
	o->npages = LONGEST - 1 + below(&script->random, 4);
	if (o->what == KES_ASK_SHARED && o->npages <= LONGEST)
		o->npages = LONGEST + 1;
	if (o->gfn >= o->npages && below(&script->random, 2))
		o->gfn -= o->npages - 1;
	else if (below(&script->random, 2))
		o->gfn = vm->oracle.base;
}

static void choose_range(struct script *script, const struct subject *vm, struct operation *o)
{
	uint64_t end = vm->oracle.base + vm->oracle.n;

	o->gfn = some_frame(script, vm);
	switch (below(&script->random, 16)) {
	case 0:
		o->npages = 1 + below(&script->random, 4 * KES_LEAF_FRAMES);
		break;
	case 1:
		o->npages = KES_LEAF_FRAMES * (1 + below(&script->random, 2));
		break;
	case 2:
		o->npages = 1 + below(&script->random, 200);
		break;
	default:
		o->npages = 1 + below(&script->random, 8);
	}
	if (o->npages > end - o->gfn)
		o->npages = end - o->gfn;
	if (!below(&script->random, 60))
		choose_long(script, vm, o);
}

/* Whether the limit is exceeded then. */
static bool is_over(const struct rules *rules, const struct subject *vm, uint64_t shared)
{
	unsigned __int128 hundredths = (unsigned __int128)vm->memory * rules->percent;

	if (rules->above_baseline)
		shared = shared > vm->baseline ? shared - vm->baseline : 0;
	if (rules->above != KES_FOREVER && shared > rules->above)
		return true;
	return rules->percent && shared > (uint64_t)(hundredths / 100);
}

/* What has to come of it. */
struct expectation {
	bool refused, beyond;
	uint32_t rule; /* that refused */
	uint64_t more;
};

static bool touches(const struct frames *closed, const struct operation *o)
{
	return closed->npages && o->gfn < closed->gfn + closed->npages &&
	       closed->gfn < o->gfn + o->npages;
}

static struct expectation foretell(
	const struct script *script, const struct subject *vm, const struct operation *o)
{
	const struct rules *rules = &script->rules[o->set];
	struct expectation want = {.rule = KES_NO_RULE};

	if (o->what != KES_ASK_SHARED)
		return want;
	want.refused = touches(&rules->closed, o);
	if (want.refused)
		want.rule = 0;
	if (!o->counting || o->kind != REQUEST)
		return want;
	want.beyond = o->npages > LONGEST;
	if (want.beyond) {
		want.refused |= rules->enforced;
		return want;
	}
	want.more = oracle_more(&vm->oracle, o->gfn, o->npages);
	if (!want.refused && rules->enforced && want.more &&
		is_over(rules, vm, vm->oracle.counted + want.more)) {
		want.refused = true;
		want.rule = rules->closed.npages > 0;
	}
	return want;
}

static int compare(
	const struct subject *vm, const struct operation *o, const struct expectation *want)
{
	const struct oracle *oracle = &vm->oracle;

	if ((o->action >= KES_DENY) != want->refused || o->rule != want->rule ||
		o->flags != (want->beyond ? KES_F_BEYOND : 0))
		return complain("action %u by %u, flags %x, not %d by %u, beyond %d", o->action,
			o->rule, o->flags, want->refused, want->rule, want->beyond);
	if (!o->counting || o->kind != REQUEST)
		return 0;
	if (o->more != want->more)
		return complain("%llu more, not %llu", (unsigned long long)o->more,
			(unsigned long long)want->more);
	if (o->shared != oracle->counted || o->leaves != oracle->leaves)
		return complain("%llu pages in %u leaves are counted, not %llu in %u",
			(unsigned long long)o->shared, o->leaves,
			(unsigned long long)oracle->counted, oracle->leaves);
	if (!oracle->missed && o->shared < oracle->possible)
		return complain("%llu are counted, %llu may be shared",
			(unsigned long long)o->shared, (unsigned long long)oracle->possible);
	if (!oracle->missed && vm->apart && o->shared != oracle->possible)
		return complain("%llu are counted, %llu may be shared, and none overtook another",
			(unsigned long long)o->shared, (unsigned long long)oracle->possible);
	return 0;
}

/* The oracle does not look at what was never counted. */
static void refresh(struct subject *vm, uint32_t counting)
{
	if (counting && counting != vm->before) {
		oracle_forget(&vm->oracle);
		vm->before = counting;
	}
}

static int step_request(struct script *script, struct subject *vm)
{
	uint32_t vcpu = (uint32_t)below(&script->random, ORACLE_VCPUS);
	struct operation o = {.kind = below(&script->random, 30) ? REQUEST : IMPOSSIBLE,
		.kvm = vm->kvm,
		.vcpu = vm->vcpus[vcpu],
		.memory = vm->memory,
		.set = vm->set,
		.counting = vm->counting,
		.now_ns = script->now_ns += 1000,
		.what = below(&script->random, 2) ? KES_ASK_SHARED : KES_ASK_PRIVATE};
	struct expectation want;

	choose_range(script, vm, &o);
	if (vm->apart && oracle_overlaps(&vm->oracle, vcpu, o.gfn, o.npages))
		return 0;
	if (o.kind == REQUEST) {
		refresh(vm, o.counting);
		if (o.counting)
			oracle_end(&vm->oracle, vcpu, false); /* that before was not answered */
	}
	want = foretell(script, vm, &o);
	if (o.kind == REQUEST && o.counting && !want.refused)
		oracle_begin(
			&vm->oracle, vcpu, o.what == KES_ASK_SHARED, o.gfn, o.npages, !want.beyond);
	if (operate(&o, 0))
		return EXIT_FAILURE;
	script->requests++;
	script->refused += want.refused;
	script->beyond += want.beyond;
	script->exact += !vm->oracle.missed && vm->oracle.counted == vm->oracle.possible;
	if (!compare(vm, &o, &want) &&
		(!o.counting || o.kind != REQUEST || script->requests % REQUESTS_AN_AUDIT ||
			!audit(vm->kvm, &vm->oracle)))
		return 0;
	return complain("%s of [%llx, +%llx) by vCPU %u of VM %llx, rules %u",
		o.what == KES_ASK_SHARED ? "share" : "private", (unsigned long long)o.gfn,
		(unsigned long long)o.npages, o.vcpu, (unsigned long long)o.kvm, o.set);
}

static int step_answer(struct script *script, struct subject *vm)
{
	uint32_t vcpu = (uint32_t)below(&script->random, ORACLE_VCPUS);
	struct operation o = {.kind = ANSWER, .kvm = vm->kvm, .vcpu = vm->vcpus[vcpu]};

	o.status = below(&script->random, 4) ? KES_FLIGHT_DONE : KES_FLIGHT_FAILED;
	script->answers++;
	if (vm->counting) /* else it is about what nobody counted */
		oracle_end(&vm->oracle, vcpu, o.status == KES_FLIGHT_DONE);
	return operate(&o, 0);
}

static int begin_vm(struct subject *vm)
{
	vm->before = 0;
	oracle_forget(&vm->oracle);
	return bpf_map_update_elem(
		bpf_map__fd(skeleton->maps.baselines), &vm->kvm, &vm->baseline, BPF_ANY);
}

static int step_other(struct script *script, struct subject *vm)
{
	struct operation o = {.kind = RESET, .kvm = vm->kvm};

	switch (below(&script->random, 8)) {
	case 0:
		vm->before = 0;
		return operate(&o, 0);
	case 1:
		return end_vm(vm->kvm) || begin_vm(vm);
	case 2: /* counting ends, and begins anew some time later */
		vm->counting = vm->counting ? 0 : ++script->countings;
		return 0;
	default:
		vm->counting = vm->counting ?: ++script->countings;
		vm->set = 1 + (uint32_t)below(&script->random, SETS);
		return 0;
	}
}

static struct rules random_rules(struct script *script, uint32_t place)
{
	struct rules rules = {.enforced = place > 1, .above = KES_FOREVER};

	if (place % 3)
		rules.above = 1 + below(&script->random, 1ull << below(&script->random, 18));
	else
		rules.percent = (uint32_t)(1 + below(&script->random, 100));
	rules.above_baseline = below(&script->random, 2);
	if (below(&script->random, 2)) {
		rules.closed.gfn = some_frame(script, &script->vms[below(&script->random, 2)]);
		rules.closed.npages = 1 + below(&script->random, 64);
	}
	if (place == SETS) /* never reached, but kept in a state */
		rules.rate = (struct kes_rate){KES_TOKENS_MAX, KES_TOKENS_MAX};
	return rules;
}

static int begin_script(struct script *script)
{
	static const uint32_t indexes[] = {0, 1, 63, 64, 127, 1024, 4032, 4095};
	static const uint64_t bases[] = {0, 8 * LEAF, (1ull << 40) - 8 * LEAF};

	for (size_t i = 0; i < 2; i++) {
		struct subject *vm = &script->vms[i];

		for (size_t k = 0; k < ORACLE_VCPUS; k++)
			vm->vcpus[k] = indexes[2 * k + below(&script->random, 2)];
		vm->apart = below(&script->random, 2);
		vm->oracle.base = bases[below(&script->random, 3)];
		vm->memory = below(&script->random, 1 << 20);
		vm->baseline = below(&script->random, 1 << 8);
		vm->set = 1 + (uint32_t)below(&script->random, SETS);
		vm->counting = ++script->countings;
		if (begin_vm(vm))
			return EXIT_FAILURE;
	}
	for (uint32_t place = 1; place <= SETS; place++) {
		script->rules[place] = random_rules(script, place);
		if (install(place, &script->rules[place]))
			return EXIT_FAILURE;
	}
	return 0;
}

static int step(struct script *script)
{
	struct subject *vm = &script->vms[below(&script->random, 2)];
	uint64_t kind = below(&script->random, 200);

	if (kind < 1)
		return step_other(script, vm);
	return kind < 100 ? step_answer(script, vm) : step_request(script, vm);
}

static int run_scripts(struct script *script, uint64_t steps)
{
	struct subject *vms = script->vms;
	uint64_t done = 0;

	vms[0].kvm = 0xffff888100000000;
	vms[1].kvm = 0xffff888100001000;
	if (oracle_new(&vms[0].oracle, LEAVES * LEAF) || oracle_new(&vms[1].oracle, LEAVES * LEAF))
		return complain("out of memory");
	for (; done < steps; done++) {
		if (done % STEPS_A_SCRIPT == 0 &&
			((done && (end_vm(vms[0].kvm) || end_vm(vms[1].kvm))) ||
				begin_script(script)))
			break;
		if (step(script))
			break;
	}
	if (done < steps || end_vm(vms[0].kvm) || end_vm(vms[1].kvm))
		return complain("at step %llu", (unsigned long long)done);
	oracle_free(&vms[0].oracle);
	oracle_free(&vms[1].oracle);
	printf("%llu requests, %llu answers: %llu refused, %llu beyond; as many counted as may be "
	       "shared after %llu, never fewer\n",
		(unsigned long long)script->requests, (unsigned long long)script->answers,
		(unsigned long long)script->refused, (unsigned long long)script->beyond,
		(unsigned long long)script->exact);
	return 0;
}

int test_scripts(uint64_t steps, uint64_t seed)
{
	static struct script script;

	script.random = seed;
	return run_scripts(&script, steps);
}
