/* Asks for an io_uring as QEMU does, by liburing's names, and prints what it is told; exit code 2 where there are no such functions. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>

int main(void)
{
	int (*plain)(unsigned, void *, unsigned) = dlsym(RTLD_DEFAULT, "io_uring_queue_init");
	int (*params)(unsigned, void *, void *) = dlsym(RTLD_DEFAULT, "io_uring_queue_init_params");
	char ring[4096] = {0}, parameters[256] = {0};

	if (!plain || !params)
		return 2;
	printf("%d %d\n", plain(8, ring, 0), params(8, ring, parameters));
	return 0;
}
