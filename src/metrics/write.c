/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "metrics/metrics_private.h"

/* ---- names ---- */

const char *failure_name(enum failure failure)
{
	static const char *const names[] = {
		[FAILURE_DENIED] = "denied",
		[FAILURE_UNANSWERED] = "unanswered",
		[FAILURE_UNSEEN] = "unseen",
		[FAILURE_VETOED] = "vetoed",
		[FAILURE_REFUSED + KES_REASON_NONE] = "",
		[FAILURE_REFUSED + KES_REASON_CPL] = "refused_privilege",
		[FAILURE_REFUSED + KES_REASON_DISABLED] = "refused_disabled",
		[FAILURE_REFUSED + KES_REASON_UNALIGNED] = "refused_unaligned",
		[FAILURE_REFUSED + KES_REASON_EMPTY] = "refused_empty",
		[FAILURE_REFUSED + KES_REASON_WRAP] = "refused_wraps",
		[FAILURE_REFUSED + KES_REASON_UNKNOWN] = "refused_unknown",
	};
	_Static_assert(ARRAY_SIZE(names) == FAILURES, "a name for each failure");

	return names[failure];
}

const char *lost_name(unsigned int cause)
{
	static const char *const names[] = {
		[KES_CAUSE_RING_FULL] = "ring_full",
		[KES_CAUSE_TABLE_FULL] = "table_full",
		[KES_CAUSE_UNATTRIBUTED] = "unattributed",
		[KES_CAUSE_COUNTS_FULL] = "counts_full",
		[KES_CAUSE_UNWATCHED] = "unwatched",
		[LOST_GAP] = "gap",
	};
	_Static_assert(ARRAY_SIZE(names) == LOST_CAUSES, "a name for each cause");

	return names[cause];
}

/* ---- lines ---- */

void series(struct text *out, const char *name, const char *suffix, const struct figures *vm, ...)
{
	const char *label, *before = "{";
	va_list labels;

	text_string(out, name);
	text_string(out, suffix);
	if (vm) {
		text_put(out, "{", 1);
		text_put(out, vm->labels, vm->n_labels);
		before = ",";
	}
	va_start(labels, vm);
	while ((label = va_arg(labels, const char *))) {
		text_put(out, before, 1);
		text_string(out, label);
		text_put(out, "=\"", 2);
		text_string(out, va_arg(labels, const char *));
		text_put(out, "\"", 1);
		before = ",";
	}
	va_end(labels);
	text_string(out, *before == ',' ? "} " : " ");
}

/* Nothing is said of a family that has no series. */
static void write_family(struct text *out, const struct family *family, const struct gathered *all,
	enum metrics_format format)
{
	size_t before = out->n, empty;

	family_head(out, family, format);
	empty = out->n;
	if (family->of_host)
		family->of_host(out, family, all);
	for (size_t i = 0; family->of_vm && i < all->n; i++)
		family->of_vm(out, family, &all->vms[i], all);
	if (out->n == empty)
		out->n = before;
}

static void write_all(struct text *out, const struct gathered *all, enum metrics_format format)
{
	out->n = 0;
	for (size_t i = 0; i < n_host_families; i++)
		write_family(out, &host_families[i], all, format);
	for (size_t i = 0; i < n_vm_families; i++)
		if (vm_families[i].detail <= all->detail)
			write_family(out, &vm_families[i], all, format);
	if (format == METRICS_OPENMETRICS)
		text_string(out, "# EOF\n");
}

int metrics_write(struct metrics *metrics, const struct metrics_view *view,
	enum metrics_format format, char **ret, size_t *ret_size)
{
	_cleanup_(gathered_free) struct gathered all = {};
	_cleanup_(text_free) struct text out = {};
	size_t most = metrics->options.max_bytes;
	int r = metrics_gather(metrics, view, &all);

	if (r)
		return r;
	text_reserve(&out, metrics->written + metrics->written / 8); /* it will be about as long */
	all.detail = metrics->options.detail;
	write_all(&out, &all, format);
	while (most && out.n > most && all.detail > METRICS_HOST) {
		all.detail--;
		write_all(&out, &all, format);
	}
	metrics->written = out.n;
	text_put(&out, "", 1);
	if (out.failed)
		return -ENOMEM;
	*ret_size = out.n - 1;
	*ret = TAKE_PTR(out.bytes);
	return 0;
}

/* ---- what a process says of itself ---- */

void metrics_tool_read(struct metrics_tool *tool)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/self/statm", "re");
	unsigned long long size, resident;
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	tool->cpu_ns = (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
	tool->resident = 0;
	if (file && fscanf(file, "%llu %llu", &size, &resident) == 2)
		tool->resident = resident * (uint64_t)sysconf(_SC_PAGESIZE);
}
