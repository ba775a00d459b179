/* SPDX-License-Identifier: GPL-2.0-only */
/* The veto's programs: loading, attaching, and which VM has which rules. */
#include "capture/live_veto.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "bpf/observe.skel.h"
#include "capture/live_private.h"
#include "capture/live_veto_private.h"

#define MODULE "/sys/module/kvm_encstat_gate"

/* ---- the module ---- */

bool live_veto_has_module(void)
{
	return !access(MODULE, F_OK);
}

int veto_write_armed(bool armed)
{
	_cleanup_close_ int fd = open(MODULE "/parameters/armed", O_WRONLY | O_CLOEXEC);

	return fd < 0 || write(fd, armed ? "1" : "0", 1) != 1 ? -errno : 0;
}

static bool read_armed(void)
{
	_cleanup_close_ int fd = open(MODULE "/parameters/armed", O_RDONLY | O_CLOEXEC);
	char letter = 'N';

	return fd >= 0 && read(fd, &letter, 1) == 1 && letter == 'Y';
}

static int no_module(struct error *err)
{
	error_set(err, -ENOTSUP, "the module kvm_encstat_gate is not loaded");
	error_advise(err, "it is what asks about hypercalls: gate/README.md; then modprobe "
			  "kvm_encstat_gate");
	return -ENOTSUP;
}

static int arm(struct live_veto *veto, const struct live_veto_options *options, struct error *err)
{
	int r;

	if (!live_veto_has_module())
		return options->want_gate ? no_module(err) : 0;
	veto->was_armed = read_armed() && !veto->leftover;
	r = veto_write_armed(true);
	if (r)
		return error_set(
			err, r, "the module kvm_encstat_gate cannot be armed: %s", strerror(-r));
	veto->armed = true;
	return 0;
}

/* ---- which programs ---- */

/* Whether BPF is among the security modules that run. */
static bool has_bpf_lsm(void)
{
	_cleanup_close_ int fd = open("/sys/kernel/security/lsm", O_RDONLY | O_CLOEXEC);
	char list[256] = {};
	char *save = NULL;

	if (fd < 0 || read(fd, list, sizeof(list) - 1) <= 0)
		return false;
	for (char *word = strtok_r(list, ",\n", &save); word; word = strtok_r(NULL, ",\n", &save))
		if (!strcmp(word, "bpf"))
			return true;
	return false;
}

static bool has_function(const char *name)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool has = btf && btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0;

	btf__free(btf);
	return has;
}

/* How the VMMs' ioctls are hooked, the best first: an LSM's program is never passed over, and one
 * that sleeps reads what is not in memory, too. */
enum form {
	FORM_SLEEPS,
	FORM_LSM,
	FORM_FMOD_RET,
	FORMS,
};
static const char *const form_names[FORMS] = {
	[FORM_SLEEPS] = "lsm.s/file_ioctl",
	[FORM_LSM] = "lsm/file_ioctl",
	[FORM_FMOD_RET] = "fmod_ret/security_file_ioctl",
};

/* 32-bit callers have a function of their own on newer kernels, and no form that sleeps. */
static void choose_programs(struct live_veto *veto, enum form form)
{
	bool lsm = form != FORM_FMOD_RET;
	bool compat =
		has_function(lsm ? "bpf_lsm_file_ioctl_compat" : "security_file_ioctl_compat");

	bpf_program__set_autoload(veto->skeleton->progs.on_gate, veto->armed);
	bpf_program__set_autoload(veto->skeleton->progs.on_taken,
		veto->live->hooks[LIVE_CALL_LOCKED].state >= HOOK_STANDBY);
	bpf_program__set_autoload(veto->skeleton->progs.lsm_ioctl, form == FORM_SLEEPS);
	bpf_program__set_autoload(veto->skeleton->progs.lsm_plain_ioctl, form == FORM_LSM);
	bpf_program__set_autoload(veto->skeleton->progs.lsm_compat_ioctl, lsm && compat);
	bpf_program__set_autoload(veto->skeleton->progs.on_ioctl, !lsm);
	bpf_program__set_autoload(veto->skeleton->progs.on_compat_ioctl, !lsm && compat);
}

static int load_form(struct live_veto *veto, enum form form)
{
	veto->skeleton = veto__open();
	if (!veto->skeleton)
		return -errno;
	veto->skeleton->rodata->host_is_svm = veto->live->observe->rodata->host_is_svm;
	veto->skeleton->rodata->wake_bytes = veto->live->observe->rodata->wake_bytes;
	veto->skeleton->rodata->has_rdonly_cast = veto->live->rdonly_cast;
	choose_programs(veto, form);
	live_share_tables(veto->live, veto->skeleton->obj);
	if (veto->took_over)
		veto_share_pins(veto);
	veto->form = form_names[form];
	return veto__load(veto->skeleton);
}

static int load(struct live_veto *veto)
{
	int r = -ENOTSUP;

	for (enum form form = has_bpf_lsm() ? FORM_SLEEPS : FORM_FMOD_RET; form < FORMS; form++) {
		veto__destroy(veto->skeleton);
		r = load_form(veto, form);
		if (!r)
			break;
	}
	return r;
}

static int attach(struct live_veto *veto)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, veto->skeleton->obj)
	{
		struct bpf_link *link;

		if (!bpf_program__autoload(program))
			continue;
		link = bpf_program__attach(program);
		if (!link)
			return -errno;
		veto->links[veto->n_links++] = link;
	}
	return 0;
}

/* ---- tables ---- */

static void find_tables(struct live_veto *veto)
{
	for (int i = 0; i < VETO_TABLES; i++)
		veto->tables.fd[i] =
			bpf_object__find_map_fd_by_name(veto->skeleton->obj, veto_table_names[i]);
}

static int write_first_settings(struct live_veto *veto)
{
	struct kes_veto settings = {
		.layout = KES_VETO_LAYOUT,
		.gate = veto->armed,
		.freezing = 1,
	};

	return veto_write_settings(&veto->tables, &settings);
}

/* ---- life cycle ---- */

static int refused(int r, struct error *err)
{
	if (r == -EPERM) {
		error_set(err, -ENOTSUP,
			"this kernel forbids BPF trampolines, without which nothing can be "
			"refused: it can only be observed");
		error_advise(err, "kvm-encstat policy test says what a policy would refuse");
		return -ENOTSUP;
	}
	error_set(err, r, "this kernel does not take the programs that refuse: %s", strerror(-r));
	error_advise(err, "kvm-encstat doctor shows what it has; --verbose its own words");
	return r == -EBUSY ? r : -ENOTSUP;
}

static int open_veto(
	struct live_veto *veto, const struct live_veto_options *options, struct error *err)
{
	int r;

	if (!veto->live->own_pids) {
		error_set(err, -ENOTSUP, "this is a pid namespace: VMMs cannot be signalled here");
		error_advise(err, "enforce on the host itself");
		return -ENOTSUP;
	}
	r = veto_pins_lock(veto, err);
	if (!r)
		r = veto_pins_find(veto, options->keep, err);
	if (!r)
		r = arm(veto, options, err);
	if (r)
		return r;
	r = load(veto);
	if (r)
		return refused(r, err);
	find_tables(veto);
	r = write_first_settings(veto);
	if (!r)
		r = attach(veto);
	return r ? refused(r, err) : 0;
}

int live_veto_open(struct live_veto **ret, struct live *live,
	const struct live_veto_options *options, struct error *err)
{
	_cleanup_(live_veto_close) struct live_veto *veto = calloc(1, sizeof(*veto));
	int r;

	if (!veto)
		return error_set(err, -ENOMEM, "out of memory");
	veto->live = live;
	veto->keep = options->keep;
	veto->lock = -1;
	r = open_veto(veto, options, err);
	if (r)
		return r;
	*ret = TAKE_PTR(veto);
	return 0;
}

int live_veto_commit(struct live_veto *veto, struct error *err)
{
	int r = veto_pins_write(veto, err);

	veto->committed = !r;
	return r;
}

void live_veto_close(struct live_veto **pointer)
{
	struct live_veto *veto = *pointer;
	bool stays;

	if (!veto)
		return;
	/* What an earlier tool left stays as it was until this one was proved. */
	stays = veto->committed ? veto->keep : veto->took_over;
	if (veto->skeleton && !stays)
		(void)veto_release_all(&veto->tables);
	for (size_t i = 0; i < veto->n_links; i++)
		bpf_link__destroy(veto->links[i]);
	if (veto->committed && !stays)
		veto_pins_remove();
	veto__destroy(veto->skeleton);
	if (veto->armed && !veto->was_armed && !stays && live_veto_has_module())
		(void)veto_write_armed(false);
	veto_pins_unlock(veto->lock);
	free(veto);
	*pointer = NULL;
}

/* ---- what there is ---- */

bool live_veto_has(const struct live_veto *veto, enum veto_level level)
{
	return level == VETO_GATE ? veto->armed : true;
}

bool live_veto_previous(const struct live_veto *veto, struct kes_veto *ret)
{
	if (veto->took_over)
		*ret = veto->previous;
	return veto->took_over;
}

const struct veto_tables *live_veto_tables(const struct live_veto *veto)
{
	return &veto->tables;
}

const char *live_veto_form(const struct live_veto *veto)
{
	return veto->form;
}

uint64_t live_veto_missed(const struct live_veto *veto)
{
	struct bpf_program *program;
	uint64_t missed = 0;

	bpf_object__for_each_program(program, veto->skeleton->obj)
	{
		struct bpf_prog_info info = {};
		uint32_t size = sizeof(info);

		if (bpf_program__autoload(program) &&
			!bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
			missed += info.recursion_misses;
	}
	return missed;
}

/* ---- VMs ---- */

int live_veto_assign(
	struct live_veto *veto, uint32_t vm, struct kes_policed which, uint64_t *ret_kvm)
{
	struct kes_vm_slot slot;
	uint32_t index;
	int r = live_find_vm(veto->live, vm, &slot, &index);

	if (r)
		return r;
	which.vm = vm;
	*ret_kvm = slot.kvm;
	if (bpf_map_update_elem(veto->tables.fd[VETO_POLICED], &slot.kvm, &which, BPF_ANY))
		return -errno;
	if (!live_find_vm(veto->live, vm, &slot, &index))
		return 0;
	live_veto_forget(veto, vm, *ret_kvm); /* it has ended meanwhile */
	return -ENOENT;
}

int live_veto_has_rules(struct live_veto *veto, uint32_t vm, struct kes_policed *ret)
{
	struct kes_vm_slot slot;
	uint32_t index;
	int r = live_find_vm(veto->live, vm, &slot, &index);

	if (!r && bpf_map_lookup_elem(veto->tables.fd[VETO_POLICED], &slot.kvm, ret))
		r = -errno;
	return r;
}

void live_veto_forget(struct live_veto *veto, uint32_t vm, uint64_t kvm)
{
	int table = veto->tables.fd[VETO_POLICED];
	struct kes_policed now;

	if (!bpf_map_lookup_elem(table, &kvm, &now) && now.vm == vm)
		bpf_map_delete_elem(table, &kvm);
}

struct known {
	struct live_veto *veto;
	const uint64_t *kvms;
	size_t n;
};

static int forget_unknown(void *context, const struct veto_vm *vm)
{
	const struct known *known = context;

	for (size_t i = 0; i < known->n; i++)
		if (known->kvms[i] == vm->kvm)
			return 0;
	bpf_map_delete_elem(known->veto->tables.fd[VETO_POLICED], &vm->kvm);
	return 0;
}

void live_veto_forget_others(struct live_veto *veto, const uint64_t *kvms, size_t n)
{
	struct known known = {veto, kvms, n};

	(void)veto_each_vm(&veto->tables, forget_unknown, &known);
}

/* ---- what only the C half has to tell ---- */

int live_veto_tell_file(struct live_veto *veto, uint16_t number, const char *path)
{
	int r = veto_write_file(&veto->tables, number, path);

	if (r || !veto->live->take)
		return r;
	return live_send_text(veto->live, 0, number, KES_TEXT_FILE, path, false);
}

int live_tell_reaction(struct live *live, uint32_t vm, const struct kes_judgement *judgement)
{
	struct kes_record record = {
		.ts_ns = clock_now_ns(),
		.vm = vm,
		.kind = KES_REACTION,
		.flags = KES_F_FOUND,
		.judgement = *judgement,
	};

	return live->take ? live->take(live->context, &record, 1) : 0;
}
