/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The same questions to both halves: random rule sets, random requests, one compiled form. What the
 * kernel says and what the C half says must never differ, nor what they keep of it.
 *
 *   verdict REQUESTS [SEED]     1 if they differ, 77 where no such program can be loaded
 *   verdict --time              ns of a verdict with 64 rules and 256 ranges, as the kernel counts
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "tests/verdict.skel.h"

#define REQUESTS_A_SET 1000

struct question {
	struct kes_ask ask;
	struct kes_verdict verdict;
	uint32_t asked;
};

struct both {
	struct verdict_bpf *skeleton;
	struct kes_rule_set set;
	struct kes_policy_state state;
	uint64_t random, now_ns;
};

static uint64_t next(struct both *both)
{
	uint64_t z = both->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint64_t below(struct both *both, uint64_t n)
{
	return next(both) % n;
}

/* Frames as they come: small, aligned, anywhere. */
static uint64_t frame(struct both *both)
{
	switch (below(both, 3)) {
	case 0:
		return below(both, 64);
	case 1:
		return below(both, 1 << 11) << 9;
	default:
		return below(both, 1ull << 40);
	}
}

static uint64_t length(struct both *both)
{
	return 1 + below(both, 1ull << below(both, 21));
}

/* ---- rule sets ---- */

static void make_ranges(struct both *both, struct frames *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		list[i].gfn = frame(both);
		list[i].npages = length(both);
		if (list[i].npages > (1ull << 40) - list[i].gfn)
			list[i].npages = (1ull << 40) - list[i].gfn;
	}
}

static struct kes_rate rate(struct both *both)
{
	if (below(both, 4))
		return (struct kes_rate){};
	return (struct kes_rate){.per_second = (uint32_t)(1 + below(both, 1 << below(both, 30))),
		.burst = (uint32_t)(1 + below(both, 1 << below(both, 30)))};
}

static void make_rule(struct both *both, struct policy_rule *rule, struct frames *ranges)
{
	*rule = (struct policy_rule){.compiled = {
					     .larger = KES_FOREVER,
					     .shared_above = KES_FOREVER,
					     .action = (uint8_t)below(both, KES_ACTIONS),
					     .asks = (uint8_t)(1 + below(both, 7)),
					     .askers = (uint8_t)(1 + below(both, 3)),
					     .numbers = (uint32_t)next(both) | 1u << 12,
					     .user = !below(both, 8),
					     .err = -EPERM,
					     .conversions = rate(both),
					     .pages = rate(both),
				     }};
	if (!below(both, 3))
		rule->compiled.larger = length(both);
	if (!below(both, 8))
		rule->compiled.alignment = 2ull << below(both, 18);
	if (!below(both, 4))
		rule->compiled.shared_above = length(both) * 16;
	if (!below(both, 4))
		rule->compiled.percent = (uint32_t)(1 + below(both, 100));
	rule->compiled.above_baseline = !below(both, 2);
	rule->n_touches = below(both, 3) ? 0 : 1 + below(both, 4);
	rule->n_within = below(both, 3) ? 0 : 1 + below(both, 4);
	make_ranges(both, ranges, rule->n_touches + rule->n_within);
	rule->touches = ranges;
	rule->within = ranges + rule->n_touches;
}

static int load(struct both *both)
{
	uint32_t zero = 0;

	memset(&both->state, 0, sizeof(both->state));
	both->state.memory = 1 + below(both, 1ull << below(both, 40));
	both->state.baseline = below(both, 1 << 20);
	if (bpf_map_update_elem(
		    bpf_map__fd(both->skeleton->maps.sets), &zero, &both->set, BPF_ANY) ||
		bpf_map_update_elem(
			bpf_map__fd(both->skeleton->maps.states), &zero, &both->state, BPF_ANY))
		return -errno;
	return 0;
}

static int make_set(struct both *both)
{
	struct policy policies[2] = {{.mode = KES_MONITOR}, {.mode = KES_ENFORCE}};
	static struct frames ranges[KES_RULES][8];
	static struct policy_rule rules[KES_RULES];
	struct rule_source sources[KES_RULES];
	size_t n = below(both, KES_RULES + 1);

	for (size_t i = 0; i < n; i++) {
		make_rule(both, &rules[i], ranges[i]);
		sources[i] = (struct rule_source){&policies[below(both, 4) > 0], &rules[i]};
	}
	if (policy_compile_rules(&both->set, sources, n))
		return make_set(both); /* too many ranges: another one */
	return load(both);
}

/* ---- requests ---- */

static struct kes_ask make_ask(struct both *both)
{
	struct kes_ask ask = {
		.gfn = frame(both),
		.npages = length(both),
		.now_ns = both->now_ns += below(both, 1ull << below(both, 36)),
		.nr = below(both, 4) ? 12 : (uint32_t)below(both, 64),
		.what = (uint8_t)(1u << below(both, 3)),
		.asker = (uint8_t)(1u << below(both, 2)),
		.cpl = below(both, 8) ? 0 : 3,
	};

	if (ask.what == KES_ASK_OTHER)
		ask.npages = 0;
	if (ask.what == KES_ASK_SHARED)
		ask.more = below(both, ask.npages + 1);
	return ask;
}

static int ask_kernel(struct both *both, struct question *question)
{
	LIBBPF_OPTS(
		bpf_test_run_opts, options, .ctx_in = question, .ctx_size_in = sizeof(*question));
	int r = bpf_prog_test_run_opts(bpf_program__fd(both->skeleton->progs.judge), &options);

	return r || options.retval || !question->asked ? -EIO : 0;
}

static int complain(const struct question *question, const struct kes_verdict *want)
{
	fprintf(stderr, "gfn %llx npages %llx what %u asker %u: kernel %u by %u, C half %u by %u\n",
		question->ask.gfn, question->ask.npages, question->ask.what, question->ask.asker,
		question->verdict.action, question->verdict.rule, want->action, want->rule);
	return EXIT_FAILURE;
}

static int compare_state(struct both *both)
{
	static struct kes_policy_state kernel;
	uint32_t zero = 0;

	if (bpf_map_lookup_elem(bpf_map__fd(both->skeleton->maps.states), &zero, &kernel))
		return EXIT_FAILURE;
	if (!memcmp(&kernel, &both->state, sizeof(kernel)))
		return 0;
	fputs("what they keep differs\n", stderr);
	return EXIT_FAILURE;
}

static int compare(struct both *both, uint64_t requests)
{
	uint64_t refused = 0;

	for (uint64_t i = 0; i < requests; i++) {
		struct question question = {};
		struct kes_verdict want;

		if (i % REQUESTS_A_SET == 0 && (compare_state(both) || make_set(both)))
			return EXIT_FAILURE;
		question.ask = make_ask(both);
		want = kes_evaluate(&both->set, &both->state, &question.ask);
		if (ask_kernel(both, &question))
			return EXIT_FAILURE;
		if (memcmp(&question.verdict, &want, sizeof(want)))
			return complain(&question, &want);
		refused += want.action >= KES_DENY;
	}
	printf("%llu requests, %llu refused, none judged otherwise\n", (unsigned long long)requests,
		(unsigned long long)refused);
	return compare_state(both);
}

/* ---- time ---- */

/* 64 rules that all have to be looked at, and none matches; 256 ranges. */
static int make_worst(struct both *both)
{
	struct policy policy = {.mode = KES_ENFORCE};
	static struct frames ranges[KES_RANGES];
	static struct policy_rule rules[KES_RULES];
	struct rule_source sources[KES_RULES];

	for (size_t i = 0; i < KES_RULES; i++) {
		rules[i] = (struct policy_rule){
			.compiled = {.larger = (1ull << 20) + 1,
				.shared_above = KES_FOREVER,
				.action = KES_DENY,
				.asks = 3,
				.askers = 3,
				.numbers = ~0u},
			.touches = &ranges[i * 4],
			.n_touches = 4,
		};
		for (size_t k = 0; k < 4; k++)
			ranges[i * 4 + k] = (struct frames){(i * 4 + k) << 12, 1 << 11};
		sources[i] = (struct rule_source){&policy, &rules[i]};
	}
	return policy_compile_rules(&both->set, sources, KES_RULES) ?: load(both);
}

/* Mean ns of so many runs, as the kernel counts them. */
static int time_program(int fd, const void *context, size_t size, int n, double *ret)
{
	struct bpf_prog_info info = {};
	uint32_t info_size = sizeof(info);
	uint64_t runs, ns;
	char copy[sizeof(struct question)];

	if (bpf_obj_get_info_by_fd(fd, &info, &info_size))
		return EXIT_FAILURE;
	runs = info.run_cnt;
	ns = info.run_time_ns;
	for (int i = 0; i < n; i++) {
		LIBBPF_OPTS(
			bpf_test_run_opts, options, .ctx_in = copy, .ctx_size_in = (uint32_t)size);

		memcpy(copy, context, size);
		if (bpf_prog_test_run_opts(fd, &options) || options.retval)
			return EXIT_FAILURE;
	}
	memset(&info, 0, sizeof(info));
	info_size = sizeof(info);
	if (bpf_obj_get_info_by_fd(fd, &info, &info_size) || info.run_cnt == runs)
		return EXIT_FAILURE;
	*ret = (double)(info.run_time_ns - ns) / (double)(info.run_cnt - runs);
	return 0;
}

static int time_verdicts(struct both *both, const char *name, struct kes_ask ask)
{
	struct question question = {.ask = ask};
	double ns;

	if (time_program(bpf_program__fd(both->skeleton->progs.judge), &question, sizeof(question),
		    200000, &ns))
		return EXIT_FAILURE;
	printf("figure: verdict.%s %.1f ns\n", name, ns);
	return 0;
}

static int compare_times(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

#define RANDOM_ASKS 1000

/* Requests of up to 2 MiB anywhere in the ranges, in either direction: how long each takes, one in
 * a hundred of them longer than that. */
static int time_random(struct both *both, struct kes_ask ask)
{
	static double ns[RANDOM_ASKS];

	for (size_t i = 0; i < RANDOM_ASKS; i++) {
		struct question question = {.ask = ask};

		question.ask.gfn = below(both, KES_RANGES << 12);
		question.ask.npages = 1 + below(both, 1ull << below(both, 10));
		question.ask.what = below(both, 2) ? KES_ASK_SHARED : KES_ASK_PRIVATE;
		if (time_program(bpf_program__fd(both->skeleton->progs.judge), &question,
			    sizeof(question), 1000, &ns[i]))
			return EXIT_FAILURE;
	}
	qsort(ns, RANDOM_ASKS, sizeof(ns[0]), compare_times);
	printf("figure: verdict.random_p50 %.1f ns\nfigure: verdict.random_p99 %.1f ns\n",
		ns[RANDOM_ASKS / 2], ns[RANDOM_ASKS * 99 / 100]);
	return 0;
}

static int time_foreign(struct both *both)
{
	const uint32_t cmd = 0x5401; /* TCGETS */
	double nothing, foreign;

	if (time_program(bpf_program__fd(both->skeleton->progs.nothing), &cmd, sizeof(cmd), 200000,
		    &nothing) ||
		time_program(bpf_program__fd(both->skeleton->progs.foreign), &cmd, sizeof(cmd),
			200000, &foreign))
		return EXIT_FAILURE;
	printf("figure: verdict.foreign_ioctl %.1f ns\n", foreign - nothing);
	return 0;
}

static int measure(struct both *both)
{
	struct kes_ask few = {.gfn = 5 << 12,
		.npages = 1,
		.what = KES_ASK_SHARED,
		.asker = KES_BY_GUEST,
		.nr = 12};
	struct kes_ask all = few;
	int stats = bpf_enable_stats(BPF_STATS_RUN_TIME);

	all.gfn = 0;
	all.npages = KES_RANGES << 12;
	return stats < 0 || make_worst(both) || time_verdicts(both, "one_place", few) ||
	       time_random(both, few) || time_verdicts(both, "all_rules", all) ||
	       time_foreign(both);
}

int main(int argc, char **argv)
{
	static struct both both;
	int r;

	if (argc < 2) {
		fputs("usage: verdict REQUESTS [SEED] | --time\n", stderr);
		return 2;
	}
	libbpf_set_print(NULL);
	both.random = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	both.skeleton = verdict_bpf__open_and_load();
	if (!both.skeleton) {
		fprintf(stderr, "no such program can be loaded here: %s\n", strerror(errno));
		return 77;
	}
	r = !strcmp(argv[1], "--time") ? measure(&both)
				       : compare(&both, strtoull(argv[1], NULL, 0));
	verdict_bpf__destroy(both.skeleton);
	return r;
}
