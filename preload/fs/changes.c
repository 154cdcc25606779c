/*
 * What the host changes of what the guest knows: each directory that it knows is watched (inotify(7)).
 *
 * The guest may keep names, attributes and content of a container's root file system, for it is told what others change there. Volumes are not kept; of them
 * only who watches them in the guest is told (replay.c). The protocol has no way to tell a guest anything, so its agent asks for an attribute
 * of the share, the answer to which is held back until something has changed. It then makes the kernel ask anew: see src/guest/share-changes.ts.
 *
 * What the guest itself changes is reported too, at once. So the events are taken before each request that changes something, and those after
 * it which it must have caused are its own.
 */
#include "fs.h"

#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/statfs.h>

enum {
	/* Seconds for which the guest keeps what it is told: for ever, that is. */
	KEEP = 7 * 24 * 3600,
	BUCKETS = 1 << 16,
	MOST_PENDING = 1 << 14,
	/* Of these, how many events of the host's that are only to be replayed. */
	MOST_EVENTS = MOST_PENDING / 2,
	/* Directories of volumes that are watched. */
	MOST_WATCHES = 1 << 14,
	MOST_OWN = 2,
	NAME_EVENTS = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO,
	FILE_EVENTS = IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE,
	/* Of the kernel's headers: FILEID_INO64_GEN. */
	HANDLE_TYPE = 0x81,
};

struct pending {
	uint32_t node, generation;
	uint32_t events, cookie; /* of inotify(7), which are to be replayed; 0: what is to be asked for again */
	char name[NAME_LENGTH + 1]; /* empty: the node itself */
};

int changes_fd = -1;

static uint32_t *buckets; /* by the watch */
static struct pending *pending;
static uint32_t first, count, watches;
/* Too much has changed: the guest is to ask for all of it again. `sweep` is the node that is next. */
static bool lost;
static uint32_t sweep;
static uint32_t agent; /* its process id in the guest; 0: there is none */
static struct {
	struct {
		uint32_t directory, events;
		const char *name;
	} names[MOST_OWN];
	int count;
	uint64_t file;
} caused;

static bool prepare(void)
{
	const size_t heads = BUCKETS * sizeof(*buckets), size = MOST_PENDING * sizeof(*pending);
	long at;

	if (buckets)
		return true;
	at = CALL(mmap, 0, heads + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at < 0 && at > -4096)
		return false;
	buckets = (uint32_t *)at;
	pending = (struct pending *)(at + (long)heads);
	return true;
}

void changes_reset(bool serve)
{
	queue_drop_held();
	if (changes_fd >= 0)
		CALL(close, changes_fd);
	changes_fd = -1;
	agent = first = count = watches = sweep = 0;
	replay_end();
	lost = false;
	if (serve && prepare())
		changes_fd = (int)CALL(inotify_init1, IN_NONBLOCK | IN_CLOEXEC);
	if (changes_fd < 0)
		changes_fd = -1;
}

/* Whether nobody can change its files but by this host's kernel, which tells of it. */
static bool is_local(int fd)
{
	/* linux/magic.h: ext4, xfs, btrfs, overlay, tmpfs, f2fs; and zfs. */
	static const unsigned long types[] = { 0xef53, 0x58465342, 0x9123683e, 0x794c7630, 0x01021994, 0xf2f52010, 0x2fc12fc1 };
	struct statfs status;

	if (CALL(fstatfs, fd, &status) < 0)
		return false;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if ((status.f_type & 0xffffffff) == types[i])
			return true;
	return false;
}

/* The share has a directory for each container, in which its root file system has this name: src/share/share.ts. */
static bool is_root_file_system(const struct node *directory, const char *name, const struct node *node)
{
	return directory->depth == 1 && !strcmp(name, "rootfs") && node->type == S_IFDIR && is_local(node->fd);
}

static bool watch(struct node *node)
{
	struct fd_path path = path_of(node->fd);
	int watch;
	uint32_t *bucket;

	if (!node->kept && watches == MOST_WATCHES)
		return false;
	watch = (int)CALL(inotify_add_watch, changes_fd, path.text, NAME_EVENTS | FILE_EVENTS | IN_EXCL_UNLINK);
	/* There are as many as there may be (fs.inotify.max_user_watches): what is in it is not kept. */
	if (watch < 0)
		return false;
	watches++;
	node->watch = watch;
	bucket = &buckets[watch % BUCKETS];
	node->next_watched = *bucket;
	*bucket = node_id(node);
	return true;
}

bool changes_follow(const struct node *directory, const char *name, struct node *node, const struct status *status)
{
	if (changes_fd < 0)
		return false;
	/* The top of the share, and the directories of containers in it, are runv's. */
	if (directory->depth == 0)
		return false;
	node->kept = (directory->kept && directory->mount == node->mount) || (name && is_root_file_system(directory, name, node));
	node->top = directory->depth == 1;
	if (node->type == S_IFDIR || (node->top && node->type == S_IFREG))
		return node->watch == 0 && watch(node);
	if (!node->kept)
		return false;
	/* What has another name may be changed by that, which another directory is told of. */
	node->followed = name && directory->watch != 0 && status->links == 1;
	return false;
}

/* Takes a node from its watch. */
static void unwatch(struct node *node)
{
	uint32_t *link = &buckets[node->watch % BUCKETS];
	bool shared = false;

	for (uint32_t id = *link; id != 0; id = node_of(id)->next_watched)
		shared |= node_of(id) != node && node_of(id)->watch == node->watch;
	while (*link != node_id(node))
		link = &node_of(*link)->next_watched;
	*link = node->next_watched;
	if (!shared)
		CALL(inotify_rm_watch, changes_fd, node->watch);
	watches--;
	node->watch = 0;
}

/* What stands in place of a node that is watched next, where it is to be watched. */
#define TO_BE_WATCHED UINT32_MAX

void changes_leave(void)
{
	if (changes_fd < 0)
		return;
	/* The parent watches with it. */
	CALL(close, changes_fd);
	watches = 0;
	for (uint32_t id = ROOT_NODE; (id = node_next(id)) != 0; id++) {
		struct node *node = node_of(id);

		if (node->watch == 0)
			continue;
		buckets[node->watch % BUCKETS] = 0;
		node->watch = 0;
		node->next_watched = TO_BE_WATCHED;
	}
}

bool changes_renew(void)
{
	if (changes_fd < 0)
		return true;
	changes_fd = (int)CALL(inotify_init1, IN_NONBLOCK | IN_CLOEXEC);
	for (uint32_t id = ROOT_NODE; changes_fd >= 0 && (id = node_next(id)) != 0; id++) {
		struct node *node = node_of(id);

		if (node->next_watched != TO_BE_WATCHED)
			continue;
		node->next_watched = 0;
		if (!watch(node) && node->kept)
			return false;
	}
	return changes_fd >= 0;
}

void changes_forget(struct node *node)
{
	if (node->watch != 0)
		unwatch(node);
}

uint64_t changes_keep_names(const struct node *directory)
{
	return agent != 0 && directory->kept && directory->watch != 0 ? KEEP : 0;
}

uint64_t changes_keep_attributes(const struct node *node, const struct status *status)
{
	bool followed = node->type == S_IFDIR ? node->watch != 0 : node->followed && status->links == 1;

	return agent != 0 && node->kept && followed ? KEEP : 0;
}

bool changes_asks(const struct request *request)
{
	return agent != 0 && request->head.pid == agent;
}

void changes_own_name(const struct node *directory, const char *name, uint32_t events)
{
	if (caused.count == MOST_OWN)
		return;
	caused.names[caused.count].directory = node_id(directory);
	caused.names[caused.count].name = name;
	caused.names[caused.count++].events = events;
}

void changes_own_file(uint64_t node)
{
	caused.file = node;
}

void changes_end_own(void)
{
	caused.count = 0;
	caused.file = 0;
}

static struct pending *append(const struct node *node, const char *name)
{
	struct pending *last;

	if (count == MOST_PENDING) {
		lost = true;
		return NULL;
	}
	last = &pending[(first + count++) % MOST_PENDING];
	last->node = node_id(node);
	last->generation = node->generation;
	last->events = last->cookie = 0;
	strncpy(last->name, name, NAME_LENGTH);
	last->name[NAME_LENGTH] = '\0';
	return last;
}

/* Whether an event will be replayed anyway: it is the same as one of the last, after which no name was made or removed. */
static bool is_pending(const struct node *node, uint32_t events, const char *name)
{
	enum { LOOK_BACK = 16 };

	for (uint32_t i = 1; i <= count && i <= LOOK_BACK; i++) {
		const struct pending *each = &pending[(first + count - i) % MOST_PENDING];

		if (each->events & NAME_EVENTS)
			return false;
		if (each->node == node_id(node) && each->generation == node->generation && each->events == events && !strcmp(each->name, name))
			return true;
	}
	return false;
}

/* An event is to be replayed, if there is who does it. Of too many some are lost. */
static void note_event(const struct node *node, uint32_t events, uint32_t cookie, const char *name)
{
	struct pending *last;

	if (agent == 0 || count >= MOST_EVENTS || is_pending(node, events, name))
		return;
	last = append(node, name);
	last->events = events;
	last->cookie = cookie;
}

static void note_file(struct node *node)
{
	if (node->pending)
		return;
	node->pending = true;
	append(node, "");
}

/* The node that has a name in a directory, if the guest knows it. */
static struct node *find(const struct node *directory, const char *name)
{
	int fd = (int)CALL(openat, directory->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
	struct node *node = NULL;
	struct status status;

	if (fd < 0)
		return NULL;
	if (status_of(fd, &status) == 0)
		node = node_find(&status);
	CALL(close, fd);
	return node;
}

/* Whether the request that is served has caused this. Of what happens to a name each is so once. */
static bool is_own_name(const struct node *directory, const char *name, uint32_t events)
{
	for (int i = 0; i < caused.count; i++) {
		if (caused.names[i].directory != node_id(directory) || !(caused.names[i].events & events) || strcmp(caused.names[i].name, name))
			continue;
		caused.names[i].events &= ~(events & NAME_EVENTS);
		return true;
	}
	return false;
}

static void take_event(struct node *directory, const struct inotify_event *event, const char *name)
{
	uint32_t events = event->mask;
	struct node *node;

	if (events & IN_IGNORED) {
		unwatch(directory);
		return;
	}
	if (*name == '\0') {
		if (caused.file == node_id(directory))
			return;
		if (directory->kept)
			note_file(directory);
		/* Of others the directory tells in which they are. */
		if (directory->top && (events & FILE_EVENTS))
			note_event(directory, events, 0, "");
		return;
	}
	if (is_own_name(directory, name, events))
		return;
	node = events & (IN_DELETE | IN_MOVED_FROM) ? NULL : find(directory, name);
	if (node && caused.file == node_id(node) && (events & FILE_EVENTS))
		return;
	if (events & NAME_EVENTS)
		note_event(directory, events, event->cookie, name);
	if (node && directory->kept && !(events & IN_CLOSE_WRITE))
		note_file(node);
	if (!(events & NAME_EVENTS)) {
		note_event(directory, events, 0, name);
	} else if (directory->kept) {
		append(directory, name);
		note_file(directory);
	}
}

void changes_take(void)
{
	static _Alignas(struct inotify_event) char buffer[16384];
	long length;

	while (changes_fd >= 0 && (length = CALL(read, changes_fd, buffer, sizeof(buffer))) > 0) {
		for (long at = 0; at < length;) {
			const struct inotify_event *event = (const struct inotify_event *)(buffer + at);

			at += (long)(sizeof(*event) + event->len);
			if (event->mask & IN_Q_OVERFLOW)
				lost = true;
			for (uint32_t id = buckets[(uint32_t)event->wd % BUCKETS], next; id != 0 && event->wd > 0; id = next) {
				struct node *node = node_of(id);

				next = node->next_watched;
				if (node->watch == event->wd)
					take_event(node, event, event->len > 0 ? event->name : "");
			}
		}
	}
}

void fill_handle(struct change_handle *handle, const struct node *node)
{
	*handle = (struct change_handle){ 3 * sizeof(uint32_t), HANDLE_TYPE, 0, node_id(node), node->generation };
	/* The kernel has made that one itself. */
	if (node_id(node) == ROOT_NODE)
		handle->generation = 0;
}

/* Fills in what the agent is told of a node. Returns whether there is anything to tell. */
static bool describe(struct change *change, uint32_t id, uint32_t generation, const char *name)
{
	struct node *node = node_of(id);

	if (!node || node->generation != generation)
		return false;
	change->what = *name ? CHANGED_NAME : CHANGED_FILE;
	change->flags = O_CLOEXEC | O_NOFOLLOW | (node->type == S_IFREG || node->type == S_IFDIR ? O_RDONLY | O_NONBLOCK : O_PATH);
	fill_handle(&change->handle, node);
	if (node->type == S_IFDIR)
		fill_path(change->path, sizeof(change->path), node);
	memcpy(change->name, name, strlen(name));
	return true;
}

/* Where what was taken from a directory has gone, if it is known: then that is pending no more. */
static struct pending *destination_of(const struct pending *moved)
{
	enum { LOOK_AHEAD = 8 };

	for (uint32_t i = 0; i < count && i < LOOK_AHEAD; i++) {
		struct pending *each = &pending[(first + i) % MOST_PENDING];
		const struct node *node = node_of(each->node);

		if ((each->events & IN_MOVED_TO) && each->cookie == moved->cookie && node && node->generation == each->generation) {
			each->events = IN_IGNORED;
			return each;
		}
	}
	return NULL;
}

/* Fills in how an event is replayed. Returns whether it can be. */
static bool describe_event(struct change *change, const struct pending *event)
{
	const struct node *directory = node_of(event->node);
	const struct pending *to;

	if (!directory || directory->generation != event->generation)
		return false;
	to = event->events & IN_MOVED_FROM ? destination_of(event) : NULL;
	return replay_describe(change, directory, event->events, event->name, to ? node_of(to->node) : NULL, to ? to->name : NULL);
}

/* Takes the next that the agent is to be told. Returns whether there is one. */
static bool next_change(struct change *change)
{
	memset(change, 0, sizeof(*change));
	replay_end();
	if (lost) {
		for (; count > 0; count--, first = (first + 1) % MOST_PENDING) {
			struct node *node = node_of(pending[first].node);

			if (node)
				node->pending = false;
		}
		lost = false;
		sweep = ROOT_NODE;
		change->what = CHANGED_ALL;
		return true;
	}
	while (count > 0) {
		const struct pending *next = &pending[first];
		struct node *node = node_of(next->node);

		first = (first + 1) % MOST_PENDING;
		count--;
		if (next->events != 0) {
			if (describe_event(change, next))
				return true;
			continue;
		}
		if (node && next->name[0] == '\0')
			node->pending = false;
		if (describe(change, next->node, next->generation, next->name))
			return true;
	}
	while (sweep != 0 && (sweep = node_next(sweep)) != 0) {
		uint32_t id = sweep++;

		if (node_of(id)->kept && describe(change, id, node_of(id)->generation, ""))
			return true;
	}
	return false;
}

void changes_tell(void)
{
	struct change change;

	if (queue_holds() && next_change(&change))
		queue_answer_held(&change, sizeof(change));
}

long serve_changes(const struct request *request)
{
	if (request->room < sizeof(struct change) || request->head.pid == 0)
		return -ERANGE;
	/* There is one. */
	if (queue_holds())
		return -EBUSY;
	if (changes_fd < 0)
		return -ENODATA;
	agent = request->head.pid;
	return HELD;
}
