/* SPDX-License-Identifier: GPL-2.0-only */
/* man/kvm-encstat.yaml.5: what is said of each setting comes from the detectors' own tables. */
#include "output/manual.h"

#include <string.h>

#include "base/cleanup.h"
#include "config/config.h"
#include "detect/settings.h"

/* Lines of a text as lines of roff. */
static void paragraphs(FILE *out, const char *const *lines, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (lines[i][0] == '.') /* a request, ready to be written */
			fputs(lines[i], out);
		else
			manual_roff(out, lines[i], true);
		fputc('\n', out);
	}
}

/* ---- the parts that are the same whatever the detectors are ---- */

static const char *const head[] = {
	".SH NAME",
	"kvm-encstat.yaml - configuration of kvm-encstat",
	".SH DESCRIPTION",
	"This file has the settings of the detectors that make findings, see",
	".BR kvm\\-encstat\\-findings (7),",
	"which all commands go by, and those of the service,",
	".BR kvm\\-encstat\\-daemon (8).",
	"It may be left out, and so may each part of it: then defaults hold, which are below, each",
	"with the reason for its value.",
	".PP",
	"It is YAML, a strict part of it: one document in UTF-8 of at most 1 MiB; each key once;",
	"no anchors, aliases, tags or directives.",
	"What is not known, or out of bounds, is an error that names file, line and column; then",
	"nothing of the file is used.",
	"The order of keys does not matter.",
	".PP",
	"Drop-ins,",
	".IR conf.d/*.yaml",
	"beside the file, are read after it in the order of their names, byte by byte; each adds "
	"to",
	"what was read before, and what it says wins.",
	"`kvm-encstat config check` says all that is wrong with them, `kvm-encstat config show`",
	"what holds, and which line of which file says so.",
	".PP",
	"The daemon reads them anew at SIGHUP (`systemctl reload kvm-encstat`). What is wrong then",
	"is said, and all stays as it was. Keys that are marked below need a restart: that is "
	"said,",
	"too, and the rest is taken.",
	".SH KEYS",
	".TP",
	".B findings:",
	"A mapping of kinds of findings, by name (`storm`) or by id (`KES-003`).",
	"Each has its settings, which are below, and may have",
	".RS",
	".TP",
	".B enabled: \\fIyes\\fP",
	"`no`: findings of this kind are not looked for.",
	".TP",
	".B types:",
	"A mapping of VM types, each with settings and `enabled` for VMs of this type only.",
	"They win over what is set for all types, which in turn wins over defaults of a type.",
};

static const char *const sacred_head[] = {
	".RE",
	".TP",
	".B sacred:",
	"A list of more ranges of guest-physical addresses that must stay private:",
	"sharing any page of them is a finding of kind `sacred`.",
	"Each item is a mapping:",
	".RS",
	".TP",
	".B range: \\fI0x100000+64K\\fP",
	"Start and size, or first and last byte as in `0x100000-0x10ffff`; whole pages of 4K,",
	"below 2^52.",
	"It has to be there.",
	".TP",
	".B vm: \\fI\"db*\"\\fP",
	"Only in VMs whose name matches this pattern, see",
	".BR glob (7).",
	"Left out: in all.",
	".TP",
	".B name: \\fItext\\fP",
	"What lies there.",
	"Left out: the range as it is written.",
	".RE",
	".TP",
	".B sacred_defaults: \\fIyes\\fP",
};

static const char *const values[] = {
	".SH VALUES",
	".TP",
	"number",
	"A whole number in decimal, up to 1000000000.",
	".TP",
	"time",
	"A whole number and its unit: `ns`, `us`, `ms`, `s`, `m` or `h`; up to 8760h.",
	".TP",
	"size",
	"Bytes, or a whole number and `K`, `M`, `G`, `T` or `P` (powers of 1024); whole pages,",
	"that is a multiple of 4K; up to 4P.",
	".TP",
	"percentage",
	"`6%` or `6`; up to 100.",
	".TP",
	"switch",
	"`yes`, `no`, `true`, `false`, `on` or `off`.",
	".PP",
	"0 is an error where it would make a finding of everything, or of nothing.",
	".SH SETTINGS",
	"Every kind has",
	".BR count ,",
	".B window",
	"and",
	".BR quiet :",
	"`count` cases within `window`, from the first one on, make a finding; it ends when",
	"there was no case for `quiet`.",
	"Some count at once what else is set here, and leave `count` at 1.",
	".PP",
	"What the others do, says",
	".BR kvm\\-encstat\\-findings (7).",
	"A VM type that has a default of its own has a line below, with its reason.",
};

static const char *const tail[] = {
	".SH FILES",
	".TP",
	".I /etc/kvm\\-encstat/kvm\\-encstat.yaml",
	"is read if it is there, and if `--config` names no other file.",
	".TP",
	".I /etc/kvm\\-encstat/conf.d/*.yaml",
	"are read after it.",
	".SH EXAMPLES",
	".nf",
	"findings:",
	"  storm:",
	"    rate: 2000",
	"    quiet: 30s",
	"    types:",
	"      tdx: {rate: 500}",
	"  KES-005:",
	"    enabled: no",
	"  budget:",
	"    most: 4G",
	"    percent: 10%",
	"sacred:",
	"  - range: 0x100000+64K",
	"    vm: \"db*\"",
	"    name: secrets",
	".fi",
	".SH SEE ALSO",
	".BR kvm\\-encstat (8),",
	".BR kvm\\-encstat\\-config (8),",
	".BR kvm\\-encstat\\-daemon (8),",
	".BR kvm\\-encstat\\-findings (7)",
};

/* ---- the parts that are made ---- */

static void write_key(FILE *out, const struct config_key *key)
{
	char words[128] = "";

	for (size_t i = 0; i < ARRAY_SIZE(key->words) && key->words[i]; i++)
		snprintf(words + strlen(words), sizeof(words) - strlen(words), "%s`%s`",
			i ? ", " : "", key->words[i]);
	fputs(".TP\n.B ", out);
	manual_roff(out, key->name, false);
	fprintf(out, ": \\fI");
	manual_roff(out, *key->usual ? key->usual : "(nothing)", false);
	fputs("\\fP\n", out);
	manual_roff(out, key->help, true);
	if (*words) {
		fputs(": ", out);
		manual_roff(out, words, false);
	}
	fprintf(out, ".%s\n", key->live ? "" : " Needs a restart.");
}

/* The sections of the service, with their defaults. */
static void write_sections(FILE *out)
{
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];

		if (!i || strcmp(key->section, config_keys[i - 1].section))
			fprintf(out, "%s.TP\n.B %s:\nA mapping, with these defaults:\n.RS\n",
				i ? ".RE\n" : "", key->section);
		write_key(out, key);
	}
	fputs(".RE\n", out);
}

static void write_types(FILE *out)
{
	char buffer[16];

	fputs("VM types are\n", out);
	for (uint32_t type = 0; type < KES_VM_TYPE_MAX; type++) {
		fputs(".B ", out);
		manual_roff(out, vm_type_name(type, buffer), false);
		fputs(type + 2 < KES_VM_TYPE_MAX     ? "\\fR,\\fP\n"
			: type + 1 < KES_VM_TYPE_MAX ? "\nand\n"
						     : "\\fR.\\fP\n",
			out);
	}
}

static void write_sacred_defaults(FILE *out)
{
	_cleanup_(settings_free) struct settings *settings = NULL;

	if (settings_new(&settings) < 0)
		return;
	fputs("\\fBno\\fP: only ranges given here. By default there are also\n", out);
	for (size_t i = 0; i < settings->n_defaults; i++) {
		const struct sacred *sacred = &settings->sacred[i];

		fprintf(out, ".br\n0x%llx\\-0x%llx: ", (unsigned long long)sacred->gfn << 12,
			(unsigned long long)((sacred->gfn + sacred->npages) << 12) - 1);
		manual_roff(out, sacred->name, false);
		fputc('\n', out);
	}
}

/* As it is written in the file. */
static const char *value_text(enum unit unit, uint64_t value, char buffer[SETTING_TEXT_SIZE])
{
	return setting_text(unit == UNIT_PER_SECOND ? UNIT_COUNT : unit, value, buffer);
}

static const char *unit_name(enum unit unit)
{
	static const char *const names[] = {
		[UNIT_COUNT] = "number",
		[UNIT_PER_SECOND] = "number a second",
		[UNIT_PERCENT] = "percentage",
		[UNIT_TIME] = "time",
		[UNIT_PAGES] = "size",
		[UNIT_SWITCH] = "switch",
	};
	_Static_assert(ARRAY_SIZE(names) == UNITS, "a name for each unit");

	return names[unit];
}

/* A row: both texts are from our tables. */
static void write_row(FILE *out, const char *first, const char *value, const char *reason)
{
	manual_roff(out, first, true);
	fputc('\t', out);
	manual_roff(out, value, false);
	fputs("\tT{\n", out);
	manual_roff(out, reason, true);
	fputs("\nT}\n", out);
}

static void write_setting(FILE *out, const struct setting *setting)
{
	char text[SETTING_TEXT_SIZE], first[64], type[16];

	snprintf(first, sizeof(first), "`%s` (%s)", setting->name, unit_name(setting->unit));
	write_row(out, first, value_text(setting->unit, setting->value, text), setting->reason);
	for (size_t i = 0; i < ARRAY_SIZE(setting->other); i++) {
		if (!setting->other[i].reason)
			continue;
		fputs("\\ \\ ", out); /* it belongs to the row before */
		write_row(out, vm_type_name(setting->other[i].type, type),
			value_text(setting->unit, setting->other[i].value, text),
			setting->other[i].reason);
	}
}

static void write_detector(FILE *out, const struct detector *detector)
{
	char id[FINDING_ID_SIZE];

	fputs(".SS \"", out);
	manual_roff(out, detector->name, false);
	fputs(" (", out);
	manual_roff(out, finding_kind_id(detector->kind, id), false);
	fputs(")\"\n", out);
	manual_roff(out, detector->title, true);
	fputs("\n.PP\n.TS\nlb lb lb\nl l lx.\nSETTING\tDEFAULT\tREASON\n", out);
	for (int i = 0; i < SETTINGS_MAX && detector->settings[i].name; i++)
		write_setting(out, &detector->settings[i]);
	fputs(".TE\n", out);
}

void settings_manual(FILE *out)
{
	fputs("'\\\" t\n"
	      ".\\\" SPDX-License-Identifier: GPL-2.0-only\n"
	      ".\\\" Made by `kvm-encstat explain --manual settings`: change src/detect/, or\n"
	      ".\\\" src/output/settings_manual.c, not this file.\n"
	      ".TH KVM\\-ENCSTAT.YAML 5 \"\" \"kvm\\-encstat\" \"kvm\\-encstat manual\"\n"
	      /* else a table's row may be where a page of text ends, where there are pages */
	      ".if n .pl 10000v\n",
		out);
	paragraphs(out, head, ARRAY_SIZE(head));
	write_types(out);
	paragraphs(out, sacred_head, ARRAY_SIZE(sacred_head));
	write_sacred_defaults(out);
	write_sections(out);
	paragraphs(out, values, ARRAY_SIZE(values));
	for (int kind = 0; kind < FINDING_KINDS; kind++)
		write_detector(out, detectors[kind]);
	paragraphs(out, tail, ARRAY_SIZE(tail));
}
