/*
 * The threads of a process that is forked: each stops in a signal's handler, and in the clone they are made again, each on its own stack and with
 * its own thread-local storage. preload/fork.c tells why.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "../guest/guest.h"
#include "call.h"
#include "fork-threads.h"
#include "fs/server.h"

enum {
	/* A QEMU has up to 255 processors, and a thread for each. */
	MOST_THREADS = 512,
	/* The least real-time signal is the C library's, to cancel threads, which QEMU never does; no thread can block it. */
	STOP_SIGNAL = 32,
	/* How long threads may take to stop, and how often those are looked at that have not. */
	PATIENCE = 500,
	LOOK_MILLISECONDS = 10,
	/*
	 * How much of the C library's descriptor of a thread is looked at; that of glibc 2.36 has 2304 bytes. The thread pointer shows to its
	 * beginning, or behind its end.
	 */
	DESCRIPTOR = 2048,
	/* Of the kernel's headers, which musl's compiler has not: asm/signal.h, linux/futex.h. */
	SA_RESTORER_ = 0x04000000,
	FUTEX_WAIT_PRIVATE_ = 128,
	FUTEX_WAKE_PRIVATE_ = 129,
};

struct thread {
	int id;
	/* Set by itself when it has stopped. */
	uintptr_t pointer; /* the thread pointer */
	void *context; /* what sigreturn(2) goes on with; this is set last */
};

static struct thread threads[MOST_THREADS];
static int thread_count;
static uint32_t stopped; /* changes when a thread has stopped; a futex */
static uint32_t round; /* how often they have gone on again; a futex */
static bool stopping; /* threads are to stop: one that the signal reaches late goes on */
/* Whether a clone has all its threads; a futex of theirs. */
uint32_t fork_complete __attribute__((visibility("hidden"), used));

/*
 * fork_restorer: where signal handlers return to.
 *
 * fork_resume(context): this thread goes on as the one that has stopped with this context.
 *
 * fork_thread(flags, stack, parent_tid, child_tid, tls): clone(2); `stack` is a context, with which the thread goes on when there are
 * all: before, the C library has wrong ids of some. It waits without a stack, for the context is the end of its own.
 */
#if defined(__x86_64__)
#define FIRST_OF_DESCRIPTOR ((uintptr_t)0)
enum {
	/* asm/prctl.h */
	ARCH_SET_FS_ = 0x1002,
	ARCH_GET_FS_ = 0x1003,
};

static uintptr_t get_thread_pointer(void)
{
	uintptr_t pointer;

	CALL(arch_prctl, ARCH_GET_FS_, &pointer);
	return pointer;
}

static void set_thread_pointer(uintptr_t pointer)
{
	CALL(arch_prctl, ARCH_SET_FS_, pointer);
}

__asm__(".text\n"
	"fork_restorer:\n"
	"	mov $15, %eax\n" /* rt_sigreturn */
	"	syscall\n"
	"fork_resume:\n"
	"	mov %rdi, %rsp\n"
	"	jmp fork_restorer\n"
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
#elif defined(__aarch64__)
#define FIRST_OF_DESCRIPTOR ((uintptr_t)-DESCRIPTOR)

static uintptr_t get_thread_pointer(void)
{
	uintptr_t pointer;

	__asm__ volatile("mrs %0, tpidr_el0" : "=r"(pointer));
	return pointer;
}

static void set_thread_pointer(uintptr_t pointer)
{
	__asm__ volatile("msr tpidr_el0, %0" ::"r"(pointer));
}

/* A context lies behind a siginfo_t of 128 bytes, at which the stack pointer shows when a handler is called (arch/arm64/kernel/signal.c). */
__asm__(".text\n"
	"fork_restorer:\n"
	"	mov x8, #139\n" /* rt_sigreturn */
	"	svc #0\n"
	"fork_resume:\n"
	"	sub x0, x0, #128\n"
	"	mov sp, x0\n"
	"	b fork_restorer\n"
	"fork_thread:\n"
	"	sub x1, x1, #128\n"
	"	mov x5, x3\n" /* the kernel has the last two the other way round here */
	"	mov x3, x4\n"
	"	mov x4, x5\n"
	"	mov x8, #220\n" /* clone */
	"	svc #0\n"
	"	cbz x0, 1f\n"
	"	ret\n"
	"1:	adrp x0, fork_complete\n"
	"	add x0, x0, #:lo12:fork_complete\n"
	"	ldar w2, [x0]\n"
	"	cbnz w2, fork_restorer\n"
	"	mov x1, #128\n" /* FUTEX_WAIT_PRIVATE, while it is 0, for ever */
	"	mov x3, xzr\n"
	"	mov x8, #98\n" /* futex */
	"	svc #0\n"
	"	b 1b\n");
#endif

void fork_restorer(void) __attribute__((visibility("hidden")));
noreturn void fork_resume(void *context) __attribute__((visibility("hidden")));
long fork_thread(long flags, void *stack, void *parent_tid, void *child_tid, uintptr_t tls) __attribute__((visibility("hidden")));

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
		threads[i].pointer = get_thread_pointer();
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
	int directory = (int)CALL(openat, AT_FDCWD, "/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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

/* Also those that some of them make meanwhile. */
bool stop_threads(void)
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

void go_on(void)
{
	__atomic_store_n(&stopping, false, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&round, 1, __ATOMIC_SEQ_CST);
	CALL(futex, &round, FUTEX_WAKE_PRIVATE_, INT32_MAX);
}

/* What a thread has at an offset of what is looked at. */
static int *id_of(const struct thread *thread, long offset)
{
	return (int *)(thread->pointer + FIRST_OF_DESCRIPTOR + (uintptr_t)offset);
}

/* It is the one offset at which each thread has its own. */
long find_id_offset(void)
{
	long found = -1;

	for (long offset = 0; offset < DESCRIPTOR; offset += (long)sizeof(int)) {
		bool everywhere = true;

		for (int i = 0; i < thread_count && everywhere; i++)
			everywhere = *id_of(&threads[i], offset) == threads[i].id;
		if (!everywhere)
			continue;
		if (found >= 0)
			return -1;
		found = offset;
	}
	return found;
}

void leave_round(void)
{
	const struct action none = { 0 };

	fork_complete = 0;
	CALL(rt_sigaction, STOP_SIGNAL, &none, 0, 8);
}

noreturn void resume_threads(int main, long id_offset)
{
	const long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
			   CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
	const struct thread *own = NULL;

	for (int i = 0; i < thread_count; i++) {
		int *id = id_of(&threads[i], id_offset);

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
	set_thread_pointer(own->pointer);
	fork_resume(own->context);
}
