/* SPDX-License-Identifier: GPL-2.0-only */
/* Records as lines and JSON, their digests, and what is kept of a log. */
#include <errno.h>

#include "audit/tally.h"
#include "audit_bench.h"
#include "base/utf8.h"
#include "hostile_names.h"

static void test_json(void **state)
{
	struct audit_record record, back;
	char line[AUDIT_LINE_BYTES], again[AUDIT_LINE_BYTES];
	unsigned char one[SHA256_BYTES], other[SHA256_BYTES];
	size_t size;

	(void)state;
	fill_record(&record, AUDIT_VETO, 7);
	record_set(&record, FIELD_VM_UUID, "%s", "");
	size = record_json(&record, line);
	assert_int_equal(record_parse(&back, line, size - 1), 0);
	assert_int_equal(back.n, record.n);
	for (size_t i = 0; i < record.n; i++)
		assert_string_equal(record_line(&back, i), record_line(&record, i));
	assert_string_equal(record_field(&back, FIELD_VM_NAME), "a \"b\" \\x5c = {7}");
	assert_string_equal(record_field(&back, FIELD_VM_UUID), "");
	assert_null(record_field(&back, FIELD_RULE));
	record_hash(&record, one);
	record_hash(&back, other);
	assert_memory_equal(one, other, sizeof(one));
	assert_int_equal(record_json(&back, again), size);
	assert_memory_equal(line, again, size);
}

static void test_bad_json(void **state)
{
	static const char *const bad[] = {"", "{", "}", "{}", "[]", "{\"A\":\"b\"", "{\"A\":1}",
		"{\"A\":\"b\",}", "{\"A\":\"b\"} ", " {\"A\":\"b\"}", "{\"A\" :\"b\"}",
		"{\"a\":\"b\"}", "{\"A-B\":\"b\"}", "{\"\":\"b\"}", "{\"A\":\"\\u0041\"}",
		"{\"A\":\"\\n\"}", "{\"A\":\"\x01\"}", "{\"A\":\"b\\\"}", "{\"A=\":\"b\"}",
		"{\"A\":{}}"};
	struct audit_record record;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (record_parse(&record, bad[i], strlen(bad[i])) != -EBADMSG)
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(record_parse(&record, "{\"A\":\"b\"}", 9), 0);
	assert_string_equal(record_get(&record, "A"), "b");
}

/* What a value is made of: no line ends, no half characters, no more than there is room for. */
static void test_values(void **state)
{
	struct audit_record record;
	char line[AUDIT_LINE_BYTES], large[2 * AUDIT_RECORD_BYTES];
	size_t length;

	(void)state;
	record_begin(&record, AUDIT_VETO);
	record_add(&record, "MESSAGE", "a\nKES_KIND=stop\x1b\x7f");
	assert_string_equal(record_get(&record, "MESSAGE"), "a?KES_KIND=stop??");
	memset(large, '"', sizeof(large) - 1); /* twice as long in JSON */
	large[sizeof(large) - 1] = '\0';
	record_add(&record, "LARGE", "%s", large);
	assert_true(record.cut);
	assert_true(record_json(&record, line) <= sizeof(line));
	for (size_t shift = 0; shift < 3; shift++) {
		record_begin(&record, AUDIT_VETO);
		memset(large, 'x', shift);
		for (length = shift; length + 2 < sizeof(large); length += 2)
			memcpy(large + length, "\xc3\xa9", 2);
		large[length] = '\0';
		record_add(&record, "MESSAGE", "%s", large);
		assert_true(record.cut);
		assert_null(hostile_complaint(record_get(&record, "MESSAGE")));
		length = strlen(record_get(&record, "MESSAGE"));
		assert_true(length > AUDIT_RECORD_BYTES / 2 && length < AUDIT_RECORD_BYTES);
	}
	for (int i = 0; i < 2 * AUDIT_RECORD_FIELDS; i++)
		record_set_u64(&record, FIELD_VM, (uint64_t)i);
	assert_true(record.n <= AUDIT_RECORD_FIELDS);
}

/* Which fields count, and that their order does not. */
static void test_digest(void **state)
{
	unsigned char one[SHA256_BYTES], other[SHA256_BYTES];
	struct audit_record record;
	char hex[SHA256_HEX];

	(void)state;
	record_begin(&record, AUDIT_STOP);
	record_add(&record, "PRIORITY", "6");
	record_add(&record, "MESSAGE", "x");
	record_hash(&record, one);
	/* printf 'KES_KIND=stop\nMESSAGE=x\nMESSAGE_ID=b53...\nPRIORITY=6\n' | sha256sum */
	assert_string_equal(sha256_hex(one, hex),
		"0a162093b2c2855c753e5fce0b23eeab0fa07754240971470ac1be9ef47414bc");
	record_add(&record, "SYSLOG_IDENTIFIER", "kvm-encstat");
	record_set(&record, FIELD_CHAIN, "00");
	record_set(&record, FIELD_RESENT, "1");
	record_hash(&record, other);
	assert_memory_equal(one, other, sizeof(one));
	record_set(&record, FIELD_VM, "1");
	record_hash(&record, other);
	assert_memory_not_equal(one, other, sizeof(one));
}

static void test_state(void **state)
{
	struct chain_state kept = {
		.segment = 5, .offset = 77, .began_us = 123456789, .clean = true};
	struct chain_state back;
	char text[CHAIN_STATE_BYTES];

	(void)state;
	assert_int_equal(chain_begin(&kept.chain, MACHINE, BOOT), 0);
	kept.chain.seq = UINT64_MAX;
	snprintf(kept.previous, sizeof(kept.previous), "%s:%llu:%s", kept.chain.log,
		(unsigned long long)UINT64_MAX, kept.chain.hash);
	chain_state_write(&kept, text);
	assert_int_equal(chain_state_parse(&back, text, sizeof(text)), 0);
	assert_string_equal(back.chain.log, kept.chain.log);
	assert_string_equal(back.chain.hash, kept.chain.hash);
	assert_string_equal(back.previous, kept.previous);
	assert_true(back.chain.seq == UINT64_MAX && back.segment == 5 && back.offset == 77);
	assert_true(back.began_us == 123456789 && back.clean);
	assert_int_equal(chain_state_parse(&back, text, sizeof(text) - 1), -EBADMSG);
	for (size_t i = 0; text[i] != '\n'; i++) {
		text[i] ^= 1;
		if (chain_state_parse(&back, text, sizeof(text)) != -EBADMSG)
			fail_msg("byte %zu of the state can be changed", i);
		text[i] ^= 1;
	}
}

/* Names and ids are there for good, and each once. */
/* A name is cut nowhere in the middle of a letter, however long it is. */
static void test_merged_names(void **state)
{
	struct tally *tally = tally_new();
	struct audit_record record;
	char name[2 * 256 + 2] = "";

	(void)state;
	for (size_t letters = 1; letters < 256; letters++) {
		const char *text;
		size_t n;

		snprintf(name, sizeof(name), "%s", letters % 2 ? "x" : "");
		for (size_t i = 0; i < letters; i++)
			strcat(name, "\xc3\xa9");
		record_begin(&record, AUDIT_VETO);
		record_set(&record, FIELD_VM_NAME, "%s", name);
		assert_int_equal(tally_add(tally, &record), 0);
		assert_true(tally_first(tally, "flood", &record));
		tally_drop(tally);
		assert_string_equal(record_field(&record, FIELD_VM_NAME), name);
		text = record_get(&record, "MESSAGE");
		for (size_t left = strlen(text); left; left -= n, text += n) {
			uint32_t code;

			n = utf8_decode((const unsigned char *)text, left, &code);
			assert_int_not_equal(n, 0);
		}
	}
	tally_free(&tally);
}

static void test_tables(void **state)
{
	(void)state;
	for (int i = 0; i < AUDIT_KINDS; i++) {
		assert_int_equal(strlen(audit_kinds[i].id), 32);
		assert_int_equal(audit_kind_from_name(audit_kinds[i].name), i);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(audit_kinds[i].id, audit_kinds[k].id);
	}
	for (int i = 0; i < AUDIT_FIELDS; i++) {
		assert_memory_equal(audit_fields[i].name, "KES_", 4);
		assert_true(strlen(audit_fields[i].name) < 64); /* journald takes no longer one */
		for (int k = 0; k < i; k++)
			assert_string_not_equal(audit_fields[i].name, audit_fields[k].name);
	}
	assert_int_equal(audit_kind_from_name("nothing"), AUDIT_KINDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_bad_json),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_merged_names),
		cmocka_unit_test(test_tables),
	};

	return cmocka_run_group_tests_name("audit_record", tests, NULL, NULL);
}
