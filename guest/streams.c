/*
 * A process's stdin, stdout and stderr: pipes, or a terminal that its program has made and given to init. Each is served by
 * itself, so that one that is stuck stalls no other.
 */
#define _GNU_SOURCE
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static void hang_up(struct process *p);

void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
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

/* Nobody reads stdin any more: closes it, and has the host told. */
static void refuse_input(struct input *in)
{
	close_input(in);
	in->refused = true;
}

/* Writes to stdin. Returns how much it took; -1 if nobody reads. */
static ssize_t write_input(struct input *in, const uint8_t *bytes, size_t length)
{
	ssize_t n = write(in->fd, bytes, length);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		refuse_input(in);
	else
		in->owed += (uint32_t)n;
	return n;
}

/* Keeps what stdin does not take yet. */
static void keep_input(struct input *in, const uint8_t *bytes, size_t length)
{
	if (!in->buffer)
		in->buffer = malloc(STDIN_WINDOW);
	if (!in->buffer)
		die("no memory for a process's stdin");
	memmove(in->buffer, in->buffer + in->start, in->length);
	memcpy(in->buffer + in->length, bytes, length);
	in->start = 0;
	in->length += length;
}

void take_input(struct process *p, const uint8_t *bytes, size_t length)
{
	struct input *in = &p->in;

	if (!in->taking || in->ending)
		return;
	if (in->fd >= 0 && !in->length) {
		ssize_t n = write_input(in, bytes, length);

		if (n < 0)
			return;
		bytes += n;
		length -= (size_t)n;
	}
	if (length > STDIN_WINDOW - in->length) {
		complain("process %u: the host sent more than its credit", p->handle);
		length = STDIN_WINDOW - in->length;
	}
	if (length)
		keep_input(in, bytes, length);
}

int poll_input(const struct process *p, short *events)
{
	*events = p->in.length ? POLLOUT : 0;
	/* A pipe is watched for its reader to go away. A terminal that nobody has open now would be ready all the time. */
	return p->in.length || !p->terminal ? p->in.fd : -1;
}

bool serve_input(struct process *p)
{
	struct input *in = &p->in;
	short seen = p->seen[STDIN];

	if (in->fd >= 0 && seen & POLLOUT) {
		ssize_t n = write_input(in, in->buffer + in->start, in->length);

		if (n > 0) {
			in->start += (size_t)n;
			in->length -= (size_t)n;
		}
	} else if (in->fd >= 0 && seen && p->terminal) {
		/* What is typed while nobody has the terminal open is lost, as a hang-up loses it. */
		in->owed += (uint32_t)in->length;
		in->length = 0;
	} else if (in->fd >= 0 && seen) {
		refuse_input(in);
	}
	if (!in->length && in->buffer) {
		free(in->buffer);
		in->buffer = NULL;
	}
	if (!in->length && in->ending && in->fd >= 0) {
		close_input(in);
		hang_up(p);
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

static void stop_watching(struct output *o)
{
	if (o->watched)
		wake_never(o->fd);
	o->watched = false;
}

static void close_output(struct output *o)
{
	stop_watching(o);
	close_fd(&o->fd);
}

/* The host wants neither to write to a terminal nor to read from it: closing the master hangs its session up, see tty_ioctl(4). */
static void hang_up(struct process *p)
{
	struct output *o = &p->out[STDOUT];

	if (p->terminal && !p->in.taking && p->in.fd < 0 && o->state == OUTPUT_NONE)
		close_output(o);
}

/* Of a terminal only the way in ends: it stays as long as it is an output. */
void end_input(struct process *p)
{
	if (p->in.length || (p->terminal && p->in.fd < 0))
		p->in.ending = true;
	else
		close_input(&p->in);
	hang_up(p);
}

/* The output that is a terminal; NULL if none is. */
static struct output *terminal_of(struct process *p)
{
	return p->terminal ? &p->out[STDOUT] : NULL;
}

/*
 * There was nothing to read. A pipe ends when it hangs up: others may hold it when the process is dead. A terminal that nobody has
 * open now may be opened again; once the process is dead it is waited for no more.
 */
static void nothing_read(struct process *p, struct output *o, bool hung_up)
{
	if (hung_up && o == terminal_of(p) && !p->exited) {
		o->asleep = true;
		if (!o->watched)
			wake_on_change(o->fd, &o->asleep);
		o->watched = true;
		return;
	}
	if (hung_up)
		close_output(o);
	if (o->state == OUTPUT_OPEN && (hung_up || (p->exited && o == terminal_of(p))))
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

/* Looks whether an output without credit has something, or has ended. */
static void look_at_output(struct process *p, struct output *o)
{
	struct pollfd look = { .fd = o->fd, .events = POLLIN };

	poll(&look, 1, 0);
	if (look.revents & POLLIN)
		o->stalled = true;
	else
		nothing_read(p, o, look.revents & (POLLHUP | POLLERR));
}

/* Lays out frames where they are sent from, as many as have space and credit. Returns how many. */
static int lay_out(struct iovec payloads[OUTPUT_FRAMES], uint64_t credit)
{
	uint8_t *payload = channel_payload();
	size_t space = channel_room() + sizeof(struct frame);
	int count;

	for (count = 0; count < OUTPUT_FRAMES && credit && space >= MAX_FROM_GUEST; count++) {
		payloads[count].iov_base = payload;
		payloads[count].iov_len = credit < DATA_SIZE ? credit : DATA_SIZE;
		credit -= payloads[count].iov_len;
		payload += MAX_FROM_GUEST;
		space -= MAX_FROM_GUEST;
	}
	return count;
}

/* Sends output, which is read to where it is sent from. */
static bool send_output(struct process *p, struct output *o, unsigned stream)
{
	struct iovec payloads[OUTPUT_FRAMES];
	ssize_t n;

	if (!channel_space(DATA_SIZE))
		return false;
	/* Reading a terminal's master that nobody has open at the other side gives EIO: pty(7). */
	n = readv(o->fd, payloads, lay_out(payloads, o->credit));
	if (n <= 0) {
		if (n == 0 || errno != EINTR)
			nothing_read(p, o, n == 0 || errno != EAGAIN);
		return true;
	}
	stop_watching(o);
	/* If the kernel refuses, it goes on as it is. */
	if (n > DATA_SIZE && !o->widened)
		fcntl(o->fd, F_SETPIPE_SZ, WIDE_PIPE);
	o->widened |= n > DATA_SIZE;
	o->credit -= (uint64_t)n;
	for (size_t left = (size_t)n, length; left; left -= length) {
		length = left < DATA_SIZE ? left : DATA_SIZE;
		channel_put(p->handle, FRAME_DATA, stream, length);
	}
	return true;
}

int poll_output(const struct process *p, unsigned stream, short *events)
{
	const struct output *o = &p->out[stream];

	if (o->stalled || o->asleep || o->state == OUTPUT_ENDED)
		return -1;
	/* What there is no space for would be ready all the time. */
	if (o->state == OUTPUT_OPEN && channel_room() < DATA_SIZE)
		return -1;
	*events = o->credit || o->state == OUTPUT_NONE ? POLLIN : 0;
	return o->fd;
}

bool serve_output(struct process *p, unsigned stream)
{
	struct output *o = &p->out[stream];
	/* Nothing shows that a terminal has been emptied. */
	bool ending = p->exited && o == terminal_of(p);

	if (o->state == OUTPUT_NONE && o->fd >= 0 && p->seen[stream])
		drop_output(p, o);
	if (o->state == OUTPUT_OPEN && o->fd >= 0 && !o->stalled && (p->seen[stream] || ending)) {
		if (!o->credit)
			look_at_output(p, o);
		else if (!send_output(p, o, stream))
			return false;
	}
	/* A terminal that was announced and never given. */
	if (o->state == OUTPUT_OPEN && o->fd < 0 && p->exited)
		o->state = OUTPUT_ENDED;
	if (o->state == OUTPUT_ENDED) {
		if (!channel_tell(p->handle, FRAME_EOF, stream, 0, 0, 0))
			return false;
		o->state = OUTPUT_NONE;
	}
	return true;
}

/* A pipe is closed, as a reader that goes away does; what comes from a terminal is dropped. */
void end_output(struct process *p, unsigned stream)
{
	struct output *o = &p->out[stream];

	o->state = OUTPUT_NONE;
	o->stalled = false;
	if (p->terminal && stream == STDOUT)
		hang_up(p);
	else
		close_output(o);
}

void add_credit(struct process *p, unsigned stream, uint32_t bytes)
{
	p->out[stream].credit += bytes;
	if (bytes)
		p->out[stream].stalled = false;
}

/* Both */

void take_terminal(struct process *p, int fd)
{
	if (!p->terminal || p->out[STDOUT].fd >= 0) {
		close(fd);
		return;
	}
	if (fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		die("cannot make a terminal nonblocking: %m");
	p->out[STDOUT].fd = fd;
	if (p->in.taking)
		p->in.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (p->sized)
		resize_terminal(p);
}

void resize_terminal(struct process *p)
{
	p->sized = true;
	if (p->out[STDOUT].fd >= 0)
		ioctl(p->out[STDOUT].fd, TIOCSWINSZ, &p->size);
}

void end_streams(struct process *p)
{
	close_input(&p->in);
	p->in.refused = false;
	/* A terminal is kept for nobody now: it ends as a pipe does. */
	p->out[STDOUT].asleep = false;
}

void close_streams(struct process *p)
{
	close_input(&p->in);
	close_output(&p->out[STDOUT]);
	close_output(&p->out[STDERR]);
}
