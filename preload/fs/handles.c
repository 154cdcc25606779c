/* The files that the guest has open, by the numbers that it has for them. */
#include <sys/mman.h>

#include "fs.h"

enum { MOST_HANDLES = 1 << 20 };

static struct handle *handles;
static uint32_t count = 1, free_list;

void handles_reset(void)
{
	for (uint32_t id = 1; id < count; id++)
		if (handles[id].node != 0)
			CALL(close, handles[id].fd);
	count = 1;
	free_list = 0;
}

long handle_new(int fd, uint64_t node)
{
	uint32_t id = free_list;

	if (!handles) {
		long at = CALL(mmap, 0, MOST_HANDLES * sizeof(*handles), PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (at < 0 && at > -4096)
			return at;
		handles = (struct handle *)at;
	}
	if (id != 0)
		free_list = handles[id].next_free;
	else if (count == MOST_HANDLES)
		return -ENFILE;
	else
		id = count++;
	handles[id] = (struct handle){ .fd = fd, .node = node };
	return id;
}

struct handle *handle_of(uint64_t id, uint64_t node)
{
	return id > 0 && id < count && node != 0 && handles[id].node == node ? &handles[id] : NULL;
}

int handle_for(uint64_t node)
{
	for (uint32_t id = 1; id < count; id++)
		if (handles[id].node == node)
			return handles[id].fd;
	return -1;
}

void handle_close(uint64_t id)
{
	CALL(close, handles[id].fd);
	handles[id] = (struct handle){ .fd = -1, .next_free = free_list };
	free_list = (uint32_t)id;
}
