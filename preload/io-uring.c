/*
 * Loaded into QEMU before its libraries: it gets no io_uring.
 *
 * From 11.0 on QEMU's event loop waits with one where it can. Its rings are memory that is shared with the kernel: machines that are forked
 * from that QEMU would have one ring for all. Where there is none, QEMU waits with epoll(7), as all versions before.
 */
#include <errno.h>

int io_uring_queue_init(unsigned entries, void *ring, unsigned flags)
{
	(void)entries;
	(void)ring;
	(void)flags;
	return -ENOSYS;
}

int io_uring_queue_init_params(unsigned entries, void *ring, void *parameters)
{
	(void)entries;
	(void)ring;
	(void)parameters;
	return -ENOSYS;
}
