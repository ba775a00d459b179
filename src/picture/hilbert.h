/* SPDX-License-Identifier: GPL-2.0-only */
/* The Hilbert curve on a square of side x side cells, side a power of two: it begins at the top
 * left, ends at the top right, and each aligned run of 4^k cells is a square. */
#ifndef PICTURE_HILBERT_H
#define PICTURE_HILBERT_H

#include <stdint.h>

static inline void hilbert_turn(
	unsigned int side, unsigned int *x, unsigned int *y, unsigned int right, unsigned int down)
{
	unsigned int swapped = *x;

	if (down)
		return;
	if (right) {
		*x = side - 1 - *x;
		*y = side - 1 - *y;
	}
	swapped = *x;
	*x = *y;
	*y = swapped;
}

static inline void hilbert_place(
	unsigned int side, uint64_t at, unsigned int *ret_x, unsigned int *ret_y)
{
	unsigned int x = 0, y = 0;

	for (unsigned int s = 1; s < side; s *= 2, at /= 4) {
		unsigned int right = at / 2 & 1, down = (at ^ right) & 1;

		hilbert_turn(s, &x, &y, right, down);
		x += s * right;
		y += s * down;
	}
	*ret_x = x;
	*ret_y = y;
}

static inline uint64_t hilbert_at(unsigned int side, unsigned int x, unsigned int y)
{
	uint64_t at = 0;

	for (unsigned int s = side / 2; s; s /= 2) {
		unsigned int right = !!(x & s), down = !!(y & s);

		at += (uint64_t)s * s * ((3 * right) ^ down);
		x &= s - 1;
		y &= s - 1;
		hilbert_turn(s, &x, &y, right, down);
	}
	return at;
}

#endif
