/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/seek.h"

#include <errno.h>
#include <string.h>
#include <zstd.h>

#include "base/cleanup.h"
#include "detect/state.h"

/* From measurement (bench/state.c): so many records are played again in 60 ms. */
#define KEEP_RECORDS 262144
#define ZSTD_LEVEL   1

/* A place to begin from. */
struct point {
	struct capture_mark mark;
	void *state; /* compressed; NULL: it is in the file, at the mark */
	size_t size, raw_size;
};

struct seeker {
	struct point *points; /* in order */
	size_t n, room;
	size_t bytes; /* of states in memory */
	uint64_t spacing;
	bool looked; /* for those in the file */

	bool wanted;
	uint64_t ts_ns, history_ns;
};

int seeker_new(struct seeker **ret, uint64_t every)
{
	struct seeker *seeker = calloc(1, sizeof(*seeker));

	if (!seeker)
		return -ENOMEM;
	seeker->spacing = every ?: KEEP_RECORDS;
	*ret = seeker;
	return 0;
}

void seeker_free(struct seeker **ret)
{
	struct seeker *seeker = *ret;

	if (!seeker)
		return;
	for (size_t i = 0; i < seeker->n; i++)
		free(seeker->points[i].state);
	free(seeker->points);
	free(seeker);
	*ret = NULL;
}

/* ---- points ---- */

/* Index of the first point behind so many records. */
static size_t after(const struct seeker *seeker, uint64_t records)
{
	size_t i = 0;

	while (i < seeker->n && seeker->points[i].mark.records <= records)
		i++;
	return i;
}

static int insert(struct seeker *seeker, const struct point *point)
{
	size_t at = after(seeker, point->mark.records);

	if (seeker->n == seeker->room) {
		size_t room = seeker->room ? 2 * seeker->room : 64;
		struct point *grown = reallocarray(seeker->points, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		seeker->points = grown;
		seeker->room = room;
	}
	memmove(&seeker->points[at + 1], &seeker->points[at],
		(seeker->n - at) * sizeof(*seeker->points));
	seeker->points[at] = *point;
	seeker->n++;
	return 0;
}

static void take_out(struct seeker *seeker, size_t i)
{
	seeker->bytes -= seeker->points[i].size;
	free(seeker->points[i].state);
	seeker->n--;
	memmove(&seeker->points[i], &seeker->points[i + 1],
		(seeker->n - i) * sizeof(*seeker->points));
}

/* Every other one that is in memory: those that stay are twice as far apart. */
static void thin_out(struct seeker *seeker)
{
	bool out = false;

	for (size_t i = 0; i < seeker->n; i++) {
		if (!seeker->points[i].state)
			continue;
		out = !out;
		if (out)
			take_out(seeker, i--);
	}
	seeker->spacing *= 2;
}

/* Those of the file are of another making: they cannot stand for the records before them. */
static void forget_file(struct seeker *seeker)
{
	for (size_t i = seeker->n; i-- > 0;)
		if (!seeker->points[i].state)
			take_out(seeker, i);
}

void seeker_look(struct seeker *seeker, struct capture_reader *reader)
{
	const struct file_marks *marks = seeker->looked ? NULL : capture_reader_marks(reader);

	seeker->looked = true;
	for (size_t i = 0; marks && i < marks->n; i++)
		if (insert(seeker, &(struct point){.mark = marks->list[i]}))
			return;
}

static int compress(struct point *point, const struct buffer *raw)
{
	size_t room = ZSTD_compressBound(raw->size);
	void *shrunk;

	point->state = malloc(room);
	if (!point->state)
		return -ENOMEM;
	point->size = ZSTD_compress(point->state, room, raw->bytes, raw->size, ZSTD_LEVEL);
	if (ZSTD_isError(point->size)) {
		free(point->state);
		return -ENOMEM;
	}
	point->raw_size = raw->size;
	shrunk = realloc(point->state, point->size);
	point->state = shrunk ?: point->state;
	return 0;
}

void seeker_pass(
	struct seeker *seeker, const struct session *session, const struct capture_reader *reader)
{
	struct point point = {.mark = capture_reader_place(reader)};
	size_t next = after(seeker, point.mark.records);
	uint64_t before = next ? seeker->points[next - 1].mark.records : 0;
	_cleanup_buffer_ struct buffer raw = {};

	if (point.mark.records - before < seeker->spacing ||
		(next < seeker->n && seeker->points[next].mark.records - point.mark.records <
					     seeker->spacing / 2))
		return;
	point.mark.ts_ns = model_now(session->model);
	if (state_save(session->model, session->detect, &raw) || compress(&point, &raw))
		return; /* without memory it takes longer to come back */
	if (insert(seeker, &point)) {
		free(point.state);
		return;
	}
	seeker->bytes += point.size;
	if (seeker->bytes > SEEK_BYTES)
		thin_out(seeker);
}

/* ---- what is wanted ---- */

void seeker_want(struct seeker *seeker, uint64_t ts_ns, uint64_t history_ns)
{
	seeker->wanted = true;
	seeker->ts_ns = ts_ns;
	seeker->history_ns = history_ns;
}

bool seeker_is_wanted(const struct seeker *seeker)
{
	return seeker->wanted;
}

/* So many records more are read for history. */
static bool is_near(const struct seeker *seeker, size_t i)
{
	uint64_t before = i ? seeker->points[i - 1].mark.records : 0;

	return seeker->points[i].mark.records - before <= KEEP_RECORDS;
}

/* Where to begin for this time: NULL is the capture's own beginning. One point more is gone back
 * where the nearest has less than the history before it, and that one is not far. */
static const struct point *pick(const struct seeker *seeker, uint64_t ts_ns, uint64_t history_ns)
{
	size_t n = 0;

	while (n < seeker->n && seeker->points[n].mark.ts_ns <= ts_ns)
		n++;
	if (n && ts_ns - seeker->points[n - 1].mark.ts_ns < history_ns && is_near(seeker, n - 1))
		n--;
	return n ? &seeker->points[n - 1] : NULL;
}

bool seeker_helps(const struct seeker *seeker, uint64_t now_ns, uint64_t ts_ns, uint64_t history_ns)
{
	const struct point *point = pick(seeker, ts_ns, history_ns);

	return point && point->mark.ts_ns > now_ns;
}

static int load_memory(const struct point *point, struct session *session, struct error *err)
{
	_cleanup_free_ void *raw = malloc(point->raw_size);

	if (!raw)
		return error_set(err, -ENOMEM, "out of memory");
	if (ZSTD_decompress(raw, point->raw_size, point->state, point->size) != point->raw_size)
		return error_set(err, -EBADMSG, "a state in memory does not decompress");
	return session_load_state(session, raw, point->raw_size, STATE_EXACT, err);
}

static int load_file(struct session *session, struct capture_reader *reader, struct error *err)
{
	const struct kes_record *records;
	const void *bytes;
	size_t n;
	int r = capture_reader_next(reader, &records, &n, err);

	if (r < 0)
		return r;
	if (r != CAPTURE_STATE)
		return error_set(err, -EBADMSG, "the capture has changed");
	bytes = capture_reader_state(reader, &n);
	return session_load_state(session, bytes, n, STATE_EXACT, err);
}

static int begin(const struct point *point, struct session *session, struct capture_reader *reader,
	struct error *err)
{
	int r = capture_reader_seek(reader, point ? &point->mark : NULL, err);

	if (r)
		return r;
	if (!point)
		return session_begin_anew(session, err);
	return point->state ? load_memory(point, session, err) : load_file(session, reader, err);
}

int seeker_go(struct seeker *seeker, struct session *session, struct capture_reader *reader,
	struct error *err)
{
	seeker->wanted = false;
	for (;;) {
		const struct point *point = pick(seeker, seeker->ts_ns, seeker->history_ns);
		int r = begin(point, session, reader, err);

		if (!r || !point || r == -ENOMEM)
			return r;
		if (point->state)
			take_out(seeker, (size_t)(point - seeker->points));
		else
			forget_file(seeker);
	}
}
