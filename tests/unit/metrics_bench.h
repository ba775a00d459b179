/* SPDX-License-Identifier: GPL-2.0-only */
/* Metrics of a model that is fed with records, and a reader of their text that is as simple as can
 * be. */
#ifndef METRICS_BENCH_H
#define METRICS_BENCH_H

#include "model_bench.h"
/* after the above */
#include "metrics/metrics_private.h"

struct metrics_bench {
	struct bench b; /* its model and clock */
	struct metrics *metrics;
	uint64_t seq[256];
	char *text;
	size_t size;
};

static inline int take_event(void *context, const struct event *event)
{
	struct metrics_bench *m = context;

	return metrics_event(m->metrics, event);
}

static inline void metrics_start(
	struct metrics_bench *m, enum metrics_detail detail, size_t max_vms)
{
	const struct metrics_options wanted = {detail, max_vms, 0};
	struct model_options options = {.on_event = take_event, .context = m, .max_ended = 3};

	memset(m, 0, sizeof(*m));
	assert_int_equal(metrics_new(&m->metrics, &wanted), 0);
	assert_int_equal(model_new(&m->b.model, &options), 0);
	assert_int_equal(metrics_watch(m->metrics, m->b.model, NULL), 0);
}

static inline void metrics_stop(struct metrics_bench *m)
{
	free(m->text);
	metrics_free(&m->metrics);
	model_free(&m->b.model);
}

static inline struct kes_record metrics_record(
	struct metrics_bench *m, uint32_t vm, enum kes_kind kind)
{
	return (struct kes_record){
		.ts_ns = m->b.ts += 1000,
		.seq = kind < KES_LOSS ? m->seq[vm % 256]++ : 0,
		.vm = vm,
		.kind = (uint8_t)kind,
	};
}

static inline void metrics_vm(struct metrics_bench *m, uint32_t vm, uint32_t type)
{
	struct kes_record r = metrics_record(m, vm, KES_VM_NEW);

	m->seq[vm % 256] = 1;
	r.seq = 0;
	r.flags = KES_F_BORN;
	r.vm_new.pid = 100 + vm;
	r.vm_new.type = type;
	memcpy(r.vm_new.comm, "qemu", 4);
	apply(&m->b, r);
	r = metrics_record(m, vm, KES_MEMSLOT);
	r.memslot = (struct kes_memslot){.npages = 4096, .total = 1};
	apply(&m->b, r);
}

static inline void metrics_end(struct metrics_bench *m, uint32_t vm)
{
	struct kes_record r = metrics_record(m, vm, KES_VM_END);

	r.vm_end.sent = r.seq + 1;
	apply(&m->b, r);
}

static inline void metrics_convert(struct metrics_bench *m, uint32_t vm, uint64_t gfn,
	bool to_private, int64_t ret, uint64_t latency_ns)
{
	struct kes_record r = metrics_record(m, vm, KES_REQUEST);
	uint64_t asked_ns = r.ts_ns;

	r.conversion.gpa = gfn << 12;
	r.conversion.npages = 1;
	r.conversion.attrs = to_private ? KES_MAP_GPA_ENCRYPTED : 0;
	apply(&m->b, r);
	m->b.ts += latency_ns - 1000;
	r = metrics_record(m, vm, KES_ANSWER);
	r.conversion.gpa = gfn << 12;
	r.conversion.npages = 1;
	r.conversion.attrs = to_private ? KES_MAP_GPA_ENCRYPTED : 0;
	r.conversion.answer.ret = ret;
	r.conversion.answer.request_ns = asked_ns;
	apply(&m->b, r);
}

static inline void metrics_refuse(struct metrics_bench *m, uint32_t vm, uint32_t reason)
{
	struct kes_record r = metrics_record(m, vm, KES_REFUSED);

	r.conversion.npages = 1;
	r.conversion.refused.ret = -1;
	r.conversion.refused.reason = reason;
	apply(&m->b, r);
}

static inline const char *metrics_text(struct metrics_bench *m, enum metrics_format format)
{
	const struct metrics_view view = {};

	free(m->text);
	m->text = NULL;
	assert_int_equal(metrics_write(m->metrics, &view, format, &m->text, &m->size), 0);
	assert_int_equal(strlen(m->text), m->size);
	return m->text;
}

/* The sum of all series whose name is this one and that have all of these labels, which are as in
 * the text and may be NULL; *ret_n: how many they are. */
static inline double metrics_sum(
	const char *text, const char *name, const char *label, const char *other, size_t *ret_n)
{
	size_t length = strlen(name), n = 0;
	double sum = 0;

	for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
		const char *end = strchr(line, '\n');
		char copy[1024];

		if (strncmp(line, name, length) || (line[length] != '{' && line[length] != ' '))
			continue;
		assert_true((size_t)(end - line) < sizeof(copy));
		snprintf(copy, sizeof(copy), "%.*s", (int)(end - line), line);
		if ((label && !strstr(copy, label)) || (other && !strstr(copy, other)))
			continue;
		sum += strtod(strrchr(copy, ' '), NULL);
		n++;
	}
	if (ret_n)
		*ret_n = n;
	return sum;
}

#endif
