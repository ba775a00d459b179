/* SPDX-License-Identifier: GPL-2.0-only */
/* man/kvm-encstat-metrics.7: what is said of each family comes from the tables that write it. */
#include <string.h>

#include "base/cleanup.h"
#include "metrics/metrics_private.h"
#include "output/manual.h"

static const char *const head[] = {
	".\\\" SPDX-License-Identifier: GPL-2.0-only",
	".\\\" Made by `kvm-encstat explain --manual metrics`: change src/metrics/, not this file.",
	".TH KVM\\-ENCSTAT\\-METRICS 7 \"\" \"kvm\\-encstat\" \"kvm\\-encstat manual\"",
	".SH NAME",
	"kvm-encstat-metrics - what kvm-encstat tells Prometheus",
	".SH DESCRIPTION",
	".BR kvm\\-encstat\\-exporter (8)",
	"serves these metrics over HTTP, and",
	".BR kvm\\-encstat\\-metrics (8)",
	"prints them, or writes them to a file for node_exporter's textfile collector.",
	"They are OpenMetrics 1.0, or text 0.0.4 for those who do not ask for that.",
	"Names, types and units are stable; families may be added.",
	".PP",
	"A family is left out where there is nothing to say: a VM without a host plane has no",
	"pages of it, and a host without a policy no verdicts.",
	"A number that is not known is never 0.",
	".SS Labels",
	"Families of a VM have the labels",
	".B vm",
	"(its name as `kvm-encstat list` shows it, cut to 128 bytes) and",
	".B id",
	"(by which the tool tells VMs with the same name apart).",
	"Its uuid and type are in",
	".B kvm_encstat_vm_info",
	"only; join them with",
	"`* on (instance, id) group_left (uuid, type) kvm_encstat_vm_info`.",
	"Names are other people's bytes: control characters, bytes that are not UTF-8 and",
	"characters that change the writing direction are shown as \\xNN.",
	"A name that changes makes new series.",
	"All other labels have few values, which are fixed: there are no page numbers,",
	"no addresses, no process ids in labels.",
	".SS How many series there are",
	"The first `max_vms` VMs (1000, at most 10000) have series of their own; those that come",
	"while there is no room are added up in one VM that is called",
	".B other",
	"and has id 0, and stay in it until they end, as sums would jump otherwise.",
	".B kvm_encstat_vms_in_other",
	"says how many they are.",
	"What cannot be added up (confidence, type, uuid) is not told of it.",
	"With `detail: basic` only families marked basic are written, with `detail: host` none of",
	"single VMs.",
	".SS VMs that end",
	"The counters of a VM that ended stay for five minutes, so that its last figures are",
	"scraped; gauges of its pages end with it.",
	"Families without the label",
	".B vm",
	"count all VMs that ever were, and never go back while the program runs.",
	"Counters begin at 0 with the program, as Prometheus expects it, but for those that the",
	"model keeps over a restart of the daemon.",
	".SH FAMILIES",
};

static void write_lines(FILE *out, const char *const *lines, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (lines[i][0] == '.') /* a request, ready to be written */
			fputs(lines[i], out);
		else
			manual_roff(out, lines[i], true);
		fputc('\n', out);
	}
}

/* Names of the labels that its series have besides those of the VM. */
static void write_labels(FILE *out, const struct family *family)
{
	const char *before = "; labels ";

	if (family->labels)
		fprintf(out, "%s%s", before, family->labels);
	for (int k = 0; k < AXES && family->axes[k]; k++, before = ", ")
		fprintf(out, "%s%s", before, family->axes[k]->label);
}

static void write_family(FILE *out, const struct family *family)
{
	fprintf(out, ".TP\n.B %s%s\n", family->name, family_suffix(family));
	fprintf(out, "%s%s%s", family_type_name(family->type), *family->unit ? ", " : "",
		family->unit);
	write_labels(out, family);
	if (family->of_vm)
		fprintf(out, "; %s", metrics_detail_name(family->detail));
	fputs(".\n", out);
	manual_roff(out, family->help, true);
	fputc('\n', out);
}

static void write_table(FILE *out, const char *title, const struct family *families, size_t n)
{
	fprintf(out, ".SS %s\n", title);
	for (size_t i = 0; i < n; i++)
		write_family(out, &families[i]);
}

void metrics_manual(FILE *out)
{
	write_lines(out, head, ARRAY_SIZE(head));
	write_table(out, "Of a VM", vm_families, n_vm_families);
	write_table(out, "Of the host and the tool", host_families, n_host_families);
	write_table(out, "Of the exporter", exporter_families, n_exporter_families);
	fputs(".SH SEE ALSO\n.BR kvm\\-encstat (8),\n.BR kvm\\-encstat\\-metrics (8),\n"
	      ".BR kvm\\-encstat\\-exporter (8),\n.BR kvm\\-encstat.yaml (5)\n",
		out);
}
