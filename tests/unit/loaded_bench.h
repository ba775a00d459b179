/* SPDX-License-Identifier: GPL-2.0-only */
/* The veto's tables without its programs, pinned in a file system that only this process sees; and
 * subcommands of `policy` that read them. */
#ifndef LOADED_BENCH_H
#define LOADED_BENCH_H

#include "policy_bench.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture/live_veto.h"
#include "cli/commands.h"

struct bench {
	bool works; /* else this host does not let us */
	struct veto_tables tables;
	int program; /* that uses them; -1: none */
	int status;  /* of the last command */
	char *output;
	struct error err;
};

/* ---- tables ---- */

static const struct {
	bool is_array;
	uint32_t key, value, n;
} bench_shapes[VETO_TABLES] = {
	[VETO_SETTINGS] = {true, 4, sizeof(struct kes_veto), 1},
	[VETO_TOTALS] = {true, 4, sizeof(struct kes_veto_totals), 1},
	[VETO_RULE_SETS] = {true, 4, sizeof(struct kes_rule_set), KES_MAX_SETS},
	[VETO_RULE_COUNTS] = {true, 4, sizeof(struct kes_rule_count), KES_MAX_SETS *KES_RULES},
	[VETO_FILES] = {true, 4, KES_TEXT_LIMIT, KES_FILES},
	[VETO_POLICED] = {false, 8, sizeof(struct kes_policed), 64},
	[VETO_FROZEN] = {false, 8, sizeof(struct kes_frozen), 64},
	[VETO_MONITORED] = {false, 8, sizeof(uint64_t), 64},
	[VETO_DENIALS] = {false, 8, sizeof(struct kes_denials), 64},
	[VETO_LABELS] = {false, 8, sizeof(struct kes_vm_label), 64},
	[VETO_BASELINES] = {false, 8, sizeof(uint64_t), 64},
	[VETO_STATES] = {false, sizeof(struct kes_state_key), sizeof(struct kes_state), 64},
	[VETO_LEAVES] = {false, sizeof(struct kes_leaf_key), sizeof(struct kes_leaf), 64},
	[VETO_FLIGHTS] = {false, sizeof(struct kes_flight_key), sizeof(struct kes_flight), 64},
	[VETO_NO_STATE] = {true, 4, sizeof(struct kes_state), 1},
	[VETO_NO_LEAF] = {true, 4, sizeof(struct kes_leaf), 1},
};

static inline void bench_pin(int fd, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), VETO_PINS "/%s", name);
	assert_return_code(bpf_obj_pin(fd, path), errno);
}

/* One that does nothing, but names a table. */
static inline int bench_program(int table)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_LD | BPF_DW | BPF_IMM,
			.dst_reg = BPF_REG_1,
			.src_reg = BPF_PSEUDO_MAP_FD,
			.imm = table},
		{},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "bench", "GPL", insns,
		sizeof(insns) / sizeof(insns[0]), NULL);
}

static inline void bench_make_tables(struct bench *bench)
{
	struct kes_veto settings = {.layout = KES_VETO_LAYOUT, .gate = 1, .freezing = 1};

	assert_return_code(mkdir(VETO_PINS, 0700), errno);
	for (int i = 0; i < VETO_TABLES; i++) {
		bench->tables.fd[i] = bpf_map_create(
			bench_shapes[i].is_array ? BPF_MAP_TYPE_ARRAY : BPF_MAP_TYPE_HASH, "bench",
			bench_shapes[i].key, bench_shapes[i].value, bench_shapes[i].n, NULL);
		assert_return_code(bench->tables.fd[i], errno);
		bench_pin(bench->tables.fd[i], veto_table_names[i]);
	}
	bench->program = bench_program(bench->tables.fd[VETO_SETTINGS]);
	assert_return_code(bench->program, errno);
	assert_int_equal(veto_write_settings(&bench->tables, &settings), 0);
}

/* As if a program was pinned, too. */
static inline void bench_keep(struct bench *bench)
{
	bench_pin(bench->program, "link_bench");
}

static inline void bench_end_program(struct bench *bench)
{
	if (bench->program >= 0)
		close(bench->program);
	bench->program = -1;
}

/* Each test has a file system of its own over that of the host. */
static int bench_setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	bench->program = -1;
	for (int i = 0; i < VETO_TABLES; i++)
		bench->tables.fd[i] = -1;
	bench->works = !geteuid() && !unshare(CLONE_NEWNS) &&
		       !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
		       !mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL);
	*state = bench;
	return 0;
}

static int bench_teardown(void **state)
{
	struct bench *bench = *state;

	if (bench->works)
		umount2("/sys/fs/bpf", MNT_DETACH);
	bench_end_program(bench);
	veto_tables_close(&bench->tables);
	free(bench->output);
	free(bench);
	return 0;
}

/* ---- VMs ---- */

/* A VMM that does nothing. */
static inline pid_t bench_vmm(void)
{
	pid_t pid = fork();

	if (!pid)
		for (;;)
			pause();
	return pid;
}

static inline void bench_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* As ps has it. */
static inline char bench_state(pid_t pid)
{
	char path[64], text[512] = {};
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	return strrchr(text, ')')[2];
}

/* It is not stopped: now, or in a moment. */
static inline void bench_goes_on(pid_t pid)
{
	for (int i = 0; i < 2000 && bench_state(pid) != 'S'; i++)
		usleep(1000);
	assert_int_equal(bench_state(pid), 'S');
}

static inline void bench_add_vm(struct bench *bench, uint64_t kvm, uint32_t id, pid_t pid,
	const char *name, struct kes_policed which)
{
	struct kes_vm_label label = {.vm = id, .pid = (uint32_t)pid};

	snprintf(label.name, sizeof(label.name), "%s", name);
	which.vm = id;
	assert_int_equal(veto_write_label(&bench->tables, kvm, &label), 0);
	assert_int_equal(
		bpf_map_update_elem(bench->tables.fd[VETO_POLICED], &kvm, &which, BPF_ANY), 0);
}

static inline void bench_set_frozen(struct bench *bench, uint64_t kvm, pid_t pid, bool resumed)
{
	struct kes_frozen frozen = {.since_ns = 1, .pid = (uint32_t)pid, .resumed = resumed};

	assert_int_equal(
		bpf_map_update_elem(bench->tables.fd[VETO_FROZEN], &kvm, &frozen, BPF_ANY), 0);
}

static inline void bench_set_shared(
	struct bench *bench, uint64_t kvm, uint32_t counting, uint64_t pages, bool reset)
{
	struct kes_state_key key = {.kvm = kvm, .asker = KES_BY_GUEST};
	_cleanup_free_ struct kes_state *state = calloc(1, sizeof(*state));

	state->policy.shared = pages;
	state->policy.memory = 0x20000;
	state->counted = counting;
	state->reset = reset;
	assert_int_equal(
		bpf_map_update_elem(bench->tables.fd[VETO_STATES], &key, state, BPF_ANY), 0);
}

/* The rules of a text, whose file has a number. */
static inline void bench_set_rules(
	struct bench *bench, uint32_t index, const char *text, uint8_t file, const char *path)
{
	_cleanup_(policies_free) struct policies *policies = good(text);
	_cleanup_free_ struct effective *effective = NULL;

	assert_int_equal(policy_compile_standard(&effective, policies, 0, NULL), 0);
	for (uint32_t i = 0; i < effective->set.n_rules; i++)
		effective->set.rules[i].file = file;
	assert_int_equal(veto_write_set(&bench->tables, index, &effective->set), 0);
	assert_int_equal(veto_write_file(&bench->tables, file, path), 0);
}

static inline void bench_set_count(
	struct bench *bench, uint32_t set, uint32_t rule, uint64_t decided, uint64_t monitored)
{
	struct kes_rule_count count = {decided, monitored};
	uint32_t at = set * KES_RULES + rule;

	assert_int_equal(
		bpf_map_update_elem(bench->tables.fd[VETO_RULE_COUNTS], &at, &count, BPF_ANY), 0);
}

/* ---- commands ---- */

/* "release db1": its words, behind `policy`. What it prints is in bench->output. */
static inline int bench_run(struct bench *bench, const char *line)
{
	char text[256], *words[8] = {(char *)"policy"}, *save = NULL;
	FILE *file = tmpfile();
	int before = dup(STDOUT_FILENO), n = 1;
	ssize_t got;

	snprintf(text, sizeof(text), "%s", line);
	for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save))
		words[n++] = word;
	fflush(stdout);
	dup2(fileno(file), STDOUT_FILENO);
	bench->err = (struct error){};
	bench->status = command_run(&command_policy, n, words, NULL, &bench->err);
	fflush(stdout);
	dup2(before, STDOUT_FILENO);
	close(before);
	free(bench->output);
	bench->output = calloc(1, 1 << 16);
	got = pread(fileno(file), bench->output, (1 << 16) - 1, 0);
	assert_true(got >= 0);
	fclose(file);
	return bench->status;
}

static inline void bench_good(struct bench *bench, const char *line, const char *output)
{
	if (bench_run(bench, line))
		fail_msg("%s: status %d, %s", line, bench->status, bench->err.text);
	assert_string_equal(bench->output, output);
}

static inline void bench_bad(struct bench *bench, const char *line, const char *text)
{
	assert_int_equal(bench_run(bench, line), EXIT_FAILED);
	assert_string_equal(bench->output, "");
	assert_string_equal(bench->err.text, text);
}

#endif
