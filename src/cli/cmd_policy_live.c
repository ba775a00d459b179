/* SPDX-License-Identifier: GPL-2.0-only */
/* `policy loaded`, `release`, `freeze`, `mode`, `baseline` and `reload`: what the kernel enforces
 * now. Where the daemon runs it is asked, and so its audit log knows; else the kernel's tables are,
 * and changes are told in that log from here. */
#include "cli/cmd_policy_live.h"

#include <errno.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/escape.h"
#include "cli/audit_change.h"
#include "cli/policy_act.h"
#include "cli/policy_request.h"
#include "cli/remote.h"
#include "service/client.h"

static int run_change(
	const struct options *options, enum server_change what, const char *vm, struct error *err)
{
	struct kes_vm_label which = {};
	int r = policy_request_change(options, what, vm, stdout, err);

	if (!r) {
		r = policy_act(what, vm, &which, stdout, err);
		if (!r)
			audit_alone(what, vm ? &which : NULL);
	}
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

/* ---- loaded ---- */

static void print_loaded(const struct options *options, struct json_object *reply)
{
	struct json_object *enforced;

	if (options->format != FORMAT_JSON)
		fputs(policy_reply_text(reply, "text"), stdout);
	else if (json_object_object_get_ex(reply, "enforced", &enforced))
		json_line(stdout, json_object_get(enforced));
}

static int run_loaded(const struct options *options, struct error *err)
{
	struct style style = {.realtime_offset_ns = clock_realtime_offset_ns()};
	bool json = options->format == FORMAT_JSON;
	struct json_object *reply = NULL;
	int r = policy_request(options, "PolicyLoaded", NULL, &reply, err);

	if (r > 0)
		print_loaded(options, reply);
	json_object_put(reply);
	if (!r)
		r = policy_loaded(&style, NULL, json ? stdout : NULL, json ? NULL : stdout, err);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

const struct command command_loaded = {
	.name = "policy loaded",
	.arguments = "[--json]",
	.summary = "what the kernel enforces now, and how often",
	.text = "Prints what the kernel enforces now, whether a kvm-encstat enforce runs or has "
		"left it with\n"
		"--keep: who is asked about what, VMs with what they share and whether they are "
		"frozen, and the\n"
		"rules with how often each decided, or would have if it were enforced.",
	.options = OPT_JSON | OPT_ASKS,
	.run = run_loaded,
};

/* ---- changes ---- */

static int run_release(const struct options *options, struct error *err)
{
	return run_change(options, CHANGE_RELEASE, options->vm, err);
}

const struct command command_release = {
	.name = "policy release",
	.arguments = "[VM]",
	.summary = "let a frozen VM run again; without VM, end what is kept",
	.text = "Lets a frozen VM run again; VM is its id, pid or name, as `policy loaded` has "
		"them. Without VM\n"
		"it ends what `enforce --keep` has left in the kernel: all frozen VMs run again, "
		"and nothing is\n"
		"refused any more. What a kvm-encstat enforces that still runs ends with that one.",
	.takes_vm = true,
	.options = OPT_ASKS,
	.run = run_release,
};

static int run_freeze(const struct options *options, struct error *err)
{
	return run_change(options, CHANGE_FREEZE, options->args[0], err);
}

const struct command command_freeze = {
	.name = "policy freeze",
	.arguments = "VM",
	.summary = "keep a VM's vCPUs out of its guest",
	.text = "Does by hand what rules with `freeze` do: the VM's vCPUs stay out of the guest, "
		"and its VMM\n"
		"runs on, until `policy release VM`, or until enforcement ends. VM is its id, pid "
		"or name, as\n"
		"`policy loaded` has them.",
	.takes_args = 1,
	.options = OPT_ASKS,
	.run = run_freeze,
};

static int run_mode(const struct options *options, struct error *err)
{
	char shown[ESCAPED_SIZE(64)];
	bool monitored = !strcmp(options->args[1], "monitor");

	if (!monitored && strcmp(options->args[1], "enforce")) {
		error_set(err, -EINVAL, "there is no mode '%s'",
			escape(options->args[1], shown, sizeof(shown)));
		error_advise(err, "it is monitor or enforce");
		return EXIT_USAGE;
	}
	return run_change(
		options, monitored ? CHANGE_MONITOR : CHANGE_ENFORCE, options->args[0], err);
}

const struct command command_mode = {
	.name = "policy mode",
	.arguments = "VM monitor|enforce",
	.summary = "only monitor a VM, or enforce its rules again",
	.text = "With monitor the VM is refused nothing from now on, whatever its rules say and "
		"also when they are\n"
		"read anew; what they would have refused is told and counted. With enforce its "
		"rules are as they\n"
		"were written. A VM that is frozen stays so. VM is its id, pid or name, as `policy "
		"loaded` has them.",
	.takes_args = 2,
	.options = OPT_ASKS,
	.run = run_mode,
};

static int run_baseline(const struct options *options, struct error *err)
{
	return run_change(options, CHANGE_BASELINE, options->args[0], err);
}

const struct command command_baseline = {
	.name = "policy baseline",
	.arguments = "VM",
	.summary = "take what a VM shares now as its baseline",
	.text = "What is counted as shared of the VM now is not counted by its rules with "
		"shared-over-baseline\n"
		"from now on. VM is its id, pid or name, as `policy loaded` has them.",
	.takes_args = 1,
	.options = OPT_ASKS,
	.run = run_baseline,
};

/* ---- reload ---- */

/* options->args[0], if it is given; 0: it is not. */
static int read_pid(const struct options *options, pid_t *ret, struct error *err)
{
	const char *word = options->args[0];
	char shown[ESCAPED_SIZE(64)], *end;
	unsigned long pid;

	*ret = 0;
	if (!word)
		return 0;
	errno = 0;
	pid = strtoul(word, &end, 10);
	if (!strchr("0123456789", *word) || *end || errno || !pid || pid > INT32_MAX)
		return error_set(err, -EINVAL, "'%s' is not the pid of a process",
			escape(word, shown, sizeof(shown)));
	*ret = (pid_t)pid;
	return 0;
}

/* Who cannot be asked can still be told. */
static int signal_daemon(pid_t pid, struct error *err)
{
	if (kill(pid, SIGHUP))
		return error_set(err, -errno, "sending SIGHUP to pid %d: %s", pid, strerror(errno));
	printf("pid %d was sent SIGHUP, since its socket is elsewhere or off: what came of it is "
	       "in "
	       "its log\n",
		pid);
	return 0;
}

/* Whether who answers there is that process. 1, 0, or a negative errno. */
static int is_pid(struct daemon_client *client, pid_t pid, struct error *err)
{
	struct json_object *reply = NULL, *status, *value;
	int r = daemon_client_call(client, "Status", NULL, POLICY_TIMEOUT_MS, &reply, err);

	if (r)
		return r;
	r = json_object_object_get_ex(reply, "status", &status) &&
	    json_object_object_get_ex(status, "pid", &value) && json_object_get_int64(value) == pid;
	json_object_put(reply);
	return r;
}

/* 1: *ret is a connection to the daemon, the one with that pid, if one is given. 0: there is none.
 */
static int find_daemon(
	struct daemon_client **ret, const struct options *options, pid_t pid, struct error *err)
{
	int r = remote_open(ret, options, err);

	if (pid && (r == -ENOENT || r == -ECONNREFUSED))
		return 0;
	return r <= 0 || !pid ? r : is_pid(*ret, pid, err);
}

static int reload(const struct options *options, pid_t pid, struct error *err)
{
	_cleanup_(daemon_client_free) struct daemon_client *client = NULL;
	struct json_object *reply = NULL;
	int r = find_daemon(&client, options, pid, err);

	if (!r && pid)
		return signal_daemon(pid, err);
	if (!r) {
		error_set(err, -ENOENT, "no daemon runs that could read its policies anew");
		error_advise(err, "`kvm-encstat enforce` does so at SIGHUP");
		return -ENOENT;
	}
	if (r > 0)
		r = daemon_client_call(client, "Reload", NULL, POLICY_TIMEOUT_MS, &reply, err);
	if (!r)
		fputs(policy_reply_text(reply, "said"), stdout);
	json_object_put(reply);
	return r;
}

static int run_reload(const struct options *options, struct error *err)
{
	pid_t pid;

	if (read_pid(options, &pid, err))
		return EXIT_USAGE;
	return reload(options, pid, err) ? EXIT_FAILED : EXIT_DONE;
}

const struct command command_reload = {
	.name = "policy reload",
	.arguments = "[PID]",
	.summary = "let the daemon read its configuration and policies anew",
	.text = "As SIGHUP does, but waits until that is done, and says here what came of it: what "
		"is wrong with\n"
		"them, if they are, and that the old ones go on then. PID is the daemon's: if "
		"another one or none\n"
		"answers at the socket, that process is sent SIGHUP. It is what `systemctl reload "
		"kvm-encstat` does.",
	.takes_args = 1,
	.may_lack_args = true,
	.options = OPT_SOCKET,
	.run = run_reload,
};
