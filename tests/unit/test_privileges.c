/* SPDX-License-Identifier: GPL-2.0-only */
/* What the daemon can do, and cannot do any more, once it has given up its privileges. Each look is
 * in a process of its own, since there is no way back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cap-ng.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "service/privileges.h"

#define NOT_DROPPED 99

/* How a process ends that does this afterwards; pagemaps: as told to privileges_drop(). */
static int afterwards_with(bool pagemaps, int (*look)(void))
{
	struct error err;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		_exit(privileges_drop(pagemaps, &err) ? NOT_DROPPED : look());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int afterwards(int (*look)(void))
{
	return afterwards_with(false, look);
}

static int do_execve(void)
{
	static char *const argv[] = {"true", NULL};

	execv("/bin/true", argv);
	return 1;
}

static int do_execveat(void)
{
	static char *const argv[] = {"true", NULL};

	syscall(SYS_execveat, AT_FDCWD, "/bin/true", argv, NULL, 0);
	return 1;
}

static void test_no_other_program(void **state)
{
	static int (*const ways[])(void) = {do_execve, do_execveat};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		int status = afterwards(ways[i]);

		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSYS);
	}
}

/* The number of the first one that is not refused; 0: all are. */
static int try_forbidden(void)
{
	const long calls[][4] = {
		{SYS_ptrace, PTRACE_TRACEME, 0, 0},
		{SYS_mount, 0, 0, 0},
		{SYS_unshare, CLONE_NEWNS, 0, 0},
		{SYS_setuid, 0, 0, 0},
		{SYS_fork, 0, 0, 0},
		{SYS_clone, SIGCHLD, 0, 0},
		{SYS_init_module, 0, 0, 0},
		{SYS_delete_module, 0, 0, 0},
		{SYS_kexec_load, 0, 0, 0},
		{SYS_process_vm_writev, 1, 0, 0},
		{SYS_perf_event_open, 0, 0, 0},
		{SYS_open_by_handle_at, 0, 0, 0},
		{SYS_chown, (long)"/", 0, 0},
		{SYS_setns, 0, 0, 0},
		{SYS_reboot, 0, 0, 0},
		{SYS_pivot_root, 0, 0, 0},
		{SYS_chroot, (long)"/", 0, 0},
		{SYS_io_uring_setup, 1, 0, 0},
		{SYS_userfaultfd, 0, 0, 0},
		{SYS_keyctl, 0, 0, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		errno = 0;
		if (syscall(calls[i][0], calls[i][1], calls[i][2], calls[i][3], 0, 0, 0) != -1 ||
			errno != EPERM)
			return (int)i + 1;
	}
	return 0;
}

static void test_forbidden_calls(void **state)
{
	(void)state;
	assert_int_equal(afterwards(try_forbidden), 0);
}

/* The first that passes the filter, or (passed) that does not; -1: none. The kernel finds fault
 * with all of them, but in other words: nothing is asked for. */
static int find_command(const int *commands, size_t n, bool passed)
{
	for (size_t i = 0; i < n; i++) {
		errno = 0;
		if (syscall(SYS_bpf, commands[i], NULL, 0) == -1 && (errno != EPERM) == passed)
			return commands[i];
	}
	return -1;
}

/* With CAP_BPF these would be a way to load more. */
static int try_loading(void)
{
	static const int commands[] = {BPF_MAP_CREATE, BPF_PROG_LOAD, BPF_BTF_LOAD, BPF_OBJ_PIN,
		BPF_PROG_ATTACH, BPF_PROG_TEST_RUN, BPF_LINK_UPDATE, BPF_ENABLE_STATS,
		BPF_PROG_BIND_MAP};

	return find_command(commands, ARRAY_SIZE(commands), true) + 1;
}

static int use_what_is_loaded(void)
{
	static const int commands[] = {BPF_MAP_LOOKUP_ELEM, BPF_MAP_UPDATE_ELEM,
		BPF_MAP_DELETE_ELEM, BPF_MAP_GET_NEXT_KEY, BPF_MAP_LOOKUP_BATCH, BPF_OBJ_GET,
		BPF_OBJ_GET_INFO_BY_FD, BPF_LINK_CREATE, BPF_RAW_TRACEPOINT_OPEN, BPF_ITER_CREATE};

	return find_command(commands, ARRAY_SIZE(commands), false) + 1;
}

static void test_bpf(void **state)
{
	(void)state;
	assert_int_equal(afterwards(try_loading), 0);
	assert_int_equal(afterwards(use_what_is_loaded), 0);
}

/* A journal of which files come and go is watched by inotify; journal_back.c opens it anew. */
static int read_journal(void)
{
	sd_journal *journal;

	if (sd_journal_open_directory(&journal, "/tmp", 0) < 0)
		return 1;
	if (sd_journal_get_fd(journal) < 0)
		return 2;
	if (sd_journal_process(journal) < 0)
		return 3;
	sd_journal_close(journal);
	return 0;
}

static int use_files(void)
{
	char path[] = "/tmp/kes-privileges.XXXXXX", other[64];
	int fd = mkstemp(path);

	snprintf(other, sizeof(other), "%s.new", path);
	if (fd < 0 || write(fd, "x", 1) != 1 || fdatasync(fd) || fsync(fd) || rename(path, other) ||
		unlink(other))
		return 1;
	close(fd);
	if (kill(getpid(), 0) || socket(AF_UNIX, SOCK_DGRAM, 0) < 0)
		return 2;
	return 0;
}

static void test_what_it_takes(void **state)
{
	(void)state;
	assert_int_equal(afterwards(read_journal), 0);
	assert_int_equal(afterwards(use_files), 0);
}

/* What /proc says of them, "CapEff" for one; all bits: it cannot be read. */
static uint64_t capabilities(const char *which)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/self/status", "re");
	uint64_t value = UINT64_MAX;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, which, strlen(which)))
			value = strtoull(line + strlen(which) + 1, NULL, 16);
	return value;
}

#define BIT(cap) (1ull << (cap))
#define KEPT     (BIT(CAP_BPF) | BIT(CAP_SYS_PTRACE) | BIT(CAP_KILL))
#define PAGEMAPS BIT(CAP_DAC_READ_SEARCH)

static uint64_t had; /* before */

/* Neither more nor less: of what there was. */
static int have_exactly(uint64_t kept)
{
	if (capabilities("CapEff") != (had & kept))
		return 1;
	if (capabilities("CapPrm") != (had & kept))
		return 2;
	if (capabilities("CapInh") || capabilities("CapAmb"))
		return 3;
	return had & BIT(CAP_SETPCAP) && capabilities("CapBnd") ? 4 : 0;
}

static int count_capabilities(void)
{
	return have_exactly(KEPT);
}

static int count_with_pagemaps(void)
{
	return have_exactly(KEPT | PAGEMAPS);
}

/* How it ends that has less than the daemon would keep. */
static int drop_with_one(void)
{
	struct error err;

	if (!freopen("/dev/null", "w", stderr)) /* what is missing is said */
		return 1;
	capng_clear(CAPNG_SELECT_BOTH);
	if (had & BIT(CAP_KILL))
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_KILL);
	if (capng_apply(CAPNG_SELECT_CAPS))
		return 2;
	if (privileges_drop(true, &err))
		return 3;
	return capabilities("CapEff") != (had & BIT(CAP_KILL)) ? 4 : 0;
}

static void test_capabilities(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	had = capabilities("CapEff");
	assert_int_equal(afterwards(count_capabilities), 0);
	assert_int_equal(afterwards_with(true, count_with_pagemaps), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(drop_with_one());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* ---- a VMM that is not root's ---- */

static pid_t other;

static pid_t start_other(void)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		close(ready[0]);
		/* As after an execve(): what /proc has of it is its own. */
		if (setgroups(0, NULL) || setgid(65534) || setuid(65534) ||
			prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static bool can_open(const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", other, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int reach_other(void)
{
	if (kill(other, SIGCONT))
		return 1;
	if (!can_open("cmdline"))
		return 2;
	/* The like of which hidepid= asks, whatever /proc is mounted with here. */
	return !can_open("auxv") && !can_open("maps") ? 3 : 0;
}

static int reach_its_pagemap(void)
{
	return can_open("pagemap") ? 0 : 1;
}

static void test_other_users(void **state)
{
	const uint64_t takes = BIT(CAP_SETUID) | BIT(CAP_SETGID) | KEPT | PAGEMAPS;

	(void)state;
	had = capabilities("CapEff");
	if ((had & takes) != takes)
		skip();
	other = start_other();
	assert_int_equal(afterwards(reach_other), 0);
	assert_int_equal(afterwards_with(true, reach_other), 0);
	assert_int_equal(afterwards_with(true, reach_its_pagemap), 0);
	assert_int_not_equal(afterwards(reach_its_pagemap), 0);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_other_program),
		cmocka_unit_test(test_forbidden_calls),
		cmocka_unit_test(test_what_it_takes),
		cmocka_unit_test(test_bpf),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_other_users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
