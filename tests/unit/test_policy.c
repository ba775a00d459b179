/* SPDX-License-Identifier: GPL-2.0-only */
/* Policy files: what is wrong with a policy and where, which VMs it is about, and which rules hold
 * for one. Rules by themselves are in test_policy_rules.c. */
#include "policy_bench.h"

#include <sys/stat.h>
#include <unistd.h>

#include "hostile_names.h"

/* ---- policies ---- */

#define RULES "  rules: [{deny: any}]\n"
#define POLICY(name, priority, more) \
	"- name: " name "\n  priority: " priority "\n  mode: enforce\n" more RULES

static void test_bad_policies(void **state)
{
	(void)state;
	bad("", "f:1:1: 'policies' or 'defaults' is missing here", "");
	bad("policy: []\n", "f:1:1: there is no key 'policy'", "there is: policies, defaults");
	bad("policys: []\n", "f:1:1: there is no key 'policys'", "did you mean 'policies'?");
	bad("policies:\n", "f:1:1: 'policies' wants a list of policies, not nothing", "");
	bad("policies: []\n", "f:1:11: 'policies' wants a list of policies, not a list", "");
	bad("policies: {}\n", "f:1:11: 'policies' wants a list of policies, not a mapping", "");
	bad("policies: [x]\n", "f:1:12: a mapping (lines of 'key: value') is wanted here, not 'x'",
		"");
	bad("policies:\n- priority: 1\n  mode: enforce\n" RULES, "f:2:3: 'name' is missing here",
		"");
	bad("policies:\n- name: p\n  mode: enforce\n" RULES, "f:2:3: 'priority' is missing here",
		"");
	bad("policies:\n- name: p\n  priority: 1\n" RULES, "f:2:3: 'mode' is missing here", "");
	bad("policies:\n- name: p\n  priority: 1\n  mode: enforce\n",
		"f:2:3: 'rules' is missing here", "");
	bad("policies:\n- nmae: p\n", "f:2:3: there is no key 'nmae'", "did you mean 'name'?");
	bad("policies:\n- name: p\n  name: q\n", "f:3:3: 'name' is there already, in line 2", "");
	bad("policies:\n- name: ''\n", "f:2:9: 'name' wants a text of 1 to 255 bytes, not ''", "");
	bad("policies:\n- name: [a]\n", "f:2:9: 'name' wants a text of 1 to 255 bytes, not a list",
		"");
	bad("policies:\n- priority: -1\n",
		"f:2:13: 'priority' wants a whole number from 0 to 1000000, not '-1'", "");
	bad("policies:\n- priority: 1000001\n",
		"f:2:13: 'priority' wants a whole number from 0 to 1000000, not '1000001'", "");
	bad("policies:\n- mode: enforced\n", "f:2:9: there is no mode 'enforced'",
		"did you mean 'enforce'?");
	bad("policies:\n- mode: on\n", "f:2:9: there is no mode 'on'",
		"there is: monitor, enforce");
	bad("policies:\n- unreadable: kill\n", "f:2:15: there is no answer 'kill'",
		"there is: allow, deny");
	bad("policies:\n- unreadable: dney\n", "f:2:15: there is no answer 'dney'",
		"did you mean 'deny'?");
	bad("policies:\n- unreadable:\n",
		"f:2:3: 'unreadable' wants one of the words below, not nothing",
		"there is: allow, deny");
	bad("policies:\n- rules:\n", "f:2:3: 'rules' wants a list of rules, not nothing", "");
	bad("policies:\n- rules: []\n", "f:2:10: 'rules' wants a list of rules, not a list", "");
	bad("policies:\n- rules: {deny: any}\n",
		"f:2:10: 'rules' wants a list (lines of '- item'), not a mapping", "");
}

static void test_bad_selections(void **state)
{
	(void)state;
	bad("policies:\n- vms:\n",
		"f:2:3: 'vms' wants at least one key (all VMs: leave it out), not "
		"nothing",
		"");
	bad("policies:\n- vms: {}\n",
		"f:2:8: 'vms' wants at least one key (all VMs: leave it out), not a mapping", "");
	bad("policies:\n- vms: all\n",
		"f:2:8: 'vms' wants a mapping (lines of 'key: value'), not 'all'", "");
	bad("policies:\n- vms: {names: x}\n", "f:2:9: there is no key 'names'",
		"did you mean 'name'?");
	bad("policies:\n- vms: {name: []}\n",
		"f:2:15: an empty list says nothing; leave the key out", "");
	bad("policies:\n- vms: {name: [a, '']}\n",
		"f:2:19: a text of 1 to 255 bytes is wanted here, not ''", "");
	bad("policies:\n- vms: {name: }\n",
		"f:2:9: 'name' wants a text of 1 to 255 bytes, not nothing", "");
	bad("policies:\n- vms: {label: []}\n",
		"f:2:16: an empty list says nothing; leave the key out", "");
	bad("policies:\n- vms: {label: [a, '']}\n",
		"f:2:20: a text of 1 to 255 bytes is wanted here, not ''", "");
	bad("policies:\n- vms: {lable: a}\n", "f:2:9: there is no key 'lable'",
		"did you mean 'label'?");
	bad("policies:\n- vms: {label: [a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,b]}\n",
		"f:2:49: more than 16 words", "");
	bad("policies:\n- vms: {uid: []}\n",
		"f:2:14: an empty list says nothing; leave the key out", "");
	bad("policies:\n- vms: {uid: root}\n",
		"f:2:14: 'uid' wants a whole number from 0 to 4294967295, not 'root'", "");
	bad("policies:\n- vms: {uid: 4294967296}\n",
		"f:2:14: 'uid' wants a whole number from 0 to 4294967295, not '4294967296'", "");
	bad("policies:\n- vms: {type: []}\n",
		"f:2:15: an empty list says nothing; leave the key out", "");
	bad("policies:\n- vms: {type: snpp}\n", "f:2:15: there is no VM type 'snpp'",
		"did you mean 'snp'?");
	bad("policies:\n- vms: {type: arm}\n", "f:2:15: there is no VM type 'arm'",
		"there is: default, sw-protected, sev, sev-es, snp, tdx");
	bad("policies:\n- vms: {uuid: '0d2f9c1e*'}\n",
		"f:2:15: 'uuid' wants a UUID, such as 0d2f9c1e-4a6b-4c8d-9e0f-1a2b3c4d5e6f, not "
		"'0d2f9c1e*'",
		"");
	bad("policies:\n- vms: {uuid: [0d2f9c1e-4a6b-4c8d-9e0f-1a2b3c4d5e6g]}\n",
		"f:2:16: a UUID, such as 0d2f9c1e-4a6b-4c8d-9e0f-1a2b3c4d5e6f is wanted here, not "
		"'0d2f9c1e-4a6b-4c8d-9e0f-1a2b3c4d5e6g'",
		"");
	bad("policies:\n- vms: {comm: [a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,b]}\n",
		"f:2:48: more than 16 words", "");
	bad("policies:\n- vms: {uid: [0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1]}\n",
		"f:2:47: more than 16 users", "");
}

static void test_what_is_kept(void **state)
{
	_cleanup_(policies_free) struct policies *p = good("policies:\n" POLICY("low", "0",
		"  vms: {name: [a, b*], uid: [0, 4294967295], type: [snp, tdx], "
		"cgroup: /c, comm: q, uuid: 0d2f9c1e-4a6b-4c8d-9e0f-1a2b3c4d5e6f}\n")
			POLICY("high", "1000000", ""));
	const struct policy *high = &p->list[0], *low = &p->list[1];

	(void)state;
	assert_int_equal(p->n, 2);
	assert_string_equal(high->name, "high");
	assert_int_equal(high->priority, 1000000);
	assert_true(policy_selects_type(high, KES_VM_DEFAULT));
	assert_true(policy_selects_type(high, 77));
	assert_string_equal(low->name, "low");
	assert_string_equal(low->file, "f");
	assert_int_equal(low->line, 2);
	assert_int_equal(low->column, 3);
	assert_int_equal(low->mode, KES_ENFORCE);
	assert_int_equal(low->vms.n_names, 2);
	assert_string_equal(low->vms.names[1], "b*");
	assert_int_equal(low->vms.uids[1], UINT32_MAX);
	assert_int_equal(low->vms.types, 1u << KES_VM_SNP | 1u << KES_VM_TDX);
	assert_false(policy_selects_type(low, KES_VM_SNP));
}

static void test_names_that_are_there_twice(void **state)
{
	(void)state;
	bad("policies:\n" POLICY("x", "1", "") POLICY("x", "2", ""),
		"f:2:3: there is a policy 'x' already, in f:6:3", "");
	bad("policies:\n" POLICY("\"\\e[2J\"", "2", "") POLICY("\"\\e[2J\"", "1", ""),
		"f:6:3: there is a policy '\\x1b[2J' already, in f:2:3", "");
}

/* ---- policies of one priority ---- */

static void check_meet(const char *a, const char *b, bool meet)
{
	for (int turn = 0; turn < 2; turn++) {
		_cleanup_(policies_free) struct policies *policies = NULL;
		char text[1024];
		struct error err;
		int r;

		snprintf(text, sizeof(text),
			"policies:\n" POLICY("a", "7", "  %s\n") POLICY("b", "7", "  %s\n"),
			turn ? b : a, turn ? a : b);
		r = parse(&policies, text, &err);
		if (meet != (r == -EINVAL))
			fail_msg("%s: %d %s", text, r, r ? err.text : "");
		if (!meet)
			continue;
		assert_string_equal(err.text,
			"f:7:3: policy 'b' has priority 7, as 'a' has (f:2:3), and both may be "
			"about the same VM");
		assert_string_equal(err.advice,
			"give them different priorities, or select VMs that cannot be the same");
	}
}

#define UUID  "0d2f9c1e-4a6b-4c8d-9e0f-1a2b3c4d5e6f"
#define UUID2 "1d2f9c1e-4a6b-4c8d-9e0f-1a2b3c4d5e6f"

static void test_policies_that_may_meet(void **state)
{
	(void)state;
	check_meet("#", "#", true);
	check_meet("#", "vms: {name: a}", true);
	check_meet("vms: {name: a}", "vms: {name: a}", true);
	check_meet("vms: {name: a}", "vms: {name: b}", false);
	check_meet("vms: {name: [a, b]}", "vms: {name: [c, b]}", true);
	check_meet("vms: {name: 'a*'}", "vms: {name: abc}", true);
	check_meet("vms: {name: 'a*'}", "vms: {name: b}", false);
	check_meet("vms: {name: 'a*'}", "vms: {name: 'b*'}", true); /* two globs: not looked into */
	check_meet("vms: {name: a}", "vms: {uid: 0}", true);
	check_meet("vms: {uid: 0}", "vms: {uid: 1}", false);
	check_meet("vms: {uid: [0, 1]}", "vms: {uid: 1}", true);
	check_meet("vms: {type: snp}", "vms: {type: [sev, tdx]}", false);
	check_meet("vms: {type: snp}", "vms: {type: [sev, snp]}", true);
	check_meet("vms: {uuid: " UUID "}", "vms: {uuid: " UUID2 "}", false);
	check_meet(
		"vms: {uuid: " UUID "}", "vms: {uuid: 0D2F9C1E-4A6B-4C8D-9E0F-1A2B3C4D5E6F}", true);
	check_meet("vms: {cgroup: /a}", "vms: {cgroup: /b}", false);
	check_meet("vms: {cgroup: '/*'}", "vms: {cgroup: /b/c}", true);
	check_meet("vms: {comm: a}", "vms: {comm: b}", false);
	check_meet("vms: {comm: 'q?'}", "vms: {comm: qq}", true);
	/* a name has several labels */
	check_meet("vms: {label: a}", "vms: {label: b}", true);
	check_meet("vms: {label: a}", "vms: {name: b}", true);
	check_meet("vms: {label: a}", "#", true);
	check_meet("vms: {label: a, uid: 1}", "vms: {label: a, uid: 2}", false);
	/* each key has to fit: one that cannot is enough */
	check_meet("vms: {name: a, uid: 1}", "vms: {name: a, uid: 2}", false);
	check_meet("vms: {name: a, uid: 1}", "vms: {name: a, comm: x}", true);
}

/* ---- which VMs ---- */

static struct vm *a_vm(void)
{
	struct vm *vm = vm_new(1);

	assert_non_null(vm);
	vm->known = true;
	vm->type = KES_VM_SNP;
	vm->uid = 107;
	vm->pid = 4711;
	strcpy(vm->comm, "qemu-system-x86");
	strcpy(vm->text[KES_TEXT_NAME], "web-1/prod");
	strcpy(vm->text[KES_TEXT_UUID], UUID);
	strcpy(vm->text[KES_TEXT_CGROUP], "/machine.slice/web.scope");
	for (int i = 0; i < KES_TEXT_MAX; i++)
		vm->text_size[i] = strlen(vm->text[i]);
	return vm;
}

static void check_selects(const struct vm *vm, const char *vms, bool selects)
{
	_cleanup_(policies_free) struct policies *policies = NULL;
	char text[512];

	snprintf(text, sizeof(text), "policies:\n" POLICY("a", "7", "  vms: {%s}\n"), vms);
	policies = good(text);
	if (policy_selects(&policies->list[0], vm) != selects)
		fail_msg("%s: not %d", vms, selects);
}

static void test_selection(void **state)
{
	_cleanup_(vm_free) struct vm *vm = a_vm();

	(void)state;
	check_selects(vm, "name: web-1/prod", true);
	check_selects(vm, "name: 'web-*'", true); /* a star takes slashes, too */
	check_selects(vm, "name: 'web-[0-9]/p*d'", true);
	check_selects(vm, "name: '*'", true);
	check_selects(vm, "name: web", false);
	check_selects(vm, "name: WEB-1/prod", false);
	check_selects(vm, "name: [db, '*/prod']", true);
	check_selects(vm, "uuid: " UUID, true);
	check_selects(vm, "uuid: 0D2F9C1E-4A6B-4c8d-9e0f-1a2b3c4d5e6f", true);
	check_selects(vm, "uuid: " UUID2, false);
	check_selects(vm, "uuid: [" UUID2 ", " UUID "]", true);
	check_selects(vm, "uid: 107", true);
	check_selects(vm, "uid: [0, 107]", true);
	check_selects(vm, "uid: 0", false);
	check_selects(vm, "cgroup: '/machine.slice/*'", true);
	check_selects(vm, "cgroup: /machine.slice", false);
	check_selects(vm, "comm: 'qemu-*'", true);
	check_selects(vm, "comm: qemu-system-x86_64", false); /* the kernel keeps 15 bytes */
	check_selects(vm, "type: snp", true);
	check_selects(vm, "type: [default, tdx, sev, sev-es, sw-protected]", false);
	check_selects(vm, "label: web", true);
	check_selects(vm, "label: 1", true);
	check_selects(vm, "label: [db, 'pro?']", true);
	check_selects(vm, "label: web-1", false); /* no part has a separator in it */
	check_selects(vm, "label: we", false);
	check_selects(vm, "label: '[xw]*', name: 'web-*'", true);
	check_selects(vm, "label: web, name: 'db-*'", false);
	/* all keys, any word */
	check_selects(vm, "name: 'web*', uid: [1, 107], type: snp, comm: 'q*'", true);
	check_selects(vm, "name: 'web*', uid: [1, 107], type: tdx, comm: 'q*'", false);
}

static void test_labels(void **state)
{
	static const struct {
		const char *name, *labels;
		bool fits;
	} cases[] = {
		{"prod-db-1", "prod", true},
		{"prod-db-1", "db", true},
		{"prod-db-1", "1", true},
		{"prod-db-1", "'?'", true},
		{"prod-db-1", "'?'", true},
		{"prod-db-1", "'[!pd1]*'", false},
		{"a/b.c_d:e@f-g,h", "a", true},
		{"a/b.c_d:e@f-g,h", "b", true},
		{"a/b.c_d:e@f-g,h", "c", true},
		{"a/b.c_d:e@f-g,h", "d", true},
		{"a/b.c_d:e@f-g,h", "e", true},
		{"a/b.c_d:e@f-g,h", "f", true},
		{"a/b.c_d:e@f-g,h", "g", true},
		{"a/b.c_d:e@f-g,h", "h", true},
		{"a/b.c_d:e@f-g,h", "'??*'", false},
		{"x,tier=db,env=prod", "tier=db", true},
		{"x,tier=db,env=prod", "'env=*'", true},
		{"x,tier=db,env=prod", "db", false},
		{"x,tier=db,env=prod", "tier", false},
		{"a b+c;d", "'a b+c;d'", true}, /* these separate nothing */
		{"--a--", "a", true},
		{"--a--", "'?*'", true},
		{"-/._:@,", "'*'", false}, /* empty parts are none */
		{"one", "one", true},
		{"One", "one", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(vm_free) struct vm *vm = a_vm();
		char vms[64];

		strcpy(vm->text[KES_TEXT_NAME], cases[i].name);
		snprintf(vms, sizeof(vms), "label: %s", cases[i].labels);
		check_selects(vm, vms, cases[i].fits);
	}
}

static void test_selection_of_what_is_not_known(void **state)
{
	_cleanup_(vm_free) struct vm *vm = vm_new(1);

	(void)state;
	assert_non_null(vm);
	vm->known = true;
	vm->pid = 12;
	strcpy(vm->comm, "vmm");
	vm->type = 77; /* newer than this program */
	check_selects(vm, "name: 'vmm[[]12]'", true);
	check_selects(vm, "label: 'vmm[[]12]'", true);
	check_selects(vm, "uuid: " UUID, false);
	check_selects(vm, "cgroup: '*'", true);
	check_selects(vm, "cgroup: '?*'", false);
	check_selects(vm, "type: [default, sw-protected, sev, sev-es, snp, tdx]", false);
}

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

static void check_default(const struct policies *policies, uint32_t type, const char *want)
{
	_cleanup_free_ struct effective *effective = NULL;
	_cleanup_(vm_free) struct vm *vm = a_vm();
	char text[128] = "none";

	vm->type = type;
	assert_int_equal(policy_compile(&effective, policies, vm, NULL), 0);
	if (effective->set.n_rules)
		rule_describe(
			effective->sources[effective->set.n_rules - 1].rule, text, sizeof(text));
	assert_string_equal(text, want);
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

/* ---- files ---- */

struct folder {
	char path[64];
};

static void put(const struct folder *folder, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder->path, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static int make_folder(void **state)
{
	static struct folder folder;

	strcpy(folder.path, "/tmp/kes-policy-XXXXXX");
	*state = &folder;
	return mkdtemp(folder.path) ? 0 : -1;
}

static int remove_folder(void **state)
{
	const struct folder *folder = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", folder->path);
	return system(command);
}

/* In the error the folder's name is "DIR". */
static void bad_load(const char *path, int code, const char *want, const char *folder)
{
	struct policies *policies = NULL;
	struct error err;

	assert_int_equal(policies_load(&policies, path, &err), code);
	for (char *at; (at = strstr(err.text, folder));) {
		memcpy(at, "DIR", 3);
		memmove(at + 3, at + strlen(folder), strlen(at + strlen(folder)) + 1);
	}
	assert_string_equal(err.text, want);
	assert_null(policies);
}

static void test_a_folder(void **state)
{
	const struct folder *folder = *state;
	_cleanup_(policies_free) struct policies *policies = NULL;
	struct error err;
	char want[256];

	put(folder, "20-b.yaml", "policies:\n" POLICY("b", "1", "  vms: {uid: 1}\n"));
	put(folder, "10-a.yaml",
		"policies:\n" POLICY("a", "1", "  vms: {uid: 2}\n")
			POLICY("c", "1", "  vms: {uid: 3}\n"));
	put(folder, "30-d.yaml", "policies:\n" POLICY("d", "2", ""));
	put(folder, "00-other.yml", "not: a policy\n");
	put(folder, ".hidden.yaml", "not: a policy\n");
	put(folder, ".yaml", "not: a policy\n");
	put(folder, "README", "not: a policy\n");
	assert_int_equal(policies_load(&policies, folder->path, &err), 0);
	assert_int_equal(policies->n, 4);
	/* by priority; then as the files are named, then as they stand there */
	assert_string_equal(policies->list[0].name, "d");
	assert_string_equal(policies->list[1].name, "a");
	assert_string_equal(policies->list[2].name, "c");
	assert_string_equal(policies->list[3].name, "b");
	snprintf(want, sizeof(want), "%s/20-b.yaml", folder->path);
	assert_string_equal(policies->list[3].file, want);
	assert_string_equal(policies->list[3].rules[0].file, want);
	/* which of them each rule is in */
	assert_int_equal(policies->n_files, 3);
	assert_string_equal(policies->files[1], want);
	for (size_t i = 0; i < policies->n; i++)
		assert_string_equal(policies->files[policies->list[i].rules[0].compiled.file],
			policies->list[i].file);
}

static void test_as_many_files_as_there_may_be(void **state)
{
	const struct folder *folder = *state;
	_cleanup_(policies_free) struct policies *policies = NULL;
	_cleanup_free_ struct effective *effective = NULL;
	char name[32], text[256];
	struct error err;

	for (int i = 0; i < 255; i++) {
		snprintf(name, sizeof(name), "%03d.yaml", i);
		snprintf(text, sizeof(text),
			"policies:\n- {name: p%d, priority: %d, mode: enforce, vms: {uid: %d}, "
			"rules: [{deny: any}]}\n",
			i, i, i / 2);
		put(folder, name, text);
	}
	put(folder, "254.yaml", "defaults: {mode: enforce, any: deny}\n");
	assert_int_equal(policies_load(&policies, folder->path, &err), 0);
	assert_int_equal(policies->n_files, 255);
	assert_int_equal(policies->n, 254);
	assert_int_equal(policies->list[0].rules[0].compiled.file, 253);
	assert_int_equal(policy_compile_standard(&effective, policies, 0, NULL), 0);
	assert_int_equal(effective->set.rules[0].file, 254);
	snprintf(text, sizeof(text), "%s/254.yaml", folder->path);
	assert_string_equal(policies->files[254], text);
	put(folder, "255.yaml", "policies: []\n");
	bad_load(folder->path, -EINVAL, "DIR/255.yaml:1:1: more than 255 files", folder->path);
}

static void test_defaults_in_a_folder(void **state)
{
	const struct folder *folder = *state;
	_cleanup_(policies_free) struct policies *policies = NULL;
	struct error err;

	put(folder, "a.yaml", "defaults:\n  mode: enforce\n  any: deny\n");
	put(folder, "b.yaml", "defaults:\n  mode: monitor\n  snp: kill\n");
	assert_int_equal(policies_load(&policies, folder->path, &err), 0);
	/* each with the mode of its own file; the type's own holds, though it is only monitored */
	assert_int_equal(policies->defaults[KES_VM_SNP].policy->mode, KES_MONITOR);
	assert_int_equal(policies->defaults[KES_VM_SNP].rule->compiled.file, 1);
	assert_int_equal(policies->defaults[KES_VM_TYPE_MAX].policy->mode, KES_ENFORCE);
	check_default(policies, KES_VM_SNP, "default for snp: kill");
	check_default(policies, KES_VM_TDX, "default for any: deny");
	put(folder, "c.yaml",
		"policies:\n" POLICY("c", "1", "") "defaults: {mode: enforce, snp: kill}\n");
	bad_load(folder->path, -EINVAL,
		"DIR/c.yaml:6:27: there is a default for snp already, in DIR/b.yaml:3:3",
		folder->path);
	put(folder, "c.yaml", "defaults: {any: deny, mode: enforce}\n");
	bad_load(folder->path, -EINVAL,
		"DIR/c.yaml:1:12: there is a default for any already, in DIR/a.yaml:3:3",
		folder->path);
}

static void test_errors_in_a_folder(void **state)
{
	const struct folder *folder = *state;
	char path[256];

	bad_load(folder->path, -ENOENT, "there is no *.yaml in DIR", folder->path);
	put(folder, "a.yaml", "policies:\n" POLICY("a", "1", ""));
	put(folder, "b.yaml", "policies:\n" POLICY("b", "2", "  vms: {nam: x}\n"));
	bad_load(folder->path, -EINVAL, "DIR/b.yaml:5:9: there is no key 'nam'", folder->path);
	put(folder, "b.yaml", "policies:\n" POLICY("a", "0", ""));
	bad_load(folder->path, -EINVAL,
		"DIR/b.yaml:2:3: there is a policy 'a' already, in DIR/a.yaml:2:3", folder->path);
	put(folder, "b.yaml", "policies:\n" POLICY("b", "1", ""));
	bad_load(folder->path, -EINVAL,
		"DIR/b.yaml:2:3: policy 'b' has priority 1, as 'a' has (DIR/a.yaml:2:3), and both "
		"may be about the same VM",
		folder->path);
	snprintf(path, sizeof(path), "%s/none.yaml", folder->path);
	bad_load(path, -ENOENT, "there is no file DIR/none.yaml", folder->path);
}

/* ---- a range by itself ---- */

static void test_a_range(void **state)
{
	struct frames range = {};
	struct error err;

	(void)state;
	assert_int_equal(policy_parse_range("0x1000+4K", &range, &err), 0);
	assert_int_equal(range.gfn, 1);
	assert_int_equal(range.npages, 1);
	assert_int_equal(policy_parse_range("0-0xfffffffffffff", &range, &err), 0);
	assert_int_equal(range.npages, 1ull << 40);
	assert_int_equal(policy_parse_range("0x1000+1", &range, &err), -EINVAL);
	assert_string_equal(err.text, "a range has whole pages, below 2^52: 0x1000+4K");
	assert_int_equal(policy_parse_range("0x1000+4P", &range, &err), -EINVAL);
	assert_int_equal(policy_parse_range("[0x1000+4K]", &range, &err), -EINVAL);
	assert_int_equal(policy_parse_range("", &range, &err), -EINVAL);
	assert_int_equal(range.npages, 1ull << 40);
}

/* ---- whatever a name may be ---- */

static void check_error_is_shown(const char *name)
{
	struct policies *policies = NULL;
	char text[4096], quoted[1024], *at = quoted;
	struct error err;

	for (const unsigned char *from = (const unsigned char *)name; *from; from++)
		at += sprintf(at, "\\x%02x", *from);
	snprintf(text, sizeof(text),
		"policies:\n" POLICY("\"%s\"", "7", "") POLICY("\"x%s\"", "7", ""), quoted, quoted);
	memset(&err, 0, sizeof(err));
	assert_int_equal(policies_parse(&policies, name, text, strlen(text), &err), -EINVAL);
	if (hostile_complaint(err.text))
		fail_msg("%s in '%s'", hostile_complaint(err.text), err.text);
}

static void test_hostile_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hostile_names); i++)
		check_error_is_shown(hostile_names[i].bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_policies),
		cmocka_unit_test(test_bad_selections),
		cmocka_unit_test(test_what_is_kept),
		cmocka_unit_test(test_names_that_are_there_twice),
		cmocka_unit_test(test_policies_that_may_meet),
		cmocka_unit_test(test_selection),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_selection_of_what_is_not_known),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_what_holds),
		cmocka_unit_test(test_what_holds_for_a_type),
		cmocka_unit_test(test_bad_defaults),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_needs),
		cmocka_unit_test(test_findings),
		cmocka_unit_test_setup_teardown(test_a_folder, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			test_errors_in_a_folder, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			test_as_many_files_as_there_may_be, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			test_defaults_in_a_folder, make_folder, remove_folder),
		cmocka_unit_test(test_a_range),
		cmocka_unit_test(test_hostile_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
