// SPDX-License-Identifier: GPL-2.0-only
/* The pictures of the live view in docs/ are what it shows of captures; KES_UPDATE=1 draws them
 * anew. */
#include "top_bench.h"
#include "top_shot.h"

static const struct {
	const char *path, *capture, *keys, *title;
	uint64_t interval_ns;
	int width, height;
} shots[] = {
	{"docs/top.svg", "two-vms", "", "kvm-encstat top: three VMs", 100000000, 110, 12},
	{"docs/top-map.svg", "two-vms", "\ng2069000\n", "kvm-encstat top: the page map of a VM",
		10000000, 132, 34},
};

static void test_pictures_are_what_is_shown(void **state)
{
	struct top_options options = {.file = "x", .speed = 1, .ended = true};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(shots); i++) {
		_cleanup_free_ char *got = NULL, *want = bench_read(shots[i].path);
		struct top_bench b;
		size_t size = 0;
		FILE *out;

		options.interval_ns = shots[i].interval_ns;
		bench_start(&b, &options);
		top_set_colours(b.top, 256);
		bench_capture(&b, shots[i].capture);
		free(bench_draw(&b, shots[i].width, shots[i].height, false));
		for (const char *key = shots[i].keys; *key; key++) {
			bench_press(&b, (char[]){*key, '\0'});
			free(bench_draw(&b, shots[i].width, shots[i].height, false));
		}
		out = open_memstream(&got, &size);
		assert_non_null(out);
		shot_write(out, &b.cells, shots[i].title);
		fclose(out);
		bench_stop(&b);
		if (getenv("KES_UPDATE")) {
			out = fopen(shots[i].path, "w");
			assert_non_null(out);
			fputs(got, out);
			fclose(out);
		} else if (strcmp(got, want)) {
			fail_msg("%s is not what top shows", shots[i].path);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pictures_are_what_is_shown),
	};

	return cmocka_run_group_tests_name("top_shot", tests, NULL, NULL);
}
