/* SPDX-License-Identifier: GPL-2.0-only */
/* A page map as JSON, as plain ranges, and as text with a sketch. */
#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "kvm_abi.h"
#include "output/output.h"

static bool has_plane(const struct vm *vm, enum plane plane)
{
	return plane == PLANE_HOST ? vm_has_host_plane(vm) : vm_has_map(vm);
}

/* ---- JSON ---- */

static int add_range_json(void *context, uint64_t gfn, uint64_t npages, enum page_state state)
{
	json_object *range = json_object_new_object();

	if (!range)
		return -ENOMEM;
	json_object_object_add(range, "gfn", json_object_new_uint64(gfn));
	json_object_object_add(range, "npages", json_object_new_uint64(npages));
	json_object_object_add(range, "state", json_object_new_string(page_state_name(state)));
	return json_object_array_add(context, range) ? -ENOMEM : 0;
}

int map_write_json(FILE *out, const struct vm *vm, enum plane plane)
{
	json_object *map = json_object_new_object();
	json_object *pages = json_object_new_object(), *ranges = json_object_new_array();
	bool has_map = has_plane(vm, plane);
	uint64_t counts[PAGE_STATES];
	int r = 0;

	json_object_object_add(map, "schema", json_object_new_string("kvm-encstat.map/1"));
	json_object_object_add(map, "vm", vm_json(vm));
	json_object_object_add(map, "plane", json_object_new_string(plane_name(plane)));
	json_object_object_add(map, "confidence",
		json_object_new_string(confidence_name(vm_confidence(vm, plane))));
	if (vm->abi_doubt)
		json_object_object_add(map, "abi_doubt", json_object_new_boolean(true));
	json_object_object_add(map, "has_map", json_object_new_boolean(has_map));
	vm_count(vm, plane, counts);
	if (!has_map)
		memset(counts, 0, sizeof(counts));
	for (int i = 0; i < PAGE_STATES; i++)
		json_object_object_add(pages, page_state_name((enum page_state)i),
			json_object_new_uint64(counts[i]));
	json_object_object_add(map, "pages", pages);
	json_object_object_add(map, "ranges", ranges);
	if (plane == PLANE_HOST && vm->host.attributes & ~KES_ATTRIBUTE_PRIVATE)
		json_object_object_add(map, "other_attributes",
			json_object_new_uint64(vm->host.attributes & ~KES_ATTRIBUTE_PRIVATE));
	if (has_map)
		r = vm_ranges(vm, plane, add_range_json, ranges);
	if (!r)
		json_line(out, map);
	return r;
}

/* ---- ranges ---- */

static int write_range(void *context, uint64_t gfn, uint64_t npages, enum page_state state)
{
	fprintf(context, "%llu %llu %s\n", (unsigned long long)gfn, (unsigned long long)npages,
		page_state_name(state));
	return 0;
}

int map_write_ranges(FILE *out, const struct vm *vm, enum plane plane)
{
	fprintf(out, "# vm %u, %s plane, %s\n", vm->id, plane_name(plane),
		has_plane(vm, plane) ? confidence_name(vm_confidence(vm, plane)) : "no map");
	return has_plane(vm, plane) ? vm_ranges(vm, plane, write_range, out) : 0;
}

/* ---- the picture ---- */

#define COLUMNS  64
#define MAX_ROWS 16

/* What a cell shows, by what is in it. */
enum cell {
	CELL_NONE = 0,
	CELL_PRIVATE = 1 << PAGE_PRIVATE,
	CELL_SHARED = 1 << PAGE_SHARED,
	CELL_UNKNOWN = 1 << PAGE_UNKNOWN,
};

struct sketch {
	uint64_t first;    /* gfn of the first cell */
	uint64_t per_cell; /* frames, a power of two */
	unsigned char cells[COLUMNS * MAX_ROWS];
	uint64_t end; /* past the last frame of guest memory, or of what changed outside */
	bool any;
};

static int find_bounds(void *context, uint64_t gfn, uint64_t npages, enum page_state state)
{
	struct sketch *sketch = context;

	(void)state;
	if (!sketch->any)
		sketch->first = gfn;
	sketch->any = true;
	sketch->end = gfn + npages;
	return 0;
}

static int draw_range(void *context, uint64_t gfn, uint64_t npages, enum page_state state)
{
	struct sketch *sketch = context;
	uint64_t from = (gfn - sketch->first) / sketch->per_cell;
	uint64_t to = (gfn + npages - 1 - sketch->first) / sketch->per_cell;

	for (uint64_t cell = from; cell <= to; cell++)
		sketch->cells[cell] |= (unsigned char)(1 << state);
	return 0;
}

static const char *cell_glyph(unsigned char cell, bool ascii)
{
	if (cell == CELL_NONE)
		return " ";
	if (cell == CELL_PRIVATE)
		return ascii ? "." : "░";
	if (cell == CELL_SHARED)
		return ascii ? "#" : "█";
	if (cell & CELL_UNKNOWN)
		return "?";
	return ascii ? "+" : "▒";
}

static void print_row(
	FILE *out, const struct style *style, const struct sketch *sketch, uint64_t row)
{
	const unsigned char *cells = &sketch->cells[row * COLUMNS];

	fprintf(out, "  %12llx  ",
		(unsigned long long)((sketch->first + row * COLUMNS * sketch->per_cell) << 12));
	for (int i = 0; i < COLUMNS; i++)
		fputs(cell_glyph(cells[i], style->ascii), out);
	fputc('\n', out);
}

static void draw(FILE *out, const struct style *style, const struct vm *vm, enum plane plane)
{
	static const unsigned char empty[COLUMNS];
	struct sketch sketch = {.per_cell = 1};
	uint64_t rows;
	bool gap = false;
	char size[24];

	vm_ranges(vm, plane, find_bounds, &sketch);
	if (!sketch.any)
		return;
	while (sketch.per_cell * COLUMNS * MAX_ROWS <
		sketch.end - sketch.first / sketch.per_cell * sketch.per_cell)
		sketch.per_cell *= 2;
	sketch.first -= sketch.first % sketch.per_cell;
	vm_ranges(vm, plane, draw_range, &sketch);
	rows = (sketch.end - sketch.first + sketch.per_cell * COLUMNS - 1) /
	       (sketch.per_cell * COLUMNS);

	fprintf(out, "\n  %12s  one cell is %s:  %s private  %s shared  %s both  ? unknown\n",
		"GPA", bytes_exact(sketch.per_cell << 12, size),
		cell_glyph(CELL_PRIVATE, style->ascii), cell_glyph(CELL_SHARED, style->ascii),
		cell_glyph(CELL_PRIVATE | CELL_SHARED, style->ascii));
	for (uint64_t row = 0; row < rows; row++) {
		if (!memcmp(&sketch.cells[row * COLUMNS], empty, COLUMNS)) {
			if (!gap)
				fprintf(out, "  %12s  %s\n", "...",
					vm->n_memslots ? "no memory" : "nothing known");
			gap = true;
			continue;
		}
		gap = false;
		print_row(out, style, &sketch, row);
	}
}

/* ---- text ---- */

struct listing {
	FILE *out;
	uint64_t ranges;
};

static int list_range(void *context, uint64_t gfn, uint64_t npages, enum page_state state)
{
	struct listing *listing = context;
	char size[24];

	if (state == PAGE_PRIVATE)
		return 0;
	if (!listing->ranges++)
		fprintf(listing->out, "\n  %16s  %16s  %10s  %s\n", "FROM", "TO", "SIZE", "STATE");
	fprintf(listing->out, "  %16llx  %16llx  %10s  %s\n", (unsigned long long)(gfn << 12),
		(unsigned long long)((gfn + npages - 1) << 12 | 0xfff),
		bytes_exact(npages << 12, size), page_state_name(state));
	return 0;
}

static void write_counts(FILE *out, const struct vm *vm, enum plane plane)
{
	uint64_t counts[PAGE_STATES];
	char size[24];

	vm_count(vm, plane, counts);
	for (int i = 0; i < PAGE_STATES; i++)
		fprintf(out, "%s%s %s (%llu pages)", i ? ", " : "  ",
			page_state_name((enum page_state)i), bytes_short(counts[i] << 12, size),
			(unsigned long long)counts[i]);
	fputc('\n', out);
}

static const char *why_partial(const struct vm *vm, enum plane plane)
{
	if (plane == PLANE_GUEST)
		return vm->unseen ? "some answers were not seen" : "it ran before it was watched";
	if (!vm->host.known)
		return "the kernel's attributes were not read";
	return vm->host.doubt ? "changes overlapped, or their results were not seen"
			      : "a change is under way";
}

static void put_confidence(
	char line[MAP_TRUST_LINE], const struct style *style, const struct vm *vm, enum plane plane)
{
	char since[24];

	switch (vm_confidence(vm, plane)) {
	case CONFIDENCE_EXACT:
		if (plane == PLANE_HOST)
			snprintf(line, MAP_TRUST_LINE,
				"exact: read from the kernel at %s, each change seen since",
				time_text(style, vm->host.read_ns, since));
		else if (vm->left.ts_ns)
			snprintf(line, MAP_TRUST_LINE,
				"exact: watched from the reset at %s, nothing missed",
				time_text(style, vm->left.ts_ns, since));
		else
			snprintf(line, MAP_TRUST_LINE, "exact: watched from birth, nothing missed");
		break;
	case CONFIDENCE_PARTIAL:
		snprintf(line, MAP_TRUST_LINE, "partial: %s", why_partial(vm, plane));
		break;
	default:
		snprintf(line, MAP_TRUST_LINE,
			"stale: %llu records were lost%s%s; any page may have changed since",
			(unsigned long long)(vm_lost(vm) + vm->tainted),
			vm->lost_since_ns ? " since " : "",
			vm->lost_since_ns ? time_text(style, vm->lost_since_ns, since) : "");
		break;
	}
}

size_t map_trust(const struct style *style, const struct vm *vm, enum plane plane,
	char lines[MAP_TRUST_LINES][MAP_TRUST_LINE])
{
	size_t n = 0;

	put_confidence(lines[n++], style, vm, plane);
	if (plane == PLANE_HOST && vm->host.attributes & ~KES_ATTRIBUTE_PRIVATE)
		snprintf(lines[n++], MAP_TRUST_LINE,
			"note: attribute bits 0x%llx beside \"private\" were seen",
			(unsigned long long)(vm->host.attributes & ~KES_ATTRIBUTE_PRIVATE));
	if (vm->abi_doubt)
		snprintf(lines[n++], MAP_TRUST_LINE,
			"note: some attributes look like the other ABI of hypercall 12, see "
			"--abi");
	return n;
}

void map_write_trust(FILE *out, const struct style *style, const struct vm *vm, enum plane plane)
{
	char lines[MAP_TRUST_LINES][MAP_TRUST_LINE];
	size_t n = map_trust(style, vm, plane, lines);

	for (size_t i = 0; i < n; i++)
		fprintf(out, "  %s\n", lines[i]);
}

const char *map_why_none(enum plane plane)
{
	return plane == PLANE_HOST
		       ? "has no host plane: KVM keeps no attributes of its pages"
		       : "has no page map: it is of default type and never converted a page";
}

int map_write_text(FILE *out, const struct style *style, const struct vm *vm, enum plane plane)
{
	struct listing listing = {.out = out};
	char label[VM_SHORT_SIZE], type[16], size[24];
	uint64_t memory = vm_memory_pages(vm);

	fprintf(out, "VM %u  %s  %s  %s%s  %s plane\n", vm->id, vm_label_short(vm, label),
		vm_type_name(vm->type, type),
		memory ? bytes_short(memory << 12, size) : "memory unknown",
		vm->alive ? "" : ", ended", plane_name(plane));
	if (!has_plane(vm, plane)) {
		fprintf(out, "  %s\n", map_why_none(plane));
		return 0;
	}
	write_counts(out, vm, plane);
	map_write_trust(out, style, vm, plane);
	draw(out, style, vm, plane);
	vm_ranges(vm, plane, list_range, &listing);
	return 0;
}
