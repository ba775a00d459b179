/* SPDX-License-Identifier: GPL-2.0-only */
/* What is enforced in the kernel, read back and acted on: over tables that this test has made. */
#include "loaded_bench.h"

#define HAVE(bench)                                 \
	struct bench *bench = *state;               \
	if (!bench->works) {                        \
		skip(); /* not root, or the like */ \
		return;                             \
	}

#define RULES                                                                                  \
	"policies:\n- name: p\n  priority: 1\n  mode: enforce\n  rules:\n"                     \
	"  - {deny: shared, touches: [0x1000+8K, 0x3000+4K, 0x10000-0x1ffff], errno: EBUSY}\n" \
	"- {name: q, priority: 0, mode: monitor, rules: [{kill: any, by: vmm}]}\n"

static const struct kes_policed plain = {.set = 1, .serial = 4};
static const struct kes_policed counted = {.set = 2, .serial = 5, .counting = 9};

static void test_nothing(void **state)
{
	HAVE(bench);

	bench_bad(bench, "loaded", "nothing is enforced here");
	bench_bad(bench, "release", "nothing is kept here");
	bench_bad(bench, "release 1", "nothing is enforced here");
	bench_bad(bench, "freeze 1", "nothing is enforced here");
	bench_bad(bench, "baseline 1", "nothing is enforced here");
	bench_bad(bench, "mode 1 monitor", "nothing is enforced here");
}

static void test_no_file_system(void **state)
{
	HAVE(bench);

	umount2("/sys/fs/bpf", MNT_DETACH);
	assert_int_equal(mount("none", "/sys/fs/bpf", "tmpfs", 0, NULL), 0);
	bench_bad(bench, "loaded", "no BPF file system is mounted at /sys/fs/bpf");
	assert_string_equal(bench->err.advice, "mount -t bpf bpf /sys/fs/bpf");
	bench_bad(bench, "release", "nothing is kept here");
}

/* Two sets, of which one is for all VMs of a type; three VMs. */
static void fill(struct bench *bench)
{
	struct kes_veto settings = {.layout = KES_VETO_LAYOUT, .gate = 1, .freezing = 1};
	struct kes_veto_totals totals = {1, 2, 3, 4, 5, 6, 7, 8, 9};
	uint32_t zero = 0;
	uint64_t kvm = 30, baseline = 256;
	struct kes_denials denials = {12, 3};

	bench_make_tables(bench);
	settings.standard[KES_VM_SNP] = plain;
	settings.standard[KES_VM_TYPE_MAX] = plain;
	assert_int_equal(veto_write_settings(&bench->tables, &settings), 0);
	bpf_map_update_elem(bench->tables.fd[VETO_TOTALS], &zero, &totals, BPF_ANY);
	bench_set_rules(bench, 1, RULES, 7, "a\n.yaml");
	bench_set_rules(
		bench, 2, HEAD "  - {deny: shared, shared-over-baseline: 50%}\n", 8, "b.yaml");
	bench_set_count(bench, 1, 0, 12, 0);
	bench_set_count(bench, 1, 1, 0, 3);
	bench_add_vm(bench, 10, 2, 1002, "db\033[2J", plain);
	bench_add_vm(bench, 20, 1, 1001, "web", counted);
	bench_add_vm(bench, 30, 3, 1003, "web2", counted);
	bench_set_shared(bench, 20, 9, 512, false);
	bench_set_shared(bench, 30, 9, 512, true);
	bpf_map_update_elem(bench->tables.fd[VETO_BASELINES], &kvm, &baseline, BPF_ANY);
	bench_set_frozen(bench, 10, 1002, true);
	bench_set_frozen(bench, 40, 1004, false);
	bpf_map_update_elem(bench->tables.fd[VETO_DENIALS], &kvm, &denials, BPF_ANY);
	assert_int_equal(veto_monitor(&bench->tables, 30, true), 0);
}

static void expect(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no '%s' in:\n%s", part, text);
}

static void test_text(void **state)
{
	HAVE(bench);

	fill(bench);
	assert_int_equal(bench_run(bench, "loaded"), EXIT_DONE);
	expect(bench->output,
		"enforced: hypercalls (gate), the VMMs' ioctls; no kvm-encstat enforce runs\n"
		"  asked about  1 hypercalls, 2 changes of attributes\n"
		"  not asked    0\n"
		"  unreadable   5 refused, 4 passed\n"
		"  not counted  6 beyond what can be, 7 with the VM's account locked\n"
		"  replaced     8 after they were judged\n"
		"  kept out     3 entries of frozen VMs\n"
		"  leaves       9 of 16384\n"
		"\n"
		"VM 1 web  pid 1001: rule set 2, number 5; 2M shared, baseline 0, of 512M\n"
		"VM 2 db\\x1b[2J  pid 1002: rule set 1, number 4; FROZEN since ");
	expect(bench->output, "\nVM 3 web2  pid 1003: rule set 2, number 5; 0 shared, baseline 1M, "
			      "of 512M; refused "
			      "12; would have been refused 3; ONLY MONITORED\n"
			      "the VM of pid 1004: the rules of its type; FROZEN since ");
	expect(bench->output, ", its VMM is stopped, too\n");
	expect(bench->output,
		"\n\nrule set 1: any VM of type snp, other; VM 2 db\\x1b[2J\n"
		"         DECIDED   MONITORED  RULE\n"
		"   1          12           0  deny shared, touching 0x1000+0x3000, "
		"0x10000+0x10000, with EBUSY  (enforce, a\\x0a.yaml:6)\n"
		"   2           0           3  kill any, by the VMM  (monitor, a\\x0a.yaml:7)\n"
		"                              else allow; what cannot be read: deny\n"
		"\nrule set 2: VM 1 web, VM 3 web2\n"
		"         DECIDED   MONITORED  RULE\n"
		"   1           0           0  deny shared, more than 50% shared over the "
		"baseline  (enforce, b.yaml:6)\n"
		"                              else allow; what cannot be read: deny\n");
}

static void test_json(void **state)
{
	HAVE(bench);

	fill(bench);
	bench_keep(bench);
	assert_int_equal(bench_run(bench, "loaded --json"), EXIT_DONE);
	expect(bench->output, "{\"schema\":\"kvm-encstat.enforced/1\",\"ts_ns\":");
	expect(bench->output, ",\"gate\":true,\"kept\":true,\"totals\":{\"hypercalls\":1,"
			      "\"changes\":2,\"kept_out\":3,\"unreadable_refused\":5,"
			      "\"unreadable_passed\":4,\"beyond\":6,\"busy\":7,\"replaced\":8,"
			      "\"leaves\":9,\"missed\":0}");
	expect(bench->output, "\"standard\":[{\"type\":\"default\",\"set\":0,\"number\":0},");
	expect(bench->output, "{\"type\":\"other\",\"set\":1,\"number\":4}]");
	expect(bench->output, "{\"pid\":1001,\"id\":1,\"name\":\"web\",\"set\":2,\"number\":5,"
			      "\"shared_pages\":512,\"baseline_pages\":0,\"memory_pages\":131072,"
			      "\"refused\":0,\"spared\":0}");
	expect(bench->output, ",\"refused\":12,\"spared\":3,\"monitored\":true}");
	expect(bench->output, "{\"pid\":1002,\"id\":2,\"name\":\"db\\\\x1b[2J\",\"set\":1,"
			      "\"number\":4,\"refused\":0,\"spared\":0,\"frozen\":{\"since_ns\":1,"
			      "\"vmm_stopped\":false}}");
	expect(bench->output, "{\"pid\":1004,\"refused\":0,\"spared\":0,\"frozen\":{\"since_ns\":1,"
			      "\"vmm_stopped\":true}}");
	expect(bench->output,
		"\"sets\":[{\"set\":1,\"unreadable\":\"deny\",\"rules\":[{\"place\":0,\"mode\":"
		"\"enforce\",\"file\":\"a\\\\x0a.yaml\",\"line\":6,\"action\":\"deny\",\"rule\":"
		"\"deny shared, touching 0x1000+0x3000, 0x10000+0x10000, with EBUSY\",\"decided\":"
		"12,\"monitored\":0},");
}

/* Sets that nobody goes by any more: only if they have decided something. */
static void test_old_sets(void **state)
{
	HAVE(bench);

	bench_make_tables(bench);
	bench_set_rules(bench, 1, RULES, 0, "");
	bench_set_rules(bench, 2, RULES, 0, "");
	bench_set_count(bench, 2, 1, 0, 1);
	assert_int_equal(bench_run(bench, "loaded"), EXIT_DONE);
	assert_null(strstr(bench->output, "rule set 1"));
	expect(bench->output, "\nrule set 2: nobody now\n");
	expect(bench->output, "kill any, by the VMM  (monitor, line 7)\n");
}

/* One for all types, which many VMs go by, and which has no rules. */
static void test_one_for_all(void **state)
{
	HAVE(bench);
	struct kes_veto settings = {.layout = KES_VETO_LAYOUT};
	_cleanup_free_ struct kes_rule_set *set = calloc(1, sizeof(*set));
	char name[16];

	bench_make_tables(bench);
	for (int i = 0; i <= KES_VM_TYPE_MAX; i++)
		settings.standard[i] = plain;
	set->unreadable = -EPERM;
	assert_int_equal(veto_write_settings(&bench->tables, &settings), 0);
	assert_int_equal(veto_write_set(&bench->tables, 1, set), 0);
	for (uint32_t i = 1; i < 11; i++) {
		snprintf(name, sizeof(name), "vm-%u", i);
		bench_add_vm(bench, i, i, (pid_t)i, name, plain);
	}
	assert_int_equal(bench_run(bench, "loaded"), EXIT_DONE);
	expect(bench->output, "enforced: the VMMs' ioctls; no kvm-encstat enforce runs\n");
	expect(bench->output,
		"\nrule set 1: any VM; VM 1 vm-1, VM 2 vm-2, VM 3 vm-3, VM 4 vm-4, VM 5 vm-5, "
		"VM 6 vm-6, VM 7 vm-7, VM 8 vm-8 and 2 more\n"
		"                              else allow; what cannot be read: deny\n");
}

static void test_of_a_tool(void **state)
{
	HAVE(bench);
	char text[128];
	int lock;

	bench_make_tables(bench);
	lock = open(VETO_PINS, O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	assert_int_equal(veto_holder(), getpid());
	assert_int_equal(bench_run(bench, "loaded"), EXIT_DONE);
	snprintf(text, sizeof(text), "; by pid %d, which runs\n", getpid());
	expect(bench->output, text);
	bench_bad(bench, "release", "what is enforced belongs to a kvm-encstat that runs");
	snprintf(text, sizeof(text), "end that one: kill %d", getpid());
	assert_string_equal(bench->err.advice, text);
	bench_keep(bench);
	bench_run(bench, "release");
	strcat(text, "; then this once more");
	assert_string_equal(bench->err.advice, text);
	close(lock);
	assert_int_equal(veto_holder(), 0);
	bench_good(bench, "release", "nothing is enforced any more\n");
	assert_int_equal(access(VETO_PINS, F_OK), -1);
}

static void test_release_all(void **state)
{
	HAVE(bench);
	pid_t vmm = bench_vmm();

	bench_make_tables(bench);
	bench_keep(bench);
	kill(vmm, SIGSTOP);
	waitpid(vmm, NULL, WUNTRACED);
	bench_set_frozen(bench, 10, vmm, false);
	bench_good(bench, "release", "nothing is enforced any more\n1 frozen VM runs again\n");
	bench_goes_on(vmm);
	bench_bad(bench, "release", "nothing is kept here");
	bench_end(vmm);
}

static void test_release_one(void **state)
{
	HAVE(bench);
	pid_t vmm = bench_vmm();
	char line[64];

	bench_make_tables(bench);
	bench_add_vm(bench, 10, 1, vmm, "db one", plain);
	bench_add_vm(bench, 20, 2, 1002, "web", plain);
	kill(vmm, SIGSTOP);
	waitpid(vmm, NULL, WUNTRACED);
	bench_set_frozen(bench, 10, vmm, false);
	snprintf(line, sizeof(line), "release %d", vmm);
	bench_good(bench, line, "VM 1 db one runs again\n");
	bench_goes_on(vmm);
	bench_bad(bench, "release 1", "VM 1 db one is not frozen");
	bench_bad(bench, "release web", "VM 2 web is not frozen");
	bench_set_frozen(bench, 20, 1002, true);
	bench_good(bench, "release web", "VM 2 web runs again\n");
	bench_end(vmm);
	bench_set_frozen(bench, 10, vmm, false);
	snprintf(line, sizeof(line), "VM 1 db one is not frozen any more, but pid %d is gone", vmm);
	bench_bad(bench, "release 1", line);
	assert_false(veto_is_frozen(&bench->tables, 10));
}

static void test_which(void **state)
{
	HAVE(bench);

	bench_make_tables(bench);
	bench_bad(bench, "release x", "no VM 'x' is under policies: none is");
	bench_add_vm(bench, 10, 1, 7, "web", plain);
	bench_add_vm(bench, 20, 2, 3, "web", plain);
	bench_add_vm(bench, 30, 3, 9, "db\033", plain);
	bench_bad(bench, "release x",
		"no VM 'x' is under policies; there is: VM 1 web, VM 2 web, VM 3 db\\x1b");
	bench_bad(bench, "freeze web", "'web' may be any of several VMs: VM 1 web, VM 2 web");
	assert_string_equal(bench->err.advice,
		"kvm-encstat policy loaded shows the VMs; a VM is named by id, pid, or name");
	bench_bad(bench, "release 3", "VM 3 db\\x1b is not frozen"); /* and not by its pid */
	bench_bad(bench, "release 7", "VM 1 web is not frozen");
	bench_bad(bench, "release db\\x1b", "VM 3 db\\x1b is not frozen");
	bench_bad(bench, "release db\033", "VM 3 db\\x1b is not frozen");
	bench_bad(bench, "release 99999999999999999999",
		"no VM '99999999999999999999' is under policies; there is: VM 1 web, VM 2 web, VM "
		"3 db\\x1b");
}

static void test_freeze(void **state)
{
	HAVE(bench);
	pid_t vmm = bench_vmm();

	bench_make_tables(bench);
	bench_add_vm(bench, 10, 1, vmm, "db", plain);
	bench_add_vm(bench, 20, 2, 0, "lost", plain);
	bench_good(bench, "freeze db", "VM 1 db is frozen\n");
	assert_true(veto_is_frozen(&bench->tables, 10));
	bench_goes_on(vmm); /* its VMM does */
	bench_bad(bench, "freeze db", "VM 1 db is frozen already");
	assert_int_equal(veto_freeze(&bench->tables, 10, (uint32_t)vmm), 0);
	bench_goes_on(vmm);
	bench_good(bench, "release db", "VM 1 db runs again\n");
	bench_bad(bench, "freeze lost", "VM 2 lost: its VMM is not known");
	bench_end(vmm);
}

static void test_mode(void **state)
{
	HAVE(bench);

	bench_make_tables(bench);
	bench_add_vm(bench, 10, 1, 1001, "db", plain);
	bench_good(bench, "mode db monitor", "VM 1 db is only monitored\n");
	assert_true(veto_is_monitored(&bench->tables, 10));
	bench_good(bench, "mode 1 monitor", "VM 1 db is only monitored\n");
	bench_good(bench, "mode db enforce", "VM 1 db is under its rules as they are\n");
	assert_false(veto_is_monitored(&bench->tables, 10));
	bench_good(bench, "mode db enforce", "VM 1 db is under its rules as they are\n");
	bench_bad(bench, "mode web monitor", "no VM 'web' is under policies; there is: VM 1 db");
	assert_int_equal(bench_run(bench, "mode db off"), EXIT_USAGE);
	assert_string_equal(bench->err.text, "there is no mode 'off'");
}

static void test_baseline(void **state)
{
	HAVE(bench);
	uint64_t baseline;

	bench_make_tables(bench);
	bench_add_vm(bench, 10, 1, 1001, "db", counted);
	bench_add_vm(bench, 20, 2, 1002, "web", plain);
	bench_bad(bench, "baseline db", "VM 1 db: nothing of it was counted yet");
	bench_bad(bench, "baseline web", "VM 2 web: what it shares is not counted");
	bench_set_shared(bench, 10, 9, 0x4000, false);
	bench_good(bench, "baseline db", "VM 1 db: baseline 64M\n");
	assert_int_equal(veto_baseline(&bench->tables, 10, &baseline), 0);
	assert_int_equal(baseline, 0x4000);
	bench_set_shared(bench, 10, 9, 0x4000, true);
	bench_good(bench, "baseline 1", "VM 1 db: baseline 0\n");
}

/* Its tool was killed, and had not kept anything. */
static void test_leftover(void **state)
{
	HAVE(bench);
	pid_t vmm = bench_vmm();

	bench_make_tables(bench);
	bench_add_vm(bench, 10, 1, vmm, "db", plain);
	bench_add_vm(bench, 20, 2, 1002, "web", plain);
	bench_set_frozen(bench, 10, vmm, true);
	bench_set_frozen(bench, 20, 1002, true);
	bench_end_program(bench);
	bench_bad(bench, "loaded",
		"nothing is enforced here: these tables are what a kvm-encstat left that was "
		"killed");
	bench_run(bench, "freeze db");
	assert_int_equal(bench->status, EXIT_FAILED);
	bench_good(bench, "release db", "VM 1 db runs again\n");
	bench_good(bench, "release",
		"nothing was enforced; what a kvm-encstat left that was killed is removed\n"
		"1 frozen VM runs again\n");
	bench_bad(bench, "loaded", "nothing is enforced here");
	bench_end(vmm);
}

static void test_other_version(void **state)
{
	HAVE(bench);
	struct kes_veto settings = {.layout = KES_VETO_LAYOUT + 1};
	static const char says[] = "what is enforced belongs to another version of kvm-encstat";

	bench_make_tables(bench);
	bench_keep(bench);
	assert_int_equal(veto_write_settings(&bench->tables, &settings), 0);
	bench_bad(bench, "loaded", says);
	bench_bad(bench, "release 1", says);
	unlink(VETO_PINS "/states"); /* it has no such table */
	bench_bad(bench, "loaded", says);
	bench_good(bench, "release",
		"nothing is enforced any more\n"
		"it was another version's: a VMM that it has stopped goes on with SIGCONT\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing),
		TEST(test_no_file_system),
		TEST(test_text),
		TEST(test_json),
		TEST(test_old_sets),
		TEST(test_one_for_all),
		TEST(test_of_a_tool),
		TEST(test_release_all),
		TEST(test_release_one),
		TEST(test_which),
		TEST(test_freeze),
		TEST(test_mode),
		TEST(test_baseline),
		TEST(test_leftover),
		TEST(test_other_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
