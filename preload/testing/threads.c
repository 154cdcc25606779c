/*
 * What is forked in the tests of preload/fork.c: a process whose threads each wait in their own way. It takes orders on descriptor 3, one
 * letter each, and whoever is meant answers there with a line; the thread at poll(2) is woken by a byte on descriptor 4.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fenv.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ORDERS = 3, POLLED = 4, WAITERS = 4 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int turn;
static int word;
static volatile int asked;
static int renewed, other;
static int signalled[WAITERS];
static __thread int number;
static int begun;

/* Notes which thread this is. */
static void begin(int own)
{
	number = own;
	__atomic_add_fetch(&begun, 1, __ATOMIC_SEQ_CST);
}

static void say(const char *line)
{
	if (write(ORDERS, line, strlen(line)) < 0)
		_exit(1);
}

static void on_signal(int signal)
{
	(void)signal;
	__atomic_add_fetch(&signalled[number], 1, __ATOMIC_SEQ_CST);
}

static void *wait_for_condition(void *argument)
{
	begin(0);
	pthread_mutex_lock(&mutex);
	for (;;) {
		while (!turn)
			pthread_cond_wait(&condition, &mutex);
		turn = 0;
		say("condition\n");
	}
	return argument;
}

static void *wait_in_poll(void *argument)
{
	begin(1);
	for (;;) {
		struct pollfd polled = { .fd = POLLED, .events = POLLIN };
		char byte;

		if (poll(&polled, 1, -1) == 1 && read(POLLED, &byte, 1) == 1)
			say("poll\n");
	}
	return argument;
}

static void *wait_for_futex(void *argument)
{
	begin(2);
	for (;;) {
		while (!__atomic_exchange_n(&word, 0, __ATOMIC_SEQ_CST))
			syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
		say("futex\n");
	}
	return argument;
}

/* Waits until somebody asks, with numbers in registers that only this thread has. Returns whether they were there still. */
#if defined(__x86_64__)
/* Of the x87, SSE and, where there is one, AVX. */
static int keep_in_registers(void)
{
	static const double numbers[4] = { 1.25, -2.5, 3.75, 1e300 };
	long double ten = 10, left;
	double found[4] = { 1.25, -2.5, 3.75, 1e300 };

	if (__builtin_cpu_supports("avx"))
		__asm__ volatile("vmovupd %2, %%ymm13\n"
				 "1: pause\n"
				 "cmpl $0, %3\n"
				 "je 1b\n"
				 "vmovupd %%ymm13, %1\n"
				 : "=t"(left), "=m"(found)
				 : "m"(numbers), "m"(asked), "0"(ten)
				 : "xmm13", "memory");
	else
		__asm__ volatile("movupd %2, %%xmm13\n"
				 "1: pause\n"
				 "cmpl $0, %3\n"
				 "je 1b\n"
				 "movupd %%xmm13, %1\n"
				 : "=t"(left), "=m"(found)
				 : "m"(numbers), "m"(asked), "0"(ten)
				 : "xmm13", "memory");
	return left == 10 && !memcmp(found, numbers, sizeof(found));
}
#elif defined(__aarch64__)
static int keep_in_registers(void)
{
	static const double numbers[4] = { 1.25, -2.5, 3.75, 1e300 };
	double found[4] = { 0 };

	__asm__ volatile("ldp q13, q14, [%1]\n"
			 "1: yield\n"
			 "ldr w9, [%2]\n"
			 "cbz w9, 1b\n"
			 "stp q13, q14, [%0]\n"
			 :
			 : "r"(found), "r"(numbers), "r"(&asked)
			 : "v13", "v14", "x9", "memory");
	return !memcmp(found, numbers, sizeof(found));
}
#endif

/* It has another rounding, too. */
static void *compute(void *argument)
{
	begin(3);
	fesetround(FE_UPWARD);
	for (;;) {
		int kept = keep_in_registers();

		asked = 0;
		say(kept && fegetround() == FE_UPWARD ? "compute\n" : "compute: wrong\n");
	}
	return argument;
}

static void *nothing(void *argument)
{
	return argument;
}

/* Threads that come and go. */
static void *start_others(void *argument)
{
	for (;;) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL))
			say("churn: wrong\n");
		usleep(500);
	}
	return argument;
}

static void renew(void)
{
	renewed++;
}

static void ignore(void)
{
	other++;
}

/* Whether the C library knows all threads: each gets the signal that is meant for it. */
static void signal_all(const pthread_t *threads)
{
	memset(signalled, 0, sizeof(signalled));
	for (int i = 0; i < WAITERS; i++)
		if (pthread_kill(threads[i], SIGUSR1))
			return say("signals: no such thread\n");
	for (int i = 0; i < WAITERS; i++)
		while (!__atomic_load_n(&signalled[i], __ATOMIC_SEQ_CST))
			usleep(1000);
	say("signals\n");
}

/* Whether this thread has an id of its own. */
static void lock_twice(void)
{
	static pthread_mutex_t twice = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP, checked = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
	int errors = pthread_mutex_lock(&twice) | pthread_mutex_lock(&twice) | pthread_mutex_unlock(&twice) | pthread_mutex_unlock(&twice);

	errors |= pthread_mutex_lock(&checked);
	say(!errors && pthread_mutex_lock(&checked) == EDEADLK && !pthread_mutex_unlock(&checked) && gettid() == getpid() ?
		    "mutex\n" :
		    "mutex: wrong\n");
}

static void tell_renewals(int error)
{
	char line[64];

	snprintf(line, sizeof(line), "renewed %d, other %d, errno %d\n", renewed, other, error);
	say(line);
}

int main(void)
{
	void *(*const waiters[WAITERS])(void *) = { wait_for_condition, wait_in_poll, wait_for_futex, compute };
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	pthread_t threads[WAITERS], more;
	char order;

	pthread_atfork(NULL, NULL, renew);
	pthread_atfork(ignore, NULL, ignore);
	sigaction(SIGUSR1, &action, NULL);
	for (int i = 0; i < WAITERS; i++)
		if (pthread_create(&threads[i], NULL, waiters[i], NULL))
			return 1;
	if (pthread_create(&more, NULL, start_others, NULL))
		return 1;
	while (__atomic_load_n(&begun, __ATOMIC_SEQ_CST) < WAITERS)
		usleep(1000);
	errno = 42;
	while (read(ORDERS, &order, 1) == 1) {
		int error = errno;

		if (order == 'c') {
			pthread_mutex_lock(&mutex);
			turn = 1;
			pthread_cond_signal(&condition);
			pthread_mutex_unlock(&mutex);
		} else if (order == 'f') {
			__atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
			syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
		} else if (order == 'x') {
			asked = 1;
		} else if (order == 's') {
			signal_all(threads);
		} else if (order == 'm') {
			lock_twice();
		} else if (order == 'r') {
			tell_renewals(error);
		}
		errno = 42;
	}
	return 0;
}
