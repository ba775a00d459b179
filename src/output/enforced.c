/* SPDX-License-Identifier: GPL-2.0-only */
#include "output/enforced.h"

#include <json-c/json.h>
#include <string.h>
#include <time.h>

#include "base/escape.h"
#include "policy/policy.h"

#define SENTENCE  512
#define SHOWN     (4 * KES_TEXT_LIMIT)
#define SHOWN_VMS 8 /* that share a set */

/* ---- parts ---- */

const char *enforced_vm_name(const struct enforced_vm *vm, char buffer[ENFORCED_VM_SIZE])
{
	char name[VM_SHORT_SIZE];

	if (vm->is_named)
		snprintf(buffer, ENFORCED_VM_SIZE, "VM %u %s", vm->label.vm,
			name_short(vm->label.name, name));
	else
		snprintf(buffer, ENFORCED_VM_SIZE, "the VM of pid %u", vm->label.pid);
	return buffer;
}

/* The last one stands for all that are newer. */
static const char *type_name(uint32_t type, char buffer[16])
{
	return type < KES_VM_TYPE_MAX ? vm_type_name(type, buffer) : "other";
}

static const char *mode_of(const struct kes_rule *rule)
{
	return mode_name((enum kes_mode)rule->mode);
}

static const char *unreadable_word(const struct kes_rule_set *set)
{
	return action_name(set->unreadable ? KES_DENY : KES_ALLOW);
}

/* ---- text ---- */

#define NUMBER(n) ((unsigned long long)(n))

static void write_state(FILE *out, const struct enforced *enforced)
{
	fprintf(out, "enforced: %sthe VMMs' ioctls",
		enforced->settings.gate ? "hypercalls (gate), " : "");
	if (enforced->kept)
		fputs("; kept until policy release", out);
	if (enforced->tool)
		fprintf(out, "; by pid %u, which runs\n", enforced->tool);
	else
		fputs("; no kvm-encstat enforce runs\n", out);
}

static void write_totals(FILE *out, const struct enforced *enforced)
{
	const struct kes_veto_totals *totals = &enforced->totals;

	fprintf(out, "  asked about  %llu hypercalls, %llu changes of attributes\n",
		NUMBER(totals->hypercalls), NUMBER(totals->changes));
	if (enforced->knows_missed)
		fprintf(out, "  not asked    %llu\n", NUMBER(enforced->missed));
	fprintf(out, "  unreadable   %llu refused, %llu passed\n",
		NUMBER(totals->unreadable_refused), NUMBER(totals->unreadable_passed));
	fprintf(out, "  not counted  %llu beyond what can be, %llu with the VM's account locked\n",
		NUMBER(totals->beyond), NUMBER(totals->busy));
	fprintf(out, "  replaced     %llu after they were judged\n", NUMBER(totals->replaced));
	fprintf(out, "  kept out     %llu entries of frozen VMs\n", NUMBER(totals->kept_out));
	fprintf(out, "  leaves       %llu of %u\n", NUMBER(totals->leaves), KES_MAX_LEAVES);
}

/* Date and time of day. */
static const char *since_text(const struct style *style, uint64_t ts_ns, char buffer[32])
{
	time_t seconds = (time_t)(((int64_t)ts_ns + style->realtime_offset_ns) / 1000000000);
	struct tm tm;

	if (!localtime_r(&seconds, &tm) || !strftime(buffer, 32, "%Y-%m-%d %H:%M:%S", &tm))
		*buffer = '\0';
	return buffer;
}

static void write_vm(FILE *out, const struct style *style, const struct enforced_vm *vm)
{
	char name[ENFORCED_VM_SIZE], text[32];

	fputs(enforced_vm_name(vm, name), out);
	if (vm->is_named)
		fprintf(out, "  pid %u", vm->label.pid);
	if (!vm->has_rules)
		fputs(": the rules of its type", out);
	else if (vm->which.set)
		fprintf(out, ": rule set %u, number %u", vm->which.set, vm->which.serial);
	else
		fputs(": no rules", out);
	if (vm->counts) {
		fprintf(out, "; %s shared", bytes_exact(vm->shared << 12, text));
		fprintf(out, ", baseline %s", bytes_exact(vm->baseline << 12, text));
	}
	if (vm->counts && vm->memory)
		fprintf(out, ", of %s", bytes_exact(vm->memory << 12, text));
	if (vm->denials.refused)
		fprintf(out, "; refused %llu", NUMBER(vm->denials.refused));
	if (vm->denials.spared)
		fprintf(out, "; would have been refused %llu", NUMBER(vm->denials.spared));
	if (vm->is_monitored)
		fputs("; ONLY MONITORED", out);
	if (vm->is_frozen)
		fprintf(out, "; FROZEN since %s%s", since_text(style, vm->frozen.since_ns, text),
			vm->frozen.resumed ? "" : ", its VMM is stopped, too");
	fputc('\n', out);
}

/* Types of which all VMs go by the set. How many. */
static size_t write_types(FILE *out, const struct enforced *enforced, uint32_t index)
{
	const struct kes_policed *standard = enforced->settings.standard;
	char text[16];
	size_t n = 0, written = 0;

	for (uint32_t i = 0; i <= KES_VM_TYPE_MAX; i++)
		n += standard[i].set == index;
	if (n > KES_VM_TYPE_MAX) {
		fputs(": any VM", out);
		return n;
	}
	for (uint32_t i = 0; i <= KES_VM_TYPE_MAX; i++)
		if (standard[i].set == index)
			fprintf(out, "%s%s", written++ ? ", " : ": any VM of type ",
				type_name(i, text));
	return n;
}

/* Who goes by the set. */
static void write_users(FILE *out, const struct enforced *enforced, uint32_t index)
{
	const char *separator = write_types(out, enforced, index) ? "; " : ": ";
	char text[ENFORCED_VM_SIZE];
	size_t n = 0;

	for (size_t i = 0; i < enforced->n_vms; i++) {
		const struct enforced_vm *vm = &enforced->vms[i];

		if (!vm->has_rules || vm->which.set != index)
			continue;
		if (n++ < SHOWN_VMS)
			fprintf(out, "%s%s", separator, enforced_vm_name(vm, text));
		separator = ", ";
	}
	if (n > SHOWN_VMS)
		fprintf(out, " and %zu more", n - SHOWN_VMS);
	else if (*separator == ':')
		fputs(": nobody now", out);
	fputc('\n', out);
}

static void write_rule(
	FILE *out, const struct enforced *enforced, const struct enforced_set *set, uint32_t i)
{
	const struct kes_rule *rule = &set->set.rules[i];
	const char *file = enforced->files[rule->file];
	char text[SENTENCE], shown[SHOWN];

	rule_describe_compiled(&set->set, i, text, sizeof(text));
	fprintf(out, "%4u  %10llu  %10llu  %s  (%s, ", i + 1, NUMBER(set->counts[i].decided),
		NUMBER(set->counts[i].monitored), text, mode_of(rule));
	if (*file)
		fprintf(out, "%s:%u)\n", escape(file, shown, sizeof(shown)), rule->line);
	else
		fprintf(out, "line %u)\n", rule->line);
}

static void write_set(FILE *out, const struct enforced *enforced, const struct enforced_set *set)
{
	fprintf(out, "\nrule set %u", set->index);
	write_users(out, enforced, set->index);
	if (set->set.n_rules)
		fprintf(out, "%16s  %10s  %s\n", "DECIDED", "MONITORED", "RULE");
	for (uint32_t i = 0; i < set->set.n_rules; i++)
		write_rule(out, enforced, set, i);
	fprintf(out, "%28s  else allow; what cannot be read: %s\n", "", unreadable_word(&set->set));
}

void enforced_write_text(FILE *out, const struct style *style, const struct enforced *enforced)
{
	write_state(out, enforced);
	write_totals(out, enforced);
	if (enforced->n_vms)
		fputc('\n', out);
	for (size_t i = 0; i < enforced->n_vms; i++)
		write_vm(out, style, &enforced->vms[i]);
	for (size_t i = 0; i < enforced->n_sets; i++)
		write_set(out, enforced, enforced->sets[i]);
}

/* ---- JSON ---- */

static void add_bool(json_object *object, const char *key, bool value)
{
	json_object_object_add(object, key, json_object_new_boolean(value));
}

static json_object *totals_json(const struct enforced *enforced)
{
	const struct kes_veto_totals *totals = &enforced->totals;
	json_object *object = json_object_new_object();

	json_add_u64(object, "hypercalls", totals->hypercalls);
	json_add_u64(object, "changes", totals->changes);
	json_add_u64(object, "kept_out", totals->kept_out);
	json_add_u64(object, "unreadable_refused", totals->unreadable_refused);
	json_add_u64(object, "unreadable_passed", totals->unreadable_passed);
	json_add_u64(object, "beyond", totals->beyond);
	json_add_u64(object, "busy", totals->busy);
	json_add_u64(object, "replaced", totals->replaced);
	json_add_u64(object, "leaves", totals->leaves);
	if (enforced->knows_missed)
		json_add_u64(object, "missed", enforced->missed);
	return object;
}

static void add_which(json_object *object, const struct kes_policed *which)
{
	json_add_u64(object, "set", which->set);
	json_add_u64(object, "number", which->serial);
}

static json_object *standard_json(const struct enforced *enforced)
{
	json_object *list = json_object_new_array();
	char text[16];

	for (uint32_t i = 0; i <= KES_VM_TYPE_MAX; i++) {
		json_object *object = json_object_new_object();

		json_add_string(object, "type", type_name(i, text));
		add_which(object, &enforced->settings.standard[i]);
		json_object_array_add(list, object);
	}
	return list;
}

static json_object *vm_of_json(const struct enforced_vm *vm)
{
	json_object *object = json_object_new_object(), *frozen;
	char name[ESCAPED_SIZE(KES_VM_LABEL)];

	json_add_u64(object, "pid", vm->label.pid);
	if (vm->is_named) {
		json_add_u64(object, "id", vm->label.vm);
		json_add_string(object, "name", escape(vm->label.name, name, sizeof(name)));
	}
	if (vm->has_rules)
		add_which(object, &vm->which);
	if (vm->counts) {
		json_add_u64(object, "shared_pages", vm->shared);
		json_add_u64(object, "baseline_pages", vm->baseline);
		json_add_u64(object, "memory_pages", vm->memory);
	}
	json_add_u64(object, "refused", vm->denials.refused);
	json_add_u64(object, "spared", vm->denials.spared);
	if (vm->is_monitored)
		add_bool(object, "monitored", true);
	if (vm->is_frozen) {
		frozen = json_object_new_object();
		json_add_u64(frozen, "since_ns", vm->frozen.since_ns);
		add_bool(frozen, "vmm_stopped", !vm->frozen.resumed);
		json_object_object_add(object, "frozen", frozen);
	}
	return object;
}

static json_object *rule_json(
	const struct enforced *enforced, const struct enforced_set *set, uint32_t i)
{
	const struct kes_rule *rule = &set->set.rules[i];
	json_object *object = json_object_new_object();
	char text[SENTENCE], shown[SHOWN];

	rule_describe_compiled(&set->set, i, text, sizeof(text));
	json_add_u64(object, "place", i);
	json_add_string(object, "mode", mode_of(rule));
	if (*enforced->files[rule->file])
		json_add_string(
			object, "file", escape(enforced->files[rule->file], shown, sizeof(shown)));
	json_add_u64(object, "line", rule->line);
	json_add_string(object, "action", action_name((enum kes_action)rule->action));
	json_add_string(object, "rule", text);
	json_add_u64(object, "decided", set->counts[i].decided);
	json_add_u64(object, "monitored", set->counts[i].monitored);
	return object;
}

static json_object *set_json(const struct enforced *enforced, const struct enforced_set *set)
{
	json_object *object = json_object_new_object(), *rules = json_object_new_array();

	json_add_u64(object, "set", set->index);
	json_add_string(object, "unreadable", unreadable_word(&set->set));
	for (uint32_t i = 0; i < set->set.n_rules; i++)
		json_object_array_add(rules, rule_json(enforced, set, i));
	json_object_object_add(object, "rules", rules);
	return object;
}

void enforced_write_json(FILE *out, const struct enforced *enforced)
{
	json_object *object = json_object_new_object();
	json_object *vms = json_object_new_array(), *sets = json_object_new_array();

	json_add_string(object, "schema", "kvm-encstat.enforced/1");
	json_add_u64(object, "ts_ns", enforced->now_ns);
	add_bool(object, "gate", enforced->settings.gate);
	add_bool(object, "kept", enforced->kept);
	if (enforced->tool)
		json_add_u64(object, "tool", enforced->tool);
	json_object_object_add(object, "totals", totals_json(enforced));
	json_object_object_add(object, "standard", standard_json(enforced));
	for (size_t i = 0; i < enforced->n_vms; i++)
		json_object_array_add(vms, vm_of_json(&enforced->vms[i]));
	json_object_object_add(object, "vms", vms);
	for (size_t i = 0; i < enforced->n_sets; i++)
		json_object_array_add(sets, set_json(enforced, enforced->sets[i]));
	json_object_object_add(object, "sets", sets);
	json_line(out, object);
}
