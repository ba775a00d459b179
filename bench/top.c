/* SPDX-License-Identifier: GPL-2.0-only */
/* The live view of 1,000 VMs: what drawing it takes, what an event takes, and what memory it has,
 * beside that of the model; and the page map of one that is torn. */
#include "bench.h"

#include <malloc.h>
#include <time.h>

#include "base/cleanup.h"
#include "kvm_abi.h"
#include "top/top.h"

#define VMS    1000
#define EVENTS 1000000
#define DRAWS  51

struct context {
	struct model *model;
	struct top *top; /* NULL: the model alone */
	uint64_t ts_ns, seq[VMS + 1];
};

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int on_event(void *context, const struct event *event)
{
	struct context *c = context;

	return c->top ? top_event(c->top, event) : 0;
}

static void apply(struct context *c, struct kes_record r)
{
	r.ts_ns = c->ts_ns += 100000;
	r.seq = c->seq[r.vm]++;
	must(!model_apply(c->model, &r, 1), "applying a record");
}

static void add_vms(struct context *c)
{
	for (uint32_t vm = 1; vm <= VMS; vm++) {
		struct kes_record r = {.vm = vm, .kind = KES_VM_NEW, .flags = KES_F_BORN};

		r.vm_new.pid = 1000 + vm;
		r.vm_new.type = KES_VM_SNP;
		memcpy(r.vm_new.comm, "qemu-system", 11);
		apply(c, r);
		r = (struct kes_record){.vm = vm, .kind = KES_MEMSLOT};
		r.memslot.npages = 1 << 22;
		r.memslot.total = 1;
		apply(c, r);
	}
}

/* A request and its answer, of the VMs in turn. */
static double convert(struct context *c)
{
	double start = now_s();

	for (uint32_t i = 0; i < EVENTS; i++) {
		struct kes_record r = {.vm = 1 + i % VMS, .kind = KES_REQUEST};

		r.conversion.gpa = (uint64_t)(i / VMS % 1024) << 12;
		r.conversion.npages = 1;
		r.conversion.attrs = i / VMS / 1024 % 2 ? KES_MAP_GPA_ENCRYPTED : 0;
		apply(c, r);
		r.kind = KES_ANSWER;
		r.conversion.answer.ret = 0;
		r.conversion.answer.request_ns = c->ts_ns;
		apply(c, r);
	}
	return (now_s() - start) / EVENTS * 1e9;
}

static void start(struct context *c, bool with_top)
{
	const struct top_options options = {.interval_ns = 1000000000};
	const struct model_options model = {.on_event = on_event, .context = c};
	const struct style style = {};
	struct error err = {};

	*c = (struct context){};
	must(!model_new(&c->model, &model), "making a model");
	if (with_top) {
		must(!top_new(&c->top, &options, &err), "making the view");
		top_watch(c->top, c->model, &style);
	}
	add_vms(c);
}

/* Figures are taken down anew each time, as after an interval. */
static void draw(struct context *c, const char *name, uint32_t key)
{
	struct cells cells = {};
	double times[DRAWS];

	top_press(c->top, &(struct key_press){.key = key});
	for (int i = 0; i < DRAWS; i++) {
		double begin = now_s();

		top_close_interval(c->top, false);
		must(!cells_resize(&cells, 132, 43), "making cells");
		top_draw(c->top, &cells);
		times[i] = (now_s() - begin) * 1e3;
	}
	figure(name, median(times, DRAWS), "ms");
	cells_free(&cells);
}

/* The map of 8 GiB in two million ranges, on both planes, and with as many changes as are kept; by
 * half blocks, where cells are the most. */
static void draw_map(struct context *c)
{
	struct vm *vm = (struct vm *)top_vm(c->top, 1);
	uint64_t pages = 1 << 21;

	must(vm != NULL, "finding the first VM");
	vm->host.capable = vm->host.known = true;
	for (int plane = 0; plane < PLANES; plane++) {
		struct pagemap *map;

		must(!vm_plane(vm, (enum plane)plane, &map), "making a plane");
		for (uint64_t gfn = 0; gfn < pages; gfn += 2)
			must(!pagemap_set(map, gfn + (uint64_t)plane, 1, PAGE_SHARED),
				"sharing a page");
	}
	top_set_colours(c->top, 256);
	top_press(c->top, &(struct key_press){.key = '1'});
	draw(c, "top.draw_map", '\n');
	draw(c, "top.draw_map_near", '+');
	draw(c, "top.draw_map_diff", 'p');
	draw(c, "top.draw_map_curve", 'H');
	top_set_colours(c->top, 0);
}

int main(void)
{
	struct context c;
	double alone, with;
	size_t before, model_bytes;

	before = mallinfo2().uordblks;
	start(&c, false);
	alone = convert(&c);
	model_bytes = mallinfo2().uordblks - before;
	model_free(&c.model);

	before = mallinfo2().uordblks;
	start(&c, true);
	with = convert(&c);
	figure("top.event", with - alone, "ns");
	draw(&c, "top.draw", '1');
	draw(&c, "top.draw_vm", '\n');
	draw(&c, "top.draw_figures", '\t');
	draw(&c, "top.draw_events", '3');
	figure("top.memory", (double)(mallinfo2().uordblks - before - model_bytes) / 1e6, "MB");
	figure("top.memory_whole", (double)(mallinfo2().uordblks - before) / 1e6, "MB");
	draw_map(&c);
	top_free(&c.top);
	model_free(&c.model);
	return 0;
}
