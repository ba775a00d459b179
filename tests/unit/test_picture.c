// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pictures as those who read them get them: PNG decoded again and looked at pixel by pixel, SVG as
 * well-formed XML whatever a VM is called, text by its lines.
 */
#include <errno.h>
#include <png.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
/* after the above */
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "hostile_names.h"
#include "output/output.h"
#include "picture/poster.h"

#define MIB_PAGES 256

static void add_slot(struct vm *vm, uint64_t gfn, uint64_t npages)
{
	vm->memslots = reallocarray(vm->memslots, vm->n_memslots + 1, sizeof(*vm->memslots));
	assert_non_null(vm->memslots);
	vm->memslots[vm->n_memslots++] = (struct memslot){.gfn = gfn, .npages = npages};
}

static void set(struct vm *vm, enum plane plane, uint64_t gfn, uint64_t npages, enum page_state to)
{
	struct pagemap *map;

	assert_int_equal(vm_plane(vm, plane, &map), 0);
	assert_int_equal(pagemap_set(map, gfn, npages, to), 0);
}

/* 64 MiB, and 1 MiB at 3 GiB; cells of the default width are 32 KiB then. */
static struct vm *new_vm(const char *name)
{
	struct vm *vm = vm_new(1);

	assert_non_null(vm);
	vm->known = vm->born = vm->alive = true;
	vm->type = KES_VM_SNP;
	vm->host.capable = vm->host.known = true;
	snprintf(vm->text[KES_TEXT_NAME], sizeof(vm->text[0]), "%s", name);
	add_slot(vm, 0, 64 * MIB_PAGES);
	add_slot(vm, 0xc0000, MIB_PAGES);
	set(vm, PLANE_HOST, 0, 64 * MIB_PAGES, PAGE_PRIVATE);
	set(vm, PLANE_GUEST, 8, 8, PAGE_SHARED);   /* cell 1: shared */
	set(vm, PLANE_GUEST, 16, 1, PAGE_SHARED);  /* cell 2: some */
	set(vm, PLANE_GUEST, 24, 7, PAGE_SHARED);  /* cell 3: most */
	set(vm, PLANE_GUEST, 32, 8, PAGE_UNKNOWN); /* cell 4 */
	set(vm, PLANE_GUEST, 40, 1, PAGE_UNKNOWN); /* cell 5: partly */
	set(vm, PLANE_GUEST, 48, 2, PAGE_SHARED);  /* cell 6: partly, some shared */
	set(vm, PLANE_GUEST, 50, 1, PAGE_UNKNOWN);
	set(vm, PLANE_HOST, 8, 8, PAGE_SHARED);  /* agrees */
	set(vm, PLANE_HOST, 64, 1, PAGE_SHARED); /* cell 8: of the host only */
	return vm;
}

static const struct layout_range first_mib = {0, MIB_PAGES};

static char *draw(const struct vm *vm, struct map_picture picture, size_t *ret_size)
{
	const struct style style = {.ascii = picture.width == 81};
	char *bytes = NULL;
	FILE *out = open_memstream(&bytes, ret_size);

	assert_non_null(out);
	assert_int_equal(map_write_picture(out, &style, vm, &picture), 0);
	assert_int_equal(fclose(out), 0);
	return bytes;
}

/* ---- PNG ---- */

struct image {
	png_image png;
	png_bytep rgb;
};

static void decode(struct image *image, const char *bytes, size_t size)
{
	memset(image, 0, sizeof(*image));
	image->png.version = PNG_IMAGE_VERSION;
	assert_true(png_image_begin_read_from_memory(&image->png, bytes, size));
	image->png.format = PNG_FORMAT_RGB;
	image->rgb = malloc(PNG_IMAGE_SIZE(image->png));
	assert_non_null(image->rgb);
	assert_true(png_image_finish_read(&image->png, NULL, image->rgb, 0, NULL));
}

static uint32_t pixel(const struct image *image, int x, int y)
{
	const png_byte *at = image->rgb + 3 * ((size_t)y * image->png.width + (size_t)x);

	return (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
}

#define CELL   15
#define GRID_X (2 * (MARGIN + LABELS))

/* The first row of cells: below the upper border of the first memslot, which is as wide as all. */
static int find_grid(const struct image *image)
{
	for (int y = 0; y < (int)image->png.height; y++)
		if (pixel(image, GRID_X + 900, y) == BORDER_INK &&
			pixel(image, GRID_X + 600, y) == BORDER_INK)
			return y + 1;
	fail_msg("no border");
	return 0;
}

/* Whether the cell has the look: its ground near the edge, its mark where the pattern has it. */
static void check_cell(const struct image *image, int top, int column, int row, enum look look)
{
	const struct look_style *style = &look_styles[look];
	int x = GRID_X + column * CELL, y = top + row * CELL;

	switch (style->pattern) {
	case PATTERN_DOT:
		assert_int_equal(pixel(image, x + 3, y + 3), style->ground);
		assert_int_equal(pixel(image, x + 7, y + 7), style->mark);
		break;
	case PATTERN_HATCH:
		assert_int_equal(pixel(image, x + 4, y + 4), style->ground);
		assert_int_equal(pixel(image, x + 7, y + 8), style->mark);
		break;
	case PATTERN_STRIPES:
		assert_int_equal(pixel(image, x + 5, y + 4), style->ground);
		assert_int_equal(pixel(image, x + 5, y + 8), style->mark);
		break;
	default:
		assert_int_equal(pixel(image, x + 4, y + 4), style->ground);
		assert_int_equal(pixel(image, x + 10, y + 10), style->ground);
	}
}

static void a_png_has_the_cells_of_the_map(void **state)
{
	static const enum look guest[] = {LOOK_PRIVATE, LOOK_SHARED, LOOK_SOME, LOOK_MOST,
		LOOK_UNKNOWN, LOOK_PART_PRIVATE, LOOK_PART_SHARED, LOOK_PRIVATE, LOOK_PRIVATE};
	static const enum look diff[] = {LOOK_BOTH_PRIVATE, LOOK_BOTH_SHARED, LOOK_HOST_PRIVATE,
		LOOK_HOST_PRIVATE, LOOK_UNKNOWN, LOOK_PART_PRIVATE, LOOK_HOST_PRIVATE,
		LOOK_BOTH_PRIVATE, LOOK_HOST_SHARED};
	_cleanup_(vm_free) struct vm *vm = new_vm("db");

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct map_picture picture = {.format = PICTURE_PNG, .diff = i};
		struct image image;
		size_t size;
		char *bytes = draw(vm, picture, &size);
		int top;

		decode(&image, bytes, size);
		assert_int_equal(image.png.width, PICTURE_WIDTH);
		top = find_grid(&image);
		for (int cell = 0; cell < (int)ARRAY_SIZE(guest); cell++)
			check_cell(&image, top, cell, 0, i ? diff[cell] : guest[cell]);
		check_cell(&image, top, 20, 20, i ? LOOK_BOTH_PRIVATE : LOOK_PRIVATE);
		free(image.rgb);
		free(bytes);
	}
}

static void sacred_ranges_and_memslots_have_borders(void **state)
{
	_cleanup_(vm_free) struct vm *vm = new_vm("db");
	struct map_picture picture = {.format = PICTURE_PNG, .sacred = &first_mib, .n_sacred = 1};
	struct image image;
	size_t size;
	char *bytes = draw(vm, picture, &size);
	int top;

	(void)state;
	decode(&image, bytes, size);
	top = find_grid(&image); /* at 600, where the sacred range has ended */
	assert_int_equal(pixel(&image, GRID_X + 100, top), SACRED_INK);
	assert_int_equal(pixel(&image, GRID_X + 100, top + CELL - 1), SACRED_INK);
	assert_int_equal(pixel(&image, GRID_X + 32 * CELL, top + 5), SACRED_INK);
	assert_int_equal(pixel(&image, GRID_X + 64 * CELL, top + 100), BORDER_INK);
	assert_int_equal(pixel(&image, GRID_X + 64 * CELL + 5, top + 100), 0xffffff);
	free(image.rgb);
	free(bytes);
}

/* On the curve, each cell is where the layout says. */
static void a_hilbert_png_follows_the_layout(void **state)
{
	_cleanup_(vm_free) struct vm *vm = new_vm("db");
	struct map_picture picture = {.format = PICTURE_PNG, .layout = LAYOUT_HILBERT};
	struct layout_options options = {.kind = LAYOUT_HILBERT, .columns = 128, .rows = 64};
	_cleanup_(layout_free) struct layout *layout = NULL;
	struct image image;
	size_t size;
	char *bytes;
	int cell_size, top = 0;

	(void)state;
	set(vm, PLANE_GUEST, 5000, 3000, PAGE_SHARED);
	bytes = draw(vm, picture, &size);
	decode(&image, bytes, size);
	assert_int_equal(layout_new(&layout, vm, &options), 0);
	cell_size = (PICTURE_WIDTH - 4 * MARGIN) / (int)layout->columns;
	while (pixel(&image, 2 * MARGIN + 20, top) != BORDER_INK ||
		pixel(&image, 2 * MARGIN + 400, top) != BORDER_INK)
		assert_true(++top < (int)image.png.height);
	for (uint64_t i = 0; i < layout->cells; i++) {
		struct layout_cell cell;
		unsigned int column, row;
		enum look look;

		layout_read(layout, vm, PLANE_GUEST, i, &cell);
		look = look_of(&cell, false);
		if (look != LOOK_PRIVATE && look != LOOK_SHARED)
			continue;
		layout_place(layout, i, &column, &row);
		assert_int_equal(pixel(&image, 2 * MARGIN + (int)column * cell_size + 4,
					 top + 1 + (int)row * cell_size + 4),
			look_styles[look].ground);
	}
	free(image.rgb);
	free(bytes);
}

/* ---- SVG ---- */

/* Each & begins one of the five entities, or a number. */
static bool is_entity(const char *at)
{
	static const char *const known[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!strncmp(at, known[i], strlen(known[i])))
			return true;
	return false;
}

/* Elements are closed in the order they were opened in, attributes quoted, text escaped. */
static void check_xml(const char *text)
{
	const char *open[32];
	size_t depth = 0;

	for (const char *at = text; *at;) {
		const char *end, *name = at + 1;
		uint32_t code;

		assert_true(utf8_decode((const unsigned char *)at, strlen(at), &code));
		assert_true(code >= 0x20 || code == '\n');
		if (*at == '&')
			assert_true(is_entity(at));
		assert_int_not_equal(*at, '>');
		if (*at != '<') {
			at++;
			while ((*at & 0xc0) == 0x80)
				at++;
			continue;
		}
		if (!strncmp(at, "<!--", 4)) {
			at = strstr(at + 4, "--");
			assert_non_null(at);
			assert_int_equal(at[2], '>');
			at += 3;
			continue;
		}
		for (end = name; *end != '>'; end++) {
			assert_int_not_equal(*end, '\0');
			assert_int_not_equal(*end, '<');
			if (*end == '"') {
				assert_int_equal(end[-1], '=');
				end = strchr(end + 1, '"');
				assert_non_null(end);
				assert_true(strchr(" />", end[1]));
			}
		}
		if (*name == '/') {
			assert_true(depth > 0);
			depth--;
			assert_memory_equal(open[depth], name + 1, (size_t)(end - name - 1));
		} else if (end[-1] != '/') {
			assert_true(depth < ARRAY_SIZE(open));
			open[depth++] = name;
		}
		at = end + 1;
	}
	assert_int_equal(depth, 0);
}

static void hostile_names_stay_well_formed(void **state)
{
	static const char *const more[] = {"<script>alert(1)</script>", "a&b\"c'd]]>", "-->",
		"</title></svg>", "&#x26;", "\xef\xbf\xbe", "<![CDATA[", "%s%n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hostile_names) + ARRAY_SIZE(more); i++) {
		const char *name =
			i < ARRAY_SIZE(more) ? more[i] : hostile_names[i - ARRAY_SIZE(more)].bytes;
		_cleanup_(vm_free) struct vm *vm = new_vm(name);
		struct map_picture picture = {.format = PICTURE_SVG, .diff = i % 2};
		struct image image;
		size_t size;
		char *bytes = draw(vm, picture, &size);

		assert_int_equal(strlen(bytes), size);
		check_xml(bytes);
		assert_null(strstr(bytes, "<script"));
		free(bytes);
		picture.format = PICTURE_PNG;
		bytes = draw(vm, picture, &size);
		decode(&image, bytes, size);
		free(image.rgb);
		free(bytes);
		picture.format = PICTURE_TEXT;
		bytes = draw(vm, picture, &size);
		for (char *line = strtok(bytes, "\n"); line; line = strtok(NULL, "\n"))
			assert_null(hostile_complaint(line));
		free(bytes);
	}
}

static void an_svg_says_what_it_shows(void **state)
{
	_cleanup_(vm_free) struct vm *vm = new_vm("db");
	struct map_picture picture = {.format = PICTURE_SVG, .sacred = &first_mib, .n_sacred = 1};
	size_t size;
	_cleanup_free_ char *bytes = draw(vm, picture, &size);

	(void)state;
	assert_non_null(strstr(bytes, "role=\"img\" aria-labelledby=\"vm1-guest-t vm1-guest-d\""));
	assert_non_null(strstr(bytes, "<title id=\"vm1-guest-t\">Page map of db</title>"));
	assert_non_null(strstr(bytes, "type snp, 65M of memory"));
	assert_non_null(strstr(
		bytes, "<title>0x8000-0xffff (32K): shared 32K; 32K must stay private</title>"));
	assert_non_null(strstr(bytes, "<title>0x10000-0x17fff (32K): private 28K, shared 4K;"));
	assert_null(strstr(bytes, "href"));
	assert_null(strstr(bytes, "<style"));
}

/* The most that can differ from its neighbours: every other page, over all of a large VM. */
static void a_checkered_map_is_not_too_large(void **state)
{
	static const enum picture_format formats[] = {PICTURE_SVG, PICTURE_PNG, PICTURE_TEXT};
	_cleanup_(vm_free) struct vm *vm = new_vm("db");
	size_t size;

	(void)state;
	for (uint64_t i = 0; i < 64ull * MIB_PAGES; i += 16)
		set(vm, PLANE_GUEST, i, 8, PAGE_SHARED);
	for (int kind = 0; kind < LAYOUT_KINDS; kind++)
		for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
			free(draw(vm,
				(struct map_picture){
					.format = formats[i], .layout = (enum layout_kind)kind},
				&size));
			assert_true(size < 1 << 20);
		}
}

/* ---- text ---- */

static void text_has_a_row_per_line_and_keeps_to_its_width(void **state)
{
	_cleanup_(vm_free) struct vm *vm = new_vm("db");
	size_t size;
	char *text = draw(vm,
		(struct map_picture){
			.format = PICTURE_TEXT, .width = 81, .sacred = &first_mib, .n_sacred = 1},
		&size);

	(void)state;
	assert_non_null(strstr(text, "\n          0  %%/&........"));
	assert_non_null(strstr(text, " <!\n"));
	assert_non_null(strstr(text, "\n        ...  "));
	assert_non_null(strstr(text, "\n   c0000000  ........"));
	free(text);
	for (unsigned int width = PICTURE_TEXT_MIN; width < 200; width += 7) {
		struct map_picture picture = {.format = PICTURE_TEXT,
			.width = width,
			.layout = width % 2 ? LAYOUT_LINEAR : LAYOUT_HILBERT};

		text = draw(vm, picture, &size);
		for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
			size_t columns = 0;

			if (!strstr(line, "░"))
				continue;
			if (strstr(line, " private "))
				continue;
			for (char *at = line; *at; at++)
				columns += (*at & 0xc0) != 0x80;
			assert_true(columns <= width);
		}
		free(text);
	}
}

/* Two rows of cells share a line where there are colours. */
static void colours_halve_the_lines(void **state)
{
	_cleanup_(vm_free) struct vm *vm = new_vm("db");
	struct map_picture picture = {.format = PICTURE_TEXT, .width = 80, .colour = true};
	size_t size;
	_cleanup_free_ char *text = draw(vm, picture, &size);

	(void)state;
	assert_non_null(strstr(text, "\033[38;5;152;48;5;152m▀"));
	assert_non_null(strstr(text, "\033[0;38;5;152m▀")); /* the last row has none below it */
	assert_null(strstr(text, "░"));
}

/* ---- errors ---- */

static void what_cannot_be_drawn_says_so(void **state)
{
	_cleanup_(vm_free) struct vm *vm = new_vm("db");
	_cleanup_fclose_ FILE *full = fopen("/dev/full", "w");
	const struct style style = {};
	struct map_picture picture = {.format = PICTURE_PNG, .width = PICTURE_WIDTH_MIN - 1};

	(void)state;
	assert_non_null(full);
	setvbuf(full, NULL, _IONBF, 0);
	assert_int_equal(map_write_picture(full, &style, vm, &picture), -EINVAL);
	picture.width = 0;
	assert_int_equal(map_write_picture(full, &style, vm, &picture), -EIO);
	picture.format = PICTURE_SVG;
	assert_int_equal(map_write_picture(full, &style, vm, &picture), -EIO);
	picture.plane = PLANE_HOST;
	vm->host.capable = vm->host.known = false;
	assert_int_equal(map_write_picture(full, &style, vm, &picture), -ENODATA);
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void a_tebibyte_is_drawn(void **state)
{
	_cleanup_(vm_free) struct vm *vm = new_vm("large");

	(void)state;
	for (uint64_t i = 1; i < 512; i++)
		add_slot(vm, i << 24, 1 << 19);
	for (uint64_t i = 0; i < 20000; i++)
		set(vm, PLANE_GUEST, (i % 511 + 1) << 24 | (i * 7919 % (1 << 19)), 3, PAGE_SHARED);
	for (int format = PICTURE_SVG; format <= PICTURE_PNG; format++)
		for (int kind = 0; kind < LAYOUT_KINDS; kind++) {
			double began = now_ms();
			size_t size;

			free(draw(vm,
				(struct map_picture){.format = (enum picture_format)format,
					.layout = (enum layout_kind)kind},
				&size));
			print_message("1 TiB as %s, %s: %.0f ms with the sanitizers, %zu bytes\n",
				format == PICTURE_SVG ? "svg" : "png",
				kind == LAYOUT_LINEAR ? "linear" : "hilbert", now_ms() - began,
				size);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_png_has_the_cells_of_the_map),
		cmocka_unit_test(sacred_ranges_and_memslots_have_borders),
		cmocka_unit_test(a_hilbert_png_follows_the_layout),
		cmocka_unit_test(hostile_names_stay_well_formed),
		cmocka_unit_test(an_svg_says_what_it_shows),
		cmocka_unit_test(a_checkered_map_is_not_too_large),
		cmocka_unit_test(text_has_a_row_per_line_and_keeps_to_its_width),
		cmocka_unit_test(colours_halve_the_lines),
		cmocka_unit_test(what_cannot_be_drawn_says_so),
		cmocka_unit_test(a_tebibyte_is_drawn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
