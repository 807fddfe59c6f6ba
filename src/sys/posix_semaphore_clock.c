/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/posix_semaphore.h"

#include <errno.h>
#include <time.h>

#include "base/time.h"
#include "sys/fault.h"

/* With a C library that can wait by CLOCK_MONOTONIC. */
int sys_posix_semaphore_wait(sem_t *semaphore, nonet_time deadline)
{
	const struct timespec until = time_to_timespec(deadline);
	int error = sys_fault(SYS_CALL_SEM_WAIT);

	if (error < 0)
		return error;
	while (sem_clockwait(semaphore, CLOCK_MONOTONIC, &until) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}
