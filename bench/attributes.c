/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What it costs to read a VM's memory attributes back, beside what KVM itself took to set them,
 * page for page: all of a range private, set by a call for each 4 MiB; and every second page
 * private, set by a call each. Wants a kernel with software-protected VMs. KVM is timed before
 * anything is hooked. The lab shares its CPU with whatever else runs, so what is timed is short
 * enough to be undisturbed now and then: of KVM's calls the median of many counts, of the readings
 * the shortest.
 *
 *   attributes
 */
#include <linux/kvm.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fcntl.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "bench.h"
#include "capture/live.h"
#include "kvm_abi.h"
#include "model/model.h"

#define PAGE      4096ull
#define MIB_PAGES 256ull
#define SIZES     4
#define SLICE     1024 /* pages of the range that are set between two looks at the clock */
#define ROUNDS    15

struct kind {
	const char *name;
	uint64_t step;               /* every step-th page is private */
	uint64_t pages[SIZES];       /* of the range */
	double set_ns[SIZES];        /* for a private page, as all below */
	double read_ns[SIZES];       /* from the kernel to the C half */
	double read_model_ns[SIZES]; /* and into the model */
	uint64_t records[SIZES];
};

static struct kind kinds[] = {
	{
		.name = "all",
		.step = 1,
		.pages = {1024 * MIB_PAGES, 2048 * MIB_PAGES, 4096 * MIB_PAGES, 8192 * MIB_PAGES},
	},
	{
		.name = "fragmented",
		.step = 2,
		.pages = {64 * MIB_PAGES, 128 * MIB_PAGES, 256 * MIB_PAGES, 512 * MIB_PAGES},
	},
};
#define KINDS ARRAY_SIZE(kinds)

static double least(const double *values, size_t n)
{
	double found = values[0];

	for (size_t i = 1; i < n; i++)
		found = values[i] < found ? values[i] : found;
	return found;
}

/* ---- the VMM: a process of its own, since the tool's own calls are none to it ---- */

static int make_vm(int kvm)
{
	int vm = ioctl(kvm, KVM_CREATE_VM, KES_VM_SW_PROTECTED);

	must(vm >= 0, "KVM makes no software-protected VM");
	return vm;
}

static void set_slice(int vm, uint64_t page, uint64_t step)
{
	uint64_t size = step == 1 ? SLICE : 1, end = page + SLICE;

	for (; page < end; page += size * step) {
		/* struct kvm_memory_attributes */
		uint64_t arguments[4] = {page * PAGE, size * PAGE, KES_ATTRIBUTE_PRIVATE, 0};

		must(!ioctl(vm, KES_SET_MEMORY_ATTRIBUTES, arguments), "setting attributes");
	}
}

/* ns for each page that becomes private */
static double make_and_set(int kvm, const struct kind *kind, int size)
{
	uint64_t slices = kind->pages[size] / SLICE;
	double *ns = calloc(slices, sizeof(*ns)), ret;
	int vm = make_vm(kvm);

	must(ns, "out of memory");
	for (uint64_t i = 0; i < slices; i++) {
		uint64_t begin = clock_now_ns();

		set_slice(vm, i * SLICE, kind->step);
		ns[i] = (double)(clock_now_ns() - begin);
	}
	ret = median(ns, slices) / (double)(SLICE / kind->step);
	free(ns);
	return ret;
}

/* Makes all VMs in the order of kinds, and writes how long that took. */
static void vmm(int out)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	must(kvm >= 0, "/dev/kvm");
	for (size_t kind = 0; kind < KINDS; kind++)
		for (int size = 0; size < SIZES; size++) {
			double ns = make_and_set(kvm, &kinds[kind], size);

			must(write(out, &ns, sizeof(ns)) == sizeof(ns), "pipe");
		}
	pause();
}

static pid_t start_vmm(void)
{
	int pipes[2];
	pid_t pid;

	must(!pipe(pipes), "pipe");
	fflush(NULL);
	pid = fork();
	must(pid >= 0, "fork");
	if (!pid) {
		vmm(pipes[1]);
		_exit(EXIT_SUCCESS);
	}
	close(pipes[1]);
	for (size_t kind = 0; kind < KINDS; kind++)
		for (int size = 0; size < SIZES; size++)
			must(read(pipes[0], &kinds[kind].set_ns[size], sizeof(double)) ==
					sizeof(double),
				"the VMM failed");
	close(pipes[0]);
	return pid;
}

/* ---- the tool ---- */

struct sink {
	struct model *model; /* NULL: only count */
	uint64_t records;
};

static int take(void *context, const struct kes_record *records, size_t n)
{
	struct sink *sink = context;

	sink->records += n;
	return sink->model ? model_apply(sink->model, records, n) : 0;
}

/* Reads it all once; ns for each private page. */
static double read_once(
	struct live *live, uint32_t vm, struct sink *sink, const struct kind *kind, int size)
{
	uint64_t begin = clock_now_ns();

	sink->records = 0;
	must(!live_read_attributes(live, vm, take, sink), "reading attributes back");
	return (double)(clock_now_ns() - begin) / (double)(kind->pages[size] / kind->step);
}

static void check(const struct model *model, size_t index, const struct kind *kind, int size)
{
	uint64_t counts[PAGE_STATES];

	vm_count(model_vm(model, index), PLANE_HOST, counts);
	must(counts[PAGE_PRIVATE] == kind->pages[size] / kind->step,
		"the model has other private pages than the VMM set");
}

static void read_vm(
	struct live *live, struct model *model, size_t index, struct kind *kind, int size)
{
	double bare[ROUNDS], whole[ROUNDS];
	struct sink nothing = {0}, to_model = {.model = model};
	uint32_t vm = model_vm(model, index)->id;

	for (int i = 0; i < ROUNDS; i++) {
		bare[i] = read_once(live, vm, &nothing, kind, size);
		whole[i] = read_once(live, vm, &to_model, kind, size);
	}
	check(model, index, kind, size);
	kind->read_ns[size] = least(bare, ROUNDS);
	kind->read_model_ns[size] = least(whole, ROUNDS);
	kind->records[size] = to_model.records;
}

static void read_all(void)
{
	struct live_options options = {.prove_all = true};
	struct model_options model_options = {0};
	struct sink sink = {0};
	struct error err = {0};
	struct live *live;
	size_t index = 0;

	must(!model_new(&sink.model, &model_options), "out of memory");
	must(!live_new(&live, &options, &err), err.text);
	must(!live_inventory(live, take, &sink), "the inventory");
	must(model_vm_count(sink.model) == KINDS * SIZES, "there are other VMs than the VMM's");
	for (size_t kind = 0; kind < KINDS; kind++)
		for (int size = 0; size < SIZES; size++)
			read_vm(live, sink.model, index++, &kinds[kind], size);
	live_free(&live);
	model_free(&sink.model);
}

/* ---- figures ---- */

static void print(const struct kind *kind, const char *part, double value, const char *unit)
{
	char key[64];

	snprintf(key, sizeof(key), "attributes.%s.%s", kind->name, part);
	figure(key, value, unit);
}

/* All sizes together, in ns. */
static double sum(const struct kind *kind, const double ns[SIZES])
{
	double total = 0;

	for (int size = 0; size < SIZES; size++)
		total += ns[size] * (double)(kind->pages[size] / kind->step);
	return total;
}

/* The growth is that of a page's time, from the smallest size to the largest one. */
static void print_kind(const struct kind *kind)
{
	double set = sum(kind, kind->set_ns);

	for (int size = 0; size < SIZES; size++)
		printf("attributes: %s, %llu MiB: ns for a private page: KVM sets it in %.1f, read "
		       "back in %.2f, with the model in %.2f, %llu records\n",
			kind->name, (unsigned long long)(kind->pages[size] / MIB_PAGES),
			kind->set_ns[size], kind->read_ns[size], kind->read_model_ns[size],
			(unsigned long long)kind->records[size]);
	print(kind, "set", kind->set_ns[SIZES - 1], "ns/page");
	print(kind, "read", kind->read_ns[SIZES - 1], "ns/page");
	print(kind, "read_model", kind->read_model_ns[SIZES - 1], "ns/page");
	print(kind, "of_set", sum(kind, kind->read_ns) / set, "ratio");
	print(kind, "of_set_model", sum(kind, kind->read_model_ns) / set, "ratio");
	print(kind, "set_growth", kind->set_ns[SIZES - 1] / kind->set_ns[0], "ratio");
	print(kind, "growth", kind->read_model_ns[SIZES - 1] / kind->read_model_ns[0], "ratio");
}

int main(void)
{
	pid_t pid = start_vmm();

	read_all();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (size_t i = 0; i < KINDS; i++)
		print_kind(&kinds[i]);
	/* A call for each page is dear to KVM: so also of what one call for all takes. */
	print(&kinds[1], "of_one_call",
		kinds[1].read_model_ns[SIZES - 1] / 2 / kinds[0].set_ns[SIZES - 1], "ratio");
	return EXIT_SUCCESS;
}
