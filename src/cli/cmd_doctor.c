/* SPDX-License-Identifier: GPL-2.0-only */
/* What this host can do: each hook is shown as loaded, as attached, and as seen firing, which are
 * three different things: an attach that succeeds proves nothing. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "capture/live.h"
#include "cli/canary.h"
#include "cli/commands.h"
#include "output/output.h"

#define CANARY_MS 1000

struct findings {
	struct error *err;
	struct live *live;
	enum canary_result quiet, call;
	char comm[KES_COMM_LEN]; /* ours, and so the guests' */
	uint32_t canary;         /* id of the last guest of ours */
	uint64_t converted;
	bool trampolines;
};

/* ---- making it fire ---- */

/* Counts the answers of our own throw-away guests: their process bears our name. */
static int count_answer(void *context, const struct kes_record *records, size_t n)
{
	struct findings *findings = context;

	for (size_t i = 0; i < n; i++) {
		const struct kes_record *r = &records[i];

		if (r->kind == KES_VM_NEW && !strcmp(r->vm_new.comm, findings->comm))
			findings->canary = r->vm;
		else if (r->kind == KES_ANSWER && r->vm == findings->canary)
			findings->converted++;
	}
	return 0;
}

/* The guest that asks comes first: it makes the hook on answers be attached, for the others to
 * fire. */
static void provoke(struct findings *findings)
{
	findings->call = canary_run(1, CANARY_MS);
	live_poll(findings->live, 0, count_answer, findings);
	findings->quiet = canary_run(0, CANARY_MS);
	if (findings->call == CANARY_DONE)
		canary_run(1, CANARY_MS);
	live_poll(findings->live, 0, count_answer, findings);
}

static const char *canary_text(enum canary_result result)
{
	switch (result) {
	case CANARY_DONE:
		return "a throw-away guest ran";
	case CANARY_NO_KVM:
		return "/dev/kvm cannot be opened: no guest could be made";
	case CANARY_TIMEOUT:
		return "the guest did not come back and was killed";
	default:
		return "KVM would not run a guest";
	}
}

/* ---- rows ---- */

static const char *hook_advice(const struct hook *hook, bool counted)
{
	bool trampoline = !strncmp(hook->name, "fentry/", 7);

	switch (hook->state) {
	case HOOK_ABSENT:
		return "this kernel has no such hook";
	case HOOK_REFUSED:
		return hook->err == -EPERM && trampoline ? "the kernel forbids trampolines"
		       : hook->err == -ECANCELED
			       ? "not asked for (--no-trampolines)"
			       : "could not be loaded or attached; --verbose tells why";
	case HOOK_STANDBY:
		return "attached when it is needed";
	default:
		return hook->runs ? "works"
		       : counted  ? "attached but not seen firing: unproven"
				  : "attached; this kernel does not count what fires";
	}
}

static void print_hook(const struct options *options, const struct hook *hook, bool counted)
{
	json_object *row;

	if (options->format != FORMAT_JSON) {
		printf("  %-32s %-9s %8llu  %s: %s\n", hook->name, hook_state_name(hook->state),
			(unsigned long long)hook->runs, hook->purpose, hook_advice(hook, counted));
		return;
	}
	row = json_object_new_object();
	json_object_object_add(row, "schema", json_object_new_string("kvm-encstat.doctor/1"));
	json_object_object_add(row, "check", json_object_new_string("hook"));
	json_object_object_add(row, "name", json_object_new_string(hook->name));
	json_object_object_add(row, "purpose", json_object_new_string(hook->purpose));
	json_object_object_add(row, "state", json_object_new_string(hook_state_name(hook->state)));
	json_object_object_add(row, "fired", json_object_new_uint64(hook->runs));
	if (hook->err)
		json_object_object_add(row, "error", json_object_new_string(strerror(-hook->err)));
	printf("%s\n", json_object_to_json_string_ext(
			       row, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(row);
}

static void print_check(
	const struct options *options, const char *name, bool good, const char *text)
{
	json_object *row;

	if (options->format != FORMAT_JSON) {
		printf("%-12s %-4s %s\n", name, good ? "yes" : "no", text);
		return;
	}
	row = json_object_new_object();
	json_object_object_add(row, "schema", json_object_new_string("kvm-encstat.doctor/1"));
	json_object_object_add(row, "check", json_object_new_string(name));
	json_object_object_add(row, "good", json_object_new_boolean(good));
	json_object_object_add(row, "text", json_object_new_string(text));
	printf("%s\n", json_object_to_json_string_ext(
			       row, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(row);
}

static void print_setup(const struct options *options, const struct findings *findings)
{
	char text[160], size[24];
	struct utsname uts;

	uname(&uts);
	print_check(options, "kernel", true, uts.release);
	print_check(options, "btf", true, "the kernel and KVM describe their types");
	snprintf(text, sizeof(text), "ring of %s; loaded and attached in %.0f ms",
		bytes_exact(live_ring_bytes(findings->live), size), live_setup_ms(findings->live));
	print_check(options, "programs", true, text);
	print_check(options, "guest", findings->quiet == CANARY_DONE, canary_text(findings->quiet));
	if (findings->quiet != CANARY_DONE)
		return;
	if (findings->call == CANARY_TIMEOUT)
		snprintf(text, sizeof(text),
			"a guest's hypercalls do not arrive on this KVM: unproven");
	else if (findings->converted)
		snprintf(text, sizeof(text), "a guest's conversion was seen, and its answer");
	else
		snprintf(text, sizeof(text), "a guest's conversion was not seen: %s",
			canary_text(findings->call));
	print_check(options, "conversions", findings->converted > 0, text);
}

static void print_hooks(const struct options *options, struct findings *findings)
{
	size_t n;
	const struct hook *hooks = live_hooks(findings->live, &n);

	if (options->format != FORMAT_JSON)
		printf("\n  %-32s %-9s %8s  %s\n", "HOOK", "STATE", "FIRED", "WHAT FOR");
	for (size_t i = 0; i < n; i++) {
		print_hook(options, &hooks[i], live_counts_runs(findings->live));
		if (!strncmp(hooks[i].name, "fentry/", 7) && hooks[i].state >= HOOK_STANDBY)
			findings->trampolines = true;
	}
	print_check(options, "observe", true, "the hooks it needs are attached");
	print_check(options, "trampolines", findings->trampolines,
		findings->trampolines ? "this kernel takes fentry programs"
		: options->no_trampolines
			? "not asked for (--no-trampolines)"
			: "this kernel refuses them: it can be observed, but nothing on "
			  "it could be vetoed");
}

static int run(const struct options *options, struct error *err)
{
	struct live_options live_options = {
		.ring_bytes = options->ring_bytes,
		.no_trampolines = options->no_trampolines,
		.verbose = options->verbose,
		.count_runs = true,
	};
	struct findings findings = {};
	int r = live_new(&findings.live, &live_options, err);

	if (r) {
		if (options->format == FORMAT_JSON)
			print_check(options, "observe", false, err->text);
		return EXIT_FAILED;
	}
	prctl(PR_GET_NAME, findings.comm);
	provoke(&findings);
	print_setup(options, &findings);
	print_hooks(options, &findings);
	live_free(&findings.live);
	return findings.trampolines && findings.converted ? EXIT_DONE : EXIT_PARTIAL;
}

const struct command command_doctor = {
	.name = "doctor",
	.arguments = "[--json]",
	.summary = "what this host can do, hook by hook",
	.text = "Loads and attaches the programs, makes a throw-away guest where it can, and says "
		"of each\n"
		"hook whether it was loaded, attached, and seen firing. Exit status: 0 a guest's "
		"conversion\n"
		"was seen and the kernel takes BPF trampolines; 3 this host can be observed, but "
		"one of the\n"
		"two is not so; 1 it cannot be observed.",
	.options = OPT_LIVE | OPT_JSON,
	.run = run,
};
