/* SPDX-License-Identifier: GPL-2.0-only */
/* What all detectors share: the life of a finding, settings, names. */
#include "detect_bench.h"

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

/* A record of it came before that of its birth. */
static void test_the_type_is_known_late(void **state)
{
	(void)state;
	detect_start(&d);
	d.settings->values[KES_VM_SNP][FINDING_PRIVILEGE][SETTING_COUNT] = 2;
	text(&d.b, 1, KES_TEXT_NAME, "late");
	lose(&d, 1, KES_CAUSE_RING_FULL, 1);
	vm_new_record(&d.b, 1, 0, KES_VM_SNP);
	try_from_user_mode(1);
	assert_silent(&d);
	try_from_user_mode(1);
	assert_int_equal(d.n_told, 1);
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
		cmocka_unit_test(test_the_type_is_known_late),
		cmocka_unit_test(test_defaults_of_types),
		cmocka_unit_test(test_every_detector_is_whole),
		cmocka_unit_test(test_severities_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
