/* SPDX-License-Identifier: GPL-2.0-only */
/* The list of VMs, from one table of columns. */
#include <errno.h>
#include <json-c/json.h>
#include <libsmartcols/libsmartcols.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "output/output.h"

static uint64_t all_exits(const struct vm_counters *counters)
{
	uint64_t sum = 0;

	for (int i = 0; i < KES_EXIT_REASONS; i++)
		sum += counters->exits[i] + counters->exit_errors[i];
	return sum;
}

/* ---- table ---- */

/* What a row shows. */
struct row {
	const struct vm *vm;
	uint64_t pages[PAGE_STATES];
	uint64_t open;
	const struct vm_counters *process; /* NULL: the VM has its own */
};

typedef void (*cell_fn)(const struct row *row, char *text, size_t size);

static void cell_id(const struct row *row, char *text, size_t size)
{
	snprintf(text, size, "%u", row->vm->id);
}

static void cell_pid(const struct row *row, char *text, size_t size)
{
	snprintf(text, size, "%u", row->vm->pid);
}

static void cell_name(const struct row *row, char *text, size_t size)
{
	char label[VM_SHORT_SIZE];

	snprintf(text, size, "%s", vm_label_short(row->vm, label));
}

static void cell_vcpus(const struct row *row, char *text, size_t size)
{
	if (row->vm->vcpus)
		snprintf(text, size, "%u", row->vm->vcpus);
	else
		snprintf(text, size, "?");
}

static void cell_host(const struct row *row, char *text, size_t size)
{
	snprintf(text, size, "%s",
		vm_has_host_plane(row->vm) ? confidence_name(vm_confidence(row->vm, PLANE_HOST))
					   : "-");
}

static void cell_type(const struct row *row, char *text, size_t size)
{
	char type[16];

	snprintf(text, size, "%s", vm_type_name(row->vm->type, type));
}

static void cell_state(const struct row *row, char *text, size_t size)
{
	snprintf(text, size, "%s", row->vm->alive ? "alive" : "ended");
}

static void cell_memory(const struct row *row, char *text, size_t size)
{
	char bytes[24];
	uint64_t pages = vm_memory_pages(row->vm);

	snprintf(text, size, "%s", pages ? bytes_short(pages << 12, bytes) : "?");
}

static void cell_pages(const struct row *row, enum page_state state, char *text, size_t size)
{
	char bytes[24];

	snprintf(text, size, "%s",
		vm_has_map(row->vm) ? bytes_short(row->pages[state] << 12, bytes) : "-");
}

static void cell_private(const struct row *row, char *text, size_t size)
{
	cell_pages(row, PAGE_PRIVATE, text, size);
}

static void cell_shared(const struct row *row, char *text, size_t size)
{
	cell_pages(row, PAGE_SHARED, text, size);
}

static void cell_unknown(const struct row *row, char *text, size_t size)
{
	cell_pages(row, PAGE_UNKNOWN, text, size);
}

static void cell_confidence(const struct row *row, char *text, size_t size)
{
	snprintf(text, size, "%s", confidence_name(vm_confidence(row->vm, PLANE_GUEST)));
}

static void cell_lost(const struct row *row, char *text, size_t size)
{
	snprintf(text, size, "%llu", (unsigned long long)vm_lost(row->vm));
}

static void cell_converted(const struct row *row, char *text, size_t size)
{
	snprintf(text, size, "%llu", (unsigned long long)row->vm->totals.converted);
}

static void cell_open(const struct row *row, char *text, size_t size)
{
	snprintf(text, size, "%llu", (unsigned long long)row->open);
}

static void cell_exits(const struct row *row, char *text, size_t size)
{
	if (row->process)
		snprintf(text, size, "(%llu)", (unsigned long long)all_exits(row->process));
	else
		snprintf(text, size, "%llu", (unsigned long long)all_exits(&row->vm->counters));
}

static const struct column {
	const char *title;
	cell_fn cell;
	bool right;
} columns[] = {
	{"ID", cell_id, true},
	{"PID", cell_pid, true},
	{"NAME", cell_name, false},
	{"TYPE", cell_type, false},
	{"STATE", cell_state, false},
	{"VCPUS", cell_vcpus, true},
	{"MEMORY", cell_memory, true},
	{"PRIVATE", cell_private, true},
	{"SHARED", cell_shared, true},
	{"UNKNOWN", cell_unknown, true},
	{"CONFIDENCE", cell_confidence, false},
	{"HOST", cell_host, false},
	{"LOST", cell_lost, true},
	{"CONVERTED", cell_converted, true},
	{"OPEN", cell_open, true},
	{"EXITS", cell_exits, true},
};

static int add_line(struct libscols_table *table, const struct row *row)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);

	if (!line)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		char text[VM_SHORT_SIZE];

		columns[i].cell(row, text, sizeof(text));
		if (scols_line_set_data(line, i, text))
			return -ENOMEM;
	}
	return 0;
}

/* ---- JSON ---- */

static void add_counters(json_object *object, const char *key, const uint64_t *counters, int n)
{
	json_object *list = json_object_new_object();
	char index[12];

	for (int i = 0; i < n; i++) {
		if (!counters[i])
			continue;
		snprintf(index, sizeof(index), "%d", i);
		json_object_object_add(list, index, json_object_new_uint64(counters[i]));
	}
	json_object_object_add(object, key, list);
}

static void add_all_counters(json_object *object, const struct vm_counters *counters)
{
	add_counters(object, "exits", counters->exits, KES_EXIT_REASONS);
	add_counters(object, "exit_errors", counters->exit_errors, KES_EXIT_REASONS);
	add_counters(object, "hypercalls", counters->hypercalls, KES_HYPERCALLS);
}

static void add_text(json_object *object, const char *key, const char *text)
{
	char escaped[ESCAPED_SIZE(KES_TEXT_LIMIT)];

	if (*text)
		json_object_object_add(object, key,
			json_object_new_string(escape(text, escaped, sizeof(escaped))));
}

/* Each slot as [gfn, frames], in order of gfn. */
static void add_memslots(json_object *object, const struct vm *vm)
{
	json_object *list = json_object_new_array();

	for (size_t i = 0; i < vm->n_memslots; i++) {
		json_object *slot = json_object_new_array();

		json_object_array_add(slot, json_object_new_uint64(vm->memslots[i].gfn));
		json_object_array_add(slot, json_object_new_uint64(vm->memslots[i].npages));
		json_object_array_add(list, slot);
	}
	json_object_object_add(object, "memslots", list);
}

static void add_host(json_object *object, const struct vm *vm)
{
	json_object *host = json_object_new_object(), *pages = json_object_new_object();
	uint64_t counts[PAGE_STATES];

	vm_count(vm, PLANE_HOST, counts);
	json_object_object_add(host, "confidence",
		json_object_new_string(confidence_name(vm_confidence(vm, PLANE_HOST))));
	for (int i = 0; i < PAGE_STATES; i++)
		json_object_object_add(pages, page_state_name((enum page_state)i),
			json_object_new_uint64(counts[i]));
	json_object_object_add(host, "pages", pages);
	json_object_object_add(host, "changes", json_object_new_uint64(vm->totals.attributes));
	json_object_object_add(host, "uncommitted", json_object_new_uint64(vm->totals.uncommitted));
	json_object_object_add(host, "readings", json_object_new_uint64(vm->host.readings));
	json_object_object_add(object, "host", host);
}

static void add_resets(json_object *object, const struct vm *vm)
{
	json_object_object_add(object, "resets", json_object_new_uint64(vm->resets));
	if (vm->left.ts_ns)
		json_object_object_add(
			object, "left_shared_pages", json_object_new_uint64(vm->left.pages));
}

static void write_json(FILE *out, const struct row *row)
{
	json_object *object = json_object_new_object(), *pages = json_object_new_object();
	const struct vm *vm = row->vm;
	char label[VM_LABEL_SIZE], type[16];

	json_object_object_add(object, "schema", json_object_new_string("kvm-encstat.vm/1"));
	json_object_object_add(object, "id", json_object_new_uint64(vm->id));
	json_object_object_add(object, "pid", json_object_new_uint64(vm->pid));
	json_object_object_add(
		object, "name", json_object_new_string(vm_label(vm, label, sizeof(label))));
	add_text(object, "uuid", vm->text[KES_TEXT_UUID]);
	json_object_object_add(
		object, "type", json_object_new_string(vm_type_name(vm->type, type)));
	json_object_object_add(object, "alive", json_object_new_boolean(vm->alive));
	json_object_object_add(object, "confidence",
		json_object_new_string(confidence_name(vm_confidence(vm, PLANE_GUEST))));
	json_object_object_add(object, "lost", json_object_new_uint64(vm_lost(vm)));
	for (int i = 0; i < PAGE_STATES; i++)
		json_object_object_add(pages, page_state_name((enum page_state)i),
			json_object_new_uint64(vm_has_map(vm) ? row->pages[i] : 0));
	json_object_object_add(object, "pages", pages);
	json_object_object_add(object, "memory_pages", json_object_new_uint64(vm_memory_pages(vm)));
	json_object_object_add(object, "has_map", json_object_new_boolean(vm_has_map(vm)));
	add_memslots(object, vm);
	if (vm_has_host_plane(vm))
		add_host(object, vm);
	if (vm->vcpus)
		json_object_object_add(object, "vcpus", json_object_new_uint64(vm->vcpus));
	add_resets(object, vm);
	if (vm->known) {
		add_text(object, "comm", vm->comm);
		json_object_object_add(object, "uid", json_object_new_uint64(vm->uid));
		json_object_object_add(object, "cgroup", json_object_new_uint64(vm->cgroup));
		add_text(object, "cgroup_path", vm->text[KES_TEXT_CGROUP]);
	}
	if (vm->lost_since_ns)
		json_object_object_add(
			object, "lost_since_ns", json_object_new_uint64(vm->lost_since_ns));
	json_object_object_add(object, "records", json_object_new_uint64(vm->seen));
	json_object_object_add(object, "converted", json_object_new_uint64(vm->totals.converted));
	json_object_object_add(object, "denied", json_object_new_uint64(vm->totals.denied));
	json_object_object_add(object, "refused", json_object_new_uint64(vm->totals.refused));
	json_object_object_add(object, "no_answer", json_object_new_uint64(vm->totals.no_answer));
	json_object_object_add(object, "unanswered", json_object_new_uint64(vm->totals.unanswered));
	json_object_object_add(object, "faults", json_object_new_uint64(vm->totals.faults));
	json_object_object_add(object, "open", json_object_new_uint64(row->open));
	if (vm->sent)
		json_object_object_add(object, "sent", json_object_new_uint64(vm->sent));
	if (row->process) { /* of all VMs of the process together */
		json_object *process = json_object_new_object();

		add_all_counters(process, row->process);
		json_object_object_add(object, "process", process);
	} else {
		add_all_counters(object, &vm->counters);
	}
	json_line(out, object);
}

/* ---- the list ---- */

static struct libscols_table *new_table(FILE *out)
{
	struct libscols_table *table = scols_new_table();

	if (!table)
		return NULL;
	scols_table_set_stream(table, out);
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		if (!scols_table_new_column(
			    table, columns[i].title, 0, columns[i].right ? SCOLS_FL_RIGHT : 0)) {
			scols_unref_table(table);
			return NULL;
		}
	return table;
}

int list_write(FILE *out, const struct model *model, const struct list_options *options)
{
	struct libscols_table *table = options->json ? NULL : new_table(out);
	size_t shown = 0, ended = 0;
	int r = 0;

	if (!options->json && !table)
		return -ENOMEM;
	for (size_t i = 0; i < model_vm_count(model) && !r; i++) {
		struct row row = {.vm = model_vm(model, i)};
		uint64_t oldest_ns;

		if (options->only && row.vm != options->only)
			continue;
		if (!row.vm->alive && !options->all && !options->only) {
			ended++;
			continue;
		}
		shown++;
		row.process = row.vm->known ? model_process_counters(model, row.vm->pid) : NULL;
		vm_count(row.vm, PLANE_GUEST, row.pages);
		row.open = vm_open_requests(row.vm, &oldest_ns);
		if (options->json)
			write_json(out, &row);
		else
			r = add_line(table, &row);
	}
	if (table && !r && shown)
		r = scols_print_table(table);
	if (table && !shown)
		fputs("no VM is running\n", out);
	if (table && ended)
		fprintf(out, "%zu ended: --all lists them, too\n", ended);
	scols_unref_table(table);
	return r;
}
