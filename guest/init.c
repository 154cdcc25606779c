/*
 * The init of a runv guest: pid 1 of the small virtual machine in which a container runs. It knows nothing of containers;
 * the host sends it programs of system calls. docs/guest-protocol.md is the contract.
 *
 *	init		as pid 1: boots, then serves the host
 *	init --fd N	serves the channel on descriptor N
 *	init --exec N	runs the program that it reads from descriptor N
 *	init --spawn N COUNT
 *			starts a process of a container on the host: see spawn.c
 *	init --tsc	says how fast the processor's time stamp counter is, in kHz
 *	init -q -- NAME	loads a kernel module, for the kernel: see modprobe.c
 */
#define _GNU_SOURCE
#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum {
	UEVENT_MULTICAST_GROUP = 1,
	/* Milliseconds to wait for a message about a device, and how many such waits in vain are worth a word. */
	DEVICE_PATIENCE = 100,
	DEVICE_LATE = 50,
};

static void say_error(const char *format, va_list arguments)
{
	char text[256];
	int fd = -1;
	int length;

	/* In the kernel's log a line begins with its level (3: error), and is shown on the console. */
	length = snprintf(text, sizeof(text), "%srunv-init: ", getpid() == 1 ? "<3>" : "");
	length += vsnprintf(text + length, sizeof(text) - (size_t)length - 1, format, arguments);
	if (length > (int)sizeof(text) - 2)
		length = sizeof(text) - 2;
	text[length++] = '\n';
	if (getpid() == 1)
		fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (write(fd < 0 ? STDERR_FILENO : fd, text, (size_t)length) < 0)
		errno = 0;
	if (fd >= 0)
		close(fd);
}

void complain(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say_error(format, arguments);
	va_end(arguments);
}

noreturn void die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say_error(format, arguments);
	va_end(arguments);
	_exit(EXIT_FAILED);
}

void reset_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* What an ignored signal of the one who started us would be to every program. */
static void unignore_signals(void)
{
	for (int number = 1; number < NSIG; number++) {
		struct sigaction action;

		if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			signal(number, SIG_DFL);
	}
}

/* Descriptors 0, 1 and 2 must be something, or pipes would be made there. */
static void hold_stdio(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	close(fd);
}

/* Boot */

static void mount_on(const char *type, const char *path)
{
	mkdir(path, 0755);
	if (mount(type, path, type, MS_NOSUID | MS_NOEXEC, NULL) < 0)
		complain("cannot mount %s: %m", type);
}

/*
 * The root directory is that of the initramfs, which has no parent mount, so that pivot_root(2) would refuse it. A bind of it
 * moved over it is another mount of the same files, and has one.
 */
static void make_root_a_mount(void)
{
	mkdir("/.root", 0755);
	if (mount("/", "/.root", NULL, MS_BIND, NULL) < 0 || chdir("/.root") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 ||
	    chroot(".") < 0 || chdir("/") < 0)
		complain("cannot make the initramfs a mount: %m");
	rmdir("/.root");
}

/* Loads the modules that a file lists, one path a line. */
static void load_modules(const char *file)
{
	FILE *list = fopen(file, "re");
	char path[512];

	if (!list)
		return;
	while (fgets(path, sizeof(path), list)) {
		path[strcspn(path, "\n")] = '\0';
		if (path[0] && !load_module(path))
			complain("cannot load module %s: %m", path);
	}
	fclose(list);
}

/* Reads a small file as text. Returns false if it cannot. */
static bool read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return false;
	text[n] = '\0';
	return true;
}

/* The channel that `runv.agent=` on the kernel's command line names. */
static bool named_channel(char *path, size_t size)
{
	static const char option[] = "runv.agent=";
	char line[4096];

	if (!read_text("/proc/cmdline", line, sizeof(line)))
		return false;
	for (char *word = strtok(line, " \n"); word; word = strtok(NULL, " \n")) {
		if (!strncmp(word, option, sizeof(option) - 1)) {
			snprintf(path, size, "%s", word + sizeof(option) - 1);
			return true;
		}
	}
	return false;
}

/* The virtio port with the agent's name, once its driver has found it. */
static bool agent_port(char *path, size_t size)
{
	static const char class[] = "/sys/class/virtio-ports";
	DIR *ports = opendir(class);
	bool found = false;

	if (!ports)
		return false;
	for (struct dirent *port; !found && (port = readdir(ports));) {
		char file[512];
		char name[64];

		snprintf(file, sizeof(file), "%s/%s/name", class, port->d_name);
		if (!read_text(file, name, sizeof(name)))
			continue;
		found = !strcmp(name, "runv.agent\n");
		if (found)
			snprintf(path, size, "/dev/%s", port->d_name);
	}
	closedir(ports);
	return found;
}

/* A socket with the kernel's messages about devices that come: netlink(7), NETLINK_KOBJECT_UEVENT. */
static int open_uevents(void)
{
	/* struct sockaddr_nl, which the headers of a libc alone do not have. */
	struct {
		sa_family_t family;
		unsigned short pad;
		uint32_t port, groups;
	} address = { .family = AF_NETLINK, .groups = UEVENT_MULTICAST_GROUP };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, 15);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die("cannot listen for devices: %m");
	return fd;
}

static bool wait_for_device(int uevents)
{
	struct pollfd look = { .fd = uevents, .events = POLLIN };
	char event[4096];

	if (poll(&look, 1, DEVICE_PATIENCE) <= 0)
		return false;
	while (recv(uevents, event, sizeof(event), MSG_DONTWAIT) > 0)
		;
	return true;
}

static void make_raw(int fd)
{
	struct termios mode;

	if (tcgetattr(fd, &mode) == 0) {
		cfmakeraw(&mode);
		tcsetattr(fd, TCSANOW, &mode);
	}
}

/*
 * The port on the host that `runv.agent=vsock:PORT` names: vsock(7). Its modules are no use to machines of other hypervisors, so they
 * have a list of their own. The host listens before it starts the machine, and the device is there when its module is.
 */
static int connect_to_host(const char *port)
{
	/* struct sockaddr_vm and its constants, which the headers of a libc alone do not have. */
	struct {
		sa_family_t family;
		unsigned short reserved;
		uint32_t port, cid;
		uint8_t flags, zero[3];
	} address = { .family = 40, .port = (uint32_t)strtoul(port, NULL, 10), .cid = 2 };
	/* SO_VM_SOCKETS_CONNECT_TIMEOUT: two seconds unless told, which a busy host may take. */
	const struct timeval patience = { .tv_sec = 60 };
	const int connect_timeout = 6;
	int fd;

	load_modules("/runv/modules.vsock");
	fd = socket(address.family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, address.family, connect_timeout, &patience, sizeof(patience)) < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		die("cannot connect to port %s of the host: %m", port);
	return fd;
}

/*
 * Opens the channel as soon as it is there. Ports are announced by messages of the kernel; the consoles of some hypervisors come
 * without one, so that now and then it is tried anyway.
 */
static int open_agent_channel(void)
{
	char path[512] = "the virtio port runv.agent";
	bool named = named_channel(path, sizeof(path));
	int uevents = -1;
	int vain = 0;

	if (!strncmp(path, "vsock:", strlen("vsock:")))
		return connect_to_host(path + strlen("vsock:"));
	for (;;) {
		if (named || agent_port(path, sizeof(path))) {
			int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

			if (fd >= 0) {
				close(uevents);
				make_raw(fd);
				return fd;
			}
			if (errno != ENOENT && errno != ENODEV && errno != ENXIO)
				die("cannot open %s: %m", path);
		}
		/* Listen, then look again, then wait: whatever comes after the look is heard. */
		if (uevents < 0)
			uevents = open_uevents();
		else if (!wait_for_device(uevents) && ++vain == DEVICE_LATE)
			complain("still waiting for %s", path);
	}
}

/* Whom the kernel asks for modules that it lacks; one without modules cannot be told. */
static void be_modprobe(void)
{
	static const char path[] = "/init";
	int fd = open("/proc/sys/kernel/modprobe", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, path, sizeof(path) - 1) < 0)
		complain("cannot answer the kernel's requests for modules: %m");
	close(fd);
}

static int boot(void)
{
	make_root_a_mount();
	mount_on("devtmpfs", "/dev");
	mount_on("proc", "/proc");
	mount_on("sysfs", "/sys");
	load_modules("/runv/modules");
	be_modprobe();
	hold_stdio();
	return open_agent_channel();
}

/* The other ways to start */

static int inherited_channel(int given)
{
	int fd = fcntl(given, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	if (fd < 0 || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
		die("descriptor %d: %m", given);
	close(given);
	return fd;
}

static noreturn void run_alone(int fd)
{
	static _Alignas(8) uint8_t payload[MAX_TO_GUEST];
	struct program program;
	size_t length = 0;
	ssize_t n;

	do {
		n = read(fd, payload + length, sizeof(payload) - length);
		if (n > 0)
			length += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	close(fd);
	if (n < 0)
		die("cannot read the program: %m");
	if (!parse_program(payload, length, &program))
		die("malformed program");
	reset_signals();
	run_program(&program, -1);
}

#if defined(__x86_64__)
/* One moment by both clocks: of several looks the one that took the least time, for a process may lose its processor in between. */
static void read_clocks(uint64_t *counter, uint64_t *nanoseconds)
{
	uint64_t least = UINT64_MAX;

	for (int look = 0; look < 50; look++) {
		struct timespec now;
		uint64_t before = __builtin_ia32_rdtsc();
		uint64_t after;

		clock_gettime(CLOCK_MONOTONIC, &now);
		after = __builtin_ia32_rdtsc();
		if (after - before >= least)
			continue;
		least = after - before;
		*counter = before + least / 2;
		*nanoseconds = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	}
}

static noreturn void say_counter_speed(void)
{
	const struct timespec while_measuring = { .tv_nsec = 20000000 };
	uint64_t counter[2], nanoseconds[2];
	char text[32];
	int length;

	read_clocks(&counter[0], &nanoseconds[0]);
	nanosleep(&while_measuring, NULL);
	read_clocks(&counter[1], &nanoseconds[1]);
	length = snprintf(text, sizeof(text), "%llu\n",
			  (unsigned long long)((counter[1] - counter[0]) * 1000000 / (nanoseconds[1] - nanoseconds[0])));
	_exit(write(STDOUT_FILENO, text, (size_t)length) == length ? 0 : EXIT_FAILED);
}
#endif

int main(int argc, char **argv)
{
	if (getpid() == 1 && argc < 3) {
		channel_open(boot(), true);
		serve();
	}
	if (argc == 4 && !strcmp(argv[1], "-q") && !strcmp(argv[2], "--"))
		return modprobe(argv[3]);
	if (argc >= 3)
		unignore_signals();
	if (argc == 3 && !strcmp(argv[1], "--exec"))
		run_alone(atoi(argv[2]));
	if (argc == 4 && !strcmp(argv[1], "--spawn"))
		spawn_process(atoi(argv[2]), atoi(argv[3]));
	if (argc == 3 && !strcmp(argv[1], "--fd")) {
		/* Orphans come to init here as they do to a pid 1. */
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		hold_stdio();
		channel_open(inherited_channel(atoi(argv[2])), false);
		serve();
	}
#if defined(__x86_64__)
	if (argc == 2 && !strcmp(argv[1], "--tsc"))
		say_counter_speed();
#endif
	die("usage: init --fd N | init --exec N | init --spawn N COUNT | init --tsc");
}
