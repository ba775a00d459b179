/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel half counts as shared, against an oracle (oracle.h) that has an object for each
 * page and request. Random scripts of vCPUs' requests, VMMs' answers, resets; bounds; threads.
 *
 *   counted STEPS [SEED]    1 if they differ, 77 where no such program can be loaded
 *   counted --time          ns of a request, as the kernel counts
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/types.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "counted.h"
#include "oracle.h"
#include "policy/policy.h"
#include "tests/counted.skel.h"
/* after the above */
#include "veto.h"

#define LEAF    ((uint64_t)KES_LEAF_FRAMES)
#define LONGEST ((uint64_t)(KES_MAX_VM_LEAVES - 1) * KES_LEAF_FRAMES) /* that can be counted */

static struct counted_bpf *skeleton;
static struct operation *operations;

static int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int complain(const char *format, ...)
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

static uint64_t below(uint64_t *random, uint64_t n)
{
	return next(random) % n;
}

/* ---- the kernel half ---- */

/* Each thread has a slot of its own. */
static int operate(struct operation *o, uint32_t slot)
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

static struct kes_veto_totals totals(void)
{
	struct kes_veto_totals ret = {};
	uint32_t zero = 0;

	bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.veto_totals), &zero, &ret);
	return ret;
}

static bool get_state(uint64_t kvm, struct kes_state *ret)
{
	struct kes_state_key key = {.kvm = kvm, .asker = KES_BY_GUEST};

	*ret = (struct kes_state){};
	return !bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.states), &key, ret);
}

static int set_state(uint64_t kvm, const struct kes_state *state)
{
	struct kes_state_key key = {.kvm = kvm, .asker = KES_BY_GUEST};

	return bpf_map_update_elem(bpf_map__fd(skeleton->maps.states), &key, state, BPF_ANY);
}

/* Entries whose keys begin with kvm. */
static uint64_t entries(const struct bpf_map *map, uint64_t kvm)
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

static int audit(uint64_t kvm, const struct oracle *oracle)
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

/* ---- rule sets ---- */

/* Two rules: a closed range, and a limit. */
struct rules {
	struct frames closed; /* no rule, if empty */
	bool logged;          /* it is not closed */
	bool later;           /* it comes after the limit */
	bool enforced;        /* the limit is */
	uint64_t above;
	uint32_t percent;
	bool above_baseline;
	struct kes_rate rate; /* a third rule */
};

static int install(uint32_t place, struct rules *rules)
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

/* ---- random scripts ---- */

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

static int end_vm(const struct subject *vm)
{
	struct operation o = {.kind = GONE, .kvm = vm->kvm, .vcpus = KES_MAX_COUNTED_VCPUS};

	if (operate(&o, 0) || audit(vm->kvm, NULL))
		return EXIT_FAILURE;
	if (entries(skeleton->maps.states, vm->kvm) || entries(skeleton->maps.leaves, vm->kvm) ||
		entries(skeleton->maps.flights, vm->kvm) ||
		bpf_map_delete_elem(bpf_map__fd(skeleton->maps.baselines), &vm->kvm) != -ENOENT)
		return complain("of a VM that ended something is left");
	return 0;
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
		return end_vm(vm) || begin_vm(vm);
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
			((done && (end_vm(&vms[0]) || end_vm(&vms[1]))) || begin_script(script)))
			break;
		if (step(script))
			break;
	}
	if (done < steps || end_vm(&vms[0]) || end_vm(&vms[1]))
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

/* ---- what was told by hand: bounds, locks, buckets ---- */

/* sets */
#define OPEN   1 /* nothing is closed, and the limit is none */
#define FEW    2 /* 100 pages */
#define TOLD   3 /* the same, monitored, and a closed frame */
#define PACED  4 /* 100 pages, three conversions */
#define LOGGED 5 /* as FEW, but what touches CLOSED is logged before that is asked */
#define LATER  6 /* the other way round */
/* with it */
#define UNCOUNTED (1u << 16)
#define SERIAL    (1u << 20) /* 1 */
#define ANEW      (1u << 24) /* counting begins anew */

#define CLOSED 4096 /* frame */

static int install_fixed(void)
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

static int answer_with(uint64_t kvm, uint32_t vcpu, uint32_t status, uint32_t slot)
{
	struct operation o = {.kind = ANSWER, .kvm = kvm, .vcpu = vcpu, .status = status};

	return operate(&o, slot);
}

static int end_fixed(uint64_t kvm)
{
	return end_vm(&(struct subject){.kvm = kvm});
}

#define SHARE   KES_ASK_SHARED
#define PRIVATE KES_ASK_PRIVATE
#define BEYOND  KES_F_BEYOND

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
	       try_lines(kvm, longest + 3, 1) || audit(kvm, NULL) || end_fixed(kvm);
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
	       try_lines(kvm, lines + 10, 1) || end_fixed(kvm);
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
		if (audit(kvm, NULL) || end_fixed(kvm))
			return complain("VM %llx", (unsigned long long)kvm);
	return audit(last, NULL) || end_fixed(last) ||
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
	if (set_state(kvm, &state) || try_lines(kvm, lines + 5, 1) || end_fixed(kvm))
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
	       end_fixed(kvm);
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
	return end_fixed(kvm);
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
	       try_lines(kvm, lines + 3, 1) || end_fixed(kvm);
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
	       audit(kvm, NULL) || end_fixed(kvm);
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
	return try_lines(kvm, after, 2) || audit(kvm, NULL) || end_fixed(kvm);
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
	       answer_with(kvm, 1, KES_FLIGHT_DONE, 0) || try_lines(kvm, end, 1) || end_fixed(kvm);
}

/* ---- threads ---- */

struct thread {
	pthread_t id;
	uint32_t index, n;
	uint64_t random, steps, kvm;
	struct oracle oracle; /* of its own pages: each n-th */
	bool apart;
	uint64_t busy; /* found it locked for so long, as when this machine stands still */
	int r;
};

#define THREAD_LEAVES 4

static int step_thread(struct thread *t)
{
	uint64_t n = THREAD_LEAVES * LEAF;
	struct operation o = {.kind = REQUEST,
		.kvm = t->kvm,
		.vcpu = t->index,
		.what = below(&t->random, 2) ? SHARE : PRIVATE,
		.set = OPEN,
		.counting = 1,
		.npages = 1};

	o.gfn = below(&t->random, 64) * (n / 64) / t->n * t->n + t->index;
	if (!t->apart) {
		o.set = FEW;
		o.gfn = below(&t->random, n);
		o.npages = 1 + below(&t->random, 100);
	}
	oracle_end(&t->oracle, 0, false);
	if (operate(&o, t->index))
		return EXIT_FAILURE;
	if (o.flags & ~KES_F_BUSY || (!t->apart && o.shared > 100))
		return complain("flags %x, %llu counted", o.flags, (unsigned long long)o.shared);
	t->busy += !!o.flags;
	if (o.flags || o.action >= KES_DENY)
		return 0;
	if (t->apart)
		oracle_begin(&t->oracle, 0, o.what == SHARE, o.gfn, 1, true);
	if (!below(&t->random, 4))
		return 0; /* it was never answered */
	o.status = below(&t->random, 4) ? KES_FLIGHT_DONE : KES_FLIGHT_FAILED;
	oracle_end(&t->oracle, 0, o.status == KES_FLIGHT_DONE);
	return answer_with(t->kvm, t->index, o.status, t->index);
}

static void *run_thread(void *data)
{
	struct thread *t = data;

	for (uint64_t i = 0; i < t->steps && !t->r; i++)
		t->r = step_thread(t);
	return NULL;
}

/* How many are counted when all answers are. */
static int settle(uint64_t kvm, uint64_t *ret)
{
	struct operation o = {.kind = REQUEST,
		.kvm = kvm,
		.what = PRIVATE,
		.set = FEW,
		.counting = 1,
		.gfn = 1ull << 40,
		.npages = 1};

	if (operate(&o, 0))
		return EXIT_FAILURE;
	*ret = o.shared;
	return 0;
}

/* All private, of which nothing else is on its way. */
static int give_back_all(uint64_t kvm, uint32_t n)
{
	struct operation o = {.kind = REQUEST,
		.kvm = kvm,
		.what = PRIVATE,
		.set = FEW,
		.counting = 1,
		.npages = ~0ull};

	for (uint32_t i = 0; i < n; i++)
		if (answer_with(kvm, i, KES_FLIGHT_FAILED, 0))
			return EXIT_FAILURE;
	if (operate(&o, 0) || answer_with(kvm, 0, KES_FLIGHT_DONE, 0) || operate(&o, 0))
		return EXIT_FAILURE;
	return o.shared || o.leaves
		       ? complain("all was given back, and %llu stay", (unsigned long long)o.shared)
		       : audit(kvm, NULL);
}

static int test_threads(uint32_t n, bool apart, uint64_t steps)
{
	static struct thread threads[OPERATIONS];
	uint64_t counted = 0, shared, busy = 0;
	int r = 0;

	for (uint32_t i = 0; i < n; i++) {
		threads[i] = (struct thread){.index = i,
			.n = n,
			.random = i,
			.steps = steps,
			.kvm = 0x1000,
			.apart = apart};
		if (oracle_new(&threads[i].oracle, THREAD_LEAVES * LEAF) ||
			pthread_create(&threads[i].id, NULL, run_thread, &threads[i]))
			return complain("no thread");
	}
	for (uint32_t i = 0; i < n; i++) {
		pthread_join(threads[i].id, NULL);
		r |= threads[i].r;
		counted += threads[i].oracle.counted;
		busy += threads[i].busy;
		oracle_free(&threads[i].oracle);
	}
	if (r || settle(0x1000, &shared))
		return EXIT_FAILURE;
	if (apart && shared != counted)
		return complain("%llu are counted, not %llu", (unsigned long long)shared,
			(unsigned long long)counted);
	printf("%u threads%s: %llu steps each, %llu pages, as many as their leaves have\n", n,
		apart ? " with pages of their own" : "", (unsigned long long)steps,
		(unsigned long long)shared);
	if (busy)
		printf("%llu times it was locked for too long\n", (unsigned long long)busy);
	return audit(0x1000, NULL) || give_back_all(0x1000, n) || end_fixed(0x1000);
}

#define CHURN 1000 /* leaves */
#define ENDS  1000

/* Shares one page of a leaf and gives it back, over and over: leaves come and go. */
static void *churn(void *data)
{
	struct thread *t = data;

	for (uint64_t i = 0; !__atomic_load_n(&t->r, __ATOMIC_RELAXED); i++) {
		struct operation o = {.kind = REQUEST,
			.kvm = t->kvm,
			.what = i / CHURN % 2 ? PRIVATE : SHARE,
			.set = OPEN,
			.counting = 1,
			.gfn = i % CHURN * LEAF,
			.npages = 1};

		if (operate(&o, t->index) || answer_with(t->kvm, 0, KES_FLIGHT_DONE, t->index))
			break;
	}
	return NULL;
}

/* A VM ends, or is reset, while another one's leaves come and go. */
static int test_ends(uint64_t times)
{
	struct thread other = {.index = 1, .kvm = 0x2000};
	struct operation share = {
		.kind = REQUEST, .kvm = 0x1000, .what = SHARE, .set = OPEN, .counting = 1};
	struct operation gone = {.kind = GONE, .kvm = 0x1000, .vcpus = 1};
	int r = 0;

	if (pthread_create(&other.id, NULL, churn, &other))
		return complain("no thread");
	for (uint64_t i = 0; i < times && !r; i++) {
		share.npages = 1;
		for (share.gfn = 0; share.gfn < ENDS * LEAF && !r; share.gfn += LEAF)
			r = operate(&share, 0);
		if (i % 2) {
			r = r || operate(&gone, 0);
			gone.shared = 0;
		} else {
			gone.kind = RESET;
			r = r || operate(&gone, 0);
			gone.kind = GONE;
			share.gfn = 0;
			r = r || operate(&share, 0) || operate(&gone, 0);
		}
		if (!r && entries(skeleton->maps.leaves, 0x1000))
			r = complain("leaves of a VM that ended stay, the %lluth time",
				(unsigned long long)i);
	}
	__atomic_store_n(&other.r, 1, __ATOMIC_RELAXED);
	pthread_join(other.id, NULL);
	return r || audit(0x2000, NULL) || end_fixed(0x2000);
}

/* ---- time ---- */

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
	return end_fixed(kvm);
}

static int measure(void)
{
	return bpf_enable_stats(BPF_STATS_RUN_TIME) < 0 || install_fixed() ||
	       time_requests(1, 1, 50000) || time_requests(64, 1, 50000) ||
	       time_requests(1024, 1, 50000) || time_requests(64, 512, 50000) ||
	       time_requests(64, 4000, 50000) || time_requests(1, LONGEST, 1000);
}

/* ---- */

static int test(uint64_t steps, uint64_t seed)
{
	static struct script script;

	script.random = seed;
	if (run_scripts(&script, steps) || install_fixed())
		return EXIT_FAILURE;
	return test_vm_bound() || test_beyond() || test_bound() || test_busy() || test_buckets() ||
	       test_uncounted() || test_nothing() || test_late() || test_tables() ||
	       test_late_answer() || test_threads(2, true, steps / 10) ||
	       test_threads(4, true, steps / 10) || test_threads(2, false, steps / 10) ||
	       test_threads(4, false, steps / 10) || test_ends(steps / 500);
}

static int open_all(void)
{
	skeleton = counted_bpf__open_and_load();
	if (!skeleton)
		return -errno;
	operations = mmap(NULL, sizeof(*operations) * OPERATIONS, PROT_READ | PROT_WRITE,
		MAP_SHARED, bpf_map__fd(skeleton->maps.operations), 0);
	return operations == MAP_FAILED ? -errno : 0;
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
