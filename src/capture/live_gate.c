/* SPDX-License-Identifier: GPL-2.0-only */
/* The veto: the program on the gate module's function, and the tables it goes by. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "bpf/gate.skel.h"
#include "bpf/observe.skel.h"
#include "capture/live_gate.h"
#include "capture/live_private.h"

#define MODULE "/sys/module/kvm_encstat_gate"

struct live_gate {
	struct live *live;
	struct gate *skeleton;
	struct bpf_link *link;
	struct kes_gate settings;
	bool was_armed; /* the module, before us */
};

/* ---- the module ---- */

bool live_gate_is_there(void)
{
	return !access(MODULE, F_OK);
}

static int write_armed(const char *text)
{
	_cleanup_close_ int fd = open(MODULE "/parameters/armed", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}

static bool read_armed(void)
{
	_cleanup_close_ int fd = open(MODULE "/parameters/armed", O_RDONLY | O_CLOEXEC);
	char letter = 'N';

	return fd >= 0 && read(fd, &letter, 1) == 1 && letter == 'Y';
}

static int arm(struct live_gate *gate, struct error *err)
{
	int r;

	if (!live_gate_is_there()) {
		error_set(err, -ENOTSUP, "the module kvm_encstat_gate is not loaded");
		error_advise(err, "it is what asks about hypercalls: gate/README.md; then modprobe "
				  "kvm_encstat_gate");
		return -ENOTSUP;
	}
	gate->was_armed = read_armed();
	r = write_armed("1");
	return r ? error_set(
			   err, r, "the module kvm_encstat_gate cannot be armed: %s", strerror(-r))
		 : 0;
}

/* ---- the program ---- */

static int load(struct live_gate *gate)
{
	gate->skeleton = gate__open();
	if (!gate->skeleton)
		return -errno;
	gate->skeleton->rodata->host_is_svm = gate->live->observe->rodata->host_is_svm;
	gate->skeleton->rodata->wake_bytes = gate->live->observe->rodata->wake_bytes;
	gate->skeleton->rodata->has_rdonly_cast = gate->live->rdonly_cast;
	live_share_tables(gate->live, gate->skeleton->obj);
	return gate__load(gate->skeleton);
}

static int attach(struct live_gate *gate)
{
	gate->link = bpf_program__attach(gate->skeleton->progs.on_gate);
	return gate->link ? 0 : -errno;
}

static int write_settings(struct live_gate *gate)
{
	static const uint32_t zero;
	struct kes_gate now = {};
	int table = table_fd(gate->skeleton->maps.gate);

	if (!bpf_map_lookup_elem(table, &zero, &now))
		gate->settings.asked = now.asked;
	return bpf_map_update_elem(table, &zero, &gate->settings, BPF_ANY) ? -errno : 0;
}

int live_gate_open(struct live_gate **ret, struct live *live, struct error *err)
{
	_cleanup_(live_gate_close) struct live_gate *gate = calloc(1, sizeof(*gate));
	int r;

	if (!gate)
		return error_set(err, -ENOMEM, "out of memory");
	gate->live = live;
	r = arm(gate, err);
	if (r)
		return r;
	r = load(gate);
	if (!r)
		r = attach(gate);
	if (r) {
		error_set(err, r, "this kernel does not take the program that refuses: %s",
			strerror(-r));
		error_advise(err, "--verbose shows its own words");
		return r;
	}
	*ret = TAKE_PTR(gate);
	return 0;
}

void live_gate_close(struct live_gate **pointer)
{
	struct live_gate *gate = *pointer;

	if (!gate)
		return;
	bpf_link__destroy(gate->link);
	gate__destroy(gate->skeleton);
	if (!gate->was_armed && live_gate_is_there())
		(void)write_armed("0");
	free(gate);
	*pointer = NULL;
}

/* ---- tables ---- */

int live_gate_set(struct live_gate *gate, uint32_t index, const struct kes_rule_set *set)
{
	return bpf_map_update_elem(table_fd(gate->skeleton->maps.rule_sets), &index, set, BPF_ANY)
		       ? -errno
		       : 0;
}

int live_gate_standard(struct live_gate *gate, struct kes_policed standard, bool proving)
{
	gate->settings.standard = standard;
	gate->settings.proving = proving;
	return write_settings(gate);
}

int live_gate_assign(
	struct live_gate *gate, uint32_t vm, struct kes_policed which, uint64_t *ret_kvm)
{
	struct kes_vm_slot slot;
	uint32_t index;
	int r = live_find_vm(gate->live, vm, &slot, &index);

	if (r)
		return r;
	which.vm = vm;
	*ret_kvm = slot.kvm;
	return bpf_map_update_elem(
		       table_fd(gate->skeleton->maps.policed), &slot.kvm, &which, BPF_ANY)
		       ? -errno
		       : 0;
}

void live_gate_forget(struct live_gate *gate, uint32_t vm, uint64_t kvm)
{
	int table = table_fd(gate->skeleton->maps.policed);
	struct kes_policed now;

	if (!bpf_map_lookup_elem(table, &kvm, &now) && now.vm == vm)
		bpf_map_delete_elem(table, &kvm);
}

uint64_t live_gate_asked(struct live_gate *gate)
{
	static const uint32_t zero;
	struct kes_gate now = {};

	(void)bpf_map_lookup_elem(table_fd(gate->skeleton->maps.gate), &zero, &now);
	return now.asked;
}
