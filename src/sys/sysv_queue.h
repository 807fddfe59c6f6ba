/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_SYSV_QUEUE_H
#define SYS_SYSV_QUEUE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * System V message queues. Each returns 0 or more, or -errno. An id names a queue until it is removed: then it is
 * -EINVAL or -EIDRM, and never another queue's before its slot was used 32,768 times.
 *
 * EINTR is handed on by the calls that wait, since nothing but a signal ends them; see each.
 */

/* The id. @access: 0400 to receive, 0200 to send, which is asked for. */
int sys_sysv_queue_open(int32_t key, unsigned access);

/* The id of a new one; -EEXIST. The mode is exact: there is no umask here. */
int sys_sysv_queue_create(int32_t key, unsigned mode);

int sys_sysv_queue_remove(int id);

struct sys_sysv_queue_status {
	uint64_t messages;
	uint64_t bytes;
	uint64_t capacity; /* bytes that it has room for, and messages */
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	int32_t last_sender; /* processes, in our PID namespace; 0: none */
	int32_t last_receiver;
};

/* To be told, one must be allowed to receive. */
int sys_sysv_queue_status(int id, struct sys_sysv_queue_status *ret_status);

/* How many bytes it has room for. Over kernel.msgmnb: -EPERM without CAP_SYS_RESOURCE. */
int sys_sysv_queue_set_capacity(int id, uint64_t capacity);

/* What this IPC namespace allows: kernel.msgmax, msgmnb and msgmni. */
struct sys_sysv_queue_limits {
	uint64_t message_size;
	uint64_t capacity; /* bytes: who lacks CAP_SYS_RESOURCE can't have more */
	uint64_t queues;
};
int sys_sysv_queue_limits(struct sys_sysv_queue_limits *ret_limits);

/* A message as the kernel takes and gives it: its type in a long before its bytes. */
#define SYS_SYSV_QUEUE_HEADER sizeof(long)

#define SYS_SYSV_QUEUE_WAIT   1u /* until there is one, or room: only a signal (-EINTR) or removal ends it */
#define SYS_SYSV_QUEUE_EXCEPT 2u /* receive: of any type but this one */
#define SYS_SYSV_QUEUE_COPY   4u /* receive: @type is an index from 0, and the message stays; doesn't wait */

/* @size: of the bytes behind the header. -EAGAIN: no room. -EINVAL: @size is over kernel.msgmax. */
int sys_sysv_queue_send(int id, const void *message, size_t size, unsigned flags);

/*
 * @size: of the room behind the header. @type: 0 any, above 0 that one, below 0 the lowest up to its absolute value.
 *
 * Return: the size of the bytes; -ENOMSG: there is none; -E2BIG: it is larger than @size, and stays; -ENOSYS: the
 * kernel can't copy (CONFIG_CHECKPOINT_RESTORE).
 */
ssize_t sys_sysv_queue_receive(int id, void *message, size_t size, long type, unsigned flags);

#endif
