/*
 * A process of a container on the host itself, without an agent: init clones it as a child of the one who has called init, says its
 * id and ends. From then on the program speaks to that caller directly, over the socket that an agent would have.
 */
#define _GNU_SOURCE
#include "guest.h"
#include "namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Not in the headers of every libc. */
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif

/* clone3(2)'s struct clone_args, in its first version. A sibling has the signal of the one who clones it. */
struct clone_arguments {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
};

/* A frame to the caller, as the agent would send it. */
static void tell(int words, enum frame_type type, uint32_t count, uint32_t first, uint32_t second)
{
	struct {
		struct frame frame;
		uint32_t numbers[2];
	} word = { { .length = count * sizeof(uint32_t), .type = (uint8_t)type }, { first, second } };
	size_t size = sizeof(word.frame) + word.frame.length;

	if (write(words, &word, size) != (ssize_t)size)
		_exit(EXIT_FAILED);
}

static noreturn void refuse(int words, enum refusal_stage stage, int error)
{
	tell(words, FRAME_REFUSED, 2, (uint32_t)error, stage);
	_exit(EXIT_FAILED);
}

/* The program in a file, which stays mapped. */
static bool map_program(int file, struct program *program)
{
	struct stat status;
	void *payload;

	if (fstat(file, &status) < 0 || status.st_size <= 0 || status.st_size > MAX_TO_GUEST)
		return false;
	payload = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
	return payload != MAP_FAILED && parse_program(payload, (size_t)status.st_size, program);
}

noreturn void spawn_process(int words, int count)
{
	struct clone_arguments arguments = { 0 };
	struct program program;
	pid_t pid;

	/* What the container's processes could do to one that still has the host's descriptors, they may not. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	/* The name that the kernel gave it is the number of a descriptor. */
	prctl(PR_SET_NAME, "runv-init", 0, 0, 0);
	/* What somebody left open is none of the container's; what was given is not the command's. */
	if (syscall(SYS_close_range, (unsigned)(words + count), ~0U, 0) < 0 ||
	    syscall(SYS_close_range, (unsigned)words, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		die("close_range: %m");
	errno = EINVAL;
	if (!map_program(words + 1, &program) || program.head.flags & ~(uint64_t)NAMESPACES)
		refuse(words, STAGE_PROGRAM, errno);
	close(words + 1);
	reset_signals();
	if (program.head.join && setns((int)program.head.join, CLONE_NEWPID) < 0)
		refuse(words, STAGE_JOIN, errno);
	arguments.flags = program.head.flags | CLONE_PARENT;
	pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
	if (pid < 0)
		refuse(words, STAGE_CLONE, errno);
	if (pid == 0) {
		pidfds_are_descriptors = true;
		run_program(&program, words);
	}
	tell(words, FRAME_STARTED, 1, (uint32_t)pid, 0);
	_exit(0);
}
