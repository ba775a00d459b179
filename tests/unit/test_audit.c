/* SPDX-License-Identifier: GPL-2.0-only */
/* Events as records, and the way of records: to a file, and to a journald of our own that is slow,
 * full or away. Nothing waits for it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/audit.h"
#include "audit/journal.h"
#include "base/clock.h"
#include "folder.h"
#include "model_bench.h"

static char folder[] = "/tmp/test_audit.XXXXXX";
static char file[64], state_dir[64], socket_path[64];

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(file, sizeof(file), "%s/log", folder);
	snprintf(state_dir, sizeof(state_dir), "%s/state", folder);
	snprintf(socket_path, sizeof(socket_path), "%s/socket", folder);
	return 0;
}

static int empty(void **state)
{
	(void)state;
	return folder_empty(folder);
}

static int teardown(void **state)
{
	(void)state;
	return rmdir(folder);
}

static struct audit_settings settings_of(bool journal)
{
	struct audit_settings settings;
	struct config *config = NULL;
	struct error err = {};

	assert_int_equal(config_parse(&config, "f", "", 0, &err), 0);
	audit_settings_take(&settings, config);
	config_free(&config);
	settings.journal = journal;
	settings.confirm = false;
	if (!journal)
		snprintf(settings.file, sizeof(settings.file), "%s", file);
	return settings;
}

static struct audit *begin(const struct audit_settings *settings)
{
	struct audit_options options = {
		.settings = settings,
		.state_dir = state_dir,
		.replay = true,
		.journal_socket = socket_path,
		.mode = "test",
	};
	struct audit *audit = NULL;
	struct error err = {};

	assert_int_equal(audit_new(&audit, &options, &err), 0);
	return audit;
}

/* ---- what the file has ---- */

#define MOST 600
struct log {
	struct audit_record records[MOST];
	size_t n;
};

static void read_log(struct log *log)
{
	char line[AUDIT_LINE_BYTES];
	FILE *in = fopen(file, "r");

	assert_non_null(in);
	log->n = 0;
	while (fgets(line, sizeof(line), in)) {
		assert_true(log->n < MOST);
		assert_int_equal(record_parse(&log->records[log->n++], line, strlen(line) - 1), 0);
	}
	fclose(in);
}

static size_t count_kind(const struct log *log, const char *kind)
{
	size_t n = 0;

	for (size_t i = 0; i < log->n; i++)
		n += !strcmp(record_field(&log->records[i], FIELD_KIND), kind);
	return n;
}

static const struct audit_record *first_kind(const struct log *log, const char *kind)
{
	for (size_t i = 0; i < log->n; i++)
		if (!strcmp(record_field(&log->records[i], FIELD_KIND), kind))
			return &log->records[i];
	fail_msg("no record of kind %s", kind);
	return NULL;
}

static struct audit *audit_of_bench;

static int to_audit(void *context, const struct event *event)
{
	(void)context;
	return audit_event(audit_of_bench, event);
}

static void start_bench(struct bench *b, struct audit *audit)
{
	struct model_options options = {.on_event = to_audit, .context = b};

	memset(b, 0, sizeof(*b));
	audit_of_bench = audit;
	b->ts = 1000000000;
	assert_int_equal(model_new(&b->model, &options), 0);
	vm_new_record(b, 1, KES_F_BORN, KES_VM_SNP);
	text(b, 1, KES_TEXT_NAME, "db1");
	memslot(b, 1, 0, 65536, 0, 1);
}

static void end_bench(struct bench *b, struct audit **audit)
{
	audit_stop(*audit, NULL);
	audit_free(audit);
	model_free(&b->model);
}

/* 100,000 refusals in a second, and as many conversions: none is told one by one beyond the burst,
 * and all are counted. */
static void test_flood(void **state)
{
	struct audit_settings settings = settings_of(false);
	struct audit *audit = begin(&settings);
	static struct log log;
	struct bench b;
	uint64_t told, counted, n = 50000;

	(void)state;
	start_bench(&b, audit);
	for (uint64_t i = 0; i < n; i++) {
		convert(&b, 1, i % 1000, 1, 0x10, 22);
		convert(&b, 1, i % 1000, 2, 0, 0);
	}
	end_bench(&b, &audit);
	read_log(&log);
	told = count_kind(&log, "denied");
	assert_true(told >= settings.burst && told <= settings.burst + 2 * settings.vm_rate);
	assert_int_equal(count_kind(&log, "merged"), 1);
	assert_string_equal(record_field(first_kind(&log, "merged"), FIELD_MERGED_KIND), "denied");
	assert_string_equal(record_field(first_kind(&log, "merged"), FIELD_VM_NAME), "db1");
	counted = record_u64(first_kind(&log, "merged"), FIELD_COUNT);
	assert_int_equal(told + counted, n);
	assert_int_equal(record_u64(first_kind(&log, "merged"), FIELD_NPAGES), counted);
	assert_int_equal(count_kind(&log, "summary"), 1);
	assert_int_equal(record_u64(first_kind(&log, "summary"), FIELD_CONVERTED), n);
	assert_int_equal(record_u64(first_kind(&log, "summary"), FIELD_TO_SHARED), 2 * n);
	assert_int_equal(record_u64(first_kind(&log, "summary"), FIELD_DENIED), n);
	assert_int_equal(count_kind(&log, "converted"), 0);
}

/* What a policy says, with the rule that said it. */
static void test_verdicts(void **state)
{
	struct audit_settings settings = settings_of(false);
	struct audit *audit = begin(&settings);
	static struct log log;
	struct kes_judgement veto = {.action = KES_DENY, .line = 12, .err = 1},
			     monitor = {.action = KES_ALLOW, .would = KES_DENY, .would_line = 7};
	struct event event = {.kind = EVENT_VERDICT,
		.gpa = 0x5000,
		.npages = 3,
		.to = PAGE_SHARED,
		.judgement = &veto,
		.policy_file = "/etc/web\n.yaml",
		.would_file = "/etc/x.yaml"};
	const struct audit_record *record;
	struct bench b;

	(void)state;
	start_bench(&b, audit);
	event.vm = first_vm(&b);
	event.ts_ns = event.now_ns = b.ts;
	audit_event(audit, &event);
	event.judgement = &monitor;
	audit_event(audit, &event);
	end_bench(&b, &audit);
	read_log(&log);
	record = first_kind(&log, "veto");
	assert_string_equal(record_field(record, FIELD_RULE), "/etc/web\\x0a.yaml:12");
	assert_string_equal(record_field(record, FIELD_POLICY), "/etc/web\\x0a.yaml");
	assert_string_equal(record_field(record, FIELD_ACTION), "deny");
	assert_int_equal(record_u64(record, FIELD_GFN), 5);
	assert_int_equal(record_u64(record, FIELD_NPAGES), 3);
	assert_int_equal(record_u64(record, FIELD_ERRNO), 1);
	assert_string_equal(record_get(record, "PRIORITY"), "4");
	record = first_kind(&log, "monitor");
	assert_string_equal(record_field(record, FIELD_WOULD_RULE), "/etc/x.yaml:7");
	assert_string_equal(record_field(record, FIELD_WOULD), "deny");
	assert_null(record_field(record, FIELD_RULE));
	assert_int_equal(record_u64(first_kind(&log, "summary"), FIELD_VETOED), 1);
}

/* Summaries come once an interval, and the VM's begin before all that is told of it. */
static void test_intervals(void **state)
{
	struct audit_settings settings = settings_of(false);
	struct audit *audit = begin(&settings);
	static struct log log;
	struct bench b;

	(void)state;
	start_bench(&b, audit);
	for (int i = 0; i < 5; i++) {
		convert(&b, 1, 1, 1, 0, 0);
		b.ts += settings.interval_ns;
	}
	apply(&b, record(&b, 1, KES_VM_END));
	end_bench(&b, &audit);
	read_log(&log);
	assert_int_equal(count_kind(&log, "summary"), 5);
	assert_int_equal(count_kind(&log, "vm-new"), 1);
	assert_int_equal(count_kind(&log, "vm-end"), 1);
	assert_string_equal(record_field(&log.records[2], FIELD_KIND), "vm-new");
	assert_int_equal(record_u64(first_kind(&log, "vm-end"), FIELD_CONVERTED), 5);
	assert_int_equal(record_u64(first_kind(&log, "vm-end"), FIELD_SHARED_PAGES), 1);
}

/* A capture may say any time, and any time of day that it began at. */
static void test_times(void **state)
{
	static const uint64_t times[] = {1, INT64_MAX - 1, 1ull << 63, UINT64_MAX - 4000000};
	struct audit_settings settings = settings_of(false);

	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		for (int k = 0; k < 3; k++) {
			struct audit *audit = begin(&settings);
			static struct log log;
			struct bench b;

			audit_set_clock(audit, k == 0 ? INT64_MIN : k == 1 ? 0 : INT64_MAX);
			start_bench(&b, audit);
			b.ts = times[i];
			for (int n = 0; n < 250; n++) /* more than a burst */
				answer(&b, 1, 0, 16, 1, 0, -1, 0, 0);
			end_bench(&b, &audit);
			read_log(&log);
			for (size_t n = 0; n < log.n; n++) {
				const char *time = record_field(&log.records[n], FIELD_TIME);

				assert_int_equal(
					strlen(time), strlen("2026-11-28T22:52:24.123456Z"));
			}
			empty(state);
		}
}

/* ---- a journald of our own ---- */

static int listen_here(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	unlink(socket_path);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", socket_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

/* The next message; 0: there is none. */
static size_t receive(int fd, char *bytes, size_t size)
{
	ssize_t n = recv(fd, bytes, size - 1, 0);

	if (n < 0)
		return 0;
	bytes[n] = '\0';
	return (size_t)n;
}

static uint64_t seq_of(const char *message)
{
	const char *at = strstr(message, "\nKES_SEQ=");

	return at ? strtoull(at + 9, NULL, 10) : 0;
}

/* It is away, then there but full, then slow: none of it makes anybody wait, and the records come
 * in their order, each once, at the pace that was set. */
static void test_journal(void **state)
{
	struct audit_settings settings = settings_of(true);
	struct audit *audit;
	char message[AUDIT_RECORD_BYTES];
	uint64_t begin_ns, next = 1, in_burst = 0;
	struct audit_status status;
	int fd;

	(void)state;
	settings.rate = 50;
	audit = begin(&settings);
	for (int i = 0; i < 60; i++)
		audit_note(audit, AUDIT_CHANGED, NULL, NULL, 0, "note %d", i);
	begin_ns = clock_now_ns();
	audit_turn(audit);
	audit_status(audit, &status);
	assert_true(status.waiting > 0);
	assert_int_equal(status.delivered, 0);

	fd = listen_here();
	while (next <= 61 && clock_now_ns() - begin_ns < 30000000000ull) {
		audit_turn(audit);
		while (receive(fd, message, sizeof(message))) {
			assert_int_equal(seq_of(message), next);
			next++;
		}
		if (!in_burst)
			in_burst = next - 1;
		if (next <= 61)
			poll(NULL, 0, audit_timeout(audit));
	}
	assert_int_equal(next, 62);
	assert_true(in_burst <= settings.rate / 5 + 1); /* of a second's */
	audit_status(audit, &status);
	assert_int_equal(status.delivered, 61);
	assert_int_equal(status.waiting, 0);
	audit_free(&audit);

	/* The log goes on, what is counted begins anew. */
	audit = begin(&settings);
	audit_status(audit, &status);
	assert_int_equal(status.told, 0);
	assert_int_equal(status.delivered, 0);
	audit_note(audit, AUDIT_CHANGED, NULL, NULL, 0, "once more");
	audit_turn(audit);
	assert_true(receive(fd, message, sizeof(message)));
	assert_int_equal(seq_of(message), 62);
	audit_turn(audit);
	audit_status(audit, &status);
	assert_int_equal(status.delivered, 1);
	audit_free(&audit);
	close(fd);
}

/* Larger than a datagram may be here: it goes as a sealed file. */
static void test_large(void **state)
{
	static struct audit_record large;
	char value[5000], bytes[AUDIT_RECORD_BYTES], control[CMSG_SPACE(sizeof(int))];
	int to = listen_here(), from = journal_open(), size = 2304, memory;
	struct iovec io = {bytes, sizeof(bytes)};
	struct msghdr message = {.msg_iov = &io,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	ssize_t n;

	(void)state;
	setsockopt(from, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	record_begin(&large, AUDIT_VETO);
	record_add(&large, "MESSAGE", "%s", value);
	assert_int_equal(journal_send(from, socket_path, &large), 0);
	assert_int_equal(recvmsg(to, &message, 0), 0);
	memcpy(&memory, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(memory));
	assert_int_equal(fcntl(memory, F_GET_SEALS),
		F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	n = pread(memory, bytes, sizeof(bytes) - 1, 0);
	assert_true(n > 5000);
	bytes[n] = '\0';
	assert_non_null(strstr(bytes, value));
	assert_non_null(strstr(bytes, "\nKES_KIND=veto\n"));
	close(memory);

	/* full: it says so, and does not wait */
	record_begin(&large, AUDIT_VETO);
	while ((n = journal_send(from, socket_path, &large)) == 0)
		;
	assert_int_equal(n, -EAGAIN);
	close(to);
	assert_int_equal(journal_send(from, socket_path, &large), -ECONNREFUSED);
	unlink(socket_path);
	assert_int_equal(journal_send(from, socket_path, &large), -ENOENT);
	close(from);
}

/* One log has one writer. */
static void test_lock(void **state)
{
	struct audit_settings settings = settings_of(false);
	struct audit *audit = begin(&settings), *other = NULL;
	struct audit_options options = {
		.settings = &settings, .state_dir = state_dir, .replay = true, .mode = "test"};
	struct error err = {};

	(void)state;
	assert_int_equal(audit_new(&other, &options, &err), -EBUSY);
	assert_null(other);
	assert_true(*err.text && *err.advice);
	audit_free(&audit);
}

/* A command that tells what it has done is there for a moment only. */
static void test_patience(void **state)
{
	struct audit_settings settings = settings_of(false);
	struct audit_options options = {.settings = &settings,
		.state_dir = state_dir,
		.replay = true,
		.mode = "test",
		.patience_ms = 60000};
	struct audit *audit = NULL;
	struct error err = {};
	int begun[2], status;
	pid_t child;
	char c;

	(void)state;
	assert_int_equal(pipe(begun), 0);
	child = fork();
	if (!child) {
		audit = begin(&settings);
		c = (char)write(begun[1], "", 1);
		poll(NULL, 0, 100);
		audit_free(&audit);
		_exit(c != 1);
	}
	assert_int_equal(read(begun[0], &c, 1), 1);
	assert_int_equal(audit_new(&audit, &options, &err), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	audit_free(&audit);
	close(begun[0]);
	close(begun[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_flood, empty),
		cmocka_unit_test_teardown(test_verdicts, empty),
		cmocka_unit_test_teardown(test_intervals, empty),
		cmocka_unit_test_teardown(test_times, empty),
		cmocka_unit_test_teardown(test_journal, empty),
		cmocka_unit_test_teardown(test_large, empty),
		cmocka_unit_test_teardown(test_lock, empty),
		cmocka_unit_test_teardown(test_patience, empty),
	};

	return cmocka_run_group_tests_name("audit", tests, setup, teardown);
}
