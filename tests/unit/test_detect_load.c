/* SPDX-License-Identifier: GPL-2.0-only */
/* Many records: the same ones tell the same, and whatever they are, memory is bounded. */
#include "detect_bench.h"

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
		cmocka_unit_test(test_batches_do_not_matter),
		cmocka_unit_test(test_memory_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
