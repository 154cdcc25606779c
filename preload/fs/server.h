/* What the part of this library that forks QEMU knows of the part that serves files. */
#ifndef FS_SERVER_H
#define FS_SERVER_H

#include <stdbool.h>

/* Whether a thread is the server's. While its guest stands still it does nothing but wait. */
bool fs_is_server(int thread) __attribute__((visibility("hidden")));

/* Has the server do nothing until fs_release(), after what it is doing; and of what it knows nothing is half done. */
void fs_hold(void) __attribute__((visibility("hidden")));
void fs_release(void) __attribute__((visibility("hidden")));

/*
 * Of a process that was forked while the server was held: what it has open of the share is the parent's. fs_leave() is for before it is given a share of its
 * own, and fs_renew() for after that: what has the same name there becomes the files that its guest knows. Returns whether the guest is told of their
 * changes as before.
 */
void fs_leave(void) __attribute__((visibility("hidden")));
bool fs_renew(void) __attribute__((visibility("hidden")));

/* Starts the server, if this process has a socket for it. */
void fs_start(void) __attribute__((visibility("hidden")));

#endif
