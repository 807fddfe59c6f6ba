/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_PROCESS_H
#define SYS_PROCESS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/wait.h>

/* P_PIDFD of waitid(2), Linux 5.4; older headers don't have it. */
#define SYS_BY_PIDFD ((idtype_t)3)

/* The calling process, and thread. */
pid_t sys_process_id(void);
pid_t sys_thread_id(void);

/* Whether a thread of this process is there, or another that got its number since. */
bool sys_thread_is_there(pid_t id);

/* The number of its PID namespace (namespaces(7)): 0 without /proc. */
uint64_t sys_pid_namespace(void);

/* What the program is called: the last part of argv[0]. */
const char *sys_program_name(void);

/*
 * How many CPUs those may run on who talk with us: the calling thread's, and those of the process that began its PID
 * namespace, which tell what a container or a machine has. Who was bound to one CPU has partners on others.
 */
int sys_processors(void);

/* As the kernel counts permissions. */
uid_t sys_effective_user(void);

/* Bytes that nobody can guess: 0, or -ENOSYS. */
int sys_random(void *ret_bytes, size_t size);

/* The page size in bytes. */
long sys_page_size(void);

/* A descriptor for a process, CLOEXEC: -ESRCH if there is none. */
int sys_pidfd_open(pid_t pid);

/*
 * Reap the child behind a pidfd if it has ended; never waits, so EINTR can't be.
 *
 * Return: 1 it was reaped, *@ret_info says how it ended; 0 it still runs; -ECHILD: not our child, or not any more.
 */
int sys_reap(int pidfd, siginfo_t *ret_info);

/* Whether a descriptor is a pidfd: 0, or -EBADF. A directory of /proc isn't, though some calls take it for one. */
int sys_pidfd_check(int fd);

#endif
