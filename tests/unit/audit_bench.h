/* SPDX-License-Identifier: GPL-2.0-only */
/* An audit log made without a sink: numbered records as lines. */
#ifndef AUDIT_BENCH_H
#define AUDIT_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

#include "audit/verify.h"
#include "base/cleanup.h"

#define MACHINE "00112233445566778899aabbccddeeff"
#define BOOT    "ffeeddccbbaa99887766554433221100"

#define LOG_RECORDS 12
struct log_bench {
	struct chain chain;
	char lines[LOG_RECORDS + 1][AUDIT_LINE_BYTES];
	size_t n;
};

static inline void fill_record(struct audit_record *record, enum audit_kind kind, uint64_t i)
{
	record_begin(record, kind);
	record_set(record, FIELD_TIME, "2026-11-28T22:52:%02u.000001Z", (unsigned int)i % 60);
	record_set(record, FIELD_MACHINE, MACHINE);
	record_set(record, FIELD_BOOT, BOOT);
	record_set(record, FIELD_VM_NAME, "a \"b\" \\x5c = {%llu}", (unsigned long long)i);
	record_add(record, "PRIORITY", "%d", audit_kinds[kind].priority);
	record_add(record, "MESSAGE", "record %llu", (unsigned long long)i);
}

static inline void add_line(struct log_bench *b, enum audit_kind kind)
{
	struct audit_record record;
	size_t size;

	fill_record(&record, kind, b->n);
	if (kind == AUDIT_CHAIN)
		record_set(&record, FIELD_PREVIOUS, "none");
	chain_add(&b->chain, &record);
	size = record_json(&record, b->lines[b->n]);
	assert_true(size < AUDIT_LINE_BYTES);
	b->lines[b->n++][size] = '\0';
}

/* A whole log: begin, vetoes, end. */
static inline void make_log(struct log_bench *b)
{
	b->n = 0;
	assert_int_equal(chain_begin(&b->chain, MACHINE, BOOT), 0);
	for (int i = 0; i < LOG_RECORDS; i++)
		add_line(b, !i ? AUDIT_CHAIN : i < LOG_RECORDS - 1 ? AUDIT_VETO : AUDIT_STOP);
}

static inline struct verifier *verify_bytes(const char *text, size_t size)
{
	struct verifier *verifier = NULL;

	assert_int_equal(verifier_new(&verifier), 0);
	assert_int_equal(verify_text(verifier, "file", text, size), 0);
	return verifier;
}

#endif
