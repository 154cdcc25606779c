/* What the part of this library that forks QEMU knows of the part that serves files. */
#ifndef FS_SERVER_H
#define FS_SERVER_H

#include <stdbool.h>

/* Whether a thread is the server's. While its guest stands still it does nothing but wait. */
bool fs_is_server(int thread) __attribute__((visibility("hidden")));

/* Starts the server, if this process has a socket for it. */
void fs_start(void) __attribute__((visibility("hidden")));

#endif
