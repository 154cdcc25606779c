/* The threads of a process that is forked. Nothing here calls the C library. */
#ifndef FORK_THREADS_H
#define FORK_THREADS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdnoreturn.h>

#pragma GCC visibility push(hidden)

/* The kernel's struct sigaction. */
struct action {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
};

/* Stops all other threads. Returns whether all have stopped; `go_on` is to be called in either case, but not in a clone. */
bool stop_threads(void);
void go_on(void);

/* In a clone: the signal by which they stopped means nothing any more. */
void leave_round(void);

/* Where the C library notes a thread's id in its descriptor. Returns -1 if there is no such offset, or more. They have stopped. */
long find_id_offset(void);

/* Makes the threads of a clone again. This one becomes that of the process: `main` is its id in the parent. */
noreturn void resume_threads(int main, long id_offset);

#pragma GCC visibility pop
#endif
