// SPDX-License-Identifier: GPL-2.0-only
/* The words of a line. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"

int wrong(const struct parser *p, const char *format, ...)
{
	va_list list;

	fprintf(stderr, "%s:%u: ", p->path, p->line);
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fputc('\n', stderr);
	return -1;
}

int number(const struct parser *p, const char *word, uint64_t *ret)
{
	static const char suffixes[] = "KMGT";
	const char *suffix;
	char *end;
	uint64_t value;
	unsigned shift;

	errno = 0;
	value = strtoull(word, &end, 0);
	if (errno || end == word || *word < '0' || *word > '9')
		return wrong(p, "'%s' is no number", word);
	if (*end) {
		suffix = strchr(suffixes, *end);
		if (!suffix || end[1])
			return wrong(p, "'%s' is no number (K, M, G, T may follow one)", word);
		shift = 10 * (unsigned)(suffix - suffixes + 1);
		if (value << shift >> shift != value)
			return wrong(p, "'%s' is too large", word);
		value <<= shift;
	}
	*ret = value;
	return 0;
}

int in_range(const struct parser *p, const char *word, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t value;

	if (number(p, word, &value))
		return -1;
	if (value < min || value > max)
		return wrong(p, "'%s' is not from %llu to %llu", word, (unsigned long long)min,
			(unsigned long long)max);
	*ret = value;
	return 0;
}

int choice(const struct parser *p, const char *word, const char *const *names)
{
	for (int i = 0; names[i]; i++)
		if (!strcmp(word, names[i]))
			return i;
	return wrong(p, "'%s' is not known here", word);
}

const char *const size_names[] = {"4k", "2m", "1g", NULL};

const char *take(char **words, const char *key)
{
	size_t length = strlen(key);

	for (; *words; words++)
		if (!strncmp(*words, key, length) && (*words)[length] == '=') {
			const char *value = *words + length + 1;

			*words = (char *)""; /* not NULL: that is the end */
			return value;
		}
	return NULL;
}

int take_number(const struct parser *p, char **words, const char *key, uint64_t *value)
{
	const char *word = take(words, key);

	return word ? number(p, word, value) : 0;
}

int nothing_left(const struct parser *p, char **words)
{
	for (; *words; words++)
		if (**words)
			return wrong(p, "'%s' is not known here, or said twice", *words);
	return 0;
}

int choose(const struct parser *p, char **words, const char *key, const char *const *names,
	int otherwise)
{
	const char *word = take(words, key);

	return word ? choice(p, word, names) : otherwise;
}

struct step *add_step(struct parser *p, enum step_kind kind)
{
	struct vcpu_script *vcpu = p->vcpu;
	size_t count = vcpu->step_count;
	struct step *step;

	if (!(count & (count - 1))) {
		size_t room = count ? 2 * count : 1;

		vcpu->steps = realloc(vcpu->steps, room * sizeof(*vcpu->steps));
		if (!vcpu->steps)
			abort();
	}
	step = &vcpu->steps[vcpu->step_count++];
	memset(step, 0, sizeof(*step));
	step->kind = kind;
	return step;
}
