/* SPDX-License-Identifier: GPL-2.0-only */
/* Which VMs a policy is about. */
#include "policy_bench.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_selection),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_selection_of_what_is_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
