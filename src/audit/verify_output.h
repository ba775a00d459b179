/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef AUDIT_VERIFY_OUTPUT_H
#define AUDIT_VERIFY_OUTPUT_H

#include "audit/verify.h"

void verified_write_text(FILE *out, const struct verified *verified);
/* "kvm-encstat.audit/1": one line. */
void verified_write_json(FILE *out, const struct verified *verified);

#endif
