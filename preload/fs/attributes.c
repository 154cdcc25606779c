/* Requests for what is said of a file: its attributes, and the space of its file system. */
#include <sys/statfs.h>

#include "fs.h"

enum { AT_EMPTY_PATH_ = 0x1000 };

uint32_t device_index(uint64_t device)
{
	static uint64_t devices[MOST_DEVICES];
	static uint32_t count;
	uint32_t index = 0;

	while (index < count && devices[index] != device)
		index++;
	if (index == count && count < MOST_DEVICES)
		devices[count++] = device;
	return index;
}

uint64_t inode_for(uint64_t device, uint64_t inode)
{
	enum { SMALL_DEVICES = 16, SMALL_BITS = 28, SHIFT = 48 };
	uint64_t index = device_index(device);

	/* What has 32 bits keeps to them, for programs that know no more. */
	return index < SMALL_DEVICES && inode >> SMALL_BITS == 0 ? inode | index << SMALL_BITS : inode ^ (index + 1) << SHIFT;
}

void fill_attributes(struct attributes *attributes, const struct status *status)
{
	*attributes = (struct attributes){
		.inode = inode_for(device_of(status), status->inode),
		.size = status->size,
		.blocks = status->blocks,
		.atime = (uint64_t)status->atime.seconds,
		.mtime = (uint64_t)status->mtime.seconds,
		.ctime = (uint64_t)status->ctime.seconds,
		.atime_ns = status->atime.nanoseconds,
		.mtime_ns = status->mtime.nanoseconds,
		.ctime_ns = status->ctime.nanoseconds,
		.mode = status->mode,
		.links = status->links,
		.uid = status->uid,
		.gid = status->gid,
		/* As new_encode_dev() of the kernel. */
		.device = (status->rdev_minor & 0xff) | status->rdev_major << 8 | (status->rdev_minor & ~0xffu) << 12,
		.block_size = status->block_size,
	};
}

bool is_unsettled(const struct node *node)
{
	/* Twice the longest that such times stand still. */
	enum { SETTLES_NANOSECONDS = 20000000, CLOCK_REALTIME_COARSE_ = 5 };
	struct timespec now;
	struct status status;

	if (node->kept || node_status(node, &status) < 0 || CALL(clock_gettime, CLOCK_REALTIME_COARSE_, &now) < 0)
		return false;
	if (status.mtime.seconds < now.tv_sec - 1 || status.mtime.seconds > now.tv_sec)
		return status.mtime.seconds > now.tv_sec;
	return (now.tv_sec - status.mtime.seconds) * 1000000000 + now.tv_nsec - status.mtime.nanoseconds < SETTLES_NANOSECONDS;
}

long answer_attributes(struct request *request, const struct node *node, const struct status *status)
{
	struct attributes_out *out = (struct attributes_out *)request->answer;

	*out = (struct attributes_out){ .valid = changes_asks(request) ? 0 : changes_keep_attributes(node, status) };
	fill_attributes(&out->attributes, status);
	return sizeof(*out);
}

/* The descriptor by which a request knows a file: of an open one its own. */
static int fd_for(const struct request *request, const struct node *node, bool has_handle, uint64_t id)
{
	const struct handle *handle = has_handle ? handle_of(id, request->head.node) : NULL;

	return handle ? handle->fd : node->fd;
}

long serve_getattr(struct request *request)
{
	const struct getattr_in *in = ARGUMENTS(request, struct getattr_in);
	struct node *node = node_of(request->head.node);
	struct status status;
	long result;

	if (!in || !node)
		return in ? -ESTALE : -EINVAL;
	/* It may not be where it was any more. If it is, it is found there again. */
	if (changes_asks(request))
		node->followed = false;
	result = node_status(node, &status);
	if (result == 0 && changes_asks(request))
		replay_seen(node, &status);
	return result < 0 ? result : answer_attributes(request, node, &status);
}

static long set_mode(const struct node *node, uint32_t mode)
{
	struct fd_path path = path_of(node->fd);

	if (node->type == S_IFLNK)
		return -EOPNOTSUPP;
	return CALL(fchmodat, AT_FDCWD, path.text, mode & 07777);
}

static long set_size(const struct request *request, const struct node *node, const struct setattr_in *in)
{
	int fd = fd_for(request, node, in->valid & SET_FH, in->handle);
	long result;

	if (node->type != S_IFREG)
		return node->type == S_IFDIR ? -EISDIR : -EINVAL;
	if (fd != node->fd && (result = CALL(ftruncate, fd, in->size)) != -EINVAL)
		return result;
	fd = (int)node_open(node, O_WRONLY);
	if (fd < 0)
		return fd;
	result = CALL(ftruncate, fd, in->size);
	CALL(close, fd);
	return result;
}

static struct timespec time_for(uint32_t valid, uint32_t set, uint32_t now, uint64_t seconds, uint32_t nanoseconds)
{
	if (!(valid & set))
		return (struct timespec){ 0, UTIME_OMIT };
	if (valid & now)
		return (struct timespec){ 0, UTIME_NOW };
	return (struct timespec){ (time_t)seconds, nanoseconds < 1000000000 ? (long)nanoseconds : 0 };
}

static long set_times(const struct node *node, const struct setattr_in *in)
{
	const struct timespec times[2] = {
		time_for(in->valid, SET_ATIME, SET_ATIME_NOW, in->atime, in->atime_ns),
		time_for(in->valid, SET_MTIME, SET_MTIME_NOW, in->mtime, in->mtime_ns),
	};
	struct fd_path path = path_of(node->fd);
	long result = CALL(utimensat, node->fd, "", times, AT_EMPTY_PATH_);

	/* Linux before 5.8. */
	if (result == -EINVAL && node->type != S_IFLNK)
		result = CALL(utimensat, AT_FDCWD, path.text, times, 0);
	return result;
}

/* Takes the bits away that a change by somebody else takes away: chown(2), write(2). */
static long drop_set_ids(const struct node *node)
{
	struct status status;
	long result = node_status(node, &status);
	uint32_t drop = S_ISUID | (status.mode & S_IXGRP ? S_ISGID : 0);

	if (result < 0 || node->type != S_IFREG || !(status.mode & drop))
		return result;
	return set_mode(node, status.mode & ~drop);
}

long serve_setattr(struct request *request)
{
	const struct setattr_in *in = ARGUMENTS(request, struct setattr_in);
	const struct node *node = node_of(request->head.node);
	struct status status;
	long result = 0;

	if (!in || !node)
		return in ? -ESTALE : -EINVAL;
	changes_own_file(request->head.node);
	if (in->valid & (SET_UID | SET_GID))
		result = CALL(fchownat, node->fd, "", in->valid & SET_UID ? in->uid : (uint32_t)-1,
			      in->valid & SET_GID ? in->gid : (uint32_t)-1, AT_EMPTY_PATH_);
	if (result == 0 && (in->valid & SET_KILL_SUIDGID))
		result = drop_set_ids(node);
	if (result == 0 && (in->valid & SET_MODE))
		result = set_mode(node, in->mode);
	if (result == 0 && (in->valid & SET_SIZE))
		result = set_size(request, node, in);
	if (result == 0 && (in->valid & (SET_ATIME | SET_MTIME)))
		result = set_times(node, in);
	if (result == 0)
		result = node_status(node, &status);
	return result < 0 ? result : answer_attributes(request, node, &status);
}

long serve_statfs(struct request *request)
{
	const struct node *node = node_of(request->head.node);
	struct statfs_out *out = (struct statfs_out *)request->answer;
	struct statfs status;
	long result;

	if (!node)
		return -ESTALE;
	result = CALL(fstatfs, node->fd, &status);
	if (result < 0)
		return result;
	*out = (struct statfs_out){
		.blocks = status.f_blocks,
		.free = status.f_bfree,
		.available = status.f_bavail,
		.files = status.f_files,
		.free_files = status.f_ffree,
		.block_size = (uint32_t)status.f_bsize,
		.name_length = (uint32_t)status.f_namelen,
		.fragment_size = (uint32_t)status.f_frsize,
	};
	return sizeof(*out);
}

long kill_set_ids(uint64_t id)
{
	const struct node *node = node_of(id);

	return node ? drop_set_ids(node) : -ESTALE;
}
