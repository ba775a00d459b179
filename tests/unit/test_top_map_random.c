// SPDX-License-Identifier: GPL-2.0-only
/* The page map of random VMs: what each cell shows against a look at each page, and what keys do to
 * it. */
#include "model/vm.h"
#include "picture/look.h"
#include "top/map.h"
#include "top_bench.h"

static const struct top_options plain = {
	.interval_ns = 100000000, .file = "x", .speed = 1, .ended = true};
static const struct top_options ascii = {
	.interval_ns = 100000000, .file = "x", .speed = 1, .ended = true, .ascii = true};

/* ---- an oracle ---- */

static uint64_t below(uint64_t limit)
{
	return ((uint64_t)random() << 31 | (uint64_t)random()) % limit;
}

#define PAGES 30000

static struct vm *random_vm(struct top_bench *b)
{
	static const struct {
		uint64_t gfn, npages;
	} slots[] = {{0, 160}, {192, 9000}, {9192, 5000}, {20000, 64}, {25003, 3000}};
	struct kes_record r;
	struct vm *vm;

	bench_vm(b, 1, KES_VM_SW_PROTECTED, 10);
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++) {
		r = bench_record(b, 1, KES_MEMSLOT);
		r.memslot = (struct kes_memslot){.gfn = slots[i].gfn,
			.npages = slots[i].npages,
			.slot = (uint32_t)i,
			.index = (uint32_t)i,
			.total = ARRAY_SIZE(slots),
			.generation = 2};
		bench_apply(b, r);
	}
	bench_time(b, 1000000000);
	vm = (struct vm *)top_vm(b->top, 1);
	assert_non_null(vm);
	assert_int_equal(vm->n_memslots, ARRAY_SIZE(slots));
	vm->host.capable = vm->host.known = true;
	for (int i = random() % 300; i > 0; i--) {
		enum plane plane = random() % 2;
		struct pagemap *map;

		assert_int_equal(vm_plane(vm, plane, &map), 0);
		assert_int_equal(pagemap_set(map, below(PAGES), 1 + below(random() % 4 ? 9 : 3000),
					 random() % PAGE_STATES),
			0);
	}
	return vm;
}

static bool in_slot(const struct vm *vm, uint64_t gfn)
{
	for (size_t i = 0; i < vm->n_memslots; i++)
		if (gfn - vm->memslots[i].gfn < vm->memslots[i].npages)
			return true;
	return false;
}

static enum page_state state_at(const struct vm *vm, enum plane plane, uint64_t gfn)
{
	return vm->planes[plane] ? pagemap_get(vm->planes[plane], gfn)
				 : vm_initial_state(vm, plane);
}

/* Page by page. */
static void look(const struct vm *vm, uint64_t gfn, uint64_t npages, struct layout_cell *cell)
{
	static const enum accord pairs[PAGE_STATES][PAGE_STATES] = {
		[PAGE_PRIVATE] = {ACCORD_PRIVATE, ACCORD_HOST_SHARED, ACCORD_UNKNOWN},
		[PAGE_SHARED] = {ACCORD_HOST_PRIVATE, ACCORD_SHARED, ACCORD_UNKNOWN},
		[PAGE_UNKNOWN] = {ACCORD_UNKNOWN, ACCORD_UNKNOWN, ACCORD_UNKNOWN},
	};
	enum page_state guest0 = vm_initial_state(vm, PLANE_GUEST);
	enum page_state host0 = vm_initial_state(vm, PLANE_HOST);

	for (int i = 0; i < 3; i++)
		cell[i] = (struct layout_cell){};
	for (; npages; gfn++, npages--) {
		enum page_state guest = state_at(vm, PLANE_GUEST, gfn);
		enum page_state host = state_at(vm, PLANE_HOST, gfn);
		bool memory = in_slot(vm, gfn), sacred;

		sacred = memory && (gfn < 0xa0 || (gfn >= 0xc0 && gfn < 0x100));
		cell[0].counts[guest] += memory || guest != guest0;
		cell[1].counts[host] += memory || host != host0;
		cell[2].accords[pairs[guest][host]] += memory || guest != guest0 || host != host0;
		for (int i = 0; i < 3; i++)
			cell[i].sacred += sacred;
		/* "memory" keeps those that are sacred and shared all the same */
		cell[0].memory += sacred && guest == PAGE_SHARED;
		cell[1].memory += sacred && host == PAGE_SHARED;
	}
}

static char sign_of(const struct layout_cell *cell, bool diff)
{
	enum look is = look_of(cell, diff);

	if (cell->memory && !diff)
		return '!';
	if (cell->sacred && is == LOOK_PRIVATE)
		return ':';
	return look_styles[is].ascii[0];
}

static uint64_t bytes_of(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 10);

	return n << (*end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0);
}

/* Each sign of the picture, by the address that is written beside its row and the size of a cell
 * that is said above. */
static unsigned int check_picture(
	struct top_bench *b, const struct vm *vm, enum map_plane plane, int width, int height)
{
	_cleanup_free_ char *text = bench_draw(b, width, height, false);
	const char *said = strstr(text, "cell ");
	unsigned int checked = 0;
	uint64_t cell_bytes;
	char *line, *rest = text;

	assert_non_null(said);
	cell_bytes = bytes_of(said + strlen("cell "));
	assert_true(cell_bytes >= 4096);
	while ((line = strsep(&rest, "\n"))) {
		char *end, *label = line + strspn(line, " ");
		uint64_t address = strtoull(label, &end, 16);
		struct layout_cell cells[3];

		/* addresses end where the cells begin */
		if (end == label || end - line != 7 || *end != ' ')
			continue;
		for (int i = 0; i < 64; i++) {
			uint64_t gfn = (address + (uint64_t)i * cell_bytes) >> 12;
			size_t at = 8 + (size_t)i;
			char got = at < strlen(line) ? line[at] : ' ';

			look(vm, gfn, cell_bytes >> 12, cells);
			if (got != sign_of(&cells[plane], plane == MAP_DIFF))
				fail_msg("at gfn %llu: %c, not %c; of\n%s", (unsigned long long)gfn,
					got, sign_of(&cells[plane], plane == MAP_DIFF), line);
			checked++;
		}
	}
	return checked;
}

/* ---- the same of half blocks ---- */

static enum role role_of(const struct layout_cell *cell, bool diff)
{
	enum look is = look_of(cell, diff);

	if (cell->memory && !diff)
		return ROLE_MAP_BROKEN;
	if (cell->sacred && (is == LOOK_PRIVATE || is == LOOK_BOTH_PRIVATE))
		return ROLE_MAP_SACRED;
	return (enum role)(ROLE_MAP_NONE + is);
}

/* The colours of the upper and the lower half of a cell; false: it is a memslot's border, with one
 * colour behind. */
static bool halves_of(const struct cell *cell, enum role ret[2])
{
	ret[0] = cell->code == 0x2580 ? cell->role : ROLE_MAP_NONE;
	ret[1] = cell->code == 0x2584 ? cell->role
		 : cell->code == ' '  ? ROLE_MAP_NONE
				      : cell->ground;
	return cell->code != 0x258f;
}

static void check_half(
	enum role got, const struct vm *vm, enum map_plane plane, uint64_t gfn, uint64_t npages)
{
	struct layout_cell cells[3];

	look(vm, gfn, npages, cells);
	if (got != ROLE_MAP_CURSOR && got != role_of(&cells[plane], plane == MAP_DIFF))
		fail_msg("at gfn %llu: role %d, not %d", (unsigned long long)gfn, got,
			role_of(&cells[plane], plane == MAP_DIFF));
}

/* Rows with their address; a lower half is checked where it is drawn: at a segment's end there may
 * be none. */
static unsigned int check_halves(struct top_bench *b, const struct vm *vm, enum map_plane plane)
{
	_cleanup_free_ char *text = bench_draw(b, 80, 24, false);
	const char *said = strstr(text, "cell ");
	uint64_t pages;
	unsigned int checked = 0;

	assert_non_null(said);
	pages = bytes_of(said + strlen("cell ")) >> 12;
	for (int y = 5; y < 17; y++) {
		const struct cell *row = &b->cells.cells[y * b->cells.width];
		char label[8] = {};
		uint64_t gfn;
		char *end;

		for (int x = 0; x < 7; x++)
			label[x] = (char)row[x].code;
		gfn = strtoull(label, &end, 16) >> 12;
		if (*end || end == label)
			continue;
		for (int i = 0; i < 64; i++) {
			uint64_t at = gfn + (uint64_t)i * pages;
			enum role halves[2];
			bool lower;

			if (!halves_of(&row[8 + i], halves))
				halves[0] = halves[1];
			lower = halves[1] != ROLE_MAP_NONE;
			check_half(halves[0], vm, plane, at, pages);
			if (lower)
				check_half(halves[1], vm, plane, at + 64 * pages, pages);
			checked += 1 + lower;
		}
	}
	return checked;
}

static void test_halves_are_what_pages_are(void **state)
{
	static const char keys[] = "+++--hjklnnNNp0 b";
	unsigned int checked = 0;

	(void)state;
	for (unsigned int seed = 50; seed < 58; seed++) {
		enum map_plane plane = MAP_GUEST;
		struct top_bench b;
		struct vm *vm;

		srandom(seed);
		bench_start(&b, &plain);
		top_set_colours(b.top, 256);
		vm = random_vm(&b);
		free(bench_draw(&b, 80, 24, false));
		bench_press(&b, "\n");
		for (int i = 0; i < 60; i++) {
			char key[2] = {keys[random() % (sizeof(keys) - 1)], 0};

			free(bench_draw(&b, 80, 24, false));
			bench_press(&b, key);
			plane = *key == 'p' ? (plane + 1) % MAP_PLANES : plane;
			checked += check_halves(&b, vm, plane);
		}
		bench_stop(&b);
	}
	assert_true(checked > 50000);
}

/* What is written of the cursor's cell. */
static void check_cursor(struct top_bench *b, const struct vm *vm, enum map_plane plane)
{
	_cleanup_free_ char *text = bench_draw(b, 132, 43, false);
	static const char *const states[] = {"private ", "shared ", "unknown "};
	const char *said = strstr(text, "[0x");
	unsigned long long from, end;
	struct layout_cell cells[3];
	char line[200];

	assert_non_null(said);
	assert_int_equal(sscanf(said, "[0x%llx, 0x%llx)", &from, &end), 2);
	look(vm, from >> 12, (end - from) >> 12, cells);
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(said, "\n"), said);
	if (plane == MAP_DIFF || end - from == 4096)
		return;
	for (int i = 0; i < PAGE_STATES; i++) {
		uint64_t n = cells[plane].counts[i];
		const char *at = strstr(line, states[i]);

		if (!at && n)
			fail_msg("%s: there are %llu %s", line, (unsigned long long)n, states[i]);
		if (n)
			assert_int_equal(strtoull(at + strlen(states[i]), NULL, 10), n);
	}
}

static void test_cells_are_what_pages_are(void **state)
{
	static const char keys[] = "+++--hjklhjklnnNNp0 b";
	unsigned int checked = 0;

	(void)state;
	for (unsigned int seed = 0; seed < 12; seed++) {
		enum map_plane plane = MAP_GUEST;
		struct top_bench b;
		struct vm *vm;

		srandom(seed);
		bench_start(&b, &ascii);
		vm = random_vm(&b);
		free(bench_draw(&b, 80, 24, false));
		bench_press(&b, "\n");
		free(bench_draw(&b, 80, 24, false));
		for (int i = 0; i < 60; i++) {
			char key[2] = {keys[random() % (sizeof(keys) - 1)], 0};

			bench_press(&b, key);
			plane = *key == 'p' ? (plane + 1) % MAP_PLANES : plane;
			if (random() % 8 == 0) {
				char jump[32];

				snprintf(jump, sizeof(jump), "ggfn %u\n",
					(unsigned int)below(14000));
				bench_press(&b, jump);
			}
			if (i % 3)
				continue;
			if (random() % 2)
				checked += check_picture(&b, vm, plane, 80, 24);
			else
				checked += check_picture(&b, vm, plane, 132, 43);
			check_cursor(&b, vm, plane);
		}
		bench_stop(&b);
	}
	assert_true(checked > 50000);
}

/* ---- the next range ---- */

static bool is_worth(const struct vm *vm, enum map_plane plane, uint64_t gfn)
{
	struct layout_cell cells[3];

	look(vm, gfn, 1, cells);
	return plane == MAP_DIFF
		       ? cells[2].accords[ACCORD_HOST_SHARED] +
				 cells[2].accords[ACCORD_HOST_PRIVATE]
		       : cells[plane].counts[PAGE_SHARED] + cells[plane].counts[PAGE_UNKNOWN];
}

static uint64_t naive_seek(
	const struct vm *vm, enum map_plane plane, struct layout_range from, bool forward)
{
	if (forward) {
		uint64_t gfn = from.gfn + from.npages;

		if (is_worth(vm, plane, gfn - 1))
			while (gfn < PAGES + 4000 && is_worth(vm, plane, gfn))
				gfn++;
		for (; gfn < PAGES + 4000; gfn++)
			if (is_worth(vm, plane, gfn))
				return gfn;
		return UINT64_MAX;
	}
	for (uint64_t gfn = from.gfn; gfn-- > 0;)
		if (is_worth(vm, plane, gfn)) {
			while (gfn && is_worth(vm, plane, gfn - 1))
				gfn--;
			return gfn;
		}
	return UINT64_MAX;
}

static void test_next_range(void **state)
{
	(void)state;
	for (unsigned int seed = 0; seed < 12; seed++) {
		struct map_room room = {64, 20, false};
		struct map map = {.near = true};
		struct top_bench b;
		struct vm *vm;

		srandom(100 + seed);
		bench_start(&b, &plain);
		vm = random_vm(&b);
		for (int i = 0; i < 150; i++) {
			bool forward = random() % 2;
			struct layout_range at;
			uint64_t want, before;

			map.plane = random() % MAP_PLANES;
			map.kind = random() % LAYOUT_KINDS;
			map.shift = (unsigned int)below(5);
			map.near = true;
			map.cursor = below(14000);
			assert_int_equal(map_fit(&map, vm, &room, NULL, 0), 0);
			at = layout_range(map.layout, map_cursor_cell(&map));
			want = naive_seek(vm, map.plane, at, forward);
			before = map.cursor;
			assert_int_equal(map_seek(&map, vm, forward), want != UINT64_MAX);
			assert_int_equal(map.cursor, want == UINT64_MAX ? before : want);
		}
		map_free(&map);
		bench_stop(&b);
	}
}

/* ---- what is in sight ---- */

/* Whatever is pressed, the cursor stays on a cell, and that cell in sight. */
static void test_cursor_stays_in_sight(void **state)
{
	static const enum command_id commands[] = {DO_UP, DO_DOWN, DO_LEFT, DO_RIGHT, DO_PAGE_UP,
		DO_PAGE_DOWN, DO_FIRST, DO_LAST, DO_ZOOM_IN, DO_ZOOM_IN, DO_ZOOM_OUT, DO_ZOOM_ALL,
		DO_LAYOUT};
	struct top_bench b;
	struct map map = {};
	struct vm *vm;

	(void)state;
	srandom(7);
	bench_start(&b, &plain);
	vm = random_vm(&b);
	for (int i = 0; i < 2000; i++) {
		struct map_room room = {
			1 + (unsigned int)below(100), 1 + (unsigned int)below(40), random() % 2};
		unsigned int rows = room.halves ? 2 : 1, column, row;
		bool seen = false;
		uint64_t cell;

		assert_int_equal(map_fit(&map, vm, &room, NULL, 0), 0);
		cell = map_cursor_cell(&map);
		assert_true(cell < map.layout->cells);
		layout_place(map.layout, cell, &column, &row);
		for (unsigned int line = 0; line < room.lines; line++) {
			struct map_line at = map_line(&map, line);

			assert_true(at.rows <= rows);
			seen |= at.rows && row >= at.row && row < at.row + at.rows;
		}
		assert_true(seen);
		if (map.kind == LAYOUT_HILBERT)
			assert_in_range(column, map.first, map.first + room.columns - 1);
		map_command(&map, commands[below(ARRAY_SIZE(commands))]);
	}
	map_free(&map);
	bench_stop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cells_are_what_pages_are),
		cmocka_unit_test(test_halves_are_what_pages_are),
		cmocka_unit_test(test_next_range),
		cmocka_unit_test(test_cursor_stays_in_sight),
	};

	return cmocka_run_group_tests_name("top_map_random", tests, NULL, NULL);
}
