/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/html.h"

#include <string.h>
#include <sys/param.h> /* MIN */

#include "base/escape.h"

void html_foreign(FILE *out, const char *bytes)
{
	char shown[ESCAPED_SIZE(512)];

	escape_xml(out, escape(bytes, shown, sizeof(shown)));
}

void html_foreign_lines(FILE *out, const char *bytes)
{
	while (*bytes) {
		char line[512];
		size_t length = strcspn(bytes, "\n"), taken = MIN(length, sizeof(line) - 1);

		memcpy(line, bytes, taken);
		line[taken] = '\0';
		html_foreign(out, line);
		bytes += taken;
		if (*bytes == '\n') {
			fputc('\n', out);
			bytes++;
		}
	}
}
