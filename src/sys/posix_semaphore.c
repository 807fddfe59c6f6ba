/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/posix_semaphore.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sys/cancel.h"
#include "sys/fault.h"
#include "sys/files.h"

int sys_posix_semaphore_write(int fd, uint32_t value)
{
	union {
		sem_t semaphore;
		char bytes[sizeof(sem_t)];
	} image;
	ssize_t size;
	int cancel;
	int error = sys_fault(SYS_CALL_FILE_WRITE);

	if (error < 0)
		return error;
	/* No bytes of our stack in the file. */
	memset(&image, 0, sizeof(image));
	if (sem_init(&image.semaphore, 1, value) < 0)
		return -errno;
	cancel = sys_cancel_off();
	do
		size = write(fd, image.bytes, sizeof(image.bytes));
	while (size < 0 && errno == EINTR);
	sys_cancel_restore(cancel);
	if (size < 0)
		return -errno;
	return size == sizeof(image.bytes) ? 0 : -EIO;
}

int sys_posix_semaphore_map(int fd, sem_t **ret_semaphore)
{
	void *memory;
	int error = sys_fault(SYS_CALL_SEM_MAP);

	if (error < 0)
		return error;
	memory = mmap(NULL, sizeof(sem_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	*ret_semaphore = memory;
	return 0;
}

void sys_posix_semaphore_unmap(sem_t *semaphore)
{
	(void)munmap(semaphore, sizeof(sem_t));
}

int sys_posix_semaphore_try(sem_t *semaphore)
{
	int error = sys_fault(SYS_CALL_SEM_TRY);

	if (error < 0)
		return error;
	return sem_trywait(semaphore) < 0 ? -errno : 0;
}

int sys_posix_semaphore_post(sem_t *semaphore)
{
	int error = sys_fault(SYS_CALL_SEM_POST);

	if (error < 0)
		return error;
	return sem_post(semaphore) < 0 ? -errno : 0;
}

uint32_t sys_posix_semaphore_value(sem_t *semaphore)
{
	int value = 0;

	/* Fails for no sem_t that is mapped. */
	(void)sem_getvalue(semaphore, &value);
	return value < 0 ? 0 : (uint32_t)value;
}
