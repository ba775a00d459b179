/* SPDX-License-Identifier: GPL-2.0-only */
#include "capture/identity.h"

#include <string.h>

#include "base/cleanup.h"

static const char *const source_names[] = {
	[IDENTITY_NONE] = "none",
	[IDENTITY_OPTION] = "option",
	[IDENTITY_SOCKET] = "socket",
	[IDENTITY_SCOPE] = "scope",
	[IDENTITY_KUBEVIRT] = "kubevirt",
};
_Static_assert(ARRAY_SIZE(source_names) == IDENTITY_SOURCES, "a name for each source");

const char *identity_source_name(enum identity_source source)
{
	return source_names[source];
}

/* ---- pieces of text -------------------------------------------------------------------------- */

/* A piece of the input: not NUL-terminated. */
struct span {
	const char *at;
	size_t size;
};

static bool starts_with(struct span span, const char *prefix)
{
	size_t n = strlen(prefix);

	return span.size >= n && !memcmp(span.at, prefix, n);
}

static bool ends_with(struct span span, const char *suffix)
{
	size_t n = strlen(suffix);

	return span.size >= n && !memcmp(span.at + span.size - n, suffix, n);
}

static bool equals(struct span span, const char *text)
{
	return span.size == strlen(text) && starts_with(span, text);
}

static struct span skip(struct span span, size_t n)
{
	return (struct span){span.at + n, span.size - n};
}

static struct span without_suffix(struct span span, const char *suffix)
{
	if (ends_with(span, suffix))
		span.size -= strlen(suffix);
	return span;
}

/* What is before the first such byte; all of it if there is none. */
static struct span before(struct span span, char byte)
{
	const char *end = span.size ? memchr(span.at, byte, span.size) : NULL;

	if (end)
		span.size = (size_t)(end - span.at);
	return span;
}

/* Takes the next piece off *rest. A last piece without the byte behind it is one, too. */
static bool next_piece(struct span *rest, char end, struct span *ret)
{
	struct span piece = before(*rest, end);

	if (!rest->size)
		return false;
	*rest = skip(*rest, piece.size < rest->size ? piece.size + 1 : piece.size);
	*ret = piece;
	return true;
}

static struct span base_name(struct span path)
{
	const char *slash = path.size ? memrchr(path.at, '/', path.size) : NULL;

	return slash ? skip(path, (size_t)(slash - path.at) + 1) : path;
}

/* ---- what is kept ---------------------------------------------------------------------------- */

/* Text of any length, of which only the beginning is kept: with it what is needed of a character
 * that does not fit, to know that it is one. */
struct text {
	size_t size; /* of all of it */
	unsigned char bytes[IDENTITY_NAME_MAX + 2];
};

static void put(struct text *text, char byte)
{
	if (text->size < sizeof(text->bytes))
		text->bytes[text->size] = (unsigned char)byte;
	text->size++;
}

/* Length of the character of several bytes at the beginning, 0 if there is none. */
static size_t utf8_length(const unsigned char *bytes, size_t size)
{
	unsigned char lead = bytes[0];
	unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
	unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
	size_t length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;

	if (!length || length > size || bytes[1] < low || bytes[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

/* Where to cut a text that is longer than at: before the character that at would split. */
static size_t cut_before(const struct text *text, size_t at)
{
	size_t have = text->size < sizeof(text->bytes) ? text->size : sizeof(text->bytes);

	for (size_t back = 1; back < 4; back++)
		if (utf8_length(text->bytes + at - back, have - (at - back)) > back)
			return at - back;
	return at;
}

/* Whether something was left out. */
static bool keep(const struct text *text, char out[IDENTITY_NAME_MAX])
{
	bool cut = text->size > IDENTITY_NAME_MAX - 1;
	size_t n = cut ? cut_before(text, IDENTITY_NAME_MAX - 1) : text->size;

	memcpy(out, text->bytes, n);
	out[n] = '\0';
	return cut;
}

/* The ways to write a name. */

static void put_plain(struct text *text, struct span span)
{
	for (size_t i = 0; i < span.size; i++)
		put(text, span.at[i]);
}

/* QEMU's way: a comma is doubled. */
static void put_doubled(struct text *text, struct span span)
{
	for (size_t i = 0; i < span.size; i++) {
		put(text, span.at[i]);
		if (span.at[i] == ',' && i + 1 < span.size && span.at[i + 1] == ',')
			i++;
	}
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* The byte that \xNN at the beginning stands for; 0 if that is not there, or would be a NUL. */
static char escaped_byte(struct span span)
{
	int high, low;

	if (span.size < 4 || !starts_with(span, "\\x"))
		return '\0';
	high = hex_digit(span.at[2]);
	low = hex_digit(span.at[3]);
	return high < 0 || low < 0 ? '\0' : (char)(high << 4 | low);
}

/* systemd's way, in the names of units. A plain dash stays one: in a path it would stand for a
 * slash, but no machine's name has slashes, and not all who make such units escape dashes. */
static void put_escaped(struct text *text, struct span span)
{
	while (span.size) {
		char byte = escaped_byte(span);

		put(text, byte ? byte : *span.at);
		span = skip(span, byte ? 4 : 1);
	}
}

static void set_name(struct identity *ret, struct span name, enum identity_source source,
	void (*write)(struct text *, struct span))
{
	struct text text = {0};

	write(&text, name);
	if (!text.size)
		return;
	ret->name_cut = keep(&text, ret->name);
	ret->source = source;
}

static bool set_uuid(struct identity *ret, struct span uuid)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	_Static_assert(sizeof(form) == sizeof(ret->uuid), "room for a UUID");
	if (uuid.size != sizeof(form) - 1)
		return false;
	for (size_t i = 0; i < uuid.size; i++)
		if (form[i] == '-' ? uuid.at[i] != '-' : hex_digit(uuid.at[i]) < 0)
			return false;
	for (size_t i = 0; i < uuid.size; i++)
		ret->uuid[i] =
			(char)(form[i] == '-' ? '-' : "0123456789abcdef"[hex_digit(uuid.at[i])]);
	return true;
}

/* ---- lists of KEY=VALUE, with commas between them ---------------------------------------------
 */

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
	struct span key = before(item, '=');

	if (key.size == item.size || before(key, ',').size < key.size)
		return false;
	*ret_key = key;
	*ret_value = skip(item, key.size + 1);
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

		list = skip(list, item.size < list.size ? item.size + 1 : item.size);
		if (!value.size || (keyed ? !equals(key, wanted) : !implied || !first))
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

/* ---- options --------------------------------------------------------------------------------- */

struct reading {
	struct identity *ret;
	bool has_uuid; /* by the option that is for it */
};

static void take_qemu_name(struct reading *reading, struct span list)
{
	struct span name;

	if (list_find(list, qemu_item_size, "guest", true, &name))
		set_name(reading->ret, name, IDENTITY_OPTION, put_doubled);
}

static void take_name(struct reading *reading, struct span name)
{
	set_name(reading->ret, name, IDENTITY_OPTION, put_plain);
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
	if (set_uuid(reading->ret, uuid))
		reading->has_uuid = true;
}

static void take_smbios(struct reading *reading, struct span list)
{
	struct span type, uuid;

	if (!reading->has_uuid && qemu_find(list, "type", &type) && equals(type, "1") &&
		qemu_find(list, "uuid", &uuid))
		set_uuid(reading->ret, uuid);
}

static void take_platform(struct reading *reading, struct span list)
{
	struct span uuid;

	if (ch_find(list, "uuid", &uuid))
		set_uuid(reading->ret, uuid);
}

static void set_socket(struct reading *reading, struct span name)
{
	if (reading->ret->source != IDENTITY_OPTION)
		set_name(reading->ret, name, IDENTITY_SOCKET, put_plain);
}

static void take_socket(struct reading *reading, struct span path)
{
	set_socket(reading, without_suffix(base_name(path), ".sock"));
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
	path = base_name(path);
	for (size_t i = 0; i < ARRAY_SIZE(noise); i++)
		path = without_suffix(path, noise[i]);
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

static const struct vmm *find_vmm(struct span program)
{
	const struct vmm *vmm = vmms;

	program = base_name(program);
	if (starts_with(program, "."))
		program = skip(program, 1); /* what NixOS wraps: .qemu-system-x86_64-wrapped */
	while (!starts_with(program, vmm->prefix))
		vmm++;
	return vmm;
}

static const struct option *find_option(const struct vmm *vmm, struct span name)
{
	static const struct option other = {NULL, take_nothing};

	for (const struct option *option = vmm->options; option->name; option++)
		if (equals(name, option->name))
			return option;
	for (const char *const *value = vmm->values; *value; value++)
		if (equals(name, *value))
			return &other;
	return NULL;
}

/* -name, --name, -name=VALUE and --name=VALUE; the value's at is NULL without one. */
static bool split_option(struct span word, struct span *ret_name, struct span *ret_value)
{
	struct span name;

	if (!starts_with(word, "-"))
		return false;
	word = skip(word, starts_with(word, "--") ? 2 : 1);
	name = before(word, '=');
	*ret_name = name;
	*ret_value = name.size < word.size ? skip(word, name.size + 1) : (struct span){NULL, 0};
	return true;
}

/* Up to a "--": what follows that is no option of the VMM. */
static void read_options(struct reading *reading, const struct vmm *vmm, struct span words)
{
	struct span word, name, value;

	while (next_piece(&words, '\0', &word) && !equals(word, "--")) {
		const struct option *option;

		if (!split_option(word, &name, &value))
			continue;
		option = find_option(vmm, name);
		if (!option)
			continue;
		if (!value.at && !next_piece(&words, '\0', &value))
			return;
		option->take(reading, value);
	}
}

/* ---- the cgroup ------------------------------------------------------------------------------ */

/* The path of a line HIERARCHY:CONTROLLERS:PATH, if it is that of these controllers. */
static bool line_path(struct span line, const char *controllers, struct span *ret)
{
	struct span id, field;

	if (!next_piece(&line, ':', &id) || !next_piece(&line, ':', &field) ||
		!equals(field, controllers) || !starts_with(line, "/"))
		return false;
	*ret = before(line, '\0');
	return true;
}

static bool find_path(struct span lines, const char *controllers, struct span *ret)
{
	struct span line;

	while (next_piece(&lines, '\n', &line))
		if (line_path(line, controllers, ret))
			return true;
	return false;
}

/* v2's. Where systemd keeps to v1, v2 is not there, or there with nothing in it. */
static struct span cgroup_path(struct span lines)
{
	struct span path = {"", 0};

	if (!find_path(lines, "", &path) || equals(path, "/"))
		find_path(lines, "name=systemd", &path);
	return path;
}

/* The size of the beginning of unit that has the form: there # is a number, and a dash may be
 * escaped. 0 if it has not. */
static size_t match_form(struct span unit, const char *form)
{
	struct span rest = unit;

	for (; *form; form++) {
		size_t n = 0;

		if (*form == '#')
			while (n < rest.size && rest.at[n] >= '0' && rest.at[n] <= '9')
				n++;
		else if (*form == '-' && escaped_byte(rest) == '-')
			n = 4;
		else if (rest.size && *rest.at == *form)
			n = 1;
		if (!n)
			return 0;
		rest = skip(rest, n);
	}
	return unit.size - rest.size;
}

/* Whether a unit is that of a VM, and what it calls it. */
static bool unit_name(struct span unit, struct span *ret)
{
	static const struct {
		const char *form, *suffix;
	} units[] = {
		/* libvirt: DRIVER-ID-NAME, without what systemd does not like, and cut */
		{"machine-qemu-#-", ".scope"},
		{"machine-ch-#-", ".scope"},
		{"machine-lxc-#-", ".scope"},
		{"machine-xen-#-", ".scope"},
		/* systemd-machined, for whoever registers there */
		{"machine-", ".scope"},
		/* systemd-vmspawn: a random number, or a unit that an administrator enabled */
		{"sd-vmspawn-#-", ".scope"},
		{"systemd-vmspawn@", ".service"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		size_t n = match_form(unit, units[i].form);

		if (n && ends_with(skip(unit, n), units[i].suffix)) {
			*ret = without_suffix(skip(unit, n), units[i].suffix);
			return true;
		}
	}
	return false;
}

/* The innermost unit that is a VM's; VMMs have cgroups within it, and it may be within one. */
static void read_units(struct identity *ret, struct span path)
{
	struct span unit, name, last = {"", 0};

	while (next_piece(&path, '/', &unit))
		if (unit_name(unit, &name))
			last = name;
	set_name(ret, last, IDENTITY_SCOPE, put_escaped);
}

/* kubepods, kubepods.slice, kubepods-burstable.slice, kubelet-kubepods.slice: it depends on who
 * makes the cgroups, and on where. */
static bool is_in_pod(struct span path)
{
	struct span unit;

	while (next_piece(&path, '/', &unit))
		if (equals(unit, "kubepods") ||
			(ends_with(unit, ".slice") && memmem(unit.at, unit.size, "kubepods", 8)))
			return true;
	return false;
}

/* Namespaces are of lower case letters, digits and dashes, so the first underscore ends one. Kata's
 * VMs are in pods, too, but their names have none. */
static void read_kubevirt(struct identity *ret)
{
	char *end = ret->name + strspn(ret->name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	if (end == ret->name || end[0] != '_' || !end[1])
		return;
	*end = '/';
	ret->source = IDENTITY_KUBEVIRT;
}

void identity_parse(struct identity *ret, const char *cmdline, size_t cmdline_size,
	const char *cgroup, size_t cgroup_size)
{
	struct span words = {cmdline, cmdline_size}, program = {"", 0};
	struct span path = cgroup_path((struct span){cgroup, cgroup_size});
	struct reading reading = {.ret = ret};
	struct text text = {0};
	const struct vmm *vmm;

	memset(ret, 0, sizeof(*ret));
	put_plain(&text, path);
	keep(&text, ret->cgroup);
	next_piece(&words, '\0', &program);
	vmm = find_vmm(program);
	read_options(&reading, vmm, words);
	if (ret->source == IDENTITY_NONE)
		read_units(ret, path);
	else if (vmm->options == qemu_options && is_in_pod(path))
		read_kubevirt(ret);
}
