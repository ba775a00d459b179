/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VM that floods a kvm-encstat which runs: conversions at a given rate, each another page than
 * the one before, through the programs' own code in BPF test runs, onto that process's own ring and
 * into its own tables. What the process makes of them is real, as are KVM's VM and vCPU; no guest
 * runs.
 *
 *   flood PID RATE SECONDS
 *
 * Says "made N" when it is done, and keeps the VM until its stdin ends.
 */
#include <dirent.h>

#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "base/clock.h"
#include "bench.h"
#include "bench/conversion.skel.h"
#include "kvm_abi.h"
#include "vcpu.h"

#define MEMORY   (1ull << 30)
#define PAGES    (MEMORY >> 12)
#define STRIDE   7919 /* prime: far from the one before */
#define PAUSE_US 200

/* ---- the VM ---- */

static void find_vcpu(struct conversion *bpf)
{
	run_iterator(bpf->progs.find_vcpu);
	must(bpf->bss->vcpu_pointer, "the vCPU was not found");
}

/* ---- whose ring ---- */

/* The id of the table behind a descriptor of the process; 0: it is something else. */
static uint32_t table_id(const char *folder, const char *fd)
{
	char path[320], line[128];
	unsigned id = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, fd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file) && sscanf(line, "map_id: %u", &id) != 1)
		;
	if (file)
		fclose(file);
	return id;
}

static void take_table(struct conversion *bpf, uint32_t id)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);
	int fd = bpf_map_get_fd_by_id(id);
	struct bpf_map *map;

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size))
		return; /* it has gone */
	map = bpf_object__find_map_by_name(bpf->obj, info.name);
	if (map && !bpf_map__is_internal(map))
		must(!bpf_map__reuse_fd(map, fd), info.name);
	close(fd);
}

static void take_tables(struct conversion *bpf, const char *pid)
{
	struct dirent *entry;
	char folder[64];
	DIR *descriptors;

	snprintf(folder, sizeof(folder), "/proc/%.16s/fdinfo", pid);
	descriptors = opendir(folder);
	must(descriptors, folder);
	while ((entry = readdir(descriptors))) {
		uint32_t id = table_id(folder, entry->d_name);

		if (id)
			take_table(bpf, id);
	}
	closedir(descriptors);
	must(bpf_map__fd(bpf->maps.ring) >= 0, "that process has no ring");
}

/* ---- the flood ---- */

static void convert(struct conversion *bpf, struct kvm_run *run, uint64_t i)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);

	bpf->bss->gpa = run->hypercall.args[0] = i * STRIDE % PAGES << 12;
	bpf->bss->attrs = run->hypercall.args[2] = i / PAGES % 2 ? KES_MAP_GPA_ENCRYPTED : 0;
	must(!bpf_prog_test_run_opts(bpf_program__fd(bpf->progs.convert_all), &options),
		"BPF_PROG_TEST_RUN");
}

static uint64_t flood(struct conversion *bpf, struct kvm_run *run, double rate, double seconds)
{
	uint64_t start = clock_now_ns(), made = 0;
	double passed;

	while ((passed = (double)(clock_now_ns() - start) / 1e9) < seconds) {
		for (uint64_t due = (uint64_t)(passed * rate); made < due; made++)
			convert(bpf, run, made);
		usleep(PAUSE_US);
	}
	figure("flood.rate", (double)made / passed, "1/s");
	return made;
}

int main(int argc, char **argv)
{
	struct kvm_run *run = make_vcpu(MEMORY);
	struct conversion *bpf = conversion__open();
	uint64_t made;

	must(argc == 4, "flood PID RATE SECONDS");
	must(bpf, "opening the programs");
	take_tables(bpf, argv[1]);
	bpf->rodata->wake_bytes = bpf_map__max_entries(bpf->maps.ring) / 4; /* as live.c */
	bpf->rodata->has_rdonly_cast = getenv("NOCAST") == NULL;
	must(!conversion__load(bpf), "loading the programs");
	bpf->bss->bench_pid = getpid();
	bpf->bss->conversions = 1;
	find_vcpu(bpf);
	made = flood(bpf, run, strtod(argv[2], NULL), strtod(argv[3], NULL));
	printf("made %llu\n", (unsigned long long)made);
	fflush(stdout);
	while (getchar() != EOF)
		;
	conversion__destroy(bpf);
	return EXIT_SUCCESS;
}
