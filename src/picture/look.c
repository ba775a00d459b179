/* SPDX-License-Identifier: GPL-2.0-only */
#include "picture/look.h"

const struct look_style look_styles[LOOKS] = {
	[LOOK_NONE] = {"no memory", 0xffffff, 0, PATTERN_PLAIN, " ", " ", 231, 0},
	[LOOK_PRIVATE] = {"private", 0xc3d9ea, 0, PATTERN_PLAIN, "░", ".", 152, 0},
	[LOOK_SOME] = {"some shared", 0xc3d9ea, 0xd55e00, PATTERN_DOT, "▒", "+", 180, 0},
	[LOOK_MOST] = {"most shared", 0xd55e00, 0xc3d9ea, PATTERN_DOT, "▓", "%", 173, 0},
	[LOOK_SHARED] = {"shared", 0xd55e00, 0, PATTERN_PLAIN, "█", "#", 166, 0},
	[LOOK_PART_PRIVATE] = {"partly unknown, rest private", 0xc3d9ea, 0x404040, PATTERN_HATCH,
		"/", "/", 248, 0},
	[LOOK_PART_SHARED] = {"partly unknown, some shared", 0xe08a45, 0x303030, PATTERN_HATCH, "&",
		"&", 138, 0},
	[LOOK_UNKNOWN] = {"unknown", 0xffffff, 0x707070, PATTERN_HATCH, "?", "?", 244, 0},
	[LOOK_BOTH_PRIVATE] = {"both private", 0xdce8f1, 0, PATTERN_PLAIN, "░", ".", 152, 0},
	[LOOK_BOTH_MIXED] = {"agree, private and shared", 0xdce8f1, 0xeebd94, PATTERN_DOT, "▒", "+",
		187, 0},
	[LOOK_BOTH_SHARED] = {"both shared", 0xeebd94, 0, PATTERN_PLAIN, "▓", "%", 180, 0},
	[LOOK_HOST_PRIVATE] = {"differ: guest shared, host private", 0x004488, 0xffffff,
		PATTERN_STRIPES, "p", "p", 25, 0},
	[LOOK_HOST_SHARED] = {"differ: guest private, host shared", 0x7a0f48, 0, PATTERN_PLAIN, "█",
		"S", 89, 0},
	[LOOK_DIFFER] = {"differ both ways", 0x000000, 0xffd92f, PATTERN_CHECKS, "X", "X", 16, 0},
};

static enum look look_of_plane(const struct layout_cell *cell)
{
	uint64_t private = cell->counts[PAGE_PRIVATE], shared = cell->counts[PAGE_SHARED];
	uint64_t unknown = cell->counts[PAGE_UNKNOWN];

	if (unknown)
		return shared ? LOOK_PART_SHARED : private ? LOOK_PART_PRIVATE : LOOK_UNKNOWN;
	if (!shared)
		return private ? LOOK_PRIVATE : LOOK_NONE;
	if (!private)
		return LOOK_SHARED;
	return shared < private ? LOOK_SOME : LOOK_MOST;
}

static enum look look_of_both(const struct layout_cell *cell)
{
	const uint64_t *accords = cell->accords;
	uint64_t agree = accords[ACCORD_PRIVATE] + accords[ACCORD_SHARED];

	if (accords[ACCORD_HOST_SHARED])
		return accords[ACCORD_HOST_PRIVATE] ? LOOK_DIFFER : LOOK_HOST_SHARED;
	if (accords[ACCORD_HOST_PRIVATE])
		return LOOK_HOST_PRIVATE;
	if (accords[ACCORD_UNKNOWN])
		return accords[ACCORD_SHARED] ? LOOK_PART_SHARED
		       : agree                ? LOOK_PART_PRIVATE
					      : LOOK_UNKNOWN;
	if (!agree)
		return LOOK_NONE;
	if (!accords[ACCORD_SHARED])
		return LOOK_BOTH_PRIVATE;
	return accords[ACCORD_PRIVATE] ? LOOK_BOTH_MIXED : LOOK_BOTH_SHARED;
}

enum look look_of(const struct layout_cell *cell, bool diff)
{
	return diff ? look_of_both(cell) : look_of_plane(cell);
}
