/*
 * Loaded into QEMU before its libraries (LD_PRELOAD): serves the share to the guest, over virtio-fs.
 *
 * QEMU's device for that (vhost-user-fs) leaves the work to whoever is at the other end of a socket, to whom it tells where the guest's memory and
 * the device's queues are. Here that is a thread of the same process. So the guest's memory need not be shared with anybody, and a machine
 * whose memory is its template's, copy-on-write, has it; and who serves is in QEMU's jail, with QEMU's user id and capabilities.
 *
 * The thread is none of the C library's. It has its own umask and leaves everything alone but the socket, which has a fixed number, what it is sent
 * over it, and the files that it opens below /share.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "../thread.h"
#include "fs.h"
#include "server.h"

/* docs/interop/vhost-user.rst of QEMU. */
enum message_type {
	GET_FEATURES = 1,
	SET_FEATURES = 2,
	SET_OWNER = 3,
	RESET_OWNER = 4,
	SET_MEM_TABLE = 5,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10,
	GET_VRING_BASE = 11,
	SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
	SET_VRING_ERR = 14,
	GET_PROTOCOL_FEATURES = 15,
	SET_PROTOCOL_FEATURES = 16,
	GET_QUEUE_NUM = 17,
	SET_VRING_ENABLE = 18,
	GET_MAX_MEM_SLOTS = 36,
	ADD_MEM_REG = 37,
	REM_MEM_REG = 38,
};

#define FEATURE_INDIRECT (1ull << 28)
#define FEATURE_EVENT_INDEX (1ull << 29)
#define FEATURE_PROTOCOL (1ull << 30)
#define FEATURE_VERSION_1 (1ull << 32)
#define PROTOCOL_MQ (1ull << 0)
#define PROTOCOL_REPLY_ACK (1ull << 3)
#define PROTOCOL_MEM_SLOTS (1ull << 15)

enum {
	IS_REPLY = 1 << 2,
	NEEDS_REPLY = 1 << 3,
	VERSION = 1,
	NO_FD = 1 << 8,
	MOST_FDS = 8,
	STACK = 128 << 10,
	/* How long the guest is not told of answers for which nobody waits, if there is no other. */
	SETTLE_MILLISECONDS = 2,
};

struct message {
	uint32_t type, flags, size;
	union {
		uint64_t number;
		struct {
			uint32_t index, value;
		} state;
		struct {
			uint32_t index, flags;
			uint64_t descriptors, used, available, log;
		} ring;
		struct {
			uint32_t count, padding;
			struct {
				uint64_t guest, size, here, offset;
			} regions[8];
		} memory;
		struct {
			uint64_t padding, guest, size, here, offset;
		} region;
	};
} __attribute__((packed));

enum { HEADER = 12 };

static int server; /* its id */
static uint32_t busy; /* the server is at work, or held */

static bool read_all(void *to, size_t size)
{
	for (size_t done = 0; done < size;) {
		long length = CALL(recvfrom, FS_SOCKET, (uint8_t *)to + done, size - done, MSG_WAITALL, 0, 0);

		if (length == -EINTR)
			continue;
		if (length <= 0)
			return false;
		done += (size_t)length;
	}
	return true;
}

/* Takes a message, and the one descriptor that some come with; of others, which are the guest's memory, this process has no need. */
static bool receive(struct message *message, int *fd)
{
	_Alignas(8) char control[CMSG_SPACE(MOST_FDS * sizeof(int))];
	struct iovec part = { message, HEADER };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	long length = CALL(recvmsg, FS_SOCKET, &header, MSG_CMSG_CLOEXEC | MSG_WAITALL);
	const struct cmsghdr *found = CMSG_FIRSTHDR(&header);

	*fd = -1;
	if (length != HEADER || message->size > sizeof(*message) - HEADER)
		return false;
	for (size_t i = 0; found && found->cmsg_type == SCM_RIGHTS && CMSG_LEN((i + 1) * sizeof(int)) <= found->cmsg_len; i++) {
		int sent;

		memcpy(&sent, CMSG_DATA(found) + i * sizeof(int), sizeof(sent));
		if (i == 0 && message->type >= SET_VRING_KICK && message->type <= SET_VRING_ERR)
			*fd = sent;
		else
			CALL(close, sent);
	}
	return read_all((uint8_t *)message + HEADER, message->size);
}

static void reply(struct message *message, uint32_t size)
{
	message->flags = VERSION | IS_REPLY;
	message->size = size;
	CALL(sendto, FS_SOCKET, message, HEADER + size, MSG_NOSIGNAL, 0, 0);
}

static void reply_number(struct message *message, uint64_t number)
{
	message->number = number;
	reply(message, sizeof(number));
}

static void set_memory(const struct message *message)
{
	memory_clear();
	for (uint32_t i = 0; i < message->memory.count && i < 8; i++)
		memory_add(&(struct region){
			message->memory.regions[i].guest,
			message->memory.regions[i].size,
			message->memory.regions[i].here,
		});
}

static void replace(int *at, int fd)
{
	if (*at >= 0)
		CALL(close, *at);
	*at = fd;
}

/* Does what a message says. Returns whether it has been answered. */
static bool obey(struct message *message, int fd)
{
	uint32_t index = message->type == SET_VRING_KICK || message->type == SET_VRING_CALL ? message->number & 0xff : message->state.index;
	struct queue *queue = index < QUEUES ? &queues[index] : NULL;
	struct region region = { message->region.guest, message->region.size, message->region.here };

	switch (message->type) {
	case GET_FEATURES:
		reply_number(message, FEATURE_VERSION_1 | FEATURE_PROTOCOL | FEATURE_INDIRECT | FEATURE_EVENT_INDEX);
		return true;
	case SET_FEATURES:
		queue_event_index = message->number & FEATURE_EVENT_INDEX;
		return false;
	case GET_PROTOCOL_FEATURES:
		reply_number(message, PROTOCOL_MQ | PROTOCOL_REPLY_ACK | PROTOCOL_MEM_SLOTS);
		return true;
	case GET_QUEUE_NUM:
		reply_number(message, QUEUES);
		return true;
	case GET_MAX_MEM_SLOTS:
		reply_number(message, MOST_REGIONS);
		return true;
	case SET_MEM_TABLE:
		set_memory(message);
		return false;
	case ADD_MEM_REG:
		memory_add(&region);
		return false;
	case REM_MEM_REG:
		memory_remove(&region);
		return false;
	}
	if (!queue)
		return false;
	switch (message->type) {
	case SET_VRING_NUM:
		queue->size = message->state.value <= MOST_QUEUE ? message->state.value : 0;
		return false;
	case SET_VRING_BASE:
		queue->last = (uint16_t)message->state.value;
		return false;
	case SET_VRING_ADDR:
		queue->descriptors = message->ring.descriptors;
		queue->available = message->ring.available;
		queue->used = message->ring.used;
		return false;
	case SET_VRING_KICK:
		replace(&queue->kick, fd);
		return false;
	case SET_VRING_CALL:
		replace(&queue->call, fd);
		return false;
	case SET_VRING_ENABLE:
		queue->enabled = message->state.value;
		return false;
	case GET_VRING_BASE:
		queue->enabled = queue->owes = false;
		replace(&queue->kick, -1);
		replace(&queue->call, -1);
		message->state.value = queue->last;
		reply(message, sizeof(message->state));
		return true;
	}
	return false;
}

static void take_message(void)
{
	struct message message = { 0 };
	int fd;

	/* QEMU has ended, or let go of the device. */
	if (!receive(&message, &fd)) {
		fs_release();
		CALL(exit, 0);
	}
	bool needs_reply = message.flags & NEEDS_REPLY;

	if (!obey(&message, fd) && needs_reply)
		reply_number(&message, 0);
}

void fs_hold(void)
{
	const struct timespec pause = { .tv_nsec = 100000 };

	while (__atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE))
		CALL(nanosleep, &pause, 0);
}

void fs_release(void)
{
	__atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
}

void fs_leave(void)
{
	/* Of what the host changed until now, the clone's guest is told as its parent's is. */
	changes_take();
	nodes_leave();
}

bool fs_renew(void)
{
	changes_leave();
	nodes_renew();
	return changes_renew();
}

static noreturn void serve_for_ever(void)
{
	server = (int)CALL(gettid);
	CALL(umask, 0);
	fs_hold();
	for (;;) {
		struct pollfd wait[2 + QUEUES] = { { FS_SOCKET, POLLIN, 0 } };
		/* The kernel writes to it. */
		struct timespec settles = { .tv_nsec = SETTLE_MILLISECONDS * 1000000 };
		long ready;
		bool owes = false;

		for (int i = 0; i < QUEUES; i++) {
			owes |= queues[i].owes;
			wait[1 + i] = (struct pollfd){ queues[i].enabled ? queues[i].kick : -1, POLLIN, 0 };
		}
		wait[1 + QUEUES] = (struct pollfd){ changes_fd, POLLIN, 0 };
		fs_release();
		ready = CALL(ppoll, wait, 2 + QUEUES, owes ? &settles : NULL, 0, 8);
		fs_hold();
		if (ready <= 0) {
			for (int i = 0; i < QUEUES && ready == 0; i++)
				queue_settle(&queues[i]);
			continue;
		}
		if (wait[1 + QUEUES].revents) {
			changes_take();
			changes_tell();
		}
		for (int i = 0; i < QUEUES; i++) {
			uint64_t count;

			if (!(wait[1 + i].revents & POLLIN))
				continue;
			CALL(read, queues[i].kick, &count, sizeof(count));
			queue_serve(&queues[i]);
		}
		if (wait[0].revents)
			take_message();
	}
}

bool fs_is_server(int thread)
{
	return thread == __atomic_load_n(&server, __ATOMIC_SEQ_CST);
}

void fs_start(void)
{
	int type;
	socklen_t length = sizeof(type);

	if (CALL(getsockopt, FS_SOCKET, SOL_SOCKET, SO_TYPE, &type, &length) < 0 || type != SOCK_STREAM)
		return;
	start_thread(STACK, serve_for_ever);
}

__attribute__((constructor)) static void begin(void)
{
	for (int i = 0; i < QUEUES; i++)
		queues[i].kick = queues[i].call = -1;
	fs_start();
}
