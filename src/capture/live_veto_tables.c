/* SPDX-License-Identifier: GPL-2.0-only */
#include "capture/live_veto_tables.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "capture/live_veto.h"

#define STOP_TRIES    2000 /* milliseconds that a VMM may take to stop */
#define MAX_USED_MAPS 64   /* by a program, as the kernel has it */

const char *const veto_table_names[VETO_TABLES] = {
	[VETO_SETTINGS] = "veto",
	[VETO_TOTALS] = "veto_totals",
	[VETO_RULE_SETS] = "rule_sets",
	[VETO_RULE_COUNTS] = "rule_counts",
	[VETO_FILES] = "files",
	[VETO_POLICED] = "policed",
	[VETO_FROZEN] = "frozen",
	[VETO_MONITORED] = "monitored",
	[VETO_DENIALS] = "denials",
	[VETO_LABELS] = "labels",
	[VETO_BASELINES] = "baselines",
	[VETO_STATES] = "states",
	[VETO_LEAVES] = "leaves",
	[VETO_FLIGHTS] = "flights",
	[VETO_NO_STATE] = "no_state",
	[VETO_NO_LEAF] = "no_leaf",
};

static const uint32_t zero;

/* ---- pinned ones ---- */

void veto_tables_close(struct veto_tables *tables)
{
	for (int i = 0; i < VETO_TABLES; i++)
		if (tables->fd[i] >= 0)
			close(tables->fd[i]);
}

static int open_error(int r, struct error *err)
{
	if (r == -EACCES || r == -EPERM) {
		error_set(err, r, "the veto's tables cannot be opened: %s", strerror(-r));
		error_advise(err, "run as root");
	} else if (r == -ESTALE) {
		error_set(err, r, "what is enforced belongs to another version of kvm-encstat");
		error_advise(err, "ask that version, or kvm-encstat policy release");
	} else if (veto_can_pin(err)) {
		error_set(err, r, "nothing is enforced here");
		error_advise(err, "kvm-encstat enforce does that");
	}
	return r;
}

int veto_tables_open(struct veto_tables *ret, struct error *err)
{
	struct kes_veto settings = {};
	int r = 0;

	for (int i = 0; i < VETO_TABLES; i++)
		ret->fd[i] = -1;
	for (int i = 0; i < VETO_TABLES && !r; i++) {
		char path[128];

		snprintf(path, sizeof(path), VETO_PINS "/%s", veto_table_names[i]);
		ret->fd[i] = bpf_obj_get(path);
		if (ret->fd[i] < 0)
			r = -errno;
	}
	if (r == -ENOENT && veto_is_kept())
		r = -ESTALE; /* it has others */
	if (!r && (veto_settings(ret, &settings) || settings.layout != KES_VETO_LAYOUT))
		r = -ESTALE;
	if (!r)
		return 0;
	veto_tables_close(ret);
	return open_error(r, err);
}

/* ---- who goes by them ---- */

static bool uses_any(const struct bpf_prog_info *info, const uint32_t *used, const uint32_t *ids)
{
	for (uint32_t i = 0; i < info->nr_map_ids && i < MAX_USED_MAPS; i++)
		for (int t = 0; t < VETO_TABLES; t++)
			if (used[i] == ids[t])
				return true;
	return false;
}

static void look_at_program(uint32_t id, const uint32_t *ids, struct veto_programs *ret)
{
	uint32_t used[MAX_USED_MAPS];
	struct bpf_prog_info info = {
		.nr_map_ids = MAX_USED_MAPS, .map_ids = (uint64_t)(uintptr_t)used};
	uint32_t size = sizeof(info);
	_cleanup_close_ int fd = bpf_prog_get_fd_by_id(id);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) || !uses_any(&info, used, ids))
		return; /* it may have gone */
	ret->n++;
	ret->missed += info.recursion_misses;
}

int veto_programs(const struct veto_tables *tables, struct veto_programs *ret)
{
	uint32_t ids[VETO_TABLES], id = 0;

	*ret = (struct veto_programs){};
	for (int i = 0; i < VETO_TABLES; i++) {
		struct bpf_map_info info = {};
		uint32_t size = sizeof(info);

		if (bpf_obj_get_info_by_fd(tables->fd[i], &info, &size))
			return -errno;
		ids[i] = info.id;
	}
	while (!bpf_prog_get_next_id(id, &id))
		look_at_program(id, ids, ret);
	return errno == ENOENT ? 0 : -errno;
}

/* ---- settings ---- */

int veto_settings(const struct veto_tables *tables, struct kes_veto *ret)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(tables->fd[VETO_SETTINGS], &info, &size))
		return -errno;
	if (info.value_size != sizeof(*ret))
		return -ESTALE; /* another version's */
	return bpf_map_lookup_elem(tables->fd[VETO_SETTINGS], &zero, ret) ? -errno : 0;
}

int veto_write_settings(const struct veto_tables *tables, const struct kes_veto *settings)
{
	return bpf_map_update_elem(tables->fd[VETO_SETTINGS], &zero, settings, BPF_ANY) ? -errno
											: 0;
}

struct kes_veto_totals veto_totals(const struct veto_tables *tables)
{
	struct kes_veto_totals totals = {};

	(void)bpf_map_lookup_elem(tables->fd[VETO_TOTALS], &zero, &totals);
	return totals;
}

/* ---- rules ---- */

int veto_write_set(const struct veto_tables *tables, uint32_t index, const struct kes_rule_set *set)
{
	struct kes_rule_count none = {};

	for (uint32_t i = 0; i < KES_RULES; i++) {
		uint32_t at = index * KES_RULES + i;

		if (bpf_map_update_elem(tables->fd[VETO_RULE_COUNTS], &at, &none, BPF_ANY))
			return -errno;
	}
	return bpf_map_update_elem(tables->fd[VETO_RULE_SETS], &index, set, BPF_ANY) ? -errno : 0;
}

int veto_read_set(const struct veto_tables *tables, uint32_t index, struct kes_rule_set *ret)
{
	return bpf_map_lookup_elem(tables->fd[VETO_RULE_SETS], &index, ret) ? -errno : 0;
}

struct kes_rule_count veto_rule_count(const struct veto_tables *tables, uint32_t set, uint32_t rule)
{
	struct kes_rule_count count = {};
	uint32_t at = set * KES_RULES + rule;

	(void)bpf_map_lookup_elem(tables->fd[VETO_RULE_COUNTS], &at, &count);
	return count;
}

int veto_write_file(const struct veto_tables *tables, uint16_t number, const char *path)
{
	char text[KES_TEXT_LIMIT] = {};
	uint32_t key = number;

	snprintf(text, sizeof(text), "%s", path);
	return bpf_map_update_elem(tables->fd[VETO_FILES], &key, text, BPF_ANY) ? -errno : 0;
}

void veto_read_file(const struct veto_tables *tables, uint16_t number, char path[KES_TEXT_LIMIT])
{
	uint32_t key = number;

	if (bpf_map_lookup_elem(tables->fd[VETO_FILES], &key, path))
		*path = '\0';
	path[KES_TEXT_LIMIT - 1] = '\0';
}

/* ---- VMs ---- */

bool veto_is_monitored(const struct veto_tables *tables, uint64_t kvm)
{
	uint64_t since_ns;

	return !bpf_map_lookup_elem(tables->fd[VETO_MONITORED], &kvm, &since_ns);
}

static void fill_vm(const struct veto_tables *tables, struct veto_vm *vm)
{
	vm->has_rules = !bpf_map_lookup_elem(tables->fd[VETO_POLICED], &vm->kvm, &vm->which);
	vm->has_label = !bpf_map_lookup_elem(tables->fd[VETO_LABELS], &vm->kvm, &vm->label);
	vm->is_frozen = !bpf_map_lookup_elem(tables->fd[VETO_FROZEN], &vm->kvm, &vm->frozen);
	vm->is_monitored = veto_is_monitored(tables, vm->kvm);
	if (bpf_map_lookup_elem(tables->fd[VETO_DENIALS], &vm->kvm, &vm->denials))
		vm->denials = (struct kes_denials){};
	vm->label.name[KES_VM_LABEL - 1] = '\0';
}

/* All keys of a table first, as what fn does may change it. */
static uint64_t *read_keys(int table, size_t *ret_n)
{
	uint64_t *keys = calloc(KES_MAX_VMS, sizeof(*keys)), *previous = NULL;
	size_t n = 0;

	while (keys && n < KES_MAX_VMS && !bpf_map_get_next_key(table, previous, &keys[n]))
		previous = &keys[n++];
	*ret_n = n;
	return keys;
}

int veto_each_vm(const struct veto_tables *tables, veto_vm_fn fn, void *context)
{
	static const enum veto_table both[] = {VETO_POLICED, VETO_FROZEN};
	int r = 0;

	for (size_t t = 0; t < ARRAY_SIZE(both) && !r; t++) {
		size_t n;
		_cleanup_free_ uint64_t *keys = read_keys(tables->fd[both[t]], &n);

		if (!keys)
			return -ENOMEM;
		for (size_t i = 0; i < n && !r; i++) {
			struct veto_vm vm = {.kvm = keys[i]};

			fill_vm(tables, &vm);
			if (!t || !vm.has_rules) /* those that have were in the first table */
				r = fn(context, &vm);
		}
	}
	return r;
}

int veto_write_label(
	const struct veto_tables *tables, uint64_t kvm, const struct kes_vm_label *label)
{
	return bpf_map_update_elem(tables->fd[VETO_LABELS], &kvm, label, BPF_ANY) ? -errno : 0;
}

int veto_state(const struct veto_tables *tables, uint64_t kvm, struct kes_state *ret)
{
	struct kes_state_key key = {.kvm = kvm, .asker = KES_BY_GUEST};

	return bpf_map_lookup_elem(tables->fd[VETO_STATES], &key, ret) ? -errno : 0;
}

int veto_take_baseline(const struct veto_tables *tables, uint64_t kvm)
{
	_cleanup_free_ struct kes_state *state = malloc(sizeof(*state));
	uint64_t shared;
	int r;

	if (!state)
		return -ENOMEM;
	r = veto_state(tables, kvm, state);
	if (r)
		return r;
	shared = state->reset ? 0 : state->policy.shared; /* a VM that was reset begins anew */
	return bpf_map_update_elem(tables->fd[VETO_BASELINES], &kvm, &shared, BPF_ANY) ? -errno : 0;
}

int veto_baseline(const struct veto_tables *tables, uint64_t kvm, uint64_t *ret)
{
	return bpf_map_lookup_elem(tables->fd[VETO_BASELINES], &kvm, ret) ? -errno : 0;
}

/* ---- frozen VMs ---- */

bool veto_is_frozen(const struct veto_tables *tables, uint64_t kvm)
{
	struct kes_frozen frozen;

	return !bpf_map_lookup_elem(tables->fd[VETO_FROZEN], &kvm, &frozen);
}

/* Whether a thread of the process is stopped, or gone. */
static bool thread_is_stopped(uint32_t pid, const char *thread)
{
	char path[64 + NAME_MAX], text[512];
	_cleanup_close_ int fd = -1;
	const char *end;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/task/%s/stat", pid, thread);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return true;
	text[n] = '\0';
	end = strrchr(text, ')'); /* a name may hold anything */
	return end && end[1] == ' ' && strchr("TtZX", end[2]);
}

static bool is_stopped(uint32_t pid)
{
	bool stopped = true;
	struct dirent *entry;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%u/task", pid);
	dir = opendir(path);
	while (dir && stopped && (entry = readdir(dir)))
		stopped = *entry->d_name == '.' || thread_is_stopped(pid, entry->d_name);
	if (dir)
		closedir(dir);
	return stopped;
}

/* A signal to stop reaches one thread, which stops the others: going on too early would leave these
 * in the guest. No event tells of it. */
static void wait_until_stopped(uint32_t pid)
{
	static const struct timespec pause = {.tv_nsec = 1000000};

	for (int i = 0; i < STOP_TRIES && !is_stopped(pid); i++)
		nanosleep(&pause, NULL);
}

int veto_freeze(const struct veto_tables *tables, uint64_t kvm, uint32_t pid)
{
	struct kes_frozen frozen = {.since_ns = clock_now_ns(), .pid = pid};

	if (bpf_map_update_elem(tables->fd[VETO_FROZEN], &kvm, &frozen, BPF_NOEXIST))
		return errno == EEXIST ? veto_resume_vmm(tables, kvm) : -errno;
	/* Stopping is what takes its vCPUs out of the guest; they do not come back into it. */
	if (kill((pid_t)pid, SIGSTOP))
		return -errno;
	return veto_resume_vmm(tables, kvm);
}

int veto_resume_vmm(const struct veto_tables *tables, uint64_t kvm)
{
	struct kes_frozen frozen;

	if (bpf_map_lookup_elem(tables->fd[VETO_FROZEN], &kvm, &frozen))
		return -ENOENT;
	if (frozen.resumed)
		return 0; /* who stops it now has his reasons */
	wait_until_stopped(frozen.pid);
	frozen.resumed = 1;
	if (bpf_map_update_elem(tables->fd[VETO_FROZEN], &kvm, &frozen, BPF_EXIST))
		return -errno;
	return kill((pid_t)frozen.pid, SIGCONT) ? -errno : 0;
}

int veto_release(const struct veto_tables *tables, uint64_t kvm)
{
	struct kes_frozen frozen;

	if (bpf_map_lookup_elem(tables->fd[VETO_FROZEN], &kvm, &frozen))
		return -ENOENT;
	if (bpf_map_delete_elem(tables->fd[VETO_FROZEN], &kvm))
		return -errno;
	return !frozen.resumed && kill((pid_t)frozen.pid, SIGCONT) ? -errno : 0;
}

int veto_monitor(const struct veto_tables *tables, uint64_t kvm, bool monitored)
{
	uint64_t now_ns = clock_now_ns();

	if (monitored)
		return bpf_map_update_elem(tables->fd[VETO_MONITORED], &kvm, &now_ns, BPF_ANY)
			       ? -errno
			       : 0;
	return bpf_map_delete_elem(tables->fd[VETO_MONITORED], &kvm) && errno != ENOENT ? -errno
											: 0;
}

struct releasing {
	const struct veto_tables *tables;
};

static int release_vm(void *context, const struct veto_vm *vm)
{
	const struct releasing *releasing = context;

	if (vm->is_frozen)
		(void)veto_release(releasing->tables, vm->kvm);
	return 0;
}

int veto_release_all(const struct veto_tables *tables)
{
	struct releasing releasing = {tables};

	return veto_each_vm(tables, release_vm, &releasing);
}
