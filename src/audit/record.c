/* SPDX-License-Identifier: GPL-2.0-only */
#include "audit/record.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"

/* ---- fields ---- */

static bool is_control(unsigned char byte)
{
	return byte < 0x20 || byte == 0x7f;
}

/* Ends the line that begins at `used`. */
static void end_line(struct audit_record *record, size_t length)
{
	char *line = record->text + record->used;

	for (char *at = line; *at; at++)
		if (is_control((unsigned char)*at))
			*at = '?';
	record->at[record->n++] = (uint16_t)record->used;
	record->used += length + 1;
}

/* The length of a text that was cut, without the half character at its end. */
static size_t whole_characters(const char *text, size_t size)
{
	const unsigned char *bytes = (const unsigned char *)text;
	size_t begin = size;
	uint32_t code;

	while (begin && size - begin < 4 && (bytes[begin - 1] & 0xc0) == 0x80)
		begin--;
	if (!begin || bytes[begin - 1] < 0x80)
		return size;
	begin--;
	return utf8_decode(bytes + begin, size - begin, &code) == size - begin ? size : begin;
}

__attribute__((format(printf, 3, 0))) static void add_line(
	struct audit_record *record, const char *name, const char *format, va_list args)
{
	size_t room = sizeof(record->text) - record->used, value_room;
	int name_size, value_size;

	if (record->n == AUDIT_RECORD_FIELDS || room < strlen(name) + 2) {
		record->cut = true;
		return;
	}
	name_size = snprintf(record->text + record->used, room, "%s=", name);
	value_room = room - (size_t)name_size;
	value_size = vsnprintf(record->text + record->used + name_size, value_room, format, args);
	if (value_size < 0)
		value_size = 0;
	if ((size_t)value_size >= value_room) {
		record->cut = true;
		value_size = (int)whole_characters(
			record->text + record->used + name_size, value_room - 1);
		record->text[record->used + (size_t)(name_size + value_size)] = '\0';
	}
	end_line(record, (size_t)(name_size + value_size));
}

void record_add(struct audit_record *record, const char *name, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_line(record, name, format, args);
	va_end(args);
}

void record_set(struct audit_record *record, enum audit_field field, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_line(record, audit_fields[field].name, format, args);
	va_end(args);
}

void record_set_u64(struct audit_record *record, enum audit_field field, uint64_t value)
{
	record_set(record, field, "%llu", (unsigned long long)value);
}

void record_begin(struct audit_record *record, enum audit_kind kind)
{
	record->n = record->used = 0;
	record->cut = false;
	record_set(record, FIELD_KIND, "%s", audit_kinds[kind].name);
	record_add(record, "MESSAGE_ID", "%s", audit_kinds[kind].id);
}

void record_damaged(struct audit_record *record)
{
	const struct audit_kind_info *info = &audit_kinds[AUDIT_MERGED];

	record_begin(record, AUDIT_MERGED);
	record_add(record, "PRIORITY", "%d", info->priority);
	record_set(record, FIELD_MERGED_KIND, "unknown");
	record_set(record, FIELD_WHY, "damaged");
	record_set_u64(record, FIELD_COUNT, 1);
	record_add(record, "MESSAGE", "a record that waited on disk was damaged there");
}

/* Its value, if the line is of that field. */
static const char *value_of(const char *line, const char *name)
{
	size_t size = strlen(name);

	return !strncmp(line, name, size) && line[size] == '=' ? line + size + 1 : NULL;
}

const char *record_get(const struct audit_record *record, const char *name)
{
	for (size_t i = 0; i < record->n; i++) {
		const char *value = value_of(record_line(record, i), name);

		if (value)
			return value;
	}
	return NULL;
}

const char *record_field(const struct audit_record *record, enum audit_field field)
{
	return record_get(record, audit_fields[field].name);
}

uint64_t record_u64(const struct audit_record *record, enum audit_field field)
{
	const char *value = record_field(record, field);
	char *end;
	unsigned long long number;

	if (!value || *value < '0' || *value > '9')
		return 0;
	errno = 0;
	number = strtoull(value, &end, 10);
	return *end || errno ? 0 : number;
}

void record_drop(struct audit_record *record, enum audit_field field)
{
	size_t kept = 0;

	for (size_t i = 0; i < record->n; i++)
		if (!value_of(record_line(record, i), audit_fields[field].name))
			record->at[kept++] = record->at[i];
	record->n = kept;
}

/* ---- its hash ---- */

bool record_covers(const char *line)
{
	static const char *const others[] = {"MESSAGE", "MESSAGE_ID", "PRIORITY"};

	if (!strncmp(line, "KES_", 4))
		return !value_of(line, audit_fields[FIELD_CHAIN].name) &&
		       !value_of(line, audit_fields[FIELD_RESENT].name);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (value_of(line, others[i]))
			return true;
	return false;
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void record_hash(const struct audit_record *record, unsigned char digest[SHA256_BYTES])
{
	const char *lines[AUDIT_RECORD_FIELDS];
	char text[AUDIT_RECORD_BYTES];
	size_t n = 0, used = 0;

	for (size_t i = 0; i < record->n; i++)
		if (record_covers(record_line(record, i)))
			lines[n++] = record_line(record, i);
	qsort(lines, n, sizeof(*lines), compare_lines);
	for (size_t i = 0; i < n; i++) {
		size_t size = strlen(lines[i]);

		memcpy(text + used, lines[i], size);
		text[used + size] = '\n';
		used += size + 1; /* as much as it takes in the record */
	}
	sha256(text, used, digest);
}

/* ---- JSON ---- */

static char *put_string(char *out, const char *text, size_t size)
{
	*out++ = '"';
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '"' || text[i] == '\\')
			*out++ = '\\';
		*out++ = text[i];
	}
	*out++ = '"';
	return out;
}

/* Escapes make at most two of each byte. "NAME":"VALUE", has six bytes more than both; in the text
 * there are two, which count twice; and that of each name, which is never escaped, at least one. */
_Static_assert(AUDIT_LINE_BYTES >= 2 * AUDIT_RECORD_BYTES + AUDIT_RECORD_FIELDS + 3,
	"room for the JSON of a record");

size_t record_json(const struct audit_record *record, char *out)
{
	char *at = out;

	*at++ = '{';
	for (size_t i = 0; i < record->n; i++) {
		const char *line = record_line(record, i), *value = strchr(line, '=') + 1;

		if (i)
			*at++ = ',';
		at = put_string(at, line, (size_t)(value - line) - 1);
		*at++ = ':';
		at = put_string(at, value, strlen(value));
	}
	*at++ = '}';
	*at++ = '\n';
	return (size_t)(at - out);
}

struct parser {
	const char *at, *end;
	struct audit_record *record;
};

static bool take(struct parser *p, char wanted)
{
	if (p->at == p->end || *p->at != wanted)
		return false;
	p->at++;
	return true;
}

/* A string, without its quotes, to the end of the record's text, behind `used`. */
static bool take_string(struct parser *p, size_t *used)
{
	if (!take(p, '"'))
		return false;
	while (p->at < p->end && *p->at != '"') {
		if (*p->at == '\\') {
			p->at++;
			if (p->at == p->end || (*p->at != '"' && *p->at != '\\'))
				return false;
		}
		if (is_control((unsigned char)*p->at) || *used == AUDIT_RECORD_BYTES)
			return false;
		p->record->text[(*used)++] = *p->at++;
	}
	return take(p, '"');
}

static bool is_name(const char *name, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (!(name[i] >= 'A' && name[i] <= 'Z') && !(name[i] >= '0' && name[i] <= '9') &&
			name[i] != '_')
			return false;
	return size > 0;
}

static bool take_field(struct parser *p)
{
	struct audit_record *record = p->record;
	size_t begin = record->used, used = begin;

	if (record->n == AUDIT_RECORD_FIELDS || !take_string(p, &used) ||
		!is_name(record->text + begin, used - begin) || !take(p, ':') ||
		used == AUDIT_RECORD_BYTES)
		return false;
	record->text[used++] = '=';
	if (!take_string(p, &used) || used == AUDIT_RECORD_BYTES)
		return false;
	record->text[used++] = '\0';
	record->at[record->n++] = (uint16_t)begin;
	record->used = used;
	return true;
}

int record_parse(struct audit_record *record, const char *line, size_t size)
{
	struct parser p = {.at = line, .end = line + size, .record = record};

	record->n = record->used = 0;
	record->cut = false;
	if (!take(&p, '{'))
		return -EBADMSG;
	do {
		if (!take_field(&p))
			return -EBADMSG;
	} while (take(&p, ','));
	return take(&p, '}') && p.at == p.end ? 0 : -EBADMSG;
}
