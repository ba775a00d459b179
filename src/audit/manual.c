/* SPDX-License-Identifier: GPL-2.0-only */
#include "audit/manual.h"

#include <string.h>

#include "audit/kinds.h"
#include "base/cleanup.h"
#include "output/manual.h"

static const char *const head[] = {
	".\\\" SPDX-License-Identifier: GPL-2.0-only",
	".\\\" Made by `kvm-encstat explain --manual journal-fields`: change src/audit/kinds.c, "
	"not "
	"this file.",
	".TH KVM\\-ENCSTAT.JOURNAL\\-FIELDS 7 \"\" \"kvm\\-encstat\" \"kvm\\-encstat manual\"",
	".SH NAME",
	"kvm\\-encstat.journal\\-fields \\- the records of kvm\\-encstat's audit log",
	".SH DESCRIPTION",
	".BR kvm\\-encstat\\-daemon (8)",
	"and",
	".BR kvm\\-encstat\\-audit (8)",
	"tell what happens to the pages of virtual machines in records with these fields, in the",
	"journal, or as JSON lines in a file. Beside them each has",
	".BR MESSAGE ,",
	".B MESSAGE_ID",
	"and",
	".BR PRIORITY :",
	"see",
	".BR systemd.journal\\-fields (7).",
	"A record has the fields that mean something for it. Values are text: numbers are decimal",
	"unless it says otherwise, and control characters and what is not UTF\\-8 in names are",
	"written as \\exNN. Names and ids never change; there may be new ones.",
	".PP",
	"What a policy refused of the VM db1, and all that is critical since this morning:",
	".PP",
	".EX",
	"journalctl KES_VM_NAME=db1 KES_KIND=veto",
	"journalctl \\-x KES_SEVERITY=critical \\-\\-since today",
	".EE",
	".SH KINDS",
	"With",
	".BR KES_KIND ,",
	"MESSAGE_ID, and the priority as a rule; findings begin with a priority of their own, by",
	"their severity.",
};

static const char *const chain[] = {
	".SH CHAIN",
	"Records of a log are numbered from 1 (KES_SEQ). KES_CHAIN of a record is the SHA\\-256 of",
	"its lines NAME=VALUE, each with a line's end, in the order of their bytes: of all fields",
	"KES_* but KES_CHAIN and KES_RESENT, and of MESSAGE, MESSAGE_ID and PRIORITY. One of these",
	"lines is KES_PREV, the KES_CHAIN of the record before. So a record that was changed or is",
	"missing shows, and",
	".B kvm\\-encstat audit verify",
	"says which. With no tool but the shell, for one record:",
	".PP",
	".EX",
	"journalctl \\-o export KES_LOG=... KES_SEQ=7 |",
	"    grep \\-E '^(KES_[A\\-Z_]+|MESSAGE|MESSAGE_ID|PRIORITY)=' |",
	"    grep \\-vE '^KES_(CHAIN|RESENT)=' | LC_ALL=C sort | sha256sum",
	".EE",
	".PP",
	"The digests have no key: who can change the journal as root can make a whole new chain.",
	"Against that helps what has left the host, by",
	".BR systemd\\-journal\\-upload (8),",
	"and what is sealed, by",
	".BR journalctl (1)",
	"\\-\\-setup\\-keys.",
	".SH SEE ALSO",
	".BR kvm\\-encstat\\-audit (8),",
	".BR kvm\\-encstat.yaml (5),",
	".BR kvm\\-encstat\\-findings (7),",
	".BR journalctl (1)",
};

static void write_lines(FILE *out, const char *const *lines, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s\n", lines[i]);
}

/* Paragraphs are parted by an empty line. */
static void write_paragraphs(FILE *out, const char *text)
{
	const char *end;

	for (; (end = strstr(text, "\n\n")); text = end + 2) {
		_cleanup_free_ char *one = strndup(text, (size_t)(end - text));

		if (one)
			manual_roff(out, one, true);
		fputs("\n.IP\n", out);
	}
	manual_roff(out, text, true);
	fputc('\n', out);
}

static const char *priority_name(int priority)
{
	static const char *const names[] = {
		"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"};

	return names[priority];
}

void audit_manual(FILE *out)
{
	write_lines(out, head, ARRAY_SIZE(head));
	for (int i = 0; i < AUDIT_KINDS; i++) {
		const struct audit_kind_info *info = &audit_kinds[i];

		fprintf(out, ".TP\n.BR %s \" (%s, %s)\"\n", info->name, info->id,
			priority_name(info->priority));
		manual_roff(out, info->subject, true);
		fputs(".\n.IP\n", out);
		write_paragraphs(out, info->text);
	}
	fputs(".SH FIELDS\n", out);
	for (int i = 0; i < AUDIT_FIELDS; i++) {
		fprintf(out, ".TP\n.B %s\n", audit_fields[i].name);
		manual_roff(out, audit_fields[i].text, true);
		fputs(".\n", out);
	}
	write_lines(out, chain, ARRAY_SIZE(chain));
}

void audit_catalog(FILE *out)
{
	fputs("# SPDX-License-Identifier: GPL-2.0-only\n"
	      "# Made by `kvm-encstat explain --manual catalog`: change src/audit/kinds.c, not "
	      "this "
	      "file.\n",
		out);
	for (int i = 0; i < AUDIT_KINDS; i++) {
		const struct audit_kind_info *info = &audit_kinds[i];
		const char *text = info->text, *end;

		fprintf(out,
			"\n-- %s\nSubject: %s\nDefined-By: kvm-encstat\n"
			"Documentation: man:kvm-encstat.journal-fields(7)\n\n",
			info->id, info->subject);
		for (; (end = strstr(text, "\n\n")); text = end + 2) {
			_cleanup_free_ char *one = strndup(text, (size_t)(end - text));

			if (one)
				manual_wrap(out, 0, one);
			fputc('\n', out);
		}
		manual_wrap(out, 0, text);
	}
}
