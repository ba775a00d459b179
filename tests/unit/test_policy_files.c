/* SPDX-License-Identifier: GPL-2.0-only */
/* Folders of policy files. */
#include "policy_bench.h"

#include <unistd.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_folder, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			test_errors_in_a_folder, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			test_as_many_files_as_there_may_be, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			test_defaults_in_a_folder, make_folder, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
