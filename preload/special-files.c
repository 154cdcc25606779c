/*
 * Loaded into QEMU before its libraries (LD_PRELOAD): lets its 9p server set the modes of FIFOs, sockets and device nodes.
 *
 * Since the remedy for CVE-2023-2861 (QEMU 8.1, and 7.2.4 and 8.0.3 among others) the server looks at everything that it has opened
 * and closes what is neither a file nor a directory. So it must: a guest would else read the host's devices. But it does so too with
 * the descriptors that only name a file (O_PATH, open(2)), through which it sets the mode of what it has just made; by those nothing
 * can be read or written. QEMU itself leaves them alone since version 10.0 ("9pfs: fix regression regarding CVE-2023-2861").
 *
 * Here fstat(2) says of a special file by such a descriptor that it is a regular one. Nothing else asks that question: the server
 * goes on to see only that it is no symbolic link. By any other descriptor fstat says what is true.
 *
 * What is called is the C library that QEMU has, glibc or musl: this file is linked with none.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int status(int fd, struct stat *status)
{
	/* Of the kernel: on machines of 64 bits it writes what both libraries call a struct stat. */
	if (syscall(SYS_fstat, fd, status) < 0)
		return -1;
	switch (status->st_mode & S_IFMT) {
	case S_IFIFO:
	case S_IFSOCK:
	case S_IFCHR:
	case S_IFBLK:
		if (fcntl(fd, F_GETFL) & O_PATH)
			status->st_mode = S_IFREG | (status->st_mode & 07777);
	}
	return 0;
}

/* The names under which QEMU calls it: with musl, with glibc since 2.33, and before. */

int plain(int fd, struct stat *buffer) __asm__("fstat");
int large(int fd, struct stat *buffer) __asm__("fstat64");
int plain_old(int version, int fd, struct stat *buffer) __asm__("__fxstat");
int large_old(int version, int fd, struct stat *buffer) __asm__("__fxstat64");

int plain(int fd, struct stat *buffer)
{
	return status(fd, buffer);
}

int large(int fd, struct stat *buffer)
{
	return status(fd, buffer);
}

int plain_old(int version, int fd, struct stat *buffer)
{
	(void)version;
	return status(fd, buffer);
}

int large_old(int version, int fd, struct stat *buffer)
{
	(void)version;
	return status(fd, buffer);
}
