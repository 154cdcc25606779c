/* Threads that are none of the C library's: it knows nothing of them, and they call none of its functions that has a state. */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>

#include "call.h"
#include "thread.h"

#if defined(__x86_64__)
__asm__(".text\n"
	/* enter_thread(flags, stack, function): clone(2); the thread calls the function, which never returns. */
	"enter_thread:\n"
	"	mov %rdx, %r9\n"
	"	xor %edx, %edx\n"
	"	xor %r10d, %r10d\n"
	"	xor %r8d, %r8d\n"
	"	mov $56, %eax\n"
	"	syscall\n"
	"	test %rax, %rax\n"
	"	jz 1f\n"
	"	ret\n"
	"1:	xor %ebp, %ebp\n"
	"	call *%r9\n"
	"	hlt\n");
#elif defined(__aarch64__)
__asm__(".text\n"
	"enter_thread:\n"
	"	mov x9, x2\n"
	"	mov x2, xzr\n"
	"	mov x3, xzr\n"
	"	mov x4, xzr\n"
	"	mov x8, #220\n"
	"	svc #0\n"
	"	cbz x0, 1f\n"
	"	ret\n"
	"1:	mov x29, xzr\n"
	"	blr x9\n"
	"	brk #0\n");
#endif

long enter_thread(long flags, void *stack, void (*function)(void)) __attribute__((visibility("hidden")));

void start_thread(size_t size, void (*function)(void))
{
	const uint64_t all = ~0ull;
	uint64_t old;
	uint8_t *stack = (uint8_t *)CALL(mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CALL(rt_sigprocmask, SIG_SETMASK, &all, &old, 8);
	enter_thread(CLONE_VM | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, stack + size, function);
	CALL(rt_sigprocmask, SIG_SETMASK, &old, 0, 8);
}
