/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_MEMBARRIER_H
#define SYS_MEMBARRIER_H

/*
 * A fence in other processes (membarrier(2)), so that the one who rarely needs it pays for it. Each returns 0, or
 * -ENOSYS, -EPERM, -EINVAL: an old kernel, or a filter forbids it.
 */

/* From now on this process takes part. Some 15 ms in one that has several threads. */
int sys_membarrier_register(void);

/* A full fence in all running threads of processes that take part: what they do after it sees what we did before. */
int sys_membarrier(void);

#endif
