/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which VM a VMM process runs, as far as its command line and its cgroup tell. What is found is
 * other people's text, as raw as it was given: it goes through escape() before it is shown.
 */
#ifndef CAPTURE_IDENTITY_H
#define CAPTURE_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>

#define IDENTITY_NAME_MAX 256 /* bytes kept of a name, its NUL included */

/* Where the name is from. */
enum identity_source {
	IDENTITY_NONE,     /* there is no name */
	IDENTITY_OPTION,   /* the VMM's own option that names the VM */
	IDENTITY_SOCKET,   /* the file name of the VMM's control socket */
	IDENTITY_SCOPE,    /* the unit that libvirt or systemd made for the VM */
	IDENTITY_KUBEVIRT, /* QEMU's option, which KubeVirt set: the name is NAMESPACE/VMI */
	IDENTITY_SOURCES,
};

struct identity {
	char name[IDENTITY_NAME_MAX];   /* "" none; cut between two characters if it is UTF-8 */
	bool name_cut;                  /* it was longer */
	char uuid[37];                  /* lower case 8-4-4-4-12, "" none or not valid */
	char cgroup[IDENTITY_NAME_MAX]; /* path as it stands, cut as the name is; "" none */
	enum identity_source source;
};

/* From the bytes of /proc/PID/cmdline and the text of /proc/PID/cgroup; either may be empty, cut
 * short, or anything else. Each field of *ret is set.
 *
 * An option wins over a socket, and that over a scope. Of an option that is given repeatedly the
 * last one counts, but an empty name is no name, and a bad UUID no UUID. Of the cgroup's paths,
 * that of v2 counts, or that of systemd's own v1 hierarchy if v2 has but the root, or is not there.
 */
void identity_parse(struct identity *ret, const char *cmdline, size_t cmdline_size,
	const char *cgroup, size_t cgroup_size);

/* "none", "option", "socket", "scope", "kubevirt" */
const char *identity_source_name(enum identity_source source);

#endif
