/* SPDX-License-Identifier: GPL-2.0-only */
/* Each option, and what its value becomes. */
#include "cli/options_table.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "cli/since.h"
#include "service/server.h"

/* ---- values ---- */

static int set_json(struct options *options, const char *value, struct error *err)
{
	(void)value;
	(void)err;
	options->format = FORMAT_JSON;
	return 0;
}

static int bad_value(struct error *err, const char *what, const char *value, const char *advice)
{
	char shown[ESCAPED_SIZE(64)];

	error_set(err, -EINVAL, "%s cannot be '%s'", what, escape(value, shown, sizeof(shown)));
	error_advise(err, "%s", advice);
	return -EINVAL;
}

static const char *const format_names[] = {"text", "json", "ranges", "svg", "png"};
_Static_assert(ARRAY_SIZE(format_names) == FORMATS, "a name for each format");

const char *format_name(enum format format)
{
	return format_names[format];
}

static int set_format(struct options *options, const char *value, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(format_names); i++)
		if (!strcmp(value, format_names[i])) {
			options->format = (enum format)i;
			return 0;
		}
	return bad_value(err, "--format", value, "it is text, json, ranges, svg or png");
}

static int set_plane(struct options *options, const char *value, struct error *err)
{
	options->diff = !strcmp(value, "diff");
	if (options->diff)
		return 0;
	for (int i = 0; i < PLANES; i++)
		if (!strcmp(value, plane_name((enum plane)i))) {
			options->plane = (enum plane)i;
			return 0;
		}
	return bad_value(err, "--plane", value, "it is guest, host or diff");
}

static const char *const layout_names[] = {"linear", "hilbert"};
_Static_assert(ARRAY_SIZE(layout_names) == LAYOUT_KINDS, "a name for each layout");

const char *layout_name(enum layout_kind layout)
{
	return layout_names[layout];
}

static int set_layout(struct options *options, const char *value, struct error *err)
{
	options->layout_given = true;
	for (size_t i = 0; i < ARRAY_SIZE(layout_names); i++)
		if (!strcmp(value, layout_names[i])) {
			options->layout = (enum layout_kind)i;
			return 0;
		}
	return bad_value(err, "--layout", value, "it is linear or hilbert");
}

static int set_range(struct options *options, const char *value, struct error *err)
{
	(void)err;
	options->range = value; /* cmd_map.c takes it apart */
	return 0;
}

static int set_width(struct options *options, const char *value, struct error *err)
{
	char *end;
	unsigned long width;

	errno = 0;
	width = strtoul(value, &end, 10);
	if (end == value || *end || errno || !width || width > 1000000 || *value == '-')
		return bad_value(err, "--width", value, "give pixels, or columns for text");
	options->width = (unsigned int)width;
	return 0;
}

static int set_abi(struct options *options, const char *value, struct error *err)
{
	options->abi_given = true;
	if (!abi_from_name(value, &options->abi))
		return 0;
	return bad_value(err, "--abi", value, "it is map-gpa-range or page-enc-status");
}

static int set_duration(struct options *options, const char *value, struct error *err)
{
	char *end;
	double seconds = strtod(value, &end);

	if (end == value || *end || !isfinite(seconds) || seconds <= 0 || seconds > 1e9)
		return bad_value(err, "--duration", value, "give seconds, such as 10 or 0.5");
	options->duration_s = seconds;
	return 0;
}

static int set_ring(struct options *options, const char *value, struct error *err)
{
	static const char units[] = "KMG";
	char *end;
	unsigned long long bytes;
	const char *unit;

	errno = 0;
	bytes = strtoull(value, &end, 0);
	unit = *end ? strchr(units, *end) : NULL;
	if (unit && !end[1] && bytes < 1ull << 30) {
		bytes <<= 10 * (unit - units + 1);
		end++;
	}
	if (end == value || *end || *value == '-' || errno || !bytes || bytes > 1ull << 30)
		return bad_value(err, "--ring-size", value,
			"give bytes, such as 65536 or 4M, up to 1G; a power of two of pages is "
			"used");
	options->ring_bytes = (size_t)bytes;
	return 0;
}

static int set_output(struct options *options, const char *value, struct error *err)
{
	(void)err;
	options->output = value;
	return 0;
}

static int set_save(struct options *options, const char *value, struct error *err)
{
	(void)err;
	options->save = value;
	return 0;
}

#define FLAG(name, member)                                                             \
	static int name(struct options *options, const char *value, struct error *err) \
	{                                                                              \
		(void)value;                                                           \
		(void)err;                                                             \
		options->member = true;                                                \
		return 0;                                                              \
	}
FLAG(set_all, all)
FLAG(set_ascii, ascii)
FLAG(set_force, force)
FLAG(set_verbose, verbose)
FLAG(set_no_trampolines, no_trampolines)
FLAG(set_resync, resync)
FLAG(set_selftest, selftest)
FLAG(set_findings, findings)
FLAG(set_keep, keep)

static int set_manual(struct options *options, const char *value, struct error *err)
{
	static const char *const pages[] = {
		"findings", "settings", "metrics", "journal-fields", "catalog"};

	options->manual = value;
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		if (!strcmp(value, pages[i]))
			return 0;
	return bad_value(err, "--manual", value,
		"it is findings, settings, metrics, journal-fields or catalog");
}

static int set_since(struct options *options, const char *value, struct error *err)
{
	options->since = value;
	return since_check(value, err);
}

static int set_severity(struct options *options, const char *value, struct error *err)
{
	if (!severity_from_name(value, &options->severity))
		return 0;
	return bad_value(err, "--severity", value, "it is info, notice, warning or critical");
}

static int set_policy(struct options *options, const char *value, struct error *err)
{
	(void)err;
	options->policy = value;
	return 0;
}

static int set_ask(
	struct options *options, const char *value, enum page_state to, struct error *err)
{
	if (options->ask) {
		error_set(err, -EINVAL, "--share and --private ask for one thing at a time");
		return -EINVAL;
	}
	options->ask = value;
	options->ask_to = to;
	return 0;
}

static int set_share(struct options *options, const char *value, struct error *err)
{
	return set_ask(options, value, PAGE_SHARED, err);
}

static int set_private(struct options *options, const char *value, struct error *err)
{
	return set_ask(options, value, PAGE_PRIVATE, err);
}

static int set_capture(struct options *options, const char *value, struct error *err)
{
	(void)err;
	options->file = value;
	return 0;
}

static int set_config(struct options *options, const char *value, struct error *err)
{
	(void)err;
	options->config = value;
	return 0;
}

#define WORD(name, member)                                                             \
	static int name(struct options *options, const char *value, struct error *err) \
	{                                                                              \
		(void)err;                                                             \
		options->member = value;                                               \
		return 0;                                                              \
	}
WORD(set_interval, interval)
WORD(set_samples, samples)
WORD(set_filter, filter)
WORD(set_sort, sort)
WORD(set_columns, columns)
WORD(set_theme, theme)
WORD(set_speed, speed)
WORD(set_socket, socket)
FLAG(set_direct, direct)
FLAG(set_once, once)
FLAG(set_batch, batch)
FLAG(set_actions, allow_actions)
FLAG(set_no_kernel_stats, no_kernel_stats)

WORD(set_textfile, textfile)
FLAG(set_plain, plain)

static int set_detail(struct options *options, const char *value, struct error *err)
{
	for (int i = 0; i < METRICS_DETAILS; i++)
		if (!strcmp(value, metrics_detail_name((enum metrics_detail)i))) {
			options->detail = (enum metrics_detail)i;
			return 0;
		}
	return bad_value(err, "--detail", value, "it is host, basic or full");
}

static int set_max_vms(struct options *options, const char *value, struct error *err)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(value, &end, 10);
	if (end == value || *end || errno || n > METRICS_VMS_MAX || *value == '-')
		return bad_value(err, "--max-vms", value, "it is a number up to 10000");
	options->max_vms = n;
	return 0;
}

static int set_to(struct options *options, const char *value, struct error *err)
{
	if (strcmp(value, "journal") && (strncmp(value, "file:", 5) || !value[5]))
		return bad_value(err, "--to", value, "it is journal, or file: and a path");
	if (options->n_to == ARRAY_SIZE(options->to) ||
		(options->n_to && *options->to[0] == *value)) {
		error_set(err, -EINVAL, "--to is there once for the journal, and once for a file");
		return -EINVAL;
	}
	options->to[options->n_to++] = value;
	return 0;
}
FLAG(set_full, full)
WORD(set_state, state)
WORD(set_log, log_file)
WORD(set_directory, directory)

static int set_id(const char **into, const char *name, const char *value, struct error *err)
{
	if (strlen(value) != 32 || strspn(value, "0123456789abcdef") != 32)
		return bad_value(err, name, value, "it is 32 digits, as in /etc/machine-id");
	*into = value;
	return 0;
}

static int set_machine(struct options *options, const char *value, struct error *err)
{
	return set_id(&options->machine, "--machine", value, err);
}

static int set_boot(struct options *options, const char *value, struct error *err)
{
	return set_id(&options->boot, "--boot", value, err);
}

/* ---- the table ---- */

const struct option_def option_defs[] = {
	{OPT_JSON, 'j', "json", NULL, "JSON lines for programs (docs/json.md)", set_json},
	{OPT_FORMAT, 0, "format", "FORMAT", "text, json, ranges, svg or png", set_format},
	{OPT_PLANE, 0, "plane", "PLANE",
		"guest (what it declared), host (what KVM's attributes say), or diff", set_plane},
	{OPT_PICTURE, 0, "layout", "LAYOUT", "of a picture, linear (default) or hilbert",
		set_layout},
	{OPT_PICTURE, 0, "width", "N", "of a picture, in pixels; of text in columns", set_width},
	{OPT_PICTURE, 0, "range", "RANGE", "of a picture: only this memory, such as 0x1000000+64M",
		set_range},
	{OPT_PICTURE, 'o', "output", "FILE", "where it goes, instead of standard output",
		set_output},
	{OPT_REPORT, 'o', "output", "FILE", "the page to write, instead of standard output",
		set_output},
	{OPT_ALL, 'a', "all", NULL, "ended VMs, too", set_all},
	{OPT_ASCII, 0, "ascii", NULL, "draw with ASCII only", set_ascii},
	{OPT_FINDINGS, 0, "findings", NULL, "what is suspicious in them, too", set_findings},
	{OPT_SINCE, 0, "since", "TIME",
		"what went on since then: 10m (ago), 14:05, '2026-11-25 14:05'", set_since},
	{OPT_SEVERITY, 0, "severity", "LEVEL",
		"at least so grave: info (default), notice, warning, critical", set_severity},
	{OPT_CONFIG, 0, "config", "FILE", "settings, instead of " CONFIG_PATH, set_config},
	{OPT_MANUAL, 0, "manual", "PAGE",
		"findings, metrics, journal-fields, settings or catalog: as it is in man",
		set_manual},
	{OPT_POLICY, 'p', "policy", "PATH",
		"a file, or a directory of files, instead of " POLICY_PATH, set_policy},
	{OPT_KEEP, 'k', "keep", NULL, "the veto outlives this process", set_keep},
	{OPT_ASK, 0, "share", "RANGE", "ask for these pages to become shared: 0x1000+4K",
		set_share},
	{OPT_ASK, 0, "private", "RANGE", "ask for these pages to become private", set_private},
	{OPT_TOP, 'i', "interval", "SECONDS", "between two pictures (default 1)", set_interval},
	{OPT_TOP, 0, "filter", "EXPR", "only what matches, such as 'type=snp shared>10%'",
		set_filter},
	{OPT_TOP, 's', "sort", "COLUMN", "the order (default id)", set_sort},
	{OPT_TOP, 0, "columns", "LIST", "these columns, such as id,name,shared,conf", set_columns},
	{OPT_TOP, 0, "batch", NULL, "plain tables, one each interval", set_batch},
	{OPT_TOP, 'n', "samples", "N", "so many tables, then end", set_samples},
	{OPT_TOP, 0, "once", NULL, "one table", set_once},
	{OPT_TOP, 0, "theme", "THEME", "dark (default), light, or mono, as with NO_COLOR",
		set_theme},
	{OPT_TOP, 0, "from", "FILE", "play a capture, instead of what goes on", set_capture},
	{OPT_TOP, 0, "speed", "SPEED", "of a capture: 10x, or step (S plays an interval)",
		set_speed},
	{OPT_TOP, 0, "no-kernel-stats", NULL, "do not have the kernel time its programs",
		set_no_kernel_stats},
	{OPT_TOP, 0, "allow-actions", NULL, "keys that freeze and release VMs, after a question",
		set_actions},
	{OPT_METRICS, 0, "textfile", "PATH",
		"write it there, for node_exporter, instead of standard output", set_textfile},
	{OPT_METRICS, 'i', "interval", "SECONDS", "with --textfile: anew so often (default 15)",
		set_interval},
	{OPT_METRICS, 0, "detail", "LEVEL", "host, basic, or full (default)", set_detail},
	{OPT_METRICS, 0, "max-vms", "N", "VMs with series of their own (default 1000)",
		set_max_vms},
	{OPT_METRICS, 0, "plain", NULL, "text 0.0.4, as in textfiles, instead of OpenMetrics",
		set_plain},
	{OPT_AUDIT, 0, "to", "WHERE", "journal, or file:PATH; twice for both", set_to},
	{OPT_AUDIT, 0, "full", NULL, "each conversion by itself, not summed up", set_full},
	{OPT_AUDIT | OPT_VERIFY, 0, "state", "DIR",
		"where it is kept how far the log is, instead of /var/lib/kvm-encstat/audit",
		set_state},
	{OPT_VERIFY, 0, "file", "FILE", "a file of JSON lines, with those rotated before it",
		set_log},
	{OPT_VERIFY, 0, "directory", "DIR", "journal files, such as journal-remote's",
		set_directory},
	{OPT_VERIFY, 0, "machine", "ID", "only the logs of this host", set_machine},
	{OPT_VERIFY, 0, "boot", "ID", "only the logs of this boot", set_boot},
	{OPT_CAPTURE, 0, "capture", "FILE", "VMs of a capture, instead of those that run",
		set_capture},
	{OPT_ABI, 0, "abi", "ABI",
		"how hypercall 12 reads: map-gpa-range (default) or page-enc-status", set_abi},
	{OPT_DURATION, 'd', "duration", "SECONDS", "watch for so long", set_duration},
	{OPT_OUTPUT, 'o', "output", "FILE", "the capture to write", set_output},
	{OPT_SAVE, 0, "save", "FILE", "also write what was read to a capture", set_save},
	{OPT_FORCE, 'f', "force", NULL, "overwrite the file if it exists", set_force},
	{OPT_RESYNC, 0, "resync", NULL, "read the host planes back once more at the end",
		set_resync},
	{OPT_SELFTEST, 0, "selftest", NULL, "prove each hook, and that a known map comes out",
		set_selftest},
	{OPT_RING, 0, "ring-size", "BYTES", "size of the ring buffer (default 2M)", set_ring},
	{OPT_DIRECT, 0, "direct", NULL, "load own programs, even where the daemon runs",
		set_direct},
	{OPT_SOCKET, 0, "socket", "PATH", "the daemon's, instead of " SERVER_PATH, set_socket},
	{OPT_TRAMPOLINES, 0, "no-trampolines", NULL, "do as on a kernel without BPF trampolines",
		set_no_trampolines},
	{OPT_VERBOSE, 'v', "verbose", NULL, "libbpf's and the kernel's own words, too",
		set_verbose},
};
const size_t option_count = ARRAY_SIZE(option_defs);
_Static_assert(ARRAY_SIZE(option_defs) <= OPTION_DEFS, "room for all of them");
