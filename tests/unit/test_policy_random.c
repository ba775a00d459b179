/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random policies as texts, read, compiled, and evaluated, against what was meant by them.
 *
 *   KES_SEED=N   the random numbers of an earlier run
 */
#include "policy_judged.h"
#include "policy_text.h"

#define VMS         2  /* of each policy */
#define VM_REQUESTS 20 /* of each VM */

struct run {
	struct meant meant;
	struct meant_vm meant_vm;
	struct effective *effective;
	struct kes_policy_state states[2]; /* of guest and VMM */
	uint64_t now_ns;
	uint64_t asked, refused, monitored, by_default, undecided;
};

/* ---- requests ---- */

/* Where one of the ranges begins or ends, or next to it. */
static uint64_t meant_border(const struct meant *meant)
{
	const struct meant_policy *policy = &meant->policies[below(MEANT_POLICIES)];
	const struct meant_rule *rule = &policy->rules[below(MEANT_RULES)];
	const struct meant_range *range = &rule->touches[below(MEANT_RANGES)];

	if (policy >= meant->policies + meant->n || rule >= policy->rules + policy->n)
		return random_frame();
	if (rule->n_within && one_of(2))
		range = &rule->within[below(rule->n_within)];
	else if (rule->n_touches)
		range = &rule->touches[below(rule->n_touches)];
	else
		return random_frame();
	return (one_of(2) ? range->first / PAGE : (range->last + 1) / PAGE) + below(3) - 1;
}

static struct kes_ask any_ask(struct run *run)
{
	bool vmm = one_of(3);
	struct kes_ask ask = {
		.gfn = one_of(4) ? random_frame() : meant_border(&run->meant),
		.npages = 1 + any_size(one_of(8) ? 41 : 10),
		.now_ns = run->now_ns += one_of(4) ? 0 : any_size(34),
		.what = one_of(2) ? KES_ASK_SHARED : (uint8_t)(1u << below(vmm ? 2 : 3)),
		.asker = vmm ? KES_BY_VMM : KES_BY_GUEST,
		.nr = vmm ? 0 : HYPERCALL_PAGES,
		.cpl = !vmm && one_of(4) ? 3 : 0,
	};
	uint64_t border = meant_border(&run->meant);

	if (one_of(2) && border > ask.gfn && border < FRAMES_END)
		ask.npages = border - ask.gfn;
	if (one_of(64)) { /* whatever a guest may say */
		ask.gfn = next();
		ask.npages = next();
	}
	if (ask.what == KES_ASK_OTHER) {
		ask.gfn = ask.npages = 0;
		ask.nr = (uint32_t)below(one_of(8) ? 1ull << 32 : 40);
	}
	if (ask.what == KES_ASK_SHARED && !vmm && !one_of(4))
		ask.more = 1 + below(ask.npages < 4096 ? ask.npages : 4096);
	return ask;
}

static struct meant_request meant_of(const struct kes_ask *ask)
{
	struct meant_request request = {
		.first = (__int128)ask->gfn * PAGE,
		.pages = ask->npages,
		.more = ask->more,
		.now_ns = ask->now_ns,
		.subject = ask->what == KES_ASK_SHARED    ? ABOUT_SHARED
			   : ask->what == KES_ASK_PRIVATE ? ABOUT_PRIVATE
							  : ABOUT_HYPERCALL,
		.vmm = ask->asker == KES_BY_VMM,
		.user = ask->cpl,
		.number = ask->nr,
	};
	__int128 end = ((__int128)1 << 64) * PAGE; /* of all that can be asked for */

	request.last = request.first + (__int128)ask->npages * PAGE - 1;
	if (request.last >= end)
		request.last = end - 1;
	return request;
}

/* ---- verdicts ---- */

static struct meant_verdict in_lines(const struct effective *effective, struct kes_verdict kes)
{
	struct meant_verdict verdict = {
		.action = (enum kes_action)kes.action, .would = (enum kes_action)kes.would};

	if (kes.rule != KES_NO_RULE) {
		const struct kes_rule *rule = &effective->set.rules[kes.rule];

		verdict.line = effective->sources[kes.rule].rule->line;
		verdict.error = kes.action == KES_DENY ? -rule->err : 0;
		assert_int_equal(rule->line, verdict.line);
		assert_int_equal(rule->file, 0);
	}
	if (kes.monitored != KES_NO_RULE)
		verdict.monitored = effective->sources[kes.monitored].rule->line;
	return verdict;
}

static void check_same(const struct run *run, const struct kes_ask *ask,
	const struct meant_verdict *got, const struct meant_verdict *want)
{
	if (!memcmp(got, want, sizeof(*got)))
		return;
	fail_msg("KES_SEED=%llu: VM %s type %llu, gfn %llx npages %llx more %llx what %u asker %u "
		 "nr %u cpl %u: %s by line %u (%s by %u), not %s by %u (%s by %u)\n%s",
		(unsigned long long)seed, run->meant_vm.known ? run->meant_vm.name : "unknown",
		(unsigned long long)run->meant_vm.type, (unsigned long long)ask->gfn,
		(unsigned long long)ask->npages, (unsigned long long)ask->more, ask->what,
		ask->asker, ask->nr, ask->cpl, meant_actions[got->action], got->line,
		meant_actions[got->would], got->monitored, meant_actions[want->action], want->line,
		meant_actions[want->would], want->monitored, run->meant.text);
}

static void count(struct run *run, const struct meant_verdict *verdict)
{
	const struct meant_rule *standard = meant_default(&run->meant, &run->meant_vm);

	run->asked++;
	run->refused += verdict->action >= KES_DENY;
	run->monitored += !!verdict->monitored;
	run->undecided += !verdict->line;
	run->by_default += standard && verdict->line == standard->line;
}

static void check_request(struct run *run)
{
	struct kes_ask ask = any_ask(run);
	struct meant_request request = meant_of(&ask);
	struct kes_policy_state *state = &run->states[request.vmm];
	struct meant_memory memory = {};
	struct meant_verdict got, want;

	if (!request.vmm) {
		random_vm(state);
		memory = (struct meant_memory){(__int128)state->shared * PAGE,
			(__int128)state->memory * PAGE, (__int128)state->baseline * PAGE};
	}
	got = in_lines(run->effective, kes_evaluate(&run->effective->set, state, &ask));
	want = judge_meant(&run->meant, &run->meant_vm, &memory, &request);
	check_same(run, &ask, &got, &want);
	count(run, &got);
}

/* ---- VMs ---- */

static void empty_rule(struct meant_rule *rule)
{
	for (int i = 0; i < 2; i++) {
		rule->conversions.level[i] = rule->pages.level[i] = 0;
		rule->conversions.last_ns[i] = rule->pages.last_ns[i] = 0;
	}
}

static void empty_buckets(struct run *run)
{
	memset(run->states, 0, sizeof(run->states));
	for (size_t i = 0; i < run->meant.n; i++)
		for (size_t k = 0; k < run->meant.policies[i].n; k++)
			empty_rule(&run->meant.policies[i].rules[k]);
}

static void check_findings(
	const struct run *run, const struct policies *policies, const struct vm *vm)
{
	for (int kind = 0; kind < FINDING_KINDS; kind++) {
		struct meant_verdict want = judge_finding(&run->meant, &run->meant_vm, kind);
		struct reaction got = policy_on_finding(policies, vm, (enum finding_kind)kind);

		assert_int_equal(got.decided.rule ? got.decided.rule->line : 0, want.line);
		assert_int_equal(got.monitored.rule ? got.monitored.rule->line : 0, want.monitored);
	}
}

static void check_vm(struct run *run, const struct policies *policies)
{
	_cleanup_(vm_free) struct vm *vm = vm_new(1);
	int r;

	assert_non_null(vm);
	mean_vm(&run->meant_vm);
	vm->known = true;
	vm->type = run->meant_vm.type < MEANT_TYPES ? (uint32_t)run->meant_vm.type : 77;
	vm->uid = (uint32_t)run->meant_vm.uid;
	strcpy(vm->text[KES_TEXT_NAME], run->meant_vm.name);
	r = run->meant_vm.known
		    ? policy_compile(&run->effective, policies, vm, NULL)
		    : policy_compile_standard(&run->effective, policies, vm->type, NULL);
	assert_int_equal(r, 0);
	assert_int_equal(run->effective->set.unreadable,
		denies_unreadable(&run->meant, &run->meant_vm) ? -EPERM : 0);
	empty_buckets(run);
	for (int i = 0; i < VM_REQUESTS; i++)
		check_request(run);
	if (run->meant_vm.known)
		check_findings(run, policies, vm);
	free(run->effective);
	run->effective = NULL;
}

static void test_random_policies_and_requests(void **state)
{
	static struct run run;

	(void)state;
	for (int i = 0; i < SETS; i++) {
		_cleanup_(policies_free) struct policies *policies = NULL;
		struct error err;

		mean(&run.meant);
		if (policies_parse(&policies, "f", run.meant.text, run.meant.size, &err))
			fail_msg("KES_SEED=%llu: %s\n%s", (unsigned long long)seed, err.text,
				run.meant.text);
		for (int k = 0; k < VMS; k++)
			check_vm(&run, policies);
	}
	print_message("# of %llu: %llu refused, %llu by a default, %llu undecided, %llu noted\n",
		(unsigned long long)run.asked, (unsigned long long)run.refused,
		(unsigned long long)run.by_default, (unsigned long long)run.undecided,
		(unsigned long long)run.monitored);
	/* or the test tests nothing */
	assert_in_range(run.refused, run.asked / 20, run.asked * 19 / 20);
	assert_in_range(run.by_default, run.asked / 50, run.asked / 2);
	assert_in_range(run.undecided, run.asked / 50, run.asked * 4 / 5);
	assert_in_range(run.monitored, run.asked / 50, run.asked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_policies_and_requests),
	};

	return cmocka_run_group_tests(tests, begin, NULL);
}
