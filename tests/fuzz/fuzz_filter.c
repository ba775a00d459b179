/* SPDX-License-Identifier: GPL-2.0-only */
/* Any bytes as a filter of top: it holds for a VM or not, or there is an error that can be shown.
 * Build: make fuzzers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/hostile_names.h"
#include "top/filter.h"

static void require(bool condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct row row = {.id = 1, .has_map = true, .memory = 1 << 20, .shared = 1 << 12};
	struct filter filter = {.n = FILTER_TERMS + 1};
	struct error err = {};
	char *text = strndup((const char *)data, size);
	int r;

	require(text != NULL);
	snprintf(row.name, sizeof(row.name), "web-1");
	r = filter_parse(&filter, text, &err);
	if (r) {
		require(r == -EINVAL && err.code == r && *err.text);
		require(!hostile_complaint(err.text) && !hostile_complaint(err.advice));
		require(filter.n == FILTER_TERMS + 1);
	} else {
		require(filter.n <= FILTER_TERMS);
		for (size_t i = 0; i < filter.n; i++) {
			struct filter one = {.n = 1};

			one.terms[0] = filter.terms[i];
			require(!filter_matches(&filter, &row) || filter_matches(&one, &row));
			one.terms[0].negated = !one.terms[0].negated;
			require(!filter_matches(&filter, &row) || !filter_matches(&one, &row));
		}
		filter_matches_text(&filter, "web-1 converted");
	}
	free(text);
	return 0;
}
