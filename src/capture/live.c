/* SPDX-License-Identifier: GPL-2.0-only */
#include "capture/live.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "bpf/observe.skel.h"
#include "bpf/trampoline.skel.h"
#include "capture/live_private.h"
#include "kvm_abi.h"

/* The rows of live->hooks. The two answer hooks are alternatives: the first that can be had. */
#define ROW(hook_name, hook_purpose)                           \
	{                                                      \
		.name = (hook_name), .purpose = (hook_purpose) \
	}
static const struct hook hook_rows[LIVE_HOOKS] = {
	[LIVE_HYPERCALL] = ROW("tp_btf/kvm_hypercall", "hypercalls, and those KVM refuses itself"),
	[LIVE_EXIT] =
		ROW("tp_btf/kvm_userspace_exit", "requests to the VMM, memory faults, exit counts"),
	[LIVE_BIRTH] = ROW("tp_btf/kvm_track_tsc", "VMs and vCPUs from birth"),
	[LIVE_INVENTORY] = ROW("iter/task_file", "VMs that live already, memslots"),
	[LIVE_ANSWER_RUN] = ROW("fentry/kvm_arch_vcpu_ioctl_run", "the VMM's answers"),
	[LIVE_ANSWER_FPU] = ROW("tp_btf/kvm_fpu", "the VMM's answers, without trampolines"),
	[LIVE_END] = ROW("fentry/kvm_arch_destroy_vm", "the end of VMs, at once"),
	[LIVE_CALL] = ROW("fentry/__x64_sys_ioctl", "changes of memory attributes: entry"),
	[LIVE_CALL_END] = ROW("fexit/__x64_sys_ioctl", "changes of memory attributes: result"),
	[LIVE_CALL_LOCKED] = ROW("fentry/kvm_range_has_memory_attributes",
		"changes of memory attributes: KVM's own order"),
	[LIVE_CALL_PLAIN] =
		ROW("tp_btf/sys_enter", "changes of memory attributes, without trampolines"),
	[LIVE_CALL_PLAIN_END] = ROW("tp_btf/sys_exit", "their result, without trampolines"),
	[LIVE_READING] = ROW("iter/task_file/attributes", "memory attributes, read back"),
};

const char *hook_state_name(enum hook_state state)
{
	static const char *const names[] = {
		[HOOK_ABSENT] = "absent",
		[HOOK_REFUSED] = "refused",
		[HOOK_STANDBY] = "standby",
		[HOOK_ATTACHED] = "attached",
	};
	_Static_assert(ARRAY_SIZE(names) == HOOK_STATES, "a name for each state");

	return names[state];
}

/* A VM takes a record for each of its memslots, and two or three more: some VMs together fit on any
 * ring but the smallest. */
#define LIVE_FILES_AT_ONCE 4

/* ---- libbpf's words ---- */

static bool print_all;

__attribute__((format(printf, 2, 0))) static int print_libbpf(
	enum libbpf_print_level level, const char *fmt, va_list args)
{
	if (!print_all || level == LIBBPF_DEBUG)
		return 0;
	return vfprintf(stderr, fmt, args);
}

/* ---- load ---- */

static size_t ring_size(size_t bytes)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);

	if (!bytes)
		bytes = LIVE_RING_DEFAULT;
	while (size < bytes && size < (1u << 30))
		size *= 2;
	return size;
}

static int load_error(int r, struct error *err)
{
	if (r == -EPERM || r == -EACCES) {
		error_set(err, r, "the kernel does not let us load BPF programs: %s", strerror(-r));
		error_advise(err, "run as root, or with CAP_SYS_ADMIN");
	} else {
		error_set(err, r, "loading the BPF programs failed: %s", strerror(-r));
		error_advise(err, "--verbose shows the kernel's reasons");
	}
	return r;
}

static struct bpf_program *observe_program(const struct live *live, enum live_hook hook)
{
	switch (hook) {
	case LIVE_HYPERCALL:
		return live->observe->progs.on_hypercall;
	case LIVE_EXIT:
		return live->observe->progs.on_exit;
	case LIVE_BIRTH:
		return live->observe->progs.on_track_tsc;
	case LIVE_INVENTORY:
		return live->observe->progs.list_vms;
	case LIVE_ANSWER_FPU:
		return live->observe->progs.on_fpu;
	case LIVE_CALL_PLAIN:
		return live->observe->progs.on_sys_enter;
	case LIVE_CALL_PLAIN_END:
		return live->observe->progs.on_sys_exit;
	case LIVE_READING:
		return live->observe->progs.read_attributes;
	default:
		return NULL;
	}
}

static struct bpf_program *trampoline_program(const struct live *live, enum live_hook hook)
{
	switch (hook) {
	case LIVE_ANSWER_RUN:
		return live->trampoline->progs.on_run;
	case LIVE_END:
		return live->trampoline->progs.on_destroy;
	case LIVE_CALL:
		return live->trampoline->progs.on_ioctl;
	case LIVE_CALL_END:
		return live->trampoline->progs.on_ioctl_end;
	case LIVE_CALL_LOCKED:
		return live->trampoline->progs.on_attributes_locked;
	default:
		return NULL;
	}
}

struct bpf_program *live_program(const struct live *live, enum live_hook hook)
{
	struct bpf_program *program = observe_program(live, hook);

	return program || !live->trampoline ? program : trampoline_program(live, hook);
}

static int load_observe(struct live *live, const struct live_options *options, struct error *err)
{
	LIBBPF_OPTS(bpf_test_run_opts, nothing);
	int r;

	live->observe = observe__open();
	if (!live->observe)
		return error_set(
			err, -errno, "opening the BPF programs failed: %s", strerror(errno));
	live->ring_bytes = ring_size(options->ring_bytes);
	bpf_map__set_max_entries(live->observe->maps.ring, (uint32_t)live->ring_bytes);
	live->n_tallies = (size_t)libbpf_num_possible_cpus() * KES_TALLIES;
	bpf_map__set_max_entries(live->observe->maps.tallies, (uint32_t)live->n_tallies);
	live->observe->rodata->host_is_svm = live_host_is_svm();
	live->observe->rodata->snapshot_room = live->ring_bytes / 2;
	live->observe->rodata->has_rdonly_cast = live->rdonly_cast;
	live->observe->rodata->wake_bytes = live->ring_bytes / 4;
	for (int i = 0; i < LIVE_HOOKS; i++) {
		struct bpf_program *program = observe_program(live, i);

		if (program && live->hooks[i].state == HOOK_ABSENT)
			bpf_program__set_autoload(program, false);
	}
	r = observe__load(live->observe);
	if (!r)
		r = bpf_prog_test_run_opts(
			bpf_program__fd(live->observe->progs.introduce), &nothing);
	live->own_pids = live_host(live).tool == (uint32_t)getpid();
	return r ? load_error(r, err) : 0;
}

void live_share_tables(const struct live *live, struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		struct bpf_map *shared =
			bpf_object__find_map_by_name(live->observe->obj, bpf_map__name(map));

		if (shared && !bpf_map__is_internal(map))
			bpf_map__reuse_fd(map, bpf_map__fd(shared));
	}
}

/* Loads the second object, with the tables of the first one. */
static int open_trampoline(struct live *live)
{
	live->trampoline = trampoline__open();
	if (!live->trampoline)
		return -errno;
	live->trampoline->rodata->host_is_svm = live->observe->rodata->host_is_svm;
	live->trampoline->rodata->has_rdonly_cast = live->rdonly_cast;
	live->trampoline->rodata->wake_bytes = live->observe->rodata->wake_bytes;
	for (int i = 0; i < LIVE_HOOKS; i++) {
		struct bpf_program *program = trampoline_program(live, i);

		if (program)
			bpf_program__set_autoload(program, live->hooks[i].state == HOOK_STANDBY);
	}
	live_share_tables(live, live->trampoline->obj);
	return trampoline__load(live->trampoline);
}

/* Trampolines are tried, never required: a kernel may lack them, forbid them, or lack the function.
 */
static void load_trampoline(struct live *live)
{
	static const int hooks[] = {
		LIVE_ANSWER_RUN, LIVE_END, LIVE_CALL, LIVE_CALL_END, LIVE_CALL_LOCKED};
	int r = live->trampoline_err ? live->trampoline_err : open_trampoline(live);

	if (!r)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++)
		if (live->hooks[hooks[i]].state == HOOK_STANDBY) {
			live->hooks[hooks[i]].state = HOOK_REFUSED;
			live->hooks[hooks[i]].err = r;
		}
	trampoline__destroy(live->trampoline);
	live->trampoline = NULL;
}

/* ---- attach ---- */

int live_attach(struct live *live, enum live_hook i)
{
	struct hook *hook = &live->hooks[i];

	if (hook->state != HOOK_STANDBY)
		return hook->state == HOOK_ATTACHED ? 0 : -ENOENT;
	live->links[i] = bpf_program__attach(live_program(live, i));
	if (!live->links[i]) {
		hook->state = HOOK_REFUSED;
		hook->err = -errno;
		return hook->err;
	}
	hook->state = HOOK_ATTACHED;
	return 0;
}

/* Answers are read where KVM_RUN is entered, which costs each entry a little: hence only once some
 * VM can make requests. Those made before are read at the vCPU's next stop, and marked as late. */
int live_hook_answers(struct live *live)
{
	int r;

	if (live->control->answers_hooked)
		return 0;
	r = live_attach(live, LIVE_ANSWER_RUN);
	if (r)
		r = live_attach(live, LIVE_ANSWER_FPU);
	if (r)
		return r;
	live->answers_hooked_ns = clock_now_ns();
	live->control->answers_hooked = 1;
	return 0;
}

void live_detach(struct live *live, enum live_hook i)
{
	bpf_link__destroy(live->links[i]);
	live->links[i] = NULL;
	if (live->hooks[i].state == HOOK_ATTACHED)
		live->hooks[i].state = HOOK_STANDBY;
}

void live_hook_answers_again(struct live *live)
{
	live_attach(live, LIVE_ANSWER_FPU);
	live->answers_hooked_ns = clock_now_ns();
}

/* Exits first: a hypercall whose exit went unseen would look refused. */
static int attach_all(struct live *live, struct error *err)
{
	static const int needed[] = {LIVE_EXIT, LIVE_HYPERCALL};
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		r = live_attach(live, needed[i]);
		if (r) {
			error_set(err, r, "attaching to %s failed: %s", live->hooks[needed[i]].name,
				strerror(-r));
			error_advise(err,
				"--verbose shows the kernel's reasons; kvm-encstat doctor "
				"shows all hooks");
			return r;
		}
	}
	live_attach(live, LIVE_END);
	live_attach(live, LIVE_BIRTH);
	live_attach(live, LIVE_INVENTORY);
	return 0;
}

/* ---- life cycle ---- */

int live_new(struct live **ret, const struct live_options *options, struct error *err)
{
	_cleanup_(live_free) struct live *live = calloc(1, sizeof(*live));
	uint64_t start = clock_now_ns();
	int r;

	if (!live)
		return error_set(err, -ENOMEM, "out of memory");
	memcpy(live->hooks, hook_rows, sizeof(hook_rows));
	live->stats_fd = live->uevents = -1;
	print_all = options->verbose;
	libbpf_set_print(print_libbpf);

	r = live_probe(live, err);
	if (r)
		return r;
	if (options->count_runs)
		live->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	r = load_observe(live, options, err);
	if (r)
		return r;
	if (options->no_trampolines)
		live->trampoline_err = -ECANCELED;
	load_trampoline(live);
	if (options->resident)
		live_resident_load(live);
	r = live_tables_init(live);
	if (r)
		return error_set(err, r, "reading the ring failed: %s", strerror(-r));
	r = live_resume(live, options);
	if (r)
		return error_set(err, r, "writing the kernel's tables failed: %s", strerror(-r));
	r = attach_all(live, err);
	if (r)
		return r;
	if (options->hook_now)
		live_hook_answers(live);
	if (options->prove_all || (options->hook_now && live->kernel_has_attributes))
		live_hook_attributes(live);
	live->setup_ns = clock_now_ns() - start;
	*ret = TAKE_PTR(live);
	return 0;
}

void live_free(struct live **pointer)
{
	struct live *live = *pointer;

	if (!live)
		return;
	for (int i = 0; i < LIVE_HOOKS; i++)
		bpf_link__destroy(live->links[i]);
	live_tables_free(live);
	live_resident_free(live);
	trampoline__destroy(live->trampoline);
	observe__destroy(live->observe);
	if (live->stats_fd >= 0)
		close(live->stats_fd);
	free(live);
	*pointer = NULL;
}

/* Runs an iterator to its end. For each file of interest it writes a byte, so that a read ends when
 * so many have come, and what they left on the ring can be taken off. */
int live_iterate(struct live *live, const struct bpf_link *link)
{
	_cleanup_close_ int fd = bpf_iter_create(bpf_link__fd(link));
	char files[LIVE_FILES_AT_ONCE];
	int r = 0;

	if (fd < 0)
		return -errno;
	while (!r && read(fd, files, sizeof(files)) > 0)
		r = live_consume(live);
	return r;
}

/* A second look takes VMs of whoever holds them: those whose VMM is gone, or gave them away. */
int live_look(struct live *live)
{
	uint64_t holders = live_host(live).holders;
	int r;

	if (!live->links[LIVE_INVENTORY])
		return -ENOENT;
	live->vms_came = false;
	live->inventory_ns = clock_now_ns();
	r = live_iterate(live, live->links[LIVE_INVENTORY]);
	if (r || live_host(live).holders == holders)
		return r;
	live->control->any_holder = 1;
	r = live_iterate(live, live->links[LIVE_INVENTORY]);
	live->control->any_holder = 0;
	return r;
}

int live_inventory(struct live *live, record_fn take, void *context)
{
	int r;

	live->take = take;
	live->context = context;
	r = live_tell_host(live, take, context);
	if (!r)
		r = live_look(live);
	return r ? r : live_consume(live);
}

const char *live_shortcoming(const struct live *live)
{
	const struct hook *hooks = live->hooks;

	if (hooks[LIVE_ANSWER_RUN].state < HOOK_STANDBY &&
		hooks[LIVE_ANSWER_FPU].state < HOOK_STANDBY)
		return "this kernel has no hook for the VMM's answers: they are read late, and "
		       "some not at all";
	if (hooks[LIVE_BIRTH].state != HOOK_ATTACHED)
		return "this kernel has no hook for new vCPUs: no VM is known from birth, none is "
		       "exact";
	if (hooks[LIVE_INVENTORY].state != HOOK_ATTACHED)
		return "this kernel has no iterator over files: VMs that run already are seen when "
		       "they convert";
	if (!live->own_pids)
		return "this is a pid namespace: VMs have no names here, and pids are the host's";
	if (live->kernel_has_attributes && hooks[LIVE_READING].state < HOOK_STANDBY)
		return "this kernel's memory attributes cannot be read back: the host plane of VMs "
		       "that run already stays unknown";
	return NULL;
}

bool live_counts_runs(const struct live *live)
{
	return live->stats_fd >= 0;
}

const struct hook *live_hooks(struct live *live, size_t *ret_n)
{
	for (int i = 0; i < LIVE_HOOKS; i++) {
		struct bpf_program *program = live_program(live, i);
		struct bpf_prog_info info = {};
		uint32_t size = sizeof(info);

		if (live->hooks[i].state < HOOK_STANDBY || !program ||
			bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
			continue;
		live->hooks[i].runs = info.run_cnt;
		live->hooks[i].run_ns = info.run_time_ns;
	}
	*ret_n = LIVE_HOOKS;
	return live->hooks;
}

size_t live_ring_bytes(const struct live *live)
{
	return live->ring_bytes;
}

double live_setup_ms(const struct live *live)
{
	return (double)live->setup_ns / 1e6;
}
