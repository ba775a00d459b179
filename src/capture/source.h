/* SPDX-License-Identifier: GPL-2.0-only */
/* Where records come from, live or from a file, is all the same to who takes them. */
#ifndef CAPTURE_SOURCE_H
#define CAPTURE_SOURCE_H

#include <linux/types.h>
#include <stddef.h>

#include "wire.h"

/* Takes n records, in the order in which they came; they are the caller's. Returns 0, or a negative
 * errno that ends the reading and is handed through. */
typedef int (*record_fn)(void *context, const struct kes_record *records, size_t n);

#endif
