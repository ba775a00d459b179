/* SPDX-License-Identifier: GPL-2.0-only */
/* Who a VMM says that its VM is: read from /proc when the VM comes, and kept as records, since a
 * capture must know it, too, when the process is long gone. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "capture/identity.h"
#include "capture/live_private.h"

#define CMDLINE_MAX (256u << 10) /* twice what execve() takes in one word */
#define CGROUP_MAX  8192u

/* Up to size bytes of /proc/PID/NAME; a process that is gone has none. */
static size_t read_proc(uint32_t pid, const char *name, char *buffer, size_t size)
{
	char path[48];
	_cleanup_close_ int fd = -1;
	size_t used = 0;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && used < size && (n = read(fd, buffer + used, size - used)) > 0)
		used += (size_t)n;
	return used;
}

int live_send_text(const struct live *live, uint32_t vm, uint16_t number, enum kes_text_about about,
	const char *text, bool cut)
{
	size_t total = strnlen(text, KES_TEXT_LIMIT);
	int r = 0;

	for (size_t at = 0; at < total && !r; at += KES_TEXT_PIECE) {
		struct kes_record record = {
			.ts_ns = clock_now_ns(),
			.seq = at, /* where in the text the piece belongs */
			.vm = vm,
			.vcpu = number,
			.kind = KES_TEXT,
			.text = {.about = (uint8_t)about,
				.total = (uint16_t)total & 0x7fff,
				.cut = cut},
		};
		size_t size = total - at < KES_TEXT_PIECE ? total - at : KES_TEXT_PIECE;

		record.text.size = (uint8_t)size;
		memcpy(record.text.bytes, text + at, size);
		r = live->take(live->context, &record, 1);
	}
	return r;
}

int identity_send(const struct live *live, uint32_t vm, uint32_t pid)
{
	_cleanup_free_ char *cmdline = NULL;
	char cgroup[CGROUP_MAX];
	struct identity identity;
	size_t size;
	int r;

	if (!live->own_pids) /* another process has this pid here */
		return 0;
	cmdline = malloc(CMDLINE_MAX);
	if (!cmdline)
		return -ENOMEM;
	size = read_proc(pid, "cmdline", cmdline, CMDLINE_MAX);
	identity_parse(
		&identity, cmdline, size, cgroup, read_proc(pid, "cgroup", cgroup, CGROUP_MAX));
	r = live_send_text(live, vm, 0, KES_TEXT_NAME, identity.name, identity.name_cut);
	if (!r)
		r = live_send_text(live, vm, 0, KES_TEXT_UUID, identity.uuid, false);
	if (!r)
		r = live_send_text(live, vm, 0, KES_TEXT_CGROUP, identity.cgroup, false);
	return r;
}
