/* SPDX-License-Identifier: GPL-2.0-only */
/* What command lines and cgroups say of a VM, and what they only seem to say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "capture/identity.h"
#include "hostile_names.h"

#define UUID  "11dbdcdd-4c3b-482b-8903-9bdb8c0a2774"
#define OTHER "ffffffff-0000-482b-8903-9bdb8c0a2774"

/* A command line of literals, its last NUL included; W() is a word. */
#define W(word)  word "\0"
#define CMD(cmd) (cmd), sizeof(cmd) - 1

/* On the heap and exactly as large, so that the sanitizer sees each byte read beyond. */
static void parse(struct identity *ret, const char *cmdline, size_t cmdline_size,
	const char *cgroup, size_t cgroup_size)
{
	char *a = malloc(cmdline_size ? cmdline_size : 1),
	     *b = malloc(cgroup_size ? cgroup_size : 1);

	assert_non_null(a);
	assert_non_null(b);
	memcpy(a, cmdline, cmdline_size);
	memcpy(b, cgroup, cgroup_size);
	memset(ret, 0x5a, sizeof(*ret));
	identity_parse(ret, a, cmdline_size, b, cgroup_size);
	free(a);
	free(b);
}

struct row {
	const char *cmdline;
	size_t size;
	const char *name;
	enum identity_source source;
	const char *uuid;
	const char *cgroup; /* its lines; NULL none */
};

#define ROW(command, expected, from, ...)                                              \
	{                                                                              \
		.cmdline = (command), .size = sizeof(command) - 1, .name = (expected), \
		.source = IDENTITY_##from, ##__VA_ARGS__                               \
	}

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *cgroup = rows[i].cgroup ? rows[i].cgroup : "";
		const char *uuid = rows[i].uuid ? rows[i].uuid : "";
		struct identity id;

		parse(&id, rows[i].cmdline, rows[i].size, cgroup, strlen(cgroup));
		if (strcmp(id.name, rows[i].name) || id.source != rows[i].source ||
			strcmp(id.uuid, uuid) || id.name_cut)
			fail_msg("row %zu: \"%s\" %s %s", i, id.name,
				identity_source_name(id.source), id.uuid);
	}
}

static void test_qemu(void **state)
{
	static const struct row rows[] = {
		ROW(W("qemu-system-x86_64") W("-name") W("web"), "web", OPTION),
		ROW(W("/usr/bin/kvm") W("--name") W("web"), "web", OPTION),
		ROW(W("/nix/.qemu-system-x86_64-wrapped") W("-name") W("a,,b"), "a,b", OPTION),
		ROW(W("qemu") W("-name=web"), "web", OPTION),
		ROW(W("qemu") W("--name=guest=web,process=p"), "web", OPTION),
		ROW(W("/usr/libexec/qemu-kvm") W("-name") W("guest=web,debug-threads=on") W("-S")
				W("-uuid") W(UUID),
			"web", OPTION, .uuid = UUID),
		ROW(W("qemu") W("-name") W("process=p,guest=web"), "web", OPTION),
		ROW(W("qemu") W("-name") W("web,process=p,debug-threads=on"), "web", OPTION),
		ROW(W("qemu") W("-name") W("process=p"), "", NONE),
		ROW(W("qemu") W("-name") W("web,other"), "web", OPTION),
		ROW(W("qemu") W("-name") W("guestx=no,xguest=no"), "", NONE),
		/* doubled commas */
		ROW(W("qemu") W("-name") W("a,,b"), "a,b", OPTION),
		ROW(W("qemu") W("-name") W("a,,"), "a,", OPTION),
		ROW(W("qemu") W("-name") W("a,"), "a", OPTION),
		ROW(W("qemu") W("-name") W("a,,,process=p"), "a,", OPTION),
		ROW(W("qemu") W("-name") W(",,,,"), ",,", OPTION),
		ROW(W("qemu") W("-name") W(",,,"), ",", OPTION),
		ROW(W("qemu") W("-name") W(","), "", NONE),
		ROW(W("qemu") W("-name") W("a,,guest=b"), "a,guest=b", OPTION),
		ROW(W("qemu") W("-name") W("guest=a,,b,,,guest=c,,"), "c,", OPTION),
		ROW(W("qemu") W("-name") W("guest=a=b"), "a=b", OPTION),
		/* the last one counts, but for empty ones */
		ROW(W("qemu") W("-name") W("a") W("-name") W("guest=b"), "b", OPTION),
		ROW(W("qemu") W("-name") W("a,guest=b"), "b", OPTION),
		ROW(W("qemu") W("-name") W("a") W("-name") W("debug-threads=on"), "a", OPTION),
		ROW(W("qemu") W("-name") W("a") W("-name") W(""), "a", OPTION),
		ROW(W("qemu") W("-name") W(""), "", NONE),
		ROW(W("qemu") W("-name="), "", NONE),
		ROW(W("qemu") W("-name") W("guest="), "", NONE),
		/* values that look like options */
		ROW(W("qemu") W("-append") W("-name foo"), "", NONE),
		ROW(W("qemu") W("-append") W("-name") W("foo"), "", NONE),
		ROW(W("qemu") W("--append") W("--name=foo"), "", NONE),
		ROW(W("qemu") W("-fw_cfg") W("-name") W("-name") W("web"), "web", OPTION),
		ROW(W("qemu") W("-kernel") W("-uuid") W("-smbios") W("-name") W(UUID), "", NONE),
		ROW(W("qemu") W("-name") W("-uuid") W(UUID), "-uuid", OPTION),
		ROW(W("qemu") W("-enable-kvm") W("-name") W("web"), "web", OPTION),
		ROW(W("qemu") W("-fork-of-qemu") W("-name") W("web"), "web", OPTION),
		ROW(W("qemu") W("name") W("no") W("-names") W("no"), "", NONE),
		ROW(W("qemu") W("-") W("-name") W("web"), "web", OPTION),
		ROW(W("qemu") W("--") W("-name") W("web"), "", NONE),
		ROW(W("qemu") W("---name") W("web"), "", NONE),
		/* the first word is no option, whatever it looks like */
		ROW(W("-name") W("web"), "", NONE),
		ROW(W("--name=web"), "", NONE),
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

static void test_ends(void **state)
{
	static const struct row rows[] = {
		ROW("", "", NONE),
		ROW(W(""), "", NONE),
		ROW(W("") W("") W(""), "", NONE),
		ROW("qemu", "", NONE),
		ROW("/", "", NONE),
		ROW(".", "", NONE),
		ROW(W("qemu") "-", "", NONE),
		ROW(W("qemu") W("-name"), "", NONE),
		ROW(W("qemu") "-name", "", NONE),
		ROW(W("qemu") W("-append"), "", NONE),
		ROW(W("qemu") W("-name") "web", "web", OPTION),
		ROW(W("qemu") W("-name") "guest=web,", "web", OPTION),
		ROW(W("qemu") W("-name") "a,,", "a,", OPTION),
		ROW(W("qemu") W("-uuid") UUID, "", NONE, .uuid = UUID),
		ROW(W("qemu") W("-name") W("web") W("") W("") W(""), "web", OPTION),
	};
	struct identity id;

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
	memset(&id, 0x5a, sizeof(id));
	identity_parse(&id, NULL, 0, NULL, 0);
	assert_string_equal(id.name, "");
	assert_string_equal(id.uuid, "");
	assert_string_equal(id.cgroup, "");
	assert_false(id.name_cut);
	assert_int_equal(id.source, IDENTITY_NONE);
}

static void test_uuid(void **state)
{
	static const struct row rows[] = {
		ROW(W("qemu") W("--uuid") W(UUID), "", NONE, .uuid = UUID),
		ROW(W("qemu") W("-uuid=" UUID), "", NONE, .uuid = UUID),
		ROW(W("qemu") W("-uuid") W("11DBDCDD-4C3B-482B-8903-9BDB8C0A2774"), "", NONE,
			.uuid = UUID),
		ROW(W("qemu") W("-uuid") W(UUID "0"), "", NONE),
		ROW(W("qemu") W("-uuid") W("11dbdcdd-4c3b-482b-8903-9bdb8c0a277"), "", NONE),
		ROW(W("qemu") W("-uuid") W("11dbdcdd-4c3b-482b-8903-9bdb8c0a277g"), "", NONE),
		ROW(W("qemu") W("-uuid") W("11dbdcdd-4c3b-482b-8903-9bdb8c0a277\x1b"), "", NONE),
		ROW(W("qemu") W("-uuid") W("11dbdcddd4c3b-482b-8903-9bdb8c0a2774"), "", NONE),
		ROW(W("qemu") W("-uuid") W("11dbdcdd-4c3b-482b-890-39bdb8c0a2774"), "", NONE),
		ROW(W("qemu") W("-uuid") W("11dbdcdd4c3b482b89039bdb8c0a2774"), "", NONE),
		ROW(W("qemu") W("-uuid") W("{1dbdcdd-4c3b-482b-8903-9bdb8c0a277}"), "", NONE),
		ROW(W("qemu") W("-uuid") W(""), "", NONE),
		/* the last good one */
		ROW(W("qemu") W("-uuid") W(OTHER) W("-uuid") W(UUID), "", NONE, .uuid = UUID),
		ROW(W("qemu") W("-uuid") W(UUID) W("-uuid") W("bad"), "", NONE, .uuid = UUID),
		/* SMBIOS has one if there is no other */
		ROW(W("qemu") W("-smbios") W("type=1,uuid=" UUID), "", NONE, .uuid = UUID),
		ROW(W("qemu") W("-smbios") W("uuid=" UUID ",serial=a,,b,type=1"), "", NONE,
			.uuid = UUID),
		ROW(W("qemu") W("-smbios") W("type=1,serial=x,,uuid=" UUID), "", NONE),
		ROW(W("qemu") W("-smbios") W("type=11,uuid=" UUID), "", NONE),
		ROW(W("qemu") W("-smbios") W("type=2,uuid=" UUID), "", NONE),
		ROW(W("qemu") W("-smbios") W("uuid=" UUID), "", NONE),
		ROW(W("qemu") W("-smbios") W("type=1,uuid=" OTHER) W("-uuid") W(UUID), "", NONE,
			.uuid = UUID),
		ROW(W("qemu") W("-uuid") W(UUID) W("-smbios") W("type=1,uuid=" OTHER), "", NONE,
			.uuid = UUID),
		ROW(W("qemu") W("-uuid") W("bad") W("-smbios") W("type=1,uuid=" UUID), "", NONE,
			.uuid = UUID),
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

static void test_cloud_hypervisor(void **state)
{
	static const struct row rows[] = {
		ROW(W("cloud-hypervisor") W("--api-socket") W("/run/web.sock"), "web", SOCKET),
		ROW(W("/opt/cloud-hypervisor-static") W("--api-socket") W("web"), "web", SOCKET),
		ROW(W("cloud-hypervisor") W("--api-socket=path=/run/ch/web-api.sock"), "web",
			SOCKET),
		ROW(W("cloud-hypervisor") W("--api-socket") W("path=/run/web.socket,x=y"), "web",
			SOCKET),
		ROW(W("cloud-hypervisor") W("--api-socket") W("/run/libvirt/ch/web-socket"), "web",
			SOCKET),
		ROW(W("cloud-hypervisor") W("--api-socket") W("/run/web.sock/"), "", NONE),
		ROW(W("cloud-hypervisor") W("--api-socket") W("/run/.sock"), "", NONE),
		ROW(W("cloud-hypervisor") W("--api-socket") W("fd=3"), "", NONE),
		ROW(W("cloud-hypervisor") W("--api-socket") W("path=/run/no.sock,fd=3"), "", NONE),
		ROW(W("cloud-hypervisor") W("--api-socket"), "", NONE),
		ROW(W("cloud-hypervisor") W("--name") W("no"), "", NONE),
		ROW(W("cloud-hypervisor") W("--platform") W("num_pci_segments=2,uuid=" UUID), "",
			NONE, .uuid = UUID),
		ROW(W("cloud-hypervisor") W("--platform=uuid=" UUID ",tdx=on"), "", NONE,
			.uuid = UUID),
		ROW(W("cloud-hypervisor") W("--platform") W("oem_strings=[a,uuid=" UUID ",b]"), "",
			NONE),
		ROW(W("cloud-hypervisor") W("--platform") W("oem_strings=\"],uuid=" UUID ",b\""),
			"", NONE),
		ROW(W("cloud-hypervisor") W("--platform") W("oem_strings=[a,\"]\",b],uuid=" UUID),
			"", NONE, .uuid = UUID),
		ROW(W("cloud-hypervisor") W("--platform") W("serial_number=],uuid=" UUID), "", NONE,
			.uuid = UUID),
		ROW(W("cloud-hypervisor") W("--uuid") W(UUID), "", NONE),
		/* the socket is no more than a hint, but libvirt's scope is cut */
		ROW(W("cloud-hypervisor") W("--api-socket") W("web.sock"), "web", SOCKET,
			.cgroup = "0::/machine.slice/machine-ch\\x2d3\\x2dwe.scope\n"),
		ROW(W("cloud-hypervisor") W("--api-socket") W("fd=3"), "we", SCOPE,
			.cgroup = "0::/machine.slice/machine-ch\\x2d3\\x2dwe.scope\n"),
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

static void test_firecracker(void **state)
{
	static const struct row rows[] = {
		ROW(W("firecracker") W("--id") W("web"), "web", OPTION),
		ROW(W("/firecracker-v1.7.0-x86_64") W("--id=web") W("--start-time-us") W("1")
				W("--api-sock") W("a"),
			"web", OPTION),
		ROW(W("firecracker") W("--api-sock") W("/run/no.sock"), "", NONE),
		ROW(W("firecracker") W("--name") W("no") W("--") W("--id") W("no"), "", NONE),
		ROW(W("firecracker") W("--id") W("a,,b"), "a,,b", OPTION),
		ROW(W("firecracker") W("--id") W(""), "", NONE),
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

static void test_crosvm(void **state)
{
	static const struct row rows[] = {
		ROW(W("crosvm") W("run") W("--name") W("web"), "web", OPTION),
		ROW(W("crosvm") W("run") W("--name=web") W("-s") W("/run/no.sock"), "web", OPTION),
		ROW(W("crosvm") W("run") W("-s") W("/run/no.sock") W("--name") W("web"), "web",
			OPTION),
		ROW(W("crosvm") W("--log-level=debug") W("run") W("-s") W("/run/web.sock"), "web",
			SOCKET),
		ROW(W("crosvm") W("run") W("--socket") W("web"), "web", SOCKET),
		ROW(W("crosvm") W("run") W("--socket=/run/web-api.sock"), "web-api", SOCKET),
		ROW(W("crosvm") W("run") W("-p") W("--name") W("no") W("vmlinux"), "", NONE),
		ROW(W("crosvm") W("run") W("vmlinux"), "", NONE),
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

static void test_other_vmm(void **state)
{
	static const struct row rows[] = {
		ROW(W("lkvm") W("run") W("--name") W("web"), "web", OPTION),
		ROW(W("my-vmm") W("--name=a,,b=c,d"), "a,,b=c,d", OPTION),
		ROW(W("my-vmm") W("-name") W("guest=a,,b,debug-threads=on"), "a,b", OPTION),
		ROW(W("my-vmm") W("-name") W("a,,b,process=p"), "a,b", OPTION),
		ROW(W("my-vmm") W("-d") W("--name") W("web") W("--uuid") W(UUID), "web", OPTION,
			.uuid = UUID),
		ROW(W("my-vmm") W("--cmdline") W("--name") W("no"), "", NONE),
		ROW(W("my-vmm") W("--id") W("no") W("-s") W("no"), "", NONE),
		ROW(W("not/a/qemu/vmm") W("--name") W("a,b"), "a,b", OPTION),
		ROW(W("my-qemu") W("--name") W("a,b"), "a,b", OPTION),
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

static void test_units(void **state)
{
	static const struct {
		const char *cgroup, *name;
	} units[] = {
		{"0::/machine.slice/machine-qemu\\x2d12\\x2dweb.scope\n", "web"},
		{"0::/machine.slice/machine-qemu\\x2d12\\x2dweb.scope/libvirt/emulator\n", "web"},
		{"0::/machine.slice/machine-qemu\\x2d12\\x2dweb\\x2d1\\x2eprod.scope",
			"web-1.prod"},
		{"0::/machine-ch\\x2d1\\x2dweb.scope\n", "web"},
		{"0::/machine-lxc\\X2d1\\x2dweb.scope\n", "lxc\\X2d1-web"},
		{"0::/machine-lxc\\x2D1\\x2dweb.scope\n", "web"},
		{"0::/machine-xen-1-web.scope\n", "web"},
		{"0::/machine-qemu\\x2d12\\x2d.scope\n", ""},
		{"0::/machine-qemu\\x2d12.scope\n", "qemu-12"},
		{"0::/machine-qemu\\x2d\\x2dweb.scope\n", "qemu--web"},
		{"0::/machine-other\\x2d12\\x2dweb.scope\n", "other-12-web"},
		{"0::/machine.slice/machine-web.scope\n", "web"},
		{"0::/machine-my-web.scope\n", "my-web"},
		{"0::/machine-J\\xc3\\xbcrgen\\x0a.scope\n", "J\xc3\xbcrgen\n"},
		{"0::/machine-a\\x00b\\x4\\xzz\\.scope\n", "a\\x00b\\x4\\xzz\\"},
		{"0::/machine-.scope\n", ""},
		{"0::/machine-\\x2d.scope\n", "-"},
		{"0::/machine.scope\n", ""},
		{"0::/machine-web.slice\n", ""},
		{"0::/xmachine-web.scope\n", ""},
		{"0::/user.slice/sd-vmspawn-12345-web.scope\n", "web"},
		{"0::/sd-vmspawn-web.scope\n", ""},
		{"0::/machine.slice/systemd-vmspawn@web.service\n", "web"},
		/* the innermost */
		{"0::/machine-outer.scope/payload/machine-qemu\\x2d1\\x2dinner.scope/emulator\n",
			"inner"},
		/* v1 */
		{"9:cpu,cpuacct:/machine-no.scope\n1:name=systemd:/machine-web.scope\n", "web"},
		{"0::/\n1:name=systemd:/machine-web.scope\n", "web"},
		{"1:name=systemd:/machine-no.scope\n0::/machine-web.scope\n", "web"},
		{"9:cpu:/machine-no.scope\n", ""},
		{"1:name=other:/machine-no.scope\n", ""},
		/* not even lines of that file */
		{"machine-web.scope\n", ""},
		{"0::machine-web.scope\n", ""},
		{"0:\n\n:\n::\n", ""},
		{"::/machine-web.scope", "web"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		struct row row = {.cmdline = "vmm",
			.size = 3,
			.name = units[i].name,
			.source = *units[i].name ? IDENTITY_SCOPE : IDENTITY_NONE,
			.cgroup = units[i].cgroup};

		check_rows(&row, 1);
	}
}

static void test_option_wins_over_scope(void **state)
{
	static const struct row rows[] = {
		ROW(W("qemu") W("-name") W("guest=web-of-long-name"), "web-of-long-name", OPTION,
			.cgroup = "0::/machine-qemu\\x2d1\\x2dweb\\x2dof.scope\n"),
		ROW(W("qemu") W("-name") W(""), "web", SCOPE,
			.cgroup = "0::/machine-qemu\\x2d1\\x2dweb.scope\n"),
		ROW(W("firecracker") W("--id") W("a"), "a", OPTION,
			.cgroup = "0::/machine-b.scope\n"),
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

#define POD \
	"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-1.scope\n"

static void test_kubevirt(void **state)
{
	static const struct row rows[] = {
		ROW(W("/usr/libexec/qemu-kvm") W("-name") W("guest=default_web,debug-threads=on")
				W("-uuid") W(UUID),
			"default/web", KUBEVIRT, .uuid = UUID, .cgroup = POD),
		ROW(W("qemu") W("-name") W("my-ns_a_b"), "my-ns/a_b", KUBEVIRT,
			.cgroup = "0::/kubepods/burstable/pod1/1\n"),
		ROW(W("qemu") W("-name") W("ns_a"), "ns/a", KUBEVIRT,
			.cgroup = "1:name=systemd:/kubelet.slice/kubelet-kubepods.slice/x\n"),
		ROW(W("qemu") W("-name") W("ns_a"), "ns_a", OPTION,
			.cgroup = "0::/machine-kubepods.scope\n"),
		ROW(W("qemu") W("-name") W("ns_a"), "ns_a", OPTION,
			.cgroup = "0::/my-kubepods/pod\n"),
		ROW(W("qemu") W("-name") W("ns_a"), "ns_a", OPTION),
		ROW(W("qemu") W("-name") W("sandbox-1"), "sandbox-1", OPTION, .cgroup = POD),
		ROW(W("qemu") W("-name") W("_a"), "_a", OPTION, .cgroup = POD),
		ROW(W("qemu") W("-name") W("ns_"), "ns_", OPTION, .cgroup = POD),
		ROW(W("qemu") W("-name") W("Not\nns_a"), "Not\nns_a", OPTION, .cgroup = POD),
		ROW(W("firecracker") W("--id") W("ns_a"), "ns_a", OPTION, .cgroup = POD),
		ROW(W("qemu"), "", NONE, .cgroup = POD),
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

static void check_cgroup(const char *lines, size_t size, const char *path)
{
	struct identity id;

	parse(&id, "", 0, lines, size);
	assert_string_equal(id.cgroup, path);
}

static void test_cgroup_path(void **state)
{
	char lines[5 + 300], path[256];
	struct identity id;

	(void)state;
	check_cgroup(CMD("0::/a\\x2db/c\n"), "/a\\x2db/c");
	check_cgroup(CMD("0::/a:b\n"), "/a:b");
	check_cgroup(CMD("0::/no-final-newline"), "/no-final-newline");
	check_cgroup(CMD("0::/\n"), "/");
	check_cgroup(CMD("12:cpu:/no\n1:name=systemd:/yes\n0::/\n"), "/yes");
	check_cgroup(CMD("12:cpu:/no\n1:name=systemd:/no\n0::/yes\n"), "/yes");
	check_cgroup(CMD("0::/a\0b\n"), "/a");
	check_cgroup(CMD("0::/\x1b[2J\xff\n"), "/\x1b[2J\xff");
	check_cgroup(CMD("\n\n"), "");

	parse(&id, "", 0, CMD("0::/machine-a\0b.scope\n"));
	assert_string_equal(id.name, "");
	assert_int_equal(id.source, IDENTITY_NONE);

	memcpy(lines, "0::/", 4);
	memset(lines + 4, 'a', 300);
	lines[304] = '\n';
	memset(path, 'a', 255);
	path[0] = '/';
	path[255] = '\0';
	check_cgroup(lines, sizeof(lines), path);
}

/* A name of size bytes, of these over and over. */
static size_t make_name(char *out, const char *bytes, size_t size)
{
	for (size_t i = 0, n = strlen(bytes); i < size; i++)
		out[i] = bytes[i % n];
	return size;
}

static void check_cut(const char *bytes, size_t size, size_t kept)
{
	static char cmdline[HOSTILE_LONG + 64];
	static const char head[] = "firecracker\0--id"; /* and its NUL */
	struct identity id;

	memcpy(cmdline, head, sizeof(head));
	make_name(cmdline + sizeof(head), bytes, size);
	parse(&id, cmdline, sizeof(head) + size, "", 0);
	assert_int_equal(strlen(id.name), kept);
	assert_memory_equal(id.name, cmdline + sizeof(head), kept);
	assert_int_equal(id.name_cut, kept < size);
}

static void test_cut(void **state)
{
	(void)state;
	check_cut("a", 254, 254);
	check_cut("a", 255, 255);
	check_cut("a", 256, 255);
	check_cut("a", HOSTILE_LONG, 255);
	/* 255 is 127 * 2 + 1, 85 * 3, 63 * 4 + 3 */
	check_cut("\xc3\xbc", 1000, 254);
	check_cut("\xe2\x82\xac", 1000, 255);
	check_cut("\xf0\x9f\x98\x80", 1000, 252);
	check_cut("\xf0\x9f\x98\x80", 256, 252);
	check_cut("\xf0\x9f\x98\x80", HOSTILE_LONG, 252);
	check_cut("ab\xe2\x82\xac", 1000, 255);
	/* characters that are none are bytes */
	check_cut("\xf0", 1000, 255);
	check_cut("\x80", 1000, 255);
	check_cut("\xc0\xaf", 1000, 255);
	check_cut("a\xed\xa0\x80", 1000, 255);
	check_cut("\xf0\x80\x80\x80", 1000, 255);
	check_cut("\xf4\x90\x80\x80", 1000, 255);
	check_cut("\xf8\x88\x80\x80", 1000, 255);
	check_cut("a\xe0\x80\x80", 1000, 255);
	check_cut("a\xe2\x82\xac", 1000, 253);
	check_cut("\xf0\x9f\x98\x80", 255, 255); /* the last one is not whole, but it fits */
	check_cut("\xf0\x9f\x98_", 1000, 255);
}

/* What is cut is what the name is, not how it is spelled. */
static void test_cut_of_spelled(void **state)
{
	static char cmdline[4096], cgroup[4096];
	size_t used = (size_t)snprintf(cmdline, sizeof(cmdline), "qemu%c-name%c", 0, 0);
	char name[256];
	struct identity id;

	(void)state;
	memset(name, ',', 255);
	name[255] = '\0';
	make_name(cmdline + used, ",", 510);
	parse(&id, cmdline, used + 510, "", 0);
	assert_string_equal(id.name, name);
	assert_false(id.name_cut);
	make_name(cmdline + used, ",", 512);
	parse(&id, cmdline, used + 512, "", 0);
	assert_string_equal(id.name, name);
	assert_true(id.name_cut);

	memcpy(cgroup, "0::/machine-", 12);
	make_name(cgroup + 12, "\\x2c", 255 * 4);
	memcpy(cgroup + 12 + 255 * 4, ".scope\n", 7);
	parse(&id, "", 0, cgroup, 12 + 255 * 4 + 7);
	assert_string_equal(id.name, name);
	assert_false(id.name_cut);
}

static void test_many_words(void **state)
{
	enum { WORDS = 10000 };
	char *cmdline = malloc(WORDS * 16), *at = cmdline;
	struct identity id;

	(void)state;
	assert_non_null(cmdline);
	at += sprintf(at, "qemu") + 1;
	for (int i = 0; i < WORDS / 2; i++) {
		at += sprintf(at, "-name") + 1;
		at += sprintf(at, "vm%d", i) + 1;
	}
	parse(&id, cmdline, (size_t)(at - cmdline), "", 0);
	assert_string_equal(id.name, "vm4999");
	free(cmdline);
}

/* Raw in the identity, and harmless once escaped. */
static void check_hostile(const char *what, const struct identity *id, const char *bytes)
{
	char shown[ESCAPED_SIZE(IDENTITY_NAME_MAX)];
	const char *complaint = hostile_complaint(escape(id->name, shown, sizeof(shown)));

	if (strcmp(id->name, bytes))
		fail_msg("%s: is not kept as it is", what);
	if (complaint)
		fail_msg("%s: shows a %s", what, complaint);
}

static void spell_doubled(FILE *out, const char *bytes)
{
	for (; *bytes; bytes++)
		fprintf(out, *bytes == ',' ? ",," : "%c", *bytes);
}

static void spell_escaped(FILE *out, const char *bytes)
{
	for (; *bytes; bytes++)
		fprintf(out, "\\x%02x", (unsigned char)*bytes);
}

static void spell_plain(FILE *out, const char *bytes)
{
	fputs(bytes, out);
}

static void check_way(const char *what, const char *head, size_t head_size,
	void (*spell)(FILE *, const char *), const char *bytes, const char *tail, const char *kept)
{
	struct identity id;
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	fwrite(head, 1, head_size, out);
	spell(out, bytes);
	fputs(tail, out);
	fclose(out);
	if (*tail)
		parse(&id, "vmm", 3, text, size);
	else
		parse(&id, text, size, "", 0);
	check_hostile(what, &id, kept);
	free(text);
}

static void check_all_ways(const char *what, const char *bytes, const char *kept)
{
	check_way(what, CMD(W("firecracker") W("--id")), spell_plain, bytes, "", kept);
	check_way(what, CMD(W("firecracker") "--id="), spell_plain, bytes, "", kept);
	check_way(what, CMD(W("qemu") W("-name") "guest="), spell_doubled, bytes, "", kept);
	check_way(what, CMD("0::/machine-"), spell_escaped, bytes, ".scope\n", kept);
}

static void test_hostile_names(void **state)
{
	static char bytes[HOSTILE_LONG + 1];
	static const char *const repeated[] = {
		"a", "\n", "\xe2\x80\xae", "\xff", "\xf0\x9f\x98\x80"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hostile_names); i++)
		check_all_ways(
			hostile_names[i].what, hostile_names[i].bytes, hostile_names[i].bytes);
	for (size_t i = 0; i < ARRAY_SIZE(repeated); i++) {
		size_t n = strlen(repeated[i]);
		char kept[256] = {0};

		make_name(bytes, repeated[i], HOSTILE_LONG);
		make_name(kept, repeated[i], 255 / n * n);
		check_all_ways("64 KiB", bytes, kept);
	}
}

/* The table's check itself finds what it is for. */
static void test_complaints(void **state)
{
	static const char *const bad[] = {"\x1b", "\n", "\x7f", "\xc2\x9b", "\xff", "\x80",
		"\xc0\xaf", "\xe2\x80\x8b", "\xe2\x80\x8f", "\xe2\x80\xaa", "\xe2\x80\xae",
		"\xe2\x81\xa6", "\xe2\x81\xa9", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82",
		"\xf8\x88\x80\x80\x80"};
	static const char *const good[] = {
		"", " ~", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_non_null(hostile_complaint(bad[i]));
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_null(hostile_complaint(good[i]));
}

static void test_source_names(void **state)
{
	(void)state;
	assert_string_equal(identity_source_name(IDENTITY_NONE), "none");
	assert_string_equal(identity_source_name(IDENTITY_OPTION), "option");
	assert_string_equal(identity_source_name(IDENTITY_SOCKET), "socket");
	assert_string_equal(identity_source_name(IDENTITY_SCOPE), "scope");
	assert_string_equal(identity_source_name(IDENTITY_KUBEVIRT), "kubevirt");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_qemu),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_uuid),
		cmocka_unit_test(test_cloud_hypervisor),
		cmocka_unit_test(test_firecracker),
		cmocka_unit_test(test_crosvm),
		cmocka_unit_test(test_other_vmm),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_option_wins_over_scope),
		cmocka_unit_test(test_kubevirt),
		cmocka_unit_test(test_cgroup_path),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_cut_of_spelled),
		cmocka_unit_test(test_many_words),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_complaints),
		cmocka_unit_test(test_source_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
