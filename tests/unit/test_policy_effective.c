/* SPDX-License-Identifier: GPL-2.0-only */
/* Which rules hold for a VM or a type of them, with the defaults; what the kernel half needs for
 * them. */
#include "policy_bench.h"

/* ---- what holds for one ---- */

/* A policy of n rules with so many ranges each, in a text of its own. */
static char *many(char *at, const char *name, int priority, int n, int ranges)
{
	at += sprintf(
		at, "- name: %s\n  priority: %d\n  mode: monitor\n  rules:\n", name, priority);
	for (int i = 0; i < n; i++) {
		at += sprintf(at, "  - {deny: any, touches: [");
		for (int k = 0; k < ranges; k++)
			at += sprintf(at, "%s0x%x000+4K", k ? ", " : "",
				(unsigned int)(i * ranges + k) * 2);
		at += sprintf(at, "]}\n");
	}
	return at;
}

static void check_too_many(const char *text, const char *name, unsigned int line)
{
	_cleanup_(policies_free) struct policies *policies = good(text);
	struct effective *effective = (void *)1;
	struct error err;
	char want[256];

	snprintf(want, sizeof(want),
		"f:%u:3: with policy '%s' a VM has more than 64 rules or 256 ranges", line, name);
	assert_int_equal(policy_compile_standard(&effective, policies, KES_VM_SNP, &err), -E2BIG);
	assert_int_equal(err.code, -E2BIG);
	assert_string_equal(err.text, want);
	assert_string_equal(err.advice, "put ranges that touch together, or select fewer VMs");
	assert_ptr_equal(effective, (void *)1);
}

static void test_too_many(void **state)
{
	_cleanup_(policies_free) struct policies *fits = NULL, *none = NULL;
	_cleanup_free_ struct effective *effective = NULL;
	static char text[1 << 16];
	struct error err;
	char *at;

	(void)state;
	at = text + sprintf(text, "policies:\n");
	many(at, "a", 2, 65, 1);
	assert_int_equal(parse(&none, text, &err), -EINVAL);
	assert_string_equal(err.text, "f:70:5: more than 64 rules in one policy");
	many(at, "a", 2, 1, 257);
	assert_int_equal(parse(&none, text, &err), -EINVAL);
	assert_string_equal(err.text, "f:6:26: 257 ranges; a VM may have 256 in all");
	/* as many as there may be, of both */
	many(at, "a", 2, 64, 4);
	fits = good(text);
	assert_int_equal(policy_compile_standard(&effective, fits, KES_VM_SNP, &err), 0);
	assert_int_equal(effective->set.n_rules, 64);
	assert_int_equal(effective->set.n_bounds, 512);
	/* the one that is too much is named */
	many(many(at, "a", 2, 64, 1), "b", 1, 1, 1);
	check_too_many(text, "b", 70);
	many(many(at, "a", 1, 2, 128), "b", 2, 1, 1);
	check_too_many(text, "a", 2);
	/* a default is a rule, too */
	strcpy(many(at, "a", 2, 64, 1), "defaults:\n  mode: enforce\n  any: deny\n");
	check_too_many(text, "defaults", 71);
}

static void test_what_holds(void **state)
{
	_cleanup_(policies_free) struct policies *policies =
		good("policies:\n"
		     "- name: low\n  priority: 1\n  mode: monitor\n  rules:\n"
		     "  - {kill: finding, kinds: storm}\n"
		     "  - {deny: shared}\n"
		     "- name: other\n  priority: 5\n  mode: enforce\n  vms: {name: db}\n"
		     "  rules: [{kill: any}]\n"
		     "- name: high\n  priority: 9\n  mode: enforce\n  vms: {name: 'web*'}\n"
		     "  rules: [{allow: any, larger: 4K}, {log: any}]\n");
	_cleanup_free_ struct effective *web = NULL, *all = NULL;
	_cleanup_(vm_free) struct vm *vm = a_vm();

	(void)state;
	assert_int_equal(policy_compile(&web, policies, vm, NULL), 0);
	assert_int_equal(web->set.n_rules, 3); /* by priority; not what is about findings */
	assert_string_equal(web->sources[0].policy->name, "high");
	assert_int_equal(web->set.rules[0].mode, KES_ENFORCE);
	assert_int_equal(web->set.rules[0].line, 17);
	assert_int_equal(web->sources[1].rule->compiled.action, KES_LOG);
	assert_string_equal(web->sources[2].policy->name, "low");
	assert_int_equal(web->set.rules[2].mode, KES_MONITOR);
	assert_int_equal(policy_compile_standard(&all, policies, KES_VM_SNP, NULL), 0);
	assert_int_equal(all->set.n_rules, 1);
	assert_string_equal(all->sources[0].policy->name, "low");
}

/* The lines of what holds for VMs of this type. */
static void check_standard(const struct policies *policies, uint32_t type, const char *lines)
{
	_cleanup_free_ struct effective *effective = NULL;
	char got[256] = "", *at = got;

	assert_int_equal(policy_compile_standard(&effective, policies, type, NULL), 0);
	for (uint32_t i = 0; i < effective->set.n_rules; i++)
		at += sprintf(at, "%s%u", i ? " " : "", effective->set.rules[i].line);
	if (strcmp(got, lines))
		fail_msg("type %u: %s, not %s", type, got, lines);
}

static void test_what_holds_for_a_type(void **state)
{
	_cleanup_(policies_free) struct policies *policies =
		good("policies:\n"
		     "- {name: a, priority: 9, mode: enforce, vms: {type: [snp, tdx]},\n"
		     "   rules: [{deny: shared}]}\n" /* 3 */
		     "- {name: b, priority: 8, mode: monitor,\n"
		     "   rules: [{deny: shared},\n"  /* 5 */
		     "           {log: private}]}\n" /* 6 */
		     "- {name: c, priority: 7, mode: enforce, vms: {type: snp, uid: 0},\n"
		     "   rules: [{deny: shared}]}\n"
		     "- {name: d, priority: 6, mode: enforce, vms: {label: '*'},\n"
		     "   rules: [{deny: shared}]}\n"
		     "- {name: e, priority: 5, mode: enforce, vms: {type: sev},\n"
		     "   rules: [{deny: shared}]}\n" /* 12 */
		     "defaults:\n"
		     "  mode: enforce\n"
		     "  snp: deny\n" /* 15 */
		     "  any: log\n" /* 16 */);

	(void)state;
	check_standard(policies, KES_VM_DEFAULT, "5 6 16");
	check_standard(policies, KES_VM_SNP, "3 5 6 15");
	check_standard(policies, KES_VM_TDX, "3 5 6 16");
	check_standard(policies, KES_VM_SEV, "5 6 12 16");
	check_standard(policies, 77, "5 6 16"); /* newer than this program */
}

/* ---- defaults ---- */

static void test_bad_defaults(void **state)
{
	(void)state;
	bad("defaults:\n", "f:1:1: 'mode' is missing here", "");
	bad("defaults: {}\n", "f:1:11: 'mode' is missing here", "");
	bad("defaults: deny\n",
		"f:1:11: 'defaults' wants a mapping (lines of 'key: value'), not 'deny'", "");
	bad("defaults: {snp: deny}\n", "f:1:11: 'mode' is missing here", "");
	bad("defaults: {mode: enforce}\n",
		"f:1:11: a VM type, or any, is missing here, such as snp: deny", "");
	bad("defaults: {mode: enforced, snp: deny}\n", "f:1:18: there is no mode 'enforced'",
		"did you mean 'enforce'?");
	bad("defaults:\n  mode: enforce\n  spn: deny\n", "f:3:3: there is no key 'spn'",
		"did you mean 'snp'?");
	bad("defaults:\n  mode: enforce\n  guests: deny\n", "f:3:3: there is no key 'guests'",
		"there is: default, sw-protected, sev, sev-es, snp, tdx, any, mode");
	bad("defaults:\n  mode: enforce\n  snp: refuse\n", "f:3:8: there is no action 'refuse'",
		"there is: allow, log, deny, freeze, kill");
	bad("defaults:\n  mode: enforce\n  snp: [deny]\n",
		"f:3:8: 'snp' wants one of the words below, not a list",
		"there is: allow, log, deny, freeze, kill");
	bad("defaults:\n  mode: enforce\n  snp: deny\n  snp: deny\n",
		"f:4:3: 'snp' is there already, in line 3", "");
	bad("defaults: {mode: enforce, snp: deny}\ndefaults: {mode: enforce, tdx: deny}\n",
		"f:2:1: 'defaults' is there already, in line 1", "");
	bad("defaults: {mode: enforce, snp: deny}\npolicies:\n",
		"f:2:1: 'policies' wants a list of policies, not nothing", "");
}

static void test_defaults(void **state)
{
	_cleanup_(policies_free) struct policies *p =
		good("defaults:\n  snp: kill\n  mode: monitor\n  sev-es: freeze\n");
	_cleanup_(policies_free) struct policies *any =
		good("defaults: {mode: enforce, any: deny, default: allow, sw-protected: log}\n");
	_cleanup_free_ struct effective *effective = NULL;
	_cleanup_(vm_free) struct vm *vm = a_vm();
	struct kes_rule want = {
		.larger = KES_FOREVER,
		.shared_above = KES_FOREVER,
		.action = KES_KILL,
		.mode = KES_MONITOR, /* also of entries before the key */
		.err = -EPERM,
		.asks = KES_ASK_PRIVATE | KES_ASK_SHARED,
		.askers = KES_BY_GUEST,
		.numbers = ~0u,
		.line = 2,
	};

	(void)state;
	assert_int_equal(p->n, 0);
	assert_int_equal(policy_compile(&effective, p, vm, NULL), 0);
	assert_int_equal(effective->set.n_rules, 1);
	assert_memory_equal(&effective->set.rules[0], &want, sizeof(want));
	assert_string_equal(effective->sources[0].policy->name, "defaults");
	assert_string_equal(effective->sources[0].rule->file, "f");
	assert_int_equal(effective->sources[0].rule->column, 3);
	check_default(p, KES_VM_SNP, "default for snp: kill");
	check_default(p, KES_VM_SEV_ES, "default for sev-es: freeze");
	check_default(p, KES_VM_DEFAULT, "none");
	check_default(p, 77, "none");
	check_default(any, KES_VM_DEFAULT, "default for default: allow");
	check_default(any, KES_VM_SW_PROTECTED, "default for sw-protected: log");
	check_default(any, KES_VM_TDX, "default for any: deny");
	check_default(any, 77, "default for any: deny");
}

/* ---- what cannot be read ---- */

static void check_unreadable(const char *policies, int want)
{
	_cleanup_(policies_free) struct policies *p = good(policies);
	_cleanup_free_ struct effective *effective = NULL, *standard = NULL;
	_cleanup_(vm_free) struct vm *vm = a_vm();

	assert_int_equal(policy_compile(&effective, p, vm, NULL), 0);
	assert_int_equal(policy_compile_standard(&standard, p, KES_VM_SNP, NULL), 0);
	if (effective->set.unreadable != want)
		fail_msg("%s: %d, not %d", policies, effective->set.unreadable, want);
	assert_int_equal(standard->set.unreadable, want);
}

#define SAYS(name, priority, mode, more, rule)                                                    \
	"- {name: " name ", priority: " priority ", mode: " mode ", " more "rules: [{" rule "}]}" \
	"\n"

static void test_unreadable(void **state)
{
	(void)state;
	/* nothing is said: as the rules are */
	check_unreadable("policies:\n" SAYS("a", "1", "enforce", "", "deny: shared"), -EPERM);
	check_unreadable("policies:\n" SAYS("a", "1", "enforce", "", "freeze: private"), -EPERM);
	check_unreadable("policies:\n" SAYS("a", "1", "enforce", "", "kill: any, by: vmm"), -EPERM);
	check_unreadable("policies:\n" SAYS("a", "1", "monitor", "", "deny: shared"), 0);
	check_unreadable("policies:\n" SAYS("a", "1", "enforce", "", "log: any"), 0);
	check_unreadable("policies:\n" SAYS("a", "1", "enforce", "", "deny: hypercall"), 0);
	check_unreadable(
		"policies:\n" SAYS("a", "1", "enforce", "", "kill: finding, kinds: storm"), 0);
	check_unreadable("defaults: {mode: enforce, snp: deny}\n", -EPERM);
	check_unreadable("defaults: {mode: monitor, snp: deny}\n", 0);
	check_unreadable("defaults: {mode: enforce, tdx: deny}\n", 0);
	/* it is */
	check_unreadable(
		"policies:\n" SAYS("a", "1", "enforce", "unreadable: allow, ", "deny: shared"), 0);
	check_unreadable(
		"policies:\n" SAYS("a", "1", "enforce", "unreadable: deny, ", "log: shared"),
		-EPERM);
	/* by the highest that says it and is enforced */
	check_unreadable("policies:\n" SAYS("a", "1", "enforce", "unreadable: deny, ", "deny: any")
				 SAYS("b", "2", "enforce", "unreadable: allow, ", "deny: any"),
		0);
	check_unreadable("policies:\n" SAYS("a", "1", "enforce", "unreadable: deny, ", "log: any")
				 SAYS("b", "2", "monitor", "unreadable: allow, ", "deny: any")
					 SAYS("c", "3", "enforce", "", "log: any"),
		-EPERM);
	/* and selected */
	check_unreadable("policies:\n" SAYS("a", "1", "enforce",
				 "vms: {type: tdx}, unreadable: deny, ", "deny: any"),
		0);
	/* a rule about findings has none of its set, its policy says it all the same */
	check_unreadable("policies:\n" SAYS("a", "1", "enforce", "unreadable: deny, ",
				 "kill: finding, kinds: storm"),
		-EPERM);
}

/* ---- what the kernel half needs ---- */

/* amounts, rates, freeze, vmm, findings, hypercalls: a line for each, or 0 */
static void check_needs(const char *text, const char *want)
{
	_cleanup_(policies_free) struct policies *policies = good(text);
	char got[64] = "", *at = got;

	for (int need = NEED_AMOUNTS; need <= NEED_HYPERCALLS; need++) {
		const struct policy_rule *rule = policies_want(policies, (enum policy_need)need);

		at += sprintf(at, "%s%u", need ? " " : "", rule ? rule->line : 0);
	}
	if (strcmp(got, want))
		fail_msg("%s: %s, not %s", text, got, want);
}

static void test_needs(void **state)
{
	(void)state;
	check_needs(HEAD "  - deny: any\n", "0 0 0 0 0 0");
	check_needs(
		HEAD "  - {deny: any, larger: 4K, touches: 0+4K}\n  - log: any\n", "0 0 0 0 0 0");
	check_needs(HEAD "  - {deny: shared, shared-above: 0}\n", "6 0 0 0 0 0");
	check_needs(HEAD "  - {deny: shared, shared-over-baseline: 4K}\n", "6 0 0 0 0 0");
	check_needs(HEAD "  - {deny: shared, shared-above: 1%}\n", "6 0 0 0 0 0");
	check_needs(HEAD "  - {deny: any, pages: {per-second: 1, burst: 1}}\n", "0 6 0 0 0 0");
	check_needs(
		HEAD "  - {deny: any, conversions: {per-second: 1, burst: 1}}\n", "0 6 0 0 0 0");
	check_needs(HEAD "  - freeze: any\n", "0 0 6 0 0 0");
	check_needs(HEAD "  - {deny: any, by: any}\n", "0 0 0 6 0 0");
	check_needs(HEAD "  - {deny: any, by: vmm}\n", "0 0 0 6 0 0");
	check_needs(HEAD "  - {kill: finding, kinds: storm}\n", "0 0 0 0 6 0");
	check_needs(HEAD "  - {freeze: finding, kinds: storm}\n", "0 0 6 0 6 0");
	check_needs(HEAD "  - deny: hypercall\n", "0 0 0 0 0 6");
	check_needs("defaults: {mode: enforce, snp: deny}\n", "0 0 0 0 0 0");
	check_needs("defaults:\n  mode: enforce\n  any: freeze\n", "0 0 3 0 0 0");
	/* each by the one that is asked first, in whatever policy, also if that is monitored */
	check_needs("policies:\n" SAYS("a", "1", "enforce", "", "freeze: any")
			    SAYS("b", "3", "monitor", "", "freeze: shared, by: vmm")
				    SAYS("c", "2", "enforce", "", "kill: private, by: any"),
		"0 0 3 3 0 0");
}

/* ---- findings ---- */

/* "LINE LINE": which one decides, which one would have; 0: none. */
static void check_finding(const struct policies *policies, const struct vm *vm,
	enum finding_kind kind, const char *want)
{
	struct reaction reaction = policy_on_finding(policies, vm, kind);
	char got[32];

	snprintf(got, sizeof(got), "%u %u", reaction.decided.rule ? reaction.decided.rule->line : 0,
		reaction.monitored.rule ? reaction.monitored.rule->line : 0);
	assert_string_equal(got, want);
	assert_true(!reaction.decided.rule || reaction.decided.policy->mode == KES_ENFORCE);
	assert_true(!reaction.monitored.rule || reaction.monitored.policy->mode == KES_MONITOR);
}

static void test_findings(void **state)
{
	_cleanup_(policies_free) struct policies *policies = good("policies:\n" /* by priority */
		SAYS("a", "9", "monitor", "", "log: finding, kinds: [storm, slow]") SAYS(
			"b", "8", "monitor", "", "kill: finding, kinds: storm") SAYS("c", "7",
			"enforce", "vms: {type: tdx}, ",
			"kill: finding, kinds: storm") SAYS("d", "6", "enforce", "",
			"deny: any},{freeze: finding, kinds: [KES-003, giant]") SAYS("e", "5",
			"enforce", "", "log: finding, kinds: [storm, giant, budget]")
			SAYS("f", "4", "monitor", "",
				"log: finding, kinds: [budget, twice]") "defaults: {mode: enforce, "
									"any: kill}\n");
	_cleanup_(vm_free) struct vm *vm = a_vm();

	(void)state;
	check_finding(policies, vm, FINDING_STORM, "5 2");
	check_finding(policies, vm, FINDING_SLOW, "0 2");
	check_finding(policies, vm, FINDING_GIANT, "5 0");
	check_finding(policies, vm, FINDING_BUDGET, "6 0"); /* decided before f is asked */
	check_finding(policies, vm, FINDING_TWICE, "0 7");
	check_finding(policies, vm, FINDING_SACRED, "0 0"); /* defaults are about conversions */
	vm->type = KES_VM_TDX;
	check_finding(policies, vm, FINDING_STORM, "4 2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_what_holds),
		cmocka_unit_test(test_what_holds_for_a_type),
		cmocka_unit_test(test_bad_defaults),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_needs),
		cmocka_unit_test(test_findings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
