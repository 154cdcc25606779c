/*
 * Loaded into QEMU before its libraries (LD_PRELOAD): others can be forked from a QEMU whose machine stands still.
 *
 * A machine that is emulated has translated the guest's code, which takes most of its start. fork(2) gives all of that to another
 * process, together with the machine's memory, copy-on-write; but of threads it takes only the one that calls it. So
 *
 * - a thread of this library waits at a socket that listens, where QEMU has been given one. Who connects gets a clone;
 * - it stops all other threads by a signal, in whose handler each stays, and forks when all do. The others go on;
 * - in the clone it makes the threads again (fork-threads.c), each on its own stack and with its own thread-local storage, which are
 *   where they were: a new thread returns from the signal of the old one (sigreturn(2)), and goes on where that was. Only its id is another, which
 *   the C library has noted in the thread's descriptor (and in a recursive mutex that a thread holds just then, which stays the
 *   old one's: QEMU holds none while its machine stands still);
 * - before, the clone runs a program of system calls that it is sent over the connection (guest/program.c), with descriptors: that
 *   gives it sockets and files of its own, and a jail. docs/templates.md and src/hypervisor/qemu/fork.ts tell what is in it.
 *
 * A clone has such a thread too, for branches (docs/branch.md). Nobody connects to it: its monitor sends it connections over a socket that
 * only the two of them have, with the numbers that are free. Its filter would kill it for the fork; the monitor suspends that, for
 * this thread and as long as it takes.
 *
 * As long as it may be parent or clone, nothing here calls the C library, whose locks some thread may hold; the program does, by
 * which time there is no other thread.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "../guest/guest.h"
#include "call.h"
#include "fork-threads.h"
#include "fs/server.h"
#include "thread.h"

enum {
	/*
	 * As src/hypervisor/qemu/child.ts and fork-notes.ts have them: where those come who want clones, and which number a clone's connection
	 * gets unless its monitor says another one. What it is sent comes behind that.
	 */
	LISTENER = 11,
	CONNECTION = 64,
	MOST_SENT = 16,
	/* The most that a program has; a packet of a socket holds no more by default. */
	MOST_BYTES = 192 << 10,
	MOST_RENEWALS = 32,
	STACK = 64 << 10,
};

/* What libraries asked to have called in a child: see __register_atfork(). */
static void (*renewals[MOST_RENEWALS])(void);
static int renewal_count;
static bool serves;
static char own_name[16]; /* what the process is called whose thread has another name */
static uint8_t request[MOST_BYTES];

/* Those that guest/program.c asks for: there are no processes here that a program could name. */
__attribute__((visibility("hidden"))) int pidfd_of(uint32_t handle)
{
	(void)handle;
	return -1;
}

/*
 * Receives a packet with at most MOST_SENT descriptors; their numbers are written to `sent`. Returns its length, or an error: -EBADMSG where it is
 * longer than `size`, or has no descriptor.
 */
static long receive(int socket, void *bytes, size_t size, int sent[MOST_SENT], size_t *count)
{
	struct iovec packet = { bytes, size };
	_Alignas(8) char control[CMSG_SPACE(MOST_SENT * sizeof(int))];
	struct msghdr message = {
		.msg_iov = &packet,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	long length = CALL(recvmsg, socket, &message, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	if (length < 0)
		return length;
	if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || !header || header->cmsg_type != SCM_RIGHTS)
		return -EBADMSG;
	*count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(sent, CMSG_DATA(header), *count * sizeof(int));
	return length;
}

/* Takes a request: a program, and descriptors, which get the numbers from `first` on. Returns its length; 0 if it is none. */
static size_t take_request(int connection, int first)
{
	int sent[MOST_SENT];
	size_t count;
	long length = receive(connection, request, sizeof(request), sent, &count);

	if (length <= 0)
		return 0;
	for (size_t i = 0; i < count; i++) {
		if (CALL(dup3, sent[i], first + i, O_CLOEXEC) < 0)
			return 0;
		CALL(close, sent[i]);
	}
	return (size_t)length;
}

static noreturn void fork_for_all(void);

/* The other side of the fork, with this thread alone. @main: the parent's process id @number: that its connection gets */
static noreturn void become_clone(int main, int connection, int number)
{
	struct program program;
	long id_offset = find_id_offset();
	size_t length;
	int error = errno;
	int type;
	socklen_t type_length = sizeof(type);

	leave_round();
	if (own_name[0])
		CALL(prctl, PR_SET_NAME, own_name);
	CALL(close, LISTENER);
	length = id_offset < 0 || CALL(dup3, connection, number, O_CLOEXEC) < 0 ? 0 : take_request(connection, number + 1);
	CALL(close, connection);
	if (!parse_program(request, length, &program))
		CALL(exit_group, EXIT_FAILED);
	execute_program(&program, number);
	CALL(close, number);
	for (int i = 0; i < renewal_count; i++)
		renewals[i]();
	if (!fs_renew())
		CALL(exit_group, EXIT_FAILED);
	fs_release();
	fs_start();
	if (CALL(getsockopt, LISTENER, SOL_SOCKET, SO_TYPE, &type, &type_length) == 0)
		start_thread(STACK, fork_for_all);
	/* The thread that this was knows nothing of what has happened. */
	errno = error;
	resume_threads(main, id_offset);
}

/* Whether those who want clones connect to this process. */
static bool is_connected_to(void)
{
	int listens = 0;
	socklen_t length = sizeof(listens);

	return CALL(getsockopt, LISTENER, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 && listens;
}

/* Takes a connection of the monitor's, and the number that a clone is to give it. Returns its descriptor, or an error. */
static int take_connection(int *number)
{
	int sent[MOST_SENT];
	size_t count;
	long length = receive(LISTENER, number, sizeof(*number), sent, &count);

	if (length < 0)
		return (int)length;
	return length == sizeof(*number) ? sent[0] : -EBADMSG;
}

/* Forks. Returns the clone's process id, or an error, when all goes on. */
static int fork_once(int process, int connection, int number)
{
	int clone = -ETIMEDOUT;

	fs_hold();
	fs_leave();
	if (stop_threads()) {
		clone = (int)CALL(clone, SIGCHLD);
		if (clone == 0)
			become_clone(process, connection, number);
	}
	go_on();
	fs_release();
	CALL(close, connection);
	return clone;
}

/* The thread that waits for those who want clones. */
static noreturn void fork_for_all(void)
{
	int process = (int)CALL(getpid);
	bool is_template = is_connected_to();

	/* By this name its monitor finds it. */
	if (!is_template) {
		CALL(prctl, PR_GET_NAME, own_name);
		CALL(prctl, PR_SET_NAME, "runv-fork");
	}
	for (;;) {
		int number = CONNECTION;
		int connection = is_template ? (int)CALL(accept4, LISTENER, 0, 0, SOCK_CLOEXEC) : take_connection(&number);
		int clone;

		if (connection == -EINTR || connection == -ECONNABORTED)
			continue;
		/* With its monitor gone a clone ends by itself. */
		if (connection < 0)
			is_template ? CALL(exit_group, EXIT_FAILED) : CALL(exit, 0);
		clone = fork_once(process, connection, number);
		/* Whoever did not stop may be in the midst of anything, and nobody depends on a template. */
		if (clone == -ETIMEDOUT && is_template)
			CALL(exit_group, EXIT_FAILED);
		if (!is_template)
			CALL(sendto, LISTENER, &clone, sizeof(clone), MSG_NOSIGNAL, 0, 0);
	}
}

/* QEMU keeps its guest's memory from being copied by fork(2), after which usually comes execve(2). */
int madvise(void *address, size_t length, int advice)
{
	long result = serves && advice == MADV_DONTFORK ? 0 : CALL(madvise, address, length, advice);

	if (result == 0)
		return 0;
	errno = (int)-result;
	return -1;
}

/*
 * pthread_atfork(3) with glibc. Of what libraries want to have done in a child, a clone needs what renews that which two processes must
 * not have alike: random numbers, of which QEMU's processor has its RDRAND (GnuTLS). Who guards locks has a function for before
 * the fork too; here locks and threads are what they were.
 */
int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *library)
{
	(void)parent;
	(void)library;
	if (prepare || !child)
		return 0;
	if (renewal_count == MOST_RENEWALS)
		return ENOMEM;
	renewals[renewal_count++] = child;
	return 0;
}

__attribute__((constructor)) static void begin(void)
{
	const struct action ignore = { (void *)SIG_IGN, 0, 0, 0 };

	if (!is_connected_to())
		return;
	serves = true;
	/* Nobody waits for clones: their ends are nobody's business here. */
	CALL(rt_sigaction, SIGCHLD, &ignore, 0, 8);
	start_thread(STACK, fork_for_all);
}
