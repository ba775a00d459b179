/* SPDX-License-Identifier: GPL-2.0-only */
/* What is made from the tables of kinds.h. */
#ifndef AUDIT_MANUAL_H
#define AUDIT_MANUAL_H

#include <stdio.h>

/* man/kvm-encstat.journal-fields.7 */
void audit_manual(FILE *out);

/* units/catalog/kvm-encstat.catalog: what journalctl -x says. */
void audit_catalog(FILE *out);

#endif
