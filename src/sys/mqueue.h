/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_MQUEUE_H
#define SYS_MQUEUE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * POSIX message queues. Each returns 0 or more, or -errno. On Linux what mq_open(3) returns is a descriptor like any
 * other, for poll(2), fstat(2), fchmod(2) and close(2) too. It is opened with O_NONBLOCK, so that none of these calls
 * waits, and none is ever interrupted. -ENOSYS: the kernel was built without them.
 */

struct sys_mqueue_status {
	uint64_t depth;        /* messages that it has room for */
	uint64_t message_size; /* of the largest that it takes */
	uint64_t messages;     /* that are in it now */
};

/* O_CLOEXEC, O_NONBLOCK. @access: O_RDONLY, O_WRONLY or O_RDWR. @name begins with a slash. */
int sys_mqueue_open(const char *name, int access);

/* The same, and it mustn't be there yet. The umask is taken off @mode. @size: of its messages; NULL: as set up. */
int sys_mqueue_create(const char *name, int access, mode_t mode, const struct sys_mqueue_status *size);

int sys_mqueue_unlink(const char *name);

int sys_mqueue_send(int fd, const void *bytes, size_t size, unsigned priority);

/* @size is at least the queue's message_size. Return: the message's size. */
ssize_t sys_mqueue_receive(int fd, void *buffer, size_t size, unsigned *ret_priority);

int sys_mqueue_status(int fd, struct sys_mqueue_status *ret_status);

/* The bytes of all messages in it; @fd was opened to receive. */
int sys_mqueue_bytes(int fd, uint64_t *ret_bytes);

/* Ask for a signal when a message comes to the empty queue, once; @number 0: no more. -EBUSY: somebody else did. */
int sys_mqueue_notify(int fd, int number, int value);

/* RLIMIT_MSGQUEUE: what all queues of this process's user may take, in bytes; UINT64_MAX: no limit. */
uint64_t sys_mqueue_limit(void);

#endif
