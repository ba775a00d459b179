/* SPDX-License-Identifier: GPL-2.0-only */
/* Which VMs a policy is about, and whether two of them can be about the same one. */
#include <errno.h>
#include <fnmatch.h>
#include <string.h>
#include <strings.h>

#include "policy/policy_private.h"

static bool any_glob(const char *const *globs, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (!fnmatch(globs[i], text, 0))
			return true;
	return !n;
}

/* Any part of the name. */
static bool any_label(const struct selection *vms, char *name)
{
	char *rest = NULL;

	for (char *part = strtok_r(name, POLICY_SEPARATORS, &rest); part;
		part = strtok_r(NULL, POLICY_SEPARATORS, &rest))
		if (any_glob(vms->labels, vms->n_labels, part))
			return true;
	return !vms->n_labels;
}

static bool any_uuid(const struct selection *vms, const char *uuid)
{
	for (size_t i = 0; i < vms->n_uuids; i++)
		if (!strcasecmp(vms->uuids[i], uuid))
			return true;
	return !vms->n_uuids;
}

static bool any_uid(const struct selection *vms, uint32_t uid)
{
	for (size_t i = 0; i < vms->n_uids; i++)
		if (vms->uids[i] == uid)
			return true;
	return !vms->n_uids;
}

static bool fits_type(const struct selection *vms, uint32_t type)
{
	return !vms->types || (type < KES_VM_TYPE_MAX && vms->types >> type & 1);
}

bool policy_selects(const struct policy *policy, const struct vm *vm)
{
	const struct selection *vms = &policy->vms;
	char name[VM_NAME_SIZE + 4];

	vm_name(vm, name, sizeof(name));
	return fits_type(vms, vm->type) && any_glob(vms->names, vms->n_names, name) &&
	       any_uuid(vms, vm->text[KES_TEXT_UUID]) && any_uid(vms, vm->uid) &&
	       any_glob(vms->cgroups, vms->n_cgroups, vm->text[KES_TEXT_CGROUP]) &&
	       any_glob(vms->comms, vms->n_comms, vm->comm) && any_label(vms, name);
}

bool policy_selects_type(const struct policy *policy, uint32_t type)
{
	const struct selection *vms = &policy->vms;

	return !vms->n_names && !vms->n_labels && !vms->n_uuids && !vms->n_cgroups &&
	       !vms->n_comms && !vms->n_uids && fits_type(vms, type);
}

/* ---- two policies of one priority ---- */

static bool is_word(const char *glob)
{
	return !strpbrk(glob, "*?[\\");
}

/* Whether one text could fit both lists. Two globs are taken to overlap. */
static bool words_meet(const char *const *a, size_t na, const char *const *b, size_t nb)
{
	if (!na || !nb)
		return true;
	for (size_t i = 0; i < na; i++)
		for (size_t k = 0; k < nb; k++)
			if (is_word(a[i])       ? !fnmatch(b[k], a[i], 0)
				: is_word(b[k]) ? !fnmatch(a[i], b[k], 0)
						: true)
				return true;
	return false;
}

static bool uuids_meet(const struct selection *a, const struct selection *b)
{
	for (size_t i = 0; i < a->n_uuids; i++)
		if (any_uuid(b, a->uuids[i]))
			return true;
	return !a->n_uuids || !b->n_uuids;
}

static bool uids_meet(const struct selection *a, const struct selection *b)
{
	for (size_t i = 0; i < a->n_uids; i++)
		if (any_uid(b, a->uids[i]))
			return true;
	return !a->n_uids || !b->n_uids;
}

/* A name may have any labels beside each other: they keep no two policies apart. */
static bool may_meet(const struct selection *a, const struct selection *b)
{
	return (!a->types || !b->types || (a->types & b->types)) &&
	       words_meet(a->names, a->n_names, b->names, b->n_names) && uuids_meet(a, b) &&
	       uids_meet(a, b) && words_meet(a->cgroups, a->n_cgroups, b->cgroups, b->n_cgroups) &&
	       words_meet(a->comms, a->n_comms, b->comms, b->n_comms);
}

static int clash(const struct policy *first, const struct policy *second, struct error *err)
{
	char here[POLICY_PLACE], there[POLICY_PLACE], name[POLICY_SHOWN], other[POLICY_SHOWN];

	error_set(err, -EINVAL,
		"%s: policy '%s' has priority %u, as '%s' has (%s), and both may be about the "
		"same VM",
		policy_place(second->file, second->line, second->column, here),
		policy_shown(second, name), second->priority, policy_shown(first, other),
		policy_place(first->file, first->line, first->column, there));
	error_advise(err, "give them different priorities, or select VMs that cannot be the same");
	return -EINVAL;
}

static int twice(const struct policy *first, const struct policy *second, struct error *err)
{
	char here[POLICY_PLACE], there[POLICY_PLACE], name[POLICY_SHOWN];

	return error_set(err, -EINVAL, "%s: there is a policy '%s' already, in %s",
		policy_place(second->file, second->line, second->column, here),
		policy_shown(second, name),
		policy_place(first->file, first->line, first->column, there));
}

int policies_check(const struct policies *policies, struct error *err)
{
	for (size_t i = 0; i < policies->n; i++)
		for (size_t k = i + 1; k < policies->n; k++) {
			const struct policy *a = &policies->list[i], *b = &policies->list[k];

			if (!strcmp(a->name, b->name))
				return twice(a, b, err);
			if (a->priority == b->priority && may_meet(&a->vms, &b->vms))
				return clash(a, b, err);
		}
	return 0;
}
