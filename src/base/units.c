/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/units.h"

#include <stdio.h>

const char *bytes_exact(uint64_t bytes, char buffer[24])
{
	static const char units[] = "KMGTP";
	int unit = -1;

	while (bytes && bytes % 1024 == 0 && unit < 4) {
		bytes /= 1024;
		unit++;
	}
	if (unit < 0)
		snprintf(buffer, 24, "%llu", (unsigned long long)bytes);
	else
		snprintf(buffer, 24, "%llu%c", (unsigned long long)bytes, units[unit]);
	return buffer;
}

const char *bytes_short(uint64_t bytes, char buffer[24])
{
	static const char units[] = "KMGTPE";
	double value = (double)bytes;
	int unit = -1;

	while (value >= 1024 && unit < 5) {
		value /= 1024;
		unit++;
	}
	if (unit < 0)
		snprintf(buffer, 24, "%.0f", value);
	else if (value < 10 && value != (double)(int)value)
		snprintf(buffer, 24, "%.1f%c", value, units[unit]);
	else
		snprintf(buffer, 24, "%.0f%c", value, units[unit]);
	return buffer;
}

const char *duration_short(uint64_t ns, char buffer[24])
{
	if (ns < 1000)
		snprintf(buffer, 24, "%lluns", (unsigned long long)ns);
	else if (ns < 1000000)
		snprintf(buffer, 24, "%.1fus", (double)ns / 1e3);
	else if (ns < 1000000000)
		snprintf(buffer, 24, "%.1fms", (double)ns / 1e6);
	else
		snprintf(buffer, 24, "%.1fs", (double)ns / 1e9);
	return buffer;
}
