/*
 * What the parts of the server of a guest's files share (server.c tells what it is).
 *
 *	server.c	the thread, and the socket over which QEMU tells of the device (vhost-user)
 *	memory.c	the guest's memory
 *	queue.c		the device's queues: requests in, answers out
 *	dispatch.c	what is to be done for a request
 *	nodes.c		the files that the guest knows
 *	handles.c	those that it has open
 *	changes.c	what the host changes of what the guest knows
 *	replay.c	how the guest's programs get to know of it
 *	attributes.c	names.c files.c directories.c xattrs.c	the requests
 */
#ifndef FS_H
#define FS_H

/* With glibc's headers, which this includes first. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "../call.h"
#include "protocol.h"

#define HIDDEN __attribute__((visibility("hidden")))

enum {
	/* As src/hypervisor/qemu/child.ts has it: this library's end of the socket to QEMU. */
	FS_SOCKET = 12,
	/* Parts of a request, in the guest's memory: preadv(2) takes no more. */
	MOST_PARTS = 1024,
	/* The longest arguments: a name and an attribute's value (XATTR_SIZE_MAX), or names of a rename. */
	MOST_ARGUMENTS = (64 << 10) + 1024,
	/* The longest answer but that of READ. */
	MOST_ANSWER = 64 << 10,
	MOST_WRITE = 1 << 20,
	NAME_LENGTH = 255,
};

/* The kernel's struct statx. */
struct status {
	uint32_t mask, block_size;
	uint64_t attributes;
	uint32_t links, uid, gid;
	uint16_t mode, spare;
	uint64_t inode, size, blocks, attributes_mask;
	struct {
		int64_t seconds;
		uint32_t nanoseconds;
		int32_t reserved;
	} atime, btime, ctime, mtime;
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
	uint64_t mount;
	uint32_t dio[2];
	uint64_t spare3[12];
};
_Static_assert(sizeof(struct status) == 256, "layout");

/* A request, of which nothing is the guest's any more but the data of READ and WRITE. */
struct request {
	struct in_header head;
	/* What follows the head, with zero bytes behind it. */
	uint8_t *arguments;
	size_t length;
	/* Where the rest of WRITE's data is, and where data of READ goes: behind the headers. */
	struct iovec *data;
	int data_count;
	size_t data_size;
	/* For the answer, without its header. */
	uint8_t *answer;
	size_t room;
};

struct node {
	uint64_t device, inode, mount, lookups;
	uint32_t next, generation;
	int fd; /* O_PATH */
	uint16_t type; /* S_IFMT */
	uint8_t depth; /* below the share: 0 itself, 1 a directory of it, 2 deeper */
	bool used;
	bool unsettled; /* what was read may change without a change of its time */
	/* changes.c */
	bool pending; /* the guest is about to be told that it has changed */
	bool followed; /* changes of this file are told by the watch of a directory */
	bool kept; /* it is in a root file system */
	bool top; /* of what is mounted in a container */
	int watch; /* 0: none */
	uint32_t next_watched; /* with the same remainder of the watch */
	/* The name by which it was found last: the directory, 0 if there is none, and name_hash(). */
	uint32_t parent, hash, next_named;
};

struct handle {
	int fd;
	uint32_t next_free;
	uint64_t node; /* 0: free */
};

/* memory.c */
struct region {
	uint64_t guest, size, here;
};
enum { MOST_REGIONS = 64 };
HIDDEN void memory_clear(void);
HIDDEN bool memory_add(const struct region *region);
HIDDEN bool memory_remove(const struct region *region);
/* Where `size` bytes of the guest at `address` are; NULL if they are not all in one region. */
HIDDEN void *memory_at(uint64_t address, uint64_t size);
/* Whether addresses of this process are the guest's memory. */
HIDDEN bool memory_holds(uint64_t here, uint64_t size);

/* queue.c */
enum { QUEUES = 2, MOST_QUEUE = 1024 };
struct queue {
	uint32_t size;
	uint16_t last; /* the next of the guest's that is to be taken */
	/* Up to which answer the guest has been told, if it has not been told of all. */
	uint16_t told;
	bool owes;
	int kick, call;
	bool enabled;
	uint64_t descriptors, available, used;
};
HIDDEN extern struct queue queues[QUEUES];
HIDDEN extern bool queue_event_index;
HIDDEN void queue_serve(struct queue *queue);
/* Tells the guest of answers for which nobody waits. */
HIDDEN void queue_settle(struct queue *queue);

/* Answers the request that was held back (HELD), if there is one. */
HIDDEN bool queue_holds(void);
HIDDEN void queue_answer_held(const void *answer, size_t size);
HIDDEN void queue_drop_held(void);

/* dispatch.c */
/* What dispatch() returns of a request that is answered later, by queue_answer_held(). */
#define HELD (-4096L)
HIDDEN long dispatch(struct request *request);

/* nodes.c */
HIDDEN void nodes_reset(void);
/* See fs_leave() and fs_renew() of server.h. */
HIDDEN void nodes_leave(void);
HIDDEN void nodes_renew(void);
HIDDEN struct node *node_of(uint64_t id);
/* Finds or makes the node of a file; takes over `fd`. Returns its id, or an error. */
HIDDEN long node_enter(int fd, const struct status *status);
HIDDEN void node_forget(uint64_t id, uint64_t lookups);
HIDDEN uint64_t device_of(const struct status *status);
HIDDEN long node_status(const struct node *node, struct status *status);
HIDDEN long status_of(int fd, struct status *status);
/* The path by which a descriptor's file is opened anew. */
struct fd_path {
	char text[32];
};
HIDDEN struct fd_path path_of(int fd);
/* Opens a file or a directory that only has a name so far; nothing else. */
HIDDEN long node_open(const struct node *node, int flags);

/* The id of a node. */
HIDDEN uint32_t node_id(const struct node *node);
/* The node of a file, if it has one below the mount. */
HIDDEN struct node *node_find(const struct status *status);
/* The first node from an id on; 0 if there is none. */
HIDDEN uint32_t node_next(uint32_t id);
/* Takes note of the name by which a node was found. */
HIDDEN void node_name(struct node *node, const struct node *directory, const char *name);
/* The node that was found last by a name; if `gone`, only one that has no name on the host any more. NULL if there is none. */
HIDDEN struct node *node_named(const struct node *directory, const char *name, bool gone);
/* Makes a node that stands for a file or a directory that the guest has never seen and that is gone. Returns its id, or an error. */
HIDDEN long node_of_absent(bool is_directory);

/* changes.c */
HIDDEN extern int changes_fd; /* readable when something was changed */
HIDDEN void changes_reset(bool serve);
/* See fs_renew() of server.h: what is for before nodes_renew(), and for after it. Returns whether the guest is told of all changes as before. */
HIDDEN void changes_leave(void);
HIDDEN bool changes_renew(void);
/* A node was found in a directory. Returns whether its status must be asked for again. */
HIDDEN bool changes_follow(const struct node *directory, const char *name, struct node *node, const struct status *status);
HIDDEN void changes_forget(struct node *node);
/* For how many seconds the guest may keep what it is told: names in a directory, a file's attributes. */
HIDDEN uint64_t changes_keep_names(const struct node *directory);
HIDDEN uint64_t changes_keep_attributes(const struct node *node, const struct status *status);
/* Whether it is the guest's agent that asks: it wants to know what is. */
HIDDEN bool changes_asks(const struct request *request);
/* What the request that is served is about to change, so that the guest is not told of it. */
HIDDEN void changes_own_name(const struct node *directory, const char *name, uint32_t events);
HIDDEN void changes_own_file(uint64_t node);
/* Takes note of what was changed; to be called before a request that changes something, and after it. */
HIDDEN void changes_take(void);
HIDDEN void changes_end_own(void);
/* Tells the agent, if it waits and there is something. */
HIDDEN void changes_tell(void);
/* The agent asks for the next change. */
HIDDEN long serve_changes(const struct request *request);

/* replay.c */
/*
 * Fills in by which system call the agent makes an event of the host's one of the guest's. @to, @to_name: of a rename, where it goes; NULL for a place that nobody
 * watches, as `directory` is where it comes from. Returns whether there is one.
 */
HIDDEN bool replay_describe(struct change *change, const struct node *directory, uint32_t events, const char *name, const struct node *to,
			    const char *to_name);
/* What the agent does next is no replay. */
HIDDEN void replay_end(void);
/* Takes note of a status that the agent is told. */
HIDDEN void replay_seen(const struct node *node, const struct status *status);
/* Answers the agent's LOOKUP, if it belongs to what it replays. Returns whether it does. */
HIDDEN bool replay_lookup(struct request *request, const struct node *directory, const char *name, long *result);
/* Answers a request of the agent's that would change something: nothing is changed. */
HIDDEN long replay(struct request *request);
/* How the agent finds a node. */
HIDDEN void fill_handle(struct change_handle *handle, const struct node *node);
/*
 * By its handle the kernel finds a directory only as long as it keeps its name, which it may not for one that is but watched. By its path it does. Leaves
 * `to` empty if there is none.
 */
HIDDEN void fill_path(char *to, size_t room, const struct node *node);

/* handles.c */
HIDDEN void handles_reset(void);
HIDDEN long handle_new(int fd, uint64_t node);
HIDDEN struct handle *handle_of(uint64_t id, uint64_t node);
HIDDEN void handle_close(uint64_t id);
/* A descriptor by which the guest has a node's file open; negative if there is none. */
HIDDEN int handle_for(uint64_t node);

/* attributes.c */
/* The number that the guest has for a file of a device: it has all in one file system. */
HIDDEN uint64_t inode_for(uint64_t device, uint64_t inode);
/* Numbers the devices of the host, from 0 on; MOST_DEVICES: of none of those that have a number. */
enum { MOST_DEVICES = 1024 };
HIDDEN uint32_t device_index(uint64_t device);
HIDDEN void fill_attributes(struct attributes *attributes, const struct status *status);
HIDDEN long answer_attributes(struct request *request, const struct node *node, const struct status *status);
/*
 * Whether a file was changed so lately that another change may leave it the same time, as Linux before 6.13 has it. By that time the guest knows whether
 * what it keeps is still so, unless it is told.
 */
HIDDEN bool is_unsettled(const struct node *node);
/* Takes the bits of a file's mode away that a write takes away. */
HIDDEN long kill_set_ids(uint64_t node);
HIDDEN long serve_getattr(struct request *request);
HIDDEN long serve_setattr(struct request *request);
HIDDEN long serve_statfs(struct request *request);

/* names.c */
/* A name of the guest's, if it is one and no more: NULL otherwise. `*at` goes on behind it. */
HIDDEN const char *take_name(const struct request *request, size_t *at);
/* Looks a name up, for `out`. */
HIDDEN long enter(const struct node *directory, const char *name, struct entry_out *out);
HIDDEN long enter_fd(const struct node *directory, const char *name, int fd, struct entry_out *out);
/* What was made gets the owner and the mode that the guest wants. */
HIDDEN long own(const struct request *request, const struct node *directory, int fd, uint32_t mode);
HIDDEN long serve_lookup(struct request *request);
HIDDEN long serve_mknod(struct request *request);
HIDDEN long serve_mkdir(struct request *request);
HIDDEN long serve_symlink(struct request *request);
HIDDEN long serve_link(struct request *request);
HIDDEN long serve_unlink(struct request *request);
HIDDEN long serve_rename(struct request *request);
HIDDEN long serve_readlink(struct request *request);

/* files.c */
HIDDEN long serve_open(struct request *request);
HIDDEN long serve_create(struct request *request);
HIDDEN long serve_read(struct request *request);
HIDDEN long serve_write(struct request *request);
HIDDEN long serve_release(struct request *request);
HIDDEN long serve_fsync(struct request *request);
HIDDEN long serve_fallocate(struct request *request);
HIDDEN long serve_lseek(struct request *request);
HIDDEN long serve_copy(struct request *request);
HIDDEN long serve_syncfs(struct request *request);

/* directories.c */
HIDDEN long serve_opendir(struct request *request);
HIDDEN long serve_readdir(struct request *request);

/* xattrs.c */
/* The process that has asked for FLUSH_ATTRIBUTE. */
HIDDEN extern uint32_t flushing;
HIDDEN long serve_setxattr(struct request *request);
HIDDEN long serve_getxattr(struct request *request);
HIDDEN long serve_removexattr(struct request *request);

/* The arguments of a request as a struct; NULL if they are too short. */
#define ARGUMENTS(request, type) ((request)->length < sizeof(type) ? NULL : (const type *)(request)->arguments)

#endif
