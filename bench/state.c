/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * States: what saving and loading one takes, how large it is, what it adds to a capture, and how
 * long it takes to come to any time of that in the live view.
 *
 *   state CAPTURE COPY     COPY gets the records of CAPTURE and states, as `record` writes them
 */
#include "bench.h"

#include <time.h>

#include "base/cleanup.h"
#include "cli/seek.h"
#include "detect/state.h"
#include "model/state.h"
#include "top/stats.h"
#include "top/top.h"

#define SEEKS 41
#define VMS   1000

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static uint64_t first_ns, last_ns;

/* ---- one state ---- */

static int to_detect(void *context, const struct event *event)
{
	return detect_event(context, event);
}

static void load(const struct buffer *bytes, const struct settings *settings)
{
	struct detect_options detect_options = {.settings = settings, .keep = true};
	struct model_options options = {.on_event = to_detect};
	struct state_view view;
	struct detect *detect;
	struct model *model;
	struct error err;

	must(!state_open(&view, bytes->bytes, bytes->size, &err), "opening a state");
	must(!model_load(&model, &options, view.model, view.model_size, &err), "loading a model");
	must(!detect_new(&detect, &detect_options), "detectors");
	detect_watch(detect, model);
	must(!detect_load(detect, view.detect, view.detect_size, DETECT_LOAD_ANY, &err),
		"loading findings");
	detect_free(&detect);
	model_free(&model);
}

static void measure(const char *name, const struct model *model, const struct detect *detect,
	const struct settings *settings)
{
	_cleanup_buffer_ struct buffer bytes = {};
	double start = now_ms(), saved;
	char figure_name[64];

	must(!state_save(model, detect, &bytes), "saving a state");
	saved = now_ms();
	load(&bytes, settings);
	snprintf(figure_name, sizeof(figure_name), "state.%s.load", name);
	figure(figure_name, now_ms() - saved, "ms");
	snprintf(figure_name, sizeof(figure_name), "state.%s.save", name);
	figure(figure_name, saved - start, "ms");
	snprintf(figure_name, sizeof(figure_name), "state.%s.bytes_per_vm", name);
	figure(figure_name, (double)bytes.size / (double)model_vm_count(model), "bytes");
}

/* Many VMs, each with some shared ranges. */
static void many_vms(void)
{
	struct detect_options detect_options = {.keep = true};
	struct model_options options = {.on_event = to_detect};
	struct settings *settings;
	struct detect *detect;
	struct model *model;
	uint64_t ts = 1;

	must(!settings_new(&settings), "settings");
	detect_options.settings = settings;
	must(!detect_new(&detect, &detect_options), "detectors");
	options.context = detect;
	must(!model_new(&model, &options), "a model");
	detect_watch(detect, model);
	for (uint32_t vm = 1; vm <= VMS; vm++)
		for (uint64_t i = 0; i < 66; i++) {
			struct kes_record r = {.ts_ns = ts += 1000, .seq = i, .vm = vm};

			r.kind = i == 0 ? KES_VM_NEW : i == 1 ? KES_MEMSLOT : KES_ANSWER;
			r.flags = i ? 0 : KES_F_BORN;
			if (i == 0)
				r.vm_new.type = KES_VM_SNP;
			else if (i == 1)
				r.memslot = (struct kes_memslot){.npages = 1 << 22, .total = 1};
			else
				r.conversion.gpa = i << 24;
			r.conversion.npages = i > 1 ? 16 : r.conversion.npages;
			must(!model_apply(model, &r, 1), "applying a record");
		}
	measure("1000_vms", model, detect, settings);
	detect_free(&detect);
	model_free(&model);
	settings_free(&settings);
}

/* ---- a capture with states ---- */

static void copy(const char *from, const char *to)
{
	struct options options = {.save = to};
	struct reader nobody = {.max_ended = 256};
	struct session session = {.options = &options, .reader = &nobody};
	const struct kes_record *records;
	struct capture_reader *reader;
	struct error err = {};
	double begin;
	size_t n;

	must(!settings_new(&session.settings), "settings");
	must(!capture_reader_open(&reader, from, &err), err.text);
	must(!session_start(&session, ABI_MAP_GPA_RANGE, &err), err.text);
	must(!capture_writer_new(&session.writer, to, true, "{}", &err), err.text);
	begin = now_ms();
	while (capture_reader_next(reader, &records, &n, &err) > 0)
		must(!session_take(&session, records, n), "taking records");
	figure("state.write_capture", (now_ms() - begin) / 1e3, "s");
	first_ns = capture_reader_info(reader)->first_ts_ns;
	last_ns = model_now(session.model);
	must(!capture_writer_close(session.writer, NULL, &err), err.text);
	figure("state.of_records",
		(double)capture_writer_bytes(session.writer) /
				(double)capture_reader_info(reader)->bytes -
			1,
		"times");
	measure("torn", session.model, session.detect, session.settings);
	capture_writer_free(&session.writer);
	capture_reader_free(&reader);
	detect_free(&session.detect);
	model_free(&session.model);
	settings_free(&session.settings);
}

/* ---- to and fro in it ---- */

struct viewer {
	struct top *top;
	struct seeker *seeker;
	uint64_t target_ns, random;
	double begin_ms, ms[SEEKS];
	size_t n;
};

static int event(void *context, const struct style *style, const struct event *event_)
{
	(void)style;
	return top_event(((struct viewer *)context)->top, event_);
}

static int finding(
	void *context, const struct style *style, const struct finding *f, enum finding_phase phase)
{
	(void)style;
	return top_finding(((struct viewer *)context)->top, f, phase);
}

static void watch(void *context, const struct model *model, const struct style *style)
{
	top_watch(((struct viewer *)context)->top, model, style);
}

static int restored(void *context, const struct model *model, struct detect *detect)
{
	(void)model;
	return top_restored(((struct viewer *)context)->top, detect, first_ns);
}

static int pace(void *context, uint64_t ts_ns, struct error *err)
{
	struct viewer *v = context;

	(void)err;
	if (v->begin_ms && ts_ns <= v->target_ns)
		return 0;
	if (v->begin_ms)
		v->ms[v->n++] = now_ms() - v->begin_ms;
	if (v->n == SEEKS)
		return -EPIPE;
	v->random = v->random * 6364136223846793005ull + 1442695040888963407ull;
	v->target_ns = first_ns + (v->random >> 20) % (last_ns - first_ns);
	v->begin_ms = now_ms();
	seeker_want(v->seeker, v->target_ns, STATS_HISTORY * SECOND_NS);
	return -EPIPE;
}

static int ended(
	void *context, const struct style *style, const struct model *model, struct error *err)
{
	(void)style;
	(void)model;
	(void)err;
	top_unwatch(((struct viewer *)context)->top);
	return 0;
}

static void seek(const char *path)
{
	struct top_options top_options = {.interval_ns = SECOND_NS, .file = path, .speed = 1};
	struct options options = {.file = path};
	struct settings *settings;
	struct viewer v = {.random = 1};
	struct reader reader = {
		.event = event,
		.finding = finding,
		.watch = watch,
		.restored = restored,
		.pace = pace,
		.finish = ended,
		.context = &v,
		.max_ended = 256,
		.quiet = true,
	};
	struct error err = {};

	must(!settings_new(&settings), "settings");
	must(!top_new(&v.top, &top_options, &err), err.text);
	must(!seeker_new(&v.seeker, 0), "a seeker");
	reader.seeker = v.seeker;
	reader.settings = settings;
	must(session_run(&options, &reader, false, &err) != EXIT_FAILED, err.text);
	must(v.n == SEEKS, "going to all times");
	figure("seek.median", median(v.ms, SEEKS), "ms");
	figure("seek.longest", v.ms[SEEKS - 1], "ms");
	seeker_free(&v.seeker);
	top_free(&v.top);
	settings_free(&settings);
}

int main(int argc, char **argv)
{
	must(argc == 3, "state CAPTURE COPY");
	many_vms();
	copy(argv[1], argv[2]);
	seek(argv[2]);
	return EXIT_SUCCESS;
}
