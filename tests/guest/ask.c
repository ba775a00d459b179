// SPDX-License-Identifier: GPL-2.0-only
#include "ask.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kvm_new.h"

/* arch/x86/entry/syscalls/syscall_32.tbl */
#define IA32_GETPID 20
#define IA32_IOCTL  54

static struct new_memory_attributes argument_of(const struct attributes *call)
{
	return (struct new_memory_attributes){
		.address = call->gpa,
		.size = call->size,
		.attributes = call->private ? NEW_MEMORY_ATTRIBUTE_PRIVATE : 0,
		.flags = call->flags,
	};
}

int ask_kvm_with(int fd, const void *argument)
{
	return ioctl(fd, NEW_SET_MEMORY_ATTRIBUTES, argument) ? -errno : 0;
}

/* What FUNCTION returns, 0..255, in a process of its own; -1 if there was none, or it was killed.
 */
static int in_child(int (*function)(const void *data), const void *data)
{
	pid_t child = fork();
	int status;

	if (!child)
		_exit(function(data));
	if (child < 0)
		return -1;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- an argument that is not there yet ---------------------------------------------------------
 */

static long faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

/* Takes the page from the page tables; the file keeps it. Whoever reads it takes a fault, then: 0;
 * is that so? */
static int drop(void *page)
{
	long before;

	if (madvise(page, GUEST_PAGE_SIZE, MADV_DONTNEED))
		return -1;
	before = faults();
	(void)*(volatile uint8_t *)page;
	return faults() == before ? -1 : madvise(page, GUEST_PAGE_SIZE, MADV_DONTNEED);
}

static int ask_absent(int fd, const struct attributes *call)
{
	int file = memfd_create("argument", MFD_CLOEXEC), err = ASK_NO_ARGUMENT;
	struct new_memory_attributes *page;

	if (file < 0)
		return ASK_NO_ARGUMENT;
	if (ftruncate(file, GUEST_PAGE_SIZE))
		goto close_file;
	page = mmap(NULL, GUEST_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (page == MAP_FAILED)
		goto close_file;
	*page = argument_of(call);
	if (!drop(page))
		err = ask_kvm_with(fd, page);
	munmap(page, GUEST_PAGE_SIZE);
close_file:
	close(file);
	return err;
}

/* ---- 32-bit system calls -----------------------------------------------------------------------
 */

static int ia32_call(long number, long a, long b, long c)
{
	long ret;

	/* Older kernels leave nothing in these registers. */
	asm volatile("int $0x80"
		     : "=a"(ret)
		     : "a"(number), "b"(a), "c"(b), "d"(c)
		     : "memory", "r8", "r9", "r10", "r11");
	return (int)ret;
}

static void leave(int signal)
{
	_exit(signal);
}

/* Without them, it is a general protection fault. */
static int try_ia32(const void *data)
{
	(void)data;
	signal(SIGSEGV, leave);
	return ia32_call(IA32_GETPID, 0, 0, 0) != getpid();
}

static bool has_ia32;

static void look_for_ia32(void)
{
	has_ia32 = !in_child(try_ia32, NULL);
}

static int ask_compat(int fd, const struct attributes *call)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT;
	struct new_memory_attributes *page;
	int err;

	pthread_once(&once, look_for_ia32);
	if (!has_ia32)
		return ASK_NO_IA32;
	page = mmap(NULL, GUEST_PAGE_SIZE, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (page == MAP_FAILED)
		return ASK_NO_ARGUMENT;
	*page = argument_of(call);
	err = ia32_call(IA32_IOCTL, fd, NEW_SET_MEMORY_ATTRIBUTES, (long)page);
	munmap(page, GUEST_PAGE_SIZE);
	return err;
}

/* ---- all of them -------------------------------------------------------------------------------
 */

int ask_kvm(int fd, const struct attributes *call)
{
	struct new_memory_attributes argument = argument_of(call);

	switch (call->argument) {
	case ARGUMENT_ABSENT:
		return ask_absent(fd, call);
	case ARGUMENT_BAD:
		return ask_kvm_with(
			fd, (const void *)sizeof(argument)); /* nothing is mapped so low */
	case ARGUMENT_COMPAT:
		return ask_compat(fd, call);
	default:
		return ask_kvm_with(fd, &argument);
	}
}

struct foreign {
	int fd;
	const struct attributes *call;
};

static int try_foreign(const void *data)
{
	const struct foreign *foreign = data;

	return -ask_kvm(foreign->fd, foreign->call);
}

int ask_kvm_foreign(int fd, const struct attributes *call)
{
	struct foreign foreign = {fd, call};
	int err = in_child(try_foreign, &foreign);

	return err < 0 ? -ECHILD : -err;
}
