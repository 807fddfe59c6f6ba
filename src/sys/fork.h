/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_FORK_H
#define SYS_FORK_H

/*
 * Which process this is, in a line of forks: no two processes have the same number that got there from one another by
 * fork(2), however it was called. Unlike getpid(2) it costs no system call, and differs where a PID namespace gives a
 * child the number of its parent. Nothing can be told from the numbers of unrelated processes.
 */
unsigned sys_generation(void);

#endif
