/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "exporter/exporter.h"
#include "metrics/metrics_private.h"

/* ---- pages ---- */

static struct page *page_ref(struct page *page)
{
	if (page)
		__atomic_add_fetch(&page->refs, 1, __ATOMIC_RELAXED);
	return page;
}

void page_unref(struct page **ref)
{
	struct page *page = *ref;

	*ref = NULL;
	if (!page || __atomic_sub_fetch(&page->refs, 1, __ATOMIC_ACQ_REL))
		return;
	free(page->bytes);
	free(page);
}

/* ---- the daemon ---- */

/* To the journal: once when it goes, once when it comes back. */
static void tell(struct exporter *exporter, bool is_away, const struct error *err)
{
	if (is_away && !exporter->is_away)
		fprintf(stderr, "kvm-encstat-exporter: %s\n", err->text);
	if (!is_away && exporter->is_away)
		fprintf(stderr, "kvm-encstat-exporter: the daemon answers\n");
	exporter->is_away = is_away;
}

/* NULL: it did not answer. */
static struct page *fetch(
	const struct exporter *exporter, enum metrics_format format, struct error *err)
{
	struct page *page = calloc(1, sizeof(*page));

	if (!page) {
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	page->refs = 1;
	if (fetch_metrics(
		    exporter->socket, exporter->timeout_ms, format, &page->bytes, &page->size, err))
		page_unref(&page);
	return page;
}

/* Under the lock. */
static void refresh(struct exporter *exporter, enum metrics_format format)
{
	struct answer *answer = &exporter->answers[format];
	uint64_t begin = clock_now_ns();
	struct error err = {};

	if (answer->fetched_ns && begin - answer->fetched_ns <= EXPORTER_FRESH_NS)
		return;
	page_unref(&answer->page);
	answer->page = fetch(exporter, format, &err);
	answer->fetched_ns = clock_now_ns();
	answer->took_ns = answer->fetched_ns - begin;
	exporter->failures += !answer->page;
	tell(exporter, !answer->page, &err);
}

/* ---- the text ---- */

/* In the order of exporter_families[]. */
static void write_own(const struct exporter *exporter, enum metrics_format format, struct text *out)
{
	const struct answer *answer = &exporter->answers[format];

	for (size_t i = 0; i < n_exporter_families; i++) {
		const struct family *family = &exporter_families[i];

		family_head(out, family, format);
		text_string(out, family->name);
		text_string(out, family_suffix(family));
		text_put(out, " ", 1);
		if (i == 0)
			text_number(out, answer->page != NULL);
		else if (i == 1)
			text_seconds(out, answer->took_ns);
		else
			text_number(out, exporter->failures);
		text_put(out, "\n", 1);
	}
	if (!answer->page && format == METRICS_OPENMETRICS)
		text_string(out, "# EOF\n");
}

void scrape(
	struct exporter *exporter, enum metrics_format format, struct text *own, struct page **ret)
{
	pthread_mutex_lock(&exporter->lock);
	refresh(exporter, format);
	write_own(exporter, format, own);
	*ret = page_ref(exporter->answers[format].page);
	pthread_mutex_unlock(&exporter->lock);
}

void scrape_free(struct exporter *exporter)
{
	for (int format = 0; format < METRICS_FORMATS; format++)
		page_unref(&exporter->answers[format].page);
}
