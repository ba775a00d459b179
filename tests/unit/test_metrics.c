/* SPDX-License-Identifier: GPL-2.0-only */
/* Metrics: the table is well-formed, labels come back as they went in, sums are the model's, there
 * are never more series than there may be, and counters never go back. */
#include "metrics_bench.h"
/* after the above */
#include "base/escape.h"
#include "base/utf8.h"
#include "metrics/exchange.h"

static uint64_t next_random(void)
{
	static uint64_t seed = 7;

	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return seed >> 33;
}

/* ---- the tables ---- */

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && !strcmp(text + n - m, end);
}

/* As OpenMetrics and Prometheus' own rules want them. */
static void check_family(const struct family *family)
{
	char unit[32];

	assert_true(!strncmp(family->name, "kvm_encstat_", 12));
	assert_int_equal(strspn(family->name, "abcdefghijklmnopqrstuvwxyz_"), strlen(family->name));
	assert_false(ends_with(family->name, "_total"));
	assert_false(ends_with(family->name, "_info"));
	assert_false(ends_with(family->name, "_count"));
	assert_false(ends_with(family->name, "_bucket"));
	snprintf(unit, sizeof(unit), "_%s", family->unit);
	assert_true(!*family->unit || ends_with(family->name, unit));
	assert_true(family->type < FAMILY_INFO || !*family->unit);
	assert_int_equal(strcspn(family->help, "\"\\\n"), strlen(family->help));
	assert_true(ends_with(family->help, "."));
	assert_false(family->of_vm && family->of_host);
	assert_true(!family->labels == !family->write_labels);
	assert_true(family->axes[0] || !family->axes[1]);
	assert_true(family->type != FAMILY_HISTOGRAM || (family->axes[0] && !family->axes[1]));
	assert_true(
		family->type != FAMILY_STATESET || !strcmp(family->axes[1]->label, family->name));
	assert_true(!family->of_vm == (family->detail == METRICS_HOST));
}

static void test_tables(void **state)
{
	const struct {
		const struct family *list;
		size_t n;
	} tables[] = {{vm_families, n_vm_families}, {host_families, n_host_families},
		{exporter_families, n_exporter_families}};
	const char *names[128];
	size_t n = 0;

	(void)state;
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
		for (size_t i = 0; i < tables[t].n; i++) {
			const struct family *family = &tables[t].list[i];

			check_family(family);
			for (size_t k = 0; k < n; k++)
				assert_string_not_equal(names[k], family->name);
			names[n++] = family->name;
		}
}

/* ---- text ---- */

static void test_numbers(void **state)
{
	static const struct {
		uint64_t ns;
		const char *want;
	} cases[] = {
		{0, "0"},
		{1, "0.000000001"},
		{1024, "0.000001024"},
		{1500000000, "1.5"},
		{1000000000, "1"},
		{10000000001, "10.000000001"},
		{UINT64_MAX, "18446744073.709551615"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(text_free) struct text text = {};
		char number[24];

		text_seconds(&text, cases[i].ns);
		text_put(&text, "", 1);
		assert_string_equal(text.bytes, cases[i].want);
		text_free(&text);
		text_number(&text, cases[i].ns);
		text_put(&text, "", 1);
		snprintf(number, sizeof(number), "%llu", (unsigned long long)cases[i].ns);
		assert_string_equal(text.bytes, number);
	}
}

/* What a reader of the format makes of a label's value. */
static void unescape(const char *label, char *out)
{
	for (; *label; label++) {
		assert_true(*label != '"' && *label != '\n');
		if (*label == '\\') {
			label++;
			assert_true(*label == '\\' || *label == '"');
		}
		*out++ = *label;
	}
	*out = '\0';
}

static void check_label(const char *bytes)
{
	char label[METRICS_LABEL_SIZE], back[METRICS_LABEL_SIZE], shown[METRICS_LABEL_MAX + 1];
	uint32_t code;
	size_t n;

	metrics_label(bytes, label);
	unescape(label, back);
	assert_string_equal(back, escape(bytes, shown, sizeof(shown)));
	assert_true(strlen(back) <= METRICS_LABEL_MAX);
	for (const char *at = back; *at; at += n) {
		n = utf8_decode((const unsigned char *)at, strlen(at), &code);
		assert_true(n && code >= ' ');
	}
}

static void test_labels(void **state)
{
	static const char odd[] = "\"\\\n\t\r{},= \x80\xc3\xbc\xe2\x80\xae\xff\x01";
	char bytes[300];

	(void)state;
	check_label("");
	check_label("db1");
	check_label("\\\"");
	for (int round = 0; round < 20000; round++) {
		size_t n = next_random() % sizeof(bytes);

		for (size_t i = 0; i < n; i++)
			bytes[i] = next_random() % 2 ? odd[next_random() % (sizeof(odd) - 1)]
						     : (char)next_random();
		bytes[n ? n - 1 : 0] = '\0';
		check_label(bytes);
	}
}

/* ---- sums ---- */

#define VMS 6

static void check_sums(struct metrics_bench *m)
{
	const char *text = metrics_text(m, METRICS_OPENMETRICS);
	struct model_totals totals;
	uint64_t bytes[PAGE_STATES] = {};
	double buckets;

	model_totals(m->b.model, &totals);
	for (size_t i = 0; i < model_vm_count(m->b.model); i++) {
		uint64_t counts[PAGE_STATES];

		vm_count(model_vm(m->b.model, i), PLANE_GUEST, counts);
		for (int k = 0; k < PAGE_STATES; k++)
			bytes[k] += counts[k] << 12;
	}
#define SUM(name, label, other) \
	(uint64_t) metrics_sum(text, "kvm_encstat_" name, label, other, NULL)
	assert_int_equal(SUM("vm_conversions_total", NULL, NULL), totals.ledger.converted);
	assert_int_equal(SUM("conversions_total", NULL, NULL), totals.ledger.converted);
	assert_int_equal(
		SUM("vm_conversions_failed_total", "\"denied\"", NULL), totals.ledger.denied);
	assert_int_equal(
		SUM("vm_conversions_failed_total", "\"refused_", NULL), totals.ledger.refused);
	assert_int_equal(
		SUM("conversions_failed_total", "\"refused_", NULL), totals.ledger.refused);
	assert_int_equal(SUM("vm_answer_seconds_count", NULL, NULL),
		totals.ledger.converted + totals.ledger.denied);
	buckets = metrics_sum(
		text, "kvm_encstat_vm_answer_seconds_bucket", "le=\"+Inf\"", NULL, NULL);
	assert_true(buckets ==
		    metrics_sum(text, "kvm_encstat_vm_answer_seconds_count", NULL, NULL, NULL));
	assert_int_equal(SUM("vm_pages_bytes", "\"guest\"", "\"shared\""), bytes[PAGE_SHARED]);
	assert_int_equal(SUM("vm_pages_bytes", "\"guest\"", "\"private\""), bytes[PAGE_PRIVATE]);
	assert_int_equal(SUM("vm_confidence", "plane=\"guest\"", NULL), VMS);
	assert_int_equal(SUM("records_total", NULL, NULL), totals.records);
#undef SUM
}

static void test_sums(void **state)
{
	struct metrics_bench m;

	(void)state;
	metrics_start(&m, METRICS_FULL, 100);
	for (uint32_t vm = 1; vm <= VMS; vm++)
		metrics_vm(&m, vm, KES_VM_SNP);
	for (int i = 0; i < 3000; i++) {
		uint32_t vm = 1 + (uint32_t)(next_random() % VMS);

		if (next_random() % 9)
			metrics_convert(&m, vm, next_random() % 4096, next_random() % 2,
				next_random() % 7 ? 0 : -22, 1000 + next_random() % 10000000);
		else
			metrics_refuse(&m, vm, (uint32_t)(next_random() % (KES_REASON_MAX + 2)));
		if (i % 500 == 0)
			check_sums(&m);
	}
	check_sums(&m);
	metrics_stop(&m);
}

/* A bound is in its bucket: le. */
static void test_latency(void **state)
{
	struct metrics_bench m;
	char label[32];

	(void)state;
	metrics_start(&m, METRICS_FULL, 100);
	metrics_vm(&m, 1, KES_VM_SNP);
	for (int i = 0; i < LATENCY_BOUNDS; i++) {
		assert_true(
			strtod(latency_bounds[i].le, NULL) == (double)latency_bounds[i].ns / 1e9);
		metrics_convert(&m, 1, 0, true, 0, latency_bounds[i].ns);
		metrics_convert(&m, 1, 0, true, 0, latency_bounds[i].ns + 1);
	}
	metrics_text(&m, METRICS_TEXT);
	for (int i = 0; i < LATENCY_BOUNDS; i++) {
		snprintf(label, sizeof(label), "le=\"%s\"", latency_bounds[i].le);
		assert_int_equal((uint64_t)metrics_sum(m.text,
					 "kvm_encstat_vm_answer_seconds_bucket", label, NULL, NULL),
			2 * i + 1);
	}
	metrics_stop(&m);
}

/* ---- how many there are ---- */

/* Whether a series of a counter, as it begins a line, has a number that is at least the old one. */
static void check_monotonic(const char *before, const char *after)
{
	for (const char *line = before; *line; line = strchr(line, '\n') + 1) {
		const char *end = strchr(line, '\n'), *number = end, *found;
		char key[512];

		while (*number != ' ')
			number--;
		snprintf(key, sizeof(key), "\n%.*s ", (int)(number - line), line);
		if (*line == '#' || !(strstr(key, "_total") || strstr(key, "_bucket")))
			continue;
		found = strstr(after, key);
		if (!found) { /* a VM's that ended */
			assert_non_null(strstr(key, "vm=\""));
			continue;
		}
		assert_true(strtod(number, NULL) <= strtod(found + strlen(key), NULL));
	}
}

static size_t vms_in(const char *text)
{
	size_t n;

	metrics_sum(text, "kvm_encstat_vm_findings_open", "\"info\"", NULL, &n);
	return n;
}

/* VMs come and go; there is room for four. */
static void test_other(void **state)
{
	struct metrics_bench m;
	_cleanup_free_ char *before = NULL;
	uint32_t next = 1, oldest = 1;

	(void)state;
	metrics_start(&m, METRICS_FULL, 4);
	for (int round = 0; round < 400; round++) {
		if (next - oldest < 9 && next_random() % 2)
			metrics_vm(&m, next++, KES_VM_SNP);
		if (next - oldest > 1 && next_random() % 6 == 0)
			metrics_end(&m, oldest++);
		for (int i = 0; i < 5 && next > oldest; i++)
			metrics_convert(&m, oldest + (uint32_t)(next_random() % (next - oldest)),
				next_random() % 4096, next_random() % 2, 0, 5000);
		if (next_random() % 20 == 0)
			m.b.ts += METRICS_LINGER_NS;
		metrics_text(&m, METRICS_OPENMETRICS);
		assert_true(vms_in(m.text) <= 4 + 1);
		if (before)
			check_monotonic(before, m.text);
		free(before);
		before = strdup(m.text);
	}
	assert_true(next > 50);
	assert_non_null(strstr(m.text, "{vm=\"other\",id=\"0\""));
	assert_true(
		metrics_sum(m.text, "kvm_encstat_vms_put_in_other_total", NULL, NULL, NULL) > 0);
	metrics_stop(&m);
}

/* The figures of a VM that ended are there for a while, those of its pages are not. */
static void test_ended(void **state)
{
	struct metrics_bench m;
	size_t n;

	(void)state;
	metrics_start(&m, METRICS_FULL, 1);
	metrics_vm(&m, 1, KES_VM_SNP);
	metrics_convert(&m, 1, 5, false, 0, 5000);
	metrics_end(&m, 1);
	metrics_text(&m, METRICS_OPENMETRICS);
	metrics_sum(m.text, "kvm_encstat_vm_pages_bytes", NULL, NULL, &n);
	assert_int_equal(n, 0);
	assert_true(metrics_sum(m.text, "kvm_encstat_vm_conversions_total", NULL, NULL, NULL) == 1);
	m.b.ts += METRICS_LINGER_NS;
	metrics_vm(&m, 2, KES_VM_SNP); /* no text was written since: its place is not free yet */
	metrics_text(&m, METRICS_OPENMETRICS);
	assert_null(strstr(m.text, "id=\"1\""));
	assert_true(metrics_sum(m.text, "kvm_encstat_vms_in_other", NULL, NULL, NULL) == 1);
	metrics_vm(&m, 3, KES_VM_SNP);
	metrics_text(&m, METRICS_OPENMETRICS);
	assert_non_null(strstr(m.text, "id=\"3\""));
	assert_true(metrics_sum(m.text, "kvm_encstat_conversions_total", NULL, NULL, NULL) == 1);
	metrics_stop(&m);
}

/* Records go missing, and so many come that these do not any more. */
static void lose(struct metrics_bench *m, uint32_t vm, uint64_t n)
{
	m->seq[vm] += n;
	for (int i = 0; i < 4096; i++)
		metrics_convert(m, vm, 7, false, 0, 1000);
}

/* The kernel's counts are read: so many did not fit on the ring. */
static void collect(struct metrics_bench *m, uint32_t vm, uint64_t total)
{
	struct kes_record r = metrics_record(m, vm, KES_LOSS);

	r.loss = (struct kes_loss){.total = total, .cause = KES_CAUSE_RING_FULL};
	if (total)
		apply(&m->b, r);
	apply(&m->b, metrics_record(m, 0, KES_TIME));
}

static double lost(struct metrics_bench *m, const char *cause)
{
	return metrics_sum(m->text, "kvm_encstat_vm_records_lost_total", cause, NULL, NULL);
}

/* While more may come: it is live. */
static void check_lost(struct metrics_bench *m, uint64_t counted, uint64_t gap)
{
	static const struct metrics_tool tool;
	const struct metrics_view view = {.tool = &tool};

	free(m->text);
	assert_int_equal(
		metrics_write(m->metrics, &view, METRICS_OPENMETRICS, &m->text, &m->size), 0);
	assert_true(lost(m, "ring_full") == (double)counted);
	assert_true(lost(m, "gap") == (double)gap);
	assert_true(lost(m, NULL) == (double)(counted + gap));
}

/* What the kernel will have counted the next time is no gap, whenever it is looked at. */
static void test_gap(void **state)
{
	struct metrics_bench m;

	(void)state;
	metrics_start(&m, METRICS_FULL, 10);
	metrics_vm(&m, 1, KES_VM_DEFAULT);
	lose(&m, 1, 31);
	check_lost(&m, 0, 0);
	check_lost(&m, 0, 0);
	collect(&m, 1, 31);
	check_lost(&m, 31, 0);
	lose(&m, 1, 7);
	collect(&m, 1, 38);
	check_lost(&m, 38, 0);

	/* But what it has not is. */
	lose(&m, 1, 5);
	check_lost(&m, 38, 0);
	collect(&m, 1, 0);
	lose(&m, 1, 2);
	check_lost(&m, 38, 5);
	collect(&m, 1, 40);
	check_lost(&m, 40, 5);

	/* Of a capture nothing comes any more. */
	lose(&m, 1, 3);
	metrics_text(&m, METRICS_OPENMETRICS);
	assert_true(lost(&m, "gap") == 8);
	metrics_stop(&m);
}

static void test_detail(void **state)
{
	struct metrics_bench m;

	(void)state;
	for (int detail = 0; detail < METRICS_DETAILS; detail++) {
		metrics_start(&m, (enum metrics_detail)detail, 10);
		metrics_vm(&m, 1, KES_VM_SNP);
		metrics_text(&m, METRICS_OPENMETRICS);
		assert_true(ends_with(m.text, "\n# EOF\n"));
		assert_true(!strstr(m.text, "kvm_encstat_vm_info{") == (detail < METRICS_BASIC));
		assert_true(!strstr(m.text, "answer_seconds") == (detail < METRICS_FULL));
		metrics_text(&m, METRICS_TEXT);
		assert_null(strstr(m.text, "# EOF"));
		assert_null(strstr(m.text, "# UNIT"));
		assert_null(strstr(m.text, "stateset"));
		metrics_stop(&m);
	}
}

/* ---- the older format ---- */

static void test_negotiation(void **state)
{
	static const struct {
		const char *accept;
		enum metrics_format want;
	} cases[] = {
		{NULL, METRICS_TEXT},
		{"", METRICS_TEXT},
		{"*/*", METRICS_TEXT},
		{"text/plain", METRICS_TEXT},
		{"application/openmetrics-text", METRICS_OPENMETRICS},
		{"Application/OpenMetrics-Text; version=1.0.0", METRICS_OPENMETRICS},
		/* what Prometheus 2.42 sends */
		{"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version="
		 "0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
			METRICS_OPENMETRICS},
		{"application/openmetrics-text;q=0", METRICS_TEXT},
		{"application/openmetrics-text;q=0.000", METRICS_TEXT},
		{"application/openmetrics-text; q=0.4, text/plain; q=0.5", METRICS_TEXT},
		{"text/plain;q=0.5,application/openmetrics-text;q=0.5", METRICS_OPENMETRICS},
		{"text/plain,application/openmetrics-text;q=0.999", METRICS_TEXT},
		{"application/openmetrics-text2", METRICS_TEXT},
		{"application/openmetrics-text;q=", METRICS_TEXT},
		{"application/openmetrics-text;q=x,;,,", METRICS_TEXT},
		{"text/html, ,application/openmetrics-text;q=1.0", METRICS_OPENMETRICS},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(metrics_negotiate(cases[i].accept), cases[i].want);
}

/* The next line from *at on that is a series; false: there is none. */
static bool next_series(const char **at, size_t *ret_n)
{
	while (**at == '#')
		*at = strchr(*at, '\n') + 1;
	*ret_n = strcspn(*at, "\n");
	return **at;
}

/* One has heads that the other has not; what is said is the same. */
static void test_formats(void **state)
{
	_cleanup_free_ char *open = NULL;
	struct metrics_bench m;
	const char *a, *b;
	size_t n, other, lines = 0;

	(void)state;
	metrics_start(&m, METRICS_FULL, 2);
	for (uint32_t vm = 1; vm <= 3; vm++) {
		metrics_vm(&m, vm, KES_VM_SNP);
		metrics_convert(&m, vm, 7, false, vm == 2 ? -22 : 0, 5000);
	}
	open = strdup(metrics_text(&m, METRICS_OPENMETRICS));
	for (a = open, b = metrics_text(&m, METRICS_TEXT); next_series(&a, &n);
		a += n + 1, b += other + 1, lines++) {
		assert_true(next_series(&b, &other));
		assert_int_equal(n, other);
		assert_memory_equal(a, b, n);
	}
	assert_false(next_series(&b, &other));
	assert_true(lines > 200);
	metrics_stop(&m);
}

/* A text that would be too long has less of each VM, and says so. */
static void test_reduced(void **state)
{
	struct metrics_bench m;
	size_t max_bytes = 0;

	(void)state;
	metrics_start(&m, METRICS_FULL, 10);
	for (uint32_t vm = 1; vm <= 5; vm++)
		metrics_vm(&m, vm, KES_VM_SNP);
	for (int detail = METRICS_FULL; detail >= METRICS_HOST; detail--) {
		const struct metrics_options options = {METRICS_FULL, 10, max_bytes};

		metrics_set_options(m.metrics, &options);
		metrics_text(&m, METRICS_OPENMETRICS);
		assert_true(!strstr(m.text, "vm_info{") == (detail < METRICS_BASIC));
		assert_true(!strstr(m.text, "answer_seconds") == (detail < METRICS_FULL));
		assert_true(metrics_sum(m.text, "kvm_encstat_detail_reduced", NULL, NULL, NULL) ==
			    (detail < METRICS_FULL));
		assert_true(ends_with(m.text, "\n# EOF\n"));
		max_bytes = m.size - 1; /* it just does not fit any more */
	}
	metrics_stop(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_latency),
		cmocka_unit_test(test_other),
		cmocka_unit_test(test_ended),
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_detail),
		cmocka_unit_test(test_negotiation),
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_reduced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
