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
#include "capture/live_veto.h"
#include "cli/canary.h"
#include "cli/commands.h"
#include "model/model.h"
#include "output/output.h"

#define CANARY_MS 10000

struct findings {
	struct live *live;
	struct model *model;
	char comm[KES_COMM_LEN]; /* ours, and so the guests' */
	enum canary_result quiet, call, protected;
	uint32_t canary; /* id of the last guest of ours */
	bool converted;  /* a guest's conversions and their answers were seen */
	bool map;        /* and the known map came of them */
	bool changed;    /* changes of attributes were seen, with their results */
	bool host_map;   /* the known host plane was read back */
	bool trampolines, unproven;
};

/* ---- making it fire ---- */

static int take(void *context, const struct kes_record *records, size_t n)
{
	struct findings *findings = context;

	for (size_t i = 0; i < n; i++)
		if (records[i].kind == KES_VM_NEW &&
			!strcmp(records[i].vm_new.comm, findings->comm))
			findings->canary = records[i].vm;
	return model_apply(findings->model, records, n);
}

/* The last guest of ours as the model has it, with all that waits on the ring. */
static const struct vm *look(struct findings *findings)
{
	live_poll(findings->live, 0, take, findings);
	live_collect(findings->live, take, findings);
	for (size_t i = 0; i < model_vm_count(findings->model); i++)
		if (findings->canary && model_vm(findings->model, i)->id == findings->canary)
			return model_vm(findings->model, i);
	return NULL;
}

struct comparison {
	const struct canary_range *want;
	size_t n, at;
	enum page_state state;
	bool good;
};

static int compare_range(void *context, uint64_t gfn, uint64_t npages, enum page_state state)
{
	struct comparison *comparison = context;
	const struct canary_range *want = &comparison->want[comparison->at];

	if (state != comparison->state)
		return 0;
	comparison->good &=
		comparison->at < comparison->n && want->gfn == gfn && want->npages == npages;
	comparison->at++;
	return 0;
}

static bool has_ranges(const struct vm *vm, enum plane plane, enum page_state state,
	const struct canary_range *want, size_t n)
{
	struct comparison comparison = {.want = want, .n = n, .state = state, .good = true};

	vm_ranges(vm, plane, compare_range, &comparison);
	return comparison.good && comparison.at == n &&
	       vm_confidence(vm, plane) == CONFIDENCE_EXACT;
}

/* Twice: the first guest that asks makes the hook on answers be attached, for the second to fire.
 */
static void try_calls(struct findings *findings)
{
	const struct vm *vm;

	for (int i = 0; i < 2; i++) {
		findings->call = canary_run(CANARY_CALLS, CANARY_MS);
		vm = look(findings);
		if (findings->call != CANARY_DONE || !vm)
			return;
	}
	findings->converted = vm->totals.converted;
	findings->map =
		has_ranges(vm, PLANE_GUEST, PAGE_SHARED, canary_shared, CANARY_SHARED_RANGES);
}

static void try_attributes(struct findings *findings)
{
	struct canary canary;
	const struct vm *vm;

	findings->protected = canary_start(&canary, CANARY_PROTECTED, CANARY_MS);
	if (findings->protected != CANARY_DONE)
		return;
	vm = look(findings);
	if (vm) {
		findings->changed = vm->totals.attributes >= 2;
		live_read_attributes(findings->live, vm->id, take, findings);
		live_inventory(findings->live, take, findings);
		vm = look(findings);
		findings->host_map =
			vm->host.readings && has_ranges(vm, PLANE_HOST, PAGE_PRIVATE,
						     canary_private, CANARY_PRIVATE_RANGES);
	}
	canary_end(&canary);
}

static void provoke(struct findings *findings, bool all)
{
	try_calls(findings);
	findings->quiet = canary_run(CANARY_QUIET, CANARY_MS);
	look(findings);
	if (all)
		try_attributes(findings);
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
	case CANARY_UNSUPPORTED:
		return "this KVM makes no software-protected VMs";
	default:
		return "KVM would not run a guest";
	}
}

/* ---- rows ---- */

static bool is_trampoline(const struct hook *hook)
{
	return !strncmp(hook->name, "fentry/", 7) || !strncmp(hook->name, "fexit/", 6);
}

static const char *hook_advice(const struct hook *hook, bool counted)
{
	bool trampoline = is_trampoline(hook);

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
	json_line(stdout, row);
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
	json_line(stdout, row);
}

static void print_conversions(const struct options *options, const struct findings *findings)
{
	char text[160];

	if (findings->call == CANARY_TIMEOUT)
		snprintf(text, sizeof(text),
			"a guest's hypercalls do not arrive on this KVM: unproven");
	else if (findings->converted)
		snprintf(text, sizeof(text), "a guest's conversions were seen, and their answers");
	else
		snprintf(text, sizeof(text), "a guest's conversions were not seen: %s",
			canary_text(findings->call));
	print_check(options, "conversions", findings->converted, text);
	print_check(options, "map", findings->map,
		findings->map ? "a guest's known map came out, page by page"
			      : "no known map came out: unproven");
}

/* The host plane, with --selftest. */
static void print_attributes(const struct options *options, const struct findings *findings)
{
	bool ran = findings->protected == CANARY_DONE;

	print_check(options, "changes", findings->changed,
		findings->changed ? "changes of memory attributes were seen, with their results"
		: ran             ? "changes of memory attributes were not seen"
				  : "no VM with memory attributes could be made: unproven");
	print_check(options, "host-map", findings->host_map,
		findings->host_map ? "a VM's known attributes were read back, page by page"
		: ran              ? "attributes that were read back are not what they should be"
				   : canary_text(findings->protected));
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
	print_check(options, "unload", access("/sys/module/kvm/refcnt", F_OK) != 0,
		access("/sys/module/kvm/refcnt", F_OK)
			? "KVM is built into this kernel"
			: "while kvm-encstat runs, the module kvm cannot be unloaded");
	print_check(options, "guest", findings->quiet == CANARY_DONE, canary_text(findings->quiet));
	if (findings->quiet == CANARY_DONE)
		print_conversions(options, findings);
}

/* What `enforce` could do, and proves before it does. */
static void print_veto(const struct options *options, const struct findings *findings)
{
	print_check(options, "veto ioctls", findings->trampolines,
		findings->trampolines
			? "VMMs' changes of attributes can be refused, and VMs be frozen"
			: "without trampolines no policy can be enforced");
	print_check(options, "veto gate", findings->trampolines && live_veto_has_module(),
		!live_veto_has_module()
			? "the module kvm_encstat_gate is not loaded: guests' hypercalls cannot be "
			  "refused (gate/README.md)"
		: findings->trampolines
			? "the module kvm_encstat_gate is loaded: guests' hypercalls can be refused"
			: "without trampolines the module kvm_encstat_gate serves for nothing");
	if (veto_is_kept())
		print_check(options, "veto kept", true,
			"an earlier `enforce --keep` enforces here; `policy show` shows what");
}

static void print_hooks(const struct options *options, struct findings *findings)
{
	size_t n;
	const struct hook *hooks = live_hooks(findings->live, &n);

	if (options->format != FORMAT_JSON)
		printf("\n  %-32s %-9s %8s  %s\n", "HOOK", "STATE", "FIRED", "WHAT FOR");
	for (size_t i = 0; i < n; i++) {
		print_hook(options, &hooks[i], live_counts_runs(findings->live));
		if (is_trampoline(&hooks[i]) && hooks[i].state >= HOOK_STANDBY)
			findings->trampolines = true;
		if (hooks[i].state == HOOK_ATTACHED && !hooks[i].runs)
			findings->unproven = true;
	}
	print_check(options, "observe", true, "the hooks it needs are attached");
	print_check(options, "trampolines", findings->trampolines,
		findings->trampolines ? "this kernel takes fentry programs"
		: options->no_trampolines
			? "not asked for (--no-trampolines)"
			: "this kernel refuses them: it can be observed, but nothing on "
			  "it could be vetoed");
	print_veto(options, findings);
}

static int run(const struct options *options, struct error *err)
{
	struct live_options live_options = {
		.ring_bytes = options->ring_bytes,
		.no_trampolines = options->no_trampolines,
		.verbose = options->verbose,
		.count_runs = true,
		.prove_all = options->selftest,
	};
	struct findings findings = {};
	int r = live_new(&findings.live, &live_options, err);

	if (r) {
		if (options->format == FORMAT_JSON)
			print_check(options, "observe", false, err->text);
		return EXIT_FAILED;
	}
	r = model_new(&findings.model, &(struct model_options){.abi = ABI_MAP_GPA_RANGE});
	if (r) {
		live_free(&findings.live);
		error_set(err, r, "out of memory");
		return EXIT_FAILED;
	}
	prctl(PR_GET_NAME, findings.comm);
	live_inventory(findings.live, take, &findings);
	provoke(&findings, options->selftest);
	print_setup(options, &findings);
	if (options->selftest)
		print_attributes(options, &findings);
	print_hooks(options, &findings);
	live_free(&findings.live);
	model_free(&findings.model);
	if (!findings.trampolines || !findings.converted || !findings.map)
		return EXIT_PARTIAL;
	return options->selftest && (findings.unproven || !findings.changed || !findings.host_map)
		       ? EXIT_PARTIAL
		       : EXIT_DONE;
}

const struct command command_doctor = {
	.name = "doctor",
	.arguments = "[--selftest] [--json]",
	.summary = "what this host can do, hook by hook",
	.text = "Loads and attaches the programs, makes a throw-away guest where it can, and says "
		"of each\n"
		"hook whether it was loaded, attached, and seen firing. Exit status: 0 a guest's "
		"conversion\n"
		"was seen and the kernel takes BPF trampolines; 3 this host can be observed, but "
		"one of the\n"
		"two is not so; 1 it cannot be observed.\n"
		"--selftest also attaches what only VMs with memory attributes need, makes such a "
		"VM where it\n"
		"can, and holds what is read back against what is known; it exits 3 as long as "
		"anything\n"
		"remains unproven.",
	.options = OPT_LIVE | OPT_JSON | OPT_SELFTEST,
	.run = run,
};
