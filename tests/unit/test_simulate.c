/* SPDX-License-Identifier: GPL-2.0-only */
/* A policy over records: what it refuses does not happen, so that later requests find what they
 * would have found; which events are requests; VMs that become known, are reset, and go. */
#include "policy/simulate.h"

#include "model_bench.h"

#include <errno.h>

#define SHARED  0
#define PRIVATE KES_MAP_GPA_ENCRYPTED
#define SECOND  1000000000ull

/* What came of the last request, and of how many there were. */
struct sim {
	struct bench b;
	struct policies *policies;
	struct simulation *simulation;
	int asked, returns;
	struct kes_verdict last;
	struct kes_ask ask;
	uint64_t shared;    /* before it */
	unsigned int line;  /* that decided; 0: none */
	unsigned int noted; /* the monitored one */
	enum event_kind kind;
};

static int keep_verdict(void *context, const struct verdict *verdict)
{
	struct sim *s = context;

	s->asked++;
	s->last = verdict->kes;
	s->ask = verdict->ask;
	s->shared = verdict->shared;
	s->line = verdict->decided ? verdict->decided->rule->line : 0;
	s->noted = verdict->monitored ? verdict->monitored->rule->line : 0;
	s->kind = verdict->event->kind;
	return s->returns;
}

static int on_event(void *context, const struct event *event)
{
	struct sim *s = context;

	return simulation_event(s->simulation, event);
}

/* A VM of 1 MiB, under a policy. */
static void open_sim(struct sim *s, const char *policy)
{
	struct model_options options = {.on_event = on_event, .context = s, .max_ended = 2};
	struct error err;

	memset(s, 0, sizeof(*s));
	if (policies_parse(&s->policies, "f", policy, strlen(policy), &err))
		fail_msg("%s", err.text);
	assert_int_equal(simulation_new(&s->simulation, s->policies, keep_verdict, s), 0);
	assert_int_equal(model_new(&s->b.model, &options), 0);
	vm_new_record(&s->b, 1, KES_F_BORN, KES_VM_SW_PROTECTED);
	memslot(&s->b, 1, 0, 256, 0, 1);
}

static void close_sim(struct sim *s)
{
	model_free(&s->b.model);
	simulation_free(&s->simulation);
	policies_free(&s->policies);
	assert_null(s->simulation);
}

/* One request that the VMM says yes to: what the policy says, and what was shared before it. */
static enum kes_action ask(struct sim *s, uint64_t gfn, uint64_t npages, uint64_t attrs)
{
	int before = s->asked;

	convert(&s->b, 1, gfn, npages, attrs, 0);
	assert_int_equal(s->asked, before + 1);
	return (enum kes_action)s->last.action;
}

#define POLICY(name, priority, mode, vms, rules) \
	"- name: " name "\n  priority: " priority "\n  mode: " mode "\n" vms "  rules:\n" rules
#define ONE(rules) "policies:\n" POLICY("p", "1", "enforce", "", rules)

/* ---- pages ---- */

static void test_what_is_refused_changes_nothing(void **state)
{
	struct sim s;

	(void)state;
	open_sim(&s, ONE("  - {deny: shared, shared-above: 400K}\n")); /* 100 pages */
	assert_int_equal(ask(&s, 0, 60, SHARED), KES_ALLOW);
	assert_int_equal(s.ask.more, 60);
	assert_int_equal(ask(&s, 60, 41, SHARED), KES_DENY);
	assert_int_equal(s.line, 6);
	assert_int_equal(s.shared, 60);
	/* the model has them shared; the simulation does not */
	assert_int_equal(first_vm(&s.b)->shared, 101);
	assert_int_equal(ask(&s, 60, 40, SHARED), KES_ALLOW);
	assert_int_equal(s.ask.more, 40);
	assert_int_equal(ask(&s, 0, 100, SHARED), KES_ALLOW); /* again: nothing more */
	assert_int_equal(s.ask.more, 0);
	assert_int_equal(s.shared, 100);
	assert_int_equal(ask(&s, 99, 2, SHARED), KES_DENY);
	assert_int_equal(s.ask.more, 1);
	assert_int_equal(ask(&s, 50, 100, PRIVATE), KES_ALLOW);
	assert_int_equal(s.ask.more, 0);
	assert_int_equal(ask(&s, 200, 50, SHARED), KES_ALLOW);
	assert_int_equal(s.shared, 50);
	assert_int_equal(ask(&s, 0, 1, SHARED), KES_ALLOW);
	assert_int_equal(s.shared, 100);
	close_sim(&s);
}

static void test_refused_to_private(void **state)
{
	struct sim s;

	(void)state;
	open_sim(&s, ONE("  - {deny: private}\n"));
	assert_int_equal(ask(&s, 0, 10, SHARED), KES_ALLOW);
	assert_int_equal(ask(&s, 0, 10, PRIVATE), KES_DENY);
	assert_int_equal(ask(&s, 0, 11, SHARED), KES_ALLOW);
	assert_int_equal(s.shared, 10);
	assert_int_equal(s.ask.more, 1);
	close_sim(&s);
}

/* Each action that lets a request pass lets it change pages, and no other. */
static void test_each_action(void **state)
{
	static const char *const names[] = {"allow", "log", "deny", "freeze", "kill"};
	struct sim s;

	(void)state;
	for (int i = 0; i < KES_ACTIONS; i++) {
		char text[256];

		snprintf(text, sizeof(text), ONE("  - {%s: shared}\n"), names[i]);
		open_sim(&s, text);
		assert_int_equal(ask(&s, 0, 10, SHARED), i);
		ask(&s, 0, 10, SHARED);
		assert_int_equal(s.shared, i < KES_DENY ? 10 : 0);
		close_sim(&s);
	}
}

static void test_monitored_ones_pass(void **state)
{
	struct sim s;

	(void)state;
	open_sim(&s, "policies:\n" POLICY("m", "2", "monitor", "", "  - {kill: shared}\n")
			     POLICY("e", "1", "enforce", "", "  - {log: shared, larger: 8K}\n"));
	assert_int_equal(ask(&s, 0, 1, SHARED), KES_ALLOW);
	assert_int_equal(s.line, 0);
	assert_int_equal(s.last.would, KES_KILL);
	assert_int_equal(s.noted, 6);
	assert_int_equal(ask(&s, 1, 3, SHARED), KES_LOG);
	assert_int_equal(s.shared, 1);
	assert_int_equal(s.line, 11);
	assert_int_equal(s.noted, 6);
	close_sim(&s);
}

/* ---- what is a request ---- */

static void test_what_the_vmm_answered(void **state)
{
	struct sim s;
	uint64_t asked_ns;

	(void)state;
	open_sim(&s, ONE("  - {deny: shared, larger: 8K}\n"));
	convert(&s.b, 1, 0, 2, SHARED, 22); /* the VMM said no: no page changed */
	assert_int_equal(s.asked, 1);
	assert_int_equal(s.kind, EVENT_DENIED);
	assert_int_equal(s.last.action, KES_ALLOW);
	convert(&s.b, 1, 0, 3, SHARED, 22);
	assert_int_equal(s.last.action, KES_DENY);
	asked_ns = request(&s.b, 1, 0, 0, 2, SHARED);
	answer(&s.b, 1, 0, 0, 2, SHARED, 0, asked_ns, KES_F_NO_ANSWER);
	assert_int_equal(s.asked, 3);
	assert_int_equal(s.kind, EVENT_NO_ANSWER);
	request(&s.b, 1, 0, 0, 2, SHARED);
	apply(&s.b, record(&s.b, 1, KES_VM_END));
	assert_int_equal(s.asked, 4);
	assert_int_equal(s.kind, EVENT_UNANSWERED);
	assert_int_equal(s.shared, 0);
	close_sim(&s);
}

static void test_what_kvm_refused_is_no_request(void **state)
{
	struct kes_record r;
	struct sim s;

	(void)state;
	open_sim(&s, ONE("  - {deny: any}\n"));
	r = record(&s.b, 1, KES_REFUSED);
	r.conversion.gpa = 0x1000;
	r.conversion.npages = 1;
	apply(&s.b, r);
	assert_int_equal(s.asked, 0);
	close_sim(&s);
}

static void test_changes_by_the_vmm(void **state)
{
	uint64_t asked_ns;
	struct sim s;

	(void)state;
	open_sim(&s, ONE("  - {deny: shared, by: vmm}\n  - {kill: private, by: guest}\n"));
	set_attributes(&s.b, 1, 8, 4, false);
	assert_int_equal(s.asked, 1);
	assert_int_equal(s.last.action, KES_DENY);
	assert_int_equal(s.ask.asker, KES_BY_VMM);
	assert_int_equal(s.line, 6);
	set_attributes(&s.b, 1, 8, 4, true); /* the other one is about guests */
	assert_int_equal(s.asked, 2);
	assert_int_equal(s.last.action, KES_ALLOW);
	/* a change that a guest asked for is the guest's */
	asked_ns = request(&s.b, 1, 0, 16, 4, SHARED);
	set_attributes(&s.b, 1, 16, 4, false);
	assert_int_equal(s.asked, 2);
	answer(&s.b, 1, 0, 16, 4, SHARED, 0, asked_ns, 0);
	assert_int_equal(s.asked, 3);
	assert_int_equal(s.ask.asker, KES_BY_GUEST);
	assert_int_equal(s.last.action, KES_ALLOW);
	close_sim(&s);
}

/* The kernel half cannot lock one against the other. */
static void test_buckets_of_guest_and_vmm(void **state)
{
	struct sim s;

	(void)state;
	open_sim(&s, ONE("  - {deny: any, by: any, conversions: {per-second: 1, burst: 2}}\n"
			 "  - {kill: any, by: any, pages: {per-second: 1, burst: 10}}\n"));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ask(&s, 0, 5, SHARED), i < 2 ? KES_ALLOW : KES_DENY);
		assert_int_equal(s.ask.asker, KES_BY_GUEST);
	}
	for (int i = 0; i < 3; i++) {
		set_attributes(&s.b, 1, 100, i ? 4 : 6, false);
		assert_int_equal(s.last.action, i < 2 ? KES_ALLOW : KES_DENY);
		assert_int_equal(s.ask.asker, KES_BY_VMM);
		assert_int_equal(s.ask.more, 0);
	}
	assert_int_equal(s.asked, 6);
	close_sim(&s);
}

/* A guest may ask for what lies beyond any memory. */
static void test_requests_beyond_the_map(void **state)
{
	struct sim s;

	(void)state;
	open_sim(&s, ONE("  - {deny: shared, shared-above: 1T}\n  - {log: any, touches: 0+4P}\n"));
	assert_int_equal(ask(&s, (1ull << 40) - 2, 10, SHARED), KES_LOG);
	assert_int_equal(s.ask.more, 2);
	assert_int_equal(ask(&s, 1ull << 40, 10, SHARED), KES_ALLOW);
	assert_int_equal(s.shared, 2);
	assert_int_equal(ask(&s, 0, UINT64_MAX >> 12, SHARED), KES_DENY);
	assert_int_equal(ask(&s, 0, 1, SHARED), KES_LOG);
	assert_int_equal(s.shared, 2);
	close_sim(&s);
}

/* ---- time ---- */

static void test_rates(void **state)
{
	struct sim s;

	(void)state;
	open_sim(&s, ONE("  - {deny: any, conversions: {per-second: 1, burst: 3}}\n"));
	for (int i = 0; i < 5; i++)
		assert_int_equal(
			ask(&s, 0, 1, i % 2 ? PRIVATE : SHARED), i < 3 ? KES_ALLOW : KES_DENY);
	s.b.ts += SECOND;
	assert_int_equal(ask(&s, 0, 1, SHARED), KES_ALLOW);
	assert_int_equal(ask(&s, 0, 1, SHARED), KES_DENY);
	s.b.ts += 100 * SECOND;
	for (int i = 0; i < 4; i++)
		assert_int_equal(ask(&s, 0, 1, SHARED), i < 3 ? KES_ALLOW : KES_DENY);
	close_sim(&s);
}

/* ---- VMs ---- */

static void test_reset(void **state)
{
	struct sim s;

	(void)state;
	open_sim(&s, ONE("  - {deny: shared, shared-above: 40K}\n"));
	assert_int_equal(ask(&s, 0, 10, SHARED), KES_ALLOW);
	assert_int_equal(ask(&s, 10, 1, SHARED), KES_DENY);
	apply(&s.b, record(&s.b, 1, KES_RESET));
	assert_int_equal(ask(&s, 20, 10, SHARED), KES_ALLOW);
	assert_int_equal(s.shared, 0);
	assert_int_equal(s.ask.more, 10);
	assert_int_equal(ask(&s, 0, 1, SHARED), KES_DENY); /* what was shared is private again */
	assert_int_equal(s.ask.more, 1);
	close_sim(&s);
}

static void test_a_name_that_comes_late(void **state)
{
	struct sim s;

	(void)state;
	open_sim(&s, "policies:\n" POLICY(
			     "p", "1", "enforce", "  vms: {name: web}\n", "  - {deny: shared}\n"));
	assert_int_equal(ask(&s, 0, 1, SHARED), KES_ALLOW);
	text(&s.b, 1, KES_TEXT_NAME, "web");
	assert_int_equal(ask(&s, 1, 1, SHARED), KES_DENY);
	assert_int_equal(s.shared, 1);       /* what it had shared stays */
	text(&s.b, 1, KES_TEXT_NAME, "dbs"); /* as long */
	assert_int_equal(ask(&s, 1, 1, SHARED), KES_ALLOW);
	close_sim(&s);
}

/* Then no rate is used up, neither the guest's nor the VMM's. */
static void test_rates_when_a_name_comes_late(void **state)
{
	struct sim s;

	(void)state;
	open_sim(&s, ONE("  - {deny: any, by: any, conversions: {per-second: 1, burst: 1}}\n"));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ask(&s, 0, 1, SHARED), KES_ALLOW);
		assert_int_equal(ask(&s, 0, 1, SHARED), KES_DENY);
		set_attributes(&s.b, 1, 8, 1, false);
		assert_int_equal(s.last.action, KES_ALLOW);
		set_attributes(&s.b, 1, 8, 1, false);
		assert_int_equal(s.last.action, KES_DENY);
		text(&s.b, 1, KES_TEXT_NAME, "web");
	}
	assert_int_equal(s.asked, 8);
	close_sim(&s);
}

static void test_a_uuid_and_a_cgroup_that_come_late(void **state)
{
	struct sim s;

	(void)state;
	open_sim(&s, "policies:\n" POLICY("p", "1", "enforce",
			     "  vms: {uuid: 0d2f9c1e-4a6b-4c8d-9e0f-1a2b3c4d5e6f, cgroup: '/m*'}\n",
			     "  - {deny: shared}\n"));
	text(&s.b, 1, KES_TEXT_UUID, "0d2f9c1e-4a6b-4c8d-9e0f-1a2b3c4d5e6f");
	assert_int_equal(ask(&s, 0, 1, SHARED), KES_ALLOW);
	text(&s.b, 1, KES_TEXT_CGROUP, "/machine");
	assert_int_equal(ask(&s, 0, 1, SHARED), KES_DENY);
	close_sim(&s);
}

/* The record of its birth was lost, and it is found again later. */
static void test_a_vm_that_is_known_late(void **state)
{
	struct sim s;

	(void)state;
	open_sim(&s, "policies:\n" POLICY("p", "1", "enforce", "  vms: {type: snp}\n",
			     "  - {deny: shared}\n") POLICY("q", "2", "enforce",
			     "  vms: {comm: qemu, type: sev}\n", "  - {kill: shared}\n"));
	convert(&s.b, 2, 0, 1, SHARED, 0);
	assert_int_equal(s.last.action, KES_ALLOW);
	vm_new_record(&s.b, 2, 0, KES_VM_SNP);
	convert(&s.b, 2, 0, 1, SHARED, 0);
	assert_int_equal(s.last.action, KES_DENY);
	vm_new_record(&s.b, 2, 0, KES_VM_SEV);
	convert(&s.b, 2, 0, 1, SHARED, 0);
	assert_int_equal(s.last.action, KES_KILL);
	close_sim(&s);
}

static void test_each_vm_by_itself(void **state)
{
	struct sim s;

	(void)state;
	open_sim(&s, ONE("  - {deny: shared, shared-above: 40K}\n"
			 "  - {deny: private, conversions: {per-second: 1, burst: 1}}\n"));
	vm_new_record(&s.b, 2, KES_F_BORN, KES_VM_SW_PROTECTED);
	for (uint32_t vm = 1; vm <= 2; vm++) {
		convert(&s.b, vm, 0, 10, SHARED, 0);
		assert_int_equal(s.last.action, KES_ALLOW);
		assert_int_equal(s.shared, 0);
		convert(&s.b, vm, 0, 5, PRIVATE, 0);
		assert_int_equal(s.last.action, KES_ALLOW);
	}
	for (uint32_t vm = 1; vm <= 2; vm++) {
		convert(&s.b, vm, 0, 1, PRIVATE, 0);
		assert_int_equal(s.last.action, KES_DENY);
		assert_int_equal(s.shared, 5);
	}
	close_sim(&s);
}

/* The model keeps two that ended: what was kept of others goes with them, even where the next VM
 * lies at the same address. */
static void test_vms_are_forgotten(void **state)
{
	struct sim s;

	(void)state;
	open_sim(&s, ONE("  - {deny: shared, shared-above: 40K}\n"));
	for (uint32_t vm = 2; vm < 40; vm++) {
		struct kes_record r;

		s.b.seq[2] = 0;
		r = record(&s.b, 2, KES_VM_NEW);
		r.vm = vm;
		r.flags = KES_F_BORN;
		r.vm_new.type = KES_VM_SW_PROTECTED;
		apply(&s.b, r);
		r = record(&s.b, 2, KES_ANSWER);
		r.vm = vm;
		r.conversion.npages = 10;
		apply(&s.b, r);
		assert_int_equal(s.last.action, KES_ALLOW);
		assert_int_equal(s.shared, 0);
		r = record(&s.b, 2, KES_VM_END);
		r.vm = vm;
		apply(&s.b, r);
	}
	assert_int_equal(s.asked, 38);
	assert_int_equal(model_vm_count(s.b.model), 3);
	close_sim(&s);
}

/* ---- errors ---- */

static void test_too_many_rules(void **state)
{
	static char policy[1 << 14];
	struct kes_record r;
	struct bench *b;
	struct sim s;
	char *at = policy;

	(void)state;
	at += sprintf(at, "policies:\n" POLICY("p", "2", "enforce", "", ""));
	for (int i = 0; i < 64; i++)
		at += sprintf(at, "  - {deny: shared, larger: 4K}\n");
	sprintf(at, POLICY("q", "1", "enforce", "", "  - {deny: shared}\n"));
	open_sim(&s, policy);
	b = &s.b;
	r = record(b, 1, KES_ANSWER);
	r.conversion.npages = 1;
	assert_int_equal(model_apply(b->model, &r, 1), -E2BIG);
	assert_string_equal(simulation_error(s.simulation)->text,
		"f:70:3: with policy 'q' a VM has more than 64 rules or 256 ranges");
	close_sim(&s);
}

static void test_what_the_reader_says(void **state)
{
	struct kes_record r;
	struct sim s;

	(void)state;
	open_sim(&s, ONE("  - {deny: shared}\n"));
	s.returns = -EPIPE;
	r = record(&s.b, 1, KES_ANSWER);
	r.conversion.npages = 1;
	assert_int_equal(model_apply(s.b.model, &r, 1), -EPIPE);
	assert_string_equal(simulation_error(s.simulation)->text, "");
	close_sim(&s);
}

/* ---- one request ---- */

static struct verdict explain(
	const struct sim *s, const struct vm *vm, struct frames range, enum page_state to)
{
	_cleanup_free_ struct effective *effective = NULL;
	struct verdict verdict;

	assert_int_equal(policy_compile(&effective, s->policies, vm, NULL), 0);
	verdict = policy_ask(effective, vm, range, to, 5);
	/* what it points to is the policies', but for the list that goes now */
	verdict.decided = verdict.monitored = NULL;
	return verdict;
}

static void test_one_request(void **state)
{
	struct verdict verdict;
	struct sim s;

	(void)state;
	open_sim(&s, ONE("  - {deny: shared, shared-above: 50%}\n"
			 "  - {kill: private, pages: {per-second: 1, burst: 10}}\n"));
	convert(&s.b, 1, 0, 100, SHARED, 0);
	verdict = explain(&s, first_vm(&s.b), (struct frames){90, 38}, PAGE_SHARED);
	assert_int_equal(verdict.kes.action, KES_ALLOW);
	assert_int_equal(verdict.shared, 100);
	assert_int_equal(verdict.ask.more, 28); /* 128 of 256 */
	verdict = explain(&s, first_vm(&s.b), (struct frames){90, 39}, PAGE_SHARED);
	assert_int_equal(verdict.kes.action, KES_DENY);
	assert_int_equal(verdict.kes.rule, 0);
	/* rates are not used up, but a burst is a burst */
	verdict = explain(&s, first_vm(&s.b), (struct frames){0, 10}, PAGE_PRIVATE);
	assert_int_equal(verdict.kes.action, KES_ALLOW);
	assert_int_equal(verdict.ask.more, 0);
	verdict = explain(&s, first_vm(&s.b), (struct frames){0, 11}, PAGE_PRIVATE);
	assert_int_equal(verdict.kes.action, KES_KILL);
	close_sim(&s);
}

/* Pages that nobody knows are taken as such that would become shared. */
static void test_one_request_of_a_vm_that_is_not_known(void **state)
{
	struct verdict verdict;
	struct sim s;

	(void)state;
	open_sim(&s, ONE("  - {deny: shared, shared-above: 40K}\n"));
	vm_new_record(&s.b, 2, 0, KES_VM_DEFAULT);
	verdict = explain(&s, model_vm(s.b.model, 1), (struct frames){0, 11}, PAGE_SHARED);
	assert_int_equal(verdict.ask.more, 11);
	assert_int_equal(verdict.kes.action, KES_DENY);
	verdict = explain(&s, model_vm(s.b.model, 1), (struct frames){0, 10}, PAGE_SHARED);
	assert_int_equal(verdict.kes.action, KES_ALLOW);
	assert_int_equal(verdict.kes.rule, KES_NO_RULE);
	close_sim(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_refused_changes_nothing),
		cmocka_unit_test(test_refused_to_private),
		cmocka_unit_test(test_each_action),
		cmocka_unit_test(test_monitored_ones_pass),
		cmocka_unit_test(test_what_the_vmm_answered),
		cmocka_unit_test(test_what_kvm_refused_is_no_request),
		cmocka_unit_test(test_changes_by_the_vmm),
		cmocka_unit_test(test_buckets_of_guest_and_vmm),
		cmocka_unit_test(test_requests_beyond_the_map),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_a_name_that_comes_late),
		cmocka_unit_test(test_rates_when_a_name_comes_late),
		cmocka_unit_test(test_a_uuid_and_a_cgroup_that_come_late),
		cmocka_unit_test(test_a_vm_that_is_known_late),
		cmocka_unit_test(test_each_vm_by_itself),
		cmocka_unit_test(test_vms_are_forgotten),
		cmocka_unit_test(test_too_many_rules),
		cmocka_unit_test(test_what_the_reader_says),
		cmocka_unit_test(test_one_request),
		cmocka_unit_test(test_one_request_of_a_vm_that_is_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
