/* SPDX-License-Identifier: GPL-2.0-only */
/* For what a page may run: its Content-Security-Policy names its own script and style by hash. */
#ifndef REPORT_SHA256_H
#define REPORT_SHA256_H

#include <stddef.h>

#define SHA256_BASE64 45
/* FIPS 180-4, as base64 with its end. Returns text. */
const char *sha256_base64(const char *bytes, size_t size, char text[SHA256_BASE64]);

#endif
