/* SPDX-License-Identifier: GPL-2.0-only */
/* What is printed of policies: whose rules they are, labels, defaults. */
#include "output/policy.h"

#include "policy_bench.h"

#define TEXT                                                              \
	"defaults:\n  mode: monitor\n  snp: deny\n  any: log\n"           \
	"policies:\n"                                                     \
	"- name: p\n  priority: 1\n  mode: enforce\n  unreadable: deny\n" \
	"  vms: {label: [prod, \"\\e[2J\"]}\n"                            \
	"  rules:\n  - log: shared\n  - allow: private\n"                 \
	"- {name: q, priority: 0, mode: monitor, unreadable: allow, rules: [kill: any]}\n"

static void test_all(void **state)
{
	_cleanup_(policies_free) struct policies *policies = good(TEXT);
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	policy_write_all(out, policies);
	fclose(out);
	assert_string_equal(text, "p  priority 1, enforce, 2 rules\n"
				  "        label prod \\x1b[2J\n"
				  "        what cannot be read: deny\n"
				  "    12: log shared\n"
				  "    13: allow private\n"
				  "q  priority 0, monitor, 1 rule\n"
				  "        what cannot be read: allow\n"
				  "    14: kill any\n"
				  "defaults  after all policies, monitor\n"
				  "     3: default for snp: deny\n"
				  "     4: default for any: log\n");
}

static char *effective_text(const struct policies *policies, bool json)
{
	_cleanup_free_ struct effective *effective = NULL;
	_cleanup_(vm_free) struct vm *vm = vm_new(1);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	vm->known = true;
	vm->type = KES_VM_SNP;
	strcpy(vm->text[KES_TEXT_NAME], "db-prod-1");
	assert_int_equal(policy_compile(&effective, policies, vm, NULL), 0);
	policy_write_effective(out, vm, effective, json);
	fclose(out);
	return text;
}

static void test_of_a_vm(void **state)
{
	_cleanup_(policies_free) struct policies *policies = good(TEXT);
	_cleanup_free_ char *text = effective_text(policies, false);
	_cleanup_free_ char *json = effective_text(policies, true);
	const char *lines = strchr(text, '\n');

	(void)state;
	assert_non_null(lines);
	assert_string_equal(lines + 1,
		"   1  log shared  (p, enforce, label prod \\x1b[2J, f:12)\n"
		"   2  allow private  (p, enforce, label prod \\x1b[2J, f:13)\n"
		"   3  kill any  (q, monitor, f:14)\n"
		"   4  default for snp: deny  (defaults, monitor, f:3)\n"
		"      else allow; what cannot be read: deny\n");
	assert_non_null(strstr(json, "\"labels\":[\"prod\",\"\\\\x1b[2J\"]"));
	assert_non_null(strstr(json, "\"rule\":\"default for snp: deny\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_of_a_vm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
