/* SPDX-License-Identifier: GPL-2.0-only */
/* Each key of the sections that are not the detectors'. */
#include "base/cleanup.h"
#include "config/config.h"

#define AT(field) offsetof(struct config, field)
#define SECOND    1000000000ull
#define MIB       (1ull << 20)

const struct config_key config_keys[] = {
	{"daemon", "socket", CONFIG_FILE, AT(socket), "/run/kvm-encstat/io.kvmencstat", 0, 107, {},
		false, "where it listens; nothing: nowhere"},
	{"daemon", "group", CONFIG_TEXT, AT(group), "kvm-encstat", 1, 32, {}, false,
		"who may read there; root may change things, too"},
	{"daemon", "state_dir", CONFIG_FILE, AT(state_dir), "/var/lib/kvm-encstat", 1, 3000, {},
		false, "what is kept over a restart"},
	{"daemon", "save_interval", CONFIG_TIME, AT(save_interval), "1m", SECOND, 3600 * SECOND, {},
		true, "how often that is written, beside at the end"},
	{"daemon", "ended_vms", CONFIG_COUNT, AT(ended_vms), "256", 1, 65536, {}, false,
		"how many VMs that ended are kept, with their last maps"},
	{"daemon", "memory", CONFIG_BYTES, AT(memory), "384M", 16 * MIB, 1024 * 1024 * MIB, {}, true,
		"what it may have resident; a quarter of it for VMs that ended. Maps of VMs that "
		"live are not cut: see kvm-encstat-daemon(8)"},
	{"daemon", "ring_size", CONFIG_BYTES, AT(ring_size), "2M", 4096, 1024 * MIB, {}, false,
		"of the kernel's ring of records; a power of two of pages is used"},
	{"daemon", "enforce", CONFIG_SWITCH, AT(enforce), "no", 0, 1, {}, false,
		"refuses what the policies deny, as kvm-encstat enforce does"},
	{"daemon", "policy", CONFIG_FILE, AT(policy), "/etc/kvm-encstat/policy.d", 1, 3000, {},
		true, "the policies: a file, or a directory of files"},
	{"daemon", "keep", CONFIG_SWITCH, AT(keep), "yes", 0, 1, {}, false,
		"the veto outlives the daemon, until the next one takes over"},

	{"audit", "to", CONFIG_WORD, AT(audit_to), "journal", 0, 3,
		{"nowhere", "journal", "file", "both"}, false, "where the audit log goes"},
	{"audit", "file", CONFIG_FILE, AT(audit_file), "/var/log/kvm-encstat/audit.jsonl", 1, 3000,
		{}, false, "JSON lines, with `to: file`"},
	{"audit", "rotate", CONFIG_BYTES, AT(audit_rotate), "64M", 64 * 1024, 1024 * 1024 * MIB, {},
		true, "at this size a new file is begun"},
	{"audit", "files", CONFIG_COUNT, AT(audit_files), "8", 1, 1000, {}, true,
		"so many older files are kept: FILE.1 is the newest of them"},
	{"audit", "sync", CONFIG_TIME, AT(audit_sync), "5s", SECOND / 10, 3600 * SECOND, {}, true,
		"how often the file is written through to the disk"},
	{"audit", "mode", CONFIG_WORD, AT(audit_mode), "summary", 0, 1, {"summary", "full"}, true,
		"accepted conversions summed up for each VM and interval, or one by one"},
	{"audit", "interval", CONFIG_TIME, AT(audit_interval), "1m", SECOND, 3600 * SECOND, {},
		true, "of these sums"},
	{"audit", "spool", CONFIG_BYTES, AT(audit_spool), "64M", 1024 * 1024, 1024 * 1024 * MIB, {},
		true, "what is kept on disk while journald does not take it"},
	{"audit", "rate", CONFIG_COUNT, AT(audit_rate), "40", 1, 100000, {}, true,
		"records a second that go to the journal; with `mode: full` it is 2000"},
	{"audit", "vm_burst", CONFIG_COUNT, AT(audit_vm_burst), "200", 1, 1000000, {}, true,
		"refusals and the like of one VM that are told at once, with `mode: summary` ..."},
	{"audit", "vm_rate", CONFIG_COUNT, AT(audit_vm_rate), "10", 1, 100000, {}, true,
		"... and then so many a second; what is above is counted"},
	{"audit", "confirm", CONFIG_SWITCH, AT(audit_confirm), "yes", 0, 1, {}, true,
		"what was sent to the journal is read back, and sent again if it is not there"},

	{"metrics", "textfile", CONFIG_FILE, AT(textfile), "", 0, 3000, {}, true,
		"a file for node_exporter, in its directory of *.prom; nothing: none"},
	{"metrics", "interval", CONFIG_TIME, AT(textfile_interval), "15s", SECOND, 3600 * SECOND,
		{}, true, "how often that is written"},
	{"metrics", "detail", CONFIG_WORD, AT(metrics_detail), "full", 0, 2,
		{"host", "basic", "full"}, true, "how much is said of each VM"},
	{"metrics", "max_vms", CONFIG_COUNT, AT(metrics_max_vms), "1000", 0, 10000, {}, true,
		"of so many VMs; the others are in the sums"},
};
const size_t config_n_keys = ARRAY_SIZE(config_keys);
