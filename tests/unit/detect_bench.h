/* SPDX-License-Identifier: GPL-2.0-only */
/* A model whose events go to the detectors, and what these tell: records in, findings out. */
#ifndef DETECT_BENCH_H
#define DETECT_BENCH_H

#include "model_bench.h"

#include <stdio.h>

#include "detect/detect.h"

#define PRIVATE KES_MAP_GPA_ENCRYPTED /* attributes of a conversion */
#define SHARED  0ull

#define MAX_TOLD 256

static inline uint64_t next_random(void)
{
	static uint64_t seed = 1;

	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return seed >> 33;
}

/* What was told of a finding, as it was at that moment. */
struct told {
	struct finding f;
	enum finding_phase phase;
	char id[FINDING_FULL_ID_SIZE];
	char text[512];
	uint64_t at_ns;
};

struct detect_bench {
	struct bench b; /* with the events, too */
	struct settings *settings;
	struct detect *detect;
	struct told told[MAX_TOLD];
	int n_told; /* may be more than are kept */
	int ret;    /* what on_finding returns */
	FILE *log;  /* a line for each that was told; NULL: none */
};

static inline void log_told(FILE *log, const struct told *told)
{
	fprintf(log, "%s %s %llu: count %llu pages %llu %s %s %s:", told->id,
		phase_name(told->phase), (unsigned long long)told->at_ns,
		(unsigned long long)told->f.count, (unsigned long long)told->f.pages,
		severity_name(told->f.severity), certainty_name(told->f.certainty), told->text);
	for (size_t i = 0; i < told->f.n_ranges; i++)
		fprintf(log, " %llx+%llx*%llu", (unsigned long long)told->f.ranges[i].gfn,
			(unsigned long long)told->f.ranges[i].npages,
			(unsigned long long)told->f.ranges[i].count);
	fputc('\n', log);
}

static inline int keep_told(void *context, const struct finding *f, enum finding_phase phase)
{
	struct detect_bench *bench = context;
	struct told *told = &bench->told[bench->n_told < MAX_TOLD ? bench->n_told : MAX_TOLD - 1];

	bench->n_told++;
	*told = (struct told){.f = *f, .phase = phase, .at_ns = f->told_ns};
	finding_id(f, told->id);
	detectors[f->kind]->describe(f, told->text, sizeof(told->text));
	assert_true(*told->text);
	if (bench->log)
		log_told(bench->log, told);
	return bench->ret;
}

static inline int feed(void *context, const struct event *event)
{
	struct detect_bench *bench = context;

	keep_event(&bench->b, event);
	return detect_event(bench->detect, event);
}

/* The time of a host that has been up for an hour. */
static inline void detect_start_with(struct detect_bench *bench, size_t max_ended, enum abi abi)
{
	struct model_options model = {
		.abi = abi, .on_event = feed, .context = bench, .max_ended = max_ended};
	struct detect_options options = {.on_finding = keep_told, .context = bench, .keep = true};

	memset(bench, 0, sizeof(*bench));
	bench->b.ts = 3600 * SECOND_NS;
	assert_int_equal(settings_new(&bench->settings), 0);
	options.settings = bench->settings;
	assert_int_equal(detect_new(&bench->detect, &options), 0);
	assert_int_equal(model_new(&bench->b.model, &model), 0);
	detect_watch(bench->detect, bench->b.model);
}

static inline void detect_start(struct detect_bench *bench)
{
	detect_start_with(bench, 2, ABI_MAP_GPA_RANGE);
}

/* In the order in which a session does it. */
static inline void detect_end(struct detect_bench *bench)
{
	detect_free(&bench->detect);
	model_free(&bench->b.model);
	settings_free(&bench->settings);
}

/* What the tests share; each begins with nothing. */
static struct detect_bench d;

static inline int begin_test(void **state)
{
	(void)state;
	detect_start(&d);
	return 0;
}

static inline int end_test(void **state)
{
	(void)state;
	detect_end(&d);
	return 0;
}

static inline void restart(void)
{
	detect_end(&d);
	detect_start(&d);
}

#define DETECTS(test) cmocka_unit_test_setup_teardown(test, begin_test, end_test)

/* For all types of VMs. */
static inline void set(
	struct detect_bench *bench, enum finding_kind kind, int which, uint64_t value)
{
	for (size_t type = 0; type < SETTINGS_TYPES; type++)
		bench->settings->values[type][kind][which] = value;
}

/* A detector's own, by its name. */
static inline void set_own(
	struct detect_bench *bench, enum finding_kind kind, const char *name, uint64_t value)
{
	for (int i = SETTING_OWN; i < SETTINGS_MAX && detectors[kind]->settings[i].name; i++)
		if (!strcmp(detectors[kind]->settings[i].name, name)) {
			set(bench, kind, i, value);
			return;
		}
	fail_msg("no setting %s", name);
}

/* ---- time ---- */

/* The next record comes ns later than it would. */
static inline void sleep_for(struct detect_bench *bench, uint64_t ns)
{
	bench->b.ts += ns;
}

/* Nothing happens for ns, a multiple of 1000; once a second a record says so, as live. */
static inline void later(struct detect_bench *bench, uint64_t ns)
{
	while (ns) {
		uint64_t step = ns < SECOND_NS ? ns : SECOND_NS;

		bench->b.ts += step - 1000; /* record() adds these */
		apply(&bench->b, record(&bench->b, 0, KES_TIME));
		ns -= step;
	}
}

/* ---- VMs ---- */

/* Born now, all of `pages` is memory, KVM knows nothing of its pages. */
static inline void sev_vm(struct detect_bench *bench, uint32_t vm, uint64_t pages)
{
	vm_new_record(&bench->b, vm, KES_F_BORN, KES_VM_SEV);
	memslot(&bench->b, vm, 0, pages, 0, 1);
}

/* The same with a host plane, all of it private. */
static inline void protected_vm_of(
	struct detect_bench *bench, uint32_t vm, uint64_t pages, enum kes_vm_type type)
{
	vm_new_record(&bench->b, vm, KES_F_BORN, type);
	info(&bench->b, vm, 2, KES_VM_HAS_ATTRIBUTES);
	memslot(&bench->b, vm, 0, pages, 0, 1);
	read_back(&bench->b, vm, 1, 0, pages, 0);
}

static inline void protected_vm(struct detect_bench *bench, uint32_t vm, uint64_t pages)
{
	protected_vm_of(bench, vm, pages, KES_VM_SW_PROTECTED);
}

static inline void vm_end(struct detect_bench *bench, uint32_t vm)
{
	apply(&bench->b, record(&bench->b, vm, KES_VM_END));
}

static inline void reset_vm(struct detect_bench *bench, uint32_t vm)
{
	apply(&bench->b, record(&bench->b, vm, KES_RESET));
}

/* ---- what guests and VMMs do ---- */

/* Asked, done by the VMM, answered. */
static inline void commit(
	struct detect_bench *bench, uint32_t vm, uint64_t gfn, uint64_t npages, uint64_t attrs)
{
	uint64_t asked = request(&bench->b, vm, 0, gfn, npages, attrs);

	set_attributes(&bench->b, vm, gfn, npages, attrs & PRIVATE);
	answer(&bench->b, vm, 0, gfn, npages, attrs, 0, asked, 0);
}

/* Asked and answered `ns` later. */
static inline void convert_slowly(
	struct detect_bench *bench, uint32_t vm, uint64_t gfn, uint64_t npages, uint64_t ns)
{
	uint64_t asked = request(&bench->b, vm, 0, gfn, npages, SHARED);

	bench->b.ts = asked + ns - 1000;
	answer(&bench->b, vm, 0, gfn, npages, SHARED, 0, asked, 0);
}

/* The VMM sets attributes, which takes it `ns`. */
static inline void set_attributes_slowly(
	struct detect_bench *bench, uint32_t vm, uint64_t gfn, uint64_t npages, uint64_t ns)
{
	struct kes_record begin = record(&bench->b, vm, KES_ATTRS_BEGIN), end;

	begin.flags = KES_F_LOCKED;
	begin.set_attrs.gpa = gfn << 12;
	begin.set_attrs.size = npages << 12;
	begin.set_attrs.tid = 77;
	apply(&bench->b, begin);
	bench->b.ts = begin.ts_ns + ns - 1000;
	end = record(&bench->b, vm, KES_ATTRS);
	end.set_attrs = begin.set_attrs;
	end.set_attrs.err = 0;
	end.set_attrs.begin = begin.seq + 1;
	apply(&bench->b, end);
}

static inline void refuse(struct detect_bench *bench, uint32_t vm, uint64_t gpa, uint64_t npages,
	uint64_t attrs, enum kes_reason reason, uint8_t flags)
{
	struct kes_record r = record(&bench->b, vm, KES_REFUSED);

	r.flags = flags;
	r.conversion.gpa = gpa;
	r.conversion.npages = npages;
	r.conversion.attrs = attrs;
	r.conversion.refused.reason = reason;
	r.conversion.refused.ret = -KES_KVM_EINVAL;
	apply(&bench->b, r);
}

/* The guest touched them as what they are not. */
static inline void fault(
	struct detect_bench *bench, uint32_t vm, uint64_t gfn, uint64_t npages, bool as_private)
{
	struct kes_record r = record(&bench->b, vm, KES_FAULT);

	r.fault.gpa = gfn << 12;
	r.fault.size = npages << 12;
	r.fault.flags = as_private ? KES_MEMORY_FAULT_PRIVATE : 0;
	r.fault.err = -14;
	apply(&bench->b, r);
}

static inline void resident(struct detect_bench *bench, uint32_t vm, struct kes_resident what)
{
	struct kes_record r = record(&bench->b, vm, KES_RESIDENT);

	r.resident = what;
	apply(&bench->b, r);
}

/* A case of FINDING_PRIVILEGE: the simplest detector there is. */
static inline void try_from_user_mode(uint32_t vm)
{
	refuse(&d, vm, 0x1000000, 1, SHARED, KES_REASON_CPL, 0);
}

/* ---- what the kernel half counts ---- */

static inline void lose(
	struct detect_bench *bench, uint32_t vm, enum kes_cause cause, uint64_t total)
{
	struct kes_record r = record(&bench->b, vm, KES_LOSS);

	r.loss.cause = cause;
	r.loss.total = total;
	apply(&bench->b, r);
}

static inline void counted(struct detect_bench *bench, uint32_t vm, enum kes_counter counter,
	uint32_t index, uint64_t total, uint32_t pid)
{
	struct kes_record r = record(&bench->b, vm, KES_COUNT);

	r.count.counter = counter;
	r.count.index = index;
	r.count.total = total;
	r.count.pid = pid;
	apply(&bench->b, r);
}

static inline void host_info(struct detect_bench *bench, uint32_t release, uint32_t flags)
{
	struct kes_record r = record(&bench->b, 0, KES_HOST_INFO);

	r.host_info.release = release;
	r.host_info.flags = flags;
	apply(&bench->b, r);
}

/* ---- what was told ---- */

/* How often a finding of this kind was told so. */
static inline int told(
	const struct detect_bench *bench, enum finding_kind kind, enum finding_phase phase)
{
	int n = 0;

	for (int i = 0; i < bench->n_told && i < MAX_TOLD; i++)
		n += bench->told[i].f.kind == kind && bench->told[i].phase == phase;
	return n;
}

/* Nothing at all. */
#define assert_silent(bench)                                                                 \
	do {                                                                                 \
		if ((bench)->n_told)                                                         \
			fail_msg("told: %s %s", (bench)->told[0].id, (bench)->told[0].text); \
	} while (0)

/* The finding that is open or ended last, of all that are known; NULL: there is none. */
static inline const struct finding *found(struct detect_bench *bench, enum finding_kind kind)
{
	const struct finding *last = NULL;
	const struct finding *const *list;
	size_t n;

	list = detect_findings(bench->detect, &n);
	for (size_t i = 0; i < n; i++)
		if (list[i]->kind == kind)
			last = list[i];
	return last;
}

/* One finding of this kind, and none of another one. */
static inline const struct finding *found_only(struct detect_bench *bench, enum finding_kind kind)
{
	const struct finding *f = found(bench, kind);

	assert_non_null(f);
	for (int other = 0; other < FINDING_KINDS; other++)
		assert_int_equal(
			told(bench, (enum finding_kind)other, PHASE_BEGIN), other == (int)kind);
	return f;
}

#define assert_weight(f, want_severity, want_certainty)                                          \
	do {                                                                                     \
		assert_string_equal(severity_name((f)->severity), severity_name(want_severity)); \
		assert_string_equal(                                                             \
			certainty_name((f)->certainty), certainty_name(want_certainty));         \
	} while (0)

#define assert_range(f, i, want_gfn, want_npages, want_count)         \
	do {                                                          \
		assert_true((f)->n_ranges > (i));                     \
		assert_int_equal((f)->ranges[i].gfn, want_gfn);       \
		assert_int_equal((f)->ranges[i].npages, want_npages); \
		assert_int_equal((f)->ranges[i].count, want_count);   \
	} while (0)

/* What it says of itself now. */
static inline const char *text_of(const struct finding *f)
{
	static char text[512];

	*text = '\0';
	detectors[f->kind]->describe(f, text, sizeof(text));
	return text;
}

#endif
