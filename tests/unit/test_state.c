/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * State that was saved and loaded again goes on as if nothing had happened: all that is printed is
 * the same, byte for byte, as by who was never saved. On captures of real guests and on random
 * records; and bytes that are not quite a state are refused, or are one that works.
 */
#include "detect_bench.h"

#include <dirent.h>
#include <errno.h>

#include "capture/file_reader.h"
#include "detect/detect_private.h"
#include "detect/state.h"
#include "model/state.h"
#include "output/findings.h"

static struct settings *settings;

/* ---- one run over records ---- */

struct run {
	struct model *model;
	struct detect *detect;
	FILE *out; /* all that is printed */
	char *text;
	size_t size;
};

static int on_event(void *context, const struct event *event)
{
	struct run *run = context;

	event_write_json(run->out, event);
	return detect_event(run->detect, event);
}

static int on_finding(void *context, const struct finding *finding, enum finding_phase phase)
{
	struct run *run = context;

	finding_event_json(run->out, finding, phase);
	return 0;
}

static struct model_options model_options(struct run *run)
{
	return (struct model_options){.on_event = on_event, .context = run, .max_ended = 2};
}

static struct detect_options detect_options(struct run *run)
{
	return (struct detect_options){
		.settings = settings, .on_finding = on_finding, .context = run, .keep = true};
}

static void run_start(struct run *run)
{
	struct detect_options detect = detect_options(run);
	struct model_options model = model_options(run);

	*run = (struct run){};
	run->out = open_memstream(&run->text, &run->size);
	assert_non_null(run->out);
	assert_int_equal(model_new(&run->model, &model), 0);
	assert_int_equal(detect_new(&run->detect, &detect), 0);
	detect_watch(run->detect, run->model);
}

static void run_drop(struct run *run)
{
	detect_free(&run->detect);
	model_free(&run->model);
}

static void run_end(struct run *run)
{
	run_drop(run);
	fclose(run->out);
	free(run->text);
}

static void save(const struct run *run, struct buffer *model, struct buffer *detect)
{
	assert_int_equal(model_save(run->model, model), 0);
	assert_int_equal(detect_save(run->detect, detect), 0);
}

/* Into a run that has nothing. */
static int load(
	struct run *run, const struct buffer *model, const struct buffer *detect, struct error *err)
{
	struct detect_options detect_with = detect_options(run);
	struct model_options model_with = model_options(run);
	int r = model_load(&run->model, &model_with, model->bytes, model->size, err);

	if (r)
		return r;
	assert_int_equal(detect_new(&run->detect, &detect_with), 0);
	detect_watch(run->detect, run->model);
	return detect_load(run->detect, detect->bytes, detect->size, DETECT_LOAD_SAME, err);
}

/* ---- field by field ---- */

static void same_list(const void *a, size_t n_a, const void *b, size_t n_b, size_t entry)
{
	assert_int_equal(n_a, n_b);
	if (n_a)
		assert_memory_equal(a, b, n_a * entry);
}

/* The struct itself, without what it points to and what is behind the end of its arrays. */
static void strip(struct vm *vm)
{
	struct host_plane *host = &vm->host;

	memset(vm->planes, 0, sizeof(vm->planes));
	for (size_t i = 0; i < KES_TEXT_MAX; i++)
		memset(vm->text[i] + vm->text_size[i], 0, sizeof(vm->text[i]) - vm->text_size[i]);
	memset(host->changes + host->n_changes, 0,
		(HOST_MAX_CHANGES - host->n_changes) * sizeof(*host->changes));
	host->reading.map = NULL;
	host->reading.settled = NULL;
	memset(vm->left.ranges + vm->left.n, 0,
		(VM_LEFT_SHARED - vm->left.n) * sizeof(*vm->left.ranges));
	vm->disputes.list = NULL;
	vm->disputes.size = 0;
	vm->memslots = vm->snapshot = NULL;
	vm->requests = NULL;
	vm->described = false; /* not saved */
}

/* One by one: they have holes, which may hold anything. */
static void same_disputes(const struct disputes *a, const struct disputes *b)
{
	assert_int_equal(a->n, b->n);
	for (size_t i = 0; i < a->n; i++) {
		const struct dispute *x = &a->list[i], *y = &b->list[i];

		assert_int_equal(x->gfn, y->gfn);
		assert_int_equal(x->npages, y->npages);
		assert_int_equal(x->mover.ts_ns, y->mover.ts_ns);
		assert_int_equal(x->mover.plane, y->mover.plane);
		assert_int_equal(x->mover.actor, y->mover.actor);
		assert_int_equal(x->mover.reset, y->mover.reset);
		assert_int_equal(x->mover.found, y->mover.found);
	}
}

static void same_vm(const struct vm *a, const struct vm *b)
{
	static struct vm x, y; /* large */

	same_list(a->memslots, a->n_memslots, b->memslots, b->n_memslots, sizeof(*a->memslots));
	same_list(a->snapshot, a->n_snapshot, b->snapshot, b->n_snapshot, sizeof(*a->snapshot));
	same_list(a->requests, a->n_requests, b->requests, b->n_requests, sizeof(*a->requests));
	same_disputes(&a->disputes, &b->disputes);
	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	strip(&x);
	strip(&y);
	assert_memory_equal(&x, &y, sizeof(x));
}

static void same_watch(const struct watch *a, const struct watch *b)
{
	assert_int_equal(a->now_ns, b->now_ns);
	assert_int_equal(a->first_ns, b->first_ns);
	assert_int_equal(a->guest_ns, b->guest_ns);
	assert_int_equal(a->reset_ns, b->reset_ns);
	assert_int_equal(a->memslot, b->memslot);
	assert_int_equal(a->awaited, b->awaited);
	assert_int_equal(a->enabled, b->enabled);
	assert_int_equal(a->ended, b->ended);
	assert_int_equal(a->finished, b->finished);
	assert_int_equal(a->kept, b->kept);
	assert_memory_equal(a->numbers, b->numbers, sizeof(a->numbers));
	for (int i = 0; i < FINDING_KINDS; i++) {
		/* These have lists, whose rest is what it was; their effects are compared. */
		if (i == FINDING_OUTSIDE || i == FINDING_UNSOLICITED || i == FINDING_AGAIN)
			continue;
		if (!a->vm && i != FINDING_LOSS && i != FINDING_BLIND)
			continue; /* of the host, for which they do nothing */
		assert_memory_equal(watch_state(a, (enum finding_kind)i),
			watch_state(b, (enum finding_kind)i), detectors[i]->state_size);
	}
}

static void same_run(const struct run *a, const struct run *b)
{
	struct model_totals x, y;

	model_totals(a->model, &x);
	model_totals(b->model, &y);
	assert_memory_equal(&x, &y, sizeof(x));
	assert_int_equal(model_now(a->model), model_now(b->model));
	assert_int_equal(model_vm_count(a->model), model_vm_count(b->model));
	for (size_t i = 0; i < model_vm_count(a->model); i++)
		same_vm(model_vm(a->model, i), model_vm(b->model, i));
	assert_int_equal(a->detect->conversions, b->detect->conversions);
	assert_int_equal(a->detect->dropped, b->detect->dropped);
	assert_int_equal(a->detect->next_tick_ns, b->detect->next_tick_ns);
	same_watch(&a->detect->host, &b->detect->host);
	assert_int_equal(a->detect->n_watches, b->detect->n_watches);
	for (size_t i = 0; i < a->detect->n_watches; i++)
		same_watch(a->detect->watches[i], b->detect->watches[i]);
}

/* Another life; what is saved of it is what was saved before. */
static void reload(struct run *run)
{
	_cleanup_buffer_ struct buffer model = {}, detect = {}, model_then = {}, detect_then = {};
	struct error err = {};

	struct run before = *run;

	save(run, &model, &detect);
	if (load(run, &model, &detect, &err))
		fail_msg("%s", err.text);
	same_run(&before, run);
	run_drop(&before);
	save(run, &model_then, &detect_then);
	assert_int_equal(model_then.size, model.size);
	assert_memory_equal(model_then.bytes, model.bytes, model.size);
	assert_int_equal(detect_then.size, detect.size);
	assert_memory_equal(detect_then.bytes, detect.bytes, detect.size);
}

static void print_vm(struct run *run, const struct vm *vm)
{
	const struct style style = {.ascii = true};

	for (int plane = 0; plane < PLANES; plane++) {
		map_write_json(run->out, vm, (enum plane)plane);
		map_write_text(run->out, &style, vm, (enum plane)plane);
		if (vm->planes[plane])
			assert_int_equal(pagemap_validate(vm->planes[plane]), 0);
	}
	diff_write_json(run->out, vm);
}

static void print_findings(struct run *run)
{
	const struct finding *const *list;
	size_t n;

	list = detect_findings(run->detect, &n);
	for (size_t i = 0; i < n; i++)
		finding_explain_json(run->out, list[i]);
	fprintf(run->out, "%llu dropped\n", (unsigned long long)detect_dropped(run->detect));
}

static void print_all(struct run *run)
{
	const struct list_options json = {.all = true, .json = true}, text = {.all = true};
	struct model_totals totals;

	model_totals(run->model, &totals);
	fprintf(run->out, "%llu records, %llu lost, %llu forgotten, next reading %u\n",
		(unsigned long long)totals.records, (unsigned long long)totals.lost,
		(unsigned long long)totals.forgotten, model_next_reading(run->model, 0, false));
	list_write(run->out, run->model, &json);
	list_write(run->out, run->model, &text);
	for (size_t i = 0; i < model_vm_count(run->model); i++)
		print_vm(run, model_vm(run->model, i));
	print_findings(run);
	fflush(run->out);
}

/* All records, but for every one of `often` the run is saved and loaded; 0: it never is. */
static void run_over(struct run *run, const struct kes_record *records, size_t n, size_t often)
{
	run_start(run);
	for (size_t i = 0; i < n; i++) {
		if (often && i % often == 0)
			reload(run);
		assert_int_equal(model_apply(run->model, &records[i], 1), 0);
		if (i % (n / 8 + 1) == 0)
			print_all(run);
	}
	if (often)
		reload(run);
	print_all(run);
	model_finish(run->model);
	if (often)
		reload(run);
	assert_int_equal(detect_finish(run->detect), 0);
	if (often)
		reload(run);
	print_all(run);
}

static void compare(const struct kes_record *records, size_t n, size_t often, const char *what)
{
	struct run straight, reloaded;

	run_over(&straight, records, n, 0);
	run_over(&reloaded, records, n, often);
	if (straight.size != reloaded.size ||
		memcmp(straight.text, reloaded.text, straight.size) != 0)
		fail_msg("%s: saved every %zu records it goes on otherwise", what, often);
	assert_true(straight.size > 0);
	run_end(&straight);
	run_end(&reloaded);
}

/* ---- captures ---- */

#define CAPTURE_RECORDS 200000

static size_t read_capture(const char *path, struct kes_record *records)
{
	_cleanup_(capture_reader_free) struct capture_reader *reader = NULL;
	const struct kes_record *block;
	struct error err = {};
	size_t n, total = 0;

	if (capture_reader_open(&reader, path, &err))
		fail_msg("%s", err.text);
	while (capture_reader_next(reader, &block, &n, &err) > 0) {
		n = total + n > CAPTURE_RECORDS ? CAPTURE_RECORDS - total : n;
		memcpy(records + total, block, n * sizeof(*block));
		total += n;
	}
	return total;
}

static size_t compare_captures(const char *folder)
{
	struct kes_record *records = calloc(CAPTURE_RECORDS, sizeof(*records));
	DIR *dir = opendir(folder);
	struct dirent *entry;
	size_t captures = 0, n;

	assert_non_null(records);
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		char path[512];

		if (!strstr(entry->d_name, ".ke"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		n = read_capture(path, records);
		compare(records, n, n / 50 + 1, path);
		captures++;
	}
	closedir(dir);
	free(records);
	return captures;
}

static void test_captures(void **state)
{
	(void)state;
	assert_true(compare_captures("tests/golden") > 10);
	assert_true(compare_captures("tests/golden/quiet") > 3);
}

/* ---- random records ---- */

#define VMS 4

/* What makes most of them mean something: sequences, and what answers refer to. */
struct maker {
	uint64_t ts_ns, seq[VMS + 1];
	uint64_t asked_ns, begun;
	uint32_t reading, pages;
};

static uint64_t up_to(uint64_t most)
{
	return next_random() % (most + 1);
}

static void make_conversion(struct maker *maker, struct kes_record *r)
{
	r->conversion.gpa = up_to(60) << 12;
	r->conversion.npages = 1 + up_to(8);
	r->conversion.attrs = up_to(1) ? PRIVATE : SHARED;
	if (r->kind == KES_REQUEST) {
		maker->asked_ns = r->ts_ns;
	} else if (r->kind == KES_ANSWER) {
		r->conversion.answer.ret = up_to(5) ? 0 : 11;
		r->conversion.answer.request_ns = up_to(7) ? maker->asked_ns : 0;
	} else {
		r->conversion.refused.reason = (uint32_t)up_to(KES_REASON_MAX);
	}
}

static void make_attributes(struct maker *maker, struct kes_record *r)
{
	r->set_attrs.gpa = up_to(60) << 12;
	r->set_attrs.size = (1 + up_to(8)) << 12;
	r->set_attrs.attributes = up_to(1) ? KES_ATTRIBUTE_PRIVATE : 0;
	r->set_attrs.begin = r->kind == KES_ATTRS && up_to(5) ? maker->begun : 0;
	if (r->kind == KES_ATTRS)
		r->set_attrs.err = up_to(9) ? 0 : -12;
	else
		r->set_attrs.tid = (uint32_t)up_to(4);
	if (r->kind == KES_ATTRS_BEGIN)
		maker->begun = r->seq + 1;
}

static void make_reading(struct maker *maker, struct kes_record *r)
{
	if (r->kind == KES_PAGES) {
		r->pages = (struct kes_pages){.gfn = up_to(60),
			.npages = 1 + up_to(100),
			.attributes = KES_ATTRIBUTE_PRIVATE,
			.bits = up_to(1) ? ~0ull : next_random(),
			.index = maker->pages++,
			.number = maker->reading};
		return;
	}
	r->snapshot.phase = (uint32_t)up_to(1);
	if (r->snapshot.phase == KES_SNAPSHOT_BEGIN) {
		maker->reading++;
		maker->pages = 0;
	}
	r->snapshot.number = maker->reading;
	r->snapshot.pages = maker->pages;
	r->snapshot.calls = up_to(1);
}

static void make_text(struct kes_record *r)
{
	r->text.about = up_to(3) ? (uint8_t)up_to(KES_TEXT_MAX) : KES_TEXT_FILE;
	if (r->text.about == KES_TEXT_FILE)
		r->vm = 0;
	r->text.size = (uint8_t)up_to(KES_TEXT_PIECE);
	r->vcpu = (uint16_t)up_to(3);
	memset(r->text.bytes, 'a' + (int)up_to(20), r->text.size);
}

static void make_memslot(struct kes_record *r)
{
	r->memslot = (struct kes_memslot){.gfn = up_to(3) * 16,
		.npages = 1 + up_to(20),
		.slot = (uint32_t)up_to(3),
		.total = (uint32_t)up_to(2),
		.index = up_to(2) == 0,
		.generation = up_to(1)};
}

static struct kes_record make_record(struct maker *maker)
{
	struct kes_record r = {
		.ts_ns = maker->ts_ns += up_to(3) ? up_to(3000000) : up_to(3000000000),
		.vm = (uint32_t)up_to(VMS),
		.vcpu = (uint16_t)up_to(2),
		.flags = up_to(3) ? 0 : (uint8_t)next_random(),
		.kind = (uint8_t)up_to(KES_KIND_MAX)};

	if ((r.kind == KES_VM_END || r.kind == KES_RESET) && up_to(20))
		r.kind = KES_ANSWER;
	if (r.kind < KES_LOSS && up_to(99)) /* else one is lost */
		r.seq = maker->seq[r.vm]++;
	for (size_t i = 0; i < ARRAY_SIZE(r.payload); i++)
		r.payload[i] = up_to(3);
	switch (r.kind) {
	case KES_REQUEST:
	case KES_ANSWER:
	case KES_REFUSED:
		make_conversion(maker, &r);
		break;
	case KES_FAULT:
		r.fault.gpa = up_to(60) << 12;
		r.fault.size = 4096;
		break;
	case KES_ATTRS:
	case KES_ATTRS_BEGIN:
		make_attributes(maker, &r);
		break;
	case KES_SNAPSHOT:
	case KES_PAGES:
		make_reading(maker, &r);
		break;
	case KES_TEXT:
		make_text(&r);
		break;
	case KES_MEMSLOT:
		make_memslot(&r);
		break;
	case KES_LOSS:
		r.loss.total = maker->ts_ns >> 32;
		break;
	case KES_VM_END: /* it never comes again */
		break;
	default:
		break;
	}
	return r;
}

#define RECORDS 3000

static const struct kes_record *make_records(void)
{
	static struct kes_record records[RECORDS];
	struct maker maker = {.ts_ns = up_to(1) ? 0 : 3600 * SECOND_NS};

	for (size_t i = 0; i < RECORDS; i++)
		records[i] = make_record(&maker);
	return records;
}

static void test_random(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++)
		compare(make_records(), RECORDS, i ? 2 + up_to(50) : 1, "random records");
}

/* ---- what it asks for ---- */

static void test_other_options(void **state)
{
	_cleanup_buffer_ struct buffer model = {}, detect = {};
	struct model_options other = {.abi = ABI_PAGE_ENC_STATUS};
	struct model *loaded = NULL;
	struct run run, fresh;
	struct error err = {};

	(void)state;
	run_over(&run, make_records(), RECORDS, 0);
	save(&run, &model, &detect);
	assert_int_equal(model_load(&loaded, &other, model.bytes, model.size, &err), -ESTALE);
	assert_non_null(strstr(err.text, "--abi map-gpa-range"));
	assert_null(loaded);

	run_start(&fresh);
	run_drop(&fresh);
	settings->values[0][0][0]++;
	assert_int_equal(load(&fresh, &model, &detect, &err), -ESTALE);
	assert_non_null(strstr(err.text, "settings"));
	detect_free(&fresh.detect);
	assert_int_equal(
		detect_new(&fresh.detect, &(struct detect_options){.settings = settings}), 0);
	detect_watch(fresh.detect, fresh.model);
	assert_int_equal(
		detect_load(fresh.detect, detect.bytes, detect.size, DETECT_LOAD_ANY, &err), 0);
	settings->values[0][0][0]--;

	model.bytes[4]++;
	assert_int_equal(
		model_load(&loaded, &other, model.bytes, model.size, &err), -EPROTONOSUPPORT);
	run_end(&fresh);
	run_end(&run);
}

/* ---- bytes that are not quite a state ---- */

/* Detectors that look at VMs only have nothing to do on the host, and count on that. */
static void test_host_has_no_vm(void **state)
{
	_cleanup_buffer_ struct buffer model = {}, detect = {};
	struct run run, hostile;
	struct error err = {};

	(void)state;
	run_start(&run);
	for (int i = 0; i < FINDING_KINDS; i++)
		memset(watch_state(&run.detect->host, (enum finding_kind)i), 1,
			detectors[i]->state_size);
	save(&run, &model, &detect);
	run_start(&hostile);
	run_drop(&hostile);
	if (load(&hostile, &model, &detect, &err))
		fail_msg("%s", err.text);
	assert_int_equal(detect_finish(hostile.detect), 0);
	run_end(&hostile);
	run_end(&run);
}

/* Whatever was made of them can be used. */
static void use(struct run *run, const struct kes_record *records)
{
	for (size_t i = 0; i < 50; i++)
		assert_int_equal(model_apply(run->model, &records[i], 1), 0);
	assert_int_equal(detect_finish(run->detect), 0);
	print_all(run);
}

static void try_bytes(const struct buffer *model, const struct buffer *detect,
	const struct kes_record *records, size_t *loaded)
{
	struct error err = {};
	struct run run;
	int r;

	run_start(&run);
	run_drop(&run);
	r = load(&run, model, detect, &err);
	if (!r) {
		use(&run, records);
		++*loaded;
	} else {
		assert_int_equal(err.code, r);
		assert_true(r == -EBADMSG || r == -EPROTONOSUPPORT || r == -ESTALE);
		assert_true(*err.text);
	}
	run_end(&run);
}

static void test_damaged(void **state)
{
	_cleanup_buffer_ struct buffer model = {}, detect = {};
	const struct kes_record *records = make_records();
	size_t loaded = 0;
	struct run run;

	(void)state;
	run_over(&run, records, 400, 0);
	save(&run, &model, &detect);
	run_end(&run);
	try_bytes(&model, &detect, records, &loaded);
	assert_int_equal(loaded, 1);
	for (int i = 0; i < 800; i++) {
		struct buffer *hurt = i % 2 ? &model : &detect;
		uint8_t *byte = &hurt->bytes[up_to(hurt->size - 1)], was = *byte;

		*byte = up_to(1) ? was ^ (uint8_t)(1 << up_to(7)) : (uint8_t)next_random();
		try_bytes(&model, &detect, records, &loaded);
		*byte = was;
	}
	assert_true(loaded > 1); /* most bytes are numbers, of which any is as good */
	loaded = 0;
	for (int i = 0; i < 200; i++) {
		struct buffer cut = *(i % 2 ? &model : &detect);

		cut.size = up_to(cut.size - 1);
		try_bytes(i % 2 ? &cut : &model, i % 2 ? &detect : &cut, records, &loaded);
	}
	assert_int_equal(loaded, 0);
}

static int group_setup(void **state)
{
	(void)state;
	return settings_new(&settings);
}

static int group_teardown(void **state)
{
	(void)state;
	settings_free(&settings);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_captures),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_other_options),
		cmocka_unit_test(test_host_has_no_vm),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
