/* SPDX-License-Identifier: GPL-2.0-only */
#include "output/policy.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"

#define SENTENCE 512
#define NAME     (4 * 256)

/* ---- parts ---- */

/* Of VMs that the policy is about, if it selects by them. */
static void add_labels(json_object *object, const struct policy *policy)
{
	json_object *labels;
	char label[NAME];

	if (!policy->vms.n_labels)
		return;
	labels = json_object_new_array();
	for (size_t i = 0; i < policy->vms.n_labels; i++)
		json_object_array_add(labels, json_object_new_string(escape(policy->vms.labels[i],
						      label, sizeof(label))));
	json_object_object_add(object, "labels", labels);
}

/* Where a rule is from, and what it says. */
static void add_source(json_object *object, const struct rule_source *source)
{
	char text[SENTENCE], name[NAME];

	rule_describe(source->rule, text, sizeof(text));
	json_add_string(object, "policy", escape(source->policy->name, name, sizeof(name)));
	json_add_string(object, "mode", mode_name(source->policy->mode));
	add_labels(object, source->policy);
	json_add_string(object, "file", escape(source->rule->file, name, sizeof(name)));
	json_add_u64(object, "line", source->rule->line);
	json_add_string(
		object, "action", action_name((enum kes_action)source->rule->compiled.action));
	json_add_string(object, "rule", text);
}

static void write_labels(FILE *out, const struct policy *policy)
{
	char label[NAME];

	for (size_t i = 0; i < policy->vms.n_labels; i++)
		fprintf(out, "%s %s", i ? "" : "label",
			escape(policy->vms.labels[i], label, sizeof(label)));
}

static void write_source(FILE *out, const struct rule_source *source)
{
	char text[SENTENCE], name[NAME];

	rule_describe(source->rule, text, sizeof(text));
	fprintf(out, "%s  (%s, %s, ", text, escape(source->policy->name, name, sizeof(name)),
		mode_name(source->policy->mode));
	write_labels(out, source->policy);
	fprintf(out, "%s%s:%u)", source->policy->vms.n_labels ? ", " : "",
		escape(source->rule->file, name, sizeof(name)), source->rule->line);
}

static void write_range(FILE *out, const struct kes_ask *ask)
{
	char size[24];

	fprintf(out, "0x%llx+%s -> %s%s", (unsigned long long)ask->gfn << 12,
		bytes_exact(ask->npages << 12, size),
		ask->what == KES_ASK_SHARED ? "shared" : "private",
		ask->asker == KES_BY_VMM ? ", by the VMM" : "");
}

static void add_ask(json_object *object, const struct kes_ask *ask)
{
	json_add_u64(object, "gfn", ask->gfn);
	json_add_u64(object, "npages", ask->npages);
	json_add_string(object, "to", ask->what == KES_ASK_SHARED ? "shared" : "private");
	json_add_string(object, "by", ask->asker == KES_BY_VMM ? "vmm" : "guest");
}

/* ---- totals ---- */

static struct rule_total *total_of(
	struct policy_totals *totals, const struct rule_source *source, bool monitored)
{
	struct rule_total *grown;

	for (size_t i = 0; i < totals->n; i++)
		if (totals->list[i].source.rule == (source ? source->rule : NULL) &&
			totals->list[i].monitored == monitored)
			return &totals->list[i];
	grown = reallocarray(totals->list, totals->n + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	totals->list = grown;
	grown[totals->n] = (struct rule_total){.monitored = monitored};
	if (source)
		grown[totals->n].source = *source;
	return &grown[totals->n++];
}

static int count(struct policy_totals *totals, const struct verdict *verdict,
	const struct rule_source *source, bool monitored)
{
	struct rule_total *total = total_of(totals, source, monitored);

	if (!total)
		return -ENOMEM;
	if (!total->requests++) {
		total->first_ns = verdict->event->ts_ns;
		total->vm = verdict->event->vm->id;
		total->first = verdict->ask;
	}
	total->pages += verdict->ask.npages;
	return 0;
}

int policy_totals_add(struct policy_totals *totals, const struct verdict *verdict)
{
	int r = count(totals, verdict, verdict->decided, false);

	totals->requests++;
	totals->refused += verdict->kes.action >= KES_DENY;
	totals->would += verdict->kes.action < KES_DENY && verdict->kes.would >= KES_DENY;
	if (!r && verdict->monitored)
		r = count(totals, verdict, verdict->monitored, true);
	return r;
}

void policy_totals_free(struct policy_totals *totals)
{
	free(totals->list);
	*totals = (struct policy_totals){};
}

static int by_requests(const void *a, const void *b)
{
	const struct rule_total *x = a, *y = b;

	if (x->requests != y->requests)
		return x->requests > y->requests ? -1 : 1;
	return (x->source.rule > y->source.rule) - (x->source.rule < y->source.rule);
}

static void write_total(FILE *out, const struct style *style, const struct rule_total *total)
{
	char size[24], time[24];

	fprintf(out, "%8llu  %8s  ", (unsigned long long)total->requests,
		bytes_short(total->pages << 12, size));
	if (total->source.rule)
		write_source(out, &total->source);
	else
		fputs("no rule: allowed", out);
	fprintf(out, "\n%20sfirst: %s  %llu  ", "", time_text(style, total->first_ns, time),
		(unsigned long long)total->vm);
	write_range(out, &total->first);
	fputc('\n', out);
}

static void write_total_json(FILE *out, const struct rule_total *total)
{
	json_object *object = json_object_new_object(), *first = json_object_new_object();

	json_add_string(object, "schema", "kvm-encstat.policy-test/1");
	if (total->source.rule)
		add_source(object, &total->source);
	json_object_object_add(object, "monitored", json_object_new_boolean(total->monitored));
	json_add_u64(object, "requests", total->requests);
	json_add_u64(object, "pages", total->pages);
	json_add_u64(first, "ts_ns", total->first_ns);
	json_add_u64(first, "vm", total->vm);
	add_ask(first, &total->first);
	json_object_object_add(object, "first", first);
	json_line(out, object);
}

void policy_totals_write(
	FILE *out, const struct style *style, const struct policy_totals *totals, bool json)
{
	if (totals->n)
		qsort(totals->list, totals->n, sizeof(*totals->list), by_requests);
	if (!json && totals->n)
		fprintf(out, "%8s  %8s  %s\n", "REQUESTS", "MEMORY", "DECIDED BY");
	for (size_t i = 0; i < totals->n; i++)
		if (json)
			write_total_json(out, &totals->list[i]);
		else
			write_total(out, style, &totals->list[i]);
	if (!json)
		fprintf(out,
			"%llu requests, %llu would have been refused, %llu more if monitored "
			"policies "
			"were enforced\n",
			(unsigned long long)totals->requests, (unsigned long long)totals->refused,
			(unsigned long long)totals->would);
}

/* ---- two policies ---- */

static void write_decision(FILE *out, const struct verdict *verdict)
{
	char file[NAME];

	fputs(action_name((enum kes_action)verdict->kes.action), out);
	if (verdict->decided)
		fprintf(out, " (%s:%u)", escape(verdict->decided->rule->file, file, sizeof(file)),
			verdict->decided->rule->line);
}

static json_object *decision_json(const struct verdict *verdict)
{
	json_object *object = json_object_new_object();

	json_add_string(object, "action", action_name((enum kes_action)verdict->kes.action));
	if (verdict->decided)
		add_source(object, verdict->decided);
	return object;
}

void policy_difference_write(FILE *out, const struct style *style, const struct verdict *old,
	const struct verdict *new, bool json)
{
	char time[24], label[VM_SHORT_SIZE];
	json_object *object;

	if (!json) {
		fprintf(out, "%s  %u %s  ", time_text(style, old->event->ts_ns, time),
			old->event->vm->id, vm_label_short(old->event->vm, label));
		write_range(out, &old->ask);
		fputs(": ", out);
		write_decision(out, old);
		fputs(", now ", out);
		write_decision(out, new);
		fputc('\n', out);
		return;
	}
	object = json_object_new_object();
	json_add_string(object, "schema", "kvm-encstat.policy-diff/1");
	json_add_u64(object, "ts_ns", old->event->ts_ns);
	json_add_u64(object, "vm", old->event->vm->id);
	add_ask(object, &old->ask);
	json_object_object_add(object, "old", decision_json(old));
	json_object_object_add(object, "new", decision_json(new));
	json_line(out, object);
}

/* ---- one VM ---- */

void policy_write_effective(
	FILE *out, const struct vm *vm, const struct effective *effective, bool json)
{
	char label[VM_LABEL_SIZE], type[16];

	if (!json)
		fprintf(out, "VM %u  %s  %s: %u rule%s\n", vm->id,
			vm_label(vm, label, sizeof(label)), vm_type_name(vm->type, type),
			effective->set.n_rules, effective->set.n_rules == 1 ? "" : "s");
	for (uint32_t i = 0; i < effective->set.n_rules; i++) {
		if (json) {
			json_object *object = json_object_new_object();

			json_add_string(object, "schema", "kvm-encstat.policy/1");
			json_object_object_add(object, "vm", vm_json(vm));
			json_add_u64(object, "place", i);
			json_add_u64(object, "priority", effective->sources[i].policy->priority);
			add_source(object, &effective->sources[i]);
			json_line(out, object);
			continue;
		}
		fprintf(out, "%4u  ", i + 1);
		write_source(out, &effective->sources[i]);
		fputc('\n', out);
	}
	if (!json)
		fprintf(out, "      else allow; what cannot be read: %s\n",
			effective->set.unreadable ? "deny" : "allow");
}

void policy_write_verdict(FILE *out, const struct vm *vm, const struct verdict *verdict, bool json)
{
	char label[VM_LABEL_SIZE];
	json_object *object;

	if (json) {
		object = json_object_new_object();
		json_add_string(object, "schema", "kvm-encstat.verdict/1");
		json_object_object_add(object, "vm", vm_json(vm));
		add_ask(object, &verdict->ask);
		json_add_string(
			object, "verdict", action_name((enum kes_action)verdict->kes.action));
		if (verdict->decided)
			add_source(object, verdict->decided);
		if (verdict->monitored) {
			json_object *monitored = json_object_new_object();

			add_source(monitored, verdict->monitored);
			json_object_object_add(object, "monitored", monitored);
		}
		json_line(out, object);
		return;
	}
	fprintf(out, "%s  ", action_name((enum kes_action)verdict->kes.action));
	write_range(out, &verdict->ask);
	fprintf(out, ", VM %u %s\n", vm->id, vm_label(vm, label, sizeof(label)));
	if (verdict->decided) {
		fputs("  decided by: ", out);
		write_source(out, verdict->decided);
		fputc('\n', out);
	} else {
		fputs("  no rule matches: what no rule is about is allowed\n", out);
	}
	if (verdict->monitored) {
		fputs("  monitored: ", out);
		write_source(out, verdict->monitored);
		fputc('\n', out);
	}
}

/* ---- all ---- */

static void write_rule(FILE *out, const struct policy_rule *rule)
{
	char text[SENTENCE];

	rule_describe(rule, text, sizeof(text));
	fprintf(out, "  %4u: %s\n", rule->line, text);
}

static void write_policy(FILE *out, const struct policy *policy)
{
	char name[NAME];

	fprintf(out, "%s  priority %u, %s, %zu rule%s\n", escape(policy->name, name, sizeof(name)),
		policy->priority, mode_name(policy->mode), policy->n_rules,
		policy->n_rules == 1 ? "" : "s");
	if (policy->vms.n_labels) {
		fputs("        ", out);
		write_labels(out, policy);
		fputc('\n', out);
	}
	if (policy->says_unreadable)
		fprintf(out, "        what cannot be read: %s\n",
			policy->unreadable ? "deny" : "allow");
	for (size_t i = 0; i < policy->n_rules; i++)
		write_rule(out, &policy->rules[i]);
}

void policy_write_all(FILE *out, const struct policies *policies)
{
	const struct policy *last = NULL;

	for (size_t i = 0; i < policies->n; i++)
		write_policy(out, &policies->list[i]);
	for (size_t i = 0; i <= KES_VM_TYPE_MAX; i++) {
		const struct rule_source *source = &policies->defaults[i];

		if (!source->rule)
			continue;
		if (source->policy != last)
			fprintf(out, "defaults  after all policies, %s\n",
				mode_name(source->policy->mode));
		last = source->policy;
		write_rule(out, source->rule);
	}
}
