/* SPDX-License-Identifier: GPL-2.0-only */
#include "service/privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/cleanup.h"
#include "base/log.h"

/* ---- capabilities ---- */

/* Each was tried without. To read and write the kernel's tables, and to attach what is loaded,
 * takes their descriptors and, since Linux 5.19, no capability, whatever
 * kernel.unprivileged_bpf_disabled says. */
static const struct {
	unsigned int capability;
	bool pagemaps; /* for those only */
	const char *name, *reason;
} kept[] = {
	{CAP_BPF, false, "CAP_BPF",
		"hooks that come and go while other programs' code has used up the kernel's memory "
		"for it (net.core.bpf_jit_limit), which any user can bring about: the kernel then "
		"does not attach, and complains of itself when one is taken away"},
	{CAP_SYS_PTRACE, false, "CAP_SYS_PTRACE",
		"what /proc says of VMMs that are not root's: their names and threads where it is "
		"mounted with hidepid=, and their pagemap"},
	{CAP_DAC_READ_SEARCH, true, "CAP_DAC_READ_SEARCH",
		"the pagemap of VMMs that are not root's, a file of their own, which tells what "
		"memory a VM has twice"},
	{CAP_KILL, false, "CAP_KILL",
		"VMMs that are not root's: those that are frozen go on without their vCPUs, and "
		"policies may kill"},
};

/* A unit may give less: the daemon goes on with what it has, and what will be missing is said. */
static unsigned int find_kept(bool pagemaps)
{
	unsigned int found = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		if (kept[i].pagemaps && !pagemaps)
			continue;
		if (capng_have_capability(CAPNG_PERMITTED, kept[i].capability))
			found |= 1u << i;
		else
			log_line(LOG_WARNING, "there is no %s here, which is for %s", kept[i].name,
				kept[i].reason);
	}
	return found;
}

/* The bounding set takes a capability of its own to change, which the unit may not give; nothing
 * is ever executed, so that it does not matter. */
static int drop_capabilities(bool pagemaps, struct error *err)
{
	bool bounds = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	unsigned int found = find_kept(pagemaps);

	capng_clear(CAPNG_SELECT_BOTH);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (found & 1u << i && capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED,
					       kept[i].capability))
			return error_set(err, -EINVAL, "this libcap-ng does not know capability %u",
				kept[i].capability);
	if (capng_apply(bounds ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS))
		return error_set(err, -EPERM, "giving up capabilities failed");
	return 0;
}

/* ---- system calls ---- */

#define CALL(name) SCMP_SYS(name)

static const int calls[] = {
	/* what KVM is asked for, and pagemaps */
	CALL(ioctl),
	/* waiting */
	CALL(epoll_create1),
	CALL(epoll_ctl),
	CALL(epoll_wait),
	CALL(epoll_pwait),
	CALL(epoll_pwait2),
	CALL(poll),
	CALL(ppoll),
	CALL(eventfd2),
	CALL(signalfd4),
	CALL(timerfd_create),
	CALL(timerfd_settime),
	CALL(timerfd_gettime),
	CALL(nanosleep),
	CALL(clock_nanosleep),
	CALL(restart_syscall),
	/* files: configuration, policies, state, /proc */
	CALL(open),
	CALL(openat),
	CALL(close),
	CALL(read),
	CALL(readv),
	CALL(pread64),
	CALL(write),
	CALL(writev),
	CALL(pwrite64),
	CALL(lseek),
	CALL(stat),
	CALL(fstat),
	CALL(lstat),
	CALL(newfstatat),
	CALL(statx),
	CALL(statfs),
	CALL(fstatfs),
	CALL(access),
	CALL(faccessat),
	CALL(faccessat2),
	CALL(readlink),
	CALL(readlinkat),
	CALL(getdents64),
	CALL(fcntl),
	CALL(flock),
	CALL(fsync),
	CALL(fdatasync),
	CALL(ftruncate),
	CALL(fallocate),
	CALL(fadvise64),
	CALL(fchmod),
	CALL(fchmodat),
	CALL(umask),
	CALL(mkdir),
	CALL(mkdirat),
	CALL(rmdir),
	CALL(rename),
	CALL(renameat),
	CALL(renameat2),
	CALL(link),
	CALL(linkat),
	CALL(unlink),
	CALL(unlinkat),
	CALL(pipe2),
	/* the journal is read back, whose files come and go */
	CALL(inotify_init1),
	CALL(inotify_add_watch),
	CALL(inotify_rm_watch),
	CALL(dup),
	CALL(dup2),
	CALL(dup3),
	CALL(memfd_create),
	/* memory */
	CALL(brk),
	CALL(mmap),
	CALL(munmap),
	CALL(mremap),
	CALL(mprotect),
	CALL(madvise),
	/* clients, journald, the service manager */
	CALL(socket),
	CALL(socketpair),
	CALL(bind),
	CALL(listen),
	CALL(accept),
	CALL(accept4),
	CALL(connect),
	CALL(shutdown),
	CALL(getsockname),
	CALL(getpeername),
	CALL(getsockopt),
	CALL(setsockopt),
	CALL(sendto),
	CALL(sendmsg),
	CALL(sendmmsg),
	CALL(recvfrom),
	CALL(recvmsg),
	CALL(recvmmsg),
	/* VMMs */
	CALL(kill),
	CALL(pidfd_open),
	CALL(pidfd_send_signal),
	/* ourselves */
	CALL(rt_sigaction),
	CALL(rt_sigprocmask),
	CALL(rt_sigreturn),
	CALL(rt_sigtimedwait),
	CALL(sigaltstack),
	CALL(tgkill),
	CALL(wait4),
	CALL(waitid),
	CALL(futex),
	CALL(sched_yield),
	CALL(sched_getaffinity),
	CALL(getpid),
	CALL(gettid),
	CALL(getppid),
	CALL(getuid),
	CALL(geteuid),
	CALL(getgid),
	CALL(getegid),
	CALL(getrandom),
	CALL(getrusage),
	CALL(getrlimit),
	CALL(prlimit64),
	CALL(clock_gettime),
	CALL(clock_getres),
	CALL(gettimeofday),
	CALL(time),
	CALL(times),
	CALL(uname),
	CALL(sysinfo),
	CALL(prctl),
	CALL(exit),
	CALL(exit_group),
};

/* Of bpf(2): tables, what tells of them, and attaching what was loaded before; nothing is loaded
 * any more. Numbers of programs want CAP_SYS_ADMIN, which the kernel says by itself. */
static const enum bpf_cmd bpf_commands[] = {
	BPF_MAP_LOOKUP_ELEM,
	BPF_MAP_LOOKUP_BATCH,
	BPF_MAP_UPDATE_ELEM,
	BPF_MAP_DELETE_ELEM,
	BPF_MAP_GET_NEXT_KEY,
	BPF_OBJ_GET,
	BPF_OBJ_GET_INFO_BY_FD,
	BPF_PROG_GET_NEXT_ID,
	BPF_LINK_CREATE,
	BPF_RAW_TRACEPOINT_OPEN,
	BPF_ITER_CREATE,
};

/* Whatever is not in the list fails with EPERM, and the kernel logs it: the daemon is worth more
 * than its death when a library does something new. To become another program is never that. */
static int fill(scmp_filter_ctx filter)
{
	int r = 0;

	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1); /* since Linux 4.14 */
	for (size_t i = 0; i < ARRAY_SIZE(calls) && !r; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	for (size_t i = 0; i < ARRAY_SIZE(bpf_commands) && !r; i++) {
		const struct scmp_arg_cmp command = {
			.op = SCMP_CMP_EQ, .datum_a = (uint32_t)bpf_commands[i]};

		r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(bpf), 1, &command);
	}
	if (!r)
		r = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(execve), 0);
	if (!r)
		r = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(execveat), 0);
	return r;
}

/* As seccomp(2) says how to ask: a filter that is nowhere cannot be read. */
static bool can_filter(void)
{
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0) && errno == EFAULT;
}

static int filter_calls(struct error *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = filter ? fill(filter) : -ENOMEM;

	if (!r)
		r = seccomp_load(filter);
	if (filter)
		seccomp_release(filter);
	return r ? error_set(err, r, "filtering system calls failed: %s", strerror(-r)) : 0;
}

int privileges_drop(bool pagemaps, struct error *err)
{
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return error_set(
			err, -errno, "giving up new privileges failed: %s", strerror(errno));
	r = drop_capabilities(pagemaps, err);
	if (r || can_filter())
		return r ? r : filter_calls(err);
	log_line(LOG_WARNING, "this kernel has no filters of system calls (CONFIG_SECCOMP_FILTER): "
			      "the daemon goes on without");
	return 0;
}
