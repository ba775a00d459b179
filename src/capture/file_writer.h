/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Records into a capture file. Each write adds a whole block; one that fails is cut off again, so
 * the file can be read up to the last whole block whatever happens. After a failed write the writer
 * only repeats its error. A file size limit raises SIGXFSZ: ignore it to get the error instead.
 */
#ifndef CAPTURE_FILE_WRITER_H
#define CAPTURE_FILE_WRITER_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "wire.h"

struct capture_writer;

/*
 * Creates the file, with mode 0600 since it holds names of other people's VMs. An existing one is
 * -EEXIST, but with force it is replaced. metadata is a JSON object in UTF-8 without a "format",
 * which the writer adds.
 */
int capture_writer_new(struct capture_writer **ret, const char *path, bool force,
	const char *metadata, struct error *err);

/* Takes copies of n records, and writes a block whenever one is full. Allocates nothing. */
int capture_writer_add(
	struct capture_writer *w, const struct kes_record *records, size_t n, struct error *err);

/* Writes the records that wait for their block to fill. Every second or so. */
int capture_writer_flush(struct capture_writer *w, struct error *err);

/* What all records that were taken so far came to, at their time: readers may begin there.
 * Allocates for as long as it takes. */
int capture_writer_state(
	struct capture_writer *w, uint64_t ts_ns, const void *bytes, size_t n, struct error *err);

/*
 * Marks the file complete and syncs it to disk. summary is a JSON object in UTF-8, or NULL; one
 * that is not is -EINVAL and leaves the file open. Free the writer after it all the same.
 */
int capture_writer_close(struct capture_writer *w, const char *summary, struct error *err);

/* Without a close before it: what waits is written, the file stays marked incomplete. */
void capture_writer_free(struct capture_writer **w);

/* In the file so far. */
uint64_t capture_writer_bytes(const struct capture_writer *w);

/* Taken so far, those that wait included. */
uint64_t capture_writer_records(const struct capture_writer *w);

#endif
