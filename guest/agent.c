/*
 * The agent: starts the programs that the host sends, and serves their streams, words and ends in one thread around poll(2).
 *
 * A process has a socket to init, over which the program's words come, each a packet that is a frame; pipes, or a terminal
 * that the program makes and gives to init; and a pidfd. What is still to be said of a process is kept as its state, never
 * in a queue, and said when the channel has space: so nothing is lost and nothing grows.
 */
#define _GNU_SOURCE
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

/* Not all of these are in the headers of every libc. */
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif

#if defined(__x86_64__)
#define ELF_MACHINE 62
#elif defined(__aarch64__)
#define ELF_MACHINE 183
#else
#error "the protocol knows no such machine"
#endif

enum {
	MAX_PROCESSES = 4096,
	/* The descriptors that so many processes need. */
	MAX_DESCRIPTORS = 8 * MAX_PROCESSES,
	/*
	 * A frame of output. Its header goes with it, and 64 KiB are what a pipe holds and what two of a virtio port's writes
	 * take.
	 */
	DATA_SIZE = MAX_FROM_GUEST - sizeof(struct frame),
	/* The largest word of a program, without its header. */
	WORD_SIZE = 32 << 10,
	NAMESPACES = CLONE_NEWTIME | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
		     CLONE_NEWNET,
	/* In /proc/PID/stat, from the kernel's linux/sched.h: cloned, and has not executed a program since. */
	PF_FORKNOEXEC = 0x40,
};

/* What of a process is polled. The first three are streams, numbered as in frames. */
enum source { STDIN, STDOUT, STDERR, WORDS, SOURCES };

/* The way to a process's stdin. */
struct input {
	int fd; /* -1: closed, or a terminal not given yet */
	bool taking; /* the host may send */
	bool ending; /* the host has sent EOF: to be closed when the buffer is empty */
	bool refused; /* the host is to be told that nobody reads */
	uint8_t *buffer; /* STDIN_WINDOW bytes while the process is slower than the host, else NULL */
	size_t start, length; /* of the bytes in it */
	uint32_t owed; /* bytes handed on for which the host has got no credit yet */
};

enum output_state {
	OUTPUT_NONE, /* nothing comes, or what comes is dropped */
	OUTPUT_OPEN,
	OUTPUT_ENDED, /* the host is to be told */
};

/* The way from a process's stdout or stderr. */
struct output {
	int fd;
	enum output_state state;
	uint64_t credit;
	bool stalled; /* has something to read but no credit */
	bool asleep; /* a terminal that nobody has open now */
};

struct process {
	uint32_t handle; /* 0: it is told and done, but others hold its pipes' other ends, and what they write is dropped */
	pid_t pid;
	int pidfd;
	int words; /* the socket to the program; -1 when it has closed */
	short seen[SOURCES]; /* what poll(2) said */
	bool stopped; /* waits for GO */
	bool concluded; /* DONE, FAILED or EXECED is told, or never will be */
	bool dead;
	bool executed; /* of a dead one: whether its program ended in execve */
	bool exited; /* EXIT is told */
	bool terminal; /* stdin and stdout are a terminal, given or to be given */
	bool sized; /* the host has said its size, `size`, before it was given */
	int status; /* of a dead one, from wait(2) */
	struct winsize size;
	struct input in;
	struct output out[SOURCES]; /* at STDOUT and STDERR */
};

/* clone3(2)'s struct clone_args, in its first version. */
struct clone_arguments {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
};

static struct process *processes[MAX_PROCESSES];
static unsigned count;
static unsigned first; /* whose turn it is to be served first */

static int signals = -1; /* a signalfd: a child has died */
static int sleepers = -1; /* an epoll descriptor: something changed for who is asleep */
static int null = -1; /* /dev/null */
static struct rlimit descriptors; /* RLIMIT_NOFILE as init found it */

static void close_valid(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void close_fd(int *fd)
{
	close_valid(*fd);
	*fd = -1;
}

static struct process *find(uint32_t handle)
{
	for (unsigned i = 0; handle && i < count; i++)
		if (processes[i]->handle == handle)
			return processes[i];
	return NULL;
}

int pidfd_of(uint32_t handle)
{
	struct process *p = find(handle);

	return p ? p->pidfd : -1;
}

void wake_on_change(int fd, bool *asleep)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = asleep };

	/* An edge-triggered descriptor that is in the set already stays quiet until its state changes. */
	if (epoll_ctl(sleepers, EPOLL_CTL_ADD, fd, &event) < 0 && errno != EEXIST)
		die("epoll_ctl: %m");
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

/* stdin */

static void close_input(struct input *in)
{
	close_fd(&in->fd);
	free(in->buffer);
	in->buffer = NULL;
	in->length = 0;
	in->taking = false;
}

/* Writes to stdin what it takes. Returns how much that is; -1 if nobody reads, and then stdin is closed. */
static ssize_t write_input(struct process *p, const uint8_t *bytes, size_t length)
{
	struct input *in = &p->in;
	ssize_t n = write(in->fd, bytes, length);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0) {
		close_input(in);
		in->refused = true;
		return -1;
	}
	in->owed += (uint32_t)n;
	return n;
}

static void take_input(struct process *p, const uint8_t *bytes, size_t length)
{
	struct input *in = &p->in;

	if (!in->taking || in->ending)
		return;
	if (in->fd >= 0 && !in->length) {
		ssize_t n = write_input(p, bytes, length);

		if (n < 0)
			return;
		bytes += n;
		length -= (size_t)n;
	}
	if (!length)
		return;
	if (length > STDIN_WINDOW - in->length) {
		complain("process %u: the host sent more than its credit", p->handle);
		length = STDIN_WINDOW - in->length;
	}
	if (!in->buffer)
		in->buffer = malloc(STDIN_WINDOW);
	if (!in->buffer)
		die("no memory for a process's stdin");
	memmove(in->buffer, in->buffer + in->start, in->length);
	memcpy(in->buffer + in->length, bytes, length);
	in->start = 0;
	in->length += length;
}

static void end_input(struct process *p)
{
	if (p->in.length || (p->terminal && p->in.fd < 0))
		p->in.ending = true;
	else
		close_input(&p->in);
}

static bool serve_input(struct process *p, short seen)
{
	struct input *in = &p->in;

	if (in->fd >= 0 && seen & (POLLERR | POLLHUP) && !(seen & POLLOUT)) {
		/* Nobody reads. Of a terminal that may change; what was typed meanwhile is lost, as hang-ups lose it. */
		if (p->terminal) {
			in->owed += (uint32_t)in->length;
			in->length = 0;
		} else {
			close_input(in);
			in->refused = true;
		}
	} else if (in->fd >= 0 && in->length && seen & POLLOUT) {
		ssize_t n = write_input(p, in->buffer + in->start, in->length);

		if (n > 0) {
			in->start += (size_t)n;
			in->length -= (size_t)n;
		}
	}
	if (!in->length) {
		free(in->buffer);
		in->buffer = NULL;
		in->start = 0;
		if (in->ending && in->fd >= 0)
			close_input(in);
	}
	if (in->refused) {
		if (!channel_tell(p->handle, FRAME_EOF, STDIN, 0, 0, 0))
			return false;
		in->refused = false;
	}
	/* Half a window at a time: the host always has the other half. */
	if (in->taking && !in->ending && in->owed >= STDIN_WINDOW / 2) {
		if (!channel_tell(p->handle, FRAME_CREDIT, STDIN, 1, in->owed, 0))
			return false;
		in->owed = 0;
	}
	return true;
}

/* stdout and stderr */

static void close_output(struct process *p, struct output *o)
{
	if (p->terminal && o->fd >= 0)
		wake_never(o->fd);
	close_fd(&o->fd);
}

/* Nothing came where something could: ends the output, unless its process may still write or reopen its terminal. */
static void nothing_read(struct process *p, struct output *o, bool hung_up)
{
	if (hung_up && p->terminal && !p->exited) {
		o->asleep = true;
		wake_on_change(o->fd, &o->asleep);
		return;
	}
	if (hung_up)
		close_output(p, o);
	if (o->state == OUTPUT_OPEN && (hung_up || p->exited))
		o->state = OUTPUT_ENDED;
}

/* Reads output and drops it. */
static void drop_output(struct process *p, struct output *o)
{
	static uint8_t scratch[MAX_FROM_GUEST];
	ssize_t n = read(o->fd, scratch, sizeof(scratch));

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		nothing_read(p, o, true);
}

/* Sends a frame of output. Returns false if there is no space for it. */
static bool send_output(struct process *p, struct output *o, unsigned stream)
{
	ssize_t n;

	if (!o->credit) {
		struct pollfd look = { .fd = o->fd, .events = POLLIN };

		poll(&look, 1, 0);
		if (look.revents & POLLIN)
			o->stalled = true;
		else
			nothing_read(p, o, look.revents & (POLLHUP | POLLERR));
		return true;
	}
	if (!channel_space(DATA_SIZE))
		return false;
	n = read(o->fd, channel_payload(), o->credit < DATA_SIZE ? o->credit : DATA_SIZE);
	if (n > 0) {
		channel_put(p->handle, FRAME_DATA, stream, (size_t)n);
		o->credit -= (uint64_t)n;
	} else if (n == 0 || errno != EINTR) {
		nothing_read(p, o, n == 0 || errno != EAGAIN);
	}
	return true;
}

static bool serve_output(struct process *p, unsigned stream)
{
	struct output *o = &p->out[stream];

	if (o->state == OUTPUT_NONE) {
		if (o->fd >= 0 && p->seen[stream])
			drop_output(p, o);
	} else if (o->state == OUTPUT_OPEN) {
		if (o->fd < 0 && p->exited)
			o->state = OUTPUT_ENDED;
		else if (o->fd >= 0 && !o->stalled && (p->seen[stream] || p->exited) && !send_output(p, o, stream))
			return false;
	}
	if (o->state == OUTPUT_ENDED) {
		if (!channel_tell(p->handle, FRAME_EOF, stream, 0, 0, 0))
			return false;
		o->state = OUTPUT_NONE;
	}
	return true;
}

/* The host reads this output no more. A pipe is closed, as its reader would; a terminal stays. */
static void end_output(struct process *p, unsigned stream)
{
	struct output *o = &p->out[stream];

	o->state = OUTPUT_NONE;
	o->stalled = false;
	if (!(p->terminal && stream == STDOUT))
		close_output(p, o);
}

static void add_credit(struct process *p, unsigned stream, uint32_t bytes)
{
	p->out[stream].credit += bytes;
	if (bytes)
		p->out[stream].stalled = false;
}

/* A program's words, and its end */

static void take_terminal(struct process *p, int fd)
{
	if (!p->terminal || p->out[STDOUT].fd >= 0) {
		close(fd);
		return;
	}
	if (fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		complain("process %u: cannot make its terminal nonblocking: %m", p->handle);
	if (p->sized)
		ioctl(fd, TIOCSWINSZ, &p->size);
	p->out[STDOUT].fd = fd;
	if (p->in.taking)
		p->in.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

/*
 * Whether a process, alive or not yet waited for, never executed a program. That its socket has closed without a word says
 * that it did, or that it was killed; the kernel's flag tells these apart (proc(5), /proc/PID/stat).
 */
static bool never_executed(pid_t pid)
{
	char path[32];
	char text[512];
	char *field;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	/* The second field is a name in parentheses, with anything in it; the ninth has the flags. */
	field = strrchr(text, ')');
	for (int i = 2; field && i < 9; i++)
		field = strchr(field + 1, ' ');
	return field && strtoul(field, NULL, 10) & PF_FORKNOEXEC;
}

/* The program has closed its socket, or is dead and has left no more words. */
static void conclude(struct process *p)
{
	close_fd(&p->words);
	if (p->concluded)
		return;
	p->concluded = true;
	if (p->dead ? p->executed : !never_executed(p->pid))
		channel_tell(p->handle, FRAME_EXECED, 0, 0, 0, 0);
}

/* Takes one word of the program. Returns false if there was none. */
static bool take_word(struct process *p)
{
	struct frame frame = { 0 };
	struct iovec packet[] = { { &frame, sizeof(frame) }, { channel_payload(), WORD_SIZE } };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr message = {
		.msg_iov = packet,
		.msg_iovlen = 2,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n = recvmsg(p->words, &message, MSG_CMSG_CLOEXEC);
	struct cmsghdr *passed = n < 0 ? NULL : CMSG_FIRSTHDR(&message);

	if (passed && passed->cmsg_type == SCM_RIGHTS) {
		int fd;

		memcpy(&fd, CMSG_DATA(passed), sizeof(fd));
		take_terminal(p, fd);
		return true;
	}
	if (n < (ssize_t)sizeof(frame)) {
		if (n >= 0 || p->dead || (errno != EAGAIN && errno != EINTR))
			conclude(p);
		return false;
	}
	switch (frame.type) {
	case FRAME_STOPPED:
		p->stopped = true;
		break;
	case FRAME_DONE:
	case FRAME_FAILED:
		channel_put(p->handle, frame.type, 0, (size_t)n - sizeof(frame));
		/* These are the last words: the process ends now. */
		p->concluded = true;
		conclude(p);
		return false;
	case FRAME_OUTPUT:
		break;
	default:
		return true;
	}
	channel_put(p->handle, frame.type, 0, (size_t)n - sizeof(frame));
	return true;
}

static bool take_words(struct process *p)
{
	while (p->words >= 0) {
		if (!channel_space(WORD_SIZE))
			return false;
		if (!take_word(p))
			break;
	}
	return true;
}

/* Waits for each child that has died: processes of the host's, and orphans, of which nobody else is the parent. */
static void reap(void)
{
	for (;;) {
		siginfo_t info = { 0 };
		struct process *p = NULL;
		int status;

		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || !info.si_pid)
			return;
		for (unsigned i = 0; i < count && !p; i++)
			if (processes[i]->pid == info.si_pid && !processes[i]->dead)
				p = processes[i];
		if (p)
			take_words(p);
		if (p && !p->concluded)
			p->executed = !never_executed(p->pid);
		if (waitpid(info.si_pid, &status, 0) < 0)
			continue;
		if (p) {
			p->dead = true;
			p->status = status;
		}
	}
}

/* Starting a process */

static void release(struct process *p)
{
	close_fd(&p->pidfd);
	close_fd(&p->words);
	close_input(&p->in);
	close_output(p, &p->out[STDOUT]);
	close_output(p, &p->out[STDERR]);
}

/* Makes a pipe, one end of it nonblocking and init's: the one at `ours`, 0 to read or 1 to write. */
static bool make_pipe(int ours, int *mine, int *theirs)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	*mine = ends[ours];
	*theirs = ends[!ours];
	return fcntl(*mine, F_SETFL, O_NONBLOCK) == 0;
}

/* Makes what a process needs of descriptors: init's ends go into `p`, its own into `theirs`. */
static bool make_channels(struct process *p, uint32_t stdio, int theirs[SOURCES])
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return false;
	p->words = ends[0];
	theirs[WORDS] = ends[1];
	return fcntl(p->words, F_SETFL, O_NONBLOCK) == 0 &&
	       (!(stdio & STDIO_STDIN) || make_pipe(1, &p->in.fd, &theirs[STDIN])) &&
	       (!(stdio & STDIO_STDOUT) || make_pipe(0, &p->out[STDOUT].fd, &theirs[STDOUT])) &&
	       (!(stdio & STDIO_STDERR) || make_pipe(0, &p->out[STDERR].fd, &theirs[STDERR]));
}

/* Has the next clone be born in the pid namespace that the process of this pidfd is in: setns(2). */
static int enter_pid_namespace(int pidfd)
{
	return setns(pidfd, CLONE_NEWPID) < 0 ? errno : 0;
}

static void leave_pid_namespace(void)
{
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);

	if (self < 0 || setns(self, CLONE_NEWPID) < 0)
		die("cannot return to init's pid namespace: %m");
	close(self);
}

/*
 * The other side of the clone. It keeps the pidfds, which its program may ask for, and no end of another process's pipes:
 * a program that waits at a `stop` must not keep a stream open.
 */
static noreturn void become(const struct program *program, int theirs[SOURCES])
{
	for (unsigned i = 0; i < count; i++) {
		const struct process *p = processes[i];

		close_valid(p->words);
		close_valid(p->in.fd);
		close_valid(p->out[STDOUT].fd);
		close_valid(p->out[STDERR].fd);
	}
	channel_close();
	close(signals);
	close(sleepers);
	for (int fd = STDIN; fd <= STDERR; fd++) {
		if (dup2(theirs[fd] < 0 ? null : theirs[fd], fd) < 0)
			_exit(125);
		close_valid(theirs[fd]);
	}
	setrlimit(RLIMIT_NOFILE, &descriptors);
	reset_signals();
	run_program(program, theirs[WORDS]);
}

/* Starts a process for a program. Returns 0, or the stage that failed with errno set. */
static enum refusal_stage start(struct process *p, const uint8_t *payload, size_t length)
{
	int theirs[SOURCES] = { -1, -1, -1, -1 };
	enum refusal_stage failed = 0;
	struct program program;
	struct head *head = &program.head;
	struct clone_arguments arguments = { .pidfd = (uint64_t)(uintptr_t)&p->pidfd, .exit_signal = SIGCHLD };
	int error = 0;

	if (!parse_program(payload, length, &program) || head->flags & ~(uint64_t)NAMESPACES || head->stdio > 15 ||
	    (head->stdio & STDIO_TERMINAL && head->stdio & (STDIO_STDIN | STDIO_STDOUT))) {
		errno = EINVAL;
		return STAGE_PROGRAM;
	}
	p->terminal = head->stdio & STDIO_TERMINAL;
	p->in.taking = head->stdio & (STDIO_STDIN | STDIO_TERMINAL);
	if (head->stdio & (STDIO_STDOUT | STDIO_TERMINAL))
		p->out[STDOUT].state = OUTPUT_OPEN;
	if (head->stdio & STDIO_STDERR)
		p->out[STDERR].state = OUTPUT_OPEN;
	p->out[STDOUT].credit = p->out[STDERR].credit = head->credit;

	if (!make_channels(p, head->stdio, theirs)) {
		failed = STAGE_PIPES;
		error = errno;
	}
	if (!failed && head->join) {
		int pidfd = pidfd_of(head->join);

		error = pidfd < 0 ? ESRCH : enter_pid_namespace(pidfd);
		if (error)
			failed = STAGE_JOIN;
	}
	if (!failed) {
		arguments.flags = head->flags | CLONE_PIDFD;
		p->pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
		error = errno;
		if (p->pid == 0)
			become(&program, theirs);
		if (p->pid < 0)
			failed = STAGE_CLONE;
		if (head->join)
			leave_pid_namespace();
	}
	for (int i = 0; i < SOURCES; i++)
		close_fd(&theirs[i]);
	errno = error;
	return failed;
}

static void run(uint32_t handle, const uint8_t *payload, size_t length)
{
	struct process *p = NULL;
	enum refusal_stage failed = STAGE_PROCESSES;

	if (!handle || find(handle)) {
		errno = EEXIST;
	} else if (count == MAX_PROCESSES) {
		errno = EAGAIN;
	} else if ((p = calloc(1, sizeof(*p)))) {
		p->handle = handle;
		p->pidfd = p->words = p->in.fd = p->out[STDOUT].fd = p->out[STDERR].fd = -1;
		/* The process finds itself in the table, to close init's ends of its streams. */
		processes[count++] = p;
		failed = start(p, payload, length);
	}
	if (!failed) {
		channel_tell(handle, FRAME_STARTED, 0, 1, (uint32_t)p->pid, 0);
		return;
	}
	channel_tell(handle, FRAME_REFUSED, 0, 2, (uint32_t)errno, failed);
	if (p) {
		count--;
		release(p);
		free(p);
	}
}

/* The loop */

static uint32_t number_at(const uint8_t *payload)
{
	uint32_t number;

	memcpy(&number, payload, sizeof(number));
	return number;
}

static void take_frame(const struct frame *frame, const uint8_t *payload)
{
	struct process *p;

	if (frame->type == FRAME_RUN) {
		run(frame->process, payload, frame->length);
		return;
	}
	p = find(frame->process);
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
		else if (frame->stream <= STDERR)
			end_output(p, frame->stream);
		break;
	case FRAME_CREDIT:
		if ((frame->stream == STDOUT || frame->stream == STDERR) && frame->length == sizeof(uint32_t))
			add_credit(p, frame->stream, number_at(payload));
		break;
	case FRAME_GO:
		if (p->stopped && write(p->words, "", 1) == 1)
			p->stopped = false;
		break;
	case FRAME_SIGNAL:
		if (p->pidfd >= 0 && frame->length == sizeof(uint32_t))
			syscall(SYS_pidfd_send_signal, p->pidfd, (int)number_at(payload), NULL, 0);
		break;
	case FRAME_RESIZE:
		if (!p->terminal || frame->length != sizeof(p->size))
			break;
		memcpy(&p->size, payload, sizeof(p->size));
		p->sized = true;
		if (p->out[STDOUT].fd >= 0)
			ioctl(p->out[STDOUT].fd, TIOCSWINSZ, &p->size);
		break;
	default:
		break;
	}
}

/* Says of a process what is to be said, and moves its bytes. Returns false if it has to wait for space. */
static bool serve_process(struct process *p)
{
	if (p->words >= 0 && (p->seen[WORDS] || p->dead) && !take_words(p))
		return false;
	if (p->dead && !p->exited) {
		if (!channel_tell(p->handle, FRAME_EXIT, 0, 1, (uint32_t)p->status, 0))
			return false;
		p->exited = true;
		close_fd(&p->pidfd);
		close_input(&p->in);
		p->in.refused = false;
		/* Nobody is left for whom a terminal is kept. */
		p->out[STDOUT].asleep = false;
	}
	if (!serve_input(p, p->seen[STDIN]) || !serve_output(p, STDOUT) || !serve_output(p, STDERR))
		return false;
	if (p->handle && p->exited && !p->out[STDOUT].state && !p->out[STDERR].state) {
		if (!channel_tell(p->handle, FRAME_CLOSED, 0, 0, 0, 0))
			return false;
		p->handle = 0;
	}
	return true;
}

/* Serves all processes. Who found no space comes first the next time. */
static void serve_processes(void)
{
	unsigned kept = 0;
	unsigned next = count;

	for (unsigned i = 0; i < count; i++) {
		unsigned index = (first + i) % count;

		if (!serve_process(processes[index]) && next == count)
			next = index;
	}
	first = 0;
	for (unsigned i = 0; i < count; i++) {
		struct process *p = processes[i];

		if (i == next)
			first = kept;
		if (p->handle || p->out[STDOUT].fd >= 0 || p->out[STDERR].fd >= 0)
			processes[kept++] = p;
		else
			free(p);
	}
	count = kept;
}

static struct pollfd polled[3 + SOURCES * MAX_PROCESSES];
static short *seen_by[3 + SOURCES * MAX_PROCESSES];

static nfds_t watch(nfds_t n, int fd, short events, short *seen)
{
	*seen = 0;
	if (fd < 0)
		return n;
	polled[n] = (struct pollfd){ .fd = fd, .events = events };
	seen_by[n] = seen;
	return n + 1;
}

static nfds_t watch_process(nfds_t n, struct process *p)
{
	struct input *in = &p->in;
	/* A pipe whose reader goes away is seen without asking; a terminal that nobody has open would be seen all the time. */
	bool in_matters = in->length || !p->terminal;

	/* What there is no space for is not asked for: it would be ready all the time. */
	n = watch(n, channel_room() < WORD_SIZE ? -1 : p->words, POLLIN, &p->seen[WORDS]);
	n = watch(n, in_matters ? in->fd : -1, in->length ? POLLOUT : 0, &p->seen[STDIN]);
	for (int stream = STDOUT; stream <= STDERR; stream++) {
		struct output *o = &p->out[stream];
		bool waits = o->stalled || o->asleep || o->state == OUTPUT_ENDED ||
			     (o->state == OUTPUT_OPEN && channel_room() < DATA_SIZE);
		bool reads = o->credit || o->state == OUTPUT_NONE;

		n = watch(n, waits ? -1 : o->fd, reads ? POLLIN : 0, &p->seen[stream]);
	}
	return n;
}

/* Allows init the descriptors that many processes need: what its privileges allow. */
static void raise_descriptors(void)
{
	struct rlimit many = { MAX_DESCRIPTORS, MAX_DESCRIPTORS };

	getrlimit(RLIMIT_NOFILE, &descriptors);
	if (descriptors.rlim_cur >= many.rlim_cur)
		return;
	if (descriptors.rlim_max > many.rlim_max)
		many.rlim_max = descriptors.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &many) == 0)
		return;
	many.rlim_cur = many.rlim_max = descriptors.rlim_max;
	setrlimit(RLIMIT_NOFILE, &many);
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
	bool again = true;
	sigset_t mask;

	/* SIGPIPE is blocked and not ignored, so that a program finds it as it should be with nothing to undo but the mask. */
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGPIPE);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	sigdelset(&mask, SIGPIPE);
	signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	sleepers = epoll_create1(EPOLL_CLOEXEC);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (signals < 0 || sleepers < 0 || null < 0)
		die("cannot set up the agent: %m");
	raise_descriptors();
	greet();

	for (;;) {
		short of_channel, of_signals, of_sleepers, events;
		int fd = channel_poll(&events);
		nfds_t n = 0;
		int ready;

		n = watch(n, fd, events, &of_channel);
		n = watch(n, signals, POLLIN, &of_signals);
		n = watch(n, sleepers, POLLIN, &of_sleepers);
		for (unsigned i = 0; i < count; i++)
			n = watch_process(n, processes[i]);
		ready = poll(polled, n, again ? 0 : -1);
		if (ready < 0 && errno != EINTR)
			die("poll: %m");
		for (nfds_t i = 0; ready > 0 && i < n; i++)
			*seen_by[i] = polled[i].revents;

		if (of_sleepers)
			wake_sleepers();
		channel_read((short)(of_channel & ~POLLOUT), take_frame);
		if (of_signals) {
			struct signalfd_siginfo died;

			if (read(signals, &died, sizeof(died)) > 0)
				reap();
		}
		serve_processes();
		again = channel_flush();
	}
}
