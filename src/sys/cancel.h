/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_CANCEL_H
#define SYS_CANCEL_H

#include <pthread.h>

/*
 * pthread_cancel(3) ends a thread in the calls of the C library that POSIX lists, also in the midst of one of ours: a
 * descriptor would stay open, a lock taken, or a helper go on writing into the buffer of a caller that is gone. So the
 * wrappers of those calls keep it off; some go by syscall(2) instead, which isn't listed, where the two calls more
 * would show in a measurement. errno is left as it was.
 */
static inline int sys_cancel_off(void)
{
	int before;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	return before;
}

static inline void sys_cancel_restore(int before)
{
	pthread_setcancelstate(before, NULL);
}

#endif
