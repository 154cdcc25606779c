/*
 * Requests for names. A name is one part of a path: it is looked up in a directory that is open, by itself, and nothing of it is followed.
 */
#include "fs.h"

#include <sys/inotify.h>

enum {
	AT_EMPTY_PATH_ = 0x1000,
	RENAME_EXCHANGE_ = 2,
};

const char *take_name(const struct request *request, size_t *at)
{
	const char *name = (const char *)request->arguments + *at;
	size_t length = 0;

	if (*at >= request->length)
		return NULL;
	while (*at + length < request->length && name[length] != '\0')
		if (name[length++] == '/')
			return NULL;
	if (*at + length == request->length || length == 0 || length > NAME_LENGTH)
		return NULL;
	if (name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.')))
		return NULL;
	*at += length + 1;
	return name;
}

long enter_fd(const struct node *directory, const char *name, int fd, struct entry_out *out)
{
	struct status status;
	struct node *node;
	long id = status_of(fd, &status);

	if (id < 0) {
		CALL(close, fd);
		return id;
	}
	id = node_enter(fd, &status);
	if (id < 0)
		return id;
	node = node_of((uint64_t)id);
	if (name)
		node_name(node, directory, name);
	if (directory->depth == 0)
		node->depth = 1;
	if (changes_follow(directory, name, node, &status))
		node_status(node, &status);
	*out = (struct entry_out){
		.node = (uint64_t)id,
		.generation = node->generation,
		.entry_valid = changes_keep_names(directory),
		.attributes_valid = changes_keep_attributes(node, &status),
	};
	fill_attributes(&out->attributes, &status);
	return sizeof(*out);
}

long enter(const struct node *directory, const char *name, struct entry_out *out)
{
	int fd = (int)CALL(openat, directory->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);

	return fd < 0 ? fd : enter_fd(directory, name, fd, out);
}

/* The directory of a request, and a name in it. */
static struct node *directory_of(uint64_t id)
{
	struct node *node = node_of(id);

	return node && node->type == S_IFDIR ? node : NULL;
}

long serve_lookup(struct request *request)
{
	const struct node *directory = directory_of(request->head.node);
	struct entry_out *out = (struct entry_out *)request->answer;
	size_t at = 0;
	const char *name = take_name(request, &at);
	long result;

	if (!directory || !name)
		return directory ? -EINVAL : -ESTALE;
	if (changes_asks(request)) {
		struct status status;

		if (replay_lookup(request, directory, name, &result))
			return result;
		result = enter(directory, name, out);
		if (result >= 0 && node_status(node_of(out->node), &status) == 0)
			replay_seen(node_of(out->node), &status);
		return result;
	}
	result = enter(directory, name, out);
	if (result != -ENOENT || changes_keep_names(directory) == 0)
		return result;
	/* That there is none is kept, too. */
	*out = (struct entry_out){ .entry_valid = changes_keep_names(directory) };
	return sizeof(*out);
}

long own(const struct request *request, const struct node *directory, int fd, uint32_t mode)
{
	struct status status;
	struct fd_path path = path_of(fd);
	long result = status_of(directory->fd, &status);
	uint32_t gid = request->head.gid;

	if (result < 0)
		return result;
	/* Of a directory with this bit its files have the group, and its directories the bit as well. */
	if (status.mode & S_ISGID) {
		gid = (uint32_t)-1;
		if (S_ISDIR(mode))
			mode |= S_ISGID;
	}
	result = CALL(fchownat, fd, "", request->head.uid, gid, AT_EMPTY_PATH_);
	/* The change takes bits of the mode away. */
	if (result == 0 && !S_ISLNK(mode) && (mode & (S_ISUID | S_ISGID)))
		result = CALL(fchmodat, AT_FDCWD, path.text, mode & 07777);
	return result;
}

/* What was just made under a name is the guest's user's; if that fails it is unmade. */
static long enter_new(struct request *request, const struct node *directory, const char *name, uint32_t mode)
{
	int fd = (int)CALL(openat, directory->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
	long result;

	if (fd < 0)
		return fd;
	result = own(request, directory, fd, mode);
	if (result == 0)
		return enter_fd(directory, name, fd, (struct entry_out *)request->answer);
	CALL(close, fd);
	CALL(unlinkat, directory->fd, name, S_ISDIR(mode) ? AT_REMOVEDIR : 0);
	return result;
}

long serve_mknod(struct request *request)
{
	const struct mknod_in *in = ARGUMENTS(request, struct mknod_in);
	const struct node *directory = directory_of(request->head.node);
	size_t at = sizeof(*in);
	const char *name = take_name(request, &at);
	long result;

	if (!in || !directory || !name)
		return directory ? -EINVAL : -ESTALE;
	if (S_ISDIR(in->mode) || S_ISLNK(in->mode))
		return -EINVAL;
	changes_own_name(directory, name, IN_CREATE | IN_ATTRIB);
	result = CALL(mknodat, directory->fd, name, in->mode, in->device);
	return result < 0 ? result : enter_new(request, directory, name, in->mode);
}

long serve_mkdir(struct request *request)
{
	const struct mkdir_in *in = ARGUMENTS(request, struct mkdir_in);
	const struct node *directory = directory_of(request->head.node);
	size_t at = sizeof(*in);
	const char *name = take_name(request, &at);
	long result;

	if (!in || !directory || !name)
		return directory ? -EINVAL : -ESTALE;
	changes_own_name(directory, name, IN_CREATE | IN_ATTRIB);
	result = CALL(mkdirat, directory->fd, name, in->mode & 07777);
	return result < 0 ? result : enter_new(request, directory, name, S_IFDIR | (in->mode & 07777));
}

long serve_symlink(struct request *request)
{
	const struct node *directory = directory_of(request->head.node);
	size_t at = 0;
	const char *name = take_name(request, &at);
	const char *target = (const char *)request->arguments + at;
	long result;

	if (!directory || !name || at >= request->length || request->arguments[request->length - 1] != '\0')
		return directory ? -EINVAL : -ESTALE;
	changes_own_name(directory, name, IN_CREATE | IN_ATTRIB);
	result = CALL(symlinkat, target, directory->fd, name);
	return result < 0 ? result : enter_new(request, directory, name, S_IFLNK | 0777);
}

long serve_link(struct request *request)
{
	const struct link_in *in = ARGUMENTS(request, struct link_in);
	const struct node *directory = directory_of(request->head.node);
	struct node *node;
	size_t at = sizeof(*in);
	const char *name = take_name(request, &at);
	struct fd_path path;
	bool followed;
	long result;

	if (!in || !directory || !name)
		return directory ? -EINVAL : -ESTALE;
	node = node_of(in->node);
	if (!node)
		return -ESTALE;
	changes_own_name(directory, name, IN_CREATE);
	path = path_of(node->fd);
	result = CALL(linkat, AT_FDCWD, path.text, directory->fd, name, AT_SYMLINK_FOLLOW);
	if (result < 0)
		return result;
	followed = node->followed;
	result = enter(directory, name, (struct entry_out *)request->answer);
	/* This name is known, as the others are. */
	node->followed = followed;
	return result;
}

long serve_unlink(struct request *request)
{
	const struct node *directory = directory_of(request->head.node);
	size_t at = 0;
	const char *name = take_name(request, &at);

	if (!directory || !name)
		return directory ? -EINVAL : -ESTALE;
	changes_own_name(directory, name, IN_DELETE);
	return CALL(unlinkat, directory->fd, name, request->head.opcode == OP_RMDIR ? AT_REMOVEDIR : 0);
}

long serve_rename(struct request *request)
{
	bool second = request->head.opcode == OP_RENAME2;
	const struct rename2_in *in = (const struct rename2_in *)request->arguments;
	size_t at = second ? sizeof(struct rename2_in) : sizeof(struct rename_in);
	const struct node *from = directory_of(request->head.node), *to;
	const char *old = take_name(request, &at);
	const char *new = old ? take_name(request, &at) : NULL;
	struct node *node;
	uint32_t exchange;
	long result;

	if (!from || !new)
		return from ? -EINVAL : -ESTALE;
	to = directory_of(in->directory);
	if (!to)
		return -ESTALE;
	exchange = second && (in->flags & RENAME_EXCHANGE_) ? IN_MOVED_FROM | IN_MOVED_TO : 0;
	changes_own_name(from, old, IN_MOVED_FROM | exchange);
	changes_own_name(to, new, IN_MOVED_TO | exchange);
	node = exchange ? NULL : node_named(from, old, false);
	result = CALL(renameat2, from->fd, old, to->fd, new, second ? in->flags : 0);
	if (result == 0 && node)
		node_name(node, to, new);
	return result;
}

long serve_readlink(struct request *request)
{
	const struct node *node = node_of(request->head.node);

	if (!node || node->type != S_IFLNK)
		return node ? -EINVAL : -ESTALE;
	return CALL(readlinkat, node->fd, "", request->answer, request->room);
}
