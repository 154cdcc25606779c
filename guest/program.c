/*
 * Runs a program of system calls: straight-line code with registers, in the process that it is about.
 *
 * The host is trusted, yet a defect of it must come back as FAILED with EINVAL and not as a crash: whatever init itself
 * touches on a program's behalf is checked here. What the kernel does with a system call's arguments is the host's business.
 *
 * Words to init leave through write(2), and GO comes through read(2), because these are what a seccomp filter that the
 * program has put on itself is likeliest to let pass.
 */
#define _GNU_SOURCE
#include "guest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	/* Bytes of an OUTPUT: a packet must fit the socket's buffer with room for another. */
	OUTPUT_CHUNK = 32 << 10,
	MAX_ERRNO = 4095,
};

struct machine {
	const struct program *program;
	int init;
	uint32_t size; /* of the memory that the program may use */
	uint32_t next; /* the index of the next instruction */
	uint64_t registers[NO_REGISTER];
};

/* The program's memory. init never touches it, so that each process begins with zeroes and pays for what it uses. */
static _Alignas(4096) uint8_t memory[MAX_MEMORY];

bool parse_program(const void *payload, size_t length, struct program *program)
{
	struct head *head = &program->head;

	if (length < sizeof(*head))
		return false;
	memcpy(head, payload, sizeof(*head));

	uint64_t code = (uint64_t)head->instructions * sizeof(struct instruction);
	uint64_t table = (uint64_t)head->relocations * sizeof(struct relocation);

	if (length - sizeof(*head) != code + table + head->data)
		return false;
	if ((uint64_t)head->data + head->zeroed > MAX_MEMORY || head->zero)
		return false;
	program->instructions = (const uint8_t *)payload + sizeof(*head);
	program->relocations = program->instructions + code;
	program->data = program->relocations + table;

	uint32_t size = head->data + head->zeroed;

	for (uint32_t i = 0; i < head->relocations; i++) {
		struct relocation r;

		memcpy(&r, program->relocations + i * sizeof(r), sizeof(r));
		if (size < sizeof(uint64_t) || r.at > size - sizeof(uint64_t) || r.target > size)
			return false;
	}
	return true;
}

static void load_memory(const struct program *program)
{
	memcpy(memory, program->data, program->head.data);
	for (uint32_t i = 0; i < program->head.relocations; i++) {
		struct relocation r;
		uint64_t address;

		memcpy(&r, program->relocations + i * sizeof(r), sizeof(r));
		address = (uint64_t)(uintptr_t)(memory + r.target);
		memcpy(memory + r.at, &address, sizeof(address));
	}
}

/* A word to init of up to two numbers. That init is gone ends the process, by SIGPIPE. */
static void say(const struct machine *m, enum frame_type type, uint32_t length, uint32_t first, uint32_t second)
{
	struct {
		struct frame frame;
		uint32_t numbers[2];
	} word = { { .length = length, .type = type }, { first, second } };

	if (m->init >= 0 && write(m->init, &word, sizeof(word.frame) + length) < 0)
		_exit(EXIT_FAILED);
}

static noreturn void fail(const struct machine *m, uint32_t index, int error)
{
	if (m->init < 0)
		dprintf(STDERR_FILENO, "runv-init: instruction %u: errno %d\n", index, error);
	say(m, FRAME_FAILED, 8, index, (uint32_t)error);
	_exit(EXIT_FAILED);
}

/* The place of `length` bytes that an instruction of init's own touches; NULL if they are not all the program's. */
static uint8_t *place(const struct machine *m, uint64_t address, uint64_t length)
{
	uint64_t offset = address - (uint64_t)(uintptr_t)memory;

	return offset <= m->size && length <= m->size - offset ? memory + offset : NULL;
}

static int send_output(const struct machine *m, const uint8_t *bytes, uint64_t length)
{
	do {
		uint64_t chunk = length < OUTPUT_CHUNK ? length : OUTPUT_CHUNK;
		struct frame frame = { .length = (uint32_t)chunk, .type = FRAME_OUTPUT };
		struct iovec packet[] = { { &frame, sizeof(frame) }, { (void *)(uintptr_t)bytes, chunk } };
		ssize_t sent;

		if (m->init >= 0)
			sent = writev(m->init, packet, 2);
		else
			sent = write(STDOUT_FILENO, bytes, chunk);
		if (sent < 0)
			return errno;
		if (m->init < 0)
			chunk = (uint64_t)sent;
		bytes += chunk;
		length -= chunk;
	} while (length);
	return 0;
}

static int stop(const struct machine *m, uint32_t index)
{
	uint8_t go;

	if (m->init < 0)
		return ENOTCONN;
	say(m, FRAME_STOPPED, 4, index, 0);
	if (read(m->init, &go, sizeof(go)) != sizeof(go))
		_exit(EXIT_FAILED);
	return 0;
}

static int give_terminal(const struct machine *m, int terminal)
{
	struct frame frame = { .type = FRAME_GIVE };
	struct iovec packet = { &frame, sizeof(frame) };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .header = {
		.cmsg_len = CMSG_LEN(sizeof(int)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
	} };
	struct msghdr message = {
		.msg_iov = &packet,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};

	if (m->init < 0)
		return ENOTCONN;
	if (!(m->program->head.stdio & STDIO_TERMINAL))
		return EINVAL;
	if (!isatty(terminal))
		return errno;
	memcpy(CMSG_DATA(&control.header), &terminal, sizeof(terminal));
	return sendmsg(m->init, &message, 0) < 0 ? errno : 0;
}

/* Has a child of init's take this process's place, and ends. */
static int succeed(const struct machine *m, uint64_t child)
{
	if (m->init < 0)
		return ENOTCONN;
	if (child - 1 >= INT32_MAX)
		return EINVAL;
	say(m, FRAME_SUCCEED, 4, (uint32_t)child, 0);
	_exit(0);
}

/* Writes a number in decimal at `address`. Returns how many characters it has, or -EINVAL. */
static int write_decimal(const struct machine *m, uint64_t address, int64_t number)
{
	char text[24];
	int length = snprintf(text, sizeof(text), "%lld", (long long)number);
	uint8_t *to = place(m, address, (uint64_t)length + 1);

	if (!to)
		return -EINVAL;
	memcpy(to, text, (size_t)length + 1);
	return length;
}

static bool is_number_size(uint64_t size)
{
	return size == 1 || size == 2 || size == 4 || size == 8;
}

/* Fills in the six arguments' values. Returns an errno. */
static int resolve(const struct machine *m, const struct instruction *in, uint64_t values[6])
{
	for (int i = 0; i < 6; i++) {
		uint64_t argument = in->arguments[i];
		int pidfd;

		switch (in->kinds[i]) {
		case ARGUMENT_NUMBER:
			values[i] = argument;
			break;
		case ARGUMENT_REGISTER:
			if (argument >= NO_REGISTER)
				return EINVAL;
			values[i] = m->registers[argument];
			break;
		case ARGUMENT_ADDRESS:
			if (argument > m->size)
				return EINVAL;
			values[i] = (uint64_t)(uintptr_t)(memory + argument);
			break;
		case ARGUMENT_PIDFD:
			pidfd = argument > UINT32_MAX ? -1 : pidfd_of((uint32_t)argument);
			if (pidfd < 0)
				return ESRCH;
			values[i] = (uint64_t)pidfd;
			break;
		default:
			return EINVAL;
		}
	}
	return 0;
}

static bool accepts(const struct instruction *in, int error)
{
	for (int i = 0; i < 4; i++)
		if (in->accepted[i] && (in->accepted[i] == ANY_ERRNO || in->accepted[i] == error))
			return true;
	return false;
}

static bool compare(int64_t left, enum comparison comparison, int64_t right)
{
	switch (comparison) {
	case COMPARE_EQUAL:
		return left == right;
	case COMPARE_DIFFERENT:
		return left != right;
	case COMPARE_LESS:
		return left < right;
	case COMPARE_NOT_LESS:
		return left >= right;
	default:
		return true;
	}
}

/* Executes the instruction with this index. Returns an errno. */
static int step(struct machine *m, uint32_t index)
{
	struct instruction in;
	uint64_t a[6];
	uint64_t result = 0;
	uint8_t *bytes;
	long returned;
	int error;

	memcpy(&in, m->program->instructions + index * sizeof(in), sizeof(in));
	if (in.target > m->program->head.instructions)
		return EINVAL;
	error = resolve(m, &in, a);
	if (error)
		return error;

	switch (in.operation) {
	case OP_END:
		m->next = m->program->head.instructions;
		return 0;
	case OP_SYSCALL:
		returned = syscall(in.number, a[0], a[1], a[2], a[3], a[4], a[5]);
		if (returned == -1) {
			error = errno;
			if (!accepts(&in, error))
				return error;
			returned = -error;
			m->next = in.target;
		}
		result = (uint64_t)returned;
		break;
	case OP_JUMP:
		if (in.number > COMPARE_NOT_LESS)
			return EINVAL;
		if (compare((int64_t)a[0], in.number, (int64_t)a[1]))
			m->next = in.target;
		return 0;
	case OP_STORE:
		bytes = place(m, a[0], a[2]);
		if (!bytes || !is_number_size(a[2]))
			return EINVAL;
		memcpy(bytes, &a[1], a[2]);
		return 0;
	case OP_LOAD:
		bytes = place(m, a[0], a[1]);
		if (!bytes || !is_number_size(a[1]))
			return EINVAL;
		memcpy(&result, bytes, a[1]);
		break;
	case OP_STOP:
		return stop(m, index);
	case OP_GIVE:
		return give_terminal(m, (int)a[0]);
	case OP_OUTPUT:
		bytes = place(m, a[0], a[1]);
		return bytes ? send_output(m, bytes, a[1]) : EINVAL;
	case OP_FAIL:
		result = (int64_t)a[0] < 0 ? -a[0] : a[0];
		return result - 1 < MAX_ERRNO ? (int)result : EINVAL;
	case OP_ADD:
		result = a[0] + a[1];
		break;
	case OP_DECIMAL:
		returned = write_decimal(m, a[0], (int64_t)a[1]);
		if (returned < 0)
			return (int)-returned;
		result = (uint64_t)returned;
		break;
	case OP_SUCCEED:
		return succeed(m, a[0]);
	default:
		return EINVAL;
	}
	if (in.destination != NO_REGISTER)
		m->registers[in.destination] = result;
	return 0;
}

void execute_program(const struct program *program, int init)
{
	static struct machine m;

	/* What has executed one before, as a QEMU that was forked from one that was forked, left its words there. */
	if (m.size > program->head.data)
		memset(memory + program->head.data, 0, m.size - program->head.data);
	m = (struct machine){ .program = program, .init = init, .size = program->head.data + program->head.zeroed };
	load_memory(program);
	while (m.next < program->head.instructions) {
		uint32_t index = m.next++;
		int error = step(&m, index);

		if (error)
			fail(&m, index, error);
	}
	say(&m, FRAME_DONE, 0, 0, 0);
}

noreturn void run_program(const struct program *program, int init)
{
	execute_program(program, init);
	_exit(0);
}
