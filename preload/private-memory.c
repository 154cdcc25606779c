/*
 * Loaded into QEMU before its libraries (LD_PRELOAD): a clone's memory is its template's file, which it must not change.
 *
 * QEMU maps the file privately, but opens it for writing all the same, and when the guest frees memory (free page reporting,
 * balloon) it makes holes in it before it forgets its own copies of the pages (ram_block_discard_range): that would take memory away
 * from all other clones. In QEMU's jail the file is on a read-only mount, so neither can happen. Here
 *
 * - the file is opened for reading where QEMU asks for more, which is all that a private mapping takes;
 * - a hole in what was opened for reading is said to be made. QEMU goes on to forget its own copies (madvise, MADV_DONTNEED), and the guest
 *   finds there what its template had. It may find anything: runv's device does not promise that such pages are empty (`page-poison=off`).
 *
 * A clone whose files are served by this library is told that its memory is shared, for from 11.0 on QEMU tells a vhost-user device of no other
 * (vhost_user_mem_section_filter). What is opened for reading cannot be mapped so, writable: it is mapped privately. QEMU forgets pages of memory that is
 * shared, and a file's, in the same two steps.
 *
 * Where this is not loaded QEMU does not start, and the machine boots without a template.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* What the file is called in QEMU's jail: src/hypervisor/jail.ts. */
static const char memory[] = "/memory";

static int is_memory(const char *path)
{
	const char *end = memory;

	while (*path != '\0' && *path == *end)
		path++, end++;
	return *path == *end;
}

static int open_file(const char *path, int flags, mode_t mode)
{
	int fd = syscall(SYS_openat, AT_FDCWD, path, flags, mode);

	if (fd < 0 && errno == EROFS && is_memory(path))
		fd = syscall(SYS_openat, AT_FDCWD, path, (flags & ~O_ACCMODE) | O_RDONLY, 0);
	return fd;
}

static int allocate(int fd, int mode, off_t offset, off_t length)
{
	int result = syscall(SYS_fallocate, fd, mode, offset, length);

	if (result < 0 && errno == EBADF && (mode & FALLOC_FL_PUNCH_HOLE) && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
		return 0;
	return result;
}

static void *map(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	const int type = flags & MAP_TYPE;
	long result = syscall(SYS_mmap, address, length, protection, flags, fd, offset);

	if (result < 0 && errno == EACCES && type == MAP_SHARED && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
		result = syscall(SYS_mmap, address, length, protection, (flags & ~MAP_TYPE) | MAP_PRIVATE, fd, offset);
	return (void *)result;
}

/* The names under which QEMU calls them: with musl, with glibc, and with glibc's checks. */

int plain_open(const char *path, int flags, ...) __asm__("open");
int checked_open(const char *path, int flags) __asm__("__open64_2");
int plain_fallocate(int fd, int mode, off_t offset, off_t length) __asm__("fallocate");
void *plain_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset) __asm__("mmap");
extern __typeof__(plain_open) large_open __asm__("open64") __attribute__((alias("open")));
extern __typeof__(plain_fallocate) large_fallocate __asm__("fallocate64") __attribute__((alias("fallocate")));
extern __typeof__(plain_mmap) large_mmap __asm__("mmap64") __attribute__((alias("mmap")));

static mode_t mode_in(int flags, va_list rest)
{
	return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(rest, mode_t) : 0;
}

int plain_open(const char *path, int flags, ...)
{
	va_list rest;
	mode_t mode;

	va_start(rest, flags);
	mode = mode_in(flags, rest);
	va_end(rest);
	return open_file(path, flags, mode);
}

int checked_open(const char *path, int flags)
{
	return open_file(path, flags, 0);
}

int plain_fallocate(int fd, int mode, off_t offset, off_t length)
{
	return allocate(fd, mode, offset, length);
}

void *plain_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	return map(address, length, protection, flags, fd, offset);
}
