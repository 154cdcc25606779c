/* Requests for what is in files. */
#include "fs.h"

#include <sys/inotify.h>

enum {
	RWF_APPEND_ = 0x10,
	FSYNC_DATA = 1,
	/* While this is copied nobody else is served. */
	MOST_AT_ONCE = 4 << 20,
	O_TMPFILE_ = 020000000 | O_DIRECTORY,
};

/* What of a guest's open(2) is done here: its kernel does the rest. */
static int flags_for(uint32_t flags)
{
	return (int)(flags & (O_ACCMODE | O_TRUNC));
}

static long answer_opened(struct request *request, uint8_t *at, int fd, uint64_t node, uint32_t flags)
{
	long handle = handle_new(fd, node);

	(void)request;
	if (handle < 0) {
		CALL(close, fd);
		return handle;
	}
	*(struct open_out *)at = (struct open_out){ .handle = (uint64_t)handle, .flags = flags };
	return sizeof(struct open_out);
}

long serve_open(struct request *request)
{
	const struct open_in *in = ARGUMENTS(request, struct open_in);
	struct node *node = node_of(request->head.node);
	bool keeps;
	int fd;

	if (!in || !node)
		return in ? -ESTALE : -EINVAL;
	if (node->type != S_IFREG)
		return node->type == S_IFDIR ? -EISDIR : -ENXIO;
	if ((in->flags & O_TRUNC) && (in->open_flags & OPEN_KILL_SUIDGID) && !changes_asks(request))
		kill_set_ids(request->head.node);
	if (in->flags & O_TRUNC)
		changes_own_file(request->head.node);
	fd = (int)node_open(node, changes_asks(request) ? O_RDONLY : flags_for(in->flags));
	if (fd < 0)
		return fd;
	keeps = !node->unsettled && !changes_asks(request);
	node->unsettled = false;
	return answer_opened(request, request->answer, fd, request->head.node, OPENED_NOFLUSH | (keeps ? OPENED_KEEP_CACHE : 0));
}

/* Opens what has the name already. */
static long open_found(struct request *request, const struct node *directory, const char *name, uint32_t flags)
{
	struct entry_out *out = (struct entry_out *)request->answer;
	long result = enter(directory, name, out);
	const struct node *node;
	int fd;

	if (result < 0)
		return result;
	node = node_of(out->node);
	if (flags & O_TRUNC)
		changes_own_file(out->node);
	fd = node->type == S_IFREG ? (int)node_open(node, flags_for(flags)) : node->type == S_IFDIR ? -EISDIR : -ENXIO;
	result = fd < 0 ? fd : answer_opened(request, request->answer + sizeof(*out), fd, out->node, OPENED_NOFLUSH);
	if (result < 0) {
		node_forget(out->node, 1);
		return result;
	}
	if (flags & O_TRUNC) {
		struct status status;

		if (node_status(node, &status) == 0)
			fill_attributes(&out->attributes, &status);
	}
	return (long)sizeof(*out) + result;
}

/* CREATE and TMPFILE. */
long serve_create(struct request *request)
{
	const struct create_in *in = ARGUMENTS(request, struct create_in);
	const struct node *directory = node_of(request->head.node);
	struct entry_out *out = (struct entry_out *)request->answer;
	bool unnamed = request->head.opcode == OP_TMPFILE;
	size_t at = sizeof(*in);
	const char *name = unnamed ? "." : take_name(request, &at);
	struct fd_path path;
	long result;
	int fd, named;

	if (!in || !directory || directory->type != S_IFDIR || !name)
		return directory ? -EINVAL : -ESTALE;
	if (!unnamed)
		changes_own_name(directory, name, IN_CREATE | IN_ATTRIB);
	fd = (int)CALL(openat, directory->fd, name,
		       (flags_for(in->flags) & ~O_TRUNC) | (unnamed ? O_TMPFILE_ : O_CREAT | O_EXCL | O_NOFOLLOW) | O_CLOEXEC,
		       in->mode & 07777);
	if (fd == -EEXIST && !(in->flags & O_EXCL))
		return open_found(request, directory, name, in->flags);
	if (fd < 0)
		return fd;
	path = path_of(fd);
	result = own(request, directory, fd, S_IFREG | (in->mode & 07777));
	named = result < 0 ? (int)result : (int)CALL(openat, AT_FDCWD, path.text, O_PATH | O_CLOEXEC, 0);
	if (named >= 0)
		named = (int)enter_fd(directory, unnamed ? NULL : name, named, out);
	if (named < 0) {
		CALL(close, fd);
		if (!unnamed)
			CALL(unlinkat, directory->fd, name, 0);
		return named;
	}
	result = answer_opened(request, request->answer + sizeof(*out), fd, out->node, OPENED_KEEP_CACHE | OPENED_NOFLUSH);
	if (result < 0) {
		node_forget(out->node, 1);
		return result;
	}
	return (long)sizeof(*out) + result;
}

long serve_read(struct request *request)
{
	const struct transfer_in *in = ARGUMENTS(request, struct transfer_in);
	const struct handle *handle = in ? handle_of(in->handle, request->head.node) : NULL;
	struct node *node = node_of(request->head.node);
	size_t left;

	if (!handle || !node)
		return in ? -EBADF : -EINVAL;
	node->unsettled |= is_unsettled(node);
	left = in->size;
	for (int i = 0; i < request->data_count; i++) {
		struct iovec *part = &request->data[i];

		if (part->iov_len > left)
			part->iov_len = left;
		left -= part->iov_len;
	}
	return CALL(preadv, handle->fd, request->data, request->data_count, in->offset, 0);
}

long serve_write(struct request *request)
{
	const struct transfer_in *in = ARGUMENTS(request, struct transfer_in);
	const struct handle *handle = in ? handle_of(in->handle, request->head.node) : NULL;
	struct write_out *out = (struct write_out *)request->answer;
	bool from_cache = in && (in->transfer_flags & WRITE_FROM_CACHE);
	long result;

	if (!handle)
		return in ? -EBADF : -EINVAL;
	if (in->size != request->data_size)
		return -EINVAL;
	changes_own_file(request->head.node);
	if (in->transfer_flags & WRITE_KILL_SUIDGID)
		kill_set_ids(request->head.node);
	/* Where the end is, the host knows: others write there, too. */
	result = CALL(pwritev2, handle->fd, request->data, request->data_count, in->offset, 0,
		      (in->flags & O_APPEND) && !from_cache ? RWF_APPEND_ : 0);
	if (result < 0)
		return result;
	*out = (struct write_out){ .size = (uint32_t)result };
	return sizeof(*out);
}

long serve_release(struct request *request)
{
	const struct release_in *in = ARGUMENTS(request, struct release_in);
	const struct handle *handle = in ? handle_of(in->handle, request->head.node) : NULL;

	if (!handle)
		return in ? -EBADF : -EINVAL;
	if ((CALL(fcntl, handle->fd, F_GETFL) & O_ACCMODE) == O_RDONLY) {
		handle_close(in->handle);
		return 0;
	}
	/* Who watches the directory is told that it is closed. */
	changes_take();
	changes_own_file(request->head.node);
	handle_close(in->handle);
	changes_take();
	changes_end_own();
	return 0;
}

long serve_fsync(struct request *request)
{
	const struct fsync_in *in = ARGUMENTS(request, struct fsync_in);
	const struct handle *handle = in ? handle_of(in->handle, request->head.node) : NULL;

	if (!handle)
		return in ? -EBADF : -EINVAL;
	return in->flags & FSYNC_DATA ? CALL(fdatasync, handle->fd) : CALL(fsync, handle->fd);
}

long serve_fallocate(struct request *request)
{
	const struct fallocate_in *in = ARGUMENTS(request, struct fallocate_in);
	const struct handle *handle = in ? handle_of(in->handle, request->head.node) : NULL;

	if (!handle)
		return in ? -EBADF : -EINVAL;
	changes_own_file(request->head.node);
	return CALL(fallocate, handle->fd, in->mode, in->offset, in->length);
}

long serve_lseek(struct request *request)
{
	const struct lseek_in *in = ARGUMENTS(request, struct lseek_in);
	const struct handle *handle = in ? handle_of(in->handle, request->head.node) : NULL;
	struct lseek_out *out = (struct lseek_out *)request->answer;
	long result;

	if (!handle)
		return in ? -EBADF : -EINVAL;
	result = CALL(lseek, handle->fd, in->offset, in->whence);
	if (result < 0)
		return result;
	*out = (struct lseek_out){ .offset = (uint64_t)result };
	return sizeof(*out);
}

long serve_copy(struct request *request)
{
	const struct copy_in *in = ARGUMENTS(request, struct copy_in);
	const struct handle *from = in ? handle_of(in->handle, request->head.node) : NULL;
	const struct handle *to = in ? handle_of(in->to_handle, in->to_node) : NULL;
	struct write_out *out = (struct write_out *)request->answer;
	int64_t offset, to_offset;
	long result;

	if (!from || !to)
		return in ? -EBADF : -EINVAL;
	changes_own_file(in->to_node);
	offset = (int64_t)in->offset;
	to_offset = (int64_t)in->to_offset;
	result = CALL(copy_file_range, from->fd, &offset, to->fd, &to_offset, in->length > INT32_MAX ? INT32_MAX : in->length, 0);
	/* To another file system, of which the guest knows nothing. It asks for the rest itself. */
	if (result == -EXDEV && (result = CALL(lseek, to->fd, to_offset, SEEK_SET)) >= 0)
		result = CALL(sendfile, to->fd, from->fd, &offset, in->length > MOST_AT_ONCE ? MOST_AT_ONCE : in->length);
	if (result < 0)
		return result;
	*out = (struct write_out){ .size = (uint32_t)result };
	return sizeof(*out);
}

/* All file systems are one to the guest. */
long serve_syncfs(struct request *request)
{
	bool done[MOST_DEVICES + 1] = { 0 };
	long result = 0;

	if (flushing != 0 && request->head.pid == flushing)
		return 0;
	for (uint32_t id = ROOT_NODE; result == 0 && (id = node_next(id)) != 0; id++) {
		const struct node *node = node_of(id);
		uint32_t index = device_index(node->device);
		int fd;

		if (done[index] || node->type != S_IFDIR || (fd = (int)node_open(node, O_RDONLY)) < 0)
			continue;
		done[index] = index < MOST_DEVICES;
		result = CALL(syncfs, fd);
		CALL(close, fd);
	}
	return result;
}
