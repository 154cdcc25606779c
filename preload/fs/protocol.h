/*
 * What a guest's kernel says to who serves its files, and is answered: FUSE, version 7.38, over virtio-fs. As the kernel's
 * interface has it (include/uapi/linux/fuse.h; Virtual I/O Device 1.2, 5.11 "File System Device").
 */
#ifndef FS_PROTOCOL_H
#define FS_PROTOCOL_H

#include <stdint.h>

enum {
	FUSE_MAJOR = 7,
	FUSE_MINOR = 38,
	ROOT_NODE = 1,
};

enum opcode {
	OP_LOOKUP = 1,
	OP_FORGET = 2,
	OP_GETATTR = 3,
	OP_SETATTR = 4,
	OP_READLINK = 5,
	OP_SYMLINK = 6,
	OP_MKNOD = 8,
	OP_MKDIR = 9,
	OP_UNLINK = 10,
	OP_RMDIR = 11,
	OP_RENAME = 12,
	OP_LINK = 13,
	OP_OPEN = 14,
	OP_READ = 15,
	OP_WRITE = 16,
	OP_STATFS = 17,
	OP_RELEASE = 18,
	OP_FSYNC = 20,
	OP_SETXATTR = 21,
	OP_GETXATTR = 22,
	OP_LISTXATTR = 23,
	OP_REMOVEXATTR = 24,
	OP_INIT = 26,
	OP_OPENDIR = 27,
	OP_READDIR = 28,
	OP_RELEASEDIR = 29,
	OP_FSYNCDIR = 30,
	OP_CREATE = 35,
	OP_DESTROY = 38,
	OP_BATCH_FORGET = 42,
	OP_FALLOCATE = 43,
	OP_READDIRPLUS = 44,
	OP_RENAME2 = 45,
	OP_LSEEK = 46,
	OP_COPY_FILE_RANGE = 47,
	OP_SYNCFS = 50,
	OP_TMPFILE = 51,
};

/* What both sides can (INIT). */
#define CAN_ASYNC_READ (1u << 0)
#define CAN_ATOMIC_O_TRUNC (1u << 3)
#define CAN_BIG_WRITES (1u << 5)
#define CAN_AUTO_INVAL_DATA (1u << 12)
#define CAN_DO_READDIRPLUS (1u << 13)
#define CAN_READDIRPLUS_AUTO (1u << 14)
#define CAN_ASYNC_DIO (1u << 15)
#define CAN_PARALLEL_DIROPS (1u << 18)
#define CAN_MAX_PAGES (1u << 22)
#define CAN_CACHE_SYMLINKS (1u << 23)
#define CAN_HANDLE_KILLPRIV_V2 (1u << 28)

/* By asking for this attribute of the share the guest's agent waits for what the host changes (src/guest/share-changes.ts). */
#define CHANGES_ATTRIBUTE "trusted.runv.changes"

enum {
	SET_MODE = 1 << 0,
	SET_UID = 1 << 1,
	SET_GID = 1 << 2,
	SET_SIZE = 1 << 3,
	SET_ATIME = 1 << 4,
	SET_MTIME = 1 << 5,
	SET_FH = 1 << 6,
	SET_ATIME_NOW = 1 << 7,
	SET_MTIME_NOW = 1 << 8,
	SET_KILL_SUIDGID = 1 << 11,
};

enum {
	OPENED_KEEP_CACHE = 1 << 1,
	OPENED_CACHE_DIR = 1 << 3,
	OPENED_NOFLUSH = 1 << 5,
};

enum {
	WRITE_FROM_CACHE = 1 << 0,
	WRITE_KILL_SUIDGID = 1 << 2,
	OPEN_KILL_SUIDGID = 1 << 0,
	GETATTR_FH = 1 << 0,
};

struct in_header {
	uint32_t length, opcode;
	uint64_t unique, node;
	uint32_t uid, gid, pid;
	uint16_t extensions, padding;
};

struct out_header {
	uint32_t length;
	int32_t error;
	uint64_t unique;
};

struct attributes {
	uint64_t inode, size, blocks, atime, mtime, ctime;
	uint32_t atime_ns, mtime_ns, ctime_ns, mode, links, uid, gid, device, block_size, flags;
};

struct entry_out {
	uint64_t node, generation, entry_valid, attributes_valid;
	uint32_t entry_valid_ns, attributes_valid_ns;
	struct attributes attributes;
};

struct forget_in {
	uint64_t lookups;
};

struct forget_one {
	uint64_t node, lookups;
};

struct batch_forget_in {
	uint32_t count, padding;
};

struct getattr_in {
	uint32_t flags, padding;
	uint64_t handle;
};

struct attributes_out {
	uint64_t valid;
	uint32_t valid_ns, padding;
	struct attributes attributes;
};

struct setattr_in {
	uint32_t valid, padding;
	uint64_t handle, size, lock_owner, atime, mtime, ctime;
	uint32_t atime_ns, mtime_ns, ctime_ns, mode, unused, uid, gid, unused2;
};

struct mknod_in {
	uint32_t mode, device, umask, padding;
};

struct mkdir_in {
	uint32_t mode, umask;
};

struct rename_in {
	uint64_t directory;
};

struct rename2_in {
	uint64_t directory;
	uint32_t flags, padding;
};

struct link_in {
	uint64_t node;
};

struct open_in {
	uint32_t flags, open_flags;
};

struct create_in {
	uint32_t flags, mode, umask, open_flags;
};

struct open_out {
	uint64_t handle;
	uint32_t flags, padding;
};

struct release_in {
	uint64_t handle;
	uint32_t flags, release_flags;
	uint64_t lock_owner;
};

/* READ, READDIR, READDIRPLUS and WRITE. */
struct transfer_in {
	uint64_t handle, offset;
	uint32_t size, transfer_flags;
	uint64_t lock_owner;
	uint32_t flags, padding;
};

struct write_out {
	uint32_t size, padding;
};

struct statfs_out {
	uint64_t blocks, free, available, files, free_files;
	uint32_t block_size, name_length, fragment_size, padding, spare[6];
};

struct fsync_in {
	uint64_t handle;
	uint32_t flags, padding;
};

/* Without CAN_SETXATTR_EXT. */
struct setxattr_in {
	uint32_t size, flags;
};

struct getxattr_in {
	uint32_t size, padding;
};

struct getxattr_out {
	uint32_t size, padding;
};

struct init_in {
	uint32_t major, minor, readahead, flags, flags2, unused[11];
};

struct init_out {
	uint32_t major, minor, readahead, flags;
	uint16_t background, congestion;
	uint32_t max_write, time_granularity;
	uint16_t max_pages, map_alignment;
	uint32_t flags2, unused[7];
};

struct fallocate_in {
	uint64_t handle, offset, length;
	uint32_t mode, padding;
};

struct lseek_in {
	uint64_t handle, offset;
	uint32_t whence, padding;
};

struct lseek_out {
	uint64_t offset;
};

struct copy_in {
	uint64_t handle, offset, to_node, to_handle, to_offset, length, flags;
};

/* Who asks for this one wants of SYNCFS only that the guest holds nothing back: its machine is about to end (src/guest/prepare.ts). */
#define FLUSH_ATTRIBUTE "trusted.runv.flush"

/* The kernel's struct file_handle. */
struct change_handle {
	uint32_t size;
	int32_t type;
	uint32_t node_high, node_low, generation;
};

/* What the agent is to do (src/guest/share-changes.ts). */
enum what {
	/* To ask for it again. */
	CHANGED_FILE = 1,
	CHANGED_NAME = 2,
	CHANGED_ALL = 3,
	/* To have the guest's programs told: replay.c. */
	REPLAY_TIMES = 4,
	REPLAY_CLOSE = 5,
	REPLAY_MAKE = 6,
	REPLAY_MAKE_DIRECTORY = 7,
	REPLAY_MAKE_LINK = 8,
	REPLAY_REMOVE = 9,
	REPLAY_RENAME = 10,
};

/* Such a change. */
struct change {
	uint32_t what;
	uint32_t flags; /* of open_by_handle_at(2) */
	struct change_handle handle;
	char name[256];
	uint32_t mode; /* of mknodat(2), or the flags of unlinkat(2) */
	int64_t times[4]; /* of utimensat(2) */
	struct change_handle to;
	char to_name[256];
	/* Where those directories are below the share; empty if that is longer. */
	char path[1024], to_path[1024];
	uint32_t padding;
};

struct entry {
	uint64_t inode, offset;
	uint32_t name_length, type;
	char name[];
};

struct entry_plus {
	struct entry_out out;
	struct entry entry;
};

_Static_assert(sizeof(struct in_header) == 40 && sizeof(struct out_header) == 16 && sizeof(struct attributes) == 88, "layout");
_Static_assert(sizeof(struct entry_out) == 128 && sizeof(struct attributes_out) == 104 && sizeof(struct setattr_in) == 88, "layout");
_Static_assert(sizeof(struct change) == 2648, "layout");
_Static_assert(sizeof(struct transfer_in) == 40 && sizeof(struct init_in) == 64 && sizeof(struct init_out) == 64, "layout");

#endif
