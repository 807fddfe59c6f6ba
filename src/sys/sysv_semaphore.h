/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_SYSV_SEMAPHORE_H
#define SYS_SYSV_SEMAPHORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <nonet/time.h>

/*
 * System V semaphores, in sets. Each call returns 0 or more, or -errno. Of a set that was removed they say -EIDRM,
 * whether its place in the kernel's table is free again (there: EINVAL) or not. Only sys_sysv_semaphore_operate()
 * waits.
 */

/* What the kernel counts to (SEMVMX), and how far undo goes (SEMAEM). Constants of the kernel. */
#define SYS_SYSV_SEMAPHORE_MAX 32767

/*
 * The id of a new set, whose values are 0 and belong to no process. Permissions are @mode, whatever the umask.
 * -EINVAL: @count is over SEMMSL.
 */
int sys_sysv_semaphore_create(int32_t key, uint32_t count, mode_t mode);

/* The id of the set that is there. */
int sys_sysv_semaphore_find(int32_t key);

int sys_sysv_semaphore_remove(int id);

/* Give each of the @count semaphores its first value. */
int sys_sysv_semaphore_set_all(int id, uint32_t count, uint16_t value);

struct sys_sysv_semaphore_set {
	uint32_t count;
	bool operated; /* there was a semop(2) since it was made */
	mode_t mode;
	uid_t owner;
	gid_t group;
};

/* Needs permission to read. */
int sys_sysv_semaphore_status(int id, struct sys_sysv_semaphore_set *ret_set);

/* Of one of a set. -EINVAL can't be: @index is the caller's to check, and out of range is -EIDRM. */
int sys_sysv_semaphore_value(int id, uint32_t index);
int sys_sysv_semaphore_waiters(int id, uint32_t index);      /* for it to grow */
int sys_sysv_semaphore_zero_waiters(int id, uint32_t index); /* for it to be 0 */
int sys_sysv_semaphore_last_process(int id, uint32_t index); /* 0: none, or not in our PID namespace */

struct sys_sysv_semaphore_limits {
	uint32_t set_size;   /* SEMMSL */
	uint32_t semaphores; /* SEMMNS */
	uint32_t operations; /* SEMOPM */
	uint32_t sets;       /* SEMMNI */
	uint32_t sets_now;   /* in this IPC namespace */
	uint32_t semaphores_now;
};

/* As sysctl kernel.sem has them, and how much is taken. */
int sys_sysv_semaphore_limits(struct sys_sysv_semaphore_limits *ret_limits);

struct sys_sysv_semaphore_step {
	uint16_t index;
	int16_t change; /* 0: wait for the value to be 0 */
	bool undo;      /* when this process ends */
};

/*
 * All steps at once, or none. @count is at least 1.
 *
 * EINTR is retried until @deadline unless @interruptible. -EAGAIN: it would wait, and @deadline is NONET_NOW;
 * -ETIMEDOUT; -ERANGE: a value, or what is to be undone, would be out of range; -E2BIG: over SEMOPM steps.
 */
int sys_sysv_semaphore_operate(int id, const struct sys_sysv_semaphore_step *steps, size_t count, bool interruptible,
			       nonet_time deadline);

#endif
