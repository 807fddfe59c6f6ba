/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/sysv_queue.h"

#include <errno.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/fault.h"

static int sysv_queue_get(int32_t key, int flags)
{
	int id = sys_fault(SYS_CALL_SYSV_QUEUE_GET);

	if (id < 0)
		return id;
	id = msgget(key, flags);
	return id < 0 ? -errno : id;
}

int sys_sysv_queue_open(int32_t key, unsigned access)
{
	return sysv_queue_get(key, (int)access);
}

int sys_sysv_queue_create(int32_t key, unsigned mode)
{
	return sysv_queue_get(key, IPC_CREAT | IPC_EXCL | (int)mode);
}

/* @argument is a struct msqid_ds, or what the command takes in its place. */
static int sysv_queue_control(int id, int command, void *argument)
{
	int error = sys_fault(SYS_CALL_SYSV_QUEUE_CONTROL);

	if (error < 0)
		return error;
	return msgctl(id, command, argument) < 0 ? -errno : 0;
}

int sys_sysv_queue_remove(int id)
{
	return sysv_queue_control(id, IPC_RMID, NULL);
}

int sys_sysv_queue_status(int id, struct sys_sysv_queue_status *ret_status)
{
	struct msqid_ds status;
	int error = sysv_queue_control(id, IPC_STAT, &status);

	if (error < 0)
		return error;
	*ret_status = (struct sys_sysv_queue_status){
		.messages = status.msg_qnum,
		.bytes = status.__msg_cbytes,
		.capacity = status.msg_qbytes,
		.mode = status.msg_perm.mode & 0777,
		.uid = status.msg_perm.uid,
		.gid = status.msg_perm.gid,
		.last_sender = status.msg_lspid,
		.last_receiver = status.msg_lrpid,
	};
	return 0;
}

int sys_sysv_queue_set_capacity(int id, uint64_t capacity)
{
	struct msqid_ds status;
	/* What isn't to be changed has to be said again. */
	int error = sysv_queue_control(id, IPC_STAT, &status);

	if (error < 0)
		return error;
	status.msg_qbytes = (msglen_t)capacity;
	return sysv_queue_control(id, IPC_SET, &status);
}

int sys_sysv_queue_limits(struct sys_sysv_queue_limits *ret_limits)
{
	struct msginfo info;
	int error = sysv_queue_control(0, IPC_INFO, &info);

	if (error < 0)
		return error;
	*ret_limits = (struct sys_sysv_queue_limits){
		.message_size = (uint64_t)info.msgmax,
		.capacity = (uint64_t)info.msgmnb,
		.queues = (uint64_t)info.msgmni,
	};
	return 0;
}

int sys_sysv_queue_send(int id, const void *message, size_t size, unsigned flags)
{
	int error = sys_fault(SYS_CALL_SYSV_QUEUE_SEND);

	if (error < 0)
		return error;
	/* See sys/cancel.h. */
	if (syscall(SYS_msgsnd, id, message, size, flags & SYS_SYSV_QUEUE_WAIT ? 0 : IPC_NOWAIT) < 0)
		return -errno;
	return 0;
}

ssize_t sys_sysv_queue_receive(int id, void *message, size_t size, long type, unsigned flags)
{
	ssize_t got = sys_fault(SYS_CALL_SYSV_QUEUE_RECEIVE);
	int how = flags & SYS_SYSV_QUEUE_WAIT ? 0 : IPC_NOWAIT;

	if (got < 0)
		return got;
	if (flags & SYS_SYSV_QUEUE_EXCEPT)
		how |= MSG_EXCEPT;
	if (flags & SYS_SYSV_QUEUE_COPY)
		how |= MSG_COPY;
	got = syscall(SYS_msgrcv, id, message, size, type, how);
	return got < 0 ? -errno : got;
}
