/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "exporter/exporter.h"
#include "metrics/exchange.h"
#include "metrics/metrics_private.h"

/* To the journal: once when it goes, once when it comes back. */
static void tell(bool was_up, bool is_up, const struct error *err)
{
	if (was_up && !is_up)
		fprintf(stderr, "kvm-encstat-exporter: %s\n", err->text);
	if (!was_up && is_up)
		fprintf(stderr, "kvm-encstat-exporter: the daemon answers\n");
}

/* Under the lock. */
static void fetch(struct exporter *exporter)
{
	uint64_t begin = clock_now_ns();
	bool was_up = exporter->text.n || !exporter->fetched_ns, failed;
	struct error err = {};

	text_free(&exporter->text);
	failed = fetch_metrics(exporter->socket, exporter->timeout_ms, &exporter->text, &err);
	if (failed) {
		text_free(&exporter->text);
		exporter->failures++;
	}
	tell(was_up, !failed, &err);
	exporter->fetched_ns = clock_now_ns();
	exporter->took_ns = exporter->fetched_ns - begin;
}

/* In the order of exporter_families[]. */
static void write_own(const struct exporter *exporter, enum metrics_format format, struct text *out)
{
	for (size_t i = 0; i < n_exporter_families; i++) {
		const struct family *family = &exporter_families[i];

		family_head(out, family, format);
		text_string(out, family->name);
		text_string(out, family_suffix(family));
		text_put(out, " ", 1);
		if (i == 0)
			text_number(out, exporter->text.n != 0);
		else if (i == 1)
			text_seconds(out, exporter->took_ns);
		else
			text_number(out, exporter->failures);
		text_put(out, "\n", 1);
	}
}

void scrape(struct exporter *exporter, int format, struct text *ret)
{
	pthread_mutex_lock(&exporter->lock);
	if (!exporter->fetched_ns || clock_now_ns() - exporter->fetched_ns > EXPORTER_FRESH_NS)
		fetch(exporter);
	write_own(exporter, (enum metrics_format)format, ret);
	if (format == METRICS_TEXT)
		metrics_downgrade(ret, exporter->text.bytes, exporter->text.n);
	else if (exporter->text.n)
		text_put(ret, exporter->text.bytes, exporter->text.n);
	else
		text_string(ret, "# EOF\n");
	pthread_mutex_unlock(&exporter->lock);
}
