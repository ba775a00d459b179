/* SPDX-License-Identifier: GPL-2.0-only */
/* What policies said, from records to words: which rule of which file, what about, what came of it.
 */
#include "model_bench.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>

#include "output/output.h"
#include "verdict.h"

static const struct style style = {.ascii = true};

/* The path of a file, in pieces of so many bytes at the most. */
static void tell_file(struct bench *b, uint16_t number, const char *path, size_t piece)
{
	size_t total = strlen(path);

	for (size_t at = 0; at < total; at += piece) {
		struct kes_record r = record(b, 0, KES_TEXT);
		size_t size = total - at < piece ? total - at : piece;

		r.vcpu = number;
		r.seq = at;
		r.text.about = KES_TEXT_FILE;
		r.text.size = (uint8_t)size;
		memcpy(r.text.bytes, path + at, size);
		apply(b, r);
	}
}

/* A verdict about 5 frames from 9 on: rule 7 of file 3 denies; change what should be other. */
static struct kes_record verdict(struct bench *b, enum kes_kind kind)
{
	struct kes_record r = record(b, 1, kind);

	r.judgement = (struct kes_judgement){
		.gpa = 9 << 12,
		.npages = 5,
		.line = 7,
		.file = 3,
		.set = 1,
		.nr = KES_HC_MAP_GPA_RANGE,
		.action = KES_DENY,
	};
	return r;
}

static void begin(struct bench *b)
{
	start(b, ABI_MAP_GPA_RANGE);
	vm_new_record(b, 1, KES_F_BORN, KES_VM_DEFAULT);
}

static const struct event *last(const struct bench *b)
{
	assert_true(b->n > 0 && b->n <= MAX_EVENTS);
	return &b->events[b->n - 1];
}

/* What is written of the event; the caller frees it. */
static char *write_event(const struct event *event, bool json)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	if (json)
		event_write_json(out, event);
	else
		event_write_text(out, &style, event);
	fclose(out);
	return text;
}

static void assert_says(const struct bench *b, const char *what)
{
	_cleanup_free_ char *text = write_event(last(b), false);

	if (!strstr(text, what))
		fail_msg("'%s' is not in: %s", what, text);
}

static json_object *json_of(const struct bench *b)
{
	_cleanup_free_ char *text = write_event(last(b), true);
	json_object *object = json_tokener_parse(text);

	assert_non_null(object);
	return object;
}

static void assert_field(json_object *object, const char *key, const char *value)
{
	json_object *field = json_object_object_get(object, key);

	if (!value) {
		assert_null(field);
		return;
	}
	assert_non_null(field);
	assert_string_equal(json_object_get_string(field), value);
}

static void test_file_and_line(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	tell_file(&b, 3, "/etc/kvm-encstat/policy.d/10-a-name-of-more-than-one-piece.yaml",
		KES_TEXT_PIECE);
	apply(&b, verdict(&b, KES_VERDICT));
	assert_string_equal(last(&b)->policy_file,
		"/etc/kvm-encstat/policy.d/10-a-name-of-more-than-one-piece.yaml");
	assert_null(last(&b)->would_file);
	assert_says(&b, "policy: deny "
			"(/etc/kvm-encstat/policy.d/10-a-name-of-more-than-one-piece.yaml:7)");
	model_free(&b.model);
}

/* A file that is told anew has its new name; one that was never told is none. */
static void test_file_told_again(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	apply(&b, verdict(&b, KES_VERDICT));
	assert_null(last(&b)->policy_file);
	assert_says(&b, "policy: deny (line 7)");
	tell_file(&b, 3, "old", 1);
	tell_file(&b, 3, "new", 2);
	apply(&b, verdict(&b, KES_VERDICT));
	assert_string_equal(last(&b)->policy_file, "new");
	model_free(&b.model);
}

/* Pieces from outside: a gap, more than a piece, more than a path, a number that is none. */
static void test_bad_pieces(void **state)
{
	char path[KES_TEXT_LIMIT + 1] = {};
	struct kes_record r;
	struct bench b;

	(void)state;
	begin(&b);
	tell_file(&b, 3, "abc", 3);
	r = record(&b, 0, KES_TEXT);
	r.vcpu = 3;
	r.seq = 5;
	r.text = (struct kes_text){.about = KES_TEXT_FILE, .size = 2, .bytes = "xy"};
	apply(&b, r);
	r.seq = 3;
	r.text.size = KES_TEXT_PIECE + 1;
	apply(&b, r);
	r.text.size = 2;
	r.vcpu = KES_FILES + 3;
	apply(&b, r);
	r.vcpu = 3;
	r.text.about = KES_TEXT_NAME;
	apply(&b, r);
	apply(&b, verdict(&b, KES_VERDICT));
	assert_string_equal(last(&b)->policy_file, "abc");

	memset(path, 'p', KES_TEXT_LIMIT);
	tell_file(&b, 3, path, KES_TEXT_PIECE);
	r.text.about = KES_TEXT_FILE;
	r.seq = KES_TEXT_LIMIT;
	apply(&b, r); /* no room for that */
	apply(&b, verdict(&b, KES_VERDICT));
	assert_string_equal(last(&b)->policy_file, path);
	model_free(&b.model);
}

static void test_hostile_file(void **state)
{
	struct bench b;
	json_object *object;

	(void)state;
	begin(&b);
	tell_file(&b, 3, "a\x1b[2Jb\"\n\xff", 4);
	apply(&b, verdict(&b, KES_VERDICT));
	{
		_cleanup_free_ char *text = write_event(last(&b), false);

		assert_null(strchr(text, '\x1b'));
		assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	}
	object = json_of(&b);
	assert_non_null(json_object_object_get(object, "file"));
	json_object_put(object);
	model_free(&b.model);
}

/* Each level says what it is about, and who asked. */
static void test_levels(void **state)
{
	static const struct {
		uint8_t flags;
		enum kes_kind kind;
		const char *level, *by, *says;
	} cases[] = {
		{0, KES_VERDICT, "gate", NULL, "policy: deny"},
		{KES_F_CHANGE, KES_VERDICT, "ioctl", "guest", "by the VMM for its guest"},
		{KES_F_CHANGE | KES_F_BY_VMM, KES_VERDICT, "ioctl", "vmm", "by the VMM itself"},
		{KES_F_FOUND, KES_REACTION, "finding", NULL, "policy: deny"},
	};
	struct bench b;

	(void)state;
	begin(&b);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kes_record r = verdict(&b, cases[i].kind);
		json_object *object;

		r.flags = cases[i].flags;
		apply(&b, r);
		assert_says(&b, cases[i].says);
		object = json_of(&b);
		assert_field(object, "level", cases[i].level);
		assert_field(object, "by", cases[i].by);
		assert_field(object, "action", "deny");
		assert_field(object, "line", "7");
		json_object_put(object);
	}
	model_free(&b.model);
}

/* What is odd about a verdict is said, in each form. */
static void test_notes(void **state)
{
	static const struct {
		uint8_t flag;
		const char *key, *says;
	} cases[] = {
		{KES_F_UNREADABLE, "unreadable", "could not be read"},
		{KES_F_BEYOND, "beyond", "beyond what can be counted"},
		{KES_F_BUSY, "busy", "locked"},
		{KES_F_REPLACED, "replaced", "it came to be"},
	};
	struct bench b;

	(void)state;
	begin(&b);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kes_record r = verdict(&b, KES_VERDICT);
		json_object *object;

		r.flags = cases[i].flag;
		apply(&b, r);
		assert_says(&b, cases[i].says);
		object = json_of(&b);
		for (size_t k = 0; k < ARRAY_SIZE(cases); k++)
			assert_field(object, cases[k].key, k == i ? "true" : NULL);
		json_object_put(object);
	}
	model_free(&b.model);
}

/* Nobody knows who asked for a change that could not be read, or what for. */
static void test_unreadable(void **state)
{
	struct kes_record r;
	json_object *object;
	struct bench b;

	(void)state;
	begin(&b);
	r = verdict(&b, KES_VERDICT);
	r.flags = KES_F_CHANGE | KES_F_UNREADABLE;
	r.judgement.gpa = r.judgement.npages = 0;
	apply(&b, r);
	assert_int_equal(last(&b)->to, PAGE_UNKNOWN);
	object = json_of(&b);
	assert_field(object, "by", NULL);
	assert_field(object, "to", "unknown");
	json_object_put(object);
	model_free(&b.model);
}

/* A change has its attributes in kvm.h's bits, a hypercall in KVM_MAP_GPA_RANGE's. */
static void test_direction(void **state)
{
	static const struct {
		uint8_t flags;
		uint32_t attrs;
		enum page_state to;
	} cases[] = {
		{0, 0, PAGE_SHARED},
		{0, KES_MAP_GPA_ENCRYPTED, PAGE_PRIVATE},
		{0, KES_ATTRIBUTE_PRIVATE, PAGE_SHARED},
		{KES_F_CHANGE, 0, PAGE_SHARED},
		{KES_F_CHANGE, KES_ATTRIBUTE_PRIVATE, PAGE_PRIVATE},
		{KES_F_CHANGE, KES_MAP_GPA_ENCRYPTED, PAGE_SHARED},
	};
	struct bench b;

	(void)state;
	begin(&b);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kes_record r = verdict(&b, KES_VERDICT);

		r.flags = cases[i].flags;
		r.judgement.attrs = cases[i].attrs;
		apply(&b, r);
		assert_int_equal(last(&b)->to, cases[i].to);
	}
	model_free(&b.model);
}

/* Refused is what was refused to somebody: not a proof's, not monitored, not about a finding. */
static void test_totals(void **state)
{
	struct model_totals totals;
	struct kes_record r;
	struct bench b;

	(void)state;
	begin(&b);
	for (int action = 0; action < KES_ACTIONS; action++) {
		r = verdict(&b, KES_VERDICT);
		r.judgement.action = (uint8_t)action;
		apply(&b, r);
	}
	r = verdict(&b, KES_VERDICT);
	r.judgement.set = 0;
	apply(&b, r);
	r = verdict(&b, KES_VERDICT);
	r.judgement = (struct kes_judgement){.would = KES_DENY, .would_line = 4, .set = 1};
	apply(&b, r);
	assert_says(&b, "monitored policy: would deny (line 4)");
	apply(&b, verdict(&b, KES_REACTION));
	model_totals(b.model, &totals);
	assert_int_equal(totals.ledger.vetoed, 3);
	assert_int_equal(first_vm(&b)->totals.vetoed, 3);
	model_free(&b.model);
}

static void test_errno(void **state)
{
	struct kes_record r;
	struct bench b;
	json_object *object;

	(void)state;
	begin(&b);
	r = verdict(&b, KES_VERDICT);
	r.flags = KES_F_CHANGE;
	r.judgement.err = EBUSY;
	apply(&b, r);
	assert_says(&b, "its call fails: Device or resource busy");
	object = json_of(&b);
	assert_field(object, "errno", "16");
	json_object_put(object);
	r = verdict(&b, KES_VERDICT);
	r.judgement.action = 77; /* of a capture from later on */
	apply(&b, r);
	assert_says(&b, "newer than this program");
	model_free(&b.model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_and_line),
		cmocka_unit_test(test_file_told_again),
		cmocka_unit_test(test_bad_pieces),
		cmocka_unit_test(test_hostile_file),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_direction),
		cmocka_unit_test(test_totals),
		cmocka_unit_test(test_errno),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
