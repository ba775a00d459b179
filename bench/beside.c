/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Verdicts about one VM's hypercalls, while another VM floods: the gate's own program in BPF test
 * runs, on one CPU, as the kernel times it; on another CPU the other VM's requests are judged, too,
 * and told to a reader, 100,000 a second and as fast as it goes. Both VMs have one rule about
 * closed pages and one about how much is shared. Synthetic: no guest runs, and the trampoline is
 * not in it.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "base/clock.h"
#include "bench.h"
#include "bench/beside.skel.h"
#include "kvm_abi.h"
#include "policy/policy.h"
#include "vcpu.h"
/* after the above */
#include "veto.h"

#define MEMORY   (1ull << 30)
#define PAGES    (MEMORY >> 12)
#define STRIDE   7919
#define CLOSED   (PAGES / 2) /* from here on nothing may be shared */
#define RATE     100000.0
#define ROUNDS   21
#define VERDICTS 10000 /* in a round */
#define PAUSE_US 1000  /* for a flood to begin */
#define TRIES    50
#define MOST     0.8 /* of the flood that is wanted, or another round */
#define DRAIN    100 /* verdicts, and then the ring is emptied */

enum { FLOODER, OTHER };

/* What the other VM asks for. */
enum asks {
	PASSED,
	REFUSED, /* of a flood of refusals, for which the reader is awake already */
	WAKING,  /* refused, too, but it is at rest each time */
};

static struct beside *bpf;
static struct kvm_run *run; /* the flooder's */
static _Atomic double rate; /* of the flood; 0: it rests */
static atomic_ulong flooded;
static atomic_bool ended;

/* ---- VMs, and what they may do ---- */

static void find_vcpus(void)
{
	run_iterator(bpf->progs.find_vcpus);
	must(bpf->bss->n_vcpus == 2, "the vCPUs were not found");
}

static void install_rules(void)
{
	static struct kes_rule_set set;
	static struct policy policy = {.mode = KES_ENFORCE};
	struct frames closed = {CLOSED, PAGES - CLOSED};
	struct kes_rule any = {.larger = KES_FOREVER,
		.shared_above = KES_FOREVER,
		.action = KES_DENY,
		.asks = KES_ASK_SHARED,
		.askers = KES_BY_GUEST,
		.numbers = ~0u,
		.err = -EPERM};
	struct policy_rule rules[2] = {
		{.compiled = any, .touches = &closed, .n_touches = 1}, {.compiled = any}};
	struct rule_source sources[2] = {{&policy, &rules[0]}, {&policy, &rules[1]}};
	struct kes_policed which = {.set = 1, .serial = 1, .counting = 1};
	struct kes_veto veto = {.layout = KES_VETO_LAYOUT, .gate = 1};
	uint32_t zero = 0, one = 1;

	rules[1].compiled.shared_above = PAGES; /* never reached, and always counted */
	must(!policy_compile_rules(&set, sources, 2), "compiling rules");
	for (size_t i = 0; i <= KES_VM_TYPE_MAX; i++)
		veto.standard[i] = which;
	must(!bpf_map_update_elem(bpf_map__fd(bpf->maps.rule_sets), &one, &set, BPF_ANY) &&
			!bpf_map_update_elem(bpf_map__fd(bpf->maps.veto), &zero, &veto, BPF_ANY),
		"installing rules");
}

static void set_reader(uint32_t reader)
{
	struct kes_control control = {.answers_hooked = 1, .reader = reader};
	uint32_t zero = 0;

	must(!bpf_map_update_elem(bpf_map__fd(bpf->maps.control), &zero, &control, BPF_ANY),
		"control");
}

static void load(void)
{
	struct bpf_program *program;

	bpf = beside__open();
	must(bpf, "opening the programs");
	bpf_object__for_each_program(program, bpf->obj)
	{
		const char *name = bpf_program__name(program);

		bpf_program__set_autoload(
			program, !strncmp(name, "ask", 3) || !strcmp(name, "enter") ||
					 !strcmp(name, "tell") || !strcmp(name, "find_vcpus"));
	}
	bpf->rodata->wake_bytes = bpf_map__max_entries(bpf->maps.ring) / 4;
	bpf->rodata->has_rdonly_cast = getenv("NOCAST") == NULL;
	bpf_map__set_max_entries(
		bpf->maps.tallies, (uint32_t)libbpf_num_possible_cpus() * KES_TALLIES);
	must(!beside__load(bpf), "loading the programs");
	set_reader(KES_READER_LOOKS);
	bpf->bss->bench_pid = getpid();
}

/* ---- requests ---- */

static uint32_t run_program(
	struct bpf_program *program, uint64_t vcpu, uint64_t gpa, uint64_t attrs)
{
	uint64_t arguments[3] = {vcpu, gpa, attrs};
	LIBBPF_OPTS(
		bpf_test_run_opts, options, .ctx_in = arguments, .ctx_size_in = sizeof(arguments));

	must(!bpf_prog_test_run_opts(bpf_program__fd(program), &options), "BPF_PROG_TEST_RUN");
	return options.retval;
}

/* Its i-th request: shares all pages from first on, then takes them back. */
static void next_request(uint64_t i, uint64_t first, uint64_t *ret_gpa, uint64_t *ret_attrs)
{
	*ret_gpa = (first + i * STRIDE % (PAGES / 2)) << 12;
	*ret_attrs = i / (PAGES / 2) % 2 ? KES_MAP_GPA_ENCRYPTED : 0;
}

/* One of the flood, with all that follows from it. */
static void flood_once(uint64_t i)
{
	uint64_t gpa, attrs;

	next_request(i, 0, &gpa, &attrs);
	run->hypercall.args[0] = gpa;
	run->hypercall.args[2] = attrs;
	must(!run_program(bpf->progs.ask_in_flood, FLOODER, gpa, attrs), "another verdict");
	run_program(bpf->progs.tell, FLOODER, gpa, attrs);
	run_program(bpf->progs.enter, FLOODER, 0, 0);
}

static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	must(!pthread_setaffinity_np(pthread_self(), sizeof(set), &set), "a CPU of its own");
}

static void *flood(void *context)
{
	uint64_t start = clock_now_ns(), made = 0, i = 0;
	double now = 0, wanted;

	(void)context;
	stay_on(0);
	while (!ended) {
		wanted = rate;
		if (wanted != now) {
			now = wanted;
			start = clock_now_ns();
			made = 0;
		}
		if (now * (double)(clock_now_ns() - start) / 1e9 > (double)made) {
			flood_once(i++);
			made++;
			flooded++;
		} else if (!(now > 0)) {
			usleep(1000);
		}
	}
	return NULL;
}

/* ---- a round ---- */

static int ignore(void *context, void *data, size_t size)
{
	(void)context;
	(void)data;
	(void)size;
	return 0;
}

/* ns of a verdict about the other VM's request, as the kernel counts. Those that are refused are
 * told to the reader, too. */
static double verdicts(struct ring_buffer *ring, enum asks asks)
{
	bool refused = asks != PASSED;
	static uint64_t i;
	struct runs before = {0}, after = {0};
	int fd = bpf_program__fd(bpf->progs.ask);
	uint64_t gpa, attrs;

	runs_add(&before, fd);
	for (int n = 0; n < VERDICTS; n++) {
		next_request(i++, refused ? CLOSED : 0, &gpa, &attrs);
		if (refused)
			attrs = 0;
		if (asks == WAKING)
			set_reader(KES_READER_NAPS);
		must(run_program(bpf->progs.ask, OTHER, gpa, attrs) == refused, "another verdict");
		if (!refused)
			run_program(bpf->progs.enter, OTHER, 0, 0);
		if (n % DRAIN == 0)
			must(ring_buffer__consume(ring) >= 0, "reading the ring");
	}
	runs_add(&after, fd);
	return (double)(after.ns - before.ns) / (double)(after.count - before.count);
}

/* ---- figures ---- */

/* With that flood beside it, which has begun, and goes on: else another process has its CPU. */
static double beside(struct ring_buffer *ring, double wanted, enum asks asks, double *ret_floods)
{
	unsigned long before, after;
	uint64_t start;
	double ns;

	rate = wanted;
	for (int i = 0; i < TRIES; i++) {
		before = flooded;
		while (wanted > 0 && flooded == before)
			usleep(PAUSE_US);
		before = flooded;
		start = clock_now_ns();
		ns = verdicts(ring, asks);
		after = flooded;
		*ret_floods = (double)(after - before) * 1e9 / (double)(clock_now_ns() - start);
		if (*ret_floods >= MOST * (wanted < RATE ? wanted : RATE))
			return ns;
	}
	must(false, "the flood does not come to its CPU");
	return 0;
}

/* In turn alone and beside each flood, so that whatever else this machine does is in all of them.
 */
static void bench(struct ring_buffer *ring, const char *name, enum asks asks)
{
	static const char *const names[] = {"alone", "beside_100k", "beside_flat_out"};
	static const double rates[] = {0, RATE, 1e9};
	double ns[3][ROUNDS], floods[3][ROUNDS];
	char key[64];

	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < 3; i++)
			ns[i][round] = beside(ring, rates[i], asks, &floods[i][round]);
	rate = 0;
	for (int i = 0; i < 3; i++) {
		snprintf(key, sizeof(key), "verdict.%s_%s", name, names[i]);
		figure(key, median(ns[i], ROUNDS), "ns");
		printf("%s, %s: %.0f of the other VM's a second\n", name, names[i],
			median(floods[i], ROUNDS));
	}
	for (int i = 1; i < 3; i++) {
		snprintf(key, sizeof(key), "verdict.%s_%s_ratio", name, names[i]);
		figure(key, median(ns[i], ROUNDS) / median(ns[0], ROUNDS), "times");
	}
}

int main(void)
{
	struct ring_buffer *ring;
	pthread_t flooder;
	int stats;

	run = make_vcpu(MEMORY);
	make_vcpu(MEMORY);
	load();
	install_rules();
	find_vcpus();
	ring = ring_buffer__new(bpf_map__fd(bpf->maps.ring), ignore, NULL, NULL);
	must(ring, "opening the ring");
	stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	must(stats >= 0, "having the kernel time BPF programs");
	must(sysconf(_SC_NPROCESSORS_ONLN) > 1, "a second CPU");
	must(!pthread_create(&flooder, NULL, flood, NULL), "a thread");
	stay_on(1);
	bench(ring, "passed", PASSED);
	bench(ring, "refused", REFUSED);
	bench(ring, "waking", WAKING);
	ended = true;
	pthread_join(flooder, NULL);
	ring_buffer__free(ring);
	close(stats);
	beside__destroy(bpf);
	return EXIT_SUCCESS;
}
