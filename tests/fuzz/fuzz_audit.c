/* SPDX-License-Identifier: GPL-2.0-only */
/* Any bytes as an audit log's file, and as what is kept of one: problems are within their bounds,
 * and what is read as a record is written again as the same bytes. Build: make fuzzers. */
#include <stdlib.h>
#include <string.h>

#include "audit/verify.h"

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_line(const char *line, size_t size)
{
	struct audit_record record;
	char again[AUDIT_LINE_BYTES];
	unsigned char digest[SHA256_BYTES];

	if (record_parse(&record, line, size))
		return;
	require(record.n && record.n <= AUDIT_RECORD_FIELDS);
	require(record.used <= AUDIT_RECORD_BYTES);
	record_hash(&record, digest);
	if (!memchr(line, '\0', size)) {
		require(record_json(&record, again) == size + 1);
		require(!memcmp(again, line, size) && again[size] == '\n');
	}
}

static void check_logs(const char *text, size_t size)
{
	struct verifier *verifier = NULL;

	require(!verifier_new(&verifier) && !verify_text(verifier, "file", text, size));
	verifier_finish(verifier);
	for (size_t i = 0; i < verifier_count(verifier); i++) {
		const struct verified *log = verifier_log(verifier, i);

		require(log->n_problems <= PROBLEMS_MAX && log->first <= log->last);
		for (size_t k = 0; k < log->n_problems; k++)
			require(log->problems[k].kind < PROBLEM_KINDS &&
				log->problems[k].first <= log->problems[k].last);
	}
	verifier_free(&verifier);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	/* Exactly as large, so that the sanitizer sees each byte read beyond. */
	char *copy = malloc(size ? size : 1);
	struct chain_state state;

	require(copy != NULL);
	if (size)
		memcpy(copy, data, size);
	check_line(copy, size);
	check_logs(copy, size);
	if (!chain_state_parse(&state, copy, size))
		require(strlen(state.chain.log) == ID_SIZE - 1);
	free(copy);
	return 0;
}
