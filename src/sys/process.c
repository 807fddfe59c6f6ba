/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/process.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/fault.h"

pid_t sys_process_id(void)
{
	return getpid();
}

uid_t sys_effective_user(void)
{
	return geteuid();
}

long sys_page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

int sys_pidfd_open(pid_t pid)
{
	int fd = sys_fault(SYS_CALL_PIDFD_OPEN);

	if (fd < 0)
		return fd;
	/* By number: glibc has the wrapper only since 2.36, other libcs not at all. Always CLOEXEC. */
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	return fd < 0 ? -errno : fd;
}
