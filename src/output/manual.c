/* SPDX-License-Identifier: GPL-2.0-only */
#include "output/manual.h"

#include <string.h>

#include "output/output.h"

#define COLUMNS 79

/* ---- small parts ---- */

void manual_wrap(FILE *out, int indent, const char *text)
{
	int column = 0;

	while (*text) {
		size_t word = strcspn(text, " ");

		if (column && column + 1 + (int)word > COLUMNS) {
			fputc('\n', out);
			column = 0;
		}
		if (column)
			column += fprintf(out, " ");
		else
			column += fprintf(out, "%*s", indent, "");
		column += fprintf(out, "%.*s", (int)word, text);
		text += word;
		text += strspn(text, " ");
	}
	if (column)
		fputc('\n', out);
}

static const char *time_setting(uint64_t ns, char buffer[SETTING_TEXT_SIZE])
{
	static const struct {
		uint64_t ns;
		const char *name;
	} units[] = {
		{60 * MINUTE_NS, "h"}, {MINUTE_NS, "m"}, {SECOND_NS, "s"}, {MILLISECOND_NS, "ms"}};

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (ns >= units[i].ns && ns % units[i].ns == 0) {
			snprintf(buffer, SETTING_TEXT_SIZE, "%llu%s",
				(unsigned long long)(ns / units[i].ns), units[i].name);
			return buffer;
		}
	snprintf(buffer, SETTING_TEXT_SIZE, "%lluns", (unsigned long long)ns);
	return buffer;
}

const char *setting_text(enum unit unit, uint64_t value, char buffer[SETTING_TEXT_SIZE])
{
	switch (unit) {
	case UNIT_TIME:
		return time_setting(value, buffer);
	case UNIT_PAGES:
		return bytes_exact(value << 12, buffer);
	case UNIT_PERCENT:
		snprintf(buffer, SETTING_TEXT_SIZE, "%llu%%", (unsigned long long)value);
		return buffer;
	case UNIT_PER_SECOND:
		snprintf(buffer, SETTING_TEXT_SIZE, "%llu/s", (unsigned long long)value);
		return buffer;
	case UNIT_SWITCH:
		return value ? "yes" : "no";
	default:
		snprintf(buffer, SETTING_TEXT_SIZE, "%llu", (unsigned long long)value);
		return buffer;
	}
}

/* ---- the terminal ---- */

static void section(FILE *out, const char *title, const char *text)
{
	fprintf(out, "%s\n", title);
	manual_wrap(out, 4, text);
	fputc('\n', out);
}

static void write_setting(FILE *out, const struct setting *setting, uint32_t type)
{
	char value[SETTING_TEXT_SIZE], line[512];
	const char *reason = setting->reason;
	uint64_t number = setting->value;

	for (size_t i = 0; i < sizeof(setting->other) / sizeof(*setting->other); i++)
		if (setting->other[i].reason && setting->other[i].type == type) {
			number = setting->other[i].value;
			reason = setting->other[i].reason;
		}
	snprintf(line, sizeof(line), "%s: %s (%s)", setting->name,
		setting_text(setting->unit, number, value), reason);
	manual_wrap(out, 4, line);
}

void manual_explain(FILE *out, const struct detector *detector, uint32_t type)
{
	char id[FINDING_ID_SIZE];

	fprintf(out, "%s (%s): %s; %s\n\n", finding_kind_id(detector->kind, id), detector->name,
		detector->title, severity_name(detector->severity));
	section(out, "When it is found", detector->what);
	section(out, "Why it matters", detector->why);
	section(out, "What is known to cause it without harm", detector->harmless);
	section(out, "What to do", detector->todo);
	fputs("Defaults of its settings, and their reasons\n", out);
	for (int i = 0; i < SETTINGS_MAX && detector->settings[i].name; i++)
		write_setting(out, &detector->settings[i], type);
}

void manual_list(FILE *out)
{
	for (int i = 0; i < FINDING_KINDS; i++) {
		char id[FINDING_ID_SIZE];

		fprintf(out, "%s  %-8s  %-12s  %s\n", finding_kind_id((enum finding_kind)i, id),
			severity_name(detectors[i]->severity), detectors[i]->name,
			detectors[i]->title);
	}
}

/* ---- man ---- */

void manual_roff(FILE *out, const char *text, bool begins)
{
	bool bold = false;

	if (begins && (*text == '.' || *text == '\''))
		fputs("\\&", out);
	for (; *text; text++)
		if (*text == '-')
			fputs("\\-", out);
		else if (*text == '\\')
			fputs("\\e", out);
		else if (*text == '`')
			fputs((bold = !bold) ? "\\fB" : "\\fP", out);
		else
			fputc(*text, out);
}

static void roff(FILE *out, const char *text)
{
	manual_roff(out, text, true);
	fputc('\n', out);
}

static void roff_section(FILE *out, const char *title, const char *text)
{
	fprintf(out, ".TP\n.I %s\n", title);
	roff(out, text);
}

static void roff_setting(FILE *out, const struct setting *setting)
{
	char value[SETTING_TEXT_SIZE], type[16];

	fprintf(out, ".IP \"%s: %s\" 4\n", setting->name,
		setting_text(setting->unit, setting->value, value));
	roff(out, setting->reason);
	for (size_t i = 0; i < sizeof(setting->other) / sizeof(*setting->other); i++) {
		if (!setting->other[i].reason)
			continue;
		fprintf(out, ".br\n%s for VMs of type %s:\n",
			setting_text(setting->unit, setting->other[i].value, value),
			vm_type_name(setting->other[i].type, type));
		roff(out, setting->other[i].reason);
	}
}

static void roff_detector(FILE *out, const struct detector *detector)
{
	char id[FINDING_ID_SIZE];

	fprintf(out, ".SS \"%s (%s)\"\n", finding_kind_id(detector->kind, id), detector->name);
	fprintf(out, ".B \"%s:\"\n", severity_name(detector->severity));
	roff(out, detector->title);
	roff_section(out, "Found when", detector->what);
	roff_section(out, "Why it matters", detector->why);
	roff_section(out, "Harmless causes", detector->harmless);
	roff_section(out, "What to do", detector->todo);
	fputs(".TP\n.I Settings\n.RS\n", out);
	for (int i = 0; i < SETTINGS_MAX && detector->settings[i].name; i++)
		roff_setting(out, &detector->settings[i]);
	fputs(".RE\n", out);
}

void manual_findings(FILE *out)
{
	fputs(".\\\" SPDX-License-Identifier: GPL-2.0-only\n"
	      ".\\\" Made by `kvm-encstat explain --manual findings`: change src/detect/, not this "
	      "file.\n"
	      ".TH KVM\\-ENCSTAT\\-FINDINGS 7 \"\" \"kvm\\-encstat\" \"kvm\\-encstat manual\"\n"
	      ".SH NAME\nkvm\\-encstat\\-findings \\- what kvm\\-encstat finds suspicious\n"
	      ".SH DESCRIPTION\n"
	      ".B kvm\\-encstat findings\nand\n.B kvm\\-encstat events \\-\\-findings\n"
	      "tell of patterns in what confidential VMs, their VMMs and the host do with the "
	      "state of "
	      "pages.\nWhile a pattern lasts in a VM, all its cases are one finding, with an id "
	      "such as\n"
	      ".BR KES\\-004.3.1 :\n"
	      "kind, VM, and number of its kind in that VM. A replay of a capture finds the same "
	      "findings, with the\nsame ids.\n"
	      ".PP\nSeverities are\n.B info\n(good to know),\n.B notice\n(it costs, or is odd),\n"
	      ".B warning\n(the guest or the VMM does what it should not) and\n.B critical\n"
	      "(pages that must be private are not). A finding is\n.BR certain ,\n.B likely\n"
	      "(it rests on a map that is partial or stale, or on a cause that was inferred) or\n"
	      ".B possible\n(other causes are as good). Settings are changed in\n"
	      ".BR kvm\\-encstat.yaml (5).\n.SH FINDINGS\n",
		out);
	for (int i = 0; i < FINDING_KINDS; i++)
		roff_detector(out, detectors[i]);
	fputs(".SH SEE ALSO\n.BR kvm\\-encstat (8),\n.BR kvm\\-encstat.yaml (5)\n", out);
}
