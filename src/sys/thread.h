/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_THREAD_H
#define SYS_THREAD_H

#include <pthread.h>

/*
 * Helper threads. All signals are blocked in them, so that none of the program's handlers runs where it isn't expected;
 * but SIGURG, by which a helper can be got out of a system call that has no timeout (msgrcv(2), fcntl(2)'s
 * F_OFD_SETLKW, flock(2)). Why SIGURG: who handles it must be ready for one that means nothing; by default it is
 * ignored; debuggers pass it on silently.
 *
 * The disposition is the program's: it is ours only while somebody interrupts a helper, some microseconds, and what was
 * there before is put back. A SIGURG of the program's that comes meanwhile reaches its handler through ours. What
 * remains: a program that changes it by sigaction(2) at that very moment may lose the change, and a SIGURG sent to
 * the process, not to a thread, may be ignored by a helper though the others block it for a signalfd.
 */

/*
 * Start one, with a name of at most 15 bytes.
 *
 * Return: 0, or -ENOMEM (also for RLIMIT_NPROC).
 */
int sys_thread_start(const char *name, void *(*function)(void *argument), void *argument, pthread_t *ret_thread);

/*
 * The same by attributes of one's own, or NULL, and without a name or interrupts.
 *
 * Return: 0, or -ENOMEM, or -EINVAL: the stack in @attributes is too small.
 */
int sys_thread_create(const pthread_attr_t *attributes, void *(*function)(void *argument), void *argument,
		      pthread_t *ret_thread);

/* Until it has ended. */
void sys_thread_join(pthread_t thread);

/* Nobody will join it: it is on its own. */
void sys_thread_detach(pthread_t thread);

/* From now on sys_thread_interrupt() gets the calling helper out of calls that wait, which return -EINTR. */
void sys_thread_allow_interrupts(void);

/*
 * The calling helper reads memory that others may cut off: the SIGBUS of it, which the guard answers, isn't blocked any
 * more. Blocked it would end the process.
 */
void sys_thread_allow_faults(void);

/* Before the interrupts begin, and after the last. One thread at a time is between the two: others wait. */
void sys_thread_interrupts_begin(void);
void sys_thread_interrupts_end(void);

/*
 * Interrupt the call that @thread is in. One that is about to begin isn't interrupted: so again and again, until it
 * says that it is out.
 */
void sys_thread_interrupt(pthread_t thread);

#endif
