/*
 * How a process begins, what its program says, and how it ends.
 *
 * A process has a socket to init. Over it come the program's words, each a packet that is a frame, and go on it GO. It is
 * close-on-exec: that it closes without a word says that execve(2) has succeeded, with nothing for the program to do, which by
 * then may not be allowed to do anything.
 */
#define _GNU_SOURCE
#include "agent.h"
#include "namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Not in the headers of every libc. */
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif

enum {
	/* The descriptors that so many processes need. */
	MAX_DESCRIPTORS = 8 * MAX_PROCESSES,
	/* The largest word of a program, without its header. */
	WORD_SIZE = 32 << 10,
	/* In /proc/PID/stat, from the kernel's linux/sched.h: cloned, and has not executed a program since. */
	PF_FORKNOEXEC = 0x40,
};

/* clone3(2)'s struct clone_args, in its first version. */
struct clone_arguments {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
};

bool pidfds_are_descriptors;
struct process *processes[MAX_PROCESSES];
unsigned process_count;

/* What a process that is over leaves for the next: memory that is allocated and freed alone is mapped and unmapped each time. */
static struct process *spare;
static int null = -1; /* /dev/null */
static struct stat own_program; /* init's: its device and inode number */
static struct rlimit descriptors; /* RLIMIT_NOFILE as init found it */

struct process *find_process(uint32_t handle)
{
	for (unsigned i = 0; handle && i < process_count; i++)
		if (processes[i]->handle == handle)
			return processes[i];
	return NULL;
}

int pidfd_of(uint32_t handle)
{
	struct process *p;

	if (pidfds_are_descriptors)
		return (int)handle;
	p = find_process(handle);

	return p ? p->pidfd : -1;
}

/* Allows init the descriptors that many processes need, as far as its privileges go. */
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

void prepare_processes(void)
{
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		die("cannot open /dev/null: %m");
	if (stat("/proc/self/exe", &own_program) < 0)
		die("cannot look at init's own program: %m");
	raise_descriptors();
}

/* Beginning */

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

/* Makes the descriptors of a process: init's ends go into `p`, its own into `theirs`. */
static bool make_descriptors(struct process *p, uint32_t stdio, int theirs[SOURCES])
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

/* In a clone of init: closes a descriptor of init's table of processes, without writing to it, which would copy its pages. */
static void close_inits(int fd)
{
	if (fd >= 0)
		close(fd);
}

/*
 * The other side of the clone. It keeps the pidfds, which its program may ask for, and no end of another process's streams:
 * a program that waits at a `stop` must not keep one open.
 */
static noreturn void become(const struct program *program, const int theirs[SOURCES])
{
	for (unsigned i = 0; i < process_count; i++) {
		const struct process *p = processes[i];

		close_inits(p->words);
		close_inits(p->in.fd);
		close_inits(p->out[STDOUT].fd);
		close_inits(p->out[STDERR].fd);
	}
	channel_close();
	for (int fd = STDIN; fd <= STDERR; fd++) {
		if (dup2(theirs[fd] < 0 ? null : theirs[fd], fd) < 0)
			_exit(EXIT_FAILED);
		close_inits(theirs[fd]);
	}
	setrlimit(RLIMIT_NOFILE, &descriptors);
	reset_signals();
	run_program(program, theirs[WORDS]);
}

/* Returns init to its own pid namespace, as far as its children are concerned. */
static void leave_pid_namespace(void)
{
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);

	if (self < 0 || setns(self, CLONE_NEWPID) < 0)
		die("cannot return to init's pid namespace: %m");
	close(self);
}

/* Clones a process for a program. On failure errno says why, and the result where; else it is 0. */
static enum refusal_stage clone_process(struct process *p, const struct program *program, const int theirs[SOURCES])
{
	const struct head *head = &program->head;
	struct clone_arguments arguments = {
		.flags = head->flags | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&p->pidfd,
		.exit_signal = SIGCHLD,
	};
	int error;

	if (head->join) {
		int pidfd = pidfd_of(head->join);

		errno = ESRCH;
		/* The next clone is born in the pid namespace that the process of this pidfd is in: setns(2). */
		if (pidfd < 0 || setns(pidfd, CLONE_NEWPID) < 0)
			return STAGE_JOIN;
	}
	p->pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
	error = errno;
	if (p->pid == 0)
		become(program, theirs);
	if (head->join)
		leave_pid_namespace();
	errno = error;
	return p->pid < 0 ? STAGE_CLONE : 0;
}

/* Starts a process for a RUN's payload. On failure errno says why, and the result where; else it is 0. */
static enum refusal_stage start(struct process *p, const uint8_t *payload, size_t length)
{
	int theirs[SOURCES] = { -1, -1, -1, -1 };
	enum refusal_stage failed = STAGE_PIPES;
	struct program program;
	const struct head *head = &program.head;
	int error;

	errno = EINVAL;
	if (!parse_program(payload, length, &program) || head->flags & ~(uint64_t)NAMESPACES ||
	    head->stdio >= 2 * STDIO_TERMINAL ||
	    (head->stdio & STDIO_TERMINAL && head->stdio & (STDIO_STDIN | STDIO_STDOUT)))
		return STAGE_PROGRAM;
	p->terminal = head->stdio & STDIO_TERMINAL;
	p->in.taking = head->stdio & (STDIO_STDIN | STDIO_TERMINAL);
	p->out[STDOUT].state = head->stdio & (STDIO_STDOUT | STDIO_TERMINAL) ? OUTPUT_OPEN : OUTPUT_NONE;
	p->out[STDERR].state = head->stdio & STDIO_STDERR ? OUTPUT_OPEN : OUTPUT_NONE;
	p->out[STDOUT].credit = p->out[STDERR].credit = head->credit;

	if (make_descriptors(p, head->stdio, theirs))
		failed = clone_process(p, &program, theirs);
	error = errno;
	for (int i = 0; i < SOURCES; i++)
		close_fd(&theirs[i]);
	errno = error;
	return failed;
}

void free_process(struct process *p)
{
	if (spare)
		free(p);
	else
		spare = p;
}

static struct process *new_process(uint32_t handle)
{
	struct process *p;

	errno = EEXIST;
	if (!handle || find_process(handle))
		return NULL;
	errno = EAGAIN;
	if (process_count == MAX_PROCESSES)
		return NULL;
	p = spare ? spare : malloc(sizeof(*p));
	if (!p)
		return NULL;
	spare = NULL;
	memset(p, 0, sizeof(*p));
	p->handle = handle;
	p->pidfd = p->words = p->in.fd = p->out[STDOUT].fd = p->out[STDERR].fd = -1;
	processes[process_count++] = p;
	return p;
}

void run_process(uint32_t handle, const uint8_t *payload, size_t length)
{
	/* The clone finds the process in the table, and closes init's ends of its streams. */
	struct process *p = new_process(handle);
	enum refusal_stage failed = p ? start(p, payload, length) : STAGE_PROCESSES;

	if (!failed) {
		channel_tell(handle, FRAME_STARTED, 0, 1, (uint32_t)p->pid, 0);
		return;
	}
	channel_tell(handle, FRAME_REFUSED, 0, 2, (uint32_t)errno, failed);
	if (p) {
		process_count--;
		close_fd(&p->words);
		close_streams(p);
		free_process(p);
	}
}

/* Words, and the end */

/*
 * Whether a process, which may be dead but not waited for, never executed a program. That its socket has closed without a word
 * says that it did, or that it was killed; the kernel's flag tells these apart: proc(5), /proc/PID/stat.
 */
static bool never_executed(pid_t pid)
{
	char path[32];
	char text[512];
	char *field;
	struct stat program;
	ssize_t n;
	int fd;

	/* Mostly this tells, for less. The dead have no program any more. */
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	if (stat(path, &program) == 0 && (program.st_dev != own_program.st_dev || program.st_ino != own_program.st_ino))
		return false;
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

/* The program's socket has closed, or is empty for good. */
static void conclude(struct process *p)
{
	close_fd(&p->words);
	if (p->concluded)
		return;
	p->concluded = true;
	if (p->dead ? p->executed : !never_executed(p->pid))
		channel_tell(p->handle, FRAME_EXECED, 0, 0, 0, 0);
}

static struct process *find_living(pid_t pid);

/*
 * A child of init's, a clone of the program's process with CLONE_PARENT, takes its place; not one that is gone already, nor another program's.
 */
static void take_successor(struct process *p, pid_t pid)
{
	siginfo_t info;
	int pidfd;

	if (find_living(pid) || waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
		return;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return;
	close_fd(&p->pidfd);
	p->pidfd = pidfd;
	p->pid = pid;
	p->dead = false;
	channel_tell(p->handle, FRAME_STARTED, 0, 1, (uint32_t)pid, 0);
}

/* Takes a word of the program, for which there is space. Returns false if there was none. */
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
	struct cmsghdr *passed;
	int terminal;
	uint32_t child;

	if (n < (ssize_t)sizeof(frame)) {
		if (n >= 0 || p->dead || (errno != EAGAIN && errno != EINTR))
			conclude(p);
		return false;
	}
	switch (frame.type) {
	case FRAME_STOPPED:
		p->stopped = true;
		channel_put(p->handle, frame.type, 0, (size_t)n - sizeof(frame));
		return true;
	case FRAME_OUTPUT:
		channel_put(p->handle, frame.type, 0, (size_t)n - sizeof(frame));
		return true;
	case FRAME_GIVE:
		passed = CMSG_FIRSTHDR(&message);
		if (passed && passed->cmsg_type == SCM_RIGHTS) {
			memcpy(&terminal, CMSG_DATA(passed), sizeof(terminal));
			take_terminal(p, terminal);
		}
		return true;
	case FRAME_SUCCEED:
		memcpy(&child, packet[1].iov_base, sizeof(child));
		take_successor(p, (pid_t)child);
		return true;
	default:
		/* DONE and FAILED are the last words. The process ends now; its socket need not be seen to close. */
		channel_put(p->handle, frame.type, 0, (size_t)n - sizeof(frame));
		p->concluded = true;
		conclude(p);
		return false;
	}
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

int poll_words(const struct process *p)
{
	return channel_room() < WORD_SIZE ? -1 : p->words;
}

bool serve_words(struct process *p)
{
	if ((p->seen[WORDS] || p->dead) && !take_words(p))
		return false;
	if (p->dead && !p->exited) {
		if (!channel_tell(p->handle, FRAME_EXIT, 0, 1, (uint32_t)p->status, 0))
			return false;
		p->exited = true;
		close_fd(&p->pidfd);
		end_streams(p);
	}
	return true;
}

void go_on(struct process *p)
{
	if (p->stopped && write(p->words, "", 1) == 1)
		p->stopped = false;
}

static struct process *find_living(pid_t pid)
{
	for (unsigned i = 0; i < process_count; i++)
		if (processes[i]->pid == pid && !processes[i]->dead)
			return processes[i];
	return NULL;
}

/*
 * The process of this pid, which is dead, after all words that have come: if DONE or FAILED has, that answers it, and another process may
 * have named it as its successor, or it another one. Returns false if there was no space for them.
 */
static bool find_dead(pid_t pid, struct process **found)
{
	struct process *p = find_living(pid);

	if (p && !take_words(p))
		return false;
	for (unsigned i = 0; !p && i < process_count; i++)
		if (!take_words(processes[i]))
			return false;
	*found = find_living(pid);
	return true;
}

bool reap(void)
{
	for (;;) {
		siginfo_t info = { 0 };
		struct process *p;
		int status;

		/* Whether it has executed a program can be seen until it is waited for. */
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || !info.si_pid)
			return true;
		if (!find_dead(info.si_pid, &p))
			return false;
		if (p && !p->concluded)
			p->executed = !never_executed(p->pid);
		if (waitpid(info.si_pid, &status, 0) < 0)
			die("cannot wait for process %d: %m", info.si_pid);
		if (p) {
			p->dead = true;
			p->status = status;
		}
	}
}
