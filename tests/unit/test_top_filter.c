/* SPDX-License-Identifier: GPL-2.0-only */
/* Filters: what they take, what they say of what they do not, and what they leave. */
#include <errno.h>

#include "hostile_names.h"
#include "top_bench.h"

static struct row example(void)
{
	struct row row = {
		.id = 7,
		.pid = 1234,
		.uid = 107,
		.type = KES_VM_SNP,
		.alive = true,
		.has_map = true,
		.name = "db-primary",
		.cgroup = "/machine.slice/vm7",
		.memory = 1ull << 30,
		.shared = 128ull << 20, /* 12.5% */
		.confidence = CONFIDENCE_EXACT,
		.p50_ns = 40000,
		.p99_ns = 2500000,
		.lost = 3,
		.policy = POLICY_ENFORCE,
	};

	row.rates[FLOW_TO_SHARED] = 1500;
	row.open[SEVERITY_WARNING] = 1;
	row.totals[FLOW_VETOED] = 11;
	return row;
}

static void test_matching(void **state)
{
	static const struct {
		const char *text;
		bool matches;
	} cases[] = {
		{"", true},
		{"  ", true},
		{"db", true},
		{"DB", true},
		{"web", false},
		{"!web", true},
		{"!db", false},
		{"db snp", true},
		{"db tdx", false},
		{"machine.slice", true},
		{"type=snp", true},
		{"type=SNP", true},
		{"type!=snp", false},
		{"type=sev", false},
		{"type~s", true},
		{"!type=snp", false},
		{"shared>10%", true},
		{"shared>12.5%", false},
		{"shared>=12.5%", true},
		{"shared=128M", true},
		{"shared<128M", false},
		{"shared<=0.125G", true},
		{"shared!=128M", false},
		{"percent>10", true},
		{"percent>10%", true},
		{"shr%>10", true},
		{"toshared>1k", true},
		{"toshared>1.5k", false},
		{">sh/s", false},
		{"p99>2ms", true},
		{"p99>2500us", false},
		{"p99>0.0025s", false},
		{"p50<1ms p99>1ms", true},
		{"lost=3", true},
		{"lost=0", false},
		{"id=7", true},
		{"name~prim", true},
		{"name=\"db-primary\"", true},
		{"'db-primary'", true},
		{"conf=exact", true},
		{"conf!=exact", false},
		{"policy=enforce", true},
		{"policy=ENFORCE denials>0", true},
		{"policy!=enforce", false},
		{"policy=frozen", false},
		{"policy>=monitor", true},
		{"policy<frozen", true},
		{"policy~force", true},
		{"denials>11", false},
		{"denied=11", true},
		{"findings>0", true},
		{"findings>=warning", true},
		{"findings>=critical", false},
		{"uid=107", true},
		{"state=alive", true},
		{"age>1s", false},
		{"age!=1s", true},
		{"\"a=b\"", false},
	};
	struct row row = example();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct filter filter = {};
		struct error err = {};

		if (filter_parse(&filter, cases[i].text, &err))
			fail_msg("%s: %s", cases[i].text, err.text);
		if (filter_matches(&filter, &row) != cases[i].matches)
			fail_msg("%s: should %smatch", cases[i].text,
				cases[i].matches ? "" : "not ");
	}
}

static void test_errors(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{"foo=1", "there is no column 'foo'"},
		{"shared>", "nothing to compare with"},
		{"shared>x", "'shared' cannot be compared with 'x'"},
		{"shared>10q", "'shared' cannot be compared with '10q'"},
		{"p99>3M%", "'p99' cannot be compared"},
		{"lost>inf", "'lost' cannot be compared"},
		{"lost>nan", "'lost' cannot be compared"},
		{"percent>10x", "cannot be compared"},
		{"type>snp", "'type' is text"},
		{"!", "nothing follows '!'"},
		{"\"abc", "a quote \" is not closed"},
		{"a!b", "use != or !word"},
		{"\x1b[2J=1", "there is no column '\\x1b[2J'"},
		{"a b c d e f g h i j k l m n o p q", "more than 16 words"},
	};
	char longest[FILTER_TEXT + 100];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	for (size_t i = 0; i <= ARRAY_SIZE(cases); i++) {
		const char *text = i < ARRAY_SIZE(cases) ? cases[i].text : longest;
		const char *says = i < ARRAY_SIZE(cases) ? cases[i].says : "too long";
		struct filter filter = {.n = 99};
		struct error err = {};

		assert_int_equal(filter_parse(&filter, text, &err), -EINVAL);
		if (!strstr(err.text, says))
			fail_msg("%s: %s", text, err.text);
		assert_null(hostile_complaint(err.text));
		assert_int_equal(filter.n, 99); /* untouched */
	}
}

/* ---- columns ---- */

static void test_columns(void **state)
{
	struct column_set set, fitting;
	struct error err = {};
	int widths[COLUMNS_MAX];

	(void)state;
	assert_int_equal(column_set_parse(&set, "name,SHARED,p99", &err), 0);
	assert_int_equal(set.n, 3);
	assert_string_equal(set.columns[1]->id, "shared");
	assert_int_equal(column_set_parse(&set, "name,nope", &err), -EINVAL);
	assert_non_null(strstr(err.text, "there is no column 'nope'"));
	assert_non_null(strstr(err.advice, "toprivate"));
	assert_int_equal(set.n, 3);
	assert_int_equal(column_set_parse(&set, "", &err), -EINVAL);
	for (size_t i = 0; i < n_columns; i++)
		assert_ptr_equal(column_find(columns[i].id), &columns[i]);
	/* Whatever the width, what is shown fits, and the name is always there. */
	column_set_default(&set);
	for (int width = 20; width < 300; width++) {
		int used = -1;
		bool named = false;

		column_set_fit(&set, width, &fitting, widths);
		for (size_t i = 0; i < fitting.n; i++) {
			used += widths[i] + 1;
			named |= !strcmp(fitting.columns[i]->id, "name");
		}
		assert_true(named && used <= width);
	}
}

static void test_numbers(void **state)
{
	char text[24];

	(void)state;
	assert_string_equal(count_short(0, text), "0");
	assert_string_equal(count_short(999, text), "999");
	assert_string_equal(count_short(1000, text), "1.0K");
	assert_string_equal(count_short(9960, text), "10K");
	assert_string_equal(count_short(999999, text), "1.0M");
	assert_string_equal(count_short(UINT64_MAX, text), "18E");
	assert_string_equal(rate_short(0, text), "0");
	assert_string_equal(rate_short(0.01, text), "0.1");
	assert_string_equal(rate_short(9.94, text), "9.9");
	assert_string_equal(rate_short(12.6, text), "13");
}

/* No number is wider than its column. */
static void test_widths(void **state)
{
	static const double values[] = {0, 1, 9.96, 99.96, 999.6, 1e4, 99960, 1e6, 1e9, 1e12, 1e15};
	char text[COLUMN_SIZE];

	(void)state;
	for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
		struct row row = example();

		row.memory = row.shared = (uint64_t)values[v];
		row.p50_ns = row.p99_ns = row.oldest_ns = (uint64_t)values[v];
		row.open_requests = (uint64_t)values[v];
		row.lost = (uint64_t)values[v];
		for (int i = 0; i < FLOWS; i++) {
			row.rates[i] = values[v];
			row.totals[i] = (uint64_t)values[v];
		}
		for (size_t i = 0; i < n_columns; i++)
			if (columns[i].unit != COLUMN_TEXT &&
				(int)strlen(column_text(&columns[i], &row, text)) >
					columns[i].width)
				fail_msg("%s: %s", columns[i].id, text);
	}
}

/* A capture may say any number. */
static void test_extremes(void **state)
{
	struct row row = example();
	char text[COLUMN_SIZE];

	(void)state;
	row.memory = row.shared = row.lost = row.oldest_ns = row.p50_ns = UINT64_MAX;
	row.open_requests = UINT64_MAX;
	for (int i = 0; i < FLOWS; i++) {
		row.rates[i] = 1e30;
		row.totals[i] = UINT64_MAX;
	}
	for (size_t i = 0; i < n_columns; i++)
		(void)column_text(&columns[i], &row, text);
	assert_string_equal(column_text(column_find("lost"), &row, text), "18E");
	assert_string_equal(column_text(column_find("exits"), &row, text), "18E");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matching),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_widths),
		cmocka_unit_test(test_extremes),
	};

	return cmocka_run_group_tests_name("top_filter", tests, NULL, NULL);
}
