/* SPDX-License-Identifier: GPL-2.0-only */
#include "output/select.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "output/output.h"

bool select_matches(const struct vm *vm, const char *word)
{
	char label[VM_LABEL_SIZE], *end;
	unsigned long number;

	if (!word)
		return true;
	if (*word >= '0' && *word <= '9') {
		number = strtoul(word, &end, 10);
		if (!*end)
			return number == vm->id || (vm->known && number == vm->pid);
	}
	return !strcmp(word, vm_label(vm, label, sizeof(label))) || !strcmp(word, vm->comm) ||
	       (*vm->text[KES_TEXT_UUID] && !strcasecmp(word, vm->text[KES_TEXT_UUID])) ||
	       (*vm->text[KES_TEXT_NAME] && !strcmp(word, vm->text[KES_TEXT_NAME]));
}

bool select_names_finding(const struct finding *f, const char *word)
{
	char label[VM_LABEL_SIZE], *end;
	unsigned long number;

	if (*word >= '0' && *word <= '9') {
		number = strtoul(word, &end, 10);
		if (!*end)
			return f->vm && (number == f->vm || number == f->pid);
	}
	return f->vm &&
	       (!strcmp(word, f->name) || !strcmp(word, escape(f->name, label, sizeof(label))) ||
		       (*f->uuid && !strcasecmp(word, f->uuid)));
}

/* "1 guest[77], 2 guest[77]", as many as fit. */
static void list_candidates(const struct model *model, const char *word, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < model_vm_count(model) && used < size; i++) {
		const struct vm *vm = model_vm(model, i);
		char label[VM_SHORT_SIZE];

		if (select_matches(vm, word))
			used += (size_t)snprintf(text + used, size - used, "%s%u %s",
				used ? ", " : "", vm->id, vm_label_short(vm, label));
	}
}

static int refuse(const struct model *model, const char *word, size_t n, struct error *err)
{
	char shown[ESCAPED_SIZE(64)], candidates[400];

	escape(word ? word : "", shown, sizeof(shown));
	if (n) {
		list_candidates(model, word, candidates, sizeof(candidates));
		if (word)
			error_set(err, -ENOTUNIQ, "'%s' may be any of several VMs: %s", shown,
				candidates);
		else
			error_set(err, -ENOTUNIQ, "there are several VMs: %s", candidates);
		error_advise(err, "name one by its id, the first number");
		return -ENOTUNIQ;
	}
	list_candidates(model, NULL, candidates, sizeof(candidates));
	if (!model_vm_count(model))
		error_set(err, -ENOENT, "no VM was seen");
	else if (word)
		error_set(err, -ENOENT, "no VM '%s'; there is: %s", shown, candidates);
	error_advise(
		err, "kvm-encstat list --all shows the VMs; a VM is named by id, pid, or name");
	return -ENOENT;
}

int select_vm(const struct model *model, const char *word, const struct vm **ret, struct error *err)
{
	const struct vm *one = NULL, *with_map = NULL;
	size_t n = 0, maps = 0;

	for (size_t i = 0; i < model_vm_count(model); i++) {
		const struct vm *vm = model_vm(model, i);

		if (!select_matches(vm, word))
			continue;
		one = vm;
		n++;
		if (vm->planes[PLANE_GUEST]) {
			with_map = vm;
			maps++;
		}
	}
	/* An id is exact even where it is another VM's pid. */
	for (size_t i = 0; word && n > 1 && i < model_vm_count(model); i++) {
		char id[12];

		snprintf(id, sizeof(id), "%u", model_vm(model, i)->id);
		if (!strcmp(id, word)) {
			one = model_vm(model, i);
			n = 1;
		}
	}
	if (n > 1 && !word && maps == 1) {
		one = with_map;
		n = 1;
	}
	if (n != 1)
		return refuse(model, word, n, err);
	*ret = one;
	return 0;
}
