/*
 * What the kernel runs when it lacks a module: `init -q -- NAME`, as /proc/sys/kernel/modprobe says. NAME is a module's or one of its aliases, as
 * in modprobe(8). All modules that there are for this lie in one directory, which the host shares read-only; nothing else is loaded.
 */
#define _GNU_SOURCE
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MODULES "/run/share/@guest/modules"

/* From the kernel's linux/module.h: finit_module(2) is given a compressed file. */
enum { MODULE_INIT_COMPRESSED_FILE = 4 };

bool load_module(const char *path)
{
	size_t length = strlen(path);
	bool plain = length > 3 && !strcmp(path + length - 3, ".ko");
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	long result = fd < 0 ? -1 : syscall(SYS_finit_module, fd, "", plain ? 0 : MODULE_INIT_COMPRESSED_FILE);
	int problem = errno;

	if (fd >= 0)
		close(fd);
	errno = problem;
	return result >= 0 || errno == EEXIST;
}

/* Loads the modules of a line: those that must come first stand first. Why one is refused the kernel says in its log. */
static bool load_all(char *names)
{
	for (char *name = strtok(names, " \n"); name; name = strtok(NULL, " \n")) {
		char path[256];

		snprintf(path, sizeof(path), MODULES "/%s.ko", name);
		if (!load_module(path))
			return false;
	}
	return true;
}

/* Whether the name is this one, or begins so if a star stands at the end. */
static bool matches(const char *alias, const char *name)
{
	size_t length = strlen(alias);

	if (length > 0 && alias[length - 1] == '*')
		return !strncmp(alias, name, length - 1);
	return !strcmp(alias, name);
}

/* Each line of `aliases` has an alias and the names of the modules to load for it. In all names a dash is an underscore. */
int modprobe(char *asked)
{
	FILE *aliases = fopen(MODULES "/aliases", "re");
	char line[4096];
	bool found = false;
	bool loaded = true;

	if (!aliases)
		return 1;
	for (char *dash; (dash = strchr(asked, '-'));)
		*dash = '_';
	while (fgets(line, sizeof(line), aliases)) {
		char *names = strchr(line, ' ');

		if (!names)
			continue;
		*names = '\0';
		if (matches(line, asked)) {
			found = true;
			loaded = load_all(names + 1) && loaded;
		}
	}
	fclose(aliases);
	return found && loaded ? 0 : 1;
}
