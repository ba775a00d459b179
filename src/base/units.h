/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers with their units, as people read them. */
#ifndef BASE_UNITS_H
#define BASE_UNITS_H

#include <stdint.h>

/* 4096 -> "4K": exact, with the largest unit that divides it. */
const char *bytes_exact(uint64_t bytes, char buffer[24]);
/* "1.5G": rounded, for tables. */
const char *bytes_short(uint64_t bytes, char buffer[24]);
/* 1234567 -> "1.2ms" */
const char *duration_short(uint64_t ns, char buffer[24]);

#endif
