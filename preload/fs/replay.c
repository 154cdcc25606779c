/*
 * inotify(7) of what the host changes. The guest's kernel raises an event for what its own programs do, and the protocol has no way to tell it of others. So the
 * guest's agent does by a system call what the host has done already, and the kernel tells those that watch. The requests which that takes are
 * answered as if it were done: nothing that the agent asks for changes anything, so a hostile guest that plays its part deceives itself.
 *
 *	IN_MODIFY, IN_ATTRIB		utimensat(2) of the time of modification, or of both times
 *	IN_CLOSE_WRITE			open(2) for writing; not of programs, which could not be started then
 *	IN_CREATE			mknodat(2), mkdirat(2) or symlinkat(2) of a name that the guest has not seen yet
 *	IN_DELETE			unlinkat(2) of a name that is there as long as the agent asks
 *	IN_MOVED_FROM, IN_MOVED_TO	renameat2(2); from and to the top of the share, which nobody watches, where the other directory is not known
 */
#include "fs.h"

#include <sys/inotify.h>

enum {
	AT_REMOVEDIR_ = 0x200,
	AT_SYMLINK_NOFOLLOW_ = 0x100,
};

/* The name, in the top of the share, of what comes from or goes to where the guest sees nothing. */
static const char elsewhere[] = ".elsewhere";

/* What the agent does now. */
static struct {
	enum what what; /* 0: nothing of this */
	uint32_t directory, to;
	bool is_directory;
	char name[NAME_LENGTH + 1], to_name[NAME_LENGTH + 1];
} told;

/* What it was told last of a file. */
static struct {
	uint32_t node;
	struct status status;
} seen;

void replay_end(void)
{
	told.what = 0;
	seen.node = 0;
}

void replay_seen(const struct node *node, const struct status *status)
{
	/* The directory's is asked for on the way. */
	if (told.name[0] != '\0' && node_id(node) == told.directory)
		return;
	seen.node = node_id(node);
	seen.status = *status;
}

void fill_path(char *to, size_t room, const struct node *node)
{
	static const char share[] = "/share/";
	const size_t prefix = sizeof(share) - 1;
	static char path[1024 + sizeof(share)];
	struct fd_path link = path_of(node->fd);
	long length = CALL(readlinkat, AT_FDCWD, link.text, path, sizeof(path));

	if (length > (long)prefix && (size_t)length - prefix < room && !memcmp(path, share, prefix))
		memcpy(to, path + prefix, (size_t)length - prefix);
}

/* The status of what has a name; its links are 0 if there is nothing. */
static struct status status_at(const struct node *directory, const char *name)
{
	struct status status = { 0 };
	int fd = (int)CALL(openat, directory->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);

	if (fd < 0)
		return status;
	if (status_of(fd, &status) < 0)
		status.links = 0;
	CALL(close, fd);
	return status;
}

/* Whether a name is there, and the guest may have seen it: to pretend that it is not would take away what the guest has mounted there. */
static bool is_known(const struct node *directory, const char *name)
{
	struct status status = status_at(directory, name);

	return status.links > 0 && node_find(&status);
}

static bool describe_made(struct change *change, const struct status *status, bool is_directory)
{
	uint32_t type = status->links > 0 ? status->mode & S_IFMT : is_directory ? S_IFDIR : S_IFREG;

	if (status->links > 0 && node_find(status))
		return false;
	change->mode = type | 0600;
	change->what = type == S_IFDIR ? REPLAY_MAKE_DIRECTORY : type == S_IFLNK ? REPLAY_MAKE_LINK : REPLAY_MAKE;
	return true;
}

static bool describe_kind(struct change *change, const struct node *directory, uint32_t events, const char *name)
{
	bool is_directory = events & IN_ISDIR;
	struct status status;

	if (events & (IN_MODIFY | IN_ATTRIB)) {
		change->what = REPLAY_TIMES;
		change->times[1] = events & IN_MODIFY ? UTIME_OMIT : 0;
		return true;
	}
	if (events & IN_DELETE) {
		change->what = REPLAY_REMOVE;
		change->mode = is_directory ? AT_REMOVEDIR_ : 0;
		return !is_known(directory, name);
	}
	if (events & (IN_MOVED_FROM | IN_MOVED_TO)) {
		change->what = REPLAY_RENAME;
		return true;
	}
	if (*name == '\0')
		return false;
	status = status_at(directory, name);
	if (events & IN_CREATE)
		return describe_made(change, &status, is_directory);
	change->what = REPLAY_CLOSE;
	return (events & IN_CLOSE_WRITE) && status.links > 0 && S_ISREG(status.mode) && !(status.mode & 0111);
}

bool replay_describe(struct change *change, const struct node *directory, uint32_t events, const char *name, const struct node *to,
		     const char *to_name)
{
	const struct node *top = node_of(ROOT_NODE);

	if (!describe_kind(change, directory, events, name))
		return false;
	if (!to) {
		to = events & IN_MOVED_TO ? directory : top;
		to_name = events & IN_MOVED_TO ? name : elsewhere;
	}
	if (events & IN_MOVED_TO) {
		directory = top;
		name = elsewhere;
	}
	change->flags = O_CLOEXEC | O_NOFOLLOW | O_PATH;
	fill_handle(&change->handle, directory);
	memcpy(change->name, name, strlen(name));
	fill_path(change->path, sizeof(change->path), directory);
	fill_handle(&change->to, to);
	fill_path(change->to_path, sizeof(change->to_path), to);
	memcpy(change->to_name, to_name, strlen(to_name));
	told.what = change->what;
	told.directory = node_id(directory);
	told.to = node_id(to);
	told.is_directory = events & IN_ISDIR;
	memcpy(told.name, change->name, sizeof(told.name));
	memcpy(told.to_name, change->to_name, sizeof(told.to_name));
	return true;
}

static bool is_source(const struct node *directory, const char *name)
{
	return told.directory == node_id(directory) && !strcmp(told.name, name);
}

static bool is_destination(const struct node *directory, const char *name)
{
	return told.what == REPLAY_RENAME && told.to == node_id(directory) && !strcmp(told.to_name, name);
}

static bool is_made(const struct node *directory, const char *name)
{
	return told.what >= REPLAY_MAKE && told.what <= REPLAY_MAKE_LINK && is_source(directory, name);
}

/* Answers with a node that is still there for the guest. */
static long answer_node(struct entry_out *out, struct node *node)
{
	struct status status;
	long result = node_status(node, &status);

	if (result < 0)
		return result;
	node->lookups++;
	*out = (struct entry_out){ .node = node_id(node), .generation = node->generation };
	if (status.links == 0)
		status.links = 1;
	fill_attributes(&out->attributes, &status);
	return sizeof(*out);
}

/* Answers with what is not there any more, and which the guest has not seen. */
static long answer_absent(struct entry_out *out, uint32_t type)
{
	long id = node_of_absent(type == S_IFDIR);

	if (id < 0)
		return id;
	*out = (struct entry_out){
		.node = (uint64_t)id,
		.generation = node_of((uint64_t)id)->generation,
		.attributes = { .inode = UINT32_MAX, .mode = type | 0600, .links = 1, .block_size = 4096 },
	};
	return sizeof(*out);
}

/* What had the name. @gone: it has no other now */
static long answer_former(struct entry_out *out, const struct node *directory, const char *name, bool gone)
{
	struct node *node = node_named(directory, name, gone);

	if (node && (node->type == S_IFDIR) == told.is_directory)
		return answer_node(out, node);
	return answer_absent(out, told.is_directory ? S_IFDIR : S_IFREG);
}

static long answer_moved(struct entry_out *out, const struct node *directory, const char *name)
{
	const struct node *to = node_of(told.to);
	long result = told.to == ROOT_NODE || !to ? -ENOENT : enter(to, told.to_name, out);

	return result == -ENOENT ? answer_former(out, directory, name, false) : result;
}

bool replay_lookup(struct request *request, const struct node *directory, const char *name, long *result)
{
	struct entry_out *out = (struct entry_out *)request->answer;
	struct node *replaced;

	if (is_made(directory, name)) {
		*result = -ENOENT;
		return !is_known(directory, name);
	}
	if (told.what == REPLAY_REMOVE && is_source(directory, name)) {
		if (is_known(directory, name)) {
			replay_end();
			return false;
		}
		*result = answer_former(out, directory, name, true);
		return true;
	}
	if (told.what == REPLAY_RENAME && is_source(directory, name)) {
		*result = answer_moved(out, directory, name);
		return true;
	}
	if (is_destination(directory, name)) {
		replaced = told.to == ROOT_NODE ? NULL : node_named(directory, name, true);
		*result = replaced ? answer_node(out, replaced) : -ENOENT;
		return true;
	}
	return false;
}

static long replay_make(struct request *request, const char *name, uint32_t type)
{
	const struct node *directory = node_of(request->head.node);
	struct entry_out *out = (struct entry_out *)request->answer;
	long result;

	if (!directory || !name)
		return directory ? -EINVAL : -ESTALE;
	/* It asks for the name, and wants nothing made. */
	if (!is_made(directory, name))
		return -EEXIST;
	result = enter(directory, name, out);
	return result == -ENOENT ? answer_absent(out, type) : result;
}

/* Of the file that it has just asked for. What the guest keeps of its content is given up when it hears of another time, so it hears of none by this. */
static long replay_times(struct request *request)
{
	const struct node *node = node_of(request->head.node);
	struct attributes_out *out = (struct attributes_out *)request->answer;
	struct status status;
	long result;

	if (!node)
		return -ESTALE;
	if (told.what != REPLAY_TIMES || seen.node != node_id(node))
		return -EPERM;
	result = node_status(node, &status);
	if (result < 0)
		return result;
	/* There will be another event. */
	if (status.size == seen.status.size &&
	    (status.mtime.seconds != seen.status.mtime.seconds || status.mtime.nanoseconds != seen.status.mtime.nanoseconds))
		return -EAGAIN;
	status.mtime = seen.status.mtime;
	*out = (struct attributes_out){ 0 };
	fill_attributes(&out->attributes, &status);
	return sizeof(*out);
}

long replay(struct request *request)
{
	const struct mknod_in *node = ARGUMENTS(request, struct mknod_in);
	size_t at = request->head.opcode == OP_MKNOD ? sizeof(*node) : request->head.opcode == OP_MKDIR ? sizeof(struct mkdir_in) : 0;

	switch (request->head.opcode) {
	case OP_OPEN:
		return serve_open(request);
	case OP_SETATTR:
		return replay_times(request);
	case OP_MKNOD:
		return node ? replay_make(request, take_name(request, &at), node->mode & S_IFMT) : -EINVAL;
	case OP_MKDIR:
		return replay_make(request, take_name(request, &at), S_IFDIR);
	case OP_SYMLINK:
		return replay_make(request, take_name(request, &at), S_IFLNK);
	case OP_UNLINK:
	case OP_RMDIR:
		return told.what == REPLAY_REMOVE ? 0 : -EPERM;
	case OP_RENAME:
	case OP_RENAME2:
		return told.what == REPLAY_RENAME ? 0 : -EPERM;
	}
	return -EPERM;
}
