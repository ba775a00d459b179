/* SPDX-License-Identifier: GPL-2.0-only */
/* A command line and, behind a line "#", what /proc/PID/cgroup says. Whatever that is, what is
 * found is bounded, consistent, and harmless once escaped. Build: make fuzz. */
#include <stdlib.h>
#include <string.h>

#include "../unit/hostile_names.h"
#include "base/escape.h"
#include "capture/identity.h"

#define SEPARATOR "\n#\n"

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_text(const char text[IDENTITY_NAME_MAX])
{
	char shown[ESCAPED_SIZE(IDENTITY_NAME_MAX)];

	require(memchr(text, '\0', IDENTITY_NAME_MAX));
	require(!hostile_complaint(escape(text, shown, sizeof(shown))));
}

static void check_uuid(const char *uuid)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	if (!*uuid)
		return;
	require(strlen(uuid) == 36);
	for (size_t i = 0; i < 36; i++)
		require(form[i] == '-' ? uuid[i] == '-' : !!strchr("0123456789abcdef", uuid[i]));
}

static void check(const struct identity *id)
{
	check_text(id->name);
	check_text(id->cgroup);
	check_uuid(id->uuid);
	require(id->source < IDENTITY_SOURCES);
	require((id->source == IDENTITY_NONE) == !*id->name);
	require(!id->name_cut || strlen(id->name) >= IDENTITY_NAME_MAX - 4);
	require(!*id->cgroup || *id->cgroup == '/');
	require(!strchr(id->cgroup, '\n'));
}

/* On the heap and exactly as large, so that the sanitizer sees each byte read beyond. */
static char *copy(const unsigned char *data, size_t size)
{
	char *bytes = malloc(size ? size : 1);

	require(bytes);
	return memcpy(bytes, data, size);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	const unsigned char *end = memmem(data, size, SEPARATOR, strlen(SEPARATOR));
	size_t words = end ? (size_t)(end - data) : size, skipped = end ? strlen(SEPARATOR) : 0;
	size_t lines = size - words - skipped;
	char *cmdline = copy(data, words), *cgroup = copy(data + words + skipped, lines);
	struct identity id;

	memset(&id, 0x5a, sizeof(id));
	identity_parse(&id, cmdline, words, cgroup, lines);
	check(&id);
	free(cmdline);
	free(cgroup);
	return 0;
}
