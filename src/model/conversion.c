/* SPDX-License-Identifier: GPL-2.0-only */
#include "model/conversion.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "kvm_abi.h"

static const char *const abi_names[] = {
	[ABI_MAP_GPA_RANGE] = "map-gpa-range",
	[ABI_PAGE_ENC_STATUS] = "page-enc-status",
};
_Static_assert(sizeof(abi_names) / sizeof(*abi_names) == ABI_COUNT, "a name for each ABI");

static const char *const state_names[] = {
	[PAGE_PRIVATE] = "private",
	[PAGE_SHARED] = "shared",
	[PAGE_UNKNOWN] = "unknown",
};
_Static_assert(sizeof(state_names) / sizeof(*state_names) == PAGE_STATES, "a name for each state");

const char *abi_name(enum abi abi)
{
	return abi_names[abi];
}

int abi_from_name(const char *name, enum abi *ret)
{
	for (int i = 0; i < ABI_COUNT; i++)
		if (!strcmp(name, abi_names[i])) {
			*ret = (enum abi)i;
			return 0;
		}
	return -EINVAL;
}

const char *page_state_name(enum page_state state)
{
	return state_names[state];
}

enum page_state conversion_target(enum abi abi, uint64_t attrs)
{
	uint64_t encrypted = abi == ABI_PAGE_ENC_STATUS ? 1 : KES_MAP_GPA_ENCRYPTED;

	return attrs & encrypted ? PAGE_PRIVATE : PAGE_SHARED;
}

bool conversion_looks_foreign(enum abi abi, uint64_t gpa, uint64_t npages, uint64_t attrs)
{
	static const uint64_t frames_2m = 512;

	if (abi == ABI_PAGE_ENC_STATUS)
		return attrs > 1; /* only the merged ABI has more than one bit */
	/* "Shared, mapped by 2 MiB pages" for what no 2 MiB page can map reads better as
	 * "encrypted". */
	return attrs == 1 && ((gpa >> 12) % frames_2m || npages % frames_2m);
}
