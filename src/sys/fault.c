/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/fault.h"

#if defined(SYS_FAULT_POINTS)

#include <errno.h>
#include <stdint.h>

/* One row a kind: what a test prints, and what the kernel plausibly answers (the man pages' ERRORS, less our own bugs).
 */
static const struct fault_kind {
	const char *name;
	int errors[6];
} fault_kinds[SYS_CALL_COUNT] = {
	[SYS_CALL_ALLOCATE] = {"allocate", {ENOMEM}},
	[SYS_CALL_OPEN] = {"openat", {EMFILE, ENFILE, EACCES, ENOMEM, EIO}},
	[SYS_CALL_CLOSE] = {"close", {0}},
	[SYS_CALL_READ] = {"read", {EIO, ENOMEM}},
	[SYS_CALL_WRITE] = {"write", {EIO, ENOMEM, EOPNOTSUPP}},
	[SYS_CALL_STAT] = {"fstat", {EACCES, ENOMEM, EIO}},
	[SYS_CALL_CHMOD] = {"chmod", {EPERM, EROFS, EIO}},
	[SYS_CALL_UNLINK] = {"unlinkat", {EACCES, EROFS, EIO}},
	[SYS_CALL_FLOCK] = {"flock", {EAGAIN, ENOLCK}},
	[SYS_CALL_FCNTL] = {"fcntl", {EPERM, ENOMEM}},
	[SYS_CALL_DUP] = {"dup", {EMFILE}},
	[SYS_CALL_IOCTL] = {"ioctl", {ENOTTY}},
	[SYS_CALL_PIPE] = {"pipe2", {EMFILE, ENFILE}},
	[SYS_CALL_MKFIFO] = {"mkfifoat", {EACCES, ENOSPC, EDQUOT, EROFS, EEXIST}},
	[SYS_CALL_SPLICE] = {"splice", {ENOMEM, EIO}},
	[SYS_CALL_SIGMASK] = {"sigmask", {0}},
	[SYS_CALL_POLL] = {"ppoll", {ENOMEM}},
	[SYS_CALL_EPOLL_CREATE] = {"epoll_create", {EMFILE, ENFILE, ENOMEM}},
	[SYS_CALL_EPOLL_CTL] = {"epoll_ctl", {ENOMEM, ENOSPC}},
	[SYS_CALL_EPOLL_WAIT] = {"epoll_wait", {ENOMEM}},
	[SYS_CALL_TIMERFD] = {"timerfd_create", {EMFILE, ENFILE, ENOMEM}},
	[SYS_CALL_TIMERFD_SET] = {"timerfd_settime", {ECANCELED}},
	[SYS_CALL_EVENTFD] = {"eventfd", {EMFILE, ENFILE, ENOMEM}},
	[SYS_CALL_NANOSLEEP] = {"nanosleep", {0}},
	[SYS_CALL_SOCKET] = {"socket", {EMFILE, ENFILE, ENOMEM, ENOBUFS}},
	[SYS_CALL_SOCKETPAIR] = {"socketpair", {EMFILE, ENFILE, ENOMEM}},
	[SYS_CALL_BIND] = {"bind", {EACCES, EADDRINUSE, ENOSPC, EROFS, ENOMEM}},
	[SYS_CALL_LISTEN] = {"listen", {EADDRINUSE}},
	[SYS_CALL_CONNECT] = {"connect", {EACCES, ECONNREFUSED, EAGAIN, ENETUNREACH, ENOMEM}},
	[SYS_CALL_ACCEPT] = {"accept4", {EMFILE, ENFILE, ENOMEM, ENOBUFS}},
	[SYS_CALL_SEND] = {"sendmsg", {ENOMEM, ENOBUFS, EPIPE, ECONNRESET}},
	[SYS_CALL_RECEIVE] = {"recvmsg", {ENOMEM, ENOBUFS, ECONNRESET}},
	[SYS_CALL_SHUTDOWN] = {"shutdown", {ENOTCONN}},
	[SYS_CALL_SOCKOPT] = {"sockopt", {ENOMEM, ENOBUFS}},
	[SYS_CALL_NAME] = {"getsockname", {ENOBUFS}},
	[SYS_CALL_RESOLVE] = {"getaddrinfo", {ENOENT, EREMOTEIO, ENOMEM}},
	[SYS_CALL_THREAD] = {"pthread_create", {ENOMEM}},
	[SYS_CALL_PIDFD_OPEN] = {"pidfd_open", {EMFILE, ENFILE, ENOMEM, ESRCH}},
	[SYS_CALL_SIGNAL] = {"kill", {EPERM, ESRCH, EAGAIN}},
	[SYS_CALL_SIGNALFD] = {"signalfd", {EMFILE, ENFILE, ENOMEM, ENODEV}},
	[SYS_CALL_READDIR] = {"getdents64", {ENOENT}},
	[SYS_CALL_CLONE] = {"clone", {EAGAIN, ENOMEM, EMFILE}},
	[SYS_CALL_PRCTL] = {"prctl", {EPERM}},
	[SYS_CALL_SETPGID] = {"setpgid", {EPERM}},
	[SYS_CALL_CLOSE_RANGE] = {"close_range", {ENOMEM, EMFILE}},
	[SYS_CALL_CHDIR] = {"chdir", {EACCES, ENOENT, ENOMEM, EIO}},
	[SYS_CALL_EXEC] = {"execve", {EACCES, E2BIG, ENOMEM, ENOENT, ETXTBSY}},
	[SYS_CALL_WAITID] = {"waitid", {ECHILD}},
	[SYS_CALL_MMAP] = {"mmap", {ENOMEM, EACCES, EAGAIN, ENODEV, EPERM}},
	[SYS_CALL_MUNMAP] = {"munmap", {0}},
	[SYS_CALL_MREMAP] = {"mremap", {ENOMEM, EAGAIN, EFAULT}},
	[SYS_CALL_MSYNC] = {"msync", {EIO, ENOSPC, EBUSY, ENOMEM}},
	[SYS_CALL_MADVISE] = {"madvise", {ENOMEM, EINVAL, EIO, EAGAIN, EFAULT}},
	[SYS_CALL_SHMGET] = {"shmget", {ENOSPC, ENOMEM, EACCES, EPERM, ENFILE}},
	[SYS_CALL_SHMAT] = {"shmat", {ENOMEM, EACCES, EMFILE}},
	[SYS_CALL_SHMDT] = {"shmdt", {0}},
	[SYS_CALL_SHMCTL] = {"shmctl", {EACCES, EPERM}},
	[SYS_CALL_MEMFD] = {"memfd_create", {EMFILE, ENFILE, ENOMEM, EACCES}},
	[SYS_CALL_LINK] = {"linkat", {EEXIST, EACCES, ENOSPC, EDQUOT, EROFS}},
	[SYS_CALL_RENAME] = {"renameat2", {EEXIST, EACCES, ENOSPC, EROFS, EIO}},
	[SYS_CALL_FALLOCATE] = {"fallocate", {ENOSPC, EIO, EFBIG, ENOMEM}},
	[SYS_CALL_TRUNCATE] = {"ftruncate", {ENOSPC, EIO, EPERM}},
	[SYS_CALL_FSYNC] = {"fsync", {EIO, ENOSPC, EDQUOT}},
	[SYS_CALL_STATFS] = {"fstatfs", {EIO, ENOMEM}},
	[SYS_CALL_INOTIFY] = {"inotify_init1", {EMFILE, ENFILE, ENOMEM}},
	[SYS_CALL_INOTIFY_WATCH] = {"inotify_add_watch", {ENOSPC, ENOMEM, EACCES, ENOENT}},
	[SYS_CALL_SIGACTION] = {"sigaction", {EPERM}},
	[SYS_CALL_MQUEUE_OPEN] = {"mq_open", {EACCES, EMFILE, ENOSPC, ENOMEM, EEXIST}},
	[SYS_CALL_MQUEUE_UNLINK] = {"mq_unlink", {EACCES, ENOENT}},
	[SYS_CALL_MQUEUE_SEND] = {"mq_send", {EAGAIN, ENOMEM}},
	[SYS_CALL_MQUEUE_RECEIVE] = {"mq_receive", {EAGAIN, EBADMSG}},
	[SYS_CALL_MQUEUE_STATUS] = {"mq_getattr", {ENOMEM}},
	[SYS_CALL_MQUEUE_NOTIFY] = {"mq_notify", {EBUSY, ENOMEM}},
	[SYS_CALL_SYSV_QUEUE_GET] = {"msgget", {EACCES, ENOENT, ENOSPC, ENOMEM, EEXIST}},
	[SYS_CALL_SYSV_QUEUE_CONTROL] = {"msgctl", {EACCES, EIDRM, EPERM, ENOMEM}},
	[SYS_CALL_SYSV_QUEUE_SEND] = {"msgsnd", {EAGAIN, EACCES, EIDRM, ENOMEM}},
	[SYS_CALL_SYSV_QUEUE_RECEIVE] = {"msgrcv", {ENOMSG, EACCES, EIDRM, ENOMEM}},
	[SYS_CALL_SEMGET] = {"semget", {EACCES, ENOMEM, ENOSPC}},
	[SYS_CALL_SEMCTL] = {"semctl", {EACCES, EIDRM, ENOMEM}},
	[SYS_CALL_SEMOP] = {"semtimedop", {EACCES, EIDRM, ENOMEM, ENOSPC}},
	[SYS_CALL_FILE_WRITE] = {"write", {ENOSPC, EDQUOT, EIO, ENOMEM}},
	[SYS_CALL_SEM_MAP] = {"mmap", {ENOMEM}},
	[SYS_CALL_SEM_TRY] = {"sem_trywait", {EAGAIN}},
	[SYS_CALL_SEM_WAIT] = {"sem_clockwait", {ETIMEDOUT}},
	[SYS_CALL_SEM_POST] = {"sem_post", {EOVERFLOW}},
	[SYS_CALL_LOCK] = {"fcntl lock", {EAGAIN, ENOLCK, EIO}},
	[SYS_CALL_FUTEX_WAIT] = {"futex wait", {ENOMEM, EFAULT, ENOSYS}},
	[SYS_CALL_FUTEX_WAKE] = {"futex wake", {EFAULT}},
	[SYS_CALL_MEMBARRIER] = {"membarrier", {ENOSYS, EPERM}},
	[SYS_CALL_RANDOM] = {"getrandom", {ENOSYS}},
	[SYS_CALL_MKDIR] = {"mkdirat", {EEXIST, EACCES, ENOSPC, EROFS}},
	[SYS_CALL_CAPGET] = {"capget", {EPERM}},
};

/* The plan and the record of one thread. */
static _Thread_local struct fault_plan {
	bool recording;
	bool armed;
	bool fired;
	size_t calls; /* since sys_fault_record() or sys_fault_arm() */
	size_t index;
	int error;
	int kind; /* of sys_fault_arm_kind(), else -1 */
	size_t recorded;
	uint8_t record[SYS_FAULT_RECORD_MAX];
} plan = {.kind = -1};

int sys_fault(enum sys_call call)
{
	size_t number = plan.calls++;

	if (plan.recording && plan.recorded < SYS_FAULT_RECORD_MAX)
		plan.record[plan.recorded++] = (uint8_t)call;
	if (plan.kind == (int)call || (plan.armed && number == plan.index)) {
		plan.fired = true;
		return -plan.error;
	}
	return 0;
}

void sys_fault_record(void)
{
	sys_fault_disarm();
	plan.recorded = 0;
	plan.recording = true;
}

size_t sys_fault_recorded(void)
{
	return plan.recorded;
}

enum sys_call sys_fault_recorded_call(size_t index)
{
	return (enum sys_call)plan.record[index];
}

void sys_fault_arm(size_t index, int error)
{
	sys_fault_disarm();
	plan.armed = true;
	plan.index = index;
	plan.error = error;
}

void sys_fault_arm_kind(enum sys_call call, int error)
{
	sys_fault_disarm();
	plan.kind = (int)call;
	plan.error = error;
}

bool sys_fault_fired(void)
{
	return plan.fired;
}

void sys_fault_disarm(void)
{
	/* What was recorded stays, to be read. */
	plan.recording = false;
	plan.armed = false;
	plan.fired = false;
	plan.kind = -1;
	plan.calls = 0;
}

const char *sys_fault_name(enum sys_call call)
{
	return (size_t)call < SYS_CALL_COUNT ? fault_kinds[call].name : "unknown";
}

const int *sys_fault_errors(enum sys_call call)
{
	return fault_kinds[call].errors;
}

#endif
