/* The guest's memory. It is this process's own: QEMU's, mapped as QEMU likes, shared or not. */
#include "fs.h"

static struct region regions[MOST_REGIONS];
static int count;

void memory_clear(void)
{
	count = 0;
}

bool memory_add(const struct region *region)
{
	if (count == MOST_REGIONS || region->guest + region->size < region->guest || region->here + region->size < region->here)
		return false;
	regions[count++] = *region;
	return true;
}

bool memory_remove(const struct region *region)
{
	for (int i = 0; i < count; i++) {
		if (regions[i].guest != region->guest || regions[i].size != region->size || regions[i].here != region->here)
			continue;
		regions[i] = regions[--count];
		return true;
	}
	return false;
}

void *memory_at(uint64_t address, uint64_t size)
{
	for (int i = 0; i < count; i++) {
		const struct region *region = &regions[i];

		if (address >= region->guest && size <= region->size && address - region->guest <= region->size - size)
			return (void *)(region->here + (address - region->guest));
	}
	return NULL;
}

bool memory_holds(uint64_t here, uint64_t size)
{
	for (int i = 0; i < count; i++) {
		const struct region *region = &regions[i];

		if (here >= region->here && size <= region->size && here - region->here <= region->size - size)
			return true;
	}
	return false;
}
