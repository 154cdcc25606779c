/*
 * The device's queues (Virtual I/O Device 1.2, 2.7 "Split Virtqueues"). All of it is in the guest's memory, and the guest is hostile: each
 * number is read once, and looked at before it is used.
 */
#include "fs.h"

struct queue queues[QUEUES];
bool queue_event_index;

struct descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags, next;
};

enum {
	DESCRIPTOR_NEXT = 1,
	DESCRIPTOR_WRITE = 2,
	DESCRIPTOR_INDIRECT = 4,
	NO_INTERRUPT = 1,
};

struct used_element {
	uint32_t id, length;
};

/* A chain of descriptors, sorted: what the guest has written, and what it wants to read. */
struct chain {
	struct iovec in[MOST_PARTS], out[MOST_PARTS];
	int in_count, out_count;
	size_t in_size, out_size;
};

static struct chain chain;
static uint8_t arguments[MOST_ARGUMENTS + 8];
static uint8_t answer[sizeof(struct out_header) + MOST_ANSWER];

static bool add_part(const struct descriptor *part)
{
	bool writable = part->flags & DESCRIPTOR_WRITE;
	int *count = writable ? &chain.out_count : &chain.in_count;
	struct iovec *parts = writable ? chain.out : chain.in;
	void *here = memory_at(part->address, part->length);

	if (!here || *count == MOST_PARTS)
		return false;
	parts[(*count)++] = (struct iovec){ here, part->length };
	*(writable ? &chain.out_size : &chain.in_size) += part->length;
	return true;
}

/* Reads a chain from `table`, of `size` descriptors. */
static bool read_table(const struct descriptor *table, uint32_t size, uint32_t index, bool indirect)
{
	for (uint32_t steps = 0; steps < size; steps++) {
		struct descriptor part;

		if (index >= size)
			return false;
		memcpy(&part, (const void *)&table[index], sizeof(part));
		__asm__ volatile("" ::: "memory");
		if (part.flags & DESCRIPTOR_INDIRECT) {
			const struct descriptor *inner;

			if (indirect || part.length % sizeof(part) || part.length == 0)
				return false;
			inner = memory_at(part.address, part.length);
			return inner && read_table(inner, part.length / sizeof(part), 0, true);
		}
		if (!add_part(&part))
			return false;
		if (!(part.flags & DESCRIPTOR_NEXT))
			return true;
		index = part.next;
	}
	return false;
}

/* Copies from the parts to `to`, beginning at `skip`. Returns how much. */
static size_t gather(const struct iovec *parts, int count, size_t skip, uint8_t *to, size_t size)
{
	size_t done = 0;

	for (int i = 0; i < count && done < size; i++) {
		size_t length = parts[i].iov_len;

		if (skip >= length) {
			skip -= length;
			continue;
		}
		length -= skip;
		if (length > size - done)
			length = size - done;
		memcpy(to + done, (const uint8_t *)parts[i].iov_base + skip, length);
		done += length;
		skip = 0;
	}
	return done;
}

static void scatter(const struct iovec *parts, int count, const uint8_t *from, size_t size)
{
	for (int i = 0; i < count && size > 0; i++) {
		size_t length = parts[i].iov_len < size ? parts[i].iov_len : size;

		memcpy(parts[i].iov_base, from, length);
		from += length;
		size -= length;
	}
}

/* Leaves the first `skip` bytes out. Returns how many parts are left, from `*parts` on. */
static int skip_parts(struct iovec **parts, int count, size_t skip)
{
	while (count > 0 && skip >= (*parts)->iov_len) {
		skip -= (*parts)->iov_len;
		(*parts)++;
		count--;
	}
	if (count > 0) {
		(*parts)->iov_base = (uint8_t *)(*parts)->iov_base + skip;
		(*parts)->iov_len -= skip;
	}
	return count;
}

/* The one request that is answered later. */
static struct {
	struct queue *queue;
	uint64_t unique;
	uint16_t id;
} held;

/* Serves the request in `chain`, of a queue, with an id. Returns the length of its answer; -1 if it is answered later. @waits: whether somebody waits for it */
static int64_t serve(struct queue *queue, uint16_t id, bool *waits)
{
	struct request request = { .arguments = arguments, .answer = answer + sizeof(struct out_header) };
	struct out_header head;
	size_t fixed;
	long result;

	if (gather(chain.in, chain.in_count, 0, (uint8_t *)&request.head, sizeof(request.head)) < sizeof(request.head))
		return 0;
	*waits = request.head.opcode != OP_FORGET && request.head.opcode != OP_BATCH_FORGET;
	request.length = chain.in_size - sizeof(request.head);
	fixed = request.head.opcode == OP_WRITE && request.length > sizeof(struct transfer_in) ? sizeof(struct transfer_in) : request.length;
	if (fixed > MOST_ARGUMENTS)
		result = -EINVAL;
	else {
		gather(chain.in, chain.in_count, sizeof(request.head), arguments, fixed);
		memset(arguments + fixed, 0, 8);
		request.room = chain.out_size < sizeof(head) ? 0 : chain.out_size - sizeof(head);
		if (request.head.opcode == OP_WRITE) {
			request.data = chain.in;
			request.data_count = skip_parts(&request.data, chain.in_count, sizeof(request.head) + fixed);
			request.data_size = request.length - fixed;
			request.length = fixed;
		} else if (request.head.opcode == OP_READ && chain.out_size >= sizeof(head)) {
			request.data_size = request.room;
		}
		if (request.room > MOST_ANSWER)
			request.room = MOST_ANSWER;
		if (request.head.opcode == OP_READ && request.data_size > 0) {
			static struct iovec rest[MOST_PARTS];

			memcpy(rest, chain.out, (size_t)chain.out_count * sizeof(*rest));
			request.data = rest;
			request.data_count = skip_parts(&request.data, chain.out_count, sizeof(head));
		}
		result = dispatch(&request);
	}
	if (chain.out_size < sizeof(head))
		return 0;
	if (result == HELD) {
		held.queue = queue;
		held.id = id;
		held.unique = request.head.unique;
		return -1;
	}
	head = (struct out_header){ sizeof(head), result < 0 ? (int32_t)result : 0, request.head.unique };
	if (result > 0)
		head.length += (uint32_t)result;
	if (request.head.opcode == OP_READ || result <= 0) {
		scatter(chain.out, chain.out_count, (const uint8_t *)&head, sizeof(head));
	} else {
		memcpy(answer, &head, sizeof(head));
		scatter(chain.out, chain.out_count, answer, head.length);
	}
	return head.length;
}

static uint16_t load(uint64_t at)
{
	return __atomic_load_n((uint16_t *)at, __ATOMIC_ACQUIRE);
}

static void put_used(struct queue *queue, uint16_t id, uint32_t length)
{
	uint16_t *index = (uint16_t *)(queue->used + 2);
	struct used_element *ring = (struct used_element *)(queue->used + 4);
	uint16_t at = *index;

	if (!queue->owes)
		queue->told = at;
	ring[at % queue->size] = (struct used_element){ id, length };
	__atomic_store_n(index, (uint16_t)(at + 1), __ATOMIC_RELEASE);
}

/* Tells the guest of all answers that it has not been told of, unless it does not want to be told. */
static void notify(struct queue *queue)
{
	uint16_t now = load(queue->used + 2), before = queue->told, event;
	const uint64_t one = 1;

	queue->owes = false;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (now == before)
		return;
	if (queue_event_index) {
		event = load(queue->available + 4 + 2 * (uint64_t)queue->size);
		if ((uint16_t)(now - event - 1) >= (uint16_t)(now - before))
			return;
	} else if (load(queue->available) & NO_INTERRUPT) {
		return;
	}
	if (queue->call >= 0)
		CALL(write, queue->call, &one, sizeof(one));
}

static bool is_usable(const struct queue *queue)
{
	return queue->enabled && queue->size != 0 && queue->used && memory_holds(queue->descriptors, 16 * (uint64_t)queue->size) &&
	       memory_holds(queue->available, 6 + 2 * (uint64_t)queue->size) &&
	       memory_holds(queue->used, 6 + 8 * (uint64_t)queue->size);
}

/* Takes the chain with an id. Returns whether it is one. */
static bool read_chain(const struct queue *queue, uint16_t id)
{
	chain.in_count = chain.out_count = 0;
	chain.in_size = chain.out_size = 0;
	return read_table((const struct descriptor *)queue->descriptors, queue->size, id, false);
}

bool queue_holds(void)
{
	return held.queue != NULL;
}

void queue_drop_held(void)
{
	held.queue = NULL;
}

void queue_answer_held(const void *from, size_t size)
{
	struct queue *queue = held.queue;
	const struct out_header head = { (uint32_t)(sizeof(head) + size), 0, held.unique };
	uint32_t length = 0;

	held.queue = NULL;
	if (!is_usable(queue))
		return;
	/* The guest may have written anything there meanwhile. */
	if (size <= MOST_ANSWER && read_chain(queue, held.id) && chain.out_size >= head.length) {
		memcpy(answer, &head, sizeof(head));
		memcpy(answer + sizeof(head), from, size);
		scatter(chain.out, chain.out_count, answer, head.length);
		length = head.length;
	}
	put_used(queue, held.id, length);
	notify(queue);
}

void queue_settle(struct queue *queue)
{
	if (queue->owes && is_usable(queue))
		notify(queue);
	queue->owes = false;
}

void queue_serve(struct queue *queue)
{
	uint32_t served = 0;

	if (!is_usable(queue))
		return;
	for (;;) {
		uint16_t available = load(queue->available + 2), id;
		int64_t length;
		bool waits;

		if (available == queue->last) {
			if (!queue_event_index)
				return;
			/* Wants to be told of the next; which may have come meanwhile. */
			__atomic_store_n((uint16_t *)(queue->used + 4 + 8 * (uint64_t)queue->size), queue->last, __ATOMIC_SEQ_CST);
			__atomic_thread_fence(__ATOMIC_SEQ_CST);
			if (load(queue->available + 2) == queue->last)
				return;
			continue;
		}
		/* Others wait for this thread: a guest that goes on for ever does not keep it. */
		if (served++ == MOST_QUEUE * 4) {
			const uint64_t one = 1;

			CALL(write, queue->kick, &one, sizeof(one));
			return;
		}
		id = load(queue->available + 4 + 2 * (uint64_t)(queue->last % queue->size));
		queue->last++;
		waits = true;
		length = read_chain(queue, id) ? serve(queue, id, &waits) : 0;
		if (length >= 0) {
			put_used(queue, id, (uint32_t)length);
			if (waits || (uint16_t)(load(queue->used + 2) - queue->told) >= queue->size / 4)
				notify(queue);
			else
				queue->owes = true;
		}
		changes_tell();
	}
}
