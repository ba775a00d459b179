/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one exit to user space costs while kvm-encstat watches, from the kernel's own account of BPF
 * run time, beside two peers that are attached to the same exits: a program that only bumps a
 * counter, and bpftrace with a count per exit reason. Who is attached first pays for the cold
 * caches, so all orders are gone through.
 *
 *   exits KVM-ENCSTAT GUEST DIRECTORY
 */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "base/cleanup.h"
#include "bench.h"
#include "bench/exits.skel.h"

#define EXITS        100000 /* of each measured guest */
#define PROBE_EXITS  100
#define PROBES       100 /* guests until all have fired, at most */
#define MAX_PROGRAMS 64
#define RETRIES      5 /* of a round that other people's VMs disturbed */

enum who { ENCSTAT, PEER, BPFTRACE, WHO };

static const int orders[][WHO] = {
	{ENCSTAT, PEER, BPFTRACE},
	{PEER, BPFTRACE, ENCSTAT},
	{BPFTRACE, ENCSTAT, PEER},
	{ENCSTAT, BPFTRACE, PEER},
	{PEER, ENCSTAT, BPFTRACE},
	{BPFTRACE, PEER, ENCSTAT},
};
#define ROUNDS ARRAY_SIZE(orders)

static const char *encstat, *guest, *directory;
static char capture[512];

struct watcher {
	pid_t pid;
	struct exits *peer;
};

/* ---- processes ---- */

static pid_t start(const char *const argv[])
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	must(pid >= 0, "fork");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	must(freopen("/dev/null", "w", stdout) && freopen("/dev/null", "w", stderr), "/dev/null");
	execvp(argv[0], (char *const *)argv);
	_exit(127);
}

static void stop(pid_t pid)
{
	kill(pid, SIGINT);
	waitpid(pid, NULL, 0);
}

static void run_guest(unsigned exits)
{
	char script[512];
	const char *argv[] = {"timeout", "-s", "KILL", "60", guest, script, NULL};
	FILE *file;
	int status;

	snprintf(script, sizeof(script), "%s/exits.guest", directory);
	file = fopen(script, "we");
	must(file, script);
	fprintf(file, "vm memory=4M mode=real hypercalls=off\nvcpu 0\nout %u\n", exits);
	must(!fclose(file), script);
	must(waitpid(start(argv), &status, 0) > 0 && !status, "the guest failed");
}

/* ---- programs by their owner ---- */

/* The programs that process pid has file descriptors of. */
static size_t programs_of(pid_t pid, uint32_t ids[MAX_PROGRAMS])
{
	char path[64 + 256], line[128];
	struct dirent *entry;
	size_t n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		_cleanup_fclose_ FILE *file = NULL;
		unsigned id;

		snprintf(path, sizeof(path), "/proc/%d/fdinfo/%s", pid, entry->d_name);
		file = fopen(path, "re");
		while (file && fgets(line, sizeof(line), file)) {
			bool known = sscanf(line, "prog_id: %u", &id) != 1;

			for (size_t i = 0; i < n && !known; i++)
				known = ids[i] == id;
			if (!known && n < MAX_PROGRAMS)
				ids[n++] = id;
		}
	}
	if (dir)
		closedir(dir);
	return n;
}

/* All programs of a watcher together. */
static struct runs runs_of(const struct watcher *watcher)
{
	uint32_t ids[MAX_PROGRAMS];
	struct runs runs = {0};
	size_t n;

	if (watcher->peer) {
		runs_add(&runs, bpf_program__fd(watcher->peer->progs.bump));
		return runs;
	}
	n = programs_of(watcher->pid, ids);
	for (size_t i = 0; i < n; i++) {
		_cleanup_close_ int fd = bpf_prog_get_fd_by_id(ids[i]);

		if (fd >= 0)
			runs_add(&runs, fd);
	}
	return runs;
}

/* ---- a round ---- */

static void start_watcher(struct watcher *watcher, enum who who, bool answers)
{
	/* With a command, answers are hooked at once. */
	const char *record[] = {encstat, "record", "-f", "-o", capture, answers ? "--" : NULL,
		"sleep", "300", NULL};
	const char *bpftrace[] = {"bpftrace", "-e",
		"tracepoint:kvm:kvm_userspace_exit { @[args->reason] = count(); }", NULL};

	*watcher = (struct watcher){0};
	if (who == PEER) {
		watcher->peer = exits__open_and_load();
		must(watcher->peer && !exits__attach(watcher->peer), "loading the peer");
	} else {
		watcher->pid = start(who == ENCSTAT ? record : bpftrace);
	}
	for (int i = 0; i < PROBES; i++) { /* an attach that succeeds proves nothing */
		run_guest(PROBE_EXITS);
		if (runs_of(watcher).count >= PROBE_EXITS)
			return;
		usleep(50000);
	}
	must(false, who == ENCSTAT ? "kvm-encstat sees no exits" : "bpftrace sees no exits");
}

static void stop_watcher(struct watcher *watcher)
{
	if (watcher->peer)
		exits__destroy(watcher->peer);
	else
		stop(watcher->pid);
}

/* ns per exit of each, and how often kvm-encstat's programs ran per exit. */
static double round_of(const int order[WHO], bool answers, double ret_ns[WHO])
{
	struct watcher watchers[WHO];
	struct runs before[WHO], after[WHO];
	double exits;

	for (int i = 0; i < WHO; i++)
		start_watcher(&watchers[order[i]], order[i], answers);
	for (int i = 0; i < WHO; i++)
		before[i] = runs_of(&watchers[i]);
	run_guest(EXITS);
	for (int i = 0; i < WHO; i++)
		after[i] = runs_of(&watchers[i]);
	for (int i = 0; i < WHO; i++)
		stop_watcher(&watchers[order[i]]);
	exits = (double)(after[PEER].count - before[PEER].count);
	must(exits >= EXITS && after[BPFTRACE].count - before[BPFTRACE].count == (uint64_t)exits,
		"the peers disagree on how many exits there were");
	for (int i = 0; i < WHO; i++)
		ret_ns[i] = (double)(after[i].ns - before[i].ns) / exits;
	return (double)(after[ENCSTAT].count - before[ENCSTAT].count) / exits;
}

static void bench(const char *name, bool answers)
{
	double ns[WHO][ROUNDS], ratio[ROUNDS], to_bpftrace[ROUNDS], runs[ROUNDS];
	char key[64];

	for (size_t i = 0; i < ROUNDS; i++) {
		double each[WHO];
		int left = RETRIES;

		/* A VM that can ask, of anybody on this host, has answers hooked: not what is
		 * measured. */
		do
			runs[i] = round_of(orders[i], answers, each);
		while (!answers && runs[i] > 1.01 && left--);
		for (int who = 0; who < WHO; who++)
			ns[who][i] = each[who];
		ratio[i] = each[ENCSTAT] / each[PEER];
		to_bpftrace[i] = each[ENCSTAT] / each[BPFTRACE];
		printf("%s: order %d%d%d: kvm-encstat %.0f ns in %.2f runs, counter %.0f ns, "
		       "bpftrace %.0f ns\n",
			name, orders[i][0], orders[i][1], orders[i][2], each[ENCSTAT], runs[i],
			each[PEER], each[BPFTRACE]);
	}
	snprintf(key, sizeof(key), "%s.ns", name);
	figure(key, median(ns[ENCSTAT], ROUNDS), "ns");
	snprintf(key, sizeof(key), "%s.counter_ns", name);
	figure(key, median(ns[PEER], ROUNDS), "ns");
	snprintf(key, sizeof(key), "%s.bpftrace_ns", name);
	figure(key, median(ns[BPFTRACE], ROUNDS), "ns");
	snprintf(key, sizeof(key), "%s.of_counter", name);
	figure(key, median(ratio, ROUNDS), "ratio");
	snprintf(key, sizeof(key), "%s.of_bpftrace", name);
	figure(key, median(to_bpftrace, ROUNDS), "ratio");
	snprintf(key, sizeof(key), "%s.runs", name);
	figure(key, median(runs, ROUNDS), "runs");
}

int main(int argc, char **argv)
{
	int stats;

	must(argc == 4, "exits KVM-ENCSTAT GUEST DIRECTORY");
	encstat = argv[1];
	guest = argv[2];
	directory = argv[3];
	snprintf(capture, sizeof(capture), "%s/exits.ke", directory);
	mount_tracing();
	stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	must(stats >= 0, "having the kernel time BPF programs");
	bench("exits", false);
	bench("exits_answers", true);
	close(stats);
	return EXIT_SUCCESS;
}
