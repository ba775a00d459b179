/* SPDX-License-Identifier: GPL-2.0-only */
/* What this kernel has of what we want, by its type information: never by its version. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "base/cleanup.h"
#include "capture/live_private.h"

/* ---- what this kernel has ---- */

/* Whether the kernel, or its kvm module, has a tracepoint of this name that BTF describes. */
static bool has_tracepoint(const struct btf *vmlinux, const struct btf *kvm, const char *hook)
{
	char type[64];

	snprintf(type, sizeof(type), "btf_trace_%s", strchr(hook, '/') + 1);
	return btf__find_by_name_kind(vmlinux, type, BTF_KIND_TYPEDEF) > 0 ||
	       (kvm && btf__find_by_name_kind(kvm, type, BTF_KIND_TYPEDEF) > 0);
}

static bool has_function(const struct btf *vmlinux, const struct btf *kvm, const char *hook)
{
	const char *name = strchr(hook, '/') + 1;

	return btf__find_by_name_kind(vmlinux, name, BTF_KIND_FUNC) > 0 ||
	       (kvm && btf__find_by_name_kind(kvm, name, BTF_KIND_FUNC) > 0);
}

/* Whether the kernel takes a trampoline at all: an empty program on a function that nobody calls
 * but the kernel's own BPF tests. Spares loading our second object where it cannot work. 0 or a
 * negative errno; a kernel without that function counts as willing. */
static int probe_trampoline(const struct btf *vmlinux)
{
	static const struct bpf_insn empty[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_FENTRY);
	_cleanup_close_ int program = -1, link = -1;
	int id = btf__find_by_name_kind(vmlinux, "bpf_fentry_test1", BTF_KIND_FUNC);

	if (id <= 0)
		return 0;
	options.attach_btf_id = (uint32_t)id;
	program = bpf_prog_load(
		BPF_PROG_TYPE_TRACING, "kes_probe", "GPL", empty, ARRAY_SIZE(empty), &options);
	if (program < 0)
		return program;
	link = bpf_raw_tracepoint_open(NULL, program);
	return link < 0 ? link : 0;
}

/* The member of a struct of this name; NULL if there is none. */
static const struct btf_member *find_member(
	const struct btf *btf, const char *name, const char *member)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT);
	const struct btf_type *type = id > 0 ? btf__type_by_id(btf, (uint32_t)id) : NULL;

	for (int i = 0; type && i < btf_vlen(type); i++)
		if (!strcmp(btf__name_by_offset(btf, btf_members(type)[i].name_off), member))
			return &btf_members(type)[i];
	return NULL;
}

/* Whether KVM keeps memory attributes at all (6.8, CONFIG_KVM_GENERIC_MEMORY_ATTRIBUTES). */
static bool has_attributes(const struct btf *vmlinux, const struct btf *kvm)
{
	return find_member(kvm ? kvm : vmlinux, "kvm", "mem_attr_array");
}

/* Whether they lie as the reader expects them: 64 slots in each node of the array. */
static bool can_read_attributes(const struct btf *vmlinux)
{
	static const int64_t slots_bytes = 64 * 8;
	const struct btf_member *slots = find_member(vmlinux, "xa_node", "slots");

	return slots && btf__resolve_size(vmlinux, slots->type) == slots_bytes;
}

int live_probe(struct live *live, struct error *err)
{
	static const int needed[] = {LIVE_HYPERCALL, LIVE_EXIT};
	static const int functions[] = {
		LIVE_ANSWER_RUN, LIVE_END, LIVE_CALL, LIVE_CALL_END, LIVE_CALL_LOCKED};
	static const int tracepoints[] = {LIVE_HYPERCALL, LIVE_EXIT, LIVE_BIRTH, LIVE_ANSWER_FPU,
		LIVE_CALL_PLAIN, LIVE_CALL_PLAIN_END};
	struct btf *vmlinux, *kvm;
	int r = 0;

	vmlinux = btf__load_vmlinux_btf();
	if (!vmlinux) {
		error_set(err, -ENOTSUP, "the kernel has no type information (BTF): %s",
			strerror(errno));
		error_advise(err,
			"kvm-encstat needs a kernel built with CONFIG_DEBUG_INFO_BTF=y, which "
			"distribution kernels are; /sys/kernel/btf/vmlinux shows it");
		return -ENOTSUP;
	}
	kvm = btf__load_module_btf("kvm", vmlinux); /* NULL where KVM is built in */
	for (size_t i = 0; i < ARRAY_SIZE(tracepoints); i++) {
		struct hook *hook = &live->hooks[tracepoints[i]];

		if (has_tracepoint(vmlinux, kvm, hook->name))
			hook->state = HOOK_STANDBY;
	}
	if (btf__find_by_name_kind(vmlinux, "bpf_iter__task_file", BTF_KIND_STRUCT) > 0)
		live->hooks[LIVE_INVENTORY].state = live->hooks[LIVE_READING].state = HOOK_STANDBY;
	live->kernel_has_attributes = has_attributes(vmlinux, kvm);
	if (!live->kernel_has_attributes || !can_read_attributes(vmlinux))
		live->hooks[LIVE_READING].state = HOOK_ABSENT;
	for (size_t i = 0; i < ARRAY_SIZE(needed) && !r; i++)
		if (live->hooks[needed[i]].state == HOOK_ABSENT) {
			r = error_set(err, -ENODEV,
				"KVM is not there: no %s in the kernel or a module",
				live->hooks[needed[i]].name);
			error_advise(err, "load it: modprobe kvm_amd, or modprobe kvm_intel");
		}
	if (!r &&
		!live_kvm_is_there()) { /* what it needs of the vendor's module is not there yet */
		r = error_set(err, -ENODEV, "KVM is not there: its device is not registered");
		error_advise(err, "load it: modprobe kvm_amd, or modprobe kvm_intel");
	}
	live->rdonly_cast = btf__find_by_name_kind(vmlinux, "bpf_rdonly_cast", BTF_KIND_FUNC) > 0;
	live->trampoline_err = probe_trampoline(vmlinux);
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		if (has_function(vmlinux, kvm, live->hooks[functions[i]].name))
			live->hooks[functions[i]].state = HOOK_STANDBY;
	btf__free(kvm);
	btf__free(vmlinux);
	return r;
}

/* ---- who drives the vCPUs ---- */

static bool file_has_word(const char *path, const char *word)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	char text[8192];
	size_t n = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

	text[n] = '\0';
	for (const char *at = text; (at = strstr(at, word)); at++)
		if (at > text && at[-1] == ' ' && strchr(" \n", at[strlen(word)]))
			return true;
	return false;
}

/* Whether kvm-amd is what drives vCPUs here; bpf/ proves it again for each vCPU. */
bool live_host_is_svm(void)
{
	return file_has_word("/proc/cpuinfo", "svm") && !access("/sys/module/kvm_amd", F_OK);
}

bool live_kvm_is_there(void)
{
	return !access("/sys/class/misc/kvm", F_OK);
}
