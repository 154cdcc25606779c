/*
 * What the parts of init share: the protocol's numbers and layouts, as docs/guest-protocol.md has them, and the few
 * functions that one part calls of another.
 *
 *	init.c		starts: as pid 1 of a guest, or on a descriptor for tests and the host driver
 *	channel.c	the channel to the host: frames in and out
 *	agent.c		serves the host: with process.c and streams.c, which share agent.h
 *	program.c	runs a program of system calls, in a process of its own
 *	modprobe.c	loads a module that the kernel asks for
 *	spawn.c		starts a process of a container on the host
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <sys/types.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the protocol's numbers are used in place");

enum {
	PROTOCOL_VERSION = 2,
	/* A program with as many arguments and variables as execve(2) takes. */
	MAX_TO_GUEST = 16 << 20,
	MAX_FROM_GUEST = 64 << 10,
	MAX_MEMORY = 16 << 20,
	STDIN_WINDOW = 64 << 10,
	NO_REGISTER = 255,
	ANY_ERRNO = 255,
	EXIT_FAILED = 125,
	/* Space in the way out that the answer to one frame can take. */
	REPLY_SPACE = 64,
};

struct frame {
	uint32_t length;
	uint32_t process;
	uint8_t type;
	uint8_t stream;
	uint8_t zero[6];
};
_Static_assert(sizeof(struct frame) == 16, "layout");

enum frame_type {
	FRAME_DATA = 1,
	FRAME_EOF = 2,
	FRAME_CREDIT = 3,
	FRAME_RUN = 16,
	FRAME_GO = 17,
	FRAME_SIGNAL = 18,
	FRAME_RESIZE = 19,
	FRAME_HELLO = 32,
	FRAME_STARTED = 33,
	FRAME_OUTPUT = 34,
	FRAME_STOPPED = 35,
	FRAME_DONE = 36,
	FRAME_FAILED = 37,
	FRAME_EXECED = 38,
	FRAME_EXIT = 39,
	FRAME_CLOSED = 40,
	FRAME_REFUSED = 41,
	/* Never leaves the guest: a program's process hands init the terminal's master. */
	FRAME_GIVE = 255,
	/* Nor does this: a child of init's takes the place of the program's process. */
	FRAME_SUCCEED = 254,
};

enum refusal_stage {
	STAGE_PROGRAM = 1,
	STAGE_PROCESSES = 2,
	STAGE_PIPES = 3,
	STAGE_JOIN = 4,
	STAGE_CLONE = 5,
};

enum stdio {
	STDIO_STDIN = 1,
	STDIO_STDOUT = 2,
	STDIO_STDERR = 4,
	STDIO_TERMINAL = 8,
};

/* The head of a program. */
struct head {
	uint64_t flags;
	uint32_t join;
	uint32_t stdio;
	uint32_t credit;
	uint32_t instructions;
	uint32_t relocations;
	uint32_t data;
	uint32_t zeroed;
	uint32_t zero;
};
_Static_assert(sizeof(struct head) == 40, "layout");

enum operation {
	OP_END = 0,
	OP_SYSCALL = 1,
	OP_JUMP = 2,
	OP_STORE = 3,
	OP_LOAD = 4,
	OP_STOP = 5,
	OP_GIVE = 6,
	OP_OUTPUT = 7,
	OP_FAIL = 8,
	OP_ADD = 9,
	OP_DECIMAL = 10,
	OP_SUCCEED = 11,
};

enum argument_kind {
	ARGUMENT_NUMBER = 0,
	ARGUMENT_REGISTER = 1,
	ARGUMENT_ADDRESS = 2,
	ARGUMENT_PIDFD = 3,
};

enum comparison {
	COMPARE_ALWAYS = 0,
	COMPARE_EQUAL = 1,
	COMPARE_DIFFERENT = 2,
	COMPARE_LESS = 3,
	COMPARE_NOT_LESS = 4,
};

struct instruction {
	uint8_t operation;
	uint8_t destination;
	uint8_t kinds[6];
	uint16_t number;
	uint16_t target;
	uint8_t accepted[4];
	uint64_t arguments[6];
};
_Static_assert(sizeof(struct instruction) == 64, "layout");

struct relocation {
	uint32_t at;
	uint32_t target;
};

/* A program whose parts are known to lie within its payload. The payload need not be aligned. */
struct program {
	struct head head;
	const uint8_t *instructions;
	const uint8_t *relocations;
	const uint8_t *data;
};

/* init.c */

/* Says what went wrong where somebody will see it: on the guest's console, or on stderr. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Complains and ends init. Of pid 1 the kernel makes a panic, which the host sees. */
noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Gives this process what a program finds when it starts: default signal dispositions and an empty signal mask. */
void reset_signals(void);

/* channel.c */

/*
 * Takes the channel, a nonblocking descriptor of a duplex byte stream. When the host hangs up, init waits for it to come
 * back if `reconnects`, else it ends.
 */
void channel_open(int fd, bool reconnects);

/* What to poll the channel for, and its descriptor; a negative descriptor while the host has hung up. */
int channel_poll(short *events);

/*
 * Reads what has come and hands each whole frame to `take`, as long as there is space for the answer to one: REPLY_SPACE.
 * `seen`: what poll(2) said of the channel; 0 hands on what had to wait for space.
 */
void channel_read(short seen, void (*take)(const struct frame *frame, const uint8_t *payload));

/* How long a payload there is space for now. */
size_t channel_room(void);

/* Whether a frame with so long a payload can be put now. If not, a later channel_flush() says when to try again. */
bool channel_space(size_t length);

/* Where the payload of the next frame goes. */
uint8_t *channel_payload(void);

/* Puts a frame, whose payload is in its place and has space. */
void channel_put(uint32_t process, enum frame_type type, unsigned stream, size_t length);

/* Puts a frame with these numbers (none, one or two), if there is space. */
bool channel_tell(uint32_t process, enum frame_type type, unsigned stream, unsigned count, uint32_t first, uint32_t second);

/* Sends as much as the host takes. Returns whether something waited for space that is there now. */
bool channel_flush(void);

/* Closes the channel, in a process that is not init. */
void channel_close(void);

/* agent.c */

/* Serves the channel until the host ends it. */
noreturn void serve(void);

/* process.c */

/* The pidfd of the process with this handle, in init and in each process cloned from it; -1 if there is none. */
int pidfd_of(uint32_t handle);

/* The program was given the descriptors that it names: they are their own handles. */
extern bool pidfds_are_descriptors;

/* program.c */

/* Reads a payload's head and checks that its parts add up. */
bool parse_program(const void *payload, size_t length, struct program *program);

/*
 * Executes a program in this process: once in its life, for what the program leaves in registers and memory stays.
 * Returns when it is done; it may become another one by execve, and when an instruction fails the process ends.
 * `init`: the socket to init, which gets the program's words as frames, one a packet; -1 for a program that stands alone.
 */
void execute_program(const struct program *program, int init);

/* The same, and ends the process. */
noreturn void run_program(const struct program *program, int init);

/* spawn.c */

/*
 * Clones a process for a program as a child of init's own parent, and ends. `words`: a socket of packets to that one, which gets the
 * program's words; the next descriptor is a file with the program. `count`: how many descriptors the program was given, these two included;
 * those behind them are closed, and none of these is there any more when the process becomes its command.
 */
noreturn void spawn_process(int words, int count);

/* modprobe.c */

/* Loads one module; one that the kernel has already is left alone. Returns false with errno if it cannot. */
bool load_module(const char *path);

/* Loads the modules that this name, a module's or an alias, stands for. Returns what to exit with: 0 if they are loaded. */
int modprobe(char *asked);

#endif
