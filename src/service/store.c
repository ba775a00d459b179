/* SPDX-License-Identifier: GPL-2.0-only */
#include "service/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "base/cleanup.h"
#include "base/codec.h"
#include "base/escape.h"

#define MAGIC      "KESD"
#define VERSION    1
#define STAT_START 22 /* field of /proc/PID/stat, from 1 */

/* ---- bytes ---- */

static void code_vms(struct codec *codec, struct store *store)
{
	CODE_LIST(codec, store->vms, store->n_vms, STORE_VMS);
	for (size_t i = 0; i < store->n_vms && !codec->error; i++) {
		struct store_vm *vm = &store->vms[i];

		CODE(codec, vm->kvm);
		CODE(codec, vm->clock_offset);
		CODE(codec, vm->start);
		CODE(codec, vm->id);
		CODE(codec, vm->pid);
		codec_check(codec, vm->id && vm->id <= store->last_id, "an id was never given");
	}
}

static void code_state(struct codec *codec, struct buffer *state)
{
	size_t size = state->size;

	CODE_LIST(codec, state->bytes, size, STORE_MAX);
	codec_bytes(codec, state->bytes, size);
	state->size = state->room = size;
}

static void code_store(struct codec *codec, struct store *store)
{
	char magic[] = MAGIC;

	codec_bytes(codec, magic, sizeof(magic));
	codec_check(codec, !memcmp(magic, MAGIC, sizeof(magic)), "it begins otherwise");
	codec_check(codec, codec_value(codec, VERSION, UINT16_MAX) == VERSION,
		"it is of another version");
	codec_bytes(codec, store->boot, sizeof(store->boot));
	codec_check(codec, memchr(store->boot, '\0', sizeof(store->boot)), "its boot has no end");
	CODE(codec, store->saved_ns);
	CODE(codec, store->last_id);
	code_vms(codec, store);
	code_state(codec, &store->state);
}

static int damaged(struct error *err, const char *what)
{
	return error_set(err, -EBADMSG, "the state of the daemon's last life is damaged: %s", what);
}

int store_parse(struct store *ret, const void *bytes, size_t size, struct error *err)
{
	struct codec codec;
	struct store store = {};
	XXH64_canonical_t digest;

	if (size < sizeof(digest))
		return damaged(err, "it is cut");
	size -= sizeof(digest);
	memcpy(&digest, (const char *)bytes + size, sizeof(digest));
	if (XXH64_hashFromCanonical(&digest) != XXH3_64bits(bytes, size))
		return damaged(err, "its digest is another one");
	codec = codec_loading(bytes, size);
	code_store(&codec, &store);
	codec_check(&codec, codec.at == codec.end, "it does not end where it should");
	if (!codec.error) {
		*ret = store;
		return 0;
	}
	store_release(&store);
	return codec.error == -EBADMSG ? damaged(err, codec.wrong)
				       : error_set(err, codec.error, "out of memory");
}

void store_release(struct store *store)
{
	free(store->vms);
	buffer_free(&store->state);
	*store = (struct store){};
}

/* ---- the file ---- */

static int failed(struct error *err, const char *what, const char *path)
{
	char shown[ESCAPED_SIZE(128)];
	int code = -errno;

	return error_set(
		err, code, "%s %s: %s", what, escape(path, shown, sizeof(shown)), strerror(-code));
}

static int write_all(int fd, const uint8_t *bytes, size_t size)
{
	while (size) {
		ssize_t n = write(fd, bytes, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		size -= (size_t)n;
	}
	return 0;
}

static int replace(const char *path, const struct buffer *buffer, struct error *err)
{
	_cleanup_free_ char *fresh = NULL;
	_cleanup_close_ int fd = -1;
	int r;

	if (asprintf(&fresh, "%s.new", path) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return failed(err, "opening", fresh);
	r = write_all(fd, buffer->bytes, buffer->size);
	if (r) {
		errno = -r;
		failed(err, "writing", fresh);
		unlink(fresh);
		return r;
	}
	return rename(fresh, path) ? failed(err, "renaming", fresh) : 0;
}

int store_write(const char *path, const struct store *store, struct error *err)
{
	_cleanup_buffer_ struct buffer buffer = {};
	struct codec codec = codec_saving(&buffer);
	struct store copy = *store; /* a codec that saves changes nothing */
	XXH64_canonical_t digest;

	code_store(&codec, &copy);
	if (codec.error)
		return error_set(err, codec.error, "out of memory");
	XXH64_canonicalFromHash(&digest, XXH3_64bits(buffer.bytes, buffer.size));
	if (buffer_put(&buffer, &digest, sizeof(digest)))
		return error_set(err, -ENOMEM, "out of memory");
	return replace(path, &buffer, err);
}

int store_read(struct store *ret, const char *path, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	_cleanup_buffer_ struct buffer buffer = {};
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return failed(err, "opening", path);
	if (fstat(fd, &st))
		return failed(err, "reading", path);
	if (st.st_size < 0 || (uint64_t)st.st_size > STORE_MAX)
		return damaged(err, "it is too large");
	if (!buffer_reserve(&buffer, (size_t)st.st_size + 1))
		return error_set(err, -ENOMEM, "out of memory");
	while (buffer.size < (size_t)st.st_size) {
		n = read(fd, buffer.bytes + buffer.size, (size_t)st.st_size - buffer.size);
		if (n < 0)
			return failed(err, "reading", path);
		if (!n)
			break;
		buffer.size += (size_t)n;
	}
	return store_parse(ret, buffer.bytes, buffer.size, err);
}

/* ---- who is who ---- */

int store_boot(char ret[STORE_BOOT])
{
	_cleanup_fclose_ FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	memset(ret, 0, STORE_BOOT);
	if (!file || !fgets(ret, STORE_BOOT, file))
		return -ENOENT;
	ret[strcspn(ret, "\n")] = '\0';
	return 0;
}

/* The name of the command, which may be anything, is in brackets. */
uint64_t store_start_of(uint32_t pid)
{
	_cleanup_close_ int fd = -1;
	char path[32], text[1024], *at;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	at = strrchr(text, ')');
	for (int field = 2; at && field < STAT_START; field++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at + 1, NULL, 10) : 0;
}
