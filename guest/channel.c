/*
 * The channel to the host: a duplex byte stream, never waited for except in the agent's poll(2).
 *
 * Memory is bounded. What goes out is put into one buffer; who finds no space there tries again when it has drained, and so
 * waits without holding bytes of its own. What comes in is cut into frames where it was read.
 */
#define _GNU_SOURCE
#include "agent.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	HEADER = sizeof(struct frame),
	IN_SIZE = 4096 + MAX_TO_GUEST,
	/* How much is read at a time, unless a frame is larger: a stream of small frames touches few pages. */
	IN_CHUNK = 64 << 10,
	/* A virtio port hands out at most a page per read(2), however much has come. */
	PORT_READ = 4096,
	PAGE = 4096,
	LARGE = 1 << 20,
	/* Twice what is read of an output at once, so that reading goes on beside writing, and the frames that announce and end things. */
	OUT_SIZE = 2 * OUTPUT_FRAMES * (HEADER + MAX_FROM_GUEST) + 4096,
};

static struct {
	int fd;
	bool reconnects;
	bool asleep; /* the host has hung up */
	bool watched; /* wake_on_change() is in force */
	bool stuck; /* a frame has come whole and waits for space for its answer */
	bool starved; /* somebody found no space */
	size_t received; /* bytes in `in` */
	size_t sent, end; /* of the bytes in `out`, which begin with a frame */
	_Alignas(PAGE) uint8_t in[IN_SIZE];
	uint8_t out[OUT_SIZE];
} channel;

void channel_open(int fd, bool reconnects)
{
	channel.fd = fd;
	channel.reconnects = reconnects;
}

void channel_close(void)
{
	close(channel.fd);
}

int channel_poll(short *events)
{
	*events = (short)((channel.stuck ? 0 : POLLIN) | (channel.sent < channel.end ? POLLOUT : 0));
	return channel.asleep ? -1 : channel.fd;
}

static struct frame frame_at(const uint8_t *bytes)
{
	struct frame frame;

	memcpy(&frame, bytes, sizeof(frame));
	return frame;
}

/*
 * The host has hung up. When it comes back, both sides begin with a frame: the rest of one that was cut is dropped.
 * A virtio port without its host is "hung up" for poll(2) all the time, so that waiting for it takes wake_on_change().
 */
static void hang_up(void)
{
	size_t at = 0;

	if (!channel.reconnects)
		_exit(0);
	while (at < channel.sent)
		at += HEADER + frame_at(channel.out + at).length;
	channel.sent = at;
	channel.received = 0;
	channel.stuck = false;
	channel.asleep = true;
	if (!channel.watched)
		wake_on_change(channel.fd, &channel.asleep);
	channel.watched = true;
}

/* Hands on the whole frames that have come and keeps the rest. */
static void deliver(void (*take)(const struct frame *frame, const uint8_t *payload))
{
	size_t at = 0;

	channel.stuck = false;
	while (channel.received - at >= HEADER) {
		struct frame frame = frame_at(channel.in + at);

		if (frame.length > MAX_TO_GUEST)
			die("the host sent a frame of %u bytes", frame.length);
		if (channel.received - at < HEADER + frame.length)
			break;
		channel.stuck = !channel_space(REPLY_SPACE);
		if (channel.stuck)
			break;
		take(&frame, channel.in + at + HEADER);
		at += HEADER + frame.length;
	}
	/* Of a large frame a page comes at a time: what there is of it is not moved, which musl would do byte by byte. */
	if (at == 0)
		return;
	channel.received -= at;
	memmove(channel.in, channel.in + at, channel.received);
	/* What a large frame has touched is of no use to the small ones that follow. */
	if (at > LARGE && channel.received < PAGE)
		madvise(channel.in + PAGE, IN_SIZE - PAGE, MADV_DONTNEED);
}

void channel_read(short seen, void (*take)(const struct frame *frame, const uint8_t *payload))
{
	size_t wanted;
	ssize_t n;

	if (channel.stuck)
		deliver(take);
	if (channel.stuck && seen & (POLLHUP | POLLERR))
		hang_up();
	if (channel.stuck || !(seen & ~POLLOUT))
		return;
	do {
		wanted = IN_CHUNK;
		if (channel.received >= HEADER)
			wanted = HEADER + frame_at(channel.in).length - channel.received;
		if (wanted < IN_CHUNK)
			wanted = IN_CHUNK;
		if (wanted > IN_SIZE - channel.received)
			wanted = IN_SIZE - channel.received;
		n = read(channel.fd, channel.in + channel.received, wanted);
		if (n > 0) {
			if (channel.watched)
				wake_never(channel.fd);
			channel.watched = false;
			channel.received += (size_t)n;
			deliver(take);
		} else if (n == 0 || errno == ECONNRESET) {
			hang_up();
		} else if (errno != EAGAIN && errno != EINTR) {
			die("cannot read from the host: %m");
		}
	} while (n > 0 && !channel.stuck && (n >= PORT_READ || channel.received));
}

size_t channel_room(void)
{
	return channel.end + HEADER < OUT_SIZE ? OUT_SIZE - channel.end - HEADER : 0;
}

bool channel_space(size_t length)
{
	if (channel_room() >= length)
		return true;
	channel.starved = true;
	return false;
}

uint8_t *channel_payload(void)
{
	return channel.out + channel.end + HEADER;
}

void channel_put(uint32_t process, enum frame_type type, unsigned stream, size_t length)
{
	struct frame frame = {
		.length = (uint32_t)length,
		.process = process,
		.type = (uint8_t)type,
		.stream = (uint8_t)stream,
	};

	memcpy(channel.out + channel.end, &frame, sizeof(frame));
	channel.end += HEADER + length;
}

bool channel_tell(uint32_t process, enum frame_type type, unsigned stream, unsigned count, uint32_t first, uint32_t second)
{
	uint32_t numbers[] = { first, second };

	if (!channel_space(sizeof(numbers)))
		return false;
	memcpy(channel_payload(), numbers, sizeof(numbers));
	channel_put(process, type, stream, count * sizeof(numbers[0]));
	return true;
}

bool channel_flush(void)
{
	bool starved = channel.starved;

	while (!channel.asleep && channel.sent < channel.end) {
		ssize_t n = write(channel.fd, channel.out + channel.sent, channel.end - channel.sent);

		if (n > 0)
			channel.sent += (size_t)n;
		else if (n < 0 && errno == EPIPE)
			hang_up();
		else if (n == 0 || errno == EAGAIN)
			break;
		else if (errno != EINTR)
			die("cannot write to the host: %m");
	}
	if (channel.sent < channel.end)
		return false;
	channel.sent = channel.end = 0;
	channel.starved = false;
	return starved;
}
