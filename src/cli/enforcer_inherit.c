/* SPDX-License-Identifier: GPL-2.0-only */
/* What an earlier tool left in the kernel: its rule sets stay in their places as long as a VM goes
 * by them, and numbers go on where it ended. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/enforcer.h"

static int inherit_place(struct enforcer *enforcer, const struct kes_policed *which)
{
	struct place *place = &enforcer->places[which->set % KES_MAX_SETS];

	if (which->serial > enforcer->serials)
		enforcer->serials = which->serial;
	if (which->counting > enforcer->countings)
		enforcer->countings = which->counting;
	if (!which->set || place->set)
		return 0;
	place->set = malloc(sizeof(*place->set));
	if (!place->set)
		return -ENOMEM;
	place->serial = which->serial;
	place->inherited = true;
	return veto_read_set(enforcer->tables, which->set % KES_MAX_SETS, place->set);
}

static int inherit_vm(void *context, const struct veto_vm *vm)
{
	return vm->has_rules ? inherit_place(context, &vm->which) : 0;
}

static int inherit_files(struct enforcer *enforcer)
{
	char path[KES_TEXT_LIMIT];
	uint8_t number;
	int r = 0;

	for (uint16_t i = 0; i < KES_FILES && !r; i++) {
		veto_read_file(enforcer->tables, i, path);
		if (!*path)
			break;
		r = enforcer_number_file(enforcer, path, &number);
	}
	return r;
}

int enforcer_inherit(struct enforcer *enforcer, struct error *err)
{
	struct kes_veto previous;
	int r = veto_settings(enforcer->tables, &enforcer->settings);

	if (!r && live_veto_previous(enforcer->veto, &previous)) {
		memcpy(enforcer->settings.standard, previous.standard, sizeof(previous.standard));
		for (int i = 0; i <= KES_VM_TYPE_MAX && !r; i++)
			r = inherit_place(enforcer, &previous.standard[i]);
		if (!r)
			r = veto_each_vm(enforcer->tables, inherit_vm, enforcer);
		if (!r)
			r = inherit_files(enforcer);
	}
	return r ? error_set(err, r, "reading the kernel's tables failed: %s", strerror(-r)) : 0;
}
