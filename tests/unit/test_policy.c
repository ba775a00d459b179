/* SPDX-License-Identifier: GPL-2.0-only */
/* Policies: what is wrong with one and where, and what is kept of it. Rules by themselves are in
 * test_policy_rules.c. */
#include "policy_bench.h"

#include "hostile_names.h"

/* ---- policies ---- */

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
	bad("policies:\n- priority: 1\n  mode: enforce\n" ANY_RULES,
		"f:2:3: 'name' is missing here", "");
	bad("policies:\n- name: p\n  mode: enforce\n" ANY_RULES,
		"f:2:3: 'priority' is missing here", "");
	bad("policies:\n- name: p\n  priority: 1\n" ANY_RULES, "f:2:3: 'mode' is missing here", "");
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
		cmocka_unit_test(test_a_range),
		cmocka_unit_test(test_hostile_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
