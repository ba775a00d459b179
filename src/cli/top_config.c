/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/top_config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

/* As the XDG base directory specification has it: a path that is not absolute does not count. */
static void find_path(char *path, size_t size)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	int n = -1;

	if (config && *config == '/')
		n = snprintf(path, size, "%s/kvm-encstat/top.yaml", config);
	else if (home && *home == '/')
		n = snprintf(path, size, "%s/.config/kvm-encstat/top.yaml", home);
	if (n < 0 || (size_t)n + sizeof(".bad") > size)
		*path = '\0';
}

void top_config_read(struct top_config *config)
{
	int r;

	config->bad = false;
	top_settings_init(&config->settings);
	find_path(config->path, sizeof(config->path));
	if (!*config->path)
		return;
	r = top_settings_open(&config->settings, config->path, &config->why);
	config->bad = r && r != -ENOENT;
}

/* All folders of the path, as they are missing: the user's own. */
static int make_folders(const char *path)
{
	char folder[sizeof(((struct top_config *)0)->path)];

	snprintf(folder, sizeof(folder), "%s", path);
	for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(folder, 0700) && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return 0;
}

/* A new file beside it, whole and on the disk. */
static int write_beside(const char *path, const struct top_settings *settings)
{
	_cleanup_fclose_ FILE *file = NULL;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	file = fdopen(fd, "w");
	if (!file) {
		close(fd);
		return -ENOMEM;
	}
	top_settings_write(file, settings);
	if (fflush(file) || ferror(file) || fsync(fd))
		return errno ? -errno : -EIO;
	return 0;
}

static int replace(struct top_config *config, const struct top_settings *settings)
{
	char new[sizeof(config->path) + 8], old[sizeof(config->path) + 8];
	int r = make_folders(config->path);

	if (r)
		return r;
	snprintf(new, sizeof(new), "%s.new", config->path);
	snprintf(old, sizeof(old), "%s.bad", config->path);
	r = write_beside(new, settings);
	if (!r && config->bad && rename(config->path, old) && errno != ENOENT)
		r = -errno;
	if (!r && rename(new, config->path))
		r = -errno;
	if (r)
		unlink(new);
	return r;
}

int top_config_write(
	struct top_config *config, const struct top_settings *settings, struct error *err)
{
	int r;

	if (!*config->path)
		return error_set(err, -ENOENT, "there is neither HOME nor XDG_CONFIG_HOME");
	r = replace(config, settings);
	if (r)
		return error_set(err, r, "the settings were not saved: %s", strerror(-r));
	config->bad = false;
	config->settings = *settings;
	return 0;
}
