/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "metrics/metrics_private.h"

/* ---- lines ---- */

static void write_line(struct text *out, const struct family *family, const struct shape *shape,
	const struct series *series, const struct figures *vm, uint64_t number)
{
	const char *bytes = shape->text.bytes;

	text_put(out, bytes + series->name, series->tail - series->name);
	if (vm)
		text_put(out, vm->labels, vm->n_labels);
	if (vm && family->write_labels)
		family->write_labels(out, vm);
	text_put(out, bytes + series->tail, series->end - series->tail);
	if (series_is_time(family, series))
		text_seconds(out, number);
	else
		text_number(out, number);
	text_put(out, "\n", 1);
}

/* Of one VM, or (NULL) of the host. */
static void write_series(struct text *out, const struct family *family, const struct shape *shape,
	const struct gathered *all, const struct figures *vm)
{
	for (size_t i = 0; i < shape->n; i++) {
		const struct series *series = &shape->series[i];
		uint64_t number = vm ? family->of_vm(all, vm, series->at[0], series->at[1])
				     : family->of_host(all, series->at[0], series->at[1]);

		if (number != NOTHING)
			write_line(out, family, shape, series, vm, number);
	}
}

/* Nothing is said of a family that has no series. */
static void write_family(struct text *out, const struct family *family, const struct gathered *all,
	enum metrics_format format)
{
	_cleanup_(shape_free) struct shape shape = {};
	size_t before = out->n, empty;

	family_head(out, family, format);
	empty = out->n;
	shape_make(&shape, family);
	if (family->of_host)
		write_series(out, family, &shape, all, NULL);
	for (size_t i = 0; family->of_vm && i < all->n; i++)
		write_series(out, family, &shape, all, &all->vms[i]);
	if (out->n == empty)
		out->n = before;
	out->failed |= shape.text.failed;
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
