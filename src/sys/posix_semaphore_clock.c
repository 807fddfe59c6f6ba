/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/posix_semaphore.h"

#include <errno.h>
#include <time.h>

#include "base/time.h"
#include "sys/cancel.h"
#include "sys/fault.h"

/* With a C library that can wait by CLOCK_MONOTONIC. */
int sys_posix_semaphore_wait(sem_t *semaphore, nonet_time deadline)
{
	const struct timespec until = time_to_timespec(deadline);
	int error = sys_fault(SYS_CALL_SEM_WAIT);
	int cancel;

	if (error < 0)
		return error;
	cancel = sys_cancel_off();
	do
		error = sem_clockwait(semaphore, CLOCK_MONOTONIC, &until) < 0 ? -errno : 0;
	while (error == -EINTR);
	sys_cancel_restore(cancel);
	return error;
}
