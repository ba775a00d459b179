/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the daemon costs where nothing happens: real VMs, a process each, whose vCPUs wait in KVM
 * for an interrupt that never comes. Beside it, over the same seconds: a process that does nothing
 * but look at an empty ring 20 times a second, and, where there is one, bpftrace that counts exits.
 *
 *   idle ENCSTAT DIRECTORY [SECONDS]
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "bench.h"

#define VMS      200
#define SECONDS  60
#define SETTLE_S 5 /* after the daemon is there: names, memory, state of the new VMs */
#define PEER_MS  50
#define MEMORY   (16u << 20)
#define HALT_AT  0x1000
#define READY_S  120

/* ---- the VMs ---- */

/* One that halts at once, in KVM: with its own interrupt controller it never comes back. */
static void be_a_vm(int told)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm, vcpu;
	uint8_t *memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct kvm_userspace_memory_region region = {
		.memory_size = MEMORY, .userspace_addr = (uintptr_t)memory};
	struct kvm_regs regs = {.rip = HALT_AT, .rflags = 2};
	struct kvm_sregs sregs;

	must(kvm >= 0 && memory != MAP_FAILED, "/dev/kvm");
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	must(vm >= 0, "KVM makes no VMs");
	must(!ioctl(vm, KVM_CREATE_IRQCHIP, 0), "an interrupt controller");
	must(!ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "memory");
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	must(vcpu >= 0 && !ioctl(vcpu, KVM_GET_SREGS, &sregs), "a vCPU");
	memory[HALT_AT] = 0xf4; /* hlt */
	sregs.cs.base = sregs.cs.selector = 0;
	must(!ioctl(vcpu, KVM_SET_SREGS, &sregs) && !ioctl(vcpu, KVM_SET_REGS, &regs),
		"a vCPU's registers");
	must(write(told, "", 1) == 1, "telling");
	ioctl(vcpu, KVM_RUN, 0);
	must(false, "a guest that should wait has come back");
}

static pid_t children[VMS + 4];
static size_t n_children;

static pid_t start_child(void)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	must(pid >= 0, "fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		return 0;
	}
	children[n_children++] = pid;
	return pid;
}

static void end_children(void)
{
	for (size_t i = 0; i < n_children; i++)
		kill(children[i], SIGKILL);
	while (n_children)
		waitpid(children[--n_children], NULL, 0);
}

static void start_vms(void)
{
	int told[2];
	char byte;

	must(!pipe(told), "pipe");
	for (int i = 0; i < VMS; i++)
		if (!start_child())
			be_a_vm(told[1]);
	for (int i = 0; i < VMS; i++)
		must(read(told[0], &byte, 1) == 1, "a VM's word");
}

/* ---- the daemon, and its peers ---- */

static char path[512];

static const char *in_directory(const char *directory, const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static bool answers(const char *directory)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool there;

	snprintf(address.sun_path, sizeof(address.sun_path), "%.90s/socket", directory);
	there = !connect(fd, (const struct sockaddr *)&address, sizeof(address));
	close(fd);
	return there;
}

static pid_t start_daemon(const char *encstat, const char *directory)
{
	FILE *config = fopen(in_directory(directory, "daemon.yaml"), "we");
	pid_t pid;

	must(config, path);
	fprintf(config,
		"daemon: {state_dir: %s/state, socket: %s/socket}\naudit: {to: file, "
		"file: %s/audit.log}\n",
		directory, directory, directory);
	fclose(config);
	pid = start_child();
	if (!pid) {
		execl(encstat, encstat, "daemon", "--config", path, NULL);
		_exit(127);
	}
	for (int i = 0; !answers(directory); i++) {
		must(i < READY_S * 100 && !waitpid(pid, NULL, WNOHANG), "the daemon fails");
		usleep(10000);
	}
	return pid;
}

static int ignore(void *context, void *data, size_t size)
{
	(void)context;
	(void)data;
	(void)size;
	return 0;
}

/* Waits for an empty ring, as readers do that are never woken. */
static pid_t start_looker(void)
{
	pid_t pid = start_child();
	struct ring_buffer *ring;
	int map;

	if (pid)
		return pid;
	map = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "bench_ring", 0, 0, 4096, NULL);
	ring = ring_buffer__new(map, ignore, NULL, NULL);
	must(ring, "a ring");
	while (ring_buffer__poll(ring, PEER_MS) >= 0)
		;
	_exit(1);
}

static pid_t start_bpftrace(void)
{
	pid_t pid = start_child();
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (pid) {
		close(null);
		return pid;
	}
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	execlp("bpftrace", "bpftrace", "-e",
		"tracepoint:kvm:kvm_userspace_exit { @[args->reason] = count(); }", NULL);
	_exit(127);
}

/* ---- what they take ---- */

struct usage {
	double cpu_s;
	uint64_t wakeups;
	double resident_kb;
};

static double status_of(pid_t pid, const char *key)
{
	char line[256], name[64];
	double value = 0;
	FILE *file;

	snprintf(name, sizeof(name), "/proc/%d/status", pid);
	file = fopen(name, "re");
	must(file, name);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, key, strlen(key)))
			value = strtod(line + strlen(key), NULL);
	fclose(file);
	return value;
}

/* Its threads' time on a CPU, by the scheduler, which counts in nanoseconds. */
static double cpu_of(pid_t pid)
{
	char name[64];
	unsigned long long ns;
	struct dirent *entry;
	double total = 0;
	DIR *threads;
	FILE *file;

	snprintf(name, sizeof(name), "/proc/%d/task", pid);
	threads = opendir(name);
	must(threads, name);
	while ((entry = readdir(threads))) {
		if (*entry->d_name == '.')
			continue;
		snprintf(name, sizeof(name), "/proc/%d/task/%.16s/schedstat", pid, entry->d_name);
		file = fopen(name, "re");
		if (!file)
			continue; /* it has ended */
		if (fscanf(file, "%llu", &ns) == 1)
			total += (double)ns / 1e9;
		fclose(file);
	}
	closedir(threads);
	return total;
}

static struct usage usage_of(pid_t pid)
{
	return (struct usage){
		.cpu_s = cpu_of(pid),
		.wakeups = (uint64_t)status_of(pid, "voluntary_ctxt_switches:"),
		.resident_kb = status_of(pid, "VmRSS:"),
	};
}

static void print(const char *name, const char *what, double value, const char *unit)
{
	char key[64];

	snprintf(key, sizeof(key), "idle.%s%s", name, what);
	figure(key, value, unit);
}

static void print_usage(const char *name, struct usage from, struct usage to, unsigned seconds)
{
	print(name, "cpu", (to.cpu_s - from.cpu_s) / seconds * 100, "percent");
	print(name, "wakeups", (double)(to.wakeups - from.wakeups) / seconds, "1/s");
	print(name, "resident", to.resident_kb, "kB");
}

int main(int argc, char **argv)
{
	static const char *const names[] = {"", "looker_", "bpftrace_"};
	unsigned seconds = argc > 3 ? (unsigned)atoi(argv[3]) : SECONDS;
	struct usage from[3], to[3];
	pid_t pids[3];

	must(argc >= 3 && seconds, "idle ENCSTAT DIRECTORY [SECONDS]");
	mount_tracing();
	start_vms();
	pids[0] = start_daemon(argv[1], argv[2]);
	pids[1] = start_looker();
	pids[2] = start_bpftrace();
	sleep(SETTLE_S);
	for (int i = 0; i < 3; i++)
		if (!waitpid(pids[i], NULL, WNOHANG))
			from[i] = usage_of(pids[i]);
		else
			pids[i] = 0;
	must(pids[0] && pids[1], "the daemon or its peer has ended");
	sleep(seconds);
	for (int i = 0; i < 3; i++)
		if (pids[i])
			to[i] = usage_of(pids[i]);
	printf("%d VMs that wait, for %u seconds\n", VMS, seconds);
	for (int i = 0; i < 3; i++)
		if (pids[i])
			print_usage(names[i], from[i], to[i], seconds);
	print("", "of_looker", (to[0].cpu_s - from[0].cpu_s) / (to[1].cpu_s - from[1].cpu_s),
		"times");
	end_children();
	return EXIT_SUCCESS;
}
