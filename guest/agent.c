/*
 * The agent: one thread around poll(2) that serves the channel and all processes, and waits for nothing else.
 */
#define _GNU_SOURCE
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ELF_MACHINE 62
#elif defined(__aarch64__)
#define ELF_MACHINE 183
#else
#error "the protocol knows no such machine"
#endif

enum {
	CHANNEL,
	SIGNALS,
	SLEEPERS,
	OWN_SOURCES,
};

static int signals; /* a signalfd: a child has died */
static int sleepers; /* an epoll descriptor: something has changed for who is asleep */
static unsigned first; /* the process whose turn it is to be served first */

/* What is polled in this round, and who is to know what poll(2) said of it. */
static struct pollfd polled[OWN_SOURCES + SOURCES * MAX_PROCESSES];
static short *seen_by[OWN_SOURCES + SOURCES * MAX_PROCESSES];
static nfds_t polled_count;

void wake_on_change(int fd, bool *asleep)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = asleep };

	/* Adding it tells the state as it is; from then on, edge-triggered, only changes are told: epoll(7). */
	if (epoll_ctl(sleepers, EPOLL_CTL_ADD, fd, &event) < 0)
		die("cannot wait for a hung-up descriptor: %m");
}

void wake_never(int fd)
{
	epoll_ctl(sleepers, EPOLL_CTL_DEL, fd, NULL);
}

static void wake_sleepers(void)
{
	struct epoll_event events[16];
	int n = epoll_wait(sleepers, events, 16, 0);

	for (int i = 0; i < n; i++)
		*(bool *)events[i].data.ptr = false;
}

/* What the host says */

static uint32_t number_at(const uint8_t *payload)
{
	uint32_t number;

	memcpy(&number, payload, sizeof(number));
	return number;
}

static void take_frame(const struct frame *frame, const uint8_t *payload)
{
	bool is_output = frame->stream == STDOUT || frame->stream == STDERR;
	bool is_number = frame->length == sizeof(uint32_t);
	struct process *p;

	if (frame->type == FRAME_RUN) {
		run_process(frame->process, payload, frame->length);
		return;
	}
	p = find_process(frame->process);
	if (!p)
		return;
	switch (frame->type) {
	case FRAME_DATA:
		if (frame->stream == STDIN)
			take_input(p, payload, frame->length);
		break;
	case FRAME_EOF:
		if (frame->stream == STDIN)
			end_input(p);
		else if (is_output)
			end_output(p, frame->stream);
		break;
	case FRAME_CREDIT:
		if (is_output && is_number)
			add_credit(p, frame->stream, number_at(payload));
		break;
	case FRAME_GO:
		go_on(p);
		break;
	case FRAME_SIGNAL:
		if (p->pidfd >= 0 && is_number)
			syscall(SYS_pidfd_send_signal, p->pidfd, (int)number_at(payload), NULL, 0);
		break;
	case FRAME_RESIZE:
		if (p->terminal && frame->length == sizeof(p->size)) {
			memcpy(&p->size, payload, sizeof(p->size));
			resize_terminal(p);
		}
		break;
	default:
		break;
	}
}

/* The rounds */

/* Says of a process what is to be said, and moves its bytes. */
static bool serve_process(struct process *p)
{
	if (!serve_words(p) || !serve_input(p) || !serve_output(p, STDOUT) || !serve_output(p, STDERR))
		return false;
	if (p->handle && p->exited && p->out[STDOUT].state == OUTPUT_NONE && p->out[STDERR].state == OUTPUT_NONE) {
		if (!channel_tell(p->handle, FRAME_CLOSED, 0, 0, 0, 0))
			return false;
		p->handle = 0;
	}
	return true;
}

static bool is_over(const struct process *p)
{
	return !p->handle && p->out[STDOUT].fd < 0 && p->out[STDERR].fd < 0;
}

/* Serves all processes, and forgets those that are over. Who found no space comes first once there is some. */
static void serve_processes(void)
{
	unsigned next = first;
	unsigned kept = 0;
	bool starved = false;

	for (unsigned i = 0; i < process_count; i++) {
		unsigned index = (first + i) % process_count;

		if (!serve_process(processes[index]) && !starved) {
			next = index;
			starved = true;
		}
	}
	first = 0;
	for (unsigned i = 0; i < process_count; i++) {
		if (i == next)
			first = kept;
		if (is_over(processes[i]))
			free_process(processes[i]);
		else
			processes[kept++] = processes[i];
	}
	process_count = kept;
}

static void watch(int fd, short events, short *seen)
{
	*seen = 0;
	if (fd < 0)
		return;
	polled[polled_count] = (struct pollfd){ .fd = fd, .events = events };
	seen_by[polled_count++] = seen;
}

static void watch_process(struct process *p)
{
	short events = POLLIN;
	int fd = poll_words(p);

	watch(fd, events, &p->seen[WORDS]);
	fd = poll_input(p, &events);
	watch(fd, events, &p->seen[STDIN]);
	for (unsigned stream = STDOUT; stream <= STDERR; stream++) {
		fd = poll_output(p, stream, &events);
		watch(fd, events, &p->seen[stream]);
	}
}

/* Waits until something can be done; not at all if something can be done `now`. */
static void wait_for_events(short seen[OWN_SOURCES], bool now)
{
	short events;
	int fd = channel_poll(&events);
	int ready;

	polled_count = 0;
	watch(fd, events, &seen[CHANNEL]);
	watch(signals, POLLIN, &seen[SIGNALS]);
	watch(sleepers, POLLIN, &seen[SLEEPERS]);
	for (unsigned i = 0; i < process_count; i++)
		watch_process(processes[i]);
	ready = poll(polled, polled_count, now ? 0 : -1);
	if (ready < 0 && errno != EINTR)
		die("poll: %m");
	for (nfds_t i = 0; ready > 0 && i < polled_count; i++)
		*seen_by[i] = polled[i].revents;
}

static void greet(void)
{
	uint32_t numbers[] = { PROTOCOL_VERSION, ELF_MACHINE };
	struct utsname name;
	size_t length;

	uname(&name);
	length = strlen(name.release);
	memcpy(channel_payload(), numbers, sizeof(numbers));
	memcpy(channel_payload() + sizeof(numbers), name.release, length);
	channel_put(0, FRAME_HELLO, 0, sizeof(numbers) + length);
}

noreturn void serve(void)
{
	sigset_t mask;
	bool now = true;
	bool reaped = true;

	/* SIGPIPE is blocked and not ignored: a clone has nothing to undo but the mask. */
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGPIPE);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	sigdelset(&mask, SIGPIPE);
	signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	sleepers = epoll_create1(EPOLL_CLOEXEC);
	if (signals < 0 || sleepers < 0)
		die("cannot set up the agent: %m");
	prepare_processes();
	greet();
	for (;;) {
		struct signalfd_siginfo died;
		short seen[OWN_SOURCES];

		wait_for_events(seen, now);
		if (seen[SLEEPERS])
			wake_sleepers();
		channel_read(seen[CHANNEL], take_frame);
		if ((seen[SIGNALS] && read(signals, &died, sizeof(died)) > 0) || !reaped)
			reaped = reap();
		serve_processes();
		now = channel_flush();
	}
}
