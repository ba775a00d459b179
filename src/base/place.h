/* SPDX-License-Identifier: GPL-2.0-only */
/* Finding things in lists that are in order. */
#ifndef BASE_PLACE_H
#define BASE_PLACE_H

#include <stddef.h>

/* The place of the first of n for which IS_BEFORE, an expression of its place I, does not hold; n
 * if it holds for all. */
#define PLACE(n, i, is_before)                                \
	({                                                    \
		size_t low_ = 0, high_ = (n);                 \
		while (low_ < high_) {                        \
			size_t i = low_ + (high_ - low_) / 2; \
			if (is_before)                        \
				low_ = i + 1;                 \
			else                                  \
				high_ = i;                    \
		}                                             \
		low_;                                         \
	})

#endif
