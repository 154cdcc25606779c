/*
 * The processes that init serves: what is known of each, and the parts of the agent that work on it.
 *
 *	agent.c		the loop around poll(2), and what the host says
 *	process.c	how a process begins, what its program says, how it ends
 *	streams.c	its stdin, stdout and stderr
 *
 * What is still to be said of a process is kept as its state, never in a queue, and said when the channel has space: so nothing
 * is lost and nothing grows. The functions that say something return false when they have to wait for space.
 */
#ifndef AGENT_H
#define AGENT_H

#include "guest.h"

#include <sys/ioctl.h>

enum {
	MAX_PROCESSES = 4096,
	/* The payload of a frame of output. With its header it is two of a virtio port's writes of 32 KiB. */
	DATA_SIZE = MAX_FROM_GUEST - sizeof(struct frame),
	/* How many of these are read of an output at once. */
	OUTPUT_FRAMES = 8,
	/*
	 * What the pipe of an output holds once its process has filled it: such a process and init take fewer turns, and one that
	 * copies a file into it (sendfile(2)) reads that in fewer pieces. 9p brings 512,000 bytes at a time.
	 */
	WIDE_PIPE = OUTPUT_FRAMES * MAX_FROM_GUEST,
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
	OUTPUT_NONE, /* nothing comes any more, or what comes is dropped */
	OUTPUT_OPEN,
	OUTPUT_ENDED, /* the host is to be told */
};

/* The way from a process's stdout or stderr. */
struct output {
	int fd; /* -1: closed, or a terminal not given yet */
	enum output_state state;
	uint64_t credit;
	bool stalled; /* has something to read but no credit */
	bool asleep; /* a terminal that nobody has open now */
	bool watched; /* wake_on_change() is in force */
	bool widened; /* its pipe holds WIDE_PIPE */
};

struct process {
	uint32_t handle; /* 0: it is told and done, but others hold its terminal open, and what they write is dropped */
	pid_t pid;
	int pidfd;
	int words; /* the socket to the program; -1 when nothing comes over it any more */
	short seen[SOURCES]; /* what poll(2) said */
	bool stopped; /* waits for GO */
	bool concluded; /* DONE, FAILED or EXECED is told, or never will be */
	bool dead; /* and waited for */
	bool executed; /* of a dead one that was not concluded: whether its program ended in execve */
	bool exited; /* EXIT is told */
	bool terminal; /* stdin and stdout are a terminal, given or to be given */
	bool sized; /* the host has said the terminal's size */
	int status; /* of a dead one, from wait(2) */
	struct winsize size;
	struct input in;
	struct output out[SOURCES]; /* at STDOUT and STDERR */
};

/* agent.c */

/*
 * Has *asleep become false when something happens to a descriptor whose state, as poll(2) shows it, says nothing: a hung-up
 * channel or terminal stays "hung up" until it comes back. It becomes false once right away, then at each change, until
 * wake_never(), which must come before the descriptor is closed.
 */
void wake_on_change(int fd, bool *asleep);
void wake_never(int fd);

/* process.c */

/* All processes, in no order. */
extern struct process *processes[MAX_PROCESSES];
extern unsigned process_count;

/* Readies init to start processes. */
void prepare_processes(void);

/* The process with this handle, or NULL. */
struct process *find_process(uint32_t handle);

/* Starts a process for the program of a RUN, and tells STARTED or REFUSED. Needs REPLY_SPACE. */
void run_process(uint32_t handle, const uint8_t *payload, size_t length);

/* Forgets a process that is over, and no more in the table. */
void free_process(struct process *p);

/*
 * Waits for each child that has died: processes of the host's, and orphans, of which nobody else is the parent. Returns false if it has to go
 * on when there is space for what they have said.
 */
bool reap(void);

/* The descriptor to poll for words; -1 if there is nothing to wait for now. */
int poll_words(const struct process *p);

/* Tells what the program has said, and the end of its process once that was all. */
bool serve_words(struct process *p);

/* Lets a stopped program go on. */
void go_on(struct process *p);

/* streams.c */

/* The host has sent bytes for stdin, or their end. */
void take_input(struct process *p, const uint8_t *bytes, size_t length);
void end_input(struct process *p);

/* The host reads so many bytes more of an output, or nothing more at all. */
void add_credit(struct process *p, unsigned stream, uint32_t bytes);
void end_output(struct process *p, unsigned stream);

/* The program has given the master of its terminal, or the host has said the terminal's size, `p->size`. */
void take_terminal(struct process *p, int fd);
void resize_terminal(struct process *p);

/* What to poll a stream's descriptor for. Returns the descriptor; -1 if there is nothing to wait for now. */
int poll_input(const struct process *p, short *events);
int poll_output(const struct process *p, unsigned stream, short *events);

/* Moves bytes, and tells CREDIT and EOF. */
bool serve_input(struct process *p);
bool serve_output(struct process *p, unsigned stream);

/* The process is dead: its stdin is closed, and its terminal ends with what is in it. */
void end_streams(struct process *p);

/* Closes whatever is open. */
void close_streams(struct process *p);

/* Closes a descriptor unless it is -1, and makes it -1. */
void close_fd(int *fd);

#endif
