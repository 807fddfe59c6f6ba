/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_SEGMENTS_H
#define SYS_SEGMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* System V segments and memfds. Each returns 0 or more, or -errno; none waits. */

/* shmget(2): @flags are IPC_CREAT, IPC_EXCL and the mode. Return: the id. */
int sys_shm_get(key_t key, size_t size, int flags, bool huge);
/* -EINVAL and -EIDRM alike are -ENOENT: there is no such segment. */
int sys_shm_attach(int id, bool read_only, void **ret_base);
int sys_shm_detach(const void *base);
int sys_shm_remove(int id);

struct sys_shm {
	size_t size;
	key_t key;
	mode_t mode; /* permission bits alone */
	uid_t uid;
	gid_t gid;
	pid_t creator;
	pid_t last; /* to attach or detach */
	unsigned long attached;
	bool destroyed; /* goes with the last attachment */
};
int sys_shm_stat(int id, struct sys_shm *ret_shm);

/* CLOEXEC, sealable, not executable where the kernel knows that (6.3). */
int sys_memfd(const char *name, bool huge);
/* F_SEAL_*. -EINVAL: @fd can't be sealed. */
int sys_seals(int fd);
int sys_add_seals(int fd, int seals);

#endif
