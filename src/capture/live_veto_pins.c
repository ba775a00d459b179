/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What of the veto is pinned in the BPF file system: tables, by their names, so that other commands
 * reach them; and with --keep the links, "link_NAME", so that programs stay attached without a
 * tool. A new tool puts its own pins over the old ones, each by a rename: there is no time at which
 * nobody refuses.
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "capture/live_veto_private.h"

#define BPFFS       "/sys/fs/bpf"
#define BPFFS_MAGIC 0xcafe4a11
#define LINK        "link_"
#define NEW         "_new" /* not yet in its place; the file system allows no dots */
#define PATH_SIZE   128
#define LOCK_TRIES  10

static void pin_path(char path[PATH_SIZE], const char *prefix, const char *name, const char *suffix)
{
	snprintf(path, PATH_SIZE, VETO_PINS "/%s%s%s", prefix, name, suffix);
}

/* ---- one tool at a time ---- */

/* The folder of the pins is the lock: only root can open it. Without a BPF file system there is
 * none, and what it would be mounted on serves. */
static const char *lock_place(void)
{
	if (!mkdir(VETO_PINS, 0700) || errno == EEXIST)
		return VETO_PINS;
	return BPFFS;
}

/* Whether it is still what has that name: who ended before us may have removed it. */
static bool is_there(int fd, const char *path)
{
	struct stat ours, now;

	return !fstat(fd, &ours) && !stat(path, &now) && ours.st_ino == now.st_ino;
}

static int lock_pins(int *ret, struct error *err)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		const char *place = lock_place();
		_cleanup_close_ int fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		int r = fd < 0 ? -errno : 0;

		if (r == -ENOENT)
			continue;
		if (r) {
			error_set(err, r, "%s cannot be opened: %s", place, strerror(-r));
			if (r == -EACCES)
				error_advise(err, "run as root");
			return r;
		}
		if (flock(fd, LOCK_EX | LOCK_NB))
			return -EBUSY;
		if (!is_there(fd, place))
			continue;
		*ret = TAKE_FD(fd);
		return 0;
	}
	return -EBUSY;
}

int veto_pins_lock(struct live_veto *veto, struct error *err)
{
	int r = lock_pins(&veto->lock, err);

	if (r != -EBUSY)
		return r;
	error_set(err, r, "another kvm-encstat enforces on this host");
	error_advise(err, "end that one; or give it the policies, and SIGHUP");
	return r;
}

/* Asking for the lock itself might keep a tool from starting. */
uint32_t veto_holder(void)
{
	_cleanup_fclose_ FILE *locks = fopen("/proc/locks", "re");
	char line[256], wanted[64], where[64];
	uint32_t pid, holder = 0;
	struct stat place;

	if (!locks || (stat(VETO_PINS, &place) && stat(BPFFS, &place)))
		return 0;
	snprintf(wanted, sizeof(wanted), "%02x:%02x:%llu", major(place.st_dev), minor(place.st_dev),
		(unsigned long long)place.st_ino);
	while (!holder && fgets(line, sizeof(line), locks))
		if (sscanf(line, "%*u: FLOCK %*s WRITE %u %63s", &pid, where) == 2 &&
			!strcmp(where, wanted))
			holder = pid;
	return holder;
}

/* ---- what is there ---- */

bool veto_can_pin(struct error *err)
{
	struct statfs fs;

	if (statfs(BPFFS, &fs) || (unsigned int)fs.f_type == BPFFS_MAGIC)
		return true;
	error_set(err, -ENOENT, "no BPF file system is mounted at " BPFFS);
	error_advise(err, "mount -t bpf bpf " BPFFS);
	return false;
}

typedef void (*pin_fn)(const char *path, const char *name);

static void each_pin(pin_fn fn)
{
	DIR *dir = opendir(VETO_PINS);
	struct dirent *entry;
	char path[sizeof(VETO_PINS) + sizeof(entry->d_name)];

	while (dir && (entry = readdir(dir))) {
		if (*entry->d_name == '.')
			continue;
		snprintf(path, sizeof(path), VETO_PINS "/%s", entry->d_name);
		fn(path, entry->d_name);
	}
	if (dir)
		closedir(dir);
}

static void remove_pin(const char *path, const char *name)
{
	(void)name;
	unlink(path);
}

void veto_pins_remove(void)
{
	each_pin(remove_pin);
}

void veto_pins_unlock(int lock)
{
	if (lock < 0)
		return;
	rmdir(VETO_PINS); /* if nothing is in it */
	close(lock);
}

bool veto_is_kept(void)
{
	DIR *dir = opendir(VETO_PINS);
	struct dirent *entry;
	bool kept = false;

	while (dir && !kept && (entry = readdir(dir)))
		kept = !strncmp(entry->d_name, LINK, sizeof(LINK) - 1);
	if (dir)
		closedir(dir);
	return kept;
}

int veto_pins_find(struct live_veto *veto, bool keep, struct error *err)
{
	struct veto_tables tables;
	struct error why = {};

	if (!veto_is_kept()) {
		/* of a tool that was killed: it could not disarm the module, either */
		veto->leftover = !veto_tables_open(&tables, &why);
		if (veto->leftover)
			veto_tables_close(&tables);
		veto_pins_remove();
		return 0;
	}
	if (!keep) {
		error_set(err, -EBUSY, "an earlier kvm-encstat enforce --keep still enforces");
		error_advise(err, "enforce --keep takes over from it; kvm-encstat policy release "
				  "ends it");
		return -EBUSY;
	}
	/* Another version's tables are left to its programs, until these here are proved. */
	veto->took_over = !veto_tables_open(&tables, &why);
	if (veto->took_over) {
		(void)veto_settings(&tables, &veto->previous); /* they were read just now */
		veto_tables_close(&tables);
	}
	return 0;
}

void veto_share_pins(struct live_veto *veto)
{
	for (int i = 0; i < VETO_TABLES; i++) {
		struct bpf_map *map =
			bpf_object__find_map_by_name(veto->skeleton->obj, veto_table_names[i]);
		char path[PATH_SIZE];

		if (i == VETO_SETTINGS || !map)
			continue;
		pin_path(path, "", veto_table_names[i], "");
		_cleanup_close_ int fd = bpf_obj_get(path);
		if (fd >= 0)
			bpf_map__reuse_fd(map, fd);
	}
}

/* ---- pinning ---- */

static int make_place(struct error *err)
{
	if (!veto_can_pin(err))
		return -ENOENT;
	if (mkdir(VETO_PINS, 0700) && errno != EEXIST)
		return error_set(err, -errno, "%s cannot be made: %s", VETO_PINS, strerror(errno));
	return 0;
}

static int pin_over(int fd, const char *prefix, const char *name)
{
	char path[PATH_SIZE], temporary[PATH_SIZE];

	pin_path(path, prefix, name, "");
	pin_path(temporary, prefix, name, NEW);
	unlink(temporary);
	if (bpf_obj_pin(fd, temporary))
		return -errno;
	return rename(temporary, path) ? -errno : 0;
}

static bool is_ours(const struct live_veto *veto, const char *name)
{
	for (size_t i = 0; i < veto->n_links; i++) {
		struct bpf_program *program;
		size_t at = 0;

		bpf_object__for_each_program(program, veto->skeleton->obj)
		{
			if (!bpf_program__autoload(program) || at++ != i)
				continue;
			if (!strcmp(bpf_program__name(program), name))
				return true;
		}
	}
	return false;
}

/* Programs of an earlier tool that this one does not have. */
static void remove_foreign_links(const struct live_veto *veto)
{
	DIR *dir = opendir(VETO_PINS);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, LINK, sizeof(LINK) - 1) ||
			(veto->keep && is_ours(veto, entry->d_name + sizeof(LINK) - 1)))
			continue;
		unlinkat(dirfd(dir), entry->d_name, 0);
	}
	if (dir)
		closedir(dir);
}

static int pin_links(struct live_veto *veto)
{
	struct bpf_program *program;
	size_t i = 0;
	int r = 0;

	bpf_object__for_each_program(program, veto->skeleton->obj)
	{
		if (!bpf_program__autoload(program) || r)
			continue;
		r = pin_over(bpf_link__fd(veto->links[i++]), LINK, bpf_program__name(program));
	}
	return r;
}

int veto_pins_write(struct live_veto *veto, struct error *err)
{
	int r = make_place(err);

	if (r == -ENOENT && !veto->keep) {
		*err = (struct error){}; /* then policy show and release cannot reach it */
		return 0;
	}
	if (r)
		return r;
	for (int i = 0; i < VETO_TABLES && !r; i++)
		r = pin_over(veto->tables.fd[i], "", veto_table_names[i]);
	if (!r && veto->keep)
		r = pin_links(veto);
	if (r)
		return error_set(err, r, "pinning in " VETO_PINS " failed: %s", strerror(-r));
	remove_foreign_links(veto);
	return 0;
}

/* Whose it is, and what to do. */
static int held(struct error *err)
{
	const char *again = veto_is_kept() ? "; then this once more" : "";
	uint32_t pid = veto_holder();

	error_set(err, -EBUSY, "what is enforced belongs to a kvm-encstat that runs");
	if (pid)
		error_advise(err, "end that one: kill %u%s", pid, again);
	else
		error_advise(err, "end that one%s", again);
	return -EBUSY;
}

/* With the lock. */
static int unpin(struct error *err)
{
	struct veto_tables tables;
	bool any = false;
	int r;

	any = veto_is_kept() || !access(VETO_PINS "/veto", F_OK);
	if (!any)
		return error_set(err, -ENOENT, "nothing is kept here");
	r = veto_tables_open(&tables, err);
	if (r == -EACCES || r == -EPERM)
		return r;
	if (!r) {
		(void)veto_release_all(&tables);
		veto_tables_close(&tables);
	}
	veto_pins_remove();
	if (veto_is_kept())
		return error_set(err, -EBUSY, "not all of " VETO_PINS " could be removed");
	if (live_veto_has_module())
		(void)veto_write_armed(false);
	return 0;
}

int veto_unpin(struct error *err)
{
	int lock = -1, r;

	if (geteuid() && access(VETO_PINS, F_OK))
		return error_set(err, -ENOENT, "nothing is kept here");
	r = lock_pins(&lock, err);
	if (r)
		return r == -EBUSY ? held(err) : r;
	r = unpin(err);
	veto_pins_unlock(lock);
	return r;
}
