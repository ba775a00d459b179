/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon's socket: what subscribers come to know, at whatever point of the stream they come. */
#include "server_bench.h"

#include <sys/mman.h>

#include "capture/file_format.h"
#include "capture/file_reader.h"
#include "detect/state.h"
#include "model/state.h"
#include "service/server_private.h"

/* What came behind the reply, as a file. */
static int raw_file(struct end *e)
{
	size_t n = e->input.end - e->input.start;
	int fd = memfd_create("stream", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, e->input.bytes + e->input.start, n), n);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

struct known {
	struct model *model;
	struct detect *detect;
	struct settings *settings;
	uint64_t records; /* behind the state */
	char notice[256]; /* the last one */
};

static int known_event(void *context, const struct event *event)
{
	struct known *known = context;

	return detect_event(known->detect, event);
}

static void know_state(struct known *known, const void *bytes, size_t size)
{
	struct model_options model = {.on_event = known_event, .context = known};
	struct detect_options detect = {.keep = true};
	struct state_view view;
	struct error err = {};

	assert_int_equal(settings_new(&known->settings), 0);
	detect.settings = known->settings;
	if (state_open(&view, bytes, size, &err) ||
		model_load(&known->model, &model, view.model, view.model_size, &err))
		fail_msg("%s", err.text);
	assert_int_equal(detect_new(&known->detect, &detect), 0);
	detect_watch(known->detect, known->model);
	if (detect_load(known->detect, view.detect, view.detect_size, DETECT_LOAD_SAME, &err))
		fail_msg("%s", err.text);
}

/* Reads all that came: it is a whole capture but for its end. */
static void know(struct known *known, struct end *e)
{
	_cleanup_(capture_reader_free) struct capture_reader *reader = NULL;
	const struct kes_record *records;
	struct error err = {};
	size_t n;
	int r;

	*known = (struct known){};
	if (capture_reader_open_fd(&reader, raw_file(e), "stream", &err))
		fail_msg("%s", err.text);
	while ((r = capture_reader_next(reader, &records, &n, &err)) > 0) {
		if (r == CAPTURE_STATE) {
			const void *bytes = capture_reader_state(reader, &n);

			know_state(known, bytes, n);
		} else if (r == CAPTURE_NOTICE) {
			snprintf(known->notice, sizeof(known->notice), "%s",
				capture_reader_notice(reader));
		} else {
			known->records += n;
			assert_int_equal(model_apply(known->model, records, n), 0);
		}
	}
	assert_int_equal(r, 0);
	assert_int_equal(capture_reader_info(reader)->state, CAPTURE_INCOMPLETE);
	assert_int_equal(capture_reader_info(reader)->blocks_skipped, 0);
}

static void known_free(struct known *known)
{
	detect_free(&known->detect);
	model_free(&known->model);
	settings_free(&known->settings);
}

#define SUBSCRIBERS 40

/* At random moments of a random stream they come; what they know at its end is what the server
 * knows, byte by byte: nothing was missed, nothing came twice. */
static void test_no_gap_no_repeat(void **state)
{
	struct end ends[SUBSCRIBERS];
	struct server_counts counts;
	size_t n = 0;
	char *want;
	struct world w;

	(void)state;
	world_open(&w, (gid_t)-1);
	while (n < SUBSCRIBERS) {
		feed_records(&w, 1 + next_random() % 400);
		if (next_random() % 3 == 0)
			w.waiting[w.n_waiting++] = next_record(&w); /* comes with refresh() */
		if (next_random() % 3 == 0)
			subscribe_to(&w, &ends[n++]);
		world_refresh(&w);
		if (next_random() % 4 == 0)
			turn_for(&w, 25); /* a batch goes out before it is full */
		for (size_t i = 0; i < n; i++)
			hear(&ends[i]);
	}
	feed_records(&w, 20000); /* more than a batch, and more than a snapshot lives */
	for (int i = 0; i < 4; i++) {
		turn_for(&w, 25);
		for (size_t k = 0; k < n; k++)
			hear(&ends[k]);
	}
	server_counts(w.server, &counts);
	assert_int_equal(counts.subscribers, SUBSCRIBERS);
	assert_int_equal(counts.dropped, 0);
	assert_true(counts.snapshots >= 1 && counts.snapshots < SUBSCRIBERS);
	want = print_known(w.model, w.detect);
	for (size_t i = 0; i < n; i++) {
		struct known known;
		char *got;

		know(&known, &ends[i]);
		assert_string_equal(known.notice, "{\"notice\":\"current\"}");
		got = print_known(known.model, known.detect);
		assert_string_equal(got, want);
		free(got);
		known_free(&known);
		end_close(&ends[i]);
	}
	free(want);
	turn(&w);
	server_counts(w.server, &counts);
	assert_int_equal(counts.clients, 0);
	world_close(&w);
}

/* What compresses badly, so that little of it is much. */
static void flood(struct world *w, size_t n)
{
	static struct kes_record records[512];

	for (; n; n--) {
		for (size_t i = 0; i < sizeof(records) / 4; i++)
			((uint32_t *)records)[i] = (uint32_t)next_random();
		server_records(w->server, records, ARRAY_SIZE(records));
	}
}

static uint64_t count_records(struct end *e, char notice[256])
{
	_cleanup_(capture_reader_free) struct capture_reader *reader = NULL;
	const struct kes_record *records;
	struct error err = {};
	uint64_t sum = 0;
	size_t n;
	int r;

	assert_int_equal(capture_reader_open_fd(&reader, raw_file(e), "stream", &err), 0);
	while ((r = capture_reader_next(reader, &records, &n, &err)) > 0)
		if (r == CAPTURE_NOTICE)
			snprintf(notice, 256, "%s", capture_reader_notice(reader));
		else
			sum += n;
	assert_int_equal(capture_reader_info(reader)->blocks_skipped, 0);
	return sum;
}

/* Takes all that the server has for it. */
static void keep_up(struct world *w, struct end *e)
{
	size_t before;

	do {
		before = e->input.end;
		turn(w);
		hear(e);
	} while (e->input.end > before);
}

/* One reads, one does not: the first gets all, the other is dropped, keeps what it has, and is told
 * why. */
static void test_slow_is_dropped(void **state)
{
	char notice[256] = "", slow_notice[256] = "";
	struct server_counts counts;
	struct end quick, slow;
	uint64_t sent = 0, got;
	struct world w;

	(void)state;
	world_open(&w, (gid_t)-1);
	subscribe_to(&w, &quick);
	subscribe_to(&w, &slow);
	do {
		flood(&w, 32);
		sent += 32 * 512;
		keep_up(&w, &quick);
		server_counts(w.server, &counts);
		assert_true(sent * sizeof(struct kes_record) < 4u * STREAM_BYTES);
	} while (!counts.dropped);
	assert_int_equal(counts.subscribers, 1);
	flood(&w, 32);
	sent += 32 * 512;
	for (int i = 0; i < 200 && !slow.closed; i++) {
		keep_up(&w, &quick);
		hear(&slow);
	}
	assert_true(slow.closed);
	assert_false(quick.closed);
	got = count_records(&slow, slow_notice);
	assert_true(got > 0 && got < sent);
	assert_non_null(strstr(slow_notice, "\"notice\":\"slow\""));
	assert_non_null(strstr(slow_notice, "as fast as it came"));
	assert_int_equal(count_records(&quick, notice), sent);
	assert_string_equal(notice, "{\"notice\":\"current\"}");
	end_close(&slow);
	end_close(&quick);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_gap_no_repeat),
		cmocka_unit_test(test_slow_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
