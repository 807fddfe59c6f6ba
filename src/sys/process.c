/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/process.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/fault.h"

pid_t sys_process_id(void)
{
	return getpid();
}

pid_t sys_thread_id(void)
{
	return (pid_t)syscall(SYS_gettid);
}

bool sys_thread_is_there(pid_t id)
{
	return syscall(SYS_tgkill, getpid(), id, 0) == 0;
}

uint64_t sys_pid_namespace(void)
{
	struct stat status;

	if (sys_fault(SYS_CALL_STAT) < 0 || stat("/proc/self/ns/pid", &status) < 0)
		return 0;
	return status.st_ino;
}

const char *sys_program_name(void)
{
	return program_invocation_short_name;
}

int sys_processors(void)
{
	cpu_set_t ours;
	cpu_set_t all;

	/* EINVAL: there are more CPUs than the set has bits. */
	if (sched_getaffinity(0, sizeof(ours), &ours) < 0)
		return CPU_SETSIZE;
	if (sched_getaffinity(1, sizeof(all), &all) == 0)
		CPU_OR(&ours, &ours, &all);
	return CPU_COUNT(&ours);
}

uid_t sys_effective_user(void)
{
	return geteuid();
}

long sys_page_size(void)
{
	/* Asked once: each handle of memory wants to know. */
	static _Atomic long size;
	long known = atomic_load_explicit(&size, memory_order_relaxed);

	if (known == 0) {
		known = sysconf(_SC_PAGESIZE);
		atomic_store_explicit(&size, known, memory_order_relaxed);
	}
	return known;
}

int sys_random(void *ret_bytes, size_t size)
{
	ssize_t got = sys_fault(SYS_CALL_RANDOM);

	if (got < 0)
		return (int)got;
	/* Up to 256 bytes come whole (getrandom(2)); before the pool is ready, a signal may end the waiting for it. */
	do
		got = getrandom(ret_bytes, size, 0);
	while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : 0;
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

int sys_reap(int pidfd, siginfo_t *ret_info)
{
	siginfo_t info = {.si_pid = 0};
	int error = sys_fault(SYS_CALL_WAITID);

	if (error < 0)
		return error;
	if (waitid(SYS_BY_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) < 0)
		return -errno;
	if (info.si_pid == 0)
		return 0;
	*ret_info = info;
	return 1;
}

int sys_pidfd_check(int fd)
{
	siginfo_t info;
	int error = sys_fault(SYS_CALL_WAITID);

	/* Of a pidfd anything but EBADF: mostly ECHILD, as it isn't our child's. WNOWAIT: nobody is reaped. */
	if (error == 0 && waitid(SYS_BY_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
		error = -errno;
	return error == -EBADF ? -EBADF : 0;
}
