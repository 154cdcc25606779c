/*
 * What programs do that do real work. Says "done" when all of it is there at once.
 *
 *	work threads N		N threads that wait
 *	work files N		N open files
 *	work connections N	N TCP connections, each with 64 KiB that nobody has read yet
 *	work touch N		N MiB that are written to
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static void check(int good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(1);
}

static void *wait_for_ever(void *nothing)
{
	pause();
	return nothing;
}

static void threads(int count)
{
	pthread_attr_t attributes;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 64 << 10);
	while (count-- > 0) {
		pthread_t thread;

		check(pthread_create(&thread, &attributes, wait_for_ever, NULL) == 0, "thread");
	}
}

static void files(int count)
{
	while (count-- > 0)
		check(open("/dev/null", O_RDONLY) >= 0, "open");
}

static void connections(int count)
{
	static char data[64 << 10];
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	check(bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, 128) == 0, "listen");
	check(getsockname(listener, (struct sockaddr *)&address, &length) == 0, "name");
	while (count-- > 0) {
		int one = socket(AF_INET, SOCK_STREAM, 0);

		check(connect(one, (struct sockaddr *)&address, length) == 0 && accept(listener, NULL, NULL) >= 0, "connect");
		for (size_t sent = 0; sent < sizeof(data);) {
			ssize_t n = write(one, data, sizeof(data) - sent);

			check(n > 0, "write");
			sent += (size_t)n;
		}
	}
}

static void touch(int mebibytes)
{
	size_t size = (size_t)mebibytes << 20;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(memory != MAP_FAILED, "mmap");
	memset(memory, 1, size);
}

int main(int argc, char **argv)
{
	const struct rlimit many = { 1 << 18, 1 << 18 };
	int count = argc == 3 ? atoi(argv[2]) : 0;

	check(setrlimit(RLIMIT_NOFILE, &many) == 0, "limit of files");
	if (argc == 3 && !strcmp(argv[1], "threads"))
		threads(count);
	else if (argc == 3 && !strcmp(argv[1], "files"))
		files(count);
	else if (argc == 3 && !strcmp(argv[1], "connections"))
		connections(count);
	else if (argc == 3 && !strcmp(argv[1], "touch"))
		touch(count);
	else
		return 2;
	puts("done");
	fflush(stdout);
	_exit(0);
}
