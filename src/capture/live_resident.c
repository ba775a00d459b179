/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that a VM has twice: guest_memfd has pages of frames (bpf/frames.bpf.c) for which the
 * VMM's own mapping has pages, too (/proc/PID/pagemap). A part of a memslot at a time, in memory of
 * a fixed size. Nothing goes over the ring, which is emptied after each part, so a look loses no
 * records.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "bpf/frames.skel.h"
#include "capture/live_private.h"
#include "capture/resident.h"
#include "frames.h"

#define FRAME_BYTES 4096ull
#define WORD_BITS   64
#define REGIONS     256
#define ENTRIES     512 /* of pagemap, read at once */
#define TRIES       16  /* in a row without getting on: the VMM changes its memslots all the time */

/* include/uapi/linux/fs.h, 6.7 */
#ifndef PAGEMAP_SCAN
#define PAGE_IS_PRESENT (1 << 3)
#define PAGE_IS_SWAPPED (1 << 4)
#define PAGE_IS_PFNZERO (1 << 5)

struct page_region {
	__u64 start;
	__u64 end;
	__u64 categories;
};

struct pm_scan_arg {
	__u64 size;
	__u64 flags;
	__u64 start;
	__u64 end;
	__u64 walk_end;
	__u64 vec;
	__u64 vec_len;
	__u64 max_pages;
	__u64 category_inverted;
	__u64 category_mask;
	__u64 category_anyof_mask;
	__u64 return_mask;
};

#define PAGEMAP_SCAN _IOWR('f', 16, struct pm_scan_arg)
#endif

/* Documentation/admin-guide/mm/pagemap.rst */
#define PAGEMAP_PRESENT (1ull << 63)
#define PAGEMAP_SWAPPED (1ull << 62)

struct resident_reader {
	struct frames *bpf;
	struct kes_frames part;
	__u64 mapped[KES_FRAMES_WORDS]; /* bits as in the part: the VMM has a page there */
	union {
		struct page_region regions[REGIONS];
		__u64 entries[ENTRIES];
	};
};

struct look {
	struct live *live;
	struct resident_reader *reader;
	uint32_t asked; /* the process that is asked for a file of the VM; 0: all are */
	uint32_t pid;   /* whose pagemap is open */
	int pagemap;
	struct resident_look found;
};

static void look_release(struct look *look)
{
	if (look->pagemap >= 0)
		close(look->pagemap);
}

/* ---- load ---- */

int live_resident_load(struct live *live)
{
	struct resident_reader *reader;
	int r;

	if (!live->kernel_has_attributes || live->hooks[LIVE_READING].state < HOOK_STANDBY)
		return -ENOTSUP; /* guest_memfd came with them */
	reader = calloc(1, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	reader->bpf = frames__open();
	r = reader->bpf ? 0 : -errno;
	if (!r) {
		reader->bpf->rodata->has_rdonly_cast = live->rdonly_cast;
		r = frames__load(reader->bpf);
	}
	if (r) {
		frames__destroy(reader->bpf);
		free(reader);
		return r;
	}
	live->resident = reader;
	return 0;
}

void live_resident_free(struct live *live)
{
	if (live->resident)
		frames__destroy(live->resident->bpf);
	free(live->resident);
	live->resident = NULL;
}

bool live_reads_pagemaps(const struct live *live)
{
	return live->resident;
}

/* ---- what guest_memfd has ---- */

/* Runs the iterator up to the VM's file: for that one, it writes a byte. */
static int run_to_file(const struct bpf_link *link)
{
	_cleanup_close_ int fd = bpf_iter_create(bpf_link__fd(link));
	char byte;

	if (fd < 0)
		return -errno;
	return read(fd, &byte, 1) < 0 ? -errno : 0;
}

/* Fills the part, from its gfn on. */
static int ask_kernel(struct look *look)
{
	static const uint32_t zero;
	union bpf_iter_link_info info = {.task.pid = look->asked};
	LIBBPF_OPTS(
		bpf_iter_attach_opts, options, .link_info = &info, .link_info_len = sizeof(info));
	struct resident_reader *reader = look->reader;
	int table = table_fd(reader->bpf->maps.part), r;
	struct bpf_link *link;

	reader->part.state = KES_FRAMES_ASKED;
	reader->part.words = 0;
	memset(reader->part.bits, 0, sizeof(reader->part.bits));
	if (bpf_map_update_elem(table, &zero, &reader->part, BPF_ANY))
		return -errno;
	link = bpf_program__attach_iter(
		reader->bpf->progs.read_frames, look->asked ? &options : NULL);
	if (!link)
		return -errno;
	r = run_to_file(link);
	bpf_link__destroy(link);
	if (!r && bpf_map_lookup_elem(table, &zero, &reader->part))
		r = -errno;
	return r ? r : live_consume(look->live);
}

static int open_pagemap(struct look *look, uint32_t pid)
{
	char path[40];

	look_release(look);
	snprintf(path, sizeof(path), "/proc/%u/pagemap", pid);
	look->pagemap = open(path, O_RDONLY | O_CLOEXEC);
	if (look->pagemap < 0)
		return errno == ENOENT || errno == ESRCH ? -ENOENT : -ENOTSUP;
	look->pid = pid;
	return 0;
}

/* ---- what the VMM's mapping has ---- */

/* The part's bits that belong to its memslot and were not looked at before: [*ret_from, *ret_to).
 */
static void part_limits(
	const struct kes_frames *part, uint64_t gfn, size_t *ret_from, size_t *ret_to)
{
	uint64_t begin = part->pgoff, end = part->pgoff + part->npages;
	uint64_t last = part->first + part->words * WORD_BITS;

	if (gfn > part->base_gfn)
		begin += gfn - part->base_gfn;
	if (begin < part->first)
		begin = part->first;
	if (end > last)
		end = last;
	if (end < begin)
		end = begin;
	*ret_from = begin - part->first;
	*ret_to = end - part->first;
}

/* Where bit 0 is, which may be below the memslot. */
static uint64_t part_address(const struct kes_frames *part)
{
	return part->userspace_addr + (part->first - part->pgoff) * FRAME_BYTES;
}

/* Before 6.7; here the zero page cannot be told from others. */
static int read_mapping(struct look *look, size_t from, size_t to)
{
	struct resident_reader *reader = look->reader;
	uint64_t frame = part_address(&reader->part) / FRAME_BYTES;

	while (from < to) {
		size_t n = to - from < ENTRIES ? to - from : ENTRIES;
		ssize_t bytes = pread(look->pagemap, reader->entries, n * sizeof(__u64),
			(off_t)((frame + from) * sizeof(__u64)));

		if (bytes <= 0)
			return bytes ? -errno : 0; /* nothing is mapped from here on */
		n = (size_t)bytes / sizeof(__u64);
		if (!n)
			return 0;
		for (size_t i = 0; i < n; i++)
			if (reader->entries[i] & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED))
				resident_set_bits(reader->mapped, from + i, from + i + 1);
		from += n;
	}
	return 0;
}

static int scan_mapping(struct look *look, size_t from, size_t to)
{
	struct resident_reader *reader = look->reader;
	uint64_t address = part_address(&reader->part);
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.start = address + from * FRAME_BYTES,
		.end = address + to * FRAME_BYTES,
		.vec = (uintptr_t)reader->regions,
		.vec_len = REGIONS,
		.category_inverted = PAGE_IS_PFNZERO,
		.category_mask = PAGE_IS_PFNZERO,
		.category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
	};

	while (arg.start < arg.end) {
		int n = ioctl(look->pagemap, PAGEMAP_SCAN, &arg);

		if (n < 0)
			return -errno;
		for (int i = 0; i < n; i++)
			resident_set_bits(reader->mapped,
				(reader->regions[i].start - address) / FRAME_BYTES,
				(reader->regions[i].end - address) / FRAME_BYTES);
		if (arg.walk_end <= arg.start)
			break;
		arg.start = arg.walk_end;
	}
	return 0;
}

/* ---- both ---- */

/* GFN is where the part was asked for. */
static int take_part(struct look *look, uint64_t gfn)
{
	struct resident_reader *reader = look->reader;
	const struct kes_frames *part = &reader->part;
	size_t from, to;
	int r;

	if (part->words > KES_FRAMES_WORDS)
		return -EPROTO;
	part_limits(part, gfn, &from, &to);
	memset(reader->mapped, 0, sizeof(reader->mapped));
	r = scan_mapping(look, from, to);
	if (r == -ENOTTY)
		r = read_mapping(look, from, to);
	if (r == -ESRCH)
		return -ENOENT; /* it has no memory any more */
	if (r)
		return -EAGAIN;
	resident_add_both(&look->found, part->base_gfn + part->first - part->pgoff, part->bits,
		reader->mapped, part->words);
	return 0;
}

/* One more part: 0, 1 if there is none. The pagemap is opened first: if its process has the VM's
 * memory afterwards, it is the VMM's, and not that of another one that has got the VMM's pid. */
static int step(struct look *look, unsigned *stuck)
{
	struct kes_frames *part = &look->reader->part;
	uint64_t gfn = part->gfn;
	int r = ask_kernel(look);

	if (r)
		return r;
	if (part->state == KES_FRAMES_ASKED) {
		if (!look->asked)
			return -ENOENT;
		look->asked = 0;
		return 0;
	}
	if (part->state == KES_FRAMES_NONE)
		return -ENOTSUP;
	if (part->state == KES_FRAMES_DONE)
		return 1;
	look->asked = part->pid;
	if (part->pid != look->pid) {
		part->gfn = gfn;
		(*stuck)++;
		return open_pagemap(look, part->pid);
	}
	if (part->state == KES_FRAMES_AGAIN)
		part->gfn = gfn;
	*stuck = part->gfn > gfn ? 0 : *stuck + 1;
	return part->state == KES_FRAMES_PART ? take_part(look, gfn) : 0;
}

static int look_through(struct look *look, const struct kes_vm_slot *slot)
{
	unsigned stuck = 0;
	int r;

	look->reader->part.kvm = slot->kvm;
	look->reader->part.gfn = 0;
	look->asked = slot->pid;
	r = open_pagemap(look, slot->pid);
	if (r == -ENOENT)
		r = 0; /* who else has the VM's memory, is to be found */
	while (!r)
		r = stuck < TRIES ? step(look, &stuck) : -EAGAIN;
	resident_end(&look->found);
	return r == 1 ? 0 : r;
}

int live_read_resident(struct live *live, uint32_t vm, record_fn take, void *context)
{
	_cleanup_(look_release) struct look look = {
		.live = live, .reader = live->resident, .pagemap = -1};
	struct kes_vm_slot slot;
	uint64_t now;
	uint32_t index;
	int r;

	if (!live->resident || !live->own_pids)
		return -ENOTSUP;
	r = live_find_vm(live, vm, &slot, &index);
	if (r)
		return r;
	if (!slot.has_attributes)
		return -ENOTSUP;
	live->take = take;
	live->context = context;
	r = look_through(&look, &slot);
	if (!r)
		r = live_find_vm(live, vm, &slot, &index); /* its end may have come meanwhile */
	if (r)
		return r;
	now = clock_now_ns();
	for (size_t i = 0; i < resident_records(&look.found) && !r; i++) {
		struct kes_record record = resident_record(&look.found, i, vm, now);

		r = take(context, &record, 1);
	}
	return r;
}
