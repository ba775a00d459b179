/* SPDX-License-Identifier: GPL-2.0-only */
/* The page: head, summary, contents, and the parts in their order. */
#include <errno.h>
#include <json-c/json.h>
#include <string.h>
#include <sys/param.h> /* MIN */
#include <time.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/units.h"
#include "report/assets.h"
#include "report/report_private.h"
#include "base/sha256.h"

const char *full_time(const struct style *style, uint64_t ts_ns, char buffer[64])
{
	int64_t ns = (int64_t)ts_ns + style->realtime_offset_ns;
	time_t seconds = ns / 1000000000;
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(buffer, 64, "%Y-%m-%d %H:%M:%S %Z", &tm);
	return buffer;
}

static void write_head(FILE *out)
{
	char script[SHA256_BASE64], style[SHA256_BASE64];

	sha256_base64(page_js, (size_t)(page_js_end - page_js), script);
	sha256_base64(page_css, (size_t)(page_css_end - page_css), style);
	fprintf(out,
		"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		"script-src 'sha256-%s'; style-src 'sha256-%s'; img-src data:; base-uri 'none'; "
		"form-action 'none'\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<meta name=\"referrer\" content=\"no-referrer\">\n"
		"<meta name=\"color-scheme\" content=\"light dark\">\n"
		"<link rel=\"icon\" href=\"data:,\">\n"
		"<title>kvm-encstat report</title>\n<style>",
		script, style);
	fwrite(page_css, 1, (size_t)(page_css_end - page_css), out);
	fputs("</style></head><body>\n", out);
}

/* ---- summary ---- */

static void write_fact(FILE *out, const char *name, const char *value)
{
	fprintf(out, "<div><dt>%s</dt><dd>", name);
	html_foreign(out, value);
	fputs("</dd></div>\n", out);
}

/* A text inside the capture's own description; "" there is none. */
static const char *about_text(json_object *about, const char *part, const char *key)
{
	json_object *object = about, *value;

	if (part && !json_object_object_get_ex(about, part, &object))
		return "";
	if (!json_object_object_get_ex(object, key, &value) ||
		!json_object_is_type(value, json_type_string))
		return "";
	return json_object_get_string(value);
}

static void write_host(FILE *out, const struct report_source *source)
{
	json_object *about = source->metadata ? json_tokener_parse(source->metadata) : NULL;
	char kernel[300];

	snprintf(kernel, sizeof(kernel), "Linux %s, %s", about_text(about, "kernel", "release"),
		about_text(about, "kernel", "machine"));
	write_fact(out, "Kernel", *about_text(about, "kernel", "release") ? kernel : "not known");
	write_fact(out, "Recorded by", about_text(about, NULL, "tool"));
	json_object_put(about);
}

static void write_warnings(FILE *out, const struct report_page *page, const struct model_totals *t)
{
	const struct report_source *source = &page->source;
	bool any = false;

	if (source->damaged) {
		fputs("<p class=\"alert bad\">The capture is damaged: ", out);
		html_foreign(out, source->problem ?: "");
		fputs(". What could be read is below.</p>\n", out);
		any = true;
	}
	if (source->incomplete) {
		fputs("<p class=\"alert\">The capture was not closed: it holds what was written "
		      "until then.</p>\n",
			out);
		any = true;
	}
	if (t->lost) {
		fprintf(out,
			"<p class=\"alert bad\">%llu records were lost while this was recorded: "
			"maps "
			"marked <em>stale</em> may be wrong anywhere.</p>\n",
			(unsigned long long)t->lost);
		any = true;
	}
	for (int i = 0; i < KES_CAUSE_MAX; i++)
		if (t->host_lost[i])
			fprintf(out, "<p class=\"alert\">Host: %llu times: %s.</p>\n",
				(unsigned long long)t->host_lost[i], cause_name((uint32_t)i));
	if (t->ledger.no_answer) {
		fprintf(out,
			"<p class=\"alert\">%llu answers were not seen: their pages are "
			"unknown.</p>\n",
			(unsigned long long)t->ledger.no_answer);
		any = true;
	}
	if (!any)
		fputs("<p class=\"alert good\">No record was lost: what was watched from its "
		      "beginning is exact.</p>\n",
			out);
}

static void count_findings(FILE *out, const struct report_page *page)
{
	size_t counts[SEVERITIES] = {};
	char text[120] = "";

	for (size_t i = 0; i < page->n_findings; i++)
		counts[page->findings[i]->severity]++;
	for (int i = SEVERITIES - 1; i >= 0; i--)
		if (counts[i])
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%zu %s",
				*text ? ", " : "", counts[i], severity_name((enum severity)i));
	write_fact(out, "Findings", *text ? text : "none");
}

static void write_summary(FILE *out, const struct report *report, const struct report_page *page)
{
	const struct report_source *source = &page->source;
	struct model_totals t;
	char text[200], a[64], b[64], c[24];

	model_totals(page->model, &t);
	fputs("<section id=\"summary\"><h2>Summary</h2>\n", out);
	write_warnings(out, page, &t);
	fputs("<dl class=\"facts\">\n", out);
	write_fact(out, "Capture", source->path);
	snprintf(text, sizeof(text), "%s to %s (%s)", full_time(page->style, source->begin_ns, a),
		full_time(page->style, source->end_ns, b),
		duration_short(source->end_ns - source->begin_ns, c));
	write_fact(out, "Time", text);
	write_host(out, source);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)t.records);
	write_fact(out, "Records", text);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)t.lost);
	write_fact(out, "Records lost", text);
	snprintf(text, sizeof(text), "%zu", report->all_vms);
	write_fact(out, "VMs", text);
	snprintf(text, sizeof(text), "%llu done, %llu denied, %llu refused, %llu unanswered",
		(unsigned long long)t.ledger.converted, (unsigned long long)t.ledger.denied,
		(unsigned long long)t.ledger.refused, (unsigned long long)t.ledger.unanswered);
	write_fact(out, "Conversions", text);
	count_findings(out, page);
	fputs("</dl>\n", out);
}

/* ---- VMs ---- */

static const struct report_vm *shown(const struct report *report, uint32_t id)
{
	for (size_t i = 0; i < report->n_vms; i++)
		if (report->vms[i].id == id)
			return &report->vms[i];
	return NULL;
}

static size_t findings_of(const struct report_page *page, uint32_t id)
{
	size_t n = 0;

	for (size_t i = 0; i < page->n_findings; i++)
		n += page->findings[i]->vm == id;
	return n;
}

static void write_trust_cell(FILE *out, const struct vm *vm, enum plane plane)
{
	bool has = plane == PLANE_GUEST ? vm_has_map(vm) : vm_has_host_plane(vm);
	const char *name = confidence_name(vm_confidence(vm, plane));

	if (has)
		fprintf(out, "<td><span class=\"badge %s\">%s</span></td>", name, name);
	else
		fputs("<td>&ndash;</td>", out);
}

static void write_row(
	FILE *out, const struct report *report, const struct report_page *page, const struct vm *vm)
{
	uint64_t counts[PAGE_STATES], memory = vm_memory_pages(vm);
	char label[VM_SHORT_SIZE], type[16], size[24];

	vm_count(vm, PLANE_GUEST, counts);
	fprintf(out, "<tr><td class=\"n\">%u</td><td>", vm->id);
	if (shown(report, vm->id))
		fprintf(out, "<a href=\"#vm-%u\">", vm->id);
	escape_xml(out, vm_label_short(vm, label));
	fprintf(out, "%s</td><td>%s</td><td>%s</td><td class=\"n\">%s</td>",
		shown(report, vm->id) ? "</a>" : "", vm_type_name(vm->type, type),
		vm->alive ? "ran" : "ended", memory ? bytes_short(memory << 12, size) : "?");
	if (vm_has_map(vm))
		fprintf(out, "<td class=\"n\">%s</td>",
			bytes_short(counts[PAGE_SHARED] << 12, size));
	else
		fputs("<td class=\"n\">&ndash;</td>", out);
	write_trust_cell(out, vm, PLANE_GUEST);
	write_trust_cell(out, vm, PLANE_HOST);
	fprintf(out,
		"<td class=\"n\">%llu</td><td class=\"n\">%llu</td><td class=\"n\">%zu</td></tr>\n",
		(unsigned long long)vm_lost(vm), (unsigned long long)vm->totals.converted,
		findings_of(page, vm->id));
}

static void write_table(FILE *out, const struct report *report, const struct report_page *page)
{
	static const char *const heads[] = {"id", "name", "type", "state", "memory", "shared",
		"confidence", "host plane", "lost", "conversions", "findings"};
	static const char numbers[] = "1...11..111";
	size_t n = model_vm_count(page->model);

	fputs("<h3 id=\"vms\">VMs</h3>\n<div class=\"scroll\"><table><thead><tr>", out);
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
		fprintf(out, "<th scope=\"col\"%s>%s</th>", numbers[i] == '1' ? " class=\"n\"" : "",
			heads[i]);
	fputs("</tr></thead><tbody>\n", out);
	for (size_t i = 0; i < n && i < REPORT_ROWS; i++)
		write_row(out, report, page, model_vm(page->model, i));
	fputs("</tbody></table></div>\n", out);
	if (report->all_vms > MIN(n, REPORT_ROWS))
		fprintf(out, "<p class=\"note\">Thinned out: %zu more VMs are not listed.</p>\n",
			report->all_vms - MIN(n, REPORT_ROWS));
	if (report->all_vms > report->n_vms)
		fprintf(out,
			"<p class=\"note\">Thinned out: maps and charts are those of the %zu VMs "
			"with most conversions.</p>\n",
			report->n_vms);
}

static void write_contents(FILE *out, const struct report *report, const struct report_page *page)
{
	fputs("<nav id=\"contents\" aria-label=\"Contents\"><ul><li><a "
	      "href=\"#summary\">Summary</a></li><li><a href=\"#vms\">VMs</a></li>",
		out);
	fprintf(out, "<li><a href=\"#findings\">Findings (%zu)</a></li>", page->n_findings);
	fputs("<li><a href=\"#policy\">Policy verdicts</a></li>", out);
	for (size_t i = 0; i < report->n_vms; i++) {
		const struct vm *vm = report_find_vm(page->model, report->vms[i].id);
		char label[VM_SHORT_SIZE];

		if (!vm)
			continue;
		fprintf(out, "<li><a href=\"#vm-%u\">VM %u ", vm->id, vm->id);
		escape_xml(out, vm_label_short(vm, label));
		fputs("</a></li>", out);
	}
	fputs("<li><a href=\"#about\">About</a></li></ul></nav>\n", out);
}

static void write_about(FILE *out)
{
	fputs("<section id=\"about\"><h2>About this page</h2>\n"
	      "<p>Made by kvm-encstat " KES_VERSION
	      " from the records of a capture. A page of a guest is <em>private</em> or "
	      "<em>shared</em> as the guest declared it (guest plane), or as KVM's attributes "
	      "have it (host plane); <em>unknown</em> where nobody saw. A map is <em>exact</em> "
	      "when nothing was missed, <em>partial</em> when the VM ran before it was watched, "
	      "<em>stale</em> when records were lost. The file is whole: it loads nothing, and "
	      "sends nothing. Charts have at most 160 steps; where more was left out, it is said "
	      "there.</p></section>\n",
		out);
}

int report_write(FILE *out, struct report *report, const struct report_page *page)
{
	int r = 0;

	write_head(out);
	fputs("<header><h1>kvm-encstat report</h1><p>Which memory confidential guests shared with "
	      "their host, and when.</p></header>\n",
		out);
	write_contents(out, report, page);
	fputs("<main>\n", out);
	write_summary(out, report, page);
	write_table(out, report, page);
	if (report->n_vms > 1) {
		fputs("<div class=\"charts\">\n", out);
		chart_spread(out, "all-latency", &report->spread);
		fputs("</div>\n", out);
	}
	fputs("</section>\n", out);
	page_findings(out, page);
	page_policy(out, report, page);
	for (size_t i = 0; i < report->n_vms; i++) {
		const struct vm *vm = report_find_vm(page->model, report->vms[i].id);

		if (vm)
			page_vm(out, report, page, &report->vms[i], vm);
	}
	write_about(out);
	fputs("</main>\n<script type=\"application/json\" id=\"data\">", out);
	r = page_data(out, report, page);
	fputs("</script>\n<script>", out);
	fwrite(page_js, 1, (size_t)(page_js_end - page_js), out);
	fputs("</script>\n</body></html>\n", out);
	return r ? r : ferror(out) ? -EIO : 0;
}
