/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/posix_semaphore.h"

#include <errno.h>
#include <time.h>

#include "base/time.h"
#include "sys/cancel.h"
#include "sys/fault.h"

/* How far wrong a wait may go when the clock is set. */
#define SLICE NONET_MS(100)

/* Where CLOCK_REALTIME stands after @duration. */
static struct timespec real_time_after(nonet_time duration)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return time_to_timespec(NONET_S((nonet_time)now.tv_sec) + now.tv_nsec + duration);
}

/* For a C library that has no sem_clockwait(3). */
int sys_posix_semaphore_wait(sem_t *semaphore, nonet_time deadline)
{
	struct timespec until;
	nonet_time left;
	int error = sys_fault(SYS_CALL_SEM_WAIT);
	int cancel;

	if (error < 0)
		return error;
	for (;;) {
		left = time_until(deadline, nonet_clock());
		until = real_time_after(left < SLICE ? left : SLICE);
		cancel = sys_cancel_off();
		error = sem_timedwait(semaphore, &until) < 0 ? -errno : 0;
		sys_cancel_restore(cancel);
		if (error != -EINTR && error != -ETIMEDOUT)
			return error;
		/* By the clock that counts. A call with no time left has looked, too. */
		if (left == 0)
			return -ETIMEDOUT;
	}
}
