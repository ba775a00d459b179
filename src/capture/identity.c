/* SPDX-License-Identifier: GPL-2.0-only */
#include "capture/identity.h"

#include <string.h>

#include "base/cleanup.h"
#include "capture/identity_private.h"

static const char *const source_names[] = {
	[IDENTITY_NONE] = "none",
	[IDENTITY_OPTION] = "option",
	[IDENTITY_SOCKET] = "socket",
	[IDENTITY_SCOPE] = "scope",
	[IDENTITY_KUBEVIRT] = "kubevirt",
};
_Static_assert(ARRAY_SIZE(source_names) == IDENTITY_SOURCES, "a name for each source");

const char *identity_source_name(enum identity_source source)
{
	return source_names[source];
}

/* ---- the cgroup ---- */

/* The path of a line HIERARCHY:CONTROLLERS:PATH, if it is that of these controllers. */
static bool line_path(struct span line, const char *controllers, struct span *ret)
{
	struct span id, field;

	if (!span_next(&line, ':', &id) || !span_next(&line, ':', &field) ||
		!span_equals(field, controllers) || !span_starts(line, "/"))
		return false;
	*ret = span_before(line, '\0');
	return true;
}

static bool find_path(struct span lines, const char *controllers, struct span *ret)
{
	struct span line;

	while (span_next(&lines, '\n', &line))
		if (line_path(line, controllers, ret))
			return true;
	return false;
}

/* v2's. Where systemd keeps to v1, v2 is not there, or there with nothing in it. */
static struct span cgroup_path(struct span lines)
{
	struct span path = {"", 0};

	if (!find_path(lines, "", &path) || span_equals(path, "/"))
		find_path(lines, "name=systemd", &path);
	return path;
}

/* The size of the beginning of unit that has the form: there # is a number, and a dash may be
 * escaped. 0 if it has not. */
static size_t match_form(struct span unit, const char *form)
{
	struct span rest = unit;

	for (; *form; form++) {
		size_t n = 0;

		if (*form == '#')
			while (n < rest.size && rest.at[n] >= '0' && rest.at[n] <= '9')
				n++;
		else if (*form == '-' && span_escaped_byte(rest) == '-')
			n = 4;
		else if (rest.size && *rest.at == *form)
			n = 1;
		if (!n)
			return 0;
		rest = span_skip(rest, n);
	}
	return unit.size - rest.size;
}

/* Whether a unit is that of a VM, and what it calls it. */
static bool unit_name(struct span unit, struct span *ret)
{
	static const struct {
		const char *form, *suffix;
	} units[] = {
		/* libvirt: DRIVER-ID-NAME, without what systemd does not like, and cut */
		{"machine-qemu-#-", ".scope"},
		{"machine-ch-#-", ".scope"},
		{"machine-lxc-#-", ".scope"},
		{"machine-xen-#-", ".scope"},
		/* systemd-machined, for whoever registers there */
		{"machine-", ".scope"},
		/* systemd-vmspawn: a random number, or a unit that an administrator enabled */
		{"sd-vmspawn-#-", ".scope"},
		{"systemd-vmspawn@", ".service"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		size_t n = match_form(unit, units[i].form);

		if (n && span_ends(span_skip(unit, n), units[i].suffix)) {
			*ret = span_without(span_skip(unit, n), units[i].suffix);
			return true;
		}
	}
	return false;
}

/* The innermost unit that is a VM's; VMMs have cgroups within it, and it may be within one. */
static void read_units(struct identity *ret, struct span path)
{
	struct span unit, name, last = {"", 0};

	while (span_next(&path, '/', &unit))
		if (unit_name(unit, &name))
			last = name;
	identity_set_name(ret, last, IDENTITY_SCOPE, name_escaped);
}

/* kubepods, kubepods.slice, kubepods-burstable.slice, kubelet-kubepods.slice: it depends on who
 * makes the cgroups, and on where. */
static bool is_in_pod(struct span path)
{
	struct span unit;

	while (span_next(&path, '/', &unit))
		if (span_equals(unit, "kubepods") ||
			(span_ends(unit, ".slice") && memmem(unit.at, unit.size, "kubepods", 8)))
			return true;
	return false;
}

/* Namespaces are of lower case letters, digits and dashes, so the first underscore ends one. Kata's
 * VMs are in pods, too, but their names have none. */
static void read_kubevirt(struct identity *ret)
{
	char *end = ret->name + strspn(ret->name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	if (end == ret->name || end[0] != '_' || !end[1])
		return;
	*end = '/';
	ret->source = IDENTITY_KUBEVIRT;
}

void identity_parse(struct identity *ret, const char *cmdline, size_t cmdline_size,
	const char *cgroup, size_t cgroup_size)
{
	struct span words = {cmdline, cmdline_size}, program = {"", 0};
	struct span path = cgroup_path((struct span){cgroup, cgroup_size});
	struct text text = {0};
	const struct vmm *vmm;

	memset(ret, 0, sizeof(*ret));
	name_plain(&text, path);
	name_keep(&text, ret->cgroup);
	span_next(&words, '\0', &program);
	vmm = identity_vmm(program);
	identity_read_options(ret, vmm, words);
	if (ret->source == IDENTITY_NONE)
		read_units(ret, path);
	else if (identity_is_qemu(vmm) && is_in_pod(path))
		read_kubevirt(ret);
}
