/* SPDX-License-Identifier: GPL-2.0-only */
/* Kernels that are known to get the state of pages wrong, by version number. */
#include <linux/version.h>

#include "detect/detector.h"

struct bug {
	uint32_t first, fixed; /* mainline */
	uint32_t stable[4];    /* releases of older series that have the fix */
	const char *what;
};

#define V KERNEL_VERSION

/* Commits are those of mainline; releases from the stable changelogs. */
static const struct bug bugs[] = {
	/* 47bb584237cc "KVM: Allow CPU to reschedule while setting per-page memory attributes" */
	{V(6, 8, 0), V(6, 16, 0), {V(6, 12, 39), V(6, 15, 7)},
		"a giant conversion (seen from 940 GB) makes soft lockups (47bb584237cc)"},
	/* 9129633d568e "KVM: x86/mmu: Prevent installing hugepages when mem attributes are
	 * changing"
	 */
	{V(6, 8, 0), V(6, 15, 0), {V(6, 12, 30), V(6, 14, 7)},
		"a large page may be mapped over pages whose state changes (9129633d568e)"},
	/* ae431059e75d "KVM: guest_memfd: Remove bindings on memslot deletion when gmem is dying"
	 */
	{V(6, 8, 0), V(6, 18, 0), {V(6, 12, 59)},
		"a VMM can use guest_memfd memory after it was freed (ae431059e75d)"},
	/* 9935df5333aa "KVM: Disallow toggling KVM_MEM_GUEST_MEMFD on an existing memslot" */
	{V(6, 8, 0), V(6, 19, 0), {V(6, 12, 64), V(6, 18, 4)},
		"a VMM can take guest_memfd off a live memslot (9935df5333aa)"},
	/* db3f2195d293 "KVM: SEV: Require in-GHCB scratch area if GHCB v2+ is in use" */
	{V(6, 10, 0), V(7, 1, 0), {V(6, 12, 93), V(6, 18, 35), V(7, 0, 12)},
		"an SNP guest can read and write the host's heap by page state changes "
		"(CVE-2026-53360)"},
	/* "KVM: SEV: only access GHCB fields once" */
	{V(5, 11, 0), V(6, 5, 0), {V(6, 1, 46), V(6, 4, 11)},
		"an SEV-ES guest can change requests while they are looked at (CVE-2023-4155)"},
};
#define BUGS (sizeof(bugs) / sizeof(*bugs))

enum { WHICH, RELEASE }; /* values: bugs, as bits; the kernel */

static bool has(uint32_t release, const struct bug *bug)
{
	if (release < bug->first || release >= bug->fixed)
		return false;
	for (size_t i = 0; i < sizeof(bug->stable) / sizeof(*bug->stable); i++)
		if (release >> 8 == bug->stable[i] >> 8 && release >= bug->stable[i])
			return false;
	return true;
}

static void on_event(struct watch *watch, void *state, const struct event *event)
{
	uint32_t release = event->host->release;
	uint64_t which = 0;
	struct finding *f = watch_open(watch, &detect_kernel);

	(void)state;
	for (size_t i = 0; i < BUGS; i++)
		if (has(release, &bugs[i]))
			which |= 1ull << i;
	if (!which || f)
		return;
	f = watch_cases(watch, &detect_kernel, event, 0, 0, (uint64_t)__builtin_popcountll(which));
	if (!f)
		return;
	f->lasting = true;
	f->values[WHICH] = which;
	f->values[RELEASE] = release;
}

static void describe(const struct finding *f, char *text, size_t size)
{
	unsigned int release = (unsigned int)f->values[RELEASE];
	const char *separator = ":";

	say(text, size, "Linux %u.%u.%u, by its version number", release >> 16, release >> 8 & 0xff,
		release & 0xff);
	for (size_t i = 0; i < BUGS; i++) {
		if (!(f->values[WHICH] & 1ull << i))
			continue;
		say(text, size, "%s %s", separator, bugs[i].what);
		separator = ";";
	}
}

const struct detector detect_kernel = {
	.kind = FINDING_KERNEL,
	.name = "kernel",
	.title = "a kernel with known bugs in page states",
	.severity = SEVERITY_INFO,
	.certainty = CERTAINTY_POSSIBLE,
	.what = "The host's kernel has a version number that stands for at least "
		"one of the bugs that this program knows. Distributions mend bugs "
		"and keep the number, so it is a hint and no more.",
	.why = "On such a kernel a correct guest and a correct VMM may still get a "
	       "wrong page state, or one of them can harm the host.",
	.harmless = "A distribution's kernel with the fix in it: its changelog names "
		    "the commit.",
	.todo = "Look for the commit or the CVE in the changelog of the kernel's "
		"package; update the kernel if it is not there.",
	.settings = {SETTINGS_COMMON(1, MINUTE_NS, MINUTE_NS, "it is looked at once")},
	.events = ON(EVENT_HOST),
	.on_event = on_event,
	.describe = describe,
};
