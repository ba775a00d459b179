// SPDX-License-Identifier: GPL-2.0-only
#include "outcomes.h"

#include <errno.h>

static const struct {
	int error;
	const char *name;
} names[OUTCOME_ERRORS] = {
	{EPERM, "eperm"},
	{EACCES, "eacces"},
	{EAGAIN, "eagain"},
	{EBUSY, "ebusy"},
	{EINVAL, "einval"},
	{EFAULT, "efault"},
	{EIO, "eio"},
	{ENOMEM, "enomem"},
	{ENOTTY, "enotty"},
	{0, "other"},
};

void outcomes_count(struct outcomes *outcomes, int err)
{
	unsigned i = 0;

	if (!err) {
		outcomes->ok++;
		return;
	}
	while (names[i].error && names[i].error != -err)
		i++;
	outcomes->errors[i]++;
}

void outcomes_add(struct outcomes *to, const struct outcomes *from)
{
	to->ok += from->ok;
	for (unsigned i = 0; i < OUTCOME_ERRORS; i++)
		to->errors[i] += from->errors[i];
}

uint64_t outcomes_failed(const struct outcomes *outcomes)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < OUTCOME_ERRORS; i++)
		sum += outcomes->errors[i];
	return sum;
}

static void print_failed(const struct outcomes *outcomes, FILE *out)
{
	for (unsigned i = 0; i < OUTCOME_ERRORS; i++)
		fprintf(out, "%s\"%s\":%llu", i ? "," : "", names[i].name,
			(unsigned long long)outcomes->errors[i]);
	fputc('}', out);
}

void outcomes_print_failed(const struct outcomes *outcomes, FILE *out)
{
	fputc('{', out);
	print_failed(outcomes, out);
}

void outcomes_print_all(const struct outcomes *outcomes, FILE *out)
{
	fprintf(out, "{\"ok\":%llu,", (unsigned long long)outcomes->ok);
	print_failed(outcomes, out);
}
