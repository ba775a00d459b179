/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the hooks on KVM_SET_MEMORY_ATTRIBUTES cost all other ioctls: by the kernel's own account of
 * BPF run time, beside empty programs of the same types on the same hooks, since that account costs
 * some itself; and by the time that the ioctls take, without any account. Who is attached first
 * pays for the cold caches, so both orders are gone through. The median of many slices counts, each
 * short enough to be undisturbed as a rule, also where a lab shares its CPU.
 *
 *   calls [NAME [CALLS]]   figures are NAME.*
 */
#include <linux/bpf.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "base/clock.h"
#include "bench.h"
#include "bench/calls.skel.h"
#include "capture/live.h"

#define CALLS      1000000
#define SLICE      1000
#define MAX_SLICES 10000
#define ROUNDS     6

enum hooks { TRAMPOLINES, TRACEPOINTS };

/* What is called in an ioctl, at its beginning and at its end. */
static const char *const hook_names[][2] = {
	[TRAMPOLINES] = {"fentry/__x64_sys_ioctl", "fexit/__x64_sys_ioctl"},
	[TRACEPOINTS] = {"tp_btf/sys_enter", "tp_btf/sys_exit"},
};

static const char *name = "calls";
static unsigned slices = CALLS / SLICE;
static int pipe_end;

static void call(unsigned n)
{
	int bytes;

	while (n--)
		must(!ioctl(pipe_end, FIONREAD, &bytes), "FIONREAD");
}

/* ns of each of many ioctls */
static double time_calls(void)
{
	static double ns[MAX_SLICES];

	call(SLICE);
	for (unsigned i = 0; i < slices; i++) {
		uint64_t begin = clock_now_ns();

		call(SLICE);
		ns[i] = (double)(clock_now_ns() - begin) / SLICE;
	}
	return median(ns, slices);
}

/* ---- kvm-encstat ---- */

static struct live *watch(bool count_runs)
{
	struct live_options options = {.prove_all = true, .count_runs = count_runs};
	struct error err = {0};
	struct live *live;

	must(!live_new(&live, &options, &err), err.text);
	return live;
}

static const struct hook *find_hook(struct live *live, const char *hook)
{
	size_t n;
	const struct hook *hooks = live_hooks(live, &n);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(hooks[i].name, hook))
			return &hooks[i];
	must(false, hook);
	return NULL;
}

static enum hooks hooks_used(struct live *live)
{
	for (int i = TRAMPOLINES; i <= TRACEPOINTS; i++)
		if (find_hook(live, hook_names[i][0])->state == HOOK_ATTACHED)
			return i;
	must(false, "kvm-encstat hooks no ioctls here");
	return TRACEPOINTS;
}

static struct runs live_runs(struct live *live, enum hooks used, int end)
{
	const struct hook *hook = find_hook(live, hook_names[used][end]);

	return (struct runs){.count = hook->runs, .ns = hook->run_ns};
}

/* ---- the peers ---- */

static struct calls *attach_peers(enum hooks used)
{
	struct calls *peers = calls__open();

	must(peers, "opening the peers");
	bpf_program__set_autoload(peers->progs.empty_ioctl, used == TRAMPOLINES);
	bpf_program__set_autoload(peers->progs.empty_ioctl_end, used == TRAMPOLINES);
	bpf_program__set_autoload(peers->progs.empty_enter, used == TRACEPOINTS);
	bpf_program__set_autoload(peers->progs.empty_exit, used == TRACEPOINTS);
	must(!calls__load(peers) && !calls__attach(peers), "attaching the peers");
	return peers;
}

static struct runs peer_runs(struct calls *peers, enum hooks used, int end)
{
	struct bpf_program *const programs[][2] = {
		[TRAMPOLINES] = {peers->progs.empty_ioctl, peers->progs.empty_ioctl_end},
		[TRACEPOINTS] = {peers->progs.empty_enter, peers->progs.empty_exit},
	};
	struct runs runs = {0};

	runs_add(&runs, bpf_program__fd(programs[used][end]));
	return runs;
}

/* ---- by the kernel's account ---- */

static double per_run(const struct runs *before, const struct runs *after)
{
	must(after->count >= before->count + SLICE, "a program did not see all ioctls");
	return (double)(after->ns - before->ns) / (double)(after->count - before->count);
}

/* Beginning and end together, in ns. */
static void slice_of(struct live *live, struct calls *peers, enum hooks used, double *ret_ours,
	double *ret_empty)
{
	struct runs ours[2], empty[2], after;

	for (int end = 0; end < 2; end++) {
		ours[end] = live_runs(live, used, end);
		empty[end] = peer_runs(peers, used, end);
	}
	call(SLICE);
	*ret_ours = *ret_empty = 0;
	for (int end = 0; end < 2; end++) {
		after = live_runs(live, used, end);
		*ret_ours += per_run(&ours[end], &after);
		after = peer_runs(peers, used, end);
		*ret_empty += per_run(&empty[end], &after);
	}
}

static void round_of(enum hooks used, bool peers_first, double *ret_ours, double *ret_empty)
{
	static double ours[MAX_SLICES], empty[MAX_SLICES];
	struct calls *peers = peers_first ? attach_peers(used) : NULL;
	struct live *live = watch(true);

	must(hooks_used(live) == used, "other hooks than before");
	if (!peers)
		peers = attach_peers(used);
	call(SLICE);
	for (unsigned i = 0; i < slices; i++)
		slice_of(live, peers, used, &ours[i], &empty[i]);
	*ret_ours = median(ours, slices);
	*ret_empty = median(empty, slices);
	calls__destroy(peers);
	live_free(&live);
}

static void print(const char *part, double value, const char *unit)
{
	char key[64];

	snprintf(key, sizeof(key), "%s.%s", name, part);
	figure(key, value, unit);
}

static void bench_account(enum hooks used)
{
	double ours[ROUNDS], empty[ROUNDS], more[ROUNDS], ratio[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		round_of(used, i % 2, &ours[i], &empty[i]);
		more[i] = ours[i] - empty[i];
		ratio[i] = ours[i] / empty[i];
		printf("%s: %s and %s, %s first: kvm-encstat %.1f ns, empty programs %.1f ns\n",
			name, hook_names[used][0], hook_names[used][1],
			i % 2 ? "empty programs" : "kvm-encstat", ours[i], empty[i]);
	}
	print("ns", median(ours, ROUNDS), "ns");
	print("empty_ns", median(empty, ROUNDS), "ns");
	print("more_than_empty", median(more, ROUNDS), "ns");
	print("of_empty", median(ratio, ROUNDS), "ratio");
}

/* ---- by the clock ---- */

static void bench_clock(enum hooks used)
{
	double alone[ROUNDS], with_empty[ROUNDS], with_ours[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		struct calls *peers;
		struct live *live;

		alone[i] = time_calls();
		peers = attach_peers(used);
		with_empty[i] = time_calls();
		calls__destroy(peers);
		live = watch(false);
		with_ours[i] = time_calls();
		live_free(&live);
	}
	print("ioctl_alone", median(alone, ROUNDS), "ns");
	print("ioctl_with_empty", median(with_empty, ROUNDS), "ns");
	print("ioctl_watched", median(with_ours, ROUNDS), "ns");
}

int main(int argc, char **argv)
{
	struct live *live;
	enum hooks used;
	int pipes[2];

	if (argc > 1)
		name = argv[1];
	if (argc > 2)
		slices = (unsigned)strtoul(argv[2], NULL, 10) / SLICE;
	must(argc <= 3 && slices && slices <= MAX_SLICES, "calls [NAME [CALLS]]");
	must(!pipe(pipes), "pipe");
	pipe_end = pipes[0];
	live = watch(true);
	used = hooks_used(live);
	must(live_counts_runs(live), "having the kernel time BPF programs");
	live_free(&live);
	bench_account(used);
	bench_clock(used);
	return EXIT_SUCCESS;
}
