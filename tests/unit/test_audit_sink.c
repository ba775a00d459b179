/* SPDX-License-Identifier: GPL-2.0-only */
/* What a sink makes of a journal that cannot be read back, and of one that can be again. Time is
 * what the test says; the journal's files are made by systemd-journal-remote. */
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "audit/sink.h"
#include "audit_bench.h"

#define REMOTE "/lib/systemd/systemd-journal-remote"
#define SECOND 1000000000ull

static char folder[] = "/tmp/test_audit_sink.XXXXXX";
static char journal[64], socket_path[64];
static int folder_fd = -1, socket_fd = -1;

static int forget(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

static int setup(void **state)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(journal, sizeof(journal), "%s/journal", folder);
	snprintf(socket_path, sizeof(socket_path), "%s/socket", folder);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", socket_path);
	folder_fd = open(folder, O_RDONLY | O_DIRECTORY);
	socket_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	return mkdir(journal, 0700) || bind(socket_fd, (const struct sockaddr *)&at, sizeof(at));
}

static int teardown(void **state)
{
	(void)state;
	close(folder_fd);
	close(socket_fd);
	return nftw(folder, forget, 8, FTW_DEPTH | FTW_PHYS);
}

/* What was sent; keep: it comes to be in the journal. How many records. */
static int take(bool keep)
{
	char message[AUDIT_RECORD_BYTES + 256], command[256];
	FILE *out = NULL;
	ssize_t n;
	int count = 0;

	snprintf(command, sizeof(command), REMOTE " -o %s/%d.journal - 2>/dev/null", journal,
		rand());
	while ((n = recv(socket_fd, message, sizeof(message), 0)) > 0) {
		count++;
		if (!keep)
			continue;
		if (!out)
			out = popen(command, "w");
		assert_non_null(out);
		fprintf(out, "__REALTIME_TIMESTAMP=1700000000%06d\n__MONOTONIC_TIMESTAMP=%d\n",
			count, count);
		fprintf(out, "_BOOT_ID=" BOOT "\n%.*s\n", (int)n, message);
	}
	if (out)
		assert_int_equal(pclose(out), 0);
	return count;
}

static void add(struct sink *sink, uint64_t i)
{
	struct audit_record record;
	char line[AUDIT_LINE_BYTES];

	fill_record(&record, AUDIT_VETO, i);
	sink_add(sink, &record, line, record_json(&record, line));
}

/* Turns until then, as a daemon does. */
static uint64_t turn(struct sink *sink, uint64_t from_ns, uint64_t until_ns)
{
	for (; from_ns < until_ns; from_ns += SECOND / 10)
		sink_turn(sink, from_ns);
	return from_ns;
}

/* It cannot be read back: after a while what is sent counts as delivered. Now and then it is looked
 * again, with one record, which is not sent over and over; and once that is found, all is as usual.
 */
static void test_again(void **state)
{
	struct sink_options options = {
		.name = "journal",
		.dir_fd = folder_fd,
		.machine = MACHINE,
		.boot = BOOT,
		.spool_bytes = 1 << 20,
		.socket = socket_path,
		.directory = journal,
		.confirm = true,
	};
	struct sink *sink = NULL;
	struct error err = {};
	uint64_t now = 1000 * SECOND, sent = 0;

	(void)state;
	if (access(REMOTE, X_OK))
		skip();
	assert_int_equal(sink_open(&sink, &options, &err), 0);
	add(sink, 0);
	now = turn(sink, now, now + 5 * SECOND);
	assert_false(sink_status(sink).unconfirmed);
	assert_int_equal(sink_status(sink).delivered, 0);
	now = turn(sink, now, now + 10 * SECOND);
	assert_true(sink_status(sink).unconfirmed);
	assert_int_equal(sink_status(sink).delivered, 2); /* the log's first one, too */
	assert_true(take(false) >= 2);

	for (uint64_t i = 1; i <= 200; i++) { /* a record a second, of which none is sent twice */
		add(sink, i);
		now = turn(sink, now, now + SECOND);
		sent += (uint64_t)take(false);
	}
	assert_int_equal(sent, 200);
	assert_true(sink_status(sink).unconfirmed);
	assert_true(sink_status(sink).delivered >= 190);

	for (uint64_t i = 201; i <= 300 && sink_status(sink).unconfirmed; i++) {
		add(sink, i);
		now = turn(sink, now, now + SECOND);
		take(true);
	}
	assert_false(sink_status(sink).unconfirmed);
	add(sink, 301);
	now = turn(sink, now, now + SECOND / 5);
	assert_true(take(false) == 1); /* it was dropped: it is sent again */
	now = turn(sink, now, now + 10 * SECOND);
	assert_true(take(true) >= 1);
	turn(sink, now, now + 10 * SECOND);
	assert_int_equal(sink_status(sink).waiting, 0);
	sink_close(&sink, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_again),
	};

	return cmocka_run_group_tests_name("audit_sink", tests, setup, teardown);
}
