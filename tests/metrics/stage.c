/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A daemon without a kernel: the real socket, model, detectors and metrics, over records that the
 * commands on standard input make. Its time is its own, so that a storm and the quiet after it take
 * none.
 *
 *   stage SOCKET
 *     storm VM      conversions until that is a finding
 *     quiet         and none for as long as it takes the finding to end
 *     names         a VM for each hostile name; prints what their labels should be, as JSON
 *     many N        N VMs as large hosts have them
 *     end VM
 * Each command is answered with "ok".
 */
#include <linux/types.h>
#include <systemd/sd-event.h>

#include "../unit/hostile_names.h"
#include "base/cleanup.h"
#include "base/escape.h"
#include "kvm_abi.h"
#include "many.h"
#include "metrics/metrics.h"
#include "service/server.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#define NAMES_FIRST 100 /* id of the first VM that `names` makes */
#define MANY_FIRST  256 /* that `many` makes */
#define MANY_MAX    10000
#define VMS         (MANY_FIRST + MANY_MAX)

struct stage {
	struct model *model;
	struct detect *detect;
	struct metrics *metrics;
	struct server *server;
	sd_event *loop;
	uint64_t now_ns, seq[VMS];
};

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "stage: %s failed\n", what);
	exit(EXIT_FAILURE);
}

/* ---- what the daemon does ---- */

static int on_event(void *context, const struct event *event)
{
	struct stage *stage = context;
	int r = metrics_event(stage->metrics, event);

	server_event(stage->server, event);
	return r ? r : detect_event(stage->detect, event);
}

static int on_finding(void *context, const struct finding *finding, enum finding_phase phase)
{
	struct stage *stage = context;

	metrics_finding(stage->metrics, finding, phase);
	server_finding(stage->server, finding, phase);
	return 0;
}

static int write_metrics(void *context, bool plain, char **ret, size_t *ret_size)
{
	const struct metrics_view view = {};
	struct stage *stage = context;

	return metrics_write(
		stage->metrics, &view, plain ? METRICS_TEXT : METRICS_OPENMETRICS, ret, ret_size);
}

/* ---- records ---- */

static void add(void *context, uint32_t vm, struct kes_record r)
{
	struct stage *stage = context;

	r.ts_ns = stage->now_ns += 1000;
	r.vm = vm;
	if (r.kind < KES_LOSS)
		r.seq = stage->seq[vm]++;
	must(!model_apply(stage->model, &r, 1), "model_apply");
	server_records(stage->server, &r, 1);
}

static void add_vm(struct stage *stage, uint32_t vm, const char *name)
{
	struct kes_record r = {.kind = KES_VM_NEW, .flags = KES_F_BORN};
	size_t total = strlen(name);

	r.vm_new.type = KES_VM_SNP;
	r.vm_new.pid = 1000 + vm;
	add(stage, vm, r);
	add(stage, vm,
		(struct kes_record){
			.kind = KES_MEMSLOT, .memslot = {.npages = 1 << 18, .total = 1}});
	for (size_t at = 0; at < total; at += KES_TEXT_PIECE) {
		size_t size = total - at < KES_TEXT_PIECE ? total - at : KES_TEXT_PIECE;

		r = (struct kes_record){.kind = KES_TEXT, .seq = at};
		r.text.about = KES_TEXT_NAME;
		r.text.size = (uint8_t)size;
		r.text.total = (uint16_t)total & 0x7fff;
		memcpy(r.text.bytes, name + at, size);
		add(stage, vm, r);
	}
}

static void convert(struct stage *stage, uint32_t vm, uint64_t gfn, bool to_private)
{
	struct kes_record r = {.kind = KES_REQUEST};

	r.conversion.gpa = gfn << 12;
	r.conversion.npages = 1;
	r.conversion.attrs = to_private ? KES_MAP_GPA_ENCRYPTED : 0;
	add(stage, vm, r);
	r.kind = KES_ANSWER;
	r.conversion.answer.ret = 0;
	r.conversion.answer.request_ns = stage->now_ns;
	add(stage, vm, r);
}

static void pass_second(struct stage *stage)
{
	stage->now_ns += SECOND_NS;
	add(stage, 0, (struct kes_record){.kind = KES_TIME});
}

/* ---- commands ---- */

static void storm(struct stage *stage, uint32_t vm)
{
	if (!stage->seq[vm])
		add_vm(stage, vm, "storm");
	for (uint64_t i = 0; i < 200000; i++)
		convert(stage, vm, i / 2, i % 2);
	pass_second(stage);
}

static void names(struct stage *stage)
{
	for (size_t i = 0; i < ARRAY_SIZE(hostile_names); i++) {
		char shown[128 + 1];
		json_object *label;

		add_vm(stage, (uint32_t)(NAMES_FIRST + i), hostile_names[i].bytes);
		label = json_object_new_string(
			escape(hostile_names[i].bytes, shown, sizeof(shown)));
		puts(json_object_to_json_string_ext(label, JSON_C_TO_STRING_PLAIN));
		json_object_put(label);
	}
}

static int on_input(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct stage *stage = context;
	char line[64];
	uint32_t vm = 0, n = 0;

	(void)source;
	(void)events;
	(void)fd;
	if (!fgets(line, sizeof(line), stdin))
		return sd_event_exit(stage->loop, 0);
	if (sscanf(line, "storm %u", &vm) == 1 && vm < NAMES_FIRST)
		storm(stage, vm);
	else if (sscanf(line, "many %u", &n) == 1 && n <= MANY_MAX)
		for (vm = MANY_FIRST; vm < MANY_FIRST + n; vm++)
			many_vm(add, stage, vm, &stage->now_ns);
	else if (sscanf(line, "end %u", &vm) == 1 && vm < VMS)
		add(stage, vm, (struct kes_record){.kind = KES_VM_END});
	else if (!strcmp(line, "quiet\n"))
		for (int i = 0; i < 120; i++)
			pass_second(stage);
	else if (!strcmp(line, "names\n"))
		names(stage);
	else
		must(false, line);
	puts("ok");
	fflush(stdout);
	return 0;
}

static void start(struct stage *stage, struct settings *settings, const char *path)
{
	static const struct metrics_options wanted = {METRICS_FULL, 1000, METRICS_REPLY_MAX};
	struct model_options model = {.on_event = on_event, .context = stage};
	struct detect_options detect = {
		.settings = settings, .on_finding = on_finding, .context = stage, .keep = true};
	struct server_options server = {.path = path, .listen_fd = -1, .group = (gid_t)-1};
	struct error err = {};
	static struct style style;
	static struct server_view view;

	must(!metrics_new(&stage->metrics, &wanted), "metrics_new");
	must(!model_new(&stage->model, &model), "model_new");
	must(!detect_new(&stage->detect, &detect), "detect_new");
	detect_watch(stage->detect, stage->model);
	must(!metrics_watch(stage->metrics, stage->model, stage->detect), "metrics_watch");
	must(sd_event_default(&stage->loop) >= 0, "sd_event_default");
	view = (struct server_view){.model = stage->model,
		.detect = stage->detect,
		.style = &style,
		.metrics = write_metrics,
		.context = stage};
	server.event = stage->loop;
	must(!server_new(&stage->server, &server, &view, &err), err.text);
}

int main(int argc, char **argv)
{
	static struct stage stage = {.now_ns = SECOND_NS};
	struct settings *settings;

	must(argc == 2 && !settings_new(&settings), "starting");
	setvbuf(stdin, NULL, _IONBF, 0); /* what waits is seen by poll() */
	start(&stage, settings, argv[1]);
	must(sd_event_add_io(stage.loop, NULL, STDIN_FILENO, EPOLLIN, on_input, &stage) >= 0,
		"sd_event_add_io");
	puts("ok");
	fflush(stdout);
	sd_event_loop(stage.loop);
	server_free(&stage.server);
	detect_free(&stage.detect);
	metrics_free(&stage.metrics);
	model_free(&stage.model);
	settings_free(&settings);
	sd_event_unref(stage.loop);
	return 0;
}
