/*
 * The files that the guest knows, by the numbers that it has for them: each is a descriptor that names a file and can do nothing else
 * (O_PATH), so what happens to names on the host leads nowhere. The same file has one number as often as it is found below the same mount.
 */
#include "fs.h"

#include <sys/mman.h>

enum {
	/* As many as a process may have open (src/hypervisor/confinement.ts). */
	MOST_NODES = 1 << 20,
	BUCKETS = 1 << 16,
	AT_EMPTY_PATH_ = 0x1000,
	PATH_LENGTH = 4096 + 16, /* of what is removed the kernel says so behind its name */
	STATX_BASIC_AND_MOUNT = 0x7ff | 0x1000,
};

static struct node *nodes;
static uint32_t *buckets, *named;
static uint32_t count, free_list, generations;

long status_of(int fd, struct status *status)
{
	long result = CALL(statx, fd, "", AT_EMPTY_PATH_, STATX_BASIC_AND_MOUNT, status);

	/* Linux before 5.8 does not tell of mounts. */
	if (result == 0 && !(status->mask & 0x1000))
		status->mount = 0;
	return result;
}

uint64_t device_of(const struct status *status)
{
	return (uint64_t)status->dev_major << 32 | status->dev_minor;
}

static uint32_t bucket_of(uint64_t device, uint64_t inode, uint64_t mount)
{
	uint64_t mixed = (inode ^ device << 20 ^ mount << 40) * 0x9e3779b97f4a7c15u;

	return (uint32_t)(mixed >> 48) % BUCKETS;
}

uint32_t node_id(const struct node *node)
{
	return (uint32_t)(node - nodes);
}

struct node *node_of(uint64_t id)
{
	return nodes && id > 0 && id < count && nodes[id].used ? &nodes[id] : NULL;
}

/* FNV-1a. */
static uint32_t name_hash(const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name != '\0'; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619u;
	return hash;
}

static uint32_t *names_of(uint32_t parent, uint32_t hash)
{
	return &named[(hash ^ parent * 0x9e3779b1u) % BUCKETS];
}

static void unname(struct node *node)
{
	uint32_t *link = names_of(node->parent, node->hash);

	if (node->parent == 0)
		return;
	while (*link != node_id(node))
		link = &nodes[*link].next_named;
	*link = node->next_named;
	node->parent = 0;
}

void node_name(struct node *node, const struct node *directory, const char *name)
{
	uint32_t parent = node_id(directory), hash = name_hash(name), *names = names_of(parent, hash);

	if (node->parent == parent && node->hash == hash)
		return;
	unname(node);
	node->parent = parent;
	node->hash = hash;
	node->next_named = *names;
	*names = node_id(node);
}

struct node *node_named(const struct node *directory, const char *name, bool gone)
{
	uint32_t parent = node_id(directory), hash = name_hash(name);

	for (uint32_t id = *names_of(parent, hash); id != 0; id = nodes[id].next_named) {
		struct node *node = &nodes[id];
		struct status status;

		if (node->parent == parent && node->hash == hash && (!gone || (node_status(node, &status) == 0 && status.links == 0)))
			return node;
	}
	return NULL;
}

/* Takes a node from those that are found by what tells files apart, and puts it there. */
static void unlink_node(uint32_t id)
{
	struct node *node = &nodes[id];
	uint32_t *link = &buckets[bucket_of(node->device, node->inode, node->mount)];

	while (*link != id)
		link = &nodes[*link].next;
	*link = node->next;
}

static void link_node(uint32_t id)
{
	struct node *node = &nodes[id];
	uint32_t *bucket = &buckets[bucket_of(node->device, node->inode, node->mount)];

	node->next = *bucket;
	*bucket = id;
}

/* The guest is told that there is no such file, if it asks for it. */
static void lose_node(uint32_t id)
{
	struct node *node = &nodes[id];

	changes_forget(node);
	unname(node);
	unlink_node(id);
	if (node->fd >= 0)
		CALL(close, node->fd);
	node->used = false;
}

static void remove_node(uint32_t id)
{
	lose_node(id);
	nodes[id].next = free_list;
	free_list = id;
}

static long new_id(void)
{
	uint32_t id = free_list;

	if (id != 0)
		free_list = nodes[id].next;
	else if (count == MOST_NODES)
		return -ENFILE;
	else
		id = count++;
	return id;
}

struct node *node_find(const struct status *status)
{
	uint64_t device = device_of(status);

	for (uint32_t at = buckets[bucket_of(device, status->inode, status->mount)]; at != 0; at = nodes[at].next)
		if (nodes[at].inode == status->inode && nodes[at].device == device && nodes[at].mount == status->mount)
			return &nodes[at];
	return NULL;
}

uint32_t node_next(uint32_t id)
{
	for (; id < count; id++)
		if (nodes[id].used)
			return id;
	return 0;
}

long node_enter(int fd, const struct status *status)
{
	struct node *known = node_find(status);
	long id;

	if (known) {
		CALL(close, fd);
		known->lookups++;
		return node_id(known);
	}
	id = new_id();
	if (id < 0) {
		if (fd >= 0)
			CALL(close, fd);
		return id;
	}
	nodes[id] = (struct node){
		.device = device_of(status),
		.inode = status->inode,
		.mount = status->mount,
		.lookups = 1,
		.generation = ++generations,
		.fd = fd,
		.type = status->mode & S_IFMT,
		.depth = 2,
		.used = true,
	};
	link_node((uint32_t)id);
	return id;
}

long node_of_absent(bool is_directory)
{
	static uint64_t absent;
	/* No file system has this device. */
	const struct status status = {
		.dev_major = UINT32_MAX,
		.dev_minor = UINT32_MAX,
		.inode = ++absent,
		.mode = is_directory ? S_IFDIR : S_IFREG,
	};

	return node_enter(-1, &status);
}

void node_forget(uint64_t id, uint64_t lookups)
{
	struct node *node = node_of(id);

	if (!node || id == ROOT_NODE)
		return;
	node->lookups -= lookups < node->lookups ? lookups : node->lookups;
	if (node->lookups == 0)
		remove_node((uint32_t)id);
}

void nodes_reset(void)
{
	struct status status;
	int root;

	if (!nodes) {
		const size_t size = MOST_NODES * sizeof(*nodes), heads = 2 * BUCKETS * sizeof(*buckets);
		long at = CALL(mmap, 0, size + heads, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (at < 0 && at > -4096)
			return;
		nodes = (struct node *)at;
		buckets = (uint32_t *)(at + (long)size);
		named = buckets + BUCKETS;
	}
	for (uint32_t id = 1; id < count; id++)
		if (nodes[id].used)
			remove_node(id);
	free_list = 0;
	count = ROOT_NODE;
	root = (int)CALL(openat, AT_FDCWD, "/share", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (root >= 0 && status_of(root, &status) == 0 && node_enter(root, &status) == ROOT_NODE)
		nodes[ROOT_NODE].depth = 0;
}

/* Where the share of this process's parent is, as the kernel names what is open in it. */
static char left[PATH_LENGTH];
static long left_length;

static long name_of(int fd, char name[PATH_LENGTH])
{
	struct fd_path path = path_of(fd);
	long length = CALL(readlinkat, AT_FDCWD, path.text, name, PATH_LENGTH - 1);

	name[length < 0 ? 0 : length] = '\0';
	return length;
}

void nodes_leave(void)
{
	left_length = node_of(ROOT_NODE) ? name_of(nodes[ROOT_NODE].fd, left) : 0;
}

/* Opens what has the name of a node's file in this process's share, or was opened by the guest and has no name any more. Returns its descriptor, or an error. */
static long reopen(uint32_t id)
{
	/* linux/openat2.h: RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH */
	const struct {
		uint64_t flags, mode, resolve;
	} how = { O_PATH | O_NOFOLLOW | O_CLOEXEC, 0, 2 | 4 | 8 };
	static char name[PATH_LENGTH];
	long length = name_of(nodes[id].fd, name);
	int opened;

	if (length > left_length && !memcmp(name, left, (size_t)left_length) && name[left_length] == '/') {
		long fd = CALL(openat2, nodes[ROOT_NODE].fd, name + left_length + 1, &how, sizeof(how));

		if (fd >= 0)
			return fd;
	}
	opened = handle_for(id);
	return opened < 0 ? -ENOENT : CALL(openat, AT_FDCWD, path_of(opened).text, O_PATH | O_CLOEXEC, 0);
}

void nodes_renew(void)
{
	for (uint32_t id = ROOT_NODE; left_length > 0 && id < count; id++) {
		struct node *node = &nodes[id];
		struct status status;
		long fd;

		if (!node->used || node->fd < 0)
			continue;
		/* The share itself it has been given. */
		fd = id == ROOT_NODE ? node->fd : reopen(id);
		if (fd < 0 || status_of((int)fd, &status) < 0 || (status.mode & S_IFMT) != node->type || (id != ROOT_NODE && CALL(dup3, fd, node->fd, O_CLOEXEC) < 0)) {
			lose_node(id);
		} else {
			unlink_node(id);
			node->device = device_of(&status);
			node->inode = status.inode;
			node->mount = status.mount;
			link_node(id);
		}
		if (fd >= 0 && id != ROOT_NODE)
			CALL(close, fd);
	}
	left_length = 0;
}

long node_status(const struct node *node, struct status *status)
{
	return status_of(node->fd, status);
}

struct fd_path path_of(int fd)
{
	struct fd_path path = { "/proc/self/fd/" };
	char digits[12];
	int length = 0, at = 14;

	/* Of an absent file: it has no path. */
	if (fd < 0)
		return (struct fd_path){ "" };
	do
		digits[length++] = (char)('0' + fd % 10);
	while ((fd /= 10) > 0);
	while (length > 0)
		path.text[at++] = digits[--length];
	return path;
}

long node_open(const struct node *node, int flags)
{
	struct fd_path path = path_of(node->fd);

	/* To open a device or a FIFO does something. */
	if (node->type != S_IFREG && node->type != S_IFDIR)
		return -ENXIO;
	return CALL(openat, AT_FDCWD, path.text, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
}
