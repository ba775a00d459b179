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
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "service/privileges.h"

#define NOT_DROPPED 99

/* How a process ends that does this afterwards. */
static int afterwards(int (*look)(void))
{
	struct error err;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		_exit(privileges_drop(&err) ? NOT_DROPPED : look());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
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
#define KEPT     (BIT(CAP_BPF) | BIT(CAP_PERFMON) | BIT(CAP_SYS_PTRACE) | BIT(CAP_KILL))

static int count_capabilities(void)
{
	return ((capabilities("CapEff") | capabilities("CapPrm")) & ~KEPT) != 0;
}

/* How it ends that has less than the daemon would keep. */
static int drop_with_one(void)
{
	struct error err;

	if (!freopen("/dev/null", "w", stderr)) /* what is missing is said */
		return 1;
	capng_clear(CAPNG_SELECT_BOTH);
	if (!getuid())
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_KILL);
	if (capng_apply(CAPNG_SELECT_CAPS))
		return 2;
	if (privileges_drop(&err))
		return 3;
	if (count_capabilities())
		return 4;
	return !getuid() && capabilities("CapEff") != BIT(CAP_KILL) ? 5 : 0;
}

static void test_capabilities(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(afterwards(count_capabilities), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(drop_with_one());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_other_program),
		cmocka_unit_test(test_forbidden_calls),
		cmocka_unit_test(test_what_it_takes),
		cmocka_unit_test(test_capabilities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
