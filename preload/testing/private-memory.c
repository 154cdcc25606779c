/* Maps the file of the first argument shared, opened for reading ("r") or for both ("rw"), as QEMU maps memory; writes to it, and says what is there. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

int main(int count, char **arguments)
{
	int fd = count == 3 ? open(arguments[1], strcmp(arguments[2], "r") ? O_RDWR : O_RDONLY) : -1;
	char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		return puts(strerror(errno)) < 0;
	memcpy(map, "mine", 4);
	return printf("%.4s\n", map) < 0;
}
