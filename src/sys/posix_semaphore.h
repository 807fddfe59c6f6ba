/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_POSIX_SEMAPHORE_H
#define SYS_POSIX_SEMAPHORE_H

#include <semaphore.h>
#include <stdint.h>
#include <sys/types.h>

#include <nonet/time.h>

/*
 * POSIX semaphores: a sem_t in a file of SYS_POSIX_SEMAPHORE_DIRECTORY, mapped. Each call returns 0 or more, or -errno.
 *
 * Not by sem_open(3): its files get a mode less the umask, and it maps whatever has the name, so that a file that is
 * too short is a SIGBUS. The name is sem_overview(7)'s; what is in the file is what sem_init(3) makes of a semaphore
 * that processes share, which is what the C library's own sem_open(3) writes there.
 */
#define SYS_POSIX_SEMAPHORE_DIRECTORY "/dev/shm"
#define SYS_POSIX_SEMAPHORE_PREFIX    "sem."

/* Write a semaphore of @value into an empty file. -EIO also where only a part of it went in. */
int sys_posix_semaphore_write(int fd, uint32_t value);

/* @fd, which is at least as large as a sem_t, may be closed afterwards. */
int sys_posix_semaphore_map(int fd, sem_t **ret_semaphore);
void sys_posix_semaphore_unmap(sem_t *semaphore);

/* -EAGAIN: there is none. Never a system call (in glibc and musl), so there is no EINTR to retry. */
int sys_posix_semaphore_try(sem_t *semaphore);

/*
 * EINTR is retried. -ETIMEDOUT. @deadline is neither NONET_NOW nor NONET_FOREVER. Where the C library has no
 * sem_clockwait(3) (glibc before 2.30, musl), posix_semaphore_timed.c waits by CLOCK_REALTIME instead, which can be
 * set: in slices, so that a caller who is told -ETIMEDOUT too late was so by one slice at most, and never too early.
 */
int sys_posix_semaphore_wait(sem_t *semaphore, nonet_time deadline);

/* One permit. -EOVERFLOW: it has SEM_VALUE_MAX already. */
int sys_posix_semaphore_post(sem_t *semaphore);

uint32_t sys_posix_semaphore_value(sem_t *semaphore);

#endif
