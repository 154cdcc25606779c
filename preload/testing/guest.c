/*
 * For preload/fs/server.test.ts: plays QEMU and the guest's kernel to the server of files that is loaded into this program (LD_PRELOAD). The socket to
 * it is made here, and the program started again, for the server starts with the process.
 *
 * Reads requests from its input and writes answers, both as a length of four bytes and so many bytes; a request begins with FUSE's head. Words before it
 * or in its place speak to the device: see `special` and `take_later`. What it makes of the queue is what a guest's driver would, unless such a word says otherwise.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { QEMU = 20, SERVER = 12, SIZE = 8, MEMORY = 4 << 20, OUT = 1 << 20, IN = 2 << 20, MOST = 1 << 20, LATER = 3 << 20 };

/* Where the guest has its memory. */
static const uint64_t guest = 0x100000000;
static uint8_t *memory;
static int kick, called;

struct descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags, next;
};

static struct descriptor *descriptors;
static uint16_t *available, *used;

static void send_message(uint32_t type, const void *payload, uint32_t size, int fd)
{
	uint32_t head[3] = { type, 1 | 8, size };
	struct iovec parts[2] = { { head, sizeof(head) }, { (void *)payload, size } };
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	uint32_t answer[3];
	uint64_t value;

	if (fd >= 0) {
		struct cmsghdr *header;

		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	}
	if (sendmsg(QEMU, &message, 0) < 0 || recv(QEMU, answer, sizeof(answer), MSG_WAITALL) != sizeof(answer) ||
	    recv(QEMU, &value, sizeof(value), MSG_WAITALL) != sizeof(value))
		err(2, "message %u", type);
}

static void begin(void)
{
	uint64_t at = (uint64_t)memory;
	uint64_t table[5] = { 1, guest, MEMORY, at, 0 };
	uint32_t state[2] = { 1, SIZE };
	struct {
		uint32_t index, flags;
		uint64_t descriptors, used, available, log;
	} ring = { 1, 0, at, at + 8192, at + 4096, 0 };

	descriptors = (void *)memory;
	available = (void *)(memory + 4096);
	used = (void *)(memory + 8192);
	send_message(2, &(uint64_t){ 1ull << 32 | 1ull << 28 }, 8, -1);
	send_message(5, table, sizeof(table), kick);
	send_message(8, state, sizeof(state), -1);
	send_message(10, (uint32_t[2]){ 1, 0 }, 8, -1);
	send_message(9, &ring, sizeof(ring), -1);
	send_message(12, &(uint64_t){ 1 }, 8, kick);
	send_message(13, &(uint64_t){ 1 }, 8, called);
	send_message(18, (uint32_t[2]){ 1, 1 }, 8, -1);
}

/* Puts a chain into the queue. */
static void submit(uint16_t head)
{
	uint64_t value = 1;

	available[2 + available[1] % SIZE] = head;
	__atomic_store_n(&available[1], available[1] + 1, __ATOMIC_SEQ_CST);
	if (write(kick, &value, sizeof(value)) < 0)
		err(2, "kick");
}

/* Waits until a chain has been used. Returns how much was written. */
static uint32_t answered(uint16_t head)
{
	static uint16_t seen;
	static int64_t lengths[SIZE] = { -1, -1, -1, -1, -1, -1, -1, -1 };
	struct pollfd wait = { called, POLLIN, 0 };
	uint64_t value;

	for (;;) {
		for (; seen != __atomic_load_n(&used[1], __ATOMIC_SEQ_CST); seen++) {
			const uint32_t *element = (const uint32_t *)(used + 2) + (seen % SIZE) * 2;

			lengths[element[0] % SIZE] = element[1];
		}
		if (lengths[head] >= 0) {
			value = (uint64_t)lengths[head];
			lengths[head] = -1;
			return (uint32_t)value;
		}
		if (poll(&wait, 1, 10000) <= 0 || read(called, &value, sizeof(value)) < 0)
			errx(2, "no answer");
	}
}

/* "submit  ": a request whose answer is not waited for; "answer  ": the answer to it. Returns whether it is one of these; what was written is at LATER. */
static bool take_later(const char *word, const uint8_t *from, uint32_t length, uint32_t *written)
{
	*written = 0;
	if (!memcmp(word, "answer  ", 8)) {
		*written = answered(2);
		return true;
	}
	if (memcmp(word, "submit  ", 8))
		return false;
	memcpy(memory + LATER + 65536, from, length);
	descriptors[2] = (struct descriptor){ guest + LATER + 65536, length, 1, 3 };
	descriptors[3] = (struct descriptor){ guest + LATER, 4096, 2, 0 };
	submit(2);
	return true;
}

/* Waits until the device says that there are answers, whether they have been seen or not. @fresh: what it has said before counts no more */
static void wait_until_told(bool fresh)
{
	struct pollfd wait = { called, POLLIN, 0 };
	uint64_t value;

	if (fresh && poll(&wait, 1, 0) == 0)
		return;
	if (poll(&wait, 1, 10000) <= 0 || read(called, &value, sizeof(value)) < 0)
		errx(2, "the guest is not told of an answer");
}

/* Words of eight bytes in a request's place: chains that no driver would make. */
static void special(const char *word, uint32_t length)
{
	descriptors[0] = (struct descriptor){ guest + IN, length, 1, 1 };
	descriptors[1] = (struct descriptor){ guest + OUT, 4096, 2, 0 };
	if (!memcmp(word, "outside ", 8)) /* the answer's place is no memory of the guest's */
		descriptors[1].address = guest + MEMORY - 8;
	else if (!memcmp(word, "wrapping", 8))
		descriptors[1] = (struct descriptor){ UINT64_MAX - 8, 64, 2, 0 };
	else if (!memcmp(word, "loop    ", 8))
		descriptors[1] = (struct descriptor){ guest + IN, 8, 1, 0 };
	else if (!memcmp(word, "beyond  ", 8)) /* the next is none of the queue's */
		descriptors[0].next = 60000;
	else if (!memcmp(word, "tables  ", 8)) { /* a table in a table */
		descriptors[0] = (struct descriptor){ guest + 65536, 16, 4, 0 };
		*(struct descriptor *)(memory + 65536) = (struct descriptor){ guest + 65536, 16, 4, 0 };
	} else if (!memcmp(word, "short   ", 8)) /* less than a head */
		descriptors[0].length = 12;
	else if (!memcmp(word, "no room ", 8)) /* nowhere to write an answer to */
		descriptors[1].length = 4;
}

int main(int count, char **arguments)
{
	static uint8_t request[MOST];
	uint32_t length;

	if (count == 1) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || dup2(pair[0], QEMU) < 0 || dup2(pair[1], SERVER) < 0)
			err(2, "socketpair");
		close(pair[0] == QEMU ? -1 : pair[0]);
		close(pair[1] == SERVER ? -1 : pair[1]);
		execl("/proc/self/exe", arguments[0], "again", NULL);
		err(2, "execl");
	}
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	kick = eventfd(0, 0);
	called = eventfd(0, 0);
	begin();
	while (fread(&length, sizeof(length), 1, stdin) == 1 && length <= MOST && fread(request, 1, length, stdin) == length) {
		uint32_t written;
		bool is_told, strange = length >= 8 && request[0] >= 'a' && request[1] >= ' ' && request[2] >= ' ';
		const uint8_t *from = request + (strange ? 8 : 0);

		length -= strange ? 8 : 0;
		if (strange && take_later((char *)request, from, length, &written)) {
			fwrite(&written, sizeof(written), 1, stdout);
			fwrite(memory + LATER, 1, written, stdout);
			fflush(stdout);
			continue;
		}
		memcpy(memory + IN, from, length);
		memset(memory + OUT, 0, 4096);
		descriptors[0] = (struct descriptor){ guest + IN, length, 1, 1 };
		descriptors[1] = (struct descriptor){ guest + OUT, 65536, 2, 0 };
		if (strange)
			special((char *)request, length);
		is_told = strange && !memcmp(request, "told    ", 8);
		if (is_told)
			wait_until_told(true);
		submit(0);
		if (is_told)
			wait_until_told(false);
		written = answered(0);
		fwrite(&written, sizeof(written), 1, stdout);
		fwrite(memory + OUT, 1, written, stdout);
		fflush(stdout);
	}
	return 0;
}
