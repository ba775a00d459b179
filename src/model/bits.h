/* SPDX-License-Identifier: GPL-2.0-only */
/* Ranges of bits in arrays of 64-bit words: [first, end), with first < end, counted from bit 0 of
 * the first word. */
#ifndef MODEL_BITS_H
#define MODEL_BITS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Words whose bits can be summed in bytes; constant, so that the sum gets vectorized. */
#define BITS_BATCH 16

/* The compiler's popcount is a call on baseline x86-64. */
static inline unsigned int batch_count(const uint64_t *words, unsigned int nwords)
{
	const uint64_t by2 = ~0ull / 3, by4 = ~0ull / 5, by8 = ~0ull / 17, by16 = ~0ull / 257;
	uint64_t sums = 0;

	for (unsigned int i = 0; i < nwords; i++) {
		uint64_t x = words[i] - (words[i] >> 1 & by2);

		x = (x & by4) + (x >> 2 & by4);
		sums += (x + (x >> 4)) & by8;
	}
	sums = (sums & by16) + (sums >> 8 & by16);
	return sums * (~0ull / 0xffff) >> 48;
}

static inline unsigned int words_count(const uint64_t *words, unsigned int nwords)
{
	unsigned int total = 0;

	for (; nwords >= BITS_BATCH; words += BITS_BATCH, nwords -= BITS_BATCH)
		total += batch_count(words, BITS_BATCH);
	return total + batch_count(words, nwords);
}

/* Those of the word's bits that lie in [first, end), which overlaps it. */
static inline uint64_t word_mask(unsigned int word, unsigned int first, unsigned int end)
{
	uint64_t from = word == first / 64 ? ~0ull << first % 64 : ~0ull;

	return word == (end - 1) / 64 ? from & ~0ull >> -end % 64 : from;
}

static inline unsigned int bits_count(const uint64_t *bits, unsigned int first, unsigned int end)
{
	unsigned int head = first / 64, tail = (end - 1) / 64;
	uint64_t edges[2] = {bits[head] & word_mask(head, first, end)};

	if (head == tail)
		return words_count(edges, 1);
	edges[1] = bits[tail] & word_mask(tail, first, end);
	return words_count(edges, 2) + words_count(bits + head + 1, tail - head - 1);
}

static inline void word_fill(uint64_t *word, uint64_t mask, bool value)
{
	*word = value ? *word | mask : *word & ~mask;
}

static inline void bits_fill(uint64_t *bits, unsigned int first, unsigned int end, bool value)
{
	unsigned int head = first / 64, tail = (end - 1) / 64;

	word_fill(&bits[head], word_mask(head, first, end), value);
	word_fill(&bits[tail], word_mask(tail, first, end), value);
	if (tail > head)
		memset(bits + head + 1, value ? 0xff : 0, (tail - head - 1) * sizeof(*bits));
}

/* Fills the range and returns the new number of bits set, from the old one. */
static inline uint32_t bits_assign(
	uint64_t *bits, unsigned int first, unsigned int end, bool value, uint32_t nset)
{
	unsigned int npages = end - first;

	if (npages == 1) { /* what guests do most */
		nset -= bits[first / 64] >> first % 64 & 1;
		word_fill(&bits[first / 64], 1ull << first % 64, value);
	} else {
		nset -= bits_count(bits, first, end);
		bits_fill(bits, first, end, value);
	}
	return value ? nset + npages : nset;
}

#endif
