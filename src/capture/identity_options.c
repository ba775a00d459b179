/* SPDX-License-Identifier: GPL-2.0-only */
/* What the options of VMMs say of their VM. */
#include <string.h>

#include "base/cleanup.h"
#include "capture/identity_private.h"

/* ---- lists of KEY=VALUE, with commas between them ---- */

/* QEMU: a doubled comma is part of the item. */
static size_t qemu_item_size(struct span list)
{
	size_t i = 0;

	while (i < list.size && (list.at[i] != ',' || (i + 1 < list.size && list.at[i + 1] == ',')))
		i += list.at[i] == ',' ? 2 : 1;
	return i;
}

/* cloud-hypervisor: so is a comma within brackets or quotation marks. */
static size_t ch_item_size(struct span list)
{
	size_t i, depth = 0;
	bool quoted = false;

	for (i = 0; i < list.size; i++) {
		char c = list.at[i];

		if (c == ',' && !depth && !quoted)
			break;
		if (c == '"')
			quoted = !quoted;
		else if (!quoted && c == '[')
			depth++;
		else if (!quoted && c == ']' && depth)
			depth--;
	}
	return i;
}

/* Whether the item is KEY=VALUE. An equals sign behind a (doubled) comma is not that of a key. */
static bool split_item(struct span item, struct span *ret_key, struct span *ret_value)
{
	struct span key = span_before(item, '=');

	if (key.size == item.size || span_before(key, ',').size < key.size)
		return false;
	*ret_key = key;
	*ret_value = span_skip(item, key.size + 1);
	return true;
}

/* The last value of key in list that is not empty. If implied, a first item without a key is one.
 */
static bool list_find(struct span list, size_t (*item_size)(struct span), const char *wanted,
	bool implied, struct span *ret)
{
	bool found = false;

	for (bool first = true; list.size; first = false) {
		struct span item = {list.at, item_size(list)}, key = {"", 0}, value = item;
		bool keyed = split_item(item, &key, &value);

		list = span_skip(list, item.size < list.size ? item.size + 1 : item.size);
		if (!value.size || (keyed ? !span_equals(key, wanted) : !implied || !first))
			continue;
		*ret = value;
		found = true;
	}
	return found;
}

static bool qemu_find(struct span list, const char *key, struct span *ret)
{
	return list_find(list, qemu_item_size, key, false, ret);
}

static bool ch_find(struct span list, const char *key, struct span *ret)
{
	return list_find(list, ch_item_size, key, false, ret);
}

/* ---- options ---- */

struct reading {
	struct identity *ret;
	bool has_uuid; /* by the option that is for it */
};

static void take_qemu_name(struct reading *reading, struct span list)
{
	struct span name;

	if (list_find(list, qemu_item_size, "guest", true, &name))
		identity_set_name(reading->ret, name, IDENTITY_OPTION, name_doubled);
}

static void take_name(struct reading *reading, struct span name)
{
	identity_set_name(reading->ret, name, IDENTITY_OPTION, name_plain);
}

/* Of a VMM that is not known: QEMU under another name, or one to which a comma is a comma. */
static void take_any_name(struct reading *reading, struct span value)
{
	static const char *const keys[] = {"guest", "process", "debug-threads"};
	struct span ignored;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (qemu_find(value, keys[i], &ignored)) {
			take_qemu_name(reading, value);
			return;
		}
	take_name(reading, value);
}

static void take_uuid(struct reading *reading, struct span uuid)
{
	if (identity_set_uuid(reading->ret, uuid))
		reading->has_uuid = true;
}

static void take_smbios(struct reading *reading, struct span list)
{
	struct span type, uuid;

	if (!reading->has_uuid && qemu_find(list, "type", &type) && span_equals(type, "1") &&
		qemu_find(list, "uuid", &uuid))
		identity_set_uuid(reading->ret, uuid);
}

static void take_platform(struct reading *reading, struct span list)
{
	struct span uuid;

	if (ch_find(list, "uuid", &uuid))
		identity_set_uuid(reading->ret, uuid);
}

static void set_socket(struct reading *reading, struct span name)
{
	if (reading->ret->source != IDENTITY_OPTION)
		identity_set_name(reading->ret, name, IDENTITY_SOCKET, name_plain);
}

static void take_socket(struct reading *reading, struct span path)
{
	set_socket(reading, span_without(span_base_name(path), ".sock"));
}

/* PATH, path=PATH or fd=N. What else people put behind the VM's name is left out: NAME-api.sock,
 * NAME.socket, libvirt's NAME-socket. */
static void take_api_socket(struct reading *reading, struct span value)
{
	static const char *const noise[] = {".sock", ".socket", "-socket", "-api"};
	struct span path = value, fd;

	if (ch_find(value, "fd", &fd))
		return;
	ch_find(value, "path", &path);
	path = span_base_name(path);
	for (size_t i = 0; i < ARRAY_SIZE(noise); i++)
		path = span_without(path, noise[i]);
	set_socket(reading, path);
}

static void take_nothing(struct reading *reading, struct span value)
{
	(void)reading;
	(void)value;
}

struct option {
	const char *name; /* without its dashes: one or two of them is the same */
	void (*take)(struct reading *, struct span value);
};

static const struct option qemu_options[] = {
	{"name", take_qemu_name},
	{"uuid", take_uuid},
	{"smbios", take_smbios},
	{NULL, NULL},
};

static const struct option ch_options[] = {
	{"api-socket", take_api_socket},
	{"platform", take_platform},
	{NULL, NULL},
};

static const struct option firecracker_options[] = {
	{"id", take_name},
	{NULL, NULL},
};

static const struct option crosvm_options[] = {
	{"name", take_name},
	{"socket", take_socket},
	{"s", take_socket},
	{NULL, NULL},
};

static const struct option other_options[] = {
	{"name", take_any_name},
	{"uuid", take_uuid},
	{"smbios", take_smbios},
	{NULL, NULL},
};

/* Options that take the next word whatever it is: one that looks like an option is none then. The
 * words of others need not be known, as long as they do not begin with a dash. */
static const char *const qemu_values[] = {"D", "L", "M", "accel", "acpitable", "action", "add-fd",
	"append", "audio", "audiodev", "balloon", "bios", "blockdev", "boot", "bt", "cdrom",
	"chardev", "chroot", "clock", "compat", "cpu", "d", "debugcon", "device", "dfilter",
	"display", "drive", "dtb", "dump-vmstate", "echr", "fda", "fdb", "fsdev", "fw_cfg", "g",
	"gdb", "global", "hda", "hdb", "hdc", "hdd", "icount", "incoming", "initrd", "iscsi", "k",
	"kernel", "loadvm", "m", "machine", "mem-path", "mon", "monitor", "msg", "mtdblock", "net",
	"netdev", "nic", "numa", "object", "option-rom", "overcommit", "parallel", "pflash",
	"pidfile", "plugin", "prom-env", "qmp", "qmp-pretty", "qtest", "qtest-log", "readconfig",
	"realtime", "rotate", "rtc", "run-with", "runas", "sandbox", "sd", "seed",
	"semihosting-config", "serial", "set", "shim", "smp", "soundhw", "spice", "tb-size",
	"tpmdev", "trace", "usbdevice", "vga", "virtfs", "vnc", "watchdog", "watchdog-action",
	"writeconfig", "xen-domid", NULL};

static const char *const crosvm_values[] = {"params", "p", NULL};

static const char *const other_values[] = {
	"append", "cmdline", "fw_cfg", "initrd", "kernel", "params", NULL};

/* The others never take a word that begins with a dash for a value. */
static const char *const no_values[] = {NULL};

/* By what the VMM's file name begins with. */
static const struct vmm {
	const char *prefix;
	const struct option *options;
	const char *const *values;
} vmms[] = {
	{"qemu", qemu_options, qemu_values},
	{"kvm", qemu_options, qemu_values},
	{"cloud-hypervisor", ch_options, no_values},
	{"firecracker", firecracker_options, no_values},
	{"crosvm", crosvm_options, crosvm_values},
	{"", other_options, other_values},
};

const struct vmm *identity_vmm(struct span program)
{
	const struct vmm *vmm = vmms;

	program = span_base_name(program);
	if (span_starts(program, "."))
		program = span_skip(program, 1); /* what NixOS wraps: .qemu-system-x86_64-wrapped */
	while (!span_starts(program, vmm->prefix))
		vmm++;
	return vmm;
}

static const struct option *find_option(const struct vmm *vmm, struct span name)
{
	static const struct option other = {NULL, take_nothing};

	for (const struct option *option = vmm->options; option->name; option++)
		if (span_equals(name, option->name))
			return option;
	for (const char *const *value = vmm->values; *value; value++)
		if (span_equals(name, *value))
			return &other;
	return NULL;
}

/* -name, --name, -name=VALUE and --name=VALUE; the value's at is NULL without one. */
static bool split_option(struct span word, struct span *ret_name, struct span *ret_value)
{
	struct span name;

	if (!span_starts(word, "-"))
		return false;
	word = span_skip(word, span_starts(word, "--") ? 2 : 1);
	name = span_before(word, '=');
	*ret_name = name;
	*ret_value =
		name.size < word.size ? span_skip(word, name.size + 1) : (struct span){NULL, 0};
	return true;
}

bool identity_is_qemu(const struct vmm *vmm)
{
	return vmm->options == qemu_options;
}

void identity_read_options(struct identity *ret, const struct vmm *vmm, struct span words)
{
	struct reading reading = {.ret = ret};
	struct span word, name, value;

	while (span_next(&words, '\0', &word) && !span_equals(word, "--")) {
		const struct option *option;

		if (!split_option(word, &name, &value))
			continue;
		option = find_option(vmm, name);
		if (!option)
			continue;
		if (!value.at && !span_next(&words, '\0', &value))
			return;
		option->take(&reading, value);
	}
}
