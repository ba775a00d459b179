/* SPDX-License-Identifier: GPL-2.0-only */
/* Any bytes, with a digest that fits them, as what the daemon's last life left. Build: make
 * fuzzers. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "service/store.h"

static void require(bool condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	unsigned char *bytes = malloc(size + sizeof(XXH64_canonical_t));
	XXH64_canonical_t digest;
	struct store store = {};
	struct error err = {};
	int r;

	require(bytes);
	if (size)
		memcpy(bytes, data, size);
	XXH64_canonicalFromHash(&digest, XXH3_64bits(bytes, size));
	memcpy(bytes + size, &digest, sizeof(digest));
	r = store_parse(&store, bytes, size + sizeof(digest), &err);
	free(bytes);
	require(!r || (r == -EBADMSG && *err.text && !store.vms && !store.state.bytes));
	require(store.n_vms <= STORE_VMS && memchr(store.boot, '\0', sizeof(store.boot)));
	for (size_t i = 0; i < store.n_vms; i++)
		require(store.vms[i].id && store.vms[i].id <= store.last_id);
	store_release(&store);
	return 0;
}
