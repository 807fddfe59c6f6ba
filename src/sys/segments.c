/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/segments.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "sys/fault.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/* Linux's own, above the permission bits of shm_perm.mode: linux/shm.h. */
#ifndef SHM_DEST
#define SHM_DEST 01000
#endif

int sys_shm_get(key_t key, size_t size, int flags, bool huge)
{
	int id = sys_fault(SYS_CALL_SHMGET);

	if (id < 0)
		return id;
	id = shmget(key, size, flags | (huge ? SHM_HUGETLB : 0));
	return id < 0 ? -errno : id;
}

int sys_shm_attach(int id, bool read_only, void **ret_base)
{
	int error = sys_fault(SYS_CALL_SHMAT);
	void *base;

	if (error < 0)
		return error;
	base = shmat(id, NULL, read_only ? SHM_RDONLY : 0);
	if ((intptr_t)base != -1) {
		*ret_base = base;
		return 0;
	}
	return errno == EINVAL || errno == EIDRM ? -ENOENT : -errno;
}

int sys_shm_detach(const void *base)
{
	(void)sys_fault(SYS_CALL_SHMDT);
	return shmdt(base) < 0 ? -errno : 0;
}

int sys_shm_remove(int id)
{
	int error = sys_fault(SYS_CALL_SHMCTL);

	if (error < 0)
		return error;
	if (shmctl(id, IPC_RMID, NULL) == 0)
		return 0;
	return errno == EINVAL || errno == EIDRM ? -ENOENT : -errno;
}

int sys_shm_stat(int id, struct sys_shm *ret_shm)
{
	struct shmid_ds status;
	int error = sys_fault(SYS_CALL_SHMCTL);

	if (error < 0)
		return error;
	if (shmctl(id, IPC_STAT, &status) < 0)
		return errno == EINVAL || errno == EIDRM ? -ENOENT : -errno;
	*ret_shm = (struct sys_shm){
		.size = status.shm_segsz,
		.key = status.shm_perm.__key,
		.mode = status.shm_perm.mode & 0777,
		.uid = status.shm_perm.uid,
		.gid = status.shm_perm.gid,
		.creator = status.shm_cpid,
		.last = status.shm_lpid,
		.attached = status.shm_nattch,
		.destroyed = status.shm_perm.mode & SHM_DEST,
	};
	return 0;
}

int sys_memfd(const char *name, bool huge)
{
	const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING | (huge ? MFD_HUGETLB : 0u);
	int fd = sys_fault(SYS_CALL_MEMFD);

	if (fd < 0)
		return fd;
	fd = memfd_create(name, flags | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, flags);
	return fd < 0 ? -errno : fd;
}

int sys_seals(int fd)
{
	int seals = sys_fault(SYS_CALL_FCNTL);

	if (seals < 0)
		return seals;
	seals = fcntl(fd, F_GET_SEALS);
	return seals < 0 ? -errno : seals;
}

int sys_add_seals(int fd, int seals)
{
	int error = sys_fault(SYS_CALL_FCNTL);

	if (error < 0)
		return error;
	return fcntl(fd, F_ADD_SEALS, seals) < 0 ? -errno : 0;
}
