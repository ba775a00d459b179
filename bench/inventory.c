/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The first inventory of a tool that comes late: from the moment in which the iterator over files
 * begins until the model has every VM with all of its memslots. The VMs are real ones that KVM made
 * and that stand still: in one process, and in a process each, as VMMs are.
 *
 *   inventory GUEST DIRECTORY
 */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench.h"
#include "capture/live.h"
#include "model/model.h"

#define VMS        1000
#define SLOTS      32
#define SLOT_PAGES 256
#define ROUNDS     7
#define LATER_MS   300 /* how long the rest may come in, where records were lost */

static const char *guest, *directory;

/* ---- the VMs ---- */

static pid_t holders[VMS];
static size_t n_holders;

static void start_holder(unsigned vms, const char *ready)
{
	char number[16], slots[16], never[512];
	const char *argv[] = {guest, "--keep", number, "--slots", slots, ready, never, NULL};
	pid_t pid;

	snprintf(number, sizeof(number), "%u", vms);
	snprintf(slots, sizeof(slots), "%u", SLOTS);
	snprintf(never, sizeof(never), "%s/never", directory);
	unlink(ready); /* of another run */
	fflush(NULL);
	pid = fork();
	must(pid >= 0, "fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execv(guest, (char *const *)argv);
		_exit(127);
	}
	holders[n_holders++] = pid;
}

/* How many it has. It stands still from then on: what it waits for would take the CPU. */
static unsigned wait_holder(pid_t pid, const char *ready)
{
	unsigned vms = 0;
	FILE *file;

	while (!(file = fopen(ready, "re"))) {
		must(waitpid(pid, NULL, WNOHANG) == 0, "a guest that keeps VMs failed");
		usleep(1000);
	}
	must(fscanf(file, "%u", &vms) == 1, ready);
	fclose(file);
	unlink(ready);
	must(!kill(pid, SIGSTOP), "stopping a guest");
	return vms;
}

static unsigned start_vms(unsigned each)
{
	unsigned total = 0, made = each;
	char ready[512];

	snprintf(ready, sizeof(ready), "%s/ready", directory);
	while (total + each <= VMS && made == each) {
		start_holder(each, ready);
		made = wait_holder(holders[n_holders - 1], ready);
		total += made;
	}
	must(total, "KVM makes no VMs");
	return total;
}

static void end_vms(void)
{
	for (size_t i = 0; i < n_holders; i++)
		kill(holders[i], SIGKILL);
	while (n_holders)
		waitpid(holders[--n_holders], NULL, 0);
}

/* ---- where the time goes: these are called in place of what they call ---- */

int __real_bpf_iter_create(int link);
int __wrap_bpf_iter_create(int link);
int __real_identity_send(const struct live *live, uint32_t vm, uint32_t pid);
int __wrap_identity_send(const struct live *live, uint32_t vm, uint32_t pid);

static uint64_t start_ns;    /* of the first inventory; 0: it has not begun */
static uint64_t identity_ns; /* in all; what it hands on is in it */
static unsigned iterators;
static double start_cpu;

/* ms of this thread: the iterator runs in its read(), so where nobody else wants the CPU this is
 * the time that passes. */
static double cpu_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

int __wrap_bpf_iter_create(int link)
{
	if (!start_ns) {
		start_ns = clock_now_ns();
		start_cpu = cpu_ms();
	}
	iterators++;
	return __real_bpf_iter_create(link);
}

int __wrap_identity_send(const struct live *live, uint32_t vm, uint32_t pid)
{
	uint64_t begin = clock_now_ns();
	int r = __real_identity_send(live, vm, pid);

	identity_ns += clock_now_ns() - begin;
	return r;
}

/* ---- a round ---- */

struct round {
	unsigned vms; /* to be found */
	bool account; /* time each record's way into the model, and the programs */
	struct model *model;
	uint64_t records, model_ns;
	unsigned whole;       /* VMs whose last memslot came */
	uint64_t complete_ns; /* when all of them had; 0: not yet */
	double complete_cpu;
};

struct result {
	double total, cpu, identity, model, program; /* ms */
	unsigned found;                              /* VMs with all memslots, at once */
	unsigned later;                              /* and after a while */
	uint64_t records, lost;
};

static int take(void *context, const struct kes_record *records, size_t n)
{
	struct round *round = context;
	uint64_t begin = round->account ? clock_now_ns() : 0;
	int r = model_apply(round->model, records, n);

	if (round->account)
		round->model_ns += clock_now_ns() - begin;
	round->records += n;
	for (size_t i = 0; i < n; i++)
		if (records[i].kind == KES_MEMSLOT && records[i].memslot.total == SLOTS &&
			records[i].memslot.index + 1 == SLOTS && ++round->whole == round->vms) {
			round->complete_ns = clock_now_ns();
			round->complete_cpu = cpu_ms();
		}
	return r;
}

/* What the model really has. */
static unsigned vms_whole(const struct model *model)
{
	unsigned whole = 0;

	for (size_t i = 0; i < model_vm_count(model); i++) {
		const struct vm *vm = model_vm(model, i);
		bool all = vm->known && vm->n_memslots == SLOTS;

		for (size_t slot = 0; slot < vm->n_memslots && all; slot++)
			all = vm->memslots[slot].npages == SLOT_PAGES;
		whole += all;
	}
	return whole;
}

static double program_ms(struct live *live)
{
	size_t n;
	const struct hook *hooks = live_hooks(live, &n);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(hooks[i].name, "iter/task_file"))
			return (double)hooks[i].run_ns / 1e6;
	return 0;
}

/* As the session's loop does, for what did not come at first. */
static void come_later(struct live *live, struct round *round, struct result *result)
{
	uint64_t end = clock_now_ns() + LATER_MS * 1000000ull;
	struct model_totals totals;

	while (!round->complete_ns && clock_now_ns() < end)
		must(!live_poll(live, 50, take, round), "reading the ring");
	must(!live_collect(live, take, round), "reading the counts");
	result->later = vms_whole(round->model);
	model_totals(round->model, &totals);
	result->lost = totals.lost;
}

static struct result inventory(unsigned vms, bool account)
{
	struct live_options options = {.count_runs = account};
	struct model_options model_options = {0};
	struct round round = {.vms = vms, .account = account};
	struct result result = {0};
	struct error err = {0};
	struct live *live;

	must(!model_new(&round.model, &model_options), "out of memory");
	start_ns = identity_ns = 0;
	iterators = 0;
	must(!live_new(&live, &options, &err), err.text);
	must(!live_inventory(live, take, &round), "the inventory");
	result.program = program_ms(live);
	result.found = vms_whole(round.model);
	if (result.found < vms ||
		!round.complete_ns) { /* all memslots may have come, and not all VMs */
		round.complete_ns = 0;
		result.total = (double)(clock_now_ns() - start_ns) / 1e6;
		result.cpu = cpu_ms() - start_cpu;
	} else {
		result.total = (double)(round.complete_ns - start_ns) / 1e6;
		result.cpu = round.complete_cpu - start_cpu;
	}
	result.identity = (double)identity_ns / 1e6;
	result.model = (double)round.model_ns / 1e6;
	result.records = round.records;
	come_later(live, &round, &result);
	live_free(&live);
	model_free(&round.model);
	return result;
}

/* ---- figures ---- */

static void print(const char *name, const char *part, double value, const char *unit)
{
	char key[64];

	snprintf(key, sizeof(key), "%s.%s", name, part);
	figure(key, value, unit);
}

/* Medians of the rounds: `total` undisturbed, the parts with each of them timed. */
static void bench(const char *name, unsigned vms)
{
	double total[ROUNDS], cpu[ROUNDS], identity[ROUNDS], model[ROUNDS], program[ROUNDS];
	struct result result = {0};

	for (int i = 0; i < ROUNDS; i++) {
		result = inventory(vms, true);
		model[i] = result.model;
		program[i] = result.program;
		result = inventory(vms, false);
		total[i] = result.total;
		cpu[i] = result.cpu;
		identity[i] = result.identity;
	}
	printf("%s: %u VMs with %u memslots each: %u at once, %u later, %llu records, %llu lost, "
	       "%u iterators\n",
		name, vms, SLOTS, result.found, result.later, (unsigned long long)result.records,
		(unsigned long long)result.lost, iterators);
	if (vms < VMS)
		printf("%s: scaled from %u to %u VMs: synthetic\n", name, vms, VMS);
	print(name, "time", median(total, ROUNDS) * VMS / vms, "ms");
	print(name, "cpu", median(cpu, ROUNDS) * VMS / vms, "ms");
	print(name, "of_it_programs", median(program, ROUNDS), "ms");
	print(name, "of_it_identity", median(identity, ROUNDS), "ms");
	print(name, "of_it_model", median(model, ROUNDS), "ms");
	print(name, "vms", vms, "VMs");
	print(name, "incomplete", (double)vms - result.found, "VMs");
	print(name, "lost", (double)result.lost, "records");
}

static void bench_shape(const char *name, unsigned each)
{
	bench(name, start_vms(each));
	end_vms();
}

int main(int argc, char **argv)
{
	must(argc == 3, "inventory GUEST DIRECTORY");
	guest = argv[1];
	directory = argv[2];
	bench_shape("inventory", VMS);
	bench_shape("inventory_processes", 1);
	return EXIT_SUCCESS;
}
