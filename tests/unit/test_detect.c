/* SPDX-License-Identifier: GPL-2.0-only */
/* What all detectors share: the life of a finding, and how much of it is kept. */
#include "detect_bench.h"

/* A case of FINDING_PRIVILEGE: the simplest detector there is. */
static void try_from_user_mode(uint32_t vm)
{
	refuse(&d, vm, 0x1000000, 1, SHARED, KES_REASON_CPL, 0);
}

/* ---- begin, update, end ---- */

static void test_all_cases_are_one_finding(void **state)
{
	const struct finding *f;

	(void)state;
	detect_start(&d);
	sev_vm(&d, 1, 4096);
	for (int i = 0; i < 3; i++)
		try_from_user_mode(1);
	f = found_only(&d, FINDING_PRIVILEGE);
	assert_int_equal(d.n_told, 1);
	assert_int_equal(d.told[0].phase, PHASE_BEGIN);
	assert_int_equal(d.told[0].f.count, 1);
	assert_string_equal(d.told[0].id, "KES-008.1.1");
	assert_int_equal(f->state, FINDING_OPEN);
	assert_int_equal(f->count, 3);
	assert_int_equal(f->pages, 3);
	assert_int_equal(f->pid, 101);
	assert_string_equal(f->name, "qemu[101]");
	assert_range(f, 0, 0x1000, 1, 3);
	later(&d, 58 * SECOND_NS);
	assert_int_equal(found(&d, FINDING_PRIVILEGE)->state, FINDING_OPEN);
	later(&d, 4 * SECOND_NS);
	f = found_only(&d, FINDING_PRIVILEGE);
	assert_int_equal(f->state, FINDING_ENDED);
	assert_int_equal(f->ended, ENDED_QUIET);
	assert_int_equal(told(&d, FINDING_PRIVILEGE, PHASE_END), 1);
	detect_end(&d);
}

static void test_a_new_finding_has_a_new_number(void **state)
{
	(void)state;
	detect_start(&d);
	sev_vm(&d, 1, 4096);
	sev_vm(&d, 2, 4096);
	try_from_user_mode(1);
	later(&d, 62 * SECOND_NS);
	try_from_user_mode(1);
	try_from_user_mode(2);
	assert_int_equal(d.n_told, 4);
	assert_string_equal(d.told[0].id, "KES-008.1.1");
	assert_int_equal(d.told[1].phase, PHASE_END);
	assert_string_equal(d.told[1].id, "KES-008.1.1");
	assert_string_equal(d.told[2].id, "KES-008.1.2");
	assert_string_equal(d.told[3].id, "KES-008.2.1");
	detect_end(&d);
}

static void test_updates_get_rarer(void **state)
{
	static const uint64_t seconds[] = {10, 20, 40, 80, 160, 320, 600, 600};

	(void)state;
	detect_start(&d);
	sev_vm(&d, 1, 4096);
	for (int i = 0; i < 2000; i++) {
		try_from_user_mode(1);
		later(&d, SECOND_NS);
	}
	assert_int_equal(d.n_told, 1 + ARRAY_SIZE(seconds));
	for (size_t i = 0; i < ARRAY_SIZE(seconds); i++) {
		uint64_t gap_ns = d.told[i + 1].at_ns - d.told[i].at_ns;

		assert_int_equal(d.told[i + 1].phase, PHASE_UPDATE);
		assert_true(gap_ns >= seconds[i] * SECOND_NS);
		assert_true(gap_ns < (seconds[i] + 2) * SECOND_NS);
	}
	detect_end(&d);
}

/* A case that came between two updates is told by the next one, without a further case. */
static void test_an_update_waits_for_its_time_only(void **state)
{
	(void)state;
	detect_start(&d);
	sev_vm(&d, 1, 4096);
	try_from_user_mode(1);
	later(&d, 5 * SECOND_NS);
	try_from_user_mode(1);
	later(&d, 4 * SECOND_NS);
	assert_int_equal(d.n_told, 1);
	later(&d, 2 * SECOND_NS);
	assert_int_equal(d.n_told, 2);
	assert_int_equal(d.told[1].phase, PHASE_UPDATE);
	assert_int_equal(d.told[1].f.count, 2);
	later(&d, 50 * SECOND_NS); /* and nothing is told where nothing is new */
	assert_int_equal(d.n_told, 2);
	detect_end(&d);
}

/* Those that last until their cause is gone, too. */
static void test_an_update_of_a_lasting_one(void **state)
{
	(void)state;
	detect_start(&d);
	protected_vm(&d, 1, 65536);
	convert(&d.b, 1, 0x1000, 1, SHARED, 0); /* the VMM does nothing of it */
	later(&d, 5 * SECOND_NS);
	convert(&d.b, 1, 0x1001, 1, SHARED, 0);
	later(&d, 6 * SECOND_NS);
	assert_int_equal(d.n_told, 2);
	assert_int_equal(d.told[1].phase, PHASE_UPDATE);
	assert_int_equal(d.told[1].f.count, 2);
	detect_end(&d);
}

static void test_worse_is_told_at_once(void **state)
{
	(void)state;
	detect_start(&d);
	sev_vm(&d, 1, 4096);
	convert(&d.b, 1, 0x2000, 1, SHARED, 0); /* outside: information */
	later(&d, 3 * SECOND_NS);
	assert_int_equal(d.n_told, 1);
	convert(&d.b, 1, 0x3000, 1, PRIVATE, 0); /* a warning */
	later(&d, 3 * SECOND_NS);
	assert_int_equal(d.n_told, 2);
	assert_int_equal(d.told[1].phase, PHASE_UPDATE);
	assert_int_equal(d.told[1].f.severity, SEVERITY_WARNING);
	detect_end(&d);
}

static void test_the_vm_ends(void **state)
{
	const struct finding *f;

	(void)state;
	detect_start(&d);
	set(&d, FINDING_MALFORMED, SETTING_COUNT, 2);
	sev_vm(&d, 1, 4096);
	try_from_user_mode(1);
	refuse(&d, 1, 1, 1, SHARED, KES_REASON_UNALIGNED, 0); /* is none yet */
	vm_end(&d, 1);
	f = found_only(&d, FINDING_PRIVILEGE);
	assert_int_equal(f->state, FINDING_ENDED);
	assert_int_equal(f->ended, ENDED_VM);
	assert_int_equal(f->end_ns, d.b.ts);
	assert_int_equal(d.n_told, 2);
	later(&d, 10 * SECOND_NS);
	assert_int_equal(d.n_told, 2);
	detect_end(&d);
}

static void test_the_records_end(void **state)
{
	(void)state;
	detect_start(&d);
	sev_vm(&d, 1, 4096);
	try_from_user_mode(1);
	assert_int_equal(detect_finish(d.detect), 0);
	assert_int_equal(found_only(&d, FINDING_PRIVILEGE)->state, FINDING_OPEN);
	assert_int_equal(d.n_told, 1);
	detect_end(&d);
}

static void test_an_error_ends_the_reading(void **state)
{
	struct kes_record r;

	(void)state;
	detect_start(&d);
	sev_vm(&d, 1, 4096);
	d.ret = -5;
	r = record(&d.b, 1, KES_REFUSED);
	r.conversion.refused.reason = KES_REASON_CPL;
	assert_int_equal(model_apply(d.b.model, &r, 1), -5);
	r = record(&d.b, 0, KES_TIME);
	assert_int_equal(model_apply(d.b.model, &r, 1), 0);
	detect_end(&d);
}

/* ---- cases until there are enough ---- */

static void test_count_within_window(void **state)
{
	const struct finding *f;
	uint64_t first_ns;

	(void)state;
	detect_start(&d);
	set(&d, FINDING_PRIVILEGE, SETTING_COUNT, 3);
	set(&d, FINDING_PRIVILEGE, SETTING_WINDOW, 10 * SECOND_NS);
	sev_vm(&d, 1, 4096);
	try_from_user_mode(1);
	first_ns = d.b.ts;
	try_from_user_mode(1);
	assert_silent(&d);
	sleep_for(&d, 10 * SECOND_NS - 2000);
	try_from_user_mode(1); /* just within the window */
	assert_int_equal(d.b.ts - first_ns, 10 * SECOND_NS);
	f = found_only(&d, FINDING_PRIVILEGE);
	assert_int_equal(f->count, 3);
	assert_int_equal(f->begin_ns, first_ns);
	assert_int_equal(f->found_ns, d.b.ts);
	detect_end(&d);
}

static void test_what_comes_later_begins_anew(void **state)
{
	const struct finding *f;

	(void)state;
	detect_start(&d);
	set(&d, FINDING_PRIVILEGE, SETTING_COUNT, 3);
	set(&d, FINDING_PRIVILEGE, SETTING_WINDOW, 10 * SECOND_NS);
	sev_vm(&d, 1, 4096);
	try_from_user_mode(1);
	later(&d, 6 * SECOND_NS); /* the second one keeps it from being forgotten */
	try_from_user_mode(1);
	later(&d, 5 * SECOND_NS);
	try_from_user_mode(1);
	assert_silent(&d);
	try_from_user_mode(1);
	assert_silent(&d);
	try_from_user_mode(1);
	f = found_only(&d, FINDING_PRIVILEGE);
	assert_int_equal(f->count, 3);
	detect_end(&d);
}

static void test_what_is_no_finding_is_forgotten(void **state)
{
	size_t before;

	(void)state;
	detect_start(&d);
	set(&d, FINDING_PRIVILEGE, SETTING_COUNT, 2);
	set(&d, FINDING_PRIVILEGE, SETTING_WINDOW, 10 * SECOND_NS);
	sev_vm(&d, 1, 4096);
	before = detect_memory(d.detect);
	try_from_user_mode(1);
	assert_true(detect_memory(d.detect) > before);
	assert_null(found(&d, FINDING_PRIVILEGE));
	later(&d, 12 * SECOND_NS);
	assert_int_equal(detect_memory(d.detect), before);
	assert_silent(&d);
	detect_end(&d);
}

static void test_quiet_ends_it(void **state)
{
	(void)state;
	detect_start(&d);
	set(&d, FINDING_PRIVILEGE, SETTING_QUIET, 5 * SECOND_NS);
	sev_vm(&d, 1, 4096);
	for (int i = 0; i < 10; i++) { /* never quiet for long enough */
		try_from_user_mode(1);
		later(&d, 4 * SECOND_NS);
	}
	assert_int_equal(told(&d, FINDING_PRIVILEGE, PHASE_END), 0);
	later(&d, 3 * SECOND_NS);
	assert_int_equal(told(&d, FINDING_PRIVILEGE, PHASE_END), 1);
	assert_int_equal(found_only(&d, FINDING_PRIVILEGE)->count, 10);
	detect_end(&d);
}

/* ---- settings ---- */

static void test_a_detector_that_is_off(void **state)
{
	(void)state;
	detect_start(&d);
	d.settings->enabled[KES_VM_SEV] &= ~ON(FINDING_PRIVILEGE);
	sev_vm(&d, 1, 4096);
	try_from_user_mode(1);
	later(&d, 2 * SECOND_NS);
	assert_silent(&d);
	vm_new_record(&d.b, 2, KES_F_BORN, KES_VM_SNP);
	try_from_user_mode(2);
	assert_string_equal(d.told[0].id, "KES-008.2.1");
	detect_end(&d);
}

static void test_types_have_their_own_settings(void **state)
{
	static const uint32_t types[] = {KES_VM_SEV, KES_VM_SNP, 99};

	(void)state;
	detect_start(&d);
	for (uint32_t i = 0; i < ARRAY_SIZE(types); i++) {
		d.settings->values[settings_type(types[i])][FINDING_PRIVILEGE][SETTING_COUNT] =
			i + 1;
		vm_new_record(&d.b, i + 1, KES_F_BORN, types[i]);
	}
	for (uint32_t vm = 1; vm <= 3; vm++) {
		int want = told(&d, FINDING_PRIVILEGE, PHASE_BEGIN);

		for (uint32_t i = 1; i < vm; i++)
			try_from_user_mode(vm);
		assert_int_equal(told(&d, FINDING_PRIVILEGE, PHASE_BEGIN), want);
		try_from_user_mode(vm);
		assert_int_equal(told(&d, FINDING_PRIVILEGE, PHASE_BEGIN), want + 1);
	}
	detect_end(&d);
}

static void test_defaults_of_types(void **state)
{
	struct settings *s;

	(void)state;
	assert_int_equal(settings_new(&s), 0);
	assert_int_equal(s->values[KES_VM_SNP][FINDING_REDUNDANT][SETTING_OWN], 0);
	assert_int_equal(s->values[KES_VM_SEV][FINDING_REDUNDANT][SETTING_OWN], 1);
	assert_int_equal(s->values[KES_VM_TDX][FINDING_STORM][SETTING_OWN + 1], 20000);
	assert_int_equal(s->values[KES_VM_TYPE_MAX][FINDING_STORM][SETTING_OWN + 1], 10000);
	settings_free(&s);
}

/* ---- names ---- */

static void test_every_detector_is_whole(void **state)
{
	(void)state;
	for (int i = 0; i < FINDING_KINDS; i++) {
		const struct detector *detector = detectors[i];
		char id[FINDING_ID_SIZE];

		assert_int_equal(detector->kind, i);
		assert_non_null(detector->describe);
		assert_true(detector->on_event || detector->on_tick);
		assert_true(!detector->on_event == !detector->events);
		assert_true(detector->title && detector->what && detector->why);
		assert_true(detector->harmless && detector->todo);
		for (int k = 0; k < SETTINGS_MAX && detector->settings[k].name; k++)
			assert_non_null(detector->settings[k].reason);
		assert_string_equal(detector->settings[SETTING_QUIET].name, "quiet");
		assert_ptr_equal(detector_find(detector->name), detector);
		assert_ptr_equal(
			detector_find(finding_kind_id((enum finding_kind)i, id)), detector);
	}
	assert_ptr_equal(detector_find("kes-003"), &detect_storm);
	assert_null(detector_find("KES-000"));
	assert_null(detector_find(""));
}

static void test_severities_by_name(void **state)
{
	enum severity severity = SEVERITIES;

	(void)state;
	assert_int_equal(severity_from_name("loud", &severity), -22);
	assert_int_equal(severity, SEVERITIES);
	for (int i = 0; i < SEVERITIES; i++) {
		assert_int_equal(severity_from_name(severity_name((enum severity)i), &severity), 0);
		assert_int_equal(severity, i);
	}
}

/* ---- what is kept ---- */

/* A finding of the VM, which the next tick ends. */
static void short_finding(uint32_t vm, uint64_t number)
{
	lose(&d, vm, KES_CAUSE_RING_FULL, number);
}

static void start_short_findings(void)
{
	detect_start(&d);
	set(&d, FINDING_LOSS, SETTING_COUNT, 1);
	set(&d, FINDING_LOSS, SETTING_QUIET, 0);
}

static void test_a_vm_pushes_out_its_own(void **state)
{
	const struct finding *const *list;
	size_t n;

	(void)state;
	start_short_findings();
	text(&d.b, 1, KES_TEXT_NAME, "loud");
	text(&d.b, 2, KES_TEXT_NAME, "quiet");
	short_finding(2, 1);
	for (uint64_t i = 1; i <= 100; i++) {
		short_finding(1, i);
		later(&d, SECOND_NS);
	}
	list = detect_findings(d.detect, &n);
	assert_int_equal(n, 1 + DETECT_KEPT_PER_VM);
	assert_int_equal(detect_dropped(d.detect), 100 - DETECT_KEPT_PER_VM);
	assert_int_equal(list[0]->vm, 2);
	assert_int_equal(list[1]->number, 37);
	assert_int_equal(list[n - 1]->number, 100);
	assert_string_equal(list[1]->name, "loud");
	detect_end(&d);
}

static void test_all_vms_together_are_bounded(void **state)
{
	const uint32_t vms = DETECT_KEPT / DETECT_KEPT_PER_VM + 2;
	const struct finding *const *list;
	size_t n;

	(void)state;
	start_short_findings();
	for (uint32_t vm = 1; vm <= vms; vm++)
		text(&d.b, vm, KES_TEXT_NAME, "one of many");
	for (uint64_t i = 1; i <= DETECT_KEPT_PER_VM; i++) {
		for (uint32_t vm = 1; vm <= vms; vm++)
			short_finding(vm, i);
		later(&d, SECOND_NS);
	}
	list = detect_findings(d.detect, &n);
	assert_int_equal(n, DETECT_KEPT);
	assert_int_equal(detect_dropped(d.detect), 2 * DETECT_KEPT_PER_VM);
	for (size_t i = 1; i < n; i++)
		assert_true(list[i - 1]->begin_ns <= list[i]->begin_ns);
	assert_true(list[0]->number > 1);
	detect_end(&d);
}

/* ---- VMs that go ---- */

/* The model frees them, and nothing of them may be touched then (sanitizers watch). */
static void test_forgotten_vms(void **state)
{
	(void)state;
	detect_start_with(&d, 1, ABI_MAP_GPA_RANGE);
	set(&d, FINDING_MALFORMED, SETTING_COUNT, 2);
	for (uint32_t vm = 1; vm <= 3; vm++) {
		protected_vm(&d, vm, 65536);
		try_from_user_mode(vm);
		refuse(&d, vm, 1, 1, SHARED, KES_REASON_UNALIGNED, 0);
		convert(&d.b, vm, 0x1000, 8, SHARED, 0);
		request(&d.b, vm, 1, 0x2000, 1, SHARED);
		set_attributes(&d.b, vm, 0x3000, 8, false); /* waits to be judged */
	}
	for (uint32_t vm = 1; vm <= 3; vm++)
		vm_end(&d, vm); /* the second and the third push out the one before */
	assert_int_equal(model_vm_count(d.b.model), 1);
	lose(&d, 1, KES_CAUSE_RING_FULL, 1000);
	later(&d, 10 * SECOND_NS);
	assert_int_equal(told(&d, FINDING_PRIVILEGE, PHASE_END), 3);
	assert_int_equal(told(&d, FINDING_UNCOMMITTED, PHASE_END), 3);
	assert_int_equal(told(&d, FINDING_UNSOLICITED, PHASE_END), 3);
	assert_int_equal(told(&d, FINDING_MALFORMED, PHASE_BEGIN), 0);
	assert_int_equal(told(&d, FINDING_LOSS, PHASE_BEGIN), 0);
	assert_string_equal(found(&d, FINDING_PRIVILEGE)->name, "qemu[103]");
	for (uint32_t vm = 1; vm <= 200; vm++) { /* VMs that may take their places */
		text(&d.b, 1000 + vm, KES_TEXT_NAME, "new");
		lose(&d, 1000 + vm, KES_CAUSE_RING_FULL, 1);
	}
	detect_end(&d);
}

static void test_counts_may_come_after_the_end(void **state)
{
	(void)state;
	detect_start(&d);
	sev_vm(&d, 1, 4096);
	later(&d, SECOND_NS);
	vm_end(&d, 1);
	lose(&d, 1, KES_CAUSE_RING_FULL, 1000);
	later(&d, 10 * SECOND_NS);
	assert_int_equal(found_only(&d, FINDING_LOSS)->ended, ENDED_VM);
	lose(&d, 1, KES_CAUSE_RING_FULL, 2000); /* too late: nobody watches it any more */
	later(&d, 2 * SECOND_NS);
	assert_int_equal(told(&d, FINDING_LOSS, PHASE_BEGIN), 1);
	detect_end(&d);
}

/* ---- ranges and evidence ---- */

static uint64_t next_random(void)
{
	static uint64_t seed = 1;

	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return seed >> 33;
}

struct oracle {
	struct finding_range list[FINDING_RANGES + 1];
	size_t n;
};

static int by_gfn(const void *a, const void *b)
{
	const struct finding_range *x = a, *y = b;

	return x->gfn < y->gfn ? -1 : x->gfn > y->gfn;
}

static void oracle_remove(struct oracle *oracle, size_t i)
{
	oracle->list[i] = oracle->list[--oracle->n];
	qsort(oracle->list, oracle->n, sizeof(oracle->list[0]), by_gfn);
}

/* The one with the fewest cases; of equal ones the first. */
static void oracle_drop(struct oracle *oracle)
{
	size_t least = 0;

	for (size_t i = 1; i < oracle->n; i++)
		if (oracle->list[i].count < oracle->list[least].count)
			least = i;
	oracle_remove(oracle, least);
}

static void oracle_add(struct oracle *oracle, struct finding_range new)
{
	for (size_t i = 0; i < oracle->n; i++) {
		struct finding_range old = oracle->list[i];
		uint64_t end = old.gfn + old.npages, new_end = new.gfn + new.npages;

		if (old.gfn > new_end || new.gfn > end)
			continue;
		new.gfn = old.gfn < new.gfn ? old.gfn : new.gfn;
		new.npages = (end > new_end ? end : new_end) - new.gfn;
		new.count += old.count;
		oracle_remove(oracle, i);
		i = (size_t)-1; /* it is larger now: once more */
	}
	if (oracle->n == FINDING_RANGES)
		oracle_drop(oracle);
	oracle->list[oracle->n++] = new;
	qsort(oracle->list, oracle->n, sizeof(new), by_gfn);
}

static void test_ranges_as_the_oracle_has_them(void **state)
{
	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct oracle oracle = {};
		struct finding f = {};

		for (int i = 0; i < 40; i++) {
			struct finding_range new = {
				next_random() % 300, 1 + next_random() % 9, 1 + next_random() % 5};

			finding_add_range(&f, new.gfn, new.npages, new.count);
			oracle_add(&oracle, new);
			assert_int_equal(f.n_ranges, oracle.n);
			assert_memory_equal(f.ranges, oracle.list, oracle.n * sizeof(new));
		}
	}
}

static void test_ranges_at_the_edges(void **state)
{
	struct finding f = {};

	(void)state;
	finding_add_range(&f, 5, 0, 1); /* no pages are no range */
	assert_int_equal(f.n_ranges, 0);
	finding_add_range(&f, UINT64_MAX - 4, 100, 1);
	finding_add_range(&f, UINT64_MAX - 8, 2, 1);
	assert_int_equal(f.n_ranges, 2);
	finding_add_range(&f, 0, UINT64_MAX, 1);
	assert_int_equal(f.n_ranges, 1);
	assert_range(&f, 0, 0, UINT64_MAX, 3);
	assert_false(f.more_ranges);
	f = (struct finding){};
	for (uint64_t i = 0; i < FINDING_RANGES; i++)
		finding_add_range(&f, i * 10, 1, 2);
	assert_false(f.more_ranges);
	finding_add_range(&f, 1000, 1, 1);
	assert_true(f.more_ranges);
	assert_range(&f, FINDING_RANGES - 1, 1000, 1, 1);
	assert_range(&f, 0, 10, 1, 2);
}

/* The first four and the last four. */
static void test_evidence(void **state)
{
	(void)state;
	for (uint64_t n = 0; n < 20; n++) {
		struct finding f = {};
		uint64_t kept = n < 2 * FINDING_EVIDENCE ? n : 2 * FINDING_EVIDENCE;

		for (uint64_t i = 0; i < n; i++) {
			struct event event = {.seq = i, .vm = (const struct vm *)&f};

			event.now_ns = (i + 1) * MILLISECOND_NS;
			finding_add_evidence(&f, &event);
		}
		for (uint64_t i = 0; i < kept; i++) {
			const struct event *event = finding_evidence(&f, i);

			assert_non_null(event);
			assert_null(event->vm);
			assert_int_equal(event->seq, i < FINDING_EVIDENCE ? i : n - kept + i);
		}
		assert_null(finding_evidence(&f, kept));
	}
}

/* Of a million cases a second not each one is looked at. */
static void test_evidence_of_a_flood(void **state)
{
	struct finding f = {};
	uint64_t i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		struct event event = {.seq = i, .now_ns = SECOND_NS + i * 1000};

		finding_add_evidence(&f, &event);
	}
	for (i = 0; i < 2 * FINDING_EVIDENCE; i++)
		assert_int_equal(finding_evidence(&f, i)->seq, i);
	assert_null(finding_evidence(&f, i));
}

/* ---- the same records, the same findings ---- */

#define RECORDS 20000

/* What a guest could do that is not well: each kind of record, about few pages. */
static struct kes_record any_record(struct bench *b)
{
	static const uint8_t kinds[] = {KES_REQUEST, KES_ANSWER, KES_ANSWER, KES_ANSWER,
		KES_REFUSED, KES_FAULT, KES_ATTRS_BEGIN, KES_ATTRS, KES_RESET, KES_LOSS, KES_COUNT,
		KES_RESIDENT, KES_TIME, KES_HOST_INFO};
	uint8_t kind = kinds[next_random() % ARRAY_SIZE(kinds)];
	bool host = kind == KES_TIME || kind == KES_HOST_INFO;
	struct kes_record r;

	if (kind == KES_RESET && next_random() % 50)
		kind = KES_TIME;
	b->ts += next_random() % 100000000;
	r = record(b, host || kind == KES_TIME ? 0 : 1 + (uint32_t)next_random() % 3, kind);
	r.vcpu = (uint16_t)(next_random() % 3);
	for (size_t i = 0; i < ARRAY_SIZE(r.payload); i++)
		r.payload[i] = next_random() % 40;
	if (kind == KES_REQUEST || kind == KES_ANSWER || kind == KES_ATTRS ||
		kind == KES_ATTRS_BEGIN || kind == KES_FAULT) {
		r.payload[0] <<= 12;
		r.conversion.attrs = next_random() % 2 ? PRIVATE : SHARED;
	}
	if (kind == KES_ANSWER)
		r.conversion.answer.ret = next_random() % 4 ? 0 : 11;
	if (kind == KES_FAULT || kind == KES_ATTRS || kind == KES_ATTRS_BEGIN)
		r.payload[1] = (1 + next_random() % 4) << 12;
	if (kind == KES_LOSS)
		r.loss.cause = (uint32_t)next_random() % KES_CAUSE_MAX;
	if (kind == KES_LOSS || kind == KES_COUNT)
		r.payload[0] = b->ts >> 24;
	return r;
}

static const struct kes_record *all_records(void)
{
	static struct kes_record records[RECORDS];
	static struct bench b;

	b.ts = 3600 * SECOND_NS;
	for (size_t i = 0; i < RECORDS; i++)
		records[i] = any_record(&b);
	return records;
}

/* What is told of them, line by line. */
static char *tell_all(const struct kes_record *records, size_t batch)
{
	char *text_told = NULL;
	size_t size;

	detect_start(&d);
	d.log = open_memstream(&text_told, &size);
	for (uint32_t vm = 1; vm <= 3; vm++)
		protected_vm(&d, vm, 32);
	for (size_t i = 0; i < RECORDS; i += batch) {
		size_t n = RECORDS - i < batch ? RECORDS - i : batch;

		assert_int_equal(model_apply(d.b.model, &records[i], n), 0);
	}
	assert_int_equal(detect_finish(d.detect), 0);
	fclose(d.log);
	assert_true(d.n_told > 100);
	detect_end(&d);
	return text_told;
}

static void test_batches_do_not_matter(void **state)
{
	const struct kes_record *records = all_records();
	char *all = tell_all(records, RECORDS);
	char *one = tell_all(records, 1), *seven = tell_all(records, 7);

	(void)state;
	assert_string_equal(one, all);
	assert_string_equal(seven, all);
	free(all);
	free(one);
	free(seven);
}

/* ---- memory ---- */

/* A guest that flips single pages all over a tebibyte, and is wrong in whatever else it can. */
static void test_memory_is_bounded(void **state)
{
	size_t before, most = 0, n;

	(void)state;
	detect_start(&d);
	before = detect_memory(d.detect);
	protected_vm(&d, 1, 1ull << 28);
	for (int i = 0; i < 200000; i++) {
		uint64_t gfn = next_random() % (1ull << 28);
		size_t now;

		convert(&d.b, 1, gfn, 1, i % 2 ? SHARED : PRIVATE, i % 16 ? 0 : 11);
		if (i % 64)
			continue;
		refuse(&d, 1, gfn << 12 | 1, 1, SHARED, KES_REASON_UNALIGNED, 0);
		try_from_user_mode(1);
		fault(&d, 1, gfn, 1, i % 128);
		set_attributes(&d.b, 1, gfn, 1, i % 128);
		now = detect_memory(d.detect);
		most = now > most ? now : most;
	}
	later(&d, SECOND_NS);
	detect_findings(d.detect, &n);
	assert_true(n > 4);
	assert_true(most - before <= detect_vm_bytes(d.detect));
	assert_true(detect_vm_bytes(d.detect) <= 128 << 10);
	vm_end(&d, 1);
	later(&d, 10 * SECOND_NS);
	assert_true(detect_memory(d.detect) <= before + n * (sizeof(struct finding) + 8));
	detect_end(&d);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_cases_are_one_finding),
		cmocka_unit_test(test_a_new_finding_has_a_new_number),
		cmocka_unit_test(test_updates_get_rarer),
		cmocka_unit_test(test_an_update_waits_for_its_time_only),
		cmocka_unit_test(test_an_update_of_a_lasting_one),
		cmocka_unit_test(test_worse_is_told_at_once),
		cmocka_unit_test(test_the_vm_ends),
		cmocka_unit_test(test_the_records_end),
		cmocka_unit_test(test_an_error_ends_the_reading),
		cmocka_unit_test(test_count_within_window),
		cmocka_unit_test(test_what_comes_later_begins_anew),
		cmocka_unit_test(test_what_is_no_finding_is_forgotten),
		cmocka_unit_test(test_quiet_ends_it),
		cmocka_unit_test(test_a_detector_that_is_off),
		cmocka_unit_test(test_types_have_their_own_settings),
		cmocka_unit_test(test_defaults_of_types),
		cmocka_unit_test(test_every_detector_is_whole),
		cmocka_unit_test(test_severities_by_name),
		cmocka_unit_test(test_a_vm_pushes_out_its_own),
		cmocka_unit_test(test_all_vms_together_are_bounded),
		cmocka_unit_test(test_forgotten_vms),
		cmocka_unit_test(test_counts_may_come_after_the_end),
		cmocka_unit_test(test_ranges_as_the_oracle_has_them),
		cmocka_unit_test(test_ranges_at_the_edges),
		cmocka_unit_test(test_evidence),
		cmocka_unit_test(test_evidence_of_a_flood),
		cmocka_unit_test(test_batches_do_not_matter),
		cmocka_unit_test(test_memory_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
