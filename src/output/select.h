/* SPDX-License-Identifier: GPL-2.0-only */
/* Which VM the user means. */
#ifndef OUTPUT_SELECT_H
#define OUTPUT_SELECT_H

#include "base/error.h"
#include "detect/finding.h"
#include "model/model.h"

/* word: an id, a pid, a name as list shows it, or its comm; NULL: the only VM there is, or the only
 * one that converted pages. -ENOENT or -ENOTUNIQ with the candidates in err. */
int select_vm(
	const struct model *model, const char *word, const struct vm **ret, struct error *err);

/* Whether the finding's VM is one of those word means. */
bool select_names_finding(const struct finding *finding, const char *word);

/* Whether vm is one of those word means; NULL means all. */
bool select_matches(const struct vm *vm, const char *word);

#endif
