/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/fault.h"
#include "sys/fork.h"

/* The system calls by number: the C library has wrappers for few of them, and its mask leaves out its own signals. */

/*
 * Our number in the high half, of which generation in the low one: getpid(2) would be a tenth of a send. The two go
 * together in one word, so that a thread sees a pair that belongs together.
 */
static _Atomic uint64_t signals_self;

static pid_t signals_process_id(void)
{
	const unsigned generation = sys_generation();
	uint64_t self = atomic_load_explicit(&signals_self, memory_order_relaxed);

	if ((uint32_t)self != generation || self == 0) {
		self = (uint64_t)(uint32_t)getpid() << 32 | generation;
		atomic_store_explicit(&signals_self, self, memory_order_relaxed);
	}
	return (pid_t)(self >> 32);
}

/* The real user may change at any time, and the kernel asks for it to be filled in by us. */
static siginfo_t signals_info(int number, int value)
{
	siginfo_t info = {.si_signo = number, .si_code = SI_QUEUE};

	info.si_pid = signals_process_id();
	info.si_uid = getuid();
	info.si_value.sival_int = value;
	return info;
}

bool sys_signal_is_known(int number)
{
	return number > 0 && number <= SIGRTMAX && (number <= SIGSYS || number >= SIGRTMIN);
}

int sys_signal_send(pid_t pid, int number)
{
	int error = sys_fault(SYS_CALL_SIGNAL);

	if (error < 0)
		return error;
	return kill(pid, number) < 0 ? -errno : 0;
}

int sys_signal_queue(pid_t pid, int number, int value)
{
	int error = sys_fault(SYS_CALL_SIGNAL);
	siginfo_t info;

	if (error < 0)
		return error;
	info = signals_info(number, value);
	return syscall(SYS_rt_sigqueueinfo, pid, number, &info) < 0 ? -errno : 0;
}

int sys_signal_send_pidfd(int pidfd, int number, const int *value)
{
	int error = sys_fault(SYS_CALL_SIGNAL);
	siginfo_t info;

	if (error < 0)
		return error;
	if (value)
		info = signals_info(number, *value);
	return syscall(SYS_pidfd_send_signal, pidfd, number, value ? &info : NULL, 0) < 0 ? -errno : 0;
}

int sys_signal_send_thread(pid_t process, pid_t thread, int number, const int *value)
{
	int error = sys_fault(SYS_CALL_SIGNAL);
	siginfo_t info;

	if (error < 0)
		return error;
	if (!value)
		return syscall(SYS_tgkill, process, thread, number) < 0 ? -errno : 0;
	info = signals_info(number, *value);
	return syscall(SYS_rt_tgsigqueueinfo, process, thread, number, &info) < 0 ? -errno : 0;
}

static int signals_mask(int how, uint64_t mask, uint64_t *ret_before)
{
	return syscall(SYS_rt_sigprocmask, how, &mask, ret_before, sizeof(mask)) < 0 ? -errno : 0;
}

int sys_signal_block(uint64_t mask, uint64_t *ret_before)
{
	int error = sys_fault(SYS_CALL_SIGMASK);

	return error < 0 ? error : signals_mask(SIG_BLOCK, mask, ret_before);
}

void sys_signal_unblock(uint64_t mask)
{
	(void)sys_fault(SYS_CALL_SIGMASK);
	(void)signals_mask(SIG_UNBLOCK, mask, NULL);
}

void sys_signal_set_mask(uint64_t mask)
{
	(void)sys_fault(SYS_CALL_SIGMASK);
	(void)signals_mask(SIG_SETMASK, mask, NULL);
}

int sys_signalfd_create(uint64_t mask)
{
	int fd = sys_fault(SYS_CALL_SIGNALFD);

	if (fd < 0)
		return fd;
	fd = (int)syscall(SYS_signalfd4, -1, &mask, sizeof(mask), SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int sys_signalfd_read(int fd, struct sys_signal *ret_signal)
{
	ssize_t size = sys_fault(SYS_CALL_READ);
	struct signalfd_siginfo info;

	if (size < 0)
		return (int)size;
	do
		size = read(fd, &info, sizeof(info));
	while (size < 0 && errno == EINTR);
	if (size < 0)
		return -errno;
	*ret_signal = (struct sys_signal){
		.number = (int)info.ssi_signo,
		.code = info.ssi_code,
		.pid = (pid_t)info.ssi_pid,
		.uid = info.ssi_uid,
		.value = info.ssi_int,
		.status = info.ssi_status,
	};
	return 0;
}
