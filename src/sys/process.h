/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_PROCESS_H
#define SYS_PROCESS_H

#include <sys/types.h>

/* The calling process. */
pid_t sys_process_id(void);

/* As the kernel counts permissions. */
uid_t sys_effective_user(void);

/* The page size in bytes. */
long sys_page_size(void);

/* A descriptor for a process, CLOEXEC: -ESRCH if there is none. */
int sys_pidfd_open(pid_t pid);

#endif
