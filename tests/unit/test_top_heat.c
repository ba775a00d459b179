// SPDX-License-Identifier: GPL-2.0-only
/* What changed last and who did it, against a list of all changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* after the above */
#include <cmocka.h>

#include "top/heat.h"

#define CHANGES 3000

struct done {
	uint64_t gfn, npages, ts_ns;
	enum plane plane;
	uint32_t actor;
	enum page_state to;
};

static struct done changes[CHANGES];
static size_t n_changes;
static struct heat heat;

static int start(void **state)
{
	(void)state;
	heat = (struct heat){};
	n_changes = 0;
	return 0;
}

static void change(struct done c)
{
	struct event event = {
		.kind = c.plane == PLANE_GUEST ? EVENT_CONVERTED : EVENT_ATTRIBUTES,
		.now_ns = c.ts_ns,
		.gpa = c.gfn << 12,
		.npages = c.npages,
		.to = c.to,
		.vcpu = (uint16_t)c.actor,
		.tid = c.actor,
	};

	changes[n_changes++] = c;
	heat_event(&heat, &event);
}

/* The latest change of a page is the one that is told, or one that was made to look no earlier than
 * it was; or so long ago that it may have made room. */
static void check(enum plane plane, uint64_t gfn)
{
	const struct heat_mark *told = heat_last(&heat, plane, gfn, 1);
	const struct done *last = NULL;

	for (size_t i = 0; i < n_changes; i++)
		if (changes[i].plane == plane &&
			ranges_overlap(changes[i].gfn, changes[i].npages, gfn, 1))
			last = &changes[i];
	if (!last) {
		assert_null(told);
		return;
	}
	if (!told) {
		assert_true(last->ts_ns <= heat.forgotten_ns[plane]);
		return;
	}
	assert_true(told->first_ns <= last->ts_ns && last->ts_ns <= told->last_ns);
	assert_true(told->last_ns - told->first_ns < 1000000000);
	assert_int_equal(told->to, last->to);
	assert_int_equal(told->actor, last->actor);
}

static void changes_are_told_or_known_to_be_forgotten(void **state)
{
	unsigned int kept = 0;

	for (unsigned int seed = 0; seed < 20; seed++) {
		uint64_t ts_ns = 1, next = 0;

		srandom(seed);
		start(state);
		while (n_changes < (seed % 2 ? 100 : CHANGES)) {
			struct done c = {
				.gfn = random() % 3 ? next : (uint64_t)random() % 4000,
				.npages = 1 + (uint64_t)random() % (random() % 4 ? 3 : 200),
				.ts_ns = ts_ns += 1000 + (uint64_t)random() % 30000000,
				.plane = random() % 5 ? PLANE_GUEST : PLANE_HOST,
				.actor = (uint32_t)random() % 2,
				.to = random() % 4 ? PAGE_SHARED : PAGE_PRIVATE,
			};

			change(c);
			next = (c.gfn + c.npages) % 4000;
		}
		for (uint64_t gfn = 0; gfn < 4300; gfn++)
			for (int plane = 0; plane < PLANES; plane++) {
				check((enum plane)plane, gfn);
				kept += heat_last(&heat, (enum plane)plane, gfn, 1) != NULL;
			}
	}
	assert_true(kept > 10000);
}

/* One page that goes to and fro has a single place: it makes nobody else's. */
static void one_page_does_not_push_out_others(void **state)
{
	(void)state;
	change((struct done){100, 4, 1000, PLANE_GUEST, 1, PAGE_SHARED});
	for (uint64_t i = 0; i < 2000; i++)
		change((struct done){
			7, 1, 2000 + i * 1000, PLANE_GUEST, 0, i % 2 ? PAGE_SHARED : PAGE_PRIVATE});
	assert_int_equal(heat.forgotten_ns[PLANE_GUEST], 0);
	check(PLANE_GUEST, 102);
	check(PLANE_GUEST, 7);
}

static void a_buffer_that_is_converted_page_by_page_is_one(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 500; i++)
		change((struct done){1000 + i, 1, 5000 + i * 1000, PLANE_GUEST, 3, PAGE_SHARED});
	assert_int_equal(heat.forgotten_ns[PLANE_GUEST], 0);
	assert_int_equal(heat_last(&heat, PLANE_GUEST, 1250, 1)->npages, 500);
}

static void a_reset_begins_anew(void **state)
{
	struct event reset = {.kind = EVENT_RESET, .now_ns = 9000};

	(void)state;
	change((struct done){1, 1, 1000, PLANE_GUEST, 0, PAGE_SHARED});
	change((struct done){1, 1, 2000, PLANE_HOST, 77, PAGE_SHARED});
	heat_event(&heat, &reset);
	assert_null(heat_last(&heat, PLANE_GUEST, 1, 1));
	assert_int_equal(heat_last(&heat, PLANE_HOST, 1, 1)->actor, 77);
	assert_int_equal(heat.reset_ns, 9000);
	n_changes = 0;
	change((struct done){2, 1, 10000, PLANE_GUEST, 0, PAGE_SHARED});
	check(PLANE_GUEST, 2);
	assert_null(heat_last(&heat, PLANE_GUEST, 1, 1));
}

/* Of what was before a loss nobody knows whether it was the last. */
static void what_was_lost_may_have_been_the_last(void **state)
{
	struct event loss = {.kind = EVENT_LOSS, .now_ns = 3000};
	struct event reading = {.kind = EVENT_READING, .now_ns = 5000};

	(void)state;
	change((struct done){1, 1, 1000, PLANE_GUEST, 0, PAGE_SHARED});
	heat_event(&heat, &loss);
	assert_null(heat_last(&heat, PLANE_GUEST, 1, 1));
	change((struct done){1, 1, 4000, PLANE_GUEST, 2, PAGE_SHARED});
	change((struct done){1, 1, 4000, PLANE_HOST, 77, PAGE_SHARED});
	heat_event(&heat, &reading);
	assert_int_equal(heat_last(&heat, PLANE_GUEST, 1, 1)->actor, 2);
	assert_null(heat_last(&heat, PLANE_HOST, 1, 1));
}

/* What a guest asks for may be anything. */
static void nonsense_is_not_kept(void **state)
{
	static const struct {
		uint64_t gpa, npages;
	} cases[] = {{0, 0}, {UINT64_MAX, UINT64_MAX}, {0, UINT64_MAX}, {1ull << 52, 1},
		{(1ull << 52) - 4096, 2}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct event event = {.kind = EVENT_CONVERTED,
			.gpa = cases[i].gpa,
			.npages = cases[i].npages,
			.now_ns = 1};

		heat_event(&heat, &event);
	}
	assert_null(heat_last(&heat, PLANE_GUEST, 0, UINT64_MAX));
}

static void what_failed_changed_nothing(void **state)
{
	struct event event = {.kind = EVENT_ATTRIBUTES, .npages = 1, .now_ns = 1, .ret = -22};

	(void)state;
	heat_event(&heat, &event);
	event.kind = EVENT_DENIED;
	heat_event(&heat, &event);
	event.kind = EVENT_REFUSED;
	heat_event(&heat, &event);
	assert_null(heat_last(&heat, PLANE_HOST, 0, 1));
	assert_null(heat_last(&heat, PLANE_GUEST, 0, 1));
}

static void heat_fades(void **state)
{
	enum warmth before = WARMTH_HOT;

	(void)state;
	assert_int_equal(heat_warmth(0, 1000), WARMTH_HOT);
	for (uint64_t age = 0; age < 40000; age += 100) {
		assert_true(heat_warmth(age, 1000) <= before);
		before = heat_warmth(age, 1000);
	}
	assert_int_equal(before, WARMTH_COLD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(changes_are_told_or_known_to_be_forgotten, start),
		cmocka_unit_test_setup(one_page_does_not_push_out_others, start),
		cmocka_unit_test_setup(a_buffer_that_is_converted_page_by_page_is_one, start),
		cmocka_unit_test_setup(a_reset_begins_anew, start),
		cmocka_unit_test_setup(what_was_lost_may_have_been_the_last, start),
		cmocka_unit_test_setup(nonsense_is_not_kept, start),
		cmocka_unit_test_setup(what_failed_changed_nothing, start),
		cmocka_unit_test_setup(heat_fades, start),
	};

	return cmocka_run_group_tests_name("top_heat", tests, NULL, NULL);
}
