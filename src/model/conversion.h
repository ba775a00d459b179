/* SPDX-License-Identifier: GPL-2.0-only */
/* What a guest's request means: hypercall number 12 has had two ABIs. */
#ifndef MODEL_CONVERSION_H
#define MODEL_CONVERSION_H

#include <stdbool.h>
#include <stdint.h>

#include "model/pagemap.h"

enum abi {
	ABI_MAP_GPA_RANGE, /* merged in 5.16: attribute bit 4 says encrypted, bits 0-3 the page size
			    */
	ABI_PAGE_ENC_STATUS, /* the proposal of 2021 (v11, v12): attributes are 1 encrypted, 0 not
			      */
	ABI_COUNT,
};

const char *abi_name(enum abi abi);

/* -EINVAL, and *ret untouched, for a name that is none. */
int abi_from_name(const char *name, enum abi *ret);

/* What the pages become. */
enum page_state conversion_target(enum abi abi, uint64_t attrs);

/* Whether the request makes less sense under abi than under the other one: gpa in bytes, npages in
 * frames. A hint for a warning, not a proof. */
bool conversion_looks_foreign(enum abi abi, uint64_t gpa, uint64_t npages, uint64_t attrs);

/* "private", "shared", "unknown" */
const char *page_state_name(enum page_state state);

#endif
