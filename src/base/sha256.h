/* SPDX-License-Identifier: GPL-2.0-only */
/* FIPS 180-4: for what a report's page may run, for policies' digests, for the audit log's chain.
 */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>

#define SHA256_BYTES 32
void sha256(const void *bytes, size_t size, unsigned char digest[SHA256_BYTES]);

/* In small letters, as sha256sum prints it. Returns text. */
#define SHA256_HEX 65
const char *sha256_hex(const unsigned char digest[SHA256_BYTES], char text[SHA256_HEX]);

/* The digest as base64 with its end. Returns text. */
#define SHA256_BASE64 45
const char *sha256_base64(const void *bytes, size_t size, char text[SHA256_BASE64]);

#endif
