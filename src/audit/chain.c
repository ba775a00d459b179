/* SPDX-License-Identifier: GPL-2.0-only */
#include "audit/chain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void chain_anchor(const char *machine, const char *boot, const char *log, char hash[SHA256_HEX])
{
	unsigned char digest[SHA256_BYTES];
	char text[3 * ID_SIZE + 1];
	int size = snprintf(text, sizeof(text), "%s\n%s\n%s\n", machine, boot, log);

	sha256(text, (size_t)size < sizeof(text) ? (size_t)size : sizeof(text) - 1, digest);
	sha256_hex(digest, hash);
}

int chain_begin(struct chain *chain, const char *machine, const char *boot)
{
	unsigned char random[SHA256_BYTES] = {};
	char hex[SHA256_HEX];

	if (getrandom(random, (ID_SIZE - 1) / 2, 0) != (ID_SIZE - 1) / 2)
		return errno ? -errno : -EIO;
	sha256_hex(random, hex);
	*chain = (struct chain){};
	snprintf(chain->machine, sizeof(chain->machine), "%s", machine);
	snprintf(chain->boot, sizeof(chain->boot), "%s", boot);
	snprintf(chain->log, sizeof(chain->log), "%.32s", hex);
	chain_anchor(chain->machine, chain->boot, chain->log, chain->hash);
	return 0;
}

void chain_add(struct chain *chain, struct audit_record *record)
{
	unsigned char digest[SHA256_BYTES];

	chain->seq++;
	record_set(record, FIELD_LOG, "%s", chain->log);
	record_set_u64(record, FIELD_SEQ, chain->seq);
	record_set(record, FIELD_PREV, "%s", chain->hash);
	record_hash(record, digest);
	sha256_hex(digest, chain->hash);
	record_set(record, FIELD_CHAIN, "%s", chain->hash);
}

/* ---- where it stands ---- */

/* One line, to be overwritten where it is: a full disk takes that, too. */
void chain_state_write(const struct chain_state *state, char text[CHAIN_STATE_BYTES])
{
	const struct chain *chain = &state->chain;
	unsigned char digest[SHA256_BYTES];
	char hex[SHA256_HEX];
	int n = snprintf(text, CHAIN_STATE_BYTES,
		"1 %s %s %s %" PRIu64 " %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %s %d ",
		chain->machine, chain->boot, chain->log, chain->seq, chain->hash, state->segment,
		state->offset, state->began_us, state->previous, state->clean);
	size_t used = n < CHAIN_STATE_BYTES ? (size_t)n : CHAIN_STATE_BYTES - 1;

	sha256(text, used, digest);
	snprintf(text + used, CHAIN_STATE_BYTES - used, "%.16s\n", sha256_hex(digest, hex));
	used = strlen(text);
	memset(text + used, '\n', CHAIN_STATE_BYTES - used);
}

static bool is_hex(const char *text, size_t size)
{
	return strlen(text) == size && strspn(text, "0123456789abcdef") == size;
}

int chain_state_parse(struct chain_state *state, const char *text, size_t size)
{
	struct chain_state got = {};
	struct chain *chain = &got.chain;
	char copy[CHAIN_STATE_BYTES + 1] = {}, sum[17], hex[SHA256_HEX];
	unsigned char digest[SHA256_BYTES];
	int clean, at = 0;

	if (size != CHAIN_STATE_BYTES)
		return -EBADMSG;
	memcpy(copy, text, size);
	if (sscanf(copy,
		    "1 %32s %32s %32s %" SCNu64 " %64s %" SCNu64 " %" SCNu64 " %" SCNu64
		    " %120s %d %n%16s",
		    chain->machine, chain->boot, chain->log, &chain->seq, chain->hash, &got.segment,
		    &got.offset, &got.began_us, got.previous, &clean, &at, sum) != 11)
		return -EBADMSG;
	sha256(copy, (size_t)at, digest);
	if (strncmp(sha256_hex(digest, hex), sum, sizeof(sum) - 1) || strlen(sum) != 16 ||
		!is_hex(chain->machine, 32) || !is_hex(chain->boot, 32) ||
		!is_hex(chain->log, 32) || !is_hex(chain->hash, 64))
		return -EBADMSG;
	got.clean = clean;
	*state = got;
	return 0;
}
