/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Other times of a capture: whichever way a time is come to, what is shown there is what a replay
 * from the beginning shows. With states in the file, without, with those of another making, and
 * with states that are damaged.
 */
#include "detect_bench.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "capture/file_format.h"
#include "cli/seek.h"
#include "detect/state.h"
#include "output/findings.h"

#define RECORDS 30000
#define STEP_NS 100000ull /* between records */

static char path[] = "/tmp/kes-seek-XXXXXX";
static struct kes_record records[RECORDS];
static struct settings *settings;

/* ---- a capture ---- */

/* Two VMs that convert, and one that comes and goes. */
static void make_records(void)
{
	uint64_t seq[4] = {}, ts = 3600 * SECOND_NS;

	for (size_t i = 0; i < RECORDS; i++) {
		struct kes_record r = {.ts_ns = ts += STEP_NS, .vm = 1 + (uint32_t)(i / 2 % 2)};

		if (i < 4) {
			r.kind = i % 2 ? KES_MEMSLOT : KES_VM_NEW;
			r.flags = KES_F_BORN;
			if (r.kind == KES_MEMSLOT)
				r.memslot = (struct kes_memslot){.npages = 1 << 20, .total = 1};
		} else if (i % 1000 == 10) {
			r.kind = KES_TIME;
			r.vm = 0;
		} else {
			r.kind = i % 2 ? KES_ANSWER : KES_REQUEST;
			r.conversion.gpa = (i / 4 * 7919 % 5000) << 12;
			r.conversion.npages = 1;
			r.conversion.attrs = i / 4 % 3 ? 0 : KES_MAP_GPA_ENCRYPTED;
			if (i % 2)
				r.conversion.answer.request_ns = ts - STEP_NS;
		}
		if (r.kind < KES_LOSS)
			r.seq = seq[r.vm]++;
		records[i] = r;
	}
}

static int to_detect(void *context, const struct event *event)
{
	return detect_event(context, event);
}

/* Writes them, with a state every `every` records (0: none), of a model that goes by this ABI. */
static void write_capture(size_t every, enum abi abi)
{
	struct capture_writer *writer;
	struct detect_options detect_options = {.keep = true};
	struct model_options options = {.abi = abi, .on_event = to_detect};
	struct error err = {};
	struct detect *detect;
	struct model *model;

	detect_options.settings = settings;
	assert_int_equal(detect_new(&detect, &detect_options), 0);
	options.context = detect;
	assert_int_equal(model_new(&model, &options), 0);
	detect_watch(detect, model);
	assert_int_equal(capture_writer_new(&writer, path, true, "{}", &err), 0);
	for (size_t i = 0; i < RECORDS; i++) {
		_cleanup_buffer_ struct buffer bytes = {};

		assert_int_equal(capture_writer_add(writer, &records[i], 1, &err), 0);
		assert_int_equal(model_apply(model, &records[i], 1), 0);
		if (!every || (i + 1) % every)
			continue;
		assert_int_equal(state_save(model, detect, &bytes), 0);
		assert_int_equal(capture_writer_state(
					 writer, model_now(model), bytes.bytes, bytes.size, &err),
			0);
	}
	assert_int_equal(capture_writer_close(writer, NULL, &err), 0);
	capture_writer_free(&writer);
	detect_free(&detect);
	model_free(&model);
}

/* ---- what a session writes ---- */

static uint64_t time_of(size_t record)
{
	return records[record].ts_ns;
}

/* The states that a recording session puts in are as good as the records before them. */
static void test_session_writes_states(void **state)
{
	static const struct kes_record time = {.kind = KES_TIME};
	struct options options = {.save = path};
	struct reader reader = {.settings = settings};
	struct session session = {.options = &options, .reader = &reader};
	struct capture_reader *capture;
	const struct file_marks *marks;
	const struct kes_record *read;
	struct kes_record r = time;
	struct error err = {};
	size_t n;

	(void)state;
	assert_int_equal(session_start(&session, ABI_MAP_GPA_RANGE, &err), 0);
	assert_int_equal(capture_writer_new(&session.writer, path, true, "{}", &err), 0);
	assert_int_equal(session_take(&session, records, RECORDS), 0);
	for (size_t i = 0; i < 300000 - RECORDS; i++) {
		r.ts_ns = time_of(RECORDS - 1) + i;
		r.seq = next_random(); /* nothing that can be compressed away */
		assert_int_equal(session_take(&session, &r, 1), 0);
	}
	assert_int_equal(capture_writer_close(session.writer, NULL, &err), 0);
	assert_int_equal(capture_reader_open(&capture, path, &err), 0);
	marks = capture_reader_marks(capture);
	assert_int_equal(marks->n, 2);
	for (size_t i = 0; i < marks->n; i++) {
		const void *bytes;

		assert_int_equal(capture_reader_seek(capture, &marks->list[i], &err), 0);
		assert_int_equal(capture_reader_next(capture, &read, &n, &err), CAPTURE_STATE);
		bytes = capture_reader_state(capture, &n);
		if (session_load_state(&session, bytes, n, STATE_EXACT, &err))
			fail_msg("%s", err.text);
		assert_int_equal(model_now(session.model), marks->list[i].ts_ns);
		assert_int_equal(model_vm_count(session.model), 2);
	}
	capture_reader_free(&capture);
	capture_writer_free(&session.writer);
	detect_free(&session.detect);
	model_free(&session.model);
}

/* ---- somebody who goes to and fro in it ---- */

struct viewer {
	struct seeker *seeker;
	const struct model *model;
	struct detect *detect;
	uint64_t target_ns; /* what is played at once */
	int n;              /* times that were gone to */
	uint64_t played;    /* records */
	int loaded;         /* states */
	char *seen;
	size_t size;
	FILE *out;
};

#define TIMES 12

static void show(struct viewer *v)
{
	const struct list_options json = {.all = true, .json = true};
	const struct finding *const *list;
	size_t n;

	list_write(v->out, v->model, &json);
	for (size_t i = 0; i < model_vm_count(v->model); i++)
		map_write_json(v->out, model_vm(v->model, i), PLANE_GUEST);
	list = detect_findings(v->detect, &n);
	for (size_t i = 0; i < n; i++)
		finding_write_json(v->out, list[i]);
	fprintf(v->out, "%llu\n", (unsigned long long)model_now(v->model));
}

/* At each time that is come to: shows what is, and goes to another one. */
static int pace(void *context, uint64_t ts_ns, struct error *err)
{
	/* back, forward, near, to the beginning, far */
	static const size_t places[TIMES] = {
		9000, 4000, 29000, 28990, 15, 20000, 20001, 12345, 25000, 3, 17000, 29999};
	struct viewer *v = context;

	(void)err;
	if (ts_ns <= v->target_ns) {
		v->played++;
		return 0;
	}
	if (v->target_ns)
		show(v);
	if (v->n == TIMES)
		return -EPIPE;
	v->target_ns = time_of(places[v->n++]);
	if (v->target_ns < model_now(v->model) || seeker_helps(v->seeker, ts_ns, v->target_ns, 1))
		seeker_want(v->seeker, v->target_ns, 1);
	if (seeker_is_wanted(v->seeker))
		return -EPIPE;
	v->played++;
	return ts_ns <= v->target_ns ? 0 : -EPIPE;
}

static void watch(void *context, const struct model *model, const struct style *style)
{
	struct viewer *v = context;

	(void)style;
	v->model = model;
}

static void detectors_are(void *context, struct detect *detect)
{
	struct viewer *v = context;

	v->detect = detect;
}

static int restored(void *context, const struct model *model, struct detect *detect)
{
	struct viewer *v = context;

	assert_ptr_equal(model, v->model);
	assert_ptr_equal(detect, v->detect);
	v->loaded++;
	return 0;
}

static int on_findings(void *context, const struct style *style, const struct model *model,
	struct detect *detect, struct error *err)
{
	(void)context;
	(void)style;
	(void)model;
	(void)detect;
	(void)err;
	return 0;
}

static void view(struct viewer *v, size_t max_ended, uint64_t every)
{
	struct options options = {.file = path};
	struct reader reader = {
		.pace = pace,
		.watch = watch,
		.detectors = detectors_are,
		.restored = restored,
		.findings = on_findings,
		.max_ended = max_ended,
		.settings = settings,
		.quiet = true,
		.context = v,
	};
	struct error err = {};
	int status;

	*v = (struct viewer){};
	v->out = open_memstream(&v->seen, &v->size);
	assert_non_null(v->out);
	assert_int_equal(seeker_new(&v->seeker, every), 0);
	reader.seeker = v->seeker;
	status = session_run(&options, &reader, false, &err);
	if (status == EXIT_FAILED)
		fail_msg("%s", err.text);
	fclose(v->out);
	assert_int_equal(v->n, TIMES);
}

static void viewer_end(struct viewer *v)
{
	seeker_free(&v->seeker);
	free(v->seen);
}

/* What a replay from the beginning shows, each time. */
static void expect(struct viewer *v)
{
	write_capture(0, ABI_MAP_GPA_RANGE);
	view(v, 0, 0);
	assert_int_equal(v->loaded, 0); /* there are too few records to keep one in memory */
}

static void same(const struct viewer *a, const struct viewer *b)
{
	assert_int_equal(a->size, b->size);
	assert_memory_equal(a->seen, b->seen, a->size);
}

static void test_states_in_the_file(void **state)
{
	struct viewer want, got;

	(void)state;
	expect(&want);
	write_capture(1000, ABI_MAP_GPA_RANGE);
	view(&got, 0, 0);
	same(&want, &got);
	assert_true(got.loaded > 6);
	assert_true(got.played * 4 < want.played);
	viewer_end(&want);
	viewer_end(&got);
}

/* What was played once is kept, for the way back. */
static void test_states_in_memory(void **state)
{
	struct viewer want, got;

	(void)state;
	expect(&want);
	view(&got, 0, 5000);
	same(&want, &got);
	assert_true(got.loaded > 4);
	assert_true(got.played < want.played);
	viewer_end(&want);
	viewer_end(&got);
}

static void test_states_of_another_making(void **state)
{
	struct viewer want, got;

	(void)state;
	expect(&want);
	write_capture(1000, ABI_PAGE_ENC_STATUS);
	view(&got, 0, 0);
	same(&want, &got);
	assert_int_equal(got.loaded, 0);
	viewer_end(&want);
	viewer_end(&got);
}

/* Turns a bit in the middle of the n-th block of this type. */
static void damage(enum file_block_type type, int n)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
	off_t offset = sizeof(struct file_header);
	struct file_block block;
	uint8_t byte;

	assert_true(fd >= 0);
	while (pread(fd, &block, sizeof(block), offset) == sizeof(block)) {
		if (block.type == type && !n--) {
			offset += (off_t)(sizeof(block) + block.stored_bytes / 2);
			assert_int_equal(pread(fd, &byte, 1, offset), 1);
			byte ^= 1;
			assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
			return;
		}
		offset += (off_t)(sizeof(block) + block.stored_bytes);
	}
	fail_msg("no such block");
}

static void test_damaged_states(void **state)
{
	struct viewer want, got;

	(void)state;
	expect(&want);
	write_capture(1000, ABI_MAP_GPA_RANGE);
	for (int i = 0; i < 29; i++)
		damage(FILE_STATE, i);
	view(&got, 0, 0);
	same(&want, &got); /* the records are whole */
	viewer_end(&want);
	viewer_end(&got);
}

static int group_setup(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	make_records();
	return fd < 0 || close(fd) || settings_new(&settings);
}

static int group_teardown(void **state)
{
	(void)state;
	settings_free(&settings);
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_session_writes_states),
		cmocka_unit_test(test_states_in_the_file),
		cmocka_unit_test(test_states_in_memory),
		cmocka_unit_test(test_states_of_another_making),
		cmocka_unit_test(test_damaged_states),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
