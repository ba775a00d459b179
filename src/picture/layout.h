/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VM's guest-physical memory laid out on a grid of cells: which frames a cell stands for, which
 * cell a frame lies in, and what a cell holds. Pure: it draws nothing. All cells of a layout cover
 * the same power of two of frames, aligned to it. Cells are numbered in order of address; where no
 * memory is for long, addresses are left out (folded), and a new segment begins.
 *
 *   layout_new()    memslots and the room there is -> a grid; make it anew when memslots change
 *   layout_read()   one cell: frames per state; in time that its own size decides, not its contents
 *   layout_range(), layout_find()   cell -> frames, frame -> cell
 *   layout_place(), layout_at()     cell -> column and row, and back
 *
 * To zoom, make a layout of a smaller window, pages become single cells when there is room; or one
 * that is larger than the room (scrolled), and show a part of it.
 */
#ifndef PICTURE_LAYOUT_H
#define PICTURE_LAYOUT_H

#include "model/vm.h"

enum layout_kind {
	LAYOUT_LINEAR,  /* rows from left to right, each a power of two of frames, aligned to it */
	LAYOUT_HILBERT, /* a Hilbert curve per square, squares from left to right: cells that
			   follow each other are neighbours */
	LAYOUT_KINDS,
};

struct layout_range {
	uint64_t gfn, npages;
};

struct layout_options {
	enum layout_kind kind;
	unsigned int columns, rows; /* the room, in cells; at most LAYOUT_MAX each */
	struct layout_range window; /* npages 0: all */
	bool scrolled;      /* the grid may be larger than the room: what is seen is a part of it */
	unsigned int shift; /* scrolled: the grid's, or more where it would pass LAYOUT_GRID_MAX */
	const struct layout_range *sacred; /* to be marked, in any order; copied */
	size_t n_sacred;
};
#define LAYOUT_MAX      4096
#define LAYOUT_GRID_MAX (1u << 30) /* columns, rows */

/* Addresses without a gap. */
struct layout_segment {
	uint64_t gfn;
	uint64_t cell, cells; /* the first one's number, and how many */
};

struct layout { /* to be read only */
	enum layout_kind kind;
	unsigned int columns, rows; /* of the grid, as far as it is used; columns: a power of two
				       (linear); whole squares, of the last one the corner that
				       is used (Hilbert) */
	unsigned int side;          /* of a square, a power of two; linear: 0 */
	unsigned int shift;         /* a cell is 1 << shift frames */
	uint64_t cells;             /* 0: there is nothing to show */
	struct layout_segment *segments;
	size_t n_segments;

	struct layout_range *memory; /* memslots, joined where they touch */
	size_t n_memory;
	struct layout_range *slots; /* memslots in order of gfn, as they are */
	size_t n_slots;
	struct layout_range *sacred; /* sorted and joined */
	size_t n_sacred;
};

/* Lays the VM out: memslots, and what lies outside of them and is not what it was at first, on any
 * plane. Covers the window at least, more where its ends are not aligned to rows (linear) or small
 * squares. -EINVAL: no room or too much; -ENOMEM. The VM may change after; where its memslots do,
 * the layout should be made anew. */
int layout_new(struct layout **ret, const struct vm *vm, const struct layout_options *options);
void layout_free(struct layout **layout);

/* The frames of a cell that exists (cell < layout->cells). */
struct layout_range layout_range(const struct layout *layout, uint64_t cell);

/* The cell that gfn lies in; false, with *ret untouched: it is folded away, or out of the window.
 */
bool layout_find(const struct layout *layout, uint64_t gfn, uint64_t *ret);

/* Where a cell is on the grid: row 0 is at the top. */
void layout_place(const struct layout *layout, uint64_t cell, unsigned int *ret_column,
	unsigned int *ret_row);

/* The cell at a place; false, with *ret untouched: there is none. */
bool layout_at(const struct layout *layout, unsigned int column, unsigned int row, uint64_t *ret);

/* How many frames were left out before a cell; 0: it follows the one before. In a linear layout
 * only the first cell of a row can have some. */
uint64_t layout_gap(const struct layout *layout, uint64_t cell);

/* What the planes say of a frame together. */
enum accord {
	ACCORD_PRIVATE,      /* both: private */
	ACCORD_SHARED,       /* both: shared */
	ACCORD_HOST_SHARED,  /* the guest holds it for private, the host has it shared */
	ACCORD_HOST_PRIVATE, /* and the other way round */
	ACCORD_UNKNOWN,      /* one of them is not known */
	ACCORDS,
};

#define LAYOUT_NO_SLOT UINT32_MAX

struct layout_cell {
	struct layout_range range;
	uint64_t memory;              /* frames of it that are memory */
	uint64_t counts[PAGE_STATES]; /* frames; memory, and outside what is not as at first */
	uint64_t accords[ACCORDS];    /* the same, by layout_read_diff() only */
	uint64_t sacred;              /* frames of memory in sacred ranges */
	uint32_t slot;                /* of its first frame of memory, by order of gfn; or none */
	bool border;                  /* another memslot begins in it */
};

/* What a cell holds on a plane. Over all cells of a layout of the whole VM, counts add up to
 * vm_count()'s. */
void layout_read(const struct layout *layout, const struct vm *vm, enum plane plane, uint64_t cell,
	struct layout_cell *ret);

/* The same of both planes, counts left 0; those that differ add up to vm_differences()'s. */
void layout_read_diff(
	const struct layout *layout, const struct vm *vm, uint64_t cell, struct layout_cell *ret);

/* The same of any frames, be they a cell or not; diff: as layout_read_diff() does. */
void layout_read_frames(const struct layout *layout, const struct vm *vm, enum plane plane,
	bool diff, const struct layout_range *frames, struct layout_cell *ret);

#endif
