/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_FAULT_H
#define SYS_FAULT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Named fault points: every wrapper of src/sys begins with one, and a test can make any single call fail with an errno
 * of its choice. Compiled in only with SYS_FAULT_POINTS; a release library has a constant 0 in their place.
 *
 * The plan is the calling thread's alone, so a helper thread or a test's watcher isn't hit by it.
 */

enum sys_call {
	SYS_CALL_ALLOCATE,
	SYS_CALL_OPEN,
	SYS_CALL_CLOSE,
	SYS_CALL_READ,
	SYS_CALL_WRITE,
	SYS_CALL_STAT,
	SYS_CALL_CHMOD,
	SYS_CALL_UNLINK,
	SYS_CALL_FLOCK,
	SYS_CALL_FCNTL,
	SYS_CALL_DUP,
	SYS_CALL_IOCTL,
	SYS_CALL_PIPE,
	SYS_CALL_MKFIFO,
	SYS_CALL_SPLICE,
	SYS_CALL_SIGMASK,
	SYS_CALL_POLL,
	SYS_CALL_EPOLL_CREATE,
	SYS_CALL_EPOLL_CTL,
	SYS_CALL_EPOLL_WAIT,
	SYS_CALL_TIMERFD,
	SYS_CALL_TIMERFD_SET,
	SYS_CALL_EVENTFD,
	SYS_CALL_NANOSLEEP,
	SYS_CALL_SOCKET,
	SYS_CALL_SOCKETPAIR,
	SYS_CALL_BIND,
	SYS_CALL_LISTEN,
	SYS_CALL_CONNECT,
	SYS_CALL_ACCEPT,
	SYS_CALL_SEND,
	SYS_CALL_RECEIVE,
	SYS_CALL_SHUTDOWN,
	SYS_CALL_SOCKOPT,
	SYS_CALL_NAME,
	SYS_CALL_RESOLVE,
	SYS_CALL_THREAD,
	SYS_CALL_PIDFD_OPEN,
	SYS_CALL_SIGNAL,
	SYS_CALL_SIGNALFD,
	SYS_CALL_READDIR,
	SYS_CALL_CLONE,
	SYS_CALL_PRCTL,
	SYS_CALL_SETPGID,
	SYS_CALL_CLOSE_RANGE,
	SYS_CALL_CHDIR,
	SYS_CALL_EXEC,
	SYS_CALL_WAITID,
	SYS_CALL_MMAP,
	SYS_CALL_MUNMAP,
	SYS_CALL_MREMAP,
	SYS_CALL_MSYNC,
	SYS_CALL_MADVISE,
	SYS_CALL_SHMGET,
	SYS_CALL_SHMAT,
	SYS_CALL_SHMDT,
	SYS_CALL_SHMCTL,
	SYS_CALL_MEMFD,
	SYS_CALL_LINK,
	SYS_CALL_RENAME,
	SYS_CALL_FALLOCATE,
	SYS_CALL_TRUNCATE,
	SYS_CALL_FSYNC,
	SYS_CALL_STATFS,
	SYS_CALL_INOTIFY,
	SYS_CALL_INOTIFY_WATCH,
	SYS_CALL_SIGACTION,
	SYS_CALL_MQUEUE_OPEN,
	SYS_CALL_MQUEUE_UNLINK,
	SYS_CALL_MQUEUE_SEND,
	SYS_CALL_MQUEUE_RECEIVE,
	SYS_CALL_MQUEUE_STATUS,
	SYS_CALL_MQUEUE_NOTIFY,
	SYS_CALL_SYSV_QUEUE_GET,
	SYS_CALL_SYSV_QUEUE_CONTROL,
	SYS_CALL_SYSV_QUEUE_SEND,
	SYS_CALL_SYSV_QUEUE_RECEIVE,
	SYS_CALL_SEMGET,
	SYS_CALL_SEMCTL,
	SYS_CALL_SEMOP,
	SYS_CALL_FILE_WRITE,
	SYS_CALL_SEM_MAP,
	SYS_CALL_SEM_TRY,
	SYS_CALL_SEM_WAIT,
	SYS_CALL_SEM_POST,
	SYS_CALL_LOCK,
	SYS_CALL_FUTEX_WAIT,
	SYS_CALL_FUTEX_WAKE,
	SYS_CALL_MEMBARRIER,
	SYS_CALL_RANDOM,
	SYS_CALL_MKDIR,
	SYS_CALL_CAPGET,
	SYS_CALL_COUNT,
};

#if defined(SYS_FAULT_POINTS)

/* 0, or the negative errno with which this call has to fail. Called first in each wrapper. */
int sys_fault(enum sys_call call);

/* Record the calls that this thread makes from now on; forgets the last record and any armed fault. */
void sys_fault_record(void);

/* How many calls were recorded since; and which the @index-th of them was. Stops at SYS_FAULT_RECORD_MAX calls. */
#define SYS_FAULT_RECORD_MAX 4096
size_t sys_fault_recorded(void);
enum sys_call sys_fault_recorded_call(size_t index);

/* Let the @index-th call from now on fail with @error (positive); forgets the last record. */
void sys_fault_arm(size_t index, int error);

/* Let every call of a kind fail with @error from now on, to force a fallback. */
void sys_fault_arm_kind(enum sys_call call, int error);

/* Whether an armed fault was hit. */
bool sys_fault_fired(void);

/* No faults, no record. */
void sys_fault_disarm(void);

/* "open", "sendmsg"... static. */
const char *sys_fault_name(enum sys_call call);

/* The errnos with which the kernel plausibly fails a kind of call, ended by 0. Close and sigmask have none. */
const int *sys_fault_errors(enum sys_call call);

#else

static inline int sys_fault(enum sys_call call)
{
	(void)call;
	return 0;
}

#endif

#endif
