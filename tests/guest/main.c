// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VMM for tests: runs the VMs that a script describes and writes down what it knows of them.
 *
 *   guest [--truth FILE] [--log] [--check] [-name NAME] [SHAPE...] SCRIPT
 *   guest --lives N
 *   guest --keep N [--slots M] READY GO
 *
 * Exit status: 0 when each guest saw what its VMM expected, 1 otherwise, 2 for a bad script or
 * command line, 77 when this host has no such VMs or ioctls.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lives.h"
#include "shapes.h"
#include "vm.h"

#define EXIT_USAGE       2
#define EXIT_UNSUPPORTED 77
#define MAX_KEPT         1000000

static struct machine machine;

static struct options {
	const char *words[2]; /* SCRIPT, or READY and GO */
	const char *truth, *name, *uuid, *lives, *keep, *slots, *fork_holder, *outlive, *hand_over,
		*run_refused;
	bool log, check;
} options;

static int usage(void)
{
	fputs("usage: guest [OPTION...] SCRIPT\n"
	      "  --truth FILE        write what was true, one line of JSON for each VM\n"
	      "  --log               with each conversion, in order\n"
	      "  --check             only read the script\n"
	      "  -name NAME          of the first VM, spelled as QEMU's option is\n"
	      "  -uuid UUID          the same; only for who looks at the command line\n"
	      "  --fork-holder FILE  a child holds the VMs, not the vCPUs, until FILE exists\n"
	      "  --hand-over FILE    the same, but the child is older and gets them by a socket\n"
	      "  --outlive FILE      closes the VMs after the script and lives until FILE exists\n"
	      "  --run-refused FILE  is made when a KVM_RUN is refused for the first time\n"
	      "\n"
	      "usage: guest --lives N\n"
	      "  makes and closes N VMs, one after the other\n"
	      "\n"
	      "usage: guest --keep N [--slots M] READY GO\n"
	      "  makes N VMs with M memory slots each, or as many as it can; writes how many to\n"
	      "  READY; keeps them until GO exists\n",
		stderr);
	return EXIT_USAGE;
}

/* How many words there are, -1 if it makes no sense. */
static int read_options(int argc, char **argv)
{
	static const struct {
		const char *name;
		const char **value;
		bool *flag;
	} known[] = {
		{"--log", NULL, &options.log},
		{"--check", NULL, &options.check},
		{"--truth", &options.truth, NULL},
		{"-name", &options.name, NULL},
		{"-uuid", &options.uuid, NULL},
		{"--lives", &options.lives, NULL},
		{"--keep", &options.keep, NULL},
		{"--slots", &options.slots, NULL},
		{"--fork-holder", &options.fork_holder, NULL},
		{"--outlive", &options.outlive, NULL},
		{"--hand-over", &options.hand_over, NULL},
		{"--run-refused", &options.run_refused, NULL},
	};
	const size_t count = sizeof(known) / sizeof(known[0]);
	int words = 0;

	for (int i = 1; i < argc; i++) {
		size_t k = 0;

		while (k < count && strcmp(argv[i], known[k].name))
			k++;
		if (k < count && known[k].flag)
			*known[k].flag = true;
		else if (k < count && i + 1 < argc)
			*known[k].value = argv[++i];
		else if (*argv[i] != '-' && words < 2)
			options.words[words++] = argv[i];
		else
			return -1;
	}
	return words;
}

static int read_count(const char *word, unsigned long max, unsigned long *ret)
{
	char *end;

	errno = 0;
	*ret = strtoul(word, &end, 10);
	return errno || *end || *word < '0' || *word > '9' || *ret > max ? -1 : 0;
}

/* With every VM made, so that no vCPU runs before all can. The exit status. */
static int run(void)
{
	bool failed = false, unsupported = false;

	for (size_t v = 0; v < machine.script.vm_count; v++)
		for (unsigned i = 0; i < machine.script.vms[v].vcpus; i++)
			if (machine.script.vms[v].vcpu[i].step_count)
				vcpu_start(&machine.vms[v].vcpus[i]);
	for (size_t v = 0; v < machine.script.vm_count; v++)
		for (unsigned i = 0; i < machine.script.vms[v].vcpus; i++) {
			const struct vcpu *vcpu = &machine.vms[v].vcpus[i];

			vcpu_join(&machine.vms[v].vcpus[i]);
			failed |= vcpu->failed;
			unsupported |= vcpu->unsupported;
		}
	return failed ? 1 : unsupported ? EXIT_UNSUPPORTED : 0;
}

static int create_vms(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (kvm < 0) {
		fprintf(stderr, "guest: /dev/kvm: %m\n");
		return 1;
	}
	for (size_t v = 0; v < machine.script.vm_count; v++) {
		int err = vm_create(&machine.vms[v], &machine, &machine.script.vms[v], kvm);

		if (err)
			return err == VM_UNSUPPORTED ? EXIT_UNSUPPORTED : 1;
	}
	if (options.name)
		machine.vms[0].name = options.name;
	return 0;
}

static int run_script(const char *path)
{
	int status, socket;

	if (script_read(&machine.script, path))
		return EXIT_USAGE;
	if (options.check)
		return 0;
	machine.log = options.log;
	machine.run_refused = options.run_refused;
	barriers_init(&machine.barriers, &machine.script);

	if (options.hand_over && fork_receiver(options.hand_over, &socket))
		return 1;
	status = create_vms();
	if (status)
		return status;
	if (options.hand_over && hand_over(&machine, socket))
		return 1;
	if (options.fork_holder && fork_holder(&machine, options.fork_holder))
		return 1;

	status = run();
	if (options.truth && machine_report(&machine, options.truth)) {
		fprintf(stderr, "guest: %s: %m\n", options.truth);
		status = 1;
	}
	if (options.outlive)
		outlive(&machine, options.outlive);
	return status;
}

int main(int argc, char **argv)
{
	unsigned long count, slots = 0;
	int words = read_options(argc, argv);

	if (options.lives && !words && !read_count(options.lives, ULONG_MAX, &count))
		return lives(count);
	if (options.keep && words == 2 && !read_count(options.keep, MAX_KEPT, &count) &&
		(!options.slots || !read_count(options.slots, MAX_KEPT, &slots)))
		return keep(count, slots, options.words[0], options.words[1]);
	if (options.lives || options.keep || options.slots || words != 1)
		return usage();
	return run_script(options.words[0]);
}
