/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/sysv_semaphore.h"

#include <errno.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/stat.h>

#include "base/time.h"
#include "sys/fault.h"
#include "sys/memory.h"

/* glibc leaves it to its users to define (semctl(2)). */
union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
	struct seminfo *info;
};

/* So many steps need no memory of their own: kernel.sem's default limit is 500, but most have one or two. */
#define STEPS_ON_STACK 16

int sys_sysv_semaphore_create(int32_t key, uint32_t count, mode_t mode)
{
	int id = sys_fault(SYS_CALL_SEMGET);

	if (id < 0)
		return id;
	id = semget(key, (int)count, IPC_CREAT | IPC_EXCL | (int)(mode & 0777));
	return id < 0 ? -errno : id;
}

int sys_sysv_semaphore_find(int32_t key)
{
	int id = sys_fault(SYS_CALL_SEMGET);

	if (id < 0)
		return id;
	id = semget(key, 0, 0);
	return id < 0 ? -errno : id;
}

static int semaphore_control(int id, uint32_t index, int command, union semun argument)
{
	int result = sys_fault(SYS_CALL_SEMCTL);

	if (result < 0)
		return result;
	result = semctl(id, (int)index, command, argument);
	if (result < 0)
		return errno == EINVAL ? -EIDRM : -errno;
	return result;
}

int sys_sysv_semaphore_remove(int id)
{
	return semaphore_control(id, 0, IPC_RMID, (union semun){0});
}

int sys_sysv_semaphore_set_all(int id, uint32_t count, uint16_t value)
{
	unsigned short *values = sys_allocate(count * sizeof(*values));
	int error;

	if (!values)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		values[i] = value;
	error = semaphore_control(id, 0, SETALL, (union semun){.array = values});
	sys_free(values);
	return error;
}

int sys_sysv_semaphore_status(int id, struct sys_sysv_semaphore_set *ret_set)
{
	struct semid_ds status;
	int error = semaphore_control(id, 0, IPC_STAT, (union semun){.buf = &status});

	if (error < 0)
		return error;
	*ret_set = (struct sys_sysv_semaphore_set){
		.count = (uint32_t)status.sem_nsems,
		.operated = status.sem_otime != 0,
		.mode = status.sem_perm.mode & 0777,
		.owner = status.sem_perm.uid,
		.group = status.sem_perm.gid,
	};
	return 0;
}

int sys_sysv_semaphore_value(int id, uint32_t index)
{
	return semaphore_control(id, index, GETVAL, (union semun){0});
}

int sys_sysv_semaphore_waiters(int id, uint32_t index)
{
	return semaphore_control(id, index, GETNCNT, (union semun){0});
}

int sys_sysv_semaphore_zero_waiters(int id, uint32_t index)
{
	return semaphore_control(id, index, GETZCNT, (union semun){0});
}

int sys_sysv_semaphore_last_process(int id, uint32_t index)
{
	return semaphore_control(id, index, GETPID, (union semun){0});
}

int sys_sysv_semaphore_limits(struct sys_sysv_semaphore_limits *ret_limits)
{
	struct seminfo limits;
	struct seminfo now;
	int error = semaphore_control(0, 0, IPC_INFO, (union semun){.info = &limits});

	if (error >= 0)
		error = semaphore_control(0, 0, SEM_INFO, (union semun){.info = &now});
	if (error < 0)
		return error;
	*ret_limits = (struct sys_sysv_semaphore_limits){
		.set_size = (uint32_t)limits.semmsl,
		.semaphores = (uint32_t)limits.semmns,
		.operations = (uint32_t)limits.semopm,
		.sets = (uint32_t)limits.semmni,
		/* semctl(2): of SEM_INFO these two mean something else. */
		.sets_now = (uint32_t)now.semusz,
		.semaphores_now = (uint32_t)now.semaem,
	};
	return 0;
}

static int semaphore_operate(int id, struct sembuf *steps, size_t count, bool interruptible, nonet_time deadline)
{
	struct timespec left;
	int result;

	/* semtimedop(2) is never restarted, whatever SA_RESTART says (signal(7)). */
	do {
		if (deadline == NONET_FOREVER || deadline == NONET_NOW) {
			result = semop(id, steps, count);
		} else {
			left = time_to_timespec(time_until(deadline, nonet_clock()));
			result = semtimedop(id, steps, count, &left);
		}
	} while (result < 0 && errno == EINTR && !interruptible);
	if (result == 0)
		return 0;
	if (errno == EAGAIN)
		return time_expired(deadline);
	/* EFBIG: an index out of range. Ours was in it, so this isn't the set that we knew. */
	return errno == EINVAL || errno == EFBIG ? -EIDRM : -errno;
}

int sys_sysv_semaphore_operate(int id, const struct sys_sysv_semaphore_step *steps, size_t count, bool interruptible,
			       nonet_time deadline)
{
	struct sembuf few[STEPS_ON_STACK];
	struct sembuf *all = few;
	int error = sys_fault(SYS_CALL_SEMOP);

	if (error < 0)
		return error;
	if (count > STEPS_ON_STACK)
		all = sys_allocate(count * sizeof(*all));
	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		all[i] = (struct sembuf){
			.sem_num = steps[i].index,
			.sem_op = steps[i].change,
			.sem_flg = (short)((steps[i].undo ? SEM_UNDO : 0) | (deadline == NONET_NOW ? IPC_NOWAIT : 0)),
		};
	error = semaphore_operate(id, all, count, interruptible, deadline);
	if (all != few)
		sys_free(all);
	return error;
}
