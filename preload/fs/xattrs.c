/* Requests for extended attributes. */
#include "fs.h"

uint32_t flushing;

/* The name of an attribute, behind `at` bytes of arguments. */
static const char *name_at(const struct request *request, size_t at, size_t *end)
{
	const char *name = (const char *)request->arguments + at;
	size_t length = 0;

	while (at + length < request->length && name[length] != '\0')
		length++;
	if (at + length >= request->length || length == 0 || length > NAME_LENGTH)
		return NULL;
	*end = at + length + 1;
	return name;
}

/* A symbolic link cannot be named by its descriptor. */
static bool has_none(const struct node *node)
{
	return node->type == S_IFLNK;
}

long serve_setxattr(struct request *request)
{
	const struct setxattr_in *in = ARGUMENTS(request, struct setxattr_in);
	const struct node *node = node_of(request->head.node);
	struct fd_path path;
	const char *name;
	size_t at;

	if (!in || !node)
		return in ? -ESTALE : -EINVAL;
	name = name_at(request, sizeof(*in), &at);
	if (!name || in->size > request->length - at)
		return -EINVAL;
	if (has_none(node))
		return -EPERM;
	changes_own_file(request->head.node);
	path = path_of(node->fd);
	return CALL(setxattr, path.text, name, request->arguments + at, in->size, in->flags);
}

/* GETXATTR and LISTXATTR. */
long serve_getxattr(struct request *request)
{
	const struct getxattr_in *in = ARGUMENTS(request, struct getxattr_in);
	const struct node *node = node_of(request->head.node);
	bool list = request->head.opcode == OP_LISTXATTR;
	struct fd_path path;
	const char *name = NULL;
	size_t at, size;
	long result;

	if (!in || !node)
		return in ? -ESTALE : -EINVAL;
	if (in->size == 0 && request->room < sizeof(struct getxattr_out))
		return -EINVAL;
	if (!list && !(name = name_at(request, sizeof(*in), &at)))
		return -EINVAL;
	if (request->head.node == ROOT_NODE && !list && !strcmp(name, CHANGES_ATTRIBUTE))
		return serve_changes(request);
	if (request->head.node == ROOT_NODE && !list && !strcmp(name, FLUSH_ATTRIBUTE))
		flushing = request->head.pid;
	if (has_none(node))
		result = list ? 0 : -ENODATA;
	else {
		path = path_of(node->fd);
		size = in->size < request->room ? in->size : request->room;
		result = list ? CALL(listxattr, path.text, in->size ? request->answer : NULL, size) :
				CALL(getxattr, path.text, name, in->size ? request->answer : NULL, size);
	}
	if (result < 0 || in->size != 0)
		return result;
	*(struct getxattr_out *)request->answer = (struct getxattr_out){ .size = (uint32_t)result };
	return sizeof(struct getxattr_out);
}

long serve_removexattr(struct request *request)
{
	const struct node *node = node_of(request->head.node);
	struct fd_path path;
	size_t at;
	const char *name = name_at(request, 0, &at);

	if (!node || !name)
		return node ? -EINVAL : -ESTALE;
	if (has_none(node))
		return -EPERM;
	changes_own_file(request->head.node);
	path = path_of(node->fd);
	return CALL(removexattr, path.text, name);
}
