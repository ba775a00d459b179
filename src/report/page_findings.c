/* SPDX-License-Identifier: GPL-2.0-only */
/* What was found, and what policies said. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "output/findings.h"
#include "policy/policy.h"
#include "report/report_private.h"
#include "verdict.h"

#define WHOLE  100 /* with all that `explain` says */
#define LISTED 400
#define LINE   90 /* bytes of a name */

static int by_severity(const void *a, const void *b)
{
	const struct finding *x = *(const struct finding *const *)a;
	const struct finding *y = *(const struct finding *const *)b;

	if (x->severity != y->severity)
		return x->severity > y->severity ? -1 : 1;
	return (x->begin_ns > y->begin_ns) - (x->begin_ns < y->begin_ns);
}

static void write_pre(FILE *out, const struct style *style, const struct finding *f)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *memory = open_memstream(&text, &size);

	if (!memory)
		return;
	finding_explain_text(memory, style, f);
	if (fclose(memory) || !text)
		return;
	fputs("<pre tabindex=\"0\">", out);
	escape_xml(out, text);
	fputs("</pre>\n", out);
}

static void write_head(FILE *out, const struct style *style, const struct finding *f)
{
	char id[FINDING_FULL_ID_SIZE], name[VM_SHORT_SIZE], time[24];

	fprintf(out, "<span class=\"severity %s\">%s</span> <code>%s</code> ",
		severity_name(f->severity), severity_name(f->severity), finding_id(f, id));
	escape_xml(out, detectors[f->kind]->title);
	if (f->vm) {
		fprintf(out, " <span class=\"who\">VM %u ", f->vm);
		escape_xml(out, name_short(f->name, name));
		fputs("</span>", out);
	} else {
		fputs(" <span class=\"who\">host</span>", out);
	}
	fprintf(out, " <span class=\"who\">%llu &times;, from %s%s</span>",
		(unsigned long long)f->count, time_text(style, f->begin_ns, time),
		f->state == FINDING_ENDED ? ", ended" : "");
}

static void write_finding(
	FILE *out, const struct report_page *page, const struct finding *f, bool whole)
{
	char id[FINDING_FULL_ID_SIZE];

	fprintf(out, "<li id=\"finding-%s\">", finding_id(f, id));
	if (whole)
		fputs("<details><summary>", out);
	write_head(out, page->style, f);
	if (whole) {
		fputs("</summary>\n", out);
		write_pre(out, page->style, f);
		if (f->vm)
			fprintf(out, "<p><a href=\"#vm-%u\">To VM %u</a></p>", f->vm, f->vm);
		fputs("</details>", out);
	}
	fputs("</li>\n", out);
}

void page_findings(FILE *out, const struct report_page *page)
{
	_cleanup_free_ const struct finding **sorted = NULL;
	size_t n = page->n_findings;

	fputs("<section id=\"findings\"><h2>Findings</h2>\n", out);
	sorted = calloc(n ?: 1, sizeof(*sorted));
	if (!sorted)
		return;
	for (size_t i = 0; i < n; i++)
		sorted[i] = page->findings[i];
	qsort(sorted, n, sizeof(*sorted), by_severity);
	if (!n)
		fputs("<p>Nothing suspicious was found.</p>\n", out);
	else
		fputs("<p>The gravest ones first. Each holds its evidence, why it matters, causes "
		      "without harm, and what to do: the text of <code>explain</code>.</p>\n<ul "
		      "class=\"findings\">\n",
			out);
	for (size_t i = 0; i < n && i < LISTED; i++)
		write_finding(out, page, sorted[i], i < WHOLE);
	fputs(n ? "</ul>\n" : "", out);
	if (n > WHOLE)
		fprintf(out,
			"<p class=\"note\">Thinned out: evidence of the %d gravest, %zu more are "
			"listed, %zu are not.</p>\n",
			WHOLE, (n < LISTED ? n : LISTED) - WHOLE, n < LISTED ? 0 : n - LISTED);
	if (page->findings_dropped)
		fprintf(out, "<p class=\"note\">%llu older findings were not kept.</p>\n",
			(unsigned long long)page->findings_dropped);
	fputs("</section>\n", out);
}

/* ---- policies ---- */

static const char *action_word(uint8_t action)
{
	return action < KES_ACTIONS ? action_name((enum kes_action)action)
				    : "newer than this program";
}

static void write_place(FILE *out, const char *file, uint32_t line)
{
	if (!line)
		return;
	fputs(" <code>", out);
	escape_xml(out, *file ? file : "line ");
	fprintf(out, "%s%u</code>", *file ? ":" : "", line);
}

static void write_verdicts(FILE *out, const struct report *report, const struct report_page *page)
{
	char first[24], last[24];

	fputs("<div class=\"scroll\"><table><thead><tr><th scope=\"col\" "
	      "class=\"n\">times</th><th scope=\"col\">VM</th><th scope=\"col\">verdict</th><th "
	      "scope=\"col\">monitored: would</th><th scope=\"col\">first</th><th "
	      "scope=\"col\">last</th><th scope=\"col\">the first one</th></tr></thead><tbody>\n",
		out);
	for (size_t i = 0; i < report->n_verdicts; i++) {
		const struct report_verdict *v = &report->verdicts[i];

		fprintf(out, "<tr><td class=\"n\">%llu</td><td>%u</td><td>%s",
			(unsigned long long)v->count, v->vm, action_word(v->action));
		write_place(out, v->file, v->line);
		fprintf(out, "</td><td>%s", v->would_line ? action_word(v->would) : "");
		write_place(out, v->would_file, v->would_line);
		fprintf(out, "</td><td>%s</td><td>%s</td><td>",
			time_text(page->style, v->first_ns, first),
			time_text(page->style, v->last_ns, last));
		html_foreign(out, v->what);
		fputs("</td></tr>\n", out);
	}
	fputs("</tbody></table></div>\n", out);
	if (report->verdicts_left)
		fprintf(out, "<p class=\"note\">Thinned out: %llu verdicts of further kinds.</p>\n",
			(unsigned long long)report->verdicts_left);
}

static void write_simulated(FILE *out, const struct report_page *page)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *memory = open_memstream(&text, &size);

	if (!memory)
		return;
	policy_totals_write(memory, page->style, page->policy, false);
	if (fclose(memory) || !text)
		return;
	fputs("<h3>What <code>", out);
	html_foreign(out, page->policy_path);
	fputs("</code> would have said</h3>\n<pre tabindex=\"0\">", out);
	if (size > 60000)
		text[60000] = '\0';
	html_foreign_lines(out, text);
	fputs("</pre>\n", out);
}

void page_policy(FILE *out, const struct report *report, const struct report_page *page)
{
	fputs("<section id=\"policy\"><h2>Policy verdicts</h2>\n", out);
	if (report->n_verdicts)
		write_verdicts(out, report, page);
	else
		fputs("<p>No policy said anything while this was recorded.</p>\n", out);
	if (page->policy)
		write_simulated(out, page);
	fputs("</section>\n", out);
}
