/* SPDX-License-Identifier: GPL-2.0-only */
/* What is no event: what people and the program itself do. */
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "audit/audit_private.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/escape.h"

struct audit_who audit_who(uid_t uid, pid_t pid)
{
	struct audit_who who = {.uid = uid, .pid = pid};
	_cleanup_close_ int fd = -1;
	char path[32];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, who.comm, sizeof(who.comm) - 1);
	if (n > 0)
		who.comm[strcspn(who.comm, "\n")] = '\0';
	return who;
}

static void set_who(struct audit_record *record, const struct audit_who *who)
{
	char shown[ESCAPED_SIZE(sizeof(who->comm))];

	if (!who || !who->pid)
		return;
	record_set_u64(record, FIELD_WHO_UID, who->uid);
	record_set_u64(record, FIELD_WHO_PID, (uint64_t)who->pid);
	if (*who->comm)
		record_set(record, FIELD_WHO_COMM, "%s", escape(who->comm, shown, sizeof(shown)));
}

/* What is no event happens now. */
static uint64_t note_time(const struct audit *audit)
{
	return audit->replay ? audit->now_ns : clock_now_ns();
}

__attribute__((format(printf, 6, 0))) static void note(struct audit *audit, enum audit_kind kind,
	const struct audit_who *who, const struct audit_value *values, size_t n, const char *format,
	va_list args)
{
	struct audit_record *record = audit_begin(audit, kind, note_time(audit));
	char text[AUDIT_RECORD_BYTES / 4], shown[ESCAPED_SIZE(KES_TEXT_LIMIT)];

	for (size_t i = 0; i < n; i++)
		if (values[i].text)
			record_set(record, values[i].field, "%s",
				escape(values[i].text, shown, sizeof(shown)));
	set_who(record, who);
	vsnprintf(text, sizeof(text), format, args);
	record_add(record, "MESSAGE", "%s", text);
	audit_end(audit, audit_kinds[kind].priority);
}

void audit_note(struct audit *audit, enum audit_kind kind, const struct audit_who *who,
	const struct audit_value *values, size_t n, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	note(audit, kind, who, values, n, format, args);
	va_end(args);
}

void audit_policy(struct audit *audit, const struct policies *policies, const struct audit_who *who)
{
	for (size_t i = 0; i < policies->n_files; i++) {
		char hex[SHA256_HEX], shown[ESCAPED_SIZE(KES_TEXT_LIMIT)];
		const struct audit_value values[] = {
			{FIELD_POLICY, policies->files[i]},
			{FIELD_DIGEST, sha256_hex(policies->digests[i], hex)},
		};

		audit_note(audit, AUDIT_POLICY, who, values, ARRAY_SIZE(values),
			"policy loaded: %s, sha256 %s",
			escape(policies->files[i], shown, sizeof(shown)), hex);
	}
}
