/* SPDX-License-Identifier: GPL-2.0-only */
/* Policy files: man/kvm-encstat-policy.5 is their form. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "policy/policy_private.h"

#define PRIORITY_MAX 1000000

/* ---- memory ---- */

static int keep(struct policies *policies, void *memory)
{
	void **grown = reallocarray(policies->memory, policies->n_memory + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	policies->memory = grown;
	grown[policies->n_memory++] = memory;
	return 0;
}

void *policies_alloc(struct policies *policies, size_t n, size_t size)
{
	void *memory = calloc(n ? n : 1, size);

	if (memory && keep(policies, memory)) {
		free(memory);
		return NULL;
	}
	return memory;
}

const char *policies_text(struct policies *policies, const char *text)
{
	char *copy = policies_alloc(policies, strlen(text) + 1, 1);

	if (copy)
		memcpy(copy, text, strlen(text));
	return copy;
}

void policies_free(struct policies **pointer)
{
	struct policies *policies = *pointer;

	if (!policies)
		return;
	for (size_t i = 0; i < policies->n_memory; i++)
		free(policies->memory[i]);
	free(policies->memory);
	free(policies->list);
	free(policies->files);
	free(policies);
	*pointer = NULL;
}

int policy_each(const struct yaml_node *node, yaml_item_fn fn, void *context, struct error *err)
{
	if (node->type != YAML_LIST)
		return fn(context, node, err);
	if (!node->first)
		return yaml_error(node, err, "an empty list says nothing; leave the key out");
	return yaml_each_item(node, fn, context, err);
}

const char *policy_place(
	const char *file, unsigned int line, unsigned int column, char buffer[POLICY_PLACE])
{
	char shown[POLICY_PLACE - sizeof("4294967295:4294967295")];

	snprintf(
		buffer, POLICY_PLACE, "%s:%u:%u", escape(file, shown, sizeof(shown)), line, column);
	return buffer;
}

const char *policy_shown(const struct policy *policy, char buffer[POLICY_SHOWN])
{
	return escape(policy->name, buffer, POLICY_SHOWN);
}

/* ---- which VMs ---- */

struct words {
	struct policies *policies;
	const char **list;
	size_t *n;
};

static int read_word(void *context, const struct yaml_node *node, struct error *err)
{
	struct words *words = context;
	const char *text;
	int r = yaml_get_string(node, POLICY_TEXT_MAX, &text, err);

	if (r)
		return r;
	if (*words->n == POLICY_NAMES)
		return yaml_error(node, err, "more than %d words", POLICY_NAMES);
	text = policies_text(words->policies, text);
	if (!text)
		return error_set(err, -ENOMEM, "out of memory");
	words->list[(*words->n)++] = text;
	return 0;
}

struct selecting {
	struct policies *policies;
	struct policy *policy;
};

#define WORDS(function, member)                                                             \
	static int function(void *context, const struct yaml_node *node, struct error *err) \
	{                                                                                   \
		struct selecting *selecting = context;                                      \
		struct words words = {selecting->policies, selecting->policy->vms.member,   \
			&selecting->policy->vms.n_##member};                                \
                                                                                            \
		return policy_each(node, read_word, &words, err);                           \
	}
WORDS(read_names, names)
WORDS(read_labels, labels)
WORDS(read_cgroups, cgroups)
WORDS(read_comms, comms)

static bool is_uuid(const char *text)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	if (strlen(text) != sizeof(form) - 1)
		return false;
	for (size_t i = 0; form[i]; i++)
		if (form[i] == '-' ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	return true;
}

/* A glob, or half of one, would be about no VM, without a word. */
static int read_uuid(void *context, const struct yaml_node *node, struct error *err)
{
	if (node->type != YAML_SCALAR || !is_uuid(node->text))
		return yaml_wants(
			node, err, "a UUID, such as 0d2f9c1e-4a6b-4c8d-9e0f-1a2b3c4d5e6f");
	return read_word(context, node, err);
}

static int read_uuids(void *context, const struct yaml_node *node, struct error *err)
{
	struct selecting *selecting = context;
	struct selection *vms = &selecting->policy->vms;
	struct words words = {selecting->policies, vms->uuids, &vms->n_uuids};

	return policy_each(node, read_uuid, &words, err);
}

static int read_uid(void *context, const struct yaml_node *node, struct error *err)
{
	struct selecting *selecting = context;
	struct selection *vms = &selecting->policy->vms;
	uint64_t uid;
	int r = yaml_get_uint(node, 0, UINT32_MAX, &uid, err);

	if (r)
		return r;
	if (vms->n_uids == POLICY_NAMES)
		return yaml_error(node, err, "more than %d users", POLICY_NAMES);
	vms->uids[vms->n_uids++] = (uint32_t)uid;
	return 0;
}

static int read_uids(void *context, const struct yaml_node *node, struct error *err)
{
	return policy_each(node, read_uid, context, err);
}

static int read_type(void *context, const struct yaml_node *node, struct error *err)
{
	struct selecting *selecting = context;
	const char *names[KES_VM_TYPE_MAX];
	char buffer[16];
	size_t type;
	int r;

	for (uint32_t i = 0; i < KES_VM_TYPE_MAX; i++)
		names[i] = vm_type_name(i, buffer);
	r = yaml_choose(node, "VM type", names, ARRAY_SIZE(names), &type, err);
	if (!r)
		selecting->policy->vms.types |= 1u << type;
	return r;
}

static int read_types(void *context, const struct yaml_node *node, struct error *err)
{
	return policy_each(node, read_type, context, err);
}

static int read_vms(void *context, const struct yaml_node *node, struct error *err)
{
	static const struct yaml_field fields[] = {
		{"name", read_names, false},
		{"label", read_labels, false},
		{"uuid", read_uuids, false},
		{"uid", read_uids, false},
		{"cgroup", read_cgroups, false},
		{"comm", read_comms, false},
		{"type", read_types, false},
	};

	/* Its keys may be comments for now: that is not to mean all VMs. */
	if (yaml_is_null(node) || (node->type == YAML_MAPPING && !node->first))
		return yaml_wants(node, err, "at least one key (all VMs: leave it out)");
	return yaml_each_field(node, fields, ARRAY_SIZE(fields), context, err);
}

/* ---- one policy ---- */

static int read_name(void *context, const struct yaml_node *node, struct error *err)
{
	struct selecting *selecting = context;
	const char *text;
	int r = yaml_get_string(node, POLICY_TEXT_MAX, &text, err);

	if (r)
		return r;
	selecting->policy->name = policies_text(selecting->policies, text);
	return selecting->policy->name ? 0 : error_set(err, -ENOMEM, "out of memory");
}

static int read_priority(void *context, const struct yaml_node *node, struct error *err)
{
	struct selecting *selecting = context;
	uint64_t priority;
	int r = yaml_get_uint(node, 0, PRIORITY_MAX, &priority, err);

	if (!r)
		selecting->policy->priority = (uint32_t)priority;
	return r;
}

int policy_read_mode(const struct yaml_node *node, enum kes_mode *ret, struct error *err)
{
	static const char *const names[] = {"monitor", "enforce"};
	size_t mode;
	int r = yaml_choose(node, "mode", names, ARRAY_SIZE(names), &mode, err);

	if (!r)
		*ret = (enum kes_mode)mode;
	return r;
}

static int read_mode(void *context, const struct yaml_node *node, struct error *err)
{
	struct selecting *selecting = context;

	return policy_read_mode(node, &selecting->policy->mode, err);
}

static int read_unreadable(void *context, const struct yaml_node *node, struct error *err)
{
	static const char *const names[] = {"allow", "deny"};
	static const int values[] = {0, -EPERM};
	struct selecting *selecting = context;
	size_t which;
	int r = yaml_choose(node, "answer", names, ARRAY_SIZE(names), &which, err);

	if (r)
		return r;
	selecting->policy->says_unreadable = true;
	selecting->policy->unreadable = values[which];
	return 0;
}

static int read_rule(void *context, const struct yaml_node *node, struct error *err)
{
	struct selecting *selecting = context;
	struct policy *policy = selecting->policy;

	if (policy->n_rules == KES_RULES)
		return yaml_error(node, err, "more than %d rules in one policy", KES_RULES);
	return policy_read_rule(selecting->policies, policy, node, err);
}

static int read_rules(void *context, const struct yaml_node *node, struct error *err)
{
	struct selecting *selecting = context;
	int r;

	selecting->policy->rules =
		policies_alloc(selecting->policies, KES_RULES, sizeof(*selecting->policy->rules));
	if (!selecting->policy->rules)
		return error_set(err, -ENOMEM, "out of memory");
	r = yaml_each_item(node, read_rule, context, err);
	if (!r && !selecting->policy->n_rules)
		return yaml_wants(node, err, "a list of rules");
	return r;
}

static int read_policy(void *context, const struct yaml_node *node, struct error *err)
{
	static const struct yaml_field fields[] = {
		{"name", read_name, true},
		{"priority", read_priority, true},
		{"mode", read_mode, true},
		{"unreadable", read_unreadable, false},
		{"vms", read_vms, false},
		{"rules", read_rules, true},
	};
	struct policies *policies = context;
	struct policy *grown =
		reallocarray(policies->list, policies->n + 1, sizeof(*policies->list));
	struct selecting selecting = {.policies = policies};
	int r;

	if (!grown)
		return error_set(err, -ENOMEM, "out of memory");
	policies->list = grown;
	selecting.policy = &grown[policies->n];
	*selecting.policy = (struct policy){
		.file = policies->files[policies->n_files - 1],
		.line = node->line,
		.column = node->column,
	};
	r = yaml_each_field(node, fields, ARRAY_SIZE(fields), &selecting, err);
	if (!r)
		r = policy_check_reach(selecting.policy, err);
	if (!r)
		policies->n++;
	return r;
}

static int read_list(void *context, const struct yaml_node *node, struct error *err)
{
	if (node->type != YAML_LIST || !node->first)
		return yaml_wants(node, err, "a list of policies");
	return yaml_each_item(node, read_policy, context, err);
}

/* ---- a range by itself ---- */

int policy_parse_range(const char *text, struct frames *ret, struct error *err)
{
	_cleanup_(yaml_free) struct yaml *yaml = NULL;
	struct yaml_range range;
	int r = yaml_parse(&yaml, "range", text, strlen(text), err);

	if (!r)
		r = yaml_get_range(yaml_root(yaml), &range, err);
	if (r)
		return r;
	if (range.start % 4096 || range.size % 4096 || (range.start + range.size - 1) >> 52) {
		error_set(err, -EINVAL, "a range has whole pages, below 2^52: 0x1000+4K");
		return -EINVAL;
	}
	*ret = (struct frames){range.start >> 12, range.size >> 12};
	return 0;
}

/* ---- files ---- */

static int read_defaults(void *context, const struct yaml_node *node, struct error *err)
{
	return policy_read_defaults(context, node, err);
}

static int begin_file(struct policies *policies, const struct yaml_node *root, const char *label,
	struct error *err)
{
	const char *path, **grown;

	if (policies->n_files == POLICY_FILES)
		return yaml_error(root, err, "more than %d files", POLICY_FILES);
	path = policies_text(policies, label);
	grown = reallocarray(policies->files, policies->n_files + 1, sizeof(*grown));
	if (grown)
		policies->files = grown;
	if (!path || !grown)
		return error_set(err, -ENOMEM, "out of memory");
	grown[policies->n_files++] = path;
	return 0;
}

static int read_document(
	struct policies *policies, const struct yaml *yaml, const char *label, struct error *err)
{
	static const struct yaml_field fields[] = {
		{"policies", read_list, false},
		{"defaults", read_defaults, false},
	};
	const struct yaml_node *root = yaml_root(yaml);
	int r = begin_file(policies, root, label, err);

	if (!r)
		memcpy(policies->digests[policies->n_files - 1], yaml_digest(yaml), SHA256_BYTES);
	if (!r)
		r = yaml_each_field(root, fields, ARRAY_SIZE(fields), policies, err);
	if (!r && !yaml_find(root, "policies") && !yaml_find(root, "defaults"))
		r = yaml_error(root, err, "'policies' or 'defaults' is missing here");
	return r;
}

static int read_file(struct policies *policies, const char *path, struct error *err)
{
	_cleanup_(yaml_free) struct yaml *yaml = NULL;
	int r = yaml_open(&yaml, path, err);

	if (r == -ENOENT) {
		error_set(err, r, "there is no file %s", path);
		error_advise(err, "kvm-encstat-policy(5) says what is in it");
	}
	return r ? r : read_document(policies, yaml, path, err);
}

static int is_yaml(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return n > 5 && *entry->d_name != '.' && !strcmp(entry->d_name + n - 5, ".yaml");
}

static int read_directory(struct policies *policies, const char *path, struct error *err)
{
	struct dirent **entries;
	int n = scandir(path, &entries, is_yaml, alphasort), r = 0;

	if (n < 0) {
		r = -errno;
		return error_set(err, r, "reading %s failed: %s", path, strerror(-r));
	}
	if (!n) {
		r = error_set(err, -ENOENT, "there is no *.yaml in %s", path);
		error_advise(err, "files of other names are not read");
	}
	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *file = NULL;

		if (!r && asprintf(&file, "%s/%s", path, entries[i]->d_name) < 0)
			r = error_set(err, -ENOMEM, "out of memory");
		if (!r)
			r = read_file(policies, file, err);
		free(entries[i]);
	}
	free(entries);
	return r;
}

/* The highest priority first; of equal ones, which never select the same VM, the first. */
static int by_priority(const void *a, const void *b)
{
	const struct policy *x = a, *y = b;

	if (x->priority != y->priority)
		return x->priority > y->priority ? -1 : 1;
	return strcmp(x->file, y->file) ?: (x->line > y->line) - (x->line < y->line);
}

static int finish(struct policies *policies, struct error *err)
{
	if (policies->n)
		qsort(policies->list, policies->n, sizeof(*policies->list), by_priority);
	return policies_check(policies, err);
}

static int policies_new(struct policies **ret, struct error *err)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : error_set(err, -ENOMEM, "out of memory");
}

int policies_load(struct policies **ret, const char *path, struct error *err)
{
	_cleanup_(policies_free) struct policies *policies = NULL;
	struct stat st;
	int r = policies_new(&policies, err);

	if (r)
		return r;
	if (!stat(path, &st) && S_ISDIR(st.st_mode))
		r = read_directory(policies, path, err);
	else
		r = read_file(policies, path, err);
	if (!r)
		r = finish(policies, err);
	if (!r)
		*ret = TAKE_PTR(policies);
	return r;
}

int policies_parse(
	struct policies **ret, const char *label, const void *text, size_t size, struct error *err)
{
	_cleanup_(policies_free) struct policies *policies = NULL;
	_cleanup_(yaml_free) struct yaml *yaml = NULL;
	int r = policies_new(&policies, err);

	if (!r)
		r = yaml_parse(&yaml, label, text, size, err);
	if (!r)
		r = read_document(policies, yaml, label, err);
	if (!r)
		r = finish(policies, err);
	if (!r)
		*ret = TAKE_PTR(policies);
	return r;
}
