/* What is to be done for a request. */
#include "fs.h"

static bool begun;

static long serve_init(struct request *request)
{
	const struct init_in *in = ARGUMENTS(request, struct init_in);
	struct init_out *out = (struct init_out *)request->answer;
	const uint32_t wanted = CAN_ASYNC_READ | CAN_ATOMIC_O_TRUNC | CAN_BIG_WRITES | CAN_AUTO_INVAL_DATA | CAN_DO_READDIRPLUS |
				CAN_READDIRPLUS_AUTO | CAN_ASYNC_DIO | CAN_PARALLEL_DIROPS | CAN_MAX_PAGES | CAN_CACHE_SYMLINKS |
				CAN_HANDLE_KILLPRIV_V2;

	/* Before 7.31 a kernel has no virtio-fs, which takes these. */
	if (!in || in->major != FUSE_MAJOR || in->minor < 31)
		return -EPROTO;
	handles_reset();
	nodes_reset();
	changes_reset(true);
	if (!node_of(ROOT_NODE))
		return -EIO;
	begun = true;
	*out = (struct init_out){
		.major = FUSE_MAJOR,
		.minor = FUSE_MINOR,
		.readahead = in->readahead,
		.flags = in->flags & wanted,
		.background = 64,
		.congestion = 48,
		.max_write = MOST_WRITE,
		.time_granularity = 1,
		.max_pages = MOST_WRITE >> 12,
	};
	return sizeof(*out);
}

static long serve_destroy(struct request *request)
{
	(void)request;
	handles_reset();
	nodes_reset();
	changes_reset(false);
	begun = false;
	return 0;
}

static long serve_forget(struct request *request)
{
	const struct forget_in *in = ARGUMENTS(request, struct forget_in);

	if (in)
		node_forget(request->head.node, in->lookups);
	return 0;
}

static long serve_batch_forget(struct request *request)
{
	const struct batch_forget_in *in = ARGUMENTS(request, struct batch_forget_in);
	const struct forget_one *each = (const struct forget_one *)(request->arguments + sizeof(*in));

	for (uint32_t i = 0; in && i < in->count && sizeof(*in) + (i + 1) * sizeof(*each) <= request->length; i++)
		node_forget(each[i].node, each[i].lookups);
	return 0;
}

/* By opcode; the least room that an answer takes; whether it changes what others see. A file system without one of these is one that cannot do it, and is not asked again. */
static const struct {
	long (*serve)(struct request *request);
	uint32_t least;
	bool changes;
} services[] = {
	[OP_LOOKUP] = { serve_lookup, sizeof(struct entry_out) },
	[OP_FORGET] = { serve_forget, 0 },
	[OP_GETATTR] = { serve_getattr, sizeof(struct attributes_out) },
	[OP_SETATTR] = { serve_setattr, sizeof(struct attributes_out), true },
	[OP_READLINK] = { serve_readlink, 1 },
	[OP_SYMLINK] = { serve_symlink, sizeof(struct entry_out), true },
	[OP_MKNOD] = { serve_mknod, sizeof(struct entry_out), true },
	[OP_MKDIR] = { serve_mkdir, sizeof(struct entry_out), true },
	[OP_UNLINK] = { serve_unlink, 0, true },
	[OP_RMDIR] = { serve_unlink, 0, true },
	[OP_RENAME] = { serve_rename, 0, true },
	[OP_LINK] = { serve_link, sizeof(struct entry_out), true },
	[OP_OPEN] = { serve_open, sizeof(struct open_out), true },
	[OP_READ] = { serve_read, 0 },
	[OP_WRITE] = { serve_write, sizeof(struct write_out), true },
	[OP_STATFS] = { serve_statfs, sizeof(struct statfs_out) },
	[OP_RELEASE] = { serve_release, 0 },
	[OP_FSYNC] = { serve_fsync, 0 },
	[OP_SETXATTR] = { serve_setxattr, 0, true },
	[OP_GETXATTR] = { serve_getxattr, 0 },
	[OP_LISTXATTR] = { serve_getxattr, 0 },
	[OP_REMOVEXATTR] = { serve_removexattr, 0, true },
	[OP_OPENDIR] = { serve_opendir, sizeof(struct open_out) },
	[OP_READDIR] = { serve_readdir, 0 },
	[OP_RELEASEDIR] = { serve_release, 0 },
	[OP_FSYNCDIR] = { serve_fsync, 0 },
	[OP_CREATE] = { serve_create, sizeof(struct entry_out) + sizeof(struct open_out), true },
	[OP_BATCH_FORGET] = { serve_batch_forget, 0 },
	[OP_FALLOCATE] = { serve_fallocate, 0, true },
	[OP_READDIRPLUS] = { serve_readdir, 0 },
	[OP_RENAME2] = { serve_rename, 0, true },
	[OP_LSEEK] = { serve_lseek, sizeof(struct lseek_out) },
	[OP_COPY_FILE_RANGE] = { serve_copy, sizeof(struct write_out), true },
	[OP_SYNCFS] = { serve_syncfs, 0 },
	[OP_TMPFILE] = { serve_create, sizeof(struct entry_out) + sizeof(struct open_out), true },
	[OP_INIT] = { serve_init, sizeof(struct init_out) },
	[OP_DESTROY] = { serve_destroy, 0 },
};

/* Whether a program of the guest's has written this to a map: the kernel hands it over when it gives the pages up, in the name of whoever asks for that. */
static bool is_write_back(const struct request *request)
{
	const struct transfer_in *in = ARGUMENTS(request, struct transfer_in);

	return request->head.opcode == OP_WRITE && in && (in->transfer_flags & WRITE_FROM_CACHE);
}

long dispatch(struct request *request)
{
	uint32_t opcode = request->head.opcode;
	long result;

	if (opcode >= sizeof(services) / sizeof(*services) || !services[opcode].serve)
		return -ENOSYS;
	if (!begun && opcode != OP_INIT)
		return -EIO;
	if (request->room < services[opcode].least)
		return -EINVAL;
	if (!services[opcode].changes)
		return services[opcode].serve(request);
	if (changes_asks(request) && !is_write_back(request))
		return replay(request);
	changes_take();
	result = services[opcode].serve(request);
	changes_take();
	changes_end_own();
	return result;
}
