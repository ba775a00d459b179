/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon's socket: who may ask, and what those cost who do not behave. */
#include "server_bench.h"

#include <grp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "service/server_private.h"

#define NOBODY 65534
#define GROUP  54321 /* nobody's, but for those who are put into it */

/* ---- who may ask ---- */

/* The error that a user gets of a call, by its last word; "-" none. As another process, which the
 * kernel tells us of. */
static void check_user(
	struct world *w, uid_t uid, gid_t gid, gid_t more, const char *call, const char *want)
{
	struct end e;
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (!pid) {
		int r = setgroups(more ? 1 : 0, &more) || setgid(gid) || setuid(uid);

		if (!r)
			end_open(&e, w);
		r = r || write(fds[1], "", 1) != 1;
		if (!r)
			send_call(&e, call);
		/* what is said here is read by the parent, whose end this is, too */
		fcntl(e.fd, F_SETFL, 0);
		for (char c = 1; !r && read(e.fd, &c, 1) == 1;)
			if (write(fds[1], &c, 1) != 1 || !c)
				break;
		_exit(r);
	}
	close(fds[1]);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	e = (struct end){.fd = fds[0], .input.max = VARLINK_REPLY_MAX};
	for (char c; read(fds[0], &c, 1) != 1;)
		turn_for(w, 1);
	for (int i = 0; i < 5000 && !varlink_input_has(&e.input); i++) {
		char *at;
		size_t room;
		ssize_t n;

		turn_for(w, 1);
		assert_int_equal(varlink_input_room(&e.input, &at, &room), 0);
		n = read(fds[0], at, room);
		if (n > 0)
			varlink_input_add(&e.input, (size_t)n);
	}
	e.closed = true;
	assert_string_equal(reply_string(w, &e, "error"), want);
	waitpid(pid, NULL, 0);
	end_close(&e);
}

#define LIST   "{\"method\":\"io.kvmencstat.List\"}"
#define RELOAD "{\"method\":\"io.kvmencstat.Reload\"}"
#define INFO   "{\"method\":\"org.varlink.service.GetInfo\"}"
#define DENIED "io.kvmencstat.NotPermitted"

static int reload(void *context, enum server_change what, const char *vm,
	const struct server_peer *who, FILE *said, struct error *err)
{
	(void)context;
	(void)vm;
	(void)err;
	assert_int_equal(what, CHANGE_RELOAD);
	assert_int_equal(who->uid, 0);
	fputs("done\n", said);
	return 0;
}

static void test_who_may(void **state)
{
	struct stat st;
	struct world w;

	(void)state;
	if (geteuid())
		skip();
	world_open(&w, GROUP);
	w.view.change = reload;
	assert_int_equal(stat(w.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(st.st_gid, GROUP);
	/* for the kernel everybody may connect: what is tried is what the server makes of it */
	assert_int_equal(chmod(w.folder, 0755), 0);
	assert_int_equal(chmod(w.path, 0666), 0);
	check_user(&w, NOBODY, NOBODY, 0, LIST, DENIED);
	check_user(&w, NOBODY, NOBODY, 0, RELOAD, DENIED);
	check_user(&w, NOBODY, NOBODY, 0, INFO, "");
	check_user(&w, NOBODY, NOBODY, NOBODY - 1, LIST, DENIED);
	check_user(&w, NOBODY, GROUP, 0, LIST, "");
	check_user(&w, NOBODY, NOBODY, GROUP, LIST, "");
	check_user(&w, NOBODY, GROUP, 0, RELOAD, DENIED);
	check_user(&w, 0, 0, 0, LIST, "");
	check_user(&w, 0, 0, 0, RELOAD, "");
	world_close(&w);

	world_open(&w, (gid_t)-1);
	assert_int_equal(stat(w.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(chmod(w.folder, 0755), 0);
	assert_int_equal(chmod(w.path, 0666), 0);
	check_user(&w, NOBODY, NOBODY, GROUP, LIST, DENIED);
	world_close(&w);
}

/* ---- who does not behave ---- */

static void test_garbage(void **state)
{
	static const char *const garbage[] = {
		"GET / HTTP/1.1\r\n\r\n", "{}", "[]", "{\"method\":1}", "{\"method\":"};
	char large[4096];
	struct server_counts counts;
	struct world w;
	struct end e;

	(void)state;
	world_open(&w, (gid_t)-1);
	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		end_open(&e, &w);
		send_call(&e, garbage[i]);
		assert_null(reply(&w, &e));
		end_close(&e);
	}
	/* a call without an end */
	end_open(&e, &w);
	memset(large, ' ', sizeof(large));
	for (int i = 0; i < 40 && hear(&e); i++) {
		(void)!send(e.fd, large, sizeof(large), MSG_NOSIGNAL);
		turn(&w);
	}
	assert_true(e.closed);
	end_close(&e);
	/* who has subscribed has nothing to say any more */
	subscribe_to(&w, &e);
	send_call(&e, INFO);
	for (int i = 0; i < 100 && hear(&e); i++)
		turn(&w);
	assert_true(e.closed);
	end_close(&e);
	server_counts(w.server, &counts);
	assert_int_equal(counts.malformed, ARRAY_SIZE(garbage) + 2);
	assert_int_equal(counts.clients, 0);
	world_close(&w);
}

/* Asks and asks, and never reads: one reply waits, not all of them. */
static void test_never_reads(void **state)
{
	struct server_counts counts;
	struct world w;
	struct end e;
	ssize_t n = 0;

	(void)state;
	world_open(&w, (gid_t)-1);
	feed_records(&w, 3000);
	end_open(&e, &w);
	for (int i = 0; i < 20000 && n >= 0; i++) {
		n = send(e.fd, LIST, sizeof(LIST), MSG_NOSIGNAL);
		turn(&w);
	}
	assert_int_equal(n, -1); /* the server reads no more of it */
	server_counts(w.server, &counts);
	assert_true(counts.bytes_sent < 1u << 20);
	assert_int_equal(counts.clients, 1);
	end_close(&e);
	turn(&w);
	server_counts(w.server, &counts);
	assert_int_equal(counts.clients, 0);
	world_close(&w);
}

/* One more than there may be is told so, and the others go on. */
static void test_full(void **state)
{
	struct rlimit limit = {2 * CLIENTS_MAX + 200, 2 * CLIENTS_MAX + 200};
	static struct end ends[CLIENTS_MAX];
	struct server_counts counts;
	struct end more;
	struct world w;

	(void)state;
	if (geteuid() || setrlimit(RLIMIT_NOFILE, &limit))
		skip();
	world_open(&w, (gid_t)-1);
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		end_open(&ends[i], &w);
		if (i % 64 == 0)
			turn(&w);
	}
	turn(&w);
	end_open(&more, &w);
	assert_string_equal(reply_string(&w, &more, "error"), "io.kvmencstat.Busy");
	assert_null(reply(&w, &more));
	end_close(&more);
	send_call(&ends[500], INFO);
	assert_string_equal(reply_string(&w, &ends[500], "product"), "kvm-encstat");
	server_counts(w.server, &counts);
	assert_int_equal(counts.clients, CLIENTS_MAX);
	assert_int_equal(counts.refused, 1);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		end_close(&ends[i]);
	turn(&w);
	end_open(&more, &w);
	send_call(&more, INFO);
	assert_string_equal(reply_string(&w, &more, "product"), "kvm-encstat");
	end_close(&more);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_may),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_never_reads),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
