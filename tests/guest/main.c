// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VMM for tests: runs the VMs that a script describes and writes down what it knows of them.
 *
 *   guest [--truth FILE] [--log] [--check] [-name NAME] SCRIPT
 *
 * Exit status: 0 when each guest saw what its VMM expected, 1 otherwise, 2 for a bad script or
 * command line, 77 when this host has no such VMs.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "vm.h"

#define EXIT_USAGE       2
#define EXIT_UNSUPPORTED 77

static struct machine machine;

static int usage(void)
{
	fputs("usage: guest [--truth FILE] [--log] [--check] [-name NAME] SCRIPT\n"
	      "  --truth FILE  write what was true, one line of JSON for each VM\n"
	      "  --log         with each conversion, in order\n"
	      "  --check       only read the script\n"
	      "  -name NAME    of the first VM, spelled as QEMU's option is\n",
		stderr);
	return EXIT_USAGE;
}

/* With every VM made, so that no vCPU runs before all can. */
static bool run(void)
{
	bool failed = false;

	for (size_t v = 0; v < machine.script.vm_count; v++)
		for (unsigned i = 0; i < machine.script.vms[v].vcpus; i++)
			if (machine.script.vms[v].vcpu[i].step_count)
				vcpu_start(&machine.vms[v].vcpus[i]);
	for (size_t v = 0; v < machine.script.vm_count; v++)
		for (unsigned i = 0; i < machine.script.vms[v].vcpus; i++) {
			vcpu_join(&machine.vms[v].vcpus[i]);
			failed |= machine.vms[v].vcpus[i].failed;
		}
	return !failed;
}

int main(int argc, char **argv)
{
	const char *script = NULL, *truth = NULL, *name = NULL;
	bool check = false, good;
	int kvm;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--log"))
			machine.log = true;
		else if (!strcmp(argv[i], "--check"))
			check = true;
		else if (!strcmp(argv[i], "--truth") && i + 1 < argc)
			truth = argv[++i];
		else if (!strcmp(argv[i], "-name") && i + 1 < argc)
			name = argv[++i];
		else if (*argv[i] == '-' || script)
			return usage();
		else
			script = argv[i];
	}
	if (!script)
		return usage();
	if (script_read(&machine.script, script))
		return EXIT_USAGE;
	if (check)
		return 0;
	barriers_init(&machine.barriers, &machine.script);

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0) {
		fprintf(stderr, "guest: /dev/kvm: %m\n");
		return 1;
	}
	for (size_t v = 0; v < machine.script.vm_count; v++) {
		int err = vm_create(&machine.vms[v], &machine, &machine.script.vms[v], kvm);

		if (err)
			return err == VM_UNSUPPORTED ? EXIT_UNSUPPORTED : 1;
	}
	if (name)
		machine.vms[0].name = name;

	good = run();
	if (truth && machine_report(&machine, truth)) {
		fprintf(stderr, "guest: %s: %m\n", truth);
		return 1;
	}
	return good ? 0 : 1;
}
