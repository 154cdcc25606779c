/*
 * Loaded into QEMU before its libraries (LD_PRELOAD): others can be forked from a QEMU whose machine stands still.
 *
 * A machine that is emulated has translated the guest's code, which takes most of its start. fork(2) gives all of that to another
 * process, together with the machine's memory, copy-on-write; but of threads it takes only the one that calls it. So
 *
 * - a thread of this library waits at a socket that listens, where QEMU has been given one. Who connects gets a clone;
 * - it stops all other threads by a signal, in whose handler each stays, and forks when all do. The others go on;
 * - in the clone it makes the threads again, each on its own stack and with its own thread-local storage, which are where they were:
 *   a new thread returns from the signal of the old one (sigreturn(2)), and goes on where that was. Only its id is another, which
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
#ifdef __x86_64__
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "../guest/guest.h"
#include "call.h"
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
	/* A QEMU has up to 255 processors, and a thread for each. */
	MOST_THREADS = 512,
	MOST_RENEWALS = 32,
	STACK = 64 << 10,
	/* The least real-time signal is the C library's, to cancel threads, which QEMU never does; no thread can block it. */
	STOP_SIGNAL = 32,
	/* How long threads may take to stop, and how often those are looked at that have not. */
	PATIENCE = 500,
	LOOK_MILLISECONDS = 10,
	/* The C library's descriptor of a thread, where its thread pointer shows; that of glibc 2.36 has 2304 bytes. */
	DESCRIPTOR = 2048,
	/* Of the kernel's headers, which musl's compiler has not: asm/prctl.h, asm/signal.h, linux/futex.h. */
	ARCH_SET_FS_ = 0x1002,
	ARCH_GET_FS_ = 0x1003,
	SA_RESTORER_ = 0x04000000,
	FUTEX_WAIT_PRIVATE_ = 128,
	FUTEX_WAKE_PRIVATE_ = 129,
};

/* The kernel's struct sigaction. */
struct action {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
};

struct thread {
	int id;
	/* Set by itself when it has stopped. */
	uintptr_t pointer; /* the thread pointer, FS */
	void *context; /* what sigreturn(2) goes on with; this is set last */
};

/* What libraries asked to have called in a child: see __register_atfork(). */
static void (*renewals[MOST_RENEWALS])(void);
static int renewal_count;
static struct thread threads[MOST_THREADS];
static int thread_count;
static uint32_t stopped; /* changes when a thread has stopped; a futex */
static uint32_t round; /* how often they have gone on again; a futex */
static bool stopping; /* threads are to stop: one that the signal reaches late goes on */
/* Whether a clone has all its threads; a futex of theirs. */
uint32_t fork_complete __attribute__((visibility("hidden"), used));
static bool serves;
static char own_name[16]; /* what the process is called whose thread has another name */
static uint8_t request[MOST_BYTES];

__asm__(".text\n"
	/* Where signal handlers return to. */
	"fork_restorer:\n"
	"	mov $15, %eax\n" /* rt_sigreturn */
	"	syscall\n"
	/* fork_resume(context): this thread goes on as the one that has stopped with this context. */
	"fork_resume:\n"
	"	mov %rdi, %rsp\n"
	"	jmp fork_restorer\n"
	/*
	 * fork_thread(flags, stack, parent_tid, child_tid, tls): clone(2); `stack` is a context, with which the thread goes on when there are
	 * all: before, the C library has wrong ids of some. It waits without a stack, for the context is the end of its own.
	 */
	"fork_thread:\n"
	"	mov %rcx, %r10\n"
	"	mov $56, %eax\n" /* clone */
	"	syscall\n"
	"	test %rax, %rax\n"
	"	jz 1f\n"
	"	ret\n"
	"1:	cmpl $0, fork_complete(%rip)\n"
	"	jne fork_restorer\n"
	"	lea fork_complete(%rip), %rdi\n"
	"	mov $128, %esi\n" /* FUTEX_WAIT_PRIVATE, while it is 0, for ever */
	"	xor %edx, %edx\n"
	"	xor %r10d, %r10d\n"
	"	mov $202, %eax\n" /* futex */
	"	syscall\n"
	"	jmp 1b\n");

void fork_restorer(void) __attribute__((visibility("hidden")));
noreturn void fork_resume(void *context) __attribute__((visibility("hidden")));
long fork_thread(long flags, void *stack, void *parent_tid, void *child_tid, uintptr_t tls) __attribute__((visibility("hidden")));

/* Those that guest/program.c asks for: there are no processes here that a program could name. */
__attribute__((visibility("hidden"))) int pidfd_of(uint32_t handle)
{
	(void)handle;
	return -1;
}

/* Each thread stays here until its round is over. A clone has no such thread; its own goes on from `context`. */
static void stop_here(int number, siginfo_t *info, void *context)
{
	uint32_t now = __atomic_load_n(&round, __ATOMIC_SEQ_CST);
	int id = (int)CALL(gettid);

	(void)number;
	(void)info;
	for (int i = 0; i < thread_count; i++) {
		if (threads[i].id != id)
			continue;
		CALL(arch_prctl, ARCH_GET_FS_, &threads[i].pointer);
		__atomic_store_n(&threads[i].context, context, __ATOMIC_SEQ_CST);
		__atomic_add_fetch(&stopped, 1, __ATOMIC_SEQ_CST);
		CALL(futex, &stopped, FUTEX_WAKE_PRIVATE_, 1);
		while (__atomic_load_n(&stopping, __ATOMIC_SEQ_CST) &&
		       __atomic_load_n(&round, __ATOMIC_SEQ_CST) == now)
			CALL(futex, &round, FUTEX_WAIT_PRIVATE_, now);
		return;
	}
}

static bool is_listed(int id)
{
	for (int i = 0; i < thread_count; i++)
		if (threads[i].id == id)
			return true;
	return false;
}

/* Lists those other threads of this process that are not listed yet, and has them stop. Returns how many; -1 if there is no room for all. */
static int stop_unlisted(int process, int self)
{
	struct entry {
		uint64_t inode, offset;
		uint16_t length;
		uint8_t type;
		char name[];
	};
	static _Alignas(8) char buffer[4096];
	int directory = (int)CALL(open, "/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	int found = 0;
	long length;

	while ((length = CALL(getdents64, directory, buffer, sizeof(buffer))) > 0) {
		for (long at = 0; at < length;) {
			struct entry *entry = (struct entry *)(buffer + at);
			int id = 0;

			at += entry->length;
			for (const char *digit = entry->name; *digit >= '0' && *digit <= '9'; digit++)
				id = id * 10 + *digit - '0';
			/* The share's server waits, for its guest stands still. A clone gets another. */
			if (id == 0 || id == self || fs_is_server(id) || is_listed(id))
				continue;
			if (thread_count == MOST_THREADS) {
				CALL(close, directory);
				return -1;
			}
			threads[thread_count] = (struct thread){ .id = id };
			__atomic_add_fetch(&thread_count, 1, __ATOMIC_SEQ_CST);
			CALL(tgkill, process, id, STOP_SIGNAL);
			found++;
		}
	}
	CALL(close, directory);
	return length == 0 ? found : -1;
}

/* Waits until all listed threads have stopped, or ended: their ids are 0 then. Returns whether they have. */
static bool wait_for_listed(int process)
{
	const struct timespec look = { .tv_nsec = LOOK_MILLISECONDS * 1000000 };
	int looks = 0;

	for (int i = 0; i < thread_count;) {
		uint32_t now = __atomic_load_n(&stopped, __ATOMIC_SEQ_CST);

		if (threads[i].id == 0 || __atomic_load_n(&threads[i].context, __ATOMIC_SEQ_CST))
			i++;
		else if (CALL(futex, &stopped, FUTEX_WAIT_PRIVATE_, now, &look) != -ETIMEDOUT)
			continue;
		else if (CALL(tgkill, process, threads[i].id, 0) == -ESRCH)
			threads[i].id = 0;
		else if (++looks == PATIENCE)
			return false;
	}
	return true;
}

/* Stops all other threads, also those that some of them make meanwhile. Returns whether all have stopped. */
static bool stop_threads(void)
{
	const struct action action = { stop_here, SA_SIGINFO | SA_RESTART | SA_RESTORER_, fork_restorer, ~0ull };
	int process = (int)CALL(getpid), self = (int)CALL(gettid);
	int found, left = 0;

	thread_count = 0;
	__atomic_store_n(&stopping, true, __ATOMIC_SEQ_CST);
	CALL(rt_sigaction, STOP_SIGNAL, &action, 0, 8);
	do {
		found = stop_unlisted(process, self);
		if (found < 0 || !wait_for_listed(process))
			return false;
	} while (found > 0);
	for (int i = 0; i < thread_count; i++)
		if (threads[i].id != 0)
			threads[left++] = threads[i];
	thread_count = left;
	return true;
}

static void go_on(void)
{
	__atomic_store_n(&stopping, false, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&round, 1, __ATOMIC_SEQ_CST);
	CALL(futex, &round, FUTEX_WAKE_PRIVATE_, INT32_MAX);
}

/*
 * Where the C library notes a thread's id in its descriptor: the one offset at which each thread has its own. Returns -1 if there is no
 * such, or more.
 */
static long find_id_offset(void)
{
	long found = -1;

	for (long offset = 0; offset < DESCRIPTOR; offset += (long)sizeof(int)) {
		bool everywhere = true;

		for (int i = 0; i < thread_count && everywhere; i++)
			everywhere = *(int *)(threads[i].pointer + (uintptr_t)offset) == threads[i].id;
		if (!everywhere)
			continue;
		if (found >= 0)
			return -1;
		found = offset;
	}
	return found;
}

/* Makes the threads of a clone again. This one becomes that of the process: `main` is its id in the parent. */
static noreturn void resume_threads(int main, long id_offset)
{
	const long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
			   CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
	const struct thread *own = NULL;

	for (int i = 0; i < thread_count; i++) {
		int *id = (int *)(threads[i].pointer + (uintptr_t)id_offset);

		if (threads[i].id == main) {
			own = &threads[i];
			CALL(set_tid_address, id);
			*id = (int)CALL(getpid);
		} else if (fork_thread(flags, threads[i].context, id, id, threads[i].pointer) < 0) {
			CALL(exit_group, EXIT_FAILED);
		}
	}
	if (!own)
		CALL(exit_group, EXIT_FAILED);
	__atomic_store_n(&fork_complete, 1, __ATOMIC_SEQ_CST);
	CALL(futex, &fork_complete, FUTEX_WAKE_PRIVATE_, INT32_MAX);
	CALL(arch_prctl, ARCH_SET_FS_, own->pointer);
	fork_resume(own->context);
}

/* Takes a request: a program, and descriptors, which get the numbers from `first` on. Returns its length; 0 if it is none. */
static size_t take_request(int connection, int first)
{
	struct iovec packet = { request, sizeof(request) };
	_Alignas(8) char control[CMSG_SPACE(MOST_SENT * sizeof(int))];
	struct msghdr message = {
		.msg_iov = &packet,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	long length = CALL(recvmsg, connection, &message, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	if (length <= 0 || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || !header || header->cmsg_type != SCM_RIGHTS)
		return 0;
	for (size_t i = 0; CMSG_LEN((i + 1) * sizeof(int)) <= header->cmsg_len; i++) {
		int sent;

		memcpy(&sent, CMSG_DATA(header) + i * sizeof(int), sizeof(sent));
		if (CALL(dup3, sent, first + i, O_CLOEXEC) < 0)
			return 0;
		CALL(close, sent);
	}
	return (size_t)length;
}

static noreturn void fork_for_all(void);

/* The other side of the fork, with this thread alone. @main: the parent's process id @number: that its connection gets */
static noreturn void become_clone(int main, int connection, int number)
{
	const struct action none = { 0 };
	struct program program;
	long id_offset = find_id_offset();
	size_t length;
	int error = errno;
	int type;
	socklen_t type_length = sizeof(type);

	fork_complete = 0;
	if (own_name[0])
		CALL(prctl, PR_SET_NAME, own_name);
	CALL(rt_sigaction, STOP_SIGNAL, &none, 0, 8);
	CALL(close, LISTENER);
	length = id_offset < 0 || CALL(dup3, connection, number, O_CLOEXEC) < 0 ? 0 : take_request(connection, number + 1);
	CALL(close, connection);
	if (!parse_program(request, length, &program))
		CALL(exit_group, EXIT_FAILED);
	execute_program(&program, number);
	CALL(close, number);
	for (int i = 0; i < renewal_count; i++)
		renewals[i]();
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
	struct iovec packet = { number, sizeof(*number) };
	_Alignas(8) char control[CMSG_SPACE(sizeof(int))];
	struct msghdr message = {
		.msg_iov = &packet,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	long length = CALL(recvmsg, LISTENER, &message, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int connection;

	if (length == -EINTR)
		return -EINTR;
	if (length != sizeof(*number) || !header || header->cmsg_type != SCM_RIGHTS)
		return -EBADMSG;
	memcpy(&connection, CMSG_DATA(header), sizeof(connection));
	return connection;
}

/* Forks. Returns the clone's process id, or an error, when all goes on. */
static int fork_once(int process, int connection, int number)
{
	int clone = -ETIMEDOUT;

	if (stop_threads()) {
		clone = (int)CALL(clone, SIGCHLD);
		if (clone == 0)
			become_clone(process, connection, number);
	}
	go_on();
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
#endif
