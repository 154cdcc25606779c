/* Requests for what is in directories. */
#include "fs.h"

struct host_entry {
	uint64_t inode;
	int64_t offset;
	uint16_t length;
	uint8_t type;
	char name[];
};

long serve_opendir(struct request *request)
{
	const struct open_in *in = ARGUMENTS(request, struct open_in);
	const struct node *node = node_of(request->head.node);
	struct open_out *out = (struct open_out *)request->answer;
	long handle;
	bool keeps;
	int fd;

	if (!in || !node)
		return in ? -ESTALE : -EINVAL;
	if (node->type != S_IFDIR)
		return -ENOTDIR;
	fd = (int)node_open(node, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	handle = handle_new(fd, request->head.node);
	if (handle < 0) {
		CALL(close, fd);
		return handle;
	}
	keeps = !changes_asks(request) && !is_unsettled(node);
	*out = (struct open_out){ .handle = (uint64_t)handle, .flags = keeps ? OPENED_CACHE_DIR | OPENED_KEEP_CACHE : 0 };
	return sizeof(*out);
}

static bool is_dots(const char *name)
{
	return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

/* READDIR, and READDIRPLUS, which tells of each entry what a look-up would. */
long serve_readdir(struct request *request)
{
	static _Alignas(8) uint8_t buffer[4096];
	const struct transfer_in *in = ARGUMENTS(request, struct transfer_in);
	const struct node *node = node_of(request->head.node);
	const struct handle *handle = in ? handle_of(in->handle, request->head.node) : NULL;
	bool plus = request->head.opcode == OP_READDIRPLUS;
	size_t fixed = plus ? sizeof(struct entry_plus) : sizeof(struct entry);
	size_t room = in && in->size < request->room ? in->size : request->room;
	size_t done = 0;
	long length, result;

	if (!handle || !node || node->type != S_IFDIR)
		return in ? -EBADF : -EINVAL;
	result = CALL(lseek, handle->fd, in->offset, SEEK_SET);
	if (result < 0)
		return result;
	while ((length = CALL(getdents64, handle->fd, buffer, sizeof(buffer))) > 0) {
		for (long at = 0; at < length;) {
			const struct host_entry *from = (const struct host_entry *)(buffer + at);
			size_t name_length = strlen(from->name), size = (fixed + name_length + 7) & ~(size_t)7;
			uint8_t *to = request->answer + done;
			struct entry *entry = plus ? &((struct entry_plus *)to)->entry : (struct entry *)to;

			at += from->length;
			if (size > room - done)
				return done > 0 ? (long)done : -EINVAL;
			memset(to, 0, size);
			if (plus && !is_dots(from->name)) {
				result = enter(node, from->name, &((struct entry_plus *)to)->out);
				/* It has just gone. */
				if (result == -ENOENT)
					continue;
				if (result < 0)
					memset(to, 0, size);
			}
			*entry = (struct entry){
				.inode = inode_for(node->device, from->inode),
				.offset = (uint64_t)from->offset,
				.name_length = (uint32_t)name_length,
				.type = from->type,
			};
			memcpy(entry->name, from->name, name_length);
			done += size;
		}
	}
	return length < 0 && done == 0 ? length : (long)done;
}
