/* A thread that is none of the C library's. */
#ifndef THREAD_H
#define THREAD_H

#include <stddef.h>
#include <stdnoreturn.h>

/* Starts a thread that takes no signals. It has its own umask and working directory. @function: never returns */
void start_thread(size_t stack, void (*function)(void)) __attribute__((visibility("hidden")));

#endif
